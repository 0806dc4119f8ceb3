//! A tab with a terminal: of a process in a build, or of a program of this machine.
//!
//! ```text
//! Attach stream → terminal (this client's copy of the process's screen) → screen (its cells in a ratatui buffer)
//!                        └→ copy (a frozen clone in which a person looks around, searches and selects)
//! ```
//!
//! Everything here is plain state: nothing waits, sleeps or talks to anybody.

use std::time::Instant;

use bytes::Bytes;
use crossterm::event::{KeyEvent, MouseEvent, MouseEventKind};

use super::msg::{ShellMsg, Tab};
use crate::proto::controller::attach_output::Output;
use crate::proto::controller::{Client, Process, TerminalSize};
use crate::signals;
use crate::term::escape;
use copy::CopyMode;
use screen::Cursor;
use terminal::{Event, MouseUse, ShellTerminal};

pub mod copy;
pub mod screen;
pub mod terminal;

/// Pieces of output that are obeyed before keys and frames have their turn: about 128 KiB.
const TURN: usize = 16;

/// How long nothing has to come, in milliseconds, for lines to be drawn that nobody sees.
const QUIET: i64 = 50;

/// What runs in a tab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A process in a build.
    Process {
        /// In the state before the failed step.
        init: bool,
        /// Platform of a result that has several.
        platform: Option<String>,
    },
    /// A program of this machine.
    Host {
        /// Program and arguments.
        words: Vec<String>,
        /// The session is built again when it ends well.
        then_reload: bool,
    },
}

/// A tab.
#[derive(Debug)]
pub struct Shell {
    /// Its number.
    pub tab: Tab,
    /// Id of the session that it belongs to.
    pub session: String,
    /// What runs in it.
    pub kind: Kind,
    /// Id of the process, once it has one.
    pub process: Option<String>,
    /// What the server says of the process.
    pub info: Option<Process>,
    /// Who is attached.
    pub clients: Vec<Client>,
    /// The keyboard is kept from it.
    pub read_only: bool,
    /// Its screen.
    pub terminal: ShellTerminal,
    /// The scrollback in which a person looks around.
    pub copy: Option<CopyMode>,
    /// Something has come of it.
    pub ready: bool,
    /// Output waits for its turn.
    left: bool,
    /// When it will have been quiet for so long that output that is not drawn yet is; milliseconds since 1970.
    quiet: Option<i64>,
    lost: Option<String>,
    size: TerminalSize,
    resize: Option<(TerminalSize, i64)>,
}

/// What a message to a tab leads to.
#[derive(Debug, Default)]
pub struct Told {
    /// For the clipboard.
    pub clipboard: Option<Bytes>,
    /// Ring.
    pub bell: bool,
    /// To be typed to the program: answers of a terminal that has nobody else to answer.
    pub reply: Vec<u8>,
    /// A line for the user.
    pub line: Option<String>,
    /// It has ended with this.
    pub ended: bool,
    /// Its screen is lost, and has to be read again.
    pub broken: bool,
    /// Something that is drawn has changed.
    pub changed: bool,
}

/// What a mouse event on a tab leads to.
#[derive(Debug, PartialEq, Eq)]
pub enum Mouse {
    /// Bytes for the program.
    Type(Vec<u8>),
    /// Text for the clipboard.
    Copy(String),
    /// Nothing but what is drawn.
    Draw,
}

impl Shell {
    /// A tab whose program is being started with a terminal of this size.
    pub fn new(tab: Tab, session: String, kind: Kind, size: TerminalSize) -> Self {
        let (rows, cols) = cells(size);
        let terminal = match kind {
            Kind::Host { .. } => ShellTerminal::answering(rows, cols),
            Kind::Process { .. } => ShellTerminal::new(rows, cols, true),
        };
        Self {
            tab,
            session,
            kind,
            process: None,
            info: None,
            clients: Vec::new(),
            read_only: false,
            terminal,
            copy: None,
            ready: false,
            left: false,
            quiet: None,
            lost: None,
            size,
            resize: None,
        }
    }

    /// Whether it is a program of this machine.
    pub fn host(&self) -> bool {
        matches!(self.kind, Kind::Host { .. })
    }

    /// Whether its program has ended, or cannot be reached.
    pub fn ended(&self) -> bool {
        self.lost.is_some() || self.terminal.exited().is_some()
    }

    /// Whether it ended by itself with exit code 0.
    pub fn ended_well(&self) -> bool {
        self.terminal
            .exited()
            .is_some_and(|exited| exited.exit_code == Some(0) && exited.reason.is_empty())
    }

