//! `buildx build` from the options to the exit code.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use tokio_util::sync::CancellationToken;

use super::after;
use super::drive::{Job, drive};
use super::explain;
use super::options::{BuildOptions, OutputKind};
use super::prepare::{Refusal, Surroundings, prepare};
use super::request::{EngineFacts, Plan, plan};
use super::results::{self, ResultFiles};
use super::services::{self, Caller, Services};
use super::signals;
use crate::builder::find::{self, Found};
use crate::builder::store::{LocalState, Store};
use crate::engine::docker;
use crate::engine::docker_config::DockerConfig;
use crate::engine::errors::BuildError;
use crate::engine::id::new_id;
use crate::paths::{Env, Paths};
use crate::progress::settings::{Kind, Settings};
use crate::progress::{Header, Outcome, Progress};
use crate::term::escape;

/// Threads of the runtime: the connection is served beside the printer.
const THREADS: usize = 2;

/// Under which name docker's configuration files the proxies of the default host.
const DEFAULT_HOST: &str = "unix:///var/run/docker.sock";

/// Builds what `options` ask for; everything that the user sees is written here or by the progress.
pub fn run(options: BuildOptions, env: &Env) -> ExitCode {
    let settings = match settings(&options, env) {
        Ok(settings) => settings,
        Err(line) => return say_error(&line),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return say_error(&format!("cannot start: {error}")),
    };
    let code = runtime.block_on(async {
        let cancel = match signals::listen() {
            Ok(cancel) => cancel,
            Err(error) => return say_error(&format!("cannot listen for signals: {error}")),
        };
        let mut build = Build {
            env,
            settings: &settings,
            cancel,
            progress: None,
        };
        match build.run(options).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => build.fail(&failure),
        }
    });
    // A thread that waits for a terminal or a pipe must not hold the exit up.
    runtime.shutdown_background();
    code
}

fn settings(options: &BuildOptions, env: &Env) -> Result<Settings, String> {
    let mode = if options.quiet {
        crate::progress::Mode::Quiet
    } else {
        options.progress
    };
    let terminal = std::io::stderr().is_terminal();
    let mut settings = Settings::resolve(mode, |name| env.get(name).map(str::to_owned), terminal)?;
    settings.debug = options.debug;
    Ok(settings)
}

/// One `ERROR:` line, and exit code 1.
fn say_error(line: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "ERROR: {}", escape::line(line));
    ExitCode::FAILURE
}

/// How a build fails.
#[derive(Debug)]
enum Failure {
    /// Before the engine was asked for anything: a line to print.
    Refused(String),
    /// On the engine, or after it: with what else is known.
    Failed(Box<BuildError>, Vec<String>),
    /// By the user.
    Canceled,
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Failure::Refused(format!("failed to build: {refusal}"))
    }
}

struct Build<'a> {
    env: &'a Env,
    settings: &'a Settings,
    cancel: CancellationToken,
    progress: Option<Progress>,
}

