//! The text to search for while it is typed, and the way from match to match.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::search::find;
use super::{CopyMode, Effect, Search};

/// Longest text to search for.
const MAX_SEARCH: usize = 512;

impl CopyMode {
    pub(super) fn prompt_key(&mut self, key: &KeyEvent) -> Effect {
        let Some(prompt) = &mut self.prompt else {
            return Effect::Draw;
        };
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('u') if control => prompt.text.clear(),
            KeyCode::Char('w') if control => {
                let kept = prompt.text.trim_end().rfind(' ').map_or(0, |i| i + 1);
                prompt.text.truncate(kept);
            }
            KeyCode::Char('c' | 'g') if control => return self.give_up(),
            KeyCode::Char(c) if !control && prompt.text.len() < MAX_SEARCH => prompt.text.push(c),
            KeyCode::Backspace => {
                if prompt.text.pop().is_none() {
                    return self.give_up();
                }
            }
            KeyCode::Esc => return self.give_up(),
            KeyCode::Enter => return self.search_for_prompt(),
            _ => return Effect::Draw,
        }
        self.preview();
        Effect::Draw
    }

    /// Text pasted while a search is typed; else nothing.
    pub fn paste(&mut self, text: &str) {
        if let Some(prompt) = &mut self.prompt {
            for c in text.lines().next().unwrap_or("").chars() {
                if prompt.text.len() < MAX_SEARCH && !c.is_control() {
                    prompt.text.push(c);
                }
            }
            self.preview();
        }
    }

    /// Shows the match that Enter would go to.
    fn preview(&mut self) {
        let Some(prompt) = &self.prompt else {
            return;
        };
        let (before, top) = prompt.before;
        let (text, backward) = (prompt.text.clone(), prompt.backward);
        self.top = top;
        self.go(before);
        self.search = Search {
            matches: find(&self.lines, &text),
            text,
            backward,
        };
        self.next_match(backward);
    }

    fn give_up(&mut self) -> Effect {
        if let Some(prompt) = self.prompt.take() {
            let (before, top) = prompt.before;
            self.top = top;
            self.go(before);
            self.search = Search::default();
        }
        Effect::Draw
    }

    /// What was shown while typing is where it goes; no text repeats the last search.
    fn search_for_prompt(&mut self) -> Effect {
        let Some(prompt) = self.prompt.take() else {
            return Effect::Draw;
        };
        if prompt.text.is_empty() {
            self.search.backward = prompt.backward;
            return self.next_match(prompt.backward);
        }
        match self.search.matches.is_empty() {
            true => Effect::NotFound,
            false => Effect::Draw,
        }
    }

    pub(super) fn next_match(&mut self, backward: bool) -> Effect {
        let all = &self.search.matches;
        let at = self.cursor;
        let next = match backward {
            true => all.partition_point(|one| one.start < at).checked_sub(1),
            false => {
                let next = all.partition_point(|one| one.start <= at);
                (next < all.len()).then_some(next)
            }
        };
        let other_end = if backward { all.last() } else { all.first() };
        let (found, effect) = match next.and_then(|i| all.get(i)) {
            Some(found) => (Some(found), Effect::Draw),
            None => (other_end, Effect::Wrapped),
        };
        match found {
            Some(found) => {
                let start = found.start;
                self.go(start);
                effect
            }
            None if self.search.text.is_empty() => Effect::Draw,
            None => Effect::NotFound,
        }
    }
}
