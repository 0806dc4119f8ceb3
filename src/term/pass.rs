//! A program's terminal shown on the user's own terminal, in line mode.
//!
//! The user's terminal obeys what it gets, so only what is listed here gets there, written anew:
//!
//! * printable characters. Characters that reorder text or are invisible are shown, not obeyed (`\u{202e}`, as
//!   [`super::escape`] does); joiners and variation selectors go, because terminals disagree about their width;
//!   line drawing becomes Unicode, so the user's character sets stay as they are;
//! * CR, LF, BS, TAB, BEL;
//! * moving and saving the cursor, its shape, erasing, inserting, deleting, scrolling, scroll region, SGR
//!   (no concealed text), all with numbers of at most [`MAX_NUMBER`];
//! * the private modes of [`MODES`], origin mode, the keypad's mode, titles.
//!
//! Everything else goes: questions (the server's terminal answers them; an answer of this one would be typed
//! into the program a second time), the clipboard, device control, printing, keyboard protocols, erasing the
//! user's scrollback. A full reset (RIS) becomes: what was switched on is switched off, and the screen cleared.
//!
//! What the program switched on and has to be undone is known at every moment: [`Pass::restore`].

use std::io::Write as _;

use unicode_width::UnicodeWidthChar as _;

use super::charset::Charsets;
use super::escape::is_hidden;
use super::guard::MAX_ROWS;
use super::sequence::{Csi, Item, Reader, Sink, osc, sgr};

/// Largest number in a sequence: no terminal is larger.
pub const MAX_NUMBER: u16 = MAX_ROWS;

/// Marks of zero width let through on one character.
const MAX_MARKS: u8 = 8;

/// The private modes that are let through besides origin mode, and whether they are on in a terminal that nobody has touched. In
/// the order in which they are undone: frames end first, and the alternate screen is left before the cursor is
/// shown.
const MODES: [(u16, bool); 17] = [
    (2026, false),
    (47, false),
    (1047, false),
    (1049, false),
    (1, false),
    (7, true),
    (9, false),
    (12, false),
    (1000, false),
    (1002, false),
    (1003, false),
    (1004, false),
    (1005, false),
    (1006, false),
    (1015, false),
    (2004, false),
    (25, true),
];

/// The modes that show the alternate screen.
const ALTERNATE: [u16; 3] = [47, 1047, 1049];

/// The filter for one terminal. Memory is bounded (a title can hold back 256 KiB), and what comes out is at
/// most a small multiple of what came in.
#[derive(Debug, Default)]
pub struct Pass {
    reader: Reader,
    state: State,
}

#[derive(Debug, Default)]
struct State {
    charsets: Charsets,
    saved_charsets: Charsets,
    marks: u8,
    /// Bit n: mode n of [`MODES`] is not as it was found.
    changed: u32,
    keypad: bool,
    styled: bool,
    /// A scroll region is set, on the main and on the alternate screen: some terminals keep one for each.
    regions: [bool; 2],
    /// Origin mode has been on. It can come back with a saved cursor, so only a reset ends this.
    origin: bool,
    shape: bool,
    titled: bool,
}

impl Pass {
    pub fn new() -> Self {
        Pass::default()
    }

    /// Filters a chunk, cut anywhere, and appends what may be shown. Only whole sequences are appended, so
    /// something else can be written between two chunks.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let state = &mut self.state;
        self.reader.push(bytes, &mut Writer { state, out });
    }

    /// Whether the alternate screen is shown.
    pub fn alternate(&self) -> bool {
        ALTERNATE.iter().any(|&mode| self.state.is_changed(mode))
    }

    /// The bytes that undo everything the program has switched on; nothing if nothing is on. Afterwards the
    /// filter is as new. On the main screen the cursor stays where it is, except in origin mode: then it goes
    /// to the last line.
    pub fn restore(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.state.undo(&mut out);
        *self = Pass::default();
        out
    }
}

impl State {
    fn is_changed(&self, mode: u16) -> bool {
        MODES
            .iter()
            .enumerate()
            .any(|(index, (known, _))| *known == mode && self.changed >> index & 1 == 1)
    }

    fn is_alternate(&self) -> bool {
        ALTERNATE.iter().any(|mode| self.is_changed(*mode))
    }

