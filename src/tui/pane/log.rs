//! A window onto the log that the server has: of one step, or of the whole build.
//!
//! Only the lines around those that can be seen are here. A line is never wrapped: what has no room is cut, and
//! [`Action::ScrollRight`] shows it. The pane follows the end until it is scrolled.

use super::super::action::Action;
use super::super::msg::{BuildId, Effect};
use super::super::session::{Build, View};
use super::Then;
use super::marked::Marked;
use crate::proto::controller::LogPattern;
use crate::tui::zone::Zone;
use regex::Regex;

mod ask;
mod draw;
mod find;
mod line;
pub mod save;
mod time;
mod window;

pub use draw::{draw, title};

use find::{Find, Way};
use window::Window;

/// Cells that the text moves sideways at once.
const SIDEWAYS: usize = 16;

/// Most cells that are cut from the left; the longest line has 64 KiB.
const FARTHEST: usize = 64 * 1024;

/// Bytes of text that are copied at most.
const COPIED: usize = 1 << 20;

/// Clipped parts that are told of, for the whole log.
const MISSING: usize = 8;

/// The times in front of lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clock {
    /// Since the step began.
    #[default]
    Step,
    /// Of day, in the user's time zone.
    Day,
    /// Since the line before.
    Delta,
    /// None.
    None,
}

impl Clock {
    /// The next one of all.
    fn next(self) -> Self {
        match self {
            Self::Step => Self::Day,
            Self::Day => Self::Delta,
            Self::Delta => Self::None,
            Self::None => Self::Step,
        }
    }
}

/// Lines that only some of the log is shown of.
#[derive(Clone, Debug)]
struct Filter {
    pattern: LogPattern,
    regex: Option<Regex>,
}

/// Where the lines come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Source {
    /// Not known yet.
    #[default]
    Unknown,
    /// The server gives any line.
    Server,
    /// An older server: the last lines have come with the trace.
    Trace,
}

/// The place in the log.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Digest of the step's vertex; absent: all steps.
    vertex: Option<String>,
    /// Its name.
    name: String,
    source: Source,
    clock: Clock,
    filter: Option<Filter>,
    find: Option<Find>,
    /// Number of the first line that is shown; absent: the end is followed.
    top: Option<u64>,
    /// Cells that are cut from the left.
    left: usize,
    /// Rows that can be seen.
    rows: usize,
    /// The line that the last match or click was at.
    here: Option<u64>,
    /// Lines that were marked.
    marked: Marked,
    /// The lines that are here; of another log while `loaded` is false.
    window: Window,
    asking: ask::Asking,
}

impl State {
    /// Another build begins, or (`again`) the same one is read once more.
    pub fn begin(&mut self, again: bool) {
        if let Some(find) = &mut self.find {
            find.again();
        }
        self.asking = ask::Asking::new(&self.asking);
        if !again {
            self.window = Window::default();
            (self.top, self.here, self.marked) = (None, None, Marked::default());
        }
    }

    /// Whether a search is on.
    pub fn searching(&self) -> bool {
        self.find.is_some()
    }

    /// Whether the log of all steps is shown.
    pub fn whole(&self) -> bool {
        self.vertex.is_none()
    }

    /// Shows the log of all steps.
    pub fn show_all(&mut self) {
        self.show(None);
    }

    /// Shows the log of a step.
    pub fn show_step(&mut self, build: &Build, step: usize) {
        let step = build.trace.steps.get(step);
        self.name = step.map_or_else(String::new, |step| step.name.clone());
        self.show(step.map(|step| step.digest.clone()));
    }

    /// In a build of a changed Dockerfile or context the step may have another digest; then it is the one of its name.
    pub fn find_again(&mut self, build: &Build) {
        let Some(vertex) = &self.vertex else { return };
        if build.trace.find(vertex).is_some_and(|step| !step.hidden) {
            return;
        }
        let mut steps = build.trace.steps.iter();
        if let Some(step) = steps.find(|step| !step.hidden && step.name == self.name) {
            self.show(Some(step.digest.clone()));
        }
    }

    /// Shows the log of the step with this number or part of a name; of all without one.
    pub fn show_named(&mut self, build: &Build, step: Option<&str>) {
        let Some(name) = step else {
            return self.show(None);
        };
        let steps = &build.trace.steps;
        // Numbers are those of the progress: visible steps in order of start.
        let numbered = name
            .trim_start_matches('#')
            .parse::<usize>()
            .ok()
            .and_then(|number| build.trace.order.get(number.checked_sub(1)?).copied());
        let found = numbered.or_else(|| {
            let lower = name.to_ascii_lowercase();
            steps
                .iter()
                .position(|step| !step.hidden && step.name.to_ascii_lowercase().contains(&lower))
        });
        if let Some(step) = found {
            self.show_step(build, step);
        }
    }

