//! The one table of the monitor's commands: parser, help, completion and a full-screen app's
//! footer read it.

/// Which command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the table says what each does")]
pub enum Word {
    Attach,
    Cancel,
    Detach,
    Disconnect,
    Exec,
    Exit,
    Help,
    Inspect,
    Keep,
    Kill,
    List,
    Logs,
    Ps,
    Reload,
    Rollback,
    Shutdown,
    Signal,
    Status,
}

/// What an argument names; for completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A session.
    Session,
    /// A process of the current session.
    Process,
    /// A session or a process.
    Either,
    /// A command of this table.
    Command,
    /// A signal.
    Signal,
    /// Anything.
    Text,
}

/// A flag of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag {
    /// One letter, if it has one.
    pub short: Option<char>,
    /// Without the dashes.
    pub long: &'static str,
    /// What its value is called; `None` for a switch.
    pub value: Option<&'static str>,
    /// Whether it may be given more than once.
    pub many: bool,
    /// What it does.
    pub about: &'static str,
}

/// A command.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Which one.
    pub word: Word,
    /// Its name, known from the original where that has it.
    pub name: &'static str,
    /// Its other names.
    pub pairs: &'static [&'static str],
    /// Arguments, as usage shows them.
    pub usage: &'static str,
    /// Least and most arguments; everything after the first of a command line belongs to it.
    pub arguments: (usize, usize),
    /// What the arguments name.
    pub kinds: &'static [Kind],
    /// Its flags.
    pub flags: &'static [Flag],
    /// One line.
    pub about: &'static str,
    /// More lines, for `help NAME`; may be empty.
    pub more: &'static str,
}

const fn switch(long: &'static str, about: &'static str) -> Flag {
    Flag {
        short: None,
        long,
        value: None,
        many: false,
        about,
    }
}

const INIT: Flag = switch("init", "start in the state before the failed step");

const PLATFORM: Flag = Flag {
    short: None,
    long: "platform",
    value: Some("PLATFORM"),
    many: false,
    about: "platform of a result that has several",
};

const PROCESS_FLAGS: &[Flag] = &[
    Flag {
        short: Some('e'),
        long: "env",
        value: Some("NAME=VALUE"),
        many: true,
        about: "a variable, after those of the step or image",
    },
    Flag {
        short: Some('w'),
        long: "workdir",
        value: Some("DIR"),
        many: false,
        about: "directory to start in",
    },
    Flag {
        short: Some('u'),
        long: "user",
        value: Some("USER"),
        many: false,
        about: "user to run as",
    },
    Flag {
        short: Some('t'),
        long: "tty",
        value: None,
        many: false,
        about: "with a terminal, as always here",
    },
    Flag {
        short: Some('i'),
        long: "interactive",
        value: None,
        many: false,
        about: "with the keyboard, as always here",
    },
    INIT,
    PLATFORM,
];

/// No limit to the arguments of a command line.
const ANY: usize = usize::MAX;

