//! Selecting with the mouse.

use super::text::{Place, Walk};
use super::{CopyMode, Effect, Kind};

impl CopyMode {
    /// A button was pressed at a row and a column of the view. A second click selects the word, a third one the line.
    pub fn press(&mut self, row: u16, col: u16, clicks: u8) {
        let place = self.seen(i32::from(row), col);
        self.prompt = None;
        self.selection = None;
        self.pressed = Some(place);
        match clicks {
            0 | 1 => self.go(place),
            2 => {
                let (first, last) = Walk { lines: &self.lines }.word(place);
                self.selection = Some((first, Kind::Characters));
                self.go(last);
            }
            _ => {
                let line = self.line_of(place.row);
                let first = Place {
                    row: line.start,
                    col: 0,
                };
                self.selection = Some((first, Kind::Rows));
                self.go(Place {
                    row: line.end.saturating_sub(1),
                    col: 0,
                });
            }
        }
    }

    /// The mouse was moved with the button held. Rows above and below the view scroll it. `block` selects a
    /// rectangle.
    pub fn drag(&mut self, row: i32, col: u16, block: bool) {
        let place = self.seen(row, col);
        let Some(pressed) = self.pressed else {
            return;
        };
        if self.selection.is_none() && place != pressed {
            self.selection = Some((pressed, Kind::Characters));
        }
        if let Some((_, kind)) = &mut self.selection
            && *kind != Kind::Rows
        {
            *kind = if block { Kind::Block } else { Kind::Characters };
        }
        self.go(place);
    }

    /// The mouse is held so many rows above (negative) or beneath the view; whether the view has moved.
    pub fn drag_beyond(&mut self, rows: i32, col: u16) -> bool {
        let before = self.top;
        let last = i32::try_from(self.rows).unwrap_or(i32::MAX) - 1;
        let row = if rows < 0 {
            rows
        } else {
            last.saturating_add(rows)
        };
        self.drag(row, col, false);
        self.top != before
    }

    /// The button was released: what is selected is copied.
    pub fn release(&mut self) -> Effect {
        self.pressed = None;
        self.selected().map_or(Effect::Draw, Effect::Copy)
    }

    /// The place at a row and a column of the view, which may lie outside of it.
    fn seen(&self, row: i32, col: u16) -> Place {
        let row = self.top.saturating_add_signed(row as isize);
        let row = row.min(self.lines.len().saturating_sub(1));
        Place { row, col }
    }
}
