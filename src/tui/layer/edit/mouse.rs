//! The mouse in the editor: a click puts the cursor, a drag selects, the wheel scrolls.

use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use tui_textarea::CursorMove;

use super::draw::Places;
use super::{State, draw, near};

/// Lines that the wheel scrolls.
const WHEEL: usize = 3;

impl State {
    /// Takes a mouse event on a screen of this size.
    pub fn mouse(&mut self, size: (u16, u16), event: MouseEvent) {
        let places = Places::new(size, self.area.lines().len());
        if self.question.is_some() || places.text.is_empty() {
            return;
        }
        let rows = usize::from(places.text.height);
        let last = self.area.lines().len().saturating_sub(1);
        match event.kind {
            MouseEventKind::ScrollDown | MouseEventKind::ScrollUp => {
                self.top = self.first(rows);
                self.top = match event.kind {
                    MouseEventKind::ScrollDown => {
                        (self.top + WHEEL).min((last + 1).saturating_sub(rows).max(self.top))
                    }
                    _ => self.top.saturating_sub(WHEEL),
                };
                self.free = true;
            }
            MouseEventKind::Down(MouseButton::Left) => {
                let extend = event.modifiers.contains(KeyModifiers::SHIFT);
                self.put_cursor(&places, event, extend);
            }
            MouseEventKind::Drag(MouseButton::Left) => self.put_cursor(&places, event, true),
            _ => {}
        }
        self.colours.read(self.area.lines(), self.top);
    }

    /// The cursor goes where the mouse is; beyond a border, a line further.
    fn put_cursor(&mut self, places: &Places, event: MouseEvent, select: bool) {
        let rows = usize::from(places.text.height);
        let first = self.first(rows);
        let last = self.area.lines().len().saturating_sub(1);
        let row = if event.row < places.text.y {
            first.saturating_sub(1)
        } else {
            first + usize::from(event.row - places.text.y).min(rows)
        };
        let row = row.min(last);
        let left = self.cut(usize::from(places.text.width));
        let cells = left + usize::from(event.column.saturating_sub(places.text.x));
        let lines = self.area.lines();
        let column = lines
            .get(row)
            .map_or(0, |line| draw::character_at(line, cells));
        match (select, self.area.is_selecting()) {
            (true, false) => self.area.start_selection(),
            (false, true) => self.area.cancel_selection(),
            _ => {}
        }
        let cut = |place: usize| u16::try_from(place).unwrap_or(u16::MAX);
        self.area
            .move_cursor(CursorMove::Jump(cut(row), cut(column)));
        (self.top, self.left) = (near(first, row, rows), left);
        self.free = false;
    }
}
