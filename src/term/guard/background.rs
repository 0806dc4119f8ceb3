//! Blank cells that scrolling, inserting and deleting bring in have the background that is set. Programs count on it
//! (terminfo's `bce`); vt100 leaves them without one, so they are erased here once more.
//!
//! For that it must be known which rows scroll, so what vt100 does not tell is kept a second time.

use std::io::Write as _;
use std::ops::Range;

use super::emulator::Emulator;

/// Something that brings blank cells in, a number of them or of rows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Blanks {
    LineFeed,
    ReverseLineFeed,
    ScrollUp(u16),
    ScrollDown(u16),
    InsertLines(u16),
    DeleteLines(u16),
    InsertCells(u16),
    DeleteCells(u16),
}

/// What vt100 keeps of one of the two grids.
#[derive(Debug, Clone, Copy, Default)]
struct Grid {
    /// First and last row of the scroll region; all rows if none.
    region: Option<(u16, u16)>,
    origin: bool,
    saved_origin: bool,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Background {
    /// A background may be set. When it is not, nothing here costs anything.
    maybe: bool,
    main: Grid,
    alternate: Grid,
}

impl Background {
    /// A background may be set from here on.
    pub(super) fn may_be_set(&mut self) {
        self.maybe = true;
    }

    /// The size has changed.
    pub(super) fn resized(&mut self) {
        self.main.region = None;
        self.alternate.region = None;
    }
}

impl Emulator {
    fn grid(&mut self) -> &mut Grid {
        match self.caught.current().alternate_screen() {
            true => &mut self.background.alternate,
            false => &mut self.background.main,
        }
    }

    /// DECSTBM, with rows from 1; 0 is the first or the last one.
    pub(super) fn set_region(&mut self, top: u16, bottom: u16) {
        let (rows, _) = self.caught.size();
        let top = top.max(1) - 1;
        let bottom = if bottom == 0 { rows } else { bottom.min(rows) } - 1;
        self.grid().region = (top < bottom).then_some((top, bottom));
    }

    pub(super) fn set_origin(&mut self, on: bool) {
        self.grid().origin = on;
    }

    pub(super) fn save_origin(&mut self) {
        let grid = self.grid();
        grid.saved_origin = grid.origin;
    }

    pub(super) fn restore_origin(&mut self) {
        let grid = self.grid();
        grid.origin = grid.saved_origin;
        // The background comes back, too.
        self.background.maybe = true;
    }

    /// The alternate screen is entered anew.
    pub(super) fn clear_alternate(&mut self) {
        self.background.alternate = Grid::default();
    }

    /// Writes what brings blanks in, and gives these the background.
    pub(super) fn bring_in(&mut self, blanks: Blanks, bytes: &[u8]) {
        let cursor = self.coloured_cursor();
        self.caught.write(bytes);
        if let Some((row, col)) = cursor {
            self.colour(blanks, row, col);
        }
    }

    /// The cursor, if a background is set. In origin mode and behind the last column the cursor could not be brought
    /// back, so the blanks stay as they are.
    fn coloured_cursor(&mut self) -> Option<(u16, u16)> {
        if !self.background.maybe {
            return None;
        }
        let (_, cols) = self.caught.size();
        let screen = self.caught.current();
        self.background.maybe = screen.bgcolor() != vt100::Color::Default;
        let (row, col) = screen.cursor_position();
        let there = self.background.maybe && col < cols && !self.grid().origin;
        there.then_some((row, col))
    }

    fn colour(&mut self, blanks: Blanks, row: u16, col: u16) {
        let (rows, cols) = self.caught.size();
        let (top, bottom) = self.grid().region.unwrap_or((0, rows - 1));
        let end = bottom + 1;
        let inside = (top..end).contains(&row);
        let brought = match blanks {
            Blanks::LineFeed if row == bottom => bottom..end,
            Blanks::ReverseLineFeed if row == top => top..top + 1,
            Blanks::ScrollUp(n) => end.saturating_sub(n).max(top)..end,
            Blanks::ScrollDown(n) => top..top.saturating_add(n).min(end),
            Blanks::InsertLines(n) if inside => row..row.saturating_add(n).min(end),
            Blanks::DeleteLines(n) if inside => end.saturating_sub(n).max(row)..end,
            Blanks::InsertCells(n) => {
                let _ = write!(self.caught.pending(), "\x1b[{n}X");
                return;
            }
            Blanks::DeleteCells(n) => {
                let first = cols.saturating_sub(n).max(col) + 1;
                let out = self.caught.pending();
                let _ = write!(out, "\x1b[{first}G\x1b[K\x1b[{}G", col + 1);
                return;
            }
            _ => return,
        };
        self.erase_rows(brought, row, col);
    }

    fn erase_rows(&mut self, rows: Range<u16>, row: u16, col: u16) {
        let out = self.caught.pending();
        for brought in rows {
            let _ = write!(out, "\x1b[{}H\x1b[2K", brought + 1);
        }
        let _ = write!(out, "\x1b[{};{}H", row + 1, col + 1);
    }
}
