//! The steps of the build.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::action::Action;
use super::super::layout::Pane;
use super::super::session::{Build, View};
use super::super::theme::{Mark, Role};
use super::text::{fill, put, put_right};
use super::{Look, Then};
use crate::progress::time::seconds;
use crate::progress::trace::Step;

/// The place in the steps.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Digest of the selected step.
    selected: Option<String>,
    /// Indexes of the steps as they are shown.
    order: Vec<usize>,
}

impl State {
    /// Takes in what is new of the build.
    pub fn refresh(&mut self, build: &Build) {
        self.order = (0..build.trace.steps.len())
            .filter(|index| {
                build
                    .trace
                    .steps
                    .get(*index)
                    .is_some_and(|step| !step.hidden)
            })
            .collect();
    }

    /// Rows that the steps take.
    pub fn rows(&self) -> usize {
        self.order.len()
    }

    /// The selected step, by its index.
    pub fn selected(&self, build: &Build) -> Option<usize> {
        let selected = self
            .selected
            .as_ref()
            .and_then(|digest| build.trace.index(digest));
        selected.or_else(|| self.order.last().copied())
    }

    /// Selects a step.
    pub fn select(&mut self, build: &Build, step: usize) {
        self.selected = build.trace.steps.get(step).map(|step| step.digest.clone());
    }

    /// Selects the next or previous step with an error or a warning.
    pub fn step_error(&mut self, build: &Build, forward: bool) -> Option<usize> {
        let odd = |index: &usize| {
            build
                .trace
                .steps
                .get(*index)
                .is_some_and(|step| step.failed() || !step.warnings.is_empty())
        };
        let found: Vec<usize> = self.order.iter().copied().filter(odd).collect();
        let at = self.selected(build);
        let at = self
            .order
            .iter()
            .position(|index| Some(*index) == at)
            .unwrap_or(0);
        let place = |index: &usize| {
            self.order
                .iter()
                .position(|other| other == index)
                .unwrap_or(0)
        };
        let next = if forward {
            found
                .iter()
                .find(|index| place(index) > at)
                .or(found.first())
        } else {
            found
                .iter()
                .rev()
                .find(|index| place(index) < at)
                .or(found.last())
        };
        let next = next.copied()?;
        self.select(build, next);
        Some(next)
    }
}

/// Glyph of a step's state.
pub fn mark(step: &Step, ended: bool) -> Mark {
    if step.canceled() {
        Mark::Canceled
    } else if step.failed() {
        Mark::Failed
    } else if step.cached {
        Mark::Cached
    } else if step.running() && !ended {
        Mark::Running
    } else if step.completed() {
        Mark::Ok
    } else {
        Mark::Waiting
    }
}

/// Moves, or opens the log.
pub fn act(view: &mut View, action: Action, rows: u16) -> Then {
    let order = &view.progress.order;
    let at = view.progress.selected(&view.build);
    let at = order
        .iter()
        .position(|index| Some(*index) == at)
        .unwrap_or(0);
    let last = order.len().saturating_sub(1);
    let page = usize::from(rows.max(1));
    let to = match action {
        Action::Down => at + 1,
        Action::Up => at.saturating_sub(1),
        Action::PageDown => at + page,
        Action::PageUp => at.saturating_sub(page),
        Action::HalfDown => at + page / 2,
        Action::HalfUp => at.saturating_sub(page / 2),
        Action::Top => 0,
        Action::Bottom => last,
        Action::Open => return Then::Focus(Pane::Log),
        _ => return Then::Ignored,
    };
    if let Some(step) = order.get(to.min(last)).copied() {
        view.progress.select(&view.build, step);
        view.log.show_step(&view.build, step);
        view.dockerfile.show_step(&view.build, step);
    }
    Then::Done
}

/// Draws the steps.
pub fn draw(view: &View, area: Rect, buf: &mut Buffer, look: &Look) {
    let build = &view.build;
    let theme = look.theme;
    let selected = view.progress.selected(build);
    let order = &view.progress.order;
    let at = order
        .iter()
        .position(|index| Some(*index) == selected)
        .unwrap_or(0);
    let rows = usize::from(area.height);
    let first = (at + 1).saturating_sub(rows);
    let ended = build.outcome.is_some();
    for (index, y) in order.iter().skip(first).zip(area.top()..area.bottom()) {
        let Some(step) = build.trace.steps.get(*index) else {
            continue;
        };
        let here = Some(*index) == selected;
        let mark = mark(step, ended);
        let role = match (here, look.focused) {
            (true, true) => Role::Selected,
            (true, false) => Role::Marked,
            _ => Role::Text,
        };
        if here && look.focused {
            fill(buf, area, y, theme.style(role));
        }
        let glyph = if here && look.focused {
            theme.style(role)
        } else {
            theme.style(mark.role())
        };
        let x = put(buf, area, area.x, y, theme.glyph(mark), glyph);
        let now = build.trace.clock(step, look.now.saturating_mul(1_000_000));
        let word = match mark {
            Mark::Cached => "CACHED".to_owned(),
            Mark::Waiting => {
                if ended {
                    "not run".to_owned()
                } else {
                    String::new()
                }
            }
            Mark::Failed => format!("ERROR {:.1}s", seconds(step.duration(now))),
            Mark::Canceled => format!("canceled {:.1}s", seconds(step.duration(now))),
            _ => format!("{:.1}s", seconds(step.duration(now))),
        };
        let inside = Rect {
            width: area
                .width
                .saturating_sub(u16::try_from(word.len() + 1).unwrap_or(0)),
            ..area
        };
        let x = put(buf, inside, x + 1, y, &step.name, theme.style(role));
        put_right(buf, area, x, y, &word, glyph);
    }
}

/// The title: left and right part.
pub fn title(_view: &View, _look: &Look) -> (String, String) {
    ("steps".to_owned(), String::new())
}
