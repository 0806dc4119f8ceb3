//! Answers to what programs ask their terminal.
//!
//! fish waits for DA1 at every start, editors for the cursor's position. What is not answered is either harmful
//! (the clipboard, the title) or unknown here (DECRQSS, XTGETTCAP).

use super::emulator::Emulator;
use crate::term::sequence::{Csi, Terminator, osc};

/// Most bytes of answers to one chunk. What does not fit is not answered.
const MAX_REPLIES: usize = 4096;

/// Pixels of a cell, for programs that ask for the size in pixels: rows, columns.
const CELL: (u32, u32) = (16, 8);

/// Light grey on black, as the terminal's own colours are unknown.
const FOREGROUND: [u8; 3] = [0xd0; 3];
const BACKGROUND: [u8; 3] = [0; 3];

impl Emulator {
    fn reply(&mut self, reply: &str) {
        let replies = &mut self.effects.replies;
        if replies.len() + reply.len() <= MAX_REPLIES {
            replies.extend(reply.bytes());
        }
    }

    /// Control sequences that are no orders; unknown ones are ignored.
    pub(super) fn query(&mut self, csi: &Csi) {
        if !self.answering || self.effects.replies.len() >= MAX_REPLIES {
            return;
        }
        let first = csi.value(0);
        let (rows, cols) = self.caught.size();
        match (csi.private, csi.intermediate, csi.last) {
            // A VT220 with colours.
            (None, None, b'c') if first == 0 => self.reply("\x1b[?62;22c"),
            // An xterm that is new enough for SGR mouse reports.
            (Some(b'>'), None, b'c') if first == 0 => self.reply("\x1b[>0;277;0c"),
            (None, None, b'n') if first == 5 => self.reply("\x1b[0n"),
            (None, None, b'n') if first == 6 => {
                let (row, col) = self.caught.current().cursor_position();
                let col = col.min(cols - 1);
                self.reply(&format!("\x1b[{};{}R", row + 1, col + 1));
            }
            (None, None, b't') if first == 14 => {
                let (height, width) = (u32::from(rows) * CELL.0, u32::from(cols) * CELL.1);
                self.reply(&format!("\x1b[4;{height};{width}t"));
            }
            (None, None, b't') if first == 18 => self.reply(&format!("\x1b[8;{rows};{cols}t")),
            (Some(b'>'), None, b'q') if first == 0 => {
                let version = env!("CARGO_PKG_VERSION");
                self.reply(&format!("\x1bP>|buildx {version}\x1b\\"));
            }
            (Some(b'?'), None, b'u') => {
                let alternate = self.caught.current().alternate_screen();
                let flags = self.keyboard.flags(alternate);
                self.reply(&format!("\x1b[?{flags}u"));
            }
            (Some(b'?'), Some(b'$'), b'p') => {
                let setting = self.setting(first);
                self.reply(&format!("\x1b[?{first};{setting}$y"));
            }
            (None, Some(b'$'), b'p') => self.reply(&format!("\x1b[{first};0$y")),
            _ => {}
        }
    }

    /// DECRQM's value for a private mode: 0 unknown, 1 set, 2 reset, 3 always set.
    fn setting(&mut self, mode: u16) -> u8 {
        use vt100::{MouseProtocolEncoding as Encoding, MouseProtocolMode as Mouse};
        let (focus_events, synchronized) = (self.focus_events, self.synchronized);
        let screen = self.caught.current();
        let mouse = |mode| screen.mouse_protocol_mode() == mode;
        let encoding = |encoding| screen.mouse_protocol_encoding() == encoding;
        let on = match mode {
            1 => screen.application_cursor(),
            7 => return 3,
            9 => mouse(Mouse::Press),
            25 => !screen.hide_cursor(),
            47 | 1047 | 1049 => screen.alternate_screen(),
            1000 => mouse(Mouse::PressRelease),
            1002 => mouse(Mouse::ButtonMotion),
            1003 => mouse(Mouse::AnyMotion),
            1004 => focus_events,
            1005 => encoding(Encoding::Utf8),
            1006 => encoding(Encoding::Sgr),
            2004 => screen.bracketed_paste(),
            2026 => synchronized,
            _ => return 0,
        };
        if on { 1 } else { 2 }
    }

    /// Operating system commands that ask for colours.
    pub(super) fn colour_query(&mut self, number: &[u8], rest: &[u8], terminator: Terminator) {
        if !self.answering {
            return;
        }
        let end = match terminator {
            Terminator::Bell => "\x07",
            Terminator::String => "\x1b\\",
        };
        let answer = |colour: [u8; 3]| {
            let [r, g, b] = colour;
            format!("rgb:{r:02x}{r:02x}/{g:02x}{g:02x}/{b:02x}{b:02x}{end}")
        };
        match (number, rest) {
            (b"10" | b"12", b"?") => {
                let number = String::from_utf8_lossy(number).into_owned();
                self.reply(&format!("\x1b]{number};{}", answer(FOREGROUND)));
            }
            (b"11", b"?") => self.reply(&format!("\x1b]11;{}", answer(BACKGROUND))),
            (b"4", mut pairs) => {
                while !pairs.is_empty() && self.effects.replies.len() < MAX_REPLIES {
                    let (index, rest) = osc::split(pairs);
                    let (question, rest) = osc::split(rest);
                    let index = std::str::from_utf8(index).ok().and_then(|i| i.parse().ok());
                    if let (Some(index), b"?") = (index, question) {
                        self.reply(&format!("\x1b]4;{index};{}", answer(palette(index))));
                    }
                    pairs = rest;
                }
            }
            _ => {}
        }
    }
}

/// xterm's 256 colours.
fn palette(index: u8) -> [u8; 3] {
    const BASE: [[u8; 3]; 16] = [
        [0, 0, 0],
        [205, 0, 0],
        [0, 205, 0],
        [205, 205, 0],
        [0, 0, 238],
        [205, 0, 205],
        [0, 205, 205],
        [229, 229, 229],
        [127, 127, 127],
        [255, 0, 0],
        [0, 255, 0],
        [255, 255, 0],
        [92, 92, 255],
        [255, 0, 255],
        [0, 255, 255],
        [255, 255, 255],
    ];
    let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
    match (BASE.get(usize::from(index)), index) {
        (Some(colour), _) => *colour,
        (None, 0..=231) => {
            let cube = index - 16;
            [level(cube / 36), level(cube / 6 % 6), level(cube % 6)]
        }
        (None, grey) => [8 + 10 * (grey - 232); 3],
    }
}
