//! The filter for hostile bytes: logs, names, warnings, errors and source lines pass it before
//! they are printed.
//!
//! What stays: printable text, newline, tab, and colours (SGR) if the output allows colours. Colour
//! sequences are parsed and written anew, so nothing of the received bytes of a sequence goes through, and
//! every line that ends coloured is closed with a reset, so a colour cannot leak into what follows.
//!
//! What is interpreted: carriage return + newline is a newline; a lone carriage return is a
//! *rewrite* of the line, which the [`Sink`] decides on; "erase in line" is dropped, because
//! without it only more is visible, never less.
//!
//! Everything else is shown, not obeyed: `^[` for ESC and `^G` for other control bytes, `\x9b` for bytes that are
//! not UTF-8, `\u{202e}` for C1 controls and for characters that change the order of text or are
//! invisible. A joiner behind a character that is not ASCII is left out: it belongs to a script or to an
//! emoji of several parts, which terminals draw in widths of their own, and the parts alone are the same everywhere.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar;

/// Longest escape sequence that is held back while it may still become a colour, in bytes.
/// Longer ones are shown.
const MAX_SEQUENCE: usize = 64;

/// Marks of zero width accepted on one character; what exceeds it is shown as an escape.
const MAX_MARKS: u8 = 8;

/// Receives the filtered text of a stream.
pub trait Sink {
    /// Harmless text without line breaks. Can hold colour sequences if the filter allows them.
    fn text(&mut self, text: &str);
    /// The line ends here.
    fn newline(&mut self);
    /// A lone carriage return: what follows is meant to replace the line.
    fn rewrite(&mut self);
}

/// Keeps newlines and shows rewrites as `^M`.
impl Sink for String {
    fn text(&mut self, text: &str) {
        self.push_str(text);
    }
    fn newline(&mut self) {
        self.push('\n');
    }
    fn rewrite(&mut self) {
        self.push_str("^M");
    }
}

/// Text of a single line: newlines are shown, too.
struct OneLine(String);

impl Sink for OneLine {
    fn text(&mut self, text: &str) {
        self.0.push_str(text);
    }
    fn newline(&mut self) {
        self.0.push_str("^J");
    }
    fn rewrite(&mut self) {
        self.0.push_str("^M");
    }
}

/// Makes a text harmless that has to stay on one line (names, file names). Colours are removed.
pub fn line(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| matches!(b, 0x20..=0x7e)) {
        return Cow::Borrowed(text);
    }
    let mut out = OneLine(String::with_capacity(text.len()));
    let mut filter = Filter::new(false);
    filter.push(text.as_bytes(), &mut out);
    filter.finish(&mut out);
    Cow::Owned(out.0)
}

/// Makes a text of any number of lines harmless (messages, details). Colours are removed.
pub fn text(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    let mut filter = Filter::new(false);
    filter.push(bytes, &mut out);
    filter.finish(&mut out);
    out
}

/// A filter for one stream; chunks can be cut anywhere.
#[derive(Debug, Default)]
pub struct Filter {
    colours: bool,
    /// Colours that the stream has asked for.
    wanted: Style,
    /// Colours that have been written.
    written: Style,
    /// Begin of an escape sequence, without the ESC itself. `Some("")` after an ESC.
    sequence: Option<String>,
    /// Begin of a character, at most 3 bytes.
    partial: Vec<u8>,
    carriage_return: bool,
    marks: u8,
    /// Whether a joiner may stand here.
    joins: bool,
}

impl Filter {
    /// `colours`: whether colour sequences are let through. Else they are removed.
    pub fn new(colours: bool) -> Self {
        Filter {
            colours,
            ..Filter::default()
        }
    }

