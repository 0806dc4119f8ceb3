//! Reports of our wrapper inside the output of a program: found and taken out.
//!
//! A report is `ESC _ NONCE ; TEXT ESC \`. The nonce is random and new for each process, so nothing
//! that a program prints by accident is taken for a report, wherever chunks are cut.

use bytes::{Bytes, BytesMut};

/// Longest text of a report, in bytes.
const LONGEST: usize = 64;

/// What a piece of output is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes of the program.
    Output(Bytes),
    /// Text of a report.
    Report(String),
}

/// Finds the reports in one stream.
#[derive(Debug)]
pub struct Reports {
    start: Vec<u8>,
    /// The end of what has come so far: it may be the beginning of a report.
    held: BytesMut,
}

impl Reports {
    /// Reports that carry `nonce`.
    pub fn new(nonce: &str) -> Self {
        Self {
            start: format!("\x1b_{nonce};").into_bytes(),
            held: BytesMut::new(),
        }
    }

    /// The pieces of a further chunk. What may still become a report waits for the next one.
    pub fn push(&mut self, chunk: Bytes) -> Vec<Piece> {
        let mut rest = if self.held.is_empty() {
            chunk
        } else {
            let mut joined = std::mem::take(&mut self.held);
            joined.extend_from_slice(&chunk);
            joined.freeze()
        };
        let mut pieces = Vec::new();
        let mut from = 0;
        while let Some(at) = find_escape(&rest, from) {
            match self.look(rest.get(at..).unwrap_or_default()) {
                Look::Other => from = at + 1,
                Look::Unfinished => {
                    self.held.extend_from_slice(&rest.split_off(at));
                    break;
                }
                Look::Report { text, length } => {
                    let before = rest.split_to(at);
                    if !before.is_empty() {
                        pieces.push(Piece::Output(before));
                    }
                    pieces.push(Piece::Report(text));
                    let _ = rest.split_to(length);
                    from = 0;
                }
            }
        }
        if !rest.is_empty() {
            pieces.push(Piece::Output(rest));
        }
        pieces
    }

    /// What still waits when no more can come.
    pub fn finish(&mut self) -> Bytes {
        std::mem::take(&mut self.held).freeze()
    }

    /// What begins at an escape character.
    fn look(&self, bytes: &[u8]) -> Look {
        let common = bytes.len().min(self.start.len());
        if bytes.get(..common) != self.start.get(..common) {
            return Look::Other;
        }
        let Some(body) = bytes.get(self.start.len()..) else {
            return Look::Unfinished;
        };
        let is_text = |byte: &u8| byte.is_ascii_graphic() && *byte != b'\\';
        let length = body.iter().take_while(|byte| is_text(byte)).count();
        if length > LONGEST {
            return Look::Other;
        }
        let (text, end) = body.split_at(length);
        match end {
            [0x1b, b'\\', ..] => Look::Report {
                text: String::from_utf8_lossy(text).into_owned(),
                length: self.start.len() + length + 2,
            },
            [] | [0x1b] => Look::Unfinished,
            _ => Look::Other,
        }
    }
}

#[derive(Debug)]
enum Look {
    Other,
    Unfinished,
    Report { text: String, length: usize },
}

fn find_escape(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    rest.iter()
        .position(|byte| *byte == 0x1b)
        .map(|at| from + at)
}

#[cfg(test)]
mod tests;
