//! The traces of builds on disk, and what a server keeps of its sessions beside them.
//!
//! A trace is a list of records, numbered from 0. One [`Writer`] appends; any number of [`Reader`]s
//! replay from any record and then follow. Nothing is kept in memory: readers read the file, so a
//! slow one costs its position and delays nobody, and a finished trace costs a path and a few
//! numbers.
//!
//! # What survives
//!
//! A record is in the kernel's page cache before [`Writer::append`] returns, so it outlives a server
//! that is killed. Nothing is synced: what a crash of the machine takes is shown as damage or as a
//! trace that ends early.
//!
//! # Files
//!
//! All numbers are little-endian. A trace starts with the 8 bytes `bxtrace` and the format's version
//! (1). Then come frames:
//!
//! | bytes | what |
//! |---|---|
//! | 4 | length of the record |
//! | 4 | CRC-32 of the record's number (8 bytes) and of the length (4 bytes) |
//! | 4 | CRC-32 of the record |
//! | length | the record |
//!
//! A head of length 2^32-1, whose third number is 0, ends a finished trace. A frame that the file's end
//! cuts off was being written when the server died; it is left out. A frame whose checks fail is
//! damage: the head has a check of its own so that the two are never mixed up.
//!
//! Beside a trace that is longer than 256 KiB lies its index (`.index`): for about every 256 KiB one
//! entry of 20 bytes, the number of a record (8), where its frame starts (8), and the CRC-32 of these
//! 16. It only saves reading: entries that are missing or wrong are found again from the trace.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;

mod cursor;
mod error;
mod frame;
mod frames;
mod index;
mod ledger;
mod meta;
mod reader;
mod store;
mod writer;

pub use error::Error;
pub use frame::MAX_RECORD;
pub use frames::Frames;
pub use meta::write_meta;
pub use reader::Reader;
pub use store::{Enforced, Store, Stored};
pub use writer::Writer;

use cursor::{Cursor, Step};
use index::Index;

/// How far a trace has come. The channel's closing says that nothing more will come.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    records: u64,
    /// Where the next frame starts.
    end: u64,
    finished: bool,
    damage: Option<frame::Damage>,
}

/// A handle on one trace; a few hundred bytes and no open file.
#[derive(Clone, Debug)]
pub struct Journal {
    path: Arc<Path>,
    state: watch::Receiver<State>,
}

impl Journal {
    /// Makes an empty trace at `path`, which must not exist, with mode 0600.
    ///
    /// # Errors
    /// The file exists or cannot be written.
    pub fn create(path: &Path) -> Result<(Writer, Self), Error> {
        Writer::create(path)
    }

    /// Opens a trace that has no writer: finished, or broken off by the end of its server.
    ///
    /// Reads at most the last few hundred KiB; when the index is lost it reads the whole trace once
    /// and writes the index again. So call it where a thread may block.
    ///
    /// Damage is no error here: the records before it can be read.
    ///
    /// # Errors
    /// The file cannot be read, is no trace, or has a newer format.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let path = Arc::<Path>::from(path);
        let (_, state) = watch::channel(State::of(&path)?);
        Ok(Self { path, state })
    }

    /// Number of records that can be read.
    pub fn len(&self) -> u64 {
        self.state.borrow().records
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Size of what can be read, in bytes of the file.
    pub fn bytes(&self) -> u64 {
        self.state.borrow().end
    }

    /// Whether the writer finished the trace. A trace that has no writer and is not finished was
    /// broken off.
    pub fn finished(&self) -> bool {
        self.state.borrow().finished
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads from record `from` on, then follows until the writer is gone. When there is no record
    /// `from` yet, waits for it.
    pub fn reader(&self, from: u64) -> Reader {
        Reader::new(self.clone(), from, u64::MAX)
    }

    /// Reads from record `from` on and ends after what is there now.
    pub fn replay(&self, from: u64) -> Reader {
        Reader::new(self.clone(), from, self.len())
    }
}

impl State {
    /// What a look at a trace without a writer finds.
    fn of(path: &Arc<Path>) -> Result<Self, Error> {
        let io = |source| Error::io("read", path, source);
        let file = Arc::new(File::open(path).map_err(io)?);
        let length = file.metadata().map_err(io)?.len();
        let mut index = Index::beside(path);
        if !frame::check_magic(path, &file, length)? {
            return Ok(Self::default());
        }
        let (number, offset) = index.last(length);
        let mut cursor = Cursor::new(Arc::clone(path), file, number, offset);
        let mut state = Self::default();
        loop {
            match cursor.step() {
                Ok(Step::Record(_)) => {}
                Ok(Step::More(need)) => {
                    if length.saturating_sub(cursor.offset()) < need as u64 {
                        break;
                    }
                    cursor.read(need, length)?;
                    continue;
                }
                Ok(Step::End) => {
                    state.finished = true;
                    break;
                }
                Err(damage) => {
                    state.damage = Some(damage);
                    break;
                }
            }
            // An index that cannot be written only costs the next opener this scan again.
            let _ = index.note(cursor.number(), cursor.offset());
        }
        state.records = cursor.number();
        state.end = cursor.offset();
        Ok(state)
    }
}

#[cfg(test)]
mod tests;
