//! Everything observed of a build: a reducer over the engine's status messages.
//!
//! A vertex arrives as full snapshots that replace each other; it can be announced, probed for
//! microseconds and started again. Members of a progress group are one step. All texts have passed the escape
//! filter when they are in here, and memory is bounded: of logs only the last lines are kept.

use std::collections::HashMap;

use super::clip;
use super::log::{Log, Piece};
use super::time::{Interval, Nanos, merge};
use crate::engine::errors::{CANCELED, Source};
use crate::proto::control;
use crate::term::escape;

mod merge;

/// Intervals of one step kept apart; beyond that they are merged.
const MAX_INTERVALS: usize = 256;

/// Index of a step in [`Trace::steps`]; stays with the step.
pub type StepId = usize;

/// What a message changed, in the order of the message.
#[derive(Debug)]
pub enum Change {
    /// The step's times, result or name.
    Step(StepId),
    /// A status of the step, by its index.
    Status(StepId, usize),
    /// A new warning of the step, by its index.
    Warning(StepId, usize),
    /// Log text of the step.
    Log(StepId, Piece),
}

impl Change {
    /// The step that has changed.
    pub fn step(&self) -> StepId {
        match self {
            Change::Step(id)
            | Change::Status(id, _)
            | Change::Warning(id, _)
            | Change::Log(id, _) => *id,
        }
    }
}

/// A vertex, or a progress group of vertices.
#[derive(Debug)]
pub struct Step {
    /// The vertex' digest, or the id of the group.
    pub digest: String,
    /// What it does, on one line.
    pub name: String,
    /// Whether the engine had the result.
    pub cached: bool,
    /// Why it failed; empty if it did not.
    pub error: String,
    /// Its parts, in order of start.
    pub statuses: Vec<Status>,
    /// What the frontend says about it.
    pub warnings: Vec<Warning>,
    /// Its output.
    pub log: Log,
    /// Where its output was clipped: a sentence for each stream.
    pub missing: Vec<String>,
    /// A group of which no member that counts has started.
    pub hidden: bool,
    /// Our own step: its times are of our clock.
    pub local: bool,
    /// Digests of the vertices that it waits for; of a group, those of its members, which may be members too.
    pub inputs: Vec<String>,
    intervals: Vec<Interval>,
    merged: Vec<Interval>,
    status_index: HashMap<String, usize>,
    members: Vec<Member>,
    streams: HashMap<i64, clip::Stream>,
}

#[derive(Debug)]
struct Member {
    digest: String,
    started: bool,
    cached: bool,
    weak: bool,
    error: String,
}

/// A part of a step, as the download of a layer.
#[derive(Debug, Clone)]
pub struct Status {
    /// What it is, on one line.
    pub id: String,
    /// How much is done; bytes as a rule.
    pub current: i64,
    /// How much there is to do; 0 if unknown.
    pub total: i64,
    /// When this was measured, engine's clock.
    pub timestamp: Nanos,
    /// When it began.
    pub started: Option<Nanos>,
    /// When it ended.
    pub completed: Option<Nanos>,
}

/// A warning of the frontend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The warning on one line.
    pub short: String,
    /// More about it.
    pub detail: Vec<String>,
    /// Where it is documented; empty if nowhere.
    pub url: String,
    /// The lines it is about.
    pub source: Option<Source>,
}

/// The state of a build as far as it has been observed.
#[derive(Debug, Default)]
pub struct Trace {
    /// All steps in order of first sight.
    pub steps: Vec<Step>,
    /// The visible ones in order of start.
    pub order: Vec<StepId>,
    by_digest: HashMap<String, StepId>,
    colours: bool,
    /// Our clock minus the engine's.
    offset: Option<Nanos>,
    /// When the first message came, our clock.
    begun: Option<Nanos>,
}

impl Step {
    fn new(digest: String, name: &str, colours: bool) -> Self {
        Step {
            digest,
            name: escape::line(name).into_owned(),
            cached: false,
            error: String::new(),
            statuses: Vec::new(),
            warnings: Vec::new(),
            log: Log::new(colours),
            missing: Vec::new(),
            hidden: false,
            local: false,
            inputs: Vec::new(),
            intervals: Vec::new(),
            merged: Vec::new(),
            status_index: HashMap::new(),
            members: Vec::new(),
            streams: HashMap::new(),
        }
    }

    /// Its most recent period of activity.
    pub fn latest(&self) -> Option<Interval> {
        self.merged.last().copied()
    }

