//! What happened: the card that tells why a build failed, how it went, or what runs now.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::action::Action;
use super::super::msg::LogAnswer;
use super::super::session::{Build, View};
use super::super::theme::Role;
use super::marked::Marked;
use super::text::{cells, fill, put, put_right};
use super::{Look, Then, span};
use crate::progress::trace::StepId;
use crate::proto::controller::{LogRequest, Session, outcome};

mod cause;
mod command;
mod exit;
mod failed;
mod row;
mod story;

use row::{Row, Rows};

/// Lines of the failed step's log that are asked for.
const LINES: u32 = 500;

/// Bytes of a line that are looked at.
const BYTES: usize = 1_000;

/// The end of the failed step's log.
#[derive(Clone, Debug, Default)]
struct Tail {
    /// Number of the first of the lines, from 0.
    first: u64,
    /// Without colours.
    lines: Vec<String>,
    /// They are all that there will be.
    complete: bool,
}

/// With fewer rows than this the card leaves out what makes it easy to read.
const TIGHT: u16 = 14;

/// How far the question for the end of the log is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Asked {
    /// Not asked.
    #[default]
    No,
    /// Asked with this number.
    As(u64),
    /// Answered.
    Done,
}

/// What the card was written from; another value means that it is stale.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Made {
    build: u32,
    version: u64,
    state: (i32, i64),
    width: u16,
    tail: usize,
    answered: bool,
    ascii: bool,
    tight: bool,
}

/// The place in the card.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The first row that is shown.
    top: usize,
    asked: Asked,
    tail: Tail,
    made: Made,
    rows: Vec<Row>,
    /// A step whose rows are to be brought into sight.
    wanted: Option<StepId>,
    /// Rows of the card that were marked.
    marked: Marked,
    /// Rows that can be seen.
    height: usize,
}

/// What a card is written from.
#[derive(Clone, Copy, Debug)]
struct Known<'a> {
    build: &'a Build,
    session: &'a Session,
    arguments: &'a [String],
    tail: &'a Tail,
    look: &'a Look<'a>,
}

impl State {
    /// A build has ended.
    pub fn begin(&mut self, _build: &Build) {
        self.top = 0;
    }

    /// What is said about a step is to be seen; of one that failed, the card from its beginning.
    pub fn show_step(&mut self, step: StepId) {
        self.wanted = Some(step);
    }

    /// The beginning is to be seen.
    pub fn show_top(&mut self) {
        (self.top, self.wanted) = (0, None);
    }

    /// Marks the row of the card in this row of the pane, from 0; with `extend` all from where the mark began to it.
    pub fn mark(&mut self, row: u16, extend: bool) {
        let Some(last) = self.rows.len().checked_sub(1) else {
            return;
        };
        let row = (self.top + usize::from(row)).min(last);
        self.marked.mark(row as u64, extend);
    }

    /// The mark is held so many rows above (negative) or beneath the pane; whether the view has moved.
    pub fn mark_beyond(&mut self, rows: i32) -> bool {
        let before = self.top;
        let last = self.rows.len().saturating_sub(self.height.max(1));
        self.top = before.saturating_add_signed(rows as isize).min(last);
        let end = u16::try_from(self.height.saturating_sub(1)).unwrap_or(u16::MAX);
        self.mark(if rows < 0 { 0 } else { end }, true);
        self.top != before
    }

    /// Whether more than one row is marked.
    pub fn marks_several(&self) -> bool {
        self.marked.several()
    }

    /// The rows that are marked, or all of the card.
    pub fn copied(&self) -> String {
        let rows = match self.marked.range() {
            Some(_) => marked_of(&self.rows, self.marked),
            None => &self.rows,
        };
        let lines: Vec<&str> = rows.iter().map(|row| row.text.trim_end()).collect();
        lines.join("\n")
    }

