//! The configuration file: what the server and the full screen do when nobody says otherwise.
//!
//! It lies at `$XDG_CONFIG_HOME/buildx/config.toml` or `~/.config/buildx/config.toml`, and
//! `--server-config FILE` names another. Every key is optional and every key is checked;
//! `assets/config.toml` lists them all. The result is a plain value: nothing is looked up later.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::build::options::units;
use crate::build::suggest::did_you_mean;
use crate::monitor::prefix;
use crate::paths::Env;

mod screen;

pub use screen::{Colours, KEYS as SCREEN_KEYS, ScreenConfig};

/// Largest file that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// Every key, in the order of the template.
pub const KEYS: [&str; 10] = [
    "root",
    "log_level",
    "log_file",
    "idle_timeout",
    "keep",
    "trace_budget",
    "scrollback",
    "yield_to_others",
    "prefix",
    "tui",
];

/// How much the server's log says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// What went wrong.
    Error,
    /// What is odd.
    Warn,
    /// What happens.
    #[default]
    Info,
    /// Every connection.
    Debug,
}

impl Level {
    const ALL: [Self; 4] = [Self::Error, Self::Warn, Self::Info, Self::Debug];

    /// As it is written in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

/// What the file says, with the defaults for what it does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Directory of the socket, the locks, the log and the sessions, instead of the usual ones.
    pub root: Option<PathBuf>,
    /// How much the log says.
    pub log_level: Level,
    /// The log, instead of the usual file.
    pub log_file: Option<PathBuf>,
    /// How long the server stays when nobody needs it; `None`: for ever.
    pub idle_timeout: Option<Duration>,
    /// How long the state of a build is kept open for processes; zero: not at all.
    pub keep: Duration,
    /// Most bytes of finished sessions' traces.
    pub trace_budget: u64,
    /// Lines of scrollback that each process keeps.
    pub scrollback: usize,
    /// Whether a state in which nobody works is let go when a build from elsewhere begins.
    pub yield_to_others: bool,
    /// The monitor's prefix key, as one control byte.
    pub prefix: u8,
    /// The full screen.
    #[serde(default)]
    pub tui: ScreenConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            root: None,
            log_level: Level::Info,
            log_file: None,
            idle_timeout: Some(Duration::from_secs(10 * 60)),
            keep: Duration::from_secs(10 * 60),
            trace_budget: 2 << 30,
            scrollback: 2000,
            yield_to_others: true,
            prefix: prefix::DEFAULT,
            tui: ScreenConfig::default(),
        }
    }
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("cannot read the configuration {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something in it is wrong.
    #[error("{}:{line}: {what}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it, in one line.
        what: String,
    },
}

impl Config {
    /// Reads the file that is named, or the one in the usual place if it is there.
    ///
    /// # Errors
    /// [`ConfigError`]; a file in the usual place need not exist, a named one must.
    pub fn load(env: &Env, named: Option<&Path>) -> Result<Self, ConfigError> {
        let path = named.map(Path::to_owned).or_else(|| usual_place(env));
        let Some(path) = path else {
            return Ok(Self::default());
        };
        match read(&path) {
            Ok(text) => Self::parse(&text, env).map_err(|(at, what)| {
                let before = text.get(..at).unwrap_or(&text);
                ConfigError::Wrong {
                    path,
                    line: before.matches('\n').count() + 1,
                    what,
                }
            }),
            Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => {
                Ok(Self::default())
            }
            Err(source) => Err(ConfigError::Read { path, source }),
        }
    }

    /// The error is the byte where it is, and one line.
    fn parse(text: &str, env: &Env) -> Result<Self, (usize, String)> {
        let table = DeTable::parse(text).map_err(|error| {
            let message = error.message().replace('\n', ", ");
            (error.span().map_or(0, |span| span.start), message)
        })?;
        let mut config = Self::default();
        for (key, value) in table.get_ref() {
            let name: &str = key.get_ref();
            if name == "tui" {
                config.tui = ScreenConfig::read(value)?;
                continue;
            }
            config.set(name, value, env).map_err(|what| match what {
                Mistake::Key => {
                    let near = did_you_mean(name, KEYS);
                    let all = KEYS.join(", ");
                    (
                        key.span().start,
                        format!("unknown key {name:?}{near}; the keys are {all}"),
                    )
                }
                Mistake::Value(what) => (value.span().start, format!("{name}: {what}")),
            })?;
        }
        Ok(config)
    }

