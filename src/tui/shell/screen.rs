//! The cells of a [`vt100::Screen`] → a part of ratatui's buffer.
//!
//! The program's colours and attributes are its own: no theme and no `NO_COLOR` applies to them, only what the real
//! terminal can show ([`colour`]). Each cell is told its width, so that ratatui and the real terminal never
//! disagree with vt100 about how far a character reaches.

pub mod colour;

use std::num::NonZeroU16;

use ratatui::buffer::{Buffer, Cell, CellDiffOption};
use ratatui::layout::{Position, Rect};
use ratatui::style::{Color, Modifier, Style};
use vt100::CursorStyle;

use colour::Depth;

const NARROW: CellDiffOption = CellDiffOption::ForcedWidth(NonZeroU16::MIN);
const WIDE: CellDiffOption = CellDiffOption::ForcedWidth(NonZeroU16::MIN.saturating_add(1));

/// The cursor that a screen is painted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cursor {
    /// Where the program has it, unless the program hides it or the view is scrolled back.
    #[default]
    Program,
    /// At a row and a column of the view, as in copy mode.
    At(u16, u16),
}

/// How a screen is painted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Look {
    pub cursor: Cursor,
    /// What is in the upper left corner if the cursor is seen from there: see [`corner`].
    pub from: (u16, u16),
    /// The colours that the real terminal can show.
    pub depth: Depth,
    /// The area beyond the grid, when that is smaller: a character and its style. A blank by default.
    pub outside: Option<(char, Style)>,
}

/// A part of one row of the view that is shown differently: selected, or found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The row of the view, from 0.
    pub row: u16,
    /// The first column, and the one behind the last.
    pub columns: std::ops::Range<u16>,
    /// What it changes in the cells' own style.
    pub style: Style,
}

/// What came of painting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Painted {
    /// The cell of the view in the upper left corner of the area: row and column. Not 0 where the grid is larger
    /// than the area and the cursor would not be seen.
    pub origin: (u16, u16),
    /// Where the real cursor belongs, and its shape. It is not painted.
    pub cursor: Option<(Position, CursorStyle)>,
}

/// Paints the screen's view (scrolled back as it is) into the part of `area` that lies in the buffer. A grid that
/// is larger is cut, around the cursor if that would not be seen.
pub fn paint(screen: &vt100::Screen, area: Rect, buffer: &mut Buffer, look: &Look) -> Painted {
    let area = area.intersection(buffer.area);
    if area.is_empty() {
        return Painted::default();
    }
    let rows = screen.size().0.get();
    let (top, left) = corner(screen, look.cursor, look.from, (area.height, area.width));
    let cursor = cursor(screen, look.cursor);

    let width = buffer.area.width;
    let inner = usize::from(area.x - buffer.area.x);
    let lines = buffer
        .content
        .chunks_exact_mut(usize::from(width))
        .skip(usize::from(area.y - buffer.area.y))
        .take(usize::from(area.height));
    let mut style = Styles::new(look.depth);
    for (line, row) in lines.zip(top..) {
        let cells = line.iter_mut().skip(inner).take(usize::from(area.width));
        if row < rows {
            paint_row(screen, row, left, cells, &mut style, look);
        } else {
            cells.for_each(|cell| blank(cell, look));
        }
    }
    let cursor = cursor
        .filter(|(row, col)| {
            (top..top.saturating_add(area.height)).contains(row)
                && (left..left.saturating_add(area.width)).contains(col)
        })
        .map(|(row, col)| {
            let position = Position::new(area.x + (col - left), area.y + (row - top));
            (position, screen.cursor_style())
        });
    Painted {
        origin: (top, left),
        cursor,
    }
}

/// Shows parts of what was painted differently. A wide character is marked as a whole.
pub fn mark(painted: &Painted, area: Rect, buffer: &mut Buffer, marks: &[Mark]) {
    let shown = area.intersection(buffer.area);
    let (top, left) = painted.origin;
    for mark in marks {
        let Some(row) = mark.row.checked_sub(top).filter(|row| *row < shown.height) else {
            continue;
        };
        let start = mark.columns.start.saturating_sub(left).min(shown.width);
        let mut end = mark.columns.end.saturating_sub(left).min(shown.width);
        let y = shown.y + row;
        if start > 0 && start < end && is_wide(buffer, shown.x + start - 1, y) {
            set(buffer, shown.x + start - 1, y, mark.style);
        }
        if end > start && end < shown.width && is_wide(buffer, shown.x + end - 1, y) {
            end += 1;
        }
        for x in start..end {
            set(buffer, shown.x + x, y, mark.style);
        }
    }
}

