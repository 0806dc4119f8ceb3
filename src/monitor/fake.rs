//! A scripted server for the tests of this room: canned sessions, and processes that echo.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::transport::{Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};

use super::exec::Api;
use crate::proto::controller::controller_client::ControllerClient;
use crate::proto::controller::controller_server::{Controller, ControllerServer};
use crate::proto::controller::*;

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// What the fake server has and has seen.
#[derive(Debug, Default)]
pub struct Canned {
    pub sessions: Vec<Session>,
    pub processes: Vec<Process>,
    /// Others that use every session.
    pub others: Vec<Client>,
    /// What starting a process answers, instead of starting one.
    pub refuse: Option<String>,
    /// Everything that was asked, a line each.
    pub asked: Vec<String>,
    pub execs: Vec<ExecRequest>,
    /// What clients have sent to processes.
    pub typed: Vec<u8>,
    pub sizes: Vec<(u32, u32)>,
    pub notes: Vec<String>,
    /// What every trace has.
    pub events: Vec<TraceEvent>,
    /// How a trace without an outcome ends; without it, it waits to be canceled.
    pub breaks: Option<Status>,
    /// Sessions that builds get, by number of the build.
    pub builds: Vec<BuildRequest>,
    pub in_process: bool,
    pub not_carried: Vec<String>,
}

/// A handle on the fake server.
#[derive(Clone, Debug, Default)]
pub struct Fake(Arc<Mutex<Canned>>, Arc<tokio::sync::Notify>);

impl Fake {
    pub fn with(canned: Canned) -> Self {
        Self(Arc::new(Mutex::new(canned)), Arc::default())
    }

    pub fn canned(&self) -> MutexGuard<'_, Canned> {
        self.0.lock().unwrap()
    }

    /// Everything that was asked since the last call.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.canned().asked)
    }

    fn saw(&self, what: String) {
        self.canned().asked.push(what);
    }

    /// Serves over memory and connects to it.
    pub async fn api(&self) -> Api {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let service = ControllerServer::new(self.clone());
        tokio::spawn(
            Server::builder()
                .add_service(service)
                .serve_with_incoming(tokio_stream::once(Ok::<_, std::io::Error>(theirs))),
        );
        let endpoint = Endpoint::from_static("http://fake");
        let channel = crate::stream::channel(Box::new(ours), endpoint, "server").await;
        ControllerClient::new(channel.unwrap())
    }

    fn start(&self, request: ExecRequest) -> Result<Response<ExecResponse>, Status> {
        let mut canned = self.canned();
        if let Some(refusal) = &canned.refuse {
            return Err(Status::failed_precondition(refusal.clone()));
        }
        let id = format!("process{}", canned.processes.len() + 1);
        canned.processes.push(Process {
            id: id.clone(),
            session: request.session.clone(),
            arguments: request.arguments.clone(),
            tty: request.tty,
            ..Process::default()
        });
        canned.execs.push(request);
        Ok(Response::new(ExecResponse {
            process: id,
            notes: canned.notes.clone(),
        }))
    }
}

fn none<T>() -> Result<T, Status> {
    Err(Status::unimplemented("not in the fake"))
}

