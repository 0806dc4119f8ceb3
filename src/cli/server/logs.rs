//! `buildx server logs`.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use crate::paths::rotating::Rotating;
use crate::term::escape;

/// Prints the log at `path`: all of it or the last lines, then what is added to it.
///
/// # Errors
/// There is no log, or it cannot be read.
pub fn run(path: &Path, follow: bool, lines: Option<usize>) -> anyhow::Result<ExitCode> {
    let name = || format!("cannot read {}", path.display());
    // Before the file is read, so that nothing falls between.
    let watch = follow.then(|| Watch::on(path)).transpose();
    let watch = watch.with_context(name)?;
    let mut text = read(&Rotating::aside(path)).unwrap_or_default();
    let mut log = match File::open(path) {
        Ok(log) => log,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            anyhow::bail!(
                "no buildx server has written a log yet ({})",
                path.display()
            )
        }
        Err(error) => return Err(error).with_context(name),
    };
    log.read_to_end(&mut text).with_context(name)?;
    if !print(last(&text, lines)) {
        return Ok(ExitCode::SUCCESS);
    }
    let Some(mut watch) = watch else {
        return Ok(ExitCode::SUCCESS);
    };
    loop {
        let mut more = Vec::new();
        log.read_to_end(&mut more).with_context(name)?;
        if more.is_empty() && is_other(&log, path) {
            // It was put aside, and has been read to its end.
            log = File::open(path).with_context(name)?;
            continue;
        }
        if !print(&more) {
            return Ok(ExitCode::SUCCESS);
        }
        if more.is_empty() {
            watch.wait().with_context(name)?;
        }
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    fs::read(path)
}

/// Whether `path` leads to another file by now.
fn is_other(log: &File, path: &Path) -> bool {
    let identity = |found: fs::Metadata| (found.dev(), found.ino());
    match (log.metadata(), fs::metadata(path)) {
        (Ok(log), Ok(new)) => identity(log) != identity(new),
        _ => false,
    }
}

/// The last `lines` of the text.
fn last(text: &[u8], lines: Option<usize>) -> &[u8] {
    let Some(lines) = lines else {
        return text;
    };
    let body = text.strip_suffix(b"\n").unwrap_or(text);
    let start = match lines {
        0 => text.len(),
        lines => body
            .iter()
            .enumerate()
            .rev()
            .filter(|(_, byte)| **byte == b'\n')
            .nth(lines - 1)
            .map_or(0, |(at, _)| at + 1),
    };
    text.get(start..).unwrap_or_default()
}

/// `false`: nobody reads it any more.
fn print(text: &[u8]) -> bool {
    let text = escape::text(text);
    let mut out = io::stdout();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .is_ok()
}

/// Wakes up when something happens in the directory of a file.
struct Watch {
    events: File,
}

impl Watch {
    fn on(path: &Path) -> io::Result<Self> {
        let events = inotify::init(CreateFlags::CLOEXEC)?;
        let directory = path.parent().unwrap_or(Path::new("/"));
        let wanted = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO;
        inotify::add_watch(&events, directory, wanted)?;
        Ok(Self {
            events: File::from(events),
        })
    }

    /// What it was is looked up in the files.
    fn wait(&mut self) -> io::Result<()> {
        let mut ignored = [0; 4096];
        self.events.read(&mut ignored).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_cut_at_line_ends() {
        let text = b"one\ntwo\nthree\n";
        let last = |lines| String::from_utf8_lossy(last(text, lines)).into_owned();
        assert_eq!(last(None), "one\ntwo\nthree\n");
        assert_eq!(last(Some(0)), "");
        assert_eq!(last(Some(1)), "three\n");
        assert_eq!(last(Some(2)), "two\nthree\n");
        assert_eq!(last(Some(3)), "one\ntwo\nthree\n");
        assert_eq!(last(Some(9)), "one\ntwo\nthree\n");
        assert_eq!(super::last(b"", Some(3)), b"");
        assert_eq!(super::last(b"open", Some(1)), b"open");
    }
}
