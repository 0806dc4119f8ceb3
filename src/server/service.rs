//! The calls of `proto/controller.proto`: unpacked, handed to the [`Server`], answered.

use std::pin::Pin;
use std::sync::Arc;

use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

use super::Server;
use super::life::connection::Peer;
use crate::proto::controller::controller_server::{Controller, ControllerServer};
use crate::proto::controller::*;

/// Largest message in either direction.
const MESSAGE: usize = 4 << 20;

/// A stream of answers.
type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The service of one server.
#[derive(Clone, Debug)]
pub struct Service {
    server: Arc<Server>,
}

impl Service {
    /// The calls of `server`, ready to be served.
    pub fn of(server: &Arc<Server>) -> ControllerServer<Self> {
        ControllerServer::new(Self {
            server: Arc::clone(server),
        })
        .max_decoding_message_size(MESSAGE)
    }
}

#[tonic::async_trait]
impl Controller for Service {
    async fn info(&self, _request: Request<InfoRequest>) -> Result<Response<InfoResponse>, Status> {
        Ok(Response::new(self.server.info()))
    }
    async fn list_sessions(
        &self,
        _request: Request<ListSessionsRequest>,
    ) -> Result<Response<ListSessionsResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }
    type WatchSessionsStream = Answers<SessionEvent>;
    async fn watch_sessions(
        &self,
        _request: Request<WatchSessionsRequest>,
    ) -> Result<Response<Self::WatchSessionsStream>, Status> {
        Err(Status::unimplemented("not yet"))
    }
    async fn inspect(
        &self,
        _request: Request<SessionRequest>,
    ) -> Result<Response<InspectResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }
    async fn build(
        &self,
        _request: Request<BuildRequest>,
    ) -> Result<Response<BuildResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }
    async fn rebuild(
        &self,
        _request: Request<RebuildRequest>,
    ) -> Result<Response<BuildResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }
    async fn cancel(
        &self,
        _request: Request<SessionRequest>,
    ) -> Result<Response<CancelResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }
    async fn disconnect(
        &self,
        _request: Request<DisconnectRequest>,
    ) -> Result<Response<DisconnectResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }
    async fn keep(&self, _request: Request<KeepRequest>) -> Result<Response<KeepResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }
    type TraceStream = Answers<TraceRecord>;
    async fn trace(
        &self,
        _request: Request<TraceRequest>,
    ) -> Result<Response<Self::TraceStream>, Status> {
        Err(Status::unimplemented("not yet"))
    }
    async fn input(
        &self,
        _request: Request<Streaming<InputChunk>>,
    ) -> Result<Response<InputResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }
    type OutputStream = Answers<OutputChunk>;
    async fn output(
        &self,
        _request: Request<SessionRequest>,
    ) -> Result<Response<Self::OutputStream>, Status> {
        Err(Status::unimplemented("not yet"))
    }
    async fn exec(&self, _request: Request<ExecRequest>) -> Result<Response<ExecResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }
    type AttachStream = Answers<AttachOutput>;
    async fn attach(
        &self,
        _request: Request<Streaming<AttachInput>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        Err(Status::unimplemented("not yet"))
    }
    async fn list_processes(
        &self,
        _request: Request<SessionRequest>,
    ) -> Result<Response<ListProcessesResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }
    async fn signal(
        &self,
        _request: Request<SignalRequest>,
    ) -> Result<Response<SignalResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }
    async fn kill(&self, _request: Request<KillRequest>) -> Result<Response<KillResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }
    async fn rollback(
        &self,
        _request: Request<ExecRequest>,
    ) -> Result<Response<ExecResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }
    type ShutdownStream = Answers<ShutdownEvent>;
    async fn shutdown(
        &self,
        request: Request<ShutdownRequest>,
    ) -> Result<Response<Self::ShutdownStream>, Status> {
        let asker = request.extensions().get::<Peer>().copied();
        let (life, usage) = (self.server.life(), self.server.usage());
        let events = life.shutdown(request.into_inner(), asker, usage)?;
        Ok(Response::new(Box::pin(events)))
    }
}
