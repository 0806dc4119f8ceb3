//! Steps that go on when a test says so, and not when some time is over.

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How long a step may take to come.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where steps wait. Without it they do not: what runs [`Gate::wait`] later goes on at once.
#[derive(Debug)]
pub struct Gate {
    listener: TcpListener,
}

/// A step that waits; it goes on when this is dropped.
#[derive(Debug)]
pub struct Waiting {
    _connection: TcpStream,
}

impl Gate {
    /// A gate of one test.
    pub fn new() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        // A connection may be gone between the poll and the accept.
        listener.set_nonblocking(true).unwrap();
        Self { listener }
    }

    /// The command of a shell that waits here. Its step needs the host's network.
    pub fn wait(&self) -> String {
        let port = self.listener.local_addr().unwrap().port();
        format!("/bin/busybox nc 127.0.0.1 {port} || true")
    }

    /// Waits for the next step that comes.
    #[track_caller]
    pub fn comes(&self) -> Waiting {
        let limit = Timespec::try_from(PATIENCE).unwrap();
        loop {
            let mut fds = [PollFd::new(&self.listener, PollFlags::IN)];
            match poll(&mut fds, Some(&limit)) {
                // A child of another test has ended.
                Err(rustix::io::Errno::INTR) => continue,
                ready => assert!(ready.unwrap() > 0, "no step comes to the gate"),
            }
            if let Ok((connection, _)) = self.listener.accept() {
                return Waiting {
                    _connection: connection,
                };
            }
        }
    }
}
