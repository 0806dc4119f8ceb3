//! One build on the engine from its start to its end: the callbacks connection, `Control.Solve`, the
//! status stream into the witness, and the gateway calls in between.
//!
//! Every build is a gateway build: the frontend is solved without running a step, then its refs are
//! evaluated, then the result is returned, which makes the engine export it. A failure in between
//! leaves the build open, and with it the state of the step that failed.

mod seen;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tonic::service::Routes;
use tonic::{Code, Status};

pub use self::seen::Seen;
use super::witness::Witness;
use crate::engine::callbacks::{Announcement, Connection};
use crate::engine::control::Engine;
use crate::engine::errors::{self, BuildError};
use crate::engine::gateway::{Gateway, Returned, Target};
use crate::engine::id::new_id;
use crate::proto::RpcStatus;
use crate::proto::control::{SolveRequest, SolveResponse};
use crate::proto::gateway::Result as GatewayResult;

/// How long the status stream may stay silent after the solve has ended, and how long the engine
/// may take to confirm that a cancelled build has stopped.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How long all that may take while there is more to be said, such as a long log.
const LONGEST_WORDS: Duration = Duration::from_secs(60);

/// How long nothing may come before the status of a failed step is given up, which may come after the failure itself.
const LATE_STATUS: Duration = Duration::from_millis(500);

/// How often a build that the engine does not know yet is asked for again, each time for 3 s.
const UNKNOWN_RETRIES: usize = 3;

/// One build, ready to be solved.
#[derive(Debug)]
pub struct Job {
    /// The request; its `ref` and `session` are filled in here.
    pub request: SolveRequest,
    /// The services that the engine may call.
    pub routes: Routes,
    /// Key of earlier copies of the local sources.
    pub shared_key: String,
    /// Unique id of the build, as [`new_id`] makes them.
    pub reference: String,
}

/// Why a part of a build came to no good end.
#[derive(Debug)]
pub enum Ended {
    /// The engine refused or failed the call: its status as it came, with typed details.
    Failed(Status),
    /// The build itself is over.
    Over(Box<BuildError>),
}

impl Ended {
    /// The failure, decoded.
    pub fn error(&self) -> Box<BuildError> {
        match self {
            Self::Failed(status) => Box::new(errors::decode(status)),
            Self::Over(error) => error.clone(),
        }
    }
}

/// An open build. Dropping it ends it on the engine without a word.
#[derive(Debug)]
pub struct Drive {
    gateway: Gateway,
    frontend: Option<Target>,
    solving: JoinHandle<Result<SolveResponse, Status>>,
    connection: Connection,
    watching: JoinHandle<()>,
    seen: watch::Receiver<Seen>,
    session: String,
}

impl Drop for Drive {
    fn drop(&mut self) {
        // Dropping the call cancels the build on the engine; after an answer it does nothing.
        self.solving.abort();
        self.watching.abort();
    }
}

impl Drive {
    /// Opens the callbacks connection and the build. `witness` sees its status until the engine ends
    /// the stream.
    ///
    /// # Errors
    /// The engine refused the connection.
    pub async fn start(
        engine: &Engine,
        job: Job,
        witness: Arc<dyn Witness>,
    ) -> Result<Self, Box<BuildError>> {
        let session = new_id().map_err(|error| BuildError::local(error.to_string()))?;
        let announcement = Announcement {
            id: session.clone(),
            shared_key: job.shared_key,
        };
        let connection = Connection::open(engine, &announcement, job.routes)
            .await
            .map_err(|status| Box::new(errors::decode(&status)))?;
        let mut request = job.request;
        request.r#ref = job.reference.clone();
        request.session = session.clone();
        // Without frontend and definition the engine waits for the gateway to return a result. The
        // attributes stay: provenance and history are made of them.
        let frontend = Target::Frontend {
            name: std::mem::take(&mut request.frontend),
            options: request.frontend_attrs.clone(),
            inputs: std::mem::take(&mut request.frontend_inputs),
        };
        let gateway = Gateway::new(engine, &job.reference)
            .map_err(|status| Box::new(errors::decode(&status)))?;
        let solving = {
            let engine = engine.clone();
            tokio::spawn(async move { engine.solve(request).await })
        };
        let (sender, seen) = watch::channel(Seen::default());
        let watching = tokio::spawn(seen::read(engine.clone(), job.reference, witness, sender));
        Ok(Self {
            gateway,
            frontend: Some(frontend),
            solving,
            connection,
            watching,
            seen,
            session,
        })
    }

