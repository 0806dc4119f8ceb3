//! The way back: the terminal is put right by the end, by a panic, by signals, and for a while by Ctrl-Z.

use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError, TryLockError};
use std::time::Duration;

use futures_util::FutureExt;
use rustix::process::{Signal as Sig, getpid, getppid, getsid, kill_process};
use rustix::termios::{InputModes, LocalModes, OptionalActions, OutputModes, Termios, tcsetattr};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::fd::write_all;
use super::{HUNG_UP, Mode, TERMINATED};
use crate::term::guard;
use crate::term::pass::Pass;

/// How long leaving in order may take after a signal.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What has to be put right at the end. Outside of [`super::Terminal`], because a panic hook and a signal
/// need it, too.
pub(super) struct Real {
    pub(super) saved: Termios,
    pub(super) mode: Mode,
    pub(super) pass: Pass,
    /// Undoes what a full-screen view has switched on.
    pub(super) undo: Vec<u8>,
}

static REAL: Mutex<Option<Real>> = Mutex::new(None);

pub(super) fn real() -> MutexGuard<'static, Option<Real>> {
    REAL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Puts everything right, for good.
pub(super) fn restore() {
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

/// Gives the terminal the modes that belong to `mode`; `saved` are its own.
pub(super) fn set(saved: &Termios, mode: Mode) {
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

/// A panic, too, leaves the terminal as it was.
pub(super) fn restore_on_panic() {
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
pub(super) fn leave_on_signals(
    leave: &CancellationToken,
    gone_code: &Arc<AtomicU8>,
) -> io::Result<()> {
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
pub(super) fn stop_on_signal() -> io::Result<watch::Receiver<()>> {
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
