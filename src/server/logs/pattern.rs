//! Which lines somebody looks for.

use memchr::memmem::Finder;
use memchr::{memchr, memchr_iter};
use regex::bytes::{Regex, RegexBuilder};
use tonic::Status;

use super::clean::{Cleaner, plain, strip};
use crate::proto::controller::LogPattern;

/// Most bytes of a compiled expression.
const MOST: usize = 4 << 20;

#[derive(Debug)]
enum Pattern {
    Text(Box<Finder<'static>>),
    Expression(Regex),
}

/// Looks for lines. What a line is compared by is its harmless text without colours.
#[derive(Debug)]
pub struct Searcher {
    pattern: Pattern,
    /// No match can go beyond a line, so that many lines can be searched at once.
    at_once: bool,
    cleaner: Cleaner,
    stripped: Vec<u8>,
    /// What must find a line too.
    also: Option<Box<Self>>,
    hits: Vec<u64>,
}

impl Searcher {
    /// Looks for `pattern`.
    ///
    /// # Errors
    /// `InvalidArgument`: it is empty, or no regular expression.
    pub fn new(pattern: &LogPattern) -> Result<Self, Status> {
        let text = pattern.text.as_str();
        if text.is_empty() {
            return Err(Status::invalid_argument("there is nothing to search for"));
        }
        let exact = !pattern.regex && !pattern.ignore_case;
        let compiled = match exact {
            true => Pattern::Text(Box::new(Finder::new(text).into_owned())),
            false => {
                let expression = match pattern.regex {
                    true => text.to_owned(),
                    false => regex::escape(text),
                };
                let built = RegexBuilder::new(&expression)
                    .case_insensitive(pattern.ignore_case)
                    .size_limit(MOST)
                    .build();
                Pattern::Expression(built.map_err(|error| {
                    let error = error.to_string();
                    let last = error.lines().last().unwrap_or_default();
                    Status::invalid_argument(format!("no regular expression: {last}"))
                })?)
            }
        };
        Ok(Self {
            pattern: compiled,
            at_once: !pattern.regex && !text.contains('\n'),
            cleaner: Cleaner::new(false),
            stripped: Vec::new(),
            also: None,
            hits: Vec::new(),
        })
    }

    /// Looks for lines that both patterns find, wherever in them; one that is absent or empty finds every line.
    ///
    /// # Errors
    /// As [`Searcher::new`], for each of them.
    pub fn both(pattern: &LogPattern, also: Option<&LogPattern>) -> Result<Self, Status> {
        let pattern = Self::new(pattern)?;
        let Some(also) = also.filter(|also| !also.text.is_empty()) else {
            return Ok(pattern);
        };
        let also = Self::new(also)?;
        // The second one is only asked where the first one has found something, so the quick one comes first.
        let (mut first, second) = match pattern.at_once || !also.at_once {
            true => (pattern, also),
            false => (also, pattern),
        };
        first.also = Some(Box::new(second));
        Ok(first)
    }

    /// Where the next match begins, at `from` or behind.
    fn find(&self, text: &[u8], from: usize) -> Option<usize> {
        match &self.pattern {
            Pattern::Text(finder) => finder.find(text.get(from..)?).map(|at| at + from),
            Pattern::Expression(regex) => regex.find_at(text, from).map(|found| found.start()),
        }
    }

    /// Whether a raw line matches.
    pub fn line(&mut self, line: &[u8]) -> bool {
        self.finds(line) && self.also.as_mut().is_none_or(|also| also.finds(line))
    }

    fn finds(&mut self, line: &[u8]) -> bool {
        let line = self.cleaner.clean(line);
        match &self.pattern {
            Pattern::Text(finder) => finder.find(line).is_some(),
            Pattern::Expression(regex) => regex.is_match(line),
        }
    }

    /// Looks at whole raw lines, each with its newline: says which match, by their place among them, and how many
    /// lines there are.
    pub fn lines(&mut self, whole: &[u8], mut found: impl FnMut(u64)) -> u64 {
        let Some(mut also) = self.also.take() else {
            return self.finds_in(whole, found);
        };
        let mut hits = std::mem::take(&mut self.hits);
        hits.clear();
        let count = self.finds_in(whole, |at| hits.push(at));
        if !hits.is_empty() {
            let mut hits = hits.iter().peekable();
            also.finds_in(whole, |at| {
                while hits.next_if(|hit| **hit < at).is_some() {}
                if hits.next_if(|hit| **hit == at).is_some() {
                    found(at);
                }
            });
        }
        (self.also, self.hits) = (Some(also), hits);
        count
    }

    fn finds_in(&mut self, whole: &[u8], mut found: impl FnMut(u64)) -> u64 {
        if self.at_once && plain(whole) {
            return self.plain_lines(whole, found);
        }
        if self.at_once {
            let mut stripped = std::mem::take(&mut self.stripped);
            let done = strip(whole, &mut stripped);
            let lines = done.then(|| self.plain_lines(&stripped, &mut found));
            self.stripped = stripped;
            if let Some(lines) = lines {
                return lines;
            }
        }
        let mut count = 0;
        for line in whole.split_inclusive(|byte| *byte == b'\n') {
            if self.finds(line.strip_suffix(b"\n").unwrap_or(line)) {
                found(count);
            }
            count += 1;
        }
        count
    }

