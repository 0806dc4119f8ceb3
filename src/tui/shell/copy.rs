//! Copy mode: a person looks around in a frozen screen with its scrollback, searches, selects and copies, while the
//! program goes on behind it.
//!
//! State and a command or a key make new state and an [`Effect`]; nothing else happens here.

mod command;
mod mouse;
mod prompt;
mod search;
mod selection;
mod text;

use crossterm::event::{KeyEvent, KeyEventKind};

pub use command::{COMMANDS, Command, Kind, Spec};
pub use search::Match;
pub use text::Place;

use crate::term::guard::{self, Line};
use ratatui::style::Style;
use text::{Walk, cells, clusters};

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
    /// What a pane that is smaller than the grid had in its corner when the mouse was there last: the text must not move
    /// away under it. See [`super::screen::corner`].
    pub corner: (u16, u16),
}

impl CopyMode {
    /// Freezes a screen as it is, scrolled back or not. It copies the scrollback twice, which takes
    /// tens of milliseconds for 10,000 long lines.
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
            corner: (0, 0),
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

    /// Obeys a key: one of [`COMMANDS`], or one for the text to search for.
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

    /// Moves the view, up if positive; the cursor stays in it.
    pub fn scroll(&mut self, lines: isize) {
        let top = self.top.saturating_add_signed(lines.saturating_neg());
        self.top = top.min(self.last_top());
        let last = self.top + self.rows - 1;
        let row = self.cursor.row.clamp(self.top, last);
        self.go_to_row(row);
    }

    /// The first row of the newest view.
    fn last_top(&self) -> usize {
        self.lines.len().saturating_sub(self.rows)
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
}

#[cfg(test)]
mod tests;
