//! The strip that says what the keys behind the prefix do, once it has been pressed and nothing followed.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::action::{ACTIONS, Action, Scope};
use super::super::app::App;
use super::super::pane::text::{cells, clear, middle, put};
use super::super::theme::Role;

/// Columns of a key with its word.
const COLUMN: u16 = 20;

/// Draws it in the rows above `bottom`.
pub fn draw(app: &App, area: Rect, bottom: u16, buf: &mut Buffer) {
    let theme = &app.setup.theme;
    let keymap = &app.setup.keymap;
    let columns = (area.width / COLUMN).max(1);
    let mut entries: Vec<(String, &str)> = vec![(keymap.prefix.to_string(), "send it")];
    for scope in [Scope::Shell, Scope::Everywhere] {
        for spec in ACTIONS.iter().filter(|spec| spec.scope == scope) {
            match (spec.action, keymap.key(spec.action)) {
                (Action::Session(2..), _) | (_, None) => {}
                (_, Some(key)) => entries.push((key, spec.short)),
            }
        }
    }
    // Half of the screen at most: what the keys are about has to stay in sight.
    let most = (bottom.saturating_sub(area.y) / 2).max(1);
    let wanted = entries.len().div_ceil(usize::from(columns));
    let height = u16::try_from(wanted + 1).unwrap_or(most).min(most);
    let place = Rect {
        y: bottom.saturating_sub(height),
        height,
        ..area
    };
    clear(buf, place);
    for x in place.left()..place.right() {
        put(
            buf,
            place,
            x,
            place.y,
            theme.horizontal(),
            theme.style(Role::BorderFocus),
        );
    }
    let title = format!(" {} then ", keymap.prefix);
    put(
        buf,
        place,
        place.x + 2,
        place.y,
        &title,
        theme.style(Role::BorderFocus),
    );
    let rows = usize::from(height.saturating_sub(1));
    if rows == 0 {
        return;
    }
    for (index, (key, word)) in entries.iter().enumerate() {
        let column = u16::try_from(index / rows).unwrap_or(u16::MAX);
        if column >= columns {
            break;
        }
        let x = place.x + 1 + column * COLUMN;
        let y = place.y + 1 + u16::try_from(index % rows).unwrap_or(0);
        let inside = Rect {
            width: (x + COLUMN - 1).min(place.right()).saturating_sub(place.x),
            ..place
        };
        let end = put(buf, inside, x, y, key, theme.style(Role::Key)) + 1;
        let room = usize::from(COLUMN - 1).saturating_sub(cells(key) + 1);
        put(
            buf,
            inside,
            end,
            y,
            &middle(word, room, theme.ellipsis()),
            theme.style(Role::Text),
        );
    }
}
