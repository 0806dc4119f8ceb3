//! Ignore and include patterns, as BuildKit's own matcher reads them.
//!
//! The last matching pattern wins; `!` makes an exception; a pattern that matches a directory
//! matches everything below it. `*` and `?` stop at `/`, `**` does not. The rules are those of moby's
//! `patternmatcher`, with its quirks: a leading `**` before plain text is a mere suffix, and what a
//! directory matched is inherited by its children pattern by pattern.
//!
//! A list of thousands of patterns is matched at once: nearly all of them stand in a tree of path
//! components ([`tree`]), the rest in a few automata ([`whole`]).

mod glob;
mod syntax;
mod tree;
mod whole;

use syntax::{Parsed, Token};
use tree::{Position, Tree};
use whole::{Pending, Whole};

pub use syntax::clean;

/// A pattern that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// A lone `!`.
    #[error("illegal exclusion pattern: \"!\"")]
    LoneException,
    /// The pattern, and what is wrong with it.
    #[error("syntax error in pattern {0:?}: {1}")]
    Syntax(String, &'static str),
}

/// A list of patterns, compiled.
#[derive(Debug, Default)]
pub struct Patterns {
    exceptions: Vec<bool>,
    tree: Tree,
    whole: Whole,
}

/// What is known of a directory during a walk; its children inherit it.
#[derive(Debug, Clone)]
pub struct Inherited {
    /// Patterns that the directory matched, sorted.
    matched: Vec<u32>,
    position: Position,
}

/// What was found out about one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the list as a whole matches the path.
    pub matched: bool,
    /// Index, in the list as it was given, of the pattern that decided.
    pub decided_by: Option<usize>,
}

impl Patterns {
    /// Compiles `patterns`. Empty ones match nothing but keep their index.
    ///
    /// # Errors
    /// [`PatternError`] names the first one that cannot be read.
    pub fn new<S: AsRef<str>>(patterns: &[S]) -> Result<Self, PatternError> {
        let mut all = Self::default();
        let mut pending = Vec::new();
        for (index, pattern) in (0..).zip(patterns) {
            let Some(Parsed { exception, tokens }) = syntax::parse(pattern.as_ref())? else {
                all.exceptions.push(false);
                continue;
            };
            all.exceptions.push(exception);
            if !all.tree.add(&tokens, index, exception) {
                pending.push(Pending {
                    index,
                    exception,
                    tokens,
                });
            }
        }
        all.whole = Whole::new(pending, patterns)?;
        Ok(all)
    }

    /// What the root's children inherit.
    pub fn root(&self) -> Inherited {
        Inherited {
            matched: Vec::new(),
            position: self.tree.root(&self.exceptions),
        }
    }

    /// Judges `path` (relative, `/` separated), given what its directory inherited.
    pub fn judge(&self, path: &str, parent: &Inherited) -> Verdict {
        self.evaluate(path, parent, |_| {})
    }

    /// Judges the directory `path`; gives besides what its children inherit.
    pub fn judge_directory(&self, path: &str, parent: &Inherited) -> (Verdict, Inherited) {
        let mut matched = Vec::new();
        let verdict = self.evaluate(path, parent, |index| matched.push(index));
        let position = self
            .tree
            .enter(&parent.position, last(path), &self.exceptions);
        (verdict, Inherited { matched, position })
    }

    /// Judges `path` from the root down, for a caller without what the directories inherited.
    pub fn judge_alone(&self, path: &str) -> Verdict {
        let mut inherited = self.root();
        for (end, _) in path.match_indices('/') {
            let directory = path.get(..end).unwrap_or_default();
            inherited = self.judge_directory(directory, &inherited).1;
        }
        self.judge(path, &inherited)
    }

    /// Whether an exception could match something below `directory`, whose children inherit this.
    pub fn exception_below(&self, directory: &str, inherited: &Inherited) -> bool {
        self.tree.may_match_below(&inherited.position, true)
            || self.whole.may_match_below(directory, true)
    }

    /// Whether a pattern that is no exception could match something below `directory`, whose
    /// children inherit this.
    pub fn match_below(&self, directory: &str, inherited: &Inherited) -> bool {
        self.tree.may_match_below(&inherited.position, false)
            || self.whole.may_match_below(directory, false)
    }

    fn evaluate(&self, path: &str, parent: &Inherited, mut remember: impl FnMut(u32)) -> Verdict {
        let mut hits = Vec::new();
        self.tree.hits(&parent.position, last(path), &mut hits);
        self.whole.hits(path, &mut hits);
        hits.extend_from_slice(&parent.matched);
        hits.sort_unstable();
        hits.dedup();
        let mut verdict = Verdict {
            matched: false,
            decided_by: None,
        };
        for index in hits {
            let place = index as usize;
            let exception = self.exceptions.get(place).copied().unwrap_or_default();
            // A pattern that could change nothing is not looked at, and so is not inherited either,
            // unless it already was.
            if exception != verdict.matched && parent.matched.binary_search(&index).is_err() {
                continue;
            }
            remember(index);
            verdict = Verdict {
                matched: !exception,
                decided_by: Some(place),
            };
        }
        verdict
    }
}

fn last(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// Matches one path component against a shell pattern (`*`, `?`, `[…]`, `\`).
///
/// # Errors
/// [`PatternError::Syntax`].
pub fn component_matcher(pattern: &str) -> Result<impl Fn(&str) -> bool + use<>, PatternError> {
    let tokens = syntax::tokenise(pattern)
        .map_err(|reason| PatternError::Syntax(pattern.to_owned(), reason))?;
    let tokens: Vec<Token> = tokens
        .into_iter()
        .map(|token| match token {
            // `**` within one component is the same as `*`.
            Token::DeepAll | Token::DeepDirs | Token::DeepPrefix => Token::Star,
            token => token,
        })
        .collect();
    Ok(move |name: &str| glob::matches(&tokens, name))
}

#[cfg(test)]
#[path = "patterns/tests.rs"]
mod tests;
