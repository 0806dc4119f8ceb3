//! A source file prepared for drawing: its lines with their colours, and what the build says about each of them.

use std::ops::Range;

use super::super::super::session::Build;
use super::blame;
use super::syntax::{Spans, Syntax};
use crate::progress::trace::StepId;
use crate::term::escape;

/// Lines of a file that are shown.
const LINES: usize = 20_000;

/// Bytes of a line that are shown.
const BYTES: usize = 4_096;

/// A tab stop, in cells.
const TAB: usize = 8;

/// A line of the source.
#[derive(Clone, Debug, Default)]
pub struct Line {
    /// Harmless, with spaces for tabs.
    pub text: String,
    /// What is coloured in it.
    pub spans: Spans,
    /// The steps that it belongs to.
    pub steps: Vec<StepId>,
    /// It is the first line of one of them, or of what the builder blames.
    pub first: bool,
    /// The builder blames it.
    pub blamed: bool,
    /// The word of it that the builder's message names.
    pub wrong: Option<Range<usize>>,
    /// What the frontend warns of: the first, and how many.
    pub warning: Option<(String, usize)>,
}

/// What the prepared state was made from; another value means that it is stale.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Made {
    build: u32,
    files: usize,
    places: usize,
    steps: usize,
    warnings: usize,
    failed: bool,
    shown: usize,
}

/// The files of a build, and the shown one line by line.
#[derive(Clone, Debug, Default)]
pub struct Source {
    made: Made,
    /// Different files, by their index in the build: each platform brings its own copy.
    pub files: Vec<usize>,
    /// The lines of the shown file.
    pub lines: Vec<Line>,
    /// Lines that are not shown.
    pub left_out: usize,
}

impl Source {
    /// Takes in what is new of the build; `shown`: which of the different files.
    pub fn refresh(&mut self, build: &Build, shown: usize) {
        let made = Made {
            build: build.number,
            files: build.files.len(),
            places: build.places.len(),
            steps: build.trace.steps.len(),
            warnings: build
                .trace
                .steps
                .iter()
                .map(|step| step.warnings.len())
                .sum(),
            failed: build.failure().is_some(),
            shown,
        };
        if made == self.made {
            return;
        }
        let same_text = (made.build, made.files, made.shown)
            == (self.made.build, self.made.files, self.made.shown);
        self.made = made;
        if !same_text {
            self.files = different(build);
            self.read(build);
        }
        self.annotate(build);
    }

    /// The index in the build of the shown file.
    pub fn shown(&self) -> Option<usize> {
        self.files.get(self.made.shown).copied()
    }

    /// Where a step is written: which of the different files, and its first line from 0.
    pub fn place(&self, build: &Build, digest: &str) -> Option<(usize, usize)> {
        let (file, ranges) = build.places.get(digest)?;
        let first = ranges.iter().map(|range| range.start).min()?;
        let file = self
            .files
            .iter()
            .position(|known| same(build, *known, *file))?;
        Some((file, (first as usize).saturating_sub(1)))
    }

    fn read(&mut self, build: &Build) {
        self.lines = Vec::new();
        self.left_out = 0;
        let Some(file) = self.shown().and_then(|file| build.files.get(file)) else {
            return;
        };
        let dockerfile =
            file.language.is_empty() || file.language.eq_ignore_ascii_case("dockerfile");
        let mut syntax = Syntax::default();
        let data = file.data.strip_suffix(b"\n").unwrap_or(&file.data);
        let mut lines = data.split(|byte| *byte == b'\n');
        for bytes in lines.by_ref().take(LINES) {
            let text = readable(bytes);
            let spans = match dockerfile {
                true => syntax.line(&text),
                false => Spans::new(),
            };
            self.lines.push(Line {
                text,
                spans,
                ..Line::default()
            });
        }
        self.left_out = lines.count();
    }

