//! One line of text that is typed.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use tui_textarea::{CursorMove, TextArea};
use unicode_width::UnicodeWidthChar;

use super::super::keymap::Key;
use super::super::pane::text::put;
use crate::term::escape::is_hidden;

/// Most characters of a line; what is typed or pasted beyond them is not taken.
const LONGEST: usize = 4096;

/// The line and its cursor.
#[derive(Clone, Debug, Default)]
pub struct Field {
    area: TextArea<'static>,
}

impl Field {
    /// With `text`, the cursor behind it.
    pub fn new(text: &str) -> Self {
        let mut field = Self::default();
        field.set(text);
        field
    }

    /// What is in it.
    pub fn text(&self) -> &str {
        self.area.lines().first().map_or("", String::as_str)
    }

    /// The cursor, as an index of the text's bytes.
    pub fn at(&self) -> usize {
        let text = self.text();
        text.char_indices()
            .nth(self.area.cursor().1)
            .map_or(text.len(), |(index, _)| index)
    }

    /// Whether the cursor is behind the text.
    pub fn at_end(&self) -> bool {
        self.at() == self.text().len()
    }

    /// Takes other text in its place, the cursor behind it.
    pub fn set(&mut self, text: &str) {
        self.area = TextArea::new(vec![plain(text, LONGEST)]);
        self.area.move_cursor(CursorMove::End);
    }

    /// Puts `text` in the place of the bytes from `from` up to the cursor.
    pub fn replace(&mut self, from: usize, text: &str) {
        let (line, at) = (self.text(), self.at());
        let (Some(before), Some(behind)) = (line.get(..from.min(at)), line.get(at..)) else {
            return;
        };
        let head = format!("{before}{text}");
        let column = head.chars().count();
        let whole = format!("{head}{behind}");
        self.area = TextArea::new(vec![plain(&whole, LONGEST)]);
        let column = u16::try_from(column).unwrap_or(u16::MAX);
        self.area.move_cursor(CursorMove::Jump(0, column));
    }

    /// Takes a key; whether the text is another one now.
    pub fn key(&mut self, key: Key, event: KeyEvent) -> bool {
        let ctrl = key.modifiers == KeyModifiers::CONTROL;
        match key.code {
            KeyCode::Char('u') if ctrl => self.area.delete_line_by_head(),
            KeyCode::Char('k') if ctrl => self.area.delete_line_by_end(),
            KeyCode::Char(letter) if !ctrl && is_hidden(letter) => false,
            // Lines end here; and what lists do with these keys is not meant.
            KeyCode::Enter | KeyCode::Tab | KeyCode::PageUp | KeyCode::PageDown => false,
            KeyCode::Char('m' | 'j' | 'r' | 'v' | 'x' | 'c') if ctrl => false,
            KeyCode::Char(_) if !ctrl && self.full() => false,
            _ => self.area.input(event),
        }
    }

    /// Takes pasted text; line ends become blanks.
    pub fn paste(&mut self, text: &str) {
        let room = LONGEST.saturating_sub(self.text().chars().count());
        self.area.insert_str(plain(text, room));
    }

    fn full(&self) -> bool {
        self.text().chars().count() >= LONGEST
    }

    /// Draws the line in the first row of `area`, around the cursor when it does not fit, and `ghost` behind it; gives
    /// the place of the cursor.
    pub fn draw(
        &self,
        area: Rect,
        buf: &mut Buffer,
        style: Style,
        ghost: Option<(&str, Style)>,
    ) -> Position {
        let width = |letter: char| letter.width().unwrap_or(0);
        let text = self.text();
        let before = text.get(..self.at()).unwrap_or_default();
        let room = usize::from(area.width.saturating_sub(1));
        let mut left: usize = before.chars().map(width).sum();
        let mut start = 0;
        for letter in before.chars() {
            if left <= room {
                break;
            }
            left -= width(letter);
            start += letter.len_utf8();
        }
        let shown = text.get(start..).unwrap_or_default();
        let end = put(buf, area, area.x, area.y, shown, style);
        if let Some((ghost, style)) = ghost {
            put(buf, area, end, area.y, ghost, style);
        }
        let left = u16::try_from(left).unwrap_or(area.width);
        Position::new(area.x.saturating_add(left), area.y)
    }
}

/// At most `most` characters of `text`, harmless and on one line.
fn plain(text: &str, most: usize) -> String {
    text.chars()
        .map(|letter| match letter {
            '\n' | '\r' | '\t' => ' ',
            letter => letter,
        })
        .filter(|letter| !letter.is_control() && !is_hidden(*letter))
        .take(most)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::app::App;
    use super::*;

    fn type_into(field: &mut Field, code: KeyCode, modifiers: KeyModifiers) -> bool {
        field.key(Key::new(code, modifiers), App::press(code, modifiers))
    }

    #[test]
    fn one_line_whatever_comes() {
        let mut field = Field::new("a\nb\x1b[2J");
        assert_eq!(field.text(), "a b[2J");
        field.set("é");
        field.paste("x\r\ny");
        assert_eq!(field.text(), "éx  y");
        for code in [KeyCode::Enter, KeyCode::Char('\u{202e}')] {
            assert!(!type_into(&mut field, code, KeyModifiers::NONE));
        }
        assert!(!type_into(
            &mut field,
            KeyCode::Char('j'),
            KeyModifiers::CONTROL
        ));
        assert_eq!(field.text(), "éx  y");
        field.paste(&"z".repeat(1 << 20));
        assert_eq!(field.text().chars().count(), LONGEST);
        assert!(!type_into(
            &mut field,
            KeyCode::Char('q'),
            KeyModifiers::NONE
        ));
    }

    #[test]
    fn a_word_is_replaced_before_the_cursor() {
        let mut field = Field::new("kill ab --x");
        for _ in 0..4 {
            type_into(&mut field, KeyCode::Left, KeyModifiers::NONE);
        }
        assert_eq!(field.at(), 7);
        field.replace(5, "abcdé");
        assert_eq!((field.text(), field.at()), ("kill abcdé --x", 11));
        type_into(&mut field, KeyCode::Char('u'), KeyModifiers::CONTROL);
        assert_eq!(field.text(), " --x");
    }

    #[test]
    fn the_cursor_is_always_in_sight() {
        let area = Rect::new(2, 0, 5, 1);
        for (text, column) in [("", 2), ("abc", 5), ("abcdefgh", 6), ("日本語日本", 6)] {
            let mut buf = Buffer::empty(Rect::new(0, 0, 10, 1));
            let at = Field::new(text).draw(area, &mut buf, Style::new(), None);
            assert_eq!((at.x, at.y), (column, 0), "{text}");
        }
    }
}
