//! What happens, and what is to be done about it: the two lists between the state and the world.

use bytes::Bytes;
use crossterm::event::{KeyEvent, MouseEvent};

use crate::client::Client;
use crate::monitor::exec::Answer;
use crate::monitor::parse::{Command, Process};
use crate::proto::controller::attach_output::Output;
use crate::proto::controller::{
    BuildRequest, BuilderHealth, InfoResponse, InspectResponse, LogPattern, LogRequest,
    LogResponse, SearchLogResponse, Session, TerminalSize, TraceEvent,
};

/// Number of a shell's tab; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tab(pub u64);

/// One build of one session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BuildId {
    /// Id of the session.
    pub session: String,
    /// Number of the build, from 1.
    pub build: u32,
}

/// What happens.
#[derive(Debug)]
pub enum Msg {
    /// A key of the terminal.
    Key(KeyEvent),
    /// The mouse.
    Mouse(MouseEvent),
    /// Pasted text.
    Paste(String),
    /// The terminal has the focus, or has it no more.
    Focus(bool),
    /// The terminal's size in cells.
    Resize(u16, u16),
    /// A deadline of [`super::app::App::deadline`] has come.
    Tick,
    /// The process was stopped and goes on: the terminal may show anything.
    Continued,
    /// The server has answered.
    Connected(Box<InfoResponse>),
    /// A server has been found again.
    Reconnected(Box<Client>),
    /// The server is not there any more; why, in one line.
    Lost(String),
    /// A session is there, is new or has changed.
    Session(Box<Session>),
    /// A session is gone.
    Gone(String),
    /// Every session has been told.
    AllSessions,
    /// What happened in a build, in order.
    Trace(BuildId, Vec<TraceEvent>),
    /// No more of the trace will come; with why, when it is not the end.
    TraceEnd(BuildId, Option<String>),
    /// Everything about a session.
    Inspected(Box<InspectResponse>),
    /// Lines of a log.
    Log(LogAnswer),
    /// Found in a log.
    Found(SearchAnswer),
    /// How server and builder are.
    Health(Box<InfoResponse>, Option<Box<BuilderHealth>>),
    /// A process has been started for a tab.
    Started {
        /// For which tab.
        tab: Tab,
        /// Its id.
        process: String,
        /// What could not be carried, a line each.
        notes: Vec<String>,
    },
    /// Something for a tab.
    Shell(Tab, ShellMsg),
    /// A build has been started from here.
    Built(BuildId),
    /// A command of the monitor has been carried out, or a complaint why not.
    Answer {
        /// What it gave.
        answer: Result<Box<Answer>, String>,
        /// The session that it has led to.
        session: Option<String>,
        /// The process that it has led to, if that is another one.
        process: Option<String>,
    },
    /// Something has been done that is worth a line.
    Note(String),
    /// Something has failed; why, in one line.
    Failed(String),
    /// The log of a session was not saved, because there is something of that name.
    NotSaved {
        /// Id of the session.
        session: String,
        /// Where it was to be.
        path: std::path::PathBuf,
    },
    /// A text that was asked for: the content of a file.
    File {
        /// Which file.
        path: std::path::PathBuf,
        /// Its text, or why it cannot be read.
        text: Result<String, String>,
    },
    /// A file has been written, or not.
    Written {
        /// Which file.
        path: std::path::PathBuf,
        /// Why not.
        result: Result<(), NotWritten>,
    },
    /// What there is at the places of [`Effect::Look`].
    Looked(Vec<(std::path::PathBuf, Found)>),
    /// What a directory holds, as far as it can be read ([`Effect::List`]).
    Listed {
        /// Which one.
        directory: std::path::PathBuf,
        /// Its entries, in any order; not all of a very large one.
        entries: Vec<Entry>,
    },
    /// Files of a watched context have changed.
    Changed {
        /// Id of the session.
        session: String,
        /// The first of them.
        path: String,
        /// How many.
        count: usize,
    },
    /// A watched context is gone; it is looked for again.
    WatchWaits {
        /// Id of the session.
        session: String,
    },
    /// From now on, changes of a context are seen.
    Watched {
        /// Id of the session.
        session: String,
    },
    /// A context cannot be watched, or not any more.
    Unwatched {
        /// Id of the session.
        session: String,
        /// One line.
        why: String,
    },
    /// The process is asked to end, or the terminal is gone; the exit code for it.
    Terminate(u8),
}

/// Why a file has not been written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotWritten {
    /// It does not hold what it held before.
    Changed,
    /// It cannot be written; one line.
    Failed(String),
}

/// What there is at a place of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A directory.
    Directory,
    /// Something else.
    File,
    /// Nothing, or nothing that can be seen.
    Nothing,
}

/// What a directory of this machine holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name, as the disk has it.
    pub name: String,
    /// Whether it is a directory, or a link to one.
    pub directory: bool,
}

