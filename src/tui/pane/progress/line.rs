//! One row of the steps.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::super::session::View;
use super::super::super::theme::{Mark, Role, Theme};
use super::super::text::{cells, cut, fill, put, put_right};
use super::super::{Look, span};
use super::{bar, clock, ended, mark};
use crate::progress::time::{Nanos, seconds};
use crate::progress::trace::{Status, Step};
use crate::progress::units;

/// Cells that a name has at least, before anything else is left out.
const NAME: usize = 16;

/// Cells of the bar of a part, and the least.
const BAR: (usize, usize) = (20, 6);

/// Draws a step; `more`: it stands for as many others.
pub fn step(
    view: &View,
    id: usize,
    more: usize,
    here: bool,
    place: Rect,
    buf: &mut Buffer,
    look: &Look,
) {
    let Some(step) = view.build.trace.steps.get(id) else {
        return;
    };
    let theme = look.theme;
    let mark = mark(step, ended(view));
    let whole = look.focused && here;
    let style = match (here, look.focused) {
        (true, true) => theme.style(Role::Selected),
        (true, false) => theme.style(Role::Marked),
        _ if mark == Mark::Waiting => theme.style(Role::Dim),
        _ => theme.style(Role::Text),
    };
    let looks = |role| if whole { style } else { theme.style(role) };
    if whole {
        fill(buf, place, place.y, style);
    }
    let pointer = if here { theme.pointer() } else { " " };
    let x = put(buf, place, place.x, place.y, pointer, style);
    let x = put(
        buf,
        place,
        x,
        place.y,
        theme.glyph(mark),
        looks(mark.role()),
    ) + 1;
    let time = duration(view, step, more, look.now);
    let words = state(view, step, mark, time);
    let room = usize::from(place.right().saturating_sub(x));
    // On a narrow pane a name is worth more than how it went in words: glyph and colour say it too.
    let (long, short) = (words.join("  "), words.last().cloned().unwrap_or_default());
    let right = if room > NAME + cells(&long) {
        long
    } else {
        short
    };
    let begin = put_right(buf, place, x + 2, place.y, &right, looks(mark.role()));
    let mut inside = Rect {
        width: begin.saturating_sub(place.x + 1),
        ..place
    };
    if !step.warnings.is_empty() {
        let count = step.warnings.len();
        let text = format!("{}{count}", theme.glyph(Mark::Warning));
        let begin = put_right(buf, inside, x + 2, place.y, &text, looks(Role::Warn));
        inside.width = begin.saturating_sub(place.x + 1);
    }
    if more > 0 {
        let text = format!("+{more} internal");
        let begin = put_right(buf, inside, x + 8, place.y, &text, looks(Role::Dim));
        inside.width = begin.saturating_sub(place.x + 1);
    }
    let room = usize::from(inside.right().saturating_sub(x));
    let name = cut(&step.name, room, theme.ellipsis());
    put(buf, inside, x, place.y, &name, style);
}

fn duration(view: &View, step: &Step, more: usize, now: i64) -> Nanos {
    match view.progress.rows.folded {
        Some(folded) if more > 0 => folded,
        _ => step.duration(view.build.trace.clock(step, clock(view, now))),
    }
}

/// How a step is, in words; the last one is the shortest that can stand alone.
fn state(view: &View, step: &Step, mark: Mark, time: Nanos) -> Vec<String> {
    let time = span::exact(time);
    match mark {
        Mark::Cached => vec!["CACHED".to_owned()],
        Mark::Waiting if ended(view) => vec!["not run".to_owned()],
        Mark::Waiting => Vec::new(),
        Mark::Failed => {
            let word = match exit(view, step) {
                Some(code) => format!("ERROR exit {code}"),
                None => "ERROR".to_owned(),
            };
            vec![word, time]
        }
        Mark::Canceled => vec!["canceled".to_owned(), time],
        Mark::Running => match parts(step) {
            Some(parts) => vec![parts, time],
            None => vec![time],
        },
        _ => vec![time],
    }
}

/// How many of a step's parts are complete, if there are several.
fn parts(step: &Step) -> Option<String> {
    let all = step.statuses.len();
    let done = step.statuses.iter().filter(|part| part.completed.is_some());
    (all > 1).then(|| format!("{}/{all} parts", done.count()))
}

/// Exit code of the program of a step that failed.
pub fn exit(view: &View, step: &Step) -> Option<u32> {
    let failure = view.build.failure();
    let failure = failure.filter(|failure| failure.vertex == step.digest);
    failure
        .and_then(|failure| failure.process_exit_code)
        .or_else(|| {
            let (_, code) = step.error.rsplit_once("exit code: ")?;
            code.trim().parse().ok()
        })
}

/// Draws a part of a running step: how far, how fast, how long yet.
pub fn part(view: &View, id: usize, part: usize, place: Rect, buf: &mut Buffer, look: &Look) {
    let Some(step) = view.build.trace.steps.get(id) else {
        return;
    };
    let Some(part) = step.statuses.get(part) else {
        return;
    };
    let theme = look.theme;
    let now = view.build.trace.clock(step, clock(view, look.now));
    let x = place.x + 5;
    let room = usize::from(place.right().saturating_sub(x));
    let right = amounts(part, now, room.saturating_sub(NAME + 1));
    let style = theme.style(Role::Dim);
    let begin = put_right(buf, place, x, place.y, &right, style);
    let room = usize::from(begin.saturating_sub(x + 1));
    let width = room.saturating_sub(NAME + 1).min(BAR.0);
    let mut name = room;
    if part.total > 0 && width >= BAR.1 {
        let done = part.current.clamp(0, part.total);
        // In percent first, so that huge numbers do no harm.
        let done = (done as f64 / part.total as f64 * 100.0) as usize;
        let bar = bar(theme, done, 100, width);
        let at = begin.saturating_sub(u16::try_from(width).unwrap_or(0) + 1);
        put(buf, place, at, place.y, &bar, theme.style(Role::Running));
        name = room - width - 1;
    }
    put(
        buf,
        place,
        x,
        place.y,
        &part_name(theme, &part.id, name),
        style,
    );
}

/// The name of a part, with a digest cut to what tells it apart.
fn part_name(theme: &Theme, id: &str, room: usize) -> String {
    let short: Vec<&str> = id
        .split(' ')
        .map(|word| match word.split_once("sha256:") {
            Some((_, hex)) if hex.len() == 64 => hex.get(..12).unwrap_or(hex),
            _ => word,
        })
        .collect();
    cut(&short.join(" "), room, theme.ellipsis())
}

/// `12.00MB / 45.60MB  3.20MB/s  10s left`, as much of it as has room.
fn amounts(part: &Status, now: Nanos, room: usize) -> String {
    let amount = units::amount(part.current.max(0), part.total.max(0));
    let active = part
        .started
        .map_or(0, |start| now.saturating_sub(start).max(0));
    if amount.is_empty() {
        return span::exact(active);
    }
    let mut words = vec![amount];
    let elapsed = seconds(active);
    // The average of a moment is noise.
    if elapsed >= 0.3 && part.current > 0 {
        let rate = part.current as f64 / elapsed;
        words.push(format!("{}/s", units::bytes(rate as i64)));
        let left = part.total.saturating_sub(part.current);
        if left > 0 && rate > 0.0 {
            let left = (left as f64 / rate * 1e9) as Nanos;
            words.push(format!("{} left", span::short(left)));
        }
    }
    while words.len() > 1 && cells(&words.join("  ")) > room {
        words.pop();
    }
    words.join("  ")
}
