//! One build of a session, from what was asked to how it ended, and what of it stays open.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::caller::Caller;
use super::foreign::{self, Ref, Refs};
use super::holds::{self, Entry, Holds, Step, Yield};
use super::recorder::Recorder;
use super::state::{Inside, OpenState, PlatformResult};
use crate::build::after;
use crate::build::drive::{self, Drive, Ended, Job, Seen};
use crate::build::explain;
use crate::build::options::{BuildOptions, OutputKind};
use crate::build::prepare::{Prepared, Refusal, Surroundings, prepare};
use crate::build::request::{EngineFacts, Plan, plan};
use crate::build::results::{Response, ResultFiles};
use crate::build::services::{self, Services};
use crate::build::witness::{Teller, Witness};
use crate::builder::find::{self, Found};
use crate::builder::store::{LocalState, Store};
use crate::engine::docker;
use crate::engine::docker_config::DockerConfig;
use crate::engine::errors::BuildError;
use crate::engine::id::new_id;
use crate::paths::Paths;
use crate::proto::controller::BuildHeader;
use crate::proto::gateway::Result as GatewayResult;
use crate::proto::pb;

mod success;

pub use success::Success;

/// Under which name docker's configuration files the proxies of the default host.
const DEFAULT_HOST: &str = "unix:///var/run/docker.sock";

/// How long an engine may take to let a state go.
const RELEASE: Duration = Duration::from_secs(5);

/// What was asked.
pub struct Order {
    /// Id of the session.
    pub session: String,
    /// The flags.
    pub options: BuildOptions,
    /// Who asked.
    pub caller: Caller,
    /// The client's standard input, for a build that reads it.
    pub stdin: Option<Box<dyn Read + Send>>,
    /// The client's standard output, for a build that writes to it.
    pub stdout: Option<mpsc::Sender<std::io::Result<Bytes>>>,
}

impl std::fmt::Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Order")
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

/// How a build ended.
#[derive(Debug)]
pub enum End {
    /// It went well.
    Finished {
        /// The engine's answer.
        response: Response,
        /// `builder/node/ref`
        build_ref: String,
    },
    /// Before the engine was asked for anything: a line.
    Refused(String),
    /// On the engine, or after it: with what else is known, a line each.
    Failed(Box<BuildError>, Vec<String>),
    /// It was stopped.
    Canceled,
}

/// A build that has ended.
#[derive(Debug)]
pub struct Ran {
    /// How.
    pub end: End,
    /// What stays open of it.
    pub open: Option<Open>,
    /// Platforms of the result.
    pub platforms: Vec<String>,
    /// Why there is no state of a failed step although it could be expected; a sentence, else empty.
    pub no_state: String,
}

/// What stays open of a build that has ended.
#[derive(Debug)]
pub enum Open {
    /// A failed step, held on the engine.
    Failed(Box<Failed>),
    /// A result that can be opened again.
    Success(Box<Success>),
}

/// A failed step that is held on the engine.
#[derive(Debug)]
pub struct Failed {
    /// What can be mounted.
    pub state: OpenState,
    yields: mpsc::Receiver<Yield>,
    drive: Drive,
    status: Status,
    /// Repository of the context.
    source: String,
    found: Found,
    _entry: Option<Entry>,
    _own: Ref,
    _plan: Plan,
}

impl Failed {
    /// Lets the state go; the engine then remembers nothing of the failure.
    pub async fn release(mut self) {
        self.drive.fail(Some(&self.status)).await;
    }

