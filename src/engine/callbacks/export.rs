//! `FileSend`: what an engine's exporters send to the client: a file tree or a byte stream.

mod beneath;
mod codec;
mod path;
mod receive;
mod sink;
#[cfg(test)]
mod tests;

use crate::paths::mask::Mask;
use bytes::Bytes;
use codec::{BytesMessage, Raw};
use futures_util::StreamExt;
use prost::Message;
use receive::{Next, ReceiveError, Receiver};
use sink::{ByteSink, Staged};
use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Response, Status, Streaming};

/// Most bytes of one message; BuildKit cuts at 3 MiB and its own limit is 16 MiB.
const LARGEST_MESSAGE: usize = 16 << 20;
/// How many messages that are already there go into one write (BuildKit sends 32 KiB in each).
const MESSAGES_PER_WRITE: usize = 64;

/// Where the output of one exporter goes.
pub enum ExportSink {
    /// Exporter `local`: a directory, made when missing; its other content stays.
    Directory(PathBuf),
    /// A file that appears, whole, with [`Exports::commit`].
    File(PathBuf),
    /// A bounded channel, closed at the end of the stream; a stream that broke ends with an error.
    Stream(mpsc::Sender<std::io::Result<Bytes>>),
}

impl std::fmt::Debug for ExportSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ExportSink::Directory(path) => f.debug_tuple("Directory").field(path).finish(),
            ExportSink::File(path) => f.debug_tuple("File").field(path).finish(),
            ExportSink::Stream(_) => f.write_str("Stream"),
        }
    }
}

/// The sinks of one build. Clones share them.
#[derive(Clone)]
pub struct Exports(Arc<Shared>);

struct Shared {
    /// By index in `SolveRequest.Exporters`; `None` after a byte sink was used.
    sinks: Mutex<BTreeMap<usize, Option<ExportSink>>>,
    mask: Mask,
    staged: Mutex<Vec<Staged>>,
    refusal: Mutex<Option<String>>,
}

/// Nobody panics while holding these locks, and what they guard stays whole anyway.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

enum Opened {
    Directory(PathBuf),
    Bytes(ByteSink),
}

impl Exports {
    /// `sinks` by index of their exporter in `SolveRequest.Exporters`; `mask` is for new files.
    pub fn new(sinks: Vec<(usize, ExportSink)>, mask: Mask) -> Self {
        Exports(Arc::new(Shared {
            sinks: Mutex::new(
                sinks
                    .into_iter()
                    .map(|(index, sink)| (index, Some(sink)))
                    .collect(),
            ),
            mask,
            staged: Mutex::default(),
            refusal: Mutex::default(),
        }))
    }

    /// Puts the files that were received in place. To be called when the solve succeeded: an engine
    /// ends the stream of a failed export like that of a good one, and only the solve's answer
    /// tells them apart. Without this call they vanish with the last clone.
    ///
    /// # Errors
    /// A file cannot be put in place; the others are.
    pub fn commit(&self) -> std::io::Result<()> {
        let staged = std::mem::take(&mut *lock(&self.0.staged));
        let mut all = Ok(());
        for one in staged {
            all = all.and(one.place());
        }
        all
    }

    /// Why this side refused an output. An engine that is still sending at that moment reports no
    /// more than `EOF`, so this is the better message for a solve that has failed.
    pub fn refusal(&self) -> Option<String> {
        lock(&self.0.refusal).clone()
    }

    /// The service for the connection that the engine calls back on.
    pub fn service(&self) -> FileSendServer {
        FileSendServer(self.clone())
    }

    fn index(&self, metadata: &MetadataMap) -> Result<usize, Status> {
        let Some(value) = metadata.get("buildkit-attachable-exporter-id") else {
            // Engines with one exporter per build (before 0.13) do not say which.
            let sinks = lock(&self.0.sinks);
            return Ok(match sinks.first_key_value() {
                Some((index, _)) if sinks.len() == 1 => *index,
                _ => 0,
            });
        };
        value
            .to_str()
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| Status::invalid_argument("the exporter id is not a number"))
    }

    fn open(&self, index: usize) -> Result<Opened, Status> {
        let mut sinks = lock(&self.0.sinks);
        let slot = sinks.get_mut(&index).ok_or_else(|| {
            Status::not_found(format!(
                "exporter {index} of this build sends nothing to the client"
            ))
        })?;
        // A build for several platforms sends each into the same directory, in calls of their own.
        if let Some(ExportSink::Directory(path)) = slot {
            return Ok(Opened::Directory(path.clone()));
        }
        let sink = match slot.take() {
            None => {
                return Err(Status::already_exists(format!(
                    "exporter {index} sent its output twice"
                )));
            }
            Some(ExportSink::Directory(path)) => return Ok(Opened::Directory(path)),
            Some(ExportSink::File(path)) => ByteSink::file(&path, self.0.mask).map_err(|why| {
                Status::failed_precondition(format!("cannot write {path:?}: {why}"))
            })?,
            Some(ExportSink::Stream(stream)) => ByteSink::Stream(stream),
        };
        Ok(Opened::Bytes(sink))
    }
}

type Replies = Pin<Box<dyn futures_util::Stream<Item = Result<Bytes, Status>> + Send>>;

