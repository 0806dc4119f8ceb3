//! The terminal connected to a process.
//!
//! The process's screen is drawn first, then its output goes through the filter, and the keyboard goes
//! to it, apart from the prefix key's commands. What the server tells in between (who is there, what
//! others did) is shown in lines of ours, which are held back while a program has the whole screen.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::exec::Api;
use super::listing;
use super::prefix::{Prefix, Step};
use super::terminal::{Event, Mode, Terminal};
use crate::proto::controller::attach_input::Input;
use crate::proto::controller::attach_output::Output;
use crate::proto::controller::{
    AttachInput, AttachOutput, AttachStart, Client, Exited, Ready, Snapshot,
};
use crate::term::escape;
use crate::term::guard;

/// Messages to the server that may wait for it. Beyond that, keys stay in the kernel.
const QUEUE: usize = 64;

/// Bytes of output from which on no more is joined to it.
const JOINED: usize = 64 << 10;

/// Most bytes of keys in one message.
const MOST: usize = 16 << 10;

/// How long leaving a process may take.
pub const FAREWELL: Duration = Duration::from_secs(1);

/// Most bytes of scrollback that are shown before the screen.
pub const SCROLLBACK: u32 = 64 << 10;

/// Lines of ours that are held back; the oldest go.
const HELD: usize = 50;

/// Longest begin of a line that is written again behind a line of ours.
const LINE: usize = 4096;

/// What the server did that ends a connection without a word.
pub const CUT_OFF: &str = "it ended the connection";

/// What connects the terminal to which process.
#[derive(Debug)]
pub struct Link<'a> {
    /// The server.
    pub api: Api,
    /// Which process, and how; the size is filled in.
    pub start: AttachStart,
    /// Whether the process has a terminal.
    pub tty: bool,
    /// Who is known to be attached to it already.
    pub others: Vec<Client>,
    /// Whether there is a monitor to change to.
    pub monitor: bool,
    /// The prefix key.
    pub prefix: &'a mut Prefix,
}

/// Why the terminal is not connected any more.
#[derive(Clone, Debug)]
pub enum Left {
    /// The prefix, `c`.
    Toggled,
    /// The prefix, `d`.
    Detached,
    /// The process has ended.
    Exited(Exited),
    /// It cannot be connected, or no more.
    Lost(Status),
    /// The terminal is gone, or this process is asked to end.
    Gone,
}

/// Connects `terminal` until something ends it. The terminal's mode is then that of the program, but
/// what it has switched on is off.
pub async fn connect(terminal: &mut Terminal, mut link: Link<'_>) -> Left {
    loop {
        match once(terminal, &mut link).await {
            // After `fg` the screen may show anything: the server knows what belongs there.
            None => terminal.program_ends(),
            Some(left) => {
                terminal.program_ends();
                return left;
            }
        }
    }
}

/// `None`: the screen has to be drawn anew.
async fn once(terminal: &mut Terminal, link: &mut Link<'_>) -> Option<Left> {
    terminal.mode(if link.tty { Mode::Raw } else { Mode::Echo });
    let start = AttachStart {
        size: link.tty.then(|| terminal.size()),
        ..link.start.clone()
    };
    let (sender, receiver) = mpsc::channel(QUEUE);
    let message = |input| AttachInput { input: Some(input) };
    // There is room: nothing has been sent.
    let _ = sender.try_send(message(Input::Start(start)));
    let attached = link.api.attach(ReceiverStream::new(receiver)).await;
    let mut output = match attached {
        Ok(output) => output.into_inner(),
        Err(status) => return Some(Left::Lost(status)),
    };
    let mut view = View::new(link.tty, link.others.clone());
    let mut ahead = None;
    let mut waiting: VecDeque<Input> = VecDeque::new();
    loop {
        tokio::select! {
            biased;
            permit = sender.reserve(), if !waiting.is_empty() => match (permit, waiting.pop_front()) {
                (Ok(permit), Some(input)) => permit.send(message(input)),
                // Why, the other direction says.
                _ => waiting.clear(),
            },
            event = terminal.next(), if waiting.len() < QUEUE => match event {
                Event::Keys(keys) => {
                    let left = take(keys, terminal, link, &mut waiting);
                    if left.is_some() {
                        view.release(terminal);
                        farewell(&sender, waiting, &mut output).await;
                        return left;
                    }
                }
                Event::Resized if link.tty => waiting.push_back(Input::Resize(terminal.size())),
                Event::Resized => {}
                Event::Continued => return None,
                Event::Gone => {
                    farewell(&sender, waiting, &mut output).await;
                    return Some(Left::Gone);
                }
            },
            next = next(&mut output, &mut ahead) => match next {
                Ok(Output::Exited(exited)) => {
                    view.end(terminal);
                    return Some(Left::Exited(exited));
                }
                Ok(output) => view.show(output, terminal),
                Err(status) => {
                    view.end(terminal);
                    return Some(Left::Lost(status));
                }
            },
        }
    }
}

