//! The card of a build that failed: what, why, where, and what to do.

use super::super::super::action::Action;
use super::super::super::app::clause;
use super::super::super::theme::{Mark, Role};
use super::super::dockerfile::{blame, readable};
use super::super::span;
use super::row::Rows;
use super::{Known, Tail, cause, command, exit, label};
use crate::progress::trace::Step;
use crate::progress::units;
use crate::proto::controller::{BuildFailure, LineRange, State};
use crate::term::escape;
use crate::term::width::cells;

/// Source lines that are shown, and lines around the marked ones.
const SOURCE: (usize, usize) = (16, 2);

/// Last lines that are shown.
const LAST: usize = 20;

/// Steps that are named.
const NAMED: usize = 8;

/// Writes the card of a failure.
pub fn write(known: &Known, failure: &BuildFailure, rows: &mut Rows) {
    let build = known.build;
    if failure.refused {
        rows.text(Role::Error, 0, "The build was refused; nothing has run.");
        rows.text(Role::Text, 2, &escape::text(failure.message.as_bytes()));
        hints(failure, rows);
        return;
    }
    let step = build
        .failed_step()
        .and_then(|index| build.trace.steps.get(index));
    let command = command::of_message(&failure.message)
        .or_else(|| step.and_then(|step| command::of_name(&step.name)))
        .unwrap_or_default();
    headline(known, failure, step, rows);
    if let Some(code) = failure.process_exit_code {
        let said = exit::words(
            code,
            exit::Known {
                command: &command,
                lines: &known.tail.lines,
            },
        );
        if let Some(words) = said {
            rows.text(Role::Warn, 2, &format!("{code}: {words}"));
        }
    } else {
        rows.text(Role::Text, 2, &message(failure));
    }
    let cause = cause::find(&known.tail.lines);
    if let Some(index) = cause {
        let number = known.tail.first + index as u64 + 1;
        rows.text(
            Role::Dim,
            0,
            &format!("line {number} looks like the cause:"),
        );
        rows.text(Role::Error, 2, line(known.tail, index).trim_start());
    }
    hints(failure, rows);
    if rows.tight() {
        source(known, failure, rows);
    }
    if !command.is_empty() {
        rows.gap();
        rows.text(Role::Dim, 0, "command:");
        rows.text(Role::Accent, 2, &command);
    }
    if !rows.tight() {
        source(known, failure, rows);
    }
    keys(known, failure, rows);
    others(known, rows);
    last_lines(known, cause, rows);
}

fn headline(known: &Known, failure: &BuildFailure, step: Option<&Step>, rows: &mut Rows) {
    let glyph = known.look.theme.glyph(Mark::Failed);
    let what = step.map_or_else(|| "the build".to_owned(), |step| label(&step.name));
    let how = match failure.process_exit_code {
        Some(code) => format!("exit code {code}"),
        None if step.is_none() && ran(known) => "outside of its steps".to_owned(),
        None if step.is_none() => "before a step ran".to_owned(),
        None => "no process of it ended".to_owned(),
    };
    let after = step.map_or_else(String::new, |step| {
        let now = known.build.clock(known.session, known.look.now);
        let clock = known.build.trace.clock(step, now);
        format!(" after {}", span::exact(step.duration(clock)))
    });
    let headline = match (failure.process_exit_code, step) {
        (None, Some(_)) => format!("{glyph} {what} failed{after}"),
        _ => format!("{glyph} {what} failed: {how}{after}"),
    };
    rows.text(Role::Error, 0, &headline);
}

/// Whether a step other than those that prepare the build has begun, or was cached.
fn ran(known: &Known) -> bool {
    let mut steps = known.build.trace.steps.iter();
    steps.any(|step| {
        !step.hidden && (step.started() || step.cached) && !step.name.starts_with("[internal]")
    })
}

fn line(tail: &Tail, index: usize) -> &str {
    tail.lines.get(index).map_or("", |line| line.trim_end())
}

/// The engine's message without the frames around it.
fn message(failure: &BuildFailure) -> String {
    let text = escape::text(failure.message.as_bytes());
    match text.trim() {
        "" => "The engine does not say why.".to_owned(),
        text => text.to_owned(),
    }
}

fn hints(failure: &BuildFailure, rows: &mut Rows) {
    for hint in &failure.hints {
        rows.text(
            Role::Warn,
            0,
            &format!("hint: {}", escape::text(hint.as_bytes())),
        );
    }
}