    /// How it ended, in words.
    pub fn end_words(&self) -> Option<String> {
        if let Some(line) = &self.lost {
            return Some(line.clone());
        }
        let exited = self.terminal.exited()?;
        Some(match (exited.exit_code, exited.reason.as_str()) {
            (Some(code), "") => {
                let signal = signals::of_exit_code(code);
                let signal = signal.map(|name| format!(", as by SIG{name}"));
                format!("ended with exit code {code}{}", signal.unwrap_or_default())
            }
            (None, "") => "ended".to_owned(),
            (_, reason) => escape::line(reason).into_owned(),
        })
    }

    /// How it ended, in a word or two.
    pub fn end_short(&self) -> Option<String> {
        let code = self.terminal.exited().and_then(|exited| exited.exit_code);
        self.ended()
            .then(|| code.map_or_else(|| "ended".to_owned(), |code| format!("exit {code}")))
    }

    /// What it is called.
    pub fn label(&self) -> String {
        match &self.kind {
            Kind::Host { words, .. } => format!("host: {}", words.join(" ")),
            Kind::Process { .. } => match &self.info {
                Some(info) => escape::line(&info.arguments.join(" ")).into_owned(),
                None => "shell".to_owned(),
            },
        }
    }

    /// The size that its program has been told.
    pub fn size(&self) -> TerminalSize {
        self.size
    }

    /// Takes what has come.
    pub fn on(&mut self, msg: ShellMsg, now: Instant) -> Told {
        match msg {
            ShellMsg::Output(output) => {
                self.ready = true;
                self.terminal.push(output);
                self.advance(now)
            }
            ShellMsg::Lost(line) => {
                let line = escape::line(&line).into_owned();
                self.lost = Some(line.clone());
                Told {
                    line: Some(line),
                    ended: true,
                    changed: true,
                    ..Told::default()
                }
            }
        }
    }

    /// Obeys output that waits.
    pub fn advance(&mut self, now: Instant) -> Told {
        let mut turn = TURN;
        let advance = self.terminal.advance(now, || {
            turn = turn.saturating_sub(1);
            turn > 0
        });
        self.left = advance.left;
        let mut told = Told {
            changed: advance.changed,
            reply: self.terminal.take_replies(),
            ..Told::default()
        };
        for event in self.terminal.take_events() {
            told.changed = true;
            match event {
                Event::Bell => told.bell = true,
                Event::Title => {}
                Event::Clipboard(text) => told.clipboard = Some(text),
                Event::Presence(clients) => self.clients = clients,
                Event::Notice(line) => told.line = Some(line),
                Event::Broken => told.broken = true,
                Event::Exited => told.ended = true,
            }
        }
        told
    }

    /// Notes that something came at this time, in milliseconds since 1970.
    pub fn came(&mut self, now: i64) {
        self.quiet = self.terminal.is_waiting().then_some(now + QUIET);
    }

    /// Does what is due although nothing came.
    pub fn tick(&mut self, now: i64) -> Option<Told> {
        let quiet = self.quiet.take_if(|at| *at <= now).is_some();
        if quiet {
            self.terminal.draw_some();
            self.quiet = self.terminal.is_waiting().then_some(0);
        }
        let told = (quiet || self.left).then(|| self.advance(Instant::now()));
        if self.quiet.is_none() {
            self.came(now);
        }
        told
    }

    /// Brings the screen up to date, before a frame is drawn.
    pub fn look(&mut self) {
        self.left |= self.terminal.look();
    }

    /// Gives up what was not read yet, and waits for a new snapshot.
    pub fn reconnect(&mut self) {
        let (rows, cols) = cells(self.size);
        self.terminal = ShellTerminal::new(rows, cols, true);
        self.copy = None;
        self.lost = None;
        self.left = false;
        self.quiet = None;
    }

    /// The pane has this size.
    pub fn wants(&mut self, size: TerminalSize, settled: i64) {
        if size == self.size {
            self.resize = None;
        } else if self.resize.as_ref().is_none_or(|(known, _)| *known != size) {
            self.resize = Some((size, settled));
        }
    }

    /// The new size, once nothing has changed it for a while.
    pub fn settled(&mut self, now: i64) -> Option<TerminalSize> {
        let (size, _) = self.resize.take_if(|(_, at)| *at <= now)?;
        self.size = size;
        if self.host() {
            self.terminal.push(Output::Resized(size));
            self.left = true;
        }
        Some(size)
    }

    /// When something is to be done although nothing comes, in milliseconds since 1970; 0: now.
    pub fn deadline(&self) -> Option<i64> {
        let resize = self.resize.as_ref().map(|(_, at)| *at);
        let left = self.left.then_some(0);
        [left, self.quiet, resize].into_iter().flatten().min()
    }

