//! The build in whole sentences, for ears: a screen reader reads each line as it comes.
//!
//! ```text
//! The build starts on the builder "default" with the docker driver.
//! Step 2 of 3 was cached: COPY . .
//! Step 3 of 3 runs: RUN make.
//! cc -o app main.c
//! Step 3 of 3 done in 1.2 seconds.
//! The build succeeded after 1.4 seconds: 3 steps, 1 of them cached.
//! ```
//!
//! Lines of a log stand below the sentence that names their step, as they are. Nothing is written over, and no
//! sentence hangs on colour or on where it stands. While a step speaks, others wait for a pause or their turn; what
//! happens to a step is never held back. What only prepares the build is mentioned when it is slow or fails.

mod end;
pub mod words;

use std::collections::{BTreeSet, HashSet};
use std::fmt::Write as _;

use super::log::Piece;
use super::time::{Nanos, SECOND};
use super::trace::{Change, Step, StepId, Trace};
use crate::engine::errors;
use words::Label;

pub use end::{End, text as end};

/// How long a step speaks, at least, while others wait; unless it pauses.
const TURN: Nanos = 5 * SECOND;
/// A step that is silent for so long has paused: others speak.
const PAUSE: Nanos = SECOND;
/// A line that is not ended is read out after that time.
const UNENDED: Nanos = 2 * SECOND;
/// A preparation that takes so long is mentioned.
const SLOW: Nanos = 3 * SECOND;
/// A step that has so much to say, in bytes, does not wait.
const MAX_HELD: usize = 1 << 20;
/// Transfers below that size, in bytes, are not worth a word.
const MENTIONED: i64 = 1_000_000;

/// What has been said of a step and what has not.
#[derive(Debug, Default)]
struct Told {
    begun: bool,
    ended: bool,
    /// When it was first seen active, our clock.
    seen: Option<Nanos>,
    /// Log that has not been written; its last line can be open.
    lines: String,
    /// When the log last grew, our clock.
    grown: Nanos,
    /// The open line has been written as if it were one.
    broken: bool,
    warnings: Vec<usize>,
    /// Parts that have been mentioned, by index.
    parts: BTreeSet<usize>,
}

impl Told {
    fn log(&mut self, piece: &Piece, now: Nanos) {
        if piece.begins.is_some() {
            if !self.lines.is_empty() && !self.lines.ends_with('\n') {
                self.lines.push('\n');
            }
            self.broken = false;
        }
        self.grown = now;
        self.lines.push_str(&piece.text);
        let said = self.broken && (self.lines.is_empty() || self.lines.ends_with('\n'));
        if piece.ends && !said {
            self.lines.push('\n');
        }
        if piece.ends {
            self.broken = false;
        }
    }

    /// Whether something can be written at `now`.
    fn speaks(&self, now: Nanos) -> bool {
        !self.lines.is_empty() && (self.lines.contains('\n') || self.overdue(now))
    }

    /// Whether the open line has waited long enough.
    fn overdue(&self, now: Nanos) -> bool {
        now.saturating_sub(self.grown) >= UNENDED
    }

    /// When something can be written, if nothing new comes; `None` if there is nothing.
    fn due(&self, now: Nanos) -> Option<Nanos> {
        match () {
            () if self.lines.is_empty() => None,
            () if self.lines.contains('\n') => Some(now),
            () => Some(self.grown.saturating_add(UNENDED)),
        }
    }

    /// Takes the lines that can be written; with `all`, the open one too.
    fn take(&mut self, all: bool) -> String {
        if all && !self.lines.is_empty() && !self.lines.ends_with('\n') {
            self.lines.push('\n');
            self.broken = true;
        }
        let whole = self.lines.rfind('\n').map_or(0, |last| last + 1);
        let rest = self.lines.split_off(whole);
        std::mem::replace(&mut self.lines, rest)
    }
}

/// The printer of sentences. Text is appended to a buffer of the caller.
#[derive(Debug, Default)]
pub struct Sentences {
    builder: String,
    driver: String,
    opened: bool,
    told: Vec<Told>,
    updated: BTreeSet<StepId>,
    /// The step whose turn it is, and since when, our clock.
    speaker: Option<(StepId, Nanos)>,
    /// The step that the last sentence named: lines of its log can follow.
    named: Option<StepId>,
    /// Names of steps of which it is said that they were cached.
    cached: HashSet<String>,
}

impl Sentences {
    /// `builder` and `driver`: their names, harmless already; empty if they are not known.
    pub fn new(builder: String, driver: String) -> Self {
        Sentences {
            builder,
            driver,
            ..Sentences::default()
        }
    }

