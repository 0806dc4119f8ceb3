//! Commands about the processes of a session.

use super::say::notes;
use super::{Answer, Complaint, Monitor, Target, find, now};
use crate::monitor::parse::Process;
use crate::monitor::{listing, spoken};
use crate::proto::controller::{ExecRequest, KillRequest, SessionRequest, SignalRequest, State};

impl Monitor {
    /// What to start: the command's words over those of this monitor. Nothing is remembered.
    pub(super) fn request(&self, process: Process) -> Result<ExecRequest, Complaint> {
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
            raw: false,
        })
    }

    pub(super) async fn exec(&mut self, process: Process) -> Result<Answer, Complaint> {
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

    pub(super) async fn rollback(&mut self, process: Process) -> Result<Answer, Complaint> {
        let request = self.request(process)?;
        let started = self.api.rollback(request).await?.into_inner();
        let mut lines = notes(&started.notes);
        lines.push(self.restarted(&started.process));
        self.take(started.process);
        Ok(Answer::lines(lines))
    }

    pub(super) async fn kill(&mut self, target: Option<String>) -> Result<Answer, Complaint> {
        let Some(target) = target else {
            let process = self.current_process()?;
            return self.end_process(self.current()?, process).await;
        };
        match find(&mut self.api, self.session.as_deref(), &target).await? {
            Target::Process(process) => self.end_process(process.session, process.id).await,
            Target::Session(session) => self.disconnect(Some(session.id), true).await,
        }
    }

    pub(super) async fn end_process(
        &mut self,
        session: String,
        process: String,
    ) -> Result<Answer, Complaint> {
        let line = format!("Process {:?} has ended.", listing::plain(&process));
        let ours = self.process.as_deref() == Some(process.as_str());
        self.api.kill(KillRequest { session, process }).await?;
        if ours {
            self.process = None;
        }
        Ok(Answer::line(line))
    }

    pub(super) async fn ps(&mut self) -> Result<Answer, Complaint> {
        let session = self.current()?;
        let request = SessionRequest { session };
        let list = self.api.list_processes(request).await?.into_inner();
        let lines = match self.spoken() {
            true => spoken::processes,
            false => listing::processes,
        };
        let current = self.process.as_deref();
        Ok(Answer::lines(lines(&list.processes, current, now())))
    }

    pub(super) async fn signal(
        &mut self,
        name: String,
        process: Option<String>,
    ) -> Result<Answer, Complaint> {
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
}
