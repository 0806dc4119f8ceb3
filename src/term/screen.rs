//! The screen of a process, drawn when there is time for it.
//!
//! Drawing costs more than everything else that is done with output, and most of what a program prints
//! in a hurry is gone from screen and scrollback before anybody looks. So lines of plain text wait until
//! it is quiet, until the screen is needed, or until something else than text comes; and of those that
//! wait, the ones that later lines push out of the scrollback are never drawn. What is seen in the end
//! is the same. (Not kept is how many lines there ever were, of which a terminal makes blank lines when it
//! grows beyond its scrollback; a snapshot does not keep it, either.)
//!
//! Who looks at the screen in the meantime sees a *preview*: a second terminal without a scrollback, which is fed
//! with nothing but the last lines of what waits.

use std::collections::VecDeque;

use bytes::Bytes;

use super::guard::{Effects, Terminal};

/// Output that is shorter is drawn at once, if nothing waits: an echo, a prompt.
const SHORT: usize = 1 << 10;
/// Most bytes that wait.
const BYTES: usize = 1 << 20;
/// Most bytes that wait although they may have to be drawn whole for a preview: too few lines are among them.
const LONG: usize = 64 << 10;
/// Most chunks that wait.
const CHUNKS: usize = 4096;

/// A terminal, and the plain text that has not been drawn yet.
#[derive(Debug)]
pub struct Screen {
    terminal: Terminal,
    /// Lines that are above the screen at most.
    scrollback: usize,
    waiting: VecDeque<Chunk>,
    /// Number of the first chunk that waits.
    first: u64,
    bytes: usize,
    /// Ends of lines among what waits.
    lines: usize,
    preview: Option<Preview>,
}

#[derive(Debug)]
struct Chunk {
    bytes: Bytes,
    lines: usize,
}

/// What the screen would be if everything were drawn.
#[derive(Debug)]
struct Preview {
    terminal: Terminal,
    /// Number of the first chunk that it has not been fed.
    next: u64,
}

impl Screen {
    /// `terminal`, which keeps at most `scrollback` lines above its screen.
    pub fn of(terminal: Terminal, scrollback: usize) -> Self {
        Self {
            terminal,
            scrollback,
            waiting: VecDeque::new(),
            first: 0,
            bytes: 0,
            lines: 0,
            preview: None,
        }
    }

    /// Takes output, cut anywhere.
    pub fn feed(&mut self, bytes: &Bytes) -> Effects {
        let is_short = bytes.len() < SHORT && self.waiting.is_empty();
        // What waits begins and ends between two sequences.
        let may_wait = !is_short
            && (!self.waiting.is_empty() || self.terminal.is_at_rest())
            && self.terminal.screen().scrollback() == 0;
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
        self.preview = None;
        broken
    }

    /// Draws the oldest chunk. The answer is that of [`Screen::draw`].
    pub fn draw_some(&mut self) -> bool {
        self.skip();
        let bytes = self.pop();
        let broken = bytes.is_some_and(|bytes| self.terminal.feed(&bytes).broken);
        if broken || !self.is_waiting() {
            self.preview = None;
        }
        broken
    }

    /// The terminal, as far as it is drawn.
    pub fn drawn(&self) -> &Terminal {
        &self.terminal
    }

    /// Brings [`Screen::shown`] up to date, which costs as much as the lines that are on a screen or two. The answer is
    /// that of [`Screen::draw`].
    pub fn look(&mut self) -> bool {
        let needed = self.on_screen();
        // A preview goes on from what it has seen, unless something else was drawn meanwhile.
        let preview = self.preview.as_ref();
        let goes_on = preview.is_some_and(|preview| preview.next >= self.first);
        let is_little = !goes_on && self.lines < needed;
        if !self.is_waiting() || is_little || !self.terminal.scrolls_as_a_whole() {
            return self.draw();
        }
        let mut lines = 0;
        let newest = self.waiting.iter().rev().position(|chunk| {
            lines += chunk.lines;
            lines >= needed
        });
        let chunks = self.waiting.len() as u64;
        let from = newest.map_or(0, |back| chunks - 1 - back as u64);
        let preview = self.preview.get_or_insert_with(|| Preview {
            terminal: self.terminal.copy_for_text(),
            next: self.first,
        });
        let seen = preview.next.saturating_sub(self.first);
        let mut broken = false;
        for chunk in self.waiting.iter().skip(from.max(seen) as usize) {
            broken |= preview.terminal.feed(&chunk.bytes).broken;
        }
        preview.next = self.first + chunks;
        // The other one tells of it when it gets there.
        broken && self.draw()
    }

    /// The terminal as it was at the last [`Screen::look`], or later. Its screen is whole, its scrollback may not be.
    pub fn shown(&self) -> &Terminal {
        let preview = self.preview.as_ref();
        preview.map_or(&self.terminal, |preview| &preview.terminal)
    }

    /// Draws everything, and moves the view: see [`Terminal::scroll_to`]. The answer is that of [`Screen::draw`].
    pub fn scroll_to(&mut self, lines: usize) -> bool {
        let broken = self.draw();
        self.terminal.scroll_to(lines);
        broken
    }

    /// Draws everything, and changes the size.
    pub fn resize(&mut self, rows: u16, cols: u16) -> Effects {
        let broken = self.draw();
        let mut effects = self.terminal.resize(rows, cols);
        effects.broken |= broken;
        effects
    }

    fn is_full(&self) -> bool {
        let most = if self.lines < self.on_screen() {
            LONG
        } else {
            BYTES
        };
        self.bytes > most || self.waiting.len() > CHUNKS
    }

    /// Ends of lines after which nothing on the screen is older: the first one leads to the left side, a screen later the
    /// cursor is at the bottom, and another one later all that was drawn differently is above the screen.
    fn on_screen(&self) -> usize {
        1 + 2 * usize::from(self.terminal.size().0)
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
        let needed = self.on_screen() + self.scrollback;
        while let Some(first) = self.waiting.front() {
            if self.lines - first.lines < needed {
                break;
            }
            self.pop();
        }
    }

    fn pop(&mut self) -> Option<Bytes> {
        let chunk = self.waiting.pop_front()?;
        self.first += 1;
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
