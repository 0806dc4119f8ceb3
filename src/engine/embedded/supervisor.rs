//! The process that runs the engine: starts it, counts its clients, stops it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::{Arc, Mutex};

use rustix::process::{
    Signal, getpid, getppid, set_child_subreaper, set_parent_process_death_signal, setsid, umask,
};
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::control::Phase;
use super::log::Log;
use super::{Order, STOP, holders};
use crate::engine::address::Transport;
use crate::engine::channel::ConnectError;
use crate::engine::control::Engine;
use crate::paths::EmbeddedPaths;

mod children;
mod clients;

use children::Children;
use clients::{Event, Idle, accept};

/// Becomes the engine: `embedded-exec PARENT PROGRAM ARGUMENT…`. The kernel ends it when the
/// supervisor dies.
pub fn exec(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    let parent = args.next();
    let Some(program) = args.next() else {
        return ExitCode::FAILURE;
    };
    if let Err(error) = set_parent_process_death_signal(Some(Signal::TERM)) {
        eprintln!("cannot tie the engine to its supervisor: {error}");
        return ExitCode::FAILURE;
    }
    // It may have died before the line above.
    let now = getppid().map(|pid| OsString::from(pid.as_raw_nonzero().to_string()));
    if now != parent {
        return ExitCode::FAILURE;
    }
    let error = Command::new(&program).args(args).exec();
    eprintln!("cannot run {}: {error}", Path::new(&program).display());
    ExitCode::FAILURE
}

/// Runs the embedded engine until it is asked to stop, is idle for too long, or ends:
/// `embedded-supervise ORDER`. Must be called before any thread is started.
pub fn supervise(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    // Away from the terminal and its signals. Fails only for a process group's leader, which has a
    // session of its own already when it comes from `ensure_started`.
    let _ = setsid();
    umask(rustix::fs::Mode::from_raw_mode(0o077));
    let order = args
        .next()
        .and_then(|text| serde_json::from_str::<Order>(&text.to_string_lossy()).ok());
    let Some(order) = order else {
        eprintln!("{} is for buildx itself", super::SUPERVISE);
        return ExitCode::FAILURE;
    };
    let run = || -> Result<(), String> {
        let paths = order.paths();
        let life = holders::take_over(&paths.life_lock(), STOP)
            .map_err(|error| {
                format!(
                    "an old engine holds {}: {error}",
                    paths.life_lock().display()
                )
            })?
            .file;
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?
            .block_on(run(&order, &paths, life))
            .map_err(|error| error.to_string())
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            report(&Phase::Failed {
                reason,
                log: Vec::new(),
            });
            ExitCode::FAILURE
        }
    }
}

/// Why the engine is to stop.
#[derive(Debug)]
enum End {
    Asked,
    Idle,
    Signal,
    Failed(String),
}

async fn run(order: &Order, paths: &EmbeddedPaths, life: File) -> io::Result<()> {
    // Builds that outlive a killed dockerd become ours, so that they can be ended.
    set_child_subreaper(Some(getpid()))?;
    order.program.clean(paths);
    let _ = fs::remove_file(paths.control_socket());
    let listener = UnixListener::bind(paths.control_socket())?;
    let log = Arc::new(Mutex::new(Log::open(&paths.log())?));
    let mut children = Children::new()?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;

    let (phase, phases) = watch::channel(Phase::Starting);
    let (event, mut events) = mpsc::channel(16);
    let clients = tokio::spawn(accept(listener, phases, event));
    let life = Arc::new(life);
    let mut progress = children.start(order, paths, &life, &log)?;
    note(&log, "starting");

    let transport = order.program.kind().transport(paths);
    let mut idle = Idle::new(order.idle);
    let deadline = Instant::now() + order.start;
    let mut ready = false;
    let end = {
        let answers = until_it_answers(&transport, &mut progress);
        tokio::pin!(answers);
        loop {
            tokio::select! {
                biased;
                ended = children.ended() => break End::Failed(ended),
                event = events.recv() => match event {
                    Some(Event::Came) => idle.came(),
                    Some(Event::Left) => idle.left(),
                    Some(Event::Stop) | None => break End::Asked,
                },
                _ = terminate.recv() => break End::Signal,
                _ = interrupt.recv() => break End::Signal,
                () = &mut answers, if !ready => {
                    ready = true;
                    note(&log, "ready");
                    idle.restart();
                    let now = Phase::Ready { kind: order.program.kind(), others: 0 };
                    report(&now);
                    phase.send_replace(now);
                }
                () = sleep_until(deadline), if !ready => {
                    break End::Failed(format!(
                        "{} did not answer within {} s",
                        order.program.name(),
                        order.start.as_secs_f32()
                    ));
                }
                () = idle.over(), if ready => break End::Idle,
            }
        }
    };
    note(&log, &format!("stopping: {end:?}"));
    let last = match end {
        End::Failed(reason) => {
            // What the engine wrote last is still in the pipe.
            children.drained(&mut progress).await;
            let log = log.lock().map(|log| log.last_lines()).unwrap_or_default();
            Phase::Failed { reason, log }
        }
        _ => Phase::Stopping,
    };
    if !ready {
        report(&last);
    }
    phase.send_replace(last);
    // Only a holder of the life lock may unlink the socket, and we still hold it.
    let _ = fs::remove_file(paths.control_socket());
    children.stop().await;
    order.program.clean(paths);
    note(&log, "stopped");
    clients.abort();
    Ok(())
}

/// Tells the client that started us how that went, and lets go of its pipe.
fn report(phase: &Phase) {
    let mut out = io::stdout();
    // The client may have left.
    let _ = serde_json::to_writer(&mut out, phase);
    let _ = out.flush();
    if let Ok(null) = File::options().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(&null);
    }
}

fn note(log: &Mutex<Log>, text: &str) {
    if let Ok(mut log) = log.lock() {
        log.note(text);
    }
}

/// Returns when the engine answers. It is tried again whenever it has logged something, because an
/// engine that begins to listen says so.
async fn until_it_answers(transport: &Transport, progress: &mut watch::Receiver<u64>) {
    loop {
        progress.borrow_and_update();
        match Engine::connect(transport).await {
            Ok(_) => return,
            // It has accepted the connection; that alone took seconds.
            Err(ConnectError::Silent { .. }) => {}
            Err(_) => {
                if progress.changed().await.is_err() {
                    // It has closed its log, so it is ending; that is seen elsewhere.
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}
