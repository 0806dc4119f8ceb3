//! Carries commands out: calls of the server in, data out. Nothing is printed here, so line mode and
//! a full-screen app share it.

use std::time::{SystemTime, UNIX_EPOCH};

use tonic::{Code, Status};

use super::invoke::Invoke;
use super::listing;
use super::parse::{Command, Process};
use super::table;
pub use crate::client::Api;
use crate::client::status;
use crate::proto::controller::{
    BuildFailure, Caller, DisconnectRequest, ExecRequest, InfoRequest, KeepRequest, KillRequest,
    ListSessionsRequest, Outcome, RebuildRequest, SessionRequest, ShutdownRequest, SignalRequest,
    State, TerminalSize, outcome,
};

mod find;

pub use find::{Target, find, find_session};

/// What carrying out a command gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// To be shown, a line each; harmless on a terminal.
    pub lines: Vec<String>,
    /// What is to be done next.
    pub then: Then,
}

/// What is to be done after a command.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Then {
    /// Read the next command.
    #[default]
    Stay,
    /// Show the trace of this build; then [`Monitor::built`] with its end.
    Follow {
        /// Session.
        session: String,
        /// Number of the build.
        build: u32,
    },
    /// Print the log of the last build, of the steps that match.
    Logs {
        /// Session.
        session: String,
        /// Part of a step's name, or its number.
        step: Option<String>,
    },
    /// Ask; if the answer is yes, carry the command out.
    Ask {
        /// Without the question mark's choices.
        question: String,
        /// What yes means.
        yes: Command,
    },
    /// End the monitor.
    Leave,
}

impl Answer {
    fn line(line: impl Into<String>) -> Self {
        Self {
            lines: vec![line.into()],
            then: Then::Stay,
        }
    }

    fn lines(lines: Vec<String>) -> Self {
        Self {
            lines,
            then: Then::Stay,
        }
    }
}

/// Why a command was not carried out, in one harmless line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Complaint(pub String);

impl From<Status> for Complaint {
    fn from(status: Status) -> Self {
        Self(status::line(&status))
    }
}

/// What a monitor is made with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What belongs to the user of this monitor.
    pub caller: Caller,
    /// The process that is started when no command says which.
    pub invoke: Invoke,
    /// The prefix key, as `Ctrl-a`.
    pub prefix: String,
}

/// The state of one monitor: where it is.
#[derive(Clone, Debug)]
pub struct Monitor {
    api: Api,
    setup: Setup,
    /// Id of the session that it is attached to.
    pub session: Option<String>,
    /// Id of the process that it is attached to.
    pub process: Option<String>,
    /// Whether the keyboard is kept from the process.
    pub read_only: bool,
    /// Size of the terminal that processes start with.
    pub size: TerminalSize,
    /// The session that this monitor started, and ends when it leaves.
    pub started: Option<String>,
}

/// Milliseconds since 1970.
pub fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        })
}

/// How to come back to a session.
pub fn come_back(session: &str) -> String {
    format!("Session {session} lives on; come back with: buildx debug attach {session}")
}

impl Monitor {
    /// A monitor with no session.
    pub fn new(api: Api, setup: Setup) -> Self {
        Self {
            api,
            setup,
            session: None,
            process: None,
            read_only: false,
            size: TerminalSize::default(),
            started: None,
        }
    }

    /// The handle on the server.
    pub fn api(&self) -> Api {
        self.api.clone()
    }