/// `moby.filesync.v1.FileSend`, for `tonic::service::Routes`.
#[derive(Clone)]
pub struct FileSendServer(Exports);

impl tonic::server::NamedService for FileSendServer {
    const NAME: &'static str = "moby.filesync.v1.FileSend";
}

impl tower::Service<http::Request<tonic::body::Body>> for FileSendServer {
    type Response = http::Response<tonic::body::Body>;
    type Error = std::convert::Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let exports = self.0.clone();
        Box::pin(async move {
            if request.uri().path() != "/moby.filesync.v1.FileSend/DiffCopy" {
                return Ok(
                    Status::unimplemented("FileSend has the method DiffCopy only").into_http(),
                );
            }
            let mut grpc = tonic::server::Grpc::new(Raw)
                .apply_max_message_size_config(Some(LARGEST_MESSAGE), None);
            Ok(grpc.streaming(DiffCopy(exports), request).await)
        })
    }
}

struct DiffCopy(Exports);

impl tonic::server::StreamingService<Bytes> for DiffCopy {
    type Response = Bytes;
    type ResponseStream = Replies;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Replies>, Status>> + Send>>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let exports = self.0.clone();
        Box::pin(async move {
            let index = exports.index(request.metadata())?;
            // Room for all that a Receiver may say unanswered, so that it never waits for the
            // engine to read while the engine waits for it.
            let (replies, out) = mpsc::channel(receive::WINDOW + 8);
            let runtime = Handle::current();
            // Decoding and disk work share one blocking thread; the network goes on beside it,
            // bounded by the flow-control window of the stream.
            tokio::task::spawn_blocking(move || {
                let messages = request.into_inner();
                let done = match exports.open(index) {
                    Err(why) => Err(why),
                    Ok(Opened::Directory(path)) => tree(path, messages, &replies, &runtime),
                    Ok(Opened::Bytes(sink)) => bytes(sink, messages, &exports, &runtime),
                };
                if let Err(why) = done {
                    // A stream that breaks has other codes than a refusal of this side.
                    if matches!(why.code(), Code::InvalidArgument | Code::FailedPrecondition) {
                        lock(&exports.0.refusal).get_or_insert_with(|| why.message().to_owned());
                    }
                    let _ = replies.blocking_send(Err(why));
                }
            });
            Ok(Response::new(Box::pin(ReceiverStream::new(out)) as Replies))
        })
    }
}

fn bytes(
    mut sink: ByteSink,
    messages: Streaming<Bytes>,
    exports: &Exports,
    runtime: &Handle,
) -> Result<(), Status> {
    let mut batches = messages.ready_chunks(MESSAGES_PER_WRITE);
    let failed = |why: std::io::Error| {
        Status::failed_precondition(format!("cannot write the output: {why}"))
    };
    while let Some(batch) = runtime.block_on(batches.next()) {
        let chunks: Result<Vec<_>, Status> = batch
            .into_iter()
            .map(|message| Ok(decode::<BytesMessage>(message?)?.data))
            .collect();
        match chunks {
            Ok(chunks) => sink.write(chunks).map_err(failed)?,
            Err(why) => {
                sink.broke();
                return Err(why);
            }
        }
    }
    if let Some(staged) = sink.complete().map_err(failed)? {
        lock(&exports.0.staged).push(staged);
    }
    Ok(())
}

fn tree(
    dest: PathBuf,
    mut messages: Streaming<Bytes>,
    replies: &mpsc::Sender<Result<Bytes, Status>>,
    runtime: &Handle,
) -> Result<(), Status> {
    let say = |packet: crate::proto::filesync::Packet| {
        // Fails only when the engine is gone; reading its stream then says so.
        let _ = replies.blocking_send(Ok(packet.encode_to_vec().into()));
    };
    let mut receive = || -> Result<(), Gone> {
        let mut receiver = Receiver::new(&dest)?;
        loop {
            let message = runtime
                .block_on(messages.message())?
                .ok_or(ReceiveError::BrokenOff)?;
            match receiver.packet(decode(message)?, &mut |packet| say(packet))? {
                Next::Packet => {}
                Next::Done => return Ok(()),
            }
        }
    };
    receive().map_err(|why| match why {
        Gone::Stream(status) => status,
        Gone::Receive(why) => {
            let text = why.to_string();
            say(crate::proto::filesync::Packet {
                r#type: crate::proto::filesync::packet::PacketType::PacketErr.into(),
                data: text.clone().into_bytes().into(),
                ..Default::default()
            });
            Status::invalid_argument(text)
        }
    })
}

/// Why [`tree`] ended: the connection, or this side with something to tell the engine.
enum Gone {
    Stream(Status),
    Receive(ReceiveError),
}

impl From<Status> for Gone {
    fn from(why: Status) -> Self {
        Gone::Stream(why)
    }
}

impl From<ReceiveError> for Gone {
    fn from(why: ReceiveError) -> Self {
        Gone::Receive(why)
    }
}

fn decode<M: Message + Default>(message: Bytes) -> Result<M, Status> {
    M::decode(message)
        .map_err(|why| Status::internal(format!("the engine sent a broken message: {why}")))
}
