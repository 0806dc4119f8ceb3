//! `buildx debug`: the debugger. With `build` it builds and opens the monitor, alone it opens the
//! monitor, and its other commands do one thing each, for scripts.

use std::process::ExitCode;

use clap::{ArgMatches, Args, Command, FromArgMatches, Subcommand};

use super::Global;
use super::choice::WhichServer;
use super::runtime;
use super::server::Format;
use crate::build::flags::BuildArgs;
use crate::client::Client;
use crate::monitor::table::{self, Word};
use crate::paths::Env;

mod build;
mod exec;
mod flags;
mod json;
mod prune;
mod screen;
mod verbs;

use flags::or;
pub use flags::{Color, Flags, Ui};

const EXAMPLES: &str = "\
Examples:
  buildx debug build .                          build; a shell in the step that fails
  buildx debug --invoke /bin/sh build .         a shell after a success as well
  buildx debug                                  the monitor, without a build
  buildx debug ls                               every session
  buildx debug attach ID                        take up a session or a process
  buildx debug exec ID cat /etc/passwd          run a program in a session

The flags of the debugger and of the build may stand on both sides of 'build'.";

/// `buildx debug`.
#[derive(Debug, Args)]
#[command(
    override_usage = "buildx debug [OPTIONS] [build [OPTIONS] PATH | URL | -]\n       buildx debug [OPTIONS] COMMAND",
    after_help = EXAMPLES,
)]
pub struct DebugCommand {
    /// Flags of the debugger.
    #[command(flatten)]
    pub flags: Flags,
    /// Flags of the build that stand before its word.
    #[command(flatten)]
    pub before: Before,
    /// What to do; the monitor without one.
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// Every flag of a build, for the place before `build`. What is given there is found in the words of
/// the build.
#[derive(Clone, Debug, Default)]
pub struct Before;

impl Args for Before {
    fn augment_args(command: Command) -> Command {
        let build = BuildArgs::augment_args(Command::new(""));
        let flags = build.get_arguments().filter(|arg| !arg.is_positional());
        flags.fold(command, |command, arg| {
            let shown = arg.get_id() == "progress";
            command.arg(arg.clone().hide(!shown))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Before {
    fn from_arg_matches(_: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self)
    }

    fn update_from_arg_matches(&mut self, _: &ArgMatches) -> Result<(), clap::Error> {
        Ok(())
    }
}

/// The flag of commands that list something.
#[derive(Clone, Debug, Default, Args)]
pub struct Listing {
    /// table or json.
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        default_value_t,
        hide_possible_values = true
    )]
    pub format: Format,
    /// Which server.
    #[command(flatten)]
    pub server: WhichServer,
}

/// One session, and which server has it.
#[derive(Clone, Debug, Default, Args)]
pub struct Target {
    /// Id, the beginning of one, or a name.
    #[arg(value_name = "SESSION")]
    pub session: String,
    /// Which server.
    #[command(flatten)]
    pub server: WhichServer,
}

/// What the monitor's command does, as a sentence like the others.
fn about(word: Word) -> String {
    let about = table::spec(word).map_or("", |spec| spec.about);
    let mut letters = about.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// The commands of `buildx debug`.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Build, and open the monitor when a step fails.
    #[command(
        visible_alias = "b",
        override_usage = "buildx debug [OPTIONS] build [OPTIONS] PATH | URL | -",
        after_help = EXAMPLES,
    )]
    Build {
        /// The build.
        #[command(flatten)]
        build: Box<BuildArgs>,
        /// The debugger.
        #[command(flatten)]
        flags: Box<Flags>,
    },
    /// List the sessions.
    #[command(visible_alias = "list", about = about(Word::List))]
    Ls(Listing),
    /// Take up a session or a process.
    #[command(about = about(Word::Attach))]
    Attach {
        /// Session or process: id, the beginning of one, or a session's name.
        id: String,
        /// Look on: the keyboard is not passed on.
        #[arg(long)]
        read_only: bool,
        /// The monitor's prefix key (default: ctrl-a).
        #[arg(long, value_name = "KEY")]
        prefix: Option<String>,
        /// Which server.
        #[command(flatten)]
        server: WhichServer,
    },
    /// Run a program in a session; its exit code is passed on.
    Exec(exec::ExecArgs),
    /// Print the log of a session's build, or of the steps that match.
    #[command(about = about(Word::Logs))]
    Logs {
        /// Id, the beginning of one, or a name.
        session: String,
        /// Number of a step, or a part of its name.
        step: Option<String>,
        /// Go on with what is still to come.
        #[arg(short, long)]
        follow: bool,
        /// table (as a build prints it) or json (as with --progress=rawjson).
        #[arg(
            long,
            value_enum,
            value_name = "FORMAT",
            default_value_t,
            hide_possible_values = true
        )]
        format: Format,
        /// Which server.
        #[command(flatten)]
        server: WhichServer,
    },
    /// Show everything about a session.
    #[command(about = about(Word::Inspect))]
    Inspect {
        /// Id, the beginning of one, or a name.
        session: String,
        /// The output.
        #[command(flatten)]
        listing: Listing,
    },
    /// Wait for the end of a session's build; its exit code is passed on.
    Wait(Target),
    /// Build again with the same options, and show it.
    Reload {
        /// The session.
        #[command(flatten)]
        target: Target,
        /// How to show progress: auto, plain, tty, rawjson, quiet or none.
        #[arg(long, value_name = "MODE")]
        progress: Option<String>,
    },
    /// End a session, or a process.
    #[command(about = about(Word::Disconnect))]
    Disconnect {
        /// Session or process: id, the beginning of one, or a session's name.
        id: String,
        /// Even when others use it.
        #[arg(long)]
        force: bool,
        /// Which server.
        #[command(flatten)]
        server: WhichServer,
    },
    /// End all sessions in which nothing runs and that nobody uses, with their states and logs.
    Prune(prune::PruneArgs),
    /// List the processes of a session.
    #[command(about = about(Word::Ps))]
    Ps {
        /// Id, the beginning of one, or a name.
        session: String,
        /// The output.
        #[command(flatten)]
        listing: Listing,
    },
    /// Stop the build of a session; the session stays.
    #[command(about = about(Word::Cancel))]
    Cancel(Target),
    /// End a process, or a session, at once.
    #[command(about = about(Word::Kill))]
    Kill {
        /// Session or process: id, the beginning of one, or a session's name.
        id: String,
        /// Which server.
        #[command(flatten)]
        server: WhichServer,
    },
    /// Send a signal to a process.
    #[command(about = about(Word::Signal))]
    Signal {
        /// Process, or a session for its newest one: id, the beginning of one, or a session's name.
        id: String,
        /// Such as INT, TERM or HUP.
        #[arg(value_name = "NAME")]
        signal: String,
        /// Which server.
        #[command(flatten)]
        server: WhichServer,
    },
    /// Keep the state of a session's build.
    #[command(about = about(Word::Keep))]
    Keep {
        /// The session.
        #[command(flatten)]
        target: Target,
        /// How long from now, such as 2h; 0 releases it.
        duration: String,
    },
}

