//! Which lines of a log match, from its begin to its end.

use tonic::Status;

use super::Logs;
use super::lines::{Line, Sink};
use super::pattern::Searcher;
use super::reader::{Look, Reader};
use super::wire::Chunk;
use crate::proto::controller::{SearchLogRequest, SearchLogResponse};
use crate::server::journal::Error;

/// Most matches that are listed when the request does not say it.
const LIMIT: u32 = 10_000;

/// Matches in one answer.
const BATCH: usize = 2048;

/// So many bytes of the log are looked at before the counts are told again.
const PACE: usize = 32 << 20;

/// Where answers go.
pub trait Answers {
    /// Hands over; may block. What cannot be handed over is lost: nobody waits for it.
    fn give(&mut self, answer: SearchLogResponse);

    /// Whether nobody waits any more.
    fn gone(&self) -> bool;
}

/// Searches what there is now; blocks. The last answer says that it is.
///
/// # Errors
/// `InvalidArgument`: the pattern. `DataLoss`: the trace.
pub fn run(
    logs: &Logs,
    request: &SearchLogRequest,
    answers: &mut impl Answers,
) -> Result<(), Status> {
    let pattern = request.pattern.clone().unwrap_or_default();
    let limit = match request.limit {
        0 => LIMIT,
        limit => limit,
    };
    let mut search = Search {
        searcher: Searcher::both(&pattern, request.filter.as_ref())?,
        next: 0,
        from: request.from,
        room: usize::try_from(limit).unwrap_or(usize::MAX),
        found: Vec::new(),
        count: 0,
        told: 0,
        bytes: 0,
        answers,
    };
    let read = search.all(logs, request.vertex.as_bytes());
    read.map_err(|error| Status::data_loss(error.to_string()))?;
    search.tell(true);
    Ok(())
}

struct Search<'a, A> {
    searcher: Searcher,
    /// Number of the next line that is read.
    next: u64,
    /// First line that counts.
    from: u64,
    /// Matches that may still be listed.
    room: usize,
    /// Matches that are not told yet.
    found: Vec<u64>,
    count: u64,
    /// The count that was told last.
    told: u64,
    /// What was looked at since then.
    bytes: usize,
    answers: &'a mut A,
}

impl<A: Answers> Search<'_, A> {
    fn all(&mut self, logs: &Logs, vertex: &[u8]) -> Result<(), Error> {
        let parts = logs.shared.lock().parts(vertex);
        let first = parts.iter().position(|part| part.after > self.from);
        // Lines that are open come behind the last part.
        let first = first.unwrap_or(parts.len().saturating_sub(1));
        let parts = parts.get(first..).unwrap_or_default();
        let Some(begin) = parts.first() else {
            return Ok(());
        };
        self.next = begin.before;
        let mut reader = Reader::new(logs, vertex, begin)?.trusting();
        for part in parts {
            if !self.more() {
                return Ok(());
            }
            reader.read(part, self)?;
        }
        reader.finish(self);
        Ok(())
    }

    fn tell(&mut self, done: bool) {
        self.told = self.count;
        self.bytes = 0;
        self.answers.give(SearchLogResponse {
            lines: std::mem::take(&mut self.found),
            count: self.count,
            searched: self.next.saturating_sub(self.from),
            done,
        });
    }
}

impl<A: Answers> Look for Search<'_, A> {
    fn more(&mut self) -> bool {
        let first = self.told == 0 && self.count > 0;
        if first || self.found.len() >= BATCH || self.bytes >= PACE {
            self.tell(false);
        }
        !self.answers.gone()
    }
}

impl<A> Sink for Search<'_, A> {
    fn lines(&mut self, _: &Chunk<'_>, whole: &[u8]) {
        let first = self.next;
        let lines = self.searcher.lines(whole, |at| {
            if first + at >= self.from {
                self.count += 1;
                if self.room > 0 {
                    self.room -= 1;
                    self.found.push(first + at);
                }
            }
        });
        self.next += lines;
        self.bytes += whole.len();
    }

    fn line(&mut self, line: Line) {
        let number = self.next;
        self.next += 1;
        self.bytes += line.text.len();
        if number >= self.from && self.searcher.line(&line.text) {
            self.count += 1;
            if self.room > 0 {
                self.room -= 1;
                self.found.push(number);
            }
        }
    }
}