#[tonic::async_trait]
impl Controller for Fake {
    async fn log(&self, _: Request<LogRequest>) -> Result<Response<LogResponse>, Status> {
        none()
    }
    type SearchLogStream = Answers<SearchLogResponse>;
    async fn search_log(
        &self,
        _: Request<SearchLogRequest>,
    ) -> Result<Response<Self::SearchLogStream>, Status> {
        none()
    }
    async fn health(&self, _: Request<SessionRequest>) -> Result<Response<BuilderHealth>, Status> {
        none()
    }
    async fn info(&self, _: Request<InfoRequest>) -> Result<Response<InfoResponse>, Status> {
        Ok(Response::new(InfoResponse {
            version: "9.9".into(),
            pid: 77,
            in_process: self.canned().in_process,
            ..InfoResponse::default()
        }))
    }
    async fn list_sessions(
        &self,
        _: Request<ListSessionsRequest>,
    ) -> Result<Response<ListSessionsResponse>, Status> {
        let sessions = self.canned().sessions.clone();
        Ok(Response::new(ListSessionsResponse { sessions }))
    }
    type WatchSessionsStream = Answers<SessionEvent>;
    /// Every session, and then all of them go.
    async fn watch_sessions(
        &self,
        _: Request<WatchSessionsRequest>,
    ) -> Result<Response<Self::WatchSessionsStream>, Status> {
        use session_event::Event;
        let sessions = self.canned().sessions.clone();
        let ids: Vec<_> = sessions.iter().map(|session| session.id.clone()).collect();
        let changed = sessions.into_iter().map(Event::Changed);
        let gone = ids.into_iter().map(Event::Gone);
        let events: Vec<_> = changed
            .chain([Event::Ready(Ready {})])
            .chain(gone)
            .map(|event| Ok(event.into()))
            .collect();
        Ok(Response::new(Box::pin(tokio_stream::iter(events))))
    }
    async fn inspect(
        &self,
        request: Request<SessionRequest>,
    ) -> Result<Response<InspectResponse>, Status> {
        let id = request.into_inner().session;
        let session = self.canned().sessions.iter().find(|s| s.id == id).cloned();
        let session = session.ok_or_else(|| Status::not_found(format!("no session {id:?}")))?;
        Ok(Response::new(InspectResponse {
            session: Some(session),
            arguments: vec!["-t".into(), "a b".into(), ".".into()],
            not_carried: self.canned().not_carried.clone(),
            ..InspectResponse::default()
        }))
    }
    async fn build(
        &self,
        request: Request<BuildRequest>,
    ) -> Result<Response<BuildResponse>, Status> {
        let mut canned = self.canned();
        let session = format!("built{}", canned.builds.len() + 1);
        canned.builds.push(request.into_inner());
        canned.sessions.push(Session {
            id: session.clone(),
            ..Session::default()
        });
        Ok(Response::new(BuildResponse {
            session,
            build: 1,
            ..BuildResponse::default()
        }))
    }
    async fn rebuild(
        &self,
        request: Request<RebuildRequest>,
    ) -> Result<Response<BuildResponse>, Status> {
        let session = request.into_inner().session;
        self.saw(format!("rebuild {session}"));
        Ok(Response::new(BuildResponse {
            session,
            build: 2,
            ..BuildResponse::default()
        }))
    }
    async fn cancel(
        &self,
        request: Request<SessionRequest>,
    ) -> Result<Response<CancelResponse>, Status> {
        self.saw(format!("cancel {}", request.into_inner().session));
        self.1.notify_one();
        Ok(Response::new(CancelResponse { canceled: true }))
    }
    async fn disconnect(
        &self,
        request: Request<DisconnectRequest>,
    ) -> Result<Response<DisconnectResponse>, Status> {
        let DisconnectRequest {
            session,
            unless_used,
        } = request.into_inner();
        let mut canned = self.canned();
        let used = unless_used && !canned.others.is_empty();
        let others = canned.others.clone();
        if !canned.sessions.iter().any(|s| s.id == session) {
            return Err(Status::not_found(format!("no session {session:?}")));
        }
        if !used {
            canned.sessions.retain(|s| s.id != session);
        }
        canned.asked.push(format!("disconnect {session}"));
        Ok(Response::new(DisconnectResponse {
            ended: !used,
            others,
        }))
    }
    async fn keep(&self, request: Request<KeepRequest>) -> Result<Response<KeepResponse>, Status> {
        let keep = request.into_inner().keep;
        self.saw(format!("keep {keep}"));
        let kept_until = match keep {
            0 => 0,
            keep => super::exec::now() + i64::try_from(keep).unwrap(),
        };
        Ok(Response::new(KeepResponse { kept_until }))
    }
    type TraceStream = Answers<TraceRecord>;
    async fn trace(
        &self,
        request: Request<TraceRequest>,
    ) -> Result<Response<Self::TraceStream>, Status> {
        let request = request.into_inner();
        self.saw(format!("trace {} {}", request.session, request.build));
        let (events, breaks) = {
            let canned = self.canned();
            (canned.events.clone(), canned.breaks.clone())
        };
        let canceled = Arc::clone(&self.1);
        let (send, records) = mpsc::channel(4);
        tokio::spawn(async move {
            let mut number = 0;
            for event in events {
                let ends = matches!(event.event, Some(trace_event::Event::Outcome(_)));
                let event = Some(event);
                if number >= request.from
                    && send.send(Ok(TraceRecord { number, event })).await.is_err()
                    || ends
                {
                    return;
                }
                number += 1;
            }
            if let Some(status) = breaks {
                let _ = send.send(Err(status)).await;
                return;
            }
            if request.no_follow {
                return;
            }
            canceled.notified().await;
            let outcome = Outcome {
                end: Some(outcome::End::Canceled(Canceled::default())),
                exit_code: 130,
            };
            let event = Some(TraceEvent {
                event: Some(trace_event::Event::Outcome(outcome)),
                ..TraceEvent::default()
            });
            let _ = send.send(Ok(TraceRecord { number, event })).await;
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(records))))
    }
    async fn input(
        &self,
        _: Request<Streaming<InputChunk>>,
    ) -> Result<Response<InputResponse>, Status> {
        none()
    }
    type OutputStream = Answers<OutputChunk>;
    async fn output(
        &self,
        _: Request<SessionRequest>,
    ) -> Result<Response<Self::OutputStream>, Status> {
        none()
    }
    async fn exec(&self, request: Request<ExecRequest>) -> Result<Response<ExecResponse>, Status> {
        self.start(request.into_inner())
    }
    type AttachStream = Answers<AttachOutput>;
    /// Echoes what is typed; a line `exit N` ends the process.
    async fn attach(
        &self,
        request: Request<Streaming<AttachInput>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        use attach_input::Input;
        use attach_output::Output;
        let mut input = request.into_inner();
        let (send, output) = mpsc::channel(16);
        let fake = self.clone();
        tokio::spawn(async move {
            let say = |output| {
                let send = send.clone();
                async move {
                    let output = Some(output);
                    let _ = send.send(Ok(AttachOutput { output })).await;
                }
            };
            let mut line = Vec::new();
            while let Some(Ok(AttachInput { input: Some(input) })) = input.next().await {
                match input {
                    Input::Start(start) => {
                        fake.saw(format!("attach {}", start.process));
                        let size = start.size.unwrap_or_default();
                        fake.canned().sizes.push((size.rows, size.cols));
                        let screen = bytes::Bytes::from_static(b"welcome# ");
                        say(Output::Snapshot(Snapshot {
                            size: Some(size),
                            screen,
                            ..Snapshot::default()
                        }))
                        .await;
                    }
                    Input::Data(data) => {
                        fake.canned().typed.extend_from_slice(&data);
                        line.extend_from_slice(&data);
                        say(Output::Data(data)).await;
                    }
                    Input::Resize(size) => fake.canned().sizes.push((size.rows, size.cols)),
                    Input::Signal(signal) => fake.saw(format!("signal {signal}")),
                    Input::Close(_) => fake.saw("close".into()),
                    Input::Detach(_) => return,
                }
                if let Some(end) = line.iter().position(|&b| b == b'\r') {
                    let words: Vec<u8> = line.drain(..=end).collect();
                    let words = String::from_utf8_lossy(&words);
                    if let Some(code) = words.trim().strip_prefix("exit ") {
                        say(Output::Exited(Exited {
                            exit_code: code.parse().ok(),
                            reason: String::new(),
                        }))
                        .await;
                        return;
                    }
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(output))))
    }
    async fn list_processes(
        &self,
        request: Request<SessionRequest>,
    ) -> Result<Response<ListProcessesResponse>, Status> {
        let session = request.into_inner().session;
        let canned = self.canned();
        let processes = canned.processes.iter().filter(|p| p.session == session);
        if processes.clone().next().is_none() && !canned.sessions.iter().any(|s| s.id == session) {
            return Err(Status::not_found(format!("no session {session:?}")));
        }
        Ok(Response::new(ListProcessesResponse {
            processes: processes.cloned().collect(),
        }))
    }
    async fn signal(
        &self,
        request: Request<SignalRequest>,
    ) -> Result<Response<SignalResponse>, Status> {
        let request = request.into_inner();
        self.saw(format!("signal {} {}", request.process, request.signal));
        Ok(Response::new(SignalResponse {}))
    }
    async fn kill(&self, request: Request<KillRequest>) -> Result<Response<KillResponse>, Status> {
        self.saw(format!("kill {}", request.into_inner().process));
        Ok(Response::new(KillResponse {}))
    }
    async fn rollback(
        &self,
        request: Request<ExecRequest>,
    ) -> Result<Response<ExecResponse>, Status> {
        let mut request = request.into_inner();
        self.canned().processes.clear();
        self.saw(format!("rollback {}", request.session));
        request.environment.push("ROLLED=1".into());
        self.start(request)
    }
    type ShutdownStream = Answers<ShutdownEvent>;
    async fn shutdown(
        &self,
        request: Request<ShutdownRequest>,
    ) -> Result<Response<Self::ShutdownStream>, Status> {
        if request.into_inner().unless_used && !self.canned().others.is_empty() {
            return Err(Status::failed_precondition("pid 12 is connected."));
        }
        self.saw("shutdown".into());
        let last = ShutdownEvent::default();
        Ok(Response::new(Box::pin(tokio_stream::once(Ok(last)))))
    }
}