    /// The same for lines that are harmless.
    fn plain_lines(&self, whole: &[u8], mut found: impl FnMut(u64)) -> u64 {
        let newlines = |from: usize, to: usize| {
            let between = whole.get(from..to).unwrap_or_default();
            memchr_iter(b'\n', between).count() as u64
        };
        let (mut start, mut count) = (0, 0);
        while let Some(at) = self.find(whole, start) {
            count += newlines(start, at);
            found(count);
            count += 1;
            let behind = whole.get(at..).unwrap_or_default();
            start = memchr(b'\n', behind).map_or(whole.len(), |next| at + next + 1);
        }
        count + newlines(start, whole.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn searcher(text: &str, regex: bool, ignore_case: bool) -> Searcher {
        let text = text.into();
        Searcher::new(&LogPattern {
            text,
            regex,
            ignore_case,
        })
        .unwrap()
    }

    fn found(searcher: &mut Searcher, whole: &[u8]) -> (Vec<(u64, String)>, u64) {
        let texts: Vec<_> = String::from_utf8_lossy(whole)
            .lines()
            .map(str::to_owned)
            .collect();
        let mut all = Vec::new();
        let lines = searcher.lines(whole, |at| {
            let text = texts.get(usize::try_from(at).unwrap()).unwrap();
            all.push((at, text.clone()));
        });
        (all, lines)
    }

    #[test]
    fn each_line_counts_once() {
        let text = b"no\nab ab\n\nxab\nAB\n";
        let (all, lines) = found(&mut searcher("ab", false, false), text);
        assert_eq!(all, [(1, "ab ab".into()), (3, "xab".into())]);
        assert_eq!(lines, 5);
        let (all, _) = found(&mut searcher("ab", false, true), text);
        assert_eq!(all.len(), 3);
        let (all, _) = found(&mut searcher("^x?ab$|^$", true, false), text);
        assert_eq!(all, [(2, String::new()), (3, "xab".into())]);
    }

    #[test]
    fn colours_are_passed_over_many_lines_at_once() {
        let text = b"\x1b[32mab\x1b[0m\r\na\x1b[1mb\nno\n";
        let (all, lines) = found(&mut searcher("ab", false, false), text);
        assert_eq!((all.len(), all[1].0, lines), (2, 1, 3));
    }

    #[test]
    fn what_is_seen_is_what_is_searched() {
        let text = b"\x1b[1mer\x1b[31mror\x1b[0m\n1%\r2%\nbell\x07\n";
        let hits = |pattern: &str| found(&mut searcher(pattern, false, false), text).0.len();
        assert_eq!((hits("error"), hits("1%"), hits("2%")), (1, 0, 1));
        assert_eq!((hits("^G"), hits("\x07"), hits("%\nb")), (1, 0, 0));
    }

    #[test]
    fn two_patterns_find_the_lines_that_each_of_them_finds() {
        let text = b"error: left\nerror\nemoji left\nemoji\n\x1b[1merror:\x1b[0m emoji\n";
        let pattern = |text: &str| {
            let (regex, text) = match text.strip_prefix("re:") {
                Some(text) => (true, text),
                None => (false, text),
            };
            LogPattern {
                text: text.into(),
                regex,
                ignore_case: false,
            }
        };
        for (one, other, expected) in [
            ("error", "error:", &[0, 4][..]),
            ("re:(left|emoji)", "emoji", &[2, 3, 4]),
            ("re:^e", "re:i$", &[3, 4]),
            ("left", "re:^error: left$", &[0]),
            ("left", "nothing", &[]),
            ("emoji", "", &[2, 3, 4]),
        ] {
            let (mut one, mut other) = (pattern(one), pattern(other));
            for _ in 0..2 {
                let mut both = Searcher::both(&one, Some(&other)).unwrap();
                let (all, lines) = found(&mut both, text);
                let numbers: Vec<u64> = all.iter().map(|(number, _)| *number).collect();
                assert_eq!((&*numbers, lines), (expected, 5), "{one:?} {other:?}");
                let alone: Vec<u64> = (0u64..)
                    .zip(text.split(|byte| *byte == b'\n').take(5))
                    .filter(|(_, line)| both.line(line))
                    .map(|(number, _)| number)
                    .collect();
                assert_eq!(alone, numbers);
                if !other.text.is_empty() {
                    std::mem::swap(&mut one, &mut other);
                }
            }
        }
        let wrong = Searcher::both(&pattern("a"), Some(&pattern("re:(")));
        assert_eq!(wrong.unwrap_err().code(), tonic::Code::InvalidArgument);
    }

    #[test]
    fn a_wrong_expression_is_told_in_one_line() {
        for (text, regex) in [("(", true), ("", false), ("(?:a{1000}){1000}", true)] {
            let pattern = LogPattern {
                text: text.into(),
                regex,
                ignore_case: false,
            };
            let status = Searcher::new(&pattern).unwrap_err();
            assert_eq!(status.code(), tonic::Code::InvalidArgument);
            assert!(!status.message().contains('\n'), "{status}");
        }
    }

    proptest! {
        /// Many lines at once and each on its own: the same lines.
        #[test]
        fn the_fast_way_is_the_slow_way(lines in proptest::collection::vec("[abA]{0,4}", 0..20), text in "[ab]{1,2}", ignore_case: bool) {
            let whole: String = lines.iter().map(|line| format!("{line}\n")).collect();
            let mut searcher = searcher(&text, false, ignore_case);
            prop_assert!(searcher.at_once);
            let (all, count) = found(&mut searcher, whole.as_bytes());
            let expected: Vec<_> = (0u64..)
                .zip(&lines)
                .filter(|(_, line)| searcher.line(line.as_bytes()))
                .map(|(number, line)| (number, line.clone()))
                .collect();
            prop_assert_eq!((all, count), (expected, lines.len() as u64));
        }
    }
}
