//! SSH agents: a step's `ssh` talks to the caller's agent, or to keys that are served here.

pub mod keys;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use bollard_buildkit_proto::moby::sshforward::v1::ssh_server::{Ssh as Service, SshServer};
use bollard_buildkit_proto::moby::sshforward::v1::{
    BytesMessage, CheckAgentRequest, CheckAgentResponse,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

use self::keys::Keys;
use crate::paths::Env;

/// The agent of a mount that names none.
const DEFAULT: &str = "default";

/// Metadata that says which agent a connection is for.
const ID: &str = "buildkit.ssh.id";

/// Bytes read from an agent at once.
const CHUNK: usize = 16 << 10;

/// Messages of one connection that wait.
const QUEUE: usize = 8;

/// Where an agent's keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SshSource {
    /// With a running agent, behind its socket.
    Agent(PathBuf),
    /// In these files.
    Keys(Vec<PathBuf>),
}

/// Reads one `--ssh`: `ID[=SOCKET|KEY[,KEY…]]`. Without a path it is the agent of `SSH_AUTH_SOCK`.
/// Paths are relative to `cwd`.
///
/// # Errors
/// What is wrong, in one line.
pub fn parse(text: &str, cwd: &Path, env: &Env) -> Result<(String, SshSource), String> {
    let (id, paths) = text.split_once('=').unwrap_or((text, ""));
    let id = if id.is_empty() { DEFAULT } else { id };
    let paths: Vec<PathBuf> = paths
        .split(',')
        .filter(|path| !path.is_empty())
        .map(|path| cwd.join(path))
        .collect();
    let paths = if paths.is_empty() {
        let socket = env.path("SSH_AUTH_SOCK").ok_or_else(|| {
            format!("ssh {id}: invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set")
        })?;
        vec![socket]
    } else {
        paths
    };
    let mut sockets = Vec::new();
    let mut files = Vec::new();
    for path in paths {
        let metadata = std::fs::metadata(&path)
            .map_err(|error| format!("ssh {id}: {}: {error}", path.display()))?;
        if std::os::unix::fs::FileTypeExt::is_socket(&metadata.file_type()) {
            sockets.push(path);
        } else {
            files.push(path);
        }
    }
    match (sockets.as_slice(), files.is_empty()) {
        ([socket], true) => Ok((id.to_owned(), SshSource::Agent(socket.clone()))),
        ([], _) => Ok((id.to_owned(), SshSource::Keys(files))),
        _ => Err(format!(
            "ssh {id}: give one agent socket or key files, not both"
        )),
    }
}

#[derive(Clone, Debug)]
enum Agent {
    Socket(PathBuf),
    Keys(Arc<Keys>),
}

/// The service.
#[derive(Clone, Debug)]
pub struct SshAgents(Arc<HashMap<String, Agent>>);

impl SshAgents {
    /// Serves these agents by id. Key files are read here.
    ///
    /// # Errors
    /// A key file that cannot be read, or needs a passphrase; one line with its name.
    pub fn new(sources: Vec<(String, SshSource)>) -> Result<Self, String> {
        let agents = sources.into_iter().map(|(id, source)| {
            let agent = match source {
                SshSource::Agent(socket) => Agent::Socket(socket),
                SshSource::Keys(files) => {
                    let keys = Keys::read(&files).map_err(|error| format!("ssh {id}: {error}"))?;
                    Agent::Keys(Arc::new(keys))
                }
            };
            Ok((id, agent))
        });
        Ok(Self(Arc::new(agents.collect::<Result<_, String>>()?)))
    }

    /// The service as it is added to the connection.
    pub fn service(&self) -> SshServer<Self> {
        SshServer::new(self.clone())
    }

    fn agent(&self, id: &str) -> Result<Agent, Status> {
        let id = if id.is_empty() { DEFAULT } else { id };
        self.0.get(id).cloned().ok_or_else(|| {
            Status::not_found(format!("no ssh agent {id:?}: pass --ssh {id} to the build"))
        })
    }
}

type Messages = Pin<Box<dyn Stream<Item = Result<BytesMessage, Status>> + Send>>;

#[tonic::async_trait]
impl Service for SshAgents {
    async fn check_agent(
        &self,
        request: Request<CheckAgentRequest>,
    ) -> Result<Response<CheckAgentResponse>, Status> {
        self.agent(&request.into_inner().id)?;
        Ok(Response::new(CheckAgentResponse {}))
    }

    type ForwardAgentStream = Messages;

    async fn forward_agent(
        &self,
        request: Request<Streaming<BytesMessage>>,
    ) -> Result<Response<Messages>, Status> {
        let id = match request.metadata().get(ID) {
            Some(id) => id
                .to_str()
                .map_err(|_| Status::invalid_argument("unreadable ssh agent id"))?
                .to_owned(),
            None => String::new(),
        };
        let incoming = request.into_inner();
        let (outgoing, queue) = mpsc::channel(QUEUE);
        match self.agent(&id)? {
            Agent::Socket(path) => {
                let agent = UnixStream::connect(&path).await.map_err(|error| {
                    Status::unavailable(format!("ssh agent {}: {error}", path.display()))
                })?;
                tokio::spawn(copy(agent, incoming, outgoing));
            }
            Agent::Keys(keys) => {
                let (near, far) = tokio::io::duplex(CHUNK);
                tokio::spawn(async move { keys.serve(far).await });
                tokio::spawn(copy(near, incoming, outgoing));
            }
        }
        Ok(Response::new(Box::pin(ReceiverStream::new(queue))))
    }
}

/// Copies both ways until the agent closes. The end of the step's bytes is passed on, and the
/// agent's last answer still gets through.
async fn copy<A, S>(agent: A, mut incoming: S, outgoing: mpsc::Sender<Result<BytesMessage, Status>>)
where
    A: AsyncRead + AsyncWrite,
    S: Stream<Item = Result<BytesMessage, Status>> + Unpin,
{
    let (mut from_agent, mut to_agent) = tokio::io::split(agent);
    let up = async {
        while let Some(Ok(message)) = incoming.next().await {
            if to_agent.write_all(&message.data).await.is_err() {
                break;
            }
        }
        let _ = to_agent.shutdown().await;
    };
    let down = async {
        let mut buffer = vec![0; CHUNK];
        while let Ok(n @ 1..) = from_agent.read(&mut buffer).await {
            let data = buffer.get(..n).unwrap_or_default().to_vec();
            if outgoing.send(Ok(BytesMessage { data })).await.is_err() {
                break;
            }
        }
    };
    tokio::pin!(up, down);
    tokio::select! {
        () = &mut up => down.await,
        () = &mut down => {}
    }
}

#[cfg(test)]
#[path = "ssh/tests.rs"]
mod tests;
