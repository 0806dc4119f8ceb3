//! The command that failed, whole: from the engine's message, since the name of a step may be shortened.

use crate::term::escape;

/// What stands around the command in the engine's message.
const AROUND: (&str, &str) = ("process \"", "\" did not complete successfully");

/// The shell that runs a RUN unless the Dockerfile says otherwise.
const SHELL: &str = "/bin/sh -c ";

/// The command of a failed process in the engine's message; `None` when it tells of none. It may have several lines.
pub fn of_message(message: &str) -> Option<String> {
    let begin = message.find(AROUND.0)? + AROUND.0.len();
    let rest = message.get(begin..)?;
    let quoted = rest.get(..rest.find(AROUND.1)?)?;
    let text = unquote(quoted);
    let text = text.strip_prefix(SHELL).unwrap_or(&text);
    Some(escape::text(text.trim_end().as_bytes()))
}

/// The command in the name of a step: `[2/3] RUN make` → `make`.
pub fn of_name(name: &str) -> Option<String> {
    let (_, command) = name.split_once("RUN ")?;
    Some(command.to_owned())
}

/// Takes back what Go's %q does.
fn unquote(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            out.push(letter);
            continue;
        }
        match letters.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('a') => out.push('\x07'),
            Some('b') => out.push('\x08'),
            Some('f') => out.push('\x0c'),
            Some('v') => out.push('\x0b'),
            Some(kind @ ('x' | 'u' | 'U')) => {
                let digits = match kind {
                    'x' => 2,
                    'u' => 4,
                    _ => 8,
                };
                let number: String = letters.by_ref().take(digits).collect();
                let code = u32::from_str_radix(&number, 16).ok();
                out.push(code.and_then(char::from_u32).unwrap_or('\u{fffd}'));
            }
            Some(letter) => out.push(letter),
            None => out.push('\\'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_of_a_message_is_whole() {
        let message = r#"process "/bin/sh -c echo \"a\\b\" &&\n\tmake é \u202e" did not complete successfully: exit code: 2"#;
        assert_eq!(
            of_message(message).as_deref(),
            Some("echo \"a\\b\" &&\n\tmake é \\u{202e}")
        );
        let message = r#"process "bash -c x" did not complete successfully: exit code: 1"#;
        assert_eq!(of_message(message).as_deref(), Some("bash -c x"));
        for message in ["", "process \"", "failed to compute cache key"] {
            assert_eq!(of_message(message), None);
        }
        let hostile = "process \"\\x1b[2J\\U7fffffff\\\" did not complete successfully";
        assert_eq!(of_message(hostile).as_deref(), Some("^[[2J\u{fffd}\\"));
        assert_eq!(of_name("[2/3] RUN make").as_deref(), Some("make"));
    }
}