    /// Takes note of a change at our time `now`; nothing is written.
    pub fn note(&mut self, change: Change, now: Nanos) {
        let id = change.step();
        if self.told.len() <= id {
            self.told.resize_with(id + 1, Told::default);
        }
        let Some(told) = self.told.get_mut(id) else {
            return;
        };
        told.seen.get_or_insert(now);
        self.updated.insert(id);
        match change {
            Change::Step(_) | Change::Status(..) => {}
            Change::Warning(_, index) => told.warnings.push(index),
            Change::Log(_, piece) => told.log(&piece, now),
        }
    }

    /// Bytes that are held back.
    pub fn held(&self) -> usize {
        let updated = self.updated.iter().filter_map(|id| self.told.get(*id));
        updated.map(|told| told.lines.len()).sum()
    }

    /// When there is something to write, if nothing new comes before.
    pub fn turn(&self, trace: &Trace, now: Nanos) -> Option<Nanos> {
        let due = self.updated.iter().filter_map(|id| {
            let (step, told) = (trace.steps.get(*id)?, self.told.get(*id)?);
            let slow = (!told.begun && step.running() && !step.hidden)
                .then(|| told.seen.unwrap_or(now).saturating_add(SLOW));
            let lines = told.due(now).map(|due| due.max(self.free(*id, now)));
            slow.into_iter().chain(lines).min()
        });
        due.min().map(|at| at.max(now))
    }

    /// From when on the step may speak.
    fn free(&self, id: StepId, now: Nanos) -> Nanos {
        match self.speaker {
            Some((speaker, since)) if speaker != id => {
                let grown = self.told.get(speaker).map_or(0, |told| told.grown);
                let paused = grown.max(since).saturating_add(PAUSE);
                paused.min(since.saturating_add(TURN))
            }
            _ => now,
        }
    }

    /// Writes what it is time for.
    pub fn print(&mut self, trace: &Trace, now: Nanos, out: &mut String) {
        self.open(out);
        let updated: Vec<StepId> = self.updated.iter().copied().collect();
        let visible = |id: &StepId| trace.steps.get(*id).is_some_and(|step| !step.hidden);
        let (mut ended, going): (Vec<StepId>, Vec<StepId>) = updated
            .into_iter()
            .filter(visible)
            .partition(|id| trace.steps.get(*id).is_some_and(Step::completed));
        let stop = |id: &StepId| trace.steps.get(*id).and_then(|s| s.latest()?.stop);
        ended.sort_by_key(|id| (stop(id), *id));
        // An engine looks at steps from the last one back; numbers are in their names.
        let cached = |id: &StepId| trace.steps.get(*id).filter(|step| step.cached);
        ended.sort_by_cached_key(|id| {
            cached(id).map_or((true, ""), |step| (false, step.name.as_str()))
        });
        // The end of the one that speaks belongs to its lines.
        ended.sort_by_key(|id| self.named != Some(*id));
        for id in ended {
            self.ended(trace, id, out);
        }
        for id in &going {
            self.going(trace, *id, now, out);
        }
        self.speak(trace, &going, now, out);
        self.updated.retain(|id| {
            let (Some(step), Some(told)) = (trace.steps.get(*id), self.told.get(*id)) else {
                return false;
            };
            !told.lines.is_empty() || (!told.begun && step.running())
        });
    }

    /// Writes all that is held back: nothing more will come.
    pub fn finish(&mut self, trace: &Trace, now: Nanos, out: &mut String) {
        self.print(trace, now, out);
        for id in self.updated.clone() {
            self.lines(trace, id, true, out);
        }
    }

    fn open(&mut self, out: &mut String) {
        if std::mem::replace(&mut self.opened, true) {
            return;
        }
        out.push_str("The build starts");
        if !self.builder.is_empty() {
            let _ = write!(out, " on the builder \"{}\"", self.builder);
        }
        if !self.driver.is_empty() {
            let _ = write!(out, " with the {} driver", self.driver);
        }
        out.push_str(".\n");
    }

    /// What is to be said of a step that goes on, apart from its log.
    fn going(&mut self, trace: &Trace, id: StepId, now: Nanos, out: &mut String) {
        let (Some(step), Some(told)) = (trace.steps.get(id), self.told.get_mut(id)) else {
            return;
        };
        let label = Label::of(&step.name);
        if !told.begun && step.running() {
            let slow = now.saturating_sub(told.seen.unwrap_or(now)) >= SLOW;
            let counts = !label.internal && !told.ended;
            if counts || slow {
                told.begun = true;
                self.named = Some(id);
                out.push_str(&match counts {
                    true => label.begins(),
                    false => format!("{} takes its time.\n", label.subject),
                });
            }
        }
        self.aside(step, &label, id, out);
    }

