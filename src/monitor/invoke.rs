//! `--invoke` and `--on`: which process is started, and when.
//!
//! | `--invoke` | starts |
//! |---|---|
//! | nothing, `default` | the shell of the step or the image |
//! | `on-error` | `/bin/sh`, after a failure only |
//! | words | that program with these arguments, split as a shell does |
//! | `key=value,…` | CSV with the keys `args`, `entrypoint`, `env`, `user`, `cwd`, `tty` |
//!
//! `args`, `entrypoint` and `env` take a word or a JSON array of words, and may be repeated.

use super::words;
use crate::build::options::fields;
use crate::build::suggest::did_you_mean;

/// The keys of the CSV form.
const KEYS: [&str; 6] = ["args", "entrypoint", "env", "user", "cwd", "tty"];

/// A process to start. What is not said comes from the step or the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoke {
    /// Program and arguments; empty for the shell of the step or image.
    pub arguments: Vec<String>,
    /// Replaces the image's ENTRYPOINT.
    pub entrypoint: Vec<String>,
    /// `NAME=VALUE`, after the variables of the step or image.
    pub environment: Vec<String>,
    /// Name, or uid with an optional `:gid`.
    pub user: Option<String>,
    /// Directory that it starts in.
    pub directory: Option<String>,
    /// Whether it gets a terminal.
    pub tty: bool,
    /// `on-error`: not after a success, whatever else is said.
    pub only_on_error: bool,
}

impl Default for Invoke {
    fn default() -> Self {
        Self {
            arguments: Vec::new(),
            entrypoint: Vec::new(),
            environment: Vec::new(),
            user: None,
            directory: None,
            tty: true,
            only_on_error: false,
        }
    }
}

/// Reads the value of `--invoke`.
///
/// # Errors
/// One line: an unknown key, a value that cannot be meant.
pub fn parse(text: &str) -> Result<Invoke, String> {
    match text {
        "" | "default" => return Ok(Invoke::default()),
        "on-error" => {
            return Ok(Invoke {
                arguments: vec!["/bin/sh".to_owned()],
                only_on_error: true,
                ..Invoke::default()
            });
        }
        _ => {}
    }
    let split = split(text)?;
    match split.as_slice() {
        // `env A=1 sh` is a command although it has a `=`: no key has a blank in it.
        [field]
            if field
                .split_once('=')
                .is_none_or(|(key, _)| key.contains(' ')) =>
        {
            Ok(Invoke {
                arguments: words::split(field)
                    .map_err(|error| format!("invalid value {text:?} for --invoke: {error}"))?,
                ..Invoke::default()
            })
        }
        split => pairs(split),
    }
}

/// The fields of one CSV record. Quotes inside of an unquoted field are kept, as in
/// `entrypoint=["/bin/sh"]`.
fn split(text: &str) -> Result<Vec<String>, String> {
    fields::split(text).map_err(|error| format!("--invoke: {error}"))
}

fn pairs(split: &[String]) -> Result<Invoke, String> {
    let mut invoke = Invoke {
        tty: false,
        ..Invoke::default()
    };
    for field in split {
        let (key, value) = field.split_once('=').ok_or_else(|| {
            format!("invalid value {field} in --invoke: expected key=value in every field")
        })?;
        match key.trim().to_lowercase().as_str() {
            "args" => invoke.arguments.extend(list(key, value)?),
            "entrypoint" => invoke.entrypoint.extend(list(key, value)?),
            "env" => {
                let variables = list(key, value)?;
                if let Some(bad) = variables
                    .iter()
                    .find(|variable| !variable.contains('=') || variable.starts_with('='))
                {
                    return Err(format!(
                        "invalid env {bad:?} in --invoke: expected NAME=VALUE"
                    ));
                }
                invoke.environment.extend(variables);
            }
            "user" => invoke.user = Some(value.to_owned()),
            "cwd" => invoke.directory = Some(value.to_owned()),
            "tty" => {
                invoke.tty = fields::truth(value).ok_or_else(|| {
                    format!("invalid value {value:?} for tty in --invoke: expected true or false")
                })?;
            }
            unknown => {
                return Err(format!(
                    "unknown key {unknown:?} in --invoke{}",
                    did_you_mean(unknown, KEYS)
                ));
            }
        }
    }
    Ok(invoke)
}

/// A word, or a JSON array of words.
fn list(key: &str, value: &str) -> Result<Vec<String>, String> {
    if value.starts_with('[') {
        serde_json::from_str(value).map_err(|_| {
            format!("invalid value {value} for {key} in --invoke: expected a word or a JSON array of words")
        })
    } else {
        Ok(vec![value.to_owned()])
    }
}

