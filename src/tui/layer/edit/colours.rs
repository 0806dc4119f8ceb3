//! The colours of the text while it changes: only lines from the change on are read again.

use super::super::super::pane::dockerfile::{Spans, Syntax};

/// Lines behind the first one on the screen that are read; no screen has as many.
const AHEAD: usize = 1_000;

/// Bytes of a line that is coloured; a longer one is plain.
const BYTES: usize = 4_096;

/// What is known of the lines from the first one on.
#[derive(Clone, Debug, Default)]
pub struct Colours {
    /// What comes from the lines before it, and its own colours.
    lines: Vec<(Syntax, Spans)>,
    /// What comes from the last of them.
    next: Syntax,
}

impl Colours {
    /// Nothing is known any more of lines from this one on.
    pub fn forget(&mut self, line: usize) {
        if let Some((syntax, _)) = self.lines.get(line) {
            self.next = syntax.clone();
            self.lines.truncate(line);
        }
    }

    /// Reads what can be seen when this line is the first one.
    pub fn read(&mut self, lines: &[String], first: usize) {
        let known = self.lines.len();
        let wanted = first.saturating_add(AHEAD).saturating_sub(known);
        for line in lines.iter().skip(known).take(wanted) {
            let before = self.next.clone();
            let spans = match line.len() {
                ..=BYTES => self.next.line(line),
                _ => Spans::new(),
            };
            self.lines.push((before, spans));
        }
    }

    /// The colours of a line; none where it is not read.
    pub fn of(&self, line: usize) -> &[(std::ops::Range<usize>, super::Role)] {
        self.lines.get(line).map_or(&[], |(_, spans)| spans)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_read_from_its_line_on() {
        let lines = |text: &str| -> Vec<String> { text.split('\n').map(str::to_owned).collect() };
        let before = lines("FROM a\nRUN b \\\nUSER x\nUSER y");
        let after = lines("FROM a\nRUN <<E\nUSER x\nUSER y");
        let mut colours = Colours::default();
        colours.read(&before, 0);
        assert!(colours.of(2).is_empty(), "it goes on");
        assert_eq!(colours.of(3), [(0..4, super::super::Role::Keyword)]);
        colours.forget(1);
        colours.read(&after, 0);
        let mut anew = Colours::default();
        anew.read(&after, 0);
        for line in 0..4 {
            assert_eq!(colours.of(line), anew.of(line), "{line}");
        }
        assert_eq!(colours.of(3), [(0..6, super::super::Role::Literal)]);
        colours.forget(9);
        assert_eq!(colours.of(9), []);
    }

    #[test]
    fn no_more_is_read_than_can_be_seen() {
        let lines = vec!["RUN x".to_owned(); 5_000];
        let mut colours = Colours::default();
        colours.read(&lines, 0);
        assert_eq!(colours.lines.len(), AHEAD);
        colours.read(&lines, 3_000);
        assert_eq!(colours.of(3_999).len(), 1);
        assert_eq!(colours.lines.len(), 3_000 + AHEAD);
        colours.read(&lines, 9_000);
        assert_eq!(colours.lines.len(), lines.len());
    }
}
