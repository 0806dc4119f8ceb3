//! Lines to read: the answer of a command, what was said lately, how server and builder are.

use crossterm::event::KeyCode;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::keymap::Key;
use super::super::pane::text::{self, put, put_right};
use super::super::theme::{Role, Theme};
use super::Then;

/// The place in the lines.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Above them.
    pub title: String,
    /// Harmless, one each.
    pub lines: Vec<String>,
    /// The first that is shown.
    pub offset: usize,
}

impl State {
    /// At the beginning.
    pub fn new(title: impl Into<String>, lines: Vec<String>) -> Self {
        Self {
            title: title.into(),
            lines: lines.iter().map(|line| untabbed(line)).collect(),
            offset: 0,
        }
    }

    /// Moves, or closes.
    pub fn key(&mut self, key: Key, rows: u16) -> Then {
        let page = usize::from(rows.saturating_sub(4).max(1));
        let last = self.lines.len().saturating_sub(page);
        self.offset = match key.code {
            KeyCode::Char('j') | KeyCode::Down => self.offset + 1,
            KeyCode::Char('k') | KeyCode::Up => self.offset.saturating_sub(1),
            KeyCode::PageDown | KeyCode::Char(' ') => self.offset + page,
            KeyCode::PageUp => self.offset.saturating_sub(page),
            KeyCode::Home | KeyCode::Char('<') => 0,
            KeyCode::End | KeyCode::Char('G' | '>') => last,
            _ => return Then::Close,
        }
        .min(last);
        Then::Stay
    }

    /// Draws a box in the middle.
    pub fn draw(&self, theme: &Theme, area: Rect, buf: &mut Buffer) {
        let widest = self
            .lines
            .iter()
            .map(|line| text::cells(line))
            .max()
            .unwrap_or(0);
        let inner = text::window(theme, &self.title, widest, self.lines.len(), area, buf);
        let rows = self
            .lines
            .iter()
            .skip(self.offset)
            .take(usize::from(inner.height));
        for (line, y) in rows.zip(inner.top()..) {
            put(buf, inner, inner.x, y, line, theme.style(Role::Text));
        }
        let below = self
            .lines
            .len()
            .saturating_sub(self.offset + usize::from(inner.height));
        if below > 0 {
            let more = format!(" {below} more ");
            let border = Rect {
                y: inner.bottom(),
                height: 1,
                ..inner
            };
            put_right(
                buf,
                border,
                border.x,
                border.y,
                &more,
                theme.style(Role::Bar),
            );
        }
    }
}

/// With blanks in the place of tabs, as a terminal would show it.
fn untabbed(line: &str) -> String {
    const STOP: usize = 8;
    let mut parts = line.split('\t');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let blanks = STOP - text::cells(&out) % STOP;
        out.extend(std::iter::repeat_n(' ', blanks));
        out.push_str(part);
    }
    out
}
