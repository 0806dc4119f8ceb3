//! Keys, pasted text and focus of the user's terminal → bytes for a program, as xterm would type them.
//!
//! What crossterm makes of a terminal's bytes is turned back, so that a program sees what it would see on that
//! terminal itself. The tables are those of xterm (<https://invisible-island.net/xterm/ctlseqs/ctlseqs.html>) and of
//! the terminfo entry `xterm-256color`, which programs in containers are given. A program that asked for the kitty
//! protocol gets that (`kitty`).

mod kitty;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyEventState, KeyModifiers};

use super::guard::Terminal;

/// What a program has asked of its terminal's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Modes {
    /// DECCKM: arrows, Home and End as `ESC O x`.
    pub application_cursor: bool,
    /// DECNKM: the keypad as `ESC O x`, while Num Lock is off.
    pub application_keypad: bool,
    /// Mode 2004: pasted text stands between two sequences.
    pub bracketed_paste: bool,
    /// Mode 1004: focus is told.
    pub focus_events: bool,
    /// Flags of the kitty keyboard protocol; 0 means plain keys.
    pub keyboard_flags: u16,
}

impl Modes {
    /// What the program of a terminal has asked for up to now.
    pub fn of(terminal: &Terminal) -> Self {
        let screen = terminal.screen();
        Modes {
            application_cursor: screen.application_cursor(),
            application_keypad: screen.application_keypad(),
            bracketed_paste: screen.bracketed_paste(),
            focus_events: terminal.focus_events(),
            keyboard_flags: terminal.keyboard_flags(),
        }
    }
}

/// A key's bytes; none for a key that has no bytes, and for a released one unless the program asked for releases.
pub fn encode(key: &KeyEvent, modes: Modes) -> Vec<u8> {
    let mut out = Vec::with_capacity(16);
    if modes.keyboard_flags != 0 {
        kitty::encode(key, modes.keyboard_flags, &mut out);
    } else if key.kind != KeyEventKind::Release {
        plain(key, modes, &mut out);
    }
    out
}

/// Pasted text as bytes. Control characters except tabs and line ends are left out, so that text cannot end its
/// own brackets or press keys. Line ends of unbracketed text are Enter keys.
pub fn paste(text: &str, modes: Modes) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 12);
    if modes.bracketed_paste {
        out.extend(b"\x1b[200~");
    }
    let mut previous = ' ';
    for c in text.chars() {
        match c {
            '\n' if previous == '\r' && !modes.bracketed_paste => {}
            '\n' if !modes.bracketed_paste => out.push(b'\r'),
            '\t' | '\n' | '\r' => push(c, &mut out),
            c if c.is_control() => {}
            c => push(c, &mut out),
        }
        previous = c;
    }
    if modes.bracketed_paste {
        out.extend(b"\x1b[201~");
    }
    out
}

/// What tells a program that its terminal has gained or lost the focus; nothing unless it asked.
pub fn focus(gained: bool, modes: Modes) -> &'static [u8] {
    match (modes.focus_events, gained) {
        (false, _) => b"",
        (true, true) => b"\x1b[I",
        (true, false) => b"\x1b[O",
    }
}

fn push(c: char, out: &mut Vec<u8>) {
    out.extend(c.encode_utf8(&mut [0; 4]).bytes());
}

fn number(n: u32, out: &mut Vec<u8>) {
    out.extend(n.to_string().bytes());
}

/// How a key without a character is written: by the letter or the number at the end of its sequence.
#[derive(Clone, Copy)]
enum Named {
    /// `CSI x`, `CSI 1 ; m x`; `SS3 x` with application cursor keys.
    Cursor(u8),
    /// `SS3 x`, `CSI 1 ; m x`.
    Function(u8),
    /// `CSI n ~`, `CSI n ; m ~`.
    Tilde(u8),
}

fn named(code: KeyCode) -> Option<Named> {
    Some(match code {
        KeyCode::Up => Named::Cursor(b'A'),
        KeyCode::Down => Named::Cursor(b'B'),
        KeyCode::Right => Named::Cursor(b'C'),
        KeyCode::Left => Named::Cursor(b'D'),
        KeyCode::KeypadBegin => Named::Cursor(b'E'),
        KeyCode::End => Named::Cursor(b'F'),
        KeyCode::Home => Named::Cursor(b'H'),
        KeyCode::Insert => Named::Tilde(2),
        KeyCode::Delete => Named::Tilde(3),
        KeyCode::PageUp => Named::Tilde(5),
        KeyCode::PageDown => Named::Tilde(6),
        KeyCode::F(n) => function(n)?,
        _ => return None,
    })
}