/// Every command, by name.
pub const COMMANDS: &[Spec] = &[
    Spec {
        word: Word::Attach,
        name: "attach",
        pairs: &[],
        usage: "[--read-only] [ID]",
        arguments: (0, 1),
        kinds: &[Kind::Either],
        flags: &[switch(
            "read-only",
            "look on: the keyboard is not passed on",
        )],
        about: "take up a session or a process",
        more: "Without an ID: the newest process of the current session. The ID of a session makes it the current one.",
    },
    Spec {
        word: Word::Cancel,
        name: "cancel",
        pairs: &[],
        usage: "",
        arguments: (0, 0),
        kinds: &[],
        flags: &[],
        about: "stop the build of the session; the session stays",
        more: "",
    },
    Spec {
        word: Word::Detach,
        name: "detach",
        pairs: &[],
        usage: "",
        arguments: (0, 0),
        kinds: &[],
        flags: &[],
        about: "leave; the session and its processes live on",
        more: "",
    },
    Spec {
        word: Word::Disconnect,
        name: "disconnect",
        pairs: &[],
        usage: "[ID]",
        arguments: (0, 1),
        kinds: &[Kind::Either],
        flags: &[],
        about: "end a session, or a process; asks when others use it",
        more: "Without an ID: the current session.",
    },
    Spec {
        word: Word::Exec,
        name: "exec",
        pairs: &[],
        usage: "[FLAGS] CMD [ARG...]",
        arguments: (1, ANY),
        kinds: &[Kind::Text],
        flags: PROCESS_FLAGS,
        about: "start a process in the session",
        more: "User, directory and variables are the step's or the image's unless a flag says otherwise.",
    },
    Spec {
        word: Word::Exit,
        name: "exit",
        pairs: &["quit"],
        usage: "",
        arguments: (0, 0),
        kinds: &[],
        flags: &[],
        about: "leave, and end the session that this monitor started",
        more: "A session that others use lives on; 'detach' leaves it alone in any case.",
    },
    Spec {
        word: Word::Help,
        name: "help",
        pairs: &[],
        usage: "[COMMAND]",
        arguments: (0, 1),
        kinds: &[Kind::Command],
        flags: &[],
        about: "say what the commands do",
        more: "",
    },
    Spec {
        word: Word::Inspect,
        name: "inspect",
        pairs: &[],
        usage: "[SESSION]",
        arguments: (0, 1),
        kinds: &[Kind::Session],
        flags: &[],
        about: "show everything about a session",
        more: "",
    },
    Spec {
        word: Word::Keep,
        name: "keep",
        pairs: &[],
        usage: "DURATION",
        arguments: (1, 1),
        kinds: &[Kind::Text],
        flags: &[],
        about: "keep the state of the build that long, such as 2h; 0 releases it",
        more: "",
    },
    Spec {
        word: Word::Kill,
        name: "kill",
        pairs: &[],
        usage: "[ID]",
        arguments: (0, 1),
        kinds: &[Kind::Either],
        flags: &[],
        about: "end a process, or a session, at once and without asking",
        more: "Without an ID: the current process. 'shutdown' ends the server.",
    },
    Spec {
        word: Word::List,
        name: "list",
        pairs: &["ls"],
        usage: "",
        arguments: (0, 0),
        kinds: &[],
        flags: &[],
        about: "list the sessions",
        more: "",
    },
    Spec {
        word: Word::Logs,
        name: "logs",
        pairs: &[],
        usage: "[STEP]",
        arguments: (0, 1),
        kinds: &[Kind::Text],
        flags: &[],
        about: "print the log of the build, or of the steps that match",
        more: "A STEP is its number (#7 or 7) or a part of its name.",
    },
    Spec {
        word: Word::Ps,
        name: "ps",
        pairs: &[],
        usage: "",
        arguments: (0, 0),
        kinds: &[],
        flags: &[],
        about: "list the processes of the session",
        more: "",
    },
    Spec {
        word: Word::Reload,
        name: "reload",
        pairs: &["build"],
        usage: "",
        arguments: (0, 0),
        kinds: &[],
        flags: &[],
        about: "build again with the same options, and start a process in the new state",
        more: "",
    },
    Spec {
        word: Word::Rollback,
        name: "rollback",
        pairs: &[],
        usage: "[FLAGS] [CMD [ARG...]]",
        arguments: (0, ANY),
        kinds: &[Kind::Text],
        flags: PROCESS_FLAGS,
        about: "end all processes, throw their changes away, start again",
        more: "Nothing of it is remembered: the next rollback starts as this monitor did.",
    },
    Spec {
        word: Word::Shutdown,
        name: "shutdown",
        pairs: &[],
        usage: "",
        arguments: (0, 0),
        kinds: &[],
        flags: &[],
        about: "end the server with all sessions; asks when others are connected",
        more: "",
    },
    Spec {
        word: Word::Signal,
        name: "signal",
        pairs: &[],
        usage: "NAME [PROCESS]",
        arguments: (1, 2),
        kinds: &[Kind::Signal, Kind::Process],
        flags: &[],
        about: "send a signal, such as INT, TERM or HUP, to a process",
        more: "Without a PROCESS: the current one.",
    },
    Spec {
        word: Word::Status,
        name: "status",
        pairs: &[],
        usage: "",
        arguments: (0, 0),
        kinds: &[],
        flags: &[],
        about: "say where this monitor is, and how the server does",
        more: "",
    },
];

