//! The Dockerfile in an editor on the whole screen.

use std::path::{Path, PathBuf};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_textarea::{CursorMove, DataCursor, TextArea};

use super::super::app::App;
use super::super::keymap::Key;
use super::super::msg::{Effect, NotWritten};
use super::super::theme::Role;
use super::Then;
use crate::term::escape::is_hidden;
use colours::Colours;
use draw::Places;

mod colours;
mod draw;
mod mouse;

/// Most bytes of a text; a Dockerfile is never near it.
pub const LARGEST: usize = 1 << 20;

/// What has to be answered before anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    /// Throw changes away?
    Discard,
    /// The file is another one than it was: write over it?
    Overwrite,
}

/// The text, and the file that it is from.
#[derive(Clone, Debug)]
pub struct State {
    path: PathBuf,
    area: TextArea<'static>,
    /// What the file held when it was read or written last.
    disk: String,
    /// What the lines end with.
    ending: &'static str,
    /// The line that failed, from 0.
    failed: Option<usize>,
    /// The first row that is shown.
    top: usize,
    /// Cells that are cut from the left.
    left: usize,
    /// The wheel has moved the text, so the cursor may be out of sight.
    free: bool,
    colours: Colours,
    question: Option<Question>,
    /// What is being written, and whether the build runs again then.
    saving: Option<(String, bool)>,
}

