//! The user's own terminal: its modes, its keyboard, its size, and the way back to how it was.
//!
//! There is one per process. However the process is left (in order, by a panic, by SIGTERM or SIGHUP),
//! the terminal gets its modes back, and what programs have switched on in it is switched off. Ctrl-Z
//! and `fg` do the same for a while.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use rustix::process::Signal as Sig;
use rustix::termios::{tcgetattr, tcgetwinsize};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::proto::controller::TerminalSize;
use crate::term::blocking::blocking;
use crate::term::pass::Pass;

mod fd;
mod restore;

pub use fd::{own_file, write_all};
use fd::{read, write_soon};
use restore::{Real, leave_on_signals, real, restore, restore_on_panic, set, stop_on_signal};

/// Exit code of a process that SIGINT ended.
pub const INTERRUPTED: u8 = 130;

/// The same for SIGTERM.
pub const TERMINATED: u8 = 143;

/// The same for SIGHUP.
pub const HUNG_UP: u8 = 129;

/// Who has the keyboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The terminal itself: lines, echo, Ctrl-C is a signal. For builds.
    Cooked,
    /// The line editor: every key, no echo; a newline still returns the carriage.
    Line,
    /// A program with a terminal of its own: every byte, both ways.
    Raw,
    /// A program without one: every key, with echo.
    Echo,
}

/// What happened on the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Bytes of the keyboard, as they are.
    Keys(Bytes),
    /// It has another size.
    Resized,
    /// The process was stopped and goes on; the screen may show anything.
    Continued,
    /// It is gone, or the process is asked to end.
    Gone,
}

/// The terminal on standard input and output.
#[derive(Debug)]
pub struct Terminal {
    keyboard: AsyncFd<OwnedFd>,
    /// What has been read and not been taken.
    pending: BytesMut,
    resized: Signal,
    interrupted: Signal,
    continued: watch::Receiver<()>,
    leave: CancellationToken,
    /// Exit code of the signal that cancelled it; that of SIGINT before.
    gone_code: Arc<AtomicU8>,
    /// The cursor stands behind something that a program wrote.
    open_line: bool,
    /// The terminal once more, as a file that does not block; `None` where it cannot be had.
    ready: Option<OwnedFd>,
}

/// Whether standard input and output are terminals.
pub fn is_there() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

