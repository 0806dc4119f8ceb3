//! From a line of the monitor to a [`Command`].

use std::time::Duration;

use super::table::{self, Flag, Spec, Word};
use super::words;
use crate::build::suggest::did_you_mean;

/// What the user wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Take up a session or process; without one the newest process of the current session.
    Attach {
        /// Session or process.
        target: Option<String>,
        /// Without the keyboard.
        read_only: bool,
    },
    /// Stop the build.
    Cancel,
    /// Leave, and leave everything as it is.
    Detach,
    /// End a session or process.
    Disconnect {
        /// Session or process; the current session without one.
        target: Option<String>,
        /// Even when others use it.
        force: bool,
    },
    /// Start a process.
    Exec(Process),
    /// Leave, and end what this client started.
    Exit,
    /// Help, for one command if named.
    Help(Option<Word>),
    /// Everything about a session; the current one if none is named.
    Inspect(Option<String>),
    /// Keep the state of the build; zero releases it.
    Keep(Duration),
    /// End a process or session without asking; the current process if none is named.
    Kill(Option<String>),
    /// The sessions.
    List,
    /// The log, of some steps if a part of a name is given.
    Logs(Option<String>),
    /// The processes.
    Ps,
    /// Build again.
    Reload,
    /// Start anew on the original state.
    Rollback(Process),
    /// End the server.
    Shutdown {
        /// Even when others are connected.
        force: bool,
    },
    /// Send a signal to a process; the current one if none is named.
    Signal {
        /// Without SIG.
        name: String,
        /// Process.
        process: Option<String>,
    },
    /// Where we are.
    Status,
}

/// A process to start; what is not said is the step's, the image's or the monitor's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Program and arguments; may be empty.
    pub arguments: Vec<String>,
    /// `NAME=VALUE`.
    pub environment: Vec<String>,
    /// Directory to start in.
    pub directory: Option<String>,
    /// User to run as.
    pub user: Option<String>,
    /// In the state before the failed step.
    pub init: bool,
    /// Platform of a result that has several.
    pub platform: Option<String>,
}

/// Why a line cannot be meant; one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Mistake(pub String);

/// Reads a line; `None` when there is nothing on it.
///
/// # Errors
/// The first word that cannot be meant.
pub fn parse(line: &str) -> Result<Option<Command>, Mistake> {
    let words =
        words::split(line).map_err(|error| Mistake(format!("failed to parse command: {error}")))?;
    let Some((name, rest)) = words.split_first() else {
        return Ok(None);
    };
    let spec = table::find(name).ok_or_else(|| {
        Mistake(format!(
            "unknown command: {name:?}{}; try help",
            did_you_mean(name, table::names())
        ))
    })?;
    command(spec, rest).map(Some)
}

fn command(spec: &'static Spec, words: &[String]) -> Result<Command, Mistake> {
    let Given { flags, arguments } = given(spec, words)?;
    let (least, most) = spec.arguments;
    if arguments.len() < least || arguments.len() > most {
        return Err(Mistake(wrong_count(spec, arguments.len())));
    }
    let has = |long: &str| flags.iter().any(|(flag, _)| flag.long == long);
    let mut arguments = arguments.into_iter();
    Ok(match spec.word {
        Word::Attach => Command::Attach {
            target: arguments.next(),
            read_only: has("read-only"),
        },
        Word::Cancel => Command::Cancel,
        Word::Detach => Command::Detach,
        Word::Disconnect => Command::Disconnect {
            target: arguments.next(),
            force: false,
        },
        Word::Exec => Command::Exec(process(&flags, arguments.collect())?),
        Word::Exit => Command::Exit,
        Word::Help => Command::Help(arguments.next().map(|name| topic(&name)).transpose()?),
        Word::Inspect => Command::Inspect(arguments.next()),
        Word::Keep => Command::Keep(duration(&arguments.next().unwrap_or_default())?),
        Word::Kill => Command::Kill(arguments.next()),
        Word::List => Command::List,
        Word::Logs => Command::Logs(arguments.next()),
        Word::Ps => Command::Ps,
        Word::Reload => Command::Reload,
        Word::Rollback => Command::Rollback(process(&flags, arguments.collect())?),
        Word::Shutdown => Command::Shutdown { force: false },
        Word::Signal => Command::Signal {
            name: signal(&arguments.next().unwrap_or_default()),
            process: arguments.next(),
        },
        Word::Status => Command::Status,
    })
}

fn topic(name: &str) -> Result<Word, Mistake> {
    table::find(name).map(|spec| spec.word).ok_or_else(|| {
        Mistake(format!(
            "no help message for {name:?}{}",
            did_you_mean(name, table::names())
        ))
    })
}

fn wrong_count(spec: &Spec, count: usize) -> String {
    match (spec.word, count) {
        (Word::Exec, 0) => "command must be passed".to_owned(),
        _ => format!("{}: usage: {} {}", spec.name, spec.name, spec.usage)
            .trim_end()
            .to_owned(),
    }
}