/// Sends the rest of what was typed and detaches. Waits until the server has it, since what is on its way is lost with
/// the connection; not for long, because a program that does not read may be in the way.
pub async fn farewell(
    sender: &mpsc::Sender<AttachInput>,
    rest: impl IntoIterator<Item = Input>,
    output: &mut Streaming<AttachOutput>,
) {
    let rest = rest.into_iter().chain([Input::Detach(Ready {})]);
    let sent = async {
        for input in rest {
            let input = Some(input);
            if sender.send(AttachInput { input }).await.is_err() {
                return;
            }
        }
        while let Ok(Some(_)) = output.message().await {}
    };
    let _ = tokio::time::timeout(FAREWELL, sent).await;
}

type Next = Result<Output, Status>;

/// The next thing that this side understands. Output that has come already is joined, so that many small pieces are
/// written to the terminal as few; what came behind it stands in `ahead` until it is asked for.
async fn next(output: &mut Streaming<AttachOutput>, ahead: &mut Option<Next>) -> Next {
    if let Some(next) = ahead.take() {
        return next;
    }
    let first = message(output).await?;
    let Output::Data(first) = first else {
        return Ok(first);
    };
    let mut all = BytesMut::from(first);
    while all.len() < JOINED {
        match message(output).now_or_never() {
            Some(Ok(Output::Data(more))) => all.extend_from_slice(&more),
            other => {
                *ahead = other;
                break;
            }
        }
    }
    Ok(Output::Data(all.freeze()))
}

async fn message(output: &mut Streaming<AttachOutput>) -> Next {
    loop {
        match output.message().await {
            Ok(Some(AttachOutput {
                output: Some(output),
            })) => return Ok(output),
            Ok(Some(_)) => {}
            Ok(None) => return Err(Status::unavailable(CUT_OFF)),
            Err(status) => return Err(status),
        }
    }
}

/// Keys on their way to the process; what is behind a command of ours is given back.
fn take(
    mut keys: Bytes,
    terminal: &mut Terminal,
    link: &mut Link<'_>,
    waiting: &mut VecDeque<Input>,
) -> Option<Left> {
    while let Some(step) = link.prefix.next(&mut keys, MOST) {
        let left = match step {
            Step::Pass(bytes) if link.tty => {
                waiting.push_back(Input::Data(bytes));
                continue;
            }
            Step::Pass(bytes) => {
                waiting.extend(plain_input(bytes));
                continue;
            }
            Step::Toggle if !link.monitor => continue,
            Step::Toggle => Left::Toggled,
            Step::Detach => Left::Detached,
        };
        terminal.give_back(keys);
        return Some(left);
    }
    None
}

/// What the kernel would make of Ctrl-C, Ctrl-\ and Ctrl-D for a process on pipes.
fn plain_input(bytes: Bytes) -> Vec<Input> {
    let mut inputs = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let special = rest.iter().position(|byte| matches!(byte, 3 | 4 | 28));
        let plain = rest.split_to(special.unwrap_or(rest.len()));
        if !plain.is_empty() {
            inputs.push(Input::Data(plain));
        }
        if special.is_some() {
            inputs.push(match rest.split_to(1).first() {
                Some(3) => Input::Signal("INT".to_owned()),
                Some(4) => Input::Close(Ready {}),
                _ => Input::Signal("QUIT".to_owned()),
            });
        }
    }
    inputs
}

/// What is shown of a process.
#[derive(Debug)]
struct View {
    tty: bool,
    /// Output of a process on pipes is text.
    texts: [escape::Filter; 2],
    held: VecDeque<String>,
    /// Who was there when we last looked.
    present: Vec<Client>,
    /// What the program has written behind its last newline, such as a shell's prompt; empty when
    /// that is long.
    line: Vec<u8>,
    /// Something of the process has been drawn.
    drawn: bool,
}

impl View {
    fn new(tty: bool, present: Vec<Client>) -> Self {
        Self {
            tty,
            line: Vec::new(),
            texts: [escape::Filter::new(true), escape::Filter::new(true)],
            held: VecDeque::new(),
            present,
            drawn: false,
        }
    }

    fn show(&mut self, output: Output, terminal: &mut Terminal) {
        match output {
            Output::Snapshot(snapshot) if self.tty => {
                if self.drawn {
                    // We have fallen behind: what stands here is old.
                    terminal.program_ends();
                    terminal.write(b"\x1b[H\x1b[2J");
                } else {
                    terminal.program(&snapshot.scrollback);
                }
                let drawing = inline(&snapshot);
                terminal.program(&drawing);
                self.remember(&drawing);
                self.drawn = true;
            }
            Output::Data(bytes) if self.tty => {
                terminal.program(&bytes);
                self.remember(&bytes);
                self.release_if_free(terminal);
            }
            Output::Data(bytes) => self.text(0, &bytes, terminal),
            Output::ErrorData(bytes) => self.text(1, &bytes, terminal),
            Output::Presence(presence) => self.presence(presence.clients, terminal),
            Output::Notice(line) => self.say(listing::plain(&line), terminal),
            // The bell is among the data. The clipboard is the user's: nothing in a container may
            // fill it unasked. A size that another's terminal has set shows in what is drawn.
            Output::Snapshot(_)
            | Output::Resized(_)
            | Output::Bell(_)
            | Output::Clipboard(_)
            | Output::Exited(_) => {}
        }
    }

