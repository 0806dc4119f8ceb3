//! One solve from its start to its end: the callbacks connection, `Control.Solve`, the status
//! stream into the progress, and cancelling.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tonic::service::Routes;

use crate::engine::callbacks::{Announcement, Connection};
use crate::engine::control::Engine;
use crate::engine::errors::{self, BuildError};
use crate::engine::id::new_id;
use crate::progress::Progress;
use crate::proto::control::{SolveRequest, StatusResponse};

/// How long the status stream may stay silent after the solve has ended, and how long the engine
/// may take to confirm that a cancelled build has stopped.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Batches of the status stream that may wait for the printer.
const STATUS_QUEUE: usize = 64;

/// One build, ready to be solved.
#[derive(Debug)]
pub struct Job {
    /// The request; its `ref` and `session` are filled in here.
    pub request: SolveRequest,
    /// The services that the engine may call.
    pub routes: Routes,
    /// Key of earlier copies of the local sources.
    pub shared_key: String,
    /// Unique id of the build, as [`new_id`] makes them.
    pub reference: String,
}

/// Solves `job` and shows it in `progress`. When `cancel` resolves, the build is stopped on the
/// engine, and [`BuildError::canceled`] comes back once the engine has confirmed that.
///
/// # Errors
/// [`BuildError`]: the engine's failure, a lost connection, or the cancellation.
pub async fn drive(
    engine: &Engine,
    job: Job,
    progress: &mut Progress,
    cancel: impl Future<Output = ()>,
) -> Result<BTreeMap<String, String>, Box<BuildError>> {
    let id = new_id().map_err(|error| BuildError::local(error.to_string()))?;
    let announcement = Announcement {
        id,
        shared_key: job.shared_key,
    };
    let mut connection = Connection::open(engine, &announcement, job.routes)
        .await
        .map_err(|status| Box::new(errors::decode(&status)))?;
    let mut request = job.request;
    request.r#ref = job.reference.clone();
    request.session = announcement.id;

    let mut solving = Box::pin(engine.solve(request));
    let mut status = Some(watch(engine.clone(), job.reference));
    tokio::pin!(cancel);
    let outcome = loop {
        tokio::select! {
            biased;
            () = &mut cancel => break Err(Box::new(BuildError::canceled())),
            solved = &mut solving => break match solved {
                Ok(response) => Ok(response.exporter_response.into_iter().collect()),
                Err(status) => Err(Box::new(errors::decode(&status))),
            },
            batch = next(&mut status) => show(progress, &batch),
            () = until(progress.next_deadline()) => redraw(progress),
            reason = connection.ended() => {
                let reason = reason.unwrap_or_else(|| "the builder closed it".into());
                break Err(Box::new(BuildError::local(format!(
                    "lost the connection to the builder: {reason}"
                ))));
            }
        }
    };
    // Dropping the call cancels the build on the engine; after an answer it does nothing.
    drop(solving);
    while let Some(queue) = status.as_mut()
        && let Ok(Some(batch)) = tokio::time::timeout(LAST_WORDS, queue.recv()).await
    {
        show(progress, &batch);
    }
    outcome
}

/// Starts reading the status of a build. The queue closes when the engine ends the stream; its
/// error is not told, because the solve has a better one.
fn watch(engine: Engine, reference: String) -> mpsc::Receiver<StatusResponse> {
    let (sender, receiver) = mpsc::channel(STATUS_QUEUE);
    tokio::spawn(async move {
        let Ok(mut stream) = engine.status(&reference).await else {
            return;
        };
        while let Ok(Some(batch)) = stream.message().await {
            if sender.send(batch).await.is_err() {
                return;
            }
        }
    });
    receiver
}

/// The next batch; never resolves again once the stream has ended.
async fn next(status: &mut Option<mpsc::Receiver<StatusResponse>>) -> StatusResponse {
    if let Some(queue) = status {
        if let Some(batch) = queue.recv().await {
            return batch;
        }
        *status = None;
    }
    std::future::pending().await
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

fn show(progress: &mut Progress, batch: &StatusResponse) {
    progress.apply(batch);
    if progress
        .next_deadline()
        .is_some_and(|at| at <= Instant::now())
    {
        redraw(progress);
    }
}

/// A terminal that went away must not end the build.
fn redraw(progress: &mut Progress) {
    let _ = progress.draw();
}
