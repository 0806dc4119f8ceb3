//! Steps, times and ends of builds in words, for [`super::sentences`].

use std::fmt::Write as _;

use super::settings::Settings;
use super::time::{Nanos, SECOND};
use super::trace::{Step, Trace};
use crate::engine::errors::BuildError;
use crate::term::escape;

/// A step's name, taken apart: `[linux/arm64 build 2/5] RUN make`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name<'a> {
    /// What is done.
    pub what: &'a str,
    /// Stage and platform, as they stand there; may be empty.
    pub place: &'a str,
    /// Which step of how many.
    pub number: Option<(u32, u32)>,
    /// Whether it is one of the engine's own.
    pub internal: bool,
}

impl<'a> Name<'a> {
    /// Takes a name apart. One without a number is all `what`.
    pub fn of(name: &'a str) -> Self {
        let plain = Self {
            what: name,
            place: "",
            number: None,
            internal: false,
        };
        let Some((head, what)) = name.strip_prefix('[').and_then(|rest| rest.split_once(']'))
        else {
            return plain;
        };
        let what = what.trim_start();
        if head == "internal" || head.ends_with(" internal") {
            return Self {
                what,
                internal: true,
                ..plain
            };
        }
        let (place, number) = head.rsplit_once(' ').unwrap_or(("", head));
        let number = number.split_once('/');
        let number = number.and_then(|(at, of)| Some((at.parse().ok()?, of.parse().ok()?)));
        match number {
            Some(number) => Self {
                what,
                place: place.trim(),
                number: Some(number),
                internal: false,
            },
            None => plain,
        }
    }

    /// With everything, as the begin of a sentence: `Step 2 of 5 in build, RUN make,`.
    pub fn long(&self) -> String {
        match self.number {
            Some(_) => format!("{}, {},", self.short(), self.what),
            None => format!("The step \"{}\"", self.what),
        }
    }

    /// Enough to know it again, as the begin of a sentence: `Step 2 of 5 in build`.
    pub fn short(&self) -> String {
        let name = self.within();
        match name.strip_prefix('s') {
            Some(rest) => format!("S{rest}"),
            None => format!("The {}", name.strip_prefix("the ").unwrap_or(&name)),
        }
    }

    /// The same within a sentence: `step 2 of 5 in build`.
    pub fn within(&self) -> String {
        match self.number {
            Some((at, of)) if self.place.is_empty() => format!("step {at} of {of}"),
            Some((at, of)) => format!("step {at} of {of} in {}", self.place),
            None => format!("the step \"{}\"", self.what),
        }
    }
}

/// A span: `0.2 seconds`, `1 second`, `45 seconds`, `2 minutes 5 seconds`, `1 hour 3 minutes`.
pub fn span(span: Nanos) -> String {
    let tenths = span.max(0).saturating_add(SECOND / 20) / (SECOND / 10);
    let seconds = tenths / 10;
    match seconds {
        0..10 if tenths % 10 != 0 => format!("{seconds}.{} seconds", tenths % 10),
        0 => "less than 0.1 seconds".to_owned(),
        1..60 => count(seconds, "second"),
        60..3600 => and(seconds / 60, "minute", seconds % 60, "second"),
        _ => and(seconds / 3600, "hour", seconds % 3600 / 60, "minute"),
    }
}

fn and(large: i64, unit: &str, small: i64, part: &str) -> String {
    match small {
        0 => count(large, unit),
        small => format!("{} {}", count(large, unit), count(small, part)),
    }
}