/// The command of that name.
pub fn find(name: &str) -> Option<&'static Spec> {
    COMMANDS
        .iter()
        .find(|spec| spec.name == name || spec.pairs.contains(&name))
}

/// The row of that command.
pub fn spec(word: Word) -> Option<&'static Spec> {
    COMMANDS.iter().find(|spec| spec.word == word)
}

/// Every name, pairs included.
pub fn names() -> impl Iterator<Item = &'static str> {
    COMMANDS
        .iter()
        .flat_map(|spec| std::iter::once(spec.name).chain(spec.pairs.iter().copied()))
}

/// The lines of `help`.
pub fn help() -> Vec<String> {
    let names: Vec<String> = COMMANDS.iter().map(titled).collect();
    let width = names.iter().map(String::len).max().unwrap_or_default();
    let mut lines = vec!["Available commands are:".to_owned()];
    lines.extend(
        COMMANDS
            .iter()
            .zip(&names)
            .map(|(spec, name)| format!("  {name:width$}  {}", spec.about)),
    );
    lines.push("'help COMMAND' says more. Ids may be shortened as long as they are unique.".into());
    lines
}

/// The lines of `help NAME`.
pub fn help_for(spec: &Spec) -> Vec<String> {
    let mut lines = vec![
        format!("Usage: {} {}", titled(spec), spec.usage)
            .trim_end()
            .to_owned(),
        spec.about.to_owned(),
    ];
    if !spec.more.is_empty() {
        lines.push(spec.more.to_owned());
    }
    let flags: Vec<String> = spec.flags.iter().map(flag_usage).collect();
    let width = flags.iter().map(String::len).max().unwrap_or_default();
    lines.extend(
        spec.flags
            .iter()
            .zip(&flags)
            .map(|(flag, usage)| format!("  {usage:width$}  {}", flag.about)),
    );
    lines
}

fn titled(spec: &Spec) -> String {
    std::iter::once(spec.name)
        .chain(spec.pairs.iter().copied())
        .collect::<Vec<_>>()
        .join(", ")
}

fn flag_usage(flag: &Flag) -> String {
    let short = flag
        .short
        .map_or_else(|| "    ".to_owned(), |short| format!("-{short}, "));
    let value = flag
        .value
        .map_or_else(String::new, |value| format!(" {value}"));
    format!("{short}--{}{value}", flag.long)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_the_original_are_there() {
        for name in [
            "attach",
            "detach",
            "disconnect",
            "exec",
            "exit",
            "help",
            "kill",
            "list",
            "ps",
            "reload",
            "rollback",
        ] {
            assert!(find(name).is_some(), "{name}");
        }
        assert_eq!(find("ls").map(|spec| spec.name), Some("list"));
        assert_eq!(find("build").map(|spec| spec.name), Some("reload"));
        assert_eq!(find("quit").map(|spec| spec.name), Some("exit"));
    }

    #[test]
    fn names_are_unique_and_in_order() {
        let mut all: Vec<_> = names().collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), names().count());
        assert!(COMMANDS.is_sorted_by_key(|spec| spec.name));
        for spec in COMMANDS {
            assert!(spec.arguments.0 <= spec.arguments.1, "{}", spec.name);
            assert_eq!(
                spec.kinds.is_empty(),
                spec.arguments.1 == 0,
                "{}",
                spec.name
            );
        }
    }

    #[test]
    fn help_has_a_line_for_each_and_fits() {
        let help = help();
        assert_eq!(help[0], "Available commands are:");
        assert_eq!(help.len(), COMMANDS.len() + 2);
        for line in help.iter() {
            assert!(line.len() <= 100, "{line}");
        }
        let exec = help_for(find("exec").unwrap());
        assert_eq!(exec[0], "Usage: exec [FLAGS] CMD [ARG...]");
        assert!(exec.iter().any(|line| line.contains("-w, --workdir DIR")));
    }
}
