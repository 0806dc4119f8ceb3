//! Copy mode: a person looks around in a frozen screen with its scrollback, searches, selects and copies, while the
//! program goes on behind it.
//!
//! State and a command or a key make new state and an [`Effect`]; nothing else happens here.

mod command;
mod search;
mod text;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

pub use command::{Command, KEYS, Kind};
pub use search::Match;
pub use text::Place;

use super::screen::Mark;
use crate::term::guard::{self, Line};
use ratatui::style::Style;
use search::find;
use text::{Walk, add_row, cells, clusters, slice};

/// Longest text to search for.
const MAX_SEARCH: usize = 512;

/// What a key or a mouse event led to besides new state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Nothing but what is drawn.
    Draw,
    /// Leave with this text for the clipboard.
    Copy(String),
    Leave,
    /// What was searched for is not there.
    NotFound,
    /// The search went on from the other end.
    Wrapped,
}

/// The styles of what is marked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Styles {
    pub selection: Style,
    pub found: Style,
    /// The match that the cursor is at.
    pub current: Style,
}

/// A text being typed to search for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    pub text: String,
    pub backward: bool,
    /// Where to go back to if it is given up.
    before: (Place, usize),
}

#[derive(Debug, Clone, Default)]
struct Search {
    text: String,
    backward: bool,
    matches: Vec<Match>,
}

/// A frozen screen and what a person does on it. Places count rows from the oldest of the scrollback.
#[derive(Debug, Clone)]
pub struct CopyMode {
    screen: vt100::Screen,
    lines: Vec<Line>,
    /// Rows of the view.
    rows: usize,
    /// The first row in the view.
    top: usize,
    cursor: Place,
    /// The column that moving up and down keeps to.
    wanted: u16,
    selection: Option<(Place, Kind)>,
    /// A button was pressed here and has not been moved yet.
    pressed: Option<Place>,
    search: Search,
    prompt: Option<Prompt>,
}

impl CopyMode {
    /// Freezes a screen as it is, scrolled back or not. It copies the scrollback: about 20 ms for 10,000 long lines.
    pub fn new(screen: &vt100::Screen) -> Self {
        let screen = screen.clone();
        let (rows, cols) = screen.size();
        let plain = |text| Line {
            text,
            wrapped: false,
        };
        let lines = guard::lines(&screen)
            .unwrap_or_else(|| screen.rows(0, cols.get()).map(plain).collect());
        let rows = usize::from(rows.get());
        let top = lines.len().saturating_sub(rows + screen.scrollback());
        let (row, col) = match screen.scrollback() {
            0 => screen.cursor_position(),
            _ => (screen.size().0.get() - 1, 0),
        };
        let cursor = Place {
            row: top + usize::from(row),
            col,
        };
        let mut this = CopyMode {
            screen,
            lines,
            rows,
            top,
            cursor,
            wanted: col,
            selection: None,
            pressed: None,
            search: Search::default(),
            prompt: None,
        };
        this.go(cursor);
        this
    }

    /// The frozen cells, scrolled back as the view is.
    pub fn screen(&self) -> &vt100::Screen {
        &self.screen
    }

    /// The cursor's row and column in the view.
    pub fn cursor(&self) -> (u16, u16) {
        let row = self.cursor.row.saturating_sub(self.top);
        (u16::try_from(row).unwrap_or(u16::MAX), self.cursor.col)
    }

    /// Rows below the view, and rows above the newest view in all.
    pub fn position(&self) -> (usize, usize) {
        (self.last_top() - self.top, self.last_top())
    }

    /// The text that is being typed to search for.
    pub fn prompt(&self) -> Option<&Prompt> {
        self.prompt.as_ref()
    }

    pub fn selecting(&self) -> Option<Kind> {
        self.selection.map(|(_, kind)| kind)
    }

    /// The number of the match at the cursor, from 1, if it is at one, and how many there are.
    pub fn matches(&self) -> Option<(Option<usize>, usize)> {
        let all = &self.search.matches;
        (!self.search.text.is_empty()).then(|| {
            let at = all.binary_search_by_key(&self.cursor, |one| one.start);
            (at.ok().map(|i| i + 1), all.len())
        })
    }