    /// Carries a command out.
    ///
    /// # Errors
    /// It cannot be done; why, in one line.
    pub async fn run(&mut self, command: Command) -> Result<Answer, Complaint> {
        match command {
            Command::Attach { target, read_only } => self.attach(target, read_only).await,
            Command::Cancel => self.cancel().await,
            Command::Detach => Ok(self.detach()),
            Command::Disconnect { target, force } => self.disconnect(target, force).await,
            Command::Exec(process) => self.exec(process).await,
            Command::Exit => self.exit().await,
            Command::Help(None) => Ok(Answer::lines(table::help())),
            Command::Help(Some(word)) => Ok(Answer::lines(
                table::spec(word).map(table::help_for).unwrap_or_default(),
            )),
            Command::Inspect(target) => self.inspect(target).await,
            Command::Keep(span) => {
                self.keep(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
                    .await
            }
            Command::Kill(target) => self.kill(target).await,
            Command::List => self.list().await,
            Command::Logs(step) => Ok(Answer {
                lines: Vec::new(),
                then: Then::Logs {
                    session: self.current()?,
                    step,
                },
            }),
            Command::Ps => self.ps().await,
            Command::Reload => self.reload().await,
            Command::Rollback(process) => self.rollback(process).await,
            Command::Shutdown { force } => self.shutdown(force).await,
            Command::Signal { name, process } => self.signal(name, process).await,
            Command::Status => self.status().await,
        }
    }

    /// Starts the first process of a session, as at the start of the monitor and after a reload.
    ///
    /// # Errors
    /// There is nothing to start a process in; why, in one line.
    pub async fn open(&mut self) -> Result<Answer, Complaint> {
        let request = self.request(Process::default())?;
        let started = self.api.exec(request).await?.into_inner();
        let mut lines = notes(&started.notes);
        lines.push(self.restarted(&started.process));
        self.take(started.process);
        Ok(Answer::lines(lines))
    }

    /// The first line of a monitor that is about to start a process.
    pub fn launching(&self) -> String {
        format!(
            "Launching interactive container. Press {}-c to switch to monitor console",
            self.setup.prefix
        )
    }

    /// What happens after a build that this monitor waited for.
    ///
    /// # Errors
    /// As [`Monitor::open`].
    pub async fn built(&mut self, outcome: &Outcome) -> Result<Answer, Complaint> {
        match &outcome.end {
            Some(outcome::End::Canceled(canceled)) => {
                let by = match canceled.by.as_str() {
                    "" => String::new(),
                    by => format!(" by {}", listing::plain(by)),
                };
                Ok(Answer::line(format!("The build was canceled{by}.")))
            }
            Some(outcome::End::Failed(failure)) if !has_state(failure) => {
                Err(Complaint(no_state(failure)))
            }
            _ => self.open().await,
        }
    }

    /// What is said when the process is not there to switch to.
    pub fn not_attached() -> &'static str {
        "Process isn't attached (previous \"exec\" exited?). Use \"attach\" for attaching or \"rollback\" or \"exec\" for running new one."
    }

    fn current(&self) -> Result<String, Complaint> {
        self.session.clone().ok_or_else(|| {
            Complaint(
                "no attaching session; \"list\" shows the sessions, \"attach ID\" takes one up"
                    .to_owned(),
            )
        })
    }

    fn current_process(&self) -> Result<String, Complaint> {
        self.process
            .clone()
            .ok_or_else(|| Complaint(Self::not_attached().to_owned()))
    }

    fn take(&mut self, process: String) {
        self.process = Some(process);
        self.read_only = false;
    }

    fn restarted(&self, process: &str) -> String {
        format!(
            "Interactive container was restarted with process {:?}. Press {}-c to switch to the new container",
            listing::plain(process),
            self.setup.prefix
        )
    }

    /// What to start: the command's words over those of this monitor. Nothing is remembered.
    fn request(&self, process: Process) -> Result<ExecRequest, Complaint> {
        let invoke = &self.setup.invoke;
        let own = process.arguments.is_empty();
        let state = if process.init {
            State::Before
        } else {
            State::After
        };
        let mut environment = invoke.environment.clone();
        environment.extend(process.environment);
        Ok(ExecRequest {
            session: self.current()?,
            caller: Some(self.setup.caller.clone()),
            arguments: if own {
                invoke.arguments.clone()
            } else {
                process.arguments
            },
            entrypoint: if own {
                invoke.entrypoint.clone()
            } else {
                Vec::new()
            },
            environment,
            user: process.user.or_else(|| invoke.user.clone()),
            directory: process.directory.or_else(|| invoke.directory.clone()),
            tty: !own || invoke.tty,
            rows: self.size.rows,
            cols: self.size.cols,
            state: state.into(),
            platform: process.platform.unwrap_or_default(),
            stdin: true,
        })
    }

