//! Matching one path component against tokens that cannot cross a `/`.

use super::syntax::{Token, class_contains};

/// True when the tokens stand for the whole of `name`.
pub(super) fn matches(tokens: &[Token], name: &str) -> bool {
    let mut rest = name;
    let mut at = 0;
    // Where to go on when a mismatch shows that the last `*` must swallow one more character.
    let mut retry: Option<(usize, &str)> = None;
    loop {
        let fits = match tokens.get(at) {
            None if rest.is_empty() => return true,
            Some(Token::Star) => {
                at += 1;
                retry = Some((at, rest));
                continue;
            }
            None => None,
            Some(token) => take(token, rest),
        };
        if let Some(next) = fits {
            rest = next;
            at += 1;
            continue;
        }
        let Some((behind_star, from)) = retry else {
            return false;
        };
        let mut chars = from.chars();
        if chars.next().is_none() {
            return false;
        }
        rest = chars.as_str();
        at = behind_star;
        retry = Some((at, rest));
    }
}

fn take<'a>(token: &Token, text: &'a str) -> Option<&'a str> {
    let mut chars = text.chars();
    let c = chars.next()?;
    let fits = match token {
        Token::Literal(wanted) => *wanted == c,
        Token::Any => true,
        Token::Class { negated, ranges } => class_contains(*negated, ranges, c),
        Token::Star | Token::DeepDirs | Token::DeepAll | Token::DeepPrefix => false,
    };
    fits.then_some(chars.as_str())
}
