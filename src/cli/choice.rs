//! Flags that say which server a command talks to.

use std::path::PathBuf;
use std::time::Duration;

use crate::client::{self, Client};
use crate::paths::Env;

/// Which server.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ServerArgs {
    /// Whether to use the background server: on, off (do everything in this process), or auto: off when
    /// CI is set and no server runs (default: $BUILDX_SERVER, else auto).
    #[arg(long, value_name = "WHEN")]
    pub server: Option<String>,
    /// Directory of the server's socket, log and sessions.
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Configuration of a server that is launched (default: ~/.config/buildx/config.toml).
    #[arg(long, value_name = "FILE")]
    pub server_config: Option<PathBuf>,
}

/// A span of time in words, such as `90s` or `2h`.
///
/// # Errors
/// It is none; what one looks like.
pub fn span(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    humantime::parse_duration(text).map_err(|_| "expected a time such as 90s, 10m or 2h".to_owned())
}

impl ServerArgs {
    /// The server that was chosen, connected; a launch is told to `tell`.
    ///
    /// # Errors
    /// One line.
    pub async fn connect(
        &self,
        _env: &Env,
        _tell: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Client, String> {
        client::in_process_server().await
    }
}
