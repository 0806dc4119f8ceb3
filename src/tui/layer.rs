//! What is in front of the panes: questions, lists, lines to read, prompts, help, the editor.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::action::Action;
use super::app::{App, Yes};
use super::keymap::Key;
use super::msg::Effect;

pub mod choose;
pub mod edit;
pub mod field;
pub mod form;
pub mod fuzzy;
pub mod help;
pub mod lines;
pub mod past;
pub mod pick;
pub mod prompt;
pub mod which;

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
    /// One of a short list.
    Choose(choose::State),
    /// A line that is typed.
    Prompt(prompt::State),
    /// One of a long list.
    Pick(pick::State),
    /// The keys.
    Help(help::State),
    /// A build to start.
    Form(Box<form::State>),
    /// The Dockerfile.
    Edit(edit::State),
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
    /// It stays, and this is to be done.
    Effects(Vec<Effect>),
    /// It goes, and this is to be done.
    Finish(Vec<Effect>),
}

impl Then {
    /// The effect where the layer stays and nothing else is to be done.
    fn or(self, effect: impl FnOnce() -> Option<Effect>) -> Self {
        match self {
            Self::Stay => effect().map_or(Self::Stay, |effect| Self::Effects(vec![effect])),
            then => then,
        }
    }
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

    /// Whether it leaves the last word in the bottom row to itself, so that nothing else may cover it.
    pub fn covers_toasts(&self) -> bool {
        matches!(self, Self::Prompt(_) | Self::Edit(_))
    }

    /// Whether up and down move in it.
    pub fn scrolls(&self) -> bool {
        matches!(self, Self::Lines(_) | Self::Pick(_) | Self::Help(_))
    }

    /// Takes a key. The app has no layer while this runs.
    pub fn key(&mut self, app: &mut App, key: Key, event: KeyEvent) -> Then {
        match self {
            Self::Ask { yes, .. } => match key.code {
                KeyCode::Char('y' | 'Y') => Then::Yes(yes.clone()),
                // Everything else is no: the safe answer.
                _ => Then::Close,
            },
            Self::Lines(state) => state.key(key, app.size.1),
            Self::Choose(state) => state.key(app, key),
            Self::Prompt(state) => state.key(app, key, event),
            Self::Pick(state) => state.key(app, key, event),
            Self::Help(state) => state.key(app, key, event),
            Self::Form(state) => state.key(app, key, event),
            Self::Edit(state) => state.key(app, key, event),
        }
    }

    /// Takes pasted text, and says what is to be done then. The app has no layer while this runs.
    pub fn paste(&mut self, app: &mut App, text: &str) -> Option<Effect> {
        match self {
            Self::Ask { .. } | Self::Lines(_) | Self::Choose(_) => {}
            Self::Prompt(state) => return state.paste(app, text),
            Self::Pick(state) => state.paste(text),
            Self::Help(state) => state.paste(text),
            Self::Form(state) => return state.paste(app, text),
            Self::Edit(state) => state.paste(app, text),
        }
        None
    }

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
                state.draw(&app.setup.theme, area, buf);
                None
            }
            Self::Prompt(state) => state.draw(app, area, buf),
            Self::Pick(state) => state.draw(app, area, buf),
            Self::Help(state) => state.draw(app, area, footer, buf),
            Self::Form(state) => state.draw(app, area, buf),
            Self::Edit(state) => state.draw(app, area, buf),
        }
    }
}

#[cfg(test)]
mod tests;
