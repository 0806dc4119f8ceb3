//! Everything observed of a build: a reducer over the engine's status messages.
//!
//! A vertex arrives as full snapshots that replace each other; it can be announced, probed for
//! microseconds and started again. Members of a progress group are one step. All texts have passed the escape
//! filter when they are in here, and memory is bounded: of logs only the last lines are kept.

use std::collections::HashMap;

use super::clip;
use super::log::{Log, Piece};
use super::time::{Interval, Nanos, merge, nanos};
use crate::engine::errors::{CANCELED, LineRange, Source};
use crate::proto::control;
use crate::term::escape;

/// Statuses and warnings kept of one step, each; an engine that sends more is not honest.
const MAX_ITEMS: usize = 5000;

/// Inputs kept of the members of one group together.
const MAX_INPUTS: usize = 256;

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

    fn merge(&mut self, message: &control::StatusResponse, now: Nanos, local: bool) -> Vec<Change> {
        self.begun.get_or_insert(now);
        let mut changes = Vec::new();
        let mut groups = Vec::new();
        for vertex in &message.vertexes {
            if let (Some(started), None, false) = (&vertex.started, self.offset, local) {
                self.set_clock(nanos(started), now);
            }
            // Whether a vertex is in a group is decided at first sight.
            let known = self.by_digest.get(&vertex.digest).copied();
            let grouped = match known.and_then(|id| self.steps.get(id)) {
                Some(step) => !step.members.is_empty(),
                None => vertex.progress_group.is_some(),
            };
            match (grouped, known) {
                (true, known) => self.member(vertex, known, &mut groups),
                (false, known) => self.vertex(vertex, known, local, &mut changes),
            }
        }
        for (group, changed) in groups {
            self.refresh(group, changed, &mut changes);
        }
        for status in &message.statuses {
            self.status(status, &mut changes);
        }
        for warning in &message.warnings {
            self.warning(warning, &mut changes);
        }
        for log in &message.logs {
            self.log(log, &mut changes);
        }
        self.settle(message, &mut changes);
        changes
    }

    fn vertex(
        &mut self,
        vertex: &control::Vertex,
        known: Option<StepId>,
        local: bool,
        changes: &mut Vec<Change>,
    ) {
        let id = match known {
            Some(id) => id,
            None => {
                let id = self.steps.len();
                let mut step = Step::new(vertex.digest.clone(), &vertex.name, self.colours);
                step.local = local;
                step.inputs.clone_from(&vertex.inputs);
                self.steps.push(step);
                self.by_digest.insert(vertex.digest.clone(), id);
                id
            }
        };
        let Some(step) = self.steps.get_mut(id) else {
            return;
        };
        let was_started = step.started();
        // An announcement that comes again says nothing about a step that has started.
        let Some(started) = &vertex.started else {
            if !was_started {
                step.name = escape::line(&vertex.name).into_owned();
                step.cached = vertex.cached;
            }
            return;
        };
        let mut changed = step.activity(nanos(started), vertex.completed.as_ref().map(nanos));
        let name = escape::line(&vertex.name);
        if step.name != name {
            step.name = name.into_owned();
            changed = true;
        }
        let error = escape::text(vertex.error.as_bytes());
        if step.cached != vertex.cached || step.error != error {
            step.cached = vertex.cached;
            step.error = error;
            changed = true;
        }
        if !was_started {
            self.order.push(id);
        }
        if changed {
            changes.push(Change::Step(id));
        }
    }

    fn member(
        &mut self,
        vertex: &control::Vertex,
        known: Option<StepId>,
        groups: &mut Vec<(StepId, bool)>,
    ) {
        let id = match (known, &vertex.progress_group) {
            (Some(id), _) => id,
            (None, Some(group)) => self.group(group),
            (None, None) => return,
        };
        self.by_digest.insert(vertex.digest.clone(), id);
        let Some(step) = self.steps.get_mut(id) else {
            return;
        };
        let member = Member {
            digest: vertex.digest.clone(),
            started: vertex.started.is_some(),
            cached: vertex.cached,
            weak: vertex.progress_group.as_ref().is_some_and(|g| g.weak),
            error: vertex.error.clone(),
        };
        match step.members.iter_mut().find(|m| m.digest == vertex.digest) {
            Some(known) => *known = member,
            None => {
                step.members.push(member);
                for input in &vertex.inputs {
                    if step.inputs.len() < MAX_INPUTS && !step.inputs.contains(input) {
                        step.inputs.push(input.clone());
                    }
                }
            }
        }
        let changed = match &vertex.started {
            Some(started) => step.activity(nanos(started), vertex.completed.as_ref().map(nanos)),
            None => false,
        };
        match groups.iter_mut().find(|(known, _)| *known == id) {
            Some((_, before)) => *before |= changed,
            None => groups.push((id, changed)),
        }
    }

    fn group(&mut self, group: &crate::proto::pb::ProgressGroup) -> StepId {
        if let Some(id) = self.by_digest.get(&group.id) {
            return *id;
        }
        let id = self.steps.len();
        let mut step = Step::new(group.id.clone(), &group.name, self.colours);
        step.hidden = true;
        self.steps.push(step);
        self.by_digest.insert(group.id.clone(), id);
        id
    }

    /// Derives the state of a group from its members.
    fn refresh(&mut self, id: StepId, mut changed: bool, changes: &mut Vec<Change>) {
        let Some(step) = self.steps.get_mut(id) else {
            return;
        };
        let cached = step.members.iter().all(|m| m.cached);
        let error = step.members.iter().find(|m| !m.error.is_empty());
        let error = error.map_or(String::new(), |m| escape::text(m.error.as_bytes()));
        changed |= step.cached != cached || step.error != error;
        step.cached = cached;
        let counts = !error.is_empty() || step.members.iter().any(|m| m.started && !m.weak);
        step.error = error;
        if step.hidden && counts && step.started() {
            step.hidden = false;
            changed = true;
            self.order.push(id);
        }
        if changed && !step.hidden {
            changes.push(Change::Step(id));
        }
    }

    fn status(&mut self, status: &control::VertexStatus, changes: &mut Vec<Change>) {
        let Some(id) = self.by_digest.get(&status.vertex).copied() else {
            return;
        };
        let Some(step) = self.steps.get_mut(id) else {
            return;
        };
        let known = step.status_index.get(&status.id).copied();
        // A status is shown from its start on.
        if known.is_none() && (status.started.is_none() || step.statuses.len() >= MAX_ITEMS) {
            return;
        }
        let new = Status {
            id: escape::line(&status.id).into_owned(),
            current: status.current,
            total: status.total,
            timestamp: status.timestamp.as_ref().map_or(0, nanos),
            started: status.started.as_ref().map(nanos),
            completed: status.completed.as_ref().map(nanos),
        };
        let index = known.unwrap_or(step.statuses.len());
        match step.statuses.get_mut(index) {
            Some(old) => *old = new,
            None => {
                step.statuses.push(new);
                step.status_index.insert(status.id.clone(), index);
            }
        }
        changes.push(Change::Status(id, index));
    }

    fn warning(&mut self, warning: &control::VertexWarning, changes: &mut Vec<Change>) {
        let Some(id) = self.by_digest.get(&warning.vertex).copied() else {
            return;
        };
        let Some(step) = self.steps.get_mut(id) else {
            return;
        };
        let one_line = |bytes: &[u8]| escape::line(&String::from_utf8_lossy(bytes)).into_owned();
        let line = |p: &Option<crate::proto::pb::Position>| {
            p.as_ref().map_or(0, |p| u32::try_from(p.line).unwrap_or(0))
        };
        let new = Warning {
            short: one_line(&warning.short),
            detail: warning.detail.iter().map(|d| escape::text(d)).collect(),
            url: escape::line(&warning.url).into_owned(),
            source: warning.info.as_ref().map(|info| Source {
                filename: info.filename.clone(),
                data: info.data.clone(),
                ranges: warning
                    .ranges
                    .iter()
                    .map(|r| LineRange {
                        start: line(&r.start),
                        end: line(&r.end),
                    })
                    .collect(),
            }),
        };
        // The engine repeats warnings when it cuts its messages.
        if step.warnings.len() >= MAX_ITEMS || step.warnings.contains(&new) {
            return;
        }
        step.warnings.push(new);
        changes.push(Change::Warning(id, step.warnings.len() - 1));
    }

    fn log(&mut self, log: &control::VertexLog, changes: &mut Vec<Change>) {
        let Some(id) = self.by_digest.get(&log.vertex).copied() else {
            return;
        };
        let Some(step) = self.steps.get_mut(id) else {
            return;
        };
        let time = log.timestamp.as_ref().map_or(0, nanos);
        let started = step.latest().map_or(time, |i| i.start);
        if step.streams.len() < 8 || step.streams.contains_key(&log.stream) {
            let stream = step.streams.entry(log.stream).or_default();
            stream.push(started, time, &log.msg);
        }
        let pieces = step.log.push(time.saturating_sub(started).max(0), &log.msg);
        changes.extend(pieces.into_iter().map(|p| Change::Log(id, p)));
    }

    /// Closes the logs of steps that are complete with this message.
    fn settle(&mut self, message: &control::StatusResponse, changes: &mut Vec<Change>) {
        let vertexes = message.vertexes.iter().map(|v| &v.digest);
        for digest in vertexes.chain(message.logs.iter().map(|l| &l.vertex)) {
            let Some(id) = self.by_digest.get(digest).copied() else {
                continue;
            };
            let Some(step) = self.steps.get_mut(id) else {
                continue;
            };
            if !step.completed() {
                continue;
            }
            let pieces = step.log.settle();
            changes.extend(pieces.into_iter().map(|p| Change::Log(id, p)));
            let failed = !step.error.is_empty();
            let mut streams: Vec<_> = step.streams.drain().collect();
            streams.sort_by_key(|(number, _)| *number);
            for (_, stream) in streams {
                let Some(missing) = stream.finish(failed) else {
                    continue;
                };
                let latest = step
                    .latest()
                    .map_or(0, |i| i.stop.unwrap_or(i.start) - i.start);
                let text = missing.sentence();
                step.missing.push(text.clone());
                changes.push(Change::Log(
                    id,
                    Piece {
                        begins: Some(latest),
                        text,
                        ends: true,
                    },
                ));
            }
            if !failed {
                step.log.forget();
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
