//! The builder `embedded`: a private engine that the first build starts and all later ones share.
//!
//! ```text
//! buildx build ──┐ control.sock: one connection per command, held for its life
//! buildx build ──┼──▶ supervisor ──▶ dockerd + containerd (or buildkitd)
//! buildx stop ───┘        │                 │
//!       │                 └── life.lock ────┘  (both hold it; it is the engine's standard input)
//!       └── engine.sock: the engine's own API
//! ```
//!
//! * A client looks for the engine by talking: the supervisor greets on `control.sock`, the engine
//!   answers on `engine.sock`. Process files prove nothing and are not read.
//! * The first client starts the supervisor (this program again, in a session of its own) while it
//!   holds `start.lock`; the others wait for the lock and find the engine running.
//! * The supervisor counts connections. With none for 30 minutes (`BUILDX_EMBEDDED_IDLE`), or when
//!   asked, it stops the engine and leaves. Nothing is polled: a client's end is the end of its
//!   connection, whatever it dies of.
//! * The kernel tells the engine when the supervisor dies, and the supervisor when the engine dies;
//!   each then ends. Whoever starts the next one waits for `life.lock`, and kills what holds on to
//!   it for too long. The holders are found by the open file, not by a remembered number.
//!
//! The engine sees a fixed environment: `PATH`, `HOME`, and of the first client's only the variables
//! that describe the machine's way to registries ([`NETWORK_VARIABLES`]).

mod control;
mod log;
mod mounts;
mod order;
mod program;
mod supervisor;

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use super::address::Transport;
use super::control::{Engine, Workers};
use crate::paths::{EmbeddedPaths, Env, holders, lock};

pub use control::Kind;
use control::{Control, GREETING, LINE, Phase};
pub(super) use log::visible;
use order::Order;
pub use program::{NETWORK_VARIABLES, Program};

/// First argument of this program when it is started as the supervisor. Not for people.
const SUPERVISE: &str = "embedded-supervise";
/// First argument of this program when it is about to become the engine. Not for people.
const EXEC: &str = "embedded-exec";

/// Runs the program as a part of the embedded engine when its arguments say so. The first thing that
/// `main` does, before it starts any thread.
pub fn intercept(mut args: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    args.next();
    match args.next()?.to_str()? {
        SUPERVISE => Some(supervisor::supervise(args)),
        EXEC => Some(supervisor::exec(args)),
        _ => None,
    }
}

/// How long the engine runs without a client.
const IDLE: Duration = Duration::from_secs(30 * 60);
/// How long the engine may take to start.
const START: Duration = Duration::from_secs(60);
/// How long an engine that is asked to stop may take, before it is killed.
const STOP: Duration = Duration::from_secs(20);

/// Why there is no embedded engine.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// Only root can run a private engine.
    #[error("needs root to start {0}")]
    NotRoot(&'static str),
    /// There is no program to run.
    #[error("neither buildkitd nor dockerd with containerd is installed")]
    NoProgram,
    /// A directory cannot be used.
    #[error("{}: {reason}", .path.display())]
    Directory {
        /// The directory, or the file in it.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A variable cannot be understood.
    #[error("{name}={value:?} is no duration: write 30m or 90s")]
    Duration {
        /// Name of the variable.
        name: &'static str,
        /// Its value.
        value: String,
    },
    /// Another command has been starting the engine for too long.
    #[error("another command has been starting it for {} s", .0.as_secs())]
    Busy(Duration),
    /// It was started, but does not answer, and others use it.
    #[error("it runs but does not answer, and {0} other commands use it")]
    Hung(usize),
    /// It was started and failed.
    #[error("{reason}{}", said(.log))]
    Failed {
        /// What happened.
        reason: String,
        /// Its last lines.
        log: Vec<String>,
    },
    /// It was asked to stop and did not.
    #[error("it did not stop within {} s", .0.as_secs())]
    Unstoppable(Duration),
}

fn said(log: &[String]) -> String {
    if log.is_empty() {
        return String::new();
    }
    format!("; its last lines:\n    {}", log.join("\n    "))
}

impl EmbeddedError {
    /// What helps, as a command or in words.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            EmbeddedError::NotRoot(_) => {
                "use sudo, or a rootless docker: dockerd-rootless-setuptool.sh install".into()
            }
            EmbeddedError::NoProgram => "sudo apt-get install docker.io".into(),
            EmbeddedError::Hung(_) => "buildx stop embedded".into(),
            _ => return None,
        })
    }
}

/// Keeps the embedded engine running as long as it is held.
#[derive(Debug)]
pub struct Lease {
    transport: Transport,
    _control: Control,
}

impl Lease {
    /// How the engine is reached.
    pub fn transport(&self) -> &Transport {
        &self.transport
    }
}

/// The embedded engine, connected.
#[derive(Debug)]
pub struct Started {
    /// The connection.
    pub engine: Engine,
    /// What its workers answered.
    pub workers: Workers,
    /// Keeps it running.
    pub lease: Lease,
}

