//! A directory handle under which files of a foreign tree are made, and nothing outside of it.
//!
//! Every operation takes a parent directory that was opened beneath the root without following a
//! symlink, and one plain name in it. New files, links and fifos are made under a temporary name
//! and renamed into place: the old entry (a symlink, a hard link to a file elsewhere) is replaced
//! and never written through, and a half-written file never stands under its real name.

use rustix::fs::{self as sys, AtFlags, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

const DIR: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// The destination directory, open.
#[derive(Debug)]
pub(crate) struct Root(OwnedFd);

impl Root {
    /// Opens `path`, making it and its parents (mode 0700, as buildx does) when they are missing.
    /// A symlink at `path` itself is the user's choice and followed.
    pub fn open(path: &Path) -> io::Result<Root> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Root(sys::open(path, flags, Mode::empty())?))
    }

    /// Opens the directory `path` beneath the root; `path` is relative, checked, `/` separated, and
    /// empty for the root itself. A symlink on the way is an error.
    pub fn dir(&self, path: &[u8]) -> io::Result<OwnedFd> {
        if path.is_empty() {
            return Ok(sys::openat(&self.0, ".", DIR, Mode::empty())?);
        }
        let resolve =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match sys::openat2(&self.0, path, DIR, Mode::empty(), resolve) {
            // No such call (Linux before 5.6), hidden by a seccomp filter, or something beside us
            // renames directories: go step by step.
            Err(Errno::NOSYS | Errno::PERM | Errno::AGAIN) => self.walk(path),
            other => Ok(other?),
        }
    }

    fn walk(&self, path: &[u8]) -> io::Result<OwnedFd> {
        let mut at = sys::openat(&self.0, ".", DIR, Mode::empty())?;
        for name in path.split(|b| *b == b'/') {
            at = sys::openat(&at, name, DIR, Mode::empty())?;
        }
        Ok(at)
    }
}

/// Makes directory `name`, or takes the one that is there; anything else of that name goes.
/// It stays writable for the caller until [`finish_dir`].
pub(crate) fn make_dir(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
    match sys::mkdirat(parent, name, Mode::RWXU) {
        Err(Errno::EXIST) => {}
        other => return Ok(other?),
    }
    let stat = sys::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
        sys::unlinkat(parent, name, AtFlags::empty())?;
        return Ok(sys::mkdirat(parent, name, Mode::RWXU)?);
    }
    let mode = Mode::from_raw_mode(stat.st_mode);
    if !mode.contains(Mode::RWXU) && !rustix::process::geteuid().is_root() {
        let dir = sys::openat(parent, name, DIR, Mode::empty())?;
        sys::fchmod(&dir, mode | Mode::RWXU)?;
    }
    Ok(())
}

/// What an entry gets besides its content.
#[derive(Debug, Default, Clone)]
pub(crate) struct Meta {
    /// Permission bits with setuid, setgid and sticky, as in `st_mode`.
    pub mode: u32,
    /// Nanoseconds since the Unix epoch.
    pub mtime: i64,
    pub xattrs: Vec<(String, Box<[u8]>)>,
}

impl Meta {
    fn times(&self) -> sys::Timestamps {
        let time = sys::Timespec {
            tv_sec: self.mtime.div_euclid(1_000_000_000),
            tv_nsec: self.mtime.rem_euclid(1_000_000_000),
        };
        sys::Timestamps {
            last_access: time,
            last_modification: time,
        }
    }

    /// Owner first (it clears setuid), then mode, extended attributes (a change of owner drops
    /// capabilities), times last.
    fn apply(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        // Differs only where the parent hands down its group, or a directory was someone else's.
        let _ = sys::fchown(
            fd,
            Some(rustix::process::geteuid()),
            Some(rustix::process::getegid()),
        );
        let mode = Mode::from_raw_mode(self.mode);
        if let Err(why) = sys::fchmod(fd, mode)
            && (why != Errno::PERM || Mode::from_raw_mode(sys::fstat(fd)?.st_mode) != mode)
        {
            return Err(why.into());
        }
        for (name, value) in &self.xattrs {
            // Not every file system has them and not every caller may set them; buildx goes on too.
            let _ = sys::fsetxattr(fd, name.as_str(), value, sys::XattrFlags::empty());
        }
        Ok(sys::futimens(fd, &self.times())?)
    }
}

