//! The sidebar: the sessions, then what the chosen one has.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::action::Action;
use super::super::app::{App, state_mark, state_word};
use super::super::session::View;
use super::super::theme::Role;
use super::text::{cells, cut, fill, put, put_right};
use super::{Look, scroll, span};
use crate::proto::controller::SessionState;

mod details;

use details::Line;

/// Cells from which on there is room for the age and the watchers of each session.
const WIDE: u16 = 44;

/// The place in the list.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The first row in sight when a row was pointed at last.
    top: usize,
}

/// How the rows of the pane are used.
struct Plan {
    /// The first session in sight.
    first: usize,
    /// Rows of sessions.
    sessions: usize,
}

/// The session that is pointed at: by keys while the pane has the keyboard, else the chosen one.
fn pointed(app: &App, focused: bool) -> usize {
    let last = app.order.len().saturating_sub(1);
    if focused {
        return app.pointed.min(last);
    }
    let current = app.current.as_ref();
    let at = current.and_then(|id| app.order.iter().position(|known| known == id));
    at.unwrap_or(0)
}

/// The list has what the details leave, but at least half; they have what it leaves.
fn plan(app: &App, focused: bool, height: usize, details: usize) -> Plan {
    let all = app.order.len();
    let sessions = all.min(height.saturating_sub(details).max(height.div_ceil(2)));
    Plan {
        first: scroll::first(app.sidebar.top, pointed(app, focused), all, sessions),
        sessions,
    }
}

/// Which session is in a row of the pane, from 0 beneath its title; by its index in the list. `place` is the pane
/// beneath its title.
pub fn session_at(app: &App, place: Rect, row: u16, focused: bool) -> Option<usize> {
    let details = details::lines(app, place.width).len();
    let plan = plan(app, focused, usize::from(place.height), details);
    let row = usize::from(row);
    let session = plan.first + row;
    (row < plan.sessions && session < app.order.len()).then_some(session)
}

/// Keeps the rows in sight where they are before something else is pointed at.
pub fn hold(app: &mut App, place: Rect, focused: bool) {
    let details = details::lines(app, place.width).len();
    app.sidebar.top = plan(app, focused, usize::from(place.height), details).first;
}

/// Draws the sidebar beneath its title.
pub fn draw(app: &App, area: Rect, buf: &mut Buffer, look: &Look) {
    if app.order.is_empty() {
        empty(area, buf, look);
        return;
    }
    let details = details::lines(app, area.width);
    let plan = plan(app, look.focused, usize::from(area.height), details.len());
    let pointed = pointed(app, look.focused);
    let shown = app
        .sessions()
        .enumerate()
        .skip(plan.first)
        .take(plan.sessions);
    for ((index, view), y) in shown.zip(area.top()..area.bottom()) {
        let place = Rect {
            y,
            height: 1,
            ..area
        };
        session(app, index, view, index == pointed, place, buf, look);
    }
    let used = u16::try_from(plan.sessions)
        .unwrap_or(area.height)
        .min(area.height);
    let mut rest = Rect {
        y: area.y + used,
        height: area.height - used,
        ..area
    };
    // Keys only where nothing is lost for them.
    if usize::from(rest.height) > details.len() + 1 {
        let keys = keys(look, usize::from(area.width));
        put(
            buf,
            rest,
            rest.x + 1,
            rest.y,
            &keys,
            look.theme.style(Role::Dim),
        );
        rest.y += 1;
        rest.height -= 1;
    }
    let count = details.len();
    let fits = count.min(usize::from(rest.height));
    // A heading alone says nothing.
    let fits = match details.get(..fits).unwrap_or_default() {
        [.., Line::Heading { .. }] if fits < count => fits - 1,
        _ => fits,
    };
    for (line, y) in details.iter().take(fits).zip(rest.top()..) {
        line.draw(
            Rect {
                y,
                height: 1,
                ..rest
            },
            buf,
            look,
        );
    }
}

