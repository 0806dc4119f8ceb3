//! What the chosen session has, the most important first: what it does, its shells, its targets, who uses it, where it is
//! built.

use std::collections::BTreeMap;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::super::app::{App, state_mark};
use super::super::super::session::View;
use super::super::super::shell::Shell;
use super::super::super::theme::{Mark, Role};
use super::super::Look;
use super::super::text::{cells, cut, middle, put, put_right};
use crate::proto::controller::{Client, Process, State};
use crate::term::escape;

/// Rows of one kind that are shown.
const MOST: usize = 8;

/// A row beneath the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Begins a part.
    Heading {
        /// What it is about.
        left: String,
        /// More about it.
        right: String,
    },
    /// Something that the session has.
    Item {
        /// It is the one that is shown.
        here: bool,
        /// How it is.
        mark: Option<Mark>,
        /// What it is.
        left: String,
        /// More about it.
        right: String,
    },
}

impl Line {
    fn item(left: impl Into<String>, right: impl Into<String>) -> Self {
        Self::Item {
            here: false,
            mark: None,
            left: left.into(),
            right: right.into(),
        }
    }

    /// Draws it in one row.
    pub fn draw(&self, place: Rect, buf: &mut Buffer, look: &Look) {
        let theme = look.theme;
        match self {
            Self::Heading { left, right } => {
                let border = theme.style(Role::Border);
                for x in place.left()..place.right() {
                    put(buf, place, x, place.y, theme.horizontal(), border);
                }
                let room = usize::from(place.width).saturating_sub(cells(right) + 8);
                let left = format!(" {} ", middle(left, room, theme.ellipsis()));
                let x = put(
                    buf,
                    place,
                    place.x + 2,
                    place.y,
                    &left,
                    theme.style(Role::Text),
                );
                if !right.is_empty() {
                    let inside = Rect {
                        width: place.width.saturating_sub(1),
                        ..place
                    };
                    let right = format!(" {right} ");
                    put_right(buf, inside, x, place.y, &right, theme.style(Role::Dim));
                }
            }
            Self::Item {
                here,
                mark,
                left,
                right,
            } => {
                let style = theme.style(if *here { Role::Marked } else { Role::Text });
                let pointer = if *here { theme.pointer() } else { " " };
                let mut x = put(buf, place, place.x, place.y, pointer, style);
                if let Some(mark) = mark {
                    x = put(
                        buf,
                        place,
                        x,
                        place.y,
                        theme.glyph(*mark),
                        theme.style(mark.role()),
                    ) + 1;
                }
                let inside = Rect {
                    width: place.width.saturating_sub(1),
                    ..place
                };
                let end = match right.is_empty() {
                    true => inside.right(),
                    // What does not fit beside at least some of the name is left out.
                    false => put_right(buf, inside, x + 6, place.y, right, theme.style(Role::Dim)),
                };
                let gap = u16::from(end < inside.right());
                let room = usize::from(end.saturating_sub(x + gap));
                put(
                    buf,
                    place,
                    x,
                    place.y,
                    &cut(left, room, theme.ellipsis()),
                    style,
                );
            }
        }
    }
}

/// What the chosen session has, for a pane of this many columns.
pub fn lines(app: &App, width: u16) -> Vec<Line> {
    let Some(view) = app.view() else {
        return Vec::new();
    };
    let session = &view.session;
    let mut lines = vec![Line::Heading {
        left: view.name(),
        right: kept(view, app.now),
    }];
    let word = if session.reason.is_empty() {
        &session.doing
    } else {
        &session.reason
    };
    let room = usize::from(width).saturating_sub(2);
    let ellipsis = app.setup.theme.ellipsis();
    if !word.is_empty() {
        lines.push(Line::item(middle(&escape::line(word), room, ellipsis), ""));
    }
    part(&mut lines, "shells", shells(app, view));
    part(&mut lines, "targets", targets(view));
    part(&mut lines, "clients", clients(view));
    let builder = match &view.build.builder {
        Some((builder, driver)) => (builder.clone(), driver.clone()),
        None => (escape::line(&session.builder).into_owned(), String::new()),
    };
    let told = view.inspected.as_ref().map(|told| told.directory.as_str());
    let context = match (session.context.as_str(), told) {
        // Whose directory that was is what is worth to know.
        (".", Some(directory)) if !directory.is_empty() => directory,
        (context, _) => context,
    };
    let context = escape::line(context);
    let mut place = Vec::new();
    if !builder.0.is_empty() {
        place.push(Line::item(builder.0, builder.1));
    }
    if !context.is_empty() {
        place.push(Line::item(middle(&context, room, ellipsis), ""));
    }
    part(&mut lines, "builder and context", place);
    lines
}

fn part(lines: &mut Vec<Line>, title: &str, items: Vec<Line>) {
    if items.is_empty() {
        return;
    }
    lines.push(Line::Heading {
        left: title.to_owned(),
        right: String::new(),
    });
    let more = items.len().saturating_sub(MOST);
    lines.extend(items.into_iter().take(MOST));
    if more > 0 {
        lines.push(Line::item(format!("+{more} more"), ""));
    }
}

