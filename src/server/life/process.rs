//! The process that the server is, in the background or in the foreground.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, setsid, umask};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;

use super::listen::Socket;
use super::log::Log;
use super::order::{Answer, Order, SERVER};
use super::{Life, idle, inherited, serve};
use crate::config::Config;
use crate::paths::Env;
use crate::paths::server::ServerPaths;
use crate::server::{Server, Settings};

mod door;
mod locks;

use door::Door;
use locks::Locks;

/// How long builds, processes and engines get to end.
const LEAVE: Duration = Duration::from_secs(15);
/// How long open calls then get to end.
const CLOSE: Duration = Duration::from_secs(1);

/// Runs the program as the server when its arguments say so. The first thing that `main` does, before
/// it starts any thread or opens any file.
pub fn intercept(mut args: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    args.next();
    (args.next()?.to_str()? == SERVER).then(|| background(args))
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    /// Another one has the sessions.
    #[error("another server has these sessions already; it listens on {}", .0.display())]
    Elsewhere(PathBuf),
    /// Anything else, in one line.
    #[error("{0}")]
    Failed(String),
}

impl NotStarted {
    fn failed(what: &str, path: &Path, error: &io::Error) -> Self {
        Self::Failed(format!("cannot {what} {}: {error}", path.display()))
    }
}

fn background(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    // Away from the terminal and its signals.
    let _ = setsid();
    umask(rustix::fs::Mode::from_raw_mode(0o077));
    let closed = inherited::close();
    let order = args
        .next()
        .and_then(|text| serde_json::from_str::<Order>(text.to_str()?).ok());
    let Some(order) = order else {
        eprintln!("{SERVER} is for buildx itself");
        return ExitCode::FAILURE;
    };
    let start = || -> Result<Start, NotStarted> {
        closed.map_err(|error| NotStarted::Failed(format!("cannot read /proc: {error}")))?;
        let locks = Locks::take(&order.paths)?;
        let path = order.config.log_file.clone();
        let path = path.unwrap_or_else(|| order.paths.log());
        let log = Log::open(&path, order.config.log_level)
            .map_err(|error| NotStarted::failed("write the log", &path, &error))?;
        let socket = order.paths.socket();
        let socket = Socket::bind(&socket)
            .map_err(|error| NotStarted::failed("listen on", &socket, &error))?;
        log_panics(log.clone());
        Ok(Start {
            paths: order.paths.clone(),
            config: order.config.clone(),
            log_path: path,
            log,
            socket,
            locks,
        })
    };
    let outcome = start().and_then(|start| {
        let log = start.log.clone();
        start.run(move || {
            answer(&Answer::Ready);
            log.take_stdout();
        })
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(NotStarted::Elsewhere(socket)) => {
            answer(&Answer::Elsewhere { socket });
            ExitCode::SUCCESS
        }
        Err(NotStarted::Failed(reason)) => {
            answer(&Answer::Failed { reason });
            ExitCode::FAILURE
        }
    }
}

/// Runs a server in the foreground until it is asked to end; it logs to standard error. A service
/// manager may hand over the socket.
///
/// # Errors
/// [`NotStarted`]
pub fn foreground(paths: ServerPaths, config: Config, env: &Env) -> Result<(), NotStarted> {
    umask(rustix::fs::Mode::from_raw_mode(0o077));
    let handed = inherited::listener(env.get("LISTEN_FDS"), env.get("LISTEN_PID"))
        .map_err(|error| NotStarted::Failed(format!("socket activation: {error}")))?;
    let log = match &config.log_file {
        Some(path) => Log::open(path, config.log_level)
            .map_err(|error| NotStarted::failed("write the log", path, &error))?,
        None => Log::stderr(config.log_level),
    };
    paths
        .prepare()
        .map_err(|refused| NotStarted::Failed(refused.to_string()))?;
    let locks = Locks::take(&paths)?;
    let socket = match handed {
        Some(handed) => Socket::adopt(handed)
            .map_err(|error| NotStarted::Failed(format!("socket activation: {error}")))?,
        None => Socket::bind(&paths.socket())
            .map_err(|error| NotStarted::failed("listen on", &paths.socket(), &error))?,
    };
    let start = Start {
        log_path: config.log_file.clone().unwrap_or_default(),
        paths,
        config,
        log,
        socket,
        locks,
    };
    start.run(|| ())
}

/// Tells the client that started us; it may have left.
fn answer(answer: &Answer) {
    let mut out = io::stdout();
    let _ = serde_json::to_writer(&mut out, answer);
    let _ = out.write_all(b"\n").and_then(|()| out.flush());
}

/// A crash of one task is a line in the log, and not more than that.
fn log_panics(log: Log) {
    std::panic::set_hook(Box::new(move |panic| log.error(&panic.to_string())));
}

/// Everything that a server needs before it runs.
struct Start {
    paths: ServerPaths,
    config: Config,
    /// Empty when it logs to standard error.
    log_path: PathBuf,
    log: Log,
    socket: Socket,
    /// Given back by the end of the process.
    locks: Locks,
}

/// Raises the limit of open files as far as is allowed and sensible. A state that is kept has two
/// connections to the engine, and the usual 1024 would be used up by some 500 builds in ten minutes.
fn allow_files() {
    /// Programs that we start inherit it, and some walk through all that may be open.
    const SENSIBLE: u64 = 1 << 16;
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(SENSIBLE, |most| most.min(SENSIBLE));
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = Rlimit {
            current: Some(wanted),
            ..limit
        };
        // With a refusal it is as it was.
        let _ = setrlimit(Resource::Nofile, raised);
    }
}

