//! The socket: bound by the holder of the life lock only, and closed to everybody but its owner.

use std::fs::{self, File, Permissions};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tokio::net::UnixListener;
use tokio::sync::mpsc;

use super::Life;
use super::connection::Connection;
use super::log::Log;

/// A listening socket.
#[derive(Debug)]
pub struct Socket {
    listener: StdListener,
    /// Path, device and inode of a socket that we made ourselves.
    ours: Option<(PathBuf, (u64, u64))>,
}

impl Socket {
    /// Binds `path`, whose life lock the caller holds: what a dead server left there is removed.
    ///
    /// # Errors
    /// The file system's.
    pub fn bind(path: &Path) -> io::Result<Self> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = StdListener::bind(path)?;
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            listener,
            ours: Some((path.to_owned(), identity(path)?)),
        })
    }

    /// Takes a socket that the service manager has bound and will keep.
    ///
    /// # Errors
    /// It is not a unix socket.
    pub fn adopt(socket: OwnedFd) -> io::Result<Self> {
        let listener = StdListener::from(socket);
        listener.local_addr()?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            listener,
            ours: None,
        })
    }

    /// Directory and path of a socket that we made ourselves.
    pub fn place(&self) -> Option<(&Path, &Path)> {
        let (path, _) = self.ours.as_ref()?;
        Some((path.parent()?, path))
    }

    /// Whether the path still leads to this socket.
    pub fn is_there(&self) -> bool {
        self.ours
            .as_ref()
            .is_none_or(|(path, ours)| identity(path).is_ok_and(|found| found == *ours))
    }

    /// For the runtime.
    pub fn listener(&self) -> io::Result<UnixListener> {
        UnixListener::from_std(self.listener.try_clone()?)
    }

    /// Stops listening. The path is unlinked if it still leads to this socket.
    pub fn close(self) {
        if self.is_there()
            && let Some((path, _)) = self.ours
        {
            let _ = fs::remove_file(path);
        }
    }
}

/// Says something whenever a name vanishes from `directory`: cleaners of temporary files and the end
/// of a login take sockets away while their servers run. A thread of its own, which blocks until then.
///
/// # Errors
/// The kernel watches no more directories.
pub fn watch(directory: &Path) -> io::Result<mpsc::Receiver<()>> {
    let events = inotify::init(CreateFlags::CLOEXEC)?;
    let wanted = WatchFlags::DELETE
        | WatchFlags::MOVED_FROM
        | WatchFlags::DELETE_SELF
        | WatchFlags::MOVE_SELF;
    inotify::add_watch(&events, directory, wanted)?;
    let (send, receive) = mpsc::channel(1);
    std::thread::Builder::new()
        .name("socket watch".into())
        .spawn(move || {
            let mut events = File::from(events);
            let mut ignored = [0; 4096];
            // What it was is looked up in the file system.
            while events.read(&mut ignored).is_ok_and(|read| read > 0)
                && send.blocking_send(()).is_ok()
            {}
        })?;
    Ok(receive)
}

/// Device and inode.
pub fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

/// Passes on the connections of this user's processes, and closes those of others. Ends with the
/// receiver.
pub async fn accept(
    listener: UnixListener,
    life: Life,
    log: Log,
    accepted: mpsc::Sender<io::Result<Connection>>,
) {
    let us = rustix::process::geteuid().as_raw();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                log.error(&format!("cannot accept a connection: {error}"));
                // Out of descriptors: those of clients that leave come back.
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
        let peer = match stream.peer_cred() {
            Ok(peer) if peer.uid() == us => peer,
            Ok(peer) => {
                log.warn(&format!("closed a connection of uid {}", peer.uid()));
                continue;
            }
            Err(error) => {
                log.warn(&format!("closed a connection of nobody: {error}"));
                continue;
            }
        };
        let pid = peer.pid().and_then(|pid| u32::try_from(pid).ok());
        let seat = life.seat(pid.filter(|pid| *pid != 0));
        log.debug(&format!("connected: {}", seat.peer()));
        if accepted
            .send(Ok(Connection::new(Box::new(stream), seat)))
            .await
            .is_err()
        {
            return;
        }
    }
}
