//! A tab with a terminal: of a process in a build, or of a program of this machine.

use bytes::Bytes;
use crossterm::event::KeyEvent;

use super::msg::{ShellMsg, Tab};
use crate::proto::controller::{Client, Exited, Process, TerminalSize};
use crate::term::escape;
use crate::term::guard::{self, Terminal};

/// Lines of scrollback that this side keeps of a terminal.
const SCROLLBACK: usize = 10_000;

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
    /// The screen.
    pub terminal: Terminal,
    /// Since its output began.
    pub ready: bool,
    end: Option<(Option<i32>, String)>,
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
}

impl Shell {
    /// A tab whose program is being started with a terminal of this size.
    pub fn new(tab: Tab, session: String, kind: Kind, size: TerminalSize) -> Self {
        let answering = matches!(kind, Kind::Host { .. });
        let (rows, cols) = cells(size);
        Self {
            tab,
            session,
            kind,
            process: None,
            info: None,
            clients: Vec::new(),
            read_only: false,
            terminal: Terminal::new(rows, cols, SCROLLBACK).answering(answering),
            ready: false,
            end: None,
            size,
            resize: None,
        }
    }

    /// Whether it is a program of this machine.
    pub fn host(&self) -> bool {
        matches!(self.kind, Kind::Host { .. })
    }

    /// Whether its program has ended.
    pub fn ended(&self) -> bool {
        self.end.is_some()
    }

    /// Whether it ended with exit code 0.
    pub fn ended_well(&self) -> bool {
        matches!(&self.end, Some((Some(0), reason)) if reason.is_empty())
    }

    /// How it ended, in words.
    pub fn end_words(&self) -> Option<String> {
        let (code, reason) = self.end.as_ref()?;
        Some(match (code, reason.as_str()) {
            (Some(code), "") => format!("ended with exit code {code}"),
            (_, reason) if !reason.is_empty() => reason.to_owned(),
            _ => "ended".to_owned(),
        })
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
    pub fn on(&mut self, msg: ShellMsg, _now: i64) -> Told {
        let mut told = Told::default();
        match msg {
            ShellMsg::Snapshot(snapshot) => {
                let size = snapshot.size.unwrap_or_default();
                let (rows, cols) = cells(size);
                let snapshot = guard::Snapshot {
                    rows,
                    cols,
                    alternate: snapshot.alternate,
                    title: snapshot.title,
                    scrollback: snapshot.scrollback.to_vec(),
                    screen: snapshot.screen.to_vec(),
                };
                self.terminal = Terminal::restore(&snapshot, SCROLLBACK);
                self.ready = true;
            }
            ShellMsg::Data(bytes) => {
                self.ready = true;
                let effects = self.terminal.feed(&bytes);
                told.reply = effects.replies;
                told.clipboard = effects.clipboard.filter(|_| self.host()).map(Bytes::from);
                told.bell = effects.bells > 0 && self.host();
            }
            ShellMsg::Resized(size) => {
                let (rows, cols) = cells(size);
                self.terminal.resize(rows, cols);
            }
            ShellMsg::Bell => told.bell = true,
            ShellMsg::Clipboard(text) => told.clipboard = Some(text),
            ShellMsg::Presence(presence) => self.clients = presence.clients,
            ShellMsg::Notice(line) => told.line = Some(line),
            ShellMsg::Exited(Exited { exit_code, reason }) => {
                self.end = Some((exit_code, escape::line(&reason).into_owned()));
                told.ended = true;
            }
            ShellMsg::Lost(line) => {
                self.end = Some((None, escape::line(&line).into_owned()));
                told.ended = true;
                told.line = Some(line);
            }
        }
        told
    }

    /// The pane has this size; whether that is news.
    pub fn wants(&mut self, size: TerminalSize, settled: i64) -> bool {
        if size == self.size {
            self.resize = None;
            return false;
        }
        match &mut self.resize {
            Some((known, _)) if *known == size => false,
            resize => {
                *resize = Some((size, settled));
                true
            }
        }
    }

    /// The new size, once nothing has changed it for a while.
    pub fn settled(&mut self, now: i64) -> Option<TerminalSize> {
        let (size, _) = self.resize.take_if(|(_, at)| *at <= now)?;
        self.size = size;
        if self.host() {
            let (rows, cols) = cells(size);
            self.terminal.resize(rows, cols);
        }
        Some(size)
    }

    /// When something is to be done although nothing comes, in milliseconds since 1970.
    pub fn deadline(&self) -> Option<i64> {
        self.resize.as_ref().map(|(_, at)| *at)
    }

    /// The shape of the cursor that the program wants (DECSCUSR).
    pub fn cursor_shape(&self) -> u8 {
        0
    }

    /// A key as the program wants it.
    pub fn encode(&mut self, _event: &KeyEvent) -> Vec<u8> {
        Vec::new()
    }

    /// Pasted text as the program wants it.
    pub fn encode_paste(&mut self, text: &str) -> Vec<u8> {
        text.as_bytes().to_vec()
    }

    /// A change of focus as the program wants it.
    pub fn encode_focus(&self, _focused: bool) -> Vec<u8> {
        Vec::new()
    }

    /// Whether the keyboard moves in the scrollback.
    pub fn copying(&self) -> bool {
        false
    }

    /// Gives the keyboard to the scrollback.
    pub fn start_copying(&mut self) {}

    /// A key in the scrollback; gives the text that was copied.
    pub fn copy_key(&mut self, _event: &KeyEvent) -> Option<String> {
        None
    }
}

/// Rows and columns that a terminal can have.
fn cells(size: TerminalSize) -> (u16, u16) {
    let cut = |count: u32| u16::try_from(count).unwrap_or(u16::MAX).max(1);
    (cut(size.rows), cut(size.cols))
}
