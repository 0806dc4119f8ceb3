//! Reads the lines of a part of the log.

use prost::Message;

use super::Logs;
use super::checkpoint::Checkpoint;
use super::index::Part;
use super::lines::{Carry, Line, Sink};
use super::wire;
use crate::server::journal::{Error, Frames};

/// Receives lines until it has enough.
pub trait Look: Sink {
    /// Whether it wants more; asked after each record.
    fn more(&mut self) -> bool;
}

/// Reads parts in their order; blocks.
#[derive(Debug)]
pub struct Reader<'a> {
    vertex: &'a [u8],
    frames: Frames,
    carry: Carry,
}

impl<'a> Reader<'a> {
    /// Begins with `part` of the log of `vertex`, or (empty) of all steps.
    ///
    /// # Errors
    /// A file is damaged or cannot be read.
    pub fn new(logs: &Logs, vertex: &'a [u8], part: &Part) -> Result<Self, Error> {
        let mut carry = Carry::default();
        if let Some(number) = part.begin {
            let mut places = logs.places.frames(number)?;
            // What is no checkpoint is one with nothing open.
            let checkpoint = places
                .record()?
                .and_then(|record| Checkpoint::decode(record).ok());
            let open = checkpoint.unwrap_or_default().open.into_iter();
            carry.open = open
                .map(Line::from)
                .filter(|line| vertex.is_empty() || line.vertex == vertex)
                .collect();
        }
        Ok(Self {
            vertex,
            frames: logs.trace.frames(part.first)?,
            carry,
        })
    }

    /// Does not compare what it reads with its checks: a damaged text may then be given out.
    pub fn trusting(mut self) -> Self {
        self.frames = self.frames.trusting();
        self
    }

    /// Gives the lines that end in `part`, which is the first one or lies behind the one before.
    ///
    /// # Errors
    /// The trace is damaged or cannot be read.
    pub fn read(&mut self, part: &Part, look: &mut impl Look) -> Result<(), Error> {
        self.frames.skip_to(part.first)?;
        while self.frames.number() < part.end && look.more() {
            let Some(record) = self.frames.record()? else {
                break;
            };
            let Some(status) = wire::status(record) else {
                continue;
            };
            for chunk in wire::chunks(status) {
                if self.vertex.is_empty() || chunk.vertex == self.vertex {
                    self.carry.push(&chunk, look);
                }
            }
            if self.carry.open.is_empty() {
                continue;
            }
            for mark in wire::marks(status) {
                if mark.completed {
                    self.carry.close(mark.vertex, look);
                }
            }
        }
        Ok(())
    }

    /// Gives the lines that are open behind the last part.
    pub fn finish(self, look: &mut impl Look) {
        for line in self.carry.open {
            look.line(line);
        }
    }
}
