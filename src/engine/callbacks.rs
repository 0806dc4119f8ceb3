//! The services that the engine calls on the client's connection (BuildKit calls this a session).
//!
//! Each file is one service. All of them are served on one HTTP/2 connection per build.

pub mod auth;
pub mod content;
pub mod export;
pub mod filesync;
pub mod mode;
pub mod secrets;
pub mod ssh;
pub mod upload;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::{Ascii, MetadataKey, MetadataValue};
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use super::address::Transport;
use super::channel::HEADER_LIST;
use super::control::Engine;
use super::dial::{self, Upgrade, chain};
use crate::proto::control::BytesMessage;
use crate::stream::BoxIo;
use bollard_buildkit_proto::health::health_check_response::ServingStatus;
use bollard_buildkit_proto::health::health_server::{Health, HealthServer};
use bollard_buildkit_proto::health::{
    HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse,
};

/// Every method that an engine may call. An engine checks the list before it asks for files.
const METHODS: [&str; 16] = [
    "/grpc.health.v1.Health/Check",
    "/moby.filesync.v1.FileSync/DiffCopy",
    "/moby.filesync.v1.FileSend/DiffCopy",
    "/moby.filesync.v1.Auth/Credentials",
    "/moby.filesync.v1.Auth/FetchToken",
    "/moby.filesync.v1.Auth/GetTokenAuthority",
    "/moby.filesync.v1.Auth/VerifyTokenAuthority",
    "/moby.buildkit.secrets.v1.Secrets/GetSecret",
    "/moby.sshforward.v1.SSH/CheckAgent",
    "/moby.sshforward.v1.SSH/ForwardAgent",
    "/moby.upload.v1.Upload/Pull",
    "/containerd.services.content.v1.Content/Info",
    "/containerd.services.content.v1.Content/Read",
    "/containerd.services.content.v1.Content/Status",
    "/containerd.services.content.v1.Content/Write",
    "/containerd.services.content.v1.Content/Abort",
];

/// HTTP/2 receive window of one call, in bytes: what an export may send ahead of the disk.
const WINDOW: u32 = 4 << 20;

/// HTTP/2 receive window of the whole connection, in bytes; memory is bounded by [`WINDOW`]. It is
/// no bound of its own for two reasons: an export that waits for a slow reader must not hold up
/// the other calls (an unanswered health probe ends the build), and h2 (since 0.4.16) ends a
/// connection with "too_many_data_frames" when more small frames wait to be read than half of this
/// window pays for, at up to 256 bytes each: announcing 50,000 files takes that many frames.
const CONNECTION_WINDOW: u32 = 1 << 30;

/// How the callbacks of a build are announced to the engine.
#[derive(Clone, Debug)]
pub struct Announcement {
    /// The id that `SolveRequest.Session` names; unique, 128 random bits.
    pub id: String,
    /// Key of earlier copies of the local sources, stable per context directory and machine.
    pub shared_key: String,
}

impl Announcement {
    /// The headers of `/session` and, in lower case, the metadata of `Control.Session`.
    fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("x-docker-expose-session-uuid", self.id.clone()),
            ("x-docker-expose-session-name", "buildx".to_owned()),
            (
                "x-docker-expose-session-sharedkey",
                header_safe(&self.shared_key),
            ),
        ];
        headers.extend(METHODS.map(|method| {
            let name = "x-docker-expose-session-grpc-method";
            (name, method.to_owned())
        }));
        headers
    }
}

/// A directory name may hold any byte, a header only some; the key only has to be stable.
fn header_safe(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_ascii_graphic() { c } else { '_' })
        .collect()
}

/// The open connection on which the engine calls. Ends when dropped.
#[derive(Debug)]
pub struct Connection {
    served: JoinHandle<Result<(), String>>,
    /// Half-closes the stream of `Control.Session`.
    _open: Option<oneshot::Sender<()>>,
}

impl Connection {
    /// Announces the callbacks to the engine and serves `routes` to it.
    ///
    /// # Errors
    /// The engine refused the connection.
    pub async fn open(
        engine: &Engine,
        announcement: &Announcement,
        routes: Routes,
    ) -> Result<Self, Status> {
        let routes = routes.add_service(HealthServer::new(Serving));
        if let Transport::Docker(address) = engine.transport() {
            match dial::upgrade(address, Upgrade::Session, &announcement.headers()).await {
                Ok(io) => {
                    return Ok(Self {
                        served: tokio::spawn(serve(io, routes)),
                        _open: None,
                    });
                }
                Err(error) if error.is_unknown_path() => {}
                Err(error) => return Err(Status::unavailable(error.to_string())),
            }
        }
        Self::tunnel(engine, announcement, routes).await
    }

