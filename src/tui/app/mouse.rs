//! The mouse: a click gives the keyboard, the wheel scrolls what is under it.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};

use super::super::action::Action;
use super::super::layout::Pane;
use super::super::msg::Effect;
use super::super::pane;
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
        let Some((pane, place)) = layout.at(event.column, event.row) else {
            return Vec::new();
        };
        match event.kind {
            MouseEventKind::Down(MouseButton::Left) => {
                // Before the focus changes the places of rows.
                let effects = match event.row.checked_sub(place.y + 1) {
                    Some(row) => self.click(pane, place.height - 1, row),
                    None => Vec::new(),
                };
                self.focus_on(pane);
                effects
            }
            MouseEventKind::ScrollDown => self.act_on(pane, Action::Down, 3),
            MouseEventKind::ScrollUp => self.act_on(pane, Action::Up, 3),
            _ => Vec::new(),
        }
    }

    /// A click into a row of a pane, from 0 beneath its title; the pane has so many.
    fn click(&mut self, pane: Pane, rows: u16, row: u16) -> Vec<Effect> {
        if pane == Pane::Sessions {
            return self.click_session(row);
        }
        if let Some(view) = self.view_mut() {
            match pane {
                Pane::Progress => pane::progress::click(view, rows, row),
                Pane::Timeline => pane::timeline::click(view, rows, row),
                _ => false,
            };
        }
        Vec::new()
    }

    /// An action for a pane that may not have the keyboard.
    fn act_on(&mut self, pane: Pane, action: Action, times: usize) -> Vec<Effect> {
        let focus = std::mem::replace(&mut self.focus, pane);
        let effects = (0..times).flat_map(|_| self.act(action)).collect();
        self.focus = focus;
        effects
    }
}
