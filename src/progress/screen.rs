//! A block of lines on a terminal that is redrawn in place: only lines that changed are written, in one write that
//! terminals show at once (synchronized update, DEC mode 2026). The cursor rests below the block.
//!
//! Lines must be narrower than the terminal. When its width changes, most terminals wrap the lines anew; how
//! many rows the block takes then is computed from its lines.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar;

use crate::term::width;

/// Columns and rows of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Cells of a line.
    pub cols: usize,
    /// Lines.
    pub rows: usize,
}

/// The size of the terminal on standard error; 80 columns and 24 rows if it does not tell.
pub fn size() -> Size {
    let size = rustix::termios::tcgetwinsize(std::io::stderr()).ok();
    let size = size.filter(|s| s.ws_col > 0 && s.ws_row > 0);
    size.map_or(Size { cols: 80, rows: 24 }, |s| Size {
        cols: usize::from(s.ws_col),
        rows: usize::from(s.ws_row),
    })
}

const BEGIN: &str = "\x1b[?2026h\x1b[?25l";
const END: &str = "\x1b[?25h\x1b[?2026l";

/// What stands on the terminal.
#[derive(Debug, Default)]
pub struct Screen {
    lines: Vec<String>,
    size: Option<Size>,
}

impl Screen {
    /// The bytes that turn what stands on the terminal into `lines`. Empty if that is the same. There must be
    /// fewer lines than the terminal has rows.
    pub fn update(&mut self, lines: Vec<String>, size: Size) -> String {
        let resized = self.size.is_some_and(|old| old != size);
        let same = self.lines.iter().zip(&lines).take_while(|(a, b)| a == b);
        let first = if resized { 0 } else { same.count() };
        if first == lines.len() && first == self.lines.len() {
            self.size = Some(size);
            return String::new();
        }
        let mut out = String::from(BEGIN);
        if resized {
            self.clear(size, &mut out);
        } else {
            // Something typed may have moved the cursor within its line.
            out.push('\r');
            up(self.lines.len() - first, &mut out);
        }
        let changed = lines.iter().enumerate().skip(first);
        for (index, line) in changed {
            if self.lines.get(index) != Some(line) {
                out.push_str(line);
                out.push_str("\x1b[K");
            }
            out.push_str("\r\n");
        }
        out.push_str("\x1b[J");
        out.push_str(END);
        self.lines = lines;
        self.size = Some(size);
        out
    }

    /// The bytes that replace the block by `lines` for good, any number of them.
    pub fn finish(&mut self, lines: &[String], size: Size) -> String {
        let mut out = String::from(BEGIN);
        self.clear(size, &mut out);
        for line in lines {
            out.push_str(line);
            out.push_str("\r\n");
        }
        out.push_str(END);
        out
    }

    /// Goes to the begin of the block and clears it.
    fn clear(&mut self, size: Size, out: &mut String) {
        let same = self.size.is_none_or(|old| old.cols == size.cols);
        let used = match same {
            true => self.lines.len(),
            false => self.lines.iter().map(|l| wrapped(l, size.cols)).sum(),
        };
        out.push('\r');
        // What has left the screen at the top cannot be reached.
        up(used.min(size.rows.saturating_sub(1)), out);
        out.push_str("\x1b[J");
        self.lines.clear();
    }
}

fn up(rows: usize, out: &mut String) {
    if rows > 0 {
        let _ = write!(out, "\x1b[{rows}A");
    }
}

/// Rows that a line takes when a terminal wraps it at that many columns.
fn wrapped(line: &str, cols: usize) -> usize {
    if width::cells(line) <= cols {
        return 1;
    }
    let (mut rows, mut used) = (1, 0);
    for c in width::characters(line) {
        let cells = c.width().unwrap_or(0);
        if used + cells > cols && used > 0 {
            rows += 1;
            used = 0;
        }
        used += cells;
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[&str]) -> Vec<String> {
        text.iter().map(|l| l.to_string()).collect()
    }

    const SIZE: Size = Size { cols: 20, rows: 5 };

    #[test]
    fn only_changed_lines_are_written() {
        let mut screen = Screen::default();
        assert_eq!(
            screen.update(lines(&["a", "b", "c"]), SIZE),
            format!("{BEGIN}\ra\x1b[K\r\nb\x1b[K\r\nc\x1b[K\r\n\x1b[J{END}")
        );
        assert_eq!(
            screen.update(lines(&["a", "x", "c"]), SIZE),
            format!("{BEGIN}\r\x1b[2Ax\x1b[K\r\n\r\n\x1b[J{END}")
        );
        assert_eq!(screen.update(lines(&["a", "x", "c"]), SIZE), "");
        assert_eq!(
            screen.update(lines(&["a"]), SIZE),
            format!("{BEGIN}\r\x1b[2A\x1b[J{END}")
        );
    }

    #[test]
    fn a_narrower_terminal_has_wrapped_the_lines() {
        let mut screen = Screen::default();
        screen.update(lines(&["0123456789", "ab"]), SIZE);
        let narrow = Size { cols: 4, rows: 9 };
        assert!(
            screen
                .update(lines(&["x"]), narrow)
                .contains("\r\x1b[4A\x1b[Jx")
        );
    }

    #[test]
    fn wide_characters_wrap_as_a_whole() {
        assert_eq!(wrapped("世界世界", 4), 2);
        assert_eq!(wrapped("世界世界", 3), 4);
        assert_eq!(wrapped("世", 1), 1);
        assert_eq!(wrapped("\x1b[0;31mabc\x1b[0m", 2), 2);
        assert_eq!(wrapped("", 5), 1);
    }
}