    fn show(&mut self, vertex: Option<String>) {
        if vertex == self.vertex {
            return;
        }
        self.vertex = vertex;
        self.another();
        if let Some(find) = &mut self.find {
            find.again();
        }
    }

    /// What is shown is another log, or other lines of it; the old lines stay until new ones are here.
    fn another(&mut self) {
        self.asking = ask::Asking::new(&self.asking);
        (self.top, self.here, self.left) = (None, None, 0);
        self.marked.clear();
    }

    /// Searches from where the eye is. What is to be done follows with the next [`State::ask`].
    pub fn search(&mut self, build: &Build, pattern: LogPattern) -> Vec<Effect> {
        let had = self.find.take().is_some();
        if pattern.text.is_empty() {
            return if had {
                vec![Effect::StopSearch]
            } else {
                Vec::new()
            };
        }
        let near = self.first_number(build);
        self.here = None;
        self.find = Some(Find::new(pattern, near));
        self.decide();
        Vec::new()
    }

    /// Shows only lines that match, or all of them again.
    pub fn filter(&mut self, pattern: Option<LogPattern>) -> Vec<Effect> {
        let pattern = pattern.filter(|pattern| !pattern.text.is_empty());
        let here = self.here;
        self.filter = pattern.map(|pattern| Filter {
            regex: find::compile(&pattern),
            pattern,
        });
        self.another();
        // Without the filter the place of a match is shown among its neighbours.
        if let (None, Some(line)) = (&self.filter, here) {
            self.here = here;
            self.asking.go(line);
        }
        if let Some(find) = &mut self.find {
            find.again();
        }
        Vec::new()
    }

    /// The next clock.
    pub fn turn_clock(&mut self) {
        self.clock = self.clock.next();
    }

    /// What would be saved, in a few words.
    pub fn words(&self) -> String {
        let what = match &self.filter {
            Some(filter) => {
                let text = crate::term::escape::line(&filter.pattern.text);
                format!("lines with {}", super::text::cut(&text, 20, "."))
            }
            None => "the log".to_owned(),
        };
        format!("{what}, {}", self.clock.word())
    }

    /// Writes the log as it is shown, from its first line to its last, into a file; into one that exists only with
    /// `overwrite`.
    pub fn save(
        &self,
        build: &Build,
        zone: &Zone,
        path: std::path::PathBuf,
        overwrite: bool,
    ) -> Effect {
        Effect::SaveLog {
            build: BuildId {
                session: build.session.clone(),
                build: build.number,
            },
            vertex: self.vertex.clone().unwrap_or_default(),
            form: Box::new(save::Form::of(self, build, zone)),
            path,
            overwrite,
        }
    }

    /// Marks the line in this row of the pane, from 0; with `extend` all lines from where the mark began to it.
    pub fn mark(&mut self, build: &Build, row: u16, extend: bool) {
        let index = self.first(build) + usize::from(row);
        let last = self.window.len().saturating_sub(1);
        let Some(line) = self.window.get(index.min(last)) else {
            return;
        };
        let number = line.number;
        self.marked.mark(number, extend);
        self.here = Some(number);
    }

    /// The mark is held so many rows above (negative) or beneath the pane; whether the view has moved.
    pub fn mark_beyond(&mut self, build: &Build, rows: i32) -> bool {
        let before = self.first_number(build);
        self.scroll(build, rows as isize);
        let last = u16::try_from(self.rows.saturating_sub(1)).unwrap_or(u16::MAX);
        let row = if rows < 0 { 0 } else { last };
        self.mark(build, row, true);
        self.first_number(build) != before
    }

    /// Whether more than one line is marked.
    pub fn marks_several(&self) -> bool {
        self.marked.several()
    }

    /// The text that is marked, of the match that the eye is on, or of all lines that can be seen; without colours.
    pub fn copied(&self, build: &Build) -> String {
        let here = self.here.map(|line| line..=line);
        let range = self.marked.range().or(here);
        let (first, count) = match &range {
            Some(range) => (self.window.index_of(*range.start()), usize::MAX),
            None => (self.first(build), self.rows),
        };
        let mut text = String::new();
        for line in self.window.iter_from(first).take(count) {
            if range
                .as_ref()
                .is_some_and(|range| !range.contains(&line.number))
                || text.len() > COPIED
            {
                break;
            }
            if !text.is_empty() && !line.continued {
                text.push('\n');
            }
            text.push_str(&line::plain(&line.text));
        }
        text
    }

    /// Rows behind the lines: what the builder clipped.
    fn missing(&self, build: &Build) -> Vec<String> {
        if !self.at_end() {
            return Vec::new();
        }
        match &self.vertex {
            Some(vertex) => build
                .counts
                .get(vertex)
                .map(|count| count.missing.iter())
                .into_iter()
                .flatten()
                .take(MISSING)
                .map(|line| crate::term::escape::line(line).into_owned())
                .collect(),
            None => {
                let steps = build.trace.steps.iter();
                steps
                    .filter_map(|step| Some((step, build.counts.get(&step.digest)?)))
                    .flat_map(|(step, count)| count.missing.iter().map(move |line| (step, line)))
                    .take(MISSING)
                    .map(|(step, line)| {
                        let label = super::super::app::step_label(&step.name);
                        format!("{label} {}", crate::term::escape::line(line))
                    })
                    .collect()
            }
        }
    }

