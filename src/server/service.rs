//! The calls of `proto/controller.proto`: unpacked, handed to the [`Server`] and its sessions, answered.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

use super::caller::{Caller, Input};
use super::life::connection::Peer;
use super::session::record::Record;
use super::session::{Ask, Asked, Session, start};
use super::{Server, health, recorder};
use crate::proto::controller::controller_server::{Controller, ControllerServer};
use crate::proto::controller::*;

mod logs;
mod quiet;
mod watch;

/// Largest message in either direction.
const MESSAGE: usize = 4 << 20;

/// Records of a trace that wait for a slow reader, in batches of [`TRACE_BATCH`] bytes.
const TRACE_QUEUE: usize = 2;

/// Bytes of a trace that are read at once.
const TRACE_BATCH: usize = 256 << 10;

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

    fn find(&self, wanted: &str) -> Result<Arc<Session>, Status> {
        self.server.find(wanted)
    }
}

/// The client that makes a call.
fn peer<T>(request: &Request<T>) -> Client {
    let peer = request.extensions().get::<Peer>();
    Client {
        pid: peer.and_then(|peer| peer.pid).unwrap_or_default(),
        terminal: peer.map(Peer::terminal).unwrap_or_default(),
        ..Client::default()
    }
}

fn required<T>(value: Option<T>, what: &str) -> Result<T, Status> {
    value.ok_or_else(|| Status::invalid_argument(format!("the request has no {what}")))
}

fn answered<T>(answer: T) -> Result<Response<T>, Status> {
    Ok(Response::new(answer))
}

#[tonic::async_trait]
impl Controller for Service {
    async fn info(&self, _request: Request<InfoRequest>) -> Result<Response<InfoResponse>, Status> {
        answered(self.server.info())
    }

    async fn list_sessions(
        &self,
        _request: Request<ListSessionsRequest>,
    ) -> Result<Response<ListSessionsResponse>, Status> {
        let sessions = self.server.sessions();
        answered(ListSessionsResponse {
            sessions: sessions.iter().map(|session| session.listed()).collect(),
        })
    }

    type WatchSessionsStream = Answers<SessionEvent>;

    async fn watch_sessions(
        &self,
        request: Request<WatchSessionsRequest>,
    ) -> Result<Response<Self::WatchSessionsStream>, Status> {
        let of = match request.get_ref().session.as_str() {
            "" => None,
            session => Some(self.find(session)?),
        };
        answered(watch::sessions(&self.server, of, peer(&request)))
    }

    async fn inspect(
        &self,
        request: Request<SessionRequest>,
    ) -> Result<Response<InspectResponse>, Status> {
        let session = self.find(&request.get_ref().session)?;
        let record = session.record();
        answered(InspectResponse {
            session: Some(session.listed()),
            arguments: record.arguments,
            directory: record.directory,
            processes: session.processes.list().await,
            platforms: record.last.platforms,
            not_carried: session.not_carried(),
            clients: session.clients().await,
            outcome: outcome(&session).await,
        })
    }

    async fn build(
        &self,
        request: Request<BuildRequest>,
    ) -> Result<Response<BuildResponse>, Status> {
        let by = peer(&request).pid;
        let request = request.into_inner();
        let mut caller = Caller::try_from(required(request.caller, "caller")?)?;
        caller.pid = by;
        let attaches = request.attaches;
        let keep = match request.keep {
            0 => u64::try_from(self.server.settings().keep.as_millis()).unwrap_or(u64::MAX),
            keep => keep,
        };
        let record = Record {
            name: request.name,
            arguments: request.arguments,
            directory: caller.directory.display().to_string(),
            terminal: caller.terminal.clone(),
            created: recorder::now(),
            detached: request.detached,
            keep,
            keep_success: request.keep_success,
            ..Record::default()
        };
        let (session, started) = start::start(&self.server, record, Asked { caller, attaches })?;
        answered(BuildResponse {
            session: session.id.clone(),
            build: started.build,
            wants_input: started.wants_input,
            gives_output: started.gives_output,
        })
    }

    async fn rebuild(
        &self,
        request: Request<RebuildRequest>,
    ) -> Result<Response<BuildResponse>, Status> {
        let by = peer(&request).pid;
        let request = request.into_inner();
        let session = self.find(&request.session)?;
        let mut caller = Caller::try_from(required(request.caller, "caller")?)?;
        caller.pid = by;
        let attaches = request.attaches;
        let asked = Asked { caller, attaches };
        let build = session.ask(|reply| Ask::Rebuild(asked, reply)).await??;
        answered(BuildResponse {
            session: session.id.clone(),
            build,
            ..BuildResponse::default()
        })
    }

    async fn cancel(
        &self,
        request: Request<SessionRequest>,
    ) -> Result<Response<CancelResponse>, Status> {
        let by = peer(&request);
        let session = self.find(&request.get_ref().session)?;
        let canceled = session.ask(|reply| Ask::Cancel(by, reply)).await?;
        answered(CancelResponse { canceled })
    }

