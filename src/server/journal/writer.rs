//! The one who appends to a trace.

use std::fs::{File, OpenOptions};
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;

use super::frame::{self, MAGIC};
use super::index::Index;
use super::{Error, Journal, State};

/// Frames are gathered up to this size before they are written.
const GATHER: usize = 256 << 10;

/// Appends to one trace. Dropping it without [`Writer::finish`] leaves a trace that is broken off:
/// readers get what is there and then the end.
#[derive(Debug)]
pub struct Writer {
    path: Arc<Path>,
    file: File,
    state: watch::Sender<State>,
    index: Index,
    records: u64,
    end: u64,
    /// Frames that are not written yet; empty between calls.
    frames: Vec<u8>,
    /// Places for the index in frames that are not published yet; empty between calls.
    places: Vec<(u64, u64)>,
}

impl Writer {
    pub(super) fn create(path: &Path) -> Result<(Self, Journal), Error> {
        let path = Arc::<Path>::from(path);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .and_then(|file| file.write_all_at(&MAGIC, 0).map(|()| file))
            .map_err(|source| Error::io("create", &path, source))?;
        let index = Index::beside(&path);
        // One of an older trace of this name.
        index
            .cut()
            .map_err(|source| Error::io("create the index of", &path, source))?;
        let state = State {
            end: MAGIC.len() as u64,
            ..State::default()
        };
        Ok(Self::at(path, file, index, state))
    }

    fn at(path: Arc<Path>, file: File, index: Index, state: State) -> (Self, Journal) {
        let (records, end) = (state.records, state.end);
        let (sender, receiver) = watch::channel(state);
        let journal = Journal {
            path: Arc::clone(&path),
            state: receiver,
        };
        let writer = Self {
            path,
            file,
            state: sender,
            index,
            records,
            end,
            frames: Vec::new(),
            places: Vec::new(),
        };
        (writer, journal)
    }

    /// Appends one record and returns its number. It can be read, now and after a kill of this
    /// process, once this has returned.
    ///
    /// Made to be called from async code. A write into the page cache takes a few microseconds, less
    /// than the way to another thread and back, and it is over when this returns. The kernel lets a
    /// program wait there only when it fills memory faster than its share of a disk that is behind;
    /// what a build says is far slower than that.
    ///
    /// # Errors
    /// As [`Writer::append_batch`].
    pub fn append(&mut self, record: &[u8]) -> Result<u64, Error> {
        Ok(self.append_batch([record])?.start)
    }

    /// Appends records, all or none, with as few writes as possible; returns their numbers.
    ///
    /// # Errors
    /// A record is too large, or the file cannot be written, for example because the disk is full.
    /// Then the trace is as it was before and later records may be tried.
    pub fn append_batch<R: AsRef<[u8]>>(
        &mut self,
        records: impl IntoIterator<Item = R>,
    ) -> Result<Range<u64>, Error> {
        let first = self.records;
        let result = self.write(records);
        self.frames.clear();
        self.frames.shrink_to(GATHER);
        match result {
            Ok((records, end)) => {
                self.records = records;
                self.end = end;
                self.state.send_modify(|state| {
                    state.records = records;
                    state.end = end;
                });
                for (number, offset) in self.places.drain(..) {
                    // The trace is whole without its index; readers only look longer.
                    let _ = self.index.note(number, offset);
                }
                Ok(first..records)
            }
            Err(error) => {
                // Gives the space back. Should it fail, the next record is written over the rest.
                let _ = self.file.set_len(self.end);
                self.places.clear();
                Err(error)
            }
        }
    }

    /// Writes frames from the end on; returns what the number of records and the end then are.
    fn write<R: AsRef<[u8]>>(
        &mut self,
        records: impl IntoIterator<Item = R>,
    ) -> Result<(u64, u64), Error> {
        let (mut number, mut written) = (self.records, self.end);
        for record in records {
            frame::encode(&mut self.frames, number, record.as_ref())?;
            number += 1;
            if self.frames.len() >= GATHER {
                written = self.flush(number, written)?;
            }
        }
        written = self.flush(number, written)?;
        Ok((number, written))
    }

    /// Writes the gathered frames at `offset`; `next` is the number of the record behind them.
    fn flush(&mut self, next: u64, offset: u64) -> Result<u64, Error> {
        self.file
            .write_all_at(&self.frames, offset)
            .map_err(|source| Error::io("write", &self.path, source))?;
        let end = offset + self.frames.len() as u64;
        self.frames.clear();
        self.places.push((next, end));
        Ok(end)
    }

    /// Ends the trace: readers get the end, and a later server knows that nothing is missing.
    ///
    /// # Errors
    /// The end cannot be written. Readers get it all the same; a later server sees a trace that was
    /// broken off.
    pub fn finish(self) -> Result<(), Error> {
        self.file
            .write_all_at(&frame::end(self.records), self.end)
            .map_err(|source| Error::io("write", &self.path, source))?;
        self.state.send_modify(|state| state.finished = true);
        Ok(())
    }
}
