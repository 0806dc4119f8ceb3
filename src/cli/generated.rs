//! What is made from the tables of commands, flags and keys: shell completions and man pages.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::Cli;
use crate::monitor::table;
use crate::tui::action::{ACTIONS, Scope};
use crate::tui::keymap::Key;

/// A shell that completions are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Shell {
    /// bash
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
}

/// The completions of a shell.
pub fn completion(shell: Shell) -> Vec<u8> {
    use clap_complete::Shell as Known;
    let known = match shell {
        Shell::Bash => Known::Bash,
        Shell::Zsh => Known::Zsh,
        Shell::Fish => Known::Fish,
    };
    let mut out = Vec::new();
    clap_complete::generate(known, &mut Cli::command(), "buildx", &mut out);
    out
}

/// Writes a man page for each command into a directory; gives how many.
///
/// # Errors
/// The directory cannot be made or written.
pub fn man(directory: &Path) -> io::Result<usize> {
    fs::create_dir_all(directory)?;
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let mut pages = Vec::new();
    collect(&root, "buildx", &mut pages);
    for (name, page) in &pages {
        fs::File::create(directory.join(format!("{name}.1")))?.write_all(page)?;
    }
    Ok(pages.len())
}

/// The pages of a command and of those below it.
fn collect(command: &Command, name: &str, pages: &mut Vec<(String, Vec<u8>)>) {
    let shown = command
        .clone()
        .display_name(name)
        .version(env!("CARGO_PKG_VERSION"));
    let mut page = Vec::new();
    // A vector takes everything.
    let _ = Man::new(shown).render(&mut page);
    if name == "buildx-debug" {
        let _ = keys().to_writer(&mut page);
        let _ = commands().to_writer(&mut page);
    }
    pages.push((name.to_owned(), page));
    for below in command
        .get_subcommands()
        .filter(|below| !below.is_hide_set())
    {
        collect(below, &format!("{name}-{}", below.get_name()), pages);
    }
}

/// The keys of the full screen.
fn keys() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["KEYS"]);
    roff.text([roman(
        "The keys of the full screen, unless the configuration says otherwise. In the shell they follow the prefix.",
    )]);
    for scope in [Scope::Everywhere, Scope::List, Scope::Text, Scope::Shell] {
        roff.control("SS", [scope.title()]);
        for spec in ACTIONS.iter().filter(|spec| spec.scope == scope) {
            let keys: Vec<String> = spec
                .keys
                .split_whitespace()
                .map(|key| Key::parse(key).map_or_else(|_| key.to_owned(), |key| key.to_string()))
                .collect();
            roff.control("TP", []);
            roff.text([bold(keys.join(" ")), roman(format!(" {}", spec.name))]);
            roff.text([roman(spec.about)]);
        }
    }
    roff
}

/// The commands of the monitor and of the command line.
fn commands() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["COMMANDS OF THE MONITOR"]);
    for spec in table::COMMANDS {
        roff.control("TP", []);
        roff.text([bold(spec.name), roman(format!(" {}", spec.usage))]);
        roff.text([roman(spec.about)]);
    }
    roff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_knows_the_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let text = String::from_utf8(completion(shell)).unwrap();
            for word in ["debug", "attach", "build-arg", "invoke"] {
                assert!(text.contains(word), "{shell:?}: {word}");
            }
        }
    }

    #[test]
    fn every_command_has_a_page_and_the_debugger_its_keys() {
        let dir = tempfile::tempdir().unwrap();
        let count = man(dir.path()).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), count);
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
        assert!(read("buildx-build.1").contains("tag"));
        assert!(read("buildx-debug-attach.1").contains("process"));
        let debug = read("buildx-debug.1");
        assert!(debug.contains(".SH KEYS"));
        for spec in ACTIONS {
            assert!(
                debug.contains(&spec.name.replace('-', "\\-")),
                "{}",
                spec.name
            );
        }
        assert!(!dir.path().join("buildx-man.1").exists());
    }
}
