//! A pseudo-terminal, usually with a program in it, and when something was written to it.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use memchr::memmem;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

/// A program that takes longer is killed, so that waiting for it ends.
const PATIENCE: Duration = Duration::from_secs(120);

/// The size of a terminal in cells.
const SIZE: PtySize = PtySize {
    rows: 24,
    cols: 80,
    pixel_width: 0,
    pixel_height: 0,
};

/// A terminal. The program in it is killed when this is dropped.
pub struct Terminal {
    child: Option<Box<dyn Child + Send + Sync>>,
    /// Read by whoever waits for it: a thread of its own would add to what is measured.
    output: Box<dyn Read + Send>,
    input: Box<dyn Write + Send>,
    /// Read, and not waited for yet.
    ahead: Vec<u8>,
    _master: Box<dyn MasterPty + Send>,
    _guard: Option<Sender<()>>,
}

impl Terminal {
    /// Starts `program`.
    pub fn start(program: CommandBuilder) -> Result<Self> {
        let pair = native_pty_system().openpty(SIZE)?;
        let child = pair.slave.spawn_command(program)?;
        let mut killer = child.clone_killer();
        let (guard, dropped) = channel::<()>();
        std::thread::spawn(move || {
            if dropped.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                let _ = killer.kill();
            }
        });
        let mut terminal = Self::new(pair.master)?;
        terminal.child = Some(child);
        terminal._guard = Some(guard);
        Ok(terminal)
    }

    /// A terminal without a program, and its other end, which changes no bytes.
    pub fn open() -> Result<(Self, File)> {
        let pair = native_pty_system().openpty(SIZE)?;
        let name = pair
            .master
            .tty_name()
            .context("a terminal without a name")?;
        let end = File::options().read(true).write(true).open(name)?;
        let mut mode = tcgetattr(&end)?;
        mode.make_raw();
        tcsetattr(&end, OptionalActions::Now, &mode)?;
        Ok((Self::new(pair.master)?, end))
    }

    fn new(master: Box<dyn MasterPty + Send>) -> Result<Self> {
        Ok(Self {
            child: None,
            output: master.try_clone_reader()?,
            input: master.take_writer()?,
            ahead: Vec::new(),
            _master: master,
            _guard: None,
        })
    }

    /// Types `keys`.
    pub fn send(&mut self, keys: &str) -> Result<()> {
        self.input.write_all(keys.as_bytes())?;
        Ok(self.input.flush()?)
    }

    /// Waits for `text` in what was not waited for yet; says when it had come.
    pub fn wait(&mut self, text: &str) -> Result<Instant> {
        let finder = memmem::Finder::new(text);
        let mut buffer = vec![0; 64 << 10];
        let mut searched = 0;
        loop {
            let unseen = self.ahead.get(searched..).unwrap_or_default();
            let found = finder.find(unseen).map(|at| searched + at);
            if let Some(at) = found {
                let now = Instant::now();
                self.ahead.drain(..at + text.len());
                return Ok(now);
            }
            // Only what may be the beginning of it is needed any more; some is left for the error.
            let tail = self.ahead.len().saturating_sub(text.len().max(2000));
            self.ahead.drain(..tail);
            searched = self.ahead.len().saturating_sub(text.len());
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
                    text,
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
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
