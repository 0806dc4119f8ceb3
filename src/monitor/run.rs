//! Line mode: the prompt and the shell take turns at one terminal.

use std::io::Write;

use super::again::Again;
use super::editor::Editor;
use super::exec::{Answer, Complaint, Monitor, Then, come_back, find_session, now};
use super::header::{self, Scene};
use super::listing;
use super::parse::{self, Command};
use super::prefix::Prefix;
use super::presence::Presence;
use super::prompt::{self, Keyboard, Read};
use super::shell::{self, Left, Link};
use super::spoken;
use super::terminal::{Mode, Terminal};
use super::watch::{Seen, Signals, watch};
use crate::client::follow::{View, exit_code};
use crate::client::logs;
use crate::client::{caller, status};
use crate::progress::settings::{Kind, Settings};
use crate::proto::controller::{AttachStart, Exited, Outcome, Process, SessionRequest};
use crate::term::blocking::Blocking;

/// Who has the keyboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The monitor.
    Prompt,
    /// The process.
    Shell,
}

/// What line mode is made of.
#[derive(Debug)]
pub struct Parts {
    /// Where we are.
    pub monitor: Monitor,
    /// The user's terminal.
    pub terminal: Terminal,
    /// The prefix key.
    pub prefix: Prefix,
    /// The editor with its history.
    pub editor: Editor,
    /// How builds are shown.
    pub progress: Settings,
    /// The server runs in this process: nothing outlives it.
    pub in_process: bool,
    /// The way back to a server that was lost.
    pub again: Again,
}

/// A monitor in line mode.
#[derive(Debug)]
pub struct Line {
    monitor: Monitor,
    terminal: Terminal,
    keyboard: Keyboard,
    presence: Presence,
    progress: Settings,
    in_process: bool,
    again: Again,
    signals: Signals,
    /// The process whose scrollback the terminal has.
    seen: Option<String>,
    /// Exit code of the last build.
    code: u8,
}

/// What comes after a command.
enum Next {
    Stay(Place),
    Leave,
}

impl Line {
    /// # Errors
    /// The system gives no signal handlers.
    pub fn new(parts: Parts) -> std::io::Result<Self> {
        let spoken = parts.monitor.spoken();
        Ok(Self {
            monitor: parts.monitor,
            terminal: parts.terminal,
            keyboard: Keyboard {
                prefix: parts.prefix,
                editor: parts.editor,
                shown: None,
                spoken,
            },
            presence: Presence::default(),
            progress: parts.progress,
            in_process: parts.in_process,
            again: parts.again,
            signals: Signals::listen()?,
            seen: None,
            code: 0,
        })
    }

    /// Starts the first process in what a build has left, and says what it is. The prompt is open in
    /// any case: where there is nothing to start a process in, it says why.
    pub async fn open(&mut self, outcome: &Outcome, step: &str) -> Place {
        self.code = exit_code(outcome);
        self.monitor.size = self.terminal.size();
        match self.monitor.built(outcome).await {
            Ok(answer) => {
                let process = self.current_process().await;
                let scene = Scene {
                    outcome: Some(outcome),
                    step,
                    process: process.as_ref(),
                };
                if self.monitor.spoken() {
                    let until = self.kept_until().await;
                    let lines = spoken::opened(&scene, until, now(), self.monitor.prefix());
                    // The last one says what has just been said.
                    let notes = answer.lines.iter().rev().skip(1).rev();
                    for line in notes.chain(&lines) {
                        self.terminal.say(line);
                    }
                    return Place::Shell;
                }
                let launching = self.monitor.launching();
                let (last, notes) = match answer.lines.split_last() {
                    Some((last, notes)) => (Some(last), notes),
                    None => (None, &[][..]),
                };
                let lines = header::lines(&scene);
                for line in lines.iter().chain(notes).chain([&launching]).chain(last) {
                    self.terminal.say(line);
                }
                Place::Shell
            }
            Err(Complaint(why)) => {
                let scene = Scene {
                    outcome: Some(outcome),
                    step,
                    process: None,
                };
                // The end of the build has said it in sentences.
                if !self.monitor.spoken() {
                    for line in header::lines(&scene) {
                        self.terminal.say(&line);
                    }
                }
                self.terminal
                    .say(&format!("No process could be started: {why}"));
                self.terminal
                    .say("\"reload\" builds again, \"help\" says what else can be done, \"exit\" leaves.");
                Place::Prompt
            }
        }
    }