    /// Filters a chunk.
    pub fn push(&mut self, chunk: &[u8], sink: &mut impl Sink) {
        if self.partial.is_empty() {
            return self.push_whole(chunk, sink);
        }
        // A character was cut by the end of the last chunk: take bytes until it is decided.
        let mut rest = chunk;
        while let Some((&first, tail)) = rest.split_first() {
            self.partial.push(first);
            rest = tail;
            let incomplete = match std::str::from_utf8(&self.partial) {
                Ok(_) => false,
                Err(e) => e.error_len().is_none(),
            };
            if !incomplete {
                let whole = std::mem::take(&mut self.partial);
                self.push_whole(&whole, sink);
                // The byte that decided it can be the begin of the next character.
                if self.partial.is_empty() {
                    break;
                }
            }
        }
        self.push_whole(rest, sink);
    }

    fn push_whole(&mut self, mut chunk: &[u8], sink: &mut impl Sink) {
        while !chunk.is_empty() {
            match std::str::from_utf8(chunk) {
                Ok(valid) => return self.push_str(valid, sink),
                Err(e) => {
                    let (valid, rest) = chunk.split_at(e.valid_up_to());
                    if let Ok(valid) = std::str::from_utf8(valid) {
                        self.push_str(valid, sink);
                    }
                    let Some(bad) = e.error_len() else {
                        self.partial.extend_from_slice(rest);
                        return;
                    };
                    self.release(sink);
                    for byte in rest.iter().take(bad) {
                        self.emit(&format!("\\x{byte:02x}"), sink);
                    }
                    chunk = rest.get(bad..).unwrap_or_default();
                }
            }
        }
    }

    fn push_str(&mut self, mut text: &str, sink: &mut impl Sink) {
        while !text.is_empty() {
            if self.sequence.is_none() && !self.carriage_return {
                let plain = text
                    .bytes()
                    .position(|b| !matches!(b, 0x20..=0x7e | b'\t'))
                    .unwrap_or(text.len());
                if plain > 0 {
                    let (run, rest) = text.split_at(plain);
                    (self.marks, self.joins) = (0, false);
                    self.emit(run, sink);
                    text = rest;
                    continue;
                }
            }
            let mut chars = text.chars();
            if let Some(c) = chars.next() {
                self.push_char(c, sink);
            }
            text = chars.as_str();
        }
    }

    fn push_char(&mut self, c: char, sink: &mut impl Sink) {
        if self.sequence.is_some() && self.push_sequence(c, sink) {
            return;
        }
        if std::mem::take(&mut self.carriage_return) && c != '\n' {
            if c == '\r' {
                self.carriage_return = true;
                return;
            }
            sink.rewrite();
        }
        let joins = std::mem::take(&mut self.joins);
        match c {
            '\u{200c}' | '\u{200d}' if joins => {}
            '\n' => {
                self.close(sink);
                sink.newline();
            }
            '\r' => {
                self.close(sink);
                self.carriage_return = true;
            }
            '\x1b' => self.sequence = Some(String::new()),
            '\t' | ' '..='~' => {
                self.marks = 0;
                self.emit(c.encode_utf8(&mut [0; 4]), sink);
            }
            '\0'..='\x1f' => {
                let caret = char::from(b'@' + (c as u8));
                self.emit(&format!("^{caret}"), sink);
            }
            '\x7f' => self.emit("^?", sink),
            c if is_hidden(c) => self.emit(&format!("\\u{{{:x}}}", c as u32), sink),
            c => {
                if c.width() == Some(0) {
                    self.joins = joins;
                    self.marks = self.marks.saturating_add(1);
                    if self.marks > MAX_MARKS {
                        return self.emit(&format!("\\u{{{:x}}}", c as u32), sink);
                    }
                } else {
                    (self.marks, self.joins) = (0, true);
                }
                self.emit(c.encode_utf8(&mut [0; 4]), sink);
            }
        }
    }

