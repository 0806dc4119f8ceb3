//! The command line: clap types, one file per command, and every mistake in one line.

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{ArgAction, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::build::flags::{BuildArgs, Which};
use crate::builder::find::EMBEDDED;
use crate::paths::Env;
use crate::term::escape;

pub mod build;
pub mod choice;
pub mod debug;
pub mod generated;
mod mistake;
mod runtime;
pub mod server;
mod stdout;
pub mod stop;
pub mod version;
pub mod words;

/// Builds, and the debugger for builds, on a real BuildKit.
#[derive(Debug, Parser)]
#[command(
    name = "buildx",
    bin_name = "buildx",
    disable_help_subcommand = true,
    disable_help_flag = true,
    subcommand_required = false,
    args_override_self = true,
    after_help = "Run 'buildx COMMAND --help' for more about a command."
)]
pub struct Cli {
    /// What is true for every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do; help without one.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Flags of every command.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Global {
    /// Which builder, and how much to say.
    #[command(flatten)]
    pub which: Which,
    /// Print help.
    // One table for both spellings: clap's long form puts every explanation on lines of its own.
    #[arg(short, long, global = true, action = ArgAction::HelpShort, help_heading = "Global options")]
    help: Option<bool>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build an image or files from a Dockerfile.
    #[command(visible_alias = "b")]
    Build(Box<BuildCommand>),
    /// Debug builds: a shell in the step that fails, and the monitor.
    Debug(Box<debug::DebugCommand>),
    /// Stop the engine of a builder that buildx runs by itself.
    Stop {
        /// The builder (default: --builder, else embedded).
        name: Option<String>,
    },
    /// See and end the server that runs builds in the background.
    Server(server::ServerArgs),
    /// Print the completions of a shell; put them where it looks for them.
    Completion {
        /// bash, zsh or fish.
        #[arg(value_enum, hide_possible_values = true)]
        shell: generated::Shell,
    },
    /// Write man pages into a directory.
    #[command(hide = true)]
    Man {
        /// The directory; it is made.
        directory: std::path::PathBuf,
    },
    /// Print the version of this program.
    Version,
}

/// `buildx build`.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "buildx build [OPTIONS] PATH | URL | -",
    after_help = crate::build::flags::EXAMPLES,
)]
pub struct BuildCommand {
    /// The build.
    #[command(flatten)]
    pub build: BuildArgs,
    /// How it is handed to a server.
    #[command(flatten)]
    pub manner: build::Manner,
}

/// The whole program, apart from the process: reads the arguments and the environment of the
/// process, runs the command, and says how it ended. Nothing is started that the command does not
/// need.
pub fn main() -> ExitCode {
    run(std::env::args_os())
}

fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match parse(args) {
        Parsed::Run(cli, words) => match cli.command {
            Some(Command::Build(args)) => build::run(args.build, args.manner, cli.global, words),
            Some(Command::Debug(args)) => debug::run(*args, cli.global, words),
            Some(Command::Stop { name }) => stop(name.or(cli.global.which.builder)),
            Some(Command::Server(args)) => match args.command {
                Some(command) => server::run(&args.place, command),
                None => print(&help_of("server")),
            },
            Some(Command::Completion { shell }) => {
                or_fail(stdout::write(&generated::completion(shell)))
            }
            Some(Command::Man { directory }) => match generated::man(&directory) {
                Ok(_) => ExitCode::SUCCESS,
                Err(error) => fail(&format!("cannot write {}: {error}", directory.display())),
            },
            Some(Command::Version) => print(&version::line()),
            None => print(&Cli::command().render_help().ansi().to_string()),
        },
        Parsed::Help(text) => print(&text),
        Parsed::Mistake(line) => fail(&line),
    }
}

fn help_of(command: &str) -> String {
    let mut root = Cli::command();
    root.build();
    root.find_subcommand_mut(command)
        .map_or_else(String::new, |command| {
            command.render_help().ansi().to_string()
        })
}

fn stop(name: Option<String>) -> ExitCode {
    let name = name.unwrap_or_else(|| EMBEDDED.to_owned());
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("cannot start: {error}")),
    };
    runtime
        .block_on(stop::run(&name, &Env::from_process()))
        .unwrap_or_else(|error| fail(&format!("{error:#}")))
}

/// One line on standard error, and exit code 1. It may quote what the user, a file or an engine said.
pub(crate) fn fail(line: &str) -> ExitCode {
    let line = escape::text(line.as_bytes());
    let _ = writeln!(std::io::stderr(), "ERROR: {line}");
    ExitCode::from(1)
}

fn or_fail(outcome: Result<(), String>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(line) => fail(&line),
    }
}

/// Help and the like on standard output. Styles are for terminals only.
fn print(text: &str) -> ExitCode {
    let plain;
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let text = if std::io::stdout().is_terminal() && !no_color {
        text
    } else {
        plain = without_styles(text);
        &plain
    };
    or_fail(stdout::write(text.as_bytes()))
}

/// Takes the SGR sequences out of clap's text.
fn without_styles(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        plain.push_str(before);
        rest = after.split_once('m').map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    plain
}

#[derive(Debug)]
enum Parsed {
    /// The command, and for a build the words that it is asked for with.
    Run(Box<Cli>, Vec<String>),
    Help(String),
    Mistake(String),
}

fn parse(args: impl IntoIterator<Item = OsString>) -> Parsed {
    let args: Vec<OsString> = args.into_iter().collect();
    let root = Cli::command();
    let parsed = root
        .clone()
        .try_get_matches_from(&args)
        .and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, words::of(&root, &matches))));
    match parsed {
        Ok((cli, words)) => Parsed::Run(Box::new(cli), words),
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                Parsed::Help(error.render().ansi().to_string())
            }
            _ => Parsed::Mistake(mistake::one_line(&error, &args)),
        },
    }
}

#[cfg(test)]
mod tests;
