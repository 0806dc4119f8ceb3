//! The user's own terminal: its modes, its keyboard, its size, and the way back to how it was.
//!
//! There is one per process. However the process is left (in order, by a panic, by SIGTERM or SIGHUP),
//! the terminal gets its modes back, and what programs have switched on in it is switched off. Ctrl-Z
//! and `fg` do the same for a while.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError, TryLockError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::process::{Signal as Sig, getpid, getppid, getsid, kill_process};
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, OutputModes, Termios, tcgetattr, tcgetwinsize,
    tcsetattr,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::proto::controller::TerminalSize;
use crate::term::blocking::blocking;
use crate::term::guard;
use crate::term::pass::Pass;

/// Bytes of the keyboard that are read at once.
const CHUNK: usize = 4096;

/// How long leaving in order may take after a signal.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How long a terminal that shows much may take for the next piece.
const SOON: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 10_000_000,
};

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

/// What has to be put right at the end. Outside of [`Terminal`], because a panic hook and a signal
/// need it, too.
struct Real {
    saved: Termios,
    mode: Mode,
    pass: Pass,
    /// Undoes what a full-screen view has switched on.
    undo: Vec<u8>,
}

static REAL: Mutex<Option<Real>> = Mutex::new(None);

fn real() -> MutexGuard<'static, Option<Real>> {
    REAL.lock().unwrap_or_else(PoisonError::into_inner)
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

/// Puts everything right, for good.
fn restore() {
    let mut real = match REAL.try_lock() {
        Ok(real) => real,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        // This thread may be the one that holds it, in a panic: better no filter than no end.
        Err(TryLockError::WouldBlock) => return,
    };
    if let Some(mut real) = real.take() {
        put_right(&mut real);
    }
}

fn put_right(real: &mut Real) {
    let _ = write_all(io::stdout().as_fd(), &real.pass.restore());
    let _ = write_all(io::stdout().as_fd(), &real.undo);
    set(&real.saved, Mode::Cooked);
}

fn set(saved: &Termios, mode: Mode) {
    let mut wanted = saved.clone();
    if mode != Mode::Cooked {
        wanted.make_raw();
    }
    match mode {
        Mode::Cooked | Mode::Raw => {}
        Mode::Line => wanted.output_modes |= OutputModes::OPOST | OutputModes::ONLCR,
        Mode::Echo => {
            wanted.output_modes |= OutputModes::OPOST | OutputModes::ONLCR;
            wanted.local_modes |= LocalModes::ECHO;
            wanted.input_modes |= InputModes::ICRNL;
        }
    }
    // Not "flush": what has been typed ahead is for whoever comes next.
    while tcsetattr(io::stdin(), OptionalActions::Now, &wanted) == Err(rustix::io::Errno::INTR) {}
}

fn restore_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !guard::will_be_caught() {
                restore();
            }
            before(info);
        }));
    });
}

/// The first SIGTERM or SIGHUP asks to leave; when that takes too long, or another comes, the process
/// ends.
fn leave_on_signals(leave: &CancellationToken, gone_code: &Arc<AtomicU8>) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let (leave, gone_code) = (leave.clone(), Arc::clone(gone_code));
    tokio::spawn(async move {
        let code = tokio::select! {
            _ = terminate.recv() => TERMINATED,
            _ = hangup.recv() => HUNG_UP,
        };
        gone_code.store(code, Ordering::Release);
        leave.cancel();
        tokio::select! {
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
            () = tokio::time::sleep(LAST_WORDS) => {}
        }
        restore();
        std::process::exit(code.into());
    });
    Ok(())
}

/// SIGTSTP: the terminal is put right, the process stops, and takes the terminal again when it goes
/// on. The receiver is told then.
fn stop_on_signal() -> io::Result<watch::Receiver<()>> {
    let mut stop = signal(SignalKind::from_raw(Sig::TSTP.as_raw()))?;
    let mut resume = signal(SignalKind::from_raw(Sig::CONT.as_raw()))?;
    let (goes_on, continued) = watch::channel(());
    tokio::spawn(async move {
        while stop.recv().await.is_some() {
            // Without a parent that could continue it, a stopped process stays so for ever.
            if is_orphaned() {
                continue;
            }
            if let Some(real) = real().as_mut() {
                put_right(real);
            }
            while resume.recv().now_or_never().is_some() {}
            // Another thread may take the signal, so this one runs on for a moment: what comes next has to wait.
            if kill_process(getpid(), Sig::STOP).is_ok() {
                resume.recv().await;
            }
            if let Some(real) = real().as_ref() {
                set(&real.saved, real.mode);
            }
            if goes_on.send(()).is_err() {
                break;
            }
        }
    });
    Ok(continued)
}

/// Whether nobody in this session could continue this process.
fn is_orphaned() -> bool {
    let parent = getppid().and_then(|parent| getsid(Some(parent)).ok());
    parent != getsid(None).ok()
}

/// Writes to a file that does not block, as long as it takes more within [`SOON`]. Gives what is left: to hand the thread
/// over costs more than that wait.
fn write_soon<'b>(to: BorrowedFd<'_>, mut bytes: &'b [u8]) -> &'b [u8] {
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
async fn read(keyboard: &AsyncFd<OwnedFd>) -> Option<Bytes> {
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