/// F1 to F12.
fn function(n: u8) -> Option<Named> {
    Some(match n {
        1..=4 => Named::Function(b'P' + n - 1),
        5 => Named::Tilde(15),
        6..=10 => Named::Tilde(17 + n - 6),
        11..=12 => Named::Tilde(23 + n - 11),
        _ => return None,
    })
}

/// Shift, Alt and Control as xterm counts them, from 0. Meta counts as Alt.
fn modifiers(given: KeyModifiers) -> u32 {
    let alt = KeyModifiers::ALT | KeyModifiers::META;
    u32::from(given.contains(KeyModifiers::SHIFT))
        | u32::from(given.intersects(alt)) << 1
        | u32::from(given.contains(KeyModifiers::CONTROL)) << 2
}

fn plain(key: &KeyEvent, modes: Modes, out: &mut Vec<u8>) {
    if key
        .modifiers
        .intersects(KeyModifiers::SUPER | KeyModifiers::HYPER)
    {
        return;
    }
    let mut held = modifiers(key.modifiers);
    if modes.application_keypad
        && held == 0
        && key.state.contains(KeyEventState::KEYPAD)
        && !key.state.contains(KeyEventState::NUM_LOCK)
        && let Some(last) = keypad(key.code)
    {
        return out.extend([0x1b, b'O', last]);
    }
    let mut code = key.code;
    if let KeyCode::F(n @ 13..=36) = code {
        // Terminfo's names of F1 to F12 with Shift, then with Control.
        code = KeyCode::F((n - 1) % 12 + 1);
        held |= if n <= 24 { 1 } else { 4 };
    }
    if let Some(name) = named(code) {
        return write_named(name, held, modes.application_cursor, out);
    }
    let (shift, alt, control) = (held & 1 != 0, held & 2 != 0, held & 4 != 0);
    if alt {
        out.push(0x1b);
    }
    match code {
        KeyCode::Enter => out.push(b'\r'),
        KeyCode::Tab if shift => out.extend(b"\x1b[Z"),
        KeyCode::BackTab => out.extend(b"\x1b[Z"),
        KeyCode::Tab => out.push(b'\t'),
        KeyCode::Backspace => out.push(if control { 0x08 } else { 0x7f }),
        KeyCode::Esc => out.push(0x1b),
        KeyCode::Null => out.push(0),
        KeyCode::Char(c) => {
            let c = if shift { upper(c) } else { c };
            match controlled(c) {
                Some(byte) if control => out.push(byte),
                _ => push(c, out),
            }
        }
        // A key that plain terminals do not have.
        _ => out.clear(),
    }
}

fn write_named(name: Named, held: u32, application_cursor: bool, out: &mut Vec<u8>) {
    match name {
        Named::Cursor(last) if held == 0 && application_cursor => out.extend([0x1b, b'O', last]),
        Named::Function(last) if held == 0 => out.extend([0x1b, b'O', last]),
        Named::Cursor(last) if held == 0 => out.extend([0x1b, b'[', last]),
        Named::Cursor(last) | Named::Function(last) => {
            out.extend(b"\x1b[1;");
            number(held + 1, out);
            out.push(last);
        }
        Named::Tilde(n) => {
            out.extend(b"\x1b[");
            number(u32::from(n), out);
            if held != 0 {
                out.push(b';');
                number(held + 1, out);
            }
            out.push(b'~');
        }
    }
}

/// A terminal that tells Shift apart names the unshifted letter.
fn upper(c: char) -> char {
    let mut uppers = c.to_uppercase();
    match (uppers.next(), uppers.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

/// The control character of a key that is held with Control. Digits are those of a US keyboard, on which
/// Control-2 is Control-@; crossterm tells Control-\ to Control-_ by them.
fn controlled(c: char) -> Option<u8> {
    Some(match c {
        'a'..='z' => c as u8 - b'a' + 1,
        'A'..='Z' => c as u8 - b'A' + 1,
        ' ' | '@' | '2' | '`' => 0x00,
        '[' | '3' | '{' => 0x1b,
        '\\' | '4' | '|' => 0x1c,
        ']' | '5' | '}' => 0x1d,
        '^' | '6' | '~' => 0x1e,
        '_' | '/' | '7' => 0x1f,
        '?' | '8' => 0x7f,
        _ => return None,
    })
}

/// The last byte of a key of the keypad in application mode.
fn keypad(code: KeyCode) -> Option<u8> {
    Some(match code {
        KeyCode::Enter => b'M',
        KeyCode::Char(c @ '0'..='9') => b'p' + (c as u8 - b'0'),
        KeyCode::Char('=') => b'X',
        KeyCode::Char('*') => b'j',
        KeyCode::Char('+') => b'k',
        KeyCode::Char(',') => b'l',
        KeyCode::Char('-') => b'm',
        KeyCode::Char('.') => b'n',
        KeyCode::Char('/') => b'o',
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
