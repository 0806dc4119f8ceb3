//! Lines that are marked with the mouse. They are known by their numbers, so a mark stays on them when the pane scrolls.

use std::ops::RangeInclusive;

/// No lines, or a run of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marked {
    /// Where the mark began, and where it ends.
    ends: Option<(u64, u64)>,
}

impl Marked {
    /// Marks this line; with `extend` all lines from where the mark began to it.
    pub fn mark(&mut self, line: u64, extend: bool) {
        match (&mut self.ends, extend) {
            (Some((_, end)), true) => *end = line,
            (ends, _) => *ends = Some((line, line)),
        }
    }

    /// Marks nothing; whether something was marked.
    pub fn clear(&mut self) -> bool {
        self.ends.take().is_some()
    }

    /// The lines, if any are marked.
    pub fn range(self) -> Option<RangeInclusive<u64>> {
        self.ends
            .map(|(one, other)| one.min(other)..=one.max(other))
    }

    /// Whether a line is marked.
    pub fn contains(self, line: u64) -> bool {
        self.range().is_some_and(|range| range.contains(&line))
    }

    /// Whether more than one line is marked.
    pub fn several(self) -> bool {
        self.ends.is_some_and(|(one, other)| one != other)
    }
}
