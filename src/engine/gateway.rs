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

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Code, Request, Status, Streaming};

use super::channel::MESSAGE;
use super::control::Engine;
use crate::proto::gateway::exec_message::Input;
use crate::proto::gateway::llb_bridge_client::LlbBridgeClient;
use crate::proto::gateway::{
    EvaluateRequest, ExecMessage, FdMessage, FileRange, InitMessage, NewContainerRequest,
    PingRequest, PongResponse, ReadDirRequest, ReadFileRequest, ReleaseContainerRequest,
    ResizeMessage, Result as GatewayResult, ReturnRequest, SignalMessage, SolveRequest,
    StatFileRequest, result,
};
use crate::proto::{RpcStatus, pb};
use crate::signals::SIGNALS;

/// Metadata key that names the build on every call.
const BUILD_ID: &str = "buildkit-controlapi-buildid";

/// Messages to one process that may wait for the connection.
const INPUT_QUEUE: usize = 8;

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

    /// Makes a container; nothing runs in it yet, but lazy refs of its mounts are evaluated.
    ///
    /// # Errors
    /// `AlreadyExists` for a second container of that id; problems of mounts and secrets.
    pub async fn new_container(&self, spec: ContainerSpec) -> Result<Container, Status> {
        let mut mounts = Vec::with_capacity(spec.mounts.len() + 1);
        mounts.push(pb::Mount {
            dest: "/".into(),
            result_id: spec.root,
            mount_type: pb::MountType::Bind as i32,
            ..Default::default()
        });
        mounts.extend(spec.mounts.into_iter().filter(|mount| mount.dest != "/"));
        let request = NewContainerRequest {
            container_id: spec.id.clone(),
            mounts,
            network: spec.network as i32,
            platform: spec.platform,
            extra_hosts: spec.extra_hosts,
            hostname: spec.hostname,
            ..Default::default()
        };
        let mut client = self.client.clone();
        client.new_container(self.request(request)).await?;
        Ok(Container {
            gateway: self.clone(),
            id: spec.id,
        })
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

/// A container to be made. Its root mount is a field, so there is no container without one.
#[derive(Clone, Debug)]
pub struct ContainerSpec {
    id: String,
    root: String,
    /// Mounts beside the root; one at `/` is ignored.
    pub mounts: Vec<pb::Mount>,
    /// Network mode; `Host` needs the build's entitlement.
    pub network: pb::NetMode,
    /// Lines for `/etc/hosts`.
    pub extra_hosts: Vec<pb::HostIp>,
    /// Host name inside, the engine's choice when empty.
    pub hostname: String,
    /// Platform whose defaults are used.
    pub platform: Option<pb::Platform>,
}

impl ContainerSpec {
    /// A container `id` (letters and digits) on the ref or mount id `root`; an empty `root` is an
    /// empty writable directory.
    pub fn new(id: impl Into<String>, root: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            root: root.into(),
            mounts: Vec::new(),
            network: pb::NetMode::Unset,
            extra_hosts: Vec::new(),
            hostname: String::new(),
            platform: None,
        }
    }
}

/// A container of an open build.
#[derive(Clone, Debug)]
pub struct Container {
    gateway: Gateway,
    id: String,
}

/// A process to be started. `meta` has no default: an engine crashes on a process without it.
#[derive(Clone, Debug)]
pub struct ProcessSpec {
    /// Arguments, environment, absolute working directory and user. Nothing is inherited.
    pub meta: pb::Meta,
    /// Allocate a terminal of this many rows and columns; output then comes on fd 1 only.
    pub tty: Option<(u32, u32)>,
    /// Whether fd 0 is connected; it must be closed with [`Process::close_stdin`] in the end.
    pub stdin: bool,
    /// Security mode of the step.
    pub security: pb::SecurityMode,
    /// Environment variables that hold secrets.
    pub secret_env: Vec<pb::SecretEnv>,
}

