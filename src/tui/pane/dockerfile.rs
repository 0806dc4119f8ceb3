//! The source of the build: colours, and what came of each line.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::super::action::Action;
use super::super::session::{Build, View};
use super::super::theme::{Mark, Role, Theme};
use super::text::{cells, fill, put, put_right};
use super::{Look, Then, progress, span};
use crate::progress::time::Nanos;
use crate::progress::trace::Step;
use crate::proto::controller::SessionState;
use crate::term::escape;

pub mod blame;
mod source;
mod syntax;

pub use source::readable;
use source::{Line, Source};
pub use syntax::{Spans, Syntax};

/// Cells that the text moves sideways at once.
const SIDEWAYS: usize = 16;

/// The place in the source.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Which of the different files is shown.
    file: usize,
    /// The line that keys mean, from 0.
    cursor: usize,
    /// The first line that is shown, from 0.
    top: usize,
    /// Cells that are cut from the left.
    left: usize,
    /// A person has moved in it, so it does not follow the selected step.
    by_hand: bool,
    /// Digest of the step that it has followed last.
    followed: Option<String>,
    source: Source,
}

impl State {
    /// Shows a step, wherever a person has moved to.
    pub fn show_step(&mut self, _build: &Build, _step: usize) {
        self.by_hand = false;
        self.followed = None;
    }

    /// Takes in what is new of the build; `rows` of it can be seen, and the step `selected` is to be among them.
    pub fn see(&mut self, build: &Build, selected: Option<usize>, rows: u16) {
        self.source.refresh(build, self.file);
        let step = selected.and_then(|step| build.trace.steps.get(step));
        if !self.by_hand
            && let Some(step) = step
            && self.followed.as_ref() != Some(&step.digest)
            && let Some((file, line)) = self.source.place(build, &step.digest)
        {
            self.followed = Some(step.digest.clone());
            if file != self.file {
                self.file = file;
                self.source.refresh(build, file);
            }
            self.cursor = line;
        }
        if !self.by_hand && build.places.is_empty() {
            self.show_blamed();
        }
        self.scroll(usize::from(rows));
    }

    /// Without steps a frontend error still has lines.
    fn show_blamed(&mut self) {
        if let Some(line) = self.source.lines.iter().position(|line| line.blamed) {
            self.cursor = line;
        }
    }

    /// Shows the next file; gives whether there is one before the first comes again.
    pub fn next_file(&mut self, build: &Build) -> bool {
        let more = self.file + 1 < self.source.files.len();
        self.file = if more { self.file + 1 } else { 0 };
        self.source.refresh(build, self.file);
        self.by_hand = more;
        self.followed = None;
        (self.cursor, self.top, self.left) = (0, 0, 0);
        more
    }

    /// The name of the shown file.
    fn name(&self, build: &Build) -> Option<String> {
        let file = build.files.get(self.source.shown()?)?;
        Some(escape::line(&file.name).into_owned())
    }

    fn last(&self) -> usize {
        self.source.lines.len().saturating_sub(1)
    }

    /// Keeps the cursor in sight, with lines around it where there is room.
    fn scroll(&mut self, rows: usize) {
        self.cursor = self.cursor.min(self.last());
        let around = (rows.saturating_sub(1) / 2).min(3);
        let highest = self.cursor.saturating_sub(around);
        let lowest = (self.cursor + around + 1).saturating_sub(rows.max(1));
        let end = self.source.lines.len().saturating_sub(rows.max(1));
        self.top = self.top.clamp(lowest.min(highest), highest).min(end);
        if self.cursor < self.top {
            self.top = self.cursor;
        }
    }
}

/// Moves, or selects the step of a line.
pub fn act(view: &mut View, action: Action, rows: u16) -> Then {
    let state = &mut view.dockerfile;
    let page = usize::from(rows.max(1));
    let at = state.cursor;
    let to = match action {
        Action::Down => at + 1,
        Action::Up => at.saturating_sub(1),
        Action::PageDown => at + page,
        Action::PageUp => at.saturating_sub(page),
        Action::HalfDown => at + page / 2,
        Action::HalfUp => at.saturating_sub(page / 2),
        Action::Top => 0,
        Action::Bottom => state.last(),
        Action::ScrollRight => {
            let widest = state.source.lines.iter().map(|line| cells(&line.text));
            let most = widest.max().unwrap_or(0).saturating_sub(SIDEWAYS);
            state.left = (state.left + SIDEWAYS).min(most);
            return Then::Done;
        }
        Action::ScrollLeft => {
            state.left = state.left.saturating_sub(SIDEWAYS);
            return Then::Done;
        }
        Action::Open => return select(view),
        Action::Copy => {
            let line = state.source.lines.get(at);
            return line.map_or(Then::Done, |line| Then::Copy(line.text.clone()));
        }
        _ => return Then::Ignored,
    };
    state.by_hand = true;
    state.cursor = to.min(state.last());
    state.scroll(page);
    Then::Done
}

