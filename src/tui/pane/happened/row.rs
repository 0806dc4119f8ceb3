//! The rows of the card: texts that are wrapped to its width.

use unicode_width::UnicodeWidthChar;

use super::super::super::theme::Role;
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

/// A line in parts of at most `width` cells, broken at spaces where there are some.
pub fn wrap(line: &str, width: usize) -> Vec<String> {
    let width = width.max(2);
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut used = 0;
    // Bytes of `part`, and its cells, up to the last space.
    let mut space: Option<(usize, usize)> = None;
    for letter in crate::term::width::characters(line) {
        let wide = letter.width().unwrap_or(0);
        if used + wide > width {
            if letter == ' ' {
                parts.push(std::mem::take(&mut part));
                (used, space) = (0, None);
                continue;
            }
            if let Some((at, until)) = space.take()
                && !part.get(..at).unwrap_or_default().trim().is_empty()
            {
                let rest = part.split_off(at);
                parts.push(std::mem::replace(&mut part, rest).trim_end().to_owned());
                used -= until;
            }
            if used + wide > width {
                parts.push(std::mem::take(&mut part));
                used = 0;
            }
        }
        part.push(letter);
        used += wide;
        if letter == ' ' {
            space = Some((part.len(), used));
        }
    }
    if !part.is_empty() || parts.is_empty() {
        parts.push(part);
    }
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_break_at_spaces_and_elsewhere_if_they_must() {
        assert_eq!(
            wrap("make all the things", 8),
            ["make all", "the", "things"]
        );
        assert_eq!(wrap("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrap("世界世界", 5), ["世界", "世界"]);
        assert_eq!(wrap("", 5), [""]);
        assert_eq!(wrap("    ab", 3), ["   ", "ab"]);
    }

    #[test]
    fn a_card_has_an_end() {
        let mut rows = Rows::new(20, false);
        rows.text(Role::Text, 2, &"x\n".repeat(10_000));
        assert_eq!(rows.rows.len(), ROWS + 1);
    }

    proptest! {
        #[test]
        fn parts_fit_and_nothing_but_spaces_is_lost(text in "[a-c 世\u{301}]{0,60}", width in 2usize..12) {
            let parts = wrap(&text, width);
            for part in &parts {
                prop_assert!(cells(part) <= width, "{part:?}");
            }
            let bare = |text: &str| text.replace(' ', "");
            prop_assert_eq!(bare(&parts.concat()), bare(&text));
        }
    }
}
