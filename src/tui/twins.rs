//! Steps of other builds in the trace of this one.
//!
//! When a step is the same as one that the engine has in memory (of a build whose state is kept, or of one that runs at
//! the same time), it does the work once, and tells of both vertices to both builds. The other one has another digest,
//! and what it waits for is not part of this build. One row for both is enough: that of this build, unless only the other
//! one tells that something happens.

use std::collections::HashMap;

use crate::progress::trace::{Step, StepId, Trace};

/// The steps of other builds that have a twin in this one.
#[derive(Debug, Default)]
pub struct Twins {
    /// Steps that were looked at.
    seen: usize,
    /// The step of this build, and that of another one.
    pairs: Vec<(StepId, StepId)>,
}

impl Twins {
    /// Hides one of each two twins.
    pub fn hide(&mut self, trace: &mut Trace) {
        if self.seen != trace.steps.len() {
            self.seen = trace.steps.len();
            // None of them is hidden for another reason.
            for (own, other) in std::mem::take(&mut self.pairs) {
                show(trace, own, other);
            }
            self.pairs = pairs(trace);
        }
        for (own, other) in &self.pairs {
            let state = |id: &StepId| trace.steps.get(*id);
            let (Some(one), Some(two)) = (state(own), state(other)) else {
                continue;
            };
            let waits = !one.started() && !one.cached;
            match waits && (two.started() || two.cached) {
                true => set(trace, *own, *other),
                false => set(trace, *other, *own),
            }
        }
    }
}

fn show(trace: &mut Trace, one: StepId, other: StepId) {
    for id in [one, other] {
        if let Some(step) = trace.steps.get_mut(id) {
            step.hidden = false;
        }
    }
}

fn set(trace: &mut Trace, hidden: StepId, shown: StepId) {
    show(trace, hidden, shown);
    if let Some(step) = trace.steps.get_mut(hidden) {
        step.hidden = true;
    }
}

fn pairs(trace: &Trace) -> Vec<(StepId, StepId)> {
    let others = others(trace);
    if !others.contains(&true) {
        return Vec::new();
    }
    let is_other = |id: StepId| others.get(id).copied().unwrap_or_default();
    let visible = || {
        trace
            .steps
            .iter()
            .enumerate()
            .filter(|(_, step)| !step.hidden)
    };
    // The number of a step changes with the Dockerfile; what it does is behind it.
    let mut names: HashMap<&str, StepId> = HashMap::new();
    for (id, step) in visible().filter(|(id, _)| !is_other(*id)) {
        names.entry(&step.name).or_insert(id);
        names.entry(text(step)).or_insert(id);
    }
    let twin = |step: &Step| {
        names
            .get(step.name.as_str())
            .or(names.get(text(step)))
            .copied()
    };
    visible()
        .filter(|(id, _)| is_other(*id))
        .filter_map(|(id, step)| Some((twin(step)?, id)))
        .collect()
}

/// Which steps wait for something that is not part of the build: the engine announces a build with all that it waits for.
fn others(trace: &Trace) -> Vec<bool> {
    let mut others = vec![false; trace.steps.len()];
    let mut waiting: HashMap<StepId, Vec<StepId>> = HashMap::new();
    let mut found: Vec<StepId> = Vec::new();
    for (id, step) in trace.steps.iter().enumerate() {
        for input in &step.inputs {
            match trace.index(input) {
                Some(input) => waiting.entry(input).or_default().push(id),
                None => found.push(id),
            }
        }
    }
    while let Some(id) = found.pop() {
        if let Some(other) = others.get_mut(id).filter(|other| !**other) {
            *other = true;
            found.extend(waiting.get(&id).into_iter().flatten());
        }
    }
    others
}

/// What a step does, without its place.
fn text(step: &Step) -> &str {
    match step
        .name
        .strip_prefix('[')
        .and_then(|name| name.split_once("] "))
    {
        Some((_, text)) => text,
        None => &step.name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::time::{SECOND, stamp};
    use crate::proto::control::{StatusResponse, Vertex};

    fn vertex(digest: &str, name: &str, inputs: &[&str]) -> Vertex {
        Vertex {
            digest: digest.to_owned(),
            name: name.to_owned(),
            inputs: inputs.iter().map(|&input| input.to_owned()).collect(),
            ..Vertex::default()
        }
    }

    fn runs(mut vertex: Vertex, until: Option<i64>) -> Vertex {
        let at = |seconds| stamp(seconds * SECOND);
        vertex.started = Some(at(1));
        vertex.completed = until.map(at);
        vertex
    }

    fn tell(trace: &mut Trace, twins: &mut Twins, vertexes: Vec<Vertex>) -> Vec<String> {
        let message = StatusResponse {
            vertexes,
            ..StatusResponse::default()
        };
        trace.apply(&message, 0);
        twins.hide(trace);
        let visible = trace.steps.iter().filter(|step| !step.hidden);
        visible.map(|step| step.digest.clone()).collect()
    }

    fn announced() -> Vec<Vertex> {
        vec![
            vertex("c", "[3/3] RUN c", &["b"]),
            vertex("b", "[2/3] RUN b", &["a"]),
            vertex("a", "[1/3] RUN a", &[]),
        ]
    }

    #[test]
    fn the_steps_of_another_build_are_not_shown_beside_those_of_this_one() {
        let (mut trace, mut twins) = (Trace::default(), Twins::default());
        assert_eq!(tell(&mut trace, &mut twins, announced()), ["c", "b", "a"]);
        let own = runs(vertex("b", "[2/3] RUN b", &["a"]), Some(2));
        let other = runs(vertex("B", "[2/2] RUN b", &["A"]), Some(2));
        let told = vec![own, other];
        assert_eq!(tell(&mut trace, &mut twins, told), ["c", "b", "a"]);
        // What waits for such a step is not of this build, either.
        let next = vertex("C", "[3/3] RUN c", &["B"]);
        assert_eq!(tell(&mut trace, &mut twins, vec![next]), ["c", "b", "a"]);
        // One that is like none of this build is shown.
        let unknown = runs(vertex("X", "[9/9] RUN x", &["W"]), Some(2));
        assert_eq!(
            tell(&mut trace, &mut twins, vec![unknown]),
            ["c", "b", "a", "X"]
        );
    }

    #[test]
    fn the_one_that_runs_is_shown_until_this_builds_own_says_something() {
        let (mut trace, mut twins) = (Trace::default(), Twins::default());
        tell(&mut trace, &mut twins, announced());
        let other = vertex("B", "[2/3] RUN b", &["A"]);
        let running = runs(other.clone(), None);
        assert_eq!(tell(&mut trace, &mut twins, vec![running]), ["c", "a", "B"]);
        // As it stays when the build ends before its own is told.
        let canceled = runs(other.clone(), Some(2));
        assert_eq!(
            tell(&mut trace, &mut twins, vec![canceled]),
            ["c", "a", "B"]
        );
        let own = runs(vertex("b", "[2/3] RUN b", &["a"]), Some(3));
        let done = runs(other, Some(3));
        assert_eq!(
            tell(&mut trace, &mut twins, vec![done, own]),
            ["c", "b", "a"]
        );
    }

    #[test]
    fn a_build_of_its_own_hides_nothing() {
        let (mut trace, mut twins) = (Trace::default(), Twins::default());
        let mut twice = announced();
        twice.push(vertex("a2", "[1/3] RUN a", &[]));
        assert_eq!(tell(&mut trace, &mut twins, twice), ["c", "b", "a", "a2"]);
    }
}
