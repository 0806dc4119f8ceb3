//! One process's terminal as this client has it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseEvent, MouseEventKind};
use vt100::MouseProtocolMode;

use crate::proto::controller::attach_output::Output;
use crate::proto::controller::{Client, Exited, Snapshot};
use crate::term::guard::{self, Terminal};
use crate::term::keys::{self, Modes};
use crate::term::mouse;
use crate::term::screen::Screen;

/// Lines that are kept above the screen.
pub const SCROLLBACK: usize = 10_000;

/// Output that waits here before [`ShellTerminal::is_full`]: more than a frame's worth, less than a person notices.
pub const BACKLOG: usize = 1024 * 1024;

/// What a message counts for in the backlog besides its output.
const PIECE: usize = 64;

/// Output that is obeyed at once. The most expensive 8 KiB take 40 ms on a large grid, usual ones 0.3 ms.
const SLICE: usize = 8 * 1024;

/// The longest time that a program in the middle of a frame keeps its screen from being drawn.
const HOLD: Duration = Duration::from_millis(100);

/// Lines for each step of the wheel.
const WHEEL: usize = 3;

/// What happened besides changes of the screen, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The program rang.
    Bell,
    /// The program has a new title: [`ShellTerminal::title`].
    Title,
    /// Text that the program wants in the clipboard, as it is.
    Clipboard(Bytes),
    /// Everybody who is attached now.
    Presence(Vec<Client>),
    /// One line from the server about what others did; not yet made harmless.
    Notice(String),
    /// This copy of the screen was lost to a failure of the emulator: attaching again brings a new one.
    Broken,
    /// The process has ended: [`ShellTerminal::exited`].
    Exited,
}

/// What [`ShellTerminal::advance`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Advance {
    /// The screen may look different now.
    pub changed: bool,
    /// There is more to obey.
    pub left: bool,
}

/// For whom a mouse event is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MouseUse {
    /// For the program: bytes to type, none if it does not care for this one.
    Program(Vec<u8>),
    /// For the view: lines to scroll, up if positive.
    Scroll(isize),
    /// For the person: focus, selection.
    Person,
}

enum Piece {
    Snapshot(Box<Snapshot>),
    Data(Bytes),
    Resized(u16, u16),
    Event(Event),
    Exited(Exited),
}

/// The client's own copy of a process's screen, fed with the messages of its Attach stream.
///
/// Messages queue up in [`ShellTerminal::push`] and are obeyed in [`ShellTerminal::advance`], piece by piece, so that
/// a flood of output leaves time for keys. It answers nothing that the program asks; the server's copy does.
pub struct ShellTerminal {
    terminal: Screen,
    tty: bool,
    queue: VecDeque<Piece>,
    /// Bytes of output in the queue, and [`PIECE`] for each piece.
    queued: usize,
    /// Until when the screen is not drawn.
    hold: Option<Instant>,
    events: Vec<Event>,
    exited: Option<Exited>,
    /// There is no server whose copy answers: see [`ShellTerminal::answering`].
    answering: bool,
    replies: Vec<u8>,
}

impl std::fmt::Debug for ShellTerminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShellTerminal")
            .field("terminal", &self.terminal)
            .field("queued", &self.queued)
            .field("exited", &self.exited)
            .finish_non_exhaustive()
    }
}

impl ShellTerminal {
    /// An empty screen that waits for its snapshot. `tty` tells whether the process has a terminal; the output of
    /// one without is text whose lines end with newlines alone.
    pub fn new(rows: u16, cols: u16, tty: bool) -> Self {
        ShellTerminal {
            terminal: Screen::of(Terminal::new(rows, cols, SCROLLBACK), SCROLLBACK),
            tty,
            queue: VecDeque::new(),
            queued: 0,
            hold: None,
            events: Vec::new(),
            exited: None,
            answering: false,
            replies: Vec::new(),
        }
    }

    /// An empty screen for a program of this machine, which has no other terminal: what it asks is answered, what it
    /// rings and copies becomes events.
    pub fn answering(rows: u16, cols: u16) -> Self {
        let terminal = Terminal::new(rows, cols, SCROLLBACK).answering(true);
        Self {
            terminal: Screen::of(terminal, SCROLLBACK),
            answering: true,
            ..Self::new(rows, cols, true)
        }
    }

