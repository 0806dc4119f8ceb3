//! What is said after the last step: failed steps with the end of their logs, warnings, the lines of the Dockerfile
//! that led to the failure, hints, and one `ERROR:` line.

use std::fmt::Write as _;

use super::log::TAIL;
use super::settings::{Kind, Settings};
use super::trace::{Trace, Warning};
use super::units;
use crate::engine::errors::{BuildError, Source};
use crate::term::escape;

/// Log lines of a failed step for printers that have shown the whole log already.
const LAST_LINES: usize = 10;

/// Lines of a source excerpt, at most.
const MAX_EXCERPT: u32 = 100;

/// The end of the output for a build that failed, was cancelled (`error` None for both: it went well), as text.
/// `held`: remarks that only matter after success.
pub fn text(
    trace: &Trace,
    settings: &Settings,
    error: Option<&BuildError>,
    hints: &[String],
    held: &[String],
) -> String {
    let mut out = String::new();
    let silent = settings.kind == Kind::Quiet;
    if !silent {
        failed_steps(trace, settings, &mut out);
        if settings.kind == Kind::Tty {
            clipped(trace, &mut out);
        }
        let held = held.iter().filter(|_| error.is_none());
        for remark in settings.complaints.iter().chain(held) {
            let _ = writeln!(out, "WARNING: {}", escape::text(remark.as_bytes()));
        }
        warnings(trace, settings, &mut out);
    }
    if let Some(error) = error {
        for source in &error.sources {
            out.push_str(&excerpt(source));
        }
        for hint in hints {
            let _ = writeln!(out, "{}", escape::text(hint.as_bytes()));
        }
        let message = escape::text(error.message.as_bytes());
        let _ = writeln!(out, "ERROR: failed to build: failed to solve: {message}");
    }
    out
}

fn failed_steps(trace: &Trace, settings: &Settings, out: &mut String) {
    let steps = trace.order.iter().filter_map(|id| trace.steps.get(*id));
    for step in steps.filter(|s| s.failed()) {
        let _ = writeln!(out, "------\n > {}:", step.name);
        let lines = match settings.kind {
            Kind::Tty => TAIL,
            _ => LAST_LINES,
        };
        let skip = step.log.tail().count().saturating_sub(lines);
        for line in step.log.tail().skip(skip) {
            let _ = write!(out, "{} {}", units::log_time(line.time), line.text);
            // A kept line can have been cut within its colours.
            if line.text.contains('\x1b') {
                out.push_str("\x1b[0m");
            }
            out.push('\n');
        }
        out.push_str("------\n");
    }
}

/// The live tree has no room for these sentences.
fn clipped(trace: &Trace, out: &mut String) {
    let steps = trace.order.iter().filter_map(|id| trace.steps.get(*id));
    for step in steps.filter(|s| !s.missing.is_empty()) {
        for sentence in &step.missing {
            let _ = writeln!(out, "{}: {sentence}", step.name);
        }
    }
}

fn warnings(trace: &Trace, settings: &Settings, out: &mut String) {
    let all: Vec<&Warning> = trace.steps.iter().flat_map(|s| &s.warnings).collect();
    if all.is_empty() {
        return;
    }
    let hint = match settings.debug {
        true => "",
        false => " (use -D to expand)",
    };
    let title = format!("{} found{hint}:", units::count(all.len(), "warning"));
    let _ = match settings.colour {
        true => writeln!(out, "\n \x1b[{}m{title}\x1b[0m", settings.palette.warning),
        false => writeln!(out, "\n {title}"),
    };
    for warning in all {
        let _ = writeln!(out, " - {}", warning.short);
        if settings.debug {
            for detail in &warning.detail {
                let _ = writeln!(out, "{}", detail.trim_end());
            }
            if !warning.url.is_empty() {
                let _ = writeln!(out, "More info: {}", warning.url);
            }
            if let Some(source) = &warning.source {
                out.push_str(&excerpt(source));
            }
            out.push('\n');
        }
    }
}

