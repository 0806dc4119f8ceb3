//! The screen of a process, drawn when there is time for it.
//!
//! Drawing costs more than everything else that is done with output, and most of what a program prints
//! in a hurry is gone from screen and scrollback before anybody looks. So lines of plain text wait until
//! it is quiet, until the screen is needed, or until something else than text comes; and of those that
//! wait, the ones that later lines push out of the scrollback are never drawn. What is seen in the end
//! is the same. (Not kept is how many lines there ever were, of which a terminal makes blank lines when it
//! grows beyond its scrollback; a snapshot does not keep it, either.)

use std::collections::VecDeque;

use bytes::Bytes;

use crate::term::guard::{Effects, Terminal};

/// Output that is shorter is drawn at once, if nothing waits: an echo, a prompt.
const SHORT: usize = 1 << 10;
/// Most bytes that wait.
const BYTES: usize = 1 << 20;
/// Most chunks that wait.
const CHUNKS: usize = 4096;

/// A terminal, and the plain text that has not been drawn yet.
#[derive(Debug)]
pub struct Screen {
    terminal: Terminal,
    /// Lines that are above the screen at most.
    scrollback: usize,
    waiting: VecDeque<Chunk>,
    bytes: usize,
    /// Ends of lines among what waits.
    lines: usize,
}

#[derive(Debug)]
struct Chunk {
    bytes: Bytes,
    lines: usize,
}

impl Screen {
    /// An empty screen that answers what programs ask.
    pub fn new(rows: u16, cols: u16, scrollback: usize) -> Self {
        Self {
            terminal: Terminal::new(rows, cols, scrollback).answering(true),
            scrollback,
            waiting: VecDeque::new(),
            bytes: 0,
            lines: 0,
        }
    }

    /// Takes output, cut anywhere.
    pub fn feed(&mut self, bytes: &Bytes) -> Effects {
        let is_short = bytes.len() < SHORT && self.waiting.is_empty();
        // What waits begins and ends between two sequences.
        let may_wait = !is_short && (!self.waiting.is_empty() || self.terminal.is_at_rest());
        match plain_lines(bytes).filter(|_| may_wait) {
            Some(lines) => {
                let bytes = bytes.clone();
                self.bytes += bytes.len();
                self.lines += lines;
                self.waiting.push_back(Chunk { bytes, lines });
                Effects {
                    broken: self.make_room(),
                    ..Effects::default()
                }
            }
            None => {
                let broken = self.draw();
                let mut effects = self.terminal.feed(bytes);
                effects.broken |= broken;
                effects
            }
        }
    }

    /// Whether something waits to be drawn.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Draws everything. True: the screen was replaced (see [`Effects::broken`]).
    pub fn draw(&mut self) -> bool {
        self.skip();
        let mut broken = false;
        while self.is_waiting() {
            broken |= self.draw_some();
        }
        self.waiting = VecDeque::new();
        broken
    }

    /// Draws the oldest chunk. The answer is that of [`Screen::draw`].
    pub fn draw_some(&mut self) -> bool {
        self.skip();
        let bytes = self.pop();
        bytes.is_some_and(|bytes| self.terminal.feed(&bytes).broken)
    }

    /// The terminal, as far as it is drawn.
    pub fn drawn(&self) -> &Terminal {
        &self.terminal
    }

    /// Draws everything, and changes the size.
    pub fn resize(&mut self, rows: u16, cols: u16) -> Effects {
        let broken = self.draw();
        let mut effects = self.terminal.resize(rows, cols);
        effects.broken |= broken;
        effects
    }

    fn is_full(&self) -> bool {
        self.bytes > BYTES || self.waiting.len() > CHUNKS
    }

    fn make_room(&mut self) -> bool {
        let mut broken = false;
        if self.is_full() {
            self.skip();
        }
        while self.is_full() {
            broken |= self.draw_some();
        }
        broken
    }

    /// Forgets what will be out of the scrollback when the rest is drawn.
    fn skip(&mut self) {
        if !self.terminal.scrolls_as_a_whole() {
            return;
        }
        // The first end of a line leads to the left side. A screen later the cursor is at the bottom,
        // another one later all that was drawn differently is above the screen.
        let rows = usize::from(self.terminal.size().0);
        let needed = 1 + 2 * rows + self.scrollback;
        while let Some(first) = self.waiting.front() {
            if self.lines - first.lines < needed {
                break;
            }
            self.pop();
        }
    }

    fn pop(&mut self) -> Option<Bytes> {
        let chunk = self.waiting.pop_front()?;
        self.bytes -= chunk.bytes.len();
        self.lines -= chunk.lines;
        Some(chunk.bytes)
    }
}

/// The ends of lines (CR LF) in text that does nothing but move on; `None` when there is anything else
/// in it.
fn plain_lines(bytes: &[u8]) -> Option<usize> {
    // Written so that the compiler looks at many bytes at once: output comes by the megabyte.
    let plain = |byte: u8| byte >= 0x20 || matches!(byte, b'\x08'..=b'\n' | b'\r');
    if !bytes.iter().fold(true, |all, byte| all & plain(*byte)) {
        return None;
    }
    let next = bytes.get(1..).unwrap_or_default();
    let pairs = bytes.chunks(128).zip(next.chunks(128));
    let ends = |(bytes, next): (&[u8], &[u8])| -> u8 {
        let pairs = bytes.iter().zip(next);
        pairs
            .map(|(a, b)| u8::from((*a == b'\r') & (*b == b'\n')))
            .sum()
    };
    Some(pairs.map(ends).map(usize::from).sum())
}

#[cfg(test)]
mod tests;
