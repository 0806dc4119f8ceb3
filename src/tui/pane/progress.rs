//! The steps of the build: in the Dockerfile's order, what runs and what failed in sight.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::action::Action;
use super::super::layout::Pane;
use super::super::session::{Build, View};
use super::super::theme::{Mark, Theme};
use super::text::put;
use super::{Look, Then, scroll};
use crate::progress::time::Nanos;
use crate::progress::trace::Step;
use crate::proto::controller::SessionState;

mod empty;
pub mod line;
mod order;
pub mod rows;

pub use rows::Counts;
use rows::{Row, Rows};

/// Cells of the bar in the title.
const BAR: usize = 12;

/// The place in the steps.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Digest and name of the step that a person has selected; `None`: the selection follows the build.
    selected: Option<(String, String)>,
    /// Steps that prepare the build have a row each.
    unfolded: bool,
    /// Row of the selected step.
    at: usize,
    /// The first row in sight when a key was pressed last.
    top: usize,
    rows: Rows,
}

impl State {
    /// Takes in what is new of the build. With `follow` the selection goes to what runs or has failed, unless a person
    /// has selected something.
    pub fn refresh(&mut self, build: &Build, follow: bool) {
        self.find_again(build);
        let before = self.selected(build);
        self.rows.refresh(build, self.unfolded);
        let step = match (&self.selected, follow) {
            (Some(_), _) => before,
            (None, true) => self.interesting(build, before),
            (None, false) => {
                self.selected = before.and_then(|step| identity(build, step));
                before
            }
        };
        self.at = step.and_then(|step| self.rows.place(step)).unwrap_or(0);
    }

    /// Another build begins: the step that is selected stays it, whether or not a person has selected it.
    pub fn hold(&mut self, build: &Build) {
        if self.selected.is_none() {
            let step = self.selected(build);
            self.selected = step.and_then(|step| identity(build, step));
        }
    }

    /// In a build of a changed Dockerfile the selected step may have another digest, or it is shown by its twin; then it is
    /// the one of its name.
    fn find_again(&mut self, build: &Build) {
        let Some((digest, name)) = &mut self.selected else {
            return;
        };
        let found = build.trace.find(digest).filter(|step| !step.hidden);
        if found.is_none()
            && let Some(step) = build
                .trace
                .steps
                .iter()
                .find(|step| step.name == *name && !step.hidden)
        {
            digest.clone_from(&step.digest);
        }
    }

    /// The step to look at: the one that failed, or one that runs, or the one that was looked at before.
    fn interesting(&self, build: &Build, before: Option<usize>) -> Option<usize> {
        if let Some(failed) = build.failed_step() {
            return Some(failed);
        }
        let steps = &build.trace.steps;
        let runs = |id: &usize| steps.get(*id).is_some_and(Step::running);
        let start = |id: &usize| {
            steps
                .get(*id)
                .and_then(Step::latest)
                .map(|period| period.start)
        };
        let shown = || self.shown().filter_map(Row::step);
        if build.outcome.is_some() {
            let canceled = |id: &usize| steps.get(*id).is_some_and(Step::canceled);
            return shown().filter(canceled).last().or_else(|| shown().last());
        }
        // It does not jump from one that runs to another, but what prepares the build gives way.
        let prepares = self.rows.preparing();
        if self.shown_at() >= prepares && before.is_some_and(|id| runs(&id)) {
            return before;
        }
        let running = shown().enumerate().filter(|(_, id)| runs(id));
        let latest = running.max_by_key(|(at, id)| (*at >= prepares, start(id)));
        latest.map(|(_, id)| id).or(before)
    }

    /// Rows that the steps take.
    pub fn rows(&self) -> usize {
        self.rows.rows.len()
    }

    /// How many steps there are of each kind.
    pub fn counts(&self) -> Counts {
        self.rows.counts
    }

    /// Platforms that steps are for, and how they are; empty unless the build has several.
    pub fn platforms(&self) -> &[(String, Mark)] {
        &self.rows.platforms
    }

    /// The steps that have a row, from top to bottom; of those that are folded into one, one.
    pub fn shown(&self) -> impl Iterator<Item = Row> {
        self.rows
            .rows
            .iter()
            .copied()
            .filter(|row| row.step().is_some())
    }

    /// The selected one among [`State::shown`].
    pub fn shown_at(&self) -> usize {
        let at = self.rows.steps.binary_search(&self.at);
        at.unwrap_or_else(|behind| behind.saturating_sub(1))
    }

