//! `buildx build`: hands the build to a server and shows how it goes.

use std::io::Write;
use std::process::ExitCode;

use tokio_util::sync::CancellationToken;

use super::Global;
use super::choice::WhichServer;
use crate::build::flags::{self, BuildArgs};
use crate::build::{after, beforehand, options::BuildOptions};
use crate::client::follow::{self, View};
use crate::client::{Client, caller, pipes, signals, status};
use crate::paths::Env;
use crate::progress::settings::{Mode, Settings};
use crate::proto::controller::{
    BuildRequest, BuildResponse, Caller, Outcome, TraceRequest, outcome,
};

/// Flags of `buildx build` beside those of the build itself.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Manner {
    /// Hand the build to the server, print the id of its session, and return; 'buildx debug wait ID'
    /// gives the exit code.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = flags::truth)]
    pub detach: bool,
    /// Name of the session (default: from the tag, else from the directory).
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// How long the state of the build is kept for 'buildx debug', such as 2h (default: 10m); 0 does
    /// not keep it.
    #[arg(long, value_name = "TIME", value_parser = keep)]
    pub keep: Option<u64>,
    /// Which server.
    #[command(flatten)]
    pub server: WhichServer,
}

/// A span as a session keeps it, in milliseconds. Nothing at all is told as 1: 0 is the default.
pub(super) fn keep(text: &str) -> Result<u64, String> {
    let span = super::choice::span(text)?;
    Ok(u64::try_from(span.as_millis()).unwrap_or(u64::MAX).max(1))
}

/// Runs the command. `words` are its arguments without those of [`Manner`].
pub fn run(args: BuildArgs, manner: Manner, global: Global, words: Vec<String>) -> ExitCode {
    // Mistakes are told before a server is looked for.
    let options = match flags::options(args, global.which) {
        Ok(options) => options,
        Err(error) => return super::fail(&error.to_string()),
    };
    let env = Env::from_process();
    let settings = match settings(&options, &env) {
        Ok(settings) => settings,
        Err(line) => return super::fail(&line),
    };
    if manner.detach {
        // Nobody is there any more when the build would tell it.
        let looked = std::env::current_dir()
            .map_err(|error| format!("no current directory: {error}"))
            .and_then(|cwd| {
                beforehand::check(&options, &env, cwd).map_err(|refusal| refusal.to_string())
            });
        if let Err(line) = looked {
            return super::fail(&line);
        }
    }
    let caller = match caller::of_build(&options) {
        Ok(caller) => caller,
        Err(error) => return super::fail(&format!("no current directory: {error}")),
    };
    super::runtime::run(async {
        let cancel = match signals::listen() {
            Ok(cancel) => cancel,
            Err(error) => return super::fail(&format!("cannot listen for signals: {error}")),
        };
        let build = Build {
            quiet: options.quiet,
            caller,
            manner,
            words,
            cancel,
        };
        build
            .run(settings, &env)
            .await
            .unwrap_or_else(|line| super::fail(&line))
    })
}

/// How the build is shown.
///
/// # Errors
/// A line about a variable of the environment.
pub fn settings(options: &BuildOptions, env: &Env) -> Result<Settings, String> {
    use std::io::IsTerminal;
    let mode = if options.quiet {
        Mode::Quiet
    } else {
        options.progress
    };
    let terminal = std::io::stderr().is_terminal();
    let mut settings = Settings::resolve(mode, |name| env.get(name).map(str::to_owned), terminal)?;
    settings.debug = options.debug;
    Ok(settings)
}

struct Build {
    quiet: bool,
    caller: Caller,
    manner: Manner,
    words: Vec<String>,
    cancel: CancellationToken,
}

impl Build {
    async fn run(self, settings: Settings, env: &Env) -> Result<ExitCode, String> {
        let mut tell = |line: &str| {
            let _ = writeln!(std::io::stderr(), "{line}");
        };
        let client = self.manner.server.connect(env, &mut tell).await?;
        let answer = self.with(&client, settings).await;
        client.close().await;
        answer
    }

    async fn with(&self, client: &Client, settings: Settings) -> Result<ExitCode, String> {
        let detach = self.manner.detach;
        if detach && client.info.in_process {
            return Err(
                "--detach needs a server that goes on: use --server=on (CI turns it off)"
                    .to_owned(),
            );
        }
        let request = BuildRequest {
            caller: Some(self.caller.clone()),
            arguments: self.words.clone(),
            name: self.manner.name.clone().unwrap_or_default(),
            keep: self.manner.keep.unwrap_or(0),
            detached: detach,
            keep_success: false,
            attaches: false,
        };
        let mut api = client.api.clone();
        let started = api.build(request).await;
        let started = started.map_err(|error| status::line(&error))?.into_inner();
        let input = started.wants_input.then(|| {
            let (api, session) = (client.api.clone(), started.session.clone());
            tokio::spawn(pipes::send(api, session, tokio::io::stdin()))
        });
        if detach {
            return self.leave(started, input).await;
        }
        let output = started.gives_output.then(|| {
            let (api, session) = (client.api.clone(), started.session.clone());
            tokio::spawn(pipes::receive(api, session, tokio::io::stdout()))
        });
        let request = TraceRequest {
            session: started.session,
            build: started.build,
            ..TraceRequest::default()
        };
        let mut view = View::on_stderr(settings);
        let followed = follow::follow(&client.api, request, &mut view, &self.cancel).await;
        let outcome = match followed {
            Ok(Some(outcome)) => outcome,
            Ok(None) => return Err("the server told no end of the build".to_owned()),
            Err(lost) => return Err(lost.0),
        };
        let code = ExitCode::from(follow::exit_code(&outcome));
        if let Outcome {
            end: Some(outcome::End::Finished(finished)),
            ..
        } = outcome
        {
            if let Some(output) = output
                && let Ok(Err(error)) = output.await
            {
                return Err(status::line(&error));
            }
            let response = finished.response.into_iter().collect();
            super::stdout::write(after::results_text(self.quiet, &response).as_bytes())?;
        }
        Ok(code)
    }

    /// Leaves the build to the server, once it has everything that only this process can give.
    async fn leave(
        &self,
        started: BuildResponse,
        input: Option<tokio::task::JoinHandle<Result<(), tonic::Status>>>,
    ) -> Result<ExitCode, String> {
        if let Some(input) = input {
            let sent = input.await.map_err(|error| error.to_string())?;
            sent.map_err(|error| status::line(&error))?;
        }
        super::stdout::write(format!("{}\n", started.session).as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }
}
