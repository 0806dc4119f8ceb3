//! Lines of a log from any place.

use std::collections::VecDeque;

use tonic::Status;

use super::Logs;
use super::clean::Cleaner;
use super::index::Part;
use super::lines::{Line, Sink};
use super::pattern::Searcher;
use super::reader::{Look, Reader};
use super::wire::Chunk;
use crate::progress::time::Nanos;
use crate::proto::controller::{LogLine, LogRequest, LogResponse};
use crate::server::journal::Error;

/// Most bytes of an answer, unless one line alone is longer.
const MOST: usize = 1 << 20;

/// What a line costs beyond its text and digest.
const EACH: usize = 32;

/// Answers a request; blocks. `gone` says whether nobody waits for the answer any more.
///
/// # Errors
/// `InvalidArgument`: the filter. `DataLoss`: the trace.
pub fn read(
    logs: &Logs,
    request: &LogRequest,
    gone: impl Fn() -> bool,
) -> Result<LogResponse, Status> {
    let vertex = request.vertex.as_bytes();
    let (parts, (total, bytes)) = {
        let index = logs.shared.lock();
        (index.parts(vertex), index.total(vertex))
    };
    let mut patterns = [&request.filter, &request.search]
        .into_iter()
        .flatten()
        .filter(|pattern| !pattern.text.is_empty());
    let filter = match patterns.next() {
        Some(first) => Some(Searcher::both(first, patterns.next())?),
        None => None,
    };
    let mut window = Window {
        next: 0,
        from: request.from,
        until: u64::MAX,
        count: usize::try_from(request.count).unwrap_or(usize::MAX),
        last: request.from_end,
        filter,
        cleaner: Cleaner::new(true),
        lines: VecDeque::new(),
        size: 0,
        least: 1,
        more: false,
        gone: &gone,
    };
    if request.from_end {
        window.from = 0;
        window.until = total.saturating_sub(request.from);
    }
    if window.count > 0 {
        let done = match request.from_end {
            true => window.backward(logs, vertex, &parts),
            false => window.forward(logs, vertex, &parts),
        };
        done.map_err(|error| Status::data_loss(error.to_string()))?;
    }
    Ok(LogResponse {
        lines: window.lines.into(),
        total,
        bytes,
        more: window.more,
    })
}

/// Gathers lines.
struct Window<'a> {
    /// Number of the next line that is read.
    next: u64,
    /// First line that is wanted, and the line behind the last one.
    from: u64,
    until: u64,
    /// Most lines.
    count: usize,
    /// Whether the last lines are wanted, rather than the first.
    last: bool,
    filter: Option<Searcher>,
    cleaner: Cleaner,
    lines: VecDeque<LogLine>,
    /// What the lines cost, with those of parts that were read before.
    size: usize,
    /// So many lines stay, however long they are.
    least: usize,
    /// There are more lines than an answer holds.
    more: bool,
    gone: &'a dyn Fn() -> bool,
}

impl Window<'_> {
    fn forward(&mut self, logs: &Logs, vertex: &[u8], parts: &[Part]) -> Result<(), Error> {
        let known = parts.iter().position(|part| part.after > self.from);
        // Lines that are open come behind the last part.
        let first = known.unwrap_or(parts.len().saturating_sub(1));
        let parts = parts.get(first..).unwrap_or_default();
        let Some(begin) = parts.first() else {
            return Ok(());
        };
        self.next = begin.before;
        let mut reader = Reader::new(logs, vertex, begin)?;
        for part in parts {
            if !self.more() {
                return Ok(());
            }
            reader.read(part, self)?;
        }
        if self.more() {
            reader.finish(self);
        }
        Ok(())
    }

    /// Part by part from the end on, each of them read forward.
    fn backward(&mut self, logs: &Logs, vertex: &[u8], parts: &[Part]) -> Result<(), Error> {
        let (count, mut behind) = (self.count, VecDeque::new());
        for (number, part) in parts.iter().enumerate().rev() {
            if part.before >= self.until {
                continue;
            }
            self.next = part.before;
            self.count = count - behind.len();
            let mut reader = Reader::new(logs, vertex, part)?;
            reader.read(part, self)?;
            if number + 1 == parts.len() {
                reader.finish(self);
            }
            // They stand before those that were found already.
            self.lines.append(&mut behind);
            behind = std::mem::take(&mut self.lines);
            self.least = usize::from(behind.is_empty());
            if self.more || behind.len() >= count || (self.gone)() {
                break;
            }
        }
        self.lines = behind;
        Ok(())
    }

    fn take(&mut self, number: u64, line: Found<'_>) {
        if number < self.from || number >= self.until || (self.more && !self.last) {
            return;
        }
        if self.lines.len() >= self.count {
            if !self.last {
                return;
            }
            self.drop_first();
        }
        let text = self.cleaner.clean(line.text);
        let size = text.len() + line.vertex.len() + EACH;
        let line = LogLine {
            number,
            vertex: String::from_utf8_lossy(line.vertex).into_owned(),
            time: line.time.div_euclid(1_000_000),
            stream: line.stream,
            text: bytes::Bytes::copy_from_slice(text),
            continued: line.continued,
        };
        if self.size + size > MOST && !self.last && !self.lines.is_empty() {
            self.more = true;
            return;
        }
        self.size += size;
        self.lines.push_back(line);
        while self.last && self.size > MOST && self.lines.len() > self.least {
            self.drop_first();
            self.more = true;
        }
    }

    fn drop_first(&mut self) {
        if let Some(first) = self.lines.pop_front() {
            let size = first.text.len() + first.vertex.len() + EACH;
            self.size = self.size.saturating_sub(size);
        }
    }
}

/// A raw line and what is known of it.
struct Found<'a> {
    vertex: &'a [u8],
    time: Nanos,
    stream: u32,
    continued: bool,
    text: &'a [u8],
}

impl<'a> Found<'a> {
    fn in_chunk(chunk: &Chunk<'a>, text: &'a [u8]) -> Self {
        Self {
            vertex: chunk.vertex,
            time: chunk.time,
            stream: chunk.stream,
            continued: false,
            text,
        }
    }
}

impl Look for Window<'_> {
    fn more(&mut self) -> bool {
        let full = !self.last && (self.more || self.lines.len() >= self.count);
        !full && self.next < self.until && !(self.gone)()
    }
}

impl Sink for Window<'_> {
    fn lines(&mut self, chunk: &Chunk<'_>, whole: &[u8]) {
        let first = self.next;
        let mut hits = Vec::new();
        if let Some(filter) = &mut self.filter {
            self.next += filter.lines(whole, |at| hits.push(first + at));
            if hits.is_empty() {
                return;
            }
        }
        let mut hits = hits.into_iter().peekable();
        for (number, line) in (first..).zip(whole.split_inclusive(|byte| *byte == b'\n')) {
            if self.filter.is_none() {
                self.next += 1;
            } else if hits.next_if_eq(&number).is_none() {
                continue;
            }
            if number >= self.from {
                let text = line.strip_suffix(b"\n").unwrap_or(line);
                self.take(number, Found::in_chunk(chunk, text));
            }
        }
    }

    fn line(&mut self, line: Line) {
        let number = self.next;
        self.next += 1;
        if self
            .filter
            .as_mut()
            .is_some_and(|filter| !filter.line(&line.text))
        {
            return;
        }
        let found = Found {
            vertex: &line.vertex,
            time: line.time,
            stream: line.stream,
            continued: line.continued,
            text: &line.text,
        };
        self.take(number, found);
    }
}
