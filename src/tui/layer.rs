//! What is in front of the panes: questions, lists, lines to read, the command line, help, the editor.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::action::Action;
use super::app::{App, Yes};
use super::keymap::Key;
use super::msg::Effect;

pub mod choose;
pub mod lines;

/// What is in front.
#[derive(Debug)]
pub enum Layer {
    /// A question in the bottom line.
    Ask {
        /// Without its choices.
        question: String,
        /// What yes does.
        yes: Yes,
    },
    /// Lines to read.
    Lines(lines::State),
    /// One of a list.
    Choose(choose::State),
}

/// What a layer makes of a key.
#[derive(Debug)]
pub enum Then {
    /// It stays.
    Stay,
    /// It goes.
    Close,
    /// It goes, and this is done.
    Act(Action),
    /// It goes, and the answer was yes.
    Yes(Yes),
    /// Another one takes its place.
    Replace(Box<Layer>),
    /// It stays, and this is to be done.
    Effects(Vec<Effect>),
    /// It goes, and this is to be done.
    Finish(Vec<Effect>),
}

impl Layer {
    /// The question on which platform.
    pub fn platforms(platforms: Vec<String>) -> Self {
        Self::Choose(choose::State::new(
            "shell on which platform?",
            platforms,
            choose::What::Platform,
        ))
    }

    /// Takes a key. The app has no layer while this runs.
    pub fn key(&mut self, app: &mut App, key: Key, _event: KeyEvent) -> Then {
        match self {
            Self::Ask { yes, .. } => match key.code {
                KeyCode::Char('y' | 'Y') => Then::Yes(yes.clone()),
                // Everything else is no: the safe answer.
                _ => Then::Close,
            },
            Self::Lines(state) => state.key(key, app.size.1),
            Self::Choose(state) => state.key(app, key),
        }
    }

    /// Takes pasted text.
    pub fn paste(&mut self, _text: &str) {}

    /// Draws it over the panes of `area`; the footer is `footer`. Gives the place of the cursor if it has one.
    pub fn draw(
        &self,
        app: &App,
        area: Rect,
        footer: Option<Rect>,
        buf: &mut Buffer,
    ) -> Option<Position> {
        match self {
            // Drawn by the footer.
            Self::Ask { .. } => None,
            Self::Lines(state) => {
                state.draw(&app.setup.theme, area, buf);
                None
            }
            Self::Choose(state) => {
                let _ = footer;
                state.draw(&app.setup.theme, area, buf);
                None
            }
        }
    }
}
