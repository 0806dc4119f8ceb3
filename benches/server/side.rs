//! What ours and the peer have in common.

use std::path::Path;

use anyhow::Result;

use crate::terminal::Terminal;

/// One of the two programs, with a server of its own.
pub trait Side {
    /// Its name in the results.
    fn name(&self) -> &'static str;

    /// Starts a build of `context` in a terminal, which opens a shell in the step that fails.
    fn debug(&self, context: &Path) -> Result<Terminal>;

    /// Starts the client of a build through the server, which prints its log to nowhere.
    fn build(&self, context: &Path) -> Result<std::process::Child>;

    /// Ends the server in order, and everything in it.
    fn stop(&self) -> Result<()>;
}
