//! The whole screen from the state. Nothing here waits or changes anything.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::app::{App, Link, WHICH};
use super::layer::{self, Layer};
use super::layout::{Class, Pane};
use super::pane::text::{middle, put, put_right};
use super::pane::{self, Look};
use super::theme::Role;

mod bars;
mod cards;
mod footer;

pub use bars::tabs;
use bars::{draw_strip, draw_title, one_line};
use cards::{draw_empty, draw_hint, draw_lost, draw_toast};
use footer::draw_footer;

/// Draws everything.
pub fn draw(app: &App, frame: &mut Frame) {
    let area = frame.area();
    let cursor = draw_into(app, area, frame.buffer_mut());
    if let Some(cursor) = cursor {
        frame.set_cursor_position(cursor);
    }
}

/// Draws everything into a buffer; gives the place of the cursor.
pub fn draw_into(app: &App, area: Rect, buf: &mut Buffer) -> Option<Position> {
    let layout = app.layout();
    let theme = &app.setup.theme;
    let mut cursor = None;
    match layout.class {
        Class::Line => {
            one_line(app, area, buf);
            return None;
        }
        Class::Tiny => one_line(app, area, buf),
        _ => {}
    }
    if let Some(strip) = layout.strip {
        draw_strip(app, strip, buf);
    }
    if let Some(title) = layout.title
        && layout.class > Class::Tiny
    {
        draw_title(app, title, buf);
    }
    for rule in &layout.rules {
        for y in rule.top()..rule.bottom() {
            put(
                buf,
                *rule,
                rule.x,
                y,
                theme.vertical(),
                theme.style(Role::Border),
            );
        }
    }
    let empty = app.view().is_none() && app.complete;
    for (pane, place) in &layout.panes {
        // Panes of a session say nothing without one.
        if empty && !matches!(pane, Pane::Sessions | Pane::Shell) {
            continue;
        }
        let look = Look {
            theme,
            keymap: &app.setup.keymap,
            focused: *pane == app.focus && app.layer.is_none(),
            now: app.now,
            zone: &app.setup.zone,
        };
        let inner = if layout.class > Class::Tiny {
            border(app, *pane, *place, buf, &look)
        } else {
            *place
        };
        let here = match (pane, app.view()) {
            (Pane::Sessions, _) => {
                pane::sessions::draw(app, inner, buf, &look);
                None
            }
            (Pane::Shell, _) => app
                .shell()
                .and_then(|shell| pane::shell::draw(app, shell, inner, buf, &look)),
            (_, None) => None,
            (Pane::Progress, Some(view)) => {
                pane::progress::draw(view, inner, buf, &look);
                None
            }
            (Pane::Timeline, Some(view)) => {
                pane::timeline::draw(view, inner, buf, &look);
                None
            }
            (Pane::Happened, Some(view)) => {
                pane::happened::draw(view, inner, buf, &look);
                None
            }
            (Pane::Dockerfile, Some(view)) => {
                pane::dockerfile::draw(view, inner, buf, &look);
                None
            }
            (Pane::Log, Some(view)) => {
                pane::log::draw(view, inner, buf, &look);
                None
            }
        };
        if *pane == app.focus {
            cursor = here;
        }
    }
    if empty {
        let panes = layout.panes.iter();
        let others = panes.filter(|(pane, _)| !matches!(pane, Pane::Sessions | Pane::Shell));
        if let Some(place) = others.map(|(_, place)| *place).reduce(Rect::union) {
            draw_empty(app, place, buf);
        }
    }
    if let Some(footer) = layout.footer {
        let at = draw_footer(app, footer, buf);
        cursor = at.or(cursor);
    }
    if let Link::Lost { .. } = app.link {
        draw_lost(app, area, buf);
        cursor = None;
    }
    if app.hint && app.layer.is_none() {
        let bottom = layout.footer.map_or(area.bottom(), |footer| footer.y);
        draw_hint(app, area, bottom, buf);
    }
    if app.layer.is_none() && app.prefixed.is_some_and(|since| app.now - since >= WHICH) {
        let bottom = layout.footer.map_or(area.bottom(), |footer| footer.y);
        layer::which::draw(app, area, bottom, buf);
    }
    if let Some(layer) = &app.layer {
        let at = layer.draw(app, area, layout.footer, buf);
        cursor = match layer {
            Layer::Ask { .. } => cursor,
            _ => at,
        };
    }
    if !app.layer.as_ref().is_some_and(Layer::covers_toasts) {
        draw_toast(app, area, layout.footer, buf);
    }
    cursor
}

/// The title row of a pane; gives what is beneath it.
fn border(app: &App, pane: Pane, place: Rect, buf: &mut Buffer, look: &Look) -> Rect {
    let theme = look.theme;
    let focused = pane == app.focus;
    let style = theme.style(if focused {
        Role::BorderFocus
    } else {
        Role::Border
    });
    for x in place.left()..place.right() {
        put(buf, place, x, place.y, theme.horizontal(), style);
    }
    let (left, right) = match (pane, app.view()) {
        (Pane::Shell, _) => pane::shell::title(app, look),
        (Pane::Log, Some(view)) => pane::log::title(view, look),
        (Pane::Dockerfile, Some(view)) => pane::dockerfile::title(view, look),
        (Pane::Timeline, Some(view)) => pane::timeline::title(view, look),
        (Pane::Happened, Some(view)) => pane::happened::title(view, look),
        (Pane::Progress, Some(view)) => pane::progress::title(view, look),
        (pane, _) => (pane.title().to_owned(), String::new()),
    };
    let room = usize::from(place.width.saturating_sub(4));
    let left = middle(&left, room, theme.ellipsis());
    let inside = Rect {
        x: place.x + 2.min(place.width),
        width: place.width.saturating_sub(3),
        ..place
    };
    let style = if focused {
        style
    } else {
        theme.style(Role::Text)
    };
    let x = put(buf, inside, inside.x, place.y, &format!(" {left} "), style);
    if !right.is_empty() {
        put_right(
            buf,
            inside,
            x + 1,
            place.y,
            &format!(" {right} "),
            theme.style(Role::Dim),
        );
    }
    Rect {
        y: place.y + 1.min(place.height),
        height: place.height.saturating_sub(1),
        ..place
    }
}
