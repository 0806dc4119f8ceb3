//! Carries commands out: calls of the server in, data out. Nothing is printed here, so line mode and
//! a full-screen app share it.

use std::time::{SystemTime, UNIX_EPOCH};

use super::invoke::Invoke;
use super::listing;
use super::parse::{Command, Process};
use super::spoken;
use super::table;
pub use crate::client::Api;
use crate::proto::controller::{Caller, Outcome, TerminalSize, outcome};

mod answer;
mod find;
mod process;
mod say;
mod server;
mod session;

pub use answer::{Answer, Complaint, Then};
pub use find::{Target, find, find_session};
pub use say::{come_back, has_state, kept, no_state};

use say::notes;

/// What a monitor is made with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What belongs to the user of this monitor.
    pub caller: Caller,
    /// The process that is started when no command says which.
    pub invoke: Invoke,
    /// The prefix key, as `Ctrl-a`.
    pub prefix: String,
    /// Answers are read out: sentences instead of tables.
    pub spoken: bool,
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

    /// Whether answers are read out.
    pub fn spoken(&self) -> bool {
        self.setup.spoken
    }

    /// The prefix key, as `Ctrl-a`.
    pub fn prefix(&self) -> &str {
        &self.setup.prefix
    }

    /// How long a state is kept, in a sentence.
    fn kept(&self, until: i64) -> String {
        match self.setup.spoken {
            true => spoken::kept(until, now()),
            false => kept(until),
        }
    }

    /// The handle on the server.
    pub fn api(&self) -> Api {
        self.api.clone()
    }

    /// The server was lost, and there is a new one: its processes have gone with it.
    pub fn reconnected(&mut self, api: Api) {
        self.api = api;
        self.process = None;
    }

    /// Carries a command out.
    ///
    /// # Errors
    /// It cannot be done; why, in one line.
    pub async fn run(&mut self, command: Command) -> Result<Answer, Complaint> {
        match command {
            Command::Attach { target, read_only } => self.attach(target, read_only).await,
            Command::Cancel => self.cancel().await,
            Command::Detach => Ok(self.detach().await),
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
}

#[cfg(test)]
mod tests;