    fn set(&mut self, name: &str, value: &Spanned<DeValue<'_>>, env: &Env) -> Result<(), Mistake> {
        let value = value.get_ref();
        match name {
            "root" => self.root = Some(path(value, env)?),
            "log_level" => self.log_level = level(value)?,
            "log_file" => self.log_file = Some(path(value, env)?),
            "idle_timeout" => {
                let time = duration(value)?;
                self.idle_timeout = (!time.is_zero()).then_some(time);
            }
            "keep" => self.keep = duration(value)?,
            "trace_budget" => self.trace_budget = size(value)?,
            "scrollback" => self.scrollback = lines(value)?,
            "yield_to_others" => self.yield_to_others = truth(value)?,
            "prefix" => self.prefix = prefix::parse(text(value, "\"ctrl-a\"")?)?,
            _ => return Err(Mistake::Key),
        }
        Ok(())
    }
}

enum Mistake {
    Key,
    Value(String),
}

impl From<String> for Mistake {
    fn from(what: String) -> Self {
        Self::Value(what)
    }
}

/// `None` when there is no home either.
fn usual_place(env: &Env) -> Option<PathBuf> {
    let base = env
        .path("XDG_CONFIG_HOME")
        .filter(|dir| dir.is_absolute())
        .or_else(|| Some(env.path("HOME")?.join(".config")))?;
    Some(base.join("buildx/config.toml"))
}

fn read(path: &Path) -> io::Result<String> {
    // Asked before it is opened: opening a pipe would wait for its other end.
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8"))
}

fn truth(value: &DeValue<'_>) -> Result<bool, Mistake> {
    value.as_bool().ok_or_else(|| {
        let kind = value.type_str();
        Mistake::Value(format!("expected true or false, not {kind}"))
    })
}

/// `like` is an example of what is expected.
fn text<'a>(value: &'a DeValue<'_>, like: &str) -> Result<&'a str, Mistake> {
    value.as_str().ok_or_else(|| {
        let kind = value.type_str();
        Mistake::Value(format!("expected a string such as {like}, not {kind}"))
    })
}

fn path(value: &DeValue<'_>, env: &Env) -> Result<PathBuf, Mistake> {
    let text = text(value, "\"/var/tmp/buildx\"")?;
    let path = match text.strip_prefix("~/") {
        Some(rest) => env.path("HOME").unwrap_or_default().join(rest),
        None => PathBuf::from(text),
    };
    if !path.is_absolute() {
        return Err(Mistake::Value(format!(
            "expected a path that begins with / or ~/, not {text:?}"
        )));
    }
    Ok(path)
}

fn level(value: &DeValue<'_>) -> Result<Level, Mistake> {
    let text = text(value, "\"info\"")?;
    let found = Level::ALL.into_iter().find(|level| level.name() == text);
    found.ok_or_else(|| {
        let names = Level::ALL.map(Level::name);
        let near = did_you_mean(text, names);
        let [error, warn, info, debug] = names;
        format!("expected {error}, {warn}, {info} or {debug}, not {text:?}{near}").into()
    })
}

fn duration(value: &DeValue<'_>) -> Result<Duration, Mistake> {
    let text = text(value, "\"10m\"")?;
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    humantime::parse_duration(text).map_err(|_| {
        Mistake::Value(format!(
            "expected a time such as \"10m\", \"90s\" or \"0\", not {text:?}"
        ))
    })
}

fn size(value: &DeValue<'_>) -> Result<u64, Mistake> {
    let wrong = |given: &str| {
        Mistake::Value(format!(
            "expected a size such as \"2GiB\" or \"500MiB\", not {given}"
        ))
    };
    if let Some(number) = value.as_integer() {
        let text = number.as_str();
        return u64::from_str_radix(text, number.radix()).map_err(|_| wrong(text));
    }
    let text = text(value, "\"2GiB\"")?;
    units::size(text).map_err(|_| wrong(&format!("{text:?}")))
}

fn lines(value: &DeValue<'_>) -> Result<usize, Mistake> {
    const MOST: usize = 100_000;
    let number = value
        .as_integer()
        .and_then(|number| usize::from_str_radix(number.as_str(), number.radix()).ok());
    match number {
        Some(number @ 0..=MOST) => Ok(number),
        _ => Err(Mistake::Value(format!(
            "expected a number of lines from 0 to {MOST}"
        ))),
    }
}

#[cfg(test)]
mod tests;
