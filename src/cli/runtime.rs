//! The runtime of commands that have a terminal or pipes.

use std::process::ExitCode;

/// Threads of a command that may do the server's work by itself: the connection is served beside the printer or the
/// terminal.
pub(super) const THREADS: usize = 2;

/// Does `work` with so many threads beside the main one, and gives its exit code.
pub(super) fn run(threads: usize, work: impl Future<Output = ExitCode>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return super::fail(&format!("cannot start: {error}")),
    };
    let code = runtime.block_on(work);
    // A thread that waits for a terminal or a pipe must not hold the exit up.
    runtime.shutdown_background();
    code
}
