//! All sessions of a server on disk, beneath a budget.
//!
//! `<root>/<session>/meta` says what a session is; `<root>/<session>/<build>.trace` are the traces of
//! its builds, with the `<build>.places` and `<build>.quiet` of [`logs`](crate::server::logs) beside them. A
//! session that is being removed is first renamed to a name with a dot, so that a server that dies
//! meanwhile leaves no half of one; the next server sweeps such names away.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;

use super::Error;
use super::ledger::{Ledger, Weight};
use super::meta::{read_meta, write_meta};

/// Start of the names of sessions that are being removed.
const GONE: &str = ".gone-";

/// Longest id.
const LONGEST_ID: usize = 64;

/// The sessions below one directory. What they need on disk is looked up once, and then for a session
/// that was written. All methods block for a few file system calls; those that concern all sessions, for a
/// few a session.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
    budget: u64,
    ledger: Arc<Mutex<Ledger>>,
}

/// A session on disk.
#[derive(Debug)]
pub struct Stored {
    /// The session.
    pub id: String,
    /// What was last written about it; `None` when the server died before it could. One that cannot
    /// be read does not keep the others from being listed.
    pub meta: Result<Option<Bytes>, Error>,
}

/// What [`Store::enforce`] did.
#[derive(Debug, Default)]
pub struct Enforced {
    /// Sessions that were removed, oldest first.
    pub removed: Vec<String>,
    /// Sessions that could not be looked at or removed, and why.
    pub failed: Vec<(String, Error)>,
    /// Bytes on disk now. More than the budget when the protected sessions alone need more.
    pub used: u64,
}

impl Store {
    /// The store at `root`, which is made with mode 0700 when it is not there. `budget` is the most
    /// bytes that finished sessions may need.
    ///
    /// # Errors
    /// The directory cannot be made or read, is a symbolic link, belongs to another user, or can be
    /// reached by others.
    pub fn new(root: PathBuf, budget: u64) -> Result<Self, Error> {
        make_root(&root)?;
        let store = Self {
            root,
            budget,
            ledger: Arc::default(),
        };
        for name in store.names()? {
            if name.starts_with(GONE) {
                // Sessions that were being removed when a server died. One that does not go now is
                // no reason to have no server.
                let _ = remove_all(&store.root.join(name));
            }
        }
        Ok(store)
    }

    /// The directory of a session, which need not exist.
    ///
    /// # Errors
    /// The id could lead elsewhere.
    pub fn dir(&self, session: &str) -> Result<PathBuf, Error> {
        if is_id(session) {
            Ok(self.root.join(session))
        } else {
            Err(Error::Id(session.to_owned()))
        }
    }

    /// The trace of a session's build, which need not exist.
    ///
    /// # Errors
    /// As [`Store::dir`].
    pub fn trace(&self, session: &str, build: u32) -> Result<PathBuf, Error> {
        Ok(self.dir(session)?.join(format!("{build}.trace")))
    }

