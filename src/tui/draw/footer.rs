//! The footer: the keys that make sense now, or a question.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::super::action::{Action, spec_of};
use super::super::app::App;
use super::super::layer::Layer;
use super::super::layout::Pane;
use super::super::pane::text::{cells, fill, put};
use super::super::theme::Role;
use crate::proto::controller::SessionState;

/// Keys that make sense now, or the question.
pub(super) fn draw_footer(app: &App, place: Rect, buf: &mut Buffer) -> Option<Position> {
    let theme = &app.setup.theme;
    if let Some(Layer::Ask { question, .. }) = &app.layer {
        fill(buf, place, place.y, theme.style(Role::Bar));
        let line = format!(" {question} y/N ");
        put(buf, place, place.x, place.y, &line, theme.style(Role::Bar));
        return None;
    }
    let shell = app.focus == Pane::Shell;
    let word = match (shell, app.prefixed.is_some()) {
        (true, false) => "SHELL",
        (true, true) => "PREFIX",
        (false, _) => "NAV",
    };
    let mut x = put(
        buf,
        place,
        place.x + 1,
        place.y,
        word,
        theme.style(Role::Key),
    ) + 1;
    if shell && app.prefixed.is_none() {
        let text = format!("{} then:", app.setup.keymap.prefix);
        x = put(buf, place, x, place.y, &text, theme.style(Role::Dim)) + 1;
    }
    for action in footer_actions(app) {
        let Some(spec) = spec_of(action) else {
            continue;
        };
        let Some(key) = app.setup.keymap.key(action) else {
            continue;
        };
        let width = cells(&key) + cells(spec.short) + 3;
        if usize::from(place.right().saturating_sub(x)) < width {
            break;
        }
        x = put(buf, place, x, place.y, &key, theme.style(Role::Key)) + 1;
        x = put(buf, place, x, place.y, spec.short, theme.style(Role::Text)) + 2;
    }
    None
}

/// The actions that make sense now, the most used first.
fn footer_actions(app: &App) -> Vec<Action> {
    use Action as A;
    let Some(view) = app.view() else {
        return vec![
            A::NewSession,
            A::AttachId,
            A::CommandLine,
            A::Help,
            A::Detach,
        ];
    };
    let building = view.session.state() == SessionState::Building;
    match app.focus {
        Pane::Shell => vec![
            A::ToggleShell,
            A::NextSession,
            A::Zoom,
            A::Scrollback,
            A::NextPane,
            A::NextShell,
            A::Reload,
            A::Detach,
            A::Help,
        ],
        Pane::Sessions => vec![
            A::Open,
            A::NewSession,
            A::AttachId,
            A::Prune,
            A::NextPane,
            A::Quit,
            A::Detach,
            A::Help,
        ],
        Pane::Log => vec![
            A::Search,
            A::Filter,
            A::WholeLog,
            A::Clock,
            A::Save,
            A::Copy,
            A::NextPane,
            A::Help,
        ],
        _ if building => vec![
            A::Cancel,
            A::NextPane,
            A::Log,
            A::Timeline,
            A::NextSession,
            A::Detach,
            A::Help,
        ],
        _ => vec![
            A::ShellAfter,
            A::NextError,
            A::Happened,
            A::Reload,
            A::Edit,
            A::NextPane,
            A::Zoom,
            A::Detach,
            A::Help,
        ],
    }
}
