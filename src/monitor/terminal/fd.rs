//! Bytes from the keyboard and to the terminal. Its files are shared with other programs, so how they block is not
//! changed.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use bytes::Bytes;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use tokio::io::unix::AsyncFd;

/// Bytes of the keyboard that are read at once.
const CHUNK: usize = 4096;

/// How long a terminal that shows much may take for the next piece.
const SOON: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 10_000_000,
};

/// Writes to a file that does not block, as long as it takes more within [`SOON`]. Gives what is left: to hand the thread
/// over costs more than that wait.
pub(super) fn write_soon<'b>(to: BorrowedFd<'_>, mut bytes: &'b [u8]) -> &'b [u8] {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::AGAIN) => {
                let polled = poll(&mut [PollFd::new(&to, PollFlags::OUT)], Some(&SOON));
                if polled == Ok(0) {
                    break;
                }
            }
            Err(_) => break,
        }
    }
    bytes
}

/// Opens a terminal again, as a file that does not block; `None` where that is not allowed. A file of its own: whether
/// one blocks is a matter of all who have inherited it.
pub fn own_file(terminal: BorrowedFd<'_>) -> Option<OwnedFd> {
    let path = format!("/proc/self/fd/{}", terminal.as_raw_fd());
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, rustix::fs::Mode::empty()).ok()
}

/// Reads what has been typed; `None` when the keyboard is gone.
///
/// The file is not set to "non-blocking": that would also be true for the parent's shell. Readiness
/// is asked for right before each read instead.
pub(super) async fn read(keyboard: &AsyncFd<OwnedFd>) -> Option<Bytes> {
    loop {
        let mut ready = keyboard.readable().await.ok()?;
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let fd = keyboard.get_ref();
        match poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&now)) {
            Ok(0) => {
                ready.clear_ready();
                continue;
            }
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return None,
        }
        let mut buffer = vec![0; CHUNK];
        match rustix::io::read(fd, &mut buffer) {
            Ok(0) => return None,
            Ok(count) => {
                buffer.truncate(count);
                return Some(buffer.into());
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::AGAIN) => ready.clear_ready(),
            Err(_) => return None,
        }
    }
}

/// Writes all of it, also where somebody has set the file to "non-blocking".
///
/// # Errors
/// The file does not take it.
pub fn write_all(to: BorrowedFd<'_>, mut bytes: &[u8]) -> rustix::io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::AGAIN) => {
                let _ = poll(&mut [PollFd::new(&to, PollFlags::OUT)], None);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
