//! Being in a session: a client at its prompt counts among those who use the session before it, and hears when the
//! session ends under it.

use tokio::sync::oneshot;
use tonic::{Code, Streaming};

use super::exec::Api;
use crate::proto::controller::session_event::Event;
use crate::proto::controller::{SessionEvent, WatchSessionsRequest};

/// Said of a session whose end has no reason that is known.
const ENDED: &str = "the session has ended";

/// Where the user is, as the server knows it.
#[derive(Debug, Default)]
pub struct Presence {
    session: Option<String>,
    /// Gets the reason of the session's end. Dropping it ends the call that makes the server know.
    end: Option<oneshot::Receiver<String>>,
    /// The last reason that the user was told in another way.
    heard: String,
    ended: Option<String>,
}

impl Presence {
    /// The user is in `session` from now on; when this returns, the server counts it. A server that cannot say so is
    /// done without.
    pub async fn be_in(&mut self, api: &Api, session: Option<&str>) {
        if self.session.as_deref() == session {
            return;
        }
        *self = Self {
            session: session.map(str::to_owned),
            heard: std::mem::take(&mut self.heard),
            ..Self::default()
        };
        let Some(session) = session else { return };
        let request = WatchSessionsRequest {
            session: session.to_owned(),
        };
        let (sender, end) = oneshot::channel();
        match api.clone().watch_sessions(request).await {
            Ok(events) => {
                tokio::spawn(watch(events.into_inner(), session.to_owned(), sender));
            }
            Err(status) if status.code() == Code::NotFound => {
                let _ = sender.send(ENDED.to_owned());
            }
            Err(_) => return,
        }
        self.end = Some(end);
    }

    /// The user has read why something has ended: that is not said again.
    pub fn heard(&mut self, reason: &str) {
        reason.clone_into(&mut self.heard);
    }

    /// Resolves when the session has ended, with what is to be said of it, if anything is. Nothing is lost when the
    /// future is dropped.
    pub async fn end(&mut self) -> Option<String> {
        let reason = match &mut self.end {
            Some(end) => match end.await {
                Ok(reason) => reason,
                Err(_) => std::future::pending().await,
            },
            None => std::future::pending().await,
        };
        self.end = None;
        self.ended = self.session.take();
        (reason != self.heard).then_some(reason)
    }

    /// The session whose end was told.
    pub fn take_ended(&mut self) -> Option<String> {
        self.ended.take()
    }
}

/// Reads until the end of `session` is told or nobody wants to know.
async fn watch(
    mut events: Streaming<SessionEvent>,
    session: String,
    mut sender: oneshot::Sender<String>,
) {
    let reason = tokio::select! {
        reason = end_of(&mut events, &session) => reason,
        () = sender.closed() => None,
    };
    if let Some(reason) = reason {
        let _ = sender.send(reason);
    }
}

/// `None`: the server is gone, which is another matter.
async fn end_of(events: &mut Streaming<SessionEvent>, session: &str) -> Option<String> {
    let mut there = false;
    while let Ok(Some(SessionEvent { event, reason })) = events.message().await {
        match event {
            Some(Event::Changed(known)) if known.id == session => there = true,
            Some(Event::Gone(id)) if id == session => {
                return Some(match reason.as_str() {
                    "" => ENDED.to_owned(),
                    _ => reason,
                });
            }
            Some(Event::Ready(_)) if !std::mem::take(&mut there) => return Some(ENDED.to_owned()),
            _ => {}
        }
    }
    None
}
