//! Ignore and include patterns, as BuildKit's own matcher reads them.
//!
//! The last matching pattern wins; `!` makes an exception; a pattern that matches a directory
//! matches everything below it. `*` and `?` stop at `/`, `**` does not. The rules are those of moby's
//! `patternmatcher`, with its quirks: a leading `**` before plain text is a mere suffix, and what a
//! directory matched is inherited by its children pattern by pattern.

use std::collections::HashMap;

use regex::{Regex, RegexSet};

/// Patterns of one set; more of them would make a single automaton slow to build.
const SET: usize = 128;

/// A pattern that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// A lone `!`.
    #[error("illegal exclusion pattern: \"!\"")]
    LoneException,
    /// Unbalanced brackets or a trailing backslash.
    #[error("syntax error in pattern {0:?}")]
    Syntax(String),
}

/// How a pattern is matched.
#[derive(Debug)]
enum Kind {
    /// The whole path equals the text.
    Exact(String),
    /// The path starts with the text.
    Prefix(String),
    /// The path ends with the text, or equals the text without its leading slash.
    Suffix(String),
    /// A regular expression.
    Regex(String),
}

/// A list of patterns, compiled.
#[derive(Debug, Default)]
pub struct Patterns {
    /// Cleaned texts, without the `!`.
    texts: Vec<String>,
    exceptions: Vec<bool>,
    exact: HashMap<String, Vec<usize>>,
    /// Prefixes by their length in bytes, so that a path is looked up once for each length.
    prefixes: ByLength,
    suffixes: ByLength,
    sets: Vec<(RegexSet, Vec<usize>)>,
}

type ByLength = Vec<(usize, HashMap<String, Vec<usize>>)>;

/// Which patterns a directory matched; its children inherit them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inherited(Vec<usize>);

/// What was found out about one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the list as a whole matches the path.
    pub matched: bool,
    /// Index, in the list as it was given, of the pattern that decided.
    pub decided_by: Option<usize>,
    /// To be handed to the children of the path.
    pub inherited: Inherited,
}

impl Patterns {
    /// Compiles `patterns`. Empty ones match nothing but keep their index.
    ///
    /// # Errors
    /// [`PatternError`] names the first one that cannot be read.
    pub fn new<S: AsRef<str>>(patterns: &[S]) -> Result<Self, PatternError> {
        let mut all = Self::default();
        let mut regexes = Vec::new();
        for (index, pattern) in patterns.iter().enumerate() {
            let (text, exception) = parse(pattern.as_ref())?;
            match kind(&text)? {
                _ if text.is_empty() => {}
                Kind::Exact(text) => all.exact.entry(text).or_default().push(index),
                Kind::Prefix(text) => insert(&mut all.prefixes, text, index),
                Kind::Suffix(text) => insert(&mut all.suffixes, text, index),
                Kind::Regex(text) => regexes.push((text, index)),
            }
            all.texts.push(text);
            all.exceptions.push(exception);
        }
        for chunk in regexes.chunks(SET) {
            let set = RegexSet::new(chunk.iter().map(|(text, _)| text))
                .map_err(|error| PatternError::Syntax(error.to_string()))?;
            all.sets
                .push((set, chunk.iter().map(|(_, index)| *index).collect()));
        }
        Ok(all)
    }

    /// Whether there is no pattern at all.
    pub fn is_empty(&self) -> bool {
        self.texts.iter().all(String::is_empty)
    }

    /// Judges `path` (relative, `/` separated), given what its directory inherited.
    pub fn judge(&self, path: &str, parent: &Inherited) -> Verdict {
        let mut candidates = self.direct(path);
        candidates.extend(&parent.0);
        candidates.sort_unstable();
        candidates.dedup();

        let mut verdict = Verdict {
            matched: false,
            decided_by: None,
            inherited: Inherited::default(),
        };
        for index in candidates {
            let exception = self.exceptions.get(index).copied().unwrap_or_default();
            // A pattern that could change nothing is not looked at, and so is not inherited either,
            // unless it already was.
            let inherited = parent.0.binary_search(&index).is_ok();
            if !inherited && exception != verdict.matched {
                continue;
            }
            verdict.inherited.0.push(index);
            verdict.matched = !exception;
            verdict.decided_by = Some(index);
        }
        verdict
    }

    /// Judges `path` from the root down, for a caller without what the directories inherited.
    pub fn judge_alone(&self, path: &str) -> Verdict {
        let mut inherited = Inherited::default();
        for (end, _) in path.match_indices('/') {
            let directory = path.get(..end).unwrap_or_default();
            inherited = self.judge(directory, &inherited).inherited;
        }
        self.judge(path, &inherited)
    }

    /// Whether an exception could match something below `directory`.
    pub fn exception_below(&self, directory: &str) -> bool {
        self.could_match_below(directory, true)
    }

    /// Whether a pattern that is no exception could match something below `directory`.
    pub fn match_below(&self, directory: &str) -> bool {
        self.could_match_below(directory, false)
    }

    fn could_match_below(&self, directory: &str, exception: bool) -> bool {
        let below = format!("{directory}/");
        let mut texts = self
            .texts
            .iter()
            .zip(&self.exceptions)
            .filter(|(text, is)| **is == exception && !text.is_empty());
        texts.any(|(text, _)| {
            let plain = text.strip_suffix("/**").unwrap_or(text);
            has_magic(plain) || format!("{plain}/").starts_with(&below)
        })
    }