/// Gives a directory its final mode and times; call it after everything in it is done.
pub(crate) fn finish_dir(dir: BorrowedFd<'_>, meta: &Meta) -> io::Result<()> {
    meta.apply(dir)
}

/// A regular file being written; without [`Draft::place`] it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Draft<D: AsFd> {
    parent: D,
    temp: TempName,
    pub file: File,
    placed: bool,
}

impl<D: AsFd> Draft<D> {
    pub fn new(parent: D) -> io::Result<Self> {
        let (temp, fd) = TempName::make(|name| {
            let flags =
                OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            sys::openat(&parent, name, flags, Mode::RUSR | Mode::WUSR)
        })?;
        Ok(Draft {
            parent,
            temp,
            file: File::from(fd),
            placed: false,
        })
    }

    /// Puts the file in place of whatever is called `name`.
    pub fn place(mut self, name: &[u8], meta: &Meta) -> io::Result<()> {
        meta.apply(self.file.as_fd())?;
        replace(self.parent.as_fd(), &self.temp, name)?;
        self.placed = true;
        Ok(())
    }
}

impl<D: AsFd> Drop for Draft<D> {
    fn drop(&mut self) {
        if !self.placed {
            let _ = sys::unlinkat(&self.parent, self.temp.as_bytes(), AtFlags::empty());
        }
    }
}

/// Makes a symlink; its target is content, nobody here follows it.
pub(crate) fn symlink(
    parent: BorrowedFd<'_>,
    name: &[u8],
    target: &[u8],
    meta: &Meta,
) -> io::Result<()> {
    let (temp, ()) = TempName::make(|temp| sys::symlinkat(target, parent, temp))?;
    place_made(parent, &temp, name, || {
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        let _ = sys::chownat(
            parent,
            temp.as_bytes(),
            Some(uid),
            Some(gid),
            AtFlags::SYMLINK_NOFOLLOW,
        );
        Ok(sys::utimensat(
            parent,
            temp.as_bytes(),
            &meta.times(),
            AtFlags::SYMLINK_NOFOLLOW,
        )?)
    })
}

