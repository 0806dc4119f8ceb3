//! Lines that were given before, and the walk through them.

use std::collections::VecDeque;

use crossterm::event::{KeyCode, KeyModifiers};

use super::super::keymap::Key;
use crate::monitor::history::{KEPT, counts};

/// Longest text that is searched for.
const LONGEST: usize = 200;

/// The lines, the oldest first; bounded.
#[derive(Clone, Debug, Default)]
pub struct Past {
    lines: VecDeque<String>,
}

impl Past {
    /// These lines.
    pub fn new(lines: impl IntoIterator<Item = String>) -> Self {
        let mut past = Self::default();
        for line in lines {
            past.add(&line);
        }
        past
    }

    /// Adds a line; whether it is worth it.
    pub fn add(&mut self, line: &str) -> bool {
        if !counts(line) || self.lines.back().is_some_and(|last| last == line) {
            return false;
        }
        if self.lines.len() >= KEPT {
            self.lines.pop_front();
        }
        self.lines.push_back(line.to_owned());
        true
    }

    /// What the newest line that begins with `text` has behind it.
    pub fn rest(&self, text: &str) -> Option<&str> {
        let mut newest = self.lines.iter().rev();
        newest.find_map(|line| line.strip_prefix(text).filter(|rest| !rest.is_empty()))
    }

    /// The newest line before `end` with `text` in it.
    fn find(&self, text: &str, end: usize) -> Option<usize> {
        if text.is_empty() {
            return None;
        }
        (0..end.min(self.lines.len()))
            .rev()
            .find(|at| self.lines.get(*at).is_some_and(|line| line.contains(text)))
    }
}

/// Where in the lines somebody is.
#[derive(Clone, Debug, Default)]
pub struct Walk {
    /// The line that is shown; `None` for the new one.
    at: Option<usize>,
    /// The new line, while an old one is shown.
    draft: String,
    search: Option<Search>,
}

/// A search backwards.
#[derive(Clone, Debug, Default)]
struct Search {
    wanted: String,
    found: Option<usize>,
    before: String,
}

impl Walk {
    /// Whether an old line is shown.
    pub fn walking(&self) -> bool {
        self.at.is_some() || self.search.is_some()
    }

    /// The line that is shown is the new one from here on.
    pub fn leave(&mut self) {
        self.at = None;
    }

    /// The line before or after the one that is shown, which now says `text`.
    pub fn step(&mut self, past: &Past, text: &str, back: bool) -> Option<String> {
        let count = past.lines.len();
        let at = self.at.unwrap_or(count);
        let to = if back { at.checked_sub(1)? } else { at + 1 };
        if to > count {
            return None;
        }
        if self.at.is_none() {
            text.clone_into(&mut self.draft);
        }
        self.at = (to < count).then_some(to);
        Some(past.lines.get(to).unwrap_or(&self.draft).clone())
    }

    /// Begins to search; the line says `text`.
    pub fn search(&mut self, text: &str) {
        self.search = Some(Search {
            before: text.to_owned(),
            ..Search::default()
        });
    }

    /// Whether a search is on.
    pub fn searching(&self) -> bool {
        self.search.is_some()
    }

    /// What is searched for.
    pub fn wanted(&self) -> Option<&str> {
        self.search.as_ref().map(|search| search.wanted.as_str())
    }

    /// Ends the search with the line that it has found.
    pub fn stop_searching(&mut self) {
        self.at = self.search.take().and_then(|search| search.found);
    }

    /// A key while searching: the line to show; `None` for a key that is not for the search.
    pub fn search_key(&mut self, past: &Past, key: Key) -> Option<String> {
        let search = self.search.as_mut()?;
        let ctrl = key.modifiers == KeyModifiers::CONTROL;
        let end = past.lines.len();
        let end = match key.code {
            KeyCode::Char('r') if ctrl => search.found.unwrap_or(end),
            KeyCode::Char('g' | 'c') if ctrl => return Some(self.give_up()),
            KeyCode::Esc => return Some(self.give_up()),
            KeyCode::Char(letter) if !ctrl && search.wanted.len() < LONGEST => {
                search.wanted.push(letter);
                search.found.map_or(end, |found| found + 1)
            }
            KeyCode::Backspace => {
                search.wanted.pop();
                end
            }
            _ => return None,
        };
        if let Some(found) = past.find(&search.wanted, end) {
            search.found = Some(found);
        }
        let found = search.found.and_then(|at| past.lines.get(at));
        Some(found.unwrap_or(&search.before).clone())
    }

    fn give_up(&mut self) -> String {
        self.search
            .take()
            .map_or_else(String::new, |search| search.before)
    }
}
