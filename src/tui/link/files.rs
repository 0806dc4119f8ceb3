//! Files of this machine: read, looked at, and written so that nobody sees half of one.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use super::super::layer::edit::LARGEST;
use super::super::msg::{Entry, Found, NotWritten};

/// Most entries of a directory that are read.
const ENTRIES: usize = 1_000;

/// The text of a file.
///
/// # Errors
/// It cannot be read, or is nothing that an editor is for; one line.
pub fn read(path: &Path) -> Result<String, String> {
    let cannot = |error: &dyn std::fmt::Display| format!("cannot read {}: {error}", path.display());
    // Asked before it is opened: opening a pipe would wait for its other end.
    let meta = fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!("there is no file {}", path.display()),
        _ => cannot(&error),
    })?;
    if !meta.is_file() {
        return Err(cannot(&"it is no file"));
    }
    let mut bytes = Vec::new();
    let most = LARGEST as u64 + 1;
    File::open(path)
        .and_then(|file| file.take(most).read_to_end(&mut bytes))
        .map_err(|error| cannot(&error))?;
    if bytes.len() > LARGEST {
        return Err(cannot(&"it is larger than 1 MiB"));
    }
    String::from_utf8(bytes).map_err(|_| cannot(&"it is not UTF-8"))
}

/// Writes a file, keeping its mode and its owner. With `before`, only while it still holds that.
///
/// # Errors
/// [`NotWritten`]; the file is then as it was.
pub fn write(path: &Path, text: &str, before: Option<&str>) -> Result<(), NotWritten> {
    if let Some(before) = before
        && read(path).is_ok_and(|now| now != before)
    {
        return Err(NotWritten::Changed);
    }
    replace(path, text.as_bytes())
        .map_err(|error| NotWritten::Failed(format!("cannot write {}: {error}", path.display())))
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A link stays one: what it leads to is replaced.
    let path = fs::canonicalize(path).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(path.to_owned()),
        _ => Err(error),
    })?;
    let old = match fs::metadata(&path) {
        Ok(meta) => Some(meta),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    // Other names of the same file would keep the old text.
    if old.as_ref().is_some_and(|old| old.nlink() > 1) {
        return in_place(&path, bytes);
    }
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut new = match tempfile::NamedTempFile::new_in(directory) {
        Ok(new) => new,
        Err(_) if old.is_some() => return in_place(&path, bytes),
        Err(error) => return Err(error),
    };
    new.write_all(bytes)?;
    match &old {
        Some(old) => {
            let made = new.as_file().metadata()?;
            let same = (made.uid(), made.gid()) == (old.uid(), old.gid());
            if !same && fchown(new.as_file(), Some(old.uid()), Some(old.gid())).is_err() {
                return in_place(&path, bytes);
            }
            let mode = old.mode() & 0o7777;
            new.as_file()
                .set_permissions(Permissions::from_mode(mode))?;
        }
        None => {
            new.as_file()
                .set_permissions(Permissions::from_mode(0o644))?;
        }
    }
    new.as_file().sync_data()?;
    new.persist(&path)?;
    Ok(())
}

/// For files that must stay the same file.
fn in_place(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_data()
}

/// What there is at each place.
pub fn look(paths: Vec<PathBuf>) -> Vec<(PathBuf, Found)> {
    paths
        .into_iter()
        .map(|path| {
            let found = match fs::metadata(&path) {
                Ok(meta) if meta.is_dir() => Found::Directory,
                Ok(_) => Found::File,
                Err(_) => Found::Nothing,
            };
            (path, found)
        })
        .collect()
}

/// What a directory holds, at most [`ENTRIES`] of it; nothing if it cannot be read.
pub fn list(directory: &Path) -> Vec<Entry> {
    let read = fs::read_dir(directory).into_iter().flatten();
    let entry = |entry: fs::DirEntry| {
        let directory = match entry.file_type() {
            Ok(kind) if !kind.is_symlink() => kind.is_dir(),
            _ => entry.path().is_dir(),
        };
        let name = entry.file_name().into_string().ok()?;
        Some(Entry { name, directory })
    };
    read.take(ENTRIES).flatten().filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_listed_as_far_as_it_can_be() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::create_dir(path("sub")).unwrap();
        fs::write(path("file"), "").unwrap();
        std::os::unix::fs::symlink("sub", path("link")).unwrap();
        std::os::unix::fs::symlink("nowhere", path("broken")).unwrap();
        let mut found: Vec<_> = list(dir.path())
            .into_iter()
            .map(|entry| (entry.name, entry.directory))
            .collect();
        found.sort();
        let expected = [
            ("broken", false),
            ("file", false),
            ("link", true),
            ("sub", true),
        ];
        assert_eq!(found, expected.map(|(name, is)| (name.to_owned(), is)));
        assert!(list(&path("file")).is_empty());
        assert!(list(&path("no")).is_empty());
        for number in 0..=ENTRIES {
            fs::write(path(&format!("sub/{number}")), "").unwrap();
        }
        assert_eq!(list(&path("sub")).len(), ENTRIES);
    }

    #[test]
    fn mode_links_and_other_names_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let mode = |name: &str| fs::metadata(path(name)).unwrap().mode() & 0o7777;
        fs::write(path("a"), "one").unwrap();
        fs::set_permissions(path("a"), Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("a", path("link")).unwrap();
        write(&path("link"), "two", Some("one")).unwrap();
        assert!(fs::symlink_metadata(path("link")).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(path("a")).unwrap(), "two");
        assert_eq!(mode("a"), 0o640);
        fs::hard_link(path("a"), path("b")).unwrap();
        write(&path("a"), "three", None).unwrap();
        assert_eq!(fs::read_to_string(path("b")).unwrap(), "three");
        write(&path("new"), "x", None).unwrap();
        assert_eq!(mode("new"), 0o644);
        let left = fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(left, 4, "something was left behind");
    }

    #[test]
    fn a_file_that_has_changed_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("Dockerfile");
        fs::write(&file, "theirs").unwrap();
        assert_eq!(write(&file, "ours", Some("old")), Err(NotWritten::Changed));
        assert_eq!(fs::read_to_string(&file).unwrap(), "theirs");
        write(&file, "ours", None).unwrap();
        assert_eq!(read(&file).unwrap(), "ours");
        let missing = dir.path().join("no/such");
        assert!(matches!(
            write(&missing, "x", None),
            Err(NotWritten::Failed(_))
        ));
    }

    #[test]
    fn what_no_editor_is_for_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        assert!(read(dir.path()).unwrap_err().ends_with("it is no file"));
        fs::write(&file, [0xff, 0xfe]).unwrap();
        assert!(read(&file).unwrap_err().ends_with("it is not UTF-8"));
        fs::write(&file, vec![b'x'; LARGEST + 1]).unwrap();
        assert!(read(&file).unwrap_err().ends_with("larger than 1 MiB"));
        let found = look(vec![dir.path().to_owned(), file, dir.path().join("no")]);
        let kinds: Vec<Found> = found.into_iter().map(|(_, found)| found).collect();
        assert_eq!(kinds, [Found::Directory, Found::File, Found::Nothing]);
    }
}
