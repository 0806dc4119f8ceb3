//! Windows of a log, and search in it, on threads that may block.

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::Answers;
use crate::proto::controller::{LogRequest, LogResponse, SearchLogRequest, SearchLogResponse};
use crate::server::logs::pattern::Searcher;
use crate::server::logs::{Logs, search, window};

/// Answers of a search that wait for a slow client; then the search waits.
const QUEUE: usize = 4;

/// Reads lines; stops when the call is dropped.
pub(super) async fn window(logs: Logs, request: LogRequest) -> Result<LogResponse, Status> {
    let gone = CancellationToken::new();
    let _dropped = gone.clone().drop_guard();
    spawn_blocking(move || window::read(&logs, &request, || gone.is_cancelled()))
        .await
        .unwrap_or_else(|error| Err(Status::internal(error.to_string())))
}

struct To(mpsc::Sender<Result<SearchLogResponse, Status>>);

impl search::Answers for To {
    fn give(&mut self, answer: SearchLogResponse) {
        // The error, that the client has gone, is seen below.
        let _ = self.0.blocking_send(Ok(answer));
    }

    fn gone(&self) -> bool {
        self.0.is_closed()
    }
}

/// Searches; stops when the answer is dropped. `held` is let go at the end.
pub(super) fn search(
    logs: Logs,
    request: SearchLogRequest,
    held: impl Send + 'static,
) -> Result<Answers<SearchLogResponse>, Status> {
    // A wrong pattern is the answer of the call itself.
    let pattern = request.pattern.clone().unwrap_or_default();
    Searcher::both(&pattern, request.filter.as_ref())?;
    let (sender, receiver) = mpsc::channel(QUEUE);
    spawn_blocking(move || {
        let _held = held;
        let mut to = To(sender);
        if let Err(status) = search::run(&logs, &request, &mut to) {
            let _ = to.0.blocking_send(Err(status));
        }
    });
    Ok(Box::pin(ReceiverStream::new(receiver)))
}
