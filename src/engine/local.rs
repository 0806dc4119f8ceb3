//! A connection to an engine on this machine, on which a flood wakes nobody.
//!
//! An engine hands on what a program prints as the program prints it, in messages of 4 KiB and less, and each of
//! them would wake a thread here. Where there are fewer cores than links in the chain (program, runc, engine, we,
//! client, terminal) that costs more than all that is done with the bytes, and takes it from the program. So we do as
//! the drivers of network cards do: bytes that come without a pause are fetched each [`PAUSE`], and those that come
//! after one are awaited.

use std::io::{self, IoSlice, Read, Write};
use std::mem;
use std::net::Shutdown;
use std::os::unix::net::UnixStream as Socket;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::time::{Instant, Sleep, sleep};

use super::dial::give;

/// Time between two looks at a flood. Tokio's timers have no finer grain.
const PAUSE: Duration = Duration::from_millis(1);
/// Bytes that come later than this after others come after a pause.
const GAP: Duration = Duration::from_millis(2);
/// More bytes than this without a pause are a flood. Less may be an answer that somebody awaits.
const FLOOD: usize = 16 << 10;
/// Most bytes that are fetched at a look.
const LOOK: usize = 64 << 10;
/// Looks after which it is judged how much came.
const LOOKS: u32 = 16;
/// Bytes a second that no shell prints. The system keeps some 100 KiB for a connection, and an engine that finds no room
/// has to wait for the next look: what comes so fast is awaited.
const TORRENT: f64 = 32e6;
/// How long it is then awaited at least, flood or not.
const RESPITE: Duration = Duration::from_secs(1);

/// The stream.
#[derive(Debug)]
pub struct Local {
    way: Way,
    /// The next look at a flood.
    look: Pin<Box<Sleep>>,
    /// What the last look has brought and was not asked for yet.
    fetched: Bytes,
    /// What the looks since then have brought.
    since: Instant,
    looks: u32,
    sum: usize,
    /// When bytes came last.
    last: Instant,
    /// Bytes that came since the last pause.
    bytes: usize,
    /// Until then no flood is seen.
    respite: Instant,
}

/// How bytes come.
#[derive(Debug)]
enum Way {
    /// We are woken for them.
    Awaited(UnixStream),
    /// We look for them.
    Fetched(Socket),
    /// The system did not let us change from one to the other.
    Lost,
}

/// Takes what `socket` has, at most [`LOOK`]; nothing when that is its end, or nothing yet.
fn fetch(mut socket: &Socket) -> io::Result<Bytes> {
    let mut bytes = BytesMut::zeroed(LOOK);
    match socket.read(&mut bytes) {
        Ok(read) => bytes.truncate(read),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => bytes.clear(),
        Err(error) => return Err(error),
    }
    Ok(bytes.freeze())
}

impl Local {
    /// A connection that is awaited until it is flooded.
    pub fn new(stream: UnixStream) -> Self {
        let now = Instant::now();
        Self {
            way: Way::Awaited(stream),
            look: Box::pin(sleep(Duration::ZERO)),
            fetched: Bytes::new(),
            since: now,
            looks: 0,
            sum: 0,
            last: now,
            bytes: 0,
            respite: now,
        }
    }

    /// Counts `read` bytes that were awaited, and begins to fetch when they are part of a flood.
    fn count(&mut self, read: usize) -> io::Result<()> {
        let now = Instant::now();
        if now - self.last > GAP {
            self.bytes = 0;
        }
        self.last = now;
        self.bytes += read;
        if self.bytes > FLOOD && now >= self.respite {
            self.bytes = 0;
            self.way = match mem::replace(&mut self.way, Way::Lost) {
                Way::Awaited(stream) => Way::Fetched(stream.into_std()?),
                other => other,
            };
            self.begin(now);
        }
        Ok(())
    }

    /// Begins to count looks.
    fn begin(&mut self, now: Instant) {
        self.look.as_mut().reset(now + PAUSE);
        (self.since, self.looks, self.sum) = (now, 0, 0);
    }

