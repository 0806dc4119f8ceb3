//! One connection of a client: the bytes, and who is at the other end.

use std::fmt;
use std::fs;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::server::Connected;

use super::Life;
use crate::stream::BoxIo;
use crate::term::escape;

/// Who is at the other end of a connection. Calls find it in their request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Number of the connection, unique in one server.
    pub connection: u64,
    /// Its process, as the kernel names it; `None` when it is in another pid namespace.
    pub pid: Option<u32>,
}

impl Peer {
    /// Terminal of the process, such as `/dev/pts/3`; empty without one.
    pub fn terminal(&self) -> String {
        let Some(pid) = self.pid else {
            return String::new();
        };
        (0..3)
            .filter_map(|fd| fs::read_link(format!("/proc/{pid}/fd/{fd}")).ok())
            .filter_map(|path| path.into_os_string().into_string().ok())
            .find(|path| path.starts_with("/dev/pts/") || path.starts_with("/dev/tty"))
            .map(|path| escape::line(&path).into_owned())
            .unwrap_or_default()
    }
}

impl std::fmt::Display for Peer {
    /// `client 123 (buildx, /dev/pts/3)`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(pid) = self.pid else {
            return f.write_str("a client in another container");
        };
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let words = [escape::line(name.trim_end()).into_owned(), self.terminal()];
        let words: Vec<&str> = words
            .iter()
            .map(String::as_str)
            .filter(|word| !word.is_empty())
            .collect();
        if words.is_empty() {
            write!(f, "client {pid}")
        } else {
            write!(f, "client {pid} ({})", words.join(", "))
        }
    }
}

/// Counts a connection until it is dropped.
#[derive(Debug)]
pub struct Seat {
    life: Life,
    peer: Peer,
}

impl Seat {
    pub(super) fn new(life: Life, peer: Peer) -> Self {
        Self { life, peer }
    }

    /// Who has it.
    pub fn peer(&self) -> Peer {
        self.peer
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.life.leave_seat(self.peer);
    }
}

/// A stream that is counted while it is open.
pub struct Connection {
    stream: BoxIo,
    seat: Seat,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connection").field(&self.seat).finish()
    }
}

impl Connection {
    /// The stream of the one who has the seat.
    pub fn new(stream: BoxIo, seat: Seat) -> Self {
        Self { stream, seat }
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.seat.peer()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
