//! The rows of the card: texts that are wrapped to its width.

use super::super::super::theme::Role;
use super::super::wrap::wrap;
use crate::progress::trace::StepId;
use crate::term::width::cells;

/// Rows of a card; a text that is longer ends with a note.
const ROWS: usize = 600;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it is.
    pub role: Role,
    /// Its text.
    pub text: String,
    /// The step whose time is shown at its end.
    pub step: Option<StepId>,
    /// The step that it tells of in words.
    pub about: Option<StepId>,
}

/// Rows that are being written.
#[derive(Debug)]
pub struct Rows {
    width: usize,
    tight: bool,
    /// The step that rows tell of from now on.
    pub about: Option<StepId>,
    /// What is there.
    pub rows: Vec<Row>,
}

impl Rows {
    /// None, in this width; `tight`: few of them can be seen at once.
    pub fn new(width: u16, tight: bool) -> Self {
        Self {
            width: usize::from(width).max(10),
            tight,
            about: None,
            rows: Vec::new(),
        }
    }

    /// A text of any number of lines, wrapped, `indent` cells from the left.
    pub fn text(&mut self, role: Role, indent: usize, text: &str) {
        for line in text.lines() {
            for part in wrap(line, self.width.saturating_sub(indent)) {
                if !self.room() {
                    return;
                }
                self.rows.push(Row {
                    role,
                    text: format!("{:indent$}{part}", ""),
                    step: None,
                    about: self.about,
                });
            }
        }
    }

    /// Short texts beside each other, as many as fit into a row.
    pub fn items(&mut self, role: Role, items: &[String]) {
        let mut line = String::new();
        for item in items {
            if !line.is_empty() && cells(&line) + 3 + cells(item) > self.width {
                self.text(role, 0, &std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push_str("   ");
            }
            line.push_str(item);
        }
        self.text(role, 0, &line);
    }

    /// A row that is cut rather than wrapped.
    pub fn cut(&mut self, role: Role, text: String) {
        if self.room() {
            self.rows.push(Row {
                role,
                text,
                step: None,
                about: self.about,
            });
        }
    }

    /// A row with the time of a step at its end.
    pub fn step(&mut self, role: Role, text: String, step: StepId) {
        if self.room() {
            self.rows.push(Row {
                role,
                text,
                step: Some(step),
                about: self.about,
            });
        }
    }

    /// Whether few rows can be seen at once, so that the most telling ones come first and without gaps.
    pub fn tight(&self) -> bool {
        self.tight
    }

    /// An empty row, unless there is one, nothing is above it, or there is no room for it.
    pub fn gap(&mut self) {
        if !self.tight && self.rows.last().is_some_and(|row| !row.text.is_empty()) {
            self.cut(Role::Text, String::new());
        }
    }

    fn room(&mut self) -> bool {
        if self.rows.len() == ROWS {
            self.rows.push(Row {
                role: Role::Dim,
                text: "(more is not shown)".to_owned(),
                step: None,
                about: self.about,
            });
        }
        self.rows.len() < ROWS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_has_an_end() {
        let mut rows = Rows::new(20, false);
        rows.text(Role::Text, 2, &"x\n".repeat(10_000));
        assert_eq!(rows.rows.len(), ROWS + 1);
    }
}
