//! The colours of a Dockerfile: instructions, flags, strings, variables, comments, here-documents. It only colours,
//! so what it does not understand is plain.

use std::collections::VecDeque;
use std::ops::Range;

use super::super::super::theme::Role;

/// Bytes of a line, and what they are; ascending, not overlapping. What is in none is plain.
pub type Spans = Vec<(Range<usize>, Role)>;

const INSTRUCTIONS: &[&str] = &[
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// Here-documents that may be open at once; more are plain text.
const OPEN: usize = 16;

/// What is carried from line to line.
#[derive(Clone, Debug)]
pub struct Syntax {
    escape: char,
    /// Parser directives are possible: nothing but such comments has come.
    directives: bool,
    continued: bool,
    /// The instruction that the line belongs to can have here-documents.
    documents: bool,
    /// Delimiters of open here-documents, and whether leading tabs are taken off.
    open: VecDeque<(String, bool)>,
}

impl Default for Syntax {
    fn default() -> Self {
        Self {
            escape: '\\',
            directives: true,
            continued: false,
            documents: false,
            open: VecDeque::new(),
        }
    }
}

impl Syntax {
    /// The colours of the next line.
    pub fn line(&mut self, line: &str) -> Spans {
        if let Some((delimiter, tabs)) = self.open.front() {
            let text = match tabs {
                true => line.trim_start_matches('\t'),
                false => line,
            };
            if text == delimiter {
                self.open.pop_front();
                return vec![(0..line.len(), Role::Keyword)];
            }
            return vec![(0..line.len(), Role::Literal)];
        }
        let begin = line.len() - line.trim_start().len();
        let text = line.get(begin..).unwrap_or_default();
        if text.starts_with('#') {
            self.directive(text);
            return vec![(begin..line.len(), Role::Comment)];
        }
        self.directives = false;
        if text.is_empty() {
            return Vec::new();
        }
        let end = line.trim_end().len();
        let continues = line
            .get(..end)
            .is_some_and(|text| text.ends_with(self.escape));
        let body = match continues {
            true => end - self.escape.len_utf8(),
            false => end,
        };
        let mut spans = Spans::new();
        let mut at = begin;
        if !self.continued {
            at = self.instruction(line, begin, body, &mut spans);
        }
        self.words(line, at, body, &mut spans);
        if continues {
            spans.push((body..end, Role::Dim));
        }
        self.continued = continues;
        spans
    }

    fn directive(&mut self, comment: &str) {
        if !self.directives {
            return;
        }
        let words = comment.trim_start_matches('#').trim();
        match words.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("escape") => {
                if value.trim() == "`" {
                    self.escape = '`';
                }
            }
            Some(_) => {}
            None => self.directives = false,
        }
    }

    /// Instruction and flags; gives where the rest begins.
    fn instruction(&mut self, line: &str, begin: usize, end: usize, spans: &mut Spans) -> usize {
        let mut at = begin;
        let mut first = true;
        let mut trigger = false;
        while let Some(word) = word(line, at, end) {
            let text = line.get(word.clone()).unwrap_or_default();
            if first || trigger {
                let known = INSTRUCTIONS
                    .iter()
                    .any(|known| known.eq_ignore_ascii_case(text));
                if first {
                    self.documents = false;
                }
                if !known {
                    return at;
                }
                self.documents |= ["RUN", "COPY", "ADD"]
                    .iter()
                    .any(|known| known.eq_ignore_ascii_case(text));
                trigger = text.eq_ignore_ascii_case("ONBUILD");
                first = false;
                spans.push((word.clone(), Role::Keyword));
            } else if text.starts_with("--") {
                spans.push((word.clone(), Role::Accent));
            } else {
                return at;
            }
            at = word.end;
        }
        end
    }

    /// Strings, variables, here-documents, `AS`.
    fn words(&mut self, line: &str, begin: usize, end: usize, spans: &mut Spans) {
        let Some(text) = line.get(begin..end) else {
            return;
        };
        let mut letters = text
            .char_indices()
            .map(|(at, letter)| (begin + at, letter))
            .peekable();
        let mut quote: Option<(usize, char)> = None;
        while let Some((at, letter)) = letters.next() {
            match (letter, quote) {
                (letter, _) if letter == self.escape => {
                    letters.next();
                }
                ('$', quote_now) if quote_now.is_none_or(|(_, mark)| mark == '"') => {
                    let name = variable(line, at, end);
                    if name.is_empty() {
                        continue;
                    }
                    if let Some((from, mark)) = quote {
                        if from < at {
                            spans.push((from..at, Role::Literal));
                        }
                        quote = Some((name.end, mark));
                    }
                    while letters.next_if(|(at, _)| *at < name.end).is_some() {}
                    spans.push((name, Role::Variable));
                }
                (letter, Some((from, mark))) if letter == mark => {
                    spans.push((from..at + 1, Role::Literal));
                    quote = None;
                }
                ('"' | '\'', None) => quote = Some((at, letter)),
                ('<', None) if self.documents => {
                    if let Some((span, delimiter, tabs)) = document(line, at, end) {
                        if self.open.len() < OPEN {
                            self.open.push_back((delimiter, tabs));
                        }
                        while letters.next_if(|(at, _)| *at < span.end).is_some() {}
                        spans.push((span, Role::Keyword));
                    }
                }
                _ => {}
            }
        }
        if let Some((from, _)) = quote
            && from < end
        {
            spans.push((from..end, Role::Literal));
        }
        self.stage_name(line, begin, end, spans);
    }

    /// The `AS` of a FROM.
    fn stage_name(&self, line: &str, begin: usize, end: usize, spans: &mut Spans) {
        let from = spans
            .first()
            .and_then(|(span, role)| line.get(span.clone()).filter(|_| *role == Role::Keyword))
            .is_some_and(|word| word.eq_ignore_ascii_case("FROM"));
        if !from {
            return;
        }
        let mut at = begin;
        while let Some(word) = word(line, at, end) {
            let is_as = line
                .get(word.clone())
                .is_some_and(|text| text.eq_ignore_ascii_case("AS"));
            if is_as {
                let place = spans.partition_point(|(span, _)| span.end <= word.start);
                let free = spans
                    .get(place)
                    .is_none_or(|(span, _)| span.start >= word.end);
                if free {
                    spans.insert(place, (word, Role::Keyword));
                }
                return;
            }
            at = word.end;
        }
    }
}