    /// Warnings and parts that are worth a sentence.
    fn aside(&mut self, step: &Step, label: &Label, id: StepId, out: &mut String) {
        let Some(told) = self.told.get_mut(id) else {
            return;
        };
        for index in std::mem::take(&mut told.warnings) {
            let Some(warning) = step.warnings.get(index) else {
                continue;
            };
            out.push_str(&match label.internal {
                true => format!("Warning: {}\n", words::closed(&warning.short)),
                false => format!(
                    "Warning of {}: {}\n",
                    label.object(),
                    words::closed(&warning.short)
                ),
            });
            self.named = None;
        }
        // Names are what a person takes away from a build.
        let parts = step.statuses.iter().enumerate();
        for (index, part) in parts.filter(|(_, part)| part.completed.is_some()) {
            if part.id.starts_with("naming to ") && told.parts.insert(index) {
                let _ = writeln!(out, "{}", words::sentence(&part.id));
                self.named = None;
            }
        }
    }

    /// What is to be said of a step that has ended.
    fn ended(&mut self, trace: &Trace, id: StepId, out: &mut String) {
        let (Some(step), Some(told)) = (trace.steps.get(id), self.told.get_mut(id)) else {
            return;
        };
        let label = Label::of(&step.name);
        let matters = !step.error.is_empty() || told.begun || !label.internal;
        if !told.lines.is_empty() && !told.begun {
            told.begun = true;
            out.push_str(&label.begins());
            self.named = Some(id);
        }
        self.aside(step, &label, id, out);
        self.lines(trace, id, true, out);
        if self.speaker.is_some_and(|(speaker, _)| speaker == id) {
            self.speaker = None;
        }
        let Some(told) = self.told.get_mut(id) else {
            return;
        };
        let begun = std::mem::take(&mut told.begun);
        let again = std::mem::replace(&mut told.ended, true);
        told.seen = None;
        // An engine looks at a step several times; the first end is news, and a later one that took its time.
        let news = !again || begun || !step.error.is_empty();
        // With a step of another build that it has in memory, an engine tells of that one, too.
        let twin = step.cached && !begun && !self.cached.insert(step.name.clone());
        if matters && news && !twin {
            out.push_str(&ends(step, &label, begun || again));
            self.named = None;
        }
    }

    /// Lines of the logs of steps that go on.
    fn speak(&mut self, trace: &Trace, going: &[StepId], now: Nanos, out: &mut String) {
        let speaks = |all: &Self, id: StepId| all.told.get(id).is_some_and(|t| t.speaks(now));
        if let Some((id, _)) = self.speaker
            && going.contains(&id)
            && speaks(self, id)
        {
            self.write(trace, id, now, out);
        }
        for id in going.iter().copied() {
            let held = self.told.get(id).map_or(0, |told| told.lines.len());
            let may = self.free(id, now) <= now || held > MAX_HELD;
            if may && speaks(self, id) {
                self.speaker = Some((id, now));
                self.write(trace, id, now, out);
            }
        }
    }

    fn write(&mut self, trace: &Trace, id: StepId, now: Nanos, out: &mut String) {
        let all = self.told.get(id).is_some_and(|told| told.overdue(now));
        self.lines(trace, id, all, out);
    }

    /// Writes the log of a step below a sentence that names it.
    fn lines(&mut self, trace: &Trace, id: StepId, all: bool, out: &mut String) {
        let (Some(step), Some(told)) = (trace.steps.get(id), self.told.get_mut(id)) else {
            return;
        };
        let lines = told.take(all);
        if lines.is_empty() {
            return;
        }
        if self.named != Some(id) {
            let _ = writeln!(out, "{} says:", Label::of(&step.name).subject);
            self.named = Some(id);
        }
        out.push_str(&lines);
    }
}

/// How a step ended. `known`: its text has been said.
fn ends(step: &Step, label: &Label, known: bool) -> String {
    let took = words::span(step.duration(0));
    let subject = &label.subject;
    let what = match known || label.text.is_empty() {
        true => ".".to_owned(),
        false => format!(": {}", words::closed(&label.text)),
    };
    if step.canceled() {
        return format!("{subject} was canceled after {took}{what}\n");
    }
    if !step.error.is_empty() {
        return match errors::exit_code_in(&step.error) {
            Some(code) => format!("{subject} failed with exit code {code} after {took}{what}\n"),
            None => {
                let cause = words::closed(step.error.trim_end());
                format!("{subject} failed after {took}{what}\nThe cause: {cause}\n")
            }
        };
    }
    if step.cached {
        return format!("{subject} was cached{what}\n");
    }
    let moved = moved(step);
    let moved = match moved < MENTIONED {
        true => String::new(),
        false => format!(", {} transferred", words::size(moved)),
    };
    format!("{subject} done in {took}{moved}{what}\n")
}

/// Bytes that the parts of a step have transferred.
fn moved(step: &Step) -> i64 {
    let moves = ["sha256:", "transferring ", "pushing ", "loading layer "];
    let parts = step.statuses.iter();
    let parts = parts.filter(|part| moves.iter().any(|begin| part.id.starts_with(begin)));
    parts.fold(0, |sum, part| sum.saturating_add(part.current.max(0)))
}

#[cfg(test)]
mod tests;
