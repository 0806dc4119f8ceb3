//! What the status stream of a build has said so far, and whether all of it has come.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::watch;

use crate::build::witness::Witness;
use crate::engine::control::Engine;
use crate::engine::vertex;
use crate::progress::time::{self, Nanos};
use crate::proto::control::StatusResponse;
use crate::proto::controller::trace_event::Event;

/// What has been seen of the vertices of a build.
#[derive(Debug, Default)]
pub struct Seen {
    started: HashSet<String>,
    /// With when, by the engine's clock.
    completed: HashMap<String, Nanos>,
    /// More of the status that came last follows.
    partial: bool,
    ended: bool,
}

impl Seen {
    /// Whether that operation has ever started.
    pub fn started(&self, operation: &str) -> bool {
        self.name(operation).is_some()
    }

    /// What statuses call an operation that has started, see [`vertex::ignoring_cache`].
    pub fn name(&self, operation: &str) -> Option<String> {
        let names = [operation.to_owned(), vertex::ignoring_cache(operation)];
        names.into_iter().find(|name| self.started.contains(name))
    }

    /// When that operation was completed, by the engine's clock; `None` when it is not.
    pub fn completed(&self, operation: &str) -> Option<Nanos> {
        let named = || self.completed.get(&self.name(operation)?);
        self.completed.get(operation).or_else(named).copied()
    }

    /// Whether the stream has ended.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Whether everything has come of that operation, and of all `others`.
    pub(super) fn settled(&self, operation: &str, others: bool) -> bool {
        let all = || self.started.iter().all(|v| self.completed.contains_key(v));
        !self.partial
            && (!others || all())
            && (operation.is_empty() || self.completed(operation).is_some())
    }
}

/// Reads the status of a build to its end. The stream's error is not told, because the solve has a
/// better one.
pub(super) async fn read(
    engine: Engine,
    reference: String,
    witness: Arc<dyn Witness>,
    seen: watch::Sender<Seen>,
) {
    if let Ok((mut stream, clock)) = engine.status_and_clock(&reference).await {
        let ours = time::now();
        if let Some(theirs) = clock.as_deref().and_then(time::parse) {
            witness.see(Event::ClockSkew(theirs.saturating_sub(ours)));
        }
        let mut division = Division::default();
        while let Ok(Some(batch)) = stream.message().await {
            let changed = batch
                .vertexes
                .iter()
                .map(|v| {
                    let completed = v.completed.as_ref().map(time::nanos);
                    (v.digest.clone(), v.started.is_some(), completed)
                })
                .collect::<Vec<_>>();
            let partial = division.goes_on_after(&batch);
            witness.status(batch, false);
            seen.send_modify(|seen| {
                seen.partial = partial;
                for (digest, started, completed) in changed {
                    if let Some(at) = completed {
                        seen.completed.insert(digest.clone(), at);
                    } else if started {
                        seen.completed.remove(&digest);
                    }
                    if started {
                        seen.started.insert(digest);
                    }
                }
            });
        }
    }
    seen.send_modify(|seen| seen.ended = true);
}

/// A status that the engine sends in several messages, because its logs are long. `SolveStatus.Marshal` counts their
/// bytes, ends a message when there are more than 1 MiB, and does not begin to count anew: each log after that has a
/// message of its own, and the last message is an empty one. That a step has ended stands in the first of them.
#[derive(Debug, Default)]
struct Division {
    open: bool,
}

impl Division {
    /// Whether more of the same status follows that message.
    fn goes_on_after(&mut self, message: &StatusResponse) -> bool {
        /// After so many bytes a message ends.
        const FULL: usize = 1 << 20;
        /// What the engine may add for each log, at most.
        const ADDED: usize = 32;

        let bytes: usize = message.logs.iter().map(|log| log.msg.len() + ADDED).sum();
        self.open = bytes > FULL || (self.open && message.logs.len() == 1);
        self.open
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::control::VertexLog;

    /// What `SolveStatus.Marshal` makes of logs of 4 KiB each.
    fn messages(logs: usize) -> Vec<StatusResponse> {
        let log = VertexLog {
            msg: vec![b'x'; 4096],
            ..VertexLog::default()
        };
        let message = |logs: usize| StatusResponse {
            logs: vec![log.clone(); logs],
            ..StatusResponse::default()
        };
        let Some(after) = logs.checked_sub(257) else {
            return vec![message(logs)];
        };
        let single = std::iter::repeat_n(message(1), after);
        [message(257)]
            .into_iter()
            .chain(single)
            .chain([message(0)])
            .collect()
    }

    #[test]
    fn a_status_in_several_messages_goes_on_to_the_empty_one() {
        let mut division = Division::default();
        for logs in [1, 200, 257, 258, 1, 900, 0, 1] {
            let messages = messages(logs);
            let open: Vec<bool> = messages
                .iter()
                .map(|one| division.goes_on_after(one))
                .collect();
            let (last, before) = open.split_last().unwrap();
            assert!(before.iter().all(|open| *open), "{logs}: {open:?}");
            assert!(!last, "{logs}: {open:?}");
        }
    }
}
