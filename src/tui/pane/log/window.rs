//! The lines that are here: one run of a log's lines, as long as the screen needs and memory allows.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::proto::controller::LogLine;

/// What a line takes beside its text.
const OVERHEAD: usize = 96;

/// Longest line that is kept, in bytes; the server cuts them at 64 KiB.
const LONGEST: usize = 68 * 1024;

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number in the whole log, from 0.
    pub number: u64,
    /// Digest of the vertex that it comes from.
    pub vertex: Arc<str>,
    /// When it began: milliseconds since 1970 by the engine's clock.
    pub time: i64,
    /// Harmless apart from colours.
    pub text: Box<str>,
    /// It goes on with the line before.
    pub continued: bool,
}

/// A run of lines: all that the log has (or that the filter lets through) with numbers from `from` to before `to`.
#[derive(Clone, Debug, Default)]
pub struct Window {
    lines: VecDeque<Line>,
    from: u64,
    to: u64,
    bytes: usize,
}

impl Window {
    /// How many lines are here.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Number of the first line that is known of.
    pub fn from(&self) -> u64 {
        self.from
    }

    /// Number behind the last line that is known of.
    pub fn to(&self) -> u64 {
        self.to
    }

    /// Bytes that it takes.
    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// A line by its place in the window.
    pub fn get(&self, index: usize) -> Option<&Line> {
        self.lines.get(index)
    }

    /// Lines from a place on.
    pub fn iter_from(&self, index: usize) -> impl Iterator<Item = &Line> {
        self.lines.range(index.min(self.lines.len())..)
    }

    /// Place of the first line with this number or a higher one.
    pub fn index_of(&self, number: u64) -> usize {
        self.lines.partition_point(|line| line.number < number)
    }

    /// Whether it is known what stands at this number.
    pub fn covers(&self, number: u64) -> bool {
        (self.from..self.to).contains(&number)
    }

    /// Takes these lines instead, from `from` to before `to`.
    pub fn replace(&mut self, lines: Vec<LogLine>, from: u64, to: u64) {
        *self = Self {
            from,
            to: to.max(from),
            ..Self::default()
        };
        self.push(lines);
    }

    /// Takes lines behind the others, from `from` (which is not behind the end) to before `to`; what was known from
    /// `from` on is replaced.
    pub fn append(&mut self, lines: Vec<LogLine>, from: u64, to: u64) {
        if from > self.to || from < self.from {
            return self.replace(lines, from, to);
        }
        let kept = self.index_of(from);
        let gone: usize = self.lines.drain(kept..).map(|line| size(&line)).sum();
        self.bytes = self.bytes.saturating_sub(gone);
        self.to = to.max(from);
        self.push(lines);
    }

    /// Takes lines in front of the others, from `from` on.
    pub fn prepend(&mut self, lines: Vec<LogLine>, from: u64) {
        let mut front = Self {
            from,
            to: self.from,
            ..Self::default()
        };
        front.push(lines);
        self.from = from.min(self.from);
        self.bytes += front.bytes;
        while let Some(line) = front.lines.pop_back() {
            self.lines.push_front(line);
        }
    }

    /// Adds what is in order and inside; nothing else is believed.
    fn push(&mut self, lines: Vec<LogLine>) {
        for line in lines {
            let least = self
                .lines
                .back()
                .map_or(self.from, |last| last.number.saturating_add(1));
            if !(least..self.to).contains(&line.number) {
                continue;
            }
            let vertex = match self.lines.back() {
                Some(last) if *last.vertex == *line.vertex => last.vertex.clone(),
                _ => Arc::from(line.vertex.as_str()),
            };
            let text = line.text.get(..LONGEST).unwrap_or(&line.text);
            let line = Line {
                number: line.number,
                vertex,
                time: line.time,
                text: String::from_utf8_lossy(text).into(),
                continued: line.continued,
            };
            self.bytes += size(&line);
            self.lines.push_back(line);
        }
    }

    /// Lets lines go, those farthest from the place `centre` first, until it takes at most `most` bytes.
    pub fn trim(&mut self, centre: u64, most: usize) {
        while self.bytes > most {
            let before = self.index_of(centre);
            let behind = self.lines.len() - before;
            let gone = if before > behind {
                let gone = self.lines.pop_front();
                if let Some(line) = &gone {
                    self.from = line.number + 1;
                }
                gone
            } else {
                let gone = self.lines.pop_back();
                if let Some(line) = &gone {
                    self.to = line.number;
                }
                gone
            };
            let Some(gone) = gone else { return };
            self.bytes = self.bytes.saturating_sub(size(&gone));
        }
    }
}

fn size(line: &Line) -> usize {
    line.text.len() + OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(numbers: impl IntoIterator<Item = u64>) -> Vec<LogLine> {
        numbers
            .into_iter()
            .map(|number| LogLine {
                number,
                vertex: "v".to_owned(),
                text: format!("line {number}").into_bytes().into(),
                ..LogLine::default()
            })
            .collect()
    }

    fn numbers(window: &Window) -> Vec<u64> {
        window.iter_from(0).map(|line| line.number).collect()
    }

    #[test]
    fn it_grows_at_both_ends() {
        let mut window = Window::default();
        window.replace(lines(10..13), 10, 13);
        // The last line was open and has grown.
        window.append(lines(12..15), 12, 15);
        window.prepend(lines(7..10), 7);
        assert_eq!(numbers(&window), (7..15).collect::<Vec<_>>());
        assert_eq!((window.from(), window.to()), (7, 15));
        window.append(lines(20..22), 20, 22);
        assert_eq!(numbers(&window), [20, 21]);
    }

    #[test]
    fn what_is_out_of_order_or_outside_is_not_believed() {
        let mut window = Window::default();
        window.replace(lines([5, 4, 5, 6, 99]), 5, 8);
        assert_eq!(numbers(&window), [5, 6]);
        window.prepend(lines([1, 3, 5, 7]), 2);
        assert_eq!(numbers(&window), [3, 5, 6]);
    }

    #[test]
    fn the_farthest_lines_go_first() {
        let mut window = Window::default();
        window.replace(lines(0..100), 0, 100);
        let most = window.bytes() / 4;
        window.trim(30, most);
        assert!(window.bytes() <= most);
        assert!(window.covers(30) && !window.covers(0) && !window.covers(99));
        let kept = numbers(&window);
        assert_eq!(kept, (window.from()..window.to()).collect::<Vec<_>>());
        window.trim(30, 0);
        assert!(window.is_empty());
        assert_eq!(window.bytes(), 0);
    }
}
