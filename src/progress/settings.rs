//! How progress is shown: mode and environment → plain values.

use std::str::FromStr;
use std::time::Duration;

/// Time between two draws when much happens.
const DRAW: Duration = Duration::from_millis(100);
/// Time between two draws when only clocks change.
const TICK: Duration = Duration::from_millis(150);
/// Log lines under a running step.
const LOG_LINES: usize = 6;

/// The value of `--progress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// The environment decides, then whether there is a terminal.
    #[default]
    Auto,
    /// Lines for logs and pipes.
    Plain,
    /// A live tree.
    Tty,
    /// One JSON object per line.
    RawJson,
    /// Nothing but errors.
    Quiet,
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Ok(match word {
            "" | "auto" => Mode::Auto,
            "plain" => Mode::Plain,
            "tty" => Mode::Tty,
            "rawjson" => Mode::RawJson,
            "quiet" | "none" => Mode::Quiet,
            _ => return Err(format!("invalid progress mode {word}")),
        })
    }
}

/// Which printer shows the build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Lines for logs and pipes.
    Plain,
    /// A live tree.
    Tty,
    /// One JSON object per line.
    RawJson,
    /// Whole sentences, for screen readers. No value of `--progress` means it.
    Sentences,
    /// Nothing but errors.
    Quiet,
}

/// Colours of finished steps, as the parameters of SGR sequences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Palette {
    /// Steps that went well.
    pub run: String,
    /// Cancelled steps.
    pub cancel: String,
    /// Failed steps.
    pub error: String,
    /// Warnings.
    pub warning: String,
}

impl Default for Palette {
    fn default() -> Self {
        Palette {
            run: "34".into(),
            cancel: "33".into(),
            error: "31".into(),
            warning: "33".into(),
        }
    }
}

/// Everything that printers need to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which printer.
    pub kind: Kind,
    /// Whether colours may be written.
    pub colour: bool,
    /// Which colours.
    pub palette: Palette,
    /// Log lines under a running step of the live tree.
    pub log_lines: usize,
    /// Whether the plain printer cuts names.
    pub truncate: bool,
    /// Time between two draws when much happens.
    pub draw: Duration,
    /// Time between two draws when only clocks change.
    pub tick: Duration,
    /// Whether warnings are shown with all their details (`-D`).
    pub debug: bool,
    /// What was wrong with the environment; printed at the end.
    pub complaints: Vec<String>,
}

impl Settings {
    /// Settings for a mode and an environment; `terminal`: whether the output is one.
    ///
    /// # Errors
    /// One line: the mode is unknown or needs a terminal.
    pub fn resolve(
        mode: Mode,
        env: impl Fn(&str) -> Option<String>,
        terminal: bool,
    ) -> Result<Self, String> {
        let set = |name: &str| env(name).filter(|v| !v.is_empty());
        let mode = match (mode, set("BUILDKIT_PROGRESS")) {
            (Mode::Auto, Some(word)) => word.parse()?,
            (mode, _) => mode,
        };
        let dumb = set("TERM").is_some_and(|t| t == "dumb");
        let kind = match mode {
            Mode::Auto if terminal && !dumb => Kind::Tty,
            Mode::Auto | Mode::Plain => Kind::Plain,
            Mode::Tty if terminal => Kind::Tty,
            Mode::Tty => return Err("failed to get console: provided file is not a console".into()),
            Mode::RawJson => Kind::RawJson,
            Mode::Quiet => Kind::Quiet,
        };
        let mut settings = Settings {
            kind,
            colour: terminal && !dumb && set("NO_COLOR").is_none() && kind != Kind::RawJson,
            palette: Palette::default(),
            log_lines: LOG_LINES,
            truncate: set("PROGRESS_NO_TRUNC").is_some_and(|v| v == "0"),
            draw: DRAW,
            tick: TICK,
            debug: false,
            complaints: Vec::new(),
        };
        if let Some(colours) = set("BUILDKIT_COLORS").filter(|_| settings.colour) {
            settings.colours(&colours);
        }
        if let Some(lines) = set("BUILDKIT_TTY_LOG_LINES").and_then(|v| v.parse::<usize>().ok())
            && lines > 0
        {
            settings.log_lines = lines;
        }
        if let Some(rate) = set("TTY_DISPLAY_RATE").and_then(|v| v.parse::<u64>().ok())
            && rate > 0
        {
            settings.draw = Duration::from_millis(rate);
            settings.tick = settings.draw;
        }
        Ok(settings)
    }

    /// What people would see, in sentences for screen readers instead; what programs read stays.
    pub fn spoken(mut self) -> Self {
        if matches!(self.kind, Kind::Plain | Kind::Tty) {
            self.kind = Kind::Sentences;
            self.colour = false;
        }
        self
    }

    /// Reads `run=green:cancel=255,165,0:error=red:warning=yellow`.
    fn colours(&mut self, value: &str) {
        let mut bad = Vec::new();
        for entry in value.split(':').filter(|e| !e.is_empty()) {
            let colour = entry
                .split_once('=')
                .and_then(|(key, value)| Some((key.to_lowercase(), colour(value)?)));
            let target = match colour.as_ref().map(|(key, _)| key.as_str()) {
                Some("run") => &mut self.palette.run,
                Some("cancel") => &mut self.palette.cancel,
                Some("error") => &mut self.palette.error,
                Some("warning") => &mut self.palette.warning,
                _ => {
                    bad.push(entry);
                    continue;
                }
            };
            if let Some((_, colour)) = colour {
                *target = colour;
            }
        }
        if !bad.is_empty() {
            self.complaints.push(format!(
                "BUILDKIT_COLORS: ignored `{}` (expected run, cancel, error or warning = a colour name or r,g,b)",
                bad.join(":")
            ));
        }
    }
}

