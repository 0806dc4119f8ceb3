//! The solve of one build: past held states of the same steps, and with its own failure held.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tonic::Status;

use super::{Build, sources};
use crate::build::drive::{self, Drive, Ended, Job, Seen};
use crate::build::results::Response;
use crate::build::witness::Witness;
use crate::builder::find::Found;
use crate::engine::errors::{BuildError, FailedExec};
use crate::progress::time::Nanos;
use crate::proto::controller::trace_event::Event;
use crate::proto::gateway::Result as GatewayResult;
use crate::proto::pb;
use crate::server::holds::{self, Entry, Holds, Step, Yield};
use crate::server::place;
use crate::server::recorder::Recorder;
use crate::server::state::{Inside, OpenState};

impl Build {
    /// Solves the job; a failed step is held open where that is possible.
    pub(super) async fn solve(
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
            recorder: &self.around.recorder,
            holds: &self.around.holds,
            engine: &engine,
            session,
            definitions: Vec::new(),
            entry: None,
        };
        let outcome = tokio::select! {
            biased;
            () = cancel.cancelled() => None,
            outcome = attempt.run() => Some(outcome),
        };
        let (definitions, entry) = (attempt.definitions, attempt.entry);
        if let Some(entry) = &entry {
            entry.over();
        }
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
                let mut error = Ended::Failed(status.clone()).error();
                let vertex = error.vertex.clone().unwrap_or_default();
                drive.settle(&vertex).await;
                let failure = Failure {
                    engine: &engine,
                    session,
                    error: &error,
                    definitions: &definitions,
                    entry: entry.as_ref(),
                };
                let held = self.hold(&failure, &drive);
                let name = drive.seen().borrow().name(&vertex);
                error.vertex = name.or(error.vertex);
                match held {
                    Some((state, entry, yields)) => {
                        let failed_at = drive.seen().borrow().completed(&vertex);
                        let held = Held {
                            state,
                            failed_at,
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
        let (exec, vertex) = failure.operation()?;
        let (sender, yields) = mpsc::channel(4);
        let entry = match Step::of_failed(&exec, &vertex) {
            None => None,
            Some(step) => {
                let (engine, session) = (failure.engine, failure.session);
                let holds = &self.around.holds;
                match holds.hold(engine, session, step, failure.entry, sender) {
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
    recorder: &'a Recorder,
    holds: &'a Arc<Holds>,
    engine: &'a str,
    session: &'a str,
    definitions: Vec<Definition>,
    /// While it runs, and until a failure is held.
    entry: Option<Entry>,
}

impl Attempt<'_> {
    async fn run(&mut self) -> Result<(GatewayResult, Response), Ended> {
        let result = self.drive.frontend().await?;
        let refs = drive::refs(&result);
        let definitions = refs.iter().filter_map(|(_, one)| one.def.as_ref());
        for sources in definitions.filter_map(sources::of) {
            self.recorder.see(Event::Sources(sources));
        }
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
        let entry = self.entry.insert(entry);
        for (steps, definition) in &self.definitions {
            let own = steps.iter().filter(|step| bypass.contains(&step.vertex));
            let own: Vec<_> = own.map(|step| step.vertex.clone()).collect();
            if own.is_empty() {
                entry.ignores(&holds::uncached(definition));
                continue;
            }
            // The engine would take an operation that the build of the held state has, too, together
            // with its inputs: with the step that is to be passed.
            let all = holds::with_dependents(definition, &own);
            let ignoring = holds::ignoring_cache(definition, &all);
            entry.ignores(&holds::uncached(&ignoring));
            // In the same build the frontend's own refs then find the step done.
            self.drive.definition(ignoring).await?;
        }
        let references: Vec<String> = refs.into_iter().map(|(_, one)| one.id).collect();
        self.drive.evaluate(&references).await?;
        self.entry = None;
        let response = self.drive.succeed(result.clone()).await;
        Ok((result, response.map_err(Ended::Over)?))
    }
}

struct Failure<'a> {
    engine: &'a str,
    session: &'a str,
    error: &'a BuildError,
    definitions: &'a [Definition],
    entry: Option<&'a Entry>,
}

impl Failure<'_> {
    /// The operation whose state can be looked at, with its vertex: the one that failed, or the one that needed what
    /// failed; `None` when there are neither a program nor files.
    fn operation(&self) -> Option<(FailedExec, String)> {
        let vertex = self.error.vertex.clone().unwrap_or_default();
        let failed = self.error.exec.as_ref();
        let failed = failed
            .filter(|failed| failed.op.get("exec").is_some() || failed.op.get("file").is_some());
        match failed {
            Some(failed) => Some((failed.clone(), vertex)),
            None => {
                let mut definitions = self.definitions.iter();
                definitions.find_map(|(_, definition)| place::user_of(definition, &vertex))
            }
        }
    }
}

pub(super) struct Solved {
    pub(super) drive: Drive,
    pub(super) result: GatewayResult,
    pub(super) response: Response,
}

pub(super) struct Held {
    pub(super) state: OpenState,
    /// When the step failed, by the engine's clock; `None` when the engine did not say.
    pub(super) failed_at: Option<Nanos>,
    pub(super) yields: mpsc::Receiver<Yield>,
    pub(super) entry: Option<Entry>,
    pub(super) drive: Drive,
    pub(super) status: Status,
}

pub(super) enum Unsolved {
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
