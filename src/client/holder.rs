//! The process that has a server's lock: known even when the server does not answer.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Signal, pidfd_send_signal};

use crate::paths::holders;

/// A running process, which cannot be mistaken for another one.
#[derive(Debug)]
pub struct Process {
    pid: i32,
    descriptor: OwnedFd,
}

/// The process that holds the lock file at `path`; `None` when there is none.
///
/// # Errors
/// `/proc` cannot be read.
pub fn of(path: &Path) -> io::Result<Option<Process>> {
    let holders = match holders::find(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    Ok(holders.into_iter().next().map(|holder| Process {
        pid: holder.pid.as_raw_nonzero().get(),
        descriptor: holder.process,
    }))
}

impl Process {
    /// Its number.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Sends it a signal; one that has ended gets none.
    ///
    /// # Errors
    /// It is not ours.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        match pidfd_send_signal(&self.descriptor, signal) {
            Err(Errno::SRCH) | Ok(()) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits for its end; `false` when it is still there after `limit`.
    ///
    /// # Errors
    /// The kernel's.
    pub async fn ended(&self, limit: Duration) -> io::Result<bool> {
        let descriptor = self.descriptor.try_clone()?;
        let (send, receive) = tokio::sync::oneshot::channel();
        std::thread::Builder::new()
            .name("end of process".into())
            .spawn(move || {
                let _ = send.send(wait(&descriptor, limit));
            })?;
        receive.await.map_err(io::Error::other)?
    }
}

fn wait(descriptor: &OwnedFd, limit: Duration) -> io::Result<bool> {
    let end = Instant::now() + limit;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        // A pidfd becomes readable when its process ends.
        match poll(&mut [PollFd::new(descriptor, PollFlags::IN)], Some(&left)) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
