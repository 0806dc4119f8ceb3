//! A bar of time for each step: what ran beside what, and which chain of steps the build waited for.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::action::Action;
use super::super::layout::Pane;
use super::super::session::{Build, View};
use super::super::theme::{Mark, Role};
use super::progress::rows::Row;
use super::progress::{self, clock, ended, mark};
use super::text::{cells, cut, fill, put, put_right};
use super::{Look, Then, scroll, span};
use crate::progress::name;
use crate::progress::time::{Interval, Nanos, merge};
use crate::progress::trace::Step;

mod axis;
mod path;

use axis::Axis;

/// Cells of a step's label: at least, and at most.
const LABEL: (u16, u16) = (10, 36);

/// Cells of a step's time.
const TIME: u16 = 8;

/// A step, or all steps that prepare the build.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Bar {
    row: Row,
    /// It is on the critical path.
    critical: bool,
}

/// The place in it, and what is derived of the build.
#[derive(Clone, Debug, Default)]
pub struct State {
    bars: Vec<Bar>,
    /// Periods of the steps that are folded into one.
    folded: Vec<Interval>,
    inputs: path::Inputs,
    /// When the first step began, engine's clock.
    from: Option<Nanos>,
    /// When the last one ended so far.
    to: Nanos,
    /// A step runs.
    running: bool,
    /// Time of the critical path in steps that have ended.
    critical: Nanos,
    /// Its steps that run.
    open: Vec<usize>,
    /// The first row in sight when a key was pressed last.
    top: usize,
}

impl State {
    /// Takes in what is new of the build; rows and selection are those of the steps.
    pub fn refresh(&mut self, build: &Build, progress: &progress::State) {
        let steps = &build.trace.steps;
        let all = || steps.iter().flat_map(|step| periods(build, step));
        self.running = build.trace.running();
        // What the engine has in memory of another build has the times of that one, long before this one began.
        let own = steps.iter().filter(|step| !step.hidden && !step.cached);
        let own = own.flat_map(|step| periods(build, step));
        let first = own.map(|period| period.start).min();
        self.from = first.or_else(|| all().map(|period| period.start).min());
        self.to = all()
            .map(|period| period.stop.unwrap_or(period.start))
            .max()
            .unwrap_or(0);
        self.inputs.refresh(build);
        // Which chain is the longest so far: running steps count up to what was heard last.
        let path = path::critical(build, &self.inputs, self.to);
        let mut on_path = vec![false; steps.len()];
        self.critical = 0;
        self.open.clear();
        for id in path {
            let (Some(step), Some(on_path)) = (steps.get(id), on_path.get_mut(id)) else {
                continue;
            };
            *on_path = true;
            if step.running() {
                self.open.push(id);
            } else {
                self.critical = self.critical.saturating_add(step.duration(0));
            }
        }
        let is_critical = |id: usize| on_path.get(id).copied().unwrap_or(false);
        let internal = progress.internal();
        let bar = |row: Row| Bar {
            row,
            critical: match row {
                Row::Folded(..) => internal.iter().any(|id| is_critical(*id)),
                Row::Step(id) | Row::Part(id, _) => is_critical(id),
            },
        };
        self.bars = progress.shown().map(bar).collect();
        let folded: Vec<Interval> = internal
            .iter()
            .filter_map(|id| steps.get(*id))
            .flat_map(|step| periods(build, step))
            .collect();
        self.folded = merge(&folded);
    }

    /// Time of the critical path, `now` on the engine's clock.
    fn critical(&self, build: &Build, now: Nanos) -> Nanos {
        let open = self.open.iter().filter_map(|id| build.trace.steps.get(*id));
        open.map(|step| step.duration(now))
            .fold(self.critical, Nanos::saturating_add)
    }

