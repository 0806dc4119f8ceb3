//! A program in a pseudo-terminal, and what a person would see of it.

use std::io::{ErrorKind, Read, Write};
use std::num::NonZeroU16;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use memchr::memmem;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use vt100::Parser;

/// How long something is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// What ends a frame of ours.
const FRAME_END: &[u8] = b"\x1b[?2026l";

/// A program in a terminal. It is killed when this is dropped.
pub struct Window {
    child: Box<dyn Child + Send + Sync>,
    /// What was read, and when. Read by a thread of its own, so that the program never waits for whoever measures it.
    output: Receiver<(Instant, Vec<u8>)>,
    input: Box<dyn Write + Send>,
    parser: Parser,
    /// What is not on the parser's screen yet.
    behind: Vec<u8>,
    /// The last read bytes.
    tail: Vec<u8>,
    /// When the last of them came.
    came: Instant,
    /// It writes whole frames, and only these are looked at.
    frames: bool,
    _master: Box<dyn MasterPty + Send>,
}

impl Window {
    /// Starts a program in a terminal of `rows` by `cols` cells. `frames`: it marks the ends of its frames.
    pub fn start(program: CommandBuilder, rows: u16, cols: u16, frames: bool) -> Result<Self> {
        let size = PtySize {
            rows,
            cols,
            ..PtySize::default()
        };
        let pair = native_pty_system().openpty(size)?;
        let mut reader = pair.master.try_clone_reader()?;
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = vec![0; 64 << 10];
            loop {
                match reader.read(&mut buffer) {
                    Ok(count @ 1..) => {
                        let bytes = buffer.get(..count).unwrap_or_default().to_vec();
                        if sender.send((Instant::now(), bytes)).is_err() {
                            break;
                        }
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    _ => break,
                }
            }
        });
        let child = pair.slave.spawn_command(program)?;
        let cells = |count| NonZeroU16::new(count).context("a terminal of no size");
        Ok(Self {
            child,
            output,
            input: pair.master.take_writer()?,
            parser: Parser::new(cells(rows)?, cells(cols)?, 0),
            behind: Vec::new(),
            tail: Vec::new(),
            came: Instant::now(),
            frames,
            _master: pair.master,
        })
    }

    /// The id of the process.
    pub fn pid(&self) -> Result<u32> {
        self.child.process_id().context("the program has ended")
    }

    /// Types `keys`.
    pub fn send(&mut self, keys: &str) -> Result<()> {
        self.input.write_all(keys.as_bytes())?;
        Ok(self.input.flush()?)
    }

    /// Types `keys`, and says when; what was written until then is not found by [`Window::wait_bytes`].
    pub fn press(&mut self, keys: &str) -> Result<Instant> {
        while self.read(Duration::ZERO)? {}
        self.tail.clear();
        let now = Instant::now();
        self.send(keys)?;
        Ok(now)
    }

    /// What is on the screen.
    pub fn screen(&mut self) -> String {
        self.parser.process(&std::mem::take(&mut self.behind));
        self.parser.screen().contents()
    }

    /// The screen with everything that has been written, and since when; `None` in the middle of a frame.
    pub fn frame(&mut self) -> Result<Option<(String, Instant)>> {
        while self.read(Duration::ZERO)? {}
        let whole = self.whole();
        self.tail.clear();
        Ok(whole.then(|| (self.screen(), self.came)))
    }

    /// Whether the last frame is whole.
    fn whole(&self) -> bool {
        !self.frames || self.tail.ends_with(FRAME_END)
    }

    /// Waits until the screen is as `wanted`; says since when.
    pub fn wait(&mut self, what: &str, wanted: impl Fn(&str) -> bool) -> Result<Instant> {
        let end = Instant::now() + PATIENCE;
        loop {
            if self.whole() && wanted(&self.screen()) {
                return Ok(self.came);
            }
            let left = end.saturating_duration_since(Instant::now());
            if !self.read(left)? {
                bail!("no {what}; the screen:\n{}", self.screen());
            }
        }
    }

    /// Waits until these bytes have been written since the last key; says when.
    pub fn wait_bytes(&mut self, bytes: &[u8]) -> Result<Instant> {
        let end = Instant::now() + PATIENCE;
        let finder = memmem::Finder::new(bytes);
        loop {
            if finder.find(&self.tail).is_some() {
                return Ok(self.came);
            }
            // Only what may be the beginning of it is needed any more.
            let old = self
                .tail
                .len()
                .saturating_sub(bytes.len().max(FRAME_END.len()));
            self.tail.drain(..old);
            let left = end.saturating_duration_since(Instant::now());
            if !self.read(left)? {
                let words = String::from_utf8_lossy(bytes).into_owned();
                bail!("{words:?} was not written; the screen:\n{}", self.screen());
            }
        }
    }

    /// Waits until nothing has been written for so long.
    pub fn settle(&mut self, quiet: Duration) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while self.read(quiet)? {
            if Instant::now() > end {
                bail!("it never becomes quiet; the screen:\n{}", self.screen());
            }
        }
        Ok(())
    }

    /// Waits for the end of the program.
    pub fn end(mut self) -> Result<()> {
        loop {
            match self.output.recv_timeout(PATIENCE) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => bail!("the program does not end"),
            }
        }
        self.child.wait()?;
        Ok(())
    }

    /// Reads what comes in this time; whether anything came.
    pub fn read(&mut self, patience: Duration) -> Result<bool> {
        match self.output.recv_timeout(patience) {
            Ok((came, bytes)) => {
                self.came = came;
                self.tail.extend_from_slice(&bytes);
                self.behind.extend(bytes);
                Ok(true)
            }
            Err(RecvTimeoutError::Timeout) => Ok(false),
            Err(RecvTimeoutError::Disconnected) => {
                bail!("the program has ended; the screen:\n{}", self.screen())
            }
        }
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
