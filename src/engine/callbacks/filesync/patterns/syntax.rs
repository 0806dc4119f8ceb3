//! Reading one pattern: cleaning, the `!` mark, and the split into tokens.
//!
//! Source of the rules: Docker's documentation of `.dockerignore` (Go's `filepath.Match` plus `**`
//! and `!`), and the behaviour of BuildKit's own client where the documentation is silent.

use super::PatternError;

/// What a pattern is made of, after cleaning.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Token {
    /// Exactly this character.
    Literal(char),
    /// `?`: one character that is not `/`.
    Any,
    /// `*`: any characters that are not `/`.
    Star,
    /// `[a-z]`, `[^x]`: one character inside, or outside, of the ranges.
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
    /// `**` or `**/` with something behind it: nothing, or anything that ends in `/`.
    DeepDirs,
    /// `**` at the end: anything.
    DeepAll,
    /// `**` at the start, directly before a text without wildcards: anything.
    DeepPrefix,
}

impl Token {
    /// True when this token can swallow a `/`, so that the pattern has no fixed components.
    pub(super) fn crosses_components(&self) -> bool {
        match self {
            Token::Class { negated, ranges } => class_contains(*negated, ranges, '/'),
            Token::DeepDirs | Token::DeepAll | Token::DeepPrefix => true,
            Token::Literal(_) | Token::Any | Token::Star => false,
        }
    }
}

/// True when `c` is one of the characters that the class stands for.
pub(super) fn class_contains(negated: bool, ranges: &[(char, char)], c: char) -> bool {
    ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != negated
}

/// A pattern after cleaning.
#[derive(Debug, Clone)]
pub(super) struct Parsed {
    pub(super) exception: bool,
    pub(super) tokens: Vec<Token>,
}

/// The text before the first wildcard.
pub(super) fn literal_prefix(tokens: &[Token]) -> String {
    tokens
        .iter()
        .map_while(|token| match token {
            Token::Literal(c) => Some(*c),
            _ => None,
        })
        .collect()
}

/// Reads one pattern; `None` for a blank one, which stands for nothing.
pub(super) fn parse(text: &str) -> Result<Option<Parsed>, PatternError> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Ok(None);
    }
    let (exception, body) = match trimmed.strip_prefix('!') {
        Some(rest) => (true, rest.trim()),
        None => (false, trimmed),
    };
    if body.is_empty() {
        return Err(PatternError::LoneException);
    }
    let cleaned = clean(body);
    // What is rooted is relative to the root all the same.
    let relative = cleaned.strip_prefix('/').unwrap_or(&cleaned);
    let tokens =
        tokenise(relative).map_err(|reason| PatternError::Syntax(text.to_owned(), reason))?;
    Ok(Some(Parsed { exception, tokens }))
}

/// A path or pattern in its shortest form: no empty or `.` components, `..` resolved by name.
pub fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

/// Splits a cleaned pattern.
pub(super) fn tokenise(pattern: &str) -> Result<Vec<Token>, &'static str> {
    let mut tokens = Vec::with_capacity(pattern.len());
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        let token = match c {
            '*' if chars.next_if_eq(&'*').is_some() => {
                let slash = chars.next_if_eq(&'/').is_some();
                if chars.peek().is_none() {
                    Token::DeepAll
                } else if tokens.is_empty() && !slash && is_literal(chars.clone()) {
                    Token::DeepPrefix
                } else {
                    Token::DeepDirs
                }
            }
            '*' => Token::Star,
            '?' => Token::Any,
            '\\' => Token::Literal(chars.next().ok_or("it ends in a lone backslash")?),
            '[' => class(&mut chars)?,
            other => Token::Literal(other),
        };
        tokens.push(token);
    }
    Ok(tokens)
}

fn is_literal(mut rest: impl Iterator<Item = char>) -> bool {
    rest.all(|c| !matches!(c, '*' | '?' | '[' | ']' | '\\'))
}

fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Token, &'static str> {
    const OPEN: &str = "a `[` has no `]`";
    let negated = chars.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        if !ranges.is_empty() && chars.next_if_eq(&']').is_some() {
            return Ok(Token::Class { negated, ranges });
        }
        let low = class_char(chars)?;
        let high = if chars.next_if_eq(&'-').is_some() {
            class_char(chars)?
        } else {
            low
        };
        if low > high {
            return Err("a range in `[]` runs backwards");
        }
        ranges.push((low, high));
    }

    fn class_char(
        chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    ) -> Result<char, &'static str> {
        match chars.next() {
            None => Err(OPEN),
            Some('\\') => chars.next().ok_or(OPEN),
            Some(']') => Err("a `]` stands where `[]` needs a character"),
            Some('-') => Err("a `-` stands where `[]` needs a character"),
            Some(c) => Ok(c),
        }
    }
}