    fn undo(&mut self, out: &mut Vec<u8>) {
        let region = self.regions.contains(&true);
        // Leaving this alternate screen brings back the attributes from before it.
        let styled = self.styled || self.is_changed(1049);
        if self.is_alternate() {
            if self.origin {
                out.extend(b"\x1b[?6l");
            }
            if region {
                out.extend(b"\x1b[r");
            }
        }
        for (index, (mode, default)) in MODES.iter().enumerate() {
            if self.changed >> index & 1 == 1 {
                let last = if *default { 'h' } else { 'l' };
                let _ = write!(out, "\x1b[?{mode}{last}");
            }
        }
        if self.origin {
            let _ = write!(out, "\x1b[?6l\x1b[r\x1b[{MAX_NUMBER};1H");
        } else if region {
            // Resetting the region moves the cursor.
            out.extend(b"\x1b7\x1b[r\x1b8");
        }
        if styled {
            out.extend(b"\x1b[m");
        }
        if self.keypad {
            out.extend(b"\x1b>");
        }
        if self.shape {
            out.extend(b"\x1b[0 q");
        }
        if self.titled {
            out.extend(b"\x1b[23;2t");
        }
        *self = State::default();
    }
}

/// Writes a stream's items to the output.
struct Writer<'a> {
    state: &'a mut State,
    out: &'a mut Vec<u8>,
}

