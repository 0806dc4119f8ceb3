//! The cards of builds that run, went well, or were stopped.

use super::super::super::action::Action;
use super::super::super::theme::{Mark, Role};
use super::super::span;
use super::row::Rows;
use super::{Known, label};
use crate::progress::time::Nanos;
use crate::progress::trace::{Step, StepId};
use crate::progress::units;
use crate::proto::controller::{Canceled, Finished, SessionState};
use crate::term::escape;

/// Steps that are named.
const NAMED: usize = 20;

/// Steps of which the time is told.
const LONGEST: usize = 5;

/// Lines of notes that are shown.
const NOTES: usize = 5;

/// Entries of the engine's answer that are shown, and cells of each.
const ANSWER: (usize, usize) = (12, 200);

/// What runs now.
pub fn running(known: &Known, rows: &mut Rows) {
    let build = known.build;
    let theme = known.look.theme;
    let session = known.session;
    if session.state() != SessionState::Building {
        ended_without_outcome(known, rows);
        return;
    }
    let running: Vec<(StepId, &Step)> = build
        .trace
        .steps
        .iter()
        .enumerate()
        .filter(|(_, step)| !step.hidden && step.running())
        .collect();
    let failed = build.trace.steps.iter().filter(|step| step.failed());
    for step in failed.take(NAMED) {
        rows.text(
            Role::Error,
            0,
            &format!("{} {} failed", theme.glyph(Mark::Failed), step.name),
        );
    }
    if running.is_empty() {
        let words = match &build.builder {
            _ if build.trace.steps.is_empty() => waiting_for(known),
            _ => "Between two steps.".to_owned(),
        };
        rows.text(Role::Text, 0, &words);
    } else {
        let words = match running.len() {
            1 => "1 step runs:".to_owned(),
            count => format!("{count} steps run:"),
        };
        rows.text(Role::Dim, 0, &words);
        for (index, step) in running.iter().take(NAMED) {
            let glyph = theme.glyph(Mark::Running);
            rows.step(Role::Running, format!("{glyph} {}", step.name), *index);
        }
        if running.len() > NAMED {
            rows.cut(Role::Dim, format!("  and {} more", running.len() - NAMED));
        }
    }
    notes(known, rows);
    warnings(known, rows);
}

fn waiting_for(known: &Known) -> String {
    match &known.build.builder {
        Some((builder, _)) => format!("Waiting for builder {builder}."),
        None if known.session.builder.is_empty() => "Looking for a builder.".to_owned(),
        None => format!(
            "Waiting for builder {}.",
            escape::line(&known.session.builder)
        ),
    }
}

/// There is no build, or its end was not recorded.
fn ended_without_outcome(known: &Known, rows: &mut Rows) {
    if let Some(trouble) = &known.build.trouble {
        rows.text(
            Role::Warn,
            0,
            &format!("Its trace cannot be read: {}", escape::line(trouble)),
        );
    }
    let reason = escape::line(&known.session.reason);
    if known.session.state() == SessionState::Recoverable {
        rows.text(Role::Warn, 0, "The server died during this build.");
        if let Some(key) = known.look.keymap.key(Action::Reload) {
            let words = format!("{key} builds again; what was done is in the engine's cache.");
            rows.text(Role::Text, 0, &words);
        }
    }
    if !reason.is_empty() {
        rows.text(Role::Text, 0, &reason);
    }
    if rows.rows.is_empty() {
        rows.text(Role::Dim, 0, "Nothing has happened yet.");
    }
}

fn notes(known: &Known, rows: &mut Rows) {
    let notes = &known.build.notes;
    if notes.is_empty() {
        return;
    }
    rows.gap();
    for (warning, line) in notes.iter().skip(notes.len().saturating_sub(NOTES)) {
        let role = if *warning { Role::Warn } else { Role::Dim };
        rows.text(role, 0, line);
    }
}

