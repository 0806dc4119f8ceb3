//! Rows of a screen as text, and places in them.

use crate::term::guard::{Line, width};

/// A cell: its row, from the oldest of the scrollback, and its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    pub row: usize,
    pub col: u16,
}

/// A character with what is combined with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cluster<'a> {
    pub(super) col: u16,
    pub(super) width: u16,
    pub(super) text: &'a str,
}

impl Cluster<'_> {
    /// The column behind it.
    pub(super) fn end(&self) -> u16 {
        self.col.saturating_add(self.width)
    }
}

/// The characters of a row, from the left.
pub(super) fn clusters(text: &str) -> impl Iterator<Item = Cluster<'_>> {
    let mut rest = text;
    let mut col = 0u16;
    std::iter::from_fn(move || {
        let mut chars = rest.char_indices();
        let (_, first) = chars.next()?;
        let end = chars
            .find(|(_, c)| width(*c) > 0)
            .map_or(rest.len(), |(i, _)| i);
        let (text, tail) = rest.split_at(end);
        rest = tail;
        let cluster = Cluster {
            col,
            width: width(first),
            text,
        };
        col = cluster.end();
        Some(cluster)
    })
}

/// The cells that a row's text takes.
pub(super) fn cells(text: &str) -> u16 {
    clusters(text).last().map_or(0, |last| last.end())
}

/// The characters of a row that have a cell in a range of columns.
pub(super) fn slice(text: &str, from: u16, to: u16) -> &str {
    let mut start = text.len();
    let mut end = 0;
    let mut at = 0;
    for cluster in clusters(text) {
        if cluster.end() > from && cluster.col < to {
            start = start.min(at);
            end = at + cluster.text.len();
        }
        at += cluster.text.len();
    }
    text.get(start..end).unwrap_or("")
}

/// Adds a row to a text: without the blanks at its end, and with a newline, unless the next row continues it.
pub(super) fn add_row(out: &mut String, row: &str, continued: bool) {
    if continued {
        out.push_str(row);
    } else {
        out.push_str(row.trim_end_matches(' '));
        out.push('\n');
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Blank,
    Word,
    Other,
}

/// Walks over rows by words as vi does.
pub(super) struct Walk<'a> {
    pub(super) lines: &'a [Line],
}

impl<'a> Walk<'a> {
    pub(super) fn text(&self, row: usize) -> &'a str {
        self.lines.get(row).map_or("", |line| &line.text)
    }

    /// The character at a place.
    pub(super) fn at(&self, place: Place) -> Option<Cluster<'a>> {
        clusters(self.text(place.row)).find(|cluster| cluster.end() > place.col)
    }

    fn class(&self, place: Place) -> Class {
        let first = self.at(place).and_then(|it| it.text.chars().next());
        match first {
            Some(c) if c.is_alphanumeric() || c == '_' => Class::Word,
            Some(c) if c.is_whitespace() => Class::Blank,
            Some(_) => Class::Other,
            None => Class::Blank,
        }
    }

    /// The next character, and whether it stands in a new line.
    fn step(&self, place: Place) -> Option<(Place, bool)> {
        let next = clusters(self.text(place.row)).find(|cluster| cluster.col > place.col);
        if let Some(next) = next {
            let col = next.col;
            return Some((Place { col, ..place }, false));
        }
        let line = self.lines.get(place.row)?;
        let row = place.row + 1;
        (row < self.lines.len()).then_some((Place { row, col: 0 }, !line.wrapped))
    }

    fn step_back(&self, place: Place) -> Option<(Place, bool)> {
        let before = |row, col| {
            clusters(self.text(row))
                .take_while(|cluster| cluster.col < col)
                .last()
        };
        if let Some(previous) = before(place.row, place.col) {
            let col = previous.col;
            return Some((Place { col, ..place }, false));
        }
        let row = place.row.checked_sub(1)?;
        let col = before(row, u16::MAX).map_or(0, |last| last.col);
        let wrapped = self.lines.get(row).is_some_and(|line| line.wrapped);
        Some((Place { row, col }, !wrapped))
    }

    /// The beginning of the next word; the last place if there is none.
    pub(super) fn next_word(&self, from: Place) -> Place {
        let class = self.class(from);
        let mut at = from;
        while let Some((next, new_line)) = self.step(at) {
            at = next;
            if new_line || self.class(at) != class {
                break;
            }
        }
        while self.class(at) == Class::Blank {
            match self.step(at) {
                Some((next, _)) => at = next,
                None => break,
            }
        }
        at
    }

    /// The beginning of this word or, from there, of the one before.
    pub(super) fn previous_word(&self, from: Place) -> Place {
        let Some((mut at, _)) = self.step_back(from) else {
            return from;
        };
        while self.class(at) == Class::Blank {
            match self.step_back(at) {
                Some((previous, _)) => at = previous,
                None => return at,
            }
        }
        self.word_start(at)
    }

    /// The end of this word or, from there, of the next one.
    pub(super) fn word_end(&self, from: Place) -> Place {
        let Some((mut at, _)) = self.step(from) else {
            return from;
        };
        while self.class(at) == Class::Blank {
            match self.step(at) {
                Some((next, _)) => at = next,
                None => return at,
            }
        }
        self.last_of_word(at)
    }

    /// The beginning and the last character of what stands at a place: a word, or as many blanks.
    pub(super) fn word(&self, at: Place) -> (Place, Place) {
        (self.word_start(at), self.last_of_word(at))
    }

    fn word_start(&self, mut at: Place) -> Place {
        let class = self.class(at);
        while let Some((previous, new_line)) = self.step_back(at) {
            if new_line || self.class(previous) != class {
                break;
            }
            at = previous;
        }
        at
    }

    fn last_of_word(&self, mut at: Place) -> Place {
        let class = self.class(at);
        while let Some((next, new_line)) = self.step(at) {
            if new_line || self.class(next) != class {
                break;
            }
            at = next;
        }
        at
    }
}
