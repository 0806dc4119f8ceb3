//! The calls of clients on their connections.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio_stream::Stream;
use tonic::transport::Server as Transport;

use super::connection::Connection;
use crate::engine::channel::HEADER_LIST;
use crate::server::Server;
use crate::server::service::Service;

/// What one call may send ahead, in bytes. Small, so that the answer to Ctrl-C does not wait behind
/// a megabyte of stale output.
pub const STREAM_WINDOW: u32 = 128 << 10;

/// What all calls of a connection may send ahead together, in bytes.
pub const CONNECTION_WINDOW: u32 = 2 << 20;

/// How often the other side is asked whether it is still there.
pub const PING: Duration = Duration::from_secs(10);

/// How long it may take to say so. A client that is stopped for longer loses its connection, and
/// nothing else.
pub const PONG: Duration = Duration::from_secs(20);

/// Serves all connections; after `stop`, open calls may end before this returns.
///
/// # Errors
/// Only those of a transport that cannot be set up.
pub async fn serve(
    server: &Arc<Server>,
    connections: impl Stream<Item = io::Result<Connection>>,
    stop: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    transport()
        .serve_with_incoming_shutdown(Service::of(server), connections, stop)
        .await
}

/// Serves one connection, which goes on after this has returned.
///
/// # Errors
/// As [`serve`].
pub async fn serve_one(
    server: &Arc<Server>,
    connection: Connection,
) -> Result<(), tonic::transport::Error> {
    let connections = tokio_stream::once(Ok::<_, io::Error>(connection));
    transport()
        .serve_with_incoming(Service::of(server), connections)
        .await
}

fn transport() -> Transport {
    Transport::builder()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_max_header_list_size(HEADER_LIST)
        .http2_keepalive_interval(Some(PING))
        .http2_keepalive_timeout(Some(PONG))
}
