//! What logs need of a trace's records, read in place: decoding all of a record would copy every text.
//!
//! Records are `TraceEvent`s of `proto/controller.proto`; their statuses are BuildKit's `StatusResponse`. Whatever
//! is not well-formed ends the reading of what it is in, silently: the trace has checks of its own.

use std::borrow::Cow;

use crate::progress::time::{Nanos, SECOND};

/// `TraceEvent.status` and `TraceEvent.local_status`.
const STATUSES: [u64; 2] = [5, 6];

/// Fields of `StatusResponse`.
const VERTEXES: u64 = 1;
const LOGS: u64 = 3;

/// A piece of a step's log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// Digest of the vertex.
    pub vertex: &'a [u8],
    /// When it was logged.
    pub time: Nanos,
    /// Standard output is 1, standard error 2.
    pub stream: u32,
    /// As it came.
    pub text: &'a [u8],
}

/// How far a step is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark<'a> {
    /// Digest of the vertex.
    pub vertex: &'a [u8],
    /// When it started, if it did.
    pub started: Option<Nanos>,
    /// Whether it is complete.
    pub completed: bool,
    /// Whether it failed.
    pub failed: bool,
}

/// One field of a message.
struct Field<'a> {
    number: u64,
    value: Value<'a>,
    /// All of it, with its tag.
    whole: &'a [u8],
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message in their order.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let start = self.0;
        let mut rest = start;
        let tag = varint(&mut rest)?;
        let value = match tag & 7 {
            0 => Value::Number(varint(&mut rest)?),
            2 => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                let (bytes, behind) = rest.split_at_checked(length)?;
                rest = behind;
                Value::Bytes(bytes)
            }
            fixed @ (1 | 5) => {
                rest = rest.get(if fixed == 1 { 8 } else { 4 }..)?;
                Value::Number(0)
            }
            _ => return None,
        };
        self.0 = rest;
        Some(Field {
            number: tag >> 3,
            value,
            whole: start.get(..start.len() - rest.len())?,
        })
    }
}

fn varint(from: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = from.split_first()?;
        *from = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// The status in a record, if it is one.
pub fn status(record: &[u8]) -> Option<&[u8]> {
    Fields(record).find_map(|field| match field.value {
        Value::Bytes(status) if STATUSES.contains(&field.number) => Some(status),
        _ => None,
    })
}

/// The pieces of logs in a status, in their order.
pub fn chunks(status: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    Fields(status).filter_map(|field| match field.value {
        Value::Bytes(log) if field.number == LOGS => Some(chunk(log)),
        _ => None,
    })
}

/// The vertices in a status, in their order.
pub fn marks(status: &[u8]) -> impl Iterator<Item = Mark<'_>> {
    Fields(status).filter_map(|field| match field.value {
        Value::Bytes(vertex) if field.number == VERTEXES => Some(mark(vertex)),
        _ => None,
    })
}

fn chunk(log: &[u8]) -> Chunk<'_> {
    let mut chunk = Chunk::default();
    for field in Fields(log) {
        match (field.number, field.value) {
            (1, Value::Bytes(vertex)) => chunk.vertex = vertex,
            (2, Value::Bytes(stamp)) => chunk.time = nanos(stamp),
            (3, Value::Number(stream)) => chunk.stream = u32::try_from(stream).unwrap_or(0),
            (4, Value::Bytes(text)) => chunk.text = text,
            _ => {}
        }
    }
    chunk
}

fn mark(vertex: &[u8]) -> Mark<'_> {
    let mut mark = Mark::default();
    for field in Fields(vertex) {
        match (field.number, field.value) {
            (1, Value::Bytes(digest)) => mark.vertex = digest,
            (5, Value::Bytes(stamp)) => mark.started = Some(nanos(stamp)),
            (6, Value::Bytes(_)) => mark.completed = true,
            (7, Value::Bytes(error)) => mark.failed = !error.is_empty(),
            _ => {}
        }
    }
    mark
}