    async fn disconnect(
        &self,
        request: Request<DisconnectRequest>,
    ) -> Result<Response<DisconnectResponse>, Status> {
        let asking = peer(&request);
        let request = request.into_inner();
        let session = self.find(&request.session)?;
        if request.unless_used {
            let mut others = session.clients().await;
            others.retain(|client| client.pid != asking.pid);
            if !others.is_empty() {
                return answered(DisconnectResponse {
                    ended: false,
                    others,
                });
            }
        }
        session.ask(|reply| Ask::Disconnect(asking, reply)).await?;
        answered(DisconnectResponse {
            ended: true,
            others: Vec::new(),
        })
    }

    async fn keep(&self, request: Request<KeepRequest>) -> Result<Response<KeepResponse>, Status> {
        let request = request.into_inner();
        let session = self.find(&request.session)?;
        let kept_until = session.ask(|reply| Ask::Keep(request.keep, reply)).await?;
        answered(KeepResponse { kept_until })
    }

    type TraceStream = Answers<TraceRecord>;

    async fn trace(
        &self,
        request: Request<TraceRequest>,
    ) -> Result<Response<Self::TraceStream>, Status> {
        let client = peer(&request);
        let request = request.into_inner();
        let session = self.find(&request.session)?;
        if request.no_logs {
            let logs = session.logs(request.build).await?;
            let held = (
                self.server.uses(|usage| &mut usage.streams),
                session.reads(&self.server, client),
            );
            return answered(quiet::records(logs, &request, held));
        }
        let journal = session.trace(request.build).await?;
        let reader = match request.no_follow {
            true => journal.replay(request.from),
            false => journal.reader(request.from),
        };
        let usage = self.server.uses(|usage| &mut usage.streams);
        let reading = session.reads(&self.server, client);
        let (sender, receiver) = mpsc::channel(TRACE_QUEUE);
        tokio::spawn(async move {
            let _held = (usage, reading);
            tokio::select! {
                () = replay(reader, &sender) => {}
                () = sender.closed() => {}
            }
        });
        let records = ReceiverStream::new(receiver);
        answered(Box::pin(flatten(records)))
    }

    async fn input(
        &self,
        request: Request<Streaming<InputChunk>>,
    ) -> Result<Response<InputResponse>, Status> {
        let mut chunks = request.into_inner();
        let first = required(chunks.message().await?, "first chunk")?;
        let session = self.find(&first.session)?;
        let input = session.input().ok_or_else(|| {
            Status::failed_precondition("the build does not read standard input, or has it already")
        })?;
        let mut next = Some(first);
        while let Some(chunk) = next {
            if !chunk.data.is_empty() && input.send(Ok(chunk.data)).await.is_err() {
                // The build has all that it wants.
                return answered(InputResponse {});
            }
            next = match chunks.message().await {
                Ok(next) => next,
                Err(status) => {
                    let broken =
                        std::io::Error::other("the client that sent standard input has gone");
                    let _ = input.send(Err(broken)).await;
                    return Err(status);
                }
            };
        }
        let _ = input.send(Ok(Input::end())).await;
        answered(InputResponse {})
    }

    type OutputStream = Answers<OutputChunk>;

    async fn output(
        &self,
        request: Request<SessionRequest>,
    ) -> Result<Response<Self::OutputStream>, Status> {
        let session = self.find(&request.get_ref().session)?;
        let output = session.output().ok_or_else(|| {
            Status::failed_precondition(
                "the build does not write to standard output, or somebody reads it already",
            )
        })?;
        let chunks = ReceiverStream::new(output).map(|chunk| match chunk {
            Ok(data) => Ok(OutputChunk { data }),
            Err(error) => Err(Status::aborted(format!("the output broke off: {error}"))),
        });
        answered(Box::pin(chunks))
    }

    async fn exec(&self, request: Request<ExecRequest>) -> Result<Response<ExecResponse>, Status> {
        self.start(request.into_inner(), None).await
    }

    type AttachStream = Answers<AttachOutput>;

    async fn attach(
        &self,
        request: Request<Streaming<AttachInput>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let mut client = peer(&request);
        let mut input = request.into_inner();
        let start = match required(input.message().await?, "first message")?.input {
            Some(attach_input::Input::Start(start)) => start,
            _ => return Err(Status::invalid_argument("the first message is no start")),
        };
        let session = self.find(&start.session)?;
        if !start.terminal.is_empty() {
            client.terminal.clone_from(&start.terminal);
        }
        client.read_only = start.read_only;
        let held = (
            self.server.uses(|usage| &mut usage.streams),
            session.reads(&self.server, client.clone()),
        );
        let output = session.processes.attach(start, client, input).await?;
        answered(Box::pin(output.map(move |item| {
            let _held = &held;
            Ok(item)
        })))
    }