    /// Resolves when the state has to go.
    pub async fn gone(&mut self) -> Gone {
        let asked = async {
            match self.yields.recv().await {
                Some(asked) => asked,
                // A state that stands in nobody's way.
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            asked = asked => Gone::Yield(asked),
            why = self.drive.broken() => Gone::Engine(why),
        }
    }

    /// What a build from elsewhere would have to run to come to the step.
    pub fn step(&self) -> foreign::Held {
        foreign::Held::new(&self.state, &self.source)
    }

    /// The engine.
    pub fn engine(&self) -> &crate::engine::control::Engine {
        &self.found.engine
    }
}

/// Why a held state has to go.
#[derive(Debug)]
pub enum Gone {
    /// The engine has lost it; the reason.
    Engine(String),
    /// Another build comes to the same step.
    Yield(Yield),
}

/// What a build needs of the server.
#[derive(Clone, Debug)]
pub struct Surrounding {
    /// Sees everything.
    pub recorder: Arc<Recorder>,
    /// Held states of all sessions.
    pub holds: Arc<Holds>,
    /// The server's builds on engines.
    pub refs: Refs,
    /// Stops the build.
    pub cancel: CancellationToken,
}

impl From<Refusal> for End {
    fn from(refusal: Refusal) -> Self {
        End::Refused(format!("failed to build: {refusal}"))
    }
}

impl From<Box<BuildError>> for End {
    fn from(error: Box<BuildError>) -> Self {
        End::Failed(error, Vec::new())
    }
}

impl Ran {
    /// A build whose task broke.
    pub fn broken(why: &str) -> Self {
        Self {
            end: End::from(Box::new(BuildError::local(format!(
                "the build broke: {why}"
            )))),
            open: None,
            platforms: Vec::new(),
            no_state: String::new(),
        }
    }
}

/// Runs a build.
pub async fn run(order: Order, around: Surrounding) -> Ran {
    let mut build = Build {
        around,
        platforms: Vec::new(),
        no_state: String::new(),
    };
    let (end, open) = match build.run(order).await {
        Ok((end, open)) => (end, open),
        Err(end) => (end, None),
    };
    Ran {
        end,
        open,
        platforms: build.platforms,
        no_state: build.no_state,
    }
}

struct Build {
    around: Surrounding,
    platforms: Vec<String>,
    no_state: String,
}

/// What the callbacks and the result files of one build are made for.
struct Asked {
    options: BuildOptions,
    caller: Caller,
    config: Arc<DockerConfig>,
    files: ResultFiles,
}

impl Asked {
    fn caller(&self) -> services::Caller<'_> {
        services::Caller {
            env: &self.caller.env,
            cwd: &self.caller.directory,
            mask: self.caller.mask,
            config: Arc::clone(&self.config),
        }
    }
}

impl Build {
    async fn run(&mut self, order: Order) -> Result<(End, Option<Open>), End> {
        let recorder = Arc::clone(&self.around.recorder);
        let tell = Teller::new(&*recorder);
        let Order {
            session,
            options,
            caller,
            stdin,
            stdout,
        } = order;
        let (asked, prepared) = self.prepared(options, caller, stdin).await?;

        let found = self.find(&asked, &tell).await?;
        let facts = self.unless_stopped(self.facts(&found, &asked)).await?;
        let mut plan = plan(prepared, &facts)?;
        let caller = asked.caller();
        let services = async { Ok::<_, End>(services::make(&mut plan, &caller, stdout).await?) };
        let services = self.unless_stopped(services).await?;
        for warning in &plan.warnings {
            tell.warning(warning);
        }

        let reference = new_id().map_err(|error| End::Refused(error.to_string()))?;
        let (node, builder) = (&found.node.node, &found.node.builder);
        let build_ref = format!("{builder}/{node}/{reference}");
        tell.header(BuildHeader {
            builder: builder.clone(),
            driver: found.node.driver.name().to_owned(),
            build_ref: build_ref.clone(),
        });
        remember(&found, &asked, &plan, &reference);
        let Services {
            routes,
            exports,
            loads,
        } = services;
        let own = self.around.refs.enter(&reference);
        let source = plan.solve.frontend_attrs.get(foreign::SOURCE);
        let source = source.cloned().unwrap_or_default();
        let job = Job {
            request: std::mem::take(&mut plan.solve),
            routes,
            shared_key: plan.shared_key.clone(),
            reference: reference.clone(),
        };
        let witness: Arc<dyn Witness> = Arc::clone(&recorder) as _;
        let solve = self.solve(&found, job, witness, &session).await;
        let Solved {
            drive,
            result,
            response,
        } = match solve {
            Ok(solved) => solved,
            Err(Unsolved::Canceled) => return Err(End::Canceled),
            Err(Unsolved::Failed(mut error, held)) => {
                if let Some(refusal) = exports.refusal() {
                    error.message = refusal;
                }
                let scene = explain::Scene::of(&plan);
                let hints = explained(&error, scene).await;
                let open = held.map(|held| {
                    Open::Failed(Box::new(Failed {
                        state: held.state,
                        yields: held.yields,
                        drive: held.drive,
                        status: held.status,
                        source,
                        found,
                        _entry: held.entry,
                        _own: own,
                        _plan: plan,
                    }))
                });
                return Ok((End::Failed(error, hints), open));
            }
        };
        let about = after::About {
            engine: &found.engine,
            caller: &caller,
            reference: &reference,
            build_ref: &build_ref,
        };
        // A push may take as long as the build, and can be stopped like it.
        let finishing = async {
            let failed = |error: String| End::from(Box::new(BuildError::local(error)));
            let committed = tokio::task::spawn_blocking(move || exports.commit()).await;
            committed
                .map_err(|error| failed(error.to_string()))?
                .map_err(|error| failed(format!("cannot write the result: {error}")))?;
            after::loads(loads, &tell).await.map_err(failed)?;
            after::finish(&about, &plan.after, &response, &tell).await?;
            let warnings = || recorder.look(after::warnings);
            let metadata = after::metadata(&about, &asked.files, &response, warnings).await;
            asked.files.write(&response, &metadata)?;
            Ok::<_, End>(())
        };
        self.unless_stopped(finishing).await?;
        if let Some(remark) = plan.warning_on_success.take() {
            tell.remark(remark);
        }
        let open = Success::of(drive, result, found, plan);
        self.platforms = open.platforms();
        let end = End::Finished {
            response,
            build_ref,
        };
        Ok((end, Some(Open::Success(Box::new(open)))))
    }

