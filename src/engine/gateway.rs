//! The gateway API: builds that stay open, their refs, containers on them, and processes in those.
//!
//! Three requests that the wire allows crash engines up to BuildKit 0.32 (a container without a root
//! mount, a return with neither result nor error, a process without meta). The types here cannot
//! express them:
//!
//! ```compile_fail
//! # use buildx::engine::gateway::ContainerSpec;
//! let spec = ContainerSpec { mounts: vec![], ..Default::default() };
//! ```
//! ```compile_fail
//! # use buildx::engine::gateway::Returned;
//! let nothing = Returned::default();
//! ```
//! ```compile_fail
//! # use buildx::engine::gateway::ProcessSpec;
//! let spec = ProcessSpec { tty: true, ..Default::default() };
//! ```

use std::collections::HashMap;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use super::channel::MESSAGE;
use super::control::Engine;
use crate::proto::gateway::llb_bridge_client::LlbBridgeClient;
use crate::proto::gateway::{
    EvaluateRequest, FileRange, PingRequest, PongResponse, ReadDirRequest, ReadFileRequest,
    Result as GatewayResult, ReturnRequest, SolveRequest, StatFileRequest, result,
};
use crate::proto::{RpcStatus, pb};

mod container;

pub use container::{Container, ContainerSpec, Process, ProcessInput, ProcessSpec};

/// Metadata key that names the build on every call.
const BUILD_ID: &str = "buildkit-controlapi-buildid";

/// The gateway of one open build: a `Control.Solve` without frontend and definition under the same ref.
#[derive(Clone, Debug)]
pub struct Gateway {
    client: LlbBridgeClient<Channel>,
    build: MetadataValue<Ascii>,
}

/// What a gateway solve builds.
#[derive(Clone, Debug)]
pub enum Target {
    /// A frontend with its options, such as `dockerfile.v0`.
    Frontend {
        /// Name of the frontend.
        name: String,
        /// Options as in `SolveRequest.FrontendOpt`.
        options: HashMap<String, String>,
        /// Definitions that the frontend takes as named inputs.
        inputs: HashMap<String, pb::Definition>,
    },
    /// A definition of operations, in the engine's own encoding.
    Definition(pb::Definition),
}

/// How a build ends. There is no third way.
#[derive(Clone, Debug)]
pub enum Returned {
    /// With this result, which `Control.Solve` then exports.
    Result(GatewayResult),
    /// With this error, which `Control.Solve` then reports.
    Error(RpcStatus),
}

impl Gateway {
    /// The gateway of build `reference`.
    ///
    /// # Errors
    /// `InvalidArgument` when the reference cannot travel as metadata.
    pub fn new(engine: &Engine, reference: &str) -> Result<Self, Status> {
        Ok(Self {
            client: LlbBridgeClient::new(engine.channel()).max_decoding_message_size(MESSAGE),
            build: reference
                .parse()
                .map_err(|_| Status::invalid_argument("the build ref is not plain ASCII"))?,
        })
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert(BUILD_ID, self.build.clone());
        request
    }

    /// The engine's capabilities and workers. Waits up to 3 s for the build to appear.
    ///
    /// # Errors
    /// `NotFound` when the build is not there; the error of `Control.Solve` then says why.
    pub async fn ping(&self) -> Result<PongResponse, Status> {
        let mut client = self.client.clone();
        Ok(client
            .ping(self.request(PingRequest {}))
            .await?
            .into_inner())
    }

    /// Solves `target`. Without `evaluate` no step has run when this returns.
    ///
    /// # Errors
    /// The engine's status with typed details.
    pub async fn solve(&self, target: Target, evaluate: bool) -> Result<GatewayResult, Status> {
        let mut request = SolveRequest {
            // Without these two the engine answers in an old form that has no definitions.
            allow_result_return: true,
            allow_result_array_ref: true,
            evaluate,
            ..Default::default()
        };
        match target {
            Target::Frontend {
                name,
                options,
                inputs,
            } => {
                request.frontend = name;
                request.frontend_opt = options;
                request.frontend_inputs = inputs;
            }
            Target::Definition(definition) => request.definition = Some(definition),
        }
        let mut client = self.client.clone();
        let response = client.solve(self.request(request)).await?.into_inner();
        response
            .result
            .ok_or_else(|| Status::internal("the engine sent no result"))
    }

