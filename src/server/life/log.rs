//! What the server says: lines with a time and a level, in a file of bounded size.

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use crate::config::Level;
use crate::paths::rotating::Rotating;
use crate::term::escape;

/// Size at which the file is put aside, in bytes.
const LIMIT: u64 = 4 << 20;
/// Longest line, in bytes.
const LINE: usize = 8 << 10;

/// The log; copies write to the same one.
#[derive(Clone, Debug)]
pub struct Log {
    /// `None`: nothing is said.
    level: Option<Level>,
    /// `None`: standard error, as it is.
    file: Option<Arc<Mutex<Sink>>>,
}

#[derive(Debug)]
struct Sink {
    file: Rotating,
    /// Whether the standard output is this file, too. Before that it is the pipe to the client that
    /// waits for the server.
    stdout: bool,
}

impl Sink {
    /// A failure leaves the streams with the old file.
    fn redirect(&self) {
        let _ = rustix::stdio::dup2_stderr(self.file.file());
        if self.stdout {
            let _ = rustix::stdio::dup2_stdout(self.file.file());
        }
    }
}

impl Log {
    /// A log on standard error.
    pub fn stderr(level: Level) -> Self {
        Self {
            level: Some(level),
            file: None,
        }
    }

    /// No log at all.
    pub fn silent() -> Self {
        Self {
            level: None,
            file: None,
        }
    }

    /// A log in a file that only its owner can read, which also becomes the standard error, so that
    /// the words of a library or a crash are not lost.
    ///
    /// # Errors
    /// The file's own.
    pub fn open(path: &Path, level: Level) -> std::io::Result<Self> {
        let file = Rotating::open(path, LIMIT)?;
        rustix::stdio::dup2_stderr(file.file())?;
        let sink = Sink {
            file,
            stdout: false,
        };
        Ok(Self {
            level: Some(level),
            file: Some(Arc::new(Mutex::new(sink))),
        })
    }

    /// Makes the file the standard output as well, whose former self is thereby closed.
    pub fn take_stdout(&self) {
        if let Some(file) = &self.file
            && let Ok(mut sink) = file.lock()
        {
            sink.stdout = true;
            sink.redirect();
        }
    }

    /// Something went wrong.
    pub fn error(&self, text: &str) {
        self.say(Level::Error, text);
    }

    /// Something is odd.
    pub fn warn(&self, text: &str) {
        self.say(Level::Warn, text);
    }

    /// Something happened.
    pub fn info(&self, text: &str) {
        self.say(Level::Info, text);
    }

    /// Something that matters to those who look for a fault.
    pub fn debug(&self, text: &str) {
        self.say(Level::Debug, text);
    }

    fn say(&self, level: Level, text: &str) {
        if self.level.is_none_or(|most| level > most) {
            return;
        }
        let now = humantime::format_rfc3339_millis(SystemTime::now());
        let name = level.name();
        let end = (0..=LINE).rev().find(|end| text.is_char_boundary(*end));
        let text = escape::line(text.get(..end.unwrap_or(0)).unwrap_or(text));
        let line = format!("{now} {name}: {text}\n");
        match &self.file {
            None => {
                let _ = std::io::stderr().write_all(line.as_bytes());
            }
            Some(file) => {
                if let Ok(mut sink) = file.lock()
                    && sink.file.append(line.as_bytes())
                {
                    sink.redirect();
                }
            }
        }
    }
}