    /// The times at its ends, the right one `now` while something runs.
    fn span(&self, view: &View, now: i64) -> Option<(Nanos, Nanos)> {
        let from = self.from?;
        if !self.running || ended(view) {
            return Some((from, self.to));
        }
        let now = view.build.trace.engine_clock(clock(view, now));
        Some((from, now.max(self.to)))
    }
}

/// The periods of a step on the engine's clock.
fn periods<'a>(build: &'a Build, step: &'a Step) -> impl Iterator<Item = Interval> + 'a {
    let time = |time| match step.local {
        true => build.trace.engine_clock(time),
        false => time,
    };
    step.periods().iter().map(move |period| Interval {
        start: time(period.start),
        stop: period.stop.map(time),
    })
}

/// Moves as in the steps, or opens the log.
pub fn act(view: &mut View, action: Action, rows: u16) -> Then {
    // One row is the axis.
    let rows = rows.saturating_sub(1).max(1);
    let height = usize::from(rows);
    let at = view.progress.shown_at();
    view.timeline.top = scroll::first(view.timeline.top, at, view.timeline.bars.len(), height);
    progress::act(view, action, rows)
}

/// Selects the step in a row of the pane, from 0 beneath its title; whether there is one.
pub fn click(view: &mut View, rows: u16, row: u16) -> bool {
    let height = usize::from(rows.saturating_sub(1).max(1));
    let first = scroll::first(
        view.timeline.top,
        view.progress.shown_at(),
        view.timeline.bars.len(),
        height,
    );
    let bar = row
        .checked_sub(1)
        .and_then(|row| view.timeline.bars.get(first + usize::from(row)));
    let Some(step) = bar.and_then(|bar| bar.row.step()) else {
        return false;
    };
    view.timeline.top = first;
    view.progress.select(&view.build, step);
    view.touched = true;
    progress::show_selected(view);
    true
}

/// Draws the axis and the bars.
pub fn draw(view: &View, area: Rect, buf: &mut Buffer, look: &Look) {
    let theme = look.theme;
    let state = &view.timeline;
    let Some((from, to)) = state.span(view, look.now) else {
        let line = if ended(view) {
            " No step ran."
        } else {
            " Bars grow here as soon as a step runs."
        };
        let line = cut(line, usize::from(area.width), theme.ellipsis());
        put(buf, area, area.x, area.y, &line, theme.style(Role::Dim));
        return;
    };
    let label = (area.width / 4).clamp(LABEL.0, LABEL.1).min(area.width);
    let columns = area.width.saturating_sub(label + TIME + 5);
    let bars = Rect {
        x: (area.x + label + 4).min(area.right()),
        width: columns,
        ..area
    };
    if columns == 0 || area.height == 0 {
        return;
    }
    let axis = Axis::new(from, to, columns);
    let mut free = bars.x;
    for (column, label) in axis.ticks() {
        let x = bars.x + column;
        if x >= free && usize::from(bars.right().saturating_sub(x)) >= cells(&label) {
            free = put(buf, bars, x, area.y, &label, theme.style(Role::Dim)) + 1;
        }
    }
    let place = Rect {
        y: area.y + 1,
        height: area.height - 1,
        ..area
    };
    let at = view.progress.shown_at();
    let height = usize::from(place.height);
    let first = scroll::first(state.top, at, state.bars.len(), height);
    let shown = state.bars.get(first..).unwrap_or_default();
    for (index, (bar, y)) in shown.iter().zip(place.top()..place.bottom()).enumerate() {
        let place = Rect {
            y,
            height: 1,
            ..area
        };
        let row = Line {
            view,
            state,
            axis: &axis,
            now: to,
            label,
            here: first + index == at,
            look,
        };
        row.draw(bar, place, buf);
    }
}

/// What one row is drawn with.
struct Line<'a> {
    view: &'a View,
    state: &'a State,
    axis: &'a Axis,
    now: Nanos,
    label: u16,
    here: bool,
    look: &'a Look<'a>,
}

