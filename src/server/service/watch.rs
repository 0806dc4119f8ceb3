//! All sessions, and every change of them.

use std::sync::Arc;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::Answers;
use crate::proto::controller::session_event::Event;
use crate::proto::controller::{Ready, SessionEvent};
use crate::server::Server;

/// Events that wait for a slow watcher.
const QUEUE: usize = 64;

/// Every session once, a mark, then each change. A watcher that falls behind gets all sessions and
/// the mark anew; those that it knows and does not get again are gone.
pub(super) fn sessions(server: &Arc<Server>) -> Answers<SessionEvent> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let usage = server.uses(|usage| &mut usage.streams);
    let server = Arc::clone(server);
    tokio::spawn(async move {
        let _usage = usage;
        tokio::select! {
            _ = watch(&server, &sender) => {}
            () = sender.closed() => {}
        }
    });
    Box::pin(ReceiverStream::new(receiver))
}

type To = mpsc::Sender<Result<SessionEvent, Status>>;

/// `None` when the watcher or the server has gone.
async fn watch(server: &Server, to: &To) -> Option<()> {
    let mut changes = server.changes();
    all(server, to).await?;
    loop {
        match changes.recv().await {
            Ok(event) => {
                let last = matches!(event.event, Some(Event::Leaving(_)));
                to.send(Ok(event)).await.ok()?;
                if last {
                    return None;
                }
            }
            Err(RecvError::Lagged(_)) => {
                changes = server.changes();
                all(server, to).await?;
            }
            Err(RecvError::Closed) => return None,
        }
    }
}

async fn all(server: &Server, to: &To) -> Option<()> {
    for session in server.sessions() {
        send(to, Event::Changed(session.listed())).await?;
    }
    send(to, Event::Ready(Ready {})).await
}

async fn send(to: &To, event: Event) -> Option<()> {
    let event = Some(event);
    to.send(Ok(SessionEvent { event })).await.ok()
}
