//! The one who goes along with a trace: counts lines, writes places and the trace without logs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use memchr::memchr_iter;
use prost::Message;
use tokio::sync::watch;

use super::checkpoint::{Checkpoint, Grown, Open};
use super::clipped::Clipped;
use super::index::Index;
use super::lines::{Carry, Line, Sink};
use super::wire::{self, Chunk, Mark};
use crate::server::journal::{Error, Writer};

/// Least length of a span in bytes of the trace.
const SPAN: usize = 256 << 10;

/// A checkpoint keeps the text of open lines; it is put off while that is more than this part of its span.
const OPEN_PART: usize = 16;

/// Steps whose streams are followed for what the engine clips; more do not run at once.
const RUNNING: usize = 4096;

/// The places of a log, which one [`Indexer`] changes and any number of readers look at.
#[derive(Debug, Default)]
pub struct Shared {
    index: Mutex<Index>,
    changes: watch::Sender<u64>,
}

impl Shared {
    /// Those of a log that does not grow.
    pub fn of(index: Index) -> Self {
        Self {
            index: Mutex::new(index),
            changes: watch::Sender::default(),
        }
    }

    /// Looks at the places, or changes them; for microseconds.
    pub fn lock(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Told when counts have changed.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

/// Goes along with one trace.
#[derive(Debug)]
pub struct Indexer {
    shared: Arc<Shared>,
    places: Writer,
    quiet: Writer,
    quiet_records: u64,
    carry: Carry,
    /// Of steps that run.
    clipped: HashMap<Vec<u8>, Clipped>,
    /// Bytes of the trace since the last span ended.
    since: usize,
    /// Steps that checkpoints know.
    known: usize,
    /// Something could not be written: the files do not tell the whole.
    broken: bool,
}

impl Indexer {
    /// Begins with the first record of a trace.
    pub(super) fn new(shared: Arc<Shared>, places: Writer, quiet: Writer) -> Self {
        Self {
            shared,
            places,
            quiet,
            quiet_records: 0,
            carry: Carry::default(),
            clipped: HashMap::new(),
            since: 0,
            known: 0,
            broken: false,
        }
    }

    /// Takes the next records of the trace, in their order, after they have been written.
    ///
    /// # Errors
    /// A file cannot be written. The counts are right all the same; the files of this trace will be made anew from
    /// it when it is next opened.
    pub fn push<R: AsRef<[u8]>>(&mut self, records: &[R]) -> Result<(), Error> {
        let quiet: Vec<_> = records
            .iter()
            .filter_map(|record| wire::quiet(record.as_ref()))
            .collect();
        let mut result = Ok(());
        if !quiet.is_empty() {
            match self.quiet.append_batch(&quiet) {
                Ok(numbers) => self.quiet_records = numbers.end,
                Err(error) => result = Err(error),
            }
        }
        let shared = Arc::clone(&self.shared);
        let mut index = shared.lock();
        let before = index.changes;
        for record in records {
            self.see(record.as_ref(), &mut index);
            if self.since >= SPAN && self.carry.bytes() <= self.since / OPEN_PART {
                if index.tail.is_some()
                    && let Err(error) = self.checkpoint(&mut index, false)
                {
                    result = Err(error);
                }
                self.since = 0;
            }
        }
        let changes = index.changes;
        drop(index);
        if changes != before {
            shared.changes.send_replace(changes);
        }
        self.broken |= result.is_err();
        result
    }

    /// The trace has ended.
    ///
    /// # Errors
    /// As [`Indexer::push`].
    pub fn finish(mut self) -> Result<(), Error> {
        let shared = Arc::clone(&self.shared);
        self.checkpoint(&mut shared.lock(), true)?;
        if !self.broken {
            self.quiet.finish()?;
            self.places.finish()?;
        }
        Ok(())
    }

    /// Counts what is in one record.
    fn see(&mut self, record: &[u8], index: &mut Index) {
        self.since += record.len();
        let number = index.records;
        index.records += 1;
        let Some(status) = wire::status(record) else {
            return;
        };
        let mut tally = Tally {
            step: None,
            index,
            number,
        };
        for chunk in wire::chunks(status) {
            if chunk.text.is_empty() {
                continue;
            }
            tally.grow(&chunk);
            self.carry.push(&chunk, &mut tally);
            let open = self.carry.open.iter().any(|l| l.vertex == chunk.vertex);
            tally.is_open(chunk.vertex, open);
            if let Some(clipped) = self.clipped.get_mut(chunk.vertex) {
                clipped.push(&chunk);
            } else if self.clipped.len() < RUNNING {
                let mut clipped = Clipped::default();
                clipped.push(&chunk);
                self.clipped.insert(chunk.vertex.to_vec(), clipped);
            }
        }
        for mark in wire::marks(status) {
            if mark.completed {
                self.carry.close(mark.vertex, &mut tally);
                tally.is_open(mark.vertex, false);
            }
            self.follow(&mark, tally.index);
        }
    }

    /// Hears how far a step is.
    fn follow(&mut self, mark: &Mark<'_>, index: &mut Index) {
        if !self.clipped.contains_key(mark.vertex) {
            let runs = mark.started.is_some() && !mark.completed;
            if !runs || self.clipped.len() >= RUNNING {
                return;
            }
            self.clipped
                .insert(mark.vertex.to_vec(), Clipped::default());
        }
        let clipped = self.clipped.get_mut(mark.vertex);
        let missing = clipped.map(|clipped| clipped.see(mark)).unwrap_or_default();
        if mark.completed {
            self.clipped.remove(mark.vertex);
        }
        if !missing.is_empty() {
            let number = index.step(mark.vertex);
            index.changes += 1;
            let changes = index.changes;
            if let Some(step) = index.steps.get_mut(number) {
                step.missing.extend(missing);
                step.changed = changes;
            }
        }
    }

    /// Ends the span and writes how the log stands.
    fn checkpoint(&mut self, index: &mut Index, last: bool) -> Result<(), Error> {
        let first = index.tail.unwrap_or(index.records);
        let known = self.known;
        let grown = index
            .steps
            .iter()
            .enumerate()
            .filter(|(number, step)| step.grown || *number >= known || last)
            .map(|(number, step)| Grown {
                step: u32::try_from(number).unwrap_or(u32::MAX),
                vertex: match number >= known {
                    true => step.vertex.clone(),
                    false => Vec::new(),
                },
                lines: step.lines,
                bytes: step.bytes,
                missing: step.missing.clone(),
            });
        let checkpoint = Checkpoint {
            first,
            end: index.records,
            steps: grown.collect(),
            open: self.carry.open.iter().map(Open::from).collect(),
            records: index.records,
            quiet: self.quiet_records,
            last,
        };
        self.known = index.steps.len();
        index.end_span();
        self.places.append(&checkpoint.encode_to_vec())?;
        Ok(())
    }
}

/// Counts the lines of chunks.
struct Tally<'a> {
    index: &'a mut Index,
    /// The step that was asked for last.
    step: Option<usize>,
    /// Number of the record.
    number: u64,
}

impl Tally<'_> {
    fn step(&mut self, vertex: &[u8]) -> usize {
        let last = self.step.and_then(|number| self.index.steps.get(number));
        match (self.step, last) {
            (Some(number), Some(step)) if step.vertex == vertex => number,
            _ => {
                let number = self.index.step(vertex);
                self.step = Some(number);
                number
            }
        }
    }