/// So many of them: `1 step`, `2 steps`.
pub fn count(number: i64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// How a step that is complete has ended, behind its name.
pub fn end(step: &Step) -> String {
    let time = span(step.duration(0));
    if step.canceled() {
        return format!("was canceled after {time}");
    }
    if step.cached {
        return "was cached".to_owned();
    }
    if step.error.is_empty() {
        return format!("has finished after {time}");
    }
    match exit_code(&step.error) {
        Some(code) => format!("has failed with exit code {code} after {time}"),
        None => {
            let why = step.error.trim_end().lines().next().unwrap_or_default();
            format!("has failed after {time}: {why}")
        }
    }
}

/// The exit code that the engine's message ends with.
fn exit_code(error: &str) -> Option<u32> {
    error.trim_end().rsplit_once("exit code: ")?.1.parse().ok()
}

/// The last sentences. `error`: none, it went well. `held`: remarks that only matter then.
pub fn report(
    trace: &Trace,
    settings: &Settings,
    error: Option<&BuildError>,
    hints: &[String],
    held: &[String],
    now: Nanos,
) -> String {
    let mut out = String::new();
    let held = held.iter().filter(|_| error.is_none());
    for remark in settings.complaints.iter().chain(held) {
        let _ = writeln!(out, "Warning: {}", escape::text(remark.as_bytes()));
    }
    for warning in trace.steps.iter().flat_map(|step| &step.warnings) {
        let _ = writeln!(out, "Warning: {}", warning.short);
        if settings.debug {
            for detail in &warning.detail {
                let _ = writeln!(out, "{}", detail.trim_end());
            }
        }
    }
    let time = span(trace.elapsed(now));
    match error {
        None => {
            let steps = trace.steps.iter().filter(|step| !step.hidden);
            let steps = steps.filter(|step| Name::of(&step.name).number.is_some());
            let (all, cached) = steps.fold((0, 0), |(all, cached), step| {
                (all + 1, cached + i64::from(step.cached))
            });
            let of = match all {
                0 => String::new(),
                all => format!(" {cached} of {} cached.", were(all)),
            };
            let _ = writeln!(out, "The build has succeeded after {time}.{of}");
        }
        Some(error) if error.message.ends_with("context canceled") => {
            let _ = writeln!(out, "The build was canceled after {time}.");
        }
        Some(error) => {
            for source in &error.sources {
                if let Some(line) = place(source) {
                    let _ = writeln!(out, "{line}");
                }
            }
            for hint in hints {
                let _ = writeln!(out, "{}", escape::text(hint.as_bytes()));
            }
            let message = escape::text(error.message.as_bytes());
            let _ = writeln!(out, "The build has failed after {time}: {message}.");
        }
    }
    out
}

fn were(all: i64) -> String {
    match all {
        1 => "1 step was".to_owned(),
        all => format!("{all} steps were"),
    }
}

/// The line of a source that led to the failure.
fn place(source: &crate::engine::errors::Source) -> Option<String> {
    let line = source.ranges.iter().map(|range| range.start).min()?;
    let index = usize::try_from(line).ok()?.checked_sub(1)?;
    let text = source.data.split(|byte| *byte == b'\n').nth(index)?;
    let text = escape::text(text.trim_ascii());
    Some(format!(
        "Line {line} of {} is: {text}",
        escape::line(&source.filename)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        let of = |name: &str| (Name::of(name).long(), Name::of(name).short());
        let pair = |long: &str, short: &str| (long.to_owned(), short.to_owned());
        assert_eq!(
            of("[2/5] RUN make"),
            pair("Step 2 of 5, RUN make,", "Step 2 of 5")
        );
        assert_eq!(
            of("[linux/arm64 build 2/5] RUN [ -e x ]"),
            pair(
                "Step 2 of 5 in linux/arm64 build, RUN [ -e x ],",
                "Step 2 of 5 in linux/arm64 build"
            )
        );
        assert_eq!(
            of("exporting to image"),
            pair(
                "The step \"exporting to image\"",
                "The step \"exporting to image\""
            )
        );
        assert_eq!(Name::of("[a/b] x").what, "[a/b] x");
        assert_eq!(Name::of("[2/5").number, None);
        assert_eq!(Name::of("").within(), "the step \"\"");
        assert!(Name::of("[internal] load metadata").internal);
        assert_eq!(Name::of("[internal] load metadata").what, "load metadata");
    }

    #[test]
    fn times_in_words() {
        let ms = |ms: i64| span(ms * 1_000_000);
        assert_eq!(ms(-5), "less than 0.1 seconds");
        assert_eq!(ms(49), "less than 0.1 seconds");
        assert_eq!(ms(50), "0.1 seconds");
        assert_eq!(ms(960), "1 second");
        assert_eq!(ms(1_240), "1.2 seconds");
        assert_eq!(ms(9_990), "10 seconds");
        assert_eq!(ms(59_940), "59 seconds");
        assert_eq!(ms(59_990), "1 minute");
        assert_eq!(ms(125_000), "2 minutes 5 seconds");
        assert_eq!(ms(3_780_000), "1 hour 3 minutes");
        assert_eq!(span(i64::MAX), "2562047 hours 47 minutes");
    }

    #[test]
    fn the_end_of_a_build() {
        use crate::engine::errors::{LineRange, Source};
        use crate::progress::settings::Mode;
        use crate::progress::trace::tests::{message, ms};
        let settings = Settings::resolve(Mode::Plain, |_| None, false).unwrap();
        let mut trace = Trace::new(false);
        trace.apply(
            &message()
                .vertex("[1/2] COPY a /", Some(0), Some(0))
                .cached()
                .vertex("[2/2] RUN make", Some(0), Some(1))
                .warning("[2/2] RUN make", "short")
                .0,
            ms(0),
        );
        let end = |error: Option<&BuildError>, hints: &[String]| {
            let held = ["No output".to_owned()];
            report(&trace, &settings, error, hints, &held, ms(1500))
        };
        assert_eq!(
            end(None, &[]),
            "Warning: No output\nWarning: short\n\
             The build has succeeded after 1.5 seconds. 1 of 2 steps were cached.\n"
        );
        let error = BuildError {
            sources: vec![Source {
                filename: "Docker\x1bfile".into(),
                data: b"FROM a\nRUN make\x07\n".to_vec(),
                ranges: vec![LineRange { start: 2, end: 2 }],
            }],
            ..BuildError::local("it broke".to_owned())
        };
        assert_eq!(
            end(Some(&error), &["Try again.".to_owned()]),
            "Warning: short\nLine 2 of Docker^[file is: RUN make^G\nTry again.\n\
             The build has failed after 1.5 seconds: it broke.\n"
        );
        let canceled = BuildError::canceled();
        assert_eq!(
            end(Some(&canceled), &[]),
            "Warning: short\nThe build was canceled after 1.5 seconds.\n"
        );
    }

    #[test]
    fn exit_codes_in_messages() {
        let message = "process \"/bin/sh -c exit 3\" did not complete successfully: exit code: 3";
        assert_eq!(exit_code(message), Some(3));
        assert_eq!(exit_code("exit code: many"), None);
        assert_eq!(exit_code("no such file"), None);
    }
}