    /// Goes on with a begun escape sequence. False if `c` is no part of it.
    fn push_sequence(&mut self, c: char, sink: &mut impl Sink) -> bool {
        let Some(held) = self.sequence.as_mut() else {
            return false;
        };
        let part = match c {
            '[' => held.is_empty(),
            '0'..=';' => !held.is_empty() && held.len() < MAX_SEQUENCE,
            _ => false,
        };
        if part {
            held.push(c);
            return true;
        }
        let parameters = held.strip_prefix('[');
        let obeyed = match (c, parameters) {
            ('m', Some(parameters)) => {
                self.wanted.apply(parameters);
                true
            }
            ('K', Some("" | "0" | "1" | "2")) => true,
            _ => false,
        };
        if obeyed {
            self.sequence = None;
        } else {
            self.release(sink);
        }
        obeyed
    }

    /// Shows what was held back.
    fn release(&mut self, sink: &mut impl Sink) {
        if let Some(held) = self.sequence.take() {
            if std::mem::take(&mut self.carriage_return) {
                sink.rewrite();
            }
            self.emit("^[", sink);
            self.emit(&held, sink);
        } else if std::mem::take(&mut self.carriage_return) {
            sink.rewrite();
        }
    }

    fn emit(&mut self, text: &str, sink: &mut impl Sink) {
        if text.is_empty() {
            return;
        }
        if self.colours && self.wanted != self.written {
            sink.text(&self.wanted.sequence());
            self.written = self.wanted;
        }
        sink.text(text);
    }

    /// Ends a coloured line; the next text gets the colour again.
    fn close(&mut self, sink: &mut impl Sink) {
        if self.written != Style::default() {
            sink.text("\x1b[0m");
            self.written = Style::default();
        }
    }

    /// The stream is over: shows what was held back and closes open colours.
    pub fn finish(&mut self, sink: &mut impl Sink) {
        let partial = std::mem::take(&mut self.partial);
        self.release(sink);
        for byte in partial {
            self.emit(&format!("\\x{byte:02x}"), sink);
        }
        self.close(sink);
    }

    /// Closes open colours in the middle of a line, because something else is printed next.
    pub fn pause(&mut self, sink: &mut impl Sink) {
        self.close(sink);
    }
}

/// C1 controls, and format characters that reorder text or that nobody can see.
pub(crate) fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{80}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{13430}'..='\u{1343f}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// One colour of the terminal's palettes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Colour {
    Basic(u8),
    Indexed(u8),
    Rgb(u8, u8, u8),
}

/// What SGR sequences can ask for. Concealed text (8) and blinking (5, 6) are not among it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Style {
    bold: bool,
    faint: bool,
    italic: bool,
    underline: bool,
    reverse: bool,
    strike: bool,
    front: Option<Colour>,
    back: Option<Colour>,
}

impl Style {
    fn apply(&mut self, parameters: &str) {
        let mut codes = parameters.split(';');
        while let Some(code) = codes.next() {
            if code.contains(':') {
                let parts: Vec<Option<u8>> = code.split(':').map(|p| p.parse().ok()).collect();
                let colour = match *parts.as_slice() {
                    [_, Some(5), Some(n)] => Some(Colour::Indexed(n)),
                    [_, Some(2), Some(r), Some(g), Some(b)]
                    | [_, Some(2), _, Some(r), Some(g), Some(b)] => Some(Colour::Rgb(r, g, b)),
                    _ => None,
                };
                match (parts.first(), colour) {
                    (Some(Some(38)), Some(_)) => self.front = colour,
                    (Some(Some(48)), Some(_)) => self.back = colour,
                    (Some(Some(4)), None) => {
                        self.underline = parts.get(1) != Some(&Some(0));
                    }
                    _ => {}
                }
                continue;
            }
            let number = if code.is_empty() {
                Some(0)
            } else {
                code.parse::<u8>().ok()
            };
            let Some(number) = number else { continue };
            match number {
                0 => *self = Style::default(),
                1 => self.bold = true,
                2 => self.faint = true,
                3 => self.italic = true,
                4 | 21 => self.underline = true,
                7 => self.reverse = true,
                9 => self.strike = true,
                22 => {
                    self.bold = false;
                    self.faint = false;
                }
                23 => self.italic = false,
                24 => self.underline = false,
                27 => self.reverse = false,
                29 => self.strike = false,
                30..=37 | 90..=97 => self.front = Some(Colour::Basic(number)),
                39 => self.front = None,
                40..=47 | 100..=107 => self.back = Some(Colour::Basic(number)),
                49 => self.back = None,
                38 | 48 => {
                    let mut next = || codes.next().and_then(|p| p.parse::<u8>().ok());
                    let colour = match next() {
                        Some(5) => next().map(Colour::Indexed),
                        Some(2) => match (next(), next(), next()) {
                            (Some(r), Some(g), Some(b)) => Some(Colour::Rgb(r, g, b)),
                            _ => None,
                        },
                        _ => None,
                    };
                    if colour.is_some() {
                        *(if number == 38 {
                            &mut self.front
                        } else {
                            &mut self.back
                        }) = colour;
                    }
                }
                _ => {}
            }
        }
    }