    fn annotate(&mut self, build: &Build) {
        for line in &mut self.lines {
            line.steps.clear();
            line.first = false;
            line.blamed = false;
            line.wrong = None;
            line.warning = None;
        }
        let Some(shown) = self.shown() else { return };
        for (digest, (file, ranges)) in &build.places {
            let Some(step) = build.trace.index(digest) else {
                continue;
            };
            if !same(build, *file, shown) {
                continue;
            }
            let first = ranges.iter().map(|range| range.start).min();
            for range in ranges {
                for (number, line) in within(&mut self.lines, range.start, range.end) {
                    line.first |= Some(number) == first;
                    if !line.steps.contains(&step) {
                        line.steps.push(step);
                    }
                }
            }
        }
        for line in &mut self.lines {
            line.steps.sort_unstable();
        }
        let name = build.files.get(shown).map(|file| file.name.as_str());
        for excerpt in build.failure().iter().flat_map(|failure| &failure.sources) {
            if Some(excerpt.filename.as_str()) != name {
                continue;
            }
            for range in &excerpt.ranges {
                for (number, line) in within(&mut self.lines, range.start, range.end) {
                    // A step says by itself where it begins.
                    line.first |= line.steps.is_empty() && number == range.start;
                    line.blamed = true;
                }
            }
            // A process that ran says what is wrong in its log, not in the message.
            let message = build
                .failure()
                .filter(|failure| failure.process_exit_code.is_none())
                .map_or("", |failure| failure.message.as_str());
            let mut blamed = self.lines.iter_mut().filter(|line| line.blamed);
            if let Some((line, word)) =
                blamed.find_map(|line| blame::word(message, &line.text).map(|word| (line, word)))
            {
                line.wrong = Some(word);
            }
        }
        for warning in build.trace.steps.iter().flat_map(|step| &step.warnings) {
            let Some(source) = &warning.source else {
                continue;
            };
            if Some(source.filename.as_str()) != name {
                continue;
            }
            let Some(range) = source.ranges.first() else {
                continue;
            };
            for (_, line) in within(&mut self.lines, range.start, range.start) {
                match &mut line.warning {
                    Some((_, count)) => *count += 1,
                    None => line.warning = Some((warning.short.clone(), 1)),
                }
            }
        }
    }
}

/// The lines from `start` to `end`, counted from 1, with their numbers; as many as there are.
fn within(lines: &mut [Line], start: u32, end: u32) -> impl Iterator<Item = (u32, &mut Line)> {
    let first = (start as usize).saturating_sub(1);
    let count = (end.max(start) - start) as usize + 1;
    let count = if start == 0 { 0 } else { count };
    lines
        .iter_mut()
        .skip(first)
        .take(count)
        .zip(start..)
        .map(|(line, number)| (number, line))
}

/// Whether two files of a build are one.
fn same(build: &Build, one: usize, other: usize) -> bool {
    match (build.files.get(one), build.files.get(other)) {
        _ if one == other => true,
        (Some(one), Some(other)) => one.name == other.name && one.data == other.data,
        _ => false,
    }
}

fn different(build: &Build) -> Vec<usize> {
    let mut files: Vec<usize> = Vec::new();
    for file in 0..build.files.len() {
        if !files.iter().any(|known| same(build, *known, file)) {
            files.push(file);
        }
    }
    files
}

/// A line of a source as it can be drawn.
pub fn readable(bytes: &[u8]) -> String {
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    let bytes = bytes.get(..BYTES).unwrap_or(bytes);
    let text = String::from_utf8_lossy(bytes);
    let harmless = escape::line(&text);
    if !harmless.contains('\t') {
        return harmless.into_owned();
    }
    let mut out = String::with_capacity(harmless.len() + TAB);
    let mut column = 0;
    for letter in harmless.chars() {
        if letter == '\t' {
            let spaces = TAB - column % TAB;
            out.extend(std::iter::repeat_n(' ', spaces));
            column += spaces;
        } else {
            out.push(letter);
            column += unicode_width::UnicodeWidthChar::width(letter).unwrap_or(0);
        }
    }
    out
}
