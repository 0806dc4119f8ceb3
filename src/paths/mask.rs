//! A caller's file mode creation mask, applied by hand: a server makes files for callers with different
//! masks, and a process has only one.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

/// The mask, in the bits of `st_mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mask(pub u32);

impl Mask {
    /// Gives a new file the mode that it has when the caller makes it with `mode`.
    ///
    /// # Errors
    /// The file system's.
    pub fn apply(self, file: &File, mode: u32) -> io::Result<()> {
        file.set_permissions(Permissions::from_mode(mode & !self.0))
    }

    /// Makes `dir` and what is missing above it, as the caller does.
    ///
    /// # Errors
    /// The file system's.
    pub fn make_dirs(self, dir: &Path) -> io::Result<()> {
        if dir.is_dir() {
            return Ok(());
        }
        if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            self.make_dirs(parent)?;
        }
        match fs::DirBuilder::new().mode(0o700).create(dir) {
            Ok(()) => fs::set_permissions(dir, Permissions::from_mode(0o777 & !self.0)),
            // Something beside us was quicker.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_directories_have_the_callers_modes() {
        let root = tempfile::tempdir().unwrap();
        for (mask, dir_mode, file_mode) in [
            (0o022, 0o755, 0o644),
            (0o077, 0o700, 0o600),
            (0o002, 0o775, 0o664),
        ] {
            let dir = root.path().join(format!("{mask:o}/a/b"));
            Mask(mask).make_dirs(&dir).unwrap();
            Mask(mask).make_dirs(&dir).unwrap();
            let file = File::create(dir.join("f")).unwrap();
            Mask(mask).apply(&file, 0o666).unwrap();
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&dir), dir_mode);
            assert_eq!(mode(dir.parent().unwrap()), dir_mode);
            assert_eq!(mode(&dir.join("f")), file_mode);
        }
    }
}
