//! The client's way to the server: found by talking to it, started when there is none, greeted, or run
//! in this very process.
//!
//! ```text
//! probe: check the path, connect, check the peer, Info with a deadline
//!   ├─ answers ──────────────────────────────────────────▶ Client
//!   ├─ nothing there, or nobody behind it ─▶ start.lock ─▶ probe ─▶ start ─▶ probe ─▶ Client
//!   └─ not ours, silent, another protocol ───────────────▶ ConnectError, which says what helps
//! ```
//!
//! A connection that is lost stays lost: whoever wants to go on calls [`connect`] again.
//!
//! [`follow`] shows a build as the server tells it; [`caller`] collects what belongs to the user who
//! asks; [`pipes`] carries standard input and output of a build; [`status`] puts refusals into words.
//!
//! Versions are negotiated, not compared: both sides use what both know ([`Client::knows`]), and an older
//! server costs one line of warning. It is never replaced on the way: only a person ends what runs in it
//! (`buildx server restart`), and one that is not needed leaves by itself.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tonic::transport::Channel;

use crate::config::{Config, ConfigError};
use crate::paths::Env;
use crate::paths::server::ServerPaths;
use crate::proto::controller::InfoResponse;
use crate::proto::controller::controller_client::ControllerClient;
use crate::server::Server;

pub mod caller;
pub mod choice;
mod error;
pub mod follow;
pub mod holder;
mod launch;
mod local;
pub mod logs;
pub mod pipes;
mod probe;
pub mod signals;
pub mod status;
mod version;

pub use error::ConnectError;
pub use local::{alone, in_process};

/// The typed handle on the server.
pub type Api = ControllerClient<Channel>;

/// Largest message in either direction, in bytes.
const MESSAGE: usize = 4 << 20;

/// Where the server is, and how one is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its places.
    pub paths: ServerPaths,
    /// What it is told when it is started.
    pub config: Config,
    /// Environment that a started server gets.
    pub environment: Vec<(&'static str, std::ffi::OsString)>,
    /// Whether one is started when there is none.
    pub launch: bool,
    /// The program that becomes the server.
    pub program: PathBuf,
}

impl Options {
    /// The options of a caller with this environment and the flags `--root` and `--server-config`.
    ///
    /// # Errors
    /// The configuration cannot be used.
    pub fn new(
        env: &Env,
        root: Option<&Path>,
        server_config: Option<&Path>,
    ) -> Result<Self, ConfigError> {
        let config = Config::load(env, server_config)?;
        let root = root.or(config.root.as_deref());
        let root = root.map(|root| std::path::absolute(root).unwrap_or_else(|_| root.to_owned()));
        Ok(Self {
            paths: ServerPaths::new(env, root.as_deref()),
            config,
            environment: crate::server::life::order::environment(env),
            launch: true,
            // Not the path: the program may have been replaced since it was started.
            program: "/proc/self/exe".into(),
        })
    }
}

/// A server that has answered.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its calls. Clones share the connection.
    pub api: Api,
    /// What it said of itself.
    pub info: InfoResponse,
    /// Set when it runs in this process.
    local: Option<Arc<Server>>,
    /// Its sessions, which go with it.
    _sessions: Option<Arc<tempfile::TempDir>>,
}

impl Client {
    fn new(channel: Channel, info: InfoResponse, local: Option<Arc<Server>>) -> Self {
        Self {
            api: calls(channel),
            info,
            local,
            _sessions: None,
        }
    }

    /// Whether the server says that it has this feature.
    pub fn knows(&self, feature: &str) -> bool {
        self.info.features.iter().any(|known| known == feature)
    }

    /// Ends a server that runs in this process; one in the background goes on.
    pub async fn close(self) {
        if let Some(server) = self.local {
            server.leave("the command has ended").await;
        }
    }
}

fn calls(channel: Channel) -> Api {
    ControllerClient::new(channel)
        .max_decoding_message_size(MESSAGE)
        .max_encoding_message_size(MESSAGE)
}

/// Connects to the server, and starts one when there is none and `options` allow it. `tell` gets a
/// line when that takes time, and the warning of an older server.
///
/// # Errors
/// [`ConnectError`]; `Absent` only when none may be started.
pub async fn connect(
    options: &Options,
    tell: &mut (dyn FnMut(&str) + Send),
) -> Result<Client, ConnectError> {
    let paths = &options.paths;
    paths.check_length()?;
    let mut found = probe::probe(&paths.socket(), paths).await;
    if let (Err(ConnectError::Absent { .. }), Some(socket)) = (&found, paths.elsewhere()) {
        found = match probe::probe(&socket, paths).await {
            Err(_) => found,
            other => other,
        };
    }
    let client = match found {
        Err(ConnectError::Absent { .. }) if options.launch => launch::launch(options, tell).await,
        other => other,
    }?;
    if let Some(warning) = version::warning(&client.info.version) {
        tell(&warning);
    }
    Ok(client)
}

/// The one who has the server's lock, whether it answers or not.
///
/// # Errors
/// `/proc` cannot be read. No lock file is no error.
pub fn holder(paths: &ServerPaths) -> io::Result<Option<holder::Process>> {
    match holder::of(&paths.life_lock())? {
        Some(found) => Ok(Some(found)),
        None => holder::of(&paths.sessions_lock()),
    }
}

#[cfg(test)]
mod tests;