    /// Whether the lines that are here reach to the end of the log.
    fn at_end(&self) -> bool {
        self.asking.loaded() && self.window.to() >= self.asking.total()
    }

    /// The highest place in the window that the first row can have.
    fn lowest(&self, build: &Build) -> usize {
        let rows = self.rows.max(1);
        (self.window.len() + self.missing(build).len())
            .saturating_sub(rows)
            .min(self.window.len().saturating_sub(1))
    }

    /// The place in the window of the first row.
    fn first(&self, build: &Build) -> usize {
        let lowest = self.lowest(build);
        match self.top {
            Some(number) => self.window.index_of(number).min(lowest),
            None => lowest,
        }
    }

    fn first_number(&self, build: &Build) -> u64 {
        self.window
            .get(self.first(build))
            .map_or(0, |line| line.number)
    }

    /// Moves by rows; at the end it follows again.
    fn scroll(&mut self, build: &Build, by: isize) {
        let lowest = self.lowest(build);
        let first = self.first(build).saturating_add_signed(by).min(lowest);
        let follow = by > 0 && first == lowest && self.at_end();
        self.top = match self.window.get(first) {
            Some(line) if !follow => Some(line.number),
            _ => None,
        };
    }

    /// Shows a line as the one that the eye is on.
    fn go(&mut self, number: u64) {
        self.here = Some(number);
        self.asking.go(number);
    }

    /// Finds the wanted match in what is known.
    fn decide(&mut self) {
        let total = self.asking.total();
        let Some(find) = &mut self.find else { return };
        let Some(way) = find.wanted else { return };
        if let Ok(found) = find.known(way, total) {
            self.arrive(found);
        }
    }

    /// The wanted match is known, or that there is none.
    fn arrive(&mut self, found: Option<u64>) {
        let Some(find) = &mut self.find else { return };
        find.wanted = None;
        match found {
            Some(line) => {
                find.note = None;
                self.go(line);
            }
            None => find.note = Some("none further"),
        }
    }

    /// To the next match, or to the one before.
    fn step(&mut self, build: &Build, forward: bool) {
        let first = self.first(build);
        let last = (first + self.rows).min(self.window.len());
        let way = match (self.here, forward) {
            (Some(line), true) => Way::Forward(line.saturating_add(1)),
            (Some(line), false) => Way::Backward(line),
            (None, true) => Way::Forward(self.first_number(build)),
            (None, false) => Way::Backward(
                last.checked_sub(1)
                    .and_then(|last| self.window.get(last))
                    .map_or(u64::MAX, |line| line.number.saturating_add(1)),
            ),
        };
        if let Some(find) = &mut self.find {
            find.wanted = Some(way);
            find.note = None;
        }
        self.decide();
    }

    /// Closes what is open, the last thing first.
    fn back(&mut self) -> Then {
        if self.marked.clear() {
            return Then::Done;
        }
        if self.find.take().is_some() {
            self.here = None;
            return Then::Effects(vec![Effect::StopSearch]);
        }
        if self.filter.is_some() {
            return Then::Effects(self.filter(None));
        }
        Then::Ignored
    }
}

/// Does what an action means here.
pub fn act(view: &mut View, action: Action, rows: u16) -> Then {
    view.log.acted();
    let build = &view.build;
    let state = &mut view.log;
    let page = isize::try_from(rows.max(1)).unwrap_or(1);
    match action {
        Action::Down => state.scroll(build, 1),
        Action::Up => state.scroll(build, -1),
        Action::PageDown => state.scroll(build, page),
        Action::PageUp => state.scroll(build, -page),
        Action::HalfDown => state.scroll(build, page / 2),
        Action::HalfUp => state.scroll(build, -(page / 2)),
        Action::Top => {
            state.top = Some(0);
            state.asking.top();
        }
        Action::Bottom => {
            state.top = None;
            state.asking.end();
        }
        Action::ScrollRight => state.left = (state.left + SIDEWAYS).min(FARTHEST),
        Action::ScrollLeft => state.left = state.left.saturating_sub(SIDEWAYS),
        Action::Clock => state.turn_clock(),
        Action::NextMatch => state.step(build, true),
        Action::PrevMatch => state.step(build, false),
        Action::Copy => {
            let text = state.copied(build);
            if text.is_empty() {
                return Then::Say("nothing to copy".to_owned());
            }
            state.marked.clear();
            return Then::Copy(text);
        }
        Action::Back => return state.back(),
        _ => return Then::Ignored,
    }
    Then::Done
}

#[cfg(test)]
mod tests;