    async fn attach(
        &mut self,
        target: Option<String>,
        read_only: bool,
    ) -> Result<Answer, Complaint> {
        let target = match target {
            Some(target) => find(&mut self.api, self.session.as_deref(), &target).await?,
            None => {
                let session = self.current()?;
                Target::Session(find_session(&mut self.api, &session).await?)
            }
        };
        let mut lines = Vec::new();
        let mut kept = false;
        let process = match target {
            Target::Process(process) => Some(process),
            Target::Session(session) => {
                let id = session.id.clone();
                let request = SessionRequest { session: id };
                let list = self.api.list_processes(request).await?.into_inner();
                if self.session.as_deref() != Some(session.id.as_str()) {
                    self.process = None;
                }
                self.session = Some(session.id.clone());
                kept = session.kept_until != 0;
                lines.push(format!(
                    "Attached to session {:?} ({}, {})",
                    listing::plain(&session.id),
                    listing::plain(&session.name),
                    listing::state(&session),
                ));
                list.processes
                    .into_iter()
                    .filter(|process| process.ended == 0)
                    .max_by_key(|process| process.started)
            }
        };
        match process {
            Some(process) if process.ended == 0 => {
                lines.push(format!(
                    "Attached to process {:?}. Press {}-c to switch to the new container",
                    listing::plain(&process.id),
                    self.setup.prefix
                ));
                self.session = Some(process.session);
                self.process = Some(process.id);
                self.read_only = read_only;
            }
            Some(process) => {
                return Err(Complaint(format!(
                    "process {:?} has {}; \"exec\" or \"rollback\" starts another",
                    process.id,
                    listing::process_state(&process)
                )));
            }
            // Whoever takes up a state wants to look inside.
            None if kept && !read_only => {
                let request = self.request(Process::default())?;
                match self.api.exec(request).await {
                    Ok(started) => {
                        let started = started.into_inner();
                        lines.extend(notes(&started.notes));
                        lines.push(self.restarted(&started.process));
                        self.take(started.process);
                    }
                    Err(status) => lines.push(Complaint::from(status).to_string()),
                }
            }
            None => {
                lines.push("No process runs in it; \"exec\" or \"rollback\" starts one.".to_owned())
            }
        }
        Ok(Answer::lines(lines))
    }

    async fn cancel(&mut self) -> Result<Answer, Complaint> {
        let session = self.current()?;
        let request = SessionRequest { session };
        let canceled = self.api.cancel(request).await?.into_inner().canceled;
        Ok(Answer::line(if canceled {
            "The build was canceled."
        } else {
            "No build was running."
        }))
    }

    fn detach(&mut self) -> Answer {
        self.started = None;
        let lines = self.session.as_deref().map(come_back);
        Answer {
            lines: lines.into_iter().collect(),
            then: Then::Leave,
        }
    }

    async fn disconnect(
        &mut self,
        target: Option<String>,
        force: bool,
    ) -> Result<Answer, Complaint> {
        let session = match target {
            None => self.current()?,
            Some(target) => match find(&mut self.api, self.session.as_deref(), &target).await? {
                Target::Session(session) => session.id,
                Target::Process(process) => {
                    return self.end_process(process.session, process.id).await;
                }
            },
        };
        let request = DisconnectRequest {
            session: session.clone(),
            unless_used: !force,
        };
        let answer = self.api.disconnect(request).await?.into_inner();
        if !answer.ended {
            return Ok(Answer {
                lines: Vec::new(),
                then: Then::Ask {
                    question: format!(
                        "Others use session {session}: {}. End it all the same?",
                        listing::clients(&answer.others)
                    ),
                    yes: Command::Disconnect {
                        target: Some(session),
                        force: true,
                    },
                },
            });
        }
        self.forget(&session);
        Ok(Answer::line(format!("Session {session} has ended.")))
    }