/// Makes a fifo.
pub(crate) fn fifo(parent: BorrowedFd<'_>, name: &[u8], meta: &Meta) -> io::Result<()> {
    let (temp, ()) = TempName::make(|temp| {
        sys::mknodat(parent, temp, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
    })?;
    place_made(parent, &temp, name, || {
        // Opening for reading without waiting works on a fifo that has no writer.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = sys::openat(parent, temp.as_bytes(), flags, Mode::empty())?;
        meta.apply(fd.as_fd())
    })
}

/// Makes `name` a second name of `target`, a regular file or fifo in `target_parent`.
pub(crate) fn hard_link(
    target_parent: BorrowedFd<'_>,
    target: &[u8],
    parent: BorrowedFd<'_>,
    name: &[u8],
) -> io::Result<()> {
    let (temp, ()) =
        TempName::make(|temp| sys::linkat(target_parent, target, parent, temp, AtFlags::empty()))?;
    place_made(parent, &temp, name, || {
        let stat = sys::statat(parent, temp.as_bytes(), AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile | FileType::Fifo => Ok(()),
            _ => Err(io::Error::other(
                "the target of the hard link was replaced meanwhile",
            )),
        }
    })?;
    // When both names already were one file, rename(2) does nothing and leaves the first.
    match sys::unlinkat(parent, temp.as_bytes(), AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(why) => Err(why.into()),
    }
}

fn place_made(
    parent: BorrowedFd<'_>,
    temp: &TempName,
    name: &[u8],
    prepare: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    prepare()
        .and_then(|()| replace(parent, temp, name))
        .inspect_err(|_| {
            let _ = sys::unlinkat(parent, temp.as_bytes(), AtFlags::empty());
        })
}

fn replace(parent: BorrowedFd<'_>, temp: &TempName, name: &[u8]) -> io::Result<()> {
    match sys::renameat(parent, temp.as_bytes(), parent, name) {
        Err(Errno::ISDIR) => {
            remove_tree(parent, name)?;
            Ok(sys::renameat(parent, temp.as_bytes(), parent, name)?)
        }
        other => Ok(other?),
    }
}

/// Removes a directory with everything in it, following nothing.
fn remove_tree(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
    let dir = sys::openat(parent, name, DIR, Mode::empty())?;
    for entry in sys::Dir::read_from(&dir)? {
        let entry = entry?;
        let child = entry.file_name().to_bytes();
        if child == b"." || child == b".." {
            continue;
        }
        match sys::unlinkat(&dir, child, AtFlags::empty()) {
            Err(Errno::ISDIR | Errno::PERM) => remove_tree(dir.as_fd(), child)?,
            other => other?,
        }
    }
    Ok(sys::unlinkat(parent, name, AtFlags::REMOVEDIR)?)
}

/// A random name in a directory, for what is not finished yet.
#[derive(Debug)]
struct TempName(String);

impl TempName {
    fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Calls `make` with fresh names until one is free.
    fn make<T>(make: impl Fn(&[u8]) -> rustix::io::Result<T>) -> io::Result<(TempName, T)> {
        use ring::rand::SecureRandom;
        for _ in 0..16 {
            let mut random = [0; 8];
            ring::rand::SystemRandom::new()
                .fill(&mut random)
                .map_err(|_| io::Error::other("the system gave no random bytes"))?;
            let name = TempName(format!(".tmp-{:016x}", u64::from_ne_bytes(random)));
            match make(name.as_bytes()) {
                Err(Errno::EXIST) => {}
                other => return Ok((name, other?)),
            }
        }
        Err(io::Error::from(io::ErrorKind::AlreadyExists))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::{MetadataExt, symlink as link_to};

    #[test]
    fn a_symlink_on_the_way_is_no_directory_by_both_ways() {
        let outside = tempfile::tempdir().unwrap();
        let inside = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(inside.path().join("a/b")).unwrap();
        link_to(outside.path(), inside.path().join("a/out")).unwrap();
        link_to("b", inside.path().join("a/near")).unwrap();
        let root = Root::open(inside.path()).unwrap();
        for open in [Root::dir, Root::walk] {
            open(&root, b"a/b").unwrap();
            open(&root, b"a/out").unwrap_err();
            open(&root, b"a/near").unwrap_err();
        }
    }

    #[test]
    fn an_abandoned_draft_leaves_nothing_and_the_old_file_stays() {
        let inside = tempfile::tempdir().unwrap();
        std::fs::write(inside.path().join("f"), "old").unwrap();
        let root = Root::open(inside.path()).unwrap();
        let mut draft = Draft::new(root.dir(b"").unwrap()).unwrap();
        draft.file.write_all(b"half").unwrap();
        drop(draft);
        let names: Vec<_> = std::fs::read_dir(inside.path()).unwrap().collect();
        assert_eq!(names.len(), 1);
        assert_eq!(std::fs::read(inside.path().join("f")).unwrap(), b"old");
    }

    #[test]
    fn what_a_removed_tree_links_to_stays() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("precious"), "x").unwrap();
        let inside = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(inside.path().join("d/e/f")).unwrap();
        link_to(outside.path(), inside.path().join("d/e/out")).unwrap();
        let root = Root::open(inside.path()).unwrap();
        let draft = Draft::new(root.dir(b"").unwrap()).unwrap();
        draft
            .place(
                b"d",
                &Meta {
                    mode: 0o4711,
                    mtime: -1,
                    ..Meta::default()
                },
            )
            .unwrap();
        let placed = std::fs::metadata(inside.path().join("d")).unwrap();
        assert_eq!(placed.mode() & 0o7777, 0o4711);
        assert_eq!((placed.mtime(), placed.mtime_nsec()), (-1, 999_999_999));
        assert!(outside.path().join("precious").exists());
    }
}