    /// The shape of the cursor that the program wants (DECSCUSR).
    pub fn cursor_shape(&self) -> u8 {
        use vt100::CursorStyle as Style;
        if self.copy.is_some() {
            return 0;
        }
        match self.terminal.screen().cursor_style() {
            Style::Default => 0,
            Style::BlinkBlock => 1,
            Style::SteadyBlock => 2,
            Style::BlinkUnderline => 3,
            Style::SteadyUnderline => 4,
            Style::BlinkVerticalBar => 5,
            Style::SteadyVerticalBar => 6,
        }
    }

    /// Text that was pasted: bytes for the program, or a line to say. In the scrollback it is for the search that is being
    /// typed.
    pub fn paste(&mut self, text: &str) -> Result<Vec<u8>, &'static str> {
        match &mut self.copy {
            None => Ok(self.terminal.paste(text)),
            Some(copy) if copy.prompt().is_some() => {
                copy.paste(text);
                Ok(Vec::new())
            }
            Some(_) => Err("the scrollback takes no text; q leads back to the program"),
        }
    }

    /// Gives the keyboard to the scrollback.
    pub fn start_copying(&mut self) {
        if self.copy.is_none() {
            self.terminal.draw();
            self.copy = Some(CopyMode::new(self.terminal.screen()));
        }
    }

    /// A key in the scrollback: text that was copied, and a line to say.
    pub fn copy_key(&mut self, event: &KeyEvent) -> (Option<String>, Option<&'static str>) {
        let Some(copy) = &mut self.copy else {
            return (None, None);
        };
        match copy.key(event) {
            copy::Effect::Draw => (None, None),
            copy::Effect::Copy(text) => {
                self.copy = None;
                (Some(text), None)
            }
            copy::Effect::Leave => {
                self.copy = None;
                (None, None)
            }
            copy::Effect::NotFound => (None, Some("not found")),
            copy::Effect::Wrapped => (None, Some("the search went on from the other end")),
        }
    }

    /// A selection is held so many rows above (negative) or beneath the pane; whether the view has moved.
    pub fn drag_beyond(&mut self, rows: i32, column: u16) -> bool {
        self.copy
            .as_mut()
            .is_some_and(|copy| copy.drag_beyond(rows, column.saturating_add(copy.corner.1)))
    }

    /// The row and column of the view that are in the upper left corner of a pane of so many rows and columns.
    fn corner(&self, room: (u16, u16)) -> (u16, u16) {
        match &self.copy {
            Some(copy) => {
                let (row, column) = copy.cursor();
                screen::corner(copy.screen(), Cursor::At(row, column), copy.corner, room)
            }
            None => screen::corner(self.terminal.screen(), Cursor::Program, (0, 0), room),
        }
    }

    /// The mouse at a row and column of the pane, which has so many of them. The grid may be larger: another client set
    /// its size.
    pub fn mouse(&mut self, event: &MouseEvent, room: (u16, u16)) -> Mouse {
        let corner = self.corner(room);
        let event = &MouseEvent {
            row: event.row.saturating_add(corner.0),
            column: event.column.saturating_add(corner.1),
            ..*event
        };
        if let Some(copy) = &mut self.copy {
            copy.corner = corner;
            match event.kind {
                MouseEventKind::Down(_) => copy.press(event.row, event.column, 1),
                MouseEventKind::Drag(_) => copy.drag(i32::from(event.row), event.column, false),
                MouseEventKind::Up(_) => {
                    if let copy::Effect::Copy(text) = copy.release() {
                        self.copy = None;
                        return Mouse::Copy(text);
                    }
                }
                MouseEventKind::ScrollUp => copy.scroll(3),
                MouseEventKind::ScrollDown => copy.scroll(-3),
                _ => {}
            }
            return Mouse::Draw;
        }
        match self.terminal.mouse(event) {
            MouseUse::Program(bytes) => return Mouse::Type(bytes),
            MouseUse::Scroll(lines) => self.terminal.scroll(lines),
            MouseUse::Person => {
                if matches!(event.kind, MouseEventKind::Drag(_)) {
                    self.start_copying();
                    if let Some(copy) = &mut self.copy {
                        copy.corner = corner;
                        copy.press(event.row, event.column, 1);
                    }
                }
            }
        }
        Mouse::Draw
    }
}

/// Rows and columns that a terminal can have.
fn cells(size: TerminalSize) -> (u16, u16) {
    let cut = |count: u32| u16::try_from(count).unwrap_or(u16::MAX).max(1);
    (cut(size.rows), cut(size.cols))
}

#[cfg(test)]
mod tests;
