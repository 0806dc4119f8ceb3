//! The life of the server as a process: how it is started, who is connected, and how it ends.
//!
//! ```text
//! first client ── start.lock ──▶ _server ORDER: setsid, no inherited files, cwd /, umask 077
//!       ▲                            │ server.lock, sessions.lock: held until the process is gone
//!       │                            │ old socket unlinked, new one bound, mode 0600
//!       └──── one line on a pipe ────┤ ready | elsewhere | failed, and why
//!                                    ▼
//!                     accept ─▶ serve ─▶ sessions ─▶ end: asked, signalled, or idle
//! ```
//!
//! * A pid file proves nothing and there is none: clients find the server by talking to it. The lock
//!   files hold a few words for people.
//! * Whoever holds `server.lock` owns the socket's path, and only its holder unlinks a socket. Whoever
//!   holds `sessions.lock` owns the sessions on disk: a second server there would take the first one's
//!   running builds for those of a dead server. Both locks end with the process, whatever ends it.
//! * [`Life`] is what the process and the calls of clients share: who is connected, whether the server
//!   drains, and the wish to end.
//!
//! # The end
//!
//! The socket goes first, so that a new client starts a new server, which then waits for the locks.
//! Then [`Server::leave`](super::Server::leave) tells the clients why, open calls may finish for a
//! moment, and the process ends. A second signal ends it at once.
//!
//! A socket that vanishes (the end of a login takes `/run/user/UID` away, cleaners take files) is made
//! again. When its directory or the lock file went as well, the server leaves as soon as nobody needs
//! it, because nobody can find it any more.
//!
//! # Draining
//!
//! A draining server keeps its socket and its locks until the last one it waits for is gone. It does
//! not let a new server start beside it: the shells in it could then be reached by nobody, and two
//! servers would manage the same sessions. It serves everybody, and refuses only new builds
//! ([`Life::refusal`]). It drains for as long as somebody waits for that: when the caller of Shutdown
//! goes away, the server goes on as before.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

pub mod connection;
mod idle;
mod inherited;
mod listen;
pub mod log;
pub mod order;
pub mod process;
pub mod serve;
mod shutdown;

use connection::{Peer, Seat};

/// A handle on the life of one server; copies are of the same one.
#[derive(Clone, Debug, Default)]
pub struct Life {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// By number of the connection.
    peers: watch::Sender<BTreeMap<u64, Peer>>,
    next: AtomicU64,
    /// Why the server ends.
    end: watch::Sender<Option<String>>,
    /// Calls that wait for the server to be needed no more.
    drains: watch::Sender<usize>,
}

impl Life {
    /// Counts a connection until the seat is dropped.
    pub fn seat(&self, pid: Option<u32>) -> Seat {
        let peer = Peer {
            connection: self.shared.next.fetch_add(1, Ordering::Relaxed),
            pid,
        };
        self.shared.peers.send_modify(|peers| {
            peers.insert(peer.connection, peer);
        });
        Seat::new(self.clone(), peer)
    }

    fn leave_seat(&self, peer: Peer) {
        self.shared.peers.send_modify(|peers| {
            peers.remove(&peer.connection);
        });
    }

    /// Who is connected. A process may be there several times.
    pub fn peers(&self) -> Vec<Peer> {
        self.shared.peers.borrow().values().copied().collect()
    }

    /// The connections by their number, as they come and go.
    pub fn watch_peers(&self) -> watch::Receiver<BTreeMap<u64, Peer>> {
        self.shared.peers.subscribe()
    }

    /// How many processes are connected.
    pub fn clients(&self) -> usize {
        count(&self.shared.peers.borrow())
    }

    /// Asks the process to end. `reason` is one line for clients and the log; the first one counts.
    pub fn end(&self, reason: &str) {
        self.shared.end.send_if_modified(|end| {
            let first = end.is_none();
            end.get_or_insert_with(|| reason.to_owned());
            first
        });
    }

    /// Waits for [`Self::end`] and returns its reason.
    pub async fn ended(&self) -> String {
        let mut end = self.shared.end.subscribe();
        loop {
            if let Some(reason) = end.borrow_and_update().clone() {
                return reason;
            }
            if end.changed().await.is_err() {
                // Cannot be: the sender lives as long as this handle.
                return "it is gone".to_owned();
            }
        }
    }

    /// Whether somebody waits for the server to be needed no more.
    pub fn draining(&self) -> bool {
        *self.shared.drains.borrow() > 0
    }

    /// Why no new build is taken, in one line; `None` when builds are welcome.
    pub fn refusal(&self) -> Option<String> {
        if let Some(reason) = self.shared.end.borrow().as_ref() {
            return Some(format!("the server is leaving: {reason}"));
        }
        self.draining().then(|| {
            "the server takes no new builds: somebody waits for it to be restarted; try again then, \
             or do not wait: buildx server restart --now"
                .to_owned()
        })
    }
}

/// Connections of one process count once, those of unknown ones each.
fn count(peers: &BTreeMap<u64, Peer>) -> usize {
    let known: std::collections::BTreeSet<u32> =
        peers.values().filter_map(|peer| peer.pid).collect();
    known.len() + peers.values().filter(|peer| peer.pid.is_none()).count()
}

#[cfg(test)]
mod tests;
