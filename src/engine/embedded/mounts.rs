//! File systems that a killed engine leaves mounted beneath its directories.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::mount::{UnmountFlags, unmount};

/// Unmounts everything beneath `dir`, deepest first. What is in use vanishes when its user ends.
pub fn unmount_beneath(dir: &Path) {
    let Ok(dir) = fs::canonicalize(dir) else {
        return;
    };
    let table = fs::read("/proc/self/mountinfo").unwrap_or_default();
    for point in beneath(&table, &dir).into_iter().rev() {
        let _ = unmount(&point, UnmountFlags::DETACH);
    }
}

/// The mount points beneath `dir`, in the order of their making.
fn beneath(table: &[u8], dir: &Path) -> Vec<PathBuf> {
    table
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.split(|byte| *byte == b' ').nth(4))
        .map(unescape)
        .filter(|point| point != dir && point.starts_with(dir))
        .collect()
}

/// The kernel writes blanks and backslashes of a path as three octal digits.
fn unescape(text: &[u8]) -> PathBuf {
    let mut path = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        match (first, tail) {
            (
                b'\\',
                [
                    a @ b'0'..=b'3',
                    b @ b'0'..=b'7',
                    c @ b'0'..=b'7',
                    after @ ..,
                ],
            ) => {
                path.push(((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'));
                rest = after;
            }
            _ => {
                path.push(*first);
                rest = tail;
            }
        }
    }
    PathBuf::from(OsString::from_vec(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_beneath() {
        let table = b"22 1 0:20 / / rw - ext4 /dev/a rw\n\
            23 22 0:21 / /e rw - tmpfs t rw\n\
            24 23 0:22 / /e/run/a\\040b rw shared:1 - overlay o rw\n\
            25 23 0:23 / /e/run/a\\040b/\\134 rw - overlay o rw\n\
            26 22 0:24 / /elsewhere rw - tmpfs t rw\n\
            garbage\n";
        assert_eq!(
            beneath(table, Path::new("/e")),
            [PathBuf::from("/e/run/a b"), PathBuf::from("/e/run/a b/\\")]
        );
    }
}
