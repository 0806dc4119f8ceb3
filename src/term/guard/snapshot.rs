//! A screen as bytes that bring an empty terminal to the same state.
//!
//! vt100 writes cells, cursor and input modes. What it does not tell (scroll region, origin mode, the saved
//! cursor, the main screen beneath the alternate one) is found out by asking copies of the screen: sequences
//! are played on a copy, and where its cursor goes is the answer.

use std::collections::VecDeque;
use std::io::Write as _;

use vt100::capture::RowContents;

use super::caught::catch;
use super::emulator::Emulator;
use super::lines;
use crate::term::charset::Charsets;
use crate::term::sequence::Reader;

/// A terminal at one moment. [`super::Terminal::restore`] reads it; a [`crate::term::pass::Pass`] may be fed
/// with `scrollback` and `screen`, too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    pub rows: u16,
    pub cols: u16,
    /// Whether the alternate screen is shown. `screen` has all that is needed to switch to it.
    pub alternate: bool,
    pub title: String,
    /// Lines above the screen, oldest first, each ended by `\r\n`: characters and SGR only, every line's
    /// colours closed. A line that was wrapped is one line.
    pub scrollback: Vec<u8>,
    /// For an empty screen with the cursor at home.
    pub screen: Vec<u8>,
}

pub(super) fn take(emulator: &Emulator, reader: &Reader, max_scrollback_bytes: usize) -> Snapshot {
    let (rows, cols) = emulator.caught.size();
    let mut snapshot = Snapshot {
        rows,
        cols,
        alternate: emulator.caught.screen().alternate_screen(),
        title: emulator.title.clone(),
        scrollback: Vec::new(),
        screen: Vec::new(),
    };
    // Writing a screen runs the emulator's code, which may fail: then the snapshot is an empty screen.
    if let Some((scrollback, mut screen)) = catch(|| write(emulator, max_scrollback_bytes)) {
        emulator.charsets.write(&mut screen);
        screen.extend(reader.unfinished());
        snapshot.scrollback = scrollback;
        snapshot.screen = screen;
    }
    snapshot
}

/// What is seen of a terminal, and what text that follows depends on. It costs as much as the screen, whatever is above
/// it: no copy is asked.
pub(super) fn take_seen(emulator: &Emulator, reader: &Reader) -> Snapshot {
    let (rows, cols) = emulator.caught.size();
    let mut screen = catch(|| write_seen(emulator)).unwrap_or_default();
    emulator.charsets.write(&mut screen);
    screen.extend(reader.unfinished());
    Snapshot {
        rows,
        cols,
        alternate: emulator.caught.screen().alternate_screen(),
        title: emulator.title.clone(),
        scrollback: Vec::new(),
        screen,
    }
}

fn write_seen(emulator: &Emulator) -> Vec<u8> {
    let screen = emulator.caught.screen();
    let alternate = screen.alternate_screen();
    let mut out = Vec::new();
    if alternate {
        out.extend(b"\x1b[?47h");
    }
    out.extend(screen.contents_formatted().bytes());
    let (row, col) = screen.cursor_position();
    write_cursor(screen, row, col, 0, &mut out);
    emulator.keyboard.write(alternate, &mut out);
    write_modes(emulator, &mut out);
    out
}

/// Colours of what is written next, and modes.
fn write_modes(emulator: &Emulator, out: &mut Vec<u8>) {
    let screen = emulator.caught.screen();
    out.extend(screen.attributes_formatted().bytes());
    out.extend(screen.input_mode_formatted().bytes());
    for (mode, on) in [
        ("1004", emulator.focus_events),
        ("2026", emulator.synchronized),
    ] {
        if on {
            out.extend(format!("\x1b[?{mode}h").bytes());
        }
    }
}

fn write(emulator: &Emulator, max_scrollback_bytes: usize) -> (Vec<u8>, Vec<u8>) {
    let screen = emulator.caught.screen();
    let (rows, cols) = screen.size();
    let collector = Collector::new(max_scrollback_bytes);
    let mut main = vt100::Parser::new_with_callbacks(rows, cols, 0, collector);
    *main.screen_mut() = screen.clone();
    // The scrollback is told line by line when it is erased.
    main.process(b"\x1b[?47l\x1b[3J");
    let scrollback = main.callbacks().write(usize::from(cols.get()));

    let mut out = Vec::new();
    write_grid(main.screen(), &emulator.saved_charsets, &mut out);
    emulator.keyboard.write(false, &mut out);
    if screen.alternate_screen() {
        main.process(b"\x1b[?47h");
        out.extend(b"\x1b[?47h");
        write_grid(main.screen(), &emulator.saved_charsets, &mut out);
        emulator.keyboard.write(true, &mut out);
    }
    write_modes(emulator, &mut out);
    (scrollback, out)
}

