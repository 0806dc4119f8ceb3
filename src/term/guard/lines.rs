//! A screen with its scrollback as text.

use vt100::capture::{BasicFormattedCaptureState, RowContents, basic_formatted_to_plain};

use super::caught::catch;

/// A row as text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    /// Without the blanks that nothing was written to at its end. Its characters take as many cells as vt100 counts:
    /// [`width`] each.
    pub text: String,
    /// The next row is its continuation.
    pub wrapped: bool,
}

/// All rows of the shown screen, from the oldest of the scrollback to the last of the screen. It takes a copy of the
/// screen to find them, some microseconds a line. None if that failed.
pub fn lines(screen: &vt100::Screen) -> Option<Vec<Line>> {
    catch(|| {
        let (rows, cols) = screen.size();
        let collector = Collector::default();
        let mut copy = vt100::Parser::new_with_callbacks(rows, cols, 0, collector);
        *copy.screen_mut() = screen.clone();
        // The scrollback is told line by line when it is erased, which also ends looking back.
        copy.process(b"\x1b[3J");
        let mut lines = std::mem::take(&mut copy.callbacks_mut().0);
        let shown = copy.screen();
        lines.extend(shown.rows(0, cols.get()).zip(0..).map(|(text, row)| Line {
            text,
            wrapped: shown.row_wrapped(row),
        }));
        lines
    })
}

/// The cells that a character takes on a screen: 0, 1 or 2.
pub fn width(c: char) -> u16 {
    match unicode_width::UnicodeWidthChar::width(c) {
        Some(0) => 0,
        Some(2..) => 2,
        Some(1) | None => 1,
    }
}

#[derive(Default)]
struct Collector(Vec<Line>);

impl vt100::Callbacks for Collector {
    fn on_scroll(&mut self, row: RowContents<'_>, _alternate: bool) {
        let (formatted, wrapped) = written(&row);
        self.0.push(Line {
            text: basic_formatted_to_plain(&formatted).collect(),
            wrapped,
        });
    }
}

/// A row with its colours, and whether the next one is its continuation.
pub(super) fn written(row: &RowContents<'_>) -> (String, bool) {
    let mut state = BasicFormattedCaptureState::new();
    let mut text = String::new();
    let _ = row.write_formatted_basic(&mut text, &mut state);
    // Written once more, a row that does not go on begins with a newline.
    let mut first = First(None);
    let _ = row.write_formatted_basic(&mut first, &mut state);
    (text, first.0 != Some('\n'))
}

/// Keeps the first character and refuses the rest.
struct First(Option<char>);

impl std::fmt::Write for First {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0 = text.chars().next();
        match self.0 {
            Some(_) => Err(std::fmt::Error),
            None => Ok(()),
        }
    }
}
