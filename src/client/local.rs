//! A server inside this process: the same calls over memory instead of a socket.

use std::sync::Arc;

use super::{Client, ConnectError, calls, probe};
use crate::config::Config;
use crate::proto::controller::InfoRequest;
use crate::server::life::Life;
use crate::server::life::connection::Connection;
use crate::server::life::log::Log;
use crate::server::life::serve::serve_one;
use crate::server::{Server, Settings};

/// Bytes in flight in each direction.
const PIPE: usize = 256 << 10;

/// A client of `server`, which lives as long as the client does; [`Client::close`] ends it in order.
///
/// # Errors
/// None that could be helped: the two sides are in one process.
pub async fn in_process(server: Arc<Server>) -> Result<Client, ConnectError> {
    let (ours, theirs) = tokio::io::duplex(PIPE);
    let seat = server.life().seat(Some(std::process::id()));
    let odd = |reason: String| ConnectError::Protocol {
        socket: "(this process)".into(),
        reason,
    };
    serve_one(&server, Connection::new(Box::new(theirs), seat))
        .await
        .map_err(|error| odd(error.to_string()))?;
    let channel = probe::speak(Box::new(ours))
        .await
        .map_err(|error| odd(error.to_string()))?;
    let info = calls(channel.clone())
        .info(InfoRequest {})
        .await
        .map_err(|status| odd(status.message().to_owned()))?;
    Ok(Client::new(channel, info.into_inner(), Some(server)))
}

/// A client of a server of its own in this process, whose sessions end with it.
///
/// # Errors
/// There is no place for the sessions.
pub async fn alone(config: &Config) -> Result<Client, ConnectError> {
    let odd = |reason: String| ConnectError::Protocol {
        socket: "(this process)".into(),
        reason,
    };
    let sessions = tempfile::Builder::new()
        .prefix("buildx-")
        .tempdir()
        .map_err(|error| odd(format!("no directory for the log of the build: {error}")))?;
    let settings = Settings {
        sessions: sessions.path().join("sessions"),
        root: Default::default(),
        log: Default::default(),
        disk_budget: config.trace_budget,
        keep: config.keep,
        scrollback: config.scrollback,
        yield_to_others: config.yield_to_others,
        in_process: true,
        life: Life::default(),
        says: Log::silent(),
    };
    let server = Server::new(settings).map_err(|error| odd(error.to_string()))?;
    let client = in_process(server).await?;
    Ok(Client {
        _sessions: Some(Arc::new(sessions)),
        ..client
    })
}