    /// Takes up a session or process.
    ///
    /// # Errors
    /// There is none of that id; one line.
    pub async fn attach(&mut self, target: String, read_only: bool) -> Result<Place, String> {
        self.monitor.size = self.terminal.size();
        let command = Command::Attach {
            target: Some(target),
            read_only,
        };
        let answer = self.monitor.run(command).await.map_err(|why| why.0)?;
        for line in &answer.lines {
            self.terminal.say(line);
        }
        Ok(match self.monitor.process {
            Some(_) => Place::Shell,
            None => Place::Prompt,
        })
    }

    /// Prompt and shell until the user leaves; the exit code is that of the last build, or of the signal that asked to
    /// leave.
    pub async fn run(mut self, mut place: Place) -> u8 {
        loop {
            let api = self.monitor.api();
            let session = self.monitor.session.as_deref();
            self.presence.be_in(&api, session).await;
            let next = match place {
                Place::Prompt => self.prompt().await,
                Place::Shell => self.shell().await,
            };
            match next {
                Next::Stay(next) => place = next,
                Next::Leave => return self.code,
            }
        }
    }

    async fn prompt(&mut self) -> Next {
        let read = prompt::read(
            &mut self.terminal,
            &mut self.keyboard,
            &self.monitor,
            &mut self.presence,
        )
        .await;
        if let Some(session) = self.presence.take_ended() {
            self.monitor.forget(&session);
        }
        match read {
            Read::Line(line) => match parse::parse(&line) {
                Ok(None) => Next::Stay(Place::Prompt),
                Ok(Some(command)) => self.command(command).await,
                Err(mistake) => {
                    self.complain(&mistake.0);
                    Next::Stay(Place::Prompt)
                }
            },
            Read::Toggle if self.monitor.process.is_some() => {
                self.switched(Place::Shell);
                Next::Stay(Place::Shell)
            }
            Read::Toggle => {
                self.terminal.say(Monitor::not_attached());
                Next::Stay(Place::Prompt)
            }
            Read::Detach => self.command(Command::Detach).await,
            Read::Exit => self.command(Command::Exit).await,
            Read::Gone => self.gone(self.terminal.gone_code()),
        }
    }

    async fn shell(&mut self) -> Next {
        let (Some(session), Some(process)) =
            (self.monitor.session.clone(), self.monitor.process.clone())
        else {
            return Next::Stay(Place::Prompt);
        };
        let known = self.current_process().await;
        let others = known.as_ref().map(|known| known.clients.clone());
        let others = others.unwrap_or_default();
        if !others.is_empty() {
            let line = format!("Also here: {}.", listing::clients(&others));
            self.terminal.say(&line);
        }
        let first = self.seen.as_deref() != Some(process.as_str());
        self.seen = Some(process.clone());
        let link = Link {
            api: self.monitor.api(),
            start: AttachStart {
                session,
                process,
                size: None,
                read_only: self.monitor.read_only,
                scrollback: if first { shell::SCROLLBACK } else { 0 },
                terminal: caller::terminal(),
                raw: false,
            },
            tty: known.is_none_or(|process| process.tty),
            others,
            monitor: true,
            prefix: &mut self.keyboard.prefix,
        };
        let left = shell::connect(&mut self.terminal, link).await;
        self.terminal.mode(Mode::Line);
        self.terminal.new_line();
        match left {
            Left::Toggled => self.switched(Place::Prompt),
            Left::Detached => return self.command(Command::Detach).await,
            Left::Exited(exited) => {
                self.monitor.process = None;
                self.switched(Place::Prompt);
                self.presence.heard(&exited.reason);
                if let Some(line) = ended(&exited) {
                    self.complain(&line);
                }
            }
            Left::Lost(why) => {
                self.monitor.process = None;
                self.switched(Place::Prompt);
                self.complain(&status::line(&why));
            }
            Left::Gone => return self.gone(self.terminal.gone_code()),
        }
        Next::Stay(Place::Prompt)
    }

    async fn command(&mut self, command: Command) -> Next {
        if self.in_process && command == Command::Detach {
            self.complain(
                "nothing lives on without a server (--server=off); \"exit\" ends the session",
            );
            return Next::Stay(Place::Prompt);
        }
        self.monitor.size = self.terminal.size();
        // Leaving needs no server that is made for it.
        if !matches!(command, Command::Exit | Command::Detach) && !self.back().await {
            return Next::Stay(Place::Prompt);
        }
        let mut answer = self.monitor.run(command).await;
        loop {
            let Answer { lines, then } = match answer {
                Ok(answer) => answer,
                Err(Complaint(why)) => {
                    self.complain(&why);
                    return Next::Stay(Place::Prompt);
                }
            };
            for line in &lines {
                self.terminal.say(line);
            }
            match then {
                Then::Stay => return Next::Stay(Place::Prompt),
                Then::Leave => return Next::Leave,
                Then::Ask { question, yes } => {
                    if !prompt::ask(&mut self.terminal, &mut self.keyboard, &question).await {
                        return Next::Stay(Place::Prompt);
                    }
                    answer = self.monitor.run(yes).await;
                }
                Then::Logs { session, step } => {
                    self.logs(session, step).await;
                    return Next::Stay(Place::Prompt);
                }
                Then::Follow { session, build } => match self.follow(&session, build).await {
                    Ok(outcome) => {
                        self.code = exit_code(&outcome);
                        answer = self.monitor.built(&outcome).await;
                    }
                    Err(next) => return next,
                },
            }
        }
    }

