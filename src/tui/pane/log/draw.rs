//! The log on the screen: times, labels, lines, and what is said when there are none.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::super::action::Action;
use super::super::super::app::step_label;
use super::super::super::session::{Build, View};
use super::super::super::theme::Role;
use super::super::Look;
use super::super::text::{fill, middle, put};
use super::super::wrap::wrap;
use super::line::Ink;
use super::time::Times;
use super::window::Line;
use super::{Clock, Source, State};
use crate::progress::units;
use crate::proto::controller::SessionState;
use crate::term::escape;

/// Cells of a step's label, in the log of all steps.
pub(super) const LABEL: usize = 14;

/// Draws the lines.
pub fn draw(view: &View, area: Rect, buf: &mut Buffer, look: &Look) {
    let state = &view.log;
    let theme = look.theme;
    if state.source == Source::Trace {
        return draw_kept(view, area, buf, look);
    }
    if let Some(why) = before_steps(view) {
        let room = usize::from(area.width.saturating_sub(2));
        for (line, y) in wrap(&why, room).iter().zip(area.top()..area.bottom()) {
            put(buf, area, area.x + 1, y, line, theme.style(Role::Error));
        }
        return;
    }
    if let Some(text) = nothing(view) {
        let role = match state.asking.trouble() {
            Some(_) => Role::Warn,
            None => Role::Dim,
        };
        put(
            buf,
            area,
            area.x.saturating_add(1),
            area.y,
            &text,
            theme.style(role),
        );
        return;
    }
    let build = &view.build;
    let first = state.first(build);
    let mut before = first
        .checked_sub(1)
        .and_then(|before| state.window.get(before));
    let mut y = area.top();
    for line in state.window.iter_from(first) {
        if y >= area.bottom() {
            return;
        }
        let row = Row {
            state,
            build,
            line,
            before,
        };
        row.draw(area, y, buf, look);
        before = Some(line);
        y += 1;
    }
    for text in state.missing(build) {
        put(
            buf,
            area,
            area.x.saturating_add(1),
            y,
            &text,
            theme.style(Role::Warn),
        );
        y = y.saturating_add(1);
    }
}

struct Row<'a> {
    state: &'a State,
    build: &'a Build,
    line: &'a Line,
    before: Option<&'a Line>,
}

impl Row<'_> {
    fn draw(&self, area: Rect, y: u16, buf: &mut Buffer, look: &Look) {
        let theme = look.theme;
        let (state, line) = (self.state, self.line);
        let here = state.here == Some(line.number);
        let marked = state.marked.contains(line.number);
        let base = match marked {
            true => theme.style(Role::Selected),
            false => theme.style(Role::Text),
        };
        if marked {
            fill(buf, area, y, base);
        }
        let pointer = if here { theme.pointer() } else { " " };
        let mut x = put(buf, area, area.x, y, pointer, theme.style(Role::Accent));
        let time = self.time(look);
        if !time.is_empty() {
            x = put(buf, area, x, y, &time, theme.style(Role::Dim));
            x = x.saturating_add(1);
        }
        if state.whole() {
            let label = match self.build.trace.find(&line.vertex) {
                Some(step) => middle(&step_label(&step.name), LABEL, theme.ellipsis()),
                None => String::new(),
            };
            let end = x.saturating_add(LABEL as u16 + 1);
            put(buf, area, x, y, &label, theme.style(Role::Accent));
            x = end;
        }
        let found = match here {
            true => Role::MatchHere,
            false => Role::Match,
        };
        let regex = match (&state.find, &state.filter) {
            (Some(find), _) => find.regex.as_ref(),
            (None, Some(filter)) => filter.regex.as_ref(),
            (None, None) => None,
        };
        let ink = Ink {
            base,
            colour: theme.colour && !marked,
            left: state.left,
            regex,
            found: theme.style(found),
            ellipsis: (theme.ellipsis(), theme.style(Role::Dim)),
        };
        ink.draw(&line.text, area, x, y, buf);
    }

    /// The time in front.
    fn time(&self, look: &Look) -> String {
        let (line, clock) = (self.line, self.state.clock);
        if line.continued {
            return clock.blank();
        }
        let step = self.build.trace.find(&line.vertex);
        let times = Times {
            line: line.time,
            step: step
                .and_then(|step| step.latest())
                .map(|latest| latest.start / 1_000_000),
            before: self.before.map(|before| before.time),
        };
        clock.front(times, look.zone)
    }
}

/// Why a build failed that printed nothing and in which no step failed: where one place is for the log and for what
/// happened, nothing else would tell.
fn before_steps(view: &View) -> Option<String> {
    let (state, build) = (&view.log, &view.build);
    let of_it = |vertex: &String| build.trace.find(vertex).is_some();
    if state.vertex.as_ref().is_some_and(of_it)
        || build.total.0 > 0
        || build.failed_step().is_some()
    {
        return None;
    }
    let message = escape::line(&build.failure()?.message);
    Some(format!("The build failed: {}", message.trim()))
}

