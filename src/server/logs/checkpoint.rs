//! What the file of a log's places holds: a [`Checkpoint`] for each span of the trace, as the records of a journal.

use super::lines::Line;

/// What a span of the trace holds of the log, and how the log stands at its end.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Checkpoint {
    /// First record of the span.
    #[prost(uint64, tag = "1")]
    pub first: u64,
    /// The record behind its last one; equal to `first` when there is no log in it.
    #[prost(uint64, tag = "2")]
    pub end: u64,
    /// The steps whose log has grown.
    #[prost(message, repeated, tag = "3")]
    pub steps: Vec<Grown>,
    /// The lines that are open, in the order in which they began.
    #[prost(message, repeated, tag = "4")]
    pub open: Vec<Open>,
    /// Records of the trace, and of the trace without logs, up to here. In the last checkpoint of a finished file only.
    #[prost(uint64, tag = "5")]
    pub records: u64,
    #[prost(uint64, tag = "6")]
    pub quiet: u64,
    #[prost(bool, tag = "7")]
    pub last: bool,
}

/// The counts of one step.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Grown {
    /// Steps are numbered in the order of their first text.
    #[prost(uint32, tag = "1")]
    pub step: u32,
    /// Digest of the vertex; only the first time.
    #[prost(bytes = "vec", tag = "2")]
    pub vertex: Vec<u8>,
    /// Lines that have ended.
    #[prost(uint64, tag = "3")]
    pub lines: u64,
    /// Bytes, of the open line too.
    #[prost(uint64, tag = "4")]
    pub bytes: u64,
    /// What the engine clipped.
    #[prost(string, repeated, tag = "5")]
    pub missing: Vec<String>,
}

/// An open line.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Open {
    #[prost(bytes = "vec", tag = "1")]
    pub vertex: Vec<u8>,
    #[prost(int64, tag = "2")]
    pub time: i64,
    #[prost(uint32, tag = "3")]
    pub stream: u32,
    #[prost(bool, tag = "4")]
    pub continued: bool,
    #[prost(bytes = "vec", tag = "5")]
    pub text: Vec<u8>,
}

impl From<&Line> for Open {
    fn from(line: &Line) -> Self {
        Self {
            vertex: line.vertex.clone(),
            time: line.time,
            stream: line.stream,
            continued: line.continued,
            text: line.text.clone(),
        }
    }
}

impl From<Open> for Line {
    fn from(open: Open) -> Self {
        Self {
            vertex: open.vertex,
            time: open.time,
            stream: open.stream,
            continued: open.continued,
            text: open.text,
        }
    }
}
