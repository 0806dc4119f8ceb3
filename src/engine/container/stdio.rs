//! A byte stream to the engine in a container: `buildctl dial-stdio`, executed there.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bollard::container::LogOutput;
use bollard::errors::Error as DockerError;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use bytes::Bytes;
use futures_util::Stream;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::engine::address::Address;
use crate::engine::dial::give;
use crate::engine::docker::{ApiError, api};
use crate::stream::BoxIo;

/// Largest frame of output that is decoded at once, in bytes.
const FRAME: usize = 1 << 20;
/// How much of what `buildctl` complains about is kept, in bytes.
const COMPLAINT: usize = 4 << 10;

/// Opens a stream to the engine in the container `name` of a docker host.
///
/// # Errors
/// [`ApiError`], which names the container. What `buildctl` itself complains about comes as the error
/// of the first read.
pub fn dial_stdio<'a>(
    docker: &'a Address,
    name: &'a str,
) -> BoxFuture<'a, Result<BoxIo, ApiError>> {
    // Boxed, because dialling may need the Engine API, and that is dialled too.
    Box::pin(open(docker, name))
}

async fn open(docker: &Address, name: &str) -> Result<BoxIo, ApiError> {
    let failed = |error: DockerError| {
        let ApiError(reason) = error.into();
        ApiError(format!("docker-container://{name}: {reason}"))
    };
    let client = api(docker)
        .await
        .map_err(|ApiError(reason)| ApiError(format!("docker at {docker}: {reason}")))?;
    let command = CreateExecOptions {
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        cmd: Some(vec!["buildctl", "dial-stdio"]),
        ..Default::default()
    };
    let exec = client.create_exec(name, command).await.map_err(failed)?;
    let options = StartExecOptions {
        output_capacity: Some(FRAME),
        ..Default::default()
    };
    match client
        .start_exec(&exec.id, Some(options))
        .await
        .map_err(failed)?
    {
        StartExecResults::Attached { output, input } => Ok(Box::new(ExecIo {
            output,
            input,
            chunk: Bytes::new(),
            complaint: Vec::new(),
            name: name.to_owned(),
        })),
        StartExecResults::Detached => Err(ApiError(format!(
            "docker-container://{name}: docker started buildctl without its streams"
        ))),
    }
}

type Output = Pin<Box<dyn Stream<Item = Result<LogOutput, DockerError>> + Send>>;

/// The streams of the executed program as one.
struct ExecIo {
    output: Output,
    input: Pin<Box<dyn AsyncWrite + Send>>,
    chunk: Bytes,
    complaint: Vec<u8>,
    name: String,
}

impl AsyncRead for ExecIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if !this.chunk.is_empty() {
                give(&mut this.chunk, buf);
                return Poll::Ready(Ok(()));
            }
            match ready!(this.output.as_mut().poll_next(cx)) {
                Some(Ok(LogOutput::StdErr { message })) => {
                    let room = COMPLAINT - this.complaint.len().min(COMPLAINT);
                    let count = room.min(message.len());
                    this.complaint.extend_from_slice(&message[..count]);
                }
                Some(Ok(output)) => this.chunk = output.into_bytes(),
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => {
                    let said = String::from_utf8_lossy(&this.complaint);
                    let said = said.trim();
                    if said.is_empty() {
                        return Poll::Ready(Ok(()));
                    }
                    let said = said.replace('\n', "; ");
                    this.complaint.clear();
                    return Poll::Ready(Err(io::Error::other(format!(
                        "buildctl in container {}: {said}",
                        this.name
                    ))));
                }
            }
        }
    }
}

impl AsyncWrite for ExecIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.input.as_mut().poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.input.as_mut().poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.input.as_mut().poll_shutdown(cx)
    }
}
