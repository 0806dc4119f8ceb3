//! The walk over one local source: which entries the engine is told of, and in which order.
//!
//! Depth first, siblings by their raw bytes, as the engine insists. Directories are opened one by
//! one beneath the root and links are never followed, so a tree that changes during the walk cannot
//! lead outside.

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, openat};
use rustix::io::Errno;

use super::entry::{self, HardLinks};
use super::patterns::{Inherited, Patterns};
use crate::proto::filesync::Stat;

/// What is sent of a source.
#[derive(Debug, Default)]
pub struct Filter {
    /// Only what matches, with everything below; everything when absent.
    pub include: Option<Patterns>,
    /// What is left out, with its exceptions.
    pub exclude: Patterns,
}

/// Why a walk ended early. The text names the entry.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// An entry could not be read.
    #[error("{path}: {source}")]
    Read {
        /// The entry on this machine, with everything unprintable escaped.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The protocol has no way to say this name.
    #[error("{0}: the name is not valid UTF-8; rename the file or ignore it")]
    Name(String),
    /// Nobody listens any more.
    #[error("the transfer was given up")]
    Stopped,
}

/// Takes each entry that is sent; `false` ends the walk.
pub type Sink<'a> = dyn FnMut(Stat) -> bool + 'a;

/// Walks `root` and hands what `filter` lets through to `sink`.
///
/// # Errors
/// [`WalkError`]; entries that vanish meanwhile are no error.
pub fn walk(root: &Path, filter: &Filter, sink: &mut Sink<'_>) -> Result<(), WalkError> {
    let failed = |error: Errno| WalkError::Read {
        path: root.display().to_string(),
        source: error.into(),
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = openat(CWD, root, flags, Mode::empty()).map_err(failed)?;
    let mut walk = Walk {
        filter,
        sink,
        links: HardLinks::new(),
        waiting: Vec::new(),
        full: root.to_owned(),
        path: String::new(),
    };
    let include = filter.include.as_ref().map(Patterns::root);
    walk.directory(directory, include.as_ref(), &filter.exclude.root())
}

struct Walk<'a, 'b> {
    filter: &'a Filter,
    sink: &'a mut Sink<'b>,
    links: HardLinks,
    /// The directories above, root first; those that were not sent yet hold their entry.
    waiting: Vec<Option<Stat>>,
    /// Where the walk is on this machine.
    full: PathBuf,
    /// Where the walk is below the root.
    path: String,
}

impl Walk<'_, '_> {
    fn directory(
        &mut self,
        directory: OwnedFd,
        include: Option<&Inherited>,
        exclude: &Inherited,
    ) -> Result<(), WalkError> {
        let names = names(directory.as_fd()).map_err(|error| self.failed(error))?;
        let length = self.path.len();
        for (name, kind) in names {
            let text = String::from_utf8_lossy(name.to_bytes());
            if length > 0 {
                self.path.push('/');
            }
            self.path.push_str(&text);
            self.full.push(OsStr::from_bytes(name.to_bytes()));
            let result = self.entry(directory.as_fd(), &name, kind, include, exclude);
            self.full.pop();
            self.path.truncate(length);
            result?;
        }
        Ok(())
    }

    fn entry(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &CStr,
        kind: FileType,
        include: Option<&Inherited>,
        exclude: &Inherited,
    ) -> Result<(), WalkError> {
        let is_directory = kind == FileType::Directory;
        let included = match (&self.filter.include, include) {
            (Some(patterns), Some(parent)) => judge(patterns, &self.path, parent, is_directory),
            _ => (true, None),
        };
        let excluded = judge(&self.filter.exclude, &self.path, exclude, is_directory);
        let skip = excluded.0 || !included.0;
        if skip && !(is_directory && self.worth_entering(&included, &excluded)) {
            return Ok(());
        }
        // With a type from the listing, what is skipped costs no call at all.
        let Some(entry) = entry::read(parent, name).map_err(|error| self.failed(error))? else {
            return Ok(());
        };
        if skip && entry.kind != FileType::Directory {
            return Ok(());
        }
        if name.to_str().is_err() {
            return Err(WalkError::Name(self.place()));
        }
        let stat = entry
            .to_stat(parent, name, &self.path, &self.full, &mut self.links)
            .or_else(|error| match error {
                Errno::NOENT => Ok(Stat::default()),
                error => Err(self.failed(error)),
            })?;
        if stat.path.is_empty() {
            return Ok(());
        }
        if entry.kind != FileType::Directory {
            return self.send(stat);
        }
        if skip {
            self.waiting.push(Some(stat));
        } else {
            self.send(stat)?;
            self.waiting.push(None);
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let result = match (openat(parent, name, flags, Mode::empty()), &excluded.1) {
            (Ok(directory), Some(exclude)) => {
                self.directory(directory, included.1.as_ref(), exclude)
            }
            // It became a directory after it was listed: what is in it, the next build sees.
            (Ok(_), None) => Ok(()),
            // Vanished, or replaced by something else, since it was listed.
            (Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP), _) => Ok(()),
            (Err(error), _) => Err(self.failed(error)),
        };
        self.waiting.pop();
        result
    }

    /// Whether something below the skipped directory could be sent after all.
    fn worth_entering(&self, included: &Judged, excluded: &Judged) -> bool {
        let include_allows = match (&self.filter.include, included) {
            (Some(patterns), (false, Some(inherited))) => {
                patterns.match_below(&self.path, inherited)
            }
            _ => true,
        };
        let exclude_allows = match excluded {
            (true, Some(inherited)) => self.filter.exclude.exception_below(&self.path, inherited),
            _ => true,
        };
        include_allows && exclude_allows
    }

    /// Sends an entry, and before it the directories above that were not sent yet.
    fn send(&mut self, stat: Stat) -> Result<(), WalkError> {
        for parent in &mut self.waiting {
            if let Some(parent) = parent.take()
                && !(self.sink)(parent)
            {
                return Err(WalkError::Stopped);
            }
        }
        if (self.sink)(stat) {
            Ok(())
        } else {
            Err(WalkError::Stopped)
        }
    }

    fn failed(&self, error: Errno) -> WalkError {
        WalkError::Read {
            path: self.place(),
            source: error.into(),
        }
    }

    fn place(&self) -> String {
        self.full.as_os_str().as_bytes().escape_ascii().to_string()
    }
}

/// Whether a list matches an entry, and for a directory what its children inherit.
type Judged = (bool, Option<Inherited>);

fn judge(patterns: &Patterns, path: &str, parent: &Inherited, is_directory: bool) -> Judged {
    if is_directory {
        let (verdict, inherited) = patterns.judge_directory(path, parent);
        (verdict.matched, Some(inherited))
    } else {
        (patterns.judge(path, parent).matched, None)
    }
}

/// Names and types in a directory, sorted by raw bytes.
fn names(directory: BorrowedFd<'_>) -> Result<Vec<(CString, FileType)>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if !matches!(name.to_bytes(), b"." | b"..") {
            // Some file systems do not tell the type: such an entry is looked at like a directory.
            let kind = match entry.file_type() {
                FileType::Unknown => FileType::Directory,
                kind => kind,
            };
            names.push((name.to_owned(), kind));
        }
    }
    names.sort_unstable_by(|(a, _), (b, _)| a.to_bytes().cmp(b.to_bytes()));
    Ok(names)
}

#[cfg(test)]
#[path = "walk/tests.rs"]
mod tests;
