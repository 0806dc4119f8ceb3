//! One directory entry → the engine's `Stat`.

use std::collections::HashMap;
use std::ffi::{CStr, OsStr};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use bytes::Bytes;
use rustix::fs::{
    AtFlags, FileType, lgetxattr, llistxattr, llistxattr_query, major, minor, readlinkat, statat,
};
use rustix::io::Errno;

use crate::engine::callbacks::mode;
use crate::proto::filesync::Stat;

/// Bytes of one extended attribute, and of the list of names: the kernel's own limit.
const XATTR: usize = 64 << 10;

/// What is known of an entry before it is decided whether it is sent.
#[derive(Debug)]
pub struct Entry {
    /// Status of the entry itself; links are not followed.
    pub stat: rustix::fs::Stat,
    /// Its type.
    pub kind: FileType,
}

/// Reads the status of `name` in `directory`; `None` when it has vanished meanwhile.
///
/// # Errors
/// What the system says.
pub fn read(directory: BorrowedFd<'_>, name: &CStr) -> Result<Option<Entry>, Errno> {
    match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(Entry {
            kind: FileType::from_raw_mode(stat.st_mode),
            stat,
        })),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// First paths of inodes with several names.
pub type HardLinks = HashMap<(u64, u64), String>;

impl Entry {
    /// The message for this entry, which is sent as `path`. Owners are left out, so that layers are
    /// the same whoever builds; `full` is the entry's own path on this machine.
    ///
    /// # Errors
    /// A link that cannot be read.
    pub fn to_stat(
        &self,
        directory: BorrowedFd<'_>,
        name: &CStr,
        path: &str,
        full: &Path,
        links: &mut HardLinks,
    ) -> Result<Stat, Errno> {
        let raw = &self.stat;
        let mut stat = Stat {
            path: path.to_owned(),
            mode: mode::from_stat(self.kind, raw.st_mode),
            mod_time: i64::try_from(raw.st_mtime_nsec)
                .unwrap_or_default()
                .wrapping_add(raw.st_mtime.wrapping_mul(1_000_000_000)),
            ..Default::default()
        };
        match self.kind {
            FileType::RegularFile => {
                stat.size = raw.st_size;
                if raw.st_nlink > 1 {
                    match links.entry((raw.st_dev, raw.st_ino)) {
                        std::collections::hash_map::Entry::Occupied(first) => {
                            stat.linkname.clone_from(first.get());
                            stat.size = 0;
                        }
                        std::collections::hash_map::Entry::Vacant(slot) => {
                            slot.insert(path.to_owned());
                        }
                    }
                }
            }
            FileType::Symlink => {
                let target = readlinkat(directory, name, Vec::new())?;
                stat.size = raw.st_size;
                stat.linkname = target.into_string().map_err(|_| Errno::ILSEQ)?;
            }
            FileType::CharacterDevice | FileType::BlockDevice => {
                stat.devmajor = i64::from(major(raw.st_rdev));
                stat.devminor = i64::from(minor(raw.st_rdev));
            }
            _ => {}
        }
        if stat.linkname.is_empty() || self.kind == FileType::Symlink {
            read_xattrs(full, &mut stat);
        }
        Ok(stat)
    }
}

/// Attributes that cannot be read are left out: not every file system has them.
fn read_xattrs(full: &Path, stat: &mut Stat) {
    // Nearly every file has none, and then the first call says so.
    let Ok(size @ 1..) = llistxattr_query(full) else {
        return;
    };
    let mut names = vec![0u8; size.min(XATTR)];
    let Ok(size) = llistxattr(full, &mut names[..]) else {
        return;
    };
    names.truncate(size);
    for name in names
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
    {
        let Ok(key) = std::str::from_utf8(name) else {
            continue;
        };
        let mut value = vec![0u8; XATTR];
        if let Ok(size) = lgetxattr(full, OsStr::from_bytes(name), &mut value[..]) {
            value.truncate(size);
            stat.xattrs.insert(key.to_owned(), Bytes::from(value));
        }
    }
}
