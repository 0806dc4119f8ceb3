//! The line editor of the prompt: keys in, lines out, and what to draw. It does no I/O but for the
//! history file.

use std::path::{Path, PathBuf};

use rustyline::history::{FileHistory, History, SearchDirection};
use rustyline::line_buffer::{ChangeListener, DeleteListener, Direction, LineBuffer};
use rustyline::{At, Movement, Word};
use unicode_width::UnicodeWidthChar;

use super::history::{self, LONGEST};
use super::keys::{Key, Keys};
use crate::term::escape;

/// What a key has led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A line is complete.
    Line(String),
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-D on an empty line.
    End,
    /// Tab: [`Editor::complete`] is wanted.
    Complete,
    /// Ctrl-L.
    Clear,
    /// Ctrl-Z.
    Suspend,
}

/// A line that is being edited, and those before it.
pub struct Editor {
    line: LineBuffer,
    keys: Keys,
    history: FileHistory,
    file: Option<PathBuf>,
    /// The line of the history that is shown; its length for the new one.
    at: usize,
    /// The new line while an old one is shown.
    draft: String,
    killed: Killed,
    search: Option<Search>,
}

impl std::fmt::Debug for Editor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Editor").finish_non_exhaustive()
    }
}

/// A search backwards through the history (Ctrl-R).
#[derive(Debug, Default)]
struct Search {
    wanted: String,
    found: Option<usize>,
    /// What the line was before.
    before: String,
}

/// Remembers what is deleted by more than a character, for Ctrl-Y.
#[derive(Debug, Default)]
struct Killed {
    text: String,
    killing: bool,
}

impl DeleteListener for Killed {
    fn start_killing(&mut self) {
        self.killing = true;
    }
    fn delete(&mut self, _at: usize, text: &str, _direction: Direction) {
        if self.killing {
            text.clone_into(&mut self.text);
        }
    }
    fn stop_killing(&mut self) {
        self.killing = false;
    }
}

impl ChangeListener for Killed {
    fn insert_char(&mut self, _at: usize, _c: char) {}
    fn insert_str(&mut self, _at: usize, _text: &str) {}
    fn replace(&mut self, _at: usize, _old: &str, _new: &str) {}
}

impl Editor {
    /// An editor with the history of `file`, which is made with mode 0600 when there is something to
    /// keep; without one, the history is this run's. A file that cannot be read is no reason to have
    /// no prompt.
    pub fn new(file: Option<&Path>) -> Self {
        let history = history::load(file);
        Self {
            line: LineBuffer::with_capacity(LONGEST),
            keys: Keys::default(),
            at: history.len(),
            history,
            file: file.map(Path::to_owned),
            draft: String::new(),
            killed: Killed::default(),
            search: None,
        }
    }

    /// Takes a byte of the keyboard.
    pub fn push(&mut self, byte: u8) -> Option<Event> {
        let key = self.keys.push(byte)?;
        if self.search.is_some() {
            return self.searching(key);
        }
        self.key(key)
    }

    /// What has been typed, and the cursor as an index of it.
    pub fn line(&self) -> (&str, usize) {
        (self.line.as_str(), self.line.pos())
    }

    /// Whether nothing has been typed.
    pub fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    /// Whether the history is being searched: another prompt is drawn then.
    pub fn searches(&self) -> bool {
        self.search.is_some()
    }

    /// Empties the line.
    pub fn clear(&mut self) {
        self.set("");
        self.search = None;
        self.at = self.history.len();
    }

    /// Puts `text` in the place of the bytes from `from` up to the cursor.
    pub fn complete(&mut self, from: usize, text: &str) {
        let to = self.line.pos();
        let line = self.line.as_str();
        if from <= to && line.is_char_boundary(from) {
            let grown = line.len() - (to - from) + text.len();
            if grown <= LONGEST {
                self.line.replace(from..to, text, &mut Killed::default());
            }
        }
    }

    /// Remembers a line, here and in the file.
    pub fn remember(&mut self, line: &str) {
        if !history::counts(line) {
            return;
        }
        let added = self.history.add(line).unwrap_or_default();
        if added && let Some(file) = &self.file {
            // A full disk is no reason to lose the prompt.
            let _ = self.history.append(file);
        }
        self.at = self.history.len();
    }

