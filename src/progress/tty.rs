//! The printer for terminals: a header and a live tree of steps, redrawn in place.
//!
//! ```text
//! [+] Building 5.8s (4/5)                                docker:default
//!  => [internal] load build definition from Dockerfile            0.0s
//!  => => transferring dockerfile: 383B                            0.0s
//!  => [2/3] RUN make                                              5.1s
//!  => => # cc -o main main.c
//! ```
//!
//! The work for a frame depends on the number of steps and rows, never on the length of a log.

use std::fmt::Write as _;

use super::screen::{Screen, Size};
use super::settings::{Palette, Settings};
use super::time::{Nanos, SECOND, seconds};
use super::trace::{Status, Step, StepId, Trace};
use super::units;
use crate::term::width;

/// Cells that a name keeps before the times and amounts beside it go.
const MIN_NAME: usize = 12;

/// How the build ended, for the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It went well.
    Finished,
    /// It failed.
    Failed,
    /// The user stopped it.
    Canceled,
}

impl End {
    fn word(self) -> &'static str {
        match self {
            End::Finished => "FINISHED",
            End::Failed => "FAILED",
            End::Canceled => "CANCELED",
        }
    }
}

/// The printer and what it has on the terminal.
#[derive(Debug)]
pub struct Tty {
    place: String,
    colour: bool,
    palette: Palette,
    log_lines: usize,
    screen: Screen,
}

/// A line of the tree before it is fitted into the width.
struct Row {
    name: String,
    amount: String,
    time: Option<Nanos>,
    /// SGR parameters.
    paint: Option<String>,
}

/// The rows of one step that are shown.
#[derive(Debug, Default, Clone)]
struct Shown {
    title: bool,
    statuses: Vec<usize>,
    warnings: usize,
    logs: usize,
}

impl Tty {
    /// `place`: where the build runs, at the right of the header; harmless already.
    pub fn new(place: String, settings: &Settings) -> Self {
        Tty {
            place,
            colour: settings.colour,
            palette: settings.palette.clone(),
            log_lines: settings.log_lines,
            screen: Screen::default(),
        }
    }

    /// The bytes for a frame.
    pub fn draw(&mut self, trace: &Trace, now: Nanos, size: Size) -> String {
        let lines = self.frame(trace, now, size, None);
        self.screen.update(lines, size)
    }

    /// The bytes for the last frame: all steps, whatever the height.
    pub fn finish(&mut self, trace: &Trace, now: Nanos, size: Size, end: End) -> String {
        let lines = self.frame(trace, now, size, Some(end));
        self.screen.finish(&lines, size)
    }

    fn frame(&self, trace: &Trace, now: Nanos, size: Size, end: Option<End>) -> Vec<String> {
        // A character in the last column would leave the cursor in a state that terminals disagree about.
        let room = size.cols.saturating_sub(1).max(1);
        let height = size.rows.saturating_sub(2);
        let mut lines = Vec::new();
        if size.rows > 1 || end.is_some() {
            lines.push(self.header(trace, now, room, end));
        }
        let shown = match end {
            None => self.choose(trace, height),
            Some(_) => trace.order.iter().map(|id| all_of(trace, *id)).collect(),
        };
        for (id, shown) in trace.order.iter().zip(&shown) {
            if let Some(step) = trace.steps.get(*id).filter(|_| shown.title) {
                let clock = trace.clock(step, now);
                self.step(step, shown, clock, room, &mut lines);
            }
        }
        lines
    }

    fn header(&self, trace: &Trace, now: Nanos, room: usize, end: Option<End>) -> String {
        let (done, all) = trace.count();
        let time = seconds(trace.elapsed(now));
        let word = end.map_or("", End::word);
        let mut line = format!("[+] Building {time:.1}s ({done}/{all}) {word}");
        line.truncate(line.trim_end().len());
        if width::cells(&line) > room {
            line = format!("{time:.1}s {done}/{all} {word}");
            line.truncate(line.trim_end().len());
        }
        let place = width::cells(&self.place);
        if width::cells(&line) + 1 + place <= room {
            width::pad(&mut line, room - place);
            line.push_str(&self.place);
        }
        width::fit(&line, room)
    }

    /// Which rows fit. First come running and failed steps, then open parts, then logs, then what is done, the
    /// latest first.
    fn choose(&self, trace: &Trace, height: usize) -> Vec<Shown> {
        let mut shown = vec![Shown::default(); trace.order.len()];
        let mut free = height;
        let steps: Vec<(usize, &Step)> = trace
            .order
            .iter()
            .enumerate()
            .filter_map(|(at, id)| Some((at, trace.steps.get(*id)?)))
            .collect();
        let running: Vec<_> = steps.iter().filter(|(_, s)| s.running()).collect();
        let failed = steps.iter().filter(|(_, s)| s.failed() && !s.running());
        for (at, _) in failed.chain(running.iter().copied().rev()) {
            if free == 0 {
                break;
            }
            free -= 1;
            set(&mut shown, *at, |s| s.title = true);
        }
        for (at, step) in &running {
            for (index, status) in step.statuses.iter().enumerate() {
                if free > 0 && status.completed.is_none() {
                    free -= 1;
                    set(&mut shown, *at, |s| s.statuses.push(index));
                }
            }
        }
        free -= self.logs(&running, free, &mut shown);
        for (at, step) in steps.iter().rev() {
            let titled = shown.get(*at).is_some_and(|s| s.title);
            if free == 0 {
                break;
            }
            if !titled {
                free -= 1;
                set(&mut shown, *at, |s| s.title = true);
            }
            let warnings = step.warnings.len().min(free);
            free -= warnings;
            set(&mut shown, *at, |s| s.warnings = warnings);
            for index in (0..step.statuses.len()).rev() {
                if free == 0 {
                    break;
                }
                let known = shown.get(*at).is_some_and(|s| s.statuses.contains(&index));
                if !known {
                    free -= 1;
                    set(&mut shown, *at, |s| s.statuses.push(index));
                }
            }
        }
        for s in &mut shown {
            s.statuses.sort_unstable();
        }
        shown
    }