    /// The steps that prepare the build.
    pub fn internal(&self) -> &[usize] {
        self.rows.internal()
    }

    /// The selected step, by its index.
    pub fn selected(&self, build: &Build) -> Option<usize> {
        let selected = self
            .selected
            .as_ref()
            .and_then(|(digest, _)| build.trace.index(digest));
        selected.or_else(|| self.rows.rows.get(self.at).and_then(|row| row.step()))
    }

    /// Selects a step; the selection stays there.
    pub fn select(&mut self, build: &Build, step: usize) {
        self.selected = identity(build, step);
        if let Some(at) = self.rows.place(step) {
            self.at = at;
        }
    }

    /// Selects the next or previous step with an error or a warning.
    pub fn step_error(&mut self, build: &Build, forward: bool) -> Option<usize> {
        let steps = &build.trace.steps;
        let odd = |id: &usize| {
            steps
                .get(*id)
                .is_some_and(|step| step.failed() || !step.warnings.is_empty())
        };
        let internal = self.internal().iter().copied();
        let others = self.shown().filter_map(Row::step);
        let others = others.skip(self.rows.preparing());
        let found: Vec<usize> = internal.chain(others).filter(odd).collect();
        let here = self.selected(build);
        let at = found.iter().position(|id| Some(*id) == here);
        let next = match (at, forward) {
            (Some(at), true) => (at + 1) % found.len(),
            (Some(at), false) => at.checked_sub(1).unwrap_or(found.len() - 1),
            (None, _) => {
                // The nearest one in the direction, else from the other end.
                let before = |id: &usize| self.rows.place(*id).is_some_and(|at| at < self.at);
                let behind = found.iter().take_while(|id| before(id)).count();
                match forward {
                    true if behind < found.len() => behind,
                    true => 0,
                    false => behind
                        .checked_sub(1)
                        .unwrap_or(found.len().saturating_sub(1)),
                }
            }
        };
        let next = found.get(next).copied()?;
        self.select(build, next);
        Some(next)
    }

    /// Moves the selection by an action, on a pane of this many rows; whether the action moves.
    fn travel(&mut self, build: &Build, action: Action, height: usize) -> bool {
        let steps = &self.rows.steps;
        let at = self.shown_at();
        let last = steps.len().saturating_sub(1);
        let to = match action {
            Action::Down => at + 1,
            Action::Up => at.saturating_sub(1),
            Action::PageDown => at + height,
            Action::PageUp => at.saturating_sub(height),
            Action::HalfDown => at + height / 2,
            Action::HalfUp => at.saturating_sub(height / 2),
            Action::Top => 0,
            Action::Bottom => last,
            _ => return false,
        };
        let to = steps.get(to.min(last)).copied();
        self.top = self.first(height);
        if let Some(step) = to.and_then(|at| self.rows.rows.get(at)?.step()) {
            self.select(build, step);
        }
        true
    }

    /// The first row in sight of a pane of this many rows.
    fn first(&self, height: usize) -> usize {
        scroll::first(self.top, self.at, self.rows.rows.len(), height)
    }
}

fn identity(build: &Build, step: usize) -> Option<(String, String)> {
    let step = build.trace.steps.get(step)?;
    Some((step.digest.clone(), step.name.clone()))
}

/// Glyph of a step's state; `ended`: nothing more happens in this build.
pub fn mark(step: &Step, ended: bool) -> Mark {
    if step.canceled() {
        Mark::Canceled
    } else if step.failed() {
        Mark::Failed
    } else if step.running() {
        // What nobody heard the end of ended with the build.
        if ended { Mark::Canceled } else { Mark::Running }
    } else if step.cached {
        Mark::Cached
    } else if step.completed() {
        Mark::Ok
    } else {
        Mark::Waiting
    }
}

/// Whether nothing more happens in the build of a view.
pub fn ended(view: &View) -> bool {
    view.build.over(&view.session)
}

/// The time that running steps are measured at, on our clock: now, or the end of the build.
pub fn clock(view: &View, now: i64) -> Nanos {
    view.build.clock(&view.session, now)
}