    async fn list_processes(
        &self,
        request: Request<SessionRequest>,
    ) -> Result<Response<ListProcessesResponse>, Status> {
        let session = self.find(&request.get_ref().session)?;
        answered(ListProcessesResponse {
            processes: session.processes.list().await,
        })
    }

    async fn signal(
        &self,
        request: Request<SignalRequest>,
    ) -> Result<Response<SignalResponse>, Status> {
        let by = peer(&request).in_words();
        let request = request.into_inner();
        let session = self.find(&request.session)?;
        session
            .processes
            .signal(&request.process, &request.signal, &by)
            .await?;
        answered(SignalResponse {})
    }

    async fn kill(&self, request: Request<KillRequest>) -> Result<Response<KillResponse>, Status> {
        let by = peer(&request).in_words();
        let request = request.into_inner();
        let session = self.find(&request.session)?;
        session.processes.kill(&request.process, &by).await?;
        answered(KillResponse {})
    }

    async fn rollback(
        &self,
        request: Request<ExecRequest>,
    ) -> Result<Response<ExecResponse>, Status> {
        let by = peer(&request).in_words();
        self.start(request.into_inner(), Some(by)).await
    }

    async fn log(&self, request: Request<LogRequest>) -> Result<Response<LogResponse>, Status> {
        let request = request.into_inner();
        let session = self.find(&request.session)?;
        answered(logs::window(session.logs(request.build).await?, request).await?)
    }

    type SearchLogStream = Answers<SearchLogResponse>;

    async fn search_log(
        &self,
        request: Request<SearchLogRequest>,
    ) -> Result<Response<Self::SearchLogStream>, Status> {
        let request = request.into_inner();
        let session = self.find(&request.session)?;
        let logs = session.logs(request.build).await?;
        let usage = self.server.uses(|usage| &mut usage.streams);
        answered(logs::search(logs, request, usage)?)
    }

    async fn health(
        &self,
        request: Request<SessionRequest>,
    ) -> Result<Response<BuilderHealth>, Status> {
        let session = self.find(&request.get_ref().session)?;
        answered(match session.node() {
            Some(node) => health::of(&node).await,
            None => health::unknown(session.record().last.builder),
        })
    }

    type ShutdownStream = Answers<ShutdownEvent>;

    async fn shutdown(
        &self,
        request: Request<ShutdownRequest>,
    ) -> Result<Response<Self::ShutdownStream>, Status> {
        let peer = request.extensions().get::<Peer>().copied();
        let usage = self.server.usage();
        let events = self
            .server
            .life()
            .shutdown(request.into_inner(), peer, usage)?;
        answered(Box::pin(events))
    }
}

impl Service {
    async fn start(
        &self,
        request: ExecRequest,
        anew: Option<String>,
    ) -> Result<Response<ExecResponse>, Status> {
        let session = self.find(&request.session)?;
        let ask = |reply| Ask::Exec(Box::new(request), anew, reply);
        answered(session.ask(ask).await??)
    }
}

/// How the last build of a session ended: the last record of its trace.
async fn outcome(session: &Session) -> Option<Outcome> {
    let journal = session.trace(0).await.ok()?;
    let last = journal.len().checked_sub(1)?;
    let (_, record) = journal.replay(last).next().await.ok()??;
    match TraceEvent::decode(record).ok()?.event? {
        trace_event::Event::Outcome(outcome) => Some(outcome),
        _ => None,
    }
}

type Batch = Result<(u64, Vec<Bytes>), Status>;

/// Reads a trace for a client that may be slow.
async fn replay(mut reader: super::journal::Reader, to: &mpsc::Sender<Batch>) {
    loop {
        let batch = match reader.next_batch(TRACE_BATCH).await {
            Ok(Some(batch)) => Ok(batch),
            Ok(None) => return,
            Err(error) => Err(Status::data_loss(error.to_string())),
        };
        if to.send(batch).await.is_err() {
            return;
        }
    }
}

/// The records of batches, one by one.
fn flatten(
    batches: impl Stream<Item = Batch> + Send,
) -> impl Stream<Item = Result<TraceRecord, Status>> + Send {
    use futures_util::StreamExt as _;
    futures_util::StreamExt::flat_map(batches, |batch| {
        let records: Vec<_> = match batch {
            Ok((first, records)) => (first..)
                .zip(records)
                .map(|(number, record)| match TraceEvent::decode(record) {
                    Ok(event) => Ok(TraceRecord {
                        number,
                        event: Some(event),
                    }),
                    Err(error) => Err(Status::data_loss(format!("record {number}: {error}"))),
                })
                .collect(),
            Err(status) => vec![Err(status)],
        };
        futures_util::stream::iter(records).boxed()
    })
}