impl Writer<'_> {
    fn text(&mut self, text: &str) {
        if text.is_ascii() && !self.state.charsets.drawing() {
            self.state.marks = 0;
            self.out.extend(text.bytes());
            return;
        }
        for c in text.chars() {
            match self.state.charsets.translate(c) {
                '\u{fe0e}' | '\u{fe0f}' | '\u{200c}' | '\u{200d}' => {}
                c if is_hidden(c) => {
                    self.state.marks = 0;
                    let _ = write!(self.out, "\\u{{{:x}}}", c as u32);
                }
                c => {
                    if c.width() == Some(0) {
                        self.state.marks = self.state.marks.saturating_add(1);
                        if self.state.marks > MAX_MARKS {
                            continue;
                        }
                    } else {
                        self.state.marks = 0;
                    }
                    self.out.extend(c.encode_utf8(&mut [0; 4]).bytes());
                }
            }
        }
    }

    fn control(&mut self, byte: u8) {
        match byte {
            0x07 | 0x08 | b'\t' | b'\n' | b'\r' => self.out.push(byte),
            0x0b | 0x0c => self.out.push(b'\n'),
            0x0e | 0x0f => self.state.charsets.shift(byte == 0x0e),
            _ => {}
        }
    }

    fn escape(&mut self, intermediate: Option<u8>, last: u8) {
        if self.state.charsets.designate(intermediate, last) || intermediate.is_some() {
            return;
        }
        match last {
            b'7' => self.save_cursor(),
            b'8' => self.restore_cursor(),
            b'=' | b'>' => self.keypad(last == b'='),
            b'M' | b'D' | b'E' => self.out.extend([0x1b, last]),
            b'c' => {
                self.state.undo(self.out);
                self.out.extend(b"\x1b[m\x1b[r\x1b[H\x1b[2J");
            }
            _ => {}
        }
    }

    fn save_cursor(&mut self) {
        self.out.extend(b"\x1b7");
        self.state.saved_charsets = self.state.charsets;
    }

    fn restore_cursor(&mut self) {
        self.out.extend(b"\x1b8");
        self.state.charsets = self.state.saved_charsets;
        // The saved attributes are the terminal's to know.
        self.state.styled = true;
    }

    fn keypad(&mut self, application: bool) {
        self.out
            .extend(if application { b"\x1b=" } else { b"\x1b>" });
        self.state.keypad = application;
    }

    fn csi(&mut self, csi: &Csi) {
        let first = csi.value(0);
        match (csi.private, csi.intermediate, csi.last) {
            (None, None, last) => self.plain(last, csi),
            (Some(b'?'), None, b'h' | b'l') => {
                for group in csi.groups() {
                    if let [mode] = *group {
                        self.private_mode(mode, csi.last == b'h');
                    }
                }
            }
            (Some(b'?'), None, b'J' | b'K') => self.plain(csi.last, csi),
            (None, Some(b' '), b'q') if first <= 6 => {
                let _ = write!(self.out, "\x1b[{first} q");
                self.state.shape = first != 0;
            }
            (None, Some(b'!'), b'p') => {
                // Not every terminal knows it, so what is to be undone stays.
                self.out.extend(b"\x1b[!p");
                self.state.charsets = Charsets::default();
                self.state.saved_charsets = Charsets::default();
            }
            _ => {}
        }
    }

    fn plain(&mut self, last: u8, csi: &Csi) {
        let first = csi.value(0);
        match last {
            b'A'..=b'I'
            | b'L'
            | b'M'
            | b'P'
            | b'S'
            | b'X'
            | b'Z'
            | b'@'
            | b'`'
            | b'a'
            | b'b'
            | b'd'
            | b'e'
            | b'f' => self.numbers(csi, last),
            b'T' if csi.len() <= 1 => self.numbers(csi, last),
            b'J' | b'K' if first <= 2 => self.numbers(csi, last),
            b'm' => {
                let shown = |code| {
                    matches!(code, 0..=5 | 7 | 9 | 22..=25 | 27 | 29..=37 | 39..=47 | 49 | 53 | 55
                        | 90..=97 | 100..=107)
                };
                match sgr::write(csi, shown, self.out) {
                    sgr::Outcome::Nothing => {}
                    outcome => self.state.styled = outcome == sgr::Outcome::Styled,
                }
            }
            b'r' => {
                self.numbers(csi, last);
                let alternate = usize::from(self.state.is_alternate());
                if let Some(region) = self.state.regions.get_mut(alternate) {
                    *region = first > 1 || csi.value(1) > 0;
                }
            }
            b's' if csi.is_empty() => self.save_cursor(),
            b'u' if csi.is_empty() => self.restore_cursor(),
            _ => {}
        }
    }

    /// A sequence with at most two numbers; 0 means the same as none for all that come here.
    fn numbers(&mut self, csi: &Csi, last: u8) {
        let (first, second) = (csi.value(0).min(MAX_NUMBER), csi.value(1).min(MAX_NUMBER));
        let two = matches!(last, b'H' | b'f' | b'r') && second > 0;
        let last = char::from(last);
        let _ = match (first, two) {
            (0, false) => write!(self.out, "\x1b[{last}"),
            (_, false) => write!(self.out, "\x1b[{first}{last}"),
            (_, true) => write!(self.out, "\x1b[{};{second}{last}", first.max(1)),
        };
    }

    fn private_mode(&mut self, mode: u16, on: bool) {
        match mode {
            6 => {
                self.state.origin |= on;
                let last = if on { 'h' } else { 'l' };
                let _ = write!(self.out, "\x1b[?6{last}");
                return;
            }
            66 => return self.keypad(on),
            1048 if on => return self.save_cursor(),
            1048 => return self.restore_cursor(),
            _ => {}
        }
        let Some(index) = MODES.iter().position(|(known, _)| *known == mode) else {
            return;
        };
        let default = MODES.get(index).is_some_and(|(_, default)| *default);
        let last = if on { 'h' } else { 'l' };
        let _ = write!(self.out, "\x1b[?{mode}{last}");
        if on == default {
            self.state.changed &= !(1 << index);
        } else {
            self.state.changed |= 1 << index;
        }
        if mode == 1049 && on {
            self.state.saved_charsets = self.state.charsets;
        } else if mode == 1049 {
            self.state.charsets = self.state.saved_charsets;
            self.state.styled = true;
        }
        // Any of the three leads back to the main screen.
        if !on && ALTERNATE.contains(&mode) {
            for (index, (known, _)) in MODES.iter().enumerate() {
                if ALTERNATE.contains(known) {
                    self.state.changed &= !(1 << index);
                }
            }
        }
    }

    fn title(&mut self, command: &[u8]) {
        let (b"0" | b"2", text) = osc::split(command) else {
            return;
        };
        if !self.state.titled {
            // The terminal remembers its own title, if it can.
            self.out.extend(b"\x1b[22;2t");
            self.state.titled = true;
        }
        let _ = write!(self.out, "\x1b]2;{}\x07", osc::title(text));
    }
}

impl Sink for Writer<'_> {
    fn item(&mut self, item: Item<'_>) {
        match item {
            Item::Text(text) => self.text(text),
            Item::Invalid => self.out.extend("\u{fffd}".bytes()),
            Item::Control(byte) => self.control(byte),
            Item::Escape(intermediate, last) => self.escape(intermediate, last),
            Item::Csi(csi) => self.csi(csi),
            Item::Osc(command, _) => self.title(command),
        }
    }
}

#[cfg(test)]
mod tests;
