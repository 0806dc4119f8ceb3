//! Keys for a program that has set flags of the kitty keyboard protocol
//! (<https://sw.kovidgoyal.net/kitty/keyboard-protocol/>).
//!
//! How exact it is depends on the user's terminal: one without the protocol does not tell Control-I from Tab, and
//! tells no releases. The base key of the layout is never known here, so it is not told.

use crossterm::event::{
    KeyCode, KeyEvent, KeyEventKind, KeyEventState, KeyModifiers, MediaKeyCode, ModifierKeyCode,
};

use super::{Named, named, number, push};

const DISAMBIGUATE: u16 = 1;
const EVENT_TYPES: u16 = 2;
const ALTERNATES: u16 = 4;
const ALL_KEYS: u16 = 8;
const TEXT: u16 = 16;

/// What stands behind a key's number: modifiers and kind of event.
struct Detail {
    /// From 0.
    modifiers: u32,
    kind: KeyEventKind,
    /// Kinds are told.
    kinds: bool,
}

impl Detail {
    fn write(&self, text: &str, out: &mut Vec<u8>) {
        let told = self.kinds && self.kind != KeyEventKind::Press;
        if self.modifiers != 0 || told {
            out.push(b';');
            number(self.modifiers + 1, out);
        } else if !text.is_empty() {
            out.push(b';');
        }
        if told {
            out.push(b':');
            out.push(if self.kind == KeyEventKind::Repeat {
                b'2'
            } else {
                b'3'
            });
        }
        for (i, c) in text.chars().enumerate() {
            out.push(if i == 0 { b';' } else { b':' });
            number(u32::from(c), out);
        }
    }

    fn is_bare(&self) -> bool {
        self.modifiers == 0 && !(self.kinds && self.kind != KeyEventKind::Press)
    }
}

pub(super) fn encode(key: &KeyEvent, flags: u16, out: &mut Vec<u8>) {
    let has = |flag| flags & flag != 0;
    if key.kind == KeyEventKind::Release && !has(EVENT_TYPES) {
        return;
    }
    let mut detail = Detail {
        modifiers: modifiers(key, has(ALL_KEYS)),
        kind: key.kind,
        kinds: has(EVENT_TYPES),
    };
    // Only some of the flags change how plain keys are written.
    let escaped = has(DISAMBIGUATE) || has(ALL_KEYS);
    match key.code {
        KeyCode::Char(c) if key.state.contains(KeyEventState::KEYPAD) && escaped => {
            match keypad_char(c) {
                Some(code) if has(ALL_KEYS) || detail.modifiers != 0 => {
                    sequence(code, None, "", &detail, out);
                }
                _ => char(c, &mut detail, flags, out),
            }
        }
        KeyCode::Char(c) => char(c, &mut detail, flags, out),
        KeyCode::Enter if key.state.contains(KeyEventState::KEYPAD) && escaped => {
            sequence(57414, None, "", &detail, out);
        }
        KeyCode::Enter => simple(13, b"\r", &detail, flags, out),
        KeyCode::Tab => simple(9, b"\t", &detail, flags, out),
        KeyCode::BackTab => {
            detail.modifiers |= 1;
            if escaped {
                sequence(9, None, "", &detail, out);
            } else {
                out.extend(b"\x1b[Z");
            }
        }
        KeyCode::Backspace => simple(127, b"\x7f", &detail, flags, out),
        KeyCode::Esc if escaped || !detail.is_bare() => sequence(27, None, "", &detail, out),
        KeyCode::Esc => out.push(0x1b),
        KeyCode::Null => {
            detail.modifiers |= 4;
            char(' ', &mut detail, flags, out);
        }
        KeyCode::KeypadBegin => sequence(57427, None, "", &detail, out),
        KeyCode::F(n @ 13..=35) => sequence(57376 + u32::from(n - 13), None, "", &detail, out),
        code => {
            if key.state.contains(KeyEventState::KEYPAD)
                && let Some(code) = keypad_named(code)
            {
                return sequence(code, None, "", &detail, out);
            }
            match named(code) {
                // Its legacy form is the answer to a question for the cursor's place.
                Some(Named::Function(b'R')) => tilde(13, &detail, out),
                Some(Named::Cursor(last) | Named::Function(last)) => letter(last, &detail, out),
                Some(Named::Tilde(n)) => tilde(u32::from(n), &detail, out),
                None => {
                    let lone = matches!(code, KeyCode::Modifier(_));
                    if let Some(code) = special(code)
                        && (has(ALL_KEYS) || !lone)
                    {
                        sequence(code, None, "", &detail, out);
                    }
                }
            }
        }
    }
}

/// A key with a character.
fn char(c: char, detail: &mut Detail, flags: u16, out: &mut Vec<u8>) {
    let shifted = c.is_uppercase();
    let base = lower(c);
    let upper = super::upper(base);
    if shifted {
        detail.modifiers |= 1;
    }
    // Shift and the locks are in the text already.
    let typed = if detail.modifiers & 1 != 0 { upper } else { c };
    let text = detail.modifiers & !(1 | 64 | 128) == 0;
    let released = detail.kind == KeyEventKind::Release;
    if flags & ALL_KEYS == 0 && text && !released {
        return push(typed, out);
    }
    if flags & (DISAMBIGUATE | ALL_KEYS) == 0 && !released {
        // Told kinds alone leave Control and Alt as they are.
        if detail.modifiers & 2 != 0 {
            out.push(0x1b);
        }
        match super::controlled(c) {
            Some(byte) if detail.modifiers & 4 != 0 => out.push(byte),
            _ => push(typed, out),
        }
        return;
    }
    let mut buffer = [0; 4];
    let with_text = flags & TEXT != 0 && flags & ALL_KEYS != 0 && text && !released;
    let told: &str = if with_text {
        typed.encode_utf8(&mut buffer)
    } else {
        ""
    };
    let alternate = (flags & ALTERNATES != 0 && detail.modifiers & 1 != 0 && upper != base)
        .then_some(u32::from(upper));
    sequence(u32::from(base), alternate, told, detail, out);
}

