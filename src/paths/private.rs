//! Directories that only their owner can enter: made in one call, and refused when somebody else
//! could have put something into them.

use std::fs::{self, DirBuilder, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Why a directory, or a file in it, is not used.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The operating system's word.
    #[error("cannot use {}: {error}", path.display())]
    Io {
        /// The directory or file.
        path: PathBuf,
        /// Why. Not as its source: whoever prints the chain would say it twice.
        error: io::Error,
    },
    /// Somebody else owns it, can reach it, or may have planted it.
    #[error("will not use {}: it {why}; {remedy}", path.display())]
    Unsafe {
        /// The directory or file.
        path: PathBuf,
        /// What is wrong with it, after "it".
        why: String,
        /// What helps.
        remedy: String,
    },
}

impl Refused {
    fn io(path: &Path, error: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            error,
        }
    }

    /// Whether the thing is not there at all.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Io { error, .. } if error.kind() == io::ErrorKind::NotFound)
    }
}

/// Makes `dir` and what is missing above it with mode 0700, then [`check`]s it.
///
/// # Errors
/// [`Refused`]
pub fn make(dir: &Path) -> Result<(), Refused> {
    create(dir)?;
    check(dir)
}

/// As [`make`], but others may look into a directory that is there: what is put into it is closed to
/// them by itself.
///
/// # Errors
/// [`Refused`]
pub fn make_readable(dir: &Path) -> Result<(), Refused> {
    create(dir)?;
    check_mode(dir, 0o022)
}

/// Insists on a real directory of ours that nobody else can enter.
///
/// # Errors
/// [`Refused`]
pub fn check(dir: &Path) -> Result<(), Refused> {
    check_mode(dir, 0o077)
}

fn create(dir: &Path) -> Result<(), Refused> {
    match DirBuilder::new().recursive(true).mode(0o700).create(dir) {
        Ok(()) => Ok(()),
        // What is there instead of a directory is named by the check.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(Refused::io(dir, error)),
    }
}

fn check_mode(dir: &Path, forbidden: u32) -> Result<(), Refused> {
    let found = fs::symlink_metadata(dir).map_err(|error| Refused::io(dir, error))?;
    check_ours(dir, &found, found.is_dir(), "no directory")?;
    if found.mode() & forbidden != 0 {
        return Err(Refused::Unsafe {
            path: dir.to_owned(),
            why: format!("is open to others (mode {:04o})", found.mode() & 0o7777),
            remedy: format!("chmod 700 {}", dir.display()),
        });
    }
    Ok(())
}

/// Insists that what is at `path` is of the right kind and ours.
///
/// # Errors
/// [`Refused::Unsafe`]
pub(super) fn check_ours(
    path: &Path,
    found: &Metadata,
    right_kind: bool,
    otherwise: &str,
) -> Result<(), Refused> {
    let why = if found.is_symlink() {
        "is a symbolic link".to_owned()
    } else if !right_kind {
        format!("is {otherwise}")
    } else if found.uid() != rustix::process::geteuid().as_raw() {
        format!("belongs to another user (uid {})", found.uid())
    } else {
        return Ok(());
    };
    Err(Refused::Unsafe {
        path: path.to_owned(),
        why,
        remedy: "find out who put it there and remove it".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn directories_are_made_private_and_others_refused() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("a/b");
        make(&inner).unwrap();
        make(&inner).unwrap();
        assert_eq!(fs::metadata(&inner).unwrap().mode() & 0o7777, 0o700);
        assert_eq!(
            fs::metadata(dir.path().join("a")).unwrap().mode() & 0o7777,
            0o700
        );

        fs::set_permissions(&inner, fs::Permissions::from_mode(0o750)).unwrap();
        let said = make(&inner).unwrap_err().to_string();
        assert!(said.contains("is open to others (mode 0750)"), "{said}");
        assert!(said.contains("chmod 700 "), "{said}");

        fs::set_permissions(&inner, fs::Permissions::from_mode(0o755)).unwrap();
        make_readable(&inner).unwrap();
        fs::set_permissions(&inner, fs::Permissions::from_mode(0o770)).unwrap();
        make_readable(&inner).unwrap_err();

        let link = dir.path().join("link");
        symlink(dir.path().join("a"), &link).unwrap();
        let said = make(&link).unwrap_err().to_string();
        assert!(said.contains("is a symbolic link"), "{said}");

        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let said = make(&file).unwrap_err().to_string();
        assert!(said.contains("is no directory"), "{said}");
        assert!(check(&dir.path().join("none")).unwrap_err().is_absent());
    }

    #[test]
    fn the_reason_is_said_once() {
        let dir = tempfile::tempdir().unwrap();
        let nowhere = dir.path().join("link");
        symlink(dir.path().join("gone/a"), &nowhere).unwrap();
        let error = anyhow::Error::from(make(&nowhere.join("b")).unwrap_err());
        let said = format!("{error:#}");
        assert_eq!(said.matches("No such file").count(), 1, "{said}");
    }

    #[test]
    fn a_foreign_directory_is_refused() {
        let ours = rustix::process::geteuid().as_raw();
        let foreign = if ours == 0 {
            let dir = tempfile::tempdir().unwrap();
            std::os::unix::fs::chown(dir.path(), Some(65534), None).unwrap();
            let said = check(dir.path()).unwrap_err().to_string();
            std::os::unix::fs::chown(dir.path(), Some(0), None).unwrap();
            said
        } else {
            check(Path::new("/root")).unwrap_err().to_string()
        };
        assert!(foreign.contains("belongs to another user"), "{foreign}");
    }
}
