//! What is selected: its text, and what of the view is marked.

use super::text::{Place, Walk, add_row, slice};
use super::{CopyMode, Kind, Styles};
use crate::term::guard::Line;
use crate::tui::shell::screen::Mark;

impl CopyMode {
    /// What is selected, without blanks at the ends of lines; rows that were one line are joined.
    pub fn selected(&self) -> Option<String> {
        let (anchor, kind) = self.selection?;
        let (first, last) = (anchor.min(self.cursor), anchor.max(self.cursor));
        if kind == Kind::Rows {
            return Some(self.text_of(first.row..last.row + 1));
        }
        let mut out = String::new();
        for (row, line) in self.rows_of(first.row..last.row + 1) {
            let (from, to) = self.columns(row, first, last, anchor, kind);
            let part = slice(&line.text, from, to);
            let continued = line.wrapped && kind == Kind::Characters && row < last.row;
            add_row(&mut out, part, continued);
        }
        out.pop();
        Some(out)
    }

    /// What is marked in the view.
    pub fn marks(&self, styles: &Styles) -> Vec<Mark> {
        let mut marks = Vec::new();
        let view = self.top..self.top + self.rows;
        let mut mark = |row: usize, from: u16, to: u16, style| {
            if let Some(row) = row.checked_sub(self.top)
                && row < self.rows
                && from < to
            {
                let row = u16::try_from(row).unwrap_or(u16::MAX);
                let columns = from..to;
                marks.push(Mark {
                    row,
                    columns,
                    style,
                });
            }
        };
        let found = &self.search.matches;
        let first = found.partition_point(|one| one.end.row < view.start);
        let shown = found.iter().skip(first);
        for one in shown.take_while(|one| one.start.row < view.end) {
            let style = match self.cursor == one.start {
                true => styles.current,
                false => styles.found,
            };
            for row in one.start.row.max(view.start)..=one.end.row.min(view.end) {
                let from = if row == one.start.row {
                    one.start.col
                } else {
                    0
                };
                let to = if row == one.end.row {
                    one.end.col
                } else {
                    u16::MAX
                };
                mark(row, from, to, style);
            }
        }
        if let Some((anchor, kind)) = self.selection {
            let (first, last) = (anchor.min(self.cursor), anchor.max(self.cursor));
            for row in first.row.max(view.start)..=last.row.min(view.end) {
                let (from, to) = match kind {
                    Kind::Rows => (0, u16::MAX),
                    _ => self.columns(row, first, last, anchor, kind),
                };
                mark(row, from, to, styles.selection);
            }
        }
        marks
    }

    /// The columns of a row that a selection of characters or a block has.
    pub(super) fn columns(
        &self,
        row: usize,
        first: Place,
        last: Place,
        anchor: Place,
        kind: Kind,
    ) -> (u16, u16) {
        let behind = |place: Place| {
            let at = Walk { lines: &self.lines }.at(place);
            at.map_or(place.col.saturating_add(1), |cluster| cluster.end())
        };
        if kind == Kind::Block {
            let from = anchor.col.min(self.cursor.col);
            return (from, behind(anchor).max(behind(self.cursor)));
        }
        let from = if row == first.row { first.col } else { 0 };
        let to = if row == last.row {
            behind(last)
        } else {
            u16::MAX
        };
        (from, to)
    }

    fn rows_of(&self, range: std::ops::Range<usize>) -> impl Iterator<Item = (usize, &Line)> {
        let start = range.start;
        let rows = self.lines.get(range).unwrap_or_default();
        (start..).zip(rows)
    }

    pub(super) fn text_of(&self, rows: std::ops::Range<usize>) -> String {
        let mut out = String::new();
        let end = rows.end;
        for (row, line) in self.rows_of(rows) {
            add_row(&mut out, &line.text, line.wrapped && row + 1 < end);
        }
        out.pop();
        out
    }

    /// The rows of the line that a row is part of.
    pub(super) fn line_of(&self, row: usize) -> std::ops::Range<usize> {
        let goes_on = |row: usize| self.lines.get(row).is_some_and(|line| line.wrapped);
        let mut start = row;
        while start > 0 && goes_on(start - 1) {
            start -= 1;
        }
        let mut end = row;
        while goes_on(end) && end + 1 < self.lines.len() {
            end += 1;
        }
        start..end + 1
    }
}
