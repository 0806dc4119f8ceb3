//! What is wrong with the arguments, in one line and in the words of docker's own buildx.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, CommandFactory};

use super::Cli;
use crate::build::suggest::nearest;
use crate::progress::units;

/// The commands that the words of a command line lead through: `buildx`, `buildx debug`, `buildx debug ls`.
struct Path {
    root: Command,
    names: Vec<String>,
}

impl Path {
    fn of(args: &[OsString]) -> Self {
        let mut root = Cli::command();
        root.build();
        let mut names = Vec::new();
        let mut words = args.iter().skip(1).filter_map(|arg| arg.to_str());
        let mut at = &root;
        let mut seen: Vec<&Command> = vec![at];
        while let Some(word) = words.next() {
            if word == "--" {
                break;
            }
            if word.starts_with('-') {
                if takes_next(&seen, word) {
                    words.next();
                }
                continue;
            }
            if let Some(next) = at.find_subcommand(word) {
                names.push(next.get_name().to_owned());
                seen.push(next);
                at = next;
            } else if !at.has_subcommands() {
                break;
            }
        }
        Self { root, names }
    }

    /// Every command on the way, from the root on, with its words.
    fn commands(&self) -> Vec<(String, &Command)> {
        let mut at = &self.root;
        let mut words = "buildx".to_owned();
        let mut all = vec![(words.clone(), at)];
        for name in &self.names {
            let Some(next) = at.find_subcommand(name) else {
                break;
            };
            at = next;
            words = format!("{words} {name}");
            all.push((words.clone(), at));
        }
        all
    }

    /// The command that is asked for, with its words.
    fn last(&self) -> (String, &Command) {
        let last = self.commands().pop();
        last.unwrap_or_else(|| ("buildx".to_owned(), &self.root))
    }
}

/// Whether the value of the flag `word` is the next word.
fn takes_next(commands: &[&Command], word: &str) -> bool {
    let takes = |arg: &Arg| {
        arg.get_num_args().is_some_and(|n| n.min_values() > 0) && !arg.is_require_equals_set()
    };
    let mut args = commands.iter().flat_map(|command| command.get_arguments());
    match word.strip_prefix("--") {
        Some(long) if long.contains('=') => false,
        Some(long) => args.any(|arg| arg.get_long() == Some(long) && takes(arg)),
        None => {
            let mut letters = word.chars().skip(1);
            let (letter, rest) = (letters.next(), letters.next());
            rest.is_none() && args.any(|arg| arg.get_short() == letter && takes(arg))
        }
    }
}

/// Clap's error about `args`.
pub(super) fn one_line(error: &clap::Error, args: &[OsString]) -> String {
    let list = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(list)) => list.clone(),
        _ => Vec::new(),
    };
    let context = |kind| list(kind).join(", ");
    let argument = context(ContextKind::InvalidArg);
    // Clap names an option with its value: `--file <FILE>`, `--file=<FILE>`.
    let flag = argument
        .split([' ', '=', '['])
        .next()
        .unwrap_or_default()
        .to_owned();
    let path = Path::of(args);
    let (command, definition) = path.last();
    match error.kind() {
        ErrorKind::UnknownArgument if argument.starts_with("--") => unknown_flag(&flag, &path),
        ErrorKind::UnknownArgument if argument.starts_with('-') => {
            let letter = argument.chars().nth(1).unwrap_or('-');
            format!("unknown shorthand flag: '{letter}' in {argument}; see '{command} --help'")
        }
        ErrorKind::UnknownArgument => {
            let all = definition.get_positionals().count();
            let required = definition
                .get_positionals()
                .filter(|arg| arg.is_required_set());
            let most = if required.count() == all {
                ""
            } else {
                "at most "
            };
            let all = units::count(all, "argument");
            format!("buildx: '{command}' requires {most}{all}; see '{command} --help'")
        }
        ErrorKind::MissingRequiredArgument => {
            let missing: Vec<String> = list(ContextKind::InvalidArg)
                .iter()
                .map(|name| name.replace(['<', '>'], ""))
                .collect();
            let missing = missing.join(" and ");
            format!("buildx: '{command}' requires {missing}; see '{command} --help'")
        }
        ErrorKind::InvalidSubcommand => {
            let word = context(ContextKind::InvalidSubcommand);
            let names = definition.get_subcommands().map(Command::get_name);
            let near = nearest(&word, names)
                .map_or_else(String::new, |near| format!(" (did you mean {near}?)"));
            format!("unknown command: {word:?}{near}; see '{command} --help'")
        }
        ErrorKind::InvalidValue if context(ContextKind::InvalidValue).is_empty() => {
            let short = args.iter().filter_map(|arg| arg.to_str()).next_back();
            match short {
                Some(last) if last.len() == 2 && last.starts_with('-') && last != "--" => {
                    let letter = last.chars().nth(1).unwrap_or('-');
                    format!("flag needs an argument: '{letter}' in {last}")
                }
                _ => format!("flag needs an argument: {flag}"),
            }
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let value = context(ContextKind::InvalidValue);
            let allowed = context(ContextKind::ValidValue);
            let why = std::error::Error::source(error)
                .map(ToString::to_string)
                .unwrap_or_else(|| format!("expected one of {allowed}"));
            format!("invalid argument {value:?} for {flag:?} flag: {why}")
        }
        ErrorKind::TooManyValues | ErrorKind::NoEquals => {
            format!("invalid argument for {flag:?} flag")
        }
        ErrorKind::InvalidUtf8 => "an argument is not valid UTF-8".to_owned(),
        _ => error
            .to_string()
            .lines()
            .next()
            .unwrap_or_default()
            .trim_start_matches("error: ")
            .to_owned(),
    }
}

/// A flag that stands where it does not belong, or one that does not exist.
fn unknown_flag(flag: &str, path: &Path) -> String {
    let name = flag.trim_start_matches('-');
    let commands = path.commands();
    let shown = |command: &Command| -> Vec<String> {
        let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
        shown.filter_map(Arg::get_long).map(str::to_owned).collect()
    };
    let own = commands
        .iter()
        .find(|(_, command)| shown(command).iter().any(|known| known == name));
    if let Some((words, _)) = own {
        return format!("{flag} is a flag of '{words}': {words} {flag} ...");
    }
    let within = path.last().1;
    let names: Vec<String> = within
        .get_subcommands()
        .chain([within, &path.root])
        .flat_map(shown)
        .filter(|known| known != name)
        .collect();
    match nearest(name, names.iter().map(String::as_str)) {
        Some(near) => format!("unknown flag: {flag} (did you mean --{near}?)"),
        None => format!("unknown flag: {flag}; see '{} --help'", path.last().0),
    }
}
