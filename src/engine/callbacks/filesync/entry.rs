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

use crate::proto::filesync::Stat;

// Bits of Go's io/fs.FileMode, which the engine speaks.
const GO_DIR: u32 = 1 << 31;
const GO_SYMLINK: u32 = 1 << 27;
const GO_DEVICE: u32 = 1 << 26;
const GO_FIFO: u32 = 1 << 25;
const GO_SETUID: u32 = 1 << 23;
const GO_SETGID: u32 = 1 << 22;
const GO_CHAR_DEVICE: u32 = 1 << 21;
const GO_STICKY: u32 = 1 << 20;

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
            mode: go_mode(self.kind, raw.st_mode),
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

fn go_mode(kind: FileType, st_mode: u32) -> u32 {
    let mut mode = st_mode & 0o777;
    mode |= match kind {
        FileType::Directory => GO_DIR,
        FileType::Symlink => GO_SYMLINK,
        FileType::BlockDevice => GO_DEVICE,
        FileType::CharacterDevice => GO_DEVICE | GO_CHAR_DEVICE,
        FileType::Fifo => GO_FIFO,
        // A socket cannot be made again elsewhere: it travels as an empty file.
        _ => 0,
    };
    for (bit, go) in [
        (0o4000, GO_SETUID),
        (0o2000, GO_SETGID),
        (0o1000, GO_STICKY),
    ] {
        if st_mode & bit != 0 {
            mode |= go;
        }
    }
    mode
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_gos_own() {
        assert_eq!(go_mode(FileType::RegularFile, 0o100_644), 0o644);
        assert_eq!(
            go_mode(FileType::Directory, 0o041_777),
            GO_DIR | GO_STICKY | 0o777
        );
        assert_eq!(go_mode(FileType::Symlink, 0o120_777), GO_SYMLINK | 0o777);
        assert_eq!(
            go_mode(FileType::RegularFile, 0o106_755),
            GO_SETUID | GO_SETGID | 0o755
        );
        assert_eq!(
            go_mode(FileType::CharacterDevice, 0o020_600),
            GO_DEVICE | GO_CHAR_DEVICE | 0o600
        );
        assert_eq!(go_mode(FileType::Socket, 0o140_755), 0o755);
    }
}