impl Container {
    /// Starts a process under the id `process`, unique in the build. The first one is PID 1: when
    /// it ends, or when any process ends with an error, the engine ends the container.
    ///
    /// # Errors
    /// Whatever ends the stream before its first message.
    pub async fn start(&self, process: &str, spec: ProcessSpec) -> Result<Process, Status> {
        let (input, queue) = mpsc::channel(INPUT_QUEUE);
        let mut fds = vec![1, 2];
        if spec.stdin {
            fds.insert(0, 0);
        }
        let process = ProcessInput {
            id: process.to_owned(),
            queue: input,
        };
        // The call resolves only with the server's first message, which answers Init: queue first.
        process
            .send(Input::Init(InitMessage {
                container_id: self.id.clone(),
                meta: Some(spec.meta),
                fds,
                tty: spec.tty.is_some(),
                security: spec.security as i32,
                secretenv: spec.secret_env,
            }))
            .await?;
        if let Some((rows, cols)) = spec.tty {
            process.resize(rows, cols).await?;
        }
        let request = self.gateway.request(ReceiverStream::new(queue));
        let mut client = self.gateway.client.clone();
        let output = client.exec_process(request).await?.into_inner();
        Ok(Process {
            input: process,
            output,
        })
    }

    /// Kills every process and unmounts. The engine answers with the exit of a process as error
    /// although the release succeeded, so only an unknown container is an error here.
    ///
    /// # Errors
    /// The container was not there.
    pub async fn release(&self) -> Result<(), Status> {
        let request = ReleaseContainerRequest {
            container_id: self.id.clone(),
        };
        let mut client = self.gateway.client.clone();
        match client
            .release_container(self.gateway.request(request))
            .await
        {
            Err(status) if status.message().contains("not found") => Err(status),
            _ => Ok(()),
        }
    }
}

/// A running process: what goes in, and the stream of what comes out
/// (`Started`, `File` of fds 1 and 2, `Exit`, `Done`).
#[derive(Debug)]
pub struct Process {
    /// The way in.
    pub input: ProcessInput,
    /// The way out. Keep reading it: a full window stops the process.
    pub output: Streaming<ExecMessage>,
}

/// The way into a process.
#[derive(Clone, Debug)]
pub struct ProcessInput {
    id: String,
    queue: mpsc::Sender<ExecMessage>,
}

impl ProcessInput {
    /// Bytes for fd 0. A process that does not read blocks everything behind them.
    ///
    /// # Errors
    /// The stream has ended.
    pub async fn write(&self, data: Vec<u8>) -> Result<(), Status> {
        self.send(Input::File(FdMessage {
            fd: 0,
            eof: false,
            data,
        }))
        .await
    }

    /// [`ProcessInput::write`] where there is room at once.
    ///
    /// # Errors
    /// The data: there is no room, or the stream has ended.
    pub fn try_write(&self, data: Bytes) -> Result<(), Bytes> {
        let Ok(permit) = self.queue.try_reserve() else {
            return Err(data);
        };
        let input = Input::File(FdMessage {
            fd: 0,
            eof: false,
            data: data.into(),
        });
        permit.send(ExecMessage {
            process_id: self.id.clone(),
            input: Some(input),
        });
        Ok(())
    }

    /// Closes fd 0. The stream of a process with an open fd 0 never ends.
    ///
    /// # Errors
    /// The stream has ended.
    pub async fn close_stdin(&self) -> Result<(), Status> {
        self.send(Input::File(FdMessage {
            fd: 0,
            eof: true,
            data: Vec::new(),
        }))
        .await
    }

    /// Tells the size of the terminal, in cells.
    ///
    /// # Errors
    /// The stream has ended.
    pub async fn resize(&self, rows: u32, cols: u32) -> Result<(), Status> {
        self.send(Input::Resize(ResizeMessage { rows, cols })).await
    }

    /// Sends a signal by its name without `SIG`: `INT`, `TERM`, `KILL`.
    ///
    /// # Errors
    /// A name that is no signal (an engine would break the stream over it), or an ended stream.
    pub async fn signal(&self, name: &str) -> Result<(), Status> {
        if !SIGNALS.contains(&name) {
            return Err(Status::invalid_argument(format!(
                "unknown signal {name:?}: use one of {}",
                SIGNALS.join(", ")
            )));
        }
        self.send(Input::Signal(SignalMessage {
            name: name.to_owned(),
        }))
        .await
    }

    async fn send(&self, input: Input) -> Result<(), Status> {
        self.queue
            .send(ExecMessage {
                process_id: self.id.clone(),
                input: Some(input),
            })
            .await
            .map_err(|_| Status::unavailable("the process has ended"))
    }
}
