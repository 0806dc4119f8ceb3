//! The mouse of the user's terminal → bytes for a program that asked for it.

use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use vt100::{MouseProtocolEncoding as Encoding, MouseProtocolMode as Mode};

/// The last place that the default encoding can say, from 0.
const LAST_BYTE: u16 = 222;

/// The last place that two bytes of UTF-8 can say.
const LAST_UTF8: u16 = 2014;

const MOTION: u8 = 32;
const NO_BUTTON: u8 = 3;

/// An event's bytes, with its place counted from the program's first cell. None unless the program wants to know
/// of this kind.
///
/// Places that the program's encoding cannot say: a press there is not told, a release or a drag at the last place
/// that can be said, so that no button stays pressed.
pub fn encode(event: &MouseEvent, mode: Mode, encoding: Encoding) -> Vec<u8> {
    let Some((button, released)) = button(event.kind, mode) else {
        return Vec::new();
    };
    let drag = matches!(event.kind, MouseEventKind::Drag(_));
    let limit = match encoding {
        Encoding::Default => LAST_BYTE,
        Encoding::Utf8 => LAST_UTF8,
        Encoding::Sgr => u16::MAX - 1,
    };
    let (mut column, mut row) = (event.column, event.row);
    if column.max(row) > limit {
        if !released && !drag {
            return Vec::new();
        }
        column = column.min(limit);
        row = row.min(limit);
    }
    let held = if mode == Mode::Press {
        0
    } else {
        modifiers(event.modifiers)
    };
    match encoding {
        Encoding::Sgr => {
            let last = if released { 'm' } else { 'M' };
            format!("\x1b[<{};{};{}{last}", button | held, column + 1, row + 1).into_bytes()
        }
        Encoding::Default | Encoding::Utf8 => {
            // Which button was released cannot be said.
            let button = if released { NO_BUTTON } else { button };
            let mut out = b"\x1b[M".to_vec();
            for value in [u16::from(button | held), column + 1, row + 1] {
                let value = value + 32;
                match (encoding, u8::try_from(value)) {
                    (Encoding::Default, Ok(byte)) => out.push(byte),
                    _ => {
                        let c = char::from_u32(u32::from(value)).unwrap_or(' ');
                        out.extend(c.encode_utf8(&mut [0; 4]).bytes());
                    }
                }
            }
            out
        }
    }
}

/// The button's number with what happened, and whether it was released. None if the mode does not tell it.
fn button(kind: MouseEventKind, mode: Mode) -> Option<(u8, bool)> {
    let number = |button| match button {
        MouseButton::Left => 0,
        MouseButton::Middle => 1,
        MouseButton::Right => 2,
    };
    if mode == Mode::None {
        return None;
    }
    let beyond_presses = mode != Mode::Press;
    let drags = matches!(mode, Mode::ButtonMotion | Mode::AnyMotion);
    Some(match kind {
        MouseEventKind::Down(button) => (number(button), false),
        MouseEventKind::Up(button) if beyond_presses => (number(button), true),
        MouseEventKind::Drag(button) if drags => (number(button) | MOTION, false),
        MouseEventKind::Moved if mode == Mode::AnyMotion => (NO_BUTTON | MOTION, false),
        MouseEventKind::ScrollUp if beyond_presses => (64, false),
        MouseEventKind::ScrollDown if beyond_presses => (65, false),
        MouseEventKind::ScrollLeft if beyond_presses => (66, false),
        MouseEventKind::ScrollRight if beyond_presses => (67, false),
        _ => return None,
    })
}

fn modifiers(held: KeyModifiers) -> u8 {
    let alt = KeyModifiers::ALT | KeyModifiers::META;
    u8::from(held.contains(KeyModifiers::SHIFT)) << 2
        | u8::from(held.intersects(alt)) << 3
        | u8::from(held.contains(KeyModifiers::CONTROL)) << 4
}

#[cfg(test)]
mod tests;
