//! A selection that is dragged over the upper or lower border of its pane: what is behind the border comes into sight
//! while the button is held, although the mouse does not move.

use ratatui::layout::Rect;

use super::super::layout::Pane;
use super::App;

/// Time between two steps, in milliseconds.
const STEP: i64 = 50;

/// Most rows of a step; it is as many as the mouse is away from the pane.
const FASTEST: i32 = 8;

/// Steps that change nothing until it ends: lines of a log may still be on their way.
const PATIENCE: u8 = 20;

/// The mouse is held beyond a border.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    pane: Pane,
    /// Rows above the pane (negative) or beneath it.
    rows: i32,
    /// The column in the pane.
    column: u16,
    /// When the next step is, in milliseconds since 1970.
    at: i64,
    /// Steps that have changed nothing.
    idle: u8,
}

impl App {
    /// The mouse is at a row of the screen with a selection of this pane in its hand.
    pub(super) fn hold_at_edge(&mut self, pane: Pane, place: Rect, row: u16, column: u16) {
        // At the border of the screen the mouse cannot go further.
        let first = place.y + u16::from(place.y > 0 || place.height > 1);
        let last = place.bottom().min(self.size.1.saturating_sub(1));
        let rows = if row < first {
            i32::from(row) - i32::from(first)
        } else if row >= last {
            i32::from(row) - i32::from(last) + 1
        } else {
            self.edge = None;
            return;
        };
        let before = self.edge.filter(|edge| edge.rows.signum() == rows.signum());
        self.edge = Some(Edge {
            pane,
            rows: rows.clamp(-FASTEST, FASTEST),
            column,
            at: before.map_or(self.now, |edge| edge.at),
            idle: 0,
        });
    }

    /// When the next step is.
    pub(super) fn edge_deadline(&self) -> Option<i64> {
        self.edge.map(|edge| edge.at)
    }

    /// Does a step if it is time to.
    pub(super) fn tick_edge(&mut self) {
        let Some(mut edge) = self.edge.filter(|edge| edge.at <= self.now) else {
            return;
        };
        self.edge = None;
        let shown = self.layout().place(edge.pane).is_some();
        if self.drag.is_none() || self.layer.is_some() || !shown {
            return;
        }
        let moved = match edge.pane {
            Pane::Shell => self
                .shell_mut()
                .is_some_and(|shell| shell.drag_beyond(edge.rows, edge.column)),
            Pane::Log => self
                .view_mut()
                .is_some_and(|view| view.log.mark_beyond(&view.build, edge.rows)),
            Pane::Happened => self
                .view_mut()
                .is_some_and(|view| view.happened.mark_beyond(edge.rows)),
            _ => return,
        };
        edge.idle = if moved { 0 } else { edge.idle + 1 };
        edge.at = self.now + STEP;
        if edge.idle < PATIENCE {
            self.edge = Some(edge);
        }
    }
}
