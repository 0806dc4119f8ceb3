//! A raw line → what a terminal may see of it. Each line is filtered on its own, so that it is the same wherever reading
//! begins: a colour that an earlier line has set is not known.

use memchr::memchr2;

use crate::term::escape::{Filter, Sink};

/// Whether a text is printable ASCII, tabs and newlines: then it stays as it is.
pub fn plain(text: &[u8]) -> bool {
    let odd = |byte: u8| !(matches!(byte, b'\t' | b'\n') | (byte.wrapping_sub(0x20) < 0x5f));
    // In blocks without an early end: the compiler makes vector instructions of the inner loop.
    text.chunks(512)
        .all(|block| !block.iter().fold(false, |found, byte| found | odd(*byte)))
}

/// Longest parameters of a sequence that [`strip`] knows; the filter has about this limit, too.
const PARAMETERS: usize = 60;

/// Copies a text of any lines without what the filter drops from it when colours do not stay: colours, "erase in line",
/// and carriage returns before newlines. False when there may be more for the filter to do; then `out` is of no use.
pub fn strip(text: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    let mut rest = text;
    while let Some(at) = memchr2(b'\x1b', b'\r', rest) {
        let (before, behind) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        out.extend_from_slice(before);
        rest = match behind {
            [b'\r', b'\n', ..] => behind.get(1..).unwrap_or_default(),
            [b'\x1b', b'[', sequence @ ..] => match dropped(sequence) {
                Some(rest) => rest,
                None => return false,
            },
            _ => return false,
        };
    }
    out.extend_from_slice(rest);
    plain(out)
}

/// What follows a sequence that the filter drops; `None` when it is another one.
fn dropped(sequence: &[u8]) -> Option<&[u8]> {
    let inside = |byte: &&u8| (b'0'..=b';').contains(*byte);
    let length = sequence.iter().take(PARAMETERS).take_while(inside).count();
    let (parameters, end) = sequence.split_at_checked(length)?;
    let (last, rest) = end.split_first()?;
    match (last, parameters) {
        (b'm', _) | (b'K', b"" | b"0" | b"1" | b"2") => Some(rest),
        _ => None,
    }
}

/// Filters lines, one after the other into the same memory.
#[derive(Debug)]
pub struct Cleaner {
    colours: bool,
    stripped: Vec<u8>,
    out: Last,
}

/// The text of a line that stands there at last: what comes after a lone carriage return replaces it.
#[derive(Debug, Default)]
struct Last {
    text: String,
    replaced: bool,
}

impl Sink for Last {
    fn text(&mut self, text: &str) {
        if std::mem::take(&mut self.replaced) {
            self.text.clear();
        }
        self.text.push_str(text);
    }

    // A raw line has none.
    fn newline(&mut self) {}

    fn rewrite(&mut self) {
        self.replaced = true;
    }
}

impl Cleaner {
    /// `colours`: whether colour sequences stay.
    pub fn new(colours: bool) -> Self {
        Self {
            colours,
            stripped: Vec::new(),
            out: Last::default(),
        }
    }

    /// The harmless text of a line without its newline.
    pub fn clean<'a>(&'a mut self, line: &'a [u8]) -> &'a [u8] {
        if plain(line) {
            return line;
        }
        if !self.colours && strip(line, &mut self.stripped) {
            return &self.stripped;
        }
        self.out.text.clear();
        self.out.replaced = false;
        let mut filter = Filter::new(self.colours);
        filter.push(line, &mut self.out);
        filter.finish(&mut self.out);
        self.out.text.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cleaned(colours: bool, line: &[u8]) -> String {
        String::from_utf8(Cleaner::new(colours).clean(line).to_vec()).unwrap()
    }

    #[test]
    fn a_rewritten_line_shows_its_last_text() {
        assert_eq!(cleaned(true, b"10%\r20%\r\x1b[K100%\r"), "100%");
        assert_eq!(cleaned(true, b"windows\r"), "windows");
        assert_eq!(
            cleaned(true, b"\x1b[31m1%\r\x1b[32m2%\x1b[0m"),
            "\x1b[0;32m2%\x1b[0m"
        );
        assert_eq!(cleaned(true, b"\r"), "");
    }

    #[test]
    fn nothing_dangerous_stays() {
        assert_eq!(cleaned(false, b"\x1b[31mred\x1b[0m"), "red");
        assert_eq!(cleaned(true, b"\x1b]0;t\x07\x9b"), "^[]0;t^G\\x9b");
        assert_eq!(cleaned(true, b"tab\there"), "tab\there");
        assert!(plain(b"a\tb\n~ "));
        for odd in [0u8, 0x1b, b'\r', 0x7f, 0x80, 0xff] {
            assert!(!plain(&[b'a', odd]), "{odd}");
        }
    }

    proptest! {
        /// What is stripped fast is what the filter leaves, for every line.
        #[test]
        fn the_fast_way_is_the_slow_way(pieces in proptest::collection::vec(0usize..12, 0..20)) {
            let all = [
                "a", "b c", "\x1b[31m", "\x1b[0;1;38:5:9m", "\x1b[K", "\x1b[2K", "\x1b[3K", "\r\n", "\n", "\r", "\x1b", "é",
            ];
            let text: String = pieces.iter().map(|piece| all[*piece]).collect();
            let mut fast = Vec::new();
            if strip(text.as_bytes(), &mut fast) {
                let slow: Vec<String> = text.split('\n').map(|line| {
                    let mut last = Last::default();
                    let mut filter = Filter::new(false);
                    filter.push(line.as_bytes(), &mut last);
                    filter.finish(&mut last);
                    last.text
                }).collect();
                prop_assert_eq!(String::from_utf8(fast).unwrap(), slow.join("\n"));
            }
        }
    }
}