    /// Another build begins.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// The question for the end of the failed step's log, if it has to be asked now; `id` is its number.
    pub fn ask(&mut self, build: &Build, id: impl FnOnce() -> u64) -> Option<(u64, LogRequest)> {
        if self.asked != Asked::No {
            return None;
        }
        let failure = build.failure().filter(|failure| !failure.refused)?;
        let step = build.trace.steps.get(build.failed_step()?)?;
        // The vertex itself: a step may be a group of several.
        let vertex = match build.trace.index(&failure.vertex) {
            Some(_) => failure.vertex.clone(),
            None => step.digest.clone(),
        };
        let id = id();
        self.asked = Asked::As(id);
        let request = LogRequest {
            session: build.session.clone(),
            build: build.number,
            vertex,
            count: LINES,
            from_end: true,
            ..LogRequest::default()
        };
        Some((id, request))
    }

    /// Takes the answer if the question was asked here.
    pub fn on_lines(&mut self, answer: &LogAnswer) -> bool {
        if self.asked != Asked::As(answer.id) {
            return false;
        }
        self.asked = Asked::Done;
        if let Ok(lines) = &answer.answer {
            let skip = lines.lines.len().saturating_sub(LINES as usize);
            let lines = lines.lines.get(skip..).unwrap_or_default();
            self.tail = Tail {
                first: lines.first().map_or(0, |line| line.number),
                lines: lines.iter().map(|line| plain(&line.text)).collect(),
                complete: true,
            };
        }
        true
    }

    /// Forgets that a question was asked: its answer will not come.
    pub fn ask_again(&mut self) {
        if let Asked::As(_) = self.asked {
            self.asked = Asked::No;
        }
    }

    /// Writes the card for a width if something has changed, and keeps the place inside of it.
    pub fn see(
        &mut self,
        (build, session): (&Build, &Session),
        arguments: &[String],
        area: Rect,
        look: &Look,
    ) {
        let made = Made {
            build: build.number,
            version: build.version,
            state: (session.state, session.ended),
            width: area.width,
            tail: self.tail.lines.len(),
            answered: self.asked == Asked::Done,
            ascii: look.theme.ascii,
            tight: area.height < TIGHT,
        };
        if made != self.made || self.rows.is_empty() {
            self.made = made;
            // A server without logs of their own has sent the last lines with the trace.
            let known = build
                .failed_step()
                .filter(|_| self.tail.lines.is_empty())
                .and_then(|step| build.trace.steps.get(step))
                .map(|step| Tail {
                    first: step
                        .log
                        .lines()
                        .saturating_sub(step.log.tail().count() as u64),
                    lines: step
                        .log
                        .tail()
                        .map(|line| plain(line.text.as_bytes()))
                        .collect(),
                    complete: self.tail.complete,
                });
            let known = Known {
                build,
                session,
                arguments,
                tail: known.as_ref().unwrap_or(&self.tail),
                look,
            };
            let rows = Rows::new(area.width.saturating_sub(1), area.height < TIGHT);
            let rows = write(&known, rows);
            // Other texts in the place of those that were marked are not what was meant.
            let kept = marked_of(&rows, self.marked) == marked_of(&self.rows, self.marked);
            self.rows = rows;
            if !kept {
                self.marked.clear();
            }
        }
        let rows = usize::from(area.height);
        self.height = rows;
        if let Some(step) = self.wanted.take() {
            let about = |row: &Row| row.about == Some(step);
            let first = self.rows.iter().position(about);
            let last = self.rows.iter().rposition(about);
            match first.zip(last) {
                // As much of it as there is room for, from its beginning.
                Some((first, last)) => {
                    let lowest = (last + 1).saturating_sub(rows).min(first);
                    self.top = self.top.clamp(lowest, first);
                }
                None if build.failed_step() == Some(step) => self.top = 0,
                None => {}
            }
        }
        self.top = self.top.min(self.rows.len().saturating_sub(rows));
    }
}

/// Those of the rows that are marked; none if some of them are not there.
fn marked_of(rows: &[Row], marked: Marked) -> &[Row] {
    let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
    let range = marked.range();
    let range = range.map(|range| index(*range.start())..=index(*range.end()));
    range.and_then(|range| rows.get(range)).unwrap_or_default()
}