    fn grow(&mut self, chunk: &Chunk<'_>) {
        let number = self.step(chunk.vertex);
        let index = &mut *self.index;
        index.changes += 1;
        index.tail.get_or_insert(self.number);
        index.bytes += chunk.text.len() as u64;
        if let Some(step) = index.steps.get_mut(number) {
            step.bytes += chunk.text.len() as u64;
            step.grown = true;
            step.changed = index.changes;
        }
    }

    fn add(&mut self, vertex: &[u8], lines: u64) {
        let number = self.step(vertex);
        let index = &mut *self.index;
        index.lines += lines;
        if let Some(step) = index.steps.get_mut(number) {
            step.lines += lines;
        }
    }

    /// Whether a step has an open line now.
    fn is_open(&mut self, vertex: &[u8], open: bool) {
        if self.index.find(vertex).is_none() {
            return;
        }
        let number = self.step(vertex);
        let index = &mut *self.index;
        let Some(step) = index.steps.get_mut(number) else {
            return;
        };
        match (step.open, open) {
            (false, true) => index.open += 1,
            (true, false) => {
                // The end of a step counts as text of it: a line ends there.
                index.open = index.open.saturating_sub(1);
                index.tail.get_or_insert(self.number);
                step.grown = true;
                index.changes += 1;
                step.changed = index.changes;
            }
            _ => {}
        }
        step.open = open;
    }
}

impl Sink for Tally<'_> {
    fn lines(&mut self, chunk: &Chunk<'_>, whole: &[u8]) {
        let lines = memchr_iter(b'\n', whole).count();
        self.add(chunk.vertex, lines as u64);
    }

    fn line(&mut self, line: Line) {
        self.add(&line.vertex, 1);
    }
}