/// Enter, Tab and Backspace, which stay what they are unless held with others, so that a shell in which a program
/// died can be used.
fn simple(code: u32, plain: &[u8], detail: &Detail, flags: u16, out: &mut Vec<u8>) {
    let released = detail.kind == KeyEventKind::Release;
    if flags & ALL_KEYS == 0 && (detail.modifiers == 0 || flags & DISAMBIGUATE == 0) {
        if !released {
            if detail.modifiers & 2 != 0 {
                out.push(0x1b);
            }
            out.extend(plain);
        }
        return;
    }
    sequence(code, None, "", detail, out);
}

fn sequence(code: u32, alternate: Option<u32>, text: &str, detail: &Detail, out: &mut Vec<u8>) {
    out.extend(b"\x1b[");
    number(code, out);
    if let Some(alternate) = alternate {
        out.push(b':');
        number(alternate, out);
    }
    detail.write(text, out);
    out.push(b'u');
}

fn letter(last: u8, detail: &Detail, out: &mut Vec<u8>) {
    out.extend(b"\x1b[");
    if !detail.is_bare() {
        out.push(b'1');
        detail.write("", out);
    }
    out.push(last);
}

fn tilde(n: u32, detail: &Detail, out: &mut Vec<u8>) {
    out.extend(b"\x1b[");
    number(n, out);
    detail.write("", out);
    out.push(b'~');
}

/// From 0. The locks count only where every key is told, as they would make plain keys unreadable.
fn modifiers(key: &KeyEvent, locks: bool) -> u32 {
    let held = [
        KeyModifiers::SHIFT,
        KeyModifiers::ALT,
        KeyModifiers::CONTROL,
        KeyModifiers::SUPER,
        KeyModifiers::HYPER,
        KeyModifiers::META,
    ];
    let held = held.iter().enumerate();
    let mut bits = held.fold(0, |bits, (i, one)| {
        bits | u32::from(key.modifiers.contains(*one)) << i
    });
    if locks {
        bits |= u32::from(key.state.contains(KeyEventState::CAPS_LOCK)) << 6;
        bits |= u32::from(key.state.contains(KeyEventState::NUM_LOCK)) << 7;
    }
    bits
}

fn lower(c: char) -> char {
    let mut lowers = c.to_lowercase();
    match (lowers.next(), lowers.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

fn keypad_char(c: char) -> Option<u32> {
    Some(match c {
        '0'..='9' => 57399 + u32::from(c) - u32::from('0'),
        '.' => 57409,
        '/' => 57410,
        '*' => 57411,
        '-' => 57412,
        '+' => 57413,
        '=' => 57415,
        ',' => 57416,
        _ => return None,
    })
}

fn keypad_named(code: KeyCode) -> Option<u32> {
    Some(match code {
        KeyCode::Left => 57417,
        KeyCode::Right => 57418,
        KeyCode::Up => 57419,
        KeyCode::Down => 57420,
        KeyCode::PageUp => 57421,
        KeyCode::PageDown => 57422,
        KeyCode::Home => 57423,
        KeyCode::End => 57424,
        KeyCode::Insert => 57425,
        KeyCode::Delete => 57426,
        _ => return None,
    })
}

fn special(code: KeyCode) -> Option<u32> {
    Some(match code {
        KeyCode::CapsLock => 57358,
        KeyCode::ScrollLock => 57359,
        KeyCode::NumLock => 57360,
        KeyCode::PrintScreen => 57361,
        KeyCode::Pause => 57362,
        KeyCode::Menu => 57363,
        KeyCode::Media(media) => match media {
            MediaKeyCode::Play => 57428,
            MediaKeyCode::Pause => 57429,
            MediaKeyCode::PlayPause => 57430,
            MediaKeyCode::Reverse => 57431,
            MediaKeyCode::Stop => 57432,
            MediaKeyCode::FastForward => 57433,
            MediaKeyCode::Rewind => 57434,
            MediaKeyCode::TrackNext => 57435,
            MediaKeyCode::TrackPrevious => 57436,
            MediaKeyCode::Record => 57437,
            MediaKeyCode::LowerVolume => 57438,
            MediaKeyCode::RaiseVolume => 57439,
            MediaKeyCode::MuteVolume => 57440,
        },
        KeyCode::Modifier(modifier) => match modifier {
            ModifierKeyCode::LeftShift => 57441,
            ModifierKeyCode::LeftControl => 57442,
            ModifierKeyCode::LeftAlt => 57443,
            ModifierKeyCode::LeftSuper => 57444,
            ModifierKeyCode::LeftHyper => 57445,
            ModifierKeyCode::LeftMeta => 57446,
            ModifierKeyCode::RightShift => 57447,
            ModifierKeyCode::RightControl => 57448,
            ModifierKeyCode::RightAlt => 57449,
            ModifierKeyCode::RightSuper => 57450,
            ModifierKeyCode::RightHyper => 57451,
            ModifierKeyCode::RightMeta => 57452,
            ModifierKeyCode::IsoLevel3Shift => 57453,
            ModifierKeyCode::IsoLevel5Shift => 57454,
        },
        _ => return None,
    })
}
