//! `buildx stop`: stops the engine of a builder that buildx itself runs.

use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::builder::find::{self, EMBEDDED};
use crate::engine::embedded;
use crate::paths::{Env, Paths};

/// Stops the engine of the builder `name` and says so on stdout.
///
/// # Errors
/// The builder is unknown, not run by buildx, or does not stop.
pub async fn run(name: &str, env: &Env) -> anyhow::Result<ExitCode> {
    let stopped = if name == EMBEDDED {
        embedded::stop(&Paths::new(env).embedded)
            .await
            .context("embedded engine")?
    } else {
        match find::stop(name, env).await? {
            Some(stopped) => stopped,
            None => bail!("builder {name:?} is not run by buildx, so there is nothing to stop"),
        }
    };
    let line = match stopped {
        true => format!("stopped {name}\n"),
        false => format!("{name} was not running\n"),
    };
    super::stdout::write(line.as_bytes()).map_err(anyhow::Error::msg)?;
    Ok(ExitCode::SUCCESS)
}