    /// Runs what a lazy ref still lacks.
    ///
    /// # Errors
    /// The failed step, with typed details and mount ids.
    pub async fn evaluate(&self, reference: &str) -> Result<(), Status> {
        let mut client = self.client.clone();
        let request = EvaluateRequest {
            r#ref: reference.to_owned(),
        };
        client.evaluate(self.request(request)).await.map(drop)
    }

    /// [`Gateway::evaluate`], also on engines before 0.11, which do it as a side effect.
    ///
    /// # Errors
    /// As [`Gateway::evaluate`].
    pub async fn run(&self, reference: &str) -> Result<(), Status> {
        match self.evaluate(reference).await {
            Err(status) if status.code() == Code::Unimplemented => {
                self.stat_file(reference, ".").await.map(drop)
            }
            answer => answer,
        }
    }

    /// Bytes of a file in a ref; `range` is offset and length, the whole file when absent.
    /// Engines refuse answers over 16 MiB, so read big files in ranges.
    ///
    /// # Errors
    /// A missing file is `Unknown` with a text that ends in "no such file or directory".
    pub async fn read_file(
        &self,
        reference: &str,
        path: &str,
        range: Option<(i64, i64)>,
    ) -> Result<Vec<u8>, Status> {
        let mut client = self.client.clone();
        let request = ReadFileRequest {
            r#ref: reference.to_owned(),
            file_path: path.to_owned(),
            range: range.map(|(offset, length)| FileRange { offset, length }),
            mount_index: 0,
        };
        Ok(client
            .read_file(self.request(request))
            .await?
            .into_inner()
            .data)
    }

    /// Entries of a directory in a ref, with bare names and Go file modes.
    ///
    /// # Errors
    /// As [`Gateway::read_file`].
    pub async fn read_dir(
        &self,
        reference: &str,
        path: &str,
    ) -> Result<Vec<bollard_buildkit_proto::fsutil::types::Stat>, Status> {
        let mut client = self.client.clone();
        let request = ReadDirRequest {
            r#ref: reference.to_owned(),
            dir_path: path.to_owned(),
            ..Default::default()
        };
        Ok(client
            .read_dir(self.request(request))
            .await?
            .into_inner()
            .entries)
    }

    /// Facts about one file in a ref.
    ///
    /// # Errors
    /// As [`Gateway::read_file`].
    pub async fn stat_file(
        &self,
        reference: &str,
        path: &str,
    ) -> Result<bollard_buildkit_proto::fsutil::types::Stat, Status> {
        let mut client = self.client.clone();
        let request = StatFileRequest {
            r#ref: reference.to_owned(),
            path: path.to_owned(),
            mount_index: 0,
        };
        client
            .stat_file(self.request(request))
            .await?
            .into_inner()
            .stat
            .ok_or_else(|| Status::internal("the engine sent no stat"))
    }

    /// Ends the build. All its refs and containers go with it.
    ///
    /// # Errors
    /// An unknown ref in the result leaves the build open; the call may be repeated.
    pub async fn finish(&self, returned: Returned) -> Result<(), Status> {
        let request = match returned {
            Returned::Result(result) => ReturnRequest {
                result: Some(result),
                error: None,
            },
            Returned::Error(error) => ReturnRequest {
                result: None,
                error: Some(error),
            },
        };
        let mut client = self.client.clone();
        client.r#return(self.request(request)).await.map(drop)
    }
}

/// The ref of a result for one platform; `None` is an empty result, which cannot be mounted.
pub fn single_ref(result: &GatewayResult) -> Option<&str> {
    match result.result.as_ref()? {
        result::Result::Ref(reference) => Some(reference.id.as_str()),
        result::Result::Refs(map) => map.refs.values().next().map(|r| r.id.as_str()),
        _ => None,
    }
    .filter(|id| !id.is_empty())
}
