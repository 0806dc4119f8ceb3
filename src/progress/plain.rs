//! The printer for logs and pipes: blocks of lines, a block per step, as scripts know it from Docker's buildx.
//!
//! ```text
//! #0 building with "default" instance using docker driver
//!
//! #1 [internal] load build definition from Dockerfile
//! #1 transferring dockerfile: 383B done
//! #1 DONE 0.0s
//! ```
//!
//! One step is the current one. What another step says is held back until that one is complete or it is
//! the other's turn; complete steps go first. A block that is left open ends with `#N ...`.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;

use super::log::Piece;
use super::time::{Nanos, SECOND, seconds};
use super::trace::{Change, Step, StepId, Trace};
use super::units;

/// A step that was silent on the screen that long, with something to say, is next.
const MAX_SILENCE: Nanos = 10 * SECOND;
/// How long a block lasts at least when other steps have something to say; the more of all events are the
/// current step's, the longer.
const MIN_BLOCK: Nanos = 5 * SECOND;
/// A status is printed again after that time.
const STATUS_TIME: Nanos = 5 * SECOND;
/// Or after that part of its total.
const STATUS_PART: f64 = 0.05;
/// A step that has that much to say is next, so that memory stays bounded; in bytes.
const MAX_HELD: usize = 1 << 20;
/// Length of names with `PROGRESS_NO_TRUNC=0`, in bytes.
const SHORT_NAME: usize = 72;

/// What has been printed of a step and what has not.
#[derive(Debug, Default)]
struct Block {
    /// 0: not printed yet.
    number: usize,
    /// Log lines with their time; the last one can be open.
    lines: String,
    /// Bytes of the first line in `lines` that stand on the screen already, as an open line.
    shown: usize,
    changed_statuses: BTreeSet<usize>,
    printed_statuses: HashMap<usize, (i64, Nanos)>,
    new_warnings: Vec<usize>,
    /// Events since `since`.
    events: u64,
    /// Begin of the count: the first event after the block was left.
    since: Nanos,
}

/// The plain printer. Text is appended to a buffer of the caller.
#[derive(Debug, Default)]
pub struct Plain {
    header: String,
    truncate: bool,
    blocks: Vec<Block>,
    current: Option<StepId>,
    updated: BTreeSet<StepId>,
    numbers: usize,
}

impl Plain {
    /// `header`: the text of line `#0`, harmless already. `truncate`: whether names are cut at 72 bytes.
    pub fn new(header: String, truncate: bool) -> Self {
        Plain {
            header,
            truncate,
            ..Plain::default()
        }
    }

    /// Takes note of a change at our time `now`; nothing is printed.
    pub fn note(&mut self, change: Change, now: Nanos) {
        let id = change.step();
        if self.blocks.len() <= id {
            self.blocks.resize_with(id + 1, Block::default);
        }
        let Some(block) = self.blocks.get_mut(id) else {
            return;
        };
        if block.events == 0 {
            block.since = now;
        }
        block.events += 1;
        self.updated.insert(id);
        match change {
            Change::Step(_) => {}
            Change::Status(_, index) => {
                block.changed_statuses.insert(index);
            }
            Change::Warning(_, index) => block.new_warnings.push(index),
            Change::Log(_, piece) => block.log(&piece),
        }
    }

    /// Bytes that are held back.
    pub fn held(&self) -> usize {
        self.updated
            .iter()
            .filter_map(|id| self.blocks.get(*id))
            .map(|b| b.lines.len() - b.shown)
            .sum()
    }

    /// When it can be another step's turn, if nothing new comes before.
    pub fn turn(&self, now: Nanos) -> Option<Nanos> {
        let waiting = self.updated.iter().filter(|id| Some(**id) != self.current);
        let silent = waiting
            .filter_map(|id| self.blocks.get(*id))
            .map(|b| b.since.saturating_add(MAX_SILENCE))
            .min()?;
        let fair = self.fair_end(now).unwrap_or(silent);
        Some(silent.min(fair).max(now))
    }

