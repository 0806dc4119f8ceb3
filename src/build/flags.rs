//! The flags of `buildx build`, and from their text to [`BuildOptions`].
//!
//! A request to the server carries these words too, so they are read in one way on both sides.

use clap::Parser;

use super::options::{BuildOptions, Invalid};

mod args;
mod hidden;
mod read;
pub mod words;

pub use args::{BuildArgs, EXAMPLES, Which, truth};
pub use hidden::HiddenArgs;
pub use read::options;

/// What a request carries: every flag in one list.
#[derive(Debug, Parser)]
#[command(name = "build", args_override_self = true, disable_help_flag = true)]
struct Words {
    #[command(flatten)]
    global: Which,
    #[command(flatten)]
    args: BuildArgs,
}

/// Reads the words of a request: the flags and the context, without the name of the command.
///
/// # Errors
/// The first word that cannot be meant. A client checks its words before it sends them, so this is
/// a flag that only the newer side knows.
pub fn parse(words: &[String]) -> Result<BuildOptions, Invalid> {
    let words = std::iter::once("build").chain(words.iter().map(String::as_str));
    let words = Words::try_parse_from(words).map_err(|error| invalid(&error))?;
    options(words.args, words.global)
}

/// The first line of clap's mistake.
fn invalid(error: &clap::Error) -> Invalid {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    Invalid(line.trim_start_matches("error: ").to_owned())
}

#[cfg(test)]
mod tests;
