//! Spans, sizes and names of steps as they are said.

use crate::progress::name::{self, Belongs, belongs};
use crate::progress::time::{Nanos, seconds};
use crate::progress::units::count;

/// A step as sentences speak of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// `Step 3 of 6`, `Step 3 of 6 of stage build on linux/arm64`, `Exporting to image`.
    pub subject: String,
    /// What it does, `RUN make`; empty if the subject says it.
    pub text: String,
    /// It only prepares the build.
    pub internal: bool,
}

impl Label {
    /// Of the name that the engine gives, which is harmless already.
    pub fn of(name: &str) -> Self {
        let text = match name.split_once(']') {
            Some((_, text)) if name.starts_with('[') => text.trim(),
            _ => name,
        };
        match belongs(name) {
            Belongs::Stage {
                platform,
                stage,
                number,
            } => {
                let words = name::label(name);
                let count = words.rsplit_once('/').map_or("", |(_, count)| count);
                let mut subject = format!("Step {number} of {count}");
                match stage {
                    "" => {}
                    // What the frontend calls a stage without a name.
                    stage if stage.starts_with("stage-") => {
                        subject.push_str(&format!(" of {stage}"));
                    }
                    stage => subject.push_str(&format!(" of stage {stage}")),
                }
                if let Some(platform) = platform {
                    subject.push_str(&format!(" on {}", platform.replace("->", " for ")));
                }
                Label {
                    subject,
                    text: text.to_owned(),
                    internal: false,
                }
            }
            Belongs::Internal => Label {
                subject: capital(text),
                text: String::new(),
                internal: true,
            },
            Belongs::Other => Label {
                subject: capital(name),
                text: String::new(),
                internal: false,
            },
        }
    }

    /// The sentence at its begin, with the end of the line.
    pub fn begins(&self) -> String {
        match self.text.as_str() {
            "" => format!("{} begins.\n", self.subject),
            text => format!("{} runs: {}\n", self.subject, closed(text)),
        }
    }

    /// The subject within a sentence: `step 3 of 6`.
    pub fn object(&self) -> String {
        let mut characters = self.subject.chars();
        match characters.next() {
            Some(first) => first.to_lowercase().chain(characters).collect(),
            None => String::new(),
        }
    }
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => "A step without a name".to_owned(),
    }
}

/// A text that begins and ends as a sentence does.
pub fn sentence(text: &str) -> String {
    closed(&capital(text))
}

/// A text that ends as a sentence does.
pub fn closed(text: &str) -> String {
    match text.ends_with(['.', '!', '?', ':', ';']) {
        true => text.to_owned(),
        false => format!("{text}."),
    }
}

/// A span: `1.2 seconds`, `12 seconds`, `2 minutes 5 seconds`, `1 hour 5 minutes`, `2 days 3 hours`.
pub fn span(span: Nanos) -> String {
    let s = seconds(span.max(0));
    if s < 0.05 {
        return "less than 0.1 seconds".to_owned();
    }
    if s < 9.95 {
        let text = format!("{s:.1}");
        return match text.strip_suffix(".0") {
            Some("1") => "1 second".to_owned(),
            Some(whole) => format!("{whole} seconds"),
            None => format!("{text} seconds"),
        };
    }
    let whole = s.round() as u64;
    let two = |large: u64, unit, small: u64, part| match small {
        0 => count(large, unit),
        _ => format!("{} {}", count(large, unit), count(small, part)),
    };
    match whole {
        0..60 => count(whole, "second"),
        60..3600 => two(whole / 60, "minute", whole % 60, "second"),
        3600..86_400 => two(whole / 3600, "hour", whole % 3600 / 60, "minute"),
        _ => two(whole / 86_400, "day", whole % 86_400 / 3600, "hour"),
    }
}

/// A size: `383 bytes`, `45.6 megabytes`.
pub fn size(bytes: i64) -> String {
    const UNITS: [&str; 5] = ["kilobyte", "megabyte", "gigabyte", "terabyte", "petabyte"];
    let bytes = bytes.max(0);
    if bytes < 1000 {
        return count(bytes.unsigned_abs(), "byte");
    }
    let mut value = bytes as f64;
    let mut unit = "";
    for name in UNITS {
        if value < 999.95 {
            break;
        }
        value /= 1000.0;
        unit = name;
    }
    let text = format!("{value:.1}");
    match text.strip_suffix(".0") {
        Some("1") => format!("1 {unit}"),
        Some(whole) => format!("{whole} {unit}s"),
        None => format!("{text} {unit}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Nanos = 1_000_000_000;

    #[test]
    fn spans() {
        for (given, expected) in [
            (-5, "less than 0.1 seconds"),
            (SECOND / 100, "less than 0.1 seconds"),
            (SECOND / 5, "0.2 seconds"),
            (SECOND, "1 second"),
            (SECOND * 12 / 10, "1.2 seconds"),
            (SECOND * 9994 / 1000, "10 seconds"),
            (59 * SECOND, "59 seconds"),
            (60 * SECOND, "1 minute"),
            (125 * SECOND, "2 minutes 5 seconds"),
            (3660 * SECOND, "1 hour 1 minute"),
            (180_000 * SECOND, "2 days 2 hours"),
        ] {
            assert_eq!(span(given), expected);
        }
    }

    #[test]
    fn sizes() {
        for (given, expected) in [
            (-1, "0 bytes"),
            (1, "1 byte"),
            (383, "383 bytes"),
            (1000, "1 kilobyte"),
            (45_600_000, "45.6 megabytes"),
            (999_999_999, "1 gigabyte"),
            (i64::MAX, "9223.4 petabytes"),
        ] {
            assert_eq!(size(given), expected);
        }
    }

    #[test]
    fn steps() {
        for (name, subject, text, internal) in [
            ("[3/6] RUN make", "Step 3 of 6", "RUN make", false),
            (
                "[build 3/6] RUN [a]",
                "Step 3 of 6 of stage build",
                "RUN [a]",
                false,
            ),
            (
                "[linux/arm64->amd64 build 1/2] RUN x",
                "Step 1 of 2 of stage build on linux/arm64 for amd64",
                "RUN x",
                false,
            ),
            (
                "[stage-3 1/4] RUN a",
                "Step 1 of 4 of stage-3",
                "RUN a",
                false,
            ),
            ("exporting to image", "Exporting to image", "", false),
            (
                "[internal] load .dockerignore",
                "Load .dockerignore",
                "",
                true,
            ),
            ("", "A step without a name", "", false),
        ] {
            let label = Label::of(name);
            let found = (label.subject.as_str(), label.text.as_str(), label.internal);
            assert_eq!(found, (subject, text, internal), "{name}");
        }
        assert_eq!(Label::of("[1/2] RUN a").object(), "step 1 of 2");
        assert_eq!(closed("COPY . ."), "COPY . .");
    }
}
