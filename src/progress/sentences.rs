//! The printer for screen readers: what happens as whole sentences, in order, nothing drawn over.
//!
//! ```text
//! The build has begun on builder default, driver docker.
//! Step 2 of 5, RUN make, has begun.
//! cc -c main.c
//! Step 2 of 5 has failed with exit code 3 after 1.2 seconds.
//! ```
//!
//! One step speaks at a time. What another prints is held back until the one that speaks has ended or had its turn, and
//! begins with a sentence that says whose it is. Internal steps are not spoken of unless they fail or take long.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::log::Piece;
use super::time::{Nanos, SECOND};
use super::trace::{Change, Step, StepId, Trace};
use super::words::{self, Name};

/// How long a step speaks at least when others have something to say.
const TURN: Nanos = 5 * SECOND;

/// A step that has that much to say is next, so that memory stays bounded; in bytes.
const MAX_HELD: usize = 1 << 20;

/// After so much silence it is said that a step still runs.
const SILENCE: Nanos = 30 * SECOND;

/// An internal step that took longer is spoken of.
const LONG: Nanos = 2 * SECOND;

/// What has been said of a step and what has not.
#[derive(Debug, Default)]
struct Said {
    began: bool,
    ended: bool,
    /// Output that has not been said; the last line can be open.
    lines: String,
}

/// The printer. Text is appended to a buffer of the caller.
#[derive(Debug, Default)]
pub struct Sentences {
    /// The first sentence, until it is said.
    first: Option<String>,
    said: Vec<Said>,
    updated: BTreeSet<StepId>,
    /// Whose output the last line was, if it was output, and since when.
    speaker: Option<(StepId, Nanos)>,
    /// When something was said last; 0 before the first sentence.
    last: Nanos,
}

impl Sentences {
    /// `builder` and `driver`: harmless already; may be empty.
    pub fn new(builder: &str, driver: &str) -> Self {
        let first = match (builder, driver) {
            ("", _) => "The build has begun.".to_owned(),
            (builder, "") => format!("The build has begun on builder {builder}."),
            (builder, driver) => {
                format!("The build has begun on builder {builder}, driver {driver}.")
            }
        };
        Self {
            first: Some(first),
            ..Self::default()
        }
    }

    /// Takes note of a change; nothing is printed.
    pub fn note(&mut self, change: Change) {
        let (Change::Step(id)
        | Change::Status(id, _)
        | Change::Warning(id, _)
        | Change::Log(id, _)) = change;
        if self.said.len() <= id {
            self.said.resize_with(id + 1, Said::default);
        }
        let Some(said) = self.said.get_mut(id) else {
            return;
        };
        match change {
            Change::Step(_) => {}
            Change::Log(_, piece) => said.take(&piece),
            // How far something is would be said again and again; warnings come at the end.
            Change::Status(..) | Change::Warning(..) => return,
        }
        self.updated.insert(id);
    }

    /// Bytes that are held back.
    pub fn held(&self) -> usize {
        let held = self.updated.iter().filter_map(|id| self.said.get(*id));
        held.map(|said| said.lines.len()).sum()
    }

    /// When there is something to say, if nothing new comes before.
    pub fn turn(&self, trace: &Trace) -> Option<Nanos> {
        let turn = match self.speaker {
            Some((_, since)) if self.held() > 0 => Some(since.saturating_add(TURN)),
            _ => None,
        };
        let still = self
            .running(trace)
            .map(|_| self.last.saturating_add(SILENCE));
        match (turn, still) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    /// The first step that runs and of which it was said that it has begun.
    fn running<'a>(&self, trace: &'a Trace) -> Option<(StepId, &'a Step)> {
        let began = |id: &StepId| self.said.get(*id).is_some_and(|said| said.began);
        let order = trace.order.iter().copied().filter(began);
        let mut steps = order.filter_map(|id| Some((id, trace.steps.get(id)?)));
        steps.find(|(_, step)| step.running() && !step.hidden)
    }

