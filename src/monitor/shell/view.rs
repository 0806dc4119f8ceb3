//! What the terminal shows of a process: its screen, its output, and lines of ours in between.

use std::collections::VecDeque;

use crate::monitor::listing;
use crate::monitor::terminal::Terminal;
use crate::proto::controller::attach_output::Output;
use crate::proto::controller::{Client, Snapshot};
use crate::term::escape;
use crate::term::guard;

/// Lines of ours that are held back; the oldest go.
const HELD: usize = 50;

/// Longest begin of a line that is written again behind a line of ours.
const LINE: usize = 4096;

/// What is shown of a process.
#[derive(Debug)]
pub(super) struct View {
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
    pub(super) fn new(tty: bool, present: Vec<Client>) -> Self {
        Self {
            tty,
            line: Vec::new(),
            texts: [escape::Filter::new(true), escape::Filter::new(true)],
            held: VecDeque::new(),
            present,
            drawn: false,
        }
    }

    pub(super) fn show(&mut self, output: Output, terminal: &mut Terminal) {
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

    pub(super) fn release(&mut self, terminal: &mut Terminal) {
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

    pub(super) fn end(&mut self, terminal: &mut Terminal) {
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
