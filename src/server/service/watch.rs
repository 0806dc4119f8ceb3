//! All sessions, or one of them, and every change.

use std::sync::Arc;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::Answers;
use crate::proto::controller::session_event::Event;
use crate::proto::controller::{Client, Ready, SessionEvent};
use crate::server::Server;
use crate::server::session::Session;

/// Events that wait for a slow watcher.
const QUEUE: usize = 64;

/// Every session once, a mark, then each change. A watcher that falls behind gets all sessions and
/// the mark anew; those that it knows and does not get again are gone. With `of` it is that session only, which
/// `client` uses as long as it watches.
pub(super) fn sessions(
    server: &Arc<Server>,
    of: Option<Arc<Session>>,
    client: Client,
) -> Answers<SessionEvent> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let usage = server.uses(|usage| &mut usage.streams);
    let using = of.as_ref().map(|session| session.reads(server, client));
    let watch = Watch {
        server: Arc::clone(server),
        of: of.map(|session| session.id.clone()),
        to: sender.clone(),
    };
    tokio::spawn(async move {
        let _held = (usage, using);
        tokio::select! {
            _ = watch.run() => {}
            () = sender.closed() => {}
        }
    });
    Box::pin(ReceiverStream::new(receiver))
}

struct Watch {
    server: Arc<Server>,
    /// Id of the only session that matters.
    of: Option<String>,
    to: mpsc::Sender<Result<SessionEvent, Status>>,
}

impl Watch {
    /// `None` when the watcher or the server has gone.
    async fn run(&self) -> Option<()> {
        let mut changes = self.server.changes();
        self.all().await?;
        loop {
            match changes.recv().await {
                Ok(event) => {
                    let last = matches!(event.event, Some(Event::Leaving(_)));
                    self.send(event).await?;
                    if last {
                        return None;
                    }
                }
                Err(RecvError::Lagged(_)) => {
                    changes = self.server.changes();
                    self.all().await?;
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }

    async fn all(&self) -> Option<()> {
        for session in self.server.sessions() {
            self.send(Event::Changed(session.listed()).into()).await?;
        }
        self.send(Event::Ready(Ready {}).into()).await
    }

    async fn send(&self, event: SessionEvent) -> Option<()> {
        let session = match &event.event {
            Some(Event::Changed(session)) => Some(&session.id),
            Some(Event::Gone(id)) => Some(id),
            _ => None,
        };
        match (session, &self.of) {
            (Some(session), Some(wanted)) if session != wanted => Some(()),
            _ => self.to.send(Ok(event)).await.ok(),
        }
    }
}
