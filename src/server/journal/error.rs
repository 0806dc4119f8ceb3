//! What can go wrong with traces and their store.

use std::io;
use std::path::{Path, PathBuf};

use super::frame::{Damage, MAX_RECORD};

/// An error of a trace or of the store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused something. A full disk is one of these.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// A verb.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A record is not what was written. The records before it are fine.
    #[error(
        "the trace {} is damaged: record {record} at byte {offset} {why}; what comes after it cannot be read",
        path.display()
    )]
    Damaged {
        /// The trace.
        path: PathBuf,
        /// Number of the record.
        record: u64,
        /// Where its frame starts.
        offset: u64,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The file is something else.
    #[error("{} is not the trace of a build", path.display())]
    NoTrace {
        /// The file.
        path: PathBuf,
    },
    /// A later program wrote the file.
    #[error(
        "the trace {} has format {version}, which this buildx does not know: read it with a newer one",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its format.
        version: u8,
    },
    /// A record is larger than [`MAX_RECORD`].
    #[error("a record of {0} bytes does not go into a trace: {MAX_RECORD} bytes is the most")]
    TooLarge(usize),
    /// A directory that others could reach.
    #[error("will not keep sessions in {}: it {why}", path.display())]
    Unsafe {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A session's id is not made of letters, digits, `-` and `_`, or too long.
    #[error("{0:?} is no session's id")]
    Id(String),
}

impl Error {
    pub(in crate::server) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            doing,
            path: path.to_owned(),
            source,
        }
    }

    pub(super) fn damaged(path: &Path, damage: Damage) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            record: damage.record,
            offset: damage.offset,
            why: damage.why,
        }
    }

    /// What kind of trouble the operating system reported, if it did.
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Io { source, .. } => Some(source.kind()),
            _ => None,
        }
    }
}
