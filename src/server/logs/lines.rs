//! Where the lines of a log are: one rule for whoever counts, reads or searches them.
//!
//! The text of a step is the bytes of its messages in their order, of both streams. A line ends at a newline, or when
//! it has [`LONGEST`] bytes and more than its current character follows, or when its step is complete. In the log of
//! all steps lines come in the order of their ends. Lines that are still open come last, in the order in which they
//! began; among all steps their numbers are not final.

use memchr::{memchr, memrchr};

use super::wire::Chunk;
use crate::progress::time::Nanos;

/// Longest line in bytes; a longer one goes on in the next.
pub const LONGEST: usize = 64 << 10;

/// So many bytes more may belong to the last character of such a line.
const SLACK: usize = 3;

/// A part of what follows an open line of `open` bytes.
#[derive(Debug, PartialEq, Eq)]
enum Part<'a> {
    /// Whole lines, each with its newline.
    Whole(&'a [u8]),
    /// The rest of the open line, without a newline; `long` when the line goes on in the next one.
    End { rest: &'a [u8], long: bool },
    /// Text of the open line, which stays open.
    Open(&'a [u8]),
}

/// Cuts `text`, which follows `open` bytes of an open line.
fn cut<'a>(mut open: usize, mut text: &'a [u8], mut give: impl FnMut(Part<'a>)) {
    let mut goes_on = false;
    while !text.is_empty() {
        let room = (LONGEST + 1).saturating_sub(open).max(1).min(text.len());
        let window = text.get(..room).unwrap_or(text);
        if open == 0 && !goes_on {
            if let Some(last) = memrchr(b'\n', window) {
                let (whole, rest) = text.split_at_checked(last + 1).unwrap_or((text, &[]));
                give(Part::Whole(whole));
                text = rest;
                continue;
            }
        } else if let Some(first) = memchr(b'\n', window) {
            let (rest, behind) = text.split_at_checked(first).unwrap_or((text, &[]));
            give(Part::End { rest, long: false });
            text = behind.get(1..).unwrap_or_default();
            (open, goes_on) = (0, false);
            continue;
        }
        let fits = fits(open, text);
        let (rest, behind) = text.split_at_checked(fits).unwrap_or((text, &[]));
        match behind.split_first() {
            None => {
                give(Part::Open(rest));
                return;
            }
            Some((b'\n', behind)) => {
                give(Part::End { rest, long: false });
                (text, goes_on) = (behind, false);
            }
            Some(_) => {
                give(Part::End { rest, long: true });
                (text, goes_on) = (behind, true);
            }
        }
        open = 0;
    }
}

/// How many bytes of `text`, in whose part that matters is no newline, go into a line of `open` bytes.
fn fits(open: usize, text: &[u8]) -> usize {
    let most = (LONGEST + SLACK).saturating_sub(open);
    let sure = LONGEST.saturating_sub(open).min(text.len());
    let more = text.get(sure..most.min(text.len())).unwrap_or_default();
    let inside = |byte: &&u8| **byte & 0xc0 == 0x80;
    sure + more.iter().take_while(inside).count()
}

/// A line, or its begin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Digest of the vertex.
    pub vertex: Vec<u8>,
    /// When it began.
    pub time: Nanos,
    /// The stream in which it began.
    pub stream: u32,
    /// It goes on from the line before.
    pub continued: bool,
    /// Without its newline, as it came.
    pub text: Vec<u8>,
}

/// Receives lines in the order of their ends.
pub trait Sink {
    /// Whole lines of a chunk, each with its newline.
    fn lines(&mut self, chunk: &Chunk<'_>, whole: &[u8]);

    /// A line that is not whole in its chunk, or is too long.
    fn line(&mut self, line: Line);
}

/// The lines that are open, in the order in which they began.
#[derive(Clone, Debug, Default)]
pub struct Carry {
    /// None of them is empty.
    pub open: Vec<Line>,
}

impl Carry {
    /// Takes the next chunk.
    pub fn push(&mut self, chunk: &Chunk<'_>, sink: &mut impl Sink) {
        let mut at = self.find(chunk.vertex);
        let length = at.and_then(|at| self.open.get(at));
        let mut continued = false;
        let begun = |text: &[u8], continued| Line {
            vertex: chunk.vertex.to_vec(),
            time: chunk.time,
            stream: chunk.stream,
            continued,
            text: text.to_vec(),
        };
        cut(
            length.map_or(0, |line| line.text.len()),
            chunk.text,
            |part| match part {
                Part::Whole(whole) => sink.lines(chunk, whole),
                Part::End { rest, long } => {
                    sink.line(match at.take() {
                        Some(at) => {
                            let mut line = self.open.remove(at);
                            line.text.extend_from_slice(rest);
                            line
                        }
                        None => begun(rest, continued),
                    });
                    continued = long;
                }
                Part::Open(text) => match at.and_then(|at| self.open.get_mut(at)) {
                    Some(line) => line.text.extend_from_slice(text),
                    None => self.open.push(begun(text, continued)),
                },
            },
        );
    }

    /// A step is complete: its open line ends.
    pub fn close(&mut self, vertex: &[u8], sink: &mut impl Sink) {
        if let Some(at) = self.find(vertex) {
            sink.line(self.open.remove(at));
        }
    }

    fn find(&self, vertex: &[u8]) -> Option<usize> {
        self.open.iter().position(|line| line.vertex == vertex)
    }

    /// Bytes of all open lines.
    pub fn bytes(&self) -> usize {
        self.open.iter().map(|line| line.text.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Default)]
    struct All(Vec<(String, bool, Vec<u8>)>);

    impl Sink for All {
        fn lines(&mut self, chunk: &Chunk<'_>, whole: &[u8]) {
            let vertex = String::from_utf8_lossy(chunk.vertex).into_owned();
            assert!(whole.ends_with(b"\n"));
            for line in whole.split_inclusive(|byte| *byte == b'\n') {
                let line = line.strip_suffix(b"\n").unwrap();
                self.0.push((vertex.clone(), false, line.to_vec()));
            }
        }
        fn line(&mut self, line: Line) {
            let vertex = String::from_utf8_lossy(&line.vertex).into_owned();
            self.0.push((vertex, line.continued, line.text));
        }
    }

    /// All lines of chunks of two steps; the open ones at last.
    fn lines(chunks: &[(&str, &[u8])]) -> Vec<(String, bool, Vec<u8>)> {
        let (mut carry, mut all) = (Carry::default(), All::default());
        for (vertex, text) in chunks {
            let chunk = Chunk {
                vertex: vertex.as_bytes(),
                text,
                ..Chunk::default()
            };
            carry.push(&chunk, &mut all);
        }
        for line in std::mem::take(&mut carry.open) {
            all.line(line);
        }
        all.0
    }

    fn texts(chunks: &[(&str, &[u8])]) -> Vec<String> {
        lines(chunks)
            .into_iter()
            .map(|(vertex, _, text)| format!("{vertex}{}", String::from_utf8_lossy(&text)))
            .collect()
    }

    #[test]
    fn lines_come_in_the_order_of_their_ends() {
        let chunks: [(&str, &[u8]); 5] = [
            ("a", b"one\ntw"),
            ("b", b"first\nopen"),
            ("a", b"o\n\nlast"),
            ("c", b""),
            ("b", b"ed"),
        ];
        assert_eq!(
            texts(&chunks),
            ["aone", "bfirst", "atwo", "a", "bopened", "alast"]
        );
    }

    #[test]
    fn the_end_of_a_step_ends_its_line() {
        let (mut carry, mut all) = (Carry::default(), All::default());
        for vertex in [b"a", b"b"] {
            let chunk = Chunk {
                vertex,
                text: b"open",
                ..Chunk::default()
            };
            carry.push(&chunk, &mut all);
        }
        carry.close(b"b", &mut all);
        carry.close(b"b", &mut all);
        assert_eq!(all.0.len(), 1);
        assert_eq!((carry.open.len(), carry.bytes()), (1, 4));
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let long = format!("x{}y\nnext\n", "世".repeat(50_000));
        let got = lines(&[("a", long.as_bytes())]);
        let lengths: Vec<_> = got.iter().map(|line| (line.1, line.2.len())).collect();
        assert_eq!(
            lengths,
            [(false, 65_536), (true, 65_538), (true, 18_928), (false, 4)]
        );
        assert!(got.iter().all(|line| std::str::from_utf8(&line.2).is_ok()));
        // What fits is not cut.
        let just = [vec![b'x'; LONGEST], b"\n".to_vec()].concat();
        assert_eq!(lines(&[("a", &just)]).len(), 1);
        assert_eq!(lines(&[("a", &just[..LONGEST])]).len(), 1);
        let just = format!("{}ü\n", "x".repeat(LONGEST - 1));
        assert_eq!(lines(&[("a", just.as_bytes())]).len(), 1);
    }

    proptest! {
        /// However the bytes of a step are cut, and whatever other steps say, its lines are the same.
        #[test]
        fn chunks_make_no_difference(
            pieces in proptest::collection::vec((0usize..4, 1usize..40_000), 0..12),
            cuts in proptest::collection::vec(0usize..200_000, 0..12),
        ) {
            let mut text = Vec::new();
            for (kind, size) in pieces {
                match kind {
                    0 => text.resize(text.len() + size, b'x'),
                    1 => text.extend("世".bytes().cycle().take(size)),
                    2 => text.extend(b"\n"),
                    _ => text.extend(b"a line\n".iter().cycle().take(size)),
                }
            }
            let mut cuts: Vec<_> = cuts.into_iter().filter(|at| *at <= text.len()).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let mut chunks = Vec::new();
            for cut in cuts.windows(2) {
                chunks.push(("a", &text[cut[0]..cut[1]]));
                chunks.push(("b", b"other" as &[u8]));
            }
            let own = |lines: Vec<(String, bool, Vec<u8>)>| -> Vec<_> {
                lines.into_iter().filter(|line| line.0 == "a").collect()
            };
            let whole = lines(&[("a", &text)]);
            prop_assert_eq!(&own(lines(&chunks)), &whole);
            prop_assert!(whole.iter().all(|line| line.2.len() <= LONGEST + SLACK));
        }
    }
}