    /// Comes back to a server that was lost; whether there is one.
    async fn back(&mut self) -> bool {
        let mut api = self.monitor.api();
        match self.again.if_lost(&mut api).await {
            Ok(None) => true,
            Ok(Some(api)) => {
                self.monitor.reconnected(api);
                self.presence = Presence::default();
                self.terminal.say(
                    "The server was lost; this is a new one. \"reload\" builds a session again.",
                );
                true
            }
            Err(why) => {
                self.complain(&why);
                false
            }
        }
    }

    async fn follow(&mut self, session: &str, build: u32) -> Result<Outcome, Next> {
        self.terminal.mode(Mode::Cooked);
        let mut view = View::on_stderr(self.progress.clone());
        let api = self.monitor.api();
        let seen = watch(&api, session, build, &mut view, &mut self.signals).await;
        // What Ctrl-C meant has been done.
        self.terminal.forget_interrupts();
        match seen {
            Seen::Outcome(outcome) => Ok(outcome),
            Seen::Lost(lost) => {
                self.complain(&lost.0);
                Err(Next::Stay(Place::Prompt))
            }
            Seen::Left(code) => Err(self.gone(code)),
        }
    }

    async fn logs(&mut self, session: String, step: Option<String>) {
        let mut settings = self.progress.clone();
        settings.kind = match (self.monitor.spoken(), &step) {
            (true, None) => Kind::Sentences,
            // The steps that are wanted are found by their numbers.
            _ => Kind::Plain,
        };
        let wanted = logs::Wanted {
            session,
            step,
            follow: false,
        };
        let out = Box::new(|| Box::new(Blocking(std::io::stdout())) as Box<dyn Write + Send>);
        self.terminal.mode(Mode::Cooked);
        let api = self.monitor.api();
        let printed = tokio::select! {
            printed = logs::print(&api, wanted, settings, out) => printed,
            () = self.terminal.interrupted() => return,
        };
        if let Err(lost) = printed {
            self.complain(&lost.0);
        }
    }

    /// The keyboard belongs to `place` now.
    fn switched(&mut self, place: Place) {
        self.terminal.say(match (self.monitor.spoken(), place) {
            (false, _) => "Switched IO",
            (true, Place::Prompt) => spoken::AT_PROMPT,
            (true, Place::Shell) => spoken::IN_SHELL,
        });
    }

    /// Until when the state of the session's build is kept; 0 when it is not.
    async fn kept_until(&self) -> i64 {
        let Some(session) = &self.monitor.session else {
            return 0;
        };
        let found = find_session(&mut self.monitor.api(), session).await;
        found.map_or(0, |session| session.kept_until)
    }

    /// The record of the process that the monitor is attached to.
    async fn current_process(&mut self) -> Option<Process> {
        let session = self.monitor.session.clone()?;
        let wanted = self.monitor.process.clone()?;
        let mut api = self.monitor.api();
        let list = api.list_processes(SessionRequest { session }).await;
        let list = list.ok()?.into_inner().processes;
        list.into_iter().find(|process| process.id == wanted)
    }

    /// The terminal is gone, or a signal asks to leave: everything else stays as it is.
    fn gone(&mut self, code: u8) -> Next {
        self.code = code;
        if !self.in_process
            && let Some(session) = &self.monitor.session
        {
            self.terminal.say(&come_back(session));
        }
        Next::Leave
    }

    /// A line about what went wrong, on standard error.
    fn complain(&mut self, line: &str) {
        let line = listing::plain(line);
        let _ = write!(std::io::stderr(), "ERROR: {line}\r\n");
    }
}

/// What is said of the end of a process; `None` when it went well.
fn ended(exited: &Exited) -> Option<String> {
    match (exited.exit_code, exited.reason.as_str()) {
        (Some(0), _) => None,
        (Some(code), _) => Some(format!("invoke: exit code: {code}")),
        (None, "") => Some("invoke: the process has ended".to_owned()),
        (None, reason) => Some(format!("invoke: {reason}")),
    }
}