/// A click into a row, from 0; gives whether a line is there.
pub fn click(view: &mut View, rows: u16, row: u16) -> bool {
    let state = &mut view.dockerfile;
    let line = state.top + usize::from(row);
    if row >= rows || line > state.last() {
        return false;
    }
    state.cursor = line;
    state.by_hand = true;
    true
}

fn select(view: &mut View) -> Then {
    let line = view.dockerfile.source.lines.get(view.dockerfile.cursor);
    let Some(step) = line.and_then(|line| line.steps.first().copied()) else {
        return Then::Say("no step of the build comes from this line".to_owned());
    };
    view.progress.select(&view.build, step);
    view.log.show_step(&view.build, step);
    Then::Done
}

/// Draws the lines.
pub fn draw(view: &View, area: Rect, buf: &mut Buffer, look: &Look) {
    let state = &view.dockerfile;
    let build = &view.build;
    if state.source.lines.is_empty() {
        let text = nothing(view);
        put(
            buf,
            area,
            area.x + 1,
            area.y,
            text,
            look.theme.style(Role::Dim),
        );
        return;
    }
    let lines = state.source.lines.len();
    // The longest number and a space before it.
    let digits = (lines.to_string().len() + 1).max(3);
    let selected = view.progress.selected(build);
    for (index, y) in (state.top..lines).zip(area.top()..area.bottom()) {
        let Some(line) = state.source.lines.get(index) else {
            break;
        };
        let row = Row {
            line,
            number: format!("{:>digits$}", index + 1),
            cursor: index == state.cursor,
            selected: selected.is_some_and(|step| line.steps.contains(&step)),
            left: state.left,
            ended: build.over(&view.session),
            now: build.clock(&view.session, look.now),
        };
        row.draw(build, area, y, buf, look);
    }
    let behind = area
        .top()
        .saturating_add(u16::try_from(lines - state.top).unwrap_or(u16::MAX));
    if state.source.left_out > 0 && behind < area.bottom() {
        let text = format!("{} more lines are not shown", state.source.left_out);
        put(
            buf,
            area,
            area.x + 1,
            behind,
            &text,
            look.theme.style(Role::Dim),
        );
    }
}

/// Why there is no source.
fn nothing(view: &View) -> &'static str {
    let building = view.session.state() == SessionState::Building;
    if view.build.outcome.is_none() && (building || view.build.number == 0) {
        "Waiting for the frontend to tell the source."
    } else {
        "Built from stdin or LLB, or refused before it was read: no source."
    }
}

/// One line of the source, on its way to the screen.
struct Row<'a> {
    line: &'a Line,
    number: String,
    cursor: bool,
    selected: bool,
    left: usize,
    /// Nothing more happens in the build.
    ended: bool,
    /// The time that running steps are measured at, on our clock.
    now: Nanos,
}

impl Row<'_> {
    fn draw(&self, build: &Build, area: Rect, y: u16, buf: &mut Buffer, look: &Look) {
        let theme = look.theme;
        let line = self.line;
        let chosen = self.cursor && look.focused;
        let over = |role: Role| match chosen {
            true => theme.style(Role::Selected),
            false => theme.style(role),
        };
        if chosen {
            fill(buf, area, y, theme.style(Role::Selected));
        }
        let found = state_of(line, build, self.ended, self.now);
        let pointer = if self.selected { theme.pointer() } else { " " };
        let x = put(buf, area, area.x, y, pointer, over(Role::Accent));
        let mark = match &found {
            Some(found) => Some(found.mark),
            None if line.warning.is_some() => Some(Mark::Warning),
            None => None,
        };
        let (glyph, role) = match mark {
            Some(mark) if line.first || mark == Mark::Warning => (theme.glyph(mark), mark.role()),
            Some(mark) if line.steps.len() + usize::from(line.blamed) > 0 => {
                (theme.vertical(), mark.role())
            }
            _ => (" ", Role::Dim),
        };
        let x = put(buf, area, x, y, glyph, over(role));
        let number = match mark {
            Some(Mark::Failed | Mark::Running) => role,
            _ => Role::Dim,
        };
        let x = put(buf, area, x, y, &self.number, over(number));
        let right = found.map_or(String::new(), |found| found.words);
        let inside = Rect {
            width: area
                .width
                .saturating_sub(u16::try_from(cells(&right) + 1).unwrap_or(0)),
            ..area
        };
        let base = match mark {
            Some(Mark::Failed) => theme.style(Role::Error),
            _ => theme.style(Role::Text),
        };
        let text = Text {
            line,
            left: self.left,
            base: if chosen { over(Role::Text) } else { base },
            plain: chosen,
        };
        let x = text.draw(inside, x.saturating_add(2), y, buf, theme);
        if let Some((warning, count)) = &line.warning {
            let more = match count {
                1 => String::new(),
                count => format!(" and {} more", count - 1),
            };
            let text = format!("{} {warning}{more}", theme.glyph(Mark::Warning));
            put(buf, inside, x.saturating_add(2), y, &text, over(Role::Warn));
        }
        put_right(buf, area, x, y, &right, over(role));
    }
}

