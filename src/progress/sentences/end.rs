//! The last sentences of a build: how it ended, why, and what can be done about it.

use std::fmt::Write as _;

use super::words::{self, Label};
use crate::engine::errors::{BuildError, Source};
use crate::progress::name::{Belongs, belongs};
use crate::progress::settings::Settings;
use crate::progress::trace::{Trace, Warning};
use crate::progress::units;
use crate::term::escape;

/// Lines of a source that are read out, at most.
const MAX_LINES: u32 = 20;

/// How a build ended.
#[derive(Debug, Clone, Copy)]
pub enum End<'a> {
    /// It went well; these remarks matter then.
    Finished(&'a [String]),
    /// It failed: why, and what to do about it, a line each.
    Failed(&'a BuildError, &'a [String]),
    /// The user stopped it.
    Canceled,
}

/// The end of the output.
pub fn text(trace: &Trace, settings: &Settings, end: End<'_>) -> String {
    let mut out = String::new();
    let remarks = match end {
        End::Finished(remarks) => remarks,
        End::Failed(..) | End::Canceled => &[],
    };
    for remark in settings.complaints.iter().chain(remarks) {
        let remark = escape::text(remark.as_bytes());
        let _ = writeln!(out, "Warning: {}", words::closed(&remark));
    }
    warnings(trace, settings.debug, &mut out);
    let took = after(trace);
    match end {
        End::Finished(_) => {
            let _ = writeln!(out, "The build succeeded{took}{}.", counted(trace));
        }
        End::Canceled => {
            let _ = writeln!(out, "The build was canceled{took}.");
        }
        End::Failed(error, hints) => {
            let step = error.vertex.as_deref().and_then(|id| trace.find(id));
            let place = step.map_or_else(String::new, |step| {
                format!(" in {}", Label::of(&step.name).object())
            });
            let _ = writeln!(out, "The build failed{took}{place}.");
            for source in &error.sources {
                lines(source, &mut out);
            }
            let message = escape::text(error.message.as_bytes());
            let _ = writeln!(out, "The cause: {}", words::closed(message.trim_end()));
            for hint in hints {
                let _ = writeln!(out, "{}", escape::text(hint.as_bytes()));
            }
        }
    }
    out
}

/// ` after 1.2 seconds`, from the begin of the first step to the end of the last one: a build can be told long after
/// it was. Empty if nothing ended.
fn after(trace: &Trace) -> String {
    let periods = || {
        let steps = trace.steps.iter().filter(|step| !step.local);
        steps.flat_map(|step| step.periods())
    };
    let first = periods().map(|period| period.start).min();
    let last = periods().filter_map(|period| period.stop).max();
    match (first, last) {
        (Some(first), Some(last)) => format!(" after {}", words::span(last.saturating_sub(first))),
        _ => String::new(),
    }
}

/// `: 6 steps, 4 of them cached`, of the Dockerfile's.
fn counted(trace: &Trace) -> String {
    let steps = trace.order.iter().filter_map(|id| trace.steps.get(*id));
    let steps = steps.filter(|step| matches!(belongs(&step.name), Belongs::Stage { .. }));
    let (all, cached) = steps.fold((0, 0), |(all, cached), step| {
        (all + 1, cached + u64::from(step.cached))
    });
    let all_of = units::count(all, "step");
    match (all, cached) {
        (0, _) => String::new(),
        (_, 0) => format!(": {all_of}"),
        (1, _) => format!(": {all_of}, cached"),
        (_, cached) if cached == all => format!(": {all_of}, all of them cached"),
        _ => format!(": {all_of}, {cached} of them cached"),
    }
}

/// Each has been said when it came: here is their number, and with `-D` what there is to know.
fn warnings(trace: &Trace, debug: bool, out: &mut String) {
    let all: Vec<&Warning> = trace.steps.iter().flat_map(|s| &s.warnings).collect();
    if all.is_empty() {
        return;
    }
    let number = match all.len() {
        1 => "There was 1 warning".to_owned(),
        more => format!("There were {more} warnings"),
    };
    if !debug {
        let _ = writeln!(out, "{number}; with -D you hear more about them.");
        return;
    }
    let _ = writeln!(out, "{number}.");
    for warning in all {
        let _ = writeln!(out, "{}", words::closed(&warning.short));
        for detail in &warning.detail {
            let _ = writeln!(out, "{}", detail.trim_end());
        }
        if !warning.url.is_empty() {
            let _ = writeln!(out, "More about it: {}", warning.url);
        }
        if let Some(source) = &warning.source {
            lines(source, out);
        }
    }
}

/// The lines of a source that are meant: `Line 8 of Dockerfile: RUN make.`
fn lines(source: &Source, out: &mut String) {
    let all: Vec<&[u8]> = source.data.split(|b| *b == b'\n').collect();
    let count = u32::try_from(all.len()).unwrap_or(u32::MAX);
    let first = source.ranges.iter().map(|r| r.start).min();
    let last = source.ranges.iter().map(|r| r.end.max(r.start)).max();
    let (Some(first @ 1..), Some(last)) = (first, last) else {
        return;
    };
    if first > count {
        return;
    }
    let last = last.min(count);
    let line = |number: u32| {
        let line = all.get(number as usize - 1).copied().unwrap_or_default();
        escape::text(line.strip_suffix(b"\r").unwrap_or(line))
    };
    let file = escape::line(&source.filename);
    if first == last {
        let text = line(first);
        let _ = writeln!(
            out,
            "Line {first} of {file}: {}",
            words::closed(text.trim())
        );
        return;
    }
    let _ = writeln!(out, "Lines {first} to {last} of {file}:");
    let shown = last.min(first.saturating_add(MAX_LINES - 1));
    for number in first..=shown {
        let _ = writeln!(out, "{}", line(number));
    }
    if shown < last {
        let more = units::count(last - shown, "more line");
        let _ = writeln!(out, "And {more}.");
    }
}
