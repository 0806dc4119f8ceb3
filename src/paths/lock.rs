//! Advisory file locks (`flock`) with a deadline. Lock files are never unlinked: whoever unlinks one
//! lets two holders lock two files of the same name.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

/// Opens (and with mode 0600 makes) the lock file at `path` and takes it exclusively.
///
/// # Errors
/// `TimedOut` when another program holds it for longer than `wait`; otherwise the file's own error.
pub fn exclusive(path: &Path, wait: Duration) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    take(file, wait)
}

/// As [`exclusive`], in a thread of its own, so that the caller can give up at any time.
///
/// # Errors
/// As [`exclusive`].
pub async fn awaited(path: PathBuf, wait: Duration) -> io::Result<File> {
    let (send, receive) = tokio::sync::oneshot::channel();
    std::thread::Builder::new()
        .name("lock".into())
        .spawn(move || {
            let _ = send.send(exclusive(&path, wait));
        })?;
    receive.await.map_err(io::Error::other)?
}

/// Takes an open lock file exclusively.
///
/// # Errors
/// As [`exclusive`].
pub fn take(file: File, wait: Duration) -> io::Result<File> {
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(error),
    }
    // A blocking flock cannot be given up, so it waits in a thread of its own. When that thread
    // gets the lock too late, nobody receives the file, and dropping it releases the lock.
    let (send, receive) = mpsc::sync_channel(0);
    std::thread::Builder::new()
        .name("flock".into())
        .spawn(move || {
            let result = file.lock().map(|()| file);
            let _ = send.send(result);
        })?;
    receive
        .recv_timeout(wait)
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn the_second_holder_waits_and_gives_up() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = exclusive(&path, Duration::ZERO).unwrap();
        let error = exclusive(&path, Duration::from_millis(20)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(first);
        exclusive(&path, Duration::from_secs(5)).unwrap();
    }

    #[test]
    fn the_second_holder_gets_it_when_the_first_lets_go() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = exclusive(&path, Duration::ZERO).unwrap();
        let waiting = {
            let path = path.clone();
            std::thread::spawn(move || exclusive(&path, Duration::from_secs(30)).map(drop))
        };
        // The kernel lists it behind an arrow once it waits, and tells nobody.
        let file = format!(":{} ", first.metadata().unwrap().ino());
        let waits = |line: &str| line.contains("->") && line.contains(&file);
        while !std::fs::read_to_string("/proc/locks")
            .unwrap()
            .lines()
            .any(waits)
        {
            assert!(!waiting.is_finished());
            std::thread::yield_now();
        }
        drop(first);
        waiting.join().unwrap().unwrap();
    }
}