    /// The session is gone.
    fn forget(&mut self, session: &str) {
        if self.session.as_deref() == Some(session) {
            self.session = None;
            self.process = None;
        }
        if self.started.as_deref() == Some(session) {
            self.started = None;
        }
    }

    async fn exec(&mut self, process: Process) -> Result<Answer, Complaint> {
        let request = self.request(process)?;
        let started = self.api.exec(request).await?.into_inner();
        let mut lines = notes(&started.notes);
        lines.push(format!(
            "Process {:?} started. Press {}-c to switch to that process.",
            listing::plain(&started.process),
            self.setup.prefix
        ));
        self.take(started.process);
        Ok(Answer::lines(lines))
    }

    async fn rollback(&mut self, process: Process) -> Result<Answer, Complaint> {
        let request = self.request(process)?;
        let started = self.api.rollback(request).await?.into_inner();
        let mut lines = notes(&started.notes);
        lines.push(self.restarted(&started.process));
        self.take(started.process);
        Ok(Answer::lines(lines))
    }

    /// Ends the session that this monitor started, unless somebody else uses it.
    async fn exit(&mut self) -> Result<Answer, Complaint> {
        let mut lines = Vec::new();
        let mut ended = None;
        if let Some(session) = self.started.take() {
            let request = DisconnectRequest {
                session: session.clone(),
                unless_used: true,
            };
            match self.api.disconnect(request).await {
                Ok(answer) => {
                    let answer = answer.into_inner();
                    if !answer.ended {
                        lines.push(format!(
                            "Others use session {session}: {}.",
                            listing::clients(&answer.others)
                        ));
                        lines.push(come_back(&session));
                    }
                    ended = Some(session);
                }
                // Somebody else ended it: what was wanted.
                Err(status) if status.code() == Code::NotFound => ended = Some(session),
                Err(status) => {
                    lines.push(format!("WARNING: {}", Complaint::from(status)));
                    lines.push(come_back(&session));
                    ended = Some(session);
                }
            }
        }
        if let Some(session) = self.session.as_deref()
            && ended.as_deref() != Some(session)
        {
            lines.push(come_back(session));
        }
        Ok(Answer {
            lines,
            then: Then::Leave,
        })
    }

    async fn inspect(&mut self, target: Option<String>) -> Result<Answer, Complaint> {
        let session = match target {
            Some(session) => session,
            None => self.current()?,
        };
        let request = SessionRequest { session };
        let found = self.api.inspect(request).await?.into_inner();
        Ok(Answer::lines(listing::inspect(&found, now())))
    }

    async fn keep(&mut self, keep: u64) -> Result<Answer, Complaint> {
        let session = self.current()?;
        let request = KeepRequest { session, keep };
        let until = self.api.keep(request).await?.into_inner().kept_until;
        Ok(Answer::line(kept(until)))
    }

    async fn kill(&mut self, target: Option<String>) -> Result<Answer, Complaint> {
        let Some(target) = target else {
            let process = self.current_process()?;
            return self.end_process(self.current()?, process).await;
        };
        match find(&mut self.api, self.session.as_deref(), &target).await? {
            Target::Process(process) => self.end_process(process.session, process.id).await,
            Target::Session(session) => self.disconnect(Some(session.id), true).await,
        }
    }

    async fn end_process(&mut self, session: String, process: String) -> Result<Answer, Complaint> {
        let line = format!("Process {:?} has ended.", listing::plain(&process));
        let ours = self.process.as_deref() == Some(process.as_str());
        self.api.kill(KillRequest { session, process }).await?;
        if ours {
            self.process = None;
        }
        Ok(Answer::line(line))
    }

    async fn list(&mut self) -> Result<Answer, Complaint> {
        let request = ListSessionsRequest {};
        let list = self.api.list_sessions(request).await?.into_inner();
        Ok(Answer::lines(listing::sessions(
            &list.sessions,
            self.session.as_deref(),
            now(),
        )))
    }