/// How long the state is kept open yet.
fn kept(view: &View, now: i64) -> String {
    match view.session.kept_until {
        0 => String::new(),
        until if until <= now => "kept no longer".to_owned(),
        // Rounded up: the last minute is one too.
        until => format!("kept {} min", (until - now + 59_999) / 60_000),
    }
}

/// The tabs of this screen, then what others run.
fn shells(app: &App, view: &View) -> Vec<Line> {
    let id = view.session.id.as_str();
    let shown = app.shown.get(id);
    let mut lines: Vec<Line> = app
        .tabs(id)
        .zip(1..)
        .map(|(shell, number): (&Shell, usize)| {
            let right = match (&shell.info, shell.end_short()) {
                (_, Some(end)) => end,
                (Some(info), None) => what(info),
                (None, None) if !shell.ready => "starting".to_owned(),
                (None, None) => String::new(),
            };
            Line::Item {
                here: shown == Some(&shell.tab),
                mark: None,
                left: format!("{number} {}", shell.label()),
                right,
            }
        })
        .collect();
    let mine = |process: &Process| {
        let id = Some(process.id.as_str());
        app.tabs(&view.session.id)
            .any(|shell| shell.process.as_deref() == id)
    };
    let processes = view.inspected.iter().flat_map(|told| &told.processes);
    let others = processes.filter(|process| process.ended == 0 && !mine(process));
    lines.extend(others.map(|process| {
        let words = escape::line(&process.arguments.join(" ")).into_owned();
        let who = process.clients.iter().find(|client| !client.read_only);
        let right = match who {
            Some(client) => terminal(client),
            None => what(process),
        };
        Line::item(format!("- {words}"), right)
    }));
    lines
}

/// The state that a process sees, in few words: `after build 3/4`.
fn what(process: &Process) -> String {
    let step = escape::line(&process.step);
    let step = crate::progress::name::label(&step);
    let platform = escape::line(&process.platform);
    match (process.state(), step.is_empty()) {
        (State::Before, _) => format!("before {step}"),
        (_, false) => format!("after {step}"),
        (_, true) => platform.into_owned(),
    }
}

/// The target, and how each platform is.
fn targets(view: &View) -> Vec<Line> {
    let target = view
        .inspected
        .as_ref()
        .and_then(|told| target(&told.arguments));
    let target = target.map(|target| escape::line(target).into_owned());
    let name = target.unwrap_or_default();
    let known = view.progress.platforms();
    let told = view.inspected.iter().flat_map(|told| &told.platforms);
    let told = told.map(|platform| {
        (
            escape::line(platform).into_owned(),
            state_mark(&view.session),
        )
    });
    let all: Vec<(String, Mark)> = if known.is_empty() {
        told.collect()
    } else {
        known.to_vec()
    };
    let item = |(platform, mark): (String, Mark)| {
        let (left, right) = match name.is_empty() {
            true => (platform, String::new()),
            false => (name.clone(), platform),
        };
        Line::Item {
            here: false,
            mark: Some(mark),
            left,
            right,
        }
    };
    if all.is_empty() && !name.is_empty() {
        return vec![item((String::new(), state_mark(&view.session)))];
    }
    all.into_iter().map(item).collect()
}

/// The value of the last `--target`.
fn target(arguments: &[String]) -> Option<&str> {
    let apart = arguments
        .iter()
        .zip(arguments.iter().skip(1))
        .filter(|(flag, _)| *flag == "--target")
        .map(|(_, value)| value.as_str());
    let joined = arguments
        .iter()
        .filter_map(|word| word.strip_prefix("--target="));
    apart.chain(joined).last()
}

/// Each client once, with what it does.
fn clients(view: &View) -> Vec<Line> {
    let mut known: BTreeMap<(bool, u32, String), (bool, bool)> = BTreeMap::new();
    for client in view.inspected.iter().flat_map(|told| &told.clients) {
        let other = client.pid != std::process::id();
        let key = (other, client.pid, terminal(client));
        let (writes, attached) = known.entry(key).or_default();
        *attached |= !client.process.is_empty();
        *writes |= !client.process.is_empty() && !client.read_only;
    }
    known
        .into_iter()
        .map(|((other, _, terminal), (writes, attached))| {
            let who = if other { terminal } else { "you".to_owned() };
            let does = match (writes, attached) {
                (true, _) => "in a shell",
                (false, true) => "looks on",
                (false, false) => "watches",
            };
            Line::item(who, does)
        })
        .collect()
}

/// `pts/4` of `/dev/pts/4`; the process id of a client without a terminal.
fn terminal(client: &Client) -> String {
    if client.terminal.is_empty() {
        return format!("pid {}", client.pid);
    }
    let name = escape::line(&client.terminal);
    name.strip_prefix("/dev/").unwrap_or(&name).to_owned()
}
