//! A program in a pseudo-terminal, and when it wrote something.

use std::io::{ErrorKind, Read, Write};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// A program that takes longer is killed, so that waiting for it ends.
const PATIENCE: Duration = Duration::from_secs(120);

/// A program in a terminal of 24 by 80 cells. It is killed when this is dropped.
pub struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    /// Read by whoever waits for it: a thread of its own would add to what is measured.
    output: Box<dyn Read + Send>,
    input: Box<dyn Write + Send>,
    /// Read, and not waited for yet.
    ahead: Vec<u8>,
    _master: Box<dyn MasterPty + Send>,
    _guard: Sender<()>,
}

impl Terminal {
    /// Starts `program`.
    pub fn start(program: CommandBuilder) -> Result<Self> {
        let size = PtySize {
            rows: 24,
            cols: 80,
            ..PtySize::default()
        };
        let pair = native_pty_system().openpty(size)?;
        let child = pair.slave.spawn_command(program)?;
        let mut killer = child.clone_killer();
        let (guard, dropped) = channel::<()>();
        std::thread::spawn(move || {
            if dropped.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                let _ = killer.kill();
            }
        });
        Ok(Self {
            child,
            output: pair.master.try_clone_reader()?,
            input: pair.master.take_writer()?,
            ahead: Vec::new(),
            _master: pair.master,
            _guard: guard,
        })
    }

    /// Types `keys`.
    pub fn send(&mut self, keys: &str) -> Result<()> {
        self.input.write_all(keys.as_bytes())?;
        Ok(self.input.flush()?)
    }

    /// Waits for `text` in what was not waited for yet; says when it had come.
    pub fn wait(&mut self, text: &str) -> Result<Instant> {
        let text = text.as_bytes();
        let mut buffer = vec![0; 64 << 10];
        loop {
            let found = self.ahead.windows(text.len()).position(|part| part == text);
            if let Some(at) = found {
                let now = Instant::now();
                self.ahead.drain(..at + text.len());
                return Ok(now);
            }
            // Only what may be the beginning of it is needed any more; some is left for the error.
            let tail = self.ahead.len().saturating_sub(text.len().max(2000));
            self.ahead.drain(..tail);
            let read = match self.output.read(&mut buffer) {
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                // What a terminal whose program has ended says.
                Err(error) if error.raw_os_error() == Some(5) => 0,
                Err(error) => return Err(error).context("the terminal"),
            };
            if read == 0 {
                bail!(
                    "the program ended before it wrote {:?}; its last words: {:?}",
                    String::from_utf8_lossy(text),
                    String::from_utf8_lossy(&self.ahead)
                );
            }
            self.ahead
                .extend_from_slice(buffer.get(..read).unwrap_or_default());
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
