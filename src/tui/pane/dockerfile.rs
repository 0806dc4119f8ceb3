//! PLACEHOLDER dockerfile.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::action::Action;
use super::super::session::{Build, View};
use super::{Look, Then};

/// The place in it.
#[derive(Clone, Debug, Default)]
pub struct State {}

impl State {
    /// A build has ended.
    pub fn begin(&mut self, _build: &Build) {}

    /// Shows a step.
    pub fn show_step(&mut self, _build: &Build, _step: usize) {}
}

/// Does what an action means here.
pub fn act(_view: &mut View, _action: Action, _rows: u16) -> Then {
    Then::Ignored
}

/// Draws it.
pub fn draw(_view: &View, _area: Rect, _buf: &mut Buffer, _look: &Look) {}

/// The title: left and right part.
pub fn title(_view: &View, _look: &Look) -> (String, String) {
    ("Dockerfile".to_owned(), String::new())
}
