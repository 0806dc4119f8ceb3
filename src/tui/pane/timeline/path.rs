//! The critical path: the chain of steps that the build could not have been faster than.

use super::super::super::session::Build;
use crate::progress::name::{Belongs, belongs};
use crate::progress::time::Nanos;
use crate::progress::trace::{Step, StepId};

/// A step waits for these, by their indexes; made once for as long as the steps are the same.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    of: Vec<Vec<StepId>>,
    /// Whether a step is of no stage and waits for nothing that is known, such as an export.
    apart: Vec<bool>,
    /// Steps, and inputs of all of them.
    made_of: (usize, usize),
}

impl Inputs {
    /// Each of so many steps waits for the one before it.
    #[cfg(test)]
    pub fn chain(steps: usize) -> Self {
        Self {
            of: (0..steps)
                .map(|id| id.checked_sub(1).into_iter().collect())
                .collect(),
            apart: vec![false; steps],
            made_of: (steps, steps),
        }
    }

    /// Resolves the inputs again if there are others.
    pub fn refresh(&mut self, build: &Build) {
        let steps = &build.trace.steps;
        let made_of = (
            steps.len(),
            steps.iter().map(|step| step.inputs.len()).sum(),
        );
        if self.made_of == made_of {
            return;
        }
        self.made_of = made_of;
        let of = |(id, step): (StepId, &Step)| {
            let inputs = step.inputs.iter();
            let inputs = inputs.filter_map(|digest| build.trace.index(digest));
            inputs.filter(|input| *input != id).collect()
        };
        self.of = steps.iter().enumerate().map(of).collect();
        let apart = |step: &Step| step.inputs.is_empty() && belongs(&step.name) == Belongs::Other;
        self.apart = steps.iter().map(apart).collect();
    }
}

/// The longest chain, first step first: of the steps that the step which failed or ended last waited for, and of what
/// came behind it, such as an export. `now` is on the clock of the steps' times.
pub fn critical(build: &Build, inputs: &Inputs, now: Nanos) -> Vec<StepId> {
    let steps = &build.trace.steps;
    let end = |id: &StepId| steps.get(*id).and_then(|step| end_of(step, now));
    let exported = |id: &StepId| inputs.apart.get(*id).copied().unwrap_or(false);
    let ran = || (0..steps.len()).filter(|id| end(id).is_some());
    // What others were stopped by is what the build waited for.
    let failed = build.failed_step().filter(|id| end(id).is_some());
    let ends: Vec<StepId> = match failed {
        Some(failed) => vec![failed],
        None => {
            let last = ran()
                .filter(|id| !exported(id))
                .filter_map(|id| end(&id))
                .max();
            ran()
                .filter(|id| !exported(id) && end(id) == last)
                .collect()
        }
    };
    let mut path = chain(steps, inputs, now, &ends);
    let after = path.last().and_then(end);
    let begun = |id: &StepId| Some(steps.get(*id)?.periods().first()?.start);
    let mut behind: Vec<StepId> = ran()
        .filter(|id| exported(id) && begun(id) >= after)
        .collect();
    behind.sort_by_key(begun);
    path.extend(behind);
    path
}

fn end_of(step: &Step, now: Nanos) -> Option<Nanos> {
    Some(step.latest()?.stop.unwrap_or(now))
}

/// The longest chain that ends with one of `ends`. What waits for itself, as only a broken engine says, ends the chain.
fn chain(steps: &[Step], inputs: &Inputs, now: Nanos, ends: &[StepId]) -> Vec<StepId> {
    #[derive(Clone, Copy)]
    enum Seen {
        Never,
        Open,
        Done(Nanos, Option<StepId>),
    }
    let mut seen = vec![Seen::Never; steps.len()];
    let mut stack = ends.to_vec();
    while let Some(id) = stack.last().copied() {
        let of = inputs.of.get(id).map_or(&[][..], Vec::as_slice);
        match seen.get(id) {
            Some(Seen::Never) => {
                if let Some(state) = seen.get_mut(id) {
                    *state = Seen::Open;
                }
                let never = |input: &&StepId| matches!(seen.get(**input), Some(Seen::Never));
                stack.extend(of.iter().filter(never));
            }
            Some(Seen::Open) => {
                let done = |input: &StepId| match seen.get(*input) {
                    Some(Seen::Done(span, _)) => Some((*span, *input)),
                    _ => None,
                };
                let best = of.iter().filter_map(done).max();
                let own = steps.get(id).map_or(0, |step| step.duration(now));
                let before = best.map_or(0, |(span, _)| span);
                let state = Seen::Done(own.saturating_add(before), best.map(|(_, input)| input));
                if let Some(known) = seen.get_mut(id) {
                    *known = state;
                }
                stack.pop();
            }
            Some(Seen::Done(..)) | None => {
                stack.pop();
            }
        }
    }
    let span = |id: &StepId| match seen.get(*id) {
        Some(Seen::Done(span, _)) => *span,
        _ => 0,
    };
    let mut path = Vec::new();
    let mut at = ends.iter().copied().max_by_key(span);
    while let Some(id) = at.filter(|_| path.len() < steps.len()) {
        path.push(id);
        at = match seen.get(id) {
            Some(Seen::Done(_, before)) => *before,
            _ => None,
        };
    }
    path.reverse();
    path
}
