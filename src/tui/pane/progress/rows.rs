//! Steps → rows: what prepares the build is folded into one, running steps have rows for their parts.

use super::super::super::session::Build;
use super::super::super::theme::Mark;
use super::mark;
use super::order::Order;
use crate::progress::time::Nanos;
use crate::progress::trace::{Step, StepId};

/// Parts of a running step, such as layers that come, that have a row: the ones that began last.
const PARTS: usize = 3;

/// A row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// A step.
    Step(StepId),
    /// Steps that prepare the build: one for all, and how many there are besides it.
    Folded(StepId, usize),
    /// A part of the running step above it, by its index in [`Step::statuses`].
    Part(StepId, usize),
}

impl Row {
    /// The step that it shows, if it shows one.
    pub fn step(self) -> Option<StepId> {
        match self {
            Self::Step(step) | Self::Folded(step, _) => Some(step),
            Self::Part(..) => None,
        }
    }
}

/// How many steps there are of each kind; steps that are hidden do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All.
    pub all: usize,
    /// Those that went well; neither what failed nor what was canceled is done.
    pub done: usize,
    /// Those that the engine had.
    pub cached: usize,
    /// Those that failed.
    pub errors: usize,
    /// Warnings of all steps.
    pub warnings: usize,
}

/// What is derived from the steps of a build.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// From top to bottom.
    pub rows: Vec<Row>,
    /// Where the rows of steps are among them, ascending.
    pub steps: Vec<usize>,
    /// How many steps there are.
    pub counts: Counts,
    /// Time that the folded steps took, once all are complete.
    pub folded: Option<Nanos>,
    /// Platforms that steps are for, in order of first sight, and how they are; empty unless names tell any.
    pub platforms: Vec<(String, Mark)>,
    order: Order,
    /// What `order` was made of.
    made_of: Option<[usize; 4]>,
}

impl Rows {
    /// Derives everything again; the order only if there are other steps, names or places.
    pub fn refresh(&mut self, build: &Build, unfolded: bool) {
        let steps = &build.trace.steps;
        // Which ones, not only how many: one may be hidden in the place of another.
        let visible = steps.iter().enumerate().filter(|(_, step)| !step.hidden);
        let visible = visible.map(|(id, _)| id + 1).sum();
        let names = steps.iter().map(|step| step.name.len()).sum();
        let made_of = [steps.len(), visible, names, build.places.len()];
        if self.made_of != Some(made_of) {
            self.order = Order::of(build);
            self.made_of = Some(made_of);
        }
        let ended = build.outcome.is_some();
        self.counts = count(steps);
        self.folded = folded(steps, self.internal());
        self.judge(steps, ended);
        self.rows.clear();
        self.steps.clear();
        let fold = !unfolded && self.order.internal > 1;
        let first = if fold { self.order.internal } else { 0 };
        if fold && let Some(step) = self.stand_in(steps, ended) {
            self.push(Row::Folded(step, self.order.internal - 1), steps, ended);
        }
        for at in first..self.order.steps.len() {
            if let Some(step) = self.order.steps.get(at).copied() {
                self.push(Row::Step(step), steps, ended);
            }
        }
    }

    /// The steps that prepare the build.
    pub fn internal(&self) -> &[StepId] {
        self.order
            .steps
            .get(..self.order.internal)
            .unwrap_or_default()
    }

    /// How many of the steps that have a row prepare the build.
    pub fn preparing(&self) -> usize {
        match self.rows.first() {
            Some(Row::Folded(..)) => 1,
            _ => self.order.internal,
        }
    }

    /// The row of a step; of a folded one the row that stands for it.
    pub fn place(&self, step: StepId) -> Option<usize> {
        let place = |wanted: StepId| self.rows.iter().position(|row| row.step() == Some(wanted));
        place(step).or_else(|| {
            let folded = matches!(self.rows.first(), Some(Row::Folded(..)));
            (folded && self.internal().contains(&step)).then_some(0)
        })
    }

    fn push(&mut self, row: Row, steps: &[Step], ended: bool) {
        self.steps.push(self.rows.len());
        self.rows.push(row);
        let Some((id, step)) = row.step().and_then(|id| Some((id, steps.get(id)?))) else {
            return;
        };
        if ended || !step.running() {
            return;
        }
        let open = step.statuses.iter().enumerate().rev();
        let open = open.filter(|(_, part)| part.completed.is_none());
        let mut parts: Vec<usize> = open.map(|(part, _)| part).take(PARTS).collect();
        parts.reverse();
        let parts = parts.into_iter().map(|part| Row::Part(id, part));
        self.rows.extend(parts);
    }

    /// Which of the folded steps is shown: the one that failed, or the one that runs, or the first.
    fn stand_in(&self, steps: &[Step], ended: bool) -> Option<StepId> {
        let ids = self.internal();
        let of = |wanted: Mark| {
            ids.iter().rev().copied().find(|id| {
                steps
                    .get(*id)
                    .is_some_and(|step| mark(step, ended) == wanted)
            })
        };
        of(Mark::Failed)
            .or_else(|| of(Mark::Running))
            .or_else(|| ids.first().copied())
    }

    /// How each platform is: as bad as the worst of its steps.
    fn judge(&mut self, steps: &[Step], ended: bool) {
        let rank = |mark: Mark| match mark {
            Mark::Failed => 5,
            Mark::Running => 4,
            Mark::Canceled => 3,
            Mark::Waiting => 2,
            _ => 1,
        };
        let mut worst = vec![Mark::Ok; self.order.platforms.len()];
        for (id, platform) in self.order.steps.iter().zip(&self.order.platform) {
            let (Some(step), Some(platform)) = (steps.get(*id), platform) else {
                continue;
            };
            if let Some(worst) = worst.get_mut(*platform) {
                let mark = mark(step, ended);
                if rank(mark) > rank(*worst) {
                    *worst = mark;
                }
            }
        }
        let names = self.order.platforms.iter().cloned();
        self.platforms = names.zip(worst).collect();
    }
}

fn count(steps: &[Step]) -> Counts {
    let mut counts = Counts::default();
    for step in steps.iter().filter(|step| !step.hidden) {
        counts.all += 1;
        counts.done += usize::from(step.succeeded());
        counts.cached += usize::from(step.cached);
        counts.errors += usize::from(step.failed());
        counts.warnings += step.warnings.len();
    }
    counts
}

/// Time in which at least one of these was active; `None` while one is or has yet to be.
fn folded(steps: &[Step], ids: &[StepId]) -> Option<Nanos> {
    let steps = || ids.iter().filter_map(|id| steps.get(*id));
    if !steps().all(Step::completed) {
        return None;
    }
    let periods: Vec<_> = steps().flat_map(Step::periods).copied().collect();
    let periods = crate::progress::time::merge(&periods);
    let spans = periods.iter().map(|period| {
        period
            .stop
            .unwrap_or(period.start)
            .saturating_sub(period.start)
    });
    Some(spans.fold(0, Nanos::saturating_add))
}