/// Lines that were asked for with [`Effect::Log`].
#[derive(Debug)]
pub struct LogAnswer {
    /// Number of the question.
    pub id: u64,
    /// The answer, or why there is none.
    pub answer: Result<LogResponse, String>,
}

/// What a search has found so far.
#[derive(Debug)]
pub struct SearchAnswer {
    /// Number of the search.
    pub id: u64,
    /// The next part of the answer, or why there is none.
    pub answer: Result<SearchLogResponse, String>,
}

/// What comes from a process.
#[derive(Debug)]
pub enum ShellMsg {
    /// What the server tells of it, in order.
    Output(Output),
    /// It cannot be reached; one line.
    Lost(String),
}

/// What is to be done.
#[derive(Debug)]
pub enum Effect {
    /// Read the trace of a build; the former reading of this session ends.
    Follow(BuildId),
    /// Read it no more.
    Unfollow(String),
    /// Be counted among those who use this session, and no other.
    BeIn(Option<String>),
    /// End these sessions, unless somebody uses them.
    Prune(Vec<String>),
    /// Ask for everything about a session.
    Inspect(String),
    /// Ask for lines of a log.
    Log {
        /// Number of the question.
        id: u64,
        /// The question.
        request: Box<LogRequest>,
    },
    /// Search a log; a former search ends.
    Search {
        /// Number of the search.
        id: u64,
        /// Where.
        build: BuildId,
        /// Digest of the step's vertex; empty for all.
        vertex: String,
        /// What for.
        pattern: LogPattern,
        /// Only among lines that this finds.
        filter: Option<LogPattern>,
    },
    /// End the search.
    StopSearch,
    /// Write a log into a file.
    SaveLog {
        /// Which.
        build: BuildId,
        /// Digest of the step's vertex; empty for all.
        vertex: String,
        /// Which of its lines, and what stands in front of them.
        form: Box<super::pane::log::save::Form>,
        /// Where.
        path: std::path::PathBuf,
        /// What is in the file may go.
        overwrite: bool,
    },
    /// Start a process for a tab and connect it.
    Exec {
        /// For which tab.
        tab: Tab,
        /// Id of the session.
        session: String,
        /// What to start.
        process: Box<Process>,
        /// Size of its terminal.
        size: TerminalSize,
        /// Throw away what other processes have changed.
        rollback: bool,
    },
    /// Connect a tab to a process.
    Attach {
        /// Which tab.
        tab: Tab,
        /// Id of the session.
        session: String,
        /// Id of the process.
        process: String,
        /// Size of the tab.
        size: TerminalSize,
        /// Only look on.
        read_only: bool,
    },
    /// Disconnect a tab.
    Drop(Tab),
    /// Bytes for the program in a tab.
    Input(Tab, Bytes),
    /// The tab has another size.
    Resize(Tab, TerminalSize),
    /// A program of this machine in a tab.
    Host {
        /// For which tab.
        tab: Tab,
        /// Program and arguments.
        words: Vec<String>,
        /// Directory to start in.
        directory: std::path::PathBuf,
        /// Size of the tab.
        size: TerminalSize,
    },
    /// Start a build.
    Build(Box<BuildRequest>),
    /// Carry a command of the monitor out.
    Run {
        /// The session that it is given in.
        session: Option<String>,
        /// The process that it is given in.
        process: Option<String>,
        /// The command.
        command: Command,
    },
    /// Ask how server and builder are.
    Health(Option<String>),
    /// Read a file of this machine.
    Read(std::path::PathBuf),
    /// Write a file of this machine.
    Write {
        /// Which file.
        path: std::path::PathBuf,
        /// Its new text.
        text: String,
        /// What it has to hold until then; `None`: whatever it holds.
        before: Option<String>,
    },
    /// Read what a directory of this machine holds.
    List(std::path::PathBuf),
    /// Look what there is at these places of this machine.
    Look(Vec<std::path::PathBuf>),
    /// Add a line to the file of the command line's history.
    Remember {
        /// Which file.
        file: std::path::PathBuf,
        /// The line.
        line: String,
    },
    /// Put a build before the others of the file of recent builds.
    Recent {
        /// Which file.
        file: std::path::PathBuf,
        /// Its words, without secrets.
        words: Vec<String>,
    },
    /// Watch the context of a session, or no more.
    Watch {
        /// Id of the session.
        session: String,
        /// What of it; `None`: watch no more.
        wanted: Option<Box<crate::watch::Wanted>>,
    },
    /// Put text into the clipboard of the terminal.
    Clipboard(Bytes),
    /// Ring.
    Bell,
    /// The title of the terminal's window.
    Title(String),
    /// Take the mouse, or give it back.
    Mouse(bool),
    /// Look for the server again.
    Reconnect,
    /// Go on with this server.
    UseClient(Box<Client>),
    /// Draw every cell again.
    Redraw,
    /// Stop this program, as Ctrl-Z does.
    Suspend,
    /// Leave, with these lines on the screen that was there before.
    Leave {
        /// A line each.
        lines: Vec<String>,
        /// Exit code.
        code: u8,
    },
}