/// A colour name or `r,g,b` as SGR parameters.
fn colour(value: &str) -> Option<String> {
    const NAMES: [&str; 8] = [
        "black", "red", "green", "yellow", "blue", "magenta", "cyan", "white",
    ];
    let value = value.to_lowercase();
    if value == "default" {
        return Some("39".into());
    }
    let (name, base) = match value.strip_prefix("light-") {
        Some(name) => (name, 90),
        None => (value.as_str(), 30),
    };
    if let Some(index) = NAMES.iter().position(|n| *n == name) {
        return Some((base + index).to_string());
    }
    let parts: Vec<u8> = value
        .split(',')
        .map(|p| p.trim().parse())
        .collect::<Result<_, _>>()
        .ok()?;
    let &[r, g, b] = parts.as_slice() else {
        return None;
    };
    // The nearest of the 6x6x6 colours that every terminal with 256 colours has.
    let step = |v: u8| (u32::from(v) * 5 + 127) / 255;
    Some(format!(
        "38;5;{}",
        16 + 36 * step(r) + 6 * step(g) + step(b)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(mode: Mode, env: &[(&str, &str)], terminal: bool) -> Result<Settings, String> {
        let find = |name: &str| {
            env.iter()
                .find(|(n, _)| *n == name)
                .map(|(_, v)| v.to_string())
        };
        Settings::resolve(mode, find, terminal)
    }

    #[test]
    fn modes_have_names() {
        assert_eq!("none".parse(), Ok(Mode::Quiet));
        assert_eq!("rawjson".parse(), Ok(Mode::RawJson));
        assert_eq!(
            "bogus".parse::<Mode>(),
            Err("invalid progress mode bogus".into())
        );
    }

    #[test]
    fn auto_asks_the_environment_then_the_terminal() {
        let kind = |mode, env: &[(&str, &str)], t| resolve(mode, env, t).map(|s| s.kind);
        assert_eq!(kind(Mode::Auto, &[], true), Ok(Kind::Tty));
        assert_eq!(kind(Mode::Auto, &[], false), Ok(Kind::Plain));
        assert_eq!(kind(Mode::Auto, &[("TERM", "dumb")], true), Ok(Kind::Plain));
        assert_eq!(
            kind(Mode::Auto, &[("BUILDKIT_PROGRESS", "rawjson")], true),
            Ok(Kind::RawJson)
        );
        assert_eq!(
            kind(Mode::Plain, &[("BUILDKIT_PROGRESS", "rawjson")], true),
            Ok(Kind::Plain)
        );
        assert_eq!(
            kind(Mode::Auto, &[("BUILDKIT_PROGRESS", "x")], true),
            Err("invalid progress mode x".into())
        );
        assert!(
            kind(Mode::Tty, &[], false)
                .unwrap_err()
                .contains("not a console")
        );
    }

    #[test]
    fn no_colour_without_terminal_or_with_no_color() {
        assert!(resolve(Mode::Plain, &[], true).unwrap().colour);
        assert!(!resolve(Mode::Plain, &[], false).unwrap().colour);
        assert!(
            !resolve(Mode::Auto, &[("NO_COLOR", "1")], true)
                .unwrap()
                .colour
        );
        assert!(
            resolve(Mode::Auto, &[("NO_COLOR", "")], true)
                .unwrap()
                .colour
        );
    }

    #[test]
    fn colours_are_read_and_bad_ones_complained_about_once() {
        let env = [(
            "BUILDKIT_COLORS",
            "run=light-green:cancel=255,165,0:error=pink:Warning=Default:x=red:error",
        )];
        let s = resolve(Mode::Auto, &env, true).unwrap();
        assert_eq!(s.palette.run, "92");
        assert_eq!(s.palette.cancel, "38;5;214");
        assert_eq!(s.palette.error, Palette::default().error);
        assert_eq!(s.palette.warning, "39");
        assert_eq!(s.complaints.len(), 1);
        assert!(s.complaints[0].contains("error=pink:x=red:error"));
    }

    #[test]
    fn numbers_from_the_environment() {
        let env = [
            ("BUILDKIT_TTY_LOG_LINES", "12"),
            ("TTY_DISPLAY_RATE", "500"),
            ("PROGRESS_NO_TRUNC", "0"),
        ];
        let s = resolve(Mode::Auto, &env, true).unwrap();
        assert_eq!(
            (s.log_lines, s.draw.as_millis(), s.truncate),
            (12, 500, true)
        );
        let env = [("BUILDKIT_TTY_LOG_LINES", "-1"), ("TTY_DISPLAY_RATE", "x")];
        let s = resolve(Mode::Auto, &env, true).unwrap();
        assert_eq!(
            (s.log_lines, s.draw.as_millis(), s.truncate),
            (6, 100, false)
        );
    }
}