/// Connects to the embedded engine, and starts it when it does not run. `tell` gets a line when that
/// takes time.
///
/// # Errors
/// [`EmbeddedError`], at the latest when the start's deadline (one minute) has passed.
pub async fn ensure_started(
    paths: &EmbeddedPaths,
    env: &Env,
    tell: &mut (dyn FnMut(&str) + Send),
) -> Result<Started, EmbeddedError> {
    if let Some(started) = join_earlier(paths).await? {
        return Ok(started);
    }
    let order = Order::new(paths, env)?;
    order.prepare()?;
    tell(&format!(
        "starting the embedded engine ({}; log: {})",
        order.program.name(),
        paths.log().display()
    ));
    let deadline = order.start + STOP + STOP + GREETING;
    let lock = take_lock(paths.start_lock(), deadline).await?;
    if let Some(started) = join_earlier(paths).await? {
        return Ok(started);
    }
    launch(&order).await?;
    let started = join(paths).await?;
    drop(lock);
    started.ok_or_else(|| EmbeddedError::Failed {
        reason: "it ended at once".into(),
        log: Vec::new(),
    })
}

/// Stops the embedded engine and waits until nothing of it runs. `false`: it did not run.
///
/// # Errors
/// [`EmbeddedError`]
pub async fn stop(paths: &EmbeddedPaths) -> Result<bool, EmbeddedError> {
    if !paths.state.is_dir() {
        return Ok(false);
    }
    let start_lock = take_lock(paths.start_lock(), START + STOP + STOP).await?;
    if let Some(mut control) = Control::connect(paths).await {
        control.ask_to_stop().await;
    }
    let life = paths.life_lock();
    let stopped = tokio::task::spawn_blocking(move || holders::take_over(&life, STOP))
        .await
        .map_err(io::Error::other)
        .and_then(|result| result);
    drop(start_lock);
    match stopped {
        Ok(taken) => Ok(taken.waited),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => {
            Err(EmbeddedError::Unstoppable(STOP))
        }
        Err(error) => Err(EmbeddedError::Directory {
            path: paths.life_lock(),
            reason: error.to_string(),
        }),
    }
}

async fn take_lock(path: PathBuf, wait: Duration) -> Result<fs::File, EmbeddedError> {
    match lock::awaited(path.clone(), wait).await {
        Ok(lock) => Ok(lock),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Err(EmbeddedError::Busy(wait)),
        Err(error) => Err(EmbeddedError::Directory {
            path,
            reason: error.to_string(),
        }),
    }
}

/// [`join`] for an engine that somebody else started: one that has just failed is replaced.
async fn join_earlier(paths: &EmbeddedPaths) -> Result<Option<Started>, EmbeddedError> {
    match join(paths).await {
        Err(EmbeddedError::Failed { .. }) => Ok(None),
        joined => joined,
    }
}

/// Connects to a running engine. `None`: there is none, or it is no good and may be replaced.
async fn join(paths: &EmbeddedPaths) -> Result<Option<Started>, EmbeddedError> {
    let Some(mut control) = Control::connect(paths).await else {
        return Ok(None);
    };
    let (kind, others) = match control.ready().await {
        Some(Phase::Ready { kind, others }) => (kind, others),
        Some(Phase::Failed { reason, log }) => return Err(EmbeddedError::Failed { reason, log }),
        _ => return Ok(None),
    };
    let transport = kind.transport(paths);
    match Engine::connect(&transport).await {
        Ok((engine, workers)) => Ok(Some(Started {
            engine,
            workers,
            lease: Lease {
                transport,
                _control: control,
            },
        })),
        // Somebody's build may be running in there.
        Err(_) if others > 0 => Err(EmbeddedError::Hung(others)),
        Err(_) => {
            control.ask_to_stop().await;
            Ok(None)
        }
    }
}

/// Starts the supervisor; returns when the engine answers.
async fn launch(order: &Order) -> Result<(), EmbeddedError> {
    let failed = |reason: String| EmbeddedError::Failed {
        reason,
        log: Vec::new(),
    };
    let argument = serde_json::to_string(order).map_err(|error| failed(error.to_string()))?;
    // Not the path: the program may have been replaced since it was started.
    let mut command = std::process::Command::new("/proc/self/exe");
    command
        .arg0("buildx")
        .args([SUPERVISE, &argument])
        .env_clear()
        .envs(order.env.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = tokio::process::Command::from(command)
        .spawn()
        .map_err(|error| failed(format!("cannot start its supervisor: {error}")))?;
    let mut said = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        // It may have to wait for an old engine to end, and then for its own to start.
        timeout(
            STOP + STOP + order.start,
            stdout.take(LINE).read_to_end(&mut said),
        )
        .await
        .map_err(|_| failed("its supervisor hangs".into()))?
        .map_err(|error| failed(error.to_string()))?;
    }
    match serde_json::from_slice(&said) {
        Ok(Phase::Failed { reason, log }) => Err(EmbeddedError::Failed { reason, log }),
        Ok(_) => Ok(()),
        Err(_) => Err(failed("its supervisor died".into())),
    }
}