    /// What is to be typed to the program, since the last call. Empty unless it is answering.
    pub fn take_replies(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.replies)
    }

    /// The screen of a snapshot.
    pub fn of(snapshot: &Snapshot, tty: bool) -> Self {
        let mut this = Self::new(1, 1, tty);
        this.restore(snapshot);
        this
    }

    /// Queues a message. Output behind which a snapshot comes is dropped: the snapshot has it.
    pub fn push(&mut self, output: Output) {
        let piece = match output {
            Output::Snapshot(snapshot) => {
                self.queue
                    .retain(|piece| matches!(piece, Piece::Event(_) | Piece::Exited(_)));
                self.queued = self.queue.len() * PIECE;
                Piece::Snapshot(Box::new(snapshot))
            }
            Output::Data(bytes) | Output::ErrorData(bytes) => {
                self.queued += bytes.len();
                Piece::Data(bytes)
            }
            Output::Resized(size) => Piece::Resized(side(size.rows), side(size.cols)),
            Output::Bell(_) => Piece::Event(Event::Bell),
            Output::Clipboard(text) => Piece::Event(Event::Clipboard(text)),
            Output::Presence(presence) => Piece::Event(Event::Presence(presence.clients)),
            Output::Notice(line) => Piece::Event(Event::Notice(line)),
            Output::Exited(exited) => Piece::Exited(exited),
        };
        self.queued += PIECE;
        self.queue.push_back(piece);
    }

    /// Whether so much output waits that no more messages should be read for now. What is not read waits at the
    /// server, which has a bound of its own.
    pub fn is_full(&self) -> bool {
        self.queued >= BACKLOG
    }

    /// Obeys queued messages as long as `go_on` says so, which is asked after each slice of output; one slice is
    /// obeyed always. `now` is the time that a hold is counted from.
    pub fn advance(&mut self, now: Instant, mut go_on: impl FnMut() -> bool) -> Advance {
        let mut changed = false;
        while let Some(piece) = self.queue.pop_front() {
            self.queued = self.queued.saturating_sub(PIECE);
            changed |= self.obey(piece);
            if !self.queue.is_empty() && !go_on() {
                break;
            }
        }
        self.hold = match self.hold {
            _ if !self.terminal.drawn().synchronized() => None,
            None => now.checked_add(HOLD),
            since => since,
        };
        Advance {
            changed,
            left: !self.queue.is_empty(),
        }
    }

    /// Whether the screen may look different.
    fn obey(&mut self, piece: Piece) -> bool {
        match piece {
            Piece::Snapshot(snapshot) => self.restore(&snapshot),
            Piece::Data(mut bytes) => {
                if bytes.len() > SLICE {
                    let rest = bytes.split_off(SLICE);
                    self.queue.push_front(Piece::Data(rest));
                    self.queued += PIECE;
                }
                self.queued = self.queued.saturating_sub(bytes.len());
                self.feed(&bytes);
            }
            Piece::Resized(rows, cols) => {
                let offset = self.offset();
                let effects = self.terminal.resize(rows, cols);
                self.note(effects);
                self.scroll_to(offset);
            }
            Piece::Event(event) => {
                // A program that rings all the time rings once.
                if event != Event::Bell || self.events.last() != Some(&Event::Bell) {
                    self.events.push(event);
                }
                return false;
            }
            Piece::Exited(exited) => {
                self.exited = Some(exited);
                self.hold = None;
                self.events.push(Event::Exited);
                return false;
            }
        }
        true
    }

    fn restore(&mut self, snapshot: &Snapshot) {
        let size = snapshot.size.unwrap_or_default();
        let offset = self.offset();
        let title = self.title().to_string();
        let terminal = Terminal::restore(
            &guard::Snapshot {
                rows: side(size.rows),
                cols: side(size.cols),
                alternate: snapshot.alternate,
                title: snapshot.title.clone(),
                scrollback: snapshot.scrollback.to_vec(),
                screen: snapshot.screen.to_vec(),
            },
            SCROLLBACK,
        );
        self.terminal = Screen::of(terminal, SCROLLBACK);
        self.scroll_to(offset);
        if self.title() != title {
            self.events.push(Event::Title);
        }
    }

    fn feed(&mut self, bytes: &Bytes) {
        let effects = if self.tty {
            self.terminal.feed(bytes)
        } else {
            self.terminal.feed(&with_returns(bytes))
        };
        self.note(effects);
    }

    /// Bells and clipboard come as messages of their own where there is a server.
    fn note(&mut self, effects: guard::Effects) {
        if self.answering {
            self.replies.extend(effects.replies);
            if effects.bells > 0 {
                self.events.push(Event::Bell);
            }
            if let Some(text) = effects.clipboard {
                self.events.push(Event::Clipboard(text.into()));
            }
        }
        if effects.title.is_some() && self.events.last() != Some(&Event::Title) {
            self.events.push(Event::Title);
        }
        self.note_broken(effects.broken);
    }

    /// What happened since the last call.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Until when the screen should not be drawn, because the program is in the middle of a frame. None, or a time
    /// that has passed, means draw.
    pub fn hold(&self) -> Option<Instant> {
        self.hold
    }

    /// Whether some of the output waits to be drawn.
    pub fn is_waiting(&self) -> bool {
        self.terminal.is_waiting()
    }

    /// Draws a part of what waits, because nothing else is to be done.
    pub fn draw_some(&mut self) {
        let broken = self.terminal.draw_some();
        self.note_broken(broken);
    }

    /// Draws all that waits: the scrollback is whole then.
    pub fn draw(&mut self) {
        let broken = self.terminal.draw();
        self.note_broken(broken);
    }

    /// Brings [`ShellTerminal::screen`] up to date, before it is looked at. True: there is an event.
    pub fn look(&mut self) -> bool {
        let broken = self.terminal.look();
        self.note_broken(broken);
        broken
    }

    fn note_broken(&mut self, broken: bool) {
        if broken {
            self.events.push(Event::Broken);
        }
    }

    /// The cells, as scrolled back as the view is, at the last [`ShellTerminal::look`] or later.
    pub fn screen(&self) -> &vt100::Screen {
        self.terminal.shown().screen()
    }

    /// Rows and columns of the grid.
    pub fn size(&self) -> (u16, u16) {
        self.terminal.drawn().size()
    }

    /// What the program calls its window: harmless, one line, may be empty.
    pub fn title(&self) -> &str {
        self.terminal.drawn().title()
    }

    /// How the process ended, once all it wrote is on the screen.
    pub fn exited(&self) -> Option<&Exited> {
        self.exited.as_ref()
    }

    /// Lines between the view and the newest ones; 0 follows the output.
    pub fn offset(&self) -> usize {
        self.screen().scrollback()
    }

    /// Lines that can be scrolled back to, as far as they are drawn. A program on the alternate screen has none.
    pub fn scrollback(&self) -> usize {
        self.terminal.drawn().screen().scrollback_len()
    }

    /// Moves the view, up if `lines` is positive. At the newest line it follows the output again.
    pub fn scroll(&mut self, lines: isize) {
        let offset = self.offset().saturating_add_signed(lines);
        self.scroll_to(offset);
    }

    /// Moves the view to a number of lines above the newest; 0 follows the output, a large one is the oldest line.
    pub fn scroll_to(&mut self, offset: usize) {
        if offset != self.offset() {
            let broken = self.terminal.scroll_to(offset);
            self.note_broken(broken);
        }
    }

    /// What the program has asked of keys.
    pub fn modes(&self) -> Modes {
        Modes::of(self.terminal.drawn())
    }

    /// A key's bytes for the program.
    pub fn key(&self, key: &KeyEvent) -> Vec<u8> {
        keys::encode(key, self.modes())
    }

    /// Pasted text's bytes for the program.
    pub fn paste(&self, text: &str) -> Vec<u8> {
        keys::paste(text, self.modes())
    }

    /// What tells the program about the focus of its terminal; empty unless it asked.
    pub fn focus(&self, gained: bool) -> &'static [u8] {
        keys::focus(gained, self.modes())
    }

    /// For whom a mouse event is, whose place counts from the view's first cell. With Shift held it is never for
    /// the program; neither while the view is scrolled back.
    ///
    /// Where a program has the alternate screen and does not know about mice, the wheel presses arrows.
    pub fn mouse(&self, event: &MouseEvent) -> MouseUse {
        let screen = self.screen();
        let mode = screen.mouse_protocol_mode();
        let ours = event.modifiers.contains(KeyModifiers::SHIFT) || self.offset() > 0;
        if !ours && mode != MouseProtocolMode::None {
            let encoding = screen.mouse_protocol_encoding();
            return MouseUse::Program(mouse::encode(event, mode, encoding));
        }
        let (arrow, lines) = match event.kind {
            MouseEventKind::ScrollUp => (KeyCode::Up, WHEEL as isize),
            MouseEventKind::ScrollDown => (KeyCode::Down, -(WHEEL as isize)),
            _ => return MouseUse::Person,
        };
        if screen.alternate_screen() && !ours {
            let key = KeyEvent::new(arrow, KeyModifiers::NONE);
            return MouseUse::Program(self.key(&key).repeat(WHEEL));
        }
        MouseUse::Scroll(lines)
    }
}

/// Text whose lines end with newlines alone, for a terminal.
fn with_returns(text: &[u8]) -> Bytes {
    let mut lines = BytesMut::with_capacity(text.len() + text.len() / 16);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(line) => {
                lines.extend_from_slice(line);
                lines.extend_from_slice(b"\r\n");
            }
            None => lines.extend_from_slice(line),
        }
    }
    lines.freeze()
}

fn side(cells: u32) -> u16 {
    u16::try_from(cells).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests;
