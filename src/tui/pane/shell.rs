//! The terminal of the shown tab.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::super::app::App;
use super::super::shell::Shell;
use super::Look;

/// Draws the screen; gives the place of the cursor.
pub fn draw(shell: &Shell, area: Rect, buf: &mut Buffer, look: &Look) -> Option<Position> {
    let _ = (shell, area, buf, look);
    None
}

/// The title: left and right part.
pub fn title(app: &App, _look: &Look) -> (String, String) {
    let Some(shell) = app.shell() else {
        return ("shell".to_owned(), String::new());
    };
    (shell.label(), shell.end_words().unwrap_or_default())
}