/// Who stopped it, and what ran then.
pub fn canceled(known: &Known, canceled: &Canceled, rows: &mut Rows) {
    let by = escape::line(&canceled.by);
    let glyph = known.look.theme.glyph(Mark::Canceled);
    let words = match by.as_ref() {
        "" => format!("{glyph} Canceled by the client that started it."),
        by => format!("{glyph} Canceled by {by}."),
    };
    rows.text(Role::Warn, 0, &words);
    let steps = &known.build.trace.steps;
    let stopped: Vec<(StepId, &Step)> = steps
        .iter()
        .enumerate()
        .filter(|(_, step)| !step.hidden && (step.canceled() || step.running()))
        .collect();
    if !stopped.is_empty() {
        rows.gap();
        rows.text(Role::Dim, 0, "what ran then:");
        for (index, step) in stopped.iter().take(NAMED) {
            rows.step(Role::Text, format!("  {}", step.name), *index);
        }
    }
    rows.gap();
    if let Some(key) = known.look.keymap.key(Action::Reload) {
        rows.text(
            Role::Key,
            0,
            &format!("{key} builds again; what is done is cached"),
        );
    }
}

/// How it went: times, cache, sizes, outputs, warnings, and what to do next.
pub fn finished(known: &Known, finished: &Finished, rows: &mut Rows) {
    let build = known.build;
    let elapsed = build.elapsed(known.session, known.look.now);
    let glyph = known.look.theme.glyph(Mark::Ok);
    let headline = format!("{glyph} Finished in {}.", span::exact(elapsed));
    rows.text(Role::Ok, 0, &headline);
    cache(known, rows);
    outputs(known, finished, rows);
    sizes(known, rows);
    longest(known, rows);
    warnings(known, rows);
    if !build.remarks.is_empty() {
        rows.gap();
        for remark in &build.remarks {
            rows.text(Role::Warn, 0, remark);
        }
    }
    rows.gap();
    let keys = [
        (Action::ShellAfter, "shell in the result"),
        (Action::Timeline, "timeline"),
        (Action::Reload, "build again"),
    ];
    let words: Vec<String> = keys
        .into_iter()
        .filter_map(|(action, about)| Some(format!("{} {about}", known.look.keymap.key(action)?)))
        .collect();
    rows.items(Role::Key, &words);
}

fn time(known: &Known, step: &Step) -> Nanos {
    let now = known.build.clock(known.session, known.look.now);
    step.duration(known.build.trace.clock(step, now))
}

/// Whether a step is written in the Dockerfile rather than made by frontend or exporter.
fn written(step: &Step) -> bool {
    !step.hidden && step.name.starts_with('[') && !step.name.starts_with("[internal]")
}

fn cache(known: &Known, rows: &mut Rows) {
    let steps = known.build.trace.steps.iter().filter(|step| written(step));
    let (mut all, mut cached, mut spent) = (0_usize, 0_usize, 0);
    for step in steps {
        all += 1;
        match step.cached {
            true => cached += 1,
            false => spent += time(known, step),
        }
    }
    if all == 0 {
        return;
    }
    let words = match all - cached {
        0 => format!("cache: {cached} of {all} steps, nothing had to run"),
        1 => format!(
            "cache: {cached} of {all} steps; the other took {}",
            span::exact(spent)
        ),
        ran => format!(
            "cache: {cached} of {all} steps; the other {ran} took {} together",
            span::exact(spent)
        ),
    };
    rows.text(Role::Text, 0, &words);
}

