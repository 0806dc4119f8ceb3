//! Literal search over rows, in which a line that was wrapped is one line.

use regex::RegexBuilder;

use super::text::{Place, cells};
use crate::term::guard::Line;

/// Most places that a search keeps, the newest ones.
pub(super) const MAX_MATCHES: usize = 100_000;

/// Where a text was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    pub start: Place,
    /// In its last row, the column behind it.
    pub end: Place,
}

/// All places of a text, from the top. Small letters in it find capital ones, too, unless it has a capital letter
/// itself.
pub(super) fn find(lines: &[Line], text: &str) -> Vec<Match> {
    let capital = text.chars().any(char::is_uppercase);
    let pattern = RegexBuilder::new(&regex::escape(text))
        .case_insensitive(!capital)
        .build();
    // A text of usual length always compiles; one that does not is found nowhere.
    let (Ok(pattern), false) = (pattern, text.is_empty()) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut joined = String::new();
    let mut end = lines.len();
    while end > 0 && found.len() < MAX_MATCHES {
        let mut start = end - 1;
        while start > 0 && lines.get(start - 1).is_some_and(|line| line.wrapped) {
            start -= 1;
        }
        let rows = lines.get(start..end).unwrap_or_default();
        let line = match rows {
            [one] => &one.text,
            rows => {
                joined.clear();
                rows.iter().for_each(|row| joined.push_str(&row.text));
                &joined
            }
        };
        let first = found.len();
        found.extend(pattern.find_iter(line).map(|one| Match {
            start: place(rows, start, one.start()),
            end: behind(rows, start, one.end()),
        }));
        found.get_mut(first..).unwrap_or_default().reverse();
        end = start;
    }
    found.truncate(MAX_MATCHES);
    found.reverse();
    found
}

/// The cell of a byte of joined rows.
fn place(rows: &[Line], first: usize, byte: usize) -> Place {
    let mut rest = byte;
    for (row, line) in (first..).zip(rows) {
        if rest < line.text.len() {
            let col = cells(line.text.get(..rest).unwrap_or(""));
            return Place { row, col };
        }
        rest -= line.text.len();
    }
    Place {
        row: first + rows.len().saturating_sub(1),
        col: 0,
    }
}

/// The place behind the cell that ends before a byte of joined rows.
fn behind(rows: &[Line], first: usize, byte: usize) -> Place {
    let mut rest = byte;
    for (row, line) in (first..).zip(rows) {
        if rest <= line.text.len() {
            let col = cells(line.text.get(..rest).unwrap_or(""));
            return Place { row, col };
        }
        rest -= line.text.len();
    }
    Place {
        row: first + rows.len().saturating_sub(1),
        col: u16::MAX,
    }
}
