//! The log of one step: bytes in any chunks → harmless lines, of which only the last few are kept.
//!
//! Programs that draw a progress bar rewrite their line with a lone carriage return. The first text of such a
//! line and the last one are always lines of the log; of those between at most one a second.

use std::collections::VecDeque;

use super::time::{Nanos, SECOND};
use crate::term::escape::{Filter, Sink};

/// Longest line, in bytes; a longer one is broken into several.
const MAX_LINE: usize = 64 * 1024;

/// Most bytes of a line that are kept in the tail.
const MAX_KEPT: usize = 4 * 1024;

/// Lines kept of a step's log, for the live tree and for the summary of a failure.
pub const TAIL: usize = 100;

/// A part of a line as it became known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Where the line began, as time since the start of the step. None: the line goes on.
    pub begins: Option<Nanos>,
    /// Harmless text.
    pub text: String,
    /// Whether the line is complete with this.
    pub ends: bool,
}

/// A kept line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    /// Time since the start of the step.
    pub time: Nanos,
    /// Harmless text, cut at 4 KiB.
    pub text: String,
}

/// Bytes → lines, for one step.
#[derive(Debug)]
pub struct Log {
    filter: Filter,
    lines: Lines,
    /// Bytes received, ever.
    pub bytes: u64,
}

#[derive(Debug, Default)]
struct Lines {
    time: Nanos,
    /// Text of the open line that is in no piece yet.
    fresh: String,
    /// The open line is in a piece already.
    begun: bool,
    /// Bytes of the open line in pieces.
    length: usize,
    rewriting: bool,
    last_rewrite: Nanos,
    /// The last text that was replaced by another one.
    replaced: Option<Line>,
    tail: VecDeque<Line>,
    /// The open line, as it will be in the tail.
    open: Line,
    count: u64,
    pieces: Vec<Piece>,
}

impl Log {
    /// `colours`: whether colour sequences stay in the text.
    pub fn new(colours: bool) -> Self {
        Log {
            filter: Filter::new(colours),
            lines: Lines::default(),
            bytes: 0,
        }
    }

    /// Takes a chunk that was logged at `time` after the start of the step, and returns what became known.
    pub fn push(&mut self, time: Nanos, chunk: &[u8]) -> Vec<Piece> {
        self.bytes = self.bytes.saturating_add(chunk.len() as u64);
        self.lines.time = time;
        self.filter.push(chunk, &mut self.lines);
        self.filter.pause(&mut self.lines);
        self.lines.publish();
        std::mem::take(&mut self.lines.pieces)
    }

    /// The step is complete: what was held back comes out.
    pub fn settle(&mut self) -> Vec<Piece> {
        self.filter.finish(&mut self.lines);
        self.lines.settle();
        std::mem::take(&mut self.lines.pieces)
    }

    /// The last lines, oldest first, with the open one.
    pub fn tail(&self) -> impl DoubleEndedIterator<Item = &Line> {
        let open = (!self.lines.open.text.is_empty()).then_some(&self.lines.open);
        self.lines.tail.iter().chain(open)
    }

    /// Complete lines, ever.
    pub fn lines(&self) -> u64 {
        self.lines.count
    }

    /// Forgets the lines; the counters stay.
    pub fn forget(&mut self) {
        self.lines.tail = VecDeque::new();
        self.lines.open = Line::default();
    }
}

impl Lines {
    fn add(&mut self, mut text: &str) {
        while !text.is_empty() {
            let room = MAX_LINE.saturating_sub(self.length + self.fresh.len());
            let part = front(text, room);
            if part.is_empty() {
                self.break_line();
                continue;
            }
            if !self.begun && self.fresh.is_empty() {
                self.open.time = self.time;
            }
            self.fresh.push_str(part);
            if !self.rewriting {
                let room = MAX_KEPT.saturating_sub(self.open.text.len());
                self.open.text.push_str(front(part, room));
            }
            text = text.get(part.len()..).unwrap_or_default();
        }
    }

    /// Ends a line that is too long in its middle.
    fn break_line(&mut self) {
        if self.fresh.contains('\x1b') {
            self.fresh.push_str("\x1b[0m");
        }
        self.end();
    }

    /// Gives out what is known of a line that is not rewritten.
    fn publish(&mut self) {
        if !self.rewriting && !self.fresh.is_empty() {
            let text = std::mem::take(&mut self.fresh);
            self.length += text.len();
            self.pieces.push(Piece {
                begins: (!self.begun).then_some(self.open.time),
                text,
                ends: false,
            });
            self.begun = true;
        }
    }

    /// Ends the open line.
    fn end(&mut self) {
        let text = std::mem::take(&mut self.fresh);
        let mut open = std::mem::take(&mut self.open);
        if !self.begun && text.is_empty() {
            open.time = self.time;
        }
        if self.rewriting {
            open.text = front(&text, MAX_KEPT).to_string();
        }
        self.pieces.push(Piece {
            begins: (!self.begun).then_some(open.time),
            text,
            ends: true,
        });
        self.begun = false;
        self.length = 0;
        self.keep(open);
    }

    fn keep(&mut self, line: Line) {
        self.count += 1;
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(line);
    }