/// What vt100 keeps of a grid and does not tell. Rows and columns from 0.
struct Hidden {
    top: u16,
    bottom: u16,
    origin: bool,
    saved: (u16, u16),
    saved_origin: bool,
    /// The saved attributes as SGR from the default.
    saved_attributes: String,
    /// The character that REP repeats; empty if there is none.
    repeated: String,
}

impl Hidden {
    fn of(screen: &vt100::Screen) -> Self {
        let (rows, cols) = screen.size();
        let copy = |screen: &vt100::Screen| {
            let mut copy = vt100::Parser::new(rows, cols, 0);
            *copy.screen_mut() = screen.clone();
            copy
        };
        fn row_after(parser: &mut vt100::Parser, bytes: &[u8]) -> u16 {
            parser.process(bytes);
            parser.screen().cursor_position().0
        }
        // In a region that begins in the second row, home is there in origin mode only.
        const HOME_IN_REGION: &[u8] = b"\x1b[2;3r\x1b[H";
        let origin = row_after(&mut copy(screen), HOME_IN_REGION) == 1;
        let mut asked = copy(screen);
        let top = row_after(&mut asked, b"\x1b[?6h");
        let bottom = row_after(&mut asked, b"\x1b[9999;1H");
        asked.process(b"\x1b8");
        let saved = asked.screen().cursor_position();
        let saved_attributes = asked.screen().attributes_formatted();
        let saved_origin = row_after(&mut asked, HOME_IN_REGION) == 1;
        asked.process(b"\x1b[?6l\x1b[r\x1b[2J\x1b[H\x1b[b");
        let repeated = asked.screen().cell(0, 0).map_or("", vt100::Cell::contents);
        Hidden {
            repeated: repeated.to_string(),
            top,
            bottom,
            origin,
            saved,
            saved_origin,
            saved_attributes,
        }
    }

    fn nothing_saved(&self) -> bool {
        self.saved == (0, 0) && !self.saved_origin && self.saved_attributes == "\x1b[m"
    }
}

/// One of the two grids, for an empty one.
fn write_grid(screen: &vt100::Screen, saved_charsets: &Charsets, out: &mut Vec<u8>) {
    let contents = screen.contents_formatted();
    out.extend(contents.bytes());

    let hidden = Hidden::of(screen);
    if !hidden.nothing_saved()
        || *saved_charsets != Charsets::default()
        // vt100 needs the saved cursor itself to place the cursor in some cases.
        || contents.contains("\x1b7")
    {
        if hidden.saved_origin {
            out.extend(b"\x1b[?6h");
        }
        let (row, col) = hidden.saved;
        write_cursor(screen, row, col, 0, out);
        out.extend(hidden.saved_attributes.bytes());
        saved_charsets.write(out);
        out.extend(b"\x1b7");
        saved_charsets.write_reset(out);
        if hidden.saved_origin {
            out.extend(b"\x1b[?6l");
        }
    }
    let (rows, _) = screen.size();
    if (hidden.top, hidden.bottom) != (0, rows.get() - 1) {
        let _ = write!(out, "\x1b[{};{}r", hidden.top + 1, hidden.bottom + 1);
    }
    let (row, col) = screen.cursor_position();
    // In origin mode the cursor can be outside of the region only by having been restored to there; then its
    // place is kept and the mode is not.
    let first = if hidden.origin && (hidden.top..=hidden.bottom).contains(&row) {
        out.extend(b"\x1b[?6h");
        hidden.top
    } else {
        0
    };
    let text = text_before(screen, row, col);
    if !hidden.repeated.is_empty() && text.starts_with(&hidden.repeated) {
        // Written once more, it is what REP repeats.
        write_up_to(screen, row, col, first, out);
    } else {
        write_cursor(screen, row, col, first, out);
    }
}

