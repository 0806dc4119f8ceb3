//! The runtime of commands that have a terminal or pipes.

use std::process::ExitCode;

use tokio::runtime::Runtime;

/// Threads of a command that may do the server's work by itself: the connection is served beside the printer or the
/// terminal.
pub(super) const THREADS: usize = 2;

/// Exit code after a panic, as that of Rust's own.
const PANICKED: u8 = 101;

/// Does `work` with so many threads beside the main one, and gives its exit code.
pub(super) fn run(threads: usize, work: impl Future<Output = ExitCode>) -> ExitCode {
    with(threads, |runtime| runtime.block_on(work))
}

/// Does `work` on one thread together with all that serves its connection, and gives its exit code: nothing has to be
/// handed to another thread for each key and each piece of output. What blocks has to say so
/// (`tokio::task::block_in_place`); everything else goes on then, on another thread.
pub(super) fn on_one_thread(work: impl Future<Output = ExitCode> + Send + 'static) -> ExitCode {
    with(1, |runtime| {
        let code = runtime.block_on(runtime.spawn(work));
        // The panic has been told where it happened.
        code.unwrap_or(ExitCode::from(PANICKED))
    })
}

fn with(threads: usize, work: impl FnOnce(&Runtime) -> ExitCode) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
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