/// The lines of a source that matter, with some around them. Empty if there are none.
pub fn excerpt(source: &Source) -> String {
    let lines: Vec<&[u8]> = source.data.split(|b| *b == b'\n').collect();
    let count = u32::try_from(lines.len()).unwrap_or(u32::MAX);
    let first = source.ranges.iter().map(|r| r.start).min();
    let last = source.ranges.iter().map(|r| r.end.max(r.start)).max();
    let (Some(first), Some(last)) = (first, last) else {
        return String::new();
    };
    if first == 0 || first > count {
        return String::new();
    }
    let last = last.min(count);
    let around = if first == last { 2 } else { 1 };
    let from = first.saturating_sub(around).max(1);
    let to = last.saturating_add(around).min(count);
    let mut out = format!(
        "{}:{first}\n{}\n",
        escape::line(&source.filename),
        "-".repeat(20)
    );
    let shown = to.min(from.saturating_add(MAX_EXCERPT - 1));
    for number in from..=shown {
        let line = lines.get(number as usize - 1).copied().unwrap_or_default();
        let marked = source
            .ranges
            .iter()
            .any(|r| (r.start..=r.end.max(r.start)).contains(&number));
        let mark = if marked { ">>>" } else { "   " };
        let _ = writeln!(
            out,
            " {number:>3} | {mark} {}",
            escape::text(line.strip_suffix(b"\r").unwrap_or(line))
        );
    }
    if shown < to {
        let _ = writeln!(out, " ... | {} more lines", to - shown);
    }
    let _ = writeln!(out, "{}", "-".repeat(20));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::errors::LineRange;
    use crate::progress::settings::Mode;
    use crate::progress::trace::tests::{message, ms};

    fn settings(kind: Kind) -> Settings {
        let mut settings = Settings::resolve(Mode::Plain, |_| None, false).unwrap();
        settings.kind = kind;
        settings
    }

    fn source(data: &str, ranges: &[(u32, u32)]) -> Source {
        Source {
            filename: "Dockerfile".into(),
            data: data.into(),
            ranges: ranges
                .iter()
                .map(|&(start, end)| LineRange { start, end })
                .collect(),
        }
    }

    const FILE: &str = "FROM base\nCOPY a /\nRUN x \\\n  y\nRUN z\nRUN never\n";

    #[test]
    fn one_line_has_two_around_it() {
        assert_eq!(
            excerpt(&source(FILE, &[(5, 5)])),
            "Dockerfile:5\n--------------------\n   3 |     RUN x \\\n   4 |       y\n   5 | >>> RUN z\n   6 |     RUN never\n   7 |     \n--------------------\n"
        );
    }

    #[test]
    fn several_lines_have_one_around_them() {
        assert_eq!(
            excerpt(&source(FILE, &[(3, 4)])),
            "Dockerfile:3\n--------------------\n   2 |     COPY a /\n   3 | >>> RUN x \\\n   4 | >>>   y\n   5 |     RUN z\n--------------------\n"
        );
    }

    #[test]
    fn absurd_ranges_do_no_harm() {
        for range in [(0, 0), (99, 100), (u32::MAX, u32::MAX)] {
            assert_eq!(excerpt(&source(FILE, &[range])), "");
        }
        assert!(excerpt(&source(FILE, &[(7, u32::MAX)])).contains("   7 | >>> \n"));
        assert!(excerpt(&source(FILE, &[(2, 1)])).contains("   2 | >>> COPY a /\n"));
        assert_eq!(excerpt(&source(FILE, &[])), "");
        let long = "x\n".repeat(5000);
        assert_eq!(excerpt(&source(&long, &[(1, 5000)])).lines().count(), 104);
        assert!(!excerpt(&source("RUN \x1b[2J\u{202e}", &[(1, 1)])).contains(['\x1b', '\u{202e}']));
    }

    fn failed() -> (Trace, BuildError) {
        let mut trace = Trace::new(false);
        let mut log = message().vertex("[2/2] RUN x", Some(0), None);
        for i in 0..20 {
            log = log.log("[2/2] RUN x", 105, format!("line {i}\n").as_bytes());
        }
        trace.apply(&log.0, ms(0));
        trace.apply(
            &message()
                .vertex("[2/2] RUN x", Some(0), Some(200))
                .error("exit code: 3")
                .vertex("other", Some(0), Some(200))
                .error("context canceled")
                .warning("other", "two")
                .warning("[2/2] RUN x", "one")
                .0,
            ms(0),
        );
        let error = BuildError {
            sources: vec![source("FROM x\nRUN x", &[(2, 2)])],
            ..BuildError::local("exit code: 3")
        };
        (trace, error)
    }

    #[test]
    fn a_failure_in_order() {
        let (trace, error) = failed();
        let held = ["No output specified".to_string()];
        let out = text(
            &trace,
            &settings(Kind::Plain),
            Some(&error),
            &["try this".into()],
            &held,
        );
        let mut expected = String::from("------\n > [2/2] RUN x:\n");
        for i in 10..20 {
            expected.push_str(&format!("0.105 line {i}\n"));
        }
        expected.push_str("------\n\n 2 warnings found (use -D to expand):\n - one\n - two\n");
        expected.push_str("Dockerfile:2\n--------------------\n   1 |     FROM x\n   2 | >>> RUN x\n--------------------\n");
        expected.push_str("try this\nERROR: failed to build: failed to solve: exit code: 3\n");
        assert_eq!(out, expected);
        // The live tree has shown little of the log.
        let out = text(&trace, &settings(Kind::Tty), Some(&error), &[], &[]);
        assert!(out.contains("line 0\n"));
        let out = text(&trace, &settings(Kind::Quiet), Some(&error), &[], &[]);
        assert!(
            out.starts_with("Dockerfile:2\n") && out.ends_with("exit code: 3\n"),
            "{out}"
        );
    }

    #[test]
    fn warnings_have_colour_on_terminals_only() {
        let (trace, _) = failed();
        let mut on = settings(Kind::Plain);
        on.colour = true;
        assert!(
            text(&trace, &on, None, &[], &[])
                .contains("\n \x1b[33m2 warnings found (use -D to expand):\x1b[0m\n")
        );
        assert!(!text(&trace, &settings(Kind::Plain), None, &[], &[]).contains('\x1b'));
    }

    #[test]
    fn debug_expands_warnings() {
        let mut trace = Trace::new(false);
        let mut m = message()
            .vertex("a", Some(0), Some(1))
            .warning("a", "short");
        let warning = m.0.warnings.last_mut().unwrap();
        warning.detail = vec![b"long story".to_vec()];
        warning.url = "https://docs.example/rule".into();
        warning.info = Some(crate::proto::pb::SourceInfo {
            filename: "Dockerfile".into(),
            data: b"from x".to_vec(),
            ..Default::default()
        });
        let line = |line| Some(crate::proto::pb::Position { line, character: 0 });
        warning.ranges = vec![crate::proto::pb::Range {
            start: line(1),
            end: line(1),
        }];
        trace.apply(&m.0, ms(0));
        let mut settings = settings(Kind::Plain);
        settings.debug = true;
        assert_eq!(
            text(&trace, &settings, None, &[], &[]),
            "\n 1 warning found:\n - short\nlong story\nMore info: https://docs.example/rule\nDockerfile:1\n--------------------\n   1 | >>> from x\n--------------------\n\n"
        );
    }

    #[test]
    fn remarks_wait_for_success() {
        let trace = Trace::new(false);
        let held = ["No output specified".to_string()];
        assert_eq!(
            text(&trace, &settings(Kind::Plain), None, &[], &held),
            "WARNING: No output specified\n"
        );
    }
}
