//! The call Shutdown: ends the server at once, or when nobody needs it any more.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_stream::Stream;
use tonic::Status;

use super::connection::Peer;
use super::{Life, count};
use crate::progress::units;
use crate::proto::controller::{ShutdownEvent, ShutdownRequest};
use crate::server::Usage;

impl Life {
    /// Answers Shutdown: what the server waits for whenever that changes, then an empty event, and
    /// the server ends. Dropping the answer before that is a change of mind, and nothing happens.
    /// The connections of the one who asks are not waited for.
    ///
    /// # Errors
    /// `FAILED_PRECONDITION` when it is needed and the request is only for one that is not.
    pub fn shutdown(
        &self,
        request: ShutdownRequest,
        asker: Option<Peer>,
        usage: watch::Receiver<Usage>,
    ) -> Result<impl Stream<Item = Result<ShutdownEvent, Status>> + Send + use<>, Status> {
        let now = self.waits_for(asker, &usage.borrow());
        let kept = usage.borrow().kept;
        if request.unless_used && !(now.is_empty() && kept == 0) {
            let mut used = now;
            used.extend(number(kept, "kept state", "kept states"));
            return Err(Status::failed_precondition(format!(
                "the server is in use: {}",
                used.join(", ")
            )));
        }
        let by = asker.map_or_else(|| "somebody".to_owned(), |peer| peer.to_string());
        let wait = Wait {
            _drain: request.drain.then(|| Drain::begin(self)),
            life: self.clone(),
            asker,
            usage,
            limit: limit(&request),
            at_once: !request.drain,
            said: None,
            reason: format!("it was stopped by {by}"),
        };
        Ok(futures_util::stream::unfold(Some(wait), |wait| async {
            let mut wait = wait?;
            let waiting_for = wait.next().await;
            let more = !waiting_for.is_empty();
            if !more {
                wait.life.end(&wait.reason);
            }
            let event = ShutdownEvent { waiting_for };
            Some((Ok(event), more.then_some(wait)))
        }))
    }

    /// Whom and what a draining server waits for, a line each.
    fn waits_for(&self, asker: Option<Peer>, usage: &Usage) -> Vec<String> {
        let builds = number(usage.builds, "running build", "running builds");
        let processes = number(usage.processes, "running process", "running processes");
        let mut peers = self.shared.peers.borrow().clone();
        peers.retain(|_, peer| !is_same(asker, *peer));
        let others = count(&peers);
        let mut lines: Vec<String> = builds.into_iter().chain(processes).collect();
        let mut clients: Vec<String> = peers.values().map(Peer::to_string).collect();
        clients.sort();
        clients.dedup();
        /// A list that nobody reads to its end.
        const MOST: usize = 20;
        if clients.len() > MOST {
            clients.truncate(MOST);
            clients.push(units::count(others.saturating_sub(MOST), "other client"));
        }
        lines.extend(clients);
        lines
    }
}

fn is_same(asker: Option<Peer>, peer: Peer) -> bool {
    asker.is_some_and(|asker| {
        asker.connection == peer.connection || (asker.pid.is_some() && asker.pid == peer.pid)
    })
}

fn number(number: usize, one: &str, many: &str) -> Option<String> {
    match number {
        0 => None,
        1 => Some(format!("1 {one}")),
        number => Some(format!("{number} {many}")),
    }
}

/// When waiting ends in any case; `None`: never.
fn limit(request: &ShutdownRequest) -> Option<Instant> {
    let limit = (request.drain_limit > 0).then(|| Duration::from_millis(request.drain_limit))?;
    Instant::now().checked_add(limit)
}

/// The server drains while this is held.
struct Drain(Life);

impl Drain {
    fn begin(life: &Life) -> Self {
        life.shared.drains.send_modify(|drains| *drains += 1);
        Self(life.clone())
    }
}

impl Drop for Drain {
    fn drop(&mut self) {
        self.0.shared.drains.send_modify(|drains| *drains -= 1);
    }
}

struct Wait {
    _drain: Option<Drain>,
    life: Life,
    asker: Option<Peer>,
    usage: watch::Receiver<Usage>,
    limit: Option<Instant>,
    at_once: bool,
    said: Option<Vec<String>>,
    reason: String,
}

impl Wait {
    /// What is waited for, when it has changed; nothing when the server is to end.
    async fn next(&mut self) -> Vec<String> {
        let mut peers = self.life.shared.peers.subscribe();
        loop {
            let usage = *self.usage.borrow_and_update();
            peers.borrow_and_update();
            let lines = self.life.waits_for(self.asker, &usage);
            if self.at_once || lines.is_empty() {
                return Vec::new();
            }
            if self.said.as_ref() != Some(&lines) {
                self.said = Some(lines.clone());
                return lines;
            }
            let limit = async {
                match self.limit {
                    Some(limit) => sleep_until(limit).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = self.usage.changed() => if changed.is_err() { return Vec::new() },
                _ = peers.changed() => {}
                _ = self.life.ended() => return Vec::new(),
                () = limit => return Vec::new(),
            }
        }
    }
}
