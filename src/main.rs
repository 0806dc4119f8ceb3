//! The `buildx` program: arguments → command → exit code.

use std::process::ExitCode;

use buildx::cli;
use buildx::engine::embedded;
use buildx::server::life::process;

fn main() -> ExitCode {
    if let Some(code) = embedded::intercept(std::env::args_os()) {
        return code;
    }
    if let Some(code) = process::intercept(std::env::args_os()) {
        return code;
    }
    cli::main()
}
