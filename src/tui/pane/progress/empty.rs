//! What is said where no step is.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::super::action::Action;
use super::super::super::session::View;
use super::super::super::theme::Role;
use super::super::{Look, span};
use super::say;
use crate::proto::controller::SessionState;
use crate::term::escape;

/// Says why there is no step yet, or none at all, with the last lines about the way to the builder.
pub fn draw(view: &View, area: Rect, buf: &mut Buffer, look: &Look) {
    let theme = look.theme;
    let session = &view.session;
    let builder = match &view.build.builder {
        Some((name, _)) => name.clone(),
        None => escape::line(&session.builder).into_owned(),
    };
    let key = |action| look.keymap.key(action).unwrap_or_default();
    let elapsed = span::exact(view.build.elapsed(session, look.now));
    let line = match session.state() {
        _ if view.build.outcome.is_some() => {
            format!(
                "No step ran. {} tells what happened.",
                key(Action::Happened)
            )
        }
        SessionState::Building if builder.is_empty() => {
            format!("Looking for a builder ({elapsed}){}", theme.ellipsis())
        }
        SessionState::Building => {
            format!(
                "Waiting for builder {builder} ({elapsed}){}",
                theme.ellipsis()
            )
        }
        SessionState::Recoverable => format!(
            "The server died during this build. {} builds it again from the engine's cache.",
            key(Action::Reload)
        ),
        _ => format!("Reading the steps{}", theme.ellipsis()),
    };
    let notes = &view.build.notes;
    let room = usize::from(area.height.saturating_sub(1));
    let notes = notes
        .get(notes.len().saturating_sub(room)..)
        .unwrap_or_default();
    let lines = std::iter::once((Role::Text, line.as_str()));
    let notes = notes.iter().map(|(warning, note)| {
        let role = if *warning { Role::Warn } else { Role::Dim };
        (role, note.as_str())
    });
    for ((role, line), y) in lines.chain(notes).zip(area.top()..area.bottom()) {
        let place = Rect {
            x: area.x + 1.min(area.width),
            width: area.width.saturating_sub(1),
            y,
            height: 1,
        };
        say(line, place, buf, theme.style(role), theme.ellipsis());
    }
}

/// Says why the steps cannot be read.
pub fn trouble(trouble: &str, place: Rect, buf: &mut Buffer, look: &Look) {
    let trouble = escape::line(trouble);
    let line = format!(" steps cannot be read any further: {trouble}");
    say(
        &line,
        place,
        buf,
        look.theme.style(Role::Error),
        look.theme.ellipsis(),
    );
}
