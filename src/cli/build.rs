//! `buildx build`.

use std::process::ExitCode;

use super::Global;
use crate::build::flags::{self, BuildArgs};
use crate::paths::Env;

/// Runs the command.
pub fn run(args: BuildArgs, global: Global) -> ExitCode {
    match flags::options(args, global.which) {
        Ok(options) => crate::build::run::run(options, &Env::from_process()),
        Err(error) => super::fail(&error.to_string()),
    }
}