    /// The callbacks through `Control.Session`: HTTP/2 inside the messages of a stream.
    async fn tunnel(
        engine: &Engine,
        announcement: &Announcement,
        routes: Routes,
    ) -> Result<Self, Status> {
        let (near, far) = tokio::io::duplex(256 << 10);
        let (mut from_server, mut to_server) = tokio::io::split(far);
        let (messages, queue) = mpsc::channel::<BytesMessage>(16);

        let mut request = Request::new(ReceiverStream::new(queue));
        for (name, value) in announcement.headers() {
            let key = MetadataKey::<Ascii>::from_static(name);
            let value = MetadataValue::try_from(value)
                .map_err(|_| Status::invalid_argument(format!("{name} is not plain ASCII")))?;
            request.metadata_mut().append(key, value);
        }
        let mut control = engine.control();
        // The server's headers come with its first message: the call must not be awaited here.
        let (open, closed) = oneshot::channel::<()>();
        tokio::spawn(async move {
            let mut buffer = vec![0; 32 << 10];
            let pump = async {
                loop {
                    match from_server.read(&mut buffer).await {
                        Ok(0) | Err(_) => break,
                        Ok(n) => {
                            let data = buffer.get(..n).unwrap_or_default().to_vec();
                            if messages.send(BytesMessage { data }).await.is_err() {
                                break;
                            }
                        }
                    }
                }
            };
            tokio::select! { () = pump => {}, _ = closed => {} }
        });
        tokio::spawn(async move {
            let Ok(response) = control.session(request).await else {
                return;
            };
            let mut stream = response.into_inner();
            while let Ok(Some(message)) = stream.message().await {
                if to_server.write_all(&message.data).await.is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            served: tokio::spawn(serve(Box::new(near), routes)),
            _open: Some(open),
        })
    }

    /// Resolves when the engine has closed the connection, with the reason if it broke.
    pub async fn ended(&mut self) -> Option<String> {
        match (&mut self.served).await {
            Ok(Ok(())) => None,
            Ok(Err(reason)) => Some(reason),
            Err(error) => Some(error.to_string()),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.served.abort();
    }
}

async fn serve(io: BoxIo, routes: Routes) -> Result<(), String> {
    hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_header_list_size(HEADER_LIST)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .serve_connection(TokioIo::new(io), TowerToHyperService::new(routes.prepare()))
        .await
        .map_err(|error| chain(&error))
}

/// Answers the engine's health probe; without it the engine drops the connection after 10 s.
#[derive(Clone, Copy, Debug)]
struct Serving;

#[tonic::async_trait]
impl Health for Serving {
    async fn check(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        Ok(Response::new(HealthCheckResponse {
            status: ServingStatus::Serving.into(),
        }))
    }

    async fn list(
        &self,
        _: Request<HealthListRequest>,
    ) -> Result<Response<HealthListResponse>, Status> {
        Err(Status::unimplemented("only Check is served"))
    }

    type WatchStream = tokio_stream::Empty<Result<HealthCheckResponse, Status>>;

    async fn watch(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("only Check is served"))
    }
}

/// The engine's side of a connection on which `routes` are served, and the task that serves them.
#[cfg(test)]
async fn engine(routes: Routes) -> (tonic::transport::Channel, JoinHandle<Result<(), String>>) {
    let (near, far) = tokio::io::duplex(64 << 10);
    let serving = tokio::spawn(serve(Box::new(far), routes));
    let endpoint = tonic::transport::Endpoint::from_static("http://engine");
    let channel = crate::stream::channel(Box::new(near), endpoint, "builder").await;
    (channel.unwrap(), serving)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sink that nobody reads, and more small frames for it than h2 lets wait at its usual
    /// limits: the connection lives and answers other calls.
    #[tokio::test]
    async fn a_stalled_export_holds_nothing_else_up() {
        use crate::proto::control::BytesMessage;
        use bollard_buildkit_proto::health::health_client::HealthClient;
        let (sink, mut stalled) = mpsc::channel(1);
        let sinks = vec![(0, export::ExportSink::Stream(sink))];
        let exports = export::Exports::new(sinks, crate::paths::mask::Mask(0o22));
        let routes = Routes::new(exports.service()).add_service(HealthServer::new(Serving));
        let (channel, _serving) = engine(routes).await;
        let mut grpc = tonic::client::Grpc::new(channel.clone());
        grpc.ready().await.unwrap();
        let (messages, queue) = mpsc::channel::<BytesMessage>(1);
        let path = http::uri::PathAndQuery::from_static("/moby.filesync.v1.FileSend/DiffCopy");
        let codec = tonic_prost::ProstCodec::<BytesMessage, BytesMessage>::default();
        let request = Request::new(ReceiverStream::new(queue));
        let _replies = grpc.streaming(request, path, codec).await.unwrap();
        for _ in 0..60_000 {
            let message = BytesMessage { data: vec![0] };
            messages.send(message).await.unwrap();
            // One frame each: what is ready together goes out together.
            tokio::task::yield_now().await;
        }
        let request = HealthCheckRequest::default();
        HealthClient::new(channel).check(request).await.unwrap();
        stalled.recv().await.unwrap().unwrap();
    }

    #[test]
    fn a_shared_key_survives_any_directory_name() {
        assert_eq!(header_safe("my app\n\u{e4}:0123"), "my_app__:0123");
    }
}
