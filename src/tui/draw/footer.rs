//! The footer: the keys that make sense now, or a question.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::super::action::{Action, spec_of};
use super::super::app::App;
use super::super::layer::Layer;
use super::super::layout::Pane;
use super::super::pane::text::{cells, fill, put};
use super::super::shell::copy::{COMMANDS, Command, Kind};
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
    if let Some((word, keys)) = app.layer.as_ref().and_then(in_front) {
        let keys = keys.iter().map(|(key, about)| ((*key).to_owned(), *about));
        draw_keys(app, place, word, None, keys.collect(), buf);
        return None;
    }
    let shell = app.focus == Pane::Shell;
    let prefixed = app.prefixed.is_some();
    if shell
        && !prefixed
        && let Some((word, keys)) = scrollback(app).or_else(|| ended(app))
    {
        draw_keys(app, place, word, None, keys, buf);
        return None;
    }
    let word = match (shell, prefixed) {
        (true, false) => "SHELL",
        (true, true) => "PREFIX",
        (false, _) => "NAV",
    };
    let before = (shell && !prefixed).then(|| format!("{} then:", app.setup.keymap.prefix));
    let key = |action| {
        let short = app.called(action).unwrap_or(spec_of(action)?.short);
        Some((app.setup.keymap.key(action)?, short))
    };
    let actions = footer_actions(app).into_iter();
    let actions = actions.filter(|action| app.hindered(*action).is_none());
    let keys = actions.filter_map(key).collect();
    draw_keys(app, place, word, before, keys, buf);
    None
}

/// A word, what is to be pressed before, and keys with what they do, as many as fit. The last two, which lead out and to
/// help, go last.
fn draw_keys(
    app: &App,
    place: Rect,
    word: &str,
    before: Option<String>,
    mut keys: Vec<(String, &str)>,
    buf: &mut Buffer,
) {
    let theme = &app.setup.theme;
    let mut x = put(
        buf,
        place,
        place.x + 1,
        place.y,
        word,
        theme.style(Role::Key),
    ) + 1;
    if let Some(before) = before {
        x = put(buf, place, x, place.y, &before, theme.style(Role::Dim)) + 1;
    }
    let room = usize::from(place.right().saturating_sub(x));
    let width = |(key, about): &(String, &str)| cells(key) + cells(about) + 3;
    while keys.len() > 2 && keys.iter().map(width).sum::<usize>() > room {
        keys.remove(keys.len() - 3);
    }
    for (key, about) in keys {
        let width = cells(&key) + cells(about) + 3;
        if usize::from(place.right().saturating_sub(x)) < width {
            break;
        }
        x = put(buf, place, x, place.y, &key, theme.style(Role::Key)) + 1;
        x = put(buf, place, x, place.y, about, theme.style(Role::Text)) + 2;
    }
}

/// What the keys do in what is in front of the panes, where it does not say so itself.
fn in_front(layer: &Layer) -> Option<(&'static str, &'static [(&'static str, &'static str)])> {
    Some(match layer {
        Layer::Lines(_) => ("READ", &[("j k", "scroll"), ("Esc", "closes")]),
        Layer::Help(_) => (
            "HELP",
            &[
                ("Down Up", "scroll"),
                ("letters", "find"),
                ("Esc", "closes"),
            ],
        ),
        Layer::Pick(_) => (
            "CHOOSE",
            &[
                ("letters", "find"),
                ("Down Up", "choose"),
                ("Enter", "takes it"),
                ("Esc", "closes"),
            ],
        ),
        Layer::Choose(_) => (
            "CHOOSE",
            &[("j k", "choose"), ("Enter", "takes it"), ("Esc", "closes")],
        ),
        Layer::Form(_) => (
            "NEW BUILD",
            &[
                ("Enter", "builds"),
                ("Tab", "goes on"),
                ("Down Up", "field"),
                ("Esc", "closes"),
            ],
        ),
        Layer::Ask { .. } | Layer::Prompt(_) | Layer::Edit(_) => return None,
    })
}

/// What the keys do in the scrollback.
fn scrollback(app: &App) -> Option<(&'static str, Vec<(String, &'static str)>)> {
    use Command as C;
    let copy = app.shell()?.copy.as_ref()?;
    if copy.prompt().is_some() {
        let keys = [("Enter", "search"), ("Esc", "give up"), ("Ctrl-u", "clear")];
        let keys = keys.map(|(key, about)| (key.to_owned(), about));
        return Some(("SEARCH", keys.into()));
    }
    let found = copy.matches().is_some_and(|(_, count)| count > 0);
    let commands: &[C] = match (copy.selecting().is_some(), found) {
        (true, _) => &[C::Copy, C::OtherEnd, C::Back, C::Select(Kind::Rows)],
        (false, true) => &[
            C::NextMatch,
            C::PreviousMatch,
            C::SearchForward,
            C::Select(Kind::Characters),
            C::Copy,
        ],
        (false, false) => &[
            C::SearchForward,
            C::Select(Kind::Characters),
            C::Copy,
            C::Select(Kind::Rows),
        ],
    };
    let key_of = |command: &C| {
        let spec = COMMANDS.iter().find(|spec| spec.command == *command)?;
        Some((spec.shown().next()?, spec.short))
    };
    let mut keys: Vec<_> = commands.iter().filter_map(key_of).collect();
    let last = [C::HalfPageUp, C::HalfPageDown, C::Top, C::Bottom, C::Leave];
    keys.extend(last.iter().filter_map(key_of));
    keys.extend(app.scrollback_help().map(|key| (key.to_string(), "help")));
    Some(("SCROLLBACK", keys))
}

/// What the keys do in a shell whose program has ended.
fn ended(app: &App) -> Option<(&'static str, Vec<(String, &'static str)>)> {
    app.shell().filter(|shell| shell.ended())?;
    let keymap = &app.setup.keymap;
    let behind = [
        Action::ShellFinal,
        Action::ToggleShell,
        Action::Scrollback,
        Action::NextShell,
        Action::Help,
    ];
    let key_of = |action| {
        let key = format!("{} {}", keymap.prefix, keymap.key(action)?);
        Some((key, spec_of(action)?.short))
    };
    let mut keys = vec![("Enter".to_owned(), "closes this pane")];
    let behind = behind.into_iter();
    let behind = behind.filter(|action| app.hindered(*action).is_none());
    keys.extend(behind.filter_map(key_of));
    Some(("ENDED", keys))
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
            A::NextShell,
            A::NextSession,
            A::Zoom,
            A::Scrollback,
            A::NextPane,
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
        Pane::Log if view.log.searching() => vec![
            A::NextMatch,
            A::PrevMatch,
            A::Search,
            A::Filter,
            A::Back,
            A::Copy,
            A::NextPane,
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
