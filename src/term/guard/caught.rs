//! The emulator itself, behind a net: a panic inside of it costs the screen, never the program around it.

use std::cell::Cell;
use std::num::NonZeroU16;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use super::{MAX_COLS, MAX_ROWS};

/// Bytes gathered before the emulator is called.
const BATCH: usize = 16 * 1024;

thread_local! {
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside of a call whose panic will be caught. A panic hook that restores the user's
/// terminal or ends the process has to look here first.
pub fn will_be_caught() -> bool {
    CAUGHT.get()
}

/// Runs `call`; `None` if it panicked.
///
/// The panic hook is wrapped once per process: a caught panic is part of reading hostile bytes, so it must
/// neither write over the user's terminal nor fill a log. All other panics reach the hook that was there.
pub(super) fn catch<T>(call: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !will_be_caught() {
                before(info);
            }
        }));
    });
    let outer = CAUGHT.replace(true);
    let result = catch_unwind(AssertUnwindSafe(call));
    CAUGHT.set(outer);
    result.ok()
}

/// A size within the bounds of the grid.
pub(super) fn clamp(rows: u16, cols: u16) -> (u16, u16) {
    (rows.clamp(1, MAX_ROWS), cols.clamp(1, MAX_COLS))
}

fn new_parser(rows: u16, cols: u16, scrollback_lines: usize) -> vt100::Parser {
    let (rows, cols) = clamp(rows, cols);
    vt100::Parser::new(
        NonZeroU16::new(rows).unwrap_or(NonZeroU16::MIN),
        NonZeroU16::new(cols).unwrap_or(NonZeroU16::MIN),
        scrollback_lines,
    )
}

/// A vt100 parser that is fed in batches.
pub(super) struct Caught {
    parser: vt100::Parser,
    scrollback_lines: usize,
    pending: Vec<u8>,
    broken: bool,
}

impl Caught {
    pub(super) fn new(rows: u16, cols: u16, scrollback_lines: usize) -> Self {
        Caught {
            parser: new_parser(rows, cols, scrollback_lines),
            scrollback_lines,
            pending: Vec::new(),
            broken: false,
        }
    }

    /// Adds bytes. They show on the screen at the next [`Caught::flush`].
    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= BATCH {
            self.flush();
        }
    }

    pub(super) fn pending(&mut self) -> &mut Vec<u8> {
        &mut self.pending
    }

    pub(super) fn flush(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let parser = &mut self.parser;
        let pending = &self.pending;
        if catch(|| parser.process(pending)).is_none() {
            let (rows, cols) = self.size();
            self.replace(rows, cols);
        }
        self.pending.clear();
        self.pending.shrink_to(4 * BATCH);
    }

    pub(super) fn resize(&mut self, rows: u16, cols: u16) {
        self.flush();
        let (rows, cols) = clamp(rows, cols);
        let parser = &mut self.parser;
        let resized = catch(|| {
            parser.set_size(
                NonZeroU16::new(rows).unwrap_or(NonZeroU16::MIN),
                NonZeroU16::new(cols).unwrap_or(NonZeroU16::MIN),
            );
        });
        if resized.is_none() {
            self.replace(rows, cols);
        }
    }

    /// A fresh screen in the place of a broken one, with the modes that the program has set: it goes on
    /// without knowing what happened.
    fn replace(&mut self, rows: u16, cols: u16) {
        let old = self.parser.screen();
        let mut modes = old.input_mode_formatted();
        if old.alternate_screen() {
            modes.push_str("\x1b[?1049h");
        }
        if old.hide_cursor() {
            modes.push_str("\x1b[?25l");
        }
        self.parser = new_parser(rows, cols, self.scrollback_lines);
        self.parser.process(modes.as_bytes());
        self.broken = true;
    }

    /// Moves the view up from the newest lines, at most to the oldest.
    pub(super) fn scroll_to(&mut self, lines: usize) {
        let parser = &mut self.parser;
        if catch(|| parser.screen_mut().set_scrollback(lines)).is_none() {
            let (rows, cols) = self.size();
            self.replace(rows, cols);
        }
    }

    /// The screen with everything written so far.
    pub(super) fn current(&mut self) -> &vt100::Screen {
        self.flush();
        self.screen()
    }

    /// The screen of the last flush.
    pub(super) fn screen(&self) -> &vt100::Screen {
        self.parser.screen()
    }

    pub(super) fn size(&self) -> (u16, u16) {
        let (rows, cols) = self.screen().size();
        (rows.get(), cols.get())
    }

    /// Whether the screen had to be replaced since the last call.
    pub(super) fn take_broken(&mut self) -> bool {
        std::mem::take(&mut self.broken)
    }
}

#[cfg(test)]
impl Caught {
    /// Runs a call in the net that always panics, as the emulator could.
    pub(super) fn break_now(&mut self) {
        if catch(|| panic!("a broken screen")).is_none() {
            let (rows, cols) = self.size();
            self.replace(rows, cols);
        }
    }
}