    /// Shows the text that stood in a rewritten line at last.
    fn end_rewriting(&mut self) {
        if !self.fresh.is_empty() {
            self.end();
        } else if let Some(line) = self.replaced.take() {
            self.pieces.push(Piece {
                begins: Some(line.time),
                text: line.text.clone(),
                ends: true,
            });
            self.keep(line);
        }
        self.rewriting = false;
        self.replaced = None;
    }

    fn settle(&mut self) {
        if self.rewriting {
            self.end_rewriting();
        } else {
            self.publish();
        }
    }
}

/// At most that many bytes from the front, whole characters only.
fn front(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

impl Sink for Lines {
    fn text(&mut self, text: &str) {
        self.add(text);
    }

    fn newline(&mut self) {
        if self.rewriting {
            self.end_rewriting();
        } else {
            self.end();
        }
    }

    fn rewrite(&mut self) {
        if !self.rewriting {
            if self.begun || !self.fresh.is_empty() {
                self.end();
            }
            self.rewriting = true;
            self.last_rewrite = self.time;
        } else if !self.fresh.is_empty() {
            if self.time.saturating_sub(self.last_rewrite) >= SECOND {
                self.end();
                self.last_rewrite = self.time;
                self.replaced = None;
            } else {
                self.replaced = Some(Line {
                    time: self.time,
                    text: front(&std::mem::take(&mut self.fresh), MAX_KEPT).to_string(),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The text that a reader sees of pieces.
    fn joined(pieces: &[Piece]) -> String {
        let mut out = String::new();
        for piece in pieces {
            if let Some(time) = piece.begins {
                out.push_str(&format!("[{}]", time / 1_000_000));
            }
            out.push_str(&piece.text);
            if piece.ends {
                out.push('\n');
            }
        }
        out
    }

    const MS: Nanos = 1_000_000;

    #[test]
    fn a_line_is_open_until_its_newline() {
        let mut log = Log::new(false);
        let mut pieces = log.push(91 * MS, b"par");
        assert!(!pieces[0].ends);
        pieces.extend(log.push(150 * MS, b"tial\nnext\n\n"));
        assert_eq!(joined(&pieces), "[91]partial\n[150]next\n[150]\n");
        assert_eq!(
            log.tail().map(|l| l.text.as_str()).collect::<Vec<_>>(),
            ["partial", "next", ""]
        );
        assert_eq!(log.lines(), 3);
    }

    #[test]
    fn of_a_progress_bar_the_first_and_the_last_text_and_one_a_second_stay() {
        let mut log = Log::new(false);
        let mut pieces = Vec::new();
        for i in 0..30i64 {
            pieces.extend(log.push(i * 100 * MS, format!("{i}%\r").as_bytes()));
        }
        pieces.extend(log.push(3000 * MS, b"done\nnext\n"));
        assert_eq!(
            joined(&pieces),
            "[0]0%\n[1000]10%\n[2000]20%\n[3000]done\n[3000]next\n"
        );
    }

    #[test]
    fn the_last_text_of_a_bar_comes_out_when_nothing_follows() {
        let mut log = Log::new(false);
        let mut pieces = log.push(0, b"1%\r2%\r3%\r");
        pieces.extend(log.settle());
        assert_eq!(joined(&pieces), "[0]1%\n[0]3%\n");
        let mut log = Log::new(false);
        let mut pieces = log.push(0, b"1%\r2%\r3%");
        pieces.extend(log.settle());
        assert_eq!(joined(&pieces), "[0]1%\n[0]3%\n");
    }

    #[test]
    fn memory_is_bounded_for_a_million_lines_and_for_one_endless_line() {
        let mut log = Log::new(true);
        let block = b"0123456789 a line of a very long log\n".repeat(1000);
        for _ in 0..1000 {
            let pieces = log.push(0, &block);
            assert_eq!(pieces.len(), 1000);
        }
        assert_eq!(log.lines(), 1_000_000);
        assert_eq!(log.tail().count(), TAIL);
        let endless = vec![b'x'; 1 << 20];
        for _ in 0..16 {
            assert!(
                log.push(0, &endless)
                    .iter()
                    .all(|p| p.text.len() <= MAX_LINE)
            );
            assert!(log.lines.fresh.len() <= MAX_LINE);
        }
        assert!(log.tail().all(|l| l.text.len() <= MAX_KEPT));
        log.forget();
        assert_eq!(log.tail().count(), 0);
    }

    proptest! {
        /// However the bytes are cut, the same lines come out.
        #[test]
        fn chunks_make_no_difference(text in "[ab世\r\n]{0,60}", cuts in proptest::collection::vec(0usize..100, 0..6)) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|c| *c <= bytes.len()).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let mut log = Log::new(false);
            let mut pieces = Vec::new();
            for w in cuts.windows(2) {
                pieces.extend(log.push(0, &bytes[w[0]..w[1]]));
            }
            pieces.extend(log.settle());
            let mut whole = Log::new(false);
            let mut expected = whole.push(0, bytes);
            expected.extend(whole.settle());
            prop_assert_eq!(joined(&pieces), joined(&expected));
        }
    }
}