fn outputs(known: &Known, finished: &Finished, rows: &mut Rows) {
    let response = &finished.response;
    let short = |text: &str| -> String {
        let text = escape::line(text);
        text.chars().take(ANSWER.1).collect()
    };
    rows.gap();
    let names = response.get("image.name").map_or("", String::as_str);
    for name in names
        .split(',')
        .filter(|name| !name.is_empty())
        .take(ANSWER.0)
    {
        rows.text(Role::Accent, 0, &format!("image {}", short(familiar(name))));
    }
    for (key, word) in [
        ("containerimage.digest", "digest"),
        ("containerimage.config.digest", "config"),
    ] {
        if let Some(digest) = response.get(key) {
            rows.text(Role::Text, 0, &format!("{word} {}", short(digest)));
        }
    }
    let other: std::collections::BTreeMap<&String, &String> = response
        .iter()
        .filter(|(key, value)| {
            !key.starts_with("containerimage") && *key != "image.name" && value.len() <= ANSWER.1
        })
        .collect();
    for (key, value) in other.into_iter().take(ANSWER.0) {
        rows.text(Role::Dim, 0, &format!("{} {}", short(key), short(value)));
    }
    let first = names.split(',').next().map(familiar).unwrap_or_default();
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "._-/:@".contains(letter);
    if !first.is_empty() && first.chars().all(plain) && local(known) {
        rows.text(Role::Text, 0, &format!("next: docker run --rm -it {first}"));
    }
}

/// The name as people write it.
fn familiar(name: &str) -> &str {
    let name = name.strip_prefix("docker.io/").unwrap_or(name);
    name.strip_prefix("library/").unwrap_or(name)
}

/// Whether the image is where `docker run` finds it.
fn local(known: &Known) -> bool {
    let docker = known
        .build
        .builder
        .as_ref()
        .is_some_and(|(_, driver)| driver == "docker");
    docker
        || known
            .arguments
            .iter()
            .any(|word| word == "--load" || word == "--push")
}

/// What was moved: the context, pulled and exported bytes.
fn sizes(known: &Known, rows: &mut Rows) {
    let mut lines = Vec::new();
    for step in &known.build.trace.steps {
        let kind = if step.name.starts_with("exporting") {
            "exported"
        } else if step.name.contains("load build context") {
            "context"
        } else {
            continue;
        };
        let bytes = step
            .statuses
            .iter()
            .map(|status| status.current.max(0))
            .fold(0_i64, i64::saturating_add);
        if bytes > 0 {
            lines.push(format!("{kind} {}", units::bytes(bytes)));
        }
    }
    if !lines.is_empty() {
        rows.text(Role::Text, 0, &format!("moved: {}", lines.join(", ")));
    }
}

fn longest(known: &Known, rows: &mut Rows) {
    let steps = known.build.trace.steps.iter().enumerate();
    let mut took: Vec<(Nanos, StepId, &Step)> = steps
        .filter(|(_, step)| !step.hidden && !step.cached && step.started())
        .map(|(index, step)| (time(known, step), index, step))
        .collect();
    took.sort_unstable_by_key(|(time, index, _)| (std::cmp::Reverse(*time), *index));
    if took.len() < 2 {
        return;
    }
    rows.gap();
    rows.text(Role::Dim, 0, "the longest steps:");
    for (_, index, step) in took.into_iter().take(LONGEST) {
        rows.step(Role::Text, format!("  {}", step.name), index);
    }
}

fn warnings(known: &Known, rows: &mut Rows) {
    let steps = known.build.trace.steps.iter().enumerate();
    let all =
        steps.flat_map(|(id, step)| step.warnings.iter().map(move |warning| (id, step, warning)));
    let count = all.clone().count();
    if count == 0 {
        return;
    }
    rows.gap();
    rows.text(
        Role::Warn,
        0,
        &format!("{}:", units::count(count, "warning")),
    );
    for (id, step, warning) in all.take(NAMED) {
        rows.about = Some(id);
        let line = warning
            .source
            .as_ref()
            .and_then(|source| Some((&source.filename, source.ranges.first()?.start)));
        let place = match line {
            Some((file, line)) => format!("{}:{line}", escape::line(file)),
            None => label(&step.name),
        };
        let glyph = known.look.theme.glyph(Mark::Warning);
        rows.text(
            Role::Warn,
            0,
            &format!("{glyph} {place}  {}", warning.short),
        );
        if !warning.url.is_empty() {
            rows.text(Role::Dim, 2, &warning.url);
        }
    }
    rows.about = None;
}
