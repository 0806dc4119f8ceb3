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

mod style;

use style::Style;

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

#[cfg(test)]
mod tests;
