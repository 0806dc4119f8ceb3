//! A session with a long log, written to disk as a server writes it.

use std::fs;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Result;
use buildx::progress::time::stamp;
use buildx::proto::control::{StatusResponse, Vertex, VertexLog};
use buildx::proto::controller::trace_event::Event;
use buildx::proto::controller::{Finished, Outcome, TraceEvent, outcome};
use buildx::server::journal::{Journal, write_meta};
use buildx::server::logs::Logs;
use buildx::server::session::record::{Last, Record, State};
use prost::Message;

/// Bytes of a log.
pub const LONG: usize = 1 << 30;

/// Id and name of the session.
pub const SESSION: &str = "log";

/// What one line in a thousand has.
pub const RARE: &str = "linking crate";

/// What no line has.
pub const NEVER: &str = "linking crates";

/// The digest of the step.
const STEP: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// How lines look, and in how large messages they come.
pub struct Shape {
    /// Bytes of a message; 1: a line each.
    pub message: usize,
    /// With colours.
    pub colours: bool,
    /// Of the whole log.
    pub bytes: usize,
}

/// What was measured meanwhile.
pub struct Recorded {
    /// Time for counting the log.
    pub indexing: Duration,
    /// Bytes on disk of what was counted.
    pub places: u64,
}

/// The directory of the session.
pub fn session(root: &Path) -> PathBuf {
    root.join("sessions").join(SESSION)
}

/// Writes the finished session below the root of a server that does not run.
pub fn record(root: &Path, shape: &Shape) -> Result<Recorded> {
    let session = session(root);
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(&session)?;
    let (mut writer, trace) = Journal::create(&session.join("1.trace"))?;
    let (mut indexer, _) = Logs::create(&trace)?;
    let (mut bytes, mut indexing) = (0, Duration::ZERO);
    let mut lines = Lines::new(shape.colours);
    let mut put = |event| -> Result<()> {
        let event = Some(event);
        let records = [TraceEvent { time: 1, event }.encode_to_vec()];
        writer.append_batch(&records)?;
        let began = Instant::now();
        indexer.push(&records)?;
        indexing += began.elapsed();
        Ok(())
    };
    let mut vertex = Vertex {
        digest: STEP.into(),
        name: "RUN make".into(),
        started: Some(stamp(1)),
        ..Vertex::default()
    };
    put(status(vec![vertex.clone()], Vec::new()))?;
    while bytes < shape.bytes {
        let mut logs = Vec::new();
        while logs.len() < 64 && bytes < shape.bytes {
            let msg = lines.message(shape.message);
            bytes += msg.len();
            logs.push(VertexLog {
                vertex: STEP.into(),
                timestamp: Some(stamp(i64::try_from(bytes)?)),
                stream: 1,
                msg,
            });
            if logs.iter().map(|log| log.msg.len()).sum::<usize>() > 64 << 10 {
                break;
            }
        }
        put(status(Vec::new(), logs))?;
    }
    vertex.completed = Some(stamp(2));
    put(status(vec![vertex], Vec::new()))?;
    put(Event::Outcome(Outcome {
        end: Some(outcome::End::Finished(Finished::default())),
        exit_code: 0,
    }))?;
    writer.finish()?;
    indexer.finish()?;
    let record = Record {
        name: SESSION.into(),
        build: 1,
        last: Last {
            state: State::Succeeded,
            ..Last::default()
        },
        ..Record::default()
    };
    write_meta(&session, &record.encode())?;
    let size = |name| fs::metadata(session.join(name)).map(|data| data.len());
    Ok(Recorded {
        indexing,
        places: size("1.places")? + size("1.quiet")?,
    })
}

fn status(vertexes: Vec<Vertex>, logs: Vec<VertexLog>) -> Event {
    let status = StatusResponse {
        vertexes,
        logs,
        ..StatusResponse::default()
    };
    Event::Status(status.encode_to_vec().into())
}

/// Lines as compilers write them, of different lengths.
struct Lines {
    number: usize,
    colours: bool,
    /// What did not go into the last message.
    rest: Vec<u8>,
}

impl Lines {
    fn new(colours: bool) -> Self {
        Self {
            number: 0,
            colours,
            rest: Vec::new(),
        }
    }

    /// So many bytes, or one line.
    fn message(&mut self, size: usize) -> Vec<u8> {
        let mut message = std::mem::take(&mut self.rest);
        while message.len() < size {
            let number = self.number;
            self.number += 1;
            let (green, reset) = match self.colours {
                true => ("\x1b[32m", "\x1b[0m"),
                false => ("", ""),
            };
            let word = match number % 1000 {
                500 => RARE,
                _ => "compiling",
            };
            let path = "deeply/nested/".repeat(number % 4);
            let _ = writeln!(
                message,
                "{green}{word}{reset} {path}unit_{} {}",
                number * 31 % 977,
                number % 10
            );
        }
        if size > 1 {
            self.rest = message.split_off(size);
        }
        message
    }
}
