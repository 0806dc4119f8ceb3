//! The two locks of a server: the right to its socket, and the right to its sessions.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::NotStarted;
use crate::paths::server::ServerPaths;
use crate::paths::{holders, lock};
use crate::server::life::listen;

/// How long a server that is ending may still hold the locks.
const HANDOVER: Duration = Duration::from_secs(8);

/// What a server holds for its life.
pub(super) struct Locks {
    life: File,
    _sessions: File,
}

impl Locks {
    /// Takes both. A server before us that is ending is waited for, some seconds.
    pub(super) fn take(paths: &ServerPaths) -> Result<Self, NotStarted> {
        let life = take(&paths.life_lock(), HANDOVER)?;
        note(&life, paths);
        let path = paths.sessions_lock();
        let sessions = match take(&path, Duration::ZERO) {
            Ok(sessions) => sessions,
            Err(error) => {
                if let Some(socket) = paths.elsewhere()
                    && UnixStream::connect(&socket).is_ok()
                {
                    return Err(NotStarted::Elsewhere(socket));
                }
                match error {
                    // It does not listen any more, so it is ending.
                    NotStarted::Failed(_) => take(&path, HANDOVER)?,
                    other => return Err(other),
                }
            }
        };
        note(&sessions, paths);
        Ok(Self {
            life,
            _sessions: sessions,
        })
    }

    /// Whether the lock that we hold is still the one that others would take.
    pub(super) fn hold(&self, paths: &ServerPaths) -> bool {
        let ours = self.life.metadata().map(|found| (found.dev(), found.ino()));
        match (ours, listen::identity(&paths.life_lock())) {
            (Ok(ours), Ok(found)) => ours == found,
            _ => false,
        }
    }
}

fn take(path: &Path, wait: Duration) -> Result<File, NotStarted> {
    lock::exclusive(path, wait).map_err(|error| {
        if error.kind() != io::ErrorKind::TimedOut {
            return NotStarted::failed("take the lock", path, &error);
        }
        let holder = holders::find(path)
            .ok()
            .and_then(|holders| Some(holders.first()?.pid));
        let who = match holder {
            Some(pid) => format!("process {}", pid.as_raw_nonzero()),
            None => "a process of another container or machine".to_owned(),
        };
        NotStarted::Failed(format!(
            "{who} has been holding {} and is no server that answers; end it with: buildx server stop",
            path.display()
        ))
    })
}

/// A few words for people, and for [`ServerPaths::elsewhere`].
fn note(mut lock: &File, paths: &ServerPaths) {
    let text = format!(
        "pid {}\nversion {}\nsocket {}\n",
        std::process::id(),
        env!("CARGO_PKG_VERSION"),
        paths.socket().display()
    );
    let _ = lock
        .set_len(0)
        .and_then(|()| lock.rewind())
        .and_then(|()| lock.write_all(text.as_bytes()));
}
