//! One gRPC connection to an engine.

use std::time::Duration;

use tonic::transport::{Channel, Endpoint};

use super::address::Transport;
use super::dial::{self, DialError, Upgrade, chain};
use crate::stream::{self, BoxIo};

/// Largest header list, in bytes, accepted in either direction. Error details travel in trailers
/// and hold the whole Dockerfile, ignore patterns travel in request headers; the usual 16 KiB
/// breaks builds whose Dockerfile is larger than 6 KB.
pub const HEADER_LIST: u32 = 16 << 20;

/// Largest message, in bytes, accepted from an engine.
pub const MESSAGE: usize = 16 << 20;

/// How long an engine may take to accept a connection and answer the first call.
pub const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No stream could be opened.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// A stream was opened, but no BuildKit spoke on it.
    #[error("{address} is no BuildKit: {reason}")]
    Protocol {
        /// The address as the user would write it.
        address: String,
        /// What went wrong in the HTTP/2 handshake.
        reason: String,
    },
    /// Nothing answered in time.
    #[error("{address} did not answer within {} s", .after.as_secs())]
    Silent {
        /// The address as the user would write it.
        address: String,
        /// The deadline that passed.
        after: Duration,
    },
}

/// Connects once; the channel does not reconnect, because no build survives a lost connection.
///
/// # Errors
/// [`ConnectError`]; `Silent` after [`CONNECT_DEADLINE`].
pub async fn connect(transport: &Transport) -> Result<Channel, ConnectError> {
    tokio::time::timeout(CONNECT_DEADLINE, open(transport))
        .await
        .unwrap_or_else(|_| {
            Err(ConnectError::Silent {
                address: transport.address().to_string(),
                after: CONNECT_DEADLINE,
            })
        })
}

async fn open(transport: &Transport) -> Result<Channel, ConnectError> {
    match transport {
        // Newer engines speak HTTP/2 on the API socket itself and may have dropped the upgrade.
        Transport::Docker(address) => match dial::upgrade(address, Upgrade::Grpc, &[]).await {
            Ok(io) => speak(io, transport).await,
            Err(error) if error.is_unknown_path() => {
                speak(dial::dial(address).await?, transport).await
            }
            Err(error) => Err(error.into()),
        },
        Transport::Direct(address) => speak(dial::dial(address).await?, transport).await,
    }
}

async fn speak(io: BoxIo, transport: &Transport) -> Result<Channel, ConnectError> {
    let endpoint =
        Endpoint::from_static("http://localhost").http2_max_header_list_size(HEADER_LIST);
    stream::channel(io, endpoint, "builder")
        .await
        .map_err(|error| ConnectError::Protocol {
            address: transport.address().to_string(),
            reason: chain(&error),
        })
}