fn plain(text: &[u8]) -> String {
    let text = text.get(..BYTES).unwrap_or(text);
    let text = String::from_utf8_lossy(text);
    crate::term::width::characters(&text).collect()
}

fn write(known: &Known, mut rows: Rows) -> Vec<Row> {
    let end = known
        .build
        .outcome
        .as_ref()
        .and_then(|outcome| outcome.end.as_ref());
    match end {
        Some(outcome::End::Failed(failure)) => failed::write(known, failure, &mut rows),
        Some(outcome::End::Finished(finished)) => story::finished(known, finished, &mut rows),
        Some(outcome::End::Canceled(canceled)) => story::canceled(known, canceled, &mut rows),
        None => story::running(known, &mut rows),
    }
    rows.rows
}

/// Scrolls.
pub fn act(view: &mut View, action: Action, rows: u16) -> Then {
    let state = &mut view.happened;
    let page = usize::from(rows.max(1));
    let last = state.rows.len().saturating_sub(page);
    let top = state.top;
    let to = match action {
        Action::Down => top + 1,
        Action::Up => top.saturating_sub(1),
        Action::PageDown => top + page,
        Action::PageUp => top.saturating_sub(page),
        Action::HalfDown => top + page / 2,
        Action::HalfUp => top.saturating_sub(page / 2),
        Action::Top => 0,
        Action::Bottom => last,
        Action::Copy => {
            let text = state.copied();
            state.marked.clear();
            return Then::Copy(text);
        }
        Action::Back if state.marked.clear() => return Then::Done,
        // What the error leads to.
        Action::Open if view.build.failure().is_some() => {
            return match view.build.failed_step() {
                Some(step) => {
                    view.progress.select(&view.build, step);
                    view.log.show_step(&view.build, step);
                    Then::Focus(super::super::layout::Pane::Log)
                }
                None => Then::Done,
            };
        }
        _ => return Then::Ignored,
    };
    state.top = to.min(last);
    Then::Done
}

/// Draws the card.
pub fn draw(view: &View, area: Rect, buf: &mut Buffer, look: &Look) {
    let state = &view.happened;
    let inside = Rect {
        x: area.x.saturating_add(1).min(area.right()),
        width: area.width.saturating_sub(1),
        ..area
    };
    let rows = state.rows.iter().enumerate().skip(state.top);
    for ((at, row), y) in rows.zip(area.top()..area.bottom()) {
        let marked = state.marked.contains(at as u64);
        let looks = |role| look.theme.style(if marked { Role::Selected } else { role });
        let style = looks(row.role);
        if marked {
            fill(buf, area, y, style);
        }
        let time = row
            .step
            .and_then(|step| view.build.trace.steps.get(step))
            .map(|step| {
                let now = view.build.clock(&view.session, look.now);
                let now = view.build.trace.clock(step, now);
                span::exact(step.duration(now))
            })
            .unwrap_or_default();
        let room = Rect {
            width: inside
                .width
                .saturating_sub(match u16::try_from(cells(&time)) {
                    Ok(0) | Err(_) => 0,
                    Ok(width) => width + 1,
                }),
            ..inside
        };
        let x = put(buf, room, room.x, y, &row.text, style);
        put_right(buf, inside, x, y, &time, looks(Role::Dim));
    }
}

/// The title: left and right part.
pub fn title(view: &View, _look: &Look) -> (String, String) {
    let left = match view.build.over(&view.session) {
        false => "what happens",
        true => "what happened",
    };
    let rows = view.happened.rows.len();
    let right = match view.happened.top {
        0 => String::new(),
        top => format!("{} of {rows}", top + 1),
    };
    (left.to_owned(), right)
}

/// `[build 3/4]` of a step's name, or its first words.
fn label(name: &str) -> String {
    super::super::app::step_label(name)
}

#[cfg(test)]
mod tests;
