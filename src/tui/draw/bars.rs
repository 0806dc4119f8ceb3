//! The bars: the title of the session, the strip of sessions, and what is left of all on the smallest screens.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::action::Action;
use super::super::app::{App, state_mark, state_word, step_label};
use super::super::layout::{Class, Pane};
use super::super::pane;
use super::super::pane::progress::Counts;
use super::super::pane::text::{cells, middle, put, put_right};
use super::super::session::View;
use super::super::theme::Role;
use crate::progress::time::seconds;
use crate::progress::units::count;
use crate::proto::controller::SessionState;

/// State, steps and time of a session in so many cells: what matters least goes first, the state and the place of a
/// failure last.
fn summary(app: &App, view: &View, room: usize) -> String {
    let session = &view.session;
    // Counted when the state changes, so that drawing does not go through the steps.
    let Counts {
        cached,
        errors,
        warnings,
        ..
    } = view.progress.counts();
    let (done, all) = view.steps();
    let steps = &view.build.trace.steps;
    let failed = view.build.failed_step().and_then(|step| steps.get(step));
    let failed = failed.filter(|_| session.state() == SessionState::Failed);
    let time = clock(seconds(view.build.elapsed(session, app.now)));
    let when = |shown: bool, words: String| if shown { words } else { String::new() };
    // Each with the order in which it goes.
    let mut words = [
        (9, state_word(session).to_owned()),
        (
            8,
            failed.map_or_else(String::new, |step| format!("at {}", step_label(&step.name))),
        ),
        (5, when(all > 0, format!("{done}/{all}"))),
        (1, when(cached > 0, format!("{cached} cached"))),
        (3, when(errors > 0, count(errors, "error"))),
        (2, when(warnings > 0, count(warnings, "warning"))),
        (7, when(view.watching, "watching".to_owned())),
        (6, time),
    ];
    loop {
        let shown: Vec<&str> = words
            .iter()
            .map(|(_, word)| word.as_str())
            .filter(|word| !word.is_empty())
            .collect();
        let line = shown.join("  ");
        if cells(&line) <= room {
            return line;
        }
        let rest = words.iter_mut().filter(|(_, word)| !word.is_empty());
        match rest.min_by_key(|(order, _)| *order) {
            Some((order, word)) if *order < 9 => word.clear(),
            _ => return line,
        }
    }
}

/// `00:41.3`, `1:02:03`.
fn clock(seconds: f64) -> String {
    let whole = seconds as u64;
    let (hours, minutes) = (whole / 3600, whole / 60 % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{:02}", whole % 60)
    } else {
        let tenths = (seconds * 10.0) as u64 % 10;
        format!("{minutes:02}:{:02}.{tenths}", whole % 60)
    }
}

pub(super) fn draw_title(app: &App, place: Rect, buf: &mut Buffer) {
    let theme = &app.setup.theme;
    let Some(view) = app.view() else {
        put(
            buf,
            place,
            place.x + 1,
            place.y,
            "buildx",
            theme.style(Role::Accent),
        );
        return;
    };
    let mark = state_mark(&view.session);
    let x = put(
        buf,
        place,
        place.x + 1,
        place.y,
        &view.name(),
        theme.style(Role::Accent),
    );
    let right = summary(app, view, usize::from(place.right().saturating_sub(x + 1)));
    let begin = put_right(buf, place, x + 1, place.y, &right, theme.style(mark.role()));
    if begin >= place.right() {
        return;
    }
    let builder = view
        .build
        .builder
        .as_ref()
        .map_or("", |(name, _)| name.as_str());
    let room = usize::from(begin.saturating_sub(x)).saturating_sub(4);
    // A rest of a name tells nothing.
    if room < cells(builder).min(8) {
        return;
    }
    let builder = middle(builder, room, theme.ellipsis());
    put(buf, place, x + 2, place.y, &builder, theme.style(Role::Dim));
}

