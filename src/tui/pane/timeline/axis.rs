//! Times → columns, and the labels above them.

use crate::progress::time::{Nanos, SECOND};

/// Cells between two labels at least.
const APART: u16 = 9;

/// An axis of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// The time at its left end.
    pub from: Nanos,
    /// The span of all of it; more than 0.
    pub span: Nanos,
    /// Its columns; more than 0.
    pub columns: u16,
}

impl Axis {
    /// From `from` to `to` on so many columns.
    pub fn new(from: Nanos, to: Nanos, columns: u16) -> Self {
        Self {
            from,
            span: to.saturating_sub(from).max(1),
            columns: columns.max(1),
        }
    }

    /// The column of a time; those outside of the axis are at its ends.
    pub fn column(&self, time: Nanos) -> u16 {
        let since = i128::from(time) - i128::from(self.from);
        let column = since * i128::from(self.columns) / i128::from(self.span);
        let last = i128::from(self.columns) - 1;
        u16::try_from(column.clamp(0, last)).unwrap_or(0)
    }

    /// The columns of a period: the first, and the one behind the last; at least one.
    pub fn period(&self, start: Nanos, stop: Nanos) -> (u16, u16) {
        let first = self.column(start);
        // What ends within a column has all of it.
        let last = self.column(stop.saturating_sub(1).max(start));
        (first, last.max(first) + 1)
    }

    /// Columns and labels of round times.
    pub fn ticks(&self) -> Vec<(u16, String)> {
        let step = self.step();
        let mut ticks = Vec::new();
        let mut time = 0;
        while time < self.span && ticks.len() < usize::from(self.columns) {
            let column = self.column(self.from.saturating_add(time));
            ticks.push((column, label(time)));
            time = time.saturating_add(step);
        }
        ticks
    }

    /// The smallest round span that leaves room for labels.
    fn step(&self) -> Nanos {
        let ticks = i64::from((self.columns / APART).max(1));
        let least = (self.span - 1) / ticks + 1;
        let short = [1, 2, 5].map(|n| n * SECOND / 10);
        let seconds = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800].map(|n| n * SECOND);
        let found = short.into_iter().chain(seconds).find(|step| *step >= least);
        let hour = 3600 * SECOND;
        found.unwrap_or_else(|| (least / hour + 1).saturating_mul(hour))
    }
}

fn label(time: Nanos) -> String {
    let seconds = time / SECOND;
    match (seconds, time % SECOND) {
        (..60, 0) => format!("{seconds}s"),
        (..60, rest) => format!("{seconds}.{}s", rest * 10 / SECOND),
        (60..3600, _) if seconds % 60 == 0 => format!("{}m", seconds / 60),
        (60..3600, _) => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ if seconds % 3600 == 0 => format!("{}h", seconds / 3600),
        _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}
