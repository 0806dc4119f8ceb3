//! Records one build: every event goes into the trace on disk, and into a summary for listings.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use prost::Message;
use tokio::sync::watch;

use super::journal::Writer;
use super::logs::Indexer;
use crate::build::witness::Witness;
use crate::progress::time;
use crate::progress::trace::Trace;
use crate::proto::control::StatusResponse;
use crate::proto::controller::TraceEvent;
use crate::proto::controller::trace_event::Event;

/// Largest encoded status in one record, in bytes; an engine's larger ones are split.
const MOST: usize = 2 << 20;

/// Most characters of a step's name in a listing.
const NAME: usize = 1024;

/// What a listing shows of a build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Name of the builder; empty until one is found.
    pub builder: String,
    /// Steps that are complete.
    pub steps_done: u32,
    /// Steps that are known.
    pub steps: u32,
    /// What runs or has failed; one filtered line.
    pub doing: String,
    /// Why the trace has holes; empty if it has none.
    pub lost: String,
}

/// The recorder of one build.
#[derive(Debug)]
pub struct Recorder {
    inner: Mutex<Inner>,
    summary: watch::Sender<Summary>,
}

#[derive(Debug)]
struct Inner {
    writer: Option<Writer>,
    /// Goes along with what is written.
    indexer: Option<Indexer>,
    trace: Trace,
}

/// Milliseconds since 1970.
pub fn now() -> i64 {
    millis(SystemTime::now())
}

/// Milliseconds from 1970 to `time`.
pub fn millis(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

impl Recorder {
    /// Records into the trace of `writer`, with its log for `indexer`.
    pub fn new(writer: Writer, indexer: Indexer) -> Self {
        Self {
            inner: Mutex::new(Inner {
                writer: Some(writer),
                indexer: Some(indexer),
                trace: Trace::new(false),
            }),
            summary: watch::Sender::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The summary as it changes.
    pub fn summary(&self) -> watch::Receiver<Summary> {
        self.summary.subscribe()
    }

    /// Looks at everything that was observed.
    pub fn look<T>(&self, look: impl FnOnce(&Trace) -> T) -> T {
        look(&self.lock().trace)
    }

    /// Writes the last event and ends the trace; what comes later is not recorded.
    pub fn finish(&self, outcome: Event) {
        self.see(outcome);
        let (writer, indexer) = {
            let mut inner = self.lock();
            (inner.writer.take(), inner.indexer.take())
        };
        if let Some(Err(error)) = writer.map(Writer::finish) {
            self.lost(error.to_string());
        }
        // What its files lack is found again in the trace.
        let _ = indexer.map(Indexer::finish);
    }

    fn write(&self, inner: &mut Inner, events: Vec<Event>) {
        let Some(writer) = inner.writer.as_mut() else {
            return;
        };
        let time = now();
        let records = events.into_iter().map(|event| {
            let event = Some(event);
            TraceEvent { time, event }.encode_to_vec()
        });
        let records: Vec<_> = records.collect();
        let written = writer.append_batch(&records).map(|_| ());
        let indexed = written.and_then(|()| match inner.indexer.as_mut() {
            Some(indexer) => indexer.push(&records),
            None => Ok(()),
        });
        if let Err(error) = indexed {
            self.lost(error.to_string());
        }
    }

    /// The build goes on without its trace, and says so.
    fn lost(&self, why: String) {
        self.summary.send_if_modified(|summary| {
            let first = summary.lost.is_empty();
            if first {
                summary.lost = why;
            }
            first
        });
    }
}

impl Witness for Recorder {
    fn see(&self, event: Event) {
        if let Event::Header(header) = &event {
            self.summary
                .send_modify(|summary| summary.builder.clone_from(&header.builder));
        }
        let mut inner = self.lock();
        if let Event::ClockSkew(skew) = &event {
            inner.trace.set_clock(*skew, 0);
        }
        self.write(&mut inner, vec![event]);
    }

    fn status(&self, batch: StatusResponse, local: bool) {
        let mut inner = self.lock();
        let now = time::now();
        match local {
            false => inner.trace.apply(&batch, now),
            true => inner.trace.apply_local(&batch, now),
        };
        let wrap = if local {
            Event::LocalStatus
        } else {
            Event::Status
        };
        let events = encoded(batch).into_iter().map(wrap).collect();
        self.write(&mut inner, events);
        let (done, all) = inner.trace.count();
        let doing = doing(&inner.trace);
        drop(inner);
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        self.summary.send_if_modified(|summary| {
            let new = (number(done), number(all), doing);
            let changed =
                (summary.steps_done, summary.steps) != (new.0, new.1) || summary.doing != new.2;
            (summary.steps_done, summary.steps, summary.doing) = new;
            changed
        });
    }
}

/// The step that failed, else the one that started last and still runs.
fn doing(trace: &Trace) -> String {
    let visible = || {
        trace
            .order
            .iter()
            .rev()
            .filter_map(|id| trace.steps.get(*id))
    };
    visible()
        .find(|step| step.failed())
        .or_else(|| visible().find(|step| step.running()))
        .map(|step| step.name.chars().take(NAME).collect())
        .unwrap_or_default()
}

/// A message, or the same in several where one would be too large for a record.
fn encoded(mut message: StatusResponse) -> Vec<Bytes> {
    if message.encoded_len() <= MOST {
        return vec![message.encode_to_vec().into()];
    }
    let logs = std::mem::take(&mut message.logs);
    let mut parts = Vec::new();
    let mut put = |part: StatusResponse| parts.push(Bytes::from(part.encode_to_vec()));
    put(message);
    let mut part = StatusResponse::default();
    let mut size = 0;
    for log in logs {
        size += log.encoded_len();
        part.logs.push(log);
        if size > MOST / 2 {
            put(std::mem::take(&mut part));
            size = 0;
        }
    }
    put(part);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::control::VertexLog;

    #[test]
    fn a_large_status_is_split_and_nothing_is_lost() {
        let log = |n: u8| VertexLog {
            msg: vec![n; 100 << 10],
            ..VertexLog::default()
        };
        let message = StatusResponse {
            logs: (0..40).map(log).collect(),
            ..StatusResponse::default()
        };
        let parts = encoded(message.clone());
        assert!(parts.len() > 2);
        let mut logs = Vec::new();
        for part in parts {
            assert!(part.len() <= MOST);
            logs.extend(StatusResponse::decode(part).unwrap().logs);
        }
        assert_eq!(logs, message.logs);
        assert_eq!(encoded(StatusResponse::default()).len(), 1);
    }
}
