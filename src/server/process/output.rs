//! What a process has shown so far: a screen, or the last of its output.

use bytes::Bytes;

use super::replay::Replay;
use crate::proto::controller::{Snapshot, TerminalSize};
use crate::term::guard;
use crate::term::screen::Screen;

/// Most bytes of scrollback that a snapshot carries; a message has at most 4 MiB.
pub const SCROLLBACK: usize = 2 << 20;

/// What those see who attach.
pub enum Output {
    /// Of a process with a terminal.
    Screen(Box<Screen>),
    /// The same once it has ended: a terminal takes much more memory.
    Final(guard::Snapshot),
    /// Of a process without one.
    Plain(Replay),
}

impl Output {
    /// The screen, as far as it is drawn, with at most `scrollback` bytes of what is above; `None`
    /// without a terminal.
    pub fn snapshot(&self, scrollback: usize) -> Option<Snapshot> {
        let scrollback = scrollback.min(SCROLLBACK);
        match self {
            Output::Screen(screen) => Some(message(screen.drawn().snapshot(scrollback))),
            Output::Final(last) => Some(message(guard::Snapshot {
                scrollback: last_lines(&last.scrollback, scrollback).to_vec(),
                ..last.clone()
            })),
            Output::Plain(_) => None,
        }
    }

    /// Whether some of it waits to be drawn.
    pub fn is_waiting(&self) -> bool {
        matches!(self, Output::Screen(screen) if screen.is_waiting())
    }

    /// Keeps the last screen with `scrollback` bytes instead of the terminal.
    pub fn freeze(&mut self, scrollback: usize) {
        if let Output::Screen(screen) = self {
            screen.draw();
            *self = Output::Final(screen.drawn().snapshot(scrollback.min(SCROLLBACK)));
        }
    }
}

fn message(snapshot: guard::Snapshot) -> Snapshot {
    Snapshot {
        size: Some(TerminalSize {
            rows: snapshot.rows.into(),
            cols: snapshot.cols.into(),
        }),
        alternate: snapshot.alternate,
        title: snapshot.title,
        scrollback: Bytes::from(snapshot.scrollback),
        screen: Bytes::from(snapshot.screen),
    }
}

/// Whole lines from the end, at most `most` bytes of them.
fn last_lines(bytes: &[u8], most: usize) -> &[u8] {
    let Some(from) = bytes.len().checked_sub(most).filter(|from| *from > 0) else {
        return bytes;
    };
    let rest = bytes.get(from - 1..).unwrap_or_default();
    let line = rest.iter().position(|byte| *byte == b'\n');
    line.and_then(|end| rest.get(end + 1..)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::guard::Terminal;

    #[test]
    fn scrollback_is_cut_between_lines() {
        let lines = b"one\r\ntwo\r\nthree\r\n";
        assert_eq!(last_lines(lines, 100), lines);
        assert_eq!(last_lines(lines, 17), lines);
        assert_eq!(last_lines(lines, 16), b"two\r\nthree\r\n");
        assert_eq!(last_lines(lines, 12), b"two\r\nthree\r\n");
        assert_eq!(last_lines(lines, 11), b"three\r\n");
        assert_eq!(last_lines(lines, 3), b"");
        assert_eq!(last_lines(lines, 0), b"");
    }

    #[test]
    fn an_ended_process_shows_its_last_screen() {
        let mut screen = Screen::of(Terminal::new(2, 20, 100).answering(true), 100);
        screen.feed(&Bytes::from_static(b"first\r\nsecond\r\nthird\r\nlast"));
        let mut output = Output::Screen(Box::new(screen));
        let live = output.snapshot(1000).unwrap();
        output.freeze(1000);
        assert!(matches!(output, Output::Final(_)));
        assert_eq!(output.snapshot(1000).unwrap(), live);
        assert!(live.scrollback.starts_with(b"first"));
        assert_eq!(output.snapshot(0).unwrap().scrollback, Bytes::new());
        assert_eq!(output.snapshot(0).unwrap().screen, live.screen);
    }
}
