//! Commands about one session.

use tonic::Code;

use super::say::{come_back, no_state, notes};
use super::{Answer, Complaint, Monitor, Target, Then, find, find_session, now};
use crate::monitor::parse::{Command, Process};
use crate::monitor::{listing, spoken};
use crate::proto::controller::{
    DisconnectRequest, KeepRequest, RebuildRequest, SessionRequest, outcome,
};

impl Monitor {
    pub(super) async fn attach(
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
            None => lines.push(self.without_process().await?),
        }
        Ok(Answer::lines(lines))
    }

    /// What is said of a session in which no process runs: one that never can is no place for the advice to start one.
    async fn without_process(&mut self) -> Result<String, Complaint> {
        let session = self.current()?;
        let request = SessionRequest { session };
        let found = self.api.inspect(request).await?.into_inner();
        let end = found.outcome.and_then(|outcome| outcome.end);
        Ok(match end {
            Some(outcome::End::Failed(failure)) if !failure.no_state.is_empty() => {
                no_state(&failure)
            }
            _ => "No process runs in it; \"exec\" or \"rollback\" starts one.".to_owned(),
        })
    }

    pub(super) async fn cancel(&mut self) -> Result<Answer, Complaint> {
        let session = self.current()?;
        let request = SessionRequest { session };
        let canceled = self.api.cancel(request).await?.into_inner().canceled;
        Ok(Answer::line(if canceled {
            "The build was canceled."
        } else {
            "No build was running."
        }))
    }

    pub(super) async fn detach(&mut self) -> Answer {
        self.started = None;
        let mut lines = Vec::new();
        if let Some(session) = self.session.clone() {
            lines.push(self.left(&session).await);
        }
        Answer {
            lines,
            then: Then::Leave,
        }
    }

    /// What becomes of a session that this monitor leaves alone. One whose end is not known lives on.
    async fn left(&mut self, session: &str) -> String {
        let request = SessionRequest {
            session: session.to_owned(),
        };
        match self.api.list_processes(request).await {
            Err(status) if status.code() == Code::NotFound => {
                format!("Session {session} has ended.")
            }
            _ => come_back(session),
        }
    }

    pub(super) async fn disconnect(
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
    pub fn forget(&mut self, session: &str) {
        if self.session.as_deref() == Some(session) {
            self.session = None;
            self.process = None;
        }
        if self.started.as_deref() == Some(session) {
            self.started = None;
        }
    }

    /// Ends the session that this monitor started, unless somebody else uses it.
    pub(super) async fn exit(&mut self) -> Result<Answer, Complaint> {
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
        if let Some(session) = self.session.clone()
            && ended.as_ref() != Some(&session)
        {
            lines.push(self.left(&session).await);
        }
        Ok(Answer {
            lines,
            then: Then::Leave,
        })
    }

    pub(super) async fn inspect(&mut self, target: Option<String>) -> Result<Answer, Complaint> {
        let session = match target {
            Some(session) => session,
            None => self.current()?,
        };
        let request = SessionRequest { session };
        let mut found = self.api.inspect(request).await?.into_inner();
        if !self.spoken() {
            return Ok(Answer::lines(listing::inspect(&found, now())));
        }
        let processes = std::mem::take(&mut found.processes);
        // A tab says nothing to the ear.
        let lines = listing::inspect(&found, now()).into_iter();
        let facts = lines.map(|line| {
            line.split('\t')
                .filter(|cell| !cell.is_empty())
                .collect::<Vec<_>>()
                .join(" ")
        });
        let current = self.process.as_deref();
        let processes = spoken::processes(&processes, current, now());
        Ok(Answer::lines(facts.chain(processes).collect()))
    }

    pub(super) async fn keep(&mut self, keep: u64) -> Result<Answer, Complaint> {
        let session = self.current()?;
        let request = KeepRequest { session, keep };
        let until = self.api.keep(request).await?.into_inner().kept_until;
        Ok(Answer::line(self.kept(until)))
    }

    pub(super) async fn reload(&mut self) -> Result<Answer, Complaint> {
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
}