/// A signal as people write it: `int`, `SIGINT`, `2` is left to the server.
pub fn signal(text: &str) -> String {
    let upper = text.to_ascii_uppercase();
    upper.strip_prefix("SIG").unwrap_or(&upper).to_owned()
}

/// Reads a span such as `90s`, `10m`, `1h 30m`; `0` and `none` are zero.
///
/// # Errors
/// One line.
pub fn duration(text: &str) -> Result<Duration, Mistake> {
    match text {
        "0" | "none" => Ok(Duration::ZERO),
        _ => humantime::parse_duration(text).map_err(|_| {
            Mistake(format!(
                "invalid duration {text:?}: expected a number with a unit, such as 90s, 10m or 2h, or 0"
            ))
        }),
    }
}

fn process(flags: &[(&'static Flag, String)], arguments: Vec<String>) -> Result<Process, Mistake> {
    let mut process = Process {
        arguments,
        ..Process::default()
    };
    for (flag, value) in flags {
        let value = value.clone();
        match flag.long {
            "env" => {
                if value.starts_with('=') || !value.contains('=') {
                    return Err(Mistake(format!(
                        "invalid variable {value:?}: expected NAME=VALUE"
                    )));
                }
                process.environment.push(value);
            }
            "workdir" => process.directory = Some(value),
            "user" => process.user = Some(value),
            "init" => process.init = true,
            "platform" => process.platform = Some(value),
            // A process of the monitor has a terminal in any case.
            _ => {}
        }
    }
    Ok(process)
}

struct Given {
    flags: Vec<(&'static Flag, String)>,
    arguments: Vec<String>,
}

/// Flags and arguments. Flags of a command that takes a command line end with its first word, or
/// with `--`.
fn given(spec: &'static Spec, words: &[String]) -> Result<Given, Mistake> {
    let takes_line = spec.arguments.1 == usize::MAX;
    let mut given = Given {
        flags: Vec::new(),
        arguments: Vec::new(),
    };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            given.arguments.extend(words.cloned());
            break;
        } else if let Some(long) = word.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (long, None),
            };
            let flag = spec
                .flags
                .iter()
                .find(|flag| flag.long == name)
                .ok_or_else(|| unknown(spec, &format!("--{name}"), name))?;
            let value = match (flag.value, value) {
                (None, None) => String::new(),
                (None, Some(_)) => {
                    return Err(Mistake(format!("{}: --{name} takes no value", spec.name)));
                }
                (Some(_), Some(value)) => value,
                (Some(_), None) => follows(spec, &format!("--{name}"), words.next())?,
            };
            given.flags.push((flag, value));
        } else if word.len() > 1 && word.starts_with('-') {
            cluster(spec, &word[1..], &mut words, &mut given.flags)?;
        } else {
            given.arguments.push(word.clone());
            if takes_line {
                given.arguments.extend(words.cloned());
                break;
            }
        }
    }
    once(spec, &given.flags)?;
    Ok(given)
}

/// `-it`, `-eA=1`, `-e A=1`.
fn cluster<'a>(
    spec: &'static Spec,
    letters: &str,
    words: &mut impl Iterator<Item = &'a String>,
    flags: &mut Vec<(&'static Flag, String)>,
) -> Result<(), Mistake> {
    let mut rest = letters.chars();
    while let Some(letter) = rest.next() {
        let flag = spec
            .flags
            .iter()
            .find(|flag| flag.short == Some(letter))
            .ok_or_else(|| unknown(spec, &format!("-{letter}"), ""))?;
        if flag.value.is_none() {
            flags.push((flag, String::new()));
            continue;
        }
        let attached = rest.as_str();
        let value = if attached.is_empty() {
            follows(spec, &format!("-{letter}"), words.next())?
        } else {
            attached.strip_prefix('=').unwrap_or(attached).to_owned()
        };
        flags.push((flag, value));
        break;
    }
    Ok(())
}

fn follows(spec: &Spec, flag: &str, next: Option<&String>) -> Result<String, Mistake> {
    next.cloned()
        .ok_or_else(|| Mistake(format!("{}: flag needs an argument: {flag}", spec.name)))
}

fn unknown(spec: &Spec, flag: &str, long: &str) -> Mistake {
    let near = crate::build::suggest::nearest(long, spec.flags.iter().map(|flag| flag.long))
        .map_or_else(
            || format!("; see help {}", spec.name),
            |near| format!(" (did you mean --{near}?)"),
        );
    Mistake(format!("{}: unknown flag: {flag}{near}", spec.name))
}

fn once(spec: &Spec, flags: &[(&'static Flag, String)]) -> Result<(), Mistake> {
    for (at, (flag, _)) in flags.iter().enumerate() {
        let again = flags
            .iter()
            .skip(at + 1)
            .any(|(other, _)| other.long == flag.long);
        if again && !flag.many && flag.value.is_some() {
            return Err(Mistake(format!(
                "{}: --{} is given twice",
                spec.name, flag.long
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
