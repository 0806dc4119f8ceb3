//! A build that went well, and how its result is opened again for a shell.
//!
//! Exports happen at once, so the build itself has returned and its refs are gone. Its definition is
//! solved again in a build of its own when somebody wants to look inside: every step of it is in the
//! engine's cache, and local sources are found by the id of the callbacks connection, which stays open.

use tokio::task::JoinHandle;
use tonic::{Code, Status};

use crate::build::drive::{self, Drive};
use crate::build::request::Plan;
use crate::builder::find::Found;
use crate::engine::errors::rpc_status;
use crate::engine::gateway::{Gateway, Returned, Target, single_ref};
use crate::engine::id::new_id;
use crate::proto::control::{CacheOptions, SolveRequest, SolveResponse};
use crate::proto::gateway::Result as GatewayResult;
use crate::proto::pb;
use crate::server::state::{Inside, OpenState, PlatformResult};

/// A result that can be opened again.
#[derive(Debug)]
pub struct Success {
    results: Vec<(PlatformResult, Option<pb::Definition>)>,
    entitlements: Vec<String>,
    /// Holds the callbacks connection open.
    drive: Drive,
    found: Found,
    _plan: Plan,
    opened: Option<Opened>,
}

#[derive(Debug)]
struct Opened {
    state: OpenState,
    solving: JoinHandle<Result<SolveResponse, Status>>,
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.solving.abort();
    }
}

impl Success {
    pub(super) fn of(drive: Drive, result: GatewayResult, found: Found, plan: Plan) -> Self {
        let definitions = drive::refs(&result);
        let results = platform_results(&result)
            .into_iter()
            .map(|one| {
                let definition = definitions
                    .iter()
                    .find(|(_, found)| found.id == one.reference)
                    .and_then(|(_, found)| found.def.clone());
                (one, definition)
            })
            .collect();
        Self {
            results,
            entitlements: plan.entitlements.clone(),
            drive,
            found,
            _plan: plan,
            opened: None,
        }
    }

    /// Platforms of the result, in the frontend's order; empty when it names none.
    pub fn platforms(&self) -> Vec<String> {
        let names = self.results.iter().map(|(one, _)| one.platform.clone());
        names.filter(|name| !name.is_empty()).collect()
    }

    /// Whether there is a file system to start a process in.
    pub fn is_empty(&self) -> bool {
        self.results.is_empty()
    }

    /// Opens the result; `None` when it is open already.
    ///
    /// # Errors
    /// The engine's.
    pub async fn open(&mut self) -> Result<Option<OpenState>, Status> {
        if let Some(opened) = &self.opened
            && !opened.solving.is_finished()
        {
            return Ok(None);
        }
        if self.results.is_empty() {
            return Err(Status::failed_precondition(
                "the result is empty: there is nothing to start a process in",
            ));
        }
        let engine = &self.found.engine;
        let reference = new_id().map_err(|error| Status::internal(error.to_string()))?;
        let request = SolveRequest {
            r#ref: reference.clone(),
            session: self.drive.session().to_owned(),
            internal: true,
            cache: Some(CacheOptions::default()),
            entitlements: self.entitlements.clone(),
            ..SolveRequest::default()
        };
        let gateway = Gateway::new(engine, &reference)?;
        let solving = {
            let engine = engine.clone();
            tokio::spawn(async move { engine.solve(request).await })
        };
        let mut opened = Opened {
            state: OpenState {
                gateway: gateway.clone(),
                inside: Inside::Result(Vec::new()),
            },
            solving,
        };
        let mut inside = Vec::new();
        for (one, definition) in &self.results {
            let Some(definition) = definition else {
                continue;
            };
            let target = Target::Definition(definition.clone());
            let result = tokio::select! {
                biased;
                solved = &mut opened.solving => return Err(match solved {
                    Ok(Err(status)) => status,
                    _ => Status::unavailable("the engine ended the build"),
                }),
                result = gateway.solve(target, true) => result?,
            };
            if let Some(reference) = single_ref(&result) {
                inside.push(PlatformResult {
                    reference: reference.to_owned(),
                    ..one.clone()
                });
            }
        }
        if inside.is_empty() {
            return Err(Status::failed_precondition(
                "the engine gives no access to the result: there is nothing to start a process in",
            ));
        }
        opened.state.inside = Inside::Result(inside);
        let state = opened.state.clone();
        self.opened = Some(opened);
        Ok(Some(state))
    }

    /// Lets everything go.
    pub async fn release(mut self) {
        if let Some(mut opened) = self.opened.take() {
            let end = rpc_status(&Status::new(
                Code::Cancelled,
                "the result is not needed any more",
            ));
            let ending = async {
                let _ = opened.state.gateway.finish(Returned::Error(end)).await;
                if !opened.solving.is_finished() {
                    let _ = (&mut opened.solving).await;
                }
            };
            let _ = tokio::time::timeout(super::RELEASE, ending).await;
        }
    }

    /// Resolves when the engine has gone, with the reason.
    pub async fn broken(&mut self) -> String {
        self.drive.connection_lost().await
    }
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
