//! A log file of bounded size: a full one is put aside, and there are at most two.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A file that is appended to and never grows beyond its limit. Something that is no plain file,
/// such as `/dev/null`, is written to and otherwise left alone.
#[derive(Debug)]
pub struct Rotating {
    path: PathBuf,
    file: File,
    limit: u64,
    plain: bool,
}

impl Rotating {
    /// Opens the file at `path`, which only its owner can read; `limit` in bytes.
    ///
    /// # Errors
    /// The file's own.
    pub fn open(path: &Path, limit: u64) -> io::Result<Self> {
        let (file, plain) = open(path)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            limit,
            plain,
        })
    }

    /// Where a full file goes.
    pub fn aside(path: &Path) -> PathBuf {
        let mut aside = path.to_owned().into_os_string();
        aside.push(".1");
        aside.into()
    }

    /// Appends `data`; `true` when another file has taken the place of the old one. A full disk
    /// stops nobody, so a failure only loses log.
    pub fn append(&mut self, data: &[u8]) -> bool {
        // Asked anew each time: others may write through a copy of the descriptor.
        let size = self.file.metadata().map_or(0, |found| found.len());
        let full = self.plain && size > 0 && size + data.len() as u64 > self.limit;
        let rotated = full && self.rotate().is_ok();
        let _ = self.file.write_all(data);
        rotated
    }

    /// The file as it is now.
    pub fn file(&self) -> &File {
        &self.file
    }

    fn rotate(&mut self) -> io::Result<()> {
        fs::rename(&self.path, Self::aside(&self.path))?;
        (self.file, self.plain) = open(&self.path)?;
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<(File, bool)> {
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)?;
    let found = file.metadata()?;
    if found.is_file() && found.mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok((file, found.is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_file_is_put_aside_and_stays_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let mut log = Rotating::open(&path, 100).unwrap();
        let rotations = (0..50)
            .filter(|number| log.append(format!("line {number:04}\n").as_bytes()))
            .count();
        assert_eq!(rotations, 4);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
        for file in [path.clone(), Rotating::aside(&path)] {
            let found = fs::metadata(file).unwrap();
            assert!(found.len() <= 100);
            assert_eq!(found.mode() & 0o777, 0o600);
        }
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.ends_with("line 0049\n"), "{text}");
    }

    #[test]
    fn what_others_write_counts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = Rotating::open(&path, 100).unwrap();
        let mut other = log.file().try_clone().unwrap();
        other.write_all(&[b'x'; 99]).unwrap();
        assert!(log.append(b"more"));
        assert_eq!(fs::read(&path).unwrap(), b"more");
    }

    #[test]
    fn a_device_is_left_alone() {
        let mut log = Rotating::open(Path::new("/dev/null"), 10).unwrap();
        for _ in 0..10 {
            assert!(!log.append(b"0123456789"));
        }
    }
}