impl Terminal {
    /// Takes the terminal over; its modes stay as they are until [`Terminal::mode`].
    ///
    /// # Errors
    /// Standard input or output is no terminal, or the system gives no handlers.
    pub fn open() -> io::Result<Self> {
        let saved = tcgetattr(io::stdin())?;
        tcgetattr(io::stdout())?;
        let keyboard = io::stdin().as_fd().try_clone_to_owned()?;
        #[expect(
            deprecated,
            reason = "its heir needs unsafe code to promise what an OwnedFd promises by itself"
        )]
        let keyboard = AsyncFd::with_interest(keyboard, Interest::READABLE)?;
        let leave = CancellationToken::new();
        let gone_code = Arc::new(AtomicU8::new(INTERRUPTED));
        leave_on_signals(&leave, &gone_code)?;
        let terminal = Self {
            keyboard,
            pending: BytesMut::new(),
            resized: signal(SignalKind::window_change())?,
            interrupted: signal(SignalKind::interrupt())?,
            continued: stop_on_signal()?,
            leave,
            gone_code,
            open_line: false,
            ready: own_file(io::stdout().as_fd()),
        };
        *real() = Some(Real {
            saved,
            mode: Mode::Cooked,
            pass: Pass::new(),
            undo: Vec::new(),
        });
        restore_on_panic();
        Ok(terminal)
    }

    /// Bytes that put the screen right whenever the terminal is left: in order, by a signal, by a panic, by Ctrl-Z.
    /// After [`Event::Continued`] the caller switches on again what it needs.
    pub fn undo_with(&mut self, bytes: &[u8]) {
        if let Some(real) = real().as_mut() {
            real.undo = bytes.to_vec();
        }
    }

    /// The exit code for [`Event::Gone`]: 128 and the number of the signal, or [`INTERRUPTED`] if there was none.
    pub fn gone_code(&self) -> u8 {
        self.gone_code.load(Ordering::Acquire)
    }

    /// What happens besides keys. Nothing is lost when the future is dropped.
    pub async fn next_signal(&mut self) -> Event {
        tokio::select! {
            biased;
            () = self.leave.cancelled() => Event::Gone,
            _ = self.interrupted.recv() => Event::Gone,
            Ok(()) = self.continued.changed() => Event::Continued,
            _ = self.resized.recv() => Event::Resized,
        }
    }

    /// Gives the keyboard to somebody else. Nothing that has been typed is lost.
    pub fn mode(&mut self, mode: Mode) {
        if let Some(real) = real().as_mut() {
            real.mode = mode;
            set(&real.saved, mode);
        }
    }

    /// Its size; 24 rows of 80 cells if it does not tell.
    pub fn size(&self) -> TerminalSize {
        let size = tcgetwinsize(io::stdout()).ok();
        size.filter(|size| size.ws_row > 0 && size.ws_col > 0)
            .map_or(TerminalSize { rows: 24, cols: 80 }, |size| TerminalSize {
                rows: size.ws_row.into(),
                cols: size.ws_col.into(),
            })
    }

    /// What happens next. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Event {
        if !self.pending.is_empty() {
            return Event::Keys(self.pending.split().freeze());
        }
        tokio::select! {
            biased;
            () = self.leave.cancelled() => Event::Gone,
            _ = self.interrupted.recv() => Event::Gone,
            Ok(()) = self.continued.changed() => Event::Continued,
            _ = self.resized.recv() => Event::Resized,
            keys = read(&self.keyboard) => keys.map_or(Event::Gone, Event::Keys),
        }
    }

    /// Resolves when Ctrl-C is pressed in the cooked mode.
    pub async fn interrupted(&mut self) {
        self.interrupted.recv().await;
    }

    /// Forgets the Ctrl-C of the cooked mode that somebody else has seen.
    pub fn forget_interrupts(&mut self) {
        while self.interrupted.recv().now_or_never().is_some() {}
    }

    /// Keys that come before all that is still to be read.
    pub fn give_back(&mut self, keys: Bytes) {
        let mut pending = BytesMut::from(keys);
        pending.extend_from_slice(&self.pending);
        self.pending = pending;
    }

    /// Stops this process, as Ctrl-Z does.
    pub fn suspend(&self) {
        let _ = rustix::process::kill_current_process_group(Sig::TSTP);
    }

    /// Shows what a program wrote, through the filter.
    pub fn program(&mut self, bytes: &[u8]) {
        let mut shown = Vec::with_capacity(bytes.len());
        if let Some(real) = real().as_mut() {
            real.pass.feed(bytes, &mut shown);
        }
        if let Some(last) = shown.last() {
            self.open_line = *last != b'\n';
        }
        self.write(&shown);
    }

    /// Shows harmless text of a program.
    pub fn text(&mut self, text: &str) {
        if let Some(last) = text.chars().next_back() {
            self.open_line = last != '\n';
        }
        self.write(text.as_bytes());
    }

    /// Goes to a line of its own, if the cursor is behind something.
    pub fn new_line(&mut self) {
        if std::mem::take(&mut self.open_line) {
            self.write(b"\r\n");
        }
    }

    /// Whether a program has taken the whole screen.
    pub fn full_screen(&self) -> bool {
        real().as_ref().is_some_and(|real| real.pass.alternate())
    }

    /// Switches off what programs have switched on.
    pub fn program_ends(&mut self) {
        let bytes = real().as_mut().map(|real| real.pass.restore());
        self.write(&bytes.unwrap_or_default());
    }

    /// Shows harmless text of our own.
    pub fn write(&mut self, bytes: &[u8]) {
        let rest = match &self.ready {
            Some(ready) => write_soon(ready.as_fd(), bytes),
            None => bytes,
        };
        if !rest.is_empty() {
            // A terminal that is gone is noticed by its keyboard.
            let _ = blocking(|| write_all(io::stdout().as_fd(), rest));
        }
    }

    /// Shows a line of our own.
    pub fn say(&mut self, line: &str) {
        self.write(format!("{line}\r\n").as_bytes());
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore();
    }
}
