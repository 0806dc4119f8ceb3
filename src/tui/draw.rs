//! The whole screen from the state. Nothing here waits or changes anything.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::action::{Action, spec_of};
use super::app::{App, Link, WHICH, state_mark, state_word, step_label};
use super::layer::{self, Layer};
use super::layout::{Class, Pane};
use super::pane::progress::Counts;
use super::pane::text::{cells, clear, fill, middle, put, put_right};
use super::pane::{self, Look};
use super::session::View;
use super::theme::{Mark, Role};
use crate::progress::time::seconds;
use crate::proto::controller::SessionState;

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
        Class::Tiny if app.focus != Pane::Shell => {
            one_line(app, area, buf);
        }
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
    let empty = app.view().is_none();
    for (pane, place) in &layout.panes {
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
    if empty && app.complete {
        draw_empty(app, area, buf);
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

/// Name, state and steps of a session in a few words.
fn summary(app: &App, view: &View) -> String {
    let session = &view.session;
    let elapsed = seconds(view.build.elapsed(session, app.now));
    let state = state_word(session);
    // Counted when the state changes, so that drawing does not go through the steps.
    let Counts {
        all,
        done,
        cached,
        errors,
        warnings,
    } = view.progress.counts();
    let (done, all) = if all == 0 {
        (session.steps_done as usize, session.steps as usize)
    } else {
        (done, all)
    };
    let steps = &view.build.trace.steps;
    let mut words = vec![state.to_owned()];
    if session.state() == SessionState::Failed
        && let Some(step) = view.build.failed_step().and_then(|step| steps.get(step))
    {
        words.push(format!("at {}", step_label(&step.name)));
    }
    words.push(format!("{done}/{all}"));
    if cached > 0 {
        words.push(format!("{cached} cached"));
    }
    if errors > 0 {
        words.push(format!("{errors} error{}", plural(errors)));
    }
    if warnings > 0 {
        words.push(format!("{warnings} warning{}", plural(warnings)));
    }
    if view.watching {
        words.push("watching".to_owned());
    }
    format!("{}  {}", words.join("  "), clock(elapsed))
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// `00:41.3`, `1:02:03`.
fn clock(seconds: f64) -> String {
    let whole = seconds as u64;
    let (hours, minutes) = (whole / 3600, whole / 60 % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{:02}", whole % 60)
    } else {
        format!("{minutes:02}:{:04.1}", seconds - (minutes * 60) as f64)
    }
}

fn draw_title(app: &App, place: Rect, buf: &mut Buffer) {
    let theme = &app.setup.theme;
    let Some(view) = app.view() else {
        put(
            buf,
            place,
            place.x + 1,
            place.y,
            "buildx",
            theme.style(Role::Accent),
        );
        return;
    };
    let mark = state_mark(&view.session);
    let x = put(
        buf,
        place,
        place.x + 1,
        place.y,
        &view.name(),
        theme.style(Role::Accent),
    );
    let right = summary(app, view);
    let begin = put_right(buf, place, x + 1, place.y, &right, theme.style(mark.role()));
    if begin >= place.right() {
        let words = format!("{} {}", theme.glyph(mark), state_word(&view.session));
        put_right(buf, place, x + 1, place.y, &words, theme.style(mark.role()));
        return;
    }
    let builder = view
        .build
        .builder
        .as_ref()
        .map_or("", |(name, _)| name.as_str());
    let room = usize::from(begin.saturating_sub(x)).saturating_sub(4);
    let builder = middle(builder, room, theme.ellipsis());
    put(buf, place, x + 2, place.y, &builder, theme.style(Role::Dim));
}

/// The tabs of the strip that are in sight: their columns, and the number of the session, from 0.
pub fn tabs(app: &App, place: Rect) -> Vec<(std::ops::Range<u16>, usize)> {
    let room = strip_room(app, place);
    let at = app
        .order
        .iter()
        .position(|id| Some(id) == app.current.as_ref())
        .unwrap_or(0);
    let widths: Vec<usize> = app
        .sessions()
        .enumerate()
        .map(|(index, view)| cells(&tab(app, index, view)) + 2)
        .collect();
    // The chosen one is always in sight.
    let mut first = 0;
    let before = |first: usize| -> usize {
        let shown = widths.get(first..=at).unwrap_or_default();
        shown.iter().map(|width| width + 1).sum()
    };
    while first < at && before(first) > room {
        first += 1;
    }
    let mut x = place.x;
    let mut shown = Vec::new();
    for (index, width) in widths.iter().enumerate().skip(first) {
        let width = u16::try_from(*width).unwrap_or(u16::MAX);
        let end = x.saturating_add(width);
        if usize::from(end - place.x) > room && index > at {
            break;
        }
        shown.push((x..end, index));
        x = end.saturating_add(1);
    }
    shown
}

fn strip_help(app: &App) -> String {
    format!(
        "{} help",
        app.setup.keymap.key(Action::Help).unwrap_or_default()
    )
}

fn strip_room(app: &App, place: Rect) -> usize {
    usize::from(place.width).saturating_sub(cells(&strip_help(app)) + 1)
}

/// A session in the strip: number, name and state.
fn tab(app: &App, index: usize, view: &View) -> String {
    let theme = &app.setup.theme;
    let session = &view.session;
    let state = match session.state() {
        SessionState::Building if session.steps > 0 => {
            format!(
                "{}%",
                session.steps_done.saturating_mul(100) / session.steps
            )
        }
        _ => format!(
            "{} {}",
            theme.glyph(state_mark(session)),
            state_word(session)
        ),
    };
    format!(
        "{} {} {state}",
        index + 1,
        middle(&view.name(), 16, theme.ellipsis())
    )
}

fn draw_strip(app: &App, place: Rect, buf: &mut Buffer) {
    let theme = &app.setup.theme;
    put_right(
        buf,
        place,
        place.x,
        place.y,
        &strip_help(app),
        theme.style(Role::Dim),
    );
    let room = u16::try_from(strip_room(app, place)).unwrap_or(place.width);
    let inside = Rect {
        width: room,
        ..place
    };
    for (columns, index) in tabs(app, place) {
        let Some(view) = app.order.get(index).and_then(|id| app.views.get(id)) else {
            continue;
        };
        let here = app.order.get(index) == app.current.as_ref();
        let text = tab(app, index, view);
        let (text, role) = match here {
            true => (format!("[{text}]"), Role::Accent),
            false => (format!(" {text} "), state_mark(&view.session).role()),
        };
        put(
            buf,
            inside,
            columns.start,
            place.y,
            &text,
            theme.style(role),
        );
    }
}

/// One line, or two: for screens on which nothing else fits.
fn one_line(app: &App, area: Rect, buf: &mut Buffer) {
    let theme = &app.setup.theme;
    let Some(view) = app.view() else {
        put(
            buf,
            area,
            area.x,
            area.y,
            "buildx: no session",
            theme.style(Role::Text),
        );
        return;
    };
    let mark = state_mark(&view.session);
    let elapsed = seconds(view.build.elapsed(&view.session, app.now));
    let exit = view
        .build
        .failure()
        .and_then(|failure| failure.process_exit_code);
    let state = match exit {
        Some(code) => format!("exit {code}"),
        None => state_word(&view.session).to_owned(),
    };
    let line = format!(
        "{} {} {state} {elapsed:.0}s",
        view.name(),
        theme.glyph(mark)
    );
    put(buf, area, area.x, area.y, &line, theme.style(mark.role()));
}

fn draw_empty(app: &App, area: Rect, buf: &mut Buffer) {
    let theme = &app.setup.theme;
    let keys = &app.setup.keymap;
    let lines = [
        "No sessions.".to_owned(),
        String::new(),
        format!(
            "{} builds a directory, {} attaches by id; or in another terminal:",
            keys.key(Action::NewSession).unwrap_or_default(),
            keys.key(Action::AttachId).unwrap_or_default()
        ),
        "    buildx build -t app .".to_owned(),
        "    buildx debug build .".to_owned(),
    ];
    let widest = lines.iter().map(|line| cells(line)).max().unwrap_or(0);
    let x = area.x
        + area
            .width
            .saturating_sub(u16::try_from(widest).unwrap_or(area.width))
            / 2;
    let top = area.y + area.height.saturating_sub(5) / 2;
    for (line, y) in lines.iter().zip(top..) {
        put(buf, area, x, y, line, theme.style(Role::Text));
    }
}

fn draw_lost(app: &App, area: Rect, buf: &mut Buffer) {
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
    let inner = pane::text::window(theme, "no server", widest, lines.len(), area, buf);
    for (line, y) in lines.iter().zip(inner.top()..) {
        put(buf, inner, inner.x, y, line, theme.style(Role::Text));
    }
}

/// Few words, in the corner where least is written: beneath the end of short lines.
fn draw_hint(app: &App, area: Rect, bottom: u16, buf: &mut Buffer) {
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
    let inner = pane::text::window(theme, "welcome", widest, lines.len(), corner, buf);
    for (line, y) in lines.iter().zip(inner.top()..inner.bottom()) {
        put(buf, inner, inner.x, y, line, theme.style(Role::Text));
    }
}

fn draw_toast(app: &App, area: Rect, footer: Option<Rect>, buf: &mut Buffer) {
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
    let mark = if error { Mark::Failed } else { Mark::Ok };
    let line = format!(" {} {text} ", theme.glyph(mark));
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

/// Keys that make sense now, or the question.
fn draw_footer(app: &App, place: Rect, buf: &mut Buffer) -> Option<Position> {
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
