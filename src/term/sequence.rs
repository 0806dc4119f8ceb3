//! A program's terminal output taken apart: text, controls, escape sequences, control sequences, strings.
//!
//! The grammar is ECMA-48 as terminals read it (<https://vt100.net/emu/dec_ansi_parser>), in UTF-8, so without
//! 8-bit controls. Chunks can be cut anywhere. What is held back is bounded: parameters by [`MAX_PARAMETERS`],
//! strings by [`MAX_STRING`], characters by their length.
//!
//! Readers write what they understood anew, so that no byte of a received sequence reaches a terminal.

pub(crate) mod osc;
pub(crate) mod sgr;

/// Parameters kept of a control sequence, as many as the emulator behind takes; what exceeds them is ignored.
pub const MAX_PARAMETERS: usize = 32;

/// Longest string (OSC, DCS, APC, PM, SOS) in bytes. At a longer one the string is forgotten and the rest is
/// text again, as if CAN had come: a program that dies inside of a string must not silence its terminal.
pub const MAX_STRING: usize = 256 * 1024;

/// One thing that a program wrote.
#[derive(Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// Characters without C0 controls and DEL. C1 controls and invisible characters can be among them.
    Text(&'a str),
    /// Bytes that are not UTF-8, in the unit that is replaced by one U+FFFD.
    Invalid,
    /// A C0 control; also in the middle of a sequence, where terminals obey it at once. Never ESC, CAN, SUB.
    Control(u8),
    /// ESC, an intermediate byte, the final byte.
    Escape(Option<u8>, u8),
    Csi(&'a Csi),
    /// The contents of an operating system command that was ended properly.
    Osc(&'a [u8], Terminator),
}

/// How an operating system command ended; an answer ends like its question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Terminator {
    Bell,
    String,
}

/// Receives what a [`Reader`] finds, in order.
pub trait Sink {
    fn item(&mut self, item: Item<'_>);
}

/// A control sequence. Numbers saturate at 65,535; an absent one is 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Csi {
    /// One of `<`, `=`, `>`, `?` behind the introducer.
    pub private: Option<u8>,
    pub intermediate: Option<u8>,
    pub last: u8,
    values: [u16; MAX_PARAMETERS],
    /// Bit n: value n follows its predecessor behind a colon.
    joined: u32,
    len: usize,
    /// The number being read, and whether there is one.
    current: u16,
    current_joined: bool,
    begun: bool,
}

impl Csi {
    /// Number of values, sub-parameters counted.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value at a position, 0 where there is none.
    pub fn value(&self, index: usize) -> u16 {
        self.given().get(index).copied().unwrap_or(0)
    }

    fn given(&self) -> &[u16] {
        self.values.get(..self.len).unwrap_or_default()
    }

    fn is_joined(&self, index: usize) -> bool {
        index < MAX_PARAMETERS && self.joined >> index & 1 == 1
    }

    /// The parameters, each with its sub-parameters: `38:5:1;4` is `[38, 5, 1]` and `[4]`.
    pub fn groups(&self) -> impl Iterator<Item = &[u16]> {
        let mut start = 0;
        std::iter::from_fn(move || {
            let mut end = start + 1;
            while end < self.len && self.is_joined(end) {
                end += 1;
            }
            let group = self.given().get(start..end)?;
            start = end;
            Some(group)
        })
    }

    fn digit(&mut self, byte: u8) {
        let digit = u16::from(byte.wrapping_sub(b'0'));
        self.current = self.current.saturating_mul(10).saturating_add(digit);
        self.begun = true;
    }

    fn separate(&mut self, joined: bool) {
        self.store();
        self.current_joined = joined;
        self.begun = true;
    }

    fn store(&mut self) {
        if let Some(slot) = self.values.get_mut(self.len) {
            *slot = self.current;
            self.joined |= u32::from(self.current_joined) << self.len;
            self.len += 1;
        }
        self.current = 0;
    }

    /// What has been read so far, as it can be read again.
    fn write_begun(&self, out: &mut Vec<u8>) {
        let separator = |joined| if joined { b':' } else { b';' };
        out.extend(self.private);
        for (index, value) in self.given().iter().enumerate() {
            if index > 0 {
                out.push(separator(self.is_joined(index)));
            }
            digits(*value, out);
        }
        if self.begun {
            if !self.is_empty() {
                out.push(separator(self.current_joined));
            }
            digits(self.current, out);
        }
        out.extend(self.intermediate);
    }
}

/// Writes a number in digits; formatting machinery would be most of the cost of a coloured screen.
pub(crate) fn digits(number: u16, out: &mut Vec<u8>) {
    let mut unit = 10_000;
    while unit > 1 && number < unit {
        unit /= 10;
    }
    while unit > 0 {
        out.push(b'0' + (number / unit % 10) as u8);
        unit /= 10;
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Ground,
    Escape,
    /// The intermediate byte; `None` when there were several, which nobody understands.
    Intermediate(Option<u8>),
    Csi(Stage),
    /// By the byte behind ESC: `]`, `P`, `X`, `^`, `_`.
    String(u8),
    /// ESC inside of a string: its end, if a backslash follows.
    StringEscape(u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Entry,
    Parameters,
    Intermediate,
    Ignored,
}

const CAN: u8 = 0x18;
const SUB: u8 = 0x1a;
const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;
const DEL: u8 = 0x7f;

/// Takes one stream apart.
#[derive(Debug, Default)]
pub struct Reader {
    state: State,
    /// Begin of a character.
    partial: [u8; 4],
    partial_len: usize,
    csi: Csi,
    /// An OSC; other strings are only counted.
    string: Vec<u8>,
    string_len: usize,
}

impl Reader {
    /// Reads a chunk.
    pub fn push(&mut self, mut bytes: &[u8], sink: &mut impl Sink) {
        while let Some((&byte, rest)) = bytes.split_first() {
            bytes = match self.state {
                State::Ground if self.partial_len > 0 => self.complete(bytes, sink),
                State::Ground => self.ground(bytes, sink),
                State::String(kind) => self.string(bytes, kind, sink),
                _ => {
                    self.sequence(byte, sink);
                    rest
                }
            };
        }
    }

    /// Whether what was read ends outside of any sequence; it may end within a character.
    pub fn is_at_rest(&self) -> bool {
        self.state == State::Ground
    }

    /// What was read and not yet handed on, as bytes that bring another reader to the same state. The length
    /// of a string that is only counted begins anew.
    pub fn unfinished(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self.state {
            State::Ground => out.extend(self.partial.iter().take(self.partial_len)),
            State::Escape => out.push(ESC),
            State::Intermediate(byte) => {
                out.push(ESC);
                match byte {
                    Some(byte) => out.push(byte),
                    None => out.extend(b"  "),
                }
            }
            State::Csi(stage) => {
                out.extend(b"\x1b[");
                self.csi.write_begun(&mut out);
                if stage == Stage::Ignored {
                    // A private byte behind a number: whatever follows is ignored.
                    out.extend(b"0?");
                }
            }
            State::String(kind) | State::StringEscape(kind) => {
                out.extend([ESC, kind]);
                out.extend(&self.string);
                if matches!(self.state, State::StringEscape(_)) {
                    out.push(ESC);
                }
            }
        }
        out
    }

    fn ground<'b>(&mut self, bytes: &'b [u8], sink: &mut impl Sink) -> &'b [u8] {
        let plain = bytes
            .iter()
            .position(|b| *b < 0x20 || *b == DEL)
            .unwrap_or(bytes.len());
        let (mut run, rest) = bytes.split_at(plain);
        while !run.is_empty() {
            let error = match std::str::from_utf8(run) {
                Ok(text) => {
                    sink.item(Item::Text(text));
                    break;
                }
                Err(error) => error,
            };
            let (valid, bad) = run.split_at(error.valid_up_to());
            match std::str::from_utf8(valid) {
                Ok(text) if !text.is_empty() => sink.item(Item::Text(text)),
                _ => {}
            }
            match error.error_len() {
                None if rest.is_empty() => {
                    for byte in bad {
                        self.hold(*byte);
                    }
                    break;
                }
                length => {
                    sink.item(Item::Invalid);
                    run = length.and_then(|n| bad.get(n..)).unwrap_or_default();
                }
            }
        }
        match rest.split_first() {
            None => rest,
            Some((&ESC, rest)) => {
                self.state = State::Escape;
                rest
            }
            Some((&(CAN | SUB | DEL), rest)) => rest,
            Some((&byte, rest)) => {
                sink.item(Item::Control(byte));
                rest
            }
        }
    }

    fn hold(&mut self, byte: u8) {
        if let Some(slot) = self.partial.get_mut(self.partial_len) {
            *slot = byte;
            self.partial_len += 1;
        }
    }

    /// Goes on with a character that the end of the last chunk has cut.
    fn complete<'b>(&mut self, bytes: &'b [u8], sink: &mut impl Sink) -> &'b [u8] {
        let Some((&byte, rest)) = bytes.split_first() else {
            return bytes;
        };
        let before = self.partial_len;
        self.hold(byte);
        let held = self.partial;
        match std::str::from_utf8(held.get(..self.partial_len).unwrap_or_default()) {
            Ok(text) => {
                self.partial_len = 0;
                sink.item(Item::Text(text));
                rest
            }
            Err(error) if error.error_len().is_none() && self.partial_len > before => rest,
            Err(_) => {
                self.partial_len = 0;
                sink.item(Item::Invalid);
                bytes
            }
        }
    }

    fn sequence(&mut self, byte: u8, sink: &mut impl Sink) {
        if let State::StringEscape(kind) = self.state {
            if byte == b'\\' {
                return self.end_string(kind, Terminator::String, sink);
            }
            self.forget_string();
            self.state = State::Escape;
        }
        match (byte, self.state) {
            (ESC, _) => self.state = State::Escape,
            (CAN | SUB, _) => self.state = State::Ground,
            (0..=0x1f, _) => sink.item(Item::Control(byte)),
            (DEL.., _) => {}
            (b'[', State::Escape) => {
                self.csi = Csi::default();
                self.state = State::Csi(Stage::Entry);
            }
            (b']' | b'P' | b'X' | b'^' | b'_', State::Escape) => self.state = State::String(byte),
            (0x20..=0x2f, State::Escape) => self.state = State::Intermediate(Some(byte)),
            (0x20..=0x2f, State::Intermediate(_)) => self.state = State::Intermediate(None),
            (_, State::Csi(stage)) => self.control_sequence(byte, stage, sink),
            (_, State::Escape) => {
                self.state = State::Ground;
                sink.item(Item::Escape(None, byte));
            }
            (_, State::Intermediate(intermediate)) => {
                self.state = State::Ground;
                if intermediate.is_some() {
                    sink.item(Item::Escape(intermediate, byte));
                }
            }
            (_, State::Ground | State::String(_) | State::StringEscape(_)) => {}
        }
    }

    fn control_sequence(&mut self, byte: u8, stage: Stage, sink: &mut impl Sink) {
        let stage = match (byte, stage) {
            (0x40..=0x7e, _) => {
                self.state = State::Ground;
                if stage == Stage::Ignored {
                    return;
                }
                if self.csi.begun {
                    self.csi.store();
                }
                self.csi.last = byte;
                return sink.item(Item::Csi(&self.csi));
            }
            (_, Stage::Ignored) => Stage::Ignored,
            (b'<'..=b'?', Stage::Entry) => {
                self.csi.private = Some(byte);
                Stage::Parameters
            }
            (b'0'..=b'9', Stage::Entry | Stage::Parameters) => {
                self.csi.digit(byte);
                Stage::Parameters
            }
            (b':' | b';', Stage::Entry | Stage::Parameters) => {
                self.csi.separate(byte == b':');
                Stage::Parameters
            }
            (0x20..=0x2f, Stage::Entry | Stage::Parameters) => {
                self.csi.intermediate = Some(byte);
                Stage::Intermediate
            }
            _ => Stage::Ignored,
        };
        self.state = State::Csi(stage);
    }

    fn string<'b>(&mut self, bytes: &'b [u8], kind: u8, sink: &mut impl Sink) -> &'b [u8] {
        let room = MAX_STRING - self.string_len.min(MAX_STRING);
        let end = bytes
            .iter()
            .position(|b| matches!(*b, CAN | SUB | ESC) || (*b == BEL && kind == b']'))
            .unwrap_or(bytes.len());
        if end > room {
            self.forget_string();
            self.state = State::Ground;
            return bytes.get(room..).unwrap_or_default();
        }
        let (content, rest) = bytes.split_at(end);
        self.string_len += end;
        if kind == b']' {
            self.string.extend(content.iter().filter(|b| **b >= 0x20));
        }
        match rest.split_first() {
            None => rest,
            Some((&ESC, rest)) => {
                self.state = State::StringEscape(kind);
                rest
            }
            Some((&BEL, rest)) => {
                self.end_string(kind, Terminator::Bell, sink);
                rest
            }
            Some((_, rest)) => {
                self.forget_string();
                self.state = State::Ground;
                rest
            }
        }
    }

    fn end_string(&mut self, kind: u8, terminator: Terminator, sink: &mut impl Sink) {
        self.state = State::Ground;
        if kind == b']' {
            sink.item(Item::Osc(&self.string, terminator));
        }
        self.forget_string();
    }

    fn forget_string(&mut self) {
        self.string_len = 0;
        self.string.clear();
        self.string.shrink_to(1024);
    }
}

#[cfg(test)]
mod tests;
