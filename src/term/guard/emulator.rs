//! What a program wrote → what vt100 is given.
//!
//! vt100 sees characters and sequences that are written anew here, never received bytes. On the way:
//!
//! * Numbers are cut to the size of the grid, repeat counts to one line (nobody repeats further: terminfo's
//!   `rep` stays on its line), so that no sequence costs more than one grid.
//! * U+FE0E and U+FE0F go: vt100 0.18.1 panics on a character widened at the end of the last line, and without
//!   them a width is what the program believes. Other invisible characters go, or become blanks of their width.
//! * U+FFFD and bytes that are not UTF-8 become `?`, because vt100 drops them and the line would shift.
//! * What vt100 does not know and what can be said exactly in its words is translated: line drawing, IND, NEL,
//!   CBT, CHT, HPR, VPR, SCO's cursor, DECSTR, modes 1047 and 1048, other forms of colours, and the background
//!   of blanks that come in ([`super::background`]).

use std::io::Write as _;

use unicode_width::UnicodeWidthChar as _;

use super::Effects;
use super::background::{Background, Blanks};
use super::caught::Caught;
use super::keyboard::Keyboard;
use crate::term::charset::Charsets;
use crate::term::escape::is_hidden;
use crate::term::sequence::sgr;
use crate::term::sequence::{Csi, Item, Sink, Terminator, digits, osc};

pub(super) struct Emulator {
    pub(super) caught: Caught,
    pub(super) charsets: Charsets,
    pub(super) saved_charsets: Charsets,
    pub(super) keyboard: Keyboard,
    pub(super) background: Background,
    /// Mode 1004: the program wants to know when its terminal gains or loses the focus.
    pub(super) focus_events: bool,
    /// Mode 2026: the program is in the middle of a frame.
    pub(super) synchronized: bool,
    /// A scroll region may be set, on the main and on the alternate screen.
    pub(super) regions: [bool; 2],
    pub(super) answering: bool,
    pub(super) title: String,
    pub(super) effects: Effects,
}

impl Emulator {
    pub(super) fn new(caught: Caught) -> Self {
        Emulator {
            caught,
            charsets: Charsets::default(),
            saved_charsets: Charsets::default(),
            keyboard: Keyboard::default(),
            background: Background::default(),
            focus_events: false,
            synchronized: false,
            regions: [false; 2],
            answering: false,
            title: String::new(),
            effects: Effects::default(),
        }
    }

    fn text(&mut self, text: &str) {
        let drawing = self.charsets.drawing();
        if text.is_ascii() && !drawing {
            return self.caught.write(text.as_bytes());
        }
        for c in text.chars() {
            let c = self.charsets.translate(c);
            match c {
                ' '..='~' => self.caught.pending().push(c as u8),
                '\u{fe0e}' | '\u{fe0f}' => {}
                '\u{fffd}' => self.caught.pending().push(b'?'),
                c if is_hidden(c) => {
                    let blanks = std::iter::repeat_n(b' ', c.width().unwrap_or(0));
                    self.caught.pending().extend(blanks);
                }
                c => {
                    let mut buffer = [0; 4];
                    self.caught.write(c.encode_utf8(&mut buffer).as_bytes());
                }
            }
        }
        self.caught.write(b"");
    }

    fn control(&mut self, byte: u8) {
        match byte {
            0x07 => self.effects.bells = self.effects.bells.saturating_add(1),
            0x08 | b'\t' | b'\r' => self.caught.write(&[byte]),
            b'\n' | 0x0b | 0x0c => self.bring_in(Blanks::LineFeed, b"\n"),
            0x0e | 0x0f => self.charsets.shift(byte == 0x0e),
            _ => {}
        }
    }

    fn escape(&mut self, intermediate: Option<u8>, last: u8) {
        if self.charsets.designate(intermediate, last) || intermediate.is_some() {
            return;
        }
        match last {
            b'7' => self.save_cursor(),
            b'8' => self.restore_cursor(),
            b'=' | b'>' => self.caught.write(&[0x1b, last]),
            b'M' => self.bring_in(Blanks::ReverseLineFeed, b"\x1bM"),
            b'D' => self.bring_in(Blanks::LineFeed, b"\n"),
            b'E' => {
                self.caught.write(b"\r");
                self.bring_in(Blanks::LineFeed, b"\n");
            }
            b'c' => {
                self.caught.write(b"\x1bc");
                self.background = Background::default();
                self.charsets = Charsets::default();
                self.saved_charsets = Charsets::default();
                self.keyboard = Keyboard::default();
                self.focus_events = false;
                self.synchronized = false;
                self.regions = [false; 2];
            }
            _ => {}
        }
    }