impl State {
    /// With the text of a file, the cursor in the line that failed (from 1).
    pub fn new(path: PathBuf, text: String, failed: Option<u32>) -> Self {
        let crlf =
            text.contains("\r\n") && text.matches('\n').count() == text.matches("\r\n").count();
        let ending = if crlf { "\r\n" } else { "\n" };
        let lines: Vec<String> = text.split(ending).map(str::to_owned).collect();
        let failed = failed
            .and_then(|line| usize::try_from(line).ok()?.checked_sub(1))
            .filter(|line| *line < lines.len());
        let top = failed.unwrap_or(0).saturating_sub(5);
        let mut colours = Colours::default();
        colours.read(&lines, top);
        let mut area = TextArea::new(lines);
        area.set_max_histories(1000);
        if let Some(line) = failed {
            let row = u16::try_from(line).unwrap_or(u16::MAX);
            area.move_cursor(CursorMove::Jump(row, 0));
        }
        Self {
            path,
            area,
            disk: text,
            ending,
            failed,
            top,
            left: 0,
            free: false,
            colours,
            question: None,
            saving: None,
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The text as it would be written.
    pub fn text(&self) -> String {
        self.area.lines().join(self.ending)
    }

    /// Whether the text is another one than that of the file.
    pub fn changed(&self) -> bool {
        let mut rest = self.disk.as_str();
        let mut lines = self.area.lines().iter().peekable();
        while let Some(line) = lines.next() {
            let Some(after) = rest.strip_prefix(line.as_str()) else {
                return true;
            };
            rest = match (lines.peek(), after.strip_prefix(self.ending)) {
                (Some(_), Some(after)) => after,
                (Some(_), None) => return true,
                (None, _) => after,
            };
        }
        !rest.is_empty()
    }

    /// Takes a key.
    pub fn key(&mut self, app: &mut App, key: Key, event: KeyEvent) -> Then {
        if let Some(question) = self.question.take() {
            let yes = matches!(key.code, KeyCode::Char('y' | 'Y'));
            return match (question, yes) {
                (Question::Discard, true) => Then::Close,
                (Question::Overwrite, true) => {
                    let reload = self.saving.take().is_some_and(|(_, reload)| reload);
                    self.save(reload, true)
                }
                (_, false) => {
                    self.saving = None;
                    Then::Stay
                }
            };
        }
        let ctrl = key.modifiers == KeyModifiers::CONTROL;
        let page = usize::from(app.size.1.saturating_sub(3).max(1));
        let before = Before::of(&self.area);
        let mut anywhere = false;
        match key.code {
            KeyCode::Esc => return self.close(),
            KeyCode::Char('c') if ctrl && self.area.selection_range().is_some() => {
                self.area.copy();
                return Then::Effects(vec![Effect::Clipboard(self.area.yank_text().into())]);
            }
            KeyCode::Char('c' | 'q') if ctrl => return self.close(),
            KeyCode::Char('s') if ctrl => return self.save(false, false),
            KeyCode::Char('r') if ctrl => return self.save(true, false),
            KeyCode::Char('z' | 'u') if ctrl => {
                anywhere = self.area.undo();
            }
            KeyCode::Char('y') if ctrl => {
                anywhere = self.area.redo();
            }
            KeyCode::Char('v') if ctrl => {
                self.area.paste();
            }
            KeyCode::PageDown | KeyCode::PageUp => {
                let DataCursor(row, column) = self.area.cursor();
                let row = match key.code {
                    KeyCode::PageDown => row + page,
                    _ => row.saturating_sub(page),
                };
                let cut = |place: usize| u16::try_from(place).unwrap_or(u16::MAX);
                self.area
                    .move_cursor(CursorMove::Jump(cut(row), cut(column)));
            }
            KeyCode::Char(letter) if !ctrl && (is_hidden(letter) || self.full(4)) => {}
            _ => {
                self.area.input(event);
            }
        }
        self.follow(app.size, &before, anywhere);
        Then::Stay
    }

    /// Takes pasted text.
    pub fn paste(&mut self, app: &mut App, text: &str) {
        if self.question.is_some() {
            return;
        }
        if self.full(text.len()) {
            app.say("that is more than an editor is for");
            return;
        }
        let text: String = text
            .replace("\r\n", "\n")
            .replace('\r', "\n")
            .chars()
            .filter(|letter| {
                matches!(letter, '\n' | '\t') || !letter.is_control() && !is_hidden(*letter)
            })
            .collect();
        let before = Before::of(&self.area);
        self.area.insert_str(text);
        self.follow(app.size, &before, false);
    }

    /// The text may have changed, between the cursor before and now or (`anywhere`) elsewhere; the cursor comes into
    /// sight.
    fn follow(&mut self, size: (u16, u16), before: &Before, anywhere: bool) {
        let DataCursor(row, column) = self.area.cursor();
        let lines = self.area.lines();
        let from = match anywhere {
            true => 0,
            false => row.min(before.from),
        };
        self.colours.forget(from);
        // The line that failed moves with the lines before it.
        if let Some(failed) = &mut self.failed
            && from < *failed
            && !anywhere
        {
            let by = lines.len().saturating_sub(before.lines);
            let lost = before.lines.saturating_sub(lines.len());
            *failed = (*failed + by).saturating_sub(lost).max(from);
        }
        let places = Places::new(size, lines.len());
        let at = lines
            .get(row)
            .map_or(0, |line| draw::column_of(line, column));
        self.top = near(self.top, row, usize::from(places.text.height));
        self.left = near(self.left, at, usize::from(places.text.width));
        self.free = false;
        self.colours.read(self.area.lines(), self.top);
    }

    /// Whether `more` bytes have no room.
    fn full(&self, more: usize) -> bool {
        let lines = self.area.lines();
        let bytes: usize = lines.iter().map(|line| line.len() + 2).sum();
        bytes + more > LARGEST
    }

    fn close(&mut self) -> Then {
        if !self.changed() {
            return Then::Close;
        }
        self.question = Some(Question::Discard);
        Then::Stay
    }

    fn save(&mut self, reload: bool, anyway: bool) -> Then {
        let text = self.text();
        self.saving = Some((text.clone(), reload));
        Then::Effects(vec![Effect::Write {
            path: self.path.clone(),
            text,
            before: (!anyway).then(|| self.disk.clone()),
        }])
    }

    /// The file has been written, or not; whether the build is to run again.
    pub fn written(&mut self, result: &Result<(), NotWritten>) -> bool {
        match result {
            Ok(()) => {
                let Some((text, reload)) = self.saving.take() else {
                    return false;
                };
                self.disk = text;
                reload
            }
            Err(NotWritten::Changed) => {
                self.question = Some(Question::Overwrite);
                false
            }
            Err(NotWritten::Failed(_)) => {
                self.saving = None;
                false
            }
        }
    }
}

/// What is remembered of a text while a key may change it.
struct Before {
    /// The first row of cursor and selection.
    from: usize,
    lines: usize,
}

impl Before {
    fn of(area: &TextArea) -> Self {
        let cursor = area.cursor().0;
        let chosen = area.selection_range().map_or(cursor, |((row, _), _)| row);
        Self {
            from: cursor.min(chosen),
            lines: area.lines().len(),
        }
    }
}

/// Where a view of `room` rows or columns that began at `first` begins, so that `at` is in it.
fn near(first: usize, at: usize, room: usize) -> usize {
    first.min(at).max((at + 1).saturating_sub(room.max(1)))
}

#[cfg(test)]
mod tests;