    /// The gateway of the build.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// The id of the callbacks connection.
    pub fn session(&self) -> &str {
        &self.session
    }

    /// What has been seen so far.
    pub fn seen(&self) -> &watch::Receiver<Seen> {
        &self.seen
    }

    /// Solves the frontend; no step has run when this returns.
    ///
    /// # Errors
    /// [`Ended`]
    pub async fn frontend(&mut self) -> Result<GatewayResult, Ended> {
        let Some(target) = self.frontend.take() else {
            return Err(Ended::Over(Box::new(BuildError::local(
                "the frontend was solved already",
            ))));
        };
        let gateway = self.gateway.clone();
        self.call(async move {
            let mut left = UNKNOWN_RETRIES;
            loop {
                match gateway.solve(target.clone(), false).await {
                    // A busy engine may enter a build late; if there will be none, the solve ends.
                    Err(status) if status.code() == Code::NotFound && left > 0 => left -= 1,
                    answer => return answer,
                }
            }
        })
        .await
    }

    /// Runs what `reference` lacks.
    ///
    /// # Errors
    /// [`Ended`]; a failed step with its details.
    pub async fn evaluate(&mut self, references: &[String]) -> Result<(), Ended> {
        let gateway = self.gateway.clone();
        let references = references.to_vec();
        self.call(async move {
            let all = references.iter().map(|one| gateway.run(one));
            futures_util::future::try_join_all(all).await.map(drop)
        })
        .await
    }

    /// Solves `definition` and runs all of it.
    ///
    /// # Errors
    /// [`Ended`]; a failed step with its details.
    pub async fn definition(
        &mut self,
        definition: crate::proto::pb::Definition,
    ) -> Result<GatewayResult, Ended> {
        let gateway = self.gateway.clone();
        self.call(async move { gateway.solve(Target::Definition(definition), true).await })
            .await
    }

    /// A call of the gateway, for as long as the build itself goes on.
    async fn call<T>(&mut self, call: impl Future<Output = Result<T, Status>>) -> Result<T, Ended> {
        tokio::select! {
            biased;
            // The solve's own error is the better one: calls to a build that was refused only find
            // that there is none.
            solved = &mut self.solving => Err(Ended::Over(match solved {
                Ok(Err(status)) => Box::new(errors::decode(&status)),
                Ok(Ok(_)) => Box::new(BuildError::local("the engine ended the build")),
                Err(error) => Box::new(BuildError::local(error.to_string())),
            })),
            answer = call => answer.map_err(|status| {
                let error = errors::decode(&status);
                match error.message.starts_with("lost the connection") {
                    true => Ended::Over(Box::new(error)),
                    false => Ended::Failed(status),
                }
            }),
            reason = self.connection.ended() => Err(Ended::Over(lost(reason))),
        }
    }

    /// Returns `result`, which the engine exports, and waits until it has.
    ///
    /// # Errors
    /// The engine's refusal of the result or failure of an export, or a lost connection.
    pub async fn succeed(
        &mut self,
        result: GatewayResult,
    ) -> Result<BTreeMap<String, String>, Box<BuildError>> {
        let gateway = self.gateway.clone();
        let mut returning = Box::pin(gateway.finish(Returned::Result(result)));
        let mut returned = false;
        let answer = loop {
            tokio::select! {
                biased;
                // An engine that is quick answers the solve before the return.
                solved = &mut self.solving => break match solved {
                    Ok(Ok(response)) => Ok(response.exporter_response.into_iter().collect()),
                    Ok(Err(status)) => Err(Box::new(errors::decode(&status))),
                    Err(error) => Err(Box::new(BuildError::local(error.to_string()))),
                },
                answer = &mut returning, if !returned => match answer {
                    Ok(()) => returned = true,
                    Err(status) => break Err(Box::new(errors::decode(&status))),
                },
                reason = self.connection.ended() => break Err(lost(reason)),
            }
        };
        drop(returning);
        self.last_words().await;
        answer
    }