    /// Gives log lines to the noisiest running steps; returns the rows used.
    fn logs(&self, running: &[&(usize, &Step)], free: usize, shown: &mut [Shown]) -> usize {
        let mut noisy: Vec<_> = running
            .iter()
            .filter(|(at, s)| s.log.bytes > 0 && shown.get(*at).is_some_and(|s| s.title))
            .collect();
        noisy.sort_by_key(|(_, s)| std::cmp::Reverse(s.log.bytes));
        // In a low window the steps before stay visible, too.
        let mut budget = match free >= 2 * (self.log_lines + 3) {
            true => free,
            false => free.div_ceil(2),
        };
        let before = budget;
        for (at, step) in noisy {
            let lines = visible_tail(step, self.log_lines.min(budget)).len();
            budget -= lines;
            set(shown, *at, |s| s.logs = lines);
        }
        before - budget
    }

    fn step(&self, step: &Step, shown: &Shown, now: Nanos, room: usize, lines: &mut Vec<String>) {
        let paint = match (step.completed(), step.canceled(), step.error.is_empty()) {
            (false, ..) => None,
            (_, true, _) => Some(&self.palette.cancel),
            (_, _, false) => Some(&self.palette.error),
            _ => Some(&self.palette.run),
        };
        let mark = match (step.canceled(), step.error.is_empty(), step.cached) {
            (true, ..) => "CANCELED ",
            (_, false, _) => "ERROR ",
            (_, _, true) => "CACHED ",
            _ => "",
        };
        let title = Row {
            name: format!("{mark}{}", step.name),
            amount: String::new(),
            time: Some(step.duration(now)),
            paint: paint.cloned(),
        };
        lines.push(self.fit(&title, room));
        for index in &shown.statuses {
            if let Some(status) = step.statuses.get(*index) {
                lines.push(self.fit(&self.status(status, now), room));
            }
        }
        for warning in step.warnings.iter().take(shown.warnings) {
            let row = Row {
                name: format!("WARN: {}", warning.short),
                amount: String::new(),
                time: None,
                paint: Some(self.palette.warning.clone()),
            };
            lines.push(self.fit(&row, room));
        }
        for text in visible_tail(step, shown.logs) {
            let text = width::fit(text, room.saturating_sub(9));
            let line = match self.colour {
                true => format!(" => => \x1b[2m#\x1b[0m \x1b[2m{text}\x1b[0m"),
                false => format!(" => => # {text}"),
            };
            lines.push(width::fit(&line, room));
        }
    }

    fn status(&self, status: &Status, now: Nanos) -> Row {
        let until = status.completed.unwrap_or(now);
        Row {
            name: format!("=> {}", status.id),
            amount: units::amount(status.current, status.total),
            time: Some(status.started.map_or(0, |s| until.saturating_sub(s).max(0))),
            paint: status.completed.map(|_| self.palette.run.clone()),
        }
    }

    fn fit(&self, row: &Row, room: usize) -> String {
        let mut time = String::new();
        if let Some(span) = row.time {
            // What takes no time to speak of shows a steady zero.
            let span = if span < SECOND / 20 { 0 } else { span };
            let _ = write!(time, " {:.1}s", seconds(span));
        }
        let mut line = String::from(" => ");
        let mut left = room.saturating_sub(line.len());
        let wanted = width::cells(&row.name).min(MIN_NAME);
        if left < wanted + time.len() {
            time.clear();
        }
        left -= time.len();
        let mut amount = String::new();
        if !row.amount.is_empty() && left > wanted + row.amount.len() {
            amount = format!(" {}", row.amount);
            left -= amount.len();
        }
        line.push_str(&width::fit(&row.name, left));
        line.push_str(&amount);
        let mut line = width::fit(&line, room.saturating_sub(time.len()));
        if !time.is_empty() {
            width::pad(&mut line, room - time.len());
            line.push_str(&time);
        }
        match &row.paint {
            Some(paint) if self.colour => format!("\x1b[{paint}m{line}\x1b[0m"),
            _ => line,
        }
    }
}

fn set(shown: &mut [Shown], at: usize, change: impl FnOnce(&mut Shown)) {
    if let Some(shown) = shown.get_mut(at) {
        change(shown);
    }
}

fn all_of(trace: &Trace, id: StepId) -> Shown {
    trace.steps.get(id).map_or(Shown::default(), |step| Shown {
        title: true,
        statuses: (0..step.statuses.len()).collect(),
        warnings: step.warnings.len(),
        logs: 0,
    })
}

/// The last log lines that are not empty, at most `count`, oldest first.
fn visible_tail(step: &Step, count: usize) -> Vec<&str> {
    let lines = step.log.tail().rev().map(|l| l.text.as_str());
    let mut last: Vec<_> = lines.filter(|l| !l.trim().is_empty()).take(count).collect();
    last.reverse();
    last
}

#[cfg(test)]
mod tests;