    fn save_cursor(&mut self) {
        self.caught.write(b"\x1b7");
        self.save_origin();
        self.saved_charsets = self.charsets;
    }

    fn restore_cursor(&mut self) {
        self.caught.write(b"\x1b8");
        self.restore_origin();
        self.charsets = self.saved_charsets;
    }

    fn csi(&mut self, csi: &Csi) {
        let (rows, cols) = self.caught.size();
        match (csi.private, csi.intermediate, csi.last) {
            (None, None, last) => self.plain(last, csi, rows, cols),
            (Some(b'?'), None, b'h' | b'l') => {
                for group in csi.groups() {
                    if let [mode] = *group {
                        self.private_mode(mode, csi.last == b'h');
                    }
                }
            }
            // Selective erase: nothing can be protected, so it erases everything.
            (Some(b'?'), None, b'J' | b'K') => self.plain(csi.last, csi, rows, cols),
            (None, Some(b' '), b'q') if csi.value(0) <= 6 => {
                let _ = write!(self.caught.pending(), "\x1b[{} q", csi.value(0));
            }
            (None, Some(b'!'), b'p') => self.soft_reset(),
            (Some(b'<' | b'=' | b'>'), None, b'u') => {
                let alternate = self.caught.current().alternate_screen();
                self.keyboard.obey(csi, alternate);
            }
            _ => self.query(csi),
        }
    }

    fn plain(&mut self, last: u8, csi: &Csi, rows: u16, cols: u16) {
        let first = csi.value(0);
        match last {
            b'C' | b'D' | b'G' | b'`' | b'X' | b'b' => self.sized(first.min(cols), last),
            b'@' | b'P' | b'L' | b'M' | b'S' => self.blanks(first, last),
            b'a' => self.sized(first.min(cols), b'C'),
            b'A' | b'B' | b'E' | b'F' | b'd' => self.sized(first.min(rows), last),
            // With more numbers it starts highlight tracking, which nobody does.
            b'T' if csi.len() <= 1 => self.blanks(first, last),
            b'e' => self.sized(first.min(rows), b'B'),
            b'H' | b'f' => {
                let (row, col) = (first.min(rows), csi.value(1).min(cols));
                let out = self.caught.pending();
                out.extend_from_slice(b"\x1b[");
                digits(row, out);
                out.push(b';');
                digits(col, out);
                out.push(b'H');
            }
            b'J' if first <= 3 => self.sized(first, last),
            b'K' if first <= 2 => self.sized(first, last),
            b'I' => {
                let tabs = first.max(1).min(cols / 8 + 1);
                self.caught
                    .pending()
                    .extend(std::iter::repeat_n(b'\t', usize::from(tabs)));
            }
            b'Z' => {
                let (_, col) = self.caught.current().cursor_position();
                let stop = (col.min(cols - 1)).div_ceil(8);
                let col = stop.saturating_sub(first.max(1)) * 8;
                let _ = write!(self.caught.pending(), "\x1b[{}G", col + 1);
            }
            b'm' => {
                let shown = |code| matches!(code, 0..=4 | 7 | 22..=24 | 27 | 30..=37 | 39..=47 | 49 | 90..=97 | 100..=107);
                sgr::write(csi, shown, self.caught.pending());
                if csi
                    .groups()
                    .any(|group| matches!(group.first(), Some(40..=48 | 100..=107)))
                {
                    self.background.may_be_set();
                }
            }
            b'r' => {
                // vt100 leaves the cursor at the region's top; terminals send it home.
                let (top, bottom) = (first.min(rows), csi.value(1).min(rows));
                let alternate = self.caught.current().alternate_screen();
                if let Some(region) = self.regions.get_mut(usize::from(alternate)) {
                    *region = top > 1 || !(bottom == 0 || bottom == rows);
                }
                let _ = write!(self.caught.pending(), "\x1b[{top};{bottom}r\x1b[H");
                self.set_region(top, bottom);
            }
            b's' if csi.is_empty() => self.save_cursor(),
            b'u' if csi.is_empty() => self.restore_cursor(),
            _ => self.query(csi),
        }
    }

