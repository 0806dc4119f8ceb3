//! The lines that were given before, in the file that the prompt and the full screen share.

use std::path::Path;

use rustyline::Config;
use rustyline::history::{FileHistory, History, SearchDirection};

/// Lines of history that are kept.
pub const KEPT: usize = 1000;

/// Longest line in bytes.
pub const LONGEST: usize = 4096;

/// Largest file that is read: ours cannot be larger.
const LARGEST_FILE: u64 = (KEPT * (2 * LONGEST + 1)) as u64;

/// An empty history that keeps no line twice in a row.
pub fn empty() -> FileHistory {
    let config = Config::builder()
        .max_history_size(KEPT)
        .and_then(|builder| builder.history_ignore_dups(true))
        .map_or_else(|_| Config::default(), |builder| builder.build());
    FileHistory::with_config(&config)
}

/// The history of a file; empty when it cannot be read.
pub fn load(file: Option<&Path>) -> FileHistory {
    let mut history = empty();
    if let Some(file) = file
        && std::fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.len() < LARGEST_FILE)
    {
        let _ = history.load(file);
    }
    history
}

/// The lines of a file, the oldest first.
pub fn lines(file: &Path) -> Vec<String> {
    let history = load(Some(file));
    (0..history.len())
        .filter_map(|index| history.get(index, SearchDirection::Forward).ok().flatten())
        .map(|found| found.entry.into_owned())
        .collect()
}

/// Whether a line is one to remember.
pub fn counts(line: &str) -> bool {
    !line.trim().is_empty() && line.len() <= LONGEST && !line.chars().any(char::is_control)
}

/// Adds a line to a file. Blocks; a full disk is no reason to lose the prompt, so nothing is said.
pub fn append(file: &Path, line: &str) {
    let mut history = empty();
    if counts(line) && history.add(line).unwrap_or_default() {
        let _ = history.append(file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_appended_is_there_the_next_time() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("history");
        assert!(lines(&file).is_empty());
        for line in ["list", "exec sh -c 'a\\b'", "list", " ", "a\nb"] {
            append(&file, line);
        }
        assert_eq!(lines(&file), ["list", "exec sh -c 'a\\b'", "list"]);
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
        append(&file, "list");
        assert!(lines(&file).is_empty());
    }
}