/// Moves, folds, or opens the log; for this pane and for the others that show steps.
pub fn act(view: &mut View, action: Action, rows: u16) -> Then {
    let height = usize::from(rows.max(1));
    match action {
        Action::Open => {
            show_selected(view);
            return Then::Focus(Pane::Log);
        }
        Action::Fold => {
            view.progress.unfolded = !view.progress.unfolded;
            view.refresh();
            return match view.progress.internal().len() {
                0 | 1 => Then::Say("there are no internal steps to fold".to_owned()),
                _ => Then::Done,
            };
        }
        // Back to what happens by itself.
        Action::Back if view.progress.selected.is_some() && !ended(view) => {
            view.progress.selected = None;
            view.touched = false;
            view.refresh();
        }
        _ if view.progress.travel(&view.build, action, height) => {}
        _ => return Then::Ignored,
    }
    show_selected(view);
    Then::Done
}

/// Selects the step in a row of the pane, from 0 beneath its title; whether there is one.
pub fn click(view: &mut View, rows: u16, row: u16) -> bool {
    let first = view.progress.first(usize::from(rows));
    let row = view
        .progress
        .rows
        .rows
        .get(first + usize::from(row))
        .copied();
    let (Some(Row::Step(step) | Row::Folded(step, _)) | Some(Row::Part(step, _))) = row else {
        return false;
    };
    view.progress.top = first;
    view.progress.select(&view.build, step);
    view.touched = true;
    show_selected(view);
    true
}

/// Lets the other panes show the selected step.
pub(super) fn show_selected(view: &mut View) {
    if let Some(step) = view.progress.selected(&view.build) {
        view.log.show_step(&view.build, step);
        view.dockerfile.show_step(&view.build, step);
    }
}

/// Draws the steps.
pub fn draw(view: &View, area: Rect, buf: &mut Buffer, look: &Look) {
    let state = &view.progress;
    let mut area = area;
    if let Some(trouble) = &view.build.trouble
        && area.height > 1
    {
        area.height -= 1;
        empty::trouble(
            trouble,
            Rect {
                y: area.bottom(),
                height: 1,
                ..area
            },
            buf,
            look,
        );
    }
    if state.rows.rows.is_empty() {
        empty::draw(view, area, buf, look);
        return;
    }
    let first = state.first(usize::from(area.height));
    let rows = state.rows.rows.get(first..).unwrap_or_default();
    for (at, (row, y)) in rows.iter().zip(area.top()..area.bottom()).enumerate() {
        let here = first + at == state.at;
        let place = Rect {
            y,
            height: 1,
            ..area
        };
        match row {
            Row::Step(step) => line::step(view, *step, 0, here, place, buf, look),
            Row::Folded(step, more) => line::step(view, *step, *more, here, place, buf, look),
            Row::Part(step, part) => line::part(view, *step, *part, place, buf, look),
        }
    }
}

/// The title: left and right part.
pub fn title(view: &View, look: &Look) -> (String, String) {
    let counts = view.progress.counts();
    let (done, all) = view.steps();
    if all == 0 {
        return (Pane::Progress.title().to_owned(), String::new());
    }
    let cached = match counts.cached {
        0 => String::new(),
        cached => format!("  {cached} cached"),
    };
    let left = format!("{} {done}/{all}{cached}", Pane::Progress.title());
    let (cells, percent) = match unfinished(view) {
        false => (full(done, all, BAR), done * 100 / all),
        true => (
            full(done, all, BAR).min(BAR - 1),
            (done * 100 / all).min(99),
        ),
    };
    (
        left,
        format!("{} {percent}%", filled(look.theme, cells, BAR)),
    )
}

/// Whether the build ended other than well: it is never shown as complete, though all steps that it got to know were.
fn unfinished(view: &View) -> bool {
    let state = view.session.state();
    matches!(
        state,
        SessionState::Failed | SessionState::Canceled | SessionState::Recoverable
    )
}

/// A bar of this many cells.
pub(super) fn bar(theme: &Theme, done: usize, all: usize, cells: usize) -> String {
    filled(theme, full(done, all, cells), cells)
}

/// How many cells of a bar are full.
fn full(done: usize, all: usize, cells: usize) -> usize {
    (done * cells).checked_div(all).unwrap_or(0).min(cells)
}

fn filled(theme: &Theme, full: usize, cells: usize) -> String {
    theme.bar().repeat(full) + &theme.track().repeat(cells - full)
}

/// Writes at the left of a row, cut to its width.
fn say(line: &str, place: Rect, buf: &mut Buffer, style: ratatui::style::Style, ellipsis: &str) {
    let line = super::text::cut(line, usize::from(place.width), ellipsis);
    put(buf, place, place.x, place.y, &line, style);
}

#[cfg(test)]
mod tests;