fn session(
    app: &App,
    index: usize,
    view: &View,
    pointed: bool,
    place: Rect,
    buf: &mut Buffer,
    look: &Look,
) {
    let theme = look.theme;
    let session = &view.session;
    let here = app.current.as_deref() == Some(session.id.as_str());
    let mark = state_mark(session);
    let whole = pointed && look.focused;
    let style = match (whole, here) {
        (true, _) => theme.style(Role::Selected),
        (false, true) => theme.style(Role::Marked),
        _ => theme.style(Role::Text),
    };
    if whole {
        fill(buf, place, place.y, style);
    }
    let looks = |role| if whole { style } else { theme.style(role) };
    let pointer = if here { theme.pointer() } else { " " };
    // As wide as the last one, so that names stand below each other.
    let width = app.order.len().to_string().len();
    let number = format!("{pointer}{:>width$} ", index + 1);
    let x = put(buf, place, place.x, place.y, &number, style);
    let time = span::rough(view.build.elapsed(session, look.now));
    // Longer words are rare; names have the room.
    let mut right = format!("{} {:<6} {time:>4}", theme.glyph(mark), state(view));
    if place.width >= WIDE {
        let age = match session.ended {
            0 => String::new(),
            ended => format!(
                "{} ago",
                span::rough(millis(look.now.saturating_sub(ended)))
            ),
        };
        right = format!("{right} {age:>8}");
    }
    let begin = put_right(buf, place, x + 1, place.y, &right, looks(mark.role()));
    let mut room = usize::from(begin.saturating_sub(x + 1));
    let watchers = session.watchers;
    let others = match (watchers > 1, place.width >= WIDE) {
        (false, _) => String::new(),
        (true, true) => format!("{watchers} watch"),
        (true, false) => format!("+{}", watchers - 1),
    };
    // Who else looks on matters less than a name.
    if !others.is_empty() && room >= cells(&others) + 8 {
        let inside = Rect {
            width: begin.saturating_sub(place.x + 1),
            ..place
        };
        let at = put_right(buf, inside, x + 1, place.y, &others, looks(Role::Dim));
        room = usize::from(at.saturating_sub(x + 1));
    }
    let name = cut(&view.name(), room, theme.ellipsis());
    put(buf, place, x, place.y, &name, style);
}

/// A session's state in a word; how far it is while it builds.
fn state(view: &View) -> String {
    match (view.session.state(), view.percent()) {
        (SessionState::Building, Some(percent)) => format!("{percent}%"),
        _ => state_word(&view.session).to_owned(),
    }
}

fn millis(span: i64) -> crate::progress::time::Nanos {
    span.saturating_mul(1_000_000)
}

fn keys(look: &Look, room: usize) -> String {
    let key = |action| look.keymap.key(action).unwrap_or_default();
    let mut line = String::new();
    for (action, word) in [
        (Action::NewSession, "build"),
        (Action::AttachId, "attach"),
        (Action::Prune, "prune"),
    ] {
        let next = format!("{} {word}", key(action));
        if cells(&line) + cells(&next) + 3 > room {
            break;
        }
        if !line.is_empty() {
            line.push_str("  ");
        }
        line.push_str(&next);
    }
    line
}

/// Says what can be done without a session.
fn empty(area: Rect, buf: &mut Buffer, look: &Look) {
    let key = |action| look.keymap.key(action).unwrap_or_default();
    let text = format!(
        "No sessions. Press {} to build a directory, {} to attach, or run: buildx build -t app .",
        key(Action::NewSession),
        key(Action::AttachId)
    );
    let room = usize::from(area.width.saturating_sub(2));
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { break };
        if !line.is_empty() && cells(line) + 1 + cells(word) > room {
            lines.push(word.to_owned());
            continue;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    for (line, y) in lines.iter().zip(area.top()..area.bottom()) {
        put(buf, area, area.x + 1, y, line, look.theme.style(Role::Text));
    }
}

#[cfg(test)]
mod tests;
