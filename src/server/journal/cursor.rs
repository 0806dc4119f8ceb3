//! A position in a trace, and the bytes that were read from there on.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use bytes::{Buf, Bytes};

use super::Error;
use super::frame::{self, Damage, HEAD, Head};

/// How much is read at once, unless one record is larger. Enough that the way to another thread and
/// back does not matter, and little enough to hold one for each watcher.
const CHUNK: usize = 256 << 10;

/// What is at the position.
pub(super) enum Step {
    /// The next record; the position is behind it.
    Record(Bytes),
    /// This many bytes from the position on must be read first.
    More(usize),
    /// The end of a finished trace.
    End,
}

/// A position in a trace.
#[derive(Debug)]
pub(super) struct Cursor {
    path: Arc<Path>,
    file: Arc<File>,
    number: u64,
    offset: u64,
    /// What was read from `offset` on.
    ahead: Bytes,
}

impl Cursor {
    /// The position of record `number`, whose frame starts at `offset`.
    pub(super) fn new(path: Arc<Path>, file: Arc<File>, number: u64, offset: u64) -> Self {
        Self {
            path,
            file,
            number,
            offset,
            ahead: Bytes::new(),
        }
    }

    /// Number of the next record.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Where its frame starts.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Takes the next record out of what was read.
    pub(super) fn step(&mut self) -> Result<Step, Damage> {
        let damage = |why| Damage {
            record: self.number,
            offset: self.offset,
            why,
        };
        let Some(head) = self.ahead.first_chunk() else {
            return Ok(Step::More(HEAD));
        };
        let (length, check) = match frame::head(self.number, head).map_err(damage)? {
            Head::Record { length, check } => (length, check),
            Head::End => return Ok(Step::End),
        };
        let whole = HEAD + length;
        if self.ahead.len() < whole {
            return Ok(Step::More(whole));
        }
        let record = self.ahead.slice(HEAD..whole);
        if crc32fast::hash(&record) != check {
            return Err(damage("is not what was written"));
        }
        self.ahead.advance(whole);
        if self.ahead.is_empty() {
            // An empty rest would keep the whole chunk in memory.
            self.ahead = Bytes::new();
        }
        self.number += 1;
        self.offset += whole as u64;
        Ok(Step::Record(record))
    }

    /// What to read so that at least `need` bytes are there, without going past `limit`. It blocks,
    /// and does not borrow the cursor; [`Cursor::fill`] takes the answer.
    pub(super) fn reading(
        &self,
        need: usize,
        limit: u64,
    ) -> impl FnOnce() -> io::Result<Bytes> + Send + 'static {
        let file = Arc::clone(&self.file);
        let offset = self.offset;
        let left = usize::try_from(limit.saturating_sub(offset)).unwrap_or(usize::MAX);
        let length = need.max(CHUNK).min(left).max(need);
        move || {
            let mut chunk = vec![0; length];
            file.read_exact_at(&mut chunk, offset)?;
            Ok(chunk.into())
        }
    }

    /// Takes what [`Cursor::reading`] read at this position.
    pub(super) fn fill(&mut self, read: io::Result<Bytes>) -> Result<(), Error> {
        match read {
            Ok(ahead) => self.ahead = ahead,
            // The file is shorter than it was.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(self.early_end());
            }
            Err(source) => return Err(Error::io("read", &self.path, source)),
        }
        Ok(())
    }

    /// Reads at least `need` bytes, but nothing past `limit`; blocks.
    pub(super) fn read(&mut self, need: usize, limit: u64) -> Result<(), Error> {
        let read = self.reading(need, limit)();
        self.fill(read)
    }

    /// Goes on to record `number`; blocks.
    pub(super) fn skip_to(&mut self, number: u64, limit: u64) -> Result<(), Error> {
        while self.number < number {
            match self.step() {
                Ok(Step::Record(_)) => {}
                Ok(Step::More(need)) => self.read(need, limit)?,
                Ok(Step::End) => return Err(self.early_end()),
                Err(damage) => return Err(Error::damaged(&self.path, damage)),
            }
        }
        Ok(())
    }

    /// The error for an end where records were written.
    pub(super) fn early_end(&self) -> Error {
        Error::damaged(
            &self.path,
            Damage {
                record: self.number,
                offset: self.offset,
                why: "is missing",
            },
        )
    }
}
