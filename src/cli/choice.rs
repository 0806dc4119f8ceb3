//! Flags that say which server a command talks to.

use std::path::PathBuf;
use std::time::Duration;

use crate::client::choice::{ServerChoice, Use};
use crate::client::{self, Client, ConnectError, Options};
use crate::paths::Env;

/// Which server.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct WhichServer {
    /// Whether to use the background server: on, off (do everything in this process), or auto: off
    /// when CI is set and no server runs (default: $BUILDX_SERVER, else auto).
    #[arg(long, value_name = "WHEN", help_heading = "Server options")]
    pub server: Option<ServerChoice>,
    /// Directory of the server's socket, log and sessions, instead of the usual ones.
    #[arg(long, value_name = "DIR", help_heading = "Server options")]
    pub root: Option<PathBuf>,
    /// Configuration of a server that is launched (default: ~/.config/buildx/config.toml).
    #[arg(long, value_name = "FILE", help_heading = "Server options")]
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

impl WhichServer {
    /// The server that was chosen, connected; a launch is told to `tell`.
    ///
    /// # Errors
    /// One line.
    pub async fn connect(
        &self,
        env: &Env,
        tell: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Client, String> {
        let choice = ServerChoice::new(self.server, env).map_err(|error| error.to_string())?;
        let options = Options::new(env, self.root.as_deref(), self.server_config.as_deref());
        let mut options = options.map_err(|error| error.to_string())?;
        let wanted = choice.means(env);
        options.launch = wanted == Use::Launch;
        if wanted != Use::Never {
            match client::connect(&options, tell).await {
                Err(ConnectError::Absent { .. }) if !options.launch => {}
                answer => return answer.map_err(|error| error.to_string()),
            }
        }
        let alone = client::alone(&options.config).await;
        alone.map_err(|error| error.to_string())
    }
}