    /// Indices of the patterns that match the path itself, in no order.
    fn direct(&self, path: &str) -> Vec<usize> {
        let mut found = self.exact.get(path).cloned().unwrap_or_default();
        for (length, texts) in &self.prefixes {
            if let Some(indices) = path.get(..*length).and_then(|start| texts.get(start)) {
                found.extend(indices);
            }
        }
        for (length, texts) in &self.suffixes {
            let end = path
                .len()
                .checked_sub(*length)
                .and_then(|start| path.get(start..));
            if let Some(indices) = end.and_then(|end| texts.get(end)) {
                found.extend(indices);
            }
            // `**/name` also matches `name` at the root.
            if path.len() + 1 == *length
                && let Some(indices) = texts.get(&format!("/{path}"))
            {
                found.extend(indices);
            }
        }
        for (set, indices) in &self.sets {
            found.extend(set.matches(path).iter().filter_map(|i| indices.get(i)));
        }
        found
    }
}

fn insert(table: &mut ByLength, text: String, index: usize) {
    let length = text.len();
    let position = table
        .iter()
        .position(|(l, _)| *l == length)
        .unwrap_or_else(|| {
            table.push((length, HashMap::new()));
            table.len() - 1
        });
    if let Some((_, texts)) = table.get_mut(position) {
        texts.entry(text).or_default().push(index);
    }
}

/// Whether `text` has characters that stand for others.
pub fn has_magic(text: &str) -> bool {
    text.contains(['*', '[', ']', '?', '^', '\\'])
}

/// Trims and cleans one pattern; the flag says that it is an exception.
fn parse(pattern: &str) -> Result<(String, bool), PatternError> {
    let trimmed = pattern.trim();
    if trimmed.is_empty() {
        return Ok((String::new(), false));
    }
    let cleaned = clean(trimmed);
    match cleaned.strip_prefix('!') {
        Some("") => Err(PatternError::LoneException),
        Some(rest) => Ok((rest.to_owned(), true)),
        None => Ok((cleaned, false)),
    }
}

/// A path in its shortest form: no empty or `.` components, `..` resolved where possible.
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

/// Translates a cleaned pattern.
fn kind(text: &str) -> Result<Kind, PatternError> {
    let syntax = || PatternError::Syntax(text.to_owned());
    #[derive(Clone, Copy, PartialEq)]
    enum Shape {
        Exact,
        Prefix,
        Suffix,
        Regex,
    }
    let mut shape = Shape::Exact;
    let mut regex = String::from("^");
    let mut in_class = false;
    let mut chars = text.chars().peekable();
    let mut first = true;
    while let Some(c) = chars.next() {
        match c {
            '*' if !in_class && chars.peek() == Some(&'*') => {
                chars.next();
                chars.next_if_eq(&'/');
                if chars.peek().is_none() {
                    shape = if shape == Shape::Exact {
                        Shape::Prefix
                    } else {
                        Shape::Regex
                    };
                    regex.push_str(".*");
                } else {
                    regex.push_str("(.*/)?");
                    shape = Shape::Regex;
                }
                if first {
                    shape = Shape::Suffix;
                }
            }
            '*' if !in_class => {
                regex.push_str("[^/]*");
                shape = Shape::Regex;
            }
            '?' if !in_class => {
                regex.push_str("[^/]");
                shape = Shape::Regex;
            }
            '\\' => {
                let escaped = chars.next().ok_or_else(syntax)?;
                regex.push_str(&regex::escape(escaped.encode_utf8(&mut [0; 4])));
                shape = Shape::Regex;
            }
            '[' if !in_class => {
                in_class = true;
                regex.push('[');
                if chars.next_if_eq(&'^').is_some() {
                    regex.push('^');
                }
                if matches!(chars.peek(), Some(']') | None) {
                    return Err(syntax());
                }
                shape = Shape::Regex;
            }
            ']' if in_class => {
                in_class = false;
                regex.push(']');
            }
            '-' if in_class => regex.push('-'),
            c => regex.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
        first = false;
    }
    if in_class {
        return Err(syntax());
    }
    regex.push('$');
    Ok(match shape {
        Shape::Exact => Kind::Exact(text.to_owned()),
        Shape::Prefix => Kind::Prefix(text.strip_suffix("**").unwrap_or(text).to_owned()),
        Shape::Suffix => Kind::Suffix(text.strip_prefix("**").unwrap_or(text).to_owned()),
        Shape::Regex => {
            // `.` is to match line breaks in names, as the engine's own matcher does not care either.
            let regex = format!("(?s){regex}");
            Regex::new(&regex).map_err(|_| syntax())?;
            Kind::Regex(regex)
        }
    })
}

/// Matches one path component against a shell pattern (`*`, `?`, `[…]`, `\`).
///
/// # Errors
/// [`PatternError::Syntax`].
pub fn component_matcher(pattern: &str) -> Result<impl Fn(&str) -> bool + use<>, PatternError> {
    let syntax = || PatternError::Syntax(pattern.to_owned());
    let text = match kind(pattern)? {
        Kind::Regex(text) => text,
        // `**` within one component is the same as `*`.
        _ => format!(
            "(?s)^{}$",
            regex::escape(pattern).replace("\\*\\*", "[^/]*")
        ),
    };
    let regex = Regex::new(&text).map_err(|_| syntax())?;
    Ok(move |name: &str| regex.is_match(name))
}

#[cfg(test)]
#[path = "patterns/tests.rs"]
mod tests;
