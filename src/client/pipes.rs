//! Standard input and output of a build that reads or writes them.

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::Api;
use crate::proto::controller::{InputChunk, SessionRequest};

/// Bytes of one chunk.
const CHUNK: usize = 64 << 10;

/// Chunks on their way.
const QUEUE: usize = 4;

/// Sends everything from `from` to the build of `session` as its standard input.
///
/// # Errors
/// The server's, or that of `from`; that the build needs no more is none.
pub async fn send(
    mut api: Api,
    session: String,
    from: impl AsyncRead + Unpin + Send + 'static,
) -> Result<(), Status> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let call = api.input(ReceiverStream::new(receiver));
    tokio::pin!(call);
    let mut reading = tokio::spawn(read(session, from, sender));
    tokio::select! {
        sent = &mut call => {
            reading.abort();
            sent.map(drop)
        }
        read = &mut reading => match read {
            Ok((sender, Ok(()))) => {
                drop(sender);
                call.await.map(drop)
            }
            // Half an archive must not look whole: the call breaks instead of ending.
            Ok((_sender, Err(error))) => Err(Status::aborted(format!("standard input: {error}"))),
            Err(error) => Err(Status::internal(error.to_string())),
        },
    }
}

/// Reads until the end; gives the sender back, because dropping it is the end for the server.
async fn read(
    mut session: String,
    mut from: impl AsyncRead + Unpin,
    sender: mpsc::Sender<InputChunk>,
) -> (mpsc::Sender<InputChunk>, std::io::Result<()>) {
    loop {
        let mut buffer = Vec::with_capacity(CHUNK);
        let read = match (&mut from).take(CHUNK as u64).read_buf(&mut buffer).await {
            Ok(read) => read,
            Err(error) => return (sender, Err(error)),
        };
        let chunk = InputChunk {
            session: std::mem::take(&mut session),
            data: Bytes::from(buffer),
        };
        let first = !chunk.session.is_empty();
        let gone = (read > 0 || first) && sender.send(chunk).await.is_err();
        if gone || read == 0 {
            return (sender, Ok(()));
        }
    }
}

/// Writes what the build of `session` has for standard output to `to`.
///
/// # Errors
/// The server's, or that of `to`.
pub async fn receive(
    mut api: Api,
    session: String,
    mut to: impl AsyncWrite + Unpin,
) -> Result<(), Status> {
    let mut chunks = api.output(SessionRequest { session }).await?.into_inner();
    while let Some(chunk) = chunks.message().await? {
        to.write_all(&chunk.data)
            .await
            .map_err(|error| Status::aborted(format!("standard output: {error}")))?;
    }
    to.flush()
        .await
        .map_err(|error| Status::aborted(format!("standard output: {error}")))
}