    /// Makes the directory of a new session with mode 0700, and the root again if somebody has cleared it away.
    ///
    /// # Errors
    /// The session exists, the id could lead elsewhere, or the directory cannot be made.
    pub fn create(&self, session: &str) -> Result<PathBuf, Error> {
        let dir = self.dir(session)?;
        let make = || DirBuilder::new().mode(0o700).create(&dir);
        let made = match make() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_root(&self.root)?;
                make()
            }
            made => made,
        };
        made.map_err(|source| Error::io("create", &dir, source))?;
        self.note(session)?;
        Ok(dir)
    }

    /// Writes what a session is, as [`Store::sessions`] gives it. What its traces have grown to since the
    /// last time counts from now on.
    ///
    /// # Errors
    /// It cannot be written, or the id could lead elsewhere. What was written before is still there.
    pub fn describe(&self, session: &str, meta: &[u8]) -> Result<(), Error> {
        let written = write_meta(&self.dir(session)?, meta);
        self.note(session)?;
        written
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts what a session needs now.
    fn note(&self, session: &str) -> Result<(), Error> {
        // Who removes it meanwhile strikes it out afterwards.
        let mut ledger = self.ledger();
        let weight = self.weigh(session)?;
        ledger.enter(session, weight);
        Ok(())
    }

    /// All sessions, in no order.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn sessions(&self) -> Result<Vec<Stored>, Error> {
        let stored = |id| {
            let meta = read_meta(&self.root.join(&id));
            Stored { id, meta }
        };
        Ok(self.ids()?.into_iter().map(stored).collect())
    }

    /// Bytes on disk of all sessions, as of when each was last described. None before the first
    /// [`Store::enforce`] but those that were described.
    pub fn used(&self) -> u64 {
        self.ledger().total()
    }

    /// Whether [`Store::enforce`] has something to do.
    pub fn wants_enforcing(&self) -> bool {
        let ledger = self.ledger();
        !ledger.is_complete() || ledger.total() > self.budget
    }

    /// Removes sessions, the one that changed least recently first, until all need no more than the
    /// budget. Those in `protected`, at least every one that is not finished, stay; it is asked for
    /// only when something has to go. The first time, all sessions on the disk are looked at.
    ///
    /// # Errors
    /// The directory cannot be read. What goes wrong with one session is in the answer.
    pub fn enforce(&self, protected: impl FnOnce() -> HashSet<String>) -> Result<Enforced, Error> {
        let mut done = Enforced::default();
        if !self.ledger().is_complete() {
            let mut found = Vec::new();
            for id in self.ids()? {
                match self.weigh(&id) {
                    Ok(weight) => found.extend(weight.map(|weight| (id, weight))),
                    Err(error) => done.failed.push((id, error)),
                }
            }
            self.ledger().complete(found);
        }
        if self.used() > self.budget {
            let protected = protected();
            let oldest = self.ledger().oldest(&protected);
            for id in oldest {
                if self.used() <= self.budget {
                    break;
                }
                match self.remove(&id) {
                    Ok(()) => done.removed.push(id),
                    Err(error) => done.failed.push((id, error)),
                }
            }
        }
        done.used = self.used();
        Ok(done)
    }

    /// Removes a session; it is no error when there is none. Who reads one of its traces right now
    /// can read on.
    ///
    /// # Errors
    /// The files cannot be removed, or the id could lead elsewhere.
    pub fn remove(&self, session: &str) -> Result<(), Error> {
        let dir = self.dir(session)?;
        let gone = self.root.join(format!("{GONE}{session}"));
        match fs::rename(&dir, &gone) {
            Ok(()) => {}
            // An earlier attempt may have come as far as this.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(Error::io("remove", &dir, source)),
        }
        self.ledger().enter(session, None);
        remove_all(&gone)
    }

    /// Names of the directories below the root.
    fn names(&self) -> Result<Vec<String>, Error> {
        let list = || -> io::Result<Vec<String>> {
            let mut names = Vec::new();
            for entry in fs::read_dir(&self.root)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    // Names that are no text are none of ours.
                    names.extend(entry.file_name().into_string());
                }
            }
            Ok(names)
        };
        list().map_err(|source| Error::io("read", &self.root, source))
    }

    fn ids(&self) -> Result<Vec<String>, Error> {
        let mut names = self.names()?;
        names.retain(|name| is_id(name));
        Ok(names)
    }

    /// What a session needs; `None` when there is none.
    fn weigh(&self, id: &str) -> Result<Option<Weight>, Error> {
        let dir = self.root.join(id);
        let mut weight = Weight {
            bytes: 0,
            changed: SystemTime::UNIX_EPOCH,
        };
        let mut add = |data: Metadata| {
            // Blocks tell what a small file costs; some file systems count them late.
            weight.bytes += data.len().max(data.blocks() * 512);
            weight.changed = data
                .modified()
                .map_or(weight.changed, |time| time.max(weight.changed));
        };
        let mut look = || -> io::Result<()> {
            add(fs::symlink_metadata(&dir)?);
            for entry in fs::read_dir(&dir)? {
                match entry?.metadata() {
                    // A description that was just replaced.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    data => add(data?),
                }
            }
            Ok(())
        };
        match look() {
            // It was removed meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::io("read", &dir, source)),
            Ok(()) => Ok(Some(weight)),
        }
    }
}

fn remove_all(dir: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("remove", dir, error))
        }
        _ => Ok(()),
    }
}

fn is_id(name: &str) -> bool {
    (1..=LONGEST_ID).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Makes the directory of the store if it is not there, and insists on one that is ours alone.
fn make_root(root: &Path) -> Result<(), Error> {
    let io = |source| Error::io("use", root, source);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(root)
        .map_err(io)?;
    let data = fs::symlink_metadata(root).map_err(io)?;
    match unsafe_root(&data) {
        None => Ok(()),
        Some(why) => Err(Error::Unsafe {
            path: root.to_owned(),
            why,
        }),
    }
}

fn unsafe_root(data: &Metadata) -> Option<String> {
    let owner = rustix::process::geteuid().as_raw();
    if data.file_type().is_symlink() {
        Some("is a symbolic link: name the directory itself".into())
    } else if !data.is_dir() {
        Some("is no directory".into())
    } else if data.uid() != owner {
        Some(format!(
            "belongs to user {}, not to user {owner}",
            data.uid()
        ))
    } else if data.mode() & 0o077 != 0 {
        Some(format!(
            "can be reached by other users (mode {:04o}): chmod 700 it",
            data.mode() & 0o7777
        ))
    } else {
        None
    }
}
