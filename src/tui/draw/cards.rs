//! What lies over the panes without being asked for: nothing yet, a lost server, the welcome, messages.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::action::Action;
use super::super::app::{App, Link};
use super::super::pane::text::{cells, clear, cut, middle, put, window};
use super::super::theme::{Mark, Role};

/// What to press or to type when there is nothing to show, in the middle of `area`.
pub(super) fn draw_empty(app: &App, area: Rect, buf: &mut Buffer) {
    let theme = &app.setup.theme;
    let keys = &app.setup.keymap;
    let key = |action| keys.key(action).unwrap_or_default();
    let mut lines = vec![
        "No sessions.".to_owned(),
        String::new(),
        format!("{} builds a directory", key(Action::NewSession)),
        format!("{} attaches to a session by its id", key(Action::AttachId)),
        String::new(),
        "or in another terminal:".to_owned(),
        "  buildx build -t app .".to_owned(),
        "  buildx debug build .".to_owned(),
    ];
    if lines.len() > usize::from(area.height) {
        lines.retain(|line| !line.is_empty());
    }
    let widest = lines.iter().map(|line| cells(line)).max().unwrap_or(0);
    let half =
        |room: u16, taken: usize| room.saturating_sub(u16::try_from(taken).unwrap_or(room)) / 2;
    let x = area.x + half(area.width, widest);
    let top = area.y + half(area.height, lines.len());
    for (line, y) in lines.iter().zip(top..area.bottom()) {
        let line = cut(line, usize::from(area.width), theme.ellipsis());
        put(buf, area, x, y, &line, theme.style(Role::Text));
    }
}

pub(super) fn draw_lost(app: &App, area: Rect, buf: &mut Buffer) {
    let theme = &app.setup.theme;
    let Link::Lost {
        reason,
        retry,
        tries,
    } = &app.link
    else {
        return;
    };
    let wait = if *retry == i64::MAX {
        "trying now".to_owned()
    } else {
        let seconds = (retry - app.now).max(0) as f64 / 1000.0;
        format!("next try in {seconds:.1} s")
    };
    let lines = [
        crate::term::escape::line(reason).into_owned(),
        format!("tried {tries} times; {wait}"),
        format!(
            "{} leaves; builds and shells live in the server",
            app.setup.keymap.key(Action::Detach).unwrap_or_default()
        ),
    ];
    let widest = lines.iter().map(|line| cells(line)).max().unwrap_or(0);
    let inner = window(theme, "no server", widest, lines.len(), area, buf);
    for (line, y) in lines.iter().zip(inner.top()..) {
        put(buf, inner, inner.x, y, line, theme.style(Role::Text));
    }
}

/// Few words, in the corner where least is written: beneath the end of short lines.
pub(super) fn draw_hint(app: &App, area: Rect, bottom: u16, buf: &mut Buffer) {
    let theme = &app.setup.theme;
    let keys = &app.setup.keymap;
    let key = |action| keys.key(action).unwrap_or_default();
    let lines = [
        format!(
            "{} next pane, {} next session",
            key(Action::NextPane),
            key(Action::NextSession)
        ),
        format!("{} shell in the failed step,", key(Action::ShellAfter)),
        format!("  {} {} back here", keys.prefix, key(Action::ToggleShell)),
        format!(
            "{} next error, {} what happened",
            key(Action::NextError),
            key(Action::Happened)
        ),
        format!(
            "{} all keys, {} leaves",
            key(Action::Help),
            key(Action::Detach)
        ),
    ];
    let widest = lines.iter().map(|line| cells(line)).max().unwrap_or(0);
    let size = |cells: usize, most: u16| u16::try_from(cells).unwrap_or(most).min(most);
    let width = size(widest + 4, area.width);
    let height = size(lines.len() + 2, bottom.saturating_sub(area.y));
    let corner = Rect {
        x: area.right() - width,
        y: bottom - height,
        width,
        height,
    };
    let inner = window(theme, "welcome", widest, lines.len(), corner, buf);
    for (line, y) in lines.iter().zip(inner.top()..inner.bottom()) {
        put(buf, inner, inner.x, y, line, theme.style(Role::Text));
    }
}

pub(super) fn draw_toast(app: &App, area: Rect, footer: Option<Rect>, buf: &mut Buffer) {
    let theme = &app.setup.theme;
    let text = match (&app.stopping, &app.toast) {
        (Some(stopping), _) => {
            let seconds = (stopping.at - app.now).max(0).div_euclid(1000) + 1;
            (
                false,
                format!("stopping the build in {seconds} s; u takes it back"),
            )
        }
        (None, Some(toast)) => (toast.error, toast.text.clone()),
        (None, None) => return,
    };
    let (error, text) = text;
    let bottom = footer.map_or(area.bottom(), |footer| footer.top());
    if bottom <= area.top() + 1 {
        return;
    }
    let text = middle(
        &text,
        usize::from(area.width).saturating_sub(4),
        theme.ellipsis(),
    );
    let line = match error {
        true => format!(" {} {text} ", theme.glyph(Mark::Failed)),
        false => format!(" {text} "),
    };
    let width = u16::try_from(cells(&line)).unwrap_or(area.width);
    let place = Rect {
        x: area.right().saturating_sub(width),
        y: bottom - 1,
        width: width.min(area.width),
        height: 1,
    };
    clear(buf, place);
    let style = theme.style(if error { Role::Error } else { Role::Accent });
    let style = style.add_modifier(ratatui::style::Modifier::REVERSED);
    put(buf, place, place.x, place.y, &line, style);
}
