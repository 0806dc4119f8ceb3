//! Opening byte streams to engines, and the two HTTP upgrades of dockerd.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use super::address::Address;
use super::container::dial_stdio;
use super::local::Local;
use super::tls;
use crate::stream::BoxIo;

/// Moves from `chunk` to `buf` what there is room for.
pub(super) fn give(chunk: &mut Bytes, buf: &mut ReadBuf<'_>) {
    let piece = chunk.split_to(chunk.len().min(buf.remaining()));
    buf.put_slice(&piece);
}

/// Why no stream could be opened. The text names the address and the cause in one line.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The socket, host or program did not answer.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// The address as the user would write it.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The TLS configuration cannot be used, or the handshake failed.
    #[error("cannot make a TLS connection to {address}: {reason}")]
    Tls {
        /// The address as the user would write it.
        address: String,
        /// What went wrong, with the file or name at fault.
        reason: String,
    },
    /// dockerd answered, but not with an upgraded connection.
    #[error("{address} refused {path}: {reason}")]
    Refused {
        /// The address as the user would write it.
        address: String,
        /// The upgrade that was asked for: `/grpc` or `/session`.
        path: &'static str,
        /// HTTP status of the answer, 0 when there was no answer.
        status: u16,
        /// The engine's own message.
        reason: String,
    },
    /// The container driver could not open its stream.
    #[error("{0}")]
    Container(String),
}

impl DialError {
    /// Whether the engine does not know the upgrade at all (removed in newer engines).
    pub fn is_unknown_path(&self) -> bool {
        matches!(
            self,
            DialError::Refused {
                status: 404 | 410 | 405,
                ..
            }
        )
    }
}

/// Opens a byte stream to an engine at `address`. Has no deadline of its own.
///
/// # Errors
/// [`DialError`], which names the address.
pub async fn dial(address: &Address) -> Result<BoxIo, DialError> {
    open(address, b"h2", true).await
}

/// Opens a byte stream; under TLS, `protocol` is what is offered by ALPN. BuildKit insists on `h2`
/// since 0.17, and dockerd would leave HTTP/1.1, which the upgrades need, if it were offered. `calls`: it is for
/// calls of BuildKit, whose answers may be floods of small messages.
pub(super) async fn open(
    address: &Address,
    protocol: &[u8],
    calls: bool,
) -> Result<BoxIo, DialError> {
    let failed = |source| DialError::Connect {
        address: address.to_string(),
        source,
    };
    match address {
        Address::Unix(path) => {
            let stream = UnixStream::connect(path).await.map_err(failed)?;
            Ok(if calls {
                Box::new(Local::new(stream))
            } else {
                Box::new(stream)
            })
        }
        Address::Tcp { host, port, tls } => {
            let stream = TcpStream::connect((host.as_str(), *port))
                .await
                .map_err(failed)?;
            stream.set_nodelay(true).map_err(failed)?;
            match tls {
                None => Ok(Box::new(stream)),
                Some(files) => tls::handshake(stream, host, files, protocol)
                    .await
                    .map(|stream| Box::new(stream) as BoxIo)
                    .map_err(|reason| DialError::Tls {
                        address: address.to_string(),
                        reason,
                    }),
            }
        }
        Address::Ssh { args } => {
            let mut child = tokio::process::Command::new("ssh")
                .args(args)
                .args(["--", "docker", "system", "dial-stdio"])
                .stdin(std::process::Stdio::piped())
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::inherit())
                .kill_on_drop(true)
                .spawn()
                .map_err(failed)?;
            let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
                return Err(failed(io::Error::other("ssh started without pipes")));
            };
            Ok(Box::new(ChildIo {
                stdin,
                stdout,
                _child: child,
            }))
        }
        Address::Container { docker, name } => dial_stdio(docker, name)
            .await
            .map_err(|error| DialError::Container(error.to_string())),
    }
}

/// The two ends of a program's standard streams, joined; the program ends when this is dropped.
struct ChildIo {
    stdin: tokio::process::ChildStdin,
    stdout: tokio::process::ChildStdout,
    _child: tokio::process::Child,
}

impl AsyncRead for ChildIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdout).poll_read(cx, buf)
    }
}

impl AsyncWrite for ChildIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stdin).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdin).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdin).poll_shutdown(cx)
    }
}

/// One of dockerd's connection upgrades.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upgrade {
    /// `/grpc`: this side is the HTTP/2 client afterwards.
    Grpc,
    /// `/session`: the engine is the HTTP/2 client afterwards.
    Session,
}

impl Upgrade {
    fn path(self) -> &'static str {
        match self {
            Upgrade::Grpc => "/grpc",
            Upgrade::Session => "/session",
        }
    }
}

/// Longest error body that is read from an engine, in bytes.
const ERROR_BODY: usize = 64 << 10;

/// Dials a docker host and turns the connection into HTTP/2 by `upgrade`.
///
/// # Errors
/// [`DialError`]; `Refused` carries the engine's own message.
pub async fn upgrade(
    docker: &Address,
    upgrade: Upgrade,
    headers: &[(&'static str, String)],
) -> Result<BoxIo, DialError> {
    let refused = |status, reason: String| DialError::Refused {
        address: docker.to_string(),
        path: upgrade.path(),
        status,
        reason,
    };
    let io = TokioIo::new(open(docker, b"http/1.1", upgrade == Upgrade::Grpc).await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io)
        .await
        .map_err(|error| refused(0, chain(&error)))?;
    tokio::spawn(connection.with_upgrades());

    let mut request = http::Request::post(upgrade.path())
        .header(http::header::HOST, "docker")
        .header(http::header::CONNECTION, "Upgrade")
        .header(http::header::UPGRADE, "h2c");
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let request = request
        .body(Empty::<Bytes>::new())
        .map_err(|error| refused(0, error.to_string()))?;
    let response = sender
        .send_request(request)
        .await
        .map_err(|error| refused(0, chain(&error)))?;
    let status = response.status();
    if status != http::StatusCode::SWITCHING_PROTOCOLS {
        let body = Limited::new(response.into_body(), ERROR_BODY)
            .collect()
            .await
            .map(|body| body.to_bytes())
            .unwrap_or_default();
        return Err(refused(status.as_u16(), docker_message(status, &body)));
    }
    let upgraded = hyper::upgrade::on(response)
        .await
        .map_err(|error| refused(0, chain(&error)))?;
    Ok(Box::new(TokioIo::new(upgraded)))
}

/// The text of a Docker JSON error (`{"message": …}`), or the HTTP status when there is none.
fn docker_message(status: http::StatusCode, body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Message {
        message: String,
    }
    match serde_json::from_slice::<Message>(body) {
        Ok(message) => message.message,
        Err(_) => format!("HTTP status {status}"),
    }
}

/// An error and all its sources in one line, without repeating what a source already says.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let more = source.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        next = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_errors_are_read_from_their_json() {
        let status = http::StatusCode::BAD_REQUEST;
        assert_eq!(docker_message(status, br#"{"message":"no"}"#), "no");
        assert_eq!(
            docker_message(status, b"<html>"),
            "HTTP status 400 Bad Request"
        );
    }

    #[tokio::test]
    async fn a_missing_socket_is_named() {
        let error = dial(&Address::Unix("/nonexistent/engine.sock".into()))
            .await
            .err()
            .map(|error| error.to_string());
        assert_eq!(
            error.as_deref(),
            Some(
                "cannot connect to unix:///nonexistent/engine.sock: No such file or directory (os error 2)"
            )
        );
    }
}