/// Places the cursor. `first` is the row that the terminal counts as its first one.
fn write_cursor(screen: &vt100::Screen, row: u16, col: u16, first: u16, out: &mut Vec<u8>) {
    let (_, cols) = screen.size();
    if col >= cols.get() {
        // Behind the last column: only writing a character there leads to this place.
        return write_up_to(screen, row, col, first, out);
    }
    let row_number = row.saturating_sub(first) + 1;
    let _ = write!(out, "\x1b[{row_number};{}H", col + 1);
}

/// The column of the character that ends before a column.
fn place_before(screen: &vt100::Screen, row: u16, col: u16) -> u16 {
    let place = col.saturating_sub(1);
    if screen
        .cell(row, place)
        .is_some_and(vt100::Cell::is_wide_continuation)
    {
        return place.saturating_sub(1);
    }
    place
}

/// The character that ends before a column; empty for a blank.
fn text_before(screen: &vt100::Screen, row: u16, col: u16) -> &str {
    let place = place_before(screen, row, col);
    match screen.cell(row, place) {
        Some(cell) if place + 1 + u16::from(cell.is_wide()) == col => cell.contents(),
        _ => "",
    }
}

/// Places the cursor by writing the character before it again, a space for a blank.
fn write_up_to(screen: &vt100::Screen, row: u16, col: u16, first: u16, out: &mut Vec<u8>) {
    let place = place_before(screen, row, col);
    let row_number = row.saturating_sub(first) + 1;
    let _ = write!(out, "\x1b[{row_number};{}H", place + 1);
    if let Some(cell) = screen.cell(row, place) {
        write_style(cell, out);
    }
    let text = match text_before(screen, row, col) {
        "" => " ",
        text => text,
    };
    out.extend(text.bytes());
}

fn write_style(cell: &vt100::Cell, out: &mut Vec<u8>) {
    out.extend(b"\x1b[0");
    let flags = [
        (cell.bold(), 1),
        (cell.dim(), 2),
        (cell.italic(), 3),
        (cell.underline(), 4),
        (cell.inverse(), 7),
    ];
    for (on, code) in flags {
        if on {
            let _ = write!(out, ";{code}");
        }
    }
    for (layer, colour) in [(38, cell.fgcolor()), (48, cell.bgcolor())] {
        let _ = match colour {
            vt100::Color::Default => Ok(()),
            vt100::Color::Idx(n) => write!(out, ";{layer};5;{n}"),
            vt100::Color::Rgb(r, g, b) => write!(out, ";{layer};2;{r};{g};{b}"),
        };
    }
    out.push(b'm');
}

/// Lines of a scrollback, the newest within a budget.
struct Collector {
    lines: VecDeque<Line>,
    bytes: usize,
    max: usize,
}

struct Line {
    text: String,
    /// The next line is its continuation.
    wrapped: bool,
}

impl Collector {
    fn new(max: usize) -> Self {
        Collector {
            lines: VecDeque::new(),
            bytes: 0,
            max,
        }
    }

    fn write(&self, cols: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes);
        let mut lines = self.lines.iter().peekable();
        while let Some(line) = lines.next() {
            out.extend(line.text.bytes());
            // A full line goes on by itself, if there is something to go on with.
            let goes_on = lines.peek().is_some_and(|next| !next.text.is_empty());
            if !(line.wrapped && goes_on && width(&line.text) == cols) {
                out.extend(b"\r\n");
            }
        }
        out
    }
}

impl vt100::Callbacks for Collector {
    fn on_scroll(&mut self, row: RowContents<'_>, _alternate: bool) {
        let (mut text, wrapped) = lines::written(&row);
        if text.contains('\x1b') {
            text.push_str("\x1b[m");
        }
        self.bytes += text.len() + 2;
        self.lines.push_back(Line { text, wrapped });
        while self.bytes > self.max {
            let Some(line) = self.lines.pop_front() else {
                break;
            };
            self.bytes -= line.text.len() + 2;
        }
    }
}

/// Cells of a line as vt100 counts them: nothing takes more than two.
fn width(line: &str) -> usize {
    let mut colour = false;
    line.chars()
        .filter(|c| {
            colour |= *c == '\x1b';
            let visible = !colour;
            colour &= *c != 'm';
            visible
        })
        .map(|c| usize::from(lines::width(c)))
        .sum()
}
