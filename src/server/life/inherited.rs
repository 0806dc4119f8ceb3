//! Open files that the process was started with.

use std::fs;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// Closes everything but the standard streams. A server must not keep the files of the client that
/// happened to start it: a lock of a script, or a pipe whose reader waits for its end.
///
/// Must be called before the process has opened anything itself: the first thing in `main`.
pub fn close() -> io::Result<()> {
    let open: Vec<RawFd> = fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd > 2)
        .collect();
    for fd in open {
        // The listing's own descriptor is among them, and closed already.
        if fs::symlink_metadata(format!("/proc/self/fd/{fd}")).is_ok() {
            drop(own(fd));
        }
    }
    Ok(())
}

/// The listening socket that the service manager hands over (`sd_listen_fds(3)`), when it is meant
/// for this process. Must be called before the process has opened anything itself.
///
/// # Errors
/// More than one socket is handed over, which no unit of ours does, or its flags cannot be set.
pub fn listener(count: Option<&str>, pid: Option<&str>) -> io::Result<Option<OwnedFd>> {
    /// By convention the first one.
    const FIRST: RawFd = 3;
    if pid.and_then(|pid| pid.parse().ok()) != Some(std::process::id()) {
        return Ok(None);
    }
    match count {
        None | Some("0") => Ok(None),
        Some("1") => {
            let listener = own(FIRST);
            rustix::io::fcntl_setfd(&listener, rustix::io::FdFlags::CLOEXEC)?;
            Ok(Some(listener))
        }
        Some(count) => Err(io::Error::other(format!(
            "expected one socket from the service manager, not {count}"
        ))),
    }
}

#[allow(unsafe_code)]
fn own(fd: RawFd) -> OwnedFd {
    // SAFETY: the descriptor was open when the process started, and by the contract of the callers
    // nothing in the process has taken it over.
    unsafe { OwnedFd::from_raw_fd(fd) }
}