/// Whether the builds of a command may run in this process.
fn may_work_here(command: &DebugCommand, env: &Env) -> bool {
    match &command.verb {
        None => command.flags.may_work_here(env),
        Some(Verb::Build { flags, .. }) => {
            flags.may_work_here(env) || command.flags.may_work_here(env)
        }
        Some(_) => false,
    }
}

/// Runs the command. `words` are those of the build, from both sides of `build`.
pub fn run(command: DebugCommand, global: Global, words: Vec<String>) -> ExitCode {
    let here = may_work_here(&command, &Env::from_process());
    let work = async {
        let code = dispatch(command, global, words).await;
        code.map_or_else(|line| super::fail(&line), ExitCode::from)
    };
    if here {
        runtime::run(work)
    } else {
        runtime::together(work)
    }
}

async fn dispatch(command: DebugCommand, global: Global, words: Vec<String>) -> Result<u8, String> {
    let flags = command.flags;
    let server = |own: WhichServer| or(own, flags.server.clone());
    let Some(verb) = command.verb else {
        return build::alone(flags, &words).await;
    };
    match verb {
        Verb::Build {
            build,
            flags: after,
        } => {
            // Mistakes are told before a server is looked for.
            let options = if build.context.len() == 1 {
                crate::build::flags::parse(&words)
            } else {
                crate::build::flags::options(*build, global.which)
            };
            let options = options.map_err(|error| error.to_string())?;
            build::build(after.or(flags), &options, words).await
        }
        Verb::Attach {
            id,
            read_only,
            prefix,
            server,
        } => {
            let after = Flags {
                prefix,
                server,
                ..Flags::default()
            };
            build::attach(after.or(flags), &words, id, read_only).await
        }
        Verb::Exec(args) => {
            let which = server(args.server.clone());
            with(&which, async |client| exec::run(&client.api, args).await).await
        }
        Verb::Ls(listing) => {
            let which = server(listing.server);
            with(&which, async |client| {
                verbs::ls(&client.api, listing.format).await
            })
            .await
        }
        Verb::Logs {
            session,
            step,
            follow,
            format,
            server: own,
        } => {
            let wanted = crate::client::logs::Wanted {
                session,
                step,
                follow,
            };
            with(&server(own), async |client| {
                verbs::logs(&client.api, wanted, format).await
            })
            .await
        }
        Verb::Inspect { session, listing } => {
            let which = server(listing.server);
            with(&which, async |client| {
                verbs::inspect(&client.api, session, listing.format).await
            })
            .await
        }
        Verb::Ps { session, listing } => {
            let which = server(listing.server);
            with(&which, async |client| {
                verbs::ps(&client.api, session, listing.format).await
            })
            .await
        }
        Verb::Wait(target) => {
            let which = server(target.server);
            with(&which, async |client| {
                verbs::wait(&client.api, target.session).await
            })
            .await
        }
        Verb::Reload { target, progress } => {
            let which = server(target.server);
            let progress = progress.or_else(|| build::progress_of(&words));
            let settings = build::settings(&flags, progress.as_deref(), &Env::from_process())?;
            with(&which, async |client| {
                verbs::reload(&client.api, target.session, settings).await
            })
            .await
        }
        Verb::Disconnect {
            id,
            force,
            server: own,
        } => {
            with(&server(own), async |client| {
                verbs::disconnect(&client.api, id, force).await
            })
            .await
        }
        Verb::Prune(args) => {
            with(&server(args.server), async |client| {
                prune::run(&client.api, args.force).await
            })
            .await
        }
        Verb::Cancel(target) => {
            let which = server(target.server);
            with(&which, async |client| {
                verbs::cancel(&client.api, target.session).await
            })
            .await
        }
        Verb::Kill { id, server: own } => {
            with(&server(own), async |client| {
                verbs::kill(&client.api, id).await
            })
            .await
        }
        Verb::Signal {
            id,
            signal,
            server: own,
        } => {
            with(&server(own), async |client| {
                verbs::signal(&client.api, id, signal).await
            })
            .await
        }
        Verb::Keep { target, duration } => {
            let which = server(target.server);
            with(&which, async |client| {
                verbs::keep(&client.api, target.session, &duration).await
            })
            .await
        }
    }
}

/// Connects to the server, does `work`, and ends what runs in this process.
async fn with(
    server: &WhichServer,
    work: impl AsyncFnOnce(&Client) -> Result<u8, String>,
) -> Result<u8, String> {
    let env = Env::from_process();
    let mut tell = |line: &str| {
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), "{line}");
    };
    let client = server.connect(&env, &mut tell).await?;
    let code = work(&client).await;
    client.close().await;
    code
}

#[cfg(test)]
mod tests;
