//! Tells when files of a build's context change: every directory of it is watched by the kernel (inotify), apart from
//! what the ignore file hides, `.git`, and what the build itself writes.
//!
//! Changes are told once nothing has changed for [`QUIET`], so that a checkout or an editor's dance of renames is one.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

use crate::build::ignore::{IgnoreFile, files};

/// Nothing has to change for this long before changes are told.
pub const QUIET: Duration = Duration::from_millis(200);

/// They are told after this long in any case.
const LONGEST: Duration = Duration::from_secs(2);

/// Directories that are watched at most.
pub const MOST: usize = 16_384;

/// Bytes of events that are read at once.
const BUFFER: usize = 16 << 10;

/// What is watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The context, from the root.
    pub context: PathBuf,
    /// The Dockerfile, from the root, when it is known; it counts wherever it is.
    pub dockerfile: Option<PathBuf>,
    /// What the build writes, from the root: it would start itself again and again.
    pub outputs: Vec<PathBuf>,
}

/// What has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The first of them, from the context where it is in it.
    pub path: String,
    /// How many there were.
    pub count: usize,
}

/// Why files cannot be watched.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The context cannot be read.
    #[error("cannot watch {}: {source}", path.display())]
    Unreadable {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It has more directories than are watched.
    #[error(
        "the context has more than {MOST} directories; it is not watched (does .dockerignore hide what the build does not need?)"
    )]
    TooMany,
    /// The kernel does not allow so many.
    #[error(
        "the kernel watches no more directories for this user; raise fs.inotify.max_user_watches (sysctl)"
    )]
    Limit,
    /// The kernel does not allow one more program that watches.
    #[error(
        "the kernel allows this user no more watching programs; raise fs.inotify.max_user_instances (sysctl)"
    )]
    Instances,
    /// The context is gone.
    #[error("{} is gone; it is not watched any more", .0.display())]
    Gone(PathBuf),
}

impl WatchError {
    /// Whether it may be over by itself: the context was replaced, or is about to be.
    pub fn heals(&self) -> bool {
        matches!(self, Self::Gone(_) | Self::Unreadable { .. })
    }
}

/// Watches a context.
#[derive(Debug)]
pub struct Watcher {
    wanted: Wanted,
    ignore: Option<IgnoreFile>,
    inotify: AsyncFd<OwnedFd>,
    /// Number of a watch → its directory.
    directories: HashMap<i32, PathBuf>,
}

