//! A search: what is looked for, what was found, and which match the eye is on.

use regex::{Regex, RegexBuilder};

use crate::proto::controller::{LogPattern, SearchLogResponse};

/// Most memory of a pattern.
const PATTERN: usize = 1 << 20;

/// Matches whose numbers are kept.
const HITS: usize = 10_000;

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The first match from this line on; if there is none, the last one before it.
    Near(u64),
    /// The first match from this line on.
    Forward(u64),
    /// The last match before this line.
    Backward(u64),
}

/// A search that is on.
#[derive(Clone, Debug)]
pub struct Find {
    /// What for.
    pub pattern: LogPattern,
    /// The same, to mark it; absent when it is not a pattern.
    pub regex: Option<Regex>,
    /// Number of the search; absent until it has been given out.
    pub id: Option<u64>,
    /// A match that is still to be found.
    pub wanted: Option<Way>,
    /// What there is to say beside the counts.
    pub note: Option<&'static str>,
    /// Lines that match, from the beginning of the log on without a gap.
    hits: Vec<u64>,
    count: u64,
    searched: u64,
    done: bool,
}

impl Find {
    /// A search that begins near a line.
    pub fn new(pattern: LogPattern, near: u64) -> Self {
        Self {
            regex: compile(&pattern),
            pattern,
            id: None,
            wanted: Some(Way::Near(near)),
            note: None,
            hits: Vec::new(),
            count: 0,
            searched: 0,
            done: false,
        }
    }

    /// Searches once more from the beginning: the log is another one.
    pub fn again(&mut self) {
        *self = Self {
            wanted: None,
            regex: self.regex.clone(),
            ..Self::new(self.pattern.clone(), 0)
        };
    }

    /// Takes a part of the answer.
    pub fn on_found(&mut self, part: SearchLogResponse) {
        let room = HITS.saturating_sub(self.hits.len());
        for line in part.lines.into_iter().take(room) {
            if self.hits.last().is_none_or(|last| *last < line) {
                self.hits.push(line);
            }
        }
        self.count = self.count.max(part.count);
        self.searched = self.searched.max(part.searched);
        self.done |= part.done;
    }

    /// The search ended without an answer.
    pub fn stop(&mut self) {
        self.done = true;
    }

    /// The line of a match, if what was found so far tells: `Ok(None)` means that there is none.
    ///
    /// # Errors
    /// It does not tell yet.
    pub fn known(&self, way: Way, total: u64) -> Result<Option<u64>, ()> {
        let all = self.hits.len() as u64 == self.count;
        let complete = self.done && all && self.searched >= total;
        let ahead = |from: u64| {
            let at = self.hits.partition_point(|line| *line < from);
            match self.hits.get(at) {
                Some(line) => Ok(Some(*line)),
                None if complete => Ok(None),
                None => Err(()),
            }
        };
        let behind = |before: u64| {
            let at = self.hits.partition_point(|line| *line < before);
            if at < self.hits.len() || complete || (all && self.searched >= before) {
                Ok(at.checked_sub(1).and_then(|at| self.hits.get(at).copied()))
            } else {
                Err(())
            }
        };
        match way {
            Way::Forward(from) => ahead(from),
            Way::Backward(before) => behind(before),
            Way::Near(from) => match ahead(from)? {
                Some(line) => Ok(Some(line)),
                None => behind(from),
            },
        }
    }

    /// `3/120`, `?/120 (counting…)`, and what else there is to say; `here`: the line of the match that the eye is on.
    pub fn status(&self, here: Option<u64>, ellipsis: &str) -> String {
        let place = here.and_then(|line| self.hits.binary_search(&line).ok());
        let place = place.map_or_else(|| "?".to_owned(), |place| (place + 1).to_string());
        let counting = match self.done {
            true => String::new(),
            false => format!(" (counting{ellipsis})"),
        };
        let count = match (self.count, self.done) {
            (0, true) => "no match".to_owned(),
            (count, _) => format!("{place}/{count}{counting}"),
        };
        match self.note {
            Some(note) if self.count > 0 => format!("{count}, {note}"),
            _ => count,
        }
    }
}

/// The pattern as the server understands it.
pub fn compile(pattern: &LogPattern) -> Option<Regex> {
    let text = match pattern.regex {
        true => pattern.text.clone(),
        false => regex::escape(&pattern.text),
    };
    RegexBuilder::new(&text)
        .case_insensitive(pattern.ignore_case)
        .size_limit(PATTERN)
        .build()
        .ok()
        .filter(|_| !pattern.text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> LogPattern {
        LogPattern {
            text: text.to_owned(),
            ..LogPattern::default()
        }
    }

    fn part(lines: &[u64], count: u64, searched: u64, done: bool) -> SearchLogResponse {
        SearchLogResponse {
            lines: lines.to_vec(),
            count,
            searched,
            done,
        }
    }

    #[test]
    fn only_what_is_certain_is_told() {
        let mut find = Find::new(literal("x"), 0);
        assert_eq!(find.known(Way::Forward(0), 100), Err(()));
        find.on_found(part(&[10, 20], 2, 30, false));
        assert_eq!(find.known(Way::Near(0), 100), Ok(Some(10)));
        assert_eq!(find.known(Way::Forward(11), 100), Ok(Some(20)));
        assert_eq!(find.known(Way::Forward(21), 100), Err(()));
        assert_eq!(find.known(Way::Backward(30), 100), Ok(Some(20)));
        assert_eq!(find.known(Way::Backward(31), 100), Err(()));
        assert_eq!(find.known(Way::Backward(10), 100), Ok(None));
        assert_eq!(find.status(Some(20), "…"), "2/2 (counting…)");
        find.on_found(part(&[], 2, 100, true));
        assert_eq!(find.known(Way::Forward(21), 100), Ok(None));
        assert_eq!(find.known(Way::Near(21), 100), Ok(Some(20)));
        // The log has grown since.
        assert_eq!(find.known(Way::Forward(21), 101), Err(()));
        assert_eq!(find.status(None, "…"), "?/2");
        find.note = Some("none further");
        assert_eq!(find.status(Some(20), "…"), "2/2, none further");
        let mut none = Find::new(literal("x"), 0);
        none.on_found(part(&[], 0, 100, true));
        none.note = Some("none further");
        assert_eq!(none.status(None, "…"), "no match");
    }

    #[test]
    fn more_matches_than_are_listed_are_counted() {
        let mut find = Find::new(literal("x"), 0);
        let lines: Vec<u64> = (0..20_000).collect();
        find.on_found(part(&lines, 20_000, 20_000, true));
        assert_eq!(find.hits.len(), HITS);
        assert_eq!(find.known(Way::Forward(15_000), 20_000), Err(()));
        assert_eq!(find.status(Some(15_000), "~"), "?/20000");
    }

    #[test]
    fn what_is_no_pattern_marks_nothing() {
        assert!(compile(&literal("")).is_none());
        let bad = LogPattern {
            text: "(".to_owned(),
            regex: true,
            ignore_case: false,
        };
        assert!(compile(&bad).is_none());
    }
}