/// `google.protobuf.Timestamp`; negative numbers come as their two's complement.
fn nanos(stamp: &[u8]) -> Nanos {
    let (mut seconds, mut rest) = (0i64, 0i64);
    for field in Fields(stamp) {
        match (field.number, field.value) {
            (1, Value::Number(number)) => seconds = number.cast_signed(),
            (2, Value::Number(number)) => rest = number.cast_signed(),
            _ => {}
        }
    }
    seconds.saturating_mul(SECOND).saturating_add(rest)
}

/// A record without the text of logs; `None` when nothing is left of it.
pub fn quiet(record: &[u8]) -> Option<Cow<'_, [u8]>> {
    let Some(status) = status(record) else {
        return Some(Cow::Borrowed(record));
    };
    let mut logs = false;
    let mut rest = Vec::new();
    for field in Fields(status) {
        if field.number == LOGS {
            logs = true;
        } else {
            rest.extend_from_slice(field.whole);
        }
    }
    if rest.is_empty() {
        return None;
    }
    if !logs {
        return Some(Cow::Borrowed(record));
    }
    let mut out = Vec::with_capacity(rest.len() + 32);
    for field in Fields(record) {
        if STATUSES.contains(&field.number) {
            prost::encoding::encode_varint(field.number << 3 | 2, &mut out);
            prost::encoding::encode_varint(rest.len() as u64, &mut out);
            out.extend_from_slice(&rest);
        } else {
            out.extend_from_slice(field.whole);
        }
    }
    Some(Cow::Owned(out))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message;

    use super::*;
    use crate::progress::time::stamp;
    use crate::proto::control::{StatusResponse, Vertex, VertexLog};
    use crate::proto::controller::TraceEvent;
    use crate::proto::controller::trace_event::Event;

    fn record(event: Event) -> Vec<u8> {
        let event = Some(event);
        TraceEvent { time: 7, event }.encode_to_vec()
    }

    fn full() -> StatusResponse {
        StatusResponse {
            vertexes: vec![Vertex {
                digest: "sha256:a".into(),
                started: Some(stamp(5)),
                completed: Some(stamp(9)),
                error: "broken".into(),
                ..Vertex::default()
            }],
            logs: vec![VertexLog {
                vertex: "sha256:a".into(),
                timestamp: Some(stamp(-1_500_000_000)),
                stream: 2,
                msg: b"text\n".to_vec(),
            }],
            ..StatusResponse::default()
        }
    }

    #[test]
    fn a_status_is_read_in_place() {
        let record = record(Event::LocalStatus(full().encode_to_vec().into()));
        let status = status(&record).unwrap();
        let logs: Vec<_> = chunks(status).collect();
        let expected = Chunk {
            vertex: b"sha256:a",
            time: -1_500_000_000,
            stream: 2,
            text: b"text\n",
        };
        assert_eq!(logs, [expected]);
        let expected = Mark {
            vertex: b"sha256:a",
            started: Some(5),
            completed: true,
            failed: true,
        };
        assert_eq!(marks(status).collect::<Vec<_>>(), [expected]);
    }

    #[test]
    fn only_the_text_of_logs_is_left_out() {
        let mut status = full();
        let with = record(Event::Status(status.encode_to_vec().into()));
        status.logs.clear();
        let without = record(Event::Status(status.encode_to_vec().into()));
        assert_eq!(quiet(&with).unwrap(), without);
        assert!(matches!(quiet(&without), Some(Cow::Borrowed(_))));
        status.vertexes.clear();
        let nothing = record(Event::Status(status.encode_to_vec().into()));
        assert_eq!(quiet(&nothing), None);
        let note = record(Event::Note("x".into()));
        assert_eq!(quiet(&note).unwrap(), note);
    }

    proptest! {
        #[test]
        fn nothing_is_read_beyond_what_is_there(bytes: Vec<u8>, cut in 0usize..200) {
            let whole = record(Event::Status(full().encode_to_vec().into()));
            for bytes in [bytes.as_slice(), whole.get(..cut).unwrap_or(&whole)] {
                let _ = quiet(bytes);
                if let Some(status) = status(bytes) {
                    let _ = (chunks(status).count(), marks(status).count());
                }
            }
        }
    }
}