impl Build<'_> {
    async fn run(&mut self, options: BuildOptions) -> Result<(), Failure> {
        let cwd = std::env::current_dir()
            .map_err(|error| Failure::Refused(format!("no current directory: {error}")))?;
        let files = ResultFiles::begin(
            options.iidfile.as_deref(),
            options.metadata_file.as_deref(),
            &cwd,
        )?;
        let paths = Paths::new(self.env);
        let config = DockerConfig::load(&paths.docker_config)
            .map_err(|error| Refusal(error.to_string()))?
            .with_search_path(self.env.os("PATH").map(Into::into));
        let docker_host = self.env.get("DOCKER_HOST").unwrap_or(DEFAULT_HOST);
        let proxy_args = config.proxy_build_args(docker_host).into_iter().collect();
        let caller = Caller {
            env: self.env,
            cwd: &cwd,
            config: Arc::new(config),
        };
        // Mistakes are told before an engine is looked for.
        caller.secrets(&options.secrets)?;
        caller.ssh(&options.ssh)?;
        let wanted = options.builder.clone();
        let quiet = options.quiet;
        let surroundings = Surroundings {
            env: &|name| {
                self.env
                    .raw(name)
                    .map(|value| value.to_string_lossy().into_owned())
            },
            cwd: cwd.clone(),
            stdin: Some(Box::new(std::io::stdin())),
            stdout_is_terminal: std::io::stdout().is_terminal(),
            proxy_args,
        };
        let prepared = prepare(options.clone(), surroundings)?;

        let found = self.find(wanted.as_deref()).await?;
        let facts = self.facts(&found, &options).await?;
        let mut plan = plan(prepared, &facts)?;
        let services = services::make(&mut plan, &caller).await?;
        self.warn(&plan.warnings);

        let reference = new_id().map_err(|error| Failure::Refused(error.to_string()))?;
        let (node, builder) = (&found.node.node, &found.node.builder);
        let build_ref = format!("{builder}/{node}/{reference}");
        self.progress = Some(Progress::new(
            self.settings,
            Box::new(std::io::stderr()),
            Header {
                builder: builder.clone(),
                driver: found.node.driver.name().to_owned(),
            },
        ));
        self.remember(&found, &options, &reference);
        let response = self
            .solve(&found, &mut plan, services, reference.clone())
            .await?;

        let about = after::About {
            engine: &found.engine,
            caller: &caller,
            reference: &reference,
            build_ref: &build_ref,
        };
        let Some(progress) = self.progress.as_mut() else {
            return Ok(());
        };
        after::finish(&about, &plan, &response, progress).await?;
        let metadata = after::metadata(&about, &files, &response, progress.trace()).await;
        files.write(&response, &metadata)?;
        if let Some(remark) = &plan.warning_on_success {
            progress.remark(remark.clone());
        }
        let _ = progress.finish(&Outcome::Finished {
            result: &response,
            build_ref: &build_ref,
        });
        after::print_results(quiet, &response);
        Ok(())
    }

    /// Finds and connects the engine; a wait for it is shown, and ends with the first Ctrl-C.
    async fn find(&self, wanted: Option<&str>) -> Result<Found, Failure> {
        let silent = matches!(self.settings.kind, Kind::Quiet | Kind::RawJson);
        let mut tell = |line: &str| {
            if !silent {
                let _ = writeln!(std::io::stderr(), "{}", escape::line(line));
            }
        };
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Failure::Canceled),
            found = find::find(wanted, self.env, &mut tell) => {
                found.map_err(|error| Failure::Refused(error.to_string()))
            }
        }
    }

    async fn facts(&self, found: &Found, options: &BuildOptions) -> Result<EngineFacts, Failure> {
        let store = Store::new(Paths::new(self.env).buildx_config);
        // Without a place for the id the build goes on: only incremental transfers suffer.
        let node_id = store.node_id().unwrap_or_default();
        let mut facts = EngineFacts::new(
            &found.node,
            &found.workers,
            found.default_network_host,
            node_id,
        );
        if options.outputs.len() > 1 {
            facts.several_exporters = after::several_exporters(&found.engine).await;
        }
        let loads = options.load
            || facts.default_load
            || options
                .outputs
                .iter()
                .any(|output| output.kind == OutputKind::Docker && output.dest.is_none());
        if loads && !facts.dockerd {
            let context = options
                .outputs
                .iter()
                .find_map(|output| output.attrs.get("context"));
            let address = services::docker_host(self.env, context.map(String::as_str))?;
            let api = docker::api(&address)
                .await
                .map_err(|error| Refusal(format!("cannot load into docker: {error}")))?;
            facts.load_as_oci = docker::has_containerd_store(&api)
                .await
                .map_err(|error| Refusal(format!("cannot load into docker: {error}")))?;
        }
        Ok(facts)
    }

    /// Solves the plan and puts what it made in its place.
    async fn solve(
        &mut self,
        found: &Found,
        plan: &mut Plan,
        services: Services,
        reference: String,
    ) -> Result<results::Response, Failure> {
        let Some(progress) = self.progress.as_mut() else {
            return Err(Failure::Canceled);
        };
        let job = Job {
            request: std::mem::take(&mut plan.solve),
            routes: services.routes,
            shared_key: plan.shared_key.clone(),
            reference,
        };
        let cancel = self.cancel.clone();
        let solved = drive(&found.engine, job, progress, cancel.cancelled()).await;
        let exports = services.exports;
        let response = solved.map_err(|mut error| {
            if error.canceled {
                return Failure::Canceled;
            }
            if let Some(refusal) = exports.refusal() {
                error.message = refusal;
            }
            let hints = explain::explain(&error, &explain::Scene::of(plan));
            Failure::Failed(error, hints)
        })?;
        let committed = tokio::task::spawn_blocking(move || exports.commit()).await;
        let failed =
            |error: String| Failure::Failed(Box::new(BuildError::local(error)), Vec::new());
        committed
            .map_err(|error| failed(error.to_string()))?
            .map_err(|error| failed(format!("cannot write the result: {error}")))?;
        after::loads(services.loads, progress)
            .await
            .map_err(failed)?;
        Ok(response)
    }

    /// Leaves what Docker's own tools look for in the store. A store that cannot be written is no
    /// reason to fail a build.
    fn remember(&self, found: &Found, options: &BuildOptions, reference: &str) {
        let store = Store::new(Paths::new(self.env).buildx_config);
        let (builder, node) = (&found.node.builder, &found.node.node);
        let _ = store.record_activity(builder, SystemTime::now());
        let state = LocalState {
            target: options.target.clone().unwrap_or_default(),
            local_path: options.context.clone(),
            dockerfile_path: options.dockerfile.clone().unwrap_or_default(),
        };
        let _ = store.save_ref(builder, node, reference, &state);
    }

    fn warn(&self, warnings: &[String]) {
        if matches!(self.settings.kind, Kind::Quiet | Kind::RawJson) {
            return;
        }
        for warning in warnings {
            let _ = writeln!(std::io::stderr(), "WARNING: {}", escape::line(warning));
        }
    }

    /// Says why the build failed; returns the exit code.
    fn fail(&mut self, failure: &Failure) -> ExitCode {
        let local;
        let (error, hints): (&BuildError, &[String]) = match failure {
            Failure::Refused(line) if self.settings.kind != Kind::RawJson => {
                return say_error(line);
            }
            Failure::Refused(line) => {
                local = BuildError::local(line.clone());
                (&local, &[])
            }
            Failure::Failed(error, hints) => (error, hints),
            Failure::Canceled => {
                local = BuildError::canceled();
                (&local, &[])
            }
        };
        let mut progress = self.progress.take().unwrap_or_else(|| {
            Progress::new(
                self.settings,
                Box::new(std::io::stderr()),
                Header::default(),
            )
        });
        let outcome = if error.canceled {
            Outcome::Canceled
        } else {
            Outcome::Failed { error, hints }
        };
        let _ = progress.finish(&outcome);
        ExitCode::from(results::exit_code(error))
    }
}