    /// Obeys a key: one of [`KEYS`], or one for the text to search for.
    pub fn key(&mut self, key: &KeyEvent) -> Effect {
        if key.kind == KeyEventKind::Release {
            return Effect::Draw;
        }
        if self.prompt.is_some() {
            return self.prompt_key(key);
        }
        Command::of(key).map_or(Effect::Draw, |command| self.apply(command))
    }

    /// Obeys a command.
    pub fn apply(&mut self, command: Command) -> Effect {
        let walk = Walk { lines: &self.lines };
        let at = self.cursor;
        let half = (self.rows / 2).max(1);
        let text = walk.text(at.row);
        let in_row = |col| Place { col, ..at };
        match command {
            Command::Left => {
                let before = clusters(text).take_while(|c| c.col < at.col).last();
                self.go(in_row(before.map_or(0, |c| c.col)));
            }
            Command::Right => {
                let next = clusters(text).find(|c| c.col > at.col);
                self.go(in_row(next.map_or(at.col, |c| c.col)));
            }
            Command::Up => self.go_rows(-1),
            Command::Down => self.go_rows(1),
            Command::NextWord => self.go(walk.next_word(at)),
            Command::PreviousWord => self.go(walk.previous_word(at)),
            Command::WordEnd => self.go(walk.word_end(at)),
            Command::LineStart => self.go(in_row(0)),
            Command::FirstCharacter => {
                let first = clusters(text).find(|c| c.text.trim() != "");
                self.go(in_row(first.map_or(0, |c| c.col)));
            }
            Command::LineEnd => {
                let end = cells(text.trim_end_matches(' '));
                self.go(in_row(end.saturating_sub(1)));
                self.wanted = u16::MAX;
            }
            Command::Top => self.go(Place { row: 0, col: 0 }),
            Command::Bottom => self.go(Place {
                row: self.lines.len(),
                col: 0,
            }),
            Command::ViewTop => self.go_to_row(self.top),
            Command::ViewMiddle => self.go_to_row(self.top + (self.rows - 1) / 2),
            Command::ViewBottom => self.go_to_row(self.top + self.rows - 1),
            Command::HalfPageUp => self.page(-(half as isize)),
            Command::HalfPageDown => self.page(half as isize),
            Command::PageUp => self.page(-(self.rows as isize)),
            Command::PageDown => self.page(self.rows as isize),
            Command::Select(kind) => {
                self.selection = match self.selection {
                    Some((_, same)) if same == kind => None,
                    Some((anchor, _)) => Some((anchor, kind)),
                    None => Some((at, kind)),
                };
            }
            Command::OtherEnd => {
                if let Some((anchor, _)) = &mut self.selection {
                    let other = std::mem::replace(anchor, at);
                    self.go(other);
                }
            }
            Command::SearchForward | Command::SearchBackward => {
                self.prompt = Some(Prompt {
                    text: String::new(),
                    backward: command == Command::SearchBackward,
                    before: (at, self.top),
                });
            }
            Command::NextMatch => return self.next_match(self.search.backward),
            Command::PreviousMatch => return self.next_match(!self.search.backward),
            Command::Copy => {
                let line = || self.text_of(self.line_of(at.row));
                return Effect::Copy(self.selected().unwrap_or_else(line));
            }
            Command::Accept => return self.selected().map_or(Effect::Leave, Effect::Copy),
            Command::Back if self.selection.is_some() => self.selection = None,
            Command::Back | Command::Leave => return Effect::Leave,
        }
        Effect::Draw
    }

