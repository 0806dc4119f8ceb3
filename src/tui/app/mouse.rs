//! The mouse: a click gives the keyboard, the wheel scrolls what is under it.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};

use super::super::action::Action;
use super::super::layout::Pane;
use super::super::msg::Effect;
use super::App;

/// What the mouse holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drag {
    /// The upper border of a pane.
    Border(Pane),
    /// Text of a pane.
    Text(Pane),
}

impl App {
    pub(super) fn on_mouse(&mut self, event: MouseEvent) -> Vec<Effect> {
        let layout = self.layout();
        let Some((pane, _)) = layout.at(event.column, event.row) else {
            return Vec::new();
        };
        match event.kind {
            MouseEventKind::Down(MouseButton::Left) => self.focus_on(pane),
            MouseEventKind::ScrollDown => self.act_on(pane, Action::Down, 3),
            MouseEventKind::ScrollUp => self.act_on(pane, Action::Up, 3),
            _ => Vec::new(),
        }
    }

    /// An action for a pane that may not have the keyboard.
    fn act_on(&mut self, pane: Pane, action: Action, times: usize) -> Vec<Effect> {
        let focus = std::mem::replace(&mut self.focus, pane);
        let effects = (0..times).flat_map(|_| self.act(action)).collect();
        self.focus = focus;
        effects
    }
}