impl Watcher {
    /// Begins to watch. Blocks while it walks the directories.
    ///
    /// # Errors
    /// [`WatchError`].
    ///
    /// # Panics
    /// Outside of a runtime with I/O.
    pub fn new(wanted: Wanted) -> Result<Self, WatchError> {
        let unreadable = |source| WatchError::Unreadable {
            path: wanted.context.clone(),
            source,
        };
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK);
        let inotify = inotify.map_err(|error| match error {
            Errno::MFILE => WatchError::Instances,
            error => unreadable(error.into()),
        })?;
        #[expect(
            deprecated,
            reason = "its heir needs unsafe code to promise what an OwnedFd promises by itself"
        )]
        let inotify = AsyncFd::new(inotify).map_err(unreadable)?;
        if !wanted.context.is_dir() {
            return Err(unreadable(io::ErrorKind::NotADirectory.into()));
        }
        let mut watcher = Self {
            wanted,
            ignore: None,
            inotify,
            directories: HashMap::new(),
        };
        watcher.begin()?;
        Ok(watcher)
    }

    /// Watches every directory that counts; those that are watched stay.
    fn begin(&mut self) -> Result<(), WatchError> {
        let ignores = files(&self.wanted.context, self.wanted.dockerfile.as_deref());
        self.ignore = ignores.iter().find_map(|path| IgnoreFile::read(path));
        self.add_tree(self.wanted.context.clone())?;
        let beside = self
            .wanted
            .dockerfile
            .as_ref()
            .and_then(|path| path.parent());
        if let Some(beside) = beside.map(Path::to_owned) {
            self.add(beside)?;
        }
        self.add_above();
        Ok(())
    }

    /// Watches what the context is in: a directory that somebody works in does not tell that it is removed, and a link
    /// does not tell that it leads elsewhere.
    fn add_above(&mut self) {
        let Some(above) = self.wanted.context.parent() else {
            return;
        };
        let flags = WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVE
            | WatchFlags::ONLYDIR
            // It may be watched already, for more.
            | WatchFlags::MASK_ADD;
        // Without it only less is told.
        if let Ok(number) = inotify::add_watch(self.inotify.get_ref(), above, flags) {
            self.directories.insert(number, above.to_owned());
        }
    }

    fn add_tree(&mut self, top: PathBuf) -> Result<(), WatchError> {
        let mut waiting = vec![top];
        while let Some(directory) = waiting.pop() {
            self.add(directory.clone())?;
            let Ok(entries) = fs::read_dir(&directory) else {
                continue;
            };
            for entry in entries.filter_map(Result::ok) {
                // Links are not followed: they are sent to the engine as links.
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) && self.enters(&entry.path()) {
                    waiting.push(entry.path());
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, directory: PathBuf) -> Result<(), WatchError> {
        let flags = WatchFlags::CLOSE_WRITE
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVE
            | WatchFlags::ATTRIB
            | WatchFlags::DELETE_SELF
            | WatchFlags::ONLYDIR
            | WatchFlags::DONT_FOLLOW;
        // The context itself may be named by a link, and nothing else tells that it has moved.
        let flags = match directory == self.wanted.context {
            true => flags.difference(WatchFlags::DONT_FOLLOW) | WatchFlags::MOVE_SELF,
            false => flags,
        };
        match inotify::add_watch(self.inotify.get_ref(), directory.as_path(), flags) {
            Ok(number) => {
                self.directories.insert(number, directory);
            }
            Err(Errno::NOSPC) => return Err(WatchError::Limit),
            // It went away, or is not ours to read: the build could not read it either.
            Err(_) => {}
        }
        match self.directories.len() > MOST {
            true => Err(WatchError::TooMany),
            false => Ok(()),
        }
    }

    /// The path from the context, where it is in it.
    fn relative<'a>(&self, path: &'a Path) -> Option<&'a Path> {
        path.strip_prefix(&self.wanted.context).ok()
    }

    /// Whether a directory can have something in it that counts.
    fn enters(&self, directory: &Path) -> bool {
        let Some(path) = self.relative(directory) else {
            return false;
        };
        if path.starts_with(".git") || self.written(directory) {
            return false;
        }
        let Some(ignore) = &self.ignore else {
            return true;
        };
        let path = path.to_string_lossy();
        let mut inherited = ignore.patterns.root();
        for (end, _) in path.match_indices('/') {
            let above = path.get(..end).unwrap_or_default();
            inherited = ignore.patterns.judge_directory(above, &inherited).1;
        }
        let (verdict, inside) = ignore.patterns.judge_directory(&path, &inherited);
        !verdict.matched || ignore.patterns.exception_below(&path, &inside)
    }

    /// Whether the build itself writes there.
    fn written(&self, path: &Path) -> bool {
        self.wanted
            .outputs
            .iter()
            .any(|output| path.starts_with(output))
    }

    /// Whether a change there matters to the build.
    fn counts(&self, path: &Path) -> bool {
        if self.wanted.dockerfile.as_deref() == Some(path) || self.is_ignore_file(path) {
            return true;
        }
        let Some(relative) = self.relative(path) else {
            return false;
        };
        if relative.starts_with(".git") || self.written(path) || passing(path) {
            return false;
        }
        self.ignore.as_ref().is_none_or(|ignore| {
            let verdict = ignore.patterns.judge_alone(&relative.to_string_lossy());
            !verdict.matched
        })
    }

    fn is_ignore_file(&self, path: &Path) -> bool {
        path.file_name()
            .is_some_and(|name| name.as_bytes().ends_with(b".dockerignore"))
            && files(&self.wanted.context, self.wanted.dockerfile.as_deref())
                .iter()
                .any(|file| file == path)
    }

    /// Waits for changes that count, until nothing has changed for a while.
    ///
    /// # Errors
    /// [`WatchError`]: nothing is watched any more.
    pub async fn next(&mut self) -> Result<Change, WatchError> {
        let mut changed: Vec<PathBuf> = Vec::new();
        while changed.is_empty() {
            self.ready().await?;
            changed = self.read()?;
        }
        let mut change = Change {
            path: match changed.first() {
                Some(path) => self
                    .relative(path)
                    .unwrap_or(path)
                    .to_string_lossy()
                    .into_owned(),
                None => String::new(),
            },
            count: changed.len(),
        };
        let latest = Instant::now() + LONGEST;
        let mut quiet = Instant::now() + QUIET;
        loop {
            match tokio::time::timeout_at(quiet.min(latest), self.ready()).await {
                Ok(ready) => {
                    ready?;
                    let more = self.read()?.len();
                    change.count += more;
                    if more > 0 {
                        quiet = Instant::now() + QUIET;
                    }
                }
                Err(_) => return Ok(change),
            }
        }
    }

    /// Waits for events.
    async fn ready(&self) -> Result<(), WatchError> {
        let unreadable = |source| WatchError::Unreadable {
            path: self.wanted.context.clone(),
            source,
        };
        self.inotify
            .readable()
            .await
            .map_err(unreadable)?
            .clear_ready();
        Ok(())
    }

    /// The paths of the events that are there, of those that count.
    fn read(&mut self) -> Result<Vec<PathBuf>, WatchError> {
        let mut seen = Vec::new();
        let mut buffer = [MaybeUninit::uninit(); BUFFER];
        let mut reader = Reader::new(self.inotify.get_ref(), &mut buffer);
        let mut overflow = false;
        loop {
            match reader.next() {
                Ok(event) => {
                    overflow |= event.events().contains(ReadFlags::QUEUE_OVERFLOW);
                    let name = event.file_name().map(|name| name.to_bytes().to_owned());
                    seen.push((event.wd(), event.events(), name));
                }
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
        let mut changed = Vec::new();
        if overflow {
            // What was lost may be anything.
            self.begin()?;
            changed.push(self.wanted.context.clone());
        }
        for (number, events, name) in seen {
            if events.contains(ReadFlags::IGNORED) {
                self.directories.remove(&number);
                continue;
            }
            let Some(directory) = self.directories.get(&number) else {
                continue;
            };
            let Some(name) = name else {
                let gone = ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF | ReadFlags::UNMOUNT;
                if events.intersects(gone) && *directory == self.wanted.context {
                    return Err(WatchError::Gone(self.wanted.context.clone()));
                }
                continue;
            };
            let path = directory.join(std::ffi::OsStr::from_bytes(&name));
            let replaced =
                ReadFlags::DELETE | ReadFlags::MOVED_FROM | ReadFlags::CREATE | ReadFlags::MOVED_TO;
            if path == self.wanted.context && events.intersects(replaced) {
                return Err(WatchError::Gone(path));
            }
            if self.is_ignore_file(&path) {
                self.begin()?;
            }
            if events.contains(ReadFlags::ISDIR) {
                self.on_directory(&path, events)?;
            }
            if self.counts(&path) {
                changed.push(path);
            }
        }
        Ok(changed)
    }

    fn on_directory(&mut self, path: &Path, events: ReadFlags) -> Result<(), WatchError> {
        if events.contains(ReadFlags::MOVED_FROM) {
            let gone = self
                .directories
                .iter()
                .filter(|(_, known)| known.starts_with(path));
            let gone: Vec<i32> = gone.map(|(number, _)| *number).collect();
            for number in gone {
                self.directories.remove(&number);
                let _ = inotify::remove_watch(self.inotify.get_ref(), number);
            }
        } else if events.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO) && self.enters(path) {
            self.add_tree(path.to_owned())?;
        }
        Ok(())
    }
}

/// Files that editors make beside the one that is edited, and take away again.
fn passing(path: &Path) -> bool {
    let name = path.file_name().map_or(&b""[..], OsStrExt::as_bytes);
    name.ends_with(b"~")
        || name.ends_with(b".swp")
        || name.ends_with(b".swx")
        || name.starts_with(b".#")
        || name == b"4913"
}

#[cfg(test)]
mod tests;
