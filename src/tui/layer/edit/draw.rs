//! The editor on the screen. The text is drawn here, since lines of the editor's own widget have one colour.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use tui_textarea::DataCursor;
use unicode_width::UnicodeWidthChar;

use super::super::super::app::App;
use super::super::super::pane::text::{cells, clear, fill, middle, put, put_right};
use super::super::super::theme::{Mark, Role, Theme};
use super::{Question, State, near};
use crate::term::escape::{self, is_hidden};

/// Cells of a tab stop.
const TAB: usize = 4;

/// Where the parts of the editor are.
#[derive(Clone, Copy, Debug)]
pub struct Places {
    /// Line numbers and text.
    pub body: Rect,
    /// The text alone.
    pub text: Rect,
    /// Digits of a line number.
    digits: usize,
}

impl Places {
    /// On a screen of this size (columns, rows), for so many lines; empty where there is no room for any.
    pub fn new((columns, rows): (u16, u16), lines: usize) -> Self {
        let digits = lines.to_string().len();
        let fits = rows >= 3 && columns >= 10;
        let body = match fits {
            true => Rect::new(0, 1, columns, rows - 2),
            false => Rect::default(),
        };
        let gutter = u16::try_from(digits + 3).unwrap_or(columns).min(body.width);
        let text = Rect {
            x: gutter,
            width: body.width - gutter,
            ..body
        };
        Self { body, text, digits }
    }
}

impl State {
    /// The first row in sight.
    pub(super) fn first(&self, rows: usize) -> usize {
        match self.free {
            true => self.top,
            false => near(self.top, self.area.cursor().0, rows),
        }
    }

    /// Cells that are cut from the left.
    pub(super) fn cut(&self, columns: usize) -> usize {
        let DataCursor(row, column) = self.area.cursor();
        let line = self.area.lines().get(row);
        match self.free {
            true => self.left,
            false => near(
                self.left,
                line.map_or(0, |line| column_of(line, column)),
                columns,
            ),
        }
    }

    /// Draws it over the whole of `area`; gives the place of the cursor.
    pub fn draw(&self, app: &App, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let theme = &app.setup.theme;
        clear(buf, area);
        let lines = self.area.lines();
        let places = Places::new((area.width, area.height), lines.len());
        if places.body.is_empty() {
            return None;
        }
        self.draw_title(theme, Rect { height: 1, ..area }, buf);
        let bottom = Rect {
            y: area.bottom() - 1,
            height: 1,
            ..area
        };
        self.draw_bottom(theme, bottom, buf);
        let Places { body, text, digits } = places;
        let DataCursor(row, column) = self.area.cursor();
        let first = self.first(usize::from(body.height));
        let left = self.cut(usize::from(text.width));
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
            let number = format!("{mark} {:>digits$}", index + 1);
            put(buf, body, body.x, y, &number, style);
            let place = Rect {
                y,
                height: 1,
                ..text
            };
            self.draw_line(theme, (index, line), left, place, buf);
        }
        let at = lines.get(row).map_or(0, |line| column_of(line, column));
        let behind = |from: usize, place: usize, room: u16| {
            let behind = u16::try_from(place.checked_sub(from)?).ok()?;
            (behind < room).then_some(behind)
        };
        let cursor = Position::new(
            text.x + behind(left, at, text.width)?,
            body.y + behind(first, row, body.height)?,
        );
        self.question.is_none().then_some(cursor)
    }

    fn draw_line(
        &self,
        theme: &Theme,
        (row, line): (usize, &str),
        left: usize,
        place: Rect,
        buf: &mut Buffer,
    ) {
        let chosen = self.area.selection_range();
        let plain = theme.style(match self.failed == Some(row) {
            true => Role::Error,
            false => Role::Text,
        });
        let selected = theme.style(Role::Selected);
        let mut spans = self.colours.of(row).iter().peekable();
        let right = left + usize::from(place.width);
        let mut at = 0;
        for (index, (byte, letter)) in line.char_indices().enumerate() {
            if at >= right {
                break;
            }
            while spans.next_if(|(span, _)| span.end <= byte).is_some() {}
            let width = width_of(letter, at);
            let inside = chosen.is_some_and(|(from, to)| (row, index) >= from && (row, index) < to);
            let style = match spans.peek() {
                _ if inside => selected,
                Some((span, role)) if span.contains(&byte) => theme.style(*role),
                _ => plain,
            };
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

/// Cells of a character at a column; what cannot be drawn is drawn as one.
fn width_of(letter: char, at: usize) -> usize {
    match letter {
        '\t' => TAB - at % TAB,
        letter if letter.is_control() || is_hidden(letter) => 1,
        letter => letter.width().unwrap_or(0),
    }
}

/// The column at which a character of a line is drawn.
pub fn column_of(line: &str, character: usize) -> usize {
    line.chars()
        .take(character)
        .fold(0, |at, letter| at + width_of(letter, at))
}

/// The character of a line that is drawn at a column; the end of the line behind it.
pub fn character_at(line: &str, column: usize) -> usize {
    let mut at = 0;
    for (index, letter) in line.chars().enumerate() {
        at += width_of(letter, at);
        if at > column {
            return index;
        }
    }
    line.chars().count()
}
