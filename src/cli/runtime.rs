//! The runtime of commands that have a terminal or pipes.

use std::process::ExitCode;

use tokio::runtime::Runtime;

/// Threads of a command: the connection is served beside the printer or the terminal.
const THREADS: usize = 2;

/// Exit code after a panic, as that of Rust's own.
const PANICKED: u8 = 101;

/// Does `work` with [`THREADS`] beside the main one, and gives its exit code.
pub(super) fn run(work: impl Future<Output = ExitCode>) -> ExitCode {
    with(|runtime| runtime.block_on(work))
}

/// Does `work` on the threads that serve its connection, and gives its exit code. What a key leads to stays on one of
/// them, from the terminal to the server and back, and is not handed to another one each time; a flood of output is read
/// on one while the other shows it. What blocks has to say so (`term::blocking`).
pub(super) fn together(work: impl Future<Output = ExitCode> + Send + 'static) -> ExitCode {
    with(|runtime| {
        let code = runtime.block_on(runtime.spawn(work));
        // The panic has been told where it happened.
        code.unwrap_or(ExitCode::from(PANICKED))
    })
}

fn with(work: impl FnOnce(&Runtime) -> ExitCode) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return super::fail(&format!("cannot start: {error}")),
    };
    let code = work(&runtime);
    // A thread that waits for a terminal or a pipe must not hold the exit up.
    runtime.shutdown_background();
    code
}
