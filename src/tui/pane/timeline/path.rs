//! The critical path: the chain of steps that the build could not have been faster than.

use super::super::super::session::Build;
use super::super::progress::name::{Belongs, belongs};
use crate::progress::time::Nanos;
use crate::progress::trace::{Step, StepId};

/// A step waits for these, by their indexes; made once for as long as the steps are the same.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    of: Vec<Vec<StepId>>,
    /// Steps, and inputs of all of them.
    made_of: (usize, usize),
}

impl Inputs {
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
    }
}

/// The longest chain, first step first: of the steps that the step which ended last waited for, and of what came behind
/// it, such as an export. `now` is on the clock of the steps' times.
pub fn critical(build: &Build, inputs: &Inputs, now: Nanos) -> Vec<StepId> {
    let steps = &build.trace.steps;
    let end = |id: &StepId| steps.get(*id).and_then(|step| end_of(step, now));
    let exported = |id: &StepId| {
        let own = |step: &Step| step.inputs.is_empty() && belongs(&step.name) == Belongs::Other;
        steps.get(*id).is_some_and(own)
    };
    let ran = (0..steps.len()).filter(|id| end(id).is_some());
    let last = ran
        .clone()
        .filter(|id| !exported(id))
        .max_by_key(|id| (end(id), *id));
    let mut path = last.map_or_else(Vec::new, |last| chain(steps, inputs, now, last));
    let after = last.as_ref().and_then(end);
    let begun = |id: &StepId| Some(steps.get(*id)?.periods().first()?.start);
    // The clocks of the engine and of this machine differ a little.
    let mut behind: Vec<StepId> = ran
        .filter(|id| exported(id) && begun(id) >= after)
        .collect();
    behind.sort_by_key(begun);
    path.extend(behind);
    path
}

fn end_of(step: &Step, now: Nanos) -> Option<Nanos> {
    Some(step.latest()?.stop.unwrap_or(now))
}

/// The longest chain that ends with `last`. What waits for itself, as only a broken engine says, ends the chain.
fn chain(steps: &[Step], inputs: &Inputs, now: Nanos, last: StepId) -> Vec<StepId> {
    #[derive(Clone, Copy)]
    enum Seen {
        Never,
        Open,
        Done(Nanos, Option<StepId>),
    }
    let mut seen = vec![Seen::Never; steps.len()];
    let mut stack = vec![last];
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
    let mut path = Vec::new();
    let mut at = Some(last);
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
