//! The start of a server, by one client at a time.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::time::timeout;

use super::probe::probe;
use super::{Client, ConnectError, Options};
use crate::paths::lock;
use crate::server::life::order::{Answer, LONGEST, Order, SERVER};

/// How long a server may take to listen. Most of it is for an old one to end.
const START: Duration = Duration::from_secs(10);

/// How long others may be starting one: their attempt, and ours after it.
const TURN: Duration = Duration::from_secs(30);

/// Starts the server, unless another client has done so meanwhile, and greets it.
///
/// # Errors
/// [`ConnectError`]
pub async fn launch(
    options: &Options,
    tell: &mut (dyn FnMut(&str) + Send),
) -> Result<Client, ConnectError> {
    let paths = &options.paths;
    let failed = |reason: String| ConnectError::Launch {
        reason,
        log: options.log(),
    };
    tell("no buildx server found; launching...");
    paths.prepare()?;
    let start_lock = lock::awaited(paths.start_lock(), TURN)
        .await
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::TimedOut => ConnectError::Busy(TURN),
            _ => failed(format!("{}: {error}", paths.start_lock().display())),
        })?;
    match probe(&paths.socket(), paths).await {
        Err(ConnectError::Absent { .. }) => {}
        other => return other,
    }
    let socket = match start(options).await.map_err(&failed)? {
        Answer::Ready => paths.socket(),
        Answer::Elsewhere { socket } => socket,
        Answer::Failed { reason } => return Err(failed(reason)),
    };
    let client = probe(&socket, paths).await;
    drop(start_lock);
    match client {
        Err(ConnectError::Absent { .. }) => Err(failed("it ended at once".into())),
        other => other,
    }
}

/// The error is one line.
async fn start(options: &Options) -> Result<Answer, String> {
    let order = Order {
        paths: options.paths.clone(),
        config: options.config.clone(),
    };
    let order = serde_json::to_string(&order).map_err(|error| error.to_string())?;
    let mut command = std::process::Command::new(&options.program);
    command
        .arg0("buildx")
        .args([SERVER, &order])
        .env_clear()
        .envs(
            options
                .environment
                .iter()
                .map(|(name, value)| (name, value)),
        )
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = Command::from(command)
        .spawn()
        .map_err(|error| format!("{}: {error}", options.program.display()))?;
    let mut said = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        // It closes its end when it listens, or with its life.
        match timeout(START, stdout.take(LONGEST).read_to_end(&mut said)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => {
                let _ = child.start_kill();
                return Err(format!("it was not ready within {} s", START.as_secs()));
            }
        }
    }
    serde_json::from_slice(&said).map_err(|_| "it died at once".to_owned())
}

impl Options {
    /// The log of a server that is started with these options.
    pub fn log(&self) -> PathBuf {
        let named = self.config.log_file.clone();
        named.unwrap_or_else(|| self.paths.log())
    }
}
