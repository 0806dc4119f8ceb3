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
use super::prefix::{Prefix, Step};
use super::terminal::{Event, Mode, Terminal};
use crate::proto::controller::attach_input::Input;
use crate::proto::controller::attach_output::Output;
use crate::proto::controller::{AttachInput, AttachOutput, AttachStart, Client, Exited, Ready};

mod view;

use view::View;

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

#[cfg(test)]
mod tests;
