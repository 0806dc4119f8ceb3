//! Containers of an open build, and the processes in them.

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::Gateway;
use crate::proto::gateway::exec_message::Input;
use crate::proto::gateway::{
    ExecMessage, FdMessage, InitMessage, NewContainerRequest, ReleaseContainerRequest,
    ResizeMessage, SignalMessage,
};
use crate::proto::pb;
use crate::signals::SIGNALS;

/// Messages to one process that may wait for the connection.
const INPUT_QUEUE: usize = 8;

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

impl Gateway {
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
    /// Whether fd 0 is connected; it must be closed with [`ProcessInput::close_stdin`] in the end.
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
