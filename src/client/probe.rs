//! Whether a server is there: by talking to it, never by looking at files.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::timeout;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};

use super::{Client, ConnectError, calls};
use crate::engine::channel::HEADER_LIST;
use crate::paths::server::{ServerPaths, check_socket};
use crate::proto::controller::InfoRequest;
use crate::server::life::serve::{CONNECTION_WINDOW, PING, PONG, STREAM_WINDOW};
use crate::stream::{self, BoxIo};

/// How long a server may take to accept a connection and to say who it is. Far beyond what a busy
/// machine needs, because what does not answer is reported as broken.
const DEADLINE: Duration = Duration::from_secs(5);

/// Greets the server on `socket`.
///
/// # Errors
/// `Absent` when there is none, or one that is just leaving.
pub async fn probe(socket: &Path, paths: &ServerPaths) -> Result<Client, ConnectError> {
    let silent = || ConnectError::Silent {
        socket: socket.to_owned(),
        after: DEADLINE,
        log: paths.log(),
    };
    timeout(DEADLINE, greet(socket))
        .await
        .unwrap_or_else(|_| Err(silent()))
}

async fn greet(socket: &Path) -> Result<Client, ConnectError> {
    let absent = || ConnectError::Absent {
        socket: socket.to_owned(),
    };
    let odd = |reason: String| ConnectError::Protocol {
        socket: socket.to_owned(),
        reason,
    };
    match check_socket(socket) {
        Ok(()) => {}
        Err(refused) if refused.is_absent() => return Err(absent()),
        Err(refused) => return Err(refused.into()),
    }
    let stream = match UnixStream::connect(socket).await {
        Ok(stream) => stream,
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset => return Err(absent()),
            // Its queue is full: as good as silent, and the deadline says so.
            io::ErrorKind::WouldBlock => return std::future::pending().await,
            _ => return Err(odd(error.to_string())),
        },
    };
    let uid = stream
        .peer_cred()
        .map_err(|error| odd(error.to_string()))?
        .uid();
    if uid != rustix::process::geteuid().as_raw() {
        return Err(ConnectError::Foreign {
            socket: socket.to_owned(),
            uid,
        });
    }
    // One that closes before it has said a word is leaving.
    let channel = speak(Box::new(stream)).await.map_err(|_| absent())?;
    match calls(channel.clone()).info(InfoRequest {}).await {
        Ok(info) => Ok(Client::new(channel, info.into_inner(), None)),
        Err(status) => Err(match status.code() {
            Code::Unavailable | Code::Unknown | Code::Cancelled => absent(),
            _ => odd(status.message().to_owned()),
        }),
    }
}

/// Calls over a stream to a server; it is not opened again when it breaks.
pub async fn speak(io: BoxIo) -> Result<Channel, tonic::transport::Error> {
    let endpoint = Endpoint::from_static("http://localhost")
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_max_header_list_size(HEADER_LIST)
        .http2_keep_alive_interval(PING)
        .keep_alive_timeout(PONG);
    stream::channel(io, endpoint, "server").await
}