    /// Its periods of activity, in order and apart from each other.
    pub fn periods(&self) -> &[Interval] {
        &self.merged
    }

    /// Whether it ever started.
    pub fn started(&self) -> bool {
        !self.merged.is_empty()
    }

    /// Whether it started and nothing of it is active.
    pub fn completed(&self) -> bool {
        self.latest().is_some_and(|i| i.stop.is_some())
    }

    /// Whether it has ended well: neither failed nor canceled.
    pub fn succeeded(&self) -> bool {
        self.completed() && self.error.is_empty()
    }

    /// Whether it is active.
    pub fn running(&self) -> bool {
        self.latest().is_some_and(|i| i.stop.is_none())
    }

    /// Whether it ended because the build was cancelled or another step failed.
    pub fn canceled(&self) -> bool {
        self.error.ends_with(CANCELED)
    }

    /// Whether it failed by itself.
    pub fn failed(&self) -> bool {
        !self.error.is_empty() && !self.canceled()
    }

    /// Time that it was active; `now` on the clock of the step's times.
    pub fn duration(&self, now: Nanos) -> Nanos {
        self.merged
            .iter()
            .map(|i| i.stop.unwrap_or(now).saturating_sub(i.start).max(0))
            .fold(0, Nanos::saturating_add)
    }

    fn activity(&mut self, start: Nanos, stop: Option<Nanos>) -> bool {
        let interval = Interval { start, stop };
        match self.intervals.iter_mut().find(|i| i.start == start) {
            Some(known) if *known == interval => return false,
            Some(known) => *known = interval,
            None => {
                if stop.is_none() {
                    self.streams.clear();
                }
                if self.intervals.len() >= MAX_INTERVALS {
                    self.intervals = merge(&self.intervals);
                    if self.intervals.len() >= MAX_INTERVALS {
                        self.intervals.remove(0);
                    }
                }
                self.intervals.push(interval);
            }
        }
        self.merged = merge(&self.intervals);
        true
    }
}

impl Trace {
    /// `colours`: whether colour sequences stay in logs.
    pub fn new(colours: bool) -> Self {
        Trace {
            colours,
            ..Trace::default()
        }
    }

    /// Index of the step of a vertex, or of the group that the vertex is in.
    pub fn index(&self, digest: &str) -> Option<StepId> {
        self.by_digest.get(digest).copied()
    }

    /// The step of a vertex, or of the group that the vertex is in.
    pub fn find(&self, digest: &str) -> Option<&Step> {
        self.steps.get(*self.by_digest.get(digest)?)
    }

    /// The build began at `at`, our clock, if nothing earlier has been seen.
    pub fn begin(&mut self, at: Nanos) {
        self.begun.get_or_insert(at);
    }

    /// What the engine's clock shows at our time `now`.
    pub fn set_clock(&mut self, engine: Nanos, now: Nanos) {
        self.offset = Some(now.saturating_sub(engine));
    }

    /// Our time on the clock of the step's times.
    pub fn clock(&self, step: &Step, now: Nanos) -> Nanos {
        match step.local {
            true => now,
            false => self.engine_clock(now),
        }
    }

    /// Our time `now` on the engine's clock.
    pub fn engine_clock(&self, now: Nanos) -> Nanos {
        now.saturating_sub(self.offset.unwrap_or(0))
    }

    /// Time since the first message.
    pub fn elapsed(&self, now: Nanos) -> Nanos {
        self.begun
            .map_or(0, |begun| now.saturating_sub(begun).max(0))
    }

    /// Steps that are done, and steps known.
    pub fn count(&self) -> (usize, usize) {
        let visible = self.steps.iter().filter(|s| !s.hidden);
        visible.fold((0, 0), |(done, all), s| {
            (done + usize::from(s.completed()), all + 1)
        })
    }

    /// Whether a visible step is active.
    pub fn running(&self) -> bool {
        self.steps.iter().any(|s| s.running() && !s.hidden)
    }

    /// Merges a message of the engine that came at our time `now`.
    pub fn apply(&mut self, message: &control::StatusResponse, now: Nanos) -> Vec<Change> {
        self.merge(message, now, false)
    }

    /// Merges a message about our own steps.
    pub fn apply_local(&mut self, message: &control::StatusResponse, now: Nanos) -> Vec<Change> {
        self.merge(message, now, true)
    }
}

#[cfg(test)]
pub(super) mod tests;
