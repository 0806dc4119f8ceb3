//! The terminal of the shown tab.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::super::app::{App, step_label};
use super::super::shell::copy::Styles;
use super::super::shell::screen::{self, Cursor};
use super::super::shell::{Kind, Shell};
use super::super::theme::Role;
use super::Look;
use super::text::put;
use crate::progress::units::count;
use crate::proto::controller::{Process, State};
use crate::term::escape;

/// Draws the screen; gives the place of the cursor.
pub fn draw(
    app: &App,
    shell: &Shell,
    area: Rect,
    buf: &mut Buffer,
    look: &Look,
) -> Option<Position> {
    let theme = look.theme;
    if !shell.ready {
        let line = match shell.end_words() {
            Some(words) => words,
            None => "starting...".to_owned(),
        };
        put(buf, area, area.x, area.y, &line, theme.style(Role::Dim));
        return None;
    }
    let (shown, cursor, from, marks) = match &shell.copy {
        Some(copy) => {
            let (row, column) = copy.cursor();
            let styles = Styles {
                selection: theme.style(Role::Selected),
                found: theme.style(Role::Match),
                current: theme.style(Role::MatchHere),
            };
            let cursor = Cursor::At(row, column);
            (copy.screen(), cursor, copy.corner, copy.marks(&styles))
        }
        None => (shell.terminal.screen(), Cursor::Program, (0, 0), Vec::new()),
    };
    let look = screen::Look {
        cursor,
        from,
        depth: app.setup.depth,
        outside: Some((if theme.ascii { '.' } else { '·' }, theme.style(Role::Dim))),
    };
    let painted = screen::paint(shown, area, buf, &look);
    screen::mark(&painted, area, buf, &marks);
    let ended = shell.ended();
    painted.cursor.map(|(place, _)| place).filter(|_| !ended)
}

/// The title: left and right part.
pub fn title(app: &App, _look: &Look) -> (String, String) {
    let Some(shell) = app.shell() else {
        return ("shell".to_owned(), String::new());
    };
    if let Some(copy) = &shell.copy {
        let (row, rows) = copy.position();
        let mut right = format!("scrollback {row}/{rows}");
        if let Some(prompt) = copy.prompt() {
            let sign = if prompt.backward { '?' } else { '/' };
            right = format!("{sign}{}  {right}", prompt.text);
        } else if let Some(found) = copy.matches() {
            let found = match found {
                (_, 0) => "no match".to_owned(),
                (Some(at), count) => format!("match {at}/{count}"),
                (None, count) => format!("match -/{count}"),
            };
            right = format!("{found}  {right}");
        }
        return (name(app, shell), right);
    }
    let mut right = Vec::new();
    if shell.terminal.offset() > 0 {
        right.push(format!("{} back", count(shell.terminal.offset(), "line")));
    }
    if shell.ended() {
        right.push(place(app, shell));
        return (short(app, shell), right.join("  "));
    }
    let mut left = short(app, shell);
    if let (Kind::Process { platform, .. }, info) = (&shell.kind, &shell.info) {
        if let Some(info) = info {
            left.push_str(&circumstances(info));
        }
        if let Some(platform) = platform {
            left = format!("{left}  {platform}");
        }
    }
    if shell.clients.len() > 1 {
        right.push(format!("{} clients", shell.clients.len()));
    }
    if shell.read_only {
        right.push("watch only".to_owned());
    }
    (left, right.join("  "))
}

/// Its name and number, and the most important about it: how it ended, or where it runs.
pub fn short(app: &App, shell: &Shell) -> String {
    let name = name(app, shell);
    match shell.end_words() {
        // What never began has its words in the pane.
        Some(_) if !shell.ready => format!("{name}: could not be started; Enter closes"),
        Some(words) => format!("{name}: {words}; Enter closes"),
        None => format!("{name}: {}", place(app, shell)),
    }
}

/// `shell`, with its number where there are several.
fn name(app: &App, shell: &Shell) -> String {
    let tabs: Vec<_> = app.tabs(&shell.session).map(|other| other.tab).collect();
    let number = tabs.iter().position(|tab| *tab == shell.tab).unwrap_or(0) + 1;
    match tabs.len() {
        0 | 1 => "shell".to_owned(),
        count => format!("shell {number}/{count}"),
    }
}

/// Where it runs: which state, or this machine.
fn place(app: &App, shell: &Shell) -> String {
    let Kind::Process { init, .. } = &shell.kind else {
        return format!("{} (this machine)", shell.label());
    };
    let info = shell.info.as_ref();
    let before = *init || info.is_some_and(|info| info.state() == State::Before);
    let step = info
        .map(|info| escape::line(&info.step).into_owned())
        .unwrap_or_default();
    let view = app.views.get(&shell.session);
    let failed = view.is_some_and(|view| view.build.failure().is_some());
    let state = match (before, step.is_empty(), failed) {
        (true, ..) => "before",
        (false, false, _) => "failed state of",
        (false, true, true) => "failed state",
        (false, true, false) => "result",
    };
    match step.is_empty() {
        true => state.to_owned(),
        false => format!("{state} {}", step_label(&step)),
    }
}

/// As whom it runs, where, and with what.
fn circumstances(info: &Process) -> String {
    let user = match info.user.as_str() {
        "" => "root",
        user => user,
    };
    let (user, directory) = (escape::line(user), escape::line(&info.directory));
    let mut words = format!("  {user}@{directory}");
    let lists = [
        ("net ", info.network.clone()),
        ("mounts: ", info.mounts.join(", ")),
        ("not carried: ", info.not_carried.join("; ")),
    ];
    for (name, list) in lists.iter().filter(|(_, list)| !list.is_empty()) {
        words = format!("{words}  {name}{}", escape::line(list));
    }
    words
}

#[cfg(test)]
mod tests;