    /// The stream, awaited from now on.
    fn awaited(&mut self) -> io::Result<Pin<&mut UnixStream>> {
        self.way = match mem::replace(&mut self.way, Way::Lost) {
            Way::Fetched(socket) => Way::Awaited(UnixStream::from_std(socket)?),
            other => other,
        };
        match &mut self.way {
            Way::Awaited(stream) => Ok(Pin::new(stream)),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Looks, when it is time. The flood is over when nothing is there.
    fn look(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Way::Fetched(socket) = &self.way else {
            return Poll::Ready(Ok(()));
        };
        ready!(self.look.as_mut().poll(cx));
        let now = Instant::now();
        self.fetched = fetch(socket)?;
        self.last = now;
        self.looks += 1;
        self.sum += self.fetched.len();
        if self.fetched.is_empty() {
            self.awaited()?;
        } else if self.looks < LOOKS {
            // When that was not all, the engine may wait.
            let is_all = self.fetched.len() < LOOK;
            let pause = if is_all { PAUSE } else { Duration::ZERO };
            self.look.as_mut().reset(now + pause);
        } else if self.sum as f64 > TORRENT * (now - self.since).as_secs_f64() {
            self.respite = now + RESPITE;
            self.awaited()?;
        } else {
            self.begin(now);
        }
        Poll::Ready(Ok(()))
    }

    fn send(
        &mut self,
        mut write: impl FnMut(&Socket) -> io::Result<usize>,
    ) -> Option<io::Result<usize>> {
        let Way::Fetched(socket) = &self.way else {
            return None;
        };
        let written = write(socket);
        let waits = |error: &io::Error| error.kind() == io::ErrorKind::WouldBlock;
        (!written.as_ref().is_err_and(waits)).then_some(written)
    }
}

impl AsyncRead for Local {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.fetched.is_empty() {
            ready!(this.look(cx))?;
        }
        if !this.fetched.is_empty() {
            give(&mut this.fetched, buf);
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(this.awaited()?.poll_read(cx, buf))?;
        Poll::Ready(this.count(buf.filled().len() - before))
    }
}

impl AsyncWrite for Local {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.send(|mut socket| socket.write(buf)) {
            Some(written) => Poll::Ready(written),
            None => self.awaited()?.poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.send(|mut socket| socket.write_vectored(bufs)) {
            Some(written) => Poll::Ready(written),
            None => self.awaited()?.poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.way {
            Way::Fetched(socket) => Poll::Ready(socket.shutdown(Shutdown::Write)),
            _ => self.awaited()?.poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// A connection, and the engine's end of it.
    fn pair() -> (Local, Socket) {
        let (ours, engine) = Socket::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        (Local::new(UnixStream::from_std(ours).unwrap()), engine)
    }

    fn is_fetched(local: &Local) -> bool {
        matches!(local.way, Way::Fetched(_))
    }

    /// Lets `engine` send so much that it is a flood.
    async fn flood(local: &mut Local, engine: &mut Socket) {
        engine.write_all(&[b'f'; FLOOD + 1]).unwrap();
        let mut bytes = vec![0; FLOOD + 1];
        local.read_exact(&mut bytes).await.unwrap();
        assert!(is_fetched(local));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_awaited_and_a_flood_is_fetched_until_it_ends() {
        let (mut local, mut engine) = pair();
        let mut byte = [0];
        engine.write_all(b"a").unwrap();
        local.read_exact(&mut byte).await.unwrap();
        assert!(!is_fetched(&local));

        flood(&mut local, &mut engine).await;
        engine.write_all(b"b").unwrap();
        let began = Instant::now();
        local.read_exact(&mut byte).await.unwrap();
        assert_eq!(
            (byte, is_fetched(&local), began.elapsed() >= PAUSE),
            (*b"b", true, true)
        );

        // Nothing more comes: the next byte finds us waiting.
        let waited = tokio::time::timeout(Duration::from_secs(1), local.read_exact(&mut byte));
        assert!(waited.await.is_err());
        assert!(!is_fetched(&local));
        assert!(local.fetched.is_empty());
        engine.write_all(b"c").unwrap();
        let began = Instant::now();
        local.read_exact(&mut byte).await.unwrap();
        assert_eq!((byte, began.elapsed()), (*b"c", Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn a_torrent_is_awaited_for_a_while() {
        let (mut local, mut engine) = pair();
        let mut bytes = vec![0; LOOK];
        flood(&mut local, &mut engine).await;
        for _ in 0..LOOKS {
            assert!(is_fetched(&local));
            engine.write_all(&bytes).unwrap();
            local.read_exact(&mut bytes).await.unwrap();
        }
        assert!(!is_fetched(&local));
        engine.write_all(&bytes).unwrap();
        local.read_exact(&mut bytes).await.unwrap();
        assert!(!is_fetched(&local));
        tokio::time::advance(RESPITE).await;
        flood(&mut local, &mut engine).await;
    }

    #[tokio::test]
    async fn a_flood_can_be_answered_and_ends() {
        let (mut local, mut engine) = pair();
        flood(&mut local, &mut engine).await;
        local.write_all(b"stop").await.unwrap();
        let mut answer = [0; 4];
        engine.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"stop");

        // More than the socket takes at once.
        let reading = std::thread::spawn(move || {
            let mut bytes = vec![0; 4 << 20];
            engine.read_exact(&mut bytes).unwrap();
            engine.write_all(b"end").unwrap();
            bytes
        });
        local.write_all(&vec![b'w'; 4 << 20]).await.unwrap();
        let mut end = Vec::new();
        local.read_to_end(&mut end).await.unwrap();
        assert_eq!(end, b"end");
        assert!(reading.join().unwrap().iter().all(|byte| *byte == b'w'));
    }

    #[tokio::test]
    async fn nothing_is_lost_however_it_comes() {
        let (mut local, mut engine) = pair();
        let sizes = [1, 4096, 9000, 4096, 70_000, 12, 150_000, 4096, 300_000];
        let sent: Vec<Vec<u8>> = (0..90)
            .map(|turn: usize| vec![u8::try_from(turn).unwrap(); sizes[turn % sizes.len()]])
            .collect();
        let expected = sent.concat();
        let sending = std::thread::spawn(move || {
            for (turn, part) in sent.iter().enumerate() {
                engine.write_all(part).unwrap();
                if turn % 4 == 0 {
                    std::thread::sleep(Duration::from_millis(turn as u64 % 5));
                }
            }
        });
        let mut come = Vec::new();
        local.read_to_end(&mut come).await.unwrap();
        sending.join().unwrap();
        assert!(come == expected);
    }
}
