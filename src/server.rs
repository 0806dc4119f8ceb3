//! The server: one per user, owner of builds, sessions and the processes in them.
//!
//! [`service`] translates calls; everything that it does is a method of [`Server`]. The same server
//! runs in the process of a client that wants none in the background.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use crate::proto::controller::InfoResponse;

pub mod journal;
pub mod place;
pub mod process;
pub mod service;
pub mod state;

/// Version of the contract in `proto/controller.proto`.
pub const PROTOCOL: u32 = 1;

/// How a server is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Directory of the sessions' records; made with mode 0700.
    pub sessions: PathBuf,
    /// Directory of the socket and the log, for [`Server::info`]; empty in a client's process.
    pub root: PathBuf,
    /// File with what the server says; empty in a client's process.
    pub log: PathBuf,
    /// Most bytes of finished sessions' traces.
    pub disk_budget: u64,
    /// How long the state of a build is kept when a request does not say it.
    pub keep: Duration,
    /// Lines of scrollback that each process keeps.
    pub scrollback: usize,
    /// Whether the server runs inside its only client.
    pub in_process: bool,
}

/// What keeps a server from ending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Builds that run.
    pub builds: usize,
    /// Processes that run.
    pub processes: usize,
    /// Builds whose state is kept open on an engine.
    pub kept: usize,
    /// Calls of clients that are open: watches, traces, attached terminals.
    pub streams: usize,
}

/// The sessions and everything that they own.
#[derive(Debug)]
pub struct Server {
    settings: Settings,
    started: SystemTime,
    usage: watch::Sender<Usage>,
}

impl Server {
    /// A server with the sessions that `settings.sessions` holds.
    ///
    /// # Errors
    /// The directory cannot be made or read, or is not only this user's.
    pub fn new(settings: Settings) -> std::io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            settings,
            started: SystemTime::now(),
            usage: watch::Sender::new(Usage::default()),
        }))
    }

    /// Who the server is, for clients.
    pub fn info(&self) -> InfoResponse {
        let since = self.started.duration_since(SystemTime::UNIX_EPOCH);
        InfoResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol: PROTOCOL,
            pid: std::process::id(),
            started: since.map_or(0, |since| {
                i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
            }),
            disk_budget: self.settings.disk_budget,
            root: self.settings.root.display().to_string(),
            log: self.settings.log.display().to_string(),
            in_process: self.settings.in_process,
            ..InfoResponse::default()
        }
    }

    /// What the server does right now; changes are seen at once.
    pub fn usage(&self) -> watch::Receiver<Usage> {
        self.usage.subscribe()
    }

    /// Tells every client `reason`, ends builds and processes, and releases what is kept. Returns
    /// when the engines have been told.
    pub async fn leave(&self, _reason: &str) {}
}
