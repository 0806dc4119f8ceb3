//! `buildx server`: the background server, for people.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};

use crate::client::{self, Options};
use crate::paths::Env;
use crate::server::life::process;

mod end;
mod logs;
mod status;

/// Flags of every `buildx server` command.
#[derive(Clone, Debug, Default, Args)]
pub struct Place {
    /// Directory of the server's socket, log and sessions, instead of the usual ones.
    #[arg(long, global = true, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Read this configuration file instead of ~/.config/buildx/config.toml.
    #[arg(long, global = true, value_name = "FILE")]
    pub server_config: Option<PathBuf>,
}

/// The arguments of `buildx server`.
#[derive(Debug, Args)]
pub struct ServerArgs {
    /// Where the server is.
    #[command(flatten)]
    pub place: Place,
    /// What to do with it.
    #[command(subcommand)]
    pub command: Option<ServerCommand>,
}

/// How a command prints what it knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs: one object.
    Json,
}

/// The commands of `buildx server`.
#[derive(Debug, Subcommand)]
pub enum ServerCommand {
    /// Show whether the server runs, and how it is. The exit code is 1 when it does not run.
    Status {
        /// table or json.
        #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
        format: Format,
    },
    /// Start the server if it does not run. The first command that needs it does this by itself.
    Start,
    /// End the server and everything in it, in order; a server that does not answer is killed.
    Stop,
    /// Wait until nothing runs in the server and nobody is connected, then replace it.
    Restart {
        /// Do not wait: end what runs, tell who is connected.
        #[arg(long, conflicts_with = "wait")]
        now: bool,
        /// Wait at most this long, such as 5m; then end what is left.
        #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
        wait: Option<std::time::Duration>,
    },
    /// Print what the server has said.
    Logs {
        /// Go on with what it says from now on.
        #[arg(short, long)]
        follow: bool,
        /// Only the last lines (default: all that is kept).
        #[arg(short = 'n', long, value_name = "NUMBER")]
        lines: Option<usize>,
    },
    /// Run the server in the foreground, with its log on standard error, until it is interrupted. It
    /// takes the socket of a service manager; see assets/buildx.socket.
    Run,
}

/// Runs the command.
pub fn run(place: &Place, command: ServerCommand) -> ExitCode {
    let env = Env::from_process();
    let options = match Options::new(&env, place.root.as_deref(), place.server_config.as_deref()) {
        Ok(options) => options,
        Err(error) => return super::fail(&error.to_string()),
    };
    match command {
        ServerCommand::Run => match process::foreground(options.paths, options.config, &env) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => super::fail(&error.to_string()),
        },
        ServerCommand::Logs { follow, lines } => or_fail(logs::run(&options.log(), follow, lines)),
        command => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            match runtime {
                Ok(runtime) => or_fail(runtime.block_on(talk(options, command))),
                Err(error) => super::fail(&format!("cannot start: {error}")),
            }
        }
    }
}

async fn talk(options: Options, command: ServerCommand) -> anyhow::Result<ExitCode> {
    match command {
        ServerCommand::Status { format } => status::run(options, format).await,
        ServerCommand::Start => start(&options).await,
        ServerCommand::Stop => end::stop(options).await,
        ServerCommand::Restart { now, wait } => end::restart(options, now, wait).await,
        // These two need no runtime of ours.
        ServerCommand::Logs { .. } | ServerCommand::Run => Ok(ExitCode::SUCCESS),
    }
}

async fn start(options: &Options) -> anyhow::Result<ExitCode> {
    let client = client::connect(options, &mut |line| note(line)).await?;
    say(&format!(
        "the buildx server runs: version {}, pid {}\n",
        crate::term::escape::line(&client.info.version),
        client.info.pid
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// The result of a command.
fn say(text: &str) -> anyhow::Result<()> {
    super::stdout::write(text.as_bytes()).map_err(anyhow::Error::msg)
}

/// A line beside the result. Where nobody can read it, the command goes on.
fn note(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn or_fail(outcome: anyhow::Result<ExitCode>) -> ExitCode {
    outcome.unwrap_or_else(|error| super::fail(&format!("{error:#}")))
}
