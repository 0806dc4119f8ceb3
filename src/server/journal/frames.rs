//! A trace read from one place to another by a thread that may block, without an allocation for each record.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use super::frame::{self, Damage, HEAD, Head};
use super::index::Index;
use super::{Error, Journal, State};

/// How much is read at once.
const CHUNK: usize = 256 << 10;

/// Reads records in order; blocks. Sees what was there when it was made.
#[derive(Debug)]
pub struct Frames {
    path: Arc<Path>,
    file: File,
    state: State,
    /// Whether records are compared with their checks.
    check: bool,
    /// Number of the next record.
    number: u64,
    /// Where its frame starts in the file.
    offset: u64,
    /// What was read, up to `filled`; the next frame starts at `at`.
    buffer: Vec<u8>,
    at: usize,
    filled: usize,
}

impl Journal {
    /// Reads what is there now, from record `from` on. Blocks, as all of [`Frames`].
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn frames(&self, from: u64) -> Result<Frames, Error> {
        let path = Arc::clone(&self.path);
        let file = File::open(&path).map_err(|source| Error::io("read", &path, source))?;
        let state = *self.state.borrow();
        let (number, offset) = Index::beside(&path).find(from, state.end);
        let mut frames = Frames {
            path,
            file,
            state,
            check: true,
            number,
            offset,
            buffer: Vec::new(),
            at: 0,
            filled: 0,
        };
        frames.skip_to(from)?;
        Ok(frames)
    }
}

impl Frames {
    /// Does not compare records with their checks from now on: their content may then be anything, while their
    /// number and length are still certain.
    pub fn trusting(mut self) -> Self {
        self.check = false;
        self
    }

    /// Number of the next record.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The next record; `None` behind the last.
    ///
    /// # Errors
    /// The trace is damaged or cannot be read.
    pub fn record(&mut self) -> Result<Option<&[u8]>, Error> {
        let Some((length, check)) = self.head()? else {
            return Ok(None);
        };
        self.have(HEAD + length)?;
        let record = self.at + HEAD..self.at + HEAD + length;
        if self.check && self.buffer.get(record.clone()).map(crc32fast::hash) != Some(check) {
            return Err(self.damaged("is not what was written"));
        }
        self.pass(HEAD + length);
        Ok(self.buffer.get(record))
    }

    /// Goes on to record `number`, which lies ahead, or stays where it is.
    ///
    /// # Errors
    /// As [`Frames::record`].
    pub fn skip_to(&mut self, number: u64) -> Result<(), Error> {
        if number > self.number {
            let (known, offset) = Index::beside(&self.path).find(number, self.state.end);
            if offset > self.offset + (self.filled - self.at) as u64 {
                (self.number, self.offset) = (known, offset);
                (self.at, self.filled) = (0, 0);
            }
        }
        while self.number < number {
            let Some((length, _)) = self.head()? else {
                return Ok(());
            };
            self.have(HEAD + length)?;
            self.pass(HEAD + length);
        }
        Ok(())
    }

    /// Length and check of the next record.
    fn head(&mut self) -> Result<Option<(usize, u32)>, Error> {
        if self.number >= self.state.records {
            return Ok(None);
        }
        self.have(HEAD)?;
        let head = self.buffer.get(self.at..).and_then(<[u8]>::first_chunk);
        match head.map(|head| frame::head(self.number, head)) {
            Some(Ok(Head::Record { length, check })) => Ok(Some((length, check))),
            Some(Err(why)) => Err(self.damaged(why)),
            Some(Ok(Head::End)) | None => Err(self.damaged("is missing")),
        }
    }

    fn pass(&mut self, bytes: usize) {
        self.at += bytes;
        self.offset += bytes as u64;
        self.number += 1;
    }

    /// Reads until `need` bytes from the next frame on are there.
    fn have(&mut self, need: usize) -> Result<(), Error> {
        let rest = self.filled - self.at;
        if rest >= need {
            return Ok(());
        }
        self.buffer.copy_within(self.at..self.filled, 0);
        (self.at, self.filled) = (0, rest);
        let start = self.offset + rest as u64;
        let left = usize::try_from(self.state.end.saturating_sub(start)).unwrap_or(usize::MAX);
        let length = need.max(CHUNK).min(rest.saturating_add(left));
        if length < need {
            return Err(self.damaged("is missing"));
        }
        if self.buffer.len() < length {
            self.buffer.resize(length.max(CHUNK), 0);
        }
        let room = self.buffer.get_mut(rest..length).unwrap_or_default();
        match self.file.read_exact_at(room, start) {
            Ok(()) => {
                self.filled = length;
                Ok(())
            }
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                Err(self.damaged("is missing"))
            }
            Err(source) => Err(Error::io("read", &self.path, source)),
        }
    }

    fn damaged(&self, why: &'static str) -> Error {
        let damage = Damage {
            record: self.number,
            offset: self.offset,
            why,
        };
        Error::damaged(&self.path, damage)
    }
}