    /// The sequence that leads from any state to this one.
    fn sequence(&self) -> String {
        let mut out = String::from("\x1b[0");
        let flags = [
            (self.bold, ";1"),
            (self.faint, ";2"),
            (self.italic, ";3"),
            (self.underline, ";4"),
            (self.reverse, ";7"),
            (self.strike, ";9"),
        ];
        for (on, code) in flags {
            if on {
                out.push_str(code);
            }
        }
        for (colour, extended) in [(self.front, 38), (self.back, 48)] {
            match colour {
                None => {}
                Some(Colour::Basic(n)) => out.push_str(&format!(";{n}")),
                Some(Colour::Indexed(n)) => out.push_str(&format!(";{extended};5;{n}")),
                Some(Colour::Rgb(r, g, b)) => out.push_str(&format!(";{extended};2;{r};{g};{b}")),
            }
        }
        out.push('m');
        out
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filtered(colours: bool, chunks: &[&[u8]]) -> String {
        let mut out = String::new();
        let mut filter = Filter::new(colours);
        for chunk in chunks {
            filter.push(chunk, &mut out);
        }
        filter.finish(&mut out);
        out
    }

    #[test]
    fn text_newlines_and_tabs_stay() {
        let text = "grüße\t世界\nzweite Zeile\r\n";
        assert_eq!(
            filtered(false, &[text.as_bytes()]),
            "grüße\t世界\nzweite Zeile\n"
        );
    }

    #[test]
    fn colours_are_closed_at_the_line_end_and_taken_up_again() {
        let red = b"\x1b[31mone\ntwo\x1b[0m three";
        assert_eq!(
            filtered(true, &[red]),
            "\x1b[0;31mone\x1b[0m\n\x1b[0;31mtwo\x1b[0m three"
        );
        assert_eq!(filtered(false, &[red]), "one\ntwo three");
    }

    #[test]
    fn extended_colours_are_written_anew() {
        assert_eq!(
            filtered(true, &[b"\x1b[1;38;5;200;48:2::1:2:3mx"]),
            "\x1b[0;1;38;5;200;48;2;1;2;3mx\x1b[0m"
        );
        // Concealed and blinking text stays readable, absurd parameters are ignored.
        assert_eq!(filtered(true, &[b"\x1b[8;5;99999mx"]), "x");
    }

    #[test]
    fn other_sequences_are_shown() {
        assert_eq!(filtered(true, &[b"a\x1b]0;title\x07b"]), "a^[]0;title^Gb");
        assert_eq!(filtered(true, &[b"\x1b[2Jx\x1b[1;1H"]), "^[[2Jx^[[1;1H");
        assert_eq!(filtered(true, &[b"\x1bP1$r\x1b\\"]), "^[P1$r^[\\");
        assert_eq!(filtered(true, &[b"\x9b31m\xc2\x9b"]), "\\x9b31m\\u{9b}");
        assert_eq!(
            filtered(true, &["a\u{202e}b\u{200d}".as_bytes()]),
            "a\\u{202e}b\\u{200d}"
        );
        assert_eq!(filtered(true, &[b"end\x1b[3"]), "end^[[3");
        for (joined, parts) in [
            ("\u{1f468}\u{200d}\u{1f469}", "\u{1f468}\u{1f469}"),
            (
                "\u{2764}\u{fe0f}\u{200d}\u{1f525}",
                "\u{2764}\u{fe0f}\u{1f525}",
            ),
            ("\u{645}\u{6cc}\u{200c}\u{62e}", "\u{645}\u{6cc}\u{62e}"),
            ("\u{e9}\u{200d}\u{200d}", "\u{e9}\\u{200d}"),
            ("\u{e9}\n\u{200d}", "\u{e9}\n\\u{200d}"),
        ] {
            assert_eq!(filtered(true, &[joined.as_bytes()]), parts);
        }
        assert_eq!(filtered(false, &[b"\x08\x7f\x00"]), "^H^?^@");
    }

    #[test]
    fn erase_in_line_is_dropped_and_a_lone_return_is_a_rewrite() {
        assert_eq!(filtered(false, &[b"10%\r\x1b[K20%\n"]), "10%^M20%\n");
    }

    #[test]
    fn an_endless_sequence_is_not_held_back() {
        let mut out = String::new();
        let mut filter = Filter::new(true);
        filter.push(b"\x1b[", &mut out);
        for _ in 0..1000 {
            filter.push(b"1;", &mut out);
        }
        assert!(out.len() > 1900, "{}", out.len());
        assert!(out.starts_with("^[[1;1;"));
    }

    #[test]
    fn stacks_of_marks_are_cut() {
        let zalgo = format!("e{}", "\u{301}".repeat(50));
        let out = filtered(false, &[zalgo.as_bytes()]);
        assert_eq!(out.chars().filter(|c| *c == '\u{301}').count(), 8);
    }

    #[test]
    fn a_name_stays_on_its_line() {
        assert_eq!(line("RUN a\nb\r\x1b[31mc"), "RUN a^Jb^Mc");
        assert!(matches!(line("RUN a"), Cow::Borrowed(_)));
    }

    fn hostile() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just(b"\x1b[".to_vec()),
            Just(b"\x1b[31m".to_vec()),
            Just(b"\x1b[0m".to_vec()),
            Just(b"\x1b]8;;http://x\x1b\\".to_vec()),
            Just("\u{9b}\u{202e}世e\u{301}".as_bytes().to_vec()),
            Just(b"\r\n".to_vec()),
            Just(b"\r".to_vec()),
            proptest::collection::vec(any::<u8>(), 0..8),
            "[0-9;:mKJ]{0,6}".prop_map(String::into_bytes),
        ];
        proptest::collection::vec(piece, 0..40).prop_map(|p| p.concat())
    }

    proptest! {
        #[test]
        fn nothing_but_text_comes_out(input in hostile()) {
            for c in filtered(false, &[&input]).chars() {
                prop_assert!(c == '\n' || c == '\t' || (c >= ' ' && c != '\x7f' && !is_hidden(c)), "{c:?}");
            }
        }

        #[test]
        fn nothing_but_text_and_colours_comes_out(input in hostile()) {
            let out = filtered(true, &[&input]);
            let colours = regex::Regex::new("\x1b\\[[0-9;]{1,60}m").unwrap();
            for c in colours.replace_all(&out, "").chars() {
                prop_assert!(c == '\n' || c == '\t' || (c >= ' ' && c != '\x7f' && !is_hidden(c)), "{c:?}");
            }
            // Every line that is coloured ends reset.
            for line in out.lines() {
                if let Some(last) = colours.find_iter(line).last() {
                    prop_assert_eq!(last.as_str(), "\x1b[0m");
                }
            }
        }

        #[test]
        fn chunks_make_no_difference(input in hostile(), cuts in proptest::collection::vec(0usize..200, 0..10), colours: bool) {
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|c| *c <= input.len()).collect();
            cuts.push(0);
            cuts.push(input.len());
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|w| &input[w[0]..w[1]]).collect();
            prop_assert_eq!(filtered(colours, &chunks), filtered(colours, &[&input]));
        }
    }
}