    fn key(&mut self, key: Key) -> Option<Event> {
        let (line, killed) = (&mut self.line, &mut self.killed);
        match key {
            Key::Char(c) if !escape::is_hidden(c) => {
                line.insert(c, 1, killed);
            }
            Key::Left | Key::Ctrl('b') => {
                line.move_backward(1);
            }
            Key::Right | Key::Ctrl('f') => {
                line.move_forward(1);
            }
            Key::WordLeft | Key::Alt('b') => {
                line.move_to_prev_word(Word::Emacs, 1);
            }
            Key::WordRight | Key::Alt('f') => {
                line.move_to_next_word(At::AfterEnd, Word::Emacs, 1);
            }
            Key::Home | Key::Ctrl('a') => {
                line.move_home();
            }
            Key::End | Key::Ctrl('e') => {
                line.move_end();
            }
            Key::Backspace => {
                line.backspace(1, killed);
            }
            Key::Ctrl('d') if line.is_empty() => return Some(Event::End),
            Key::Delete | Key::Ctrl('d') => {
                line.delete(1, killed);
            }
            Key::Ctrl('k') => {
                line.kill(&Movement::EndOfLine, killed);
            }
            Key::Ctrl('u') => {
                line.kill(&Movement::BeginningOfLine, killed);
            }
            Key::Ctrl('w') => {
                line.kill(&Movement::BackwardWord(1, Word::Big), killed);
            }
            Key::Alt('\x7f') => {
                line.kill(&Movement::BackwardWord(1, Word::Emacs), killed);
            }
            Key::Alt('d') => {
                line.kill(&Movement::ForwardWord(1, At::AfterEnd, Word::Emacs), killed);
            }
            Key::Ctrl('y') => {
                let text = killed.text.clone();
                line.yank(&text, 1, killed);
            }
            Key::Ctrl('t') => {
                line.transpose_chars(killed);
            }
            Key::Up | Key::Ctrl('p') => self.walk(self.at.checked_sub(1)),
            Key::Down | Key::Ctrl('n') => self.walk(self.at.checked_add(1)),
            Key::Ctrl('r') => {
                self.search = Some(Search {
                    before: line.as_str().to_owned(),
                    ..Search::default()
                });
            }
            Key::Ctrl('c') => return Some(Event::Interrupt),
            Key::Ctrl('l') => return Some(Event::Clear),
            Key::Ctrl('z') => return Some(Event::Suspend),
            Key::Tab => return Some(Event::Complete),
            // It stays to be drawn; whoever reads it clears it.
            Key::Enter => return Some(Event::Line(line.as_str().to_owned())),
            Key::Char(_) | Key::Ctrl(_) | Key::Alt(_) | Key::Other => {}
        }
        None
    }

    fn set(&mut self, text: &str) {
        self.line.update(text, text.len(), &mut Killed::default());
    }

    /// Shows another line of the history.
    fn walk(&mut self, to: Option<usize>) {
        let Some(to) = to.filter(|&to| to <= self.history.len()) else {
            return;
        };
        if self.at == self.history.len() {
            self.draft = self.line.as_str().to_owned();
        }
        let text = match self.history.get(to, SearchDirection::Forward) {
            Ok(Some(found)) => found.entry.into_owned(),
            _ => self.draft.clone(),
        };
        self.at = to;
        self.set(&text);
    }

    fn searching(&mut self, key: Key) -> Option<Event> {
        let search = self.search.get_or_insert_default();
        let before = self.history.len();
        let start = match key {
            Key::Char(c) if !escape::is_hidden(c) && search.wanted.len() < LONGEST => {
                search.wanted.push(c);
                search.found.map_or(before, |found| found + 1)
            }
            Key::Backspace => {
                search.wanted.pop();
                before
            }
            Key::Ctrl('r') => search.found.unwrap_or(before),
            Key::Ctrl('g' | 'c') => {
                let text = std::mem::take(&mut search.before);
                self.search = None;
                self.set(&text);
                return None;
            }
            // Any other key takes the line and does what it does.
            key => {
                self.at = search.found.unwrap_or(self.history.len());
                self.search = None;
                return self.key(key);
            }
        };
        let wanted = search.wanted.as_str();
        let found = match (wanted, start.checked_sub(1)) {
            ("", _) | (_, None) => None,
            (wanted, Some(start)) => self
                .history
                .search(wanted, start, SearchDirection::Reverse)
                .ok()
                .flatten(),
        };
        if let Some(found) = found {
            search.found = Some(found.idx);
            let (text, at) = (found.entry.into_owned(), found.pos);
            self.line.update(&text, at, &mut Killed::default());
        }
        None
    }

    /// The bytes that show the line after `prompt` in a row of `cols` cells; a line that does not
    /// fit is shown around the cursor.
    pub fn draw(&self, prompt: &str, cols: usize) -> String {
        let searching;
        let prompt = match &self.search {
            None => prompt,
            Some(search) => {
                searching = format!("(history) {}: ", search.wanted);
                &searching
            }
        };
        let (text, at) = self.line();
        let width = |c: char| c.width().unwrap_or_default();
        // Half of a narrow terminal is for the line in any case.
        let prompt: String = fitting(prompt, cols / 2).collect();
        let used: usize = prompt.chars().map(width).sum();
        let room = cols.saturating_sub(used + 1).max(1);
        let before = text.get(..at).unwrap_or_default();
        // Characters from the left are left out until the cursor is within the room.
        let mut left: usize = before.chars().map(width).sum();
        let mut start = 0;
        for c in before.chars() {
            if left <= room {
                break;
            }
            left -= width(c);
            start += c.len_utf8();
        }
        let shown: String = fitting(text.get(start..).unwrap_or_default(), room).collect();
        let mut out = format!("\r{prompt}{shown}\x1b[K\r");
        if used + left > 0 {
            out.push_str(&format!("\x1b[{}C", used + left));
        }
        out
    }
}

/// The characters from the left that take no more than `room` cells.
fn fitting(text: &str, room: usize) -> impl Iterator<Item = char> {
    let mut used = 0;
    text.chars().take_while(move |c| {
        used += c.width().unwrap_or_default();
        used <= room
    })
}

#[cfg(test)]
mod tests;
