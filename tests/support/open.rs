//! Builds that stay open on the engine, as the server holds them for processes.

use std::collections::HashMap;
use std::sync::Arc;

use buildx::engine::callbacks::filesync::{FileSync, SourceDir};
use buildx::engine::callbacks::secrets::{SecretValue, Secrets};
use buildx::engine::callbacks::{Announcement, Connection};
use buildx::engine::control::Engine;
use buildx::engine::errors::{BuildError, decode};
use buildx::engine::gateway::{Gateway, Returned, Target};
use buildx::engine::id::new_id;
use buildx::proto::RpcStatus;
use buildx::proto::control::{SolveRequest, SolveResponse};
use buildx::proto::gateway::{self, result};
use buildx::server::state::{Inside, OpenState, PlatformResult};
use tokio::task::JoinHandle;
use tonic::service::Routes;
use tonic::{Code, Status};

use super::context::Context;
use super::engine::engine;

/// A gateway build of a Dockerfile, with files and secrets served to the engine.
#[derive(Debug)]
pub struct OpenBuild {
    /// The open build.
    pub gateway: Gateway,
    solve: JoinHandle<Result<SolveResponse, Status>>,
    _callbacks: Connection,
}

impl OpenBuild {
    /// Opens a build that serves `context` and `secrets`. Host networking is allowed.
    pub async fn new(context: &Context, secrets: &[(&str, &str)]) -> Self {
        let (engine, _) = Engine::connect(&engine().transport()).await.unwrap();
        let session = new_id().unwrap();
        let announcement = Announcement {
            id: session.clone(),
            shared_key: session.clone(),
        };
        let directories = ["context", "dockerfile"].map(|name| SourceDir {
            name: name.into(),
            root: context.path().to_owned(),
        });
        let secrets = secrets.iter().map(|(id, value)| {
            let value = SecretValue::Bytes(Arc::from(value.as_bytes()));
            ((*id).to_owned(), value)
        });
        let routes = Routes::new(FileSync::new(directories.into()).service())
            .add_service(Secrets::new(secrets.collect()).service());
        let callbacks = Connection::open(&engine, &announcement, routes)
            .await
            .unwrap();
        let reference = new_id().unwrap();
        let request = SolveRequest {
            r#ref: reference.clone(),
            session,
            entitlements: vec!["network.host".into()],
            cache: Some(Default::default()),
            ..Default::default()
        };
        let gateway = Gateway::new(&engine, &reference).unwrap();
        let solving = engine.clone();
        let solve = tokio::spawn(async move { solving.solve(request).await });
        gateway.ping().await.unwrap();
        Self {
            gateway,
            solve,
            _callbacks: callbacks,
        }
    }

    /// Solves the Dockerfile with more options of the frontend, all steps included.
    pub async fn solve(&self, options: &[(&str, &str)]) -> Result<gateway::Result, BuildError> {
        let target = Target::Frontend {
            name: "dockerfile.v0".into(),
            options: options
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect::<HashMap<_, _>>(),
            inputs: Default::default(),
        };
        self.gateway
            .solve(target, true)
            .await
            .map_err(|status| decode(&status))
    }

    /// The state of a step that must fail, with the definition when a lazy solve gives one.
    pub async fn failed(&self, options: &[(&str, &str)]) -> OpenState {
        let error = self.solve(options).await.expect_err("a step must fail");
        let target = Target::Frontend {
            name: "dockerfile.v0".into(),
            options: options
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            inputs: Default::default(),
        };
        let lazy = self.gateway.solve(target, false).await;
        let definition = lazy.ok().and_then(|result| match result.result? {
            result::Result::Ref(reference) => reference.def,
            result::Result::Refs(map) => map.refs.into_values().next()?.def,
            _ => None,
        });
        let vertex = error.vertex.clone().unwrap_or_default();
        OpenState {
            gateway: self.gateway.clone(),
            inside: Inside::Failed {
                exec: error.exec.clone().unwrap_or_else(|| panic!("{error:?}")),
                definition: definition.map(Arc::new),
                vertex,
            },
        }
    }

    /// The result of a build that must succeed.
    pub async fn result(&self, options: &[(&str, &str)]) -> OpenState {
        let result = self.solve(options).await.unwrap();
        let config = |platform: &str| {
            let key = "containerimage.config";
            let bytes = result
                .metadata
                .get(&format!("{key}/{platform}"))
                .or_else(|| result.metadata.get(key))?;
            serde_json::from_slice(bytes).ok()
        };
        let platforms = match result.result.as_ref().unwrap() {
            result::Result::Ref(reference) => vec![PlatformResult {
                platform: String::new(),
                reference: reference.id.clone(),
                config: config(""),
            }],
            result::Result::Refs(map) => map
                .refs
                .iter()
                .map(|(platform, reference)| PlatformResult {
                    platform: platform.clone(),
                    reference: reference.id.clone(),
                    config: config(platform),
                })
                .collect(),
            _ => Vec::new(),
        };
        OpenState {
            gateway: self.gateway.clone(),
            inside: Inside::Result(platforms),
        }
    }

    /// Ends the build.
    pub async fn cancel(self) {
        let error = RpcStatus {
            code: Code::Cancelled as i32,
            message: "context canceled".into(),
            details: Vec::new(),
        };
        self.gateway.finish(Returned::Error(error)).await.unwrap();
        let _ = self.solve.await.unwrap();
    }
}
