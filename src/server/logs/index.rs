//! Where in the trace which lines are, and how many there are: the places of one log in memory, about 50 bytes for
//! every 256 KiB of it.

use std::collections::HashMap;

use super::checkpoint::Checkpoint;

/// A part of the trace that holds log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First record.
    pub first: u64,
    /// The record behind its last one.
    pub end: u64,
    /// Lines of all steps that have ended at its end.
    pub lines: u64,
}

/// The log of one step.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// Digest of the vertex.
    pub vertex: Vec<u8>,
    /// Lines that have ended.
    pub lines: u64,
    /// Bytes, of the open line too.
    pub bytes: u64,
    /// Whether a line of it is open.
    pub open: bool,
    /// What the engine clipped, a sentence each.
    pub missing: Vec<String>,
    /// The spans that hold text of it, by their number, and its ended lines at their ends.
    pub spans: Vec<(usize, u64)>,
    /// Whether the part behind the last span holds text of it.
    pub grown: bool,
    /// The count of changes when it last changed.
    pub changed: u64,
}

/// The places of one log.
#[derive(Debug, Default)]
pub struct Index {
    /// In their order. What is open at the end of span N is in checkpoint N.
    pub spans: Vec<Span>,
    /// In the order of their first text.
    pub steps: Vec<Step>,
    by_vertex: HashMap<Vec<u8>, usize>,
    /// Lines of all steps that have ended.
    pub lines: u64,
    /// Bytes of all steps.
    pub bytes: u64,
    /// Lines that are open.
    pub open: u64,
    /// First record behind the last span that holds log; `None` when there is none.
    pub tail: Option<u64>,
    /// Records of the trace that this knows.
    pub records: u64,
    /// Goes up with each change.
    pub changes: u64,
}

impl Index {
    /// Number of a step, which is made when it is new.
    pub fn step(&mut self, vertex: &[u8]) -> usize {
        if let Some(known) = self.by_vertex.get(vertex) {
            return *known;
        }
        let number = self.steps.len();
        self.steps.push(Step {
            vertex: vertex.to_vec(),
            ..Step::default()
        });
        self.by_vertex.insert(vertex.to_vec(), number);
        number
    }

    /// A step by its vertex.
    pub fn find(&self, vertex: &[u8]) -> Option<&Step> {
        self.steps.get(*self.by_vertex.get(vertex)?)
    }

    /// Takes a checkpoint of an earlier server. `None` when it does not fit to those before it.
    pub fn take(&mut self, checkpoint: &Checkpoint) -> Option<()> {
        if checkpoint.first < self.records || checkpoint.end < checkpoint.first {
            return None;
        }
        self.changes += 1;
        for grown in &checkpoint.steps {
            let number = usize::try_from(grown.step).ok()?;
            if number == self.steps.len() {
                self.step(&grown.vertex);
            }
            let (changes, span) = (self.changes, self.spans.len());
            let step = self.steps.get_mut(number)?;
            let more = (
                grown.lines.checked_sub(step.lines)?,
                grown.bytes.checked_sub(step.bytes)?,
            );
            self.lines += more.0;
            self.bytes += more.1;
            (step.lines, step.bytes) = (grown.lines, grown.bytes);
            step.missing.clone_from(&grown.missing);
            step.changed = changes;
            step.open = false;
            // The last checkpoint names all steps.
            if checkpoint.end > checkpoint.first && more != (0, 0) {
                step.spans.push((span, grown.lines));
            }
        }
        self.open = 0;
        for open in &checkpoint.open {
            let number = *self.by_vertex.get(&open.vertex)?;
            self.steps.get_mut(number)?.open = true;
            self.open += 1;
        }
        if checkpoint.end > checkpoint.first {
            self.spans.push(Span {
                first: checkpoint.first,
                end: checkpoint.end,
                lines: self.lines,
            });
        }
        self.records = checkpoint.end.max(checkpoint.records);
        Some(())
    }

    /// Ends the span that lies behind the last one, if it holds log.
    pub fn end_span(&mut self) {
        let Some(first) = self.tail.take() else {
            return;
        };
        let number = self.spans.len();
        for step in self.steps.iter_mut().filter(|step| step.grown) {
            step.spans.push((number, step.lines));
            step.grown = false;
        }
        self.spans.push(Span {
            first,
            end: self.records,
            lines: self.lines,
        });
    }

    /// Lines that there are, of a step or of all: those that have ended and the open ones; and bytes.
    pub fn total(&self, vertex: &[u8]) -> (u64, u64) {
        if vertex.is_empty() {
            return (self.lines + self.open, self.bytes);
        }
        self.find(vertex).map_or((0, 0), |step| {
            (step.lines + u64::from(step.open), step.bytes)
        })
    }
}

/// A part of the trace in which lines of a step, or of all steps, are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// First record.
    pub first: u64,
    /// The record behind its last one.
    pub end: u64,
    /// The checkpoint that tells what is open at its begin; `None`: nothing is.
    pub begin: Option<u64>,
    /// Lines that have ended before it.
    pub before: u64,
    /// Lines that have ended at its end.
    pub after: u64,
}

impl Index {
    /// The parts that hold the lines of a step, or (empty) of all.
    pub fn parts(&self, vertex: &[u8]) -> Vec<Part> {
        let begin = |span: usize| span.checked_sub(1).map(|before| before as u64);
        let mut parts = Vec::new();
        let mut before = 0;
        let mut put = |span: &Span, number: usize, after: u64| {
            parts.push(Part {
                first: span.first,
                end: span.end,
                begin: begin(number),
                before,
                after,
            });
            before = after;
        };
        let tail = self.tail.map(|first| Span {
            first,
            end: self.records,
            lines: self.lines,
        });
        if vertex.is_empty() {
            for (number, span) in self.spans.iter().chain(&tail).enumerate() {
                put(span, number, span.lines);
            }
        } else if let Some(step) = self.find(vertex) {
            for (number, lines) in &step.spans {
                if let Some(span) = self.spans.get(*number) {
                    put(span, *number, *lines);
                }
            }
            if let Some(tail) = tail.filter(|_| step.grown) {
                put(&tail, self.spans.len(), step.lines);
            }
        }
        parts
    }
}
