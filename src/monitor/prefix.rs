//! The prefix key: what of the keyboard is for the monitor, and what for the program.
//!
//! Prefix then `c` changes between shell and monitor, prefix then `d` detaches, the prefix twice
//! sends one. Before any other key both are passed on, so nothing that is typed is lost.

use bytes::{Buf, Bytes};

/// The key that everybody knows from the original, Ctrl-a.
pub const DEFAULT: u8 = 0x01;

/// Environment variable that sets the prefix when no flag does.
pub const VARIABLE: &str = "BUILDX_PREFIX";

/// What the keyboard said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Bytes for whoever has the keyboard.
    Pass(Bytes),
    /// Prefix, `c`.
    Toggle,
    /// Prefix, `d`.
    Detach,
}

/// Reads the keyboard byte by byte; a prefix may be the last byte of one chunk and its key the
/// first of the next.
#[derive(Clone, Debug)]
pub struct Prefix {
    key: u8,
    held: bool,
}

impl Prefix {
    /// With this key, one control byte.
    pub fn new(key: u8) -> Self {
        Self { key, held: false }
    }

    /// How the key is named: `Ctrl-a`.
    pub fn name(&self) -> String {
        let letter = char::from(self.key | 0x40).to_ascii_lowercase();
        format!("Ctrl-{letter}")
    }

    /// Takes the next step out of `bytes`; `None` when they are used up. A [`Step::Pass`] holds at
    /// most `most` bytes of the input, or a prefix and the byte after it.
    pub fn next(&mut self, bytes: &mut Bytes, most: usize) -> Option<Step> {
        if self.held {
            let &next = bytes.first()?;
            bytes.advance(1);
            self.held = false;
            return Some(match next {
                b'c' => Step::Toggle,
                b'd' => Step::Detach,
                next if next == self.key => Step::Pass(Bytes::copy_from_slice(&[next])),
                next => Step::Pass(Bytes::copy_from_slice(&[self.key, next])),
            });
        }
        let ahead = &bytes[..bytes.len().min(most.max(1))];
        match ahead.iter().position(|&byte| byte == self.key) {
            Some(0) => {
                bytes.advance(1);
                self.held = true;
                self.next(bytes, most)
            }
            Some(at) => Some(Step::Pass(bytes.split_to(at))),
            None if ahead.is_empty() => None,
            None => {
                let length = ahead.len();
                Some(Step::Pass(bytes.split_to(length)))
            }
        }
    }
}

/// Reads a prefix as people write it: `ctrl-b`, `C-b`, `^b`.
///
/// # Errors
/// One line. Keys that a line of the monitor could not do without are refused.
pub fn parse(text: &str) -> Result<u8, String> {
    let lower = text.trim().to_ascii_lowercase();
    let key = ["ctrl-", "ctrl+", "c-", "^"]
        .iter()
        .find_map(|start| lower.strip_prefix(start))
        .unwrap_or_default();
    match key.as_bytes() {
        [b'c' | b'd' | b'i' | b'j' | b'm' | b'['] => Err(format!(
            "invalid prefix {text:?}: {key} with Ctrl is Ctrl-C, end of file, tab, enter or escape; take another, such as ctrl-b"
        )),
        [letter @ (b'a'..=b'z' | b']' | b'\\' | b'^' | b'_')] => Ok(letter & 0x1f),
        _ => Err(format!(
            "invalid prefix {text:?}: expected ctrl- and a letter, such as ctrl-b"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All steps of the input, cut into chunks of `size`; neighbours of one kind joined.
    fn steps(input: &[u8], size: usize, most: usize) -> Vec<Step> {
        let mut prefix = Prefix::new(DEFAULT);
        let mut all: Vec<Step> = Vec::new();
        for chunk in input.chunks(size) {
            let mut bytes = Bytes::copy_from_slice(chunk);
            while let Some(step) = prefix.next(&mut bytes, most) {
                match (all.last_mut(), step) {
                    (Some(Step::Pass(before)), Step::Pass(after)) => {
                        *before = [&before[..], &after[..]].concat().into();
                    }
                    (_, step) => all.push(step),
                }
            }
            assert!(bytes.is_empty());
        }
        all
    }

    fn pass(bytes: &[u8]) -> Step {
        Step::Pass(Bytes::copy_from_slice(bytes))
    }

    #[test]
    fn every_key_after_the_prefix_however_the_bytes_are_cut() {
        let table: &[(&[u8], &[Step])] = &[
            (b"plain \xff\x00", &[pass(b"plain \xff\x00")]),
            (b"ls\x01cexit", &[pass(b"ls"), Step::Toggle, pass(b"exit")]),
            (b"\x01d", &[Step::Detach]),
            (b"a\x01\x01b", &[pass(b"a\x01b")]),
            (b"\x01\x01c", &[pass(b"\x01c")]),
            (b"\x01\x01\x01c", &[pass(b"\x01"), Step::Toggle]),
            (b"\x01x", &[pass(b"\x01x")]),
            (b"\x01\x1b[A", &[pass(b"\x01\x1b[A")]),
            (b"\x01c\x01c", &[Step::Toggle, Step::Toggle]),
            (b"\x01", &[]),
        ];
        for (input, expected) in table {
            for size in 1..=input.len() {
                for most in [1, 2, 4096] {
                    assert_eq!(steps(input, size, most), *expected, "{input:?} by {size}");
                }
            }
        }
    }

    #[test]
    fn names_of_keys() {
        for text in ["ctrl-b", "Ctrl-B", "C-b", "^b", "ctrl+b"] {
            assert_eq!(parse(text), Ok(2), "{text}");
        }
        assert_eq!(parse("ctrl-]"), Ok(0x1d));
        for text in ["", "b", "ctrl-", "ctrl-bb", "ctrl-1", "alt-b", "ctrl-é"] {
            assert!(parse(text).unwrap_err().contains("expected"), "{text}");
        }
        for text in ["ctrl-c", "ctrl-m", "^["] {
            assert!(parse(text).unwrap_err().contains("take another"), "{text}");
        }
        assert_eq!(Prefix::new(DEFAULT).name(), "Ctrl-a");
        assert_eq!(Prefix::new(0x1d).name(), "Ctrl-]");
    }
}
