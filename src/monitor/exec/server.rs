//! Commands about the server and all of its sessions.

use tonic::Code;

use super::{Answer, Complaint, Monitor, Then, find_session, now};
use crate::monitor::parse::Command;
use crate::monitor::{listing, spoken};
use crate::proto::controller::{InfoRequest, ListSessionsRequest, ShutdownRequest};

impl Monitor {
    pub(super) async fn list(&mut self) -> Result<Answer, Complaint> {
        let request = ListSessionsRequest {};
        let list = self.api.list_sessions(request).await?.into_inner();
        let lines = match self.spoken() {
            true => spoken::sessions,
            false => listing::sessions,
        };
        let current = self.session.as_deref();
        Ok(Answer::lines(lines(&list.sessions, current, now())))
    }

    pub(super) async fn shutdown(&mut self, force: bool) -> Result<Answer, Complaint> {
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

    pub(super) async fn status(&mut self) -> Result<Answer, Complaint> {
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
                    lines.push(format!("  {}", self.kept(session.kept_until)));
                }
            }
        }
        Ok(Answer::lines(lines))
    }
}