/// The lines of the source that led to the failure.
fn source(known: &Known, failure: &BuildFailure, rows: &mut Rows) {
    let excerpt = failure
        .sources
        .iter()
        .find(|source| !source.ranges.is_empty());
    let place = known.build.places.get(&failure.vertex);
    let (name, data, ranges) = match (excerpt, place) {
        (Some(source), _) => (&source.filename, &source.data, &source.ranges),
        (None, Some((file, ranges))) => match known.build.files.get(*file) {
            Some(file) => (&file.name, &file.data, ranges),
            None => return,
        },
        (None, None) => return,
    };
    let Some(first) = ranges.iter().map(|range| range.start).min() else {
        return;
    };
    rows.gap();
    rows.text(Role::Dim, 0, &format!("{}:{first}", escape::line(name)));
    let (from, count) = window(ranges, if rows.tight() { 0 } else { SOURCE.1 });
    let data = data.strip_suffix(b"\n").unwrap_or(data);
    let lines = data.split(|byte| *byte == b'\n').enumerate();
    let mut message = match failure.process_exit_code {
        None => Some(failure.message.as_str()),
        Some(_) => None,
    };
    for (index, bytes) in lines.skip(from).take(count) {
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let marked = ranges
            .iter()
            .any(|range| (range.start..=range.end.max(range.start)).contains(&number));
        let (role, pointer) = match marked {
            true => (Role::Text, known.look.theme.pointer()),
            false => (Role::Dim, " "),
        };
        let text = readable(bytes);
        rows.cut(role, format!("{pointer} {number:>4}  {text}"));
        let word = message
            .filter(|_| marked)
            .and_then(|message| blame::word(message, &text));
        if let Some(word) = word {
            message = None;
            let before = cells(text.get(..word.start).unwrap_or_default());
            let width = cells(text.get(word).unwrap_or_default());
            let carets = "^".repeat(width);
            rows.cut(Role::Error, format!("{:8}{:before$}{carets}", "", ""));
        }
    }
}

/// The first line from 0 that is shown, and how many, with so many around them.
fn window(ranges: &[LineRange], around: usize) -> (usize, usize) {
    let first = ranges.iter().map(|range| range.start).min().unwrap_or(1);
    let last = ranges.iter().map(|range| range.end).max().unwrap_or(1);
    let from = (first as usize).saturating_sub(1 + around);
    let to = (last.max(first) as usize).saturating_add(around);
    (from, (to - from).min(SOURCE.0))
}

/// What can be done now.
fn keys(known: &Known, failure: &BuildFailure, rows: &mut Rows) {
    rows.gap();
    let state = failure.state();
    let mut actions = Vec::new();
    if state == State::Unspecified {
        if !failure.no_state.is_empty() {
            let why = clause(&escape::line(&failure.no_state));
            rows.text(Role::Warn, 0, &format!("no shell in it: {why}"));
        }
    } else if known.session.kept_until == 0 && known.session.processes == 0 {
        let why = match known.session.reason.as_str() {
            "" => "nothing of the build is kept",
            reason => reason,
        };
        let why = clause(&escape::line(why));
        rows.text(Role::Warn, 0, &format!("no shell in it: {why}"));
    } else {
        actions.push((Action::ShellAfter, "shell in the failed step"));
        actions.push((Action::ShellBefore, "in the state before it"));
    }
    if known.build.failed_step().is_some() {
        actions.push((Action::Log, "its log"));
    }
    let steps = &known.build.trace.steps;
    if steps
        .iter()
        .any(|step| step.failed() || !step.warnings.is_empty())
    {
        actions.push((Action::NextError, "next error"));
    }
    if !known.build.files.is_empty() {
        actions.push((Action::Edit, "edit the Dockerfile"));
    }
    actions.push((Action::Reload, "build again"));
    let words: Vec<String> = actions
        .into_iter()
        .filter_map(|(action, about)| Some(format!("{} {about}", known.look.keymap.key(action)?)))
        .collect();
    rows.items(Role::Key, &words);
}

/// The steps that did not end because of it.
fn others(known: &Known, rows: &mut Rows) {
    let steps = &known.build.trace.steps;
    let canceled: Vec<&Step> = steps
        .iter()
        .filter(|step| !step.hidden && step.canceled())
        .collect();
    if !canceled.is_empty() {
        rows.gap();
        let words = match canceled.len() {
            1 => "1 other step was canceled by it:".to_owned(),
            count => format!("{count} other steps were canceled by it:"),
        };
        rows.text(Role::Dim, 0, &words);
        for step in canceled.iter().take(NAMED) {
            rows.cut(Role::Text, format!("  {}", step.name));
        }
        if canceled.len() > NAMED {
            rows.cut(Role::Dim, format!("  and {} more", canceled.len() - NAMED));
        }
    }
    let waiting = steps
        .iter()
        .filter(|step| !step.hidden && !step.started() && !step.cached && !step.failed())
        .count();
    if waiting > 0 {
        let steps = units::count(waiting, "step");
        rows.text(Role::Dim, 0, &format!("{steps} did not run"));
    }
}

fn last_lines(known: &Known, cause: Option<usize>, rows: &mut Rows) {
    let lines = &known.tail.lines;
    let whole = known.tail.first == 0 && lines.is_empty();
    rows.gap();
    if whole {
        if known.tail.complete {
            rows.text(Role::Dim, 0, "It printed nothing.");
        }
        return;
    }
    let mut folded = cause::fold(lines, 0..lines.len());
    let shown = folded.split_off(folded.len().saturating_sub(LAST));
    rows.text(Role::Dim, 0, "the last lines:");
    for (index, count) in shown {
        let role = if Some(index) == cause {
            Role::Error
        } else {
            Role::Text
        };
        let text = line(known.tail, index);
        match count {
            1 => rows.cut(role, format!("  {text}")),
            count => rows.cut(role, format!("  {text}  ({count} times)")),
        }
    }
}
