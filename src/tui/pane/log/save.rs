//! A log on its way into a file: the lines that the filter shows, with the times of the clock, without colours.

use std::collections::HashMap;

use super::draw::LABEL;
use super::time::Times;
use super::{Clock, State};
use crate::progress::units;
use crate::proto::controller::{LogLine, LogPattern};
use crate::term::width::{cells, characters};
use crate::tui::app::step_label;
use crate::tui::session::Build;
use crate::tui::zone::Zone;

/// What a saved log has besides its lines.
#[derive(Clone, Debug)]
pub struct Form {
    /// Only lines that this finds.
    pub filter: Option<LogPattern>,
    /// The times in front of lines.
    pub clock: Clock,
    zone: Zone,
    /// Digest of a vertex → when its step began, in milliseconds since 1970; only for the clock that needs it.
    begun: HashMap<String, i64>,
    /// Digest of a vertex → label of its step; only of those that have printed, and only for the log of all steps.
    labels: HashMap<String, String>,
}

/// A log that is being written.
#[derive(Debug)]
pub struct Text {
    form: Form,
    /// Number and time of the last line.
    last: Option<(u64, i64)>,
    lines: u64,
}

impl Form {
    /// As the pane shows its log.
    pub fn of(state: &State, build: &Build, zone: &Zone) -> Self {
        let shown = |digest: &str| {
            let vertex = state.vertex.as_deref();
            state.clock == Clock::Step && vertex.is_none_or(|vertex| vertex == digest)
        };
        let label = |vertex: &String| {
            let step = build.trace.find(vertex)?;
            Some((vertex.clone(), step_label(&step.name)))
        };
        let printed = build.counts.keys().filter(|_| state.whole());
        let steps = build.trace.steps.iter();
        Self {
            labels: printed.filter_map(label).collect(),
            filter: state.filter.as_ref().map(|filter| filter.pattern.clone()),
            clock: state.clock,
            zone: zone.clone(),
            begun: steps
                .filter(|step| shown(&step.digest))
                .filter_map(|step| Some((step.digest.clone(), step.latest()?.start / 1_000_000)))
                .collect(),
        }
    }

    /// Begins a text.
    pub fn begin(self) -> Text {
        Text {
            form: self,
            last: None,
            lines: 0,
        }
    }
}

impl Text {
    /// The next line. Parts of a line that was too long for one are one line again.
    pub fn line(&mut self, line: &LogLine) -> String {
        let text = String::from_utf8_lossy(&line.text);
        let goes_on = |(number, _): &(u64, i64)| line.continued && number + 1 == line.number;
        let mut out = String::with_capacity(text.len() + 32);
        if !self.last.as_ref().is_some_and(goes_on) {
            if self.last.is_some() {
                out.push('\n');
            }
            let times = Times {
                line: line.time,
                step: self.form.begun.get(&line.vertex).copied(),
                before: self.last.map(|(_, time)| time),
            };
            out.push_str(&self.form.clock.front_in_file(times, &self.form.zone));
            if !self.form.labels.is_empty() {
                let label = self.form.labels.get(&line.vertex);
                let label = label.map_or("", String::as_str);
                out.push_str(label);
                out.extend(std::iter::repeat_n(
                    ' ',
                    LABEL.saturating_sub(cells(label)) + 1,
                ));
            }
        }
        out.extend(characters(&text));
        self.lines += 1;
        self.last = Some((line.number, line.time));
        out
    }

    /// What comes behind the last line.
    pub fn end(&self) -> &'static str {
        match self.last {
            Some(_) => "\n",
            None => "",
        }
    }

    /// What was written, of a log with so many lines: `12 of 300 lines, filter "x", local times`.
    pub fn words(&self, total: u64) -> String {
        let mut words = match &self.form.filter {
            Some(filter) => {
                let kind = if filter.regex { "re:" } else { "" };
                let (lines, text) = (self.lines, &filter.text);
                let all = units::count(total, "line");
                format!("{lines} of {all}, filter \"{kind}{text}\"")
            }
            None => units::count(self.lines, "line"),
        };
        if self.form.clock != Clock::None {
            words = format!("{words}, {}", self.form.clock.word());
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: u64, time: i64, text: &str, continued: bool) -> LogLine {
        LogLine {
            number,
            vertex: "v".to_owned(),
            time,
            text: bytes::Bytes::copy_from_slice(text.as_bytes()),
            continued,
            ..LogLine::default()
        }
    }

    fn written(clock: Clock, filter: Option<&str>) -> (String, String) {
        let form = Form {
            filter: filter.map(|text| LogPattern {
                text: text.to_owned(),
                ..LogPattern::default()
            }),
            clock,
            zone: Zone::of(Some("CET-1")),
            begun: [("v".to_owned(), 1_000)].into(),
            labels: HashMap::new(),
        };
        let mut text = form.begin();
        let mut out = String::new();
        for line in [
            line(0, 1_500, "\x1b[31mone\x1b[m", false),
            line(3, 2_500, "long ", false),
            line(4, 2_500, "line", true),
            line(7, 2_750, "the end of a line", true),
        ] {
            out.push_str(&text.line(&line));
        }
        out.push_str(text.end());
        (out, text.words(300))
    }

    #[test]
    fn lines_of_all_steps_have_their_labels() {
        let form = Form {
            filter: None,
            clock: Clock::None,
            zone: Zone::of(Some("CET-1")),
            begun: HashMap::new(),
            labels: [("v".to_owned(), "[left 1/1]".to_owned())].into(),
        };
        let mut text = form.begin();
        let mut out = text.line(&line(0, 0, "one", false));
        out.push_str(&text.line(&LogLine {
            vertex: "later".to_owned(),
            ..line(1, 0, "two", false)
        }));
        out.push_str(&text.line(&LogLine {
            vertex: "later".to_owned(),
            ..line(2, 0, " more", true)
        }));
        assert_eq!(out, "[left 1/1]     one\n               two more");
    }

    #[test]
    fn lines_are_whole_and_have_the_times_of_the_clock() {
        let (text, words) = written(Clock::None, None);
        assert_eq!(text, "one\nlong line\nthe end of a line\n");
        assert_eq!(words, "4 lines");
        let (text, words) = written(Clock::Step, Some("e"));
        assert_eq!(
            text,
            "    0.50 one\n    1.50 long line\n    1.75 the end of a line\n"
        );
        assert_eq!(words, "4 of 300 lines, filter \"e\", step times");
        let (text, _) = written(Clock::Delta, None);
        assert_eq!(
            text,
            "         one\n   +1.00 long line\n   +0.25 the end of a line\n"
        );
        let (text, words) = written(Clock::Day, None);
        assert!(
            text.starts_with("1970-01-01T01:00:01.500+01:00 one\n"),
            "{text}"
        );
        assert_eq!(words, "4 lines, local times");
    }
}