/// What is said in the place of lines; `None` when there are some.
fn nothing(view: &View) -> Option<String> {
    let state = &view.log;
    let build = &view.build;
    let counted = match &state.vertex {
        Some(vertex) => build
            .counts
            .get(vertex)
            .is_some_and(|count| count.lines > 0),
        None => build.total.0 > 0,
    };
    if !state.window.is_empty() && (state.asking.loaded() || counted) {
        return None;
    }
    if let Some(trouble) = state.asking.trouble() {
        return Some(format!("The log cannot be read: {trouble}"));
    }
    if let Some(filter) = &state.filter
        && state.asking.loaded()
    {
        return Some(format!("No line has {}", filter.pattern.text));
    }
    if counted {
        // It is being fetched; a word about it would only flicker.
        return Some(String::new());
    }
    let building = view.session.state() == SessionState::Building;
    let Some(vertex) = &state.vertex else {
        return Some(match building {
            true => "Nothing has been printed yet.".to_owned(),
            false => "This build printed nothing.".to_owned(),
        });
    };
    let text = match build.trace.find(vertex) {
        Some(step) if step.cached => "Cached: this step did not run, so it printed nothing.",
        Some(step) if step.running() && building => "This step has printed nothing yet.",
        Some(step) if !step.started() && building => "This step has not begun.",
        Some(step) if !step.started() => "This step did not run.",
        Some(_) => "This step printed nothing.",
        None if building => "This step has not begun.",
        None => "This step is not part of the build.",
    };
    Some(text.to_owned())
}

/// The last lines as they came with the trace: what an older server gives.
fn draw_kept(view: &View, area: Rect, buf: &mut Buffer, look: &Look) {
    let vertex = view.log.vertex.as_ref();
    let step = vertex
        .and_then(|vertex| view.build.trace.find(vertex))
        .or_else(|| {
            let step = view.progress.selected(&view.build)?;
            view.build.trace.steps.get(step)
        });
    let Some(step) = step else { return };
    let theme = look.theme;
    let skip = step
        .log
        .tail()
        .count()
        .saturating_sub(usize::from(area.height));
    if step.log.tail().next().is_none() {
        let text = "No lines; this server gives the last ones of a running or failed step only.";
        put(
            buf,
            area,
            area.x.saturating_add(1),
            area.y,
            text,
            theme.style(Role::Dim),
        );
    }
    for (line, y) in step.log.tail().skip(skip).zip(area.top()..) {
        let time = format!(" {:>8}", units::log_time(line.time));
        let x = put(buf, area, area.x, y, &time, theme.style(Role::Dim));
        let ink = Ink {
            base: theme.style(Role::Text),
            colour: theme.colour,
            left: view.log.left,
            regex: None,
            found: theme.style(Role::Match),
            ellipsis: (theme.ellipsis(), theme.style(Role::Dim)),
        };
        ink.draw(&line.text, area, x.saturating_add(1), y, buf);
    }
}

/// The title: left and right part.
pub fn title(view: &View, look: &Look) -> (String, String) {
    let state = &view.log;
    let build = &view.build;
    let left = match &state.vertex {
        None => "log of all steps".to_owned(),
        Some(vertex) => match build.trace.find(vertex) {
            Some(step) => format!("log {}", step_label(&step.name)),
            None => format!("log {}", step_label(&state.name)),
        },
    };
    let mut words = Vec::new();
    if let Some(find) = &state.find {
        let status = find.status(state.here, look.theme.ellipsis());
        words.push(format!("/{} {status}", short(&find.pattern.text, look)));
    }
    if let Some(filter) = &state.filter {
        words.push(format!("&{}", short(&filter.pattern.text, look)));
    }
    let (lines, bytes) = match &state.vertex {
        Some(vertex) => build
            .counts
            .get(vertex)
            .map_or((0, 0), |count| (count.lines, count.bytes)),
        None => build.total,
    };
    if state.clock == Clock::Day {
        words.push(look.zone.name(look.now));
    }
    if let Some(top) = state.top {
        let end = look.keymap.key(Action::Bottom).unwrap_or_default();
        let building = view.session.state() == SessionState::Building;
        words.push(match building {
            true => format!("line {}, {end} follows", top + 1),
            false => format!("line {}", top + 1),
        });
    }
    if lines > 0 {
        let bytes = units::bytes(i64::try_from(bytes).unwrap_or(i64::MAX));
        let unit = if lines == 1 { "line" } else { "lines" };
        // How many a filter leaves is not known before the whole log has been read.
        let of = if state.filter.is_some() { "of " } else { "" };
        words.push(format!("{of}{} {unit}  {bytes}", thousands(lines)));
    }
    (left, words.join("  "))
}

fn short(text: &str, look: &Look) -> String {
    let text = crate::term::escape::line(text);
    middle(&text, 20, look.theme.ellipsis())
}

/// `4,812`.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