    /// Prints what it is time for.
    pub fn print(&mut self, trace: &Trace, now: Nanos, out: &mut String) {
        let mut complete: Vec<(Nanos, StepId)> = Vec::new();
        let mut open: BTreeSet<StepId> = BTreeSet::new();
        for id in &self.updated {
            let Some(step) = trace.steps.get(*id).filter(|s| !s.hidden) else {
                continue;
            };
            match step.latest().and_then(|i| i.stop) {
                Some(stop) => complete.push((stop, *id)),
                None => {
                    open.insert(*id);
                }
            }
        }
        let before = self.current;
        complete.sort_unstable();
        let current_complete = complete.iter().any(|(_, id)| Some(*id) == before);
        if let (Some(id), true) = (before, current_complete) {
            self.step(trace, id, out);
        }
        for (_, id) in complete {
            if Some(id) != before {
                self.step(trace, id, out);
            }
        }
        if open.is_empty() {
            let going_on = before
                .and_then(|id| trace.steps.get(id))
                .is_some_and(Step::running);
            if !going_on {
                let next = trace.order.iter().copied();
                let mut next = next.filter(|id| trace.steps.get(*id).is_some_and(Step::running));
                if let Some(id) = next.next() {
                    self.step(trace, id, out);
                }
            }
            return;
        }
        match before {
            Some(current) if open.contains(&current) => self.step(trace, current, out),
            _ => {}
        }
        self.switch(trace, before.filter(|_| !current_complete), open, now, out);
    }

    /// Gives another open step its turn if it is time.
    fn switch(
        &mut self,
        trace: &Trace,
        current: Option<StepId>,
        mut open: BTreeSet<StepId>,
        now: Nanos,
        out: &mut String,
    ) {
        let Some(current) = current else {
            if let Some(id) = self.busiest(&open, now) {
                self.step(trace, id, out);
            }
            return;
        };
        let waiting = open.iter().copied().filter(|id| *id != current);
        let overdue = waiting.into_iter().find(|id| {
            self.blocks.get(*id).is_some_and(|b| {
                now.saturating_sub(b.since) > MAX_SILENCE || b.lines.len() > MAX_HELD
            })
        });
        if let Some(id) = overdue {
            self.step(trace, id, out);
            return;
        }
        open.insert(current);
        if self.fair_end(now).is_some_and(|end| end < now)
            && let Some(id) = self.busiest(&open, now)
        {
            self.step(trace, id, out);
        }
    }

    /// Events per second of a block.
    fn rate(&self, id: StepId, now: Nanos) -> f64 {
        self.blocks.get(id).map_or(0.0, |b| {
            b.events as f64 / seconds(now.saturating_sub(b.since)).max(1e-6)
        })
    }

    fn busiest(&self, among: &BTreeSet<StepId>, now: Nanos) -> Option<StepId> {
        among.iter().copied().max_by(|a, b| {
            self.rate(*a, now)
                .total_cmp(&self.rate(*b, now))
                .then(b.cmp(a))
        })
    }

    /// When the current block has had its fair share. None if nobody waits.
    fn fair_end(&self, now: Nanos) -> Option<Nanos> {
        let current = self.current?;
        let mut ids: BTreeSet<StepId> = self.updated.clone();
        ids.insert(current);
        if ids.len() < 2 {
            return None;
        }
        let sum: f64 = ids.iter().map(|id| self.rate(*id, now)).sum();
        let others = sum - self.rate(current, now);
        let factor = if others > 0.0 { sum / others } else { 2.0 };
        let span = (MIN_BLOCK as f64 * factor).min(1e18) as Nanos;
        Some(self.blocks.get(current)?.since.saturating_add(span))
    }

    /// Prints all that a step has to say.
    fn step(&mut self, trace: &Trace, id: StepId, out: &mut String) {
        let Some(step) = trace.steps.get(id) else {
            return;
        };
        if self.blocks.len() <= id {
            self.blocks.resize_with(id + 1, Block::default);
        }
        if self.current != Some(id) {
            self.leave(out);
        }
        let Some(block) = self.blocks.get_mut(id) else {
            return;
        };
        if self.current != Some(id) {
            if self.numbers > 0 {
                out.push('\n');
            } else if !self.header.is_empty() {
                let _ = writeln!(out, "#0 {}\n", self.header);
            }
            if block.number == 0 {
                self.numbers += 1;
                block.number = self.numbers;
            }
            let name = match self.truncate {
                true => shorten(&step.name),
                false => step.name.clone(),
            };
            let _ = writeln!(out, "#{} {name}", block.number);
            self.current = Some(id);
        }
        let open_status = block.statuses(step, out);
        block.warnings(step, out);
        block.flush(out);
        self.updated.remove(&id);
        if step.completed() && !open_status {
            block.end_line(out);
            block.lines.clear();
            block.shown = 0;
            block.events = 0;
            self.current = None;
            let number = block.number;
            let _ = if step.canceled() {
                writeln!(out, "#{number} CANCELED")
            } else if !step.error.is_empty() {
                // Every line keeps its number, so that no message can fake another step's.
                let error = step
                    .error
                    .trim_end()
                    .replace('\n', &format!("\n#{number} "));
                writeln!(out, "#{number} ERROR: {error}")
            } else if step.cached {
                writeln!(out, "#{number} CACHED")
            } else {
                writeln!(out, "#{number} DONE {:.1}s", seconds(step.duration(0)))
            };
        }
    }