    /// What `work` comes to, unless the build is stopped meanwhile.
    async fn unless_stopped<T>(
        &self,
        work: impl Future<Output = Result<T, End>>,
    ) -> Result<T, End> {
        tokio::select! {
            biased;
            () = self.around.cancel.cancelled() => Err(End::Canceled),
            done = work => done,
        }
    }

    /// Reads what the options name, off the async threads: a disk or a pipe may be slow.
    async fn prepared(
        &self,
        options: BuildOptions,
        caller: Caller,
        stdin: Option<Box<dyn Read + Send>>,
    ) -> Result<(Asked, Prepared), End> {
        let preparing = tokio::task::spawn_blocking(move || -> Result<_, Refusal> {
            let cwd = &caller.directory;
            let files = ResultFiles::begin(
                options.iidfile.as_deref(),
                options.metadata_file.as_deref(),
                cwd,
                caller.mask,
            )?;
            let config = DockerConfig::load(&Paths::new(&caller.env).docker_config)
                .map_err(|error| Refusal(error.to_string()))?
                .with_search_path(caller.env.os("PATH").map(Into::into));
            let docker_host = caller.env.get("DOCKER_HOST").unwrap_or(DEFAULT_HOST);
            let proxy_args = config.proxy_build_args(docker_host).into_iter().collect();
            let asked = Asked {
                config: Arc::new(config),
                files,
                options: options.clone(),
                caller,
            };
            // Mistakes are told before an engine is looked for.
            asked.caller().secrets(&options.secrets)?;
            asked.caller().ssh(&options.ssh)?;
            let env = &asked.caller.env;
            let surroundings = Surroundings {
                env: &|name| {
                    env.raw(name)
                        .map(|value| value.to_string_lossy().into_owned())
                },
                cwd: asked.caller.directory.clone(),
                stdin,
                stdout_is_terminal: asked.caller.stdout_is_terminal,
                proxy_args,
            };
            let prepared = prepare(options, surroundings)?;
            Ok((asked, prepared))
        });
        tokio::select! {
            biased;
            () = self.around.cancel.cancelled() => Err(End::Canceled),
            done = preparing => match done {
                Ok(prepared) => Ok(prepared?),
                Err(error) => Err(End::Refused(error.to_string())),
            },
        }
    }

    /// Finds and connects the engine; a wait for it is told.
    async fn find(&self, asked: &Asked, tell: &Teller<'_>) -> Result<Found, End> {
        let mut note = |line: &str| tell.note(line);
        let wanted = asked.options.builder.as_deref();
        tokio::select! {
            biased;
            () = self.around.cancel.cancelled() => Err(End::Canceled),
            found = find::find(wanted, &asked.caller.env, &mut note) => {
                found.map_err(|error| End::Refused(error.to_string()))
            }
        }
    }