    async fn ps(&mut self) -> Result<Answer, Complaint> {
        let session = self.current()?;
        let request = SessionRequest { session };
        let list = self.api.list_processes(request).await?.into_inner();
        Ok(Answer::lines(listing::processes(
            &list.processes,
            self.process.as_deref(),
            now(),
        )))
    }

    async fn reload(&mut self) -> Result<Answer, Complaint> {
        let request = RebuildRequest {
            session: self.current()?,
            caller: Some(self.setup.caller.clone()),
            attaches: true,
        };
        let started = self.api.rebuild(request).await?.into_inner();
        self.process = None;
        Ok(Answer {
            lines: Vec::new(),
            then: Then::Follow {
                session: started.session,
                build: started.build,
            },
        })
    }

    async fn shutdown(&mut self, force: bool) -> Result<Answer, Complaint> {
        let request = ShutdownRequest {
            drain: false,
            drain_limit: 0,
            unless_used: !force,
        };
        let mut events = match self.api.shutdown(request).await {
            Ok(events) => events.into_inner(),
            Err(status) if !force && status.code() == Code::FailedPrecondition => {
                return Ok(Answer {
                    lines: Vec::new(),
                    then: Then::Ask {
                        question: format!(
                            "{} End the server all the same?",
                            listing::plain(status.message())
                        ),
                        yes: Command::Shutdown { force: true },
                    },
                });
            }
            Err(status) => return Err(status.into()),
        };
        // The stream ends with the server; how it breaks does not matter.
        while let Ok(Some(_)) = events.message().await {}
        self.session = None;
        self.process = None;
        self.started = None;
        Ok(Answer {
            lines: vec!["The server has ended.".to_owned()],
            then: Then::Leave,
        })
    }

    async fn signal(&mut self, name: String, process: Option<String>) -> Result<Answer, Complaint> {
        let process = match process {
            Some(process) => process,
            None => self.current_process()?,
        };
        let request = SignalRequest {
            session: self.current()?,
            process,
            signal: name,
        };
        self.api.signal(request).await?;
        Ok(Answer::default())
    }

    async fn status(&mut self) -> Result<Answer, Complaint> {
        let info = self.api.info(InfoRequest {}).await?.into_inner();
        let mut lines = listing::server(&info, now());
        match &self.session {
            None => {
                lines.push("No session; \"list\" shows them, \"attach ID\" takes one up.".into())
            }
            Some(session) => {
                let session = find_session(&mut self.api, session).await?;
                let attached = match &self.process {
                    Some(process) => format!("attached to process {process}"),
                    None => "no process attached".to_owned(),
                };
                lines.push(format!(
                    "Session {} ({}, {}): {attached}",
                    session.id,
                    listing::plain(&session.name),
                    listing::state(&session),
                ));
                if !session.doing.is_empty() {
                    lines.push(format!("  {}", listing::plain(&session.doing)));
                }
                if session.kept_until != 0 {
                    lines.push(format!("  {}", kept(session.kept_until)));
                }
            }
        }
        Ok(Answer::lines(lines))
    }
}

/// How long a state is kept, in a sentence.
pub fn kept(until: i64) -> String {
    match until {
        0 => "The state of the build is not kept.".to_owned(),
        until => format!(
            "The state of the build is kept for {}.",
            listing::span(until.saturating_sub(now()))
        ),
    }
}

fn notes(notes: &[String]) -> Vec<String> {
    notes.iter().map(|note| listing::plain(note)).collect()
}

/// Whether a process can be started in what a failed build left.
pub fn has_state(failure: &BuildFailure) -> bool {
    failure.state() != State::Unspecified
}

/// Why there is nothing to start a process in.
pub fn no_state(failure: &BuildFailure) -> String {
    match failure.no_state.as_str() {
        "" => "the build left no state to start a process in".to_owned(),
        why => listing::plain(why),
    }
}

#[cfg(test)]
mod tests;