fn is_wide(buffer: &Buffer, x: u16, y: u16) -> bool {
    buffer
        .cell((x, y))
        .is_some_and(|cell| cell.diff_option == WIDE)
}

fn set(buffer: &mut Buffer, x: u16, y: u16, style: Style) {
    if let Some(cell) = buffer.cell_mut((x, y)) {
        cell.set_style(style);
    }
}

/// The cursor's row and column within the view.
fn cursor(screen: &vt100::Screen, cursor: Cursor) -> Option<(u16, u16)> {
    let (rows, cols) = screen.size();
    let (row, col) = match cursor {
        Cursor::At(row, col) => (row, col),
        Cursor::Program if screen.hide_cursor() || screen.scrollback() > 0 => return None,
        Cursor::Program => screen.cursor_position(),
    };
    // Behind the last column it waits for the next character; terminals show it on the last one.
    Some((row.min(rows.get() - 1), col.min(cols.get() - 1)))
}

/// The row and column of the view that are in the upper left corner of a `room` of so many rows and columns. Where the
/// grid is larger, they are `from` if the cursor is seen from there, else as near to it as possible.
pub fn corner(
    screen: &vt100::Screen,
    at: Cursor,
    from: (u16, u16),
    room: (u16, u16),
) -> (u16, u16) {
    let (rows, cols) = screen.size();
    let (row, col) = cursor(screen, at).unwrap_or_default();
    (
        first_shown(row, from.0, rows.get(), room.0),
        first_shown(col, from.1, cols.get(), room.1),
    )
}

fn first_shown(cursor: u16, from: u16, length: u16, room: u16) -> u16 {
    let last = length.saturating_sub(room);
    let least = (cursor + 1).saturating_sub(room);
    from.max(least).min(cursor).min(last)
}

fn paint_row<'a>(
    screen: &vt100::Screen,
    row: u16,
    left: u16,
    cells: impl Iterator<Item = &'a mut Cell>,
    styles: &mut Styles,
    look: &Look,
) {
    let mut cells = cells.zip(left..);
    while let Some((cell, col)) = cells.next() {
        let Some(source) = screen.cell(row, col) else {
            blank(cell, look);
            continue;
        };
        styles.apply(source, cell);
        cell.diff_option = NARROW;
        if source.is_wide() {
            // Its other half belongs to it; without room for that the character cannot be shown.
            if let Some((half, _)) = cells.next() {
                cell.set_symbol(source.contents());
                cell.diff_option = WIDE;
                styles.apply(source, half);
                half.set_symbol(" ");
                half.diff_option = NARROW;
            } else {
                cell.set_symbol(" ");
            }
        } else if source.has_contents() && !source.is_wide_continuation() {
            cell.set_symbol(source.contents());
        } else {
            cell.set_symbol(" ");
        }
    }
}

fn blank(cell: &mut Cell, look: &Look) {
    cell.reset();
    if let Some((symbol, style)) = look.outside {
        cell.set_char(symbol);
        cell.set_style(style);
    }
}

/// Translates colours and attributes; neighbours mostly have the same ones.
struct Styles {
    depth: Depth,
    last: [(vt100::Color, Color); 2],
}

impl Styles {
    fn new(depth: Depth) -> Self {
        Styles {
            depth,
            last: [(vt100::Color::Default, Color::Reset); 2],
        }
    }

    fn apply(&mut self, source: &vt100::Cell, cell: &mut Cell) {
        let [front, back] = &mut self.last;
        for (last, given) in [(front, source.fgcolor()), (back, source.bgcolor())] {
            if last.0 != given {
                *last = (given, self.depth.show(given));
            }
        }
        let [(_, front), (_, back)] = self.last;
        cell.fg = front;
        cell.bg = back;
        cell.underline_color = Color::Reset;
        let mut modifier = Modifier::empty();
        if !source.has_contents() && !source.is_wide_continuation() {
            // vt100 erases with all attributes, terminals with the background alone.
            cell.modifier = modifier;
            return;
        }
        modifier.set(Modifier::BOLD, source.bold());
        modifier.set(Modifier::DIM, source.dim());
        modifier.set(Modifier::ITALIC, source.italic());
        modifier.set(Modifier::UNDERLINED, source.underline());
        modifier.set(Modifier::REVERSED, source.inverse());
        cell.modifier = modifier;
    }
}

#[cfg(test)]
mod tests;