    /// Prints what it is time for.
    pub fn print(&mut self, trace: &Trace, now: Nanos, out: &mut String) {
        let before = out.len();
        self.first(out);
        let speaker = self.speaker.map(|(id, _)| id);
        let mut steps: Vec<StepId> = Vec::new();
        // The one that speaks goes on before others begin.
        steps.extend(speaker.filter(|id| self.updated.contains(id)));
        let ready = |id: &StepId| self.updated.contains(id) && Some(*id) != speaker;
        steps.extend(trace.order.iter().copied().filter(ready));
        for id in steps {
            let Some(step) = trace.steps.get(id).filter(|step| !step.hidden) else {
                continue;
            };
            self.step(id, step, trace, now, out);
        }
        if out.len() > before {
            self.last = now;
        } else if now.saturating_sub(self.last) >= SILENCE
            && let Some((_, step)) = self.running(trace)
        {
            let name = Name::of(&step.name).short();
            let time = words::span(step.duration(trace.clock(step, now)));
            let _ = writeln!(out, "{name} still runs, after {time}.");
            self.speaker = None;
            self.last = now;
        }
    }

    /// Prints all that is held back: nothing more will come.
    pub fn finish(&mut self, trace: &Trace, now: Nanos, out: &mut String) {
        self.print(trace, now, out);
        // Nobody has to wait for a turn any more.
        for id in self.updated.clone() {
            if let Some(step) = trace.steps.get(id).filter(|step| !step.hidden) {
                self.begin(id, step, out);
                self.output(id, step, now, true, out);
            }
        }
    }

    fn first(&mut self, out: &mut String) {
        if let Some(first) = self.first.take() {
            let _ = writeln!(out, "{first}");
        }
    }

    /// Says of a step what may be said now.
    fn step(&mut self, id: StepId, step: &Step, trace: &Trace, now: Nanos, out: &mut String) {
        let ended = step.completed();
        if let Some(said) = self.said.get_mut(id)
            && said.ended
            && !ended
        {
            // It runs once more.
            said.began = false;
            said.ended = false;
        }
        if !ended {
            self.begin(id, step, out);
        }
        let others = self.speaker.filter(|(speaker, _)| *speaker != id);
        let busy = others.is_some_and(|(speaker, since)| {
            now.saturating_sub(since) < TURN && trace.steps.get(speaker).is_some_and(Step::running)
        });
        let much = self
            .said
            .get(id)
            .is_some_and(|said| said.lines.len() > MAX_HELD);
        if ended || !busy || much {
            self.output(id, step, now, ended, out);
        }
        if ended {
            self.end(id, step, out);
        }
    }

    fn begin(&mut self, id: StepId, step: &Step, out: &mut String) {
        let Some(said) = self.said.get_mut(id) else {
            return;
        };
        let name = Name::of(&step.name);
        if said.began || step.cached || !step.started() || name.internal {
            return;
        }
        said.began = true;
        let _ = writeln!(out, "{} has begun.", name.long());
        // Its output may follow at once.
        self.speaker = self.speaker.filter(|(speaker, _)| *speaker != id);
    }

    /// Prints the whole lines of a step's output, and with `all` the open one.
    fn output(&mut self, id: StepId, step: &Step, now: Nanos, all: bool, out: &mut String) {
        let Some(said) = self.said.get_mut(id) else {
            return;
        };
        let end = match all {
            true => said.lines.len(),
            false => said.lines.rfind('\n').map_or(0, |at| at + 1),
        };
        if said.lines.len() == end {
            self.updated.remove(&id);
        }
        if end == 0 {
            return;
        }
        let speaks = self.speaker.is_some_and(|(speaker, _)| speaker == id);
        if !speaks {
            let _ = writeln!(out, "Output of {}:", Name::of(&step.name).within());
            self.speaker = Some((id, now));
        }
        out.extend(said.lines.drain(..end));
        if !out.ends_with('\n') {
            out.push('\n');
        }
    }

    fn end(&mut self, id: StepId, step: &Step, out: &mut String) {
        let Some(said) = self.said.get_mut(id) else {
            return;
        };
        self.updated.remove(&id);
        let name = Name::of(&step.name);
        let time = step.duration(0);
        let silent = name.internal && !step.failed() && time < LONG;
        if std::mem::replace(&mut said.ended, true) || silent {
            return;
        }
        let whole = !std::mem::replace(&mut said.began, true);
        let name = match whole {
            true => name.long(),
            false => name.short(),
        };
        let _ = writeln!(out, "{name} {}.", words::end(step));
        self.speaker = None;
    }
}

impl Said {
    fn take(&mut self, piece: &Piece) {
        if piece.begins.is_some() && !self.lines.is_empty() && !self.lines.ends_with('\n') {
            self.lines.push('\n');
        }
        self.lines.push_str(&piece.text);
        if piece.ends {
            self.lines.push('\n');
        }
    }
}

#[cfg(test)]
mod tests;
