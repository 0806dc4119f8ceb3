//! What the client that starts the supervisor decides for it: directories, times, the program.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{EmbeddedError, IDLE, Program, START};
use crate::paths::private::{self, Refused};
use crate::paths::server::SUN_PATH;
use crate::paths::{EmbeddedPaths, Env};

/// Everything the supervisor needs to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) state: PathBuf,
    pub(super) run: PathBuf,
    pub(super) idle: Duration,
    pub(super) start: Duration,
    pub(super) program: Program,
    #[serde(skip)]
    pub(super) env: Vec<(String, OsString)>,
}

impl Order {
    pub(super) fn new(paths: &EmbeddedPaths, env: &Env) -> Result<Self, EmbeddedError> {
        let program = Program::find(env).ok_or(EmbeddedError::NoProgram)?;
        if !rustix::process::geteuid().is_root() {
            return Err(EmbeddedError::NotRoot(program.name()));
        }
        Ok(Self {
            state: paths.state.clone(),
            run: paths.run.clone(),
            idle: duration(env, "BUILDX_EMBEDDED_IDLE", IDLE)?,
            start: duration(env, "BUILDX_EMBEDDED_START", START)?,
            env: program.environment(env),
            program,
        })
    }

    pub(super) fn paths(&self) -> EmbeddedPaths {
        EmbeddedPaths {
            state: self.state.clone(),
            run: self.run.clone(),
        }
    }

    pub(super) fn prepare(&self) -> Result<(), EmbeddedError> {
        let paths = self.paths();
        private_dir(&paths.state)?;
        private_dir(&paths.run)?;
        let longest = self.program.longest_socket(&paths);
        if longest.as_os_str().len() > SUN_PATH {
            return Err(EmbeddedError::Directory {
                path: longest,
                reason: format!(
                    "a socket's path may have {SUN_PATH} bytes: set BUILDX_EMBEDDED to a shorter directory"
                ),
            });
        }
        Ok(())
    }
}

fn duration(env: &Env, name: &'static str, default: Duration) -> Result<Duration, EmbeddedError> {
    match env.get(name) {
        None => Ok(default),
        Some(value) => humantime::parse_duration(value).map_err(|_| EmbeddedError::Duration {
            name,
            value: value.to_owned(),
        }),
    }
}

/// Makes a directory that only we can enter, or checks that it is one.
fn private_dir(dir: &Path) -> Result<(), EmbeddedError> {
    private::make(dir).map_err(|refused| {
        let reason = match refused {
            Refused::Io { error, .. } => error.to_string(),
            Refused::Unsafe { why, remedy, .. } => format!("{why}: {remedy}"),
        };
        EmbeddedError::Directory {
            path: dir.to_owned(),
            reason,
        }
    })
}
