//! The sidebar: the sessions, then what the chosen one has.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::app::App;
use super::super::theme::Role;
use super::Look;
use super::text::{fill, middle, put, put_right};

/// Draws the sidebar beneath its title.
pub fn draw(app: &App, area: Rect, buf: &mut Buffer, look: &Look) {
    let theme = look.theme;
    for ((index, view), y) in app.sessions().enumerate().zip(area.top()..area.bottom()) {
        let session = &view.session;
        let here = app.current.as_deref() == Some(session.id.as_str());
        let pointed = look.focused && index == app.pointed;
        let mark = crate::tui::app::state_mark(session);
        let style = if pointed {
            theme.style(Role::Selected)
        } else {
            theme.style(Role::Text)
        };
        let pointer = if here { theme.pointer() } else { " " };
        let right = format!(
            "{} {}",
            theme.glyph(mark),
            crate::tui::app::state_word(session)
        );
        if pointed {
            fill(buf, area, y, style);
        }
        let room = usize::from(area.width).saturating_sub(right.chars().count() + 5);
        let name = middle(&view.name(), room, theme.ellipsis());
        let left = format!("{pointer}{} {name}", index + 1);
        let x = put(buf, area, area.x, y, &left, style);
        let style = if pointed {
            style
        } else {
            theme.style(mark.role())
        };
        put_right(buf, area, x, y, &right, style);
    }
}