/// The next word behind `at`.
fn word(line: &str, at: usize, end: usize) -> Option<Range<usize>> {
    let text = line.get(at..end)?;
    let begin = at + text.find(|letter: char| !letter.is_whitespace())?;
    let rest = line.get(begin..end)?;
    let length = rest
        .find(|letter: char| letter.is_whitespace())
        .unwrap_or(rest.len());
    Some(begin..begin + length)
}

/// `$NAME` or `${…}` at a dollar sign; empty when it is neither.
fn variable(line: &str, at: usize, end: usize) -> Range<usize> {
    let rest = line.get(at + 1..end).unwrap_or_default();
    let length = match rest.strip_prefix('{') {
        Some(inside) => inside.find('}').map_or(0, |close| close + 2),
        None => rest
            .find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
            .unwrap_or(rest.len()),
    };
    match length {
        0 => at..at,
        length => at..at + 1 + length,
    }
}

/// `<<EOF`, `<<-EOF` or `<<"EOF"`: its place, its delimiter, and whether tabs are taken off.
fn document(line: &str, at: usize, end: usize) -> Option<(Range<usize>, String, bool)> {
    let rest = line.get(at..end)?.strip_prefix("<<")?;
    let (rest, tabs) = match rest.strip_prefix('-') {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    let quote = rest.chars().next().filter(|letter| "\"'".contains(*letter));
    let inside = rest.get(quote.map_or(0, char::len_utf8)..)?;
    let length = inside
        .find(|letter: char| !letter.is_alphanumeric() && letter != '_' && letter != '-')
        .unwrap_or(inside.len());
    let delimiter = inside.get(..length).filter(|text| !text.is_empty())?;
    let quotes = if quote.is_some() { 2 } else { 0 };
    let behind = at + 2 + usize::from(tabs) + quotes + length;
    if let Some(quote) = quote
        && !inside.get(length..)?.starts_with(quote)
    {
        return None;
    }
    Some((at..behind, delimiter.to_owned(), tabs))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Each line with what is coloured in it: `k` for keywords and so on.
    fn colours(text: &str) -> Vec<String> {
        let mut syntax = Syntax::default();
        text.lines()
            .map(|line| {
                let mut marks = String::new();
                for (span, role) in syntax.line(line) {
                    let letter = match role {
                        Role::Keyword => 'k',
                        Role::Accent => 'f',
                        Role::Literal => 's',
                        Role::Variable => 'v',
                        Role::Comment => 'c',
                        Role::Dim => '\\',
                        _ => '?',
                    };
                    while marks.len() < span.start {
                        marks.push('.');
                    }
                    marks.extend(std::iter::repeat_n(letter, span.len()));
                }
                marks
            })
            .collect()
    }

    #[test]
    fn instructions_flags_strings_and_variables() {
        assert_eq!(
            colours("FROM --platform=$B alpine AS base"),
            ["kkkk.fffffffffffff........kk"]
        );
        assert_eq!(colours("env A=\"x $Y z\" 'b'"), ["kkk...sssvvsss.sss"]);
        assert_eq!(colours("ONBUILD RUN x ${A:-b}"), ["kkkkkkk.kkk...vvvvvvv"]);
        assert_eq!(colours("COPY a\\$b $ c"), ["kkkk"]);
        assert_eq!(colours("NONSENSE x"), [""]);
    }

    #[test]
    fn a_line_that_goes_on_has_no_instruction_and_may_have_comments() {
        assert_eq!(
            colours("RUN a \\\n  # why\n  run b\nRUN c"),
            ["kkk...\\", "..ccccc", "", "kkk"]
        );
        assert_eq!(
            colours("# escape=`\nRUN a `\n from\nRUN b \\\nUSER x"),
            ["cccccccccc", "kkk...\\", "", "kkk", "kkkk"]
        );
        assert_eq!(colours("# x\n# escape=`\nRUN a `\nUSER x")[3], "kkkk");
    }

    #[test]
    fn here_documents_end_at_their_delimiter() {
        assert_eq!(
            colours("RUN <<EOF sh\nFROM x\nEOF\nUSER y"),
            ["kkk.kkkkk", "ssssss", "kkk", "kkkk"]
        );
        assert_eq!(
            colours("COPY <<-\"a\" <<b /\n1\n\ta\n2\nb\nRUN x<y"),
            ["kkkk.kkkkkk.kkk", "s", "kk", "s", "k", "kkk"]
        );
        assert_eq!(colours("ENV a=<<EOF\nUSER y")[1], "kkkk");
    }

    proptest! {
        #[test]
        fn spans_ascend_on_whole_characters(
            lines in proptest::collection::vec("(RUN|FROM|ENV|COPY)?[ a$\\{}\"'<\\-E=#é`\\\\]{0,40}", 0..6)
        ) {
            let mut syntax = Syntax::default();
            for line in lines {
                let mut last = 0;
                for (span, _) in syntax.line(&line) {
                    prop_assert!(span.start >= last && span.end >= span.start);
                    prop_assert!(line.get(span.clone()).is_some());
                    last = span.end;
                }
            }
        }
    }
}
