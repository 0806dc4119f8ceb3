//! The panes: each file draws one from the state and says what keys do in it. They hold places (what is selected, how
//! far it is scrolled), never the build's truth.

use super::keymap::Keymap;
use super::layout::Pane;
use super::msg::Effect;
use super::theme::Theme;
use super::zone::Zone;

pub mod dockerfile;
pub mod happened;
pub mod log;
pub mod marked;
pub mod progress;
pub mod scroll;
pub mod sessions;
pub mod shell;
pub mod span;
pub mod text;
pub mod timeline;
pub mod wrap;

/// What drawing needs besides the state.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// How things look.
    pub theme: &'a Theme,
    /// For the keys that are named.
    pub keymap: &'a Keymap,
    /// The pane has the keyboard.
    pub focused: bool,
    /// Milliseconds since 1970.
    pub now: i64,
    /// For times of day.
    pub zone: &'a Zone,
}

/// What a pane makes of an action.
#[derive(Debug)]
pub enum Then {
    /// It is not for this pane.
    Ignored,
    /// It is done.
    Done,
    /// And this is to be done in the world.
    Effects(Vec<Effect>),
    /// The keyboard goes to another pane.
    Focus(Pane),
    /// This text goes into the clipboard.
    Copy(String),
    /// A line for the user.
    Say(String),
}