impl Line<'_> {
    fn draw(&self, bar: &Bar, place: Rect, buf: &mut Buffer) {
        let theme = self.look.theme;
        let Some(step) = bar
            .row
            .step()
            .and_then(|id| self.view.build.trace.steps.get(id))
        else {
            return;
        };
        let mark = mark(step, ended(self.view));
        let whole = self.here && self.look.focused;
        let style = match (self.here, self.look.focused) {
            (true, true) => theme.style(Role::Selected),
            (true, false) => theme.style(Role::Marked),
            _ => theme.style(Role::Text),
        };
        if whole {
            fill(buf, place, place.y, style);
        }
        let looks = |role| if whole { style } else { theme.style(role) };
        let pointer = if self.here { theme.pointer() } else { " " };
        let x = put(buf, place, place.x, place.y, pointer, style);
        let x = put(
            buf,
            place,
            x,
            place.y,
            theme.glyph(mark),
            looks(mark.role()),
        ) + 1;
        let (name, periods) = match bar.row {
            Row::Folded(..) => ("internal".to_owned(), self.state.folded.clone()),
            _ => (
                plain(&step.name, usize::from(self.label), theme.ellipsis()),
                periods(&self.view.build, step).collect(),
            ),
        };
        put(buf, place, x, place.y, &name, style);
        let spans = periods.iter().map(|period| {
            period
                .stop
                .unwrap_or(self.now)
                .saturating_sub(period.start)
                .max(0)
        });
        let time = match (mark, bar.row) {
            (Mark::Cached, _) => "CACHED".to_owned(),
            (Mark::Waiting, _) if ended(self.view) => "not run".to_owned(),
            (Mark::Waiting, _) => String::new(),
            _ => span::exact(spans.fold(0, Nanos::saturating_add)),
        };
        put_right(buf, place, x, place.y, &time, looks(mark.role()));
        let left = place.x + self.label + 4;
        let cell = match (mark, bar.critical) {
            (Mark::Cached, _) => theme.hatch(),
            (_, true) => theme.bar(),
            (_, false) => theme.thin(),
        };
        let mut style = looks(if mark == Mark::Ok && bar.critical {
            Role::Accent
        } else {
            mark.role()
        });
        if bar.critical {
            style = style.add_modifier(ratatui::style::Modifier::BOLD);
        }
        // Many short periods are one bar where they share a column, and no column is drawn twice.
        let mut free = 0;
        for period in &periods {
            let (first, end) = self
                .axis
                .period(period.start, period.stop.unwrap_or(self.now));
            for column in first.max(free)..end {
                put(buf, place, left + column, place.y, cell, style);
            }
            free = free.max(end);
        }
        let end = match mark {
            Mark::Failed | Mark::Canceled => theme.glyph(mark),
            Mark::Running => theme.onward(),
            _ => return,
        };
        if free > 0 {
            put(buf, place, left + free - 1, place.y, end, style);
        }
    }
}

/// A step's name without the brackets, in so many cells: `build 3/4 RUN make`.
fn plain(name: &str, room: usize, ellipsis: &str) -> String {
    match (name.starts_with('['), name.split_once(']')) {
        (true, Some((_, text))) => {
            let label = cut(name::label(name), room, ellipsis);
            let rest = room.saturating_sub(cells(&label));
            label + &cut(text, rest, ellipsis)
        }
        _ => cut(name, room, ellipsis),
    }
}

/// The title: left and right part.
pub fn title(view: &View, look: &Look) -> (String, String) {
    let left = Pane::Timeline.title().to_owned();
    let state = &view.timeline;
    let Some((from, to)) = state.span(view, look.now) else {
        return (left, String::new());
    };
    let total = span::exact(to.saturating_sub(from));
    let critical = span::exact(state.critical(&view.build, to));
    let legend = look.theme.bar();
    (
        left,
        format!("total {total}  {legend} critical path {critical}"),
    )
}

#[cfg(test)]
mod tests;
