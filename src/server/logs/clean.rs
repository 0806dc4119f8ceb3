//! A raw line → what a terminal may see of it. Each line is filtered on its own, so that it is the same wherever reading
//! begins: a colour that an earlier line has set is not known.

use crate::term::escape::{Filter, Sink};

/// Whether a text is printable ASCII, tabs and newlines: then it stays as it is.
pub fn plain(text: &[u8]) -> bool {
    let odd = |byte: u8| !(matches!(byte, b'\t' | b'\n') | (byte.wrapping_sub(0x20) < 0x5f));
    // In blocks without an early end: the compiler makes vector instructions of the inner loop.
    text.chunks(512)
        .all(|block| !block.iter().fold(false, |found, byte| found | odd(*byte)))
}

/// Filters lines, one after the other into the same memory.
#[derive(Debug)]
pub struct Cleaner {
    colours: bool,
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
            out: Last::default(),
        }
    }

    /// The harmless text of a line without its newline.
    pub fn clean<'a>(&'a mut self, line: &'a [u8]) -> &'a [u8] {
        if plain(line) {
            return line;
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
}
