//! The trace of a build without the text of logs, with the counts of lines in between.

use std::time::Duration;

use prost::Message;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::{Answers, TRACE_BATCH};
use crate::proto::controller::trace_event::Event;
use crate::proto::controller::{LogCount, LogCounts, TraceEvent, TraceRecord, TraceRequest};
use crate::server::journal::Reader;
use crate::server::logs::Logs;
use crate::server::recorder::now;

/// Least time from counts to counts.
const PAUSE: Duration = Duration::from_millis(34);

/// Records that wait for a slow client.
const QUEUE: usize = 64;

/// Steps in one record of counts, so that it is far smaller than a message may be.
const STEPS: usize = 2000;

/// Replays and follows; `held` is let go at the end.
pub(super) fn records(
    logs: Logs,
    request: &TraceRequest,
    held: impl Send + 'static,
) -> Answers<TraceRecord> {
    let reader = match request.no_follow {
        true => logs.quiet().replay(request.from),
        false => logs.quiet().reader(request.from),
    };
    let (sender, receiver) = mpsc::channel(QUEUE);
    let mut replay = Replay {
        changes: logs.shared().changes(),
        counts: Counts { logs, sent: 0 },
        number: request.from.checked_sub(1),
        to: sender.clone(),
    };
    tokio::spawn(async move {
        let _held = held;
        tokio::select! {
            _ = replay.run(reader) => {}
            () = sender.closed() => {}
        }
    });
    Box::pin(ReceiverStream::new(receiver))
}

struct Replay {
    changes: watch::Receiver<u64>,
    counts: Counts,
    /// Number of the last record; counts have the same, so that who goes on behind it misses nothing.
    number: Option<u64>,
    to: mpsc::Sender<Result<TraceRecord, Status>>,
}

impl Replay {
    /// `None` when the client has gone.
    async fn run(&mut self, mut reader: Reader) -> Option<()> {
        let mut next = Instant::now();
        loop {
            let counts = async {
                // It ends with the log that this holds.
                let _ = self.changes.changed().await;
                sleep_until(next).await;
            };
            tokio::select! {
                batch = reader.next_batch(TRACE_BATCH) => match batch {
                    Ok(Some((first, records))) => {
                        for (number, record) in (first..).zip(records) {
                            self.record(number, record).await?;
                        }
                        if next <= Instant::now() {
                            self.count().await?;
                            next = Instant::now() + PAUSE;
                        } else {
                            // The pause that was broken off may have followed a change.
                            self.changes.mark_changed();
                        }
                    }
                    Ok(None) => break,
                    Err(error) => {
                        return self.to.send(Err(Status::data_loss(error.to_string()))).await.ok();
                    }
                },
                () = counts, if self.number.is_some() => {
                    self.count().await?;
                    next = Instant::now() + PAUSE;
                }
            }
        }
        self.count().await?;
        match self.counts.logs.trouble() {
            Some(trouble) => self.to.send(Err(Status::data_loss(trouble))).await.ok(),
            None => Some(()),
        }
    }

    async fn record(&mut self, number: u64, record: bytes::Bytes) -> Option<()> {
        let event = match TraceEvent::decode(record) {
            Ok(event) => event,
            Err(error) => {
                let status = Status::data_loss(format!("record {number}: {error}"));
                return self.to.send(Err(status)).await.ok();
            }
        };
        // The outcome is the last record, and everything is known before it.
        if matches!(event.event, Some(Event::Outcome(_))) {
            self.count().await?;
        }
        self.number = Some(number);
        let event = Some(event);
        self.to.send(Ok(TraceRecord { number, event })).await.ok()
    }

    /// Tells what has changed since it was last told.
    async fn count(&mut self) -> Option<()> {
        self.changes.mark_unchanged();
        let number = self.number.unwrap_or(0);
        for counts in self.counts.changed() {
            let event = Some(TraceEvent {
                time: now(),
                event: Some(Event::LogCounts(counts)),
            });
            self.to.send(Ok(TraceRecord { number, event })).await.ok()?;
        }
        Some(())
    }
}

/// What a reader knows of the counts.
struct Counts {
    logs: Logs,
    /// The change up to which it has been told.
    sent: u64,
}

impl Counts {
    /// The counts of steps that have changed.
    fn changed(&mut self) -> Vec<LogCounts> {
        let index = self.logs.shared().lock();
        let sent = std::mem::replace(&mut self.sent, index.changes);
        if sent == index.changes {
            return Vec::new();
        }
        let changed = index.steps.iter().filter(|step| step.changed > sent);
        let steps: Vec<_> = changed
            .map(|step| LogCount {
                vertex: String::from_utf8_lossy(&step.vertex).into_owned(),
                lines: step.lines + u64::from(step.open),
                bytes: step.bytes,
                missing: step.missing.clone(),
            })
            .collect();
        let all = steps.chunks(STEPS).map(|steps| LogCounts {
            steps: steps.to_vec(),
            lines: index.lines + index.open,
            bytes: index.bytes,
        });
        all.collect()
    }
}
