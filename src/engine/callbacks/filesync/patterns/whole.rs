//! The patterns that the tree has no place for, as regular expressions over the whole path.

use std::fmt::Write as _;

use regex::{RegexSet, RegexSetBuilder};

use super::PatternError;
use super::syntax::{Token, literal_prefix};

/// Patterns of one set; more of them would make a single automaton slow to build.
const SET: usize = 128;

/// Bytes that one compiled set may take.
const SIZE: usize = 32 << 20;

/// A pattern on its way into a set.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) index: u32,
    pub(super) exception: bool,
    pub(super) tokens: Vec<Token>,
}

#[derive(Debug)]
struct Member {
    index: u32,
    exception: bool,
    prefix: String,
}

/// Patterns that are matched as a whole.
#[derive(Debug, Default)]
pub(super) struct Whole {
    sets: Vec<(RegexSet, Vec<Member>)>,
}

impl Whole {
    /// Compiles `pending`; the texts of all patterns are for the error.
    pub(super) fn new<S: AsRef<str>>(
        pending: Vec<Pending>,
        texts: &[S],
    ) -> Result<Whole, PatternError> {
        let mut sets = Vec::new();
        for chunk in pending.chunks(SET) {
            let set = RegexSetBuilder::new(chunk.iter().map(|one| to_regex(&one.tokens)))
                .size_limit(SIZE)
                .build()
                .map_err(|_| {
                    let text = chunk.first().and_then(|one| texts.get(one.index as usize));
                    let text = text.map_or("", AsRef::as_ref);
                    PatternError::Syntax(text.to_owned(), "it is too large, or a later one is")
                })?;
            let members = chunk.iter().map(|one| Member {
                index: one.index,
                exception: one.exception,
                prefix: literal_prefix(&one.tokens),
            });
            sets.push((set, members.collect()));
        }
        Ok(Whole { sets })
    }

    /// The patterns that match `path`, appended to `hits`.
    pub(super) fn hits(&self, path: &str, hits: &mut Vec<u32>) {
        for (set, members) in &self.sets {
            let matches = set.matches(path);
            let found = matches.iter().filter_map(|at| members.get(at));
            hits.extend(found.map(|member| member.index));
        }
    }

    /// True when a pattern of this kind could match something below `directory`.
    pub(super) fn may_match_below(&self, directory: &str, exception: bool) -> bool {
        let mut members = self.sets.iter().flat_map(|(_, members)| members);
        members.any(|member| member.exception == exception && member.may_be_below(directory))
    }
}

impl Member {
    /// Everything below starts with `directory/`: so must the pattern, as far as it is fixed.
    fn may_be_below(&self, directory: &str) -> bool {
        match self.prefix.strip_prefix(directory) {
            Some(rest) => rest.is_empty() || rest.starts_with('/'),
            None => directory.starts_with(&self.prefix),
        }
    }
}

fn to_regex(tokens: &[Token]) -> String {
    // `.` is to match line breaks in names, too.
    let mut text = String::from("(?s)^");
    for token in tokens {
        match token {
            Token::Literal(c) => text.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
            Token::Any => text.push_str("[^/]"),
            Token::Star => text.push_str("[^/]*"),
            Token::DeepDirs => text.push_str("(?:.*/)?"),
            Token::DeepAll | Token::DeepPrefix => text.push_str(".*"),
            Token::Class { negated, ranges } => {
                text.push_str(if *negated { "[^" } else { "[" });
                for (low, high) in ranges {
                    // Writing to a String cannot fail.
                    let _ = write!(
                        text,
                        "\\x{{{:x}}}-\\x{{{:x}}}",
                        u32::from(*low),
                        u32::from(*high)
                    );
                }
                text.push(']');
            }
        }
    }
    text.push('$');
    text
}