    fn text(&mut self, stream: usize, bytes: &[u8], terminal: &mut Terminal) {
        let mut text = String::with_capacity(bytes.len());
        if let Some(filter) = self.texts.get_mut(stream) {
            filter.push(bytes, &mut text);
            filter.pause(&mut text);
        }
        terminal.text(&text);
    }

    fn remember(&mut self, bytes: &[u8]) {
        let rest = match bytes.iter().rposition(|&byte| byte == b'\n') {
            Some(last) => {
                self.line.clear();
                bytes.get(last + 1..).unwrap_or_default()
            }
            None => bytes,
        };
        self.line.extend_from_slice(rest);
        if self.line.len() > LINE {
            self.line.clear();
        }
    }

    fn presence(&mut self, clients: Vec<Client>, terminal: &mut Terminal) {
        let before = std::mem::replace(&mut self.present, clients.clone());
        let me = std::process::id();
        for client in clients.iter().filter(|one| one.pid != me) {
            if !is_in(client, &before) {
                let line = format!("{} is here, too.", listing::client(client));
                self.say(line, terminal);
            }
        }
        for client in before.iter().filter(|one| !is_in(one, &clients)) {
            self.say(format!("{} has left.", listing::client(client)), terminal);
        }
    }

    /// A line of ours; not into a program that has the whole screen.
    fn say(&mut self, line: String, terminal: &mut Terminal) {
        self.held.push_back(line);
        if self.held.len() > HELD {
            self.held.pop_front();
        }
        self.release_if_free(terminal);
    }

    fn release_if_free(&mut self, terminal: &mut Terminal) {
        if !self.held.is_empty() && !terminal.full_screen() {
            self.release(terminal);
            // The program does not know that it has to write its prompt again.
            let line = std::mem::take(&mut self.line);
            terminal.program(&line);
            self.line = line;
        }
    }

    fn release(&mut self, terminal: &mut Terminal) {
        if self.held.is_empty() {
            return;
        }
        if terminal.full_screen() {
            terminal.program_ends();
        }
        terminal.new_line();
        for line in self.held.drain(..) {
            terminal.say(&format!("[buildx] {line}"));
        }
    }

    fn end(&mut self, terminal: &mut Terminal) {
        for stream in 0..self.texts.len() {
            let mut text = String::new();
            if let Some(filter) = self.texts.get_mut(stream) {
                filter.finish(&mut text);
            }
            terminal.text(&text);
        }
        self.release(terminal);
    }
}

fn is_in(client: &Client, list: &[Client]) -> bool {
    list.iter()
        .any(|one| one.pid == client.pid && one.process == client.process)
}

/// The bytes that draw a snapshot where the cursor is. A screen that a program has taken as a whole is
/// drawn as it is. Of another one the lines that are in use are written one below the other, so that
/// what the terminal shows above stays there to be read.
fn inline(snapshot: &Snapshot) -> Vec<u8> {
    if snapshot.alternate {
        return snapshot.screen.to_vec();
    }
    let size = snapshot.size.unwrap_or_default();
    let cells = |n: u32| u16::try_from(n).unwrap_or(u16::MAX);
    let restored = guard::Terminal::restore(
        &guard::Snapshot {
            rows: cells(size.rows),
            cols: cells(size.cols),
            alternate: false,
            title: String::new(),
            scrollback: Vec::new(),
            screen: snapshot.screen.to_vec(),
        },
        0,
    );
    let screen = restored.screen();
    let (_, cols) = restored.size();
    let (row, col) = screen.cursor_position();
    let (row, col) = (usize::from(row), usize::from(col));
    let plain: Vec<String> = screen.rows(0, cols).collect();
    let used = plain
        .iter()
        .rposition(|line| !line.trim_end().is_empty())
        .map_or(0, |last| last + 1)
        .max(row + 1);
    let mut out = Vec::new();
    for (at, line) in screen.rows_formatted(0, cols).take(used).enumerate() {
        if at > 0 {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(b"\x1b[m");
    }
    out.push(b'\r');
    let up = used - 1 - row;
    if up > 0 {
        out.extend_from_slice(format!("\x1b[{up}A").as_bytes());
    }
    if col > 0 {
        out.extend_from_slice(format!("\x1b[{col}C").as_bytes());
    }
    out.extend_from_slice(screen.attributes_formatted().as_bytes());
    out.extend_from_slice(screen.input_mode_formatted().as_bytes());
    if screen.hide_cursor() {
        out.extend_from_slice(b"\x1b[?25l");
    }
    out
}

#[cfg(test)]
mod tests;
