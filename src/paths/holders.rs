//! Who holds a lock file, and how to get it from them.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};

use super::lock;

/// A lock that was taken.
#[derive(Debug)]
pub struct Taken {
    /// Holds the lock while it, or a copy of it in a child, is open.
    pub file: File,
    /// Whether somebody else held it before.
    pub waited: bool,
}

/// Takes the lock at `path`: waits `patience` for its holders to end by themselves, then kills them.
///
/// # Errors
/// `TimedOut` when even that does not help; otherwise the file's own error.
pub fn take_over(path: &Path, patience: Duration) -> io::Result<Taken> {
    match lock::exclusive(path, Duration::ZERO) {
        Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
        other => {
            return other.map(|file| Taken {
                file,
                waited: false,
            });
        }
    }
    let after_that = [
        (None, patience),
        (Some(Signal::TERM), Duration::from_secs(5)),
        (Some(Signal::KILL), Duration::from_secs(5)),
    ];
    for (signal, wait) in after_that {
        if let Some(signal) = signal {
            signal_holders(path, signal)?;
        }
        match lock::exclusive(path, wait) {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
            other => return other.map(|file| Taken { file, waited: true }),
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

/// Another process that holds a lock.
#[derive(Debug)]
pub struct Holder {
    /// Its process id.
    pub pid: Pid,
    /// Stands for this very process, so a number that is used again cannot send a signal astray.
    pub process: OwnedFd,
}

/// Every other process that holds the file at `path` locked, as far as we may look. Those that only
/// have it open, or wait for it, are not among them.
///
/// # Errors
/// There is no such file, or no `/proc`.
pub fn find(path: &Path) -> io::Result<Vec<Holder>> {
    let file = fs::metadata(path)?;
    let file = (file.dev(), file.ino());
    let holders = fs::read_dir("/proc")?.filter_map(|entry| {
        let pid = entry
            .ok()
            .and_then(|entry| entry.file_name().to_str()?.parse().ok())
            .and_then(Pid::from_raw)
            .filter(|pid| *pid != getpid())?;
        // Opened before it is looked at: see `Holder::process`.
        let process = pidfd_open(pid, PidfdFlags::empty()).ok()?;
        holds(pid, file).then_some(Holder { pid, process })
    });
    Ok(holders.collect())
}

fn signal_holders(path: &Path, signal: Signal) -> io::Result<()> {
    for holder in find(path)? {
        let _ = pidfd_send_signal(holder.process, signal);
    }
    Ok(())
}

fn holds(pid: Pid, file: (u64, u64)) -> bool {
    let pid = pid.as_raw_nonzero();
    let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    open.flatten().any(|entry| {
        let name = entry.file_name();
        let same = fs::metadata(entry.path()).is_ok_and(|found| (found.dev(), found.ino()) == file);
        // proc_pid_fdinfo(5): one line for each lock that was taken with the descriptor or a copy.
        same && fs::read_to_string(format!("/proc/{pid}/fdinfo/{}", name.to_string_lossy()))
            .is_ok_and(|info| {
                info.lines().any(|line| {
                    line.starts_with("lock:") && line.contains("FLOCK") && line.contains("WRITE")
                })
            })
    })
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_free_lock_is_taken_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let taken = take_over(&dir.path().join("lock"), Duration::ZERO).unwrap();
        assert!(!taken.waited);
    }

    #[test]
    fn only_who_holds_the_lock_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = lock::exclusive(&path, Duration::ZERO).unwrap();
        let open = File::open(&path).unwrap();
        let sleep = |stdin: File| {
            Command::new("sleep")
                .arg("600")
                .stdin(stdin)
                .spawn()
                .unwrap()
        };
        let (mut bystander, mut holder) = (sleep(open), sleep(held));
        let found = find(&path).unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|holder| holder.pid.as_raw_nonzero().get())
            .collect();
        for child in [&mut bystander, &mut holder] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert_eq!(found, [i32::try_from(holder.id()).unwrap()]);
    }

    #[test]
    fn a_holder_that_stays_is_killed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = lock::exclusive(&path, Duration::ZERO).unwrap();
        let mut other = Command::new("sleep")
            .arg("600")
            .stdin(Stdio::from(held))
            .spawn()
            .unwrap();
        let taken = take_over(&path, Duration::ZERO).unwrap();
        assert!(taken.waited);
        assert!(!other.wait().unwrap().success());
    }
}
