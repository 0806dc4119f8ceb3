//! The way in: the server's socket, the task that accepts connections on it, and what is done when its name vanishes.

use std::io;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::locks::Locks;
use crate::paths::server::ServerPaths;
use crate::server::life::Life;
use crate::server::life::connection::Connection;
use crate::server::life::listen::{self, Socket};
use crate::server::life::log::Log;

/// The open door of a server.
pub(super) struct Door<'a> {
    paths: &'a ServerPaths,
    locks: &'a Locks,
    life: Life,
    log: Log,
    accepted: &'a mpsc::Sender<io::Result<Connection>>,
    socket: Socket,
    accepting: JoinHandle<()>,
    /// Told when a name vanishes beside the socket; without it the socket is only not put back.
    vanished: Option<mpsc::Receiver<()>>,
    lost: bool,
}

impl<'a> Door<'a> {
    /// Accepts connections on `socket` and hands them to `accepted`, which outlives the door: its end would end
    /// the calls that are open. Needs a tokio runtime.
    ///
    /// # Errors
    /// The socket cannot be listened on.
    pub(super) fn open(
        socket: Socket,
        paths: &'a ServerPaths,
        locks: &'a Locks,
        life: &Life,
        log: &Log,
        accepted: &'a mpsc::Sender<io::Result<Connection>>,
    ) -> io::Result<Self> {
        let (life, log) = (life.clone(), log.clone());
        let accepting = accept(&socket, &life, &log, accepted)?;
        let vanished = socket
            .place()
            .and_then(|(directory, _)| listen::watch(directory).ok());
        Ok(Self {
            paths,
            locks,
            life,
            log,
            accepted,
            socket,
            accepting,
            vanished,
            lost: false,
        })
    }

    /// Whether nobody new can come.
    pub(super) fn is_lost(&self) -> bool {
        self.lost
    }

    /// Waits until the socket's name may have vanished, and makes another socket then. Nothing is lost when the
    /// future is dropped.
    pub(super) async fn keep(&mut self) {
        let seen = match &mut self.vanished {
            Some(vanished) => vanished.recv().await,
            None => std::future::pending().await,
        };
        if seen.is_none() {
            self.vanished = None;
        }
        if self.lost || self.socket.is_there() {
            return;
        }
        match self.another() {
            Some((accepting, socket)) => {
                self.log.warn("the socket was gone: made another one");
                self.accepting.abort();
                (self.accepting, self.socket) = (accepting, socket);
            }
            None => {
                self.log
                    .warn("the socket is gone: leaving when nobody needs this server");
                self.lost = true;
            }
        }
    }

    /// The holder of the lock, and nobody else, may bind the path.
    fn another(&self) -> Option<(JoinHandle<()>, Socket)> {
        if !self.locks.hold(self.paths) {
            return None;
        }
        let socket = Socket::bind(&self.paths.socket()).ok()?;
        let accepting = accept(&socket, &self.life, &self.log, self.accepted).ok()?;
        Some((accepting, socket))
    }

    /// Nobody comes in any more, and the socket's name goes.
    pub(super) async fn close(self) {
        // A call of accept that is dropped closes its copy of the listener; the other one is closed here.
        self.accepting.abort();
        let _ = self.accepting.await;
        self.socket.close();
    }
}

fn accept(
    socket: &Socket,
    life: &Life,
    log: &Log,
    accepted: &mpsc::Sender<io::Result<Connection>>,
) -> io::Result<JoinHandle<()>> {
    let listener = socket.listener()?;
    let (life, log, accepted) = (life.clone(), log.clone(), accepted.clone());
    Ok(tokio::spawn(listen::accept(listener, life, log, accepted)))
}