/// When a process is started and the monitor opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum On {
    /// After a failure.
    #[default]
    Error,
    /// After a success as well.
    Always,
}

/// Reads the value of `--on`.
///
/// # Errors
/// One line, for any word but `error` and `always`.
pub fn parse_on(text: &str) -> Result<On, String> {
    match text {
        "error" => Ok(On::Error),
        "always" => Ok(On::Always),
        _ => Err(format!(
            "invalid value {text:?} for --on: expected error or always{}",
            did_you_mean(text, ["error", "always"])
        )),
    }
}

/// When the flags together mean to start something: `--invoke` alone says that something is to be
/// started, so it counts after a success as well.
pub fn when(on: Option<On>, invoke: Option<&Invoke>) -> On {
    match (on, invoke) {
        (_, Some(invoke)) if invoke.only_on_error => On::Error,
        (Some(on), _) => on,
        (None, Some(_)) => On::Always,
        (None, None) => On::Error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(list: &[&str]) -> Vec<String> {
        list.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn words() {
        for text in ["", "default"] {
            assert_eq!(parse(text), Ok(Invoke::default()));
        }
        let table = [
            ("/bin/bash", &["/bin/bash"][..]),
            ("ls -l", &["ls", "-l"]),
            ("sh -c 'echo \"a  b\"'", &["sh", "-c", "echo \"a  b\""]),
            ("env A=1 sh", &["env", "A=1", "sh"]),
        ];
        for (text, expected) in table {
            let invoke = parse(text).unwrap();
            assert_eq!(invoke.arguments, strings(expected), "{text}");
            assert!(invoke.tty && invoke.user.is_none() && invoke.directory.is_none());
        }
        let on_error = parse("on-error").unwrap();
        assert_eq!(on_error.arguments, ["/bin/sh"]);
        assert!(on_error.only_on_error);
    }

    #[test]
    fn pairs() {
        let text = r#"entrypoint=["/bin/bash"],"args=[""-c"",""env""]",env=A=1,tty=true"#;
        let invoke = parse(text).unwrap();
        assert_eq!(invoke.entrypoint, ["/bin/bash"]);
        assert_eq!(invoke.arguments, ["-c", "env"]);
        assert_eq!(invoke.environment, ["A=1"]);
        assert!(invoke.tty);

        let text = r#"Args=a,args=b,user=1000:1000,cwd=/srv,"env=[""B=2"",""C=""]""#;
        let invoke = parse(text).unwrap();
        assert_eq!(invoke.arguments, ["a", "b"]);
        assert_eq!(invoke.environment, ["B=2", "C="]);
        assert_eq!(invoke.user.as_deref(), Some("1000:1000"));
        assert_eq!(invoke.directory.as_deref(), Some("/srv"));
        assert!(!invoke.tty);
    }

    #[test]
    fn mistakes() {
        let table = [
            (
                "usr=x",
                "unknown key \"usr\" in --invoke (did you mean user?)",
            ),
            (
                "args=a,b",
                "invalid value b in --invoke: expected key=value in every field",
            ),
            (
                "args=a,tty=maybe",
                "invalid value \"maybe\" for tty in --invoke: expected true or false",
            ),
            (
                "args=[x",
                "invalid value [x for args in --invoke: expected a word or a JSON array of words",
            ),
            (
                "env=A,tty=1",
                "invalid env \"A\" in --invoke: expected NAME=VALUE",
            ),
            (
                "sh -c 'x",
                "invalid value \"sh -c 'x\" for --invoke: a quote is not closed",
            ),
        ];
        for (text, expected) in table {
            assert_eq!(parse(text).unwrap_err(), expected, "{text}");
        }
        assert_eq!(
            parse_on("alway").unwrap_err(),
            "invalid value \"alway\" for --on: expected error or always (did you mean always?)"
        );
        assert!(parse_on("").is_err());
    }

    #[test]
    fn invoke_alone_counts_after_success() {
        let shell = Invoke::default();
        let on_error = parse("on-error").unwrap();
        assert_eq!(when(None, None), On::Error);
        assert_eq!(when(None, Some(&shell)), On::Always);
        assert_eq!(when(Some(On::Error), Some(&shell)), On::Error);
        assert_eq!(when(Some(On::Always), None), On::Always);
        assert_eq!(when(Some(On::Always), Some(&on_error)), On::Error);
    }
}