/// The text of a line with its colours.
struct Text<'a> {
    line: &'a Line,
    left: usize,
    base: Style,
    plain: bool,
}

impl Text<'_> {
    fn draw(&self, area: Rect, x: u16, y: u16, buf: &mut Buffer, theme: &Theme) -> u16 {
        let text = &self.line.text;
        // Cut from the left by whole characters.
        let mut begin = 0;
        let mut cut = 0;
        for (at, letter) in text.char_indices() {
            begin = at;
            if cut >= self.left {
                break;
            }
            cut += unicode_width::UnicodeWidthChar::width(letter).unwrap_or(0);
            begin = at + letter.len_utf8();
        }
        let (mut x, from) = (x, x);
        let mut at = begin;
        let none = Vec::new();
        let spans = if self.plain { &none } else { &self.line.spans };
        let mut part = |from: usize, to: usize, style: Style, buf: &mut Buffer| {
            if let Some(piece) = text.get(from..to) {
                x = put(buf, area, x, y, piece, style);
            }
        };
        for (span, role) in spans {
            if span.end <= at {
                continue;
            }
            let from = span.start.max(at);
            part(at, from, self.base, buf);
            part(from, span.end, theme.style(*role), buf);
            at = span.end;
        }
        part(at, text.len(), self.base, buf);
        if let Some(word) = &self.line.wrong
            && let (Some(before), Some(word)) =
                (text.get(begin..word.start), text.get(word.clone()))
        {
            let place = from.saturating_add(u16::try_from(cells(before)).unwrap_or(u16::MAX));
            put(buf, area, place, y, word, theme.style(Role::Match));
        }
        let cut = text
            .get(begin..)
            .is_some_and(|rest| cells(rest) > usize::from(area.right().saturating_sub(from)));
        if cut && let Some(last) = area.right().checked_sub(1) {
            put(buf, area, last, y, theme.ellipsis(), theme.style(Role::Dim));
        }
        x
    }
}

/// What came of a line.
struct Found {
    mark: Mark,
    words: String,
}

/// The state of a line's steps: the most telling one, and the time of the longest.
fn state_of(line: &Line, build: &Build, ended: bool, now: Nanos) -> Option<Found> {
    let steps = line
        .steps
        .iter()
        .filter_map(|step| build.trace.steps.get(*step));
    let rank = |mark: Mark| match mark {
        Mark::Failed => 6,
        Mark::Running => 5,
        Mark::Canceled => 4,
        Mark::Ok => 3,
        Mark::Waiting => 2,
        _ => 1,
    };
    let time = |step: &Step| -> Nanos { step.duration(build.trace.clock(step, now)) };
    let longest = steps.clone().map(time).max().unwrap_or(0);
    let mark = steps
        .map(|step| progress::mark(step, ended))
        .max_by_key(|mark| rank(*mark));
    let mark = match (mark, line.blamed) {
        (_, true) => Mark::Failed,
        (Some(mark), false) => mark,
        (None, false) => return None,
    };
    if !line.first {
        let words = String::new();
        return Some(Found { mark, words });
    }
    let exit = build
        .failure()
        .and_then(|failure| failure.process_exit_code);
    let words = match mark {
        Mark::Cached => "CACHED".to_owned(),
        Mark::Waiting if ended => "not run".to_owned(),
        Mark::Waiting => String::new(),
        Mark::Failed if line.steps.is_empty() => "ERROR".to_owned(),
        Mark::Failed => match exit {
            Some(code) => format!("exit {code}  {}", span::exact(longest)),
            None => format!("ERROR  {}", span::exact(longest)),
        },
        Mark::Canceled => format!("canceled  {}", span::exact(longest)),
        _ => span::exact(longest),
    };
    Some(Found { mark, words })
}

/// The title: left and right part.
pub fn title(view: &View, look: &Look) -> (String, String) {
    let state = &view.dockerfile;
    let Some(name) = state.name(&view.build) else {
        return ("Dockerfile".to_owned(), String::new());
    };
    let files = state.source.files.len();
    let left = match files {
        0 | 1 => name,
        files => format!("{name} ({} of {files})", state.file + 1),
    };
    let line = format!("line {} of {}", state.cursor + 1, state.source.lines.len());
    let right = match look.keymap.key(Action::Dockerfile) {
        Some(key) if files > 1 => format!("{line}  {key} next file"),
        _ => line,
    };
    (left, right)
}

#[cfg(test)]
mod tests;
