//! The engine's log: a file of bounded size, and the last lines for error messages.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use crate::paths::rotating::Rotating;

/// Size at which the file is put aside, in bytes; there are at most two of them.
const LIMIT: u64 = 4 << 20;
/// How many lines an error shows.
const LINES: usize = 10;
/// Longest line that is kept for an error, in bytes.
const LINE: usize = 300;

/// A log file that never grows beyond its limit.
pub struct Log {
    file: Rotating,
    tail: Tail,
}

impl Log {
    /// Opens the log at `path` to append to it.
    ///
    /// # Errors
    /// The file's own.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::with_limit(path, LIMIT)
    }

    fn with_limit(path: &Path, limit: u64) -> io::Result<Self> {
        Ok(Self {
            file: Rotating::open(path, limit)?,
            tail: Tail::default(),
        })
    }

    /// Appends what the engine wrote.
    pub fn write(&mut self, data: &[u8]) {
        self.tail.feed(data);
        self.file.append(data);
    }

    /// Appends a line of our own, which is none of the engine's last ones.
    pub fn note(&mut self, text: &str) {
        let now = humantime::format_rfc3339_seconds(SystemTime::now());
        self.file
            .append(format!("{now} supervisor: {text}\n").as_bytes());
    }

    /// The engine's last lines since the log was opened, with control characters made visible.
    pub fn last_lines(&self) -> Vec<String> {
        self.tail.lines()
    }
}

/// The last lines of what went through, each cut at a limit.
#[derive(Default)]
struct Tail {
    done: VecDeque<Vec<u8>>,
    open: Vec<u8>,
}

impl Tail {
    fn feed(&mut self, data: &[u8]) {
        for part in data.split_inclusive(|byte| *byte == b'\n') {
            let text = part.strip_suffix(b"\n").unwrap_or(part);
            let room = LINE - self.open.len().min(LINE);
            self.open.extend_from_slice(&text[..room.min(text.len())]);
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.open);
                if line.iter().any(|byte| !byte.is_ascii_whitespace()) {
                    if self.done.len() == LINES {
                        self.done.pop_front();
                    }
                    self.done.push_back(line);
                }
            }
        }
    }

    fn lines(&self) -> Vec<String> {
        let open = (!self.open.is_empty()).then_some(&self.open);
        let lines: Vec<String> = self
            .done
            .iter()
            .chain(open)
            .map(|line| visible(&String::from_utf8_lossy(line)))
            .collect();
        let skip = lines.len().saturating_sub(LINES);
        lines.into_iter().skip(skip).collect()
    }
}

/// The text with control characters written as escapes: it ends up on terminals.
pub fn visible(text: &str) -> String {
    text.chars().fold(String::new(), |mut text, c| {
        if c.is_control() && c != '\t' {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_file_is_put_aside_when_it_is_full() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("engine.log");
        let mut log = Log::with_limit(&path, 100).unwrap();
        for number in 0..50 {
            log.write(format!("line {number:04}\n").as_bytes());
        }
        let size = |name: &str| fs::metadata(dir.path().join(name)).unwrap().len();
        assert!(size("engine.log") <= 100);
        assert!(size("engine.log.1") <= 100);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
        log.note("not the engine's");
        assert_eq!(log.last_lines().last().unwrap(), "line 0049");
        log.write(b"\x1b[2Jbad\n");
        assert_eq!(log.last_lines().last().unwrap(), "\\u{1b}[2Jbad");
    }

    #[test]
    fn last_lines_are_few_short_and_whole() {
        let mut tail = Tail::default();
        for number in 0..100 {
            tail.feed(format!("line {number}\n\n").as_bytes());
        }
        tail.feed(&[b'x'; 5000]);
        let lines = tail.lines();
        assert_eq!(lines.len(), LINES);
        assert_eq!(lines[0], "line 91");
        assert_eq!(lines[LINES - 1].len(), LINE);
    }
}