    /// A button was pressed at a row and a column of the view. A second click selects the word, a third one the line.
    pub fn press(&mut self, row: u16, col: u16, clicks: u8) {
        let place = self.seen(i32::from(row), col);
        self.prompt = None;
        self.selection = None;
        self.pressed = Some(place);
        match clicks {
            0 | 1 => self.go(place),
            2 => {
                let (first, last) = Walk { lines: &self.lines }.word(place);
                self.selection = Some((first, Kind::Characters));
                self.go(last);
            }
            _ => {
                let line = self.line_of(place.row);
                let first = Place {
                    row: line.start,
                    col: 0,
                };
                self.selection = Some((first, Kind::Rows));
                self.go(Place {
                    row: line.end.saturating_sub(1),
                    col: 0,
                });
            }
        }
    }

    /// The mouse was moved with the button held. Rows above and below the view scroll it. `block` selects a
    /// rectangle.
    pub fn drag(&mut self, row: i32, col: u16, block: bool) {
        let place = self.seen(row, col);
        let Some(pressed) = self.pressed else {
            return;
        };
        if self.selection.is_none() && place != pressed {
            self.selection = Some((pressed, Kind::Characters));
        }
        if let Some((_, kind)) = &mut self.selection
            && *kind != Kind::Rows
        {
            *kind = if block { Kind::Block } else { Kind::Characters };
        }
        self.go(place);
    }

    /// The button was released: what is selected is copied.
    pub fn release(&mut self) -> Effect {
        self.pressed = None;
        self.selected().map_or(Effect::Draw, Effect::Copy)
    }

    /// Moves the view, up if positive; the cursor stays in it.
    pub fn scroll(&mut self, lines: isize) {
        let top = self.top.saturating_add_signed(lines.saturating_neg());
        self.top = top.min(self.last_top());
        let last = self.top + self.rows - 1;
        let row = self.cursor.row.clamp(self.top, last);
        self.go_to_row(row);
    }

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
    fn columns(
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

    fn text_of(&self, rows: std::ops::Range<usize>) -> String {
        let mut out = String::new();
        let end = rows.end;
        for (row, line) in self.rows_of(rows) {
            add_row(&mut out, &line.text, line.wrapped && row + 1 < end);
        }
        out.pop();
        out
    }

    /// The rows of the line that a row is part of.
    fn line_of(&self, row: usize) -> std::ops::Range<usize> {
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

    /// The first row of the newest view.
    fn last_top(&self) -> usize {
        self.lines.len().saturating_sub(self.rows)
    }

    /// The place at a row and a column of the view, which may lie outside of it.
    fn seen(&self, row: i32, col: u16) -> Place {
        let row = self.top.saturating_add_signed(row as isize);
        let row = row.min(self.lines.len().saturating_sub(1));
        Place { row, col }
    }

    /// Moves the cursor to a place or the nearest one where a character is, and the view with it.
    fn go(&mut self, place: Place) {
        let row = place.row.min(self.lines.len().saturating_sub(1));
        let text = Walk { lines: &self.lines }.text(row);
        let at = clusters(text).take_while(|c| c.col <= place.col).last();
        self.cursor = Place {
            row,
            col: at.map_or(0, |c| c.col),
        };
        self.wanted = self.cursor.col;
        self.show_cursor();
    }

    fn go_to_row(&mut self, row: usize) {
        let wanted = self.wanted;
        self.go(Place { row, col: wanted });
        self.wanted = wanted;
    }

    fn go_rows(&mut self, rows: isize) {
        self.go_to_row(self.cursor.row.saturating_add_signed(rows));
    }

    /// Moves view and cursor.
    fn page(&mut self, rows: isize) {
        let top = self.top.saturating_add_signed(rows);
        self.top = top.min(self.last_top());
        self.go_rows(rows);
    }

    fn show_cursor(&mut self) {
        let lowest = (self.cursor.row + 1).saturating_sub(self.rows);
        self.top = self.top.clamp(lowest, self.cursor.row.max(lowest));
        self.top = self.top.min(self.last_top());
        self.screen.set_scrollback(self.last_top() - self.top);
    }

    fn prompt_key(&mut self, key: &KeyEvent) -> Effect {
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

    fn next_match(&mut self, backward: bool) -> Effect {
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

#[cfg(test)]
mod tests;
