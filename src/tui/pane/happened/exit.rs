//! What an exit code says, in words.

/// What is known beside the code.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The command that ended so.
    pub command: &'a str,
    /// Its last lines.
    pub lines: &'a [String],
}

/// The words for an exit code; `None` when it is only a number that the program has chosen.
pub fn words(code: u32, known: Known) -> Option<String> {
    let words = match code {
        124 => "what timeout(1) gives when the time is up".to_owned(),
        126 => {
            let why = "cannot be executed: no permission (chmod +x), a directory, or made for another architecture";
            match complained(
                known,
                &["permission denied", "cannot execute", "exec format error"],
            ) {
                Some(word) => format!("{word} was found but {why}"),
                // A program may give any number itself.
                None => format!("often: a command was found but {why}"),
            }
        }
        127 => match word(
            known,
            &[
                "command not found",
                "not found",
                "no such file or directory",
            ],
        ) {
            Some(word) => format!("command not found: {word}"),
            None => "often: a command was not found".to_owned(),
        },
        130 => "interrupted (SIGINT)".to_owned(),
        134 => "it gave up (SIGABRT): an assertion, or a broken heap".to_owned(),
        137 => "killed (SIGKILL): no memory left, or somebody's kill -9".to_owned(),
        139 => "it crashed (SIGSEGV): it used memory that it does not have".to_owned(),
        143 => "told to end (SIGTERM), as timeouts and shutdowns do".to_owned(),
        129..=192 => match signal(code - 128) {
            Some((name, about)) => format!("ended by signal {name}: {about}"),
            None => format!("ended by signal {}", code - 128),
        },
        _ => return None,
    };
    Some(words)
}

/// Name and meaning of a signal.
fn signal(number: u32) -> Option<(&'static str, &'static str)> {
    Some(match number {
        1 => ("SIGHUP", "its terminal went away"),
        3 => ("SIGQUIT", "quit from the keyboard"),
        4 => ("SIGILL", "an instruction that this processor does not have"),
        5 => ("SIGTRAP", "a breakpoint"),
        7 => ("SIGBUS", "a file or device behind its memory went away"),
        8 => ("SIGFPE", "a division by zero or the like"),
        10 => ("SIGUSR1", "sent by a program"),
        12 => ("SIGUSR2", "sent by a program"),
        13 => ("SIGPIPE", "nobody reads what it writes"),
        14 => ("SIGALRM", "an alarm that it has set"),
        24 => ("SIGXCPU", "its limit of processor time"),
        25 => ("SIGXFSZ", "its limit of file size"),
        31 => ("SIGSYS", "a system call that is not allowed"),
        _ => return None,
    })
}

/// The word that a shell complains of, or else the command where it is a single one, which leaves no doubt.
fn word(known: Known, complaints: &[&str]) -> Option<String> {
    complained(known, complaints).or_else(|| {
        let mut words = known.command.split_whitespace();
        let first = words.next()?;
        let simple = !known
            .command
            .contains(['&', '|', ';', '$', '`', '(', '{', '\n']);
        (simple && first != "exit").then(|| first.to_owned())
    })
}

/// The word that a shell complains of: what stands before the first of `complaints` that a line has, in the last such
/// line, as in `/bin/sh: 1: cmake: not found`.
fn complained(known: Known, complaints: &[&str]) -> Option<String> {
    complaints.iter().find_map(|complaint| {
        known.lines.iter().rev().find_map(|line| {
            let at = line.to_ascii_lowercase().find(complaint)?;
            let before = line.get(..at)?.trim_end_matches([' ', ':']);
            let word = before.rsplit(": ").next()?.trim();
            let word = word.trim_matches(['"', '\'', '`', '‘', '’']);
            (!word.is_empty() && word.len() <= 200).then(|| word.to_owned())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(code: u32, command: &str, lines: &[&str]) -> Option<String> {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        words(
            code,
            Known {
                command,
                lines: &lines,
            },
        )
    }

    #[test]
    fn the_word_that_was_not_found_is_named() {
        for line in [
            "/bin/sh: 1: cmake: not found",
            "/bin/sh: cmake: not found",
            "bash: line 1: cmake: command not found",
            "sh: 'cmake': Not found",
        ] {
            let said = say(127, "a && cmake .", &["before", line, "behind"]);
            assert_eq!(said.as_deref(), Some("command not found: cmake"), "{line}");
        }
        // Other complaints behind it are of something else.
        let said = say(
            127,
            "a; b",
            &["sh: b: not found", "open x: no such file or directory"],
        );
        assert_eq!(said.as_deref(), Some("command not found: b"));
        let said = say(127, "cmake -B x", &[]);
        assert_eq!(said.as_deref(), Some("command not found: cmake"));
        for command in ["a; b", "exit 127"] {
            let said = say(127, command, &[]);
            assert_eq!(said.as_deref(), Some("often: a command was not found"));
        }
    }

    #[test]
    fn codes_have_words() {
        let said = say(126, "x", &["/bin/sh: ./run.sh: Permission denied"]);
        assert!(said.is_some_and(|said| said.starts_with("./run.sh was found but")));
        // Nothing but the number says so.
        for command in ["exit 126", "./run.sh", "a; b"] {
            let said = say(126, command, &["it said nothing of it"]);
            assert!(
                said.as_ref()
                    .is_some_and(|said| said.starts_with("often: ")),
                "{command}: {said:?}"
            );
        }
        for (code, part) in [
            (124, "timeout"),
            (137, "SIGKILL"),
            (139, "SIGSEGV"),
            (143, "SIGTERM"),
            (141, "SIGPIPE"),
            (159, "SIGSYS"),
            (190, "signal 62"),
        ] {
            let said = say(code, "a; b", &[]);
            assert!(
                said.as_ref().is_some_and(|said| said.contains(part)),
                "{code}: {said:?}"
            );
        }
        for code in [0, 1, 2, 100, 128, 193, 255, 70_000] {
            assert_eq!(say(code, "a", &[]), None, "{code}");
        }
    }
}
