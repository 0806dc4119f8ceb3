//! Merging the engine's messages into a trace: vertices, groups, statuses, warnings and logs.

use super::{Change, Member, Status, Step, StepId, Trace, Warning};
use crate::engine::errors::{LineRange, Source};
use crate::progress::log::Piece;
use crate::progress::time::{Nanos, nanos};
use crate::proto::control;
use crate::term::escape;

/// Statuses and warnings kept of one step, each; an engine that sends more is not honest.
const MAX_ITEMS: usize = 5000;

/// Inputs kept of the members of one group together.
const MAX_INPUTS: usize = 256;

impl Trace {
    pub(super) fn merge(
        &mut self,
        message: &control::StatusResponse,
        now: Nanos,
        local: bool,
    ) -> Vec<Change> {
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
                    .map_or(0, |i| i.stop.unwrap_or(i.start).saturating_sub(i.start));
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