    /// A sequence that inserts, deletes or scrolls.
    fn blanks(&mut self, number: u16, last: u8) {
        let (rows, cols) = self.caught.size();
        let most = if matches!(last, b'@' | b'P') {
            cols
        } else {
            rows
        };
        let number = number.clamp(1, most);
        let blanks = match last {
            b'@' => Blanks::InsertCells(number),
            b'P' => Blanks::DeleteCells(number),
            b'L' => Blanks::InsertLines(number),
            b'M' => Blanks::DeleteLines(number),
            b'S' => Blanks::ScrollUp(number),
            _ => Blanks::ScrollDown(number),
        };
        let mut bytes = b"\x1b[".to_vec();
        digits(number, &mut bytes);
        bytes.push(last);
        self.bring_in(blanks, &bytes);
    }

    fn sized(&mut self, number: u16, last: u8) {
        let out = self.caught.pending();
        out.extend_from_slice(b"\x1b[");
        digits(number, out);
        out.push(last);
    }

    fn private_mode(&mut self, mode: u16, on: bool) {
        let last = if on { 'h' } else { 'l' };
        if mode == 6 {
            self.set_origin(on);
        }
        match mode {
            1 | 6 | 9 | 25 | 47 | 1000 | 1002 | 1003 | 1005 | 1006 | 2004 => {
                let _ = write!(self.caught.pending(), "\x1b[?{mode}{last}");
            }
            1047 => {
                // The screen is cleared on the way back, not on entering.
                if !on && self.caught.current().alternate_screen() {
                    self.caught.write(b"\x1b[2J");
                }
                let _ = write!(self.caught.pending(), "\x1b[?47{last}");
            }
            66 => self.caught.write(if on { b"\x1b=" } else { b"\x1b>" }),
            1048 if on => self.save_cursor(),
            1048 => self.restore_cursor(),
            1049 => {
                if on {
                    self.save_origin();
                    self.clear_alternate();
                }
                let _ = write!(self.caught.pending(), "\x1b[?1049{last}");
                if !on {
                    self.restore_origin();
                }
                if on {
                    self.saved_charsets = self.charsets;
                } else {
                    self.charsets = self.saved_charsets;
                }
            }
            1004 => self.focus_events = on,
            2026 => self.synchronized = on,
            _ => {}
        }
    }

    /// DECSTR. Everything is reset as by the sequences for each; the cursor stays where it is.
    fn soft_reset(&mut self) {
        let (row, col) = self.caught.current().cursor_position();
        let (row, col) = (row + 1, col + 1);
        let _ = write!(
            self.caught.pending(),
            "\x1b[?25h\x1b>\x1b[?1l\x1b[?6l\x1b[r\x1b[m\x1b[H\x1b7\x1b[{row};{col}H"
        );
        self.set_region(0, 0);
        self.set_origin(false);
        self.save_origin();
        self.charsets = Charsets::default();
        self.saved_charsets = Charsets::default();
    }

    fn osc(&mut self, command: &[u8], terminator: Terminator) {
        let (number, rest) = osc::split(command);
        match number {
            b"0" | b"2" => {
                self.title = osc::title(rest);
                self.effects.title = Some(self.title.clone());
            }
            b"52" => {
                if let Some(text) = osc::clipboard(rest) {
                    self.effects.clipboard = Some(text);
                }
            }
            _ => self.colour_query(number, rest, terminator),
        }
    }
}

impl Sink for Emulator {
    fn item(&mut self, item: Item<'_>) {
        match item {
            Item::Text(text) => self.text(text),
            Item::Invalid => self.caught.write(b"?"),
            Item::Control(byte) => self.control(byte),
            Item::Escape(intermediate, last) => self.escape(intermediate, last),
            Item::Csi(csi) => self.csi(csi),
            Item::Osc(command, terminator) => self.osc(command, terminator),
        }
        // What was added to the batch piece by piece counts, too.
        self.caught.write(b"");
    }
}
