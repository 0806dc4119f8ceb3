//! From the bytes of a keyboard to the keys that a line editor knows.

/// Longest escape sequence that can be one of the keys below.
const MAX_SEQUENCE: usize = 16;

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named like the keys")]
pub enum Key {
    /// A character to insert.
    Char(char),
    /// With Ctrl; a lower case letter or a sign.
    Ctrl(char),
    /// With Alt, or after Escape.
    Alt(char),
    Left,
    Right,
    Up,
    Down,
    WordLeft,
    WordRight,
    Home,
    End,
    Delete,
    Backspace,
    Enter,
    Tab,
    /// A key that means nothing to a line.
    Other,
}

/// Reads keys byte by byte; a key may be cut anywhere.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    state: State,
}

#[derive(Clone, Debug, Default)]
enum State {
    #[default]
    Ground,
    Escape,
    /// After `ESC [`: parameters.
    Control(Vec<u8>),
    /// After `ESC O`.
    Single,
    /// Begin of a character.
    Partial(Vec<u8>),
}

impl Keys {
    /// Takes a byte; a key when it ends one.
    pub fn push(&mut self, byte: u8) -> Option<Key> {
        match std::mem::take(&mut self.state) {
            State::Ground => self.ground(byte),
            State::Escape => self.escape(byte),
            State::Control(mut parameters) => match byte {
                0x40..=0x7e => Some(control(&parameters, byte)),
                0x20..=0x3f => {
                    // The rest of a longer one is swallowed, too.
                    if parameters.len() < MAX_SEQUENCE {
                        parameters.push(byte);
                    }
                    self.state = State::Control(parameters);
                    None
                }
                _ => self.ground(byte),
            },
            State::Single => Some(single(byte)),
            State::Partial(mut partial) => {
                partial.push(byte);
                self.character(partial)
            }
        }
    }

    fn ground(&mut self, byte: u8) -> Option<Key> {
        Some(match byte {
            0x1b => {
                self.state = State::Escape;
                return None;
            }
            b'\r' | b'\n' => Key::Enter,
            b'\t' => Key::Tab,
            0x08 | 0x7f => Key::Backspace,
            0x00 => Key::Other,
            0x01..=0x1f => Key::Ctrl(char::from(byte | 0x40).to_ascii_lowercase()),
            0x20..=0x7e => Key::Char(char::from(byte)),
            0x80.. => return self.character(vec![byte]),
        })
    }

    fn escape(&mut self, byte: u8) -> Option<Key> {
        self.state = match byte {
            b'[' => State::Control(Vec::new()),
            b'O' => State::Single,
            0x1b => State::Escape,
            0x08 | 0x7f => return Some(Key::Alt('\x7f')),
            0x20..=0x7e => return Some(Key::Alt(char::from(byte))),
            _ => return self.ground(byte),
        };
        None
    }

    fn character(&mut self, partial: Vec<u8>) -> Option<Key> {
        match std::str::from_utf8(&partial) {
            Ok(text) => Some(text.chars().next().map_or(Key::Other, Key::Char)),
            Err(error) if error.error_len().is_none() => {
                self.state = State::Partial(partial);
                None
            }
            // What is no character cannot be typed into a line of text. The byte that spoiled it
            // may be a key of its own.
            Err(_) => match partial.last() {
                Some(&last) if partial.len() > 1 && last < 0x80 => self.ground(last),
                _ => Some(Key::Other),
            },
        }
    }
}

/// `ESC [ parameters final`.
fn control(parameters: &[u8], end: u8) -> Key {
    // `1;5` and `1;3` are with Ctrl and with Alt.
    let by_word = parameters.ends_with(b";5") || parameters.ends_with(b";3");
    match (end, parameters) {
        (b'D', _) if by_word => Key::WordLeft,
        (b'C', _) if by_word => Key::WordRight,
        (b'~', b"1" | b"7") => Key::Home,
        (b'~', b"4" | b"8") => Key::End,
        (b'~', b"3") => Key::Delete,
        _ => single(end),
    }
}

/// `ESC O final`, and the same finals after `ESC [`.
fn single(end: u8) -> Key {
    match end {
        b'A' => Key::Up,
        b'B' => Key::Down,
        b'C' => Key::Right,
        b'D' => Key::Left,
        b'H' => Key::Home,
        b'F' => Key::End,
        b'M' => Key::Enter,
        _ => Key::Other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut keys = Keys::default();
        bytes.iter().filter_map(|&byte| keys.push(byte)).collect()
    }

    #[test]
    fn keys_of_all_kinds() {
        use Key::*;
        let table: &[(&[u8], &[Key])] = &[
            ("aé漢".as_bytes(), &[Char('a'), Char('é'), Char('漢')]),
            (b"\x01\x1f\x1a", &[Ctrl('a'), Ctrl('_'), Ctrl('z')]),
            (
                b"\r\n\t\x7f\x08\0",
                &[Enter, Enter, Tab, Backspace, Backspace, Other],
            ),
            (b"\x1b[A\x1bOB\x1b[C\x1bOD", &[Up, Down, Right, Left]),
            (b"\x1b[1;5D\x1b[1;3C", &[WordLeft, WordRight]),
            (
                b"\x1b[H\x1b[F\x1b[1~\x1b[4~\x1b[3~",
                &[Home, End, Home, End, Delete],
            ),
            (
                b"\x1bb\x1b\x7f\x1b\x1bf",
                &[Alt('b'), Alt('\x7f'), Alt('f')],
            ),
            (b"\x1b[200~x", &[Other, Char('x')]),
            // Not UTF-8: skipped, and what follows is not.
            (b"\xc3a\xff\xe6\xbcz", &[Char('a'), Other, Char('z')]),
            (b"\x1b[12\x03", &[Ctrl('c')]),
        ];
        for (bytes, expected) in table {
            assert_eq!(keys(bytes), *expected, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_a_state_that_enter_leaves(bytes: Vec<u8>) {
            let mut keys = Keys::default();
            for byte in bytes {
                keys.push(byte);
            }
            // A sequence that was cut short swallows one key at most.
            let after: Vec<_> = b"\x03\rx".iter().filter_map(|&b| keys.push(b)).collect();
            prop_assert!(after.ends_with(&[Key::Enter, Key::Char('x')]), "{after:?}");
        }
    }
}
