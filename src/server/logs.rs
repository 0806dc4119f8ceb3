//! The log of a build for a screen: windows of lines, search, and the trace without the text of logs, all of which
//! take as long for a log of 1 GiB as for one of a page.
//!
//! While a build is recorded an [`Indexer`] goes along with its trace and writes two small files beside it, which are
//! journals like the trace:
//!
//! - `N.quiet`: the records of the trace without the text of logs; statuses that hold nothing else are left out.
//! - `N.places`: for about every 256 KiB of the trace that hold log a checkpoint: which records these are, how many
//!   lines and bytes each step had at their end, and the lines that were open there. So reading can begin at each
//!   of them, and [`lines`] has one rule for where lines are.
//!
//! Both can be made again from the trace, and are when they are missing or not whole, as after the end of a server
//! that was killed: [`Logs::open`]. Text is filtered line by line when it is read ([`clean`]).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use prost::Message;

use super::journal::{Error, Journal};

pub mod checkpoint;
pub mod clean;
mod clipped;
pub mod index;
mod indexer;
pub mod lines;
pub mod pattern;
pub mod reader;
pub mod search;
pub mod window;
pub mod wire;

pub use indexer::{Indexer, Shared};

use checkpoint::Checkpoint;
use index::Index;

/// The log of one build.
#[derive(Clone, Debug)]
pub struct Logs {
    trace: Journal,
    places: Journal,
    quiet: Journal,
    shared: Arc<Shared>,
    /// Why the log ends before the trace does.
    trouble: Option<Arc<str>>,
}

impl Logs {
    /// Begins with a trace that has no record yet.
    ///
    /// # Errors
    /// The files cannot be made.
    pub fn create(trace: &Journal) -> Result<(Indexer, Self), Error> {
        let (places, quiet) = (
            beside(trace.path(), "places"),
            beside(trace.path(), "quiet"),
        );
        let (places_writer, places) = Journal::create(&places)?;
        let (quiet_writer, quiet) = Journal::create(&quiet)?;
        let shared = Arc::new(Shared::default());
        let indexer = Indexer::new(Arc::clone(&shared), places_writer, quiet_writer);
        let logs = Self {
            trace: trace.clone(),
            places,
            quiet,
            shared,
            trouble: None,
        };
        Ok((indexer, logs))
    }

    /// Opens the log of a trace that has no writer. Reads the places, a few hundred KiB for 1 GiB; when a file is
    /// missing or not whole, reads the trace once and writes both files. So call it where a thread may block, and
    /// not twice at once.
    ///
    /// # Errors
    /// The trace cannot be read, or the files cannot be written.
    pub fn open(trace: &Journal) -> Result<Self, Error> {
        match Self::load(trace) {
            Some(logs) => Ok(logs),
            None => Self::restore(trace),
        }
    }

    /// What an earlier server has written, if it is whole.
    fn load(trace: &Journal) -> Option<Self> {
        let places = Journal::open(&beside(trace.path(), "places")).ok()?;
        let quiet = Journal::open(&beside(trace.path(), "quiet")).ok()?;
        if !places.finished() || !quiet.finished() {
            return None;
        }
        let mut index = Index::default();
        let mut frames = places.frames(0).ok()?;
        let mut whole = false;
        while let Some(record) = frames.record().ok()? {
            let checkpoint = Checkpoint::decode(record).ok()?;
            index.take(&checkpoint)?;
            whole = checkpoint.last
                && checkpoint.records == trace.len()
                && checkpoint.quiet == quiet.len();
        }
        whole.then(|| Self {
            trace: trace.clone(),
            places,
            quiet,
            shared: Arc::new(Shared::of(index)),
            trouble: None,
        })
    }

    /// Goes through the trace once.
    fn restore(trace: &Journal) -> Result<Self, Error> {
        for name in ["places", "quiet"] {
            let path = beside(trace.path(), name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::io("remove", &path, error));
                }
                _ => {}
            }
        }
        let (mut indexer, mut logs) = Self::create(trace)?;
        let mut frames = trace.frames(0)?;
        loop {
            match frames.record() {
                Ok(Some(record)) => indexer.push(&[record])?,
                Ok(None) => break,
                Err(error @ Error::Damaged { .. }) => {
                    logs.trouble = Some(error.to_string().into());
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        indexer.finish()?;
        Ok(logs)
    }

    /// The trace without the text of logs.
    pub fn quiet(&self) -> &Journal {
        &self.quiet
    }

    /// Counts and places.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Why the log ends before the trace does; one line.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }
}

/// The file `NAME` of a trace `N.trace`.
fn beside(trace: &Path, name: &str) -> PathBuf {
    trace.with_extension(name)
}

#[cfg(test)]
mod tests;
