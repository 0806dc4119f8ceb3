//! The one way on which program output meets the terminal emulator.
//!
//! ```text
//! bytes → sequence::Reader → emulator (bounds, translates, answers) → caught (batches, catches) → vt100
//! ```
//!
//! vt100 0.18.1 panics on some characters, grows with an endless string, and spends seconds on huge repeat
//! counts. Here numbers, strings and the grid are bounded, and a panic that comes through nevertheless costs
//! the screen, not the process: [`Effects::broken`].
//!
//! Server and client feed the same bytes in the same order to a [`Terminal`] each. Only one of them may answer
//! what programs ask: [`Terminal::answering`].

mod background;
mod caught;
mod emulator;
mod keyboard;
mod lines;
mod replies;
mod snapshot;

pub use caught::will_be_caught;
pub use lines::{Line, lines, width};
pub use snapshot::Snapshot;

use caught::Caught;
use emulator::Emulator;

use super::sequence::{Reader, osc};

/// Largest number of rows; a larger size is cut. A full grid of 1,000 x 1,000 takes 32 MB.
pub const MAX_ROWS: u16 = 1000;

/// Largest number of columns.
pub const MAX_COLS: u16 = 1000;

/// What output did besides changing the screen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effects {
    /// To be typed to the program. Empty unless the terminal is [`Terminal::answering`]; at most 4 KiB for
    /// each call, questions beyond that stay without an answer.
    pub replies: Vec<u8>,
    /// How often the program rang.
    pub bells: u32,
    /// The last title that the program set: harmless, one line, at most 256 characters.
    pub title: Option<String>,
    /// The last text that the program put into the clipboard (OSC 52), as it is, at most 64 KiB. Longer ones
    /// and questions for the clipboard are ignored.
    pub clipboard: Option<Vec<u8>>,
    /// The emulator failed, and the screen was replaced by an empty one: its viewers need a snapshot.
    pub broken: bool,
}

/// A terminal's screen with its scrollback, fed with hostile bytes.
///
/// Time for a chunk is linear in its length, by a factor that grows with the grid: the most expensive sequences
/// (erase, insert, scroll) touch each cell once: 64 KiB of nothing else took 0.3 s at 50 x 200. Memory is that of the grid, the scrollback (32 bytes a cell,
/// blanks at the end of a line excepted) and at most 256 KiB of an unfinished string.
pub struct Terminal {
    reader: Reader,
    emulator: Emulator,
}

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal")
            .field("size", &self.size())
            .field("title", &self.title())
            .finish_non_exhaustive()
    }
}

impl Terminal {
    /// An empty screen that answers nothing. The size is cut to 1..=[`MAX_ROWS`] and 1..=[`MAX_COLS`].
    pub fn new(rows: u16, cols: u16, scrollback_lines: usize) -> Self {
        Terminal {
            reader: Reader::default(),
            emulator: Emulator::new(Caught::new(rows, cols, scrollback_lines)),
        }
    }

    /// Whether it answers what the program asks (device attributes, cursor position, modes, colours). Of all
    /// terminals that see the same output exactly one should.
    pub fn answering(mut self, answering: bool) -> Self {
        self.emulator.answering = answering;
        self
    }

    /// Obeys output. Chunks can be cut anywhere.
    pub fn feed(&mut self, bytes: &[u8]) -> Effects {
        self.reader.push(bytes, &mut self.emulator);
        self.emulator.caught.flush();
        self.effects()
    }

    /// Changes the size of the grid, cut as in [`Terminal::new`]. Rows come from and go to the scrollback,
    /// lines are cut or padded.
    pub fn resize(&mut self, rows: u16, cols: u16) -> Effects {
        let before = self.size();
        self.emulator.caught.resize(rows, cols);
        if self.size() != before {
            self.emulator.background.resized();
        }
        self.effects()
    }

    /// Moves the view of [`Terminal::screen`] so many lines up into the scrollback, at most to its oldest line; 0
    /// is the screen itself. Output keeps the view at its lines as long as they exist; a change of size or of the
    /// screen (main, alternate) moves it back to 0.
    pub fn scroll_to(&mut self, lines: usize) {
        self.emulator.caught.scroll_to(lines);
    }

    fn effects(&mut self) -> Effects {
        let mut effects = std::mem::take(&mut self.emulator.effects);
        effects.broken = self.emulator.caught.take_broken();
        if effects.broken {
            self.emulator.background = Default::default();
        }
        effects
    }

    /// Rows and columns.
    pub fn size(&self) -> (u16, u16) {
        self.emulator.caught.size()
    }

    /// The title that the program has set, filtered like [`Effects::title`]; empty if none.
    pub fn title(&self) -> &str {
        &self.emulator.title
    }

    /// Whether the alternate screen is shown.
    pub fn alternate(&self) -> bool {
        self.screen().alternate_screen()
    }

    /// Whether the program wants to know about the focus of its terminal (mode 1004).
    pub fn focus_events(&self) -> bool {
        self.emulator.focus_events
    }

    /// Whether the program is in the middle of a frame (mode 2026), so that the screen should not be drawn
    /// yet. Never wait long for the end.
    pub fn synchronized(&self) -> bool {
        self.emulator.synchronized
    }

    /// Whether the output so far ends between two sequences.
    pub fn is_at_rest(&self) -> bool {
        self.reader.is_at_rest()
    }

    /// Whether lines at the bottom scroll the whole of each screen: no scroll region is set.
    pub fn scrolls_as_a_whole(&self) -> bool {
        self.emulator.regions == [false; 2]
    }

    /// The flags of the kitty keyboard protocol that the program has set; 0 means plain keys.
    pub fn keyboard_flags(&self) -> u16 {
        self.emulator.keyboard.flags(self.alternate())
    }

    /// The cells, cursor and modes. Its characters are printable, none is invisible or changes the direction
    /// of text.
    pub fn screen(&self) -> &vt100::Screen {
        self.emulator.caught.screen()
    }

    /// Everything another [`Terminal`] needs to go on from here, at any byte of the output. Of the scrollback,
    /// the newest lines within `max_scrollback_bytes`.
    ///
    /// Not in it: the character that REP would repeat, unless the cursor is still behind it, what an inactive alternate screen shows, and how many
    /// lines had left the scrollback. A cursor that waits behind a blank last column turns it into a space.
    pub fn snapshot(&self, max_scrollback_bytes: usize) -> Snapshot {
        snapshot::take(&self.emulator, &self.reader, max_scrollback_bytes)
    }

    /// Another terminal with the same screen, cursor, colours and modes, which shows the same when both are fed with
    /// text. It answers nothing, and costs as much as the screen, however long the scrollback is.
    ///
    /// It has no scrollback, no saved cursor, no other screen beneath the alternate one, and nothing for REP to repeat.
    pub fn copy_for_text(&self) -> Self {
        Self::restore(&snapshot::take_seen(&self.emulator, &self.reader), 0)
    }

    /// A terminal as it was at a snapshot. It answers nothing.
    pub fn restore(snapshot: &Snapshot, scrollback_lines: usize) -> Self {
        let mut terminal = Terminal::new(snapshot.rows, snapshot.cols, scrollback_lines);
        terminal.feed(&snapshot.scrollback);
        let (row, _) = terminal.screen().cursor_position();
        if row > 0 {
            // What the text left on the screen belongs to the scrollback, too.
            terminal.feed(format!("\x1b[m\x1b[{row}S\x1b[H").as_bytes());
        }
        terminal.feed(&snapshot.screen);
        terminal.emulator.title = osc::title(snapshot.title.as_bytes());
        terminal
    }
}

#[cfg(test)]
mod tests;
