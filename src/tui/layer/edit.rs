//! The Dockerfile in an editor on the whole screen.

use std::path::{Path, PathBuf};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use tui_textarea::{CursorMove, DataCursor, TextArea};
use unicode_width::UnicodeWidthChar;

use super::super::app::App;
use super::super::keymap::Key;
use super::super::msg::{Effect, NotWritten};
use super::super::pane::text::{cells, clear, fill, middle, put, put_right};
use super::super::theme::{Mark, Role, Theme};
use super::Then;
use crate::term::escape::{self, is_hidden};

/// Most bytes of a text; a Dockerfile is never near it.
pub const LARGEST: usize = 1 << 20;

/// Cells of a tab stop.
const TAB: usize = 4;

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
            top: failed.unwrap_or(0).saturating_sub(5),
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
        match key.code {
            KeyCode::Esc => return self.close(),
            KeyCode::Char('c' | 'q') if ctrl => return self.close(),
            KeyCode::Char('s') if ctrl => return self.save(false, false),
            KeyCode::Char('r') if ctrl => return self.save(true, false),
            KeyCode::Char('z' | 'u') if ctrl => {
                self.area.undo();
            }
            KeyCode::Char('y') if ctrl => {
                self.area.redo();
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
        self.top = top(self.top, self.area.cursor().0, page);
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
        self.area.insert_str(text);
        let page = usize::from(app.size.1.saturating_sub(3).max(1));
        self.top = top(self.top, self.area.cursor().0, page);
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

    /// Draws it over the whole of `area`.
    pub fn draw(&self, app: &App, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let theme = &app.setup.theme;
        clear(buf, area);
        if area.height < 3 || area.width < 10 {
            return None;
        }
        self.draw_title(theme, Rect { height: 1, ..area }, buf);
        let bottom = Rect {
            y: area.bottom() - 1,
            height: 1,
            ..area
        };
        self.draw_bottom(theme, bottom, buf);
        let lines = self.area.lines();
        let digits = lines.len().to_string().len();
        let gutter = u16::try_from(digits + 3).unwrap_or(area.width);
        let body = Rect {
            y: area.y + 1,
            height: area.height - 2,
            ..area
        };
        let text = Rect {
            x: body.x.saturating_add(gutter).min(body.right()),
            width: body.width.saturating_sub(gutter),
            ..body
        };
        let DataCursor(row, column) = self.area.cursor();
        let first = top(self.top, row, usize::from(body.height));
        let at = lines.get(row).map_or(0, |line| column_of(line, column));
        let left = (at + 1).saturating_sub(usize::from(text.width));
        for ((index, line), y) in lines
            .iter()
            .enumerate()
            .skip(first)
            .zip(body.top()..body.bottom())
        {
            let failed = self.failed == Some(index);
            let style = theme.style(match (failed, index == row) {
                (true, _) => Role::Error,
                (false, true) => Role::Accent,
                (false, false) => Role::Dim,
            });
            let mark = if failed {
                theme.glyph(Mark::Failed)
            } else {
                " "
            };
            put(
                buf,
                body,
                body.x,
                y,
                &format!("{mark} {:>digits$}", index + 1),
                style,
            );
            self.draw_line(
                theme,
                index,
                line,
                left,
                Rect {
                    y,
                    height: 1,
                    ..text
                },
                buf,
            );
        }
        let cursor = Position::new(
            text.x.saturating_add(u16::try_from(at - left).unwrap_or(0)),
            body.y
                .saturating_add(u16::try_from(row - first).unwrap_or(0)),
        );
        self.question.is_none().then_some(cursor)
    }

    fn draw_line(
        &self,
        theme: &Theme,
        row: usize,
        line: &str,
        left: usize,
        place: Rect,
        buf: &mut Buffer,
    ) {
        let chosen = self.area.selection_range();
        let plain = theme.style(Role::Text);
        let selected = theme.style(Role::Selected);
        let right = left + usize::from(place.width);
        let mut at = 0;
        for (index, letter) in line.chars().enumerate() {
            if at >= right {
                break;
            }
            let width = width_of(letter, at);
            let inside = chosen.is_some_and(|(from, to)| (row, index) >= from && (row, index) < to);
            let style = if inside { selected } else { plain };
            if at >= left && width > 0 {
                let x = place
                    .x
                    .saturating_add(u16::try_from(at - left).unwrap_or(u16::MAX));
                let mut bytes = [0; 4];
                let shown = match letter {
                    '\t' => "    ".get(..width).unwrap_or_default(),
                    letter if letter.is_control() || is_hidden(letter) => "?",
                    letter => letter.encode_utf8(&mut bytes),
                };
                put(buf, place, x, place.y, shown, style);
            }
            at += width;
        }
    }

    fn draw_title(&self, theme: &Theme, place: Rect, buf: &mut Buffer) {
        let border = theme.style(Role::BorderFocus);
        for x in place.left()..place.right() {
            put(buf, place, x, place.y, theme.horizontal(), border);
        }
        let state = match (self.changed(), self.failed) {
            (true, _) => " changed ".to_owned(),
            (false, Some(line)) => format!(" line {} failed ", line + 1),
            (false, None) => String::new(),
        };
        let path = escape::line(&self.path.to_string_lossy()).into_owned();
        let room = usize::from(place.width).saturating_sub(cells(&state) + 8);
        let path = format!(" {} ", middle(&path, room, theme.ellipsis()));
        let x = put(buf, place, place.x + 2, place.y, &path, border);
        let inside = Rect {
            width: place.width - 1,
            ..place
        };
        put_right(buf, inside, x, place.y, &state, theme.style(Role::Warn));
    }

    fn draw_bottom(&self, theme: &Theme, place: Rect, buf: &mut Buffer) {
        let question = match self.question {
            Some(Question::Discard) => " Throw the changes away? y/N ",
            Some(Question::Overwrite) => {
                " The file has changed on disk meanwhile: write over it? y/N "
            }
            None => "",
        };
        if !question.is_empty() {
            fill(buf, place, place.y, theme.style(Role::Bar));
            put(
                buf,
                place,
                place.x,
                place.y,
                question,
                theme.style(Role::Bar),
            );
            return;
        }
        let keys = [
            ("Ctrl-s", "save"),
            ("Ctrl-r", "save and build"),
            ("Ctrl-z", "undo"),
            ("Ctrl-y", "redo"),
            ("Esc", "close"),
        ];
        let mut x = put(
            buf,
            place,
            place.x + 1,
            place.y,
            "EDIT",
            theme.style(Role::Key),
        ) + 1;
        for (key, word) in keys {
            x = put(buf, place, x, place.y, key, theme.style(Role::Key)) + 1;
            x = put(buf, place, x, place.y, word, theme.style(Role::Text)) + 2;
        }
    }
}

/// The first row to show so that `row` is among `rows` of them.
fn top(top: usize, row: usize, rows: usize) -> usize {
    top.min(row).max((row + 1).saturating_sub(rows.max(1)))
}

/// Cells of a character at a column; what cannot be drawn is drawn as one.
fn width_of(letter: char, at: usize) -> usize {
    match letter {
        '\t' => TAB - at % TAB,
        letter if letter.is_control() || is_hidden(letter) => 1,
        letter => letter.width().unwrap_or(0),
    }
}

/// The column at which a character of a line is drawn.
fn column_of(line: &str, character: usize) -> usize {
    line.chars()
        .take(character)
        .fold(0, |at, letter| at + width_of(letter, at))
}