/// The tabs of the strip that are in sight: their columns, and the number of the session, from 0.
pub fn tabs(app: &App, place: Rect) -> Vec<(std::ops::Range<u16>, usize)> {
    let room = strip_room(app, place);
    let at = app
        .order
        .iter()
        .position(|id| Some(id) == app.current.as_ref())
        .unwrap_or(0);
    let widths: Vec<usize> = app
        .sessions()
        .enumerate()
        .map(|(index, view)| cells(&tab(app, index, view)) + 2)
        .collect();
    // The chosen one is always in sight.
    let mut first = 0;
    let before = |first: usize| -> usize {
        let shown = widths.get(first..=at).unwrap_or_default();
        shown.iter().map(|width| width + 1).sum()
    };
    while first < at && before(first) > room {
        first += 1;
    }
    let mut x = place.x;
    let mut shown = Vec::new();
    for (index, width) in widths.iter().enumerate().skip(first) {
        let width = u16::try_from(*width).unwrap_or(u16::MAX);
        let end = x.saturating_add(width);
        if usize::from(end - place.x) > room && index > at {
            break;
        }
        shown.push((x..end, index));
        x = end.saturating_add(1);
    }
    shown
}

fn strip_help(app: &App) -> String {
    format!(
        "{} help",
        app.setup.keymap.key(Action::Help).unwrap_or_default()
    )
}

fn strip_room(app: &App, place: Rect) -> usize {
    usize::from(place.width).saturating_sub(cells(&strip_help(app)) + 1)
}

/// A session in the strip: number, name and state.
fn tab(app: &App, index: usize, view: &View) -> String {
    let theme = &app.setup.theme;
    let session = &view.session;
    let state = match (session.state(), view.percent()) {
        (SessionState::Building, Some(percent)) => format!("{percent}%"),
        _ => format!(
            "{} {}",
            theme.glyph(state_mark(session)),
            state_word(session)
        ),
    };
    format!(
        "{} {} {state}",
        index + 1,
        middle(&view.name(), 16, theme.ellipsis())
    )
}

pub(super) fn draw_strip(app: &App, place: Rect, buf: &mut Buffer) {
    let theme = &app.setup.theme;
    put_right(
        buf,
        place,
        place.x,
        place.y,
        &strip_help(app),
        theme.style(Role::Dim),
    );
    let room = u16::try_from(strip_room(app, place)).unwrap_or(place.width);
    let inside = Rect {
        width: room,
        ..place
    };
    for (columns, index) in tabs(app, place) {
        let Some(view) = app.order.get(index).and_then(|id| app.views.get(id)) else {
            continue;
        };
        let here = app.order.get(index) == app.current.as_ref();
        let text = tab(app, index, view);
        let (text, role) = match here {
            true => (format!("[{text}]"), Role::Accent),
            false => (format!(" {text} "), state_mark(&view.session).role()),
        };
        put(
            buf,
            inside,
            columns.start,
            place.y,
            &text,
            theme.style(role),
        );
    }
}

/// One line, or two: for screens on which nothing else fits.
pub(super) fn one_line(app: &App, area: Rect, buf: &mut Buffer) {
    let theme = &app.setup.theme;
    let Some(view) = app.view() else {
        put(
            buf,
            area,
            area.x,
            area.y,
            "buildx: no session",
            theme.style(Role::Text),
        );
        return;
    };
    let mark = state_mark(&view.session);
    let elapsed = seconds(view.build.elapsed(&view.session, app.now));
    let exit = view
        .build
        .failure()
        .and_then(|failure| failure.process_exit_code);
    let state = match exit {
        Some(code) => format!("exit {code}"),
        None => state_word(&view.session).to_owned(),
    };
    let shell = app
        .shell()
        .filter(|_| app.focus == Pane::Shell && app.class() == Class::Tiny);
    let rest = match shell {
        Some(shell) => pane::shell::short(app, shell),
        None => format!("{state} {elapsed:.0}s"),
    };
    let line = format!("{} {} {rest}", view.name(), theme.glyph(mark));
    let line = match shell {
        Some(_) => middle(&line, usize::from(area.width), theme.ellipsis()),
        None => line,
    };
    put(buf, area, area.x, area.y, &line, theme.style(mark.role()));
}