    async fn facts(&self, found: &Found, asked: &Asked) -> Result<EngineFacts, End> {
        let (options, env) = (&asked.options, &asked.caller.env);
        let store = Store::new(Paths::new(env).buildx_config);
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
            let address = services::docker_host(env, context.map(String::as_str))?;
            let api = docker::api(&address)
                .await
                .map_err(|error| Refusal(format!("cannot load into docker: {error}")))?;
            facts.load_as_oci = docker::has_containerd_store(&api)
                .await
                .map_err(|error| Refusal(format!("cannot load into docker: {error}")))?;
        }
        Ok(facts)
    }

    /// Solves the job; a failed step is held open where that is possible.
    async fn solve(
        &mut self,
        found: &Found,
        job: Job,
        witness: Arc<dyn Witness>,
        session: &str,
    ) -> Result<Solved, Unsolved> {
        let cancel = self.around.cancel.clone();
        let mut drive = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(Unsolved::Canceled),
            drive = Drive::start(&found.engine, job, witness) => {
                drive.map_err(|error| Unsolved::Failed(error, None))?
            }
        };
        let engine = engine_id(found);
        let mut attempt = Attempt {
            drive: &mut drive,
            holds: &self.around.holds,
            engine: &engine,
            session,
            definitions: Vec::new(),
            bypass: Vec::new(),
        };
        let outcome = tokio::select! {
            biased;
            () = cancel.cancelled() => None,
            outcome = attempt.run() => Some(outcome),
        };
        let (definitions, bypass) = (attempt.definitions, attempt.bypass);
        match outcome {
            None => {
                drive.fail(None).await;
                Err(Unsolved::Canceled)
            }
            Some(Ok((result, response))) => Ok(Solved {
                drive,
                result,
                response,
            }),
            Some(Err(Ended::Over(error))) => {
                drive.last_words().await;
                Err(Unsolved::Failed(error, None))
            }
            Some(Err(Ended::Failed(status))) => {
                let error = Ended::Failed(status.clone()).error();
                let vertex = error.vertex.clone().unwrap_or_default();
                drive.settle(&vertex).await;
                let failure = Failure {
                    engine: &engine,
                    session,
                    error: &error,
                    definitions: &definitions,
                    bypassed: bypass.contains(&vertex),
                };
                match self.hold(&failure, &drive) {
                    Some((state, entry, yields)) => {
                        let held = Held {
                            state,
                            yields,
                            entry,
                            drive,
                            status,
                        };
                        Err(Unsolved::Failed(error, Some(Box::new(held))))
                    }
                    None => {
                        drive.fail(Some(&status)).await;
                        Err(Unsolved::Failed(error, None))
                    }
                }
            }
        }
    }

    /// What can be mounted after a failure, entered as held; `None` when that is nothing, or when it
    /// would change the outcome of another build.
    fn hold(
        &mut self,
        failure: &Failure<'_>,
        drive: &Drive,
    ) -> Option<(OpenState, Option<Entry>, mpsc::Receiver<Yield>)> {
        let exec = failure.error.exec.clone()?;
        let (sender, yields) = mpsc::channel(4);
        let vertex = failure.error.vertex.clone().unwrap_or_default();
        let entry = match Step::of_failed(&exec, &vertex) {
            // Neither a program nor files: there is nothing to look at.
            None if exec.op.get("file").is_none() => return None,
            None => None,
            Some(step) => {
                let (engine, session) = (failure.engine, failure.session);
                let holds = &self.around.holds;
                match holds.hold(engine, session, step, failure.bypassed, sender) {
                    Ok(entry) => Some(entry),
                    Err(other) => {
                        self.no_state = format!(
                            "the state was let go at once because session {other} is about to run the same step; reload builds it again"
                        );
                        return None;
                    }
                }
            }
        };
        let definition = failure
            .definitions
            .iter()
            .find(|(steps, _)| steps.iter().any(|step| step.vertex == vertex))
            .or(failure.definitions.first())
            .map(|(_, definition)| Arc::clone(definition));
        let state = OpenState {
            gateway: drive.gateway().clone(),
            inside: Inside::Failed {
                exec,
                definition,
                vertex,
            },
        };
        Some((state, entry, yields))
    }
}

/// A definition with its steps.
type Definition = (Vec<Step>, Arc<pb::Definition>);

struct Attempt<'a> {
    drive: &'a mut Drive,
    holds: &'a Arc<Holds>,
    engine: &'a str,
    session: &'a str,
    definitions: Vec<Definition>,
    bypass: Vec<String>,
}