    /// The current block is left while its step is open.
    fn leave(&mut self, out: &mut String) {
        if let Some(block) = self.current.take().and_then(|id| self.blocks.get_mut(id)) {
            block.end_line(out);
            block.events = 0;
            let _ = writeln!(out, "#{} ...", block.number);
        }
    }

    /// Prints all that is held back: nothing more will come.
    pub fn finish(&mut self, trace: &Trace, now: Nanos, out: &mut String) {
        self.print(trace, now, out);
        let visible = |id: &StepId| trace.steps.get(*id).is_some_and(|s| !s.hidden);
        for id in self.updated.clone().into_iter().filter(visible) {
            self.step(trace, id, out);
        }
        if let Some(block) = self.current.and_then(|id| self.blocks.get_mut(id)) {
            block.end_line(out);
        }
    }
}

impl Block {
    fn log(&mut self, piece: &Piece) {
        if let Some(time) = piece.begins {
            if !self.lines.is_empty() && !self.lines.ends_with('\n') {
                self.lines.push('\n');
            }
            self.lines.push_str(&units::log_time(time));
            self.lines.push(' ');
        }
        self.lines.push_str(&piece.text);
        if piece.ends {
            self.lines.push('\n');
        }
    }

    /// Prints the statuses that changed enough. Returns whether one of them is not complete.
    fn statuses(&mut self, step: &Step, out: &mut String) -> bool {
        let mut open = false;
        for index in std::mem::take(&mut self.changed_statuses) {
            let Some(status) = step.statuses.get(index) else {
                continue;
            };
            if let (Some((current, time)), None) =
                (self.printed_statuses.get(&index), status.completed)
            {
                let advanced = match status.total {
                    0 => 0.0,
                    total => status.current.saturating_sub(*current) as f64 / total as f64,
                };
                if advanced < STATUS_PART && status.timestamp.saturating_sub(*time) < STATUS_TIME {
                    continue;
                }
            }
            self.printed_statuses
                .insert(index, (status.current, status.timestamp));
            self.end_line(out);
            let _ = write!(out, "#{} {}", self.number, status.id);
            let amount = units::amount(status.current, status.total);
            if !amount.is_empty() {
                let _ = write!(out, " {amount}");
            }
            let until = status.completed.unwrap_or(status.timestamp);
            let span = status.started.map_or(0, |s| until.saturating_sub(s));
            if span > SECOND / 100 {
                let _ = write!(out, " {:.1}s", seconds(span));
            }
            if status.completed.is_some() {
                out.push_str(" done");
            } else {
                open = true;
            }
            out.push('\n');
        }
        open
    }

    fn warnings(&mut self, step: &Step, out: &mut String) {
        for index in std::mem::take(&mut self.new_warnings) {
            if let Some(warning) = step.warnings.get(index) {
                self.end_line(out);
                let _ = writeln!(out, "#{} WARN: {}", self.number, warning.short);
            }
        }
    }

    /// Prints the log; an open line stays, because it can be continued or printed again.
    fn flush(&mut self, out: &mut String) {
        let mut rest = self.lines.as_str();
        let mut shown = self.shown;
        while !rest.is_empty() {
            let end = rest.find('\n').map_or(rest.len(), |i| i + 1);
            let (line, tail) = rest.split_at(end);
            match shown {
                0 => {
                    let _ = write!(out, "#{} {line}", self.number);
                }
                shown => out.push_str(line.get(shown..).unwrap_or_default()),
            }
            shown = 0;
            rest = tail;
            if rest.is_empty() && !line.ends_with('\n') {
                let open = line.len();
                let keep = self.lines.len() - open;
                self.lines.drain(..keep);
                self.shown = open;
                return;
            }
        }
        self.lines.clear();
        self.shown = 0;
    }

    /// Ends a line that stands open on the screen; it will be printed again as a whole.
    fn end_line(&mut self, out: &mut String) {
        if self.shown > 0 {
            out.push('\n');
            self.shown = 0;
        }
    }
}

fn shorten(name: &str) -> String {
    if name.len() <= SHORT_NAME {
        return name.to_string();
    }
    let mut end = SHORT_NAME;
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}...", name.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests;