impl Start {
    fn run(self, ready: impl FnOnce()) -> Result<(), NotStarted> {
        allow_files();
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            // It waits more than it works, and each thread needs memory.
            .worker_threads(threads.clamp(2, 4))
            .enable_all()
            .build()
            .map_err(|error| NotStarted::Failed(format!("cannot start threads: {error}")))?;
        let ended = runtime.block_on(self.live(ready));
        // What still blocks, such as a read of a dead network disk, must not hold up the end.
        runtime.shutdown_background();
        ended
    }

    async fn live(self, ready: impl FnOnce()) -> Result<(), NotStarted> {
        let Self {
            paths,
            config,
            log_path,
            log,
            socket,
            locks,
        } = self;
        let failed = |what: &str, error: io::Error| NotStarted::Failed(format!("{what}: {error}"));
        let signal = |kind| signal(kind).map_err(|error| failed("cannot catch signals", error));
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let life = Life::default();
        let server = Server::new(Settings {
            sessions: paths.sessions(),
            root: paths.run.clone(),
            log: log_path,
            disk_budget: config.trace_budget,
            keep: config.keep,
            scrollback: config.scrollback,
            yield_to_others: config.yield_to_others,
            in_process: false,
            life: life.clone(),
            says: log.clone(),
        })
        .map_err(|error| NotStarted::Failed(format!("cannot open the sessions: {error}")))?;
        let (accepted, connections) = mpsc::channel(16);
        let mut door = Door::open(socket, &paths, &locks, &life, &log, &accepted)
            .map_err(|error| failed("cannot listen", error))?;
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = {
            let (server, connections) = (server.clone(), ReceiverStream::new(connections));
            tokio::spawn(async move {
                let stopped = async {
                    let _ = stopped.await;
                };
                serve::serve(&server, connections, stopped).await
            })
        };
        log.info(&format!(
            "buildx {} listens on {}",
            env!("CARGO_PKG_VERSION"),
            paths.socket().display()
        ));
        ready();

        let reason = loop {
            let patience = match door.is_lost() {
                true => Some(Duration::ZERO),
                false => config.idle_timeout,
            };
            tokio::select! {
                reason = life.ended() => break reason,
                _ = terminate.recv() => break "it was told to end (SIGTERM)".to_owned(),
                _ = interrupt.recv() => break "it was interrupted".to_owned(),
                () = idle::over(patience, &life, server.usage()) => {
                    break "nobody needed it any more".to_owned();
                }
                () = door.keep() => {}
            }
        };
        // For calls that ask whether the server takes new builds.
        life.end(&reason);
        log.info(&format!("leaving: {reason}"));
        door.close().await;
        let leave = async {
            if timeout(LEAVE, server.leave(&reason)).await.is_err() {
                log.warn("not everything has ended in time");
            }
            let _ = stop.send(());
            let _ = timeout(CLOSE, serving).await;
        };
        tokio::select! {
            () = leave => log.info("left"),
            _ = terminate.recv() => log.warn("left at once, on a second signal"),
            _ = interrupt.recv() => log.warn("left at once, on a second signal"),
        }
        Ok(())
    }
}
