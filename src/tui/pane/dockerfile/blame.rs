//! Which word of a source line the engine's message means. The frontend tells lines only, without columns, but most of
//! its messages name the word: `unknown instruction: RUNN`, `failed to parse stage name "a::"`, `COPY requires …`.

use std::ops::Range;

/// Bytes of a message that are looked at.
const BYTES: usize = 4_096;

/// The part of a line that a message names.
pub fn word(message: &str, line: &str) -> Option<Range<usize>> {
    let mut end = message.len().min(BYTES);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    let message = message.get(..end)?;
    let quoted = message.split('"').skip(1).step_by(2);
    let told = last(message);
    let capitals = message
        .split_whitespace()
        .map(|word| word.trim_matches(|letter: char| !letter.is_alphanumeric()))
        .filter(|word| word.len() > 1 && word.chars().all(|letter| letter.is_ascii_uppercase()));
    quoted
        .chain(told)
        .chain(capitals)
        .find_map(|name| find(line, name).or_else(|| find(line, name.strip_prefix('/')?)))
}

/// What stands alone behind the last colon.
fn last(message: &str) -> Option<&str> {
    let (_, told) = message.rsplit_once(": ")?;
    let told = told.split(" (").next()?.trim();
    (!told.contains(char::is_whitespace)).then_some(told)
}

/// Where a name stands in a line as a word, with the dashes of a flag.
fn find(line: &str, name: &str) -> Option<Range<usize>> {
    if name.is_empty() {
        return None;
    }
    let joins = |letter: Option<char>, end: Option<char>| {
        let word = |letter: Option<char>| {
            letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
        };
        word(letter) && word(end)
    };
    line.match_indices(name).find_map(|(at, _)| {
        let (before, behind) = (line.get(..at)?, line.get(at + name.len()..)?);
        if joins(before.chars().next_back(), name.chars().next())
            || joins(behind.chars().next(), name.chars().next_back())
        {
            return None;
        }
        let dashes = before.len() - before.trim_end_matches('-').len();
        Some(at - dashes..at + name.len())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn messages_of_the_frontend_name_their_word() {
        for (message, line, expected) in [
            (
                "dockerfile parse error on line 7: unknown instruction: RUNN (did you mean RUN?)",
                "RUNN echo hello",
                Some("RUNN"),
            ),
            (
                "dockerfile parse error on line 2: unknown flag: foo",
                "RUN --foo=1 foo",
                Some("--foo"),
            ),
            (
                "failed to parse stage name \"nosuch::\": invalid reference format",
                "COPY --from=nosuch:: a b",
                Some("nosuch::"),
            ),
            ("ENV must have two arguments", "ENV A", Some("ENV")),
            (
                "dockerfile parse error on line 2: COPY requires at least two arguments, but only one was provided",
                "COPY one was",
                Some("COPY"),
            ),
            (
                "failed to process \"${A\": unsupported modifier (\u{fffd}) in substitution",
                "ENV B=${A",
                Some("${A"),
            ),
            (
                "failed to calculate checksum of ref a::b: \"/a\": not found",
                "ADD --chmod=abc a b",
                Some("a"),
            ),
            ("Invalid containerPort: abc", "EXPOSE abc", Some("abc")),
            ("unterminated heredoc", "RUN <<EOF", None),
            (
                "no build stage in current context",
                "RUN x in context",
                None,
            ),
            ("unknown instruction: RUN", "RUNN x", None),
            ("", "x", None),
            ("x: \"\"", "y", None),
        ] {
            let found = word(message, line).and_then(|range| line.get(range));
            assert_eq!(found, expected, "{message}");
        }
    }

    proptest! {
        #[test]
        fn a_word_is_whole_characters(message in "[a-cé\": (-/]{0,30}", line in "[a-cé\"-/ ]{0,30}") {
            if let Some(range) = word(&message, &line) {
                prop_assert!(line.get(range).is_some());
            }
        }
    }
}
