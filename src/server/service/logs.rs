//! Windows of a log.

use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::proto::controller::{LogRequest, LogResponse};
use crate::server::logs::{Logs, window};

/// Reads lines on a thread that may block; stops when the call is dropped.
pub(super) async fn window(logs: Logs, request: LogRequest) -> Result<LogResponse, Status> {
    let gone = CancellationToken::new();
    let _dropped = gone.clone().drop_guard();
    spawn_blocking(move || window::read(&logs, &request, || gone.is_cancelled()))
        .await
        .unwrap_or_else(|error| Err(Status::internal(error.to_string())))
}
