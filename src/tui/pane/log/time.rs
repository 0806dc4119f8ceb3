//! The times in front of lines, on the screen and in a saved log.

use super::Clock;
use crate::tui::zone::Zone;

/// A line's times, in milliseconds since 1970 by the engine's clock.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// When it began.
    pub line: i64,
    /// When its step began, as far as is known.
    pub step: Option<i64>,
    /// When the line before it began.
    pub before: Option<i64>,
}

impl Clock {
    /// Cells of the time of a line.
    fn width(self) -> usize {
        match self {
            Self::None => 0,
            Self::Step | Self::Delta => 8,
            Self::Day => 12,
        }
    }

    /// What it shows, in a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Step => "step times",
            Self::Day => "local times",
            Self::Delta => "delta times",
            Self::None => "no times",
        }
    }

    /// What stands in front of a line that goes on with the one before.
    pub fn blank(self) -> String {
        " ".repeat(self.width())
    }

    /// What stands in front of a line, in a width of its own for each clock.
    pub fn front(self, times: Times, zone: &Zone) -> String {
        let seconds = |since: i64| since as f64 / 1000.0;
        match self {
            Self::None => String::new(),
            Self::Step => {
                let begun = times.step.unwrap_or(times.line);
                let since = times.line.saturating_sub(begun).max(0);
                format!("{:>8.2}", seconds(since))
            }
            Self::Day => zone.time(times.line),
            Self::Delta => match times.before {
                Some(before) => format!("{:>+8.2}", seconds(times.line.saturating_sub(before))),
                None => self.blank(),
            },
        }
    }

    /// The same in a file, which is read on another day and elsewhere.
    pub fn front_in_file(self, times: Times, zone: &Zone) -> String {
        match self {
            Self::None => String::new(),
            Self::Day => format!("{} ", zone.date(times.line)),
            clock => format!("{} ", clock.front(times, zone)),
        }
    }
}
