//! One of a list.

use crossterm::event::KeyCode;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::app::App;
use super::super::keymap::Key;
use super::super::pane::text::{self, put};
use super::super::theme::{Role, Theme};
use super::Then;

/// What is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A platform for a shell.
    Platform,
}

/// The place in the list.
#[derive(Clone, Debug)]
pub struct State {
    title: String,
    items: Vec<String>,
    at: usize,
    what: What,
}

impl State {
    /// At the first item.
    pub fn new(title: impl Into<String>, items: Vec<String>, what: What) -> Self {
        Self {
            title: title.into(),
            items,
            at: 0,
            what,
        }
    }

    /// Moves, chooses, or closes.
    pub fn key(&mut self, app: &mut App, key: Key) -> Then {
        let last = self.items.len().saturating_sub(1);
        match key.code {
            KeyCode::Char('j') | KeyCode::Down => self.at = (self.at + 1).min(last),
            KeyCode::Char('k') | KeyCode::Up => self.at = self.at.saturating_sub(1),
            KeyCode::Enter => {
                let Some(item) = self.items.get(self.at).cloned() else {
                    return Then::Close;
                };
                return match self.what {
                    What::Platform => Then::Finish(app.shell_on(item)),
                };
            }
            _ => return Then::Close,
        }
        Then::Stay
    }

    /// Draws a box in the middle.
    pub fn draw(&self, theme: &Theme, area: Rect, buf: &mut Buffer) {
        let widest = self
            .items
            .iter()
            .map(|item| text::cells(item) + 2)
            .max()
            .unwrap_or(0);
        let inner = text::window(theme, &self.title, widest, self.items.len(), area, buf);
        let first = self
            .at
            .saturating_sub(usize::from(inner.height.saturating_sub(1)));
        let rows = self.items.iter().enumerate().skip(first);
        for ((index, item), y) in rows.zip(inner.top()..inner.bottom()) {
            let here = index == self.at;
            let style = theme.style(if here { Role::Selected } else { Role::Text });
            let pointer = if here { theme.pointer() } else { " " };
            put(buf, inner, inner.x, y, &format!("{pointer} {item}"), style);
        }
    }
}