impl Attempt<'_> {
    async fn run(&mut self) -> Result<(GatewayResult, Response), Ended> {
        let result = self.drive.frontend().await?;
        let refs = drive::refs(&result);
        self.definitions = refs
            .iter()
            .filter_map(|(_, one)| one.def.as_ref())
            .map(|definition| (holds::steps(definition), Arc::new(definition.clone())))
            .collect();
        let steps = self.definitions.iter().flat_map(|(steps, _)| steps.clone());
        let seen: watch::Receiver<Seen> = self.drive.seen().clone();
        let (entry, bypass) = self
            .holds
            .run(self.engine, self.session, steps.collect(), seen)
            .await;
        self.bypass = bypass;
        if !self.bypass.is_empty() {
            for (steps, definition) in &self.definitions {
                if steps.iter().any(|step| self.bypass.contains(&step.vertex)) {
                    // In the same build the frontend's own refs then find the step done.
                    let ignoring = holds::ignoring_cache(definition, &self.bypass);
                    self.drive.definition(ignoring).await?;
                }
            }
        }
        let references: Vec<String> = refs.into_iter().map(|(_, one)| one.id).collect();
        self.drive.evaluate(&references).await?;
        drop(entry);
        let response = self.drive.succeed(result.clone()).await;
        Ok((result, response.map_err(Ended::Over)?))
    }
}

struct Failure<'a> {
    engine: &'a str,
    session: &'a str,
    error: &'a BuildError,
    definitions: &'a [Definition],
    bypassed: bool,
}

struct Solved {
    drive: Drive,
    result: GatewayResult,
    response: Response,
}

struct Held {
    state: OpenState,
    yields: mpsc::Receiver<Yield>,
    entry: Option<Entry>,
    drive: Drive,
    status: Status,
}

enum Unsolved {
    Failed(Box<BuildError>, Option<Box<Held>>),
    Canceled,
}

/// Which engine it is, however it was reached: the id of its worker where it has one.
fn engine_id(found: &Found) -> String {
    let worker = found.workers.0.first().map(|worker| worker.id.clone());
    worker
        .filter(|id| !id.is_empty())
        .unwrap_or_else(|| found.engine.transport().address().to_string())
}

/// Hints, off the async threads: they read the disk.
async fn explained(error: &BuildError, scene: explain::Scene) -> Vec<String> {
    let error = error.clone();
    tokio::task::spawn_blocking(move || explain::explain(&error, &scene))
        .await
        .unwrap_or_default()
}

/// Leaves what Docker's own tools look for in the store. A store that cannot be written is no
/// reason to fail a build.
fn remember(found: &Found, asked: &Asked, plan: &Plan, reference: &str) {
    let store = Store::new(Paths::new(&asked.caller.env).buildx_config);
    let (builder, node) = (&found.node.builder, &found.node.node);
    let _ = store.record_activity(builder, SystemTime::now());
    let options = &asked.options;
    let place = |path: &Option<PathBuf>, given: &str| match path {
        // Without the dots of "." and "./x".
        Some(path) => path
            .components()
            .collect::<PathBuf>()
            .to_string_lossy()
            .into_owned(),
        None => given.to_owned(),
    };
    let dockerfile = options.dockerfile.as_deref();
    let state = LocalState {
        target: options
            .target
            .clone()
            .unwrap_or_else(|| "default".to_owned()),
        local_path: place(&plan.context, &options.context),
        dockerfile_path: dockerfile
            .map_or_else(String::new, |given| place(&plan.dockerfile, given)),
    };
    let _ = store.save_ref(builder, node, reference, &state);
}

/// The results of a build by platform, as the frontend names them.
fn platform_results(result: &GatewayResult) -> Vec<PlatformResult> {
    let metadata = |key: &str| {
        let bytes = result.metadata.get(key)?;
        serde_json::from_slice::<serde_json::Value>(bytes).ok()
    };
    let refs = drive::refs(result);
    let named = metadata("refs.platforms");
    let names: Vec<String> = named
        .as_ref()
        .and_then(|value| value.get("Platforms")?.as_array())
        .into_iter()
        .flatten()
        .filter_map(|platform| Some(platform.get("ID")?.as_str()?.to_owned()))
        .collect();
    let mut results: Vec<_> = refs
        .into_iter()
        .map(|(platform, one)| {
            let config = metadata(&format!("containerimage.config/{platform}"))
                .or_else(|| metadata("containerimage.config"));
            PlatformResult {
                platform: match (&*platform, names.first()) {
                    ("", Some(only)) => only.clone(),
                    _ => platform,
                },
                reference: one.id,
                config,
            }
        })
        .collect();
    // The frontend's order is the order of --platform.
    results.sort_by_key(|one| names.iter().position(|name| *name == one.platform));
    results
}