    /// Waits for the status of what has failed, which may come after the failure itself.
    pub async fn settle(&mut self, vertex: &str) {
        self.hear(LATE_STATUS, |seen, since| {
            // Others that go on for longer are not waited for.
            seen.settled(vertex, since < LATE_STATUS)
        })
        .await;
    }

    /// Ends the build as failed with `status`, or as cancelled, and waits until the engine has
    /// confirmed that nothing of it runs, for some seconds at most.
    pub async fn fail(&mut self, status: Option<&Status>) {
        let error = status.map_or_else(
            || RpcStatus {
                code: Code::Cancelled as i32,
                message: errors::CANCELED.into(),
                details: Vec::new(),
            },
            errors::rpc_status,
        );
        let gateway = self.gateway.clone();
        let ending = async {
            let _ = gateway.finish(Returned::Error(error)).await;
            if !self.solving.is_finished() {
                let _ = (&mut self.solving).await;
            }
        };
        let _ = tokio::time::timeout(LAST_WORDS, ending).await;
        self.solving.abort();
        self.last_words().await;
    }

    /// Waits for the end of the status stream, until it is silent for some seconds: it is the engine's word that
    /// nothing runs any more.
    pub async fn last_words(&mut self) {
        self.hear(LAST_WORDS, |_, _| false).await;
    }

    /// Waits until the status has ended, or is `enough` after so long. As long as something comes within `silence`, so
    /// may the rest: of a log that is long it may be much.
    async fn hear(&mut self, silence: Duration, enough: impl Fn(&Seen, Duration) -> bool) {
        let began = Instant::now();
        while began.elapsed() < LONGEST_WORDS {
            {
                let seen = self.seen.borrow_and_update();
                if seen.ended() || enough(&seen, began.elapsed()) {
                    return;
                }
            }
            let more = tokio::time::timeout(silence, self.seen.changed());
            if !matches!(more.await, Ok(Ok(()))) {
                return;
            }
        }
    }

    /// Resolves when the callbacks connection of a build that has ended is gone, with the reason.
    pub async fn connection_lost(&mut self) -> String {
        lost(self.connection.ended().await).message
    }

    /// Resolves when the build or its connection has ended by itself.
    pub async fn broken(&mut self) -> String {
        tokio::select! {
            solved = &mut self.solving => match solved {
                Ok(Err(status)) => errors::text(&status),
                _ => "the engine ended the build".to_owned(),
            },
            reason = self.connection.ended() => lost(reason).message,
        }
    }
}

fn lost(reason: Option<String>) -> Box<BuildError> {
    let reason = reason.unwrap_or_else(|| "the builder closed it".into());
    Box::new(BuildError::local(format!(
        "lost the connection to the builder: {reason}"
    )))
}

/// The refs of a result by platform id, in a stable order; empty ones are left out.
pub fn refs(result: &GatewayResult) -> Vec<(String, crate::proto::gateway::Ref)> {
    use crate::proto::gateway::result::Result as Kind;
    let mut refs: Vec<_> = match &result.result {
        Some(Kind::Ref(one)) => vec![(String::new(), one.clone())],
        Some(Kind::Refs(map)) => map
            .refs
            .iter()
            .map(|(platform, one)| (platform.clone(), one.clone()))
            .collect(),
        _ => Vec::new(),
    };
    refs.retain(|(_, one)| !one.id.is_empty());
    refs.sort_by(|a, b| a.0.cmp(&b.0));
    refs
}
