//! Text into cells: cut where there is no room, never half a character.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthChar;

use super::super::theme::{Role, Theme};
pub use crate::term::width::cells;

/// Writes `line` from column `x` of row `y`, inside of `area`; gives the column behind it. Colour sequences in it are
/// left out.
pub fn put(buf: &mut Buffer, area: Rect, x: u16, y: u16, line: &str, style: Style) -> u16 {
    if y < area.top() || y >= area.bottom() {
        return x;
    }
    let mut x = x;
    for letter in crate::term::width::characters(line) {
        let width = u16::try_from(letter.width().unwrap_or(0)).unwrap_or(0);
        if width == 0 {
            continue;
        }
        if x < area.left() || x.saturating_add(width) > area.right() {
            break;
        }
        if let Some(cell) = buf.cell_mut((x, y)) {
            cell.set_char(letter).set_style(style);
        }
        for behind in x + 1..x + width {
            if let Some(cell) = buf.cell_mut((behind, y)) {
                cell.reset();
                cell.set_symbol("").set_style(style);
            }
        }
        x += width;
    }
    x
}

/// Writes `line` so that it ends at the right border of `area`, if there is room behind `from`; gives the column
/// where it begins.
pub fn put_right(buf: &mut Buffer, area: Rect, from: u16, y: u16, line: &str, style: Style) -> u16 {
    let width = u16::try_from(cells(line)).unwrap_or(u16::MAX);
    let begin = area.right().saturating_sub(width);
    if begin < from || width > area.width {
        return area.right();
    }
    put(buf, area, begin, y, line, style);
    begin
}

/// Fills a row of `area` with one style.
pub fn fill(buf: &mut Buffer, area: Rect, y: u16, style: Style) {
    for x in area.left()..area.right() {
        if let Some(cell) = buf.cell_mut((x, y)) {
            cell.set_style(style);
        }
    }
}

/// Empties a part of the screen.
pub fn clear(buf: &mut Buffer, area: Rect) {
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            if let Some(cell) = buf.cell_mut((x, y)) {
                cell.reset();
            }
        }
    }
}

/// `text` in at most `room` cells, its end cut; reads no more of it than that.
pub fn cut(text: &str, room: usize, ellipsis: &str) -> String {
    let (mut out, mut used, mut end) = (String::new(), 0, 0);
    for letter in crate::term::width::characters(text) {
        used += letter.width().unwrap_or(0);
        if used > room {
            out.truncate(end);
            out.push_str(if room > 0 { ellipsis } else { "" });
            break;
        }
        out.push(letter);
        // Where a cut leaves room for the ellipsis.
        if used < room {
            end = out.len();
        }
    }
    out
}

/// `text` in at most `room` cells, shortened in its middle.
pub fn middle(text: &str, room: usize, ellipsis: &str) -> String {
    if cells(text) <= room {
        return text.to_owned();
    }
    let letters: Vec<char> = crate::term::width::characters(text).collect();
    let room = room.saturating_sub(1);
    let (mut head, mut used) = (String::new(), 0);
    for letter in &letters {
        used += letter.width().unwrap_or(0);
        if used > room.div_ceil(2) {
            break;
        }
        head.push(*letter);
    }
    let (mut tail, mut used) = (Vec::new(), 0);
    for letter in letters.iter().rev() {
        used += letter.width().unwrap_or(0);
        if used > room / 2 {
            break;
        }
        tail.push(*letter);
    }
    tail.reverse();
    format!("{head}{ellipsis}{}", tail.into_iter().collect::<String>())
}

/// Draws an empty box in the middle of `area` for `rows` rows of at most `widest` cells; gives its inside.
pub fn window(
    theme: &Theme,
    title: &str,
    widest: usize,
    rows: usize,
    area: Rect,
    buf: &mut Buffer,
) -> Rect {
    let width = u16::try_from(widest.max(cells(title) + 4) + 4)
        .unwrap_or(u16::MAX)
        .min(area.width);
    let height = u16::try_from(rows + 2).unwrap_or(u16::MAX).min(area.height);
    let outer = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    clear(buf, outer);
    let style = theme.style(Role::BorderFocus);
    let corner = if theme.ascii {
        ["+", "+", "+", "+"]
    } else {
        ["┌", "┐", "└", "┘"]
    };
    for x in outer.left()..outer.right() {
        for y in [outer.top(), outer.bottom().saturating_sub(1)] {
            if let Some(cell) = buf.cell_mut((x, y)) {
                cell.set_symbol(theme.horizontal()).set_style(style);
            }
        }
    }
    for y in outer.top()..outer.bottom() {
        for x in [outer.left(), outer.right().saturating_sub(1)] {
            if let Some(cell) = buf.cell_mut((x, y)) {
                cell.set_symbol(theme.vertical()).set_style(style);
            }
        }
    }
    let corners = [
        (outer.left(), outer.top()),
        (outer.right().saturating_sub(1), outer.top()),
        (outer.left(), outer.bottom().saturating_sub(1)),
        (
            outer.right().saturating_sub(1),
            outer.bottom().saturating_sub(1),
        ),
    ];
    for (place, symbol) in corners.into_iter().zip(corner) {
        if let Some(cell) = buf.cell_mut(place) {
            cell.set_symbol(symbol).set_style(style);
        }
    }
    if !title.is_empty() {
        put(
            buf,
            outer,
            outer.x + 2,
            outer.y,
            &format!(" {title} "),
            style,
        );
    }
    Rect {
        x: outer.x.saturating_add(2).min(outer.right()),
        y: outer.y.saturating_add(1).min(outer.bottom()),
        width: width.saturating_sub(4),
        height: height.saturating_sub(2),
    }
}
