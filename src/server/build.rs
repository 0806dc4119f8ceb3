//! One build of a session, from what was asked to how it ended, and what of it stays open.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::caller::Caller;
use super::foreign::{self, Refs};
use super::holds::Holds;
use super::recorder::Recorder;
use crate::build::after;
use crate::build::drive::Job;
use crate::build::explain;
use crate::build::options::BuildOptions;
use crate::build::outputs::After;
use crate::build::prepare::Refusal;
use crate::build::request::plan;
use crate::build::results::{Response, ResultFiles};
use crate::build::services::{self, Loads, Services};
use crate::build::witness::{Teller, Witness};
use crate::builder::find::{self, Found};
use crate::builder::node::Node;
use crate::engine::callbacks::export::Exports;
use crate::engine::callbacks::filesync::Unsent;
use crate::engine::errors::{BuildError, CANCELED};
use crate::engine::id::new_id;
use crate::proto::controller::BuildHeader;

mod asked;
mod failed;
mod solve;
mod sources;
mod success;

use asked::{Asked, remember};
pub use failed::{Failed, Gone};
use solve::{Solved, Unsolved};
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

/// What a build needs of the server.
#[derive(Clone, Debug)]
pub struct Surrounding {
    /// Sees everything.
    pub recorder: Arc<Recorder>,
    /// Held states of all sessions.
    pub holds: Arc<Holds>,
    /// The server's builds on engines.
    pub refs: Refs,
    /// Told which engine the build runs on.
    pub node: watch::Sender<Option<Node>>,
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
        self.around.node.send_replace(Some(found.node.clone()));
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
            unsent,
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
                if let Some(reason) = ours(&error, &exports, &unsent) {
                    error.message = reason;
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
                        failed_at: held.failed_at,
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
        let finishing = self.finish(
            &about,
            &asked.files,
            (exports, loads),
            &plan.after,
            &response,
        );
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

    /// What is left to do when the engine has answered: exported files are put in place, images loaded and pushed,
    /// and what scripts read is written.
    async fn finish(
        &self,
        about: &after::About<'_>,
        files: &ResultFiles,
        (exports, loads): (Exports, Loads),
        afterwards: &[After],
        response: &Response,
    ) -> Result<(), End> {
        let recorder = &self.around.recorder;
        let tell = Teller::new(&**recorder);
        let failed = |error: String| End::from(Box::new(BuildError::local(error)));
        let committed = tokio::task::spawn_blocking(move || exports.commit()).await;
        committed
            .map_err(|error| failed(error.to_string()))?
            .map_err(|error| failed(format!("cannot write the result: {error}")))?;
        after::loads(loads, &tell).await.map_err(failed)?;
        after::finish(about, afterwards, response, &tell).await?;
        let warnings = || recorder.look(after::warnings);
        let metadata = after::metadata(about, files, response, warnings).await;
        files.write(response, &metadata)?;
        Ok(())
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
}

/// Why this side broke the build off: an engine that loses the client's part of it says no more than that.
fn ours(error: &BuildError, exports: &Exports, unsent: &Unsent) -> Option<String> {
    exports.refusal().or_else(|| {
        let canceled = error.message.ends_with(CANCELED);
        canceled.then(|| unsent.reason().map(str::to_owned))?
    })
}

/// Hints, off the async threads: they read the disk.
async fn explained(error: &BuildError, scene: explain::Scene) -> Vec<String> {
    let error = error.clone();
    tokio::task::spawn_blocking(move || explain::explain(&error, &scene))
        .await
        .unwrap_or_default()
}
