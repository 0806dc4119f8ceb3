//! What the engine clipped of a step's log, found while its text goes by.

use crate::progress::clip::Stream;
use crate::progress::time::Nanos;
use crate::server::logs::wire::{Chunk, Mark};

/// Output streams of one step that are followed; there are two.
const STREAMS: usize = 8;

/// The streams of one step since it last started.
#[derive(Debug, Default)]
pub struct Clipped {
    started: Option<Nanos>,
    streams: Vec<(u32, Stream)>,
}

impl Clipped {
    /// Takes text.
    pub fn push(&mut self, chunk: &Chunk<'_>) {
        let known = self
            .streams
            .iter()
            .position(|(stream, _)| *stream == chunk.stream);
        let at = known.unwrap_or(self.streams.len());
        if known.is_none() {
            if at >= STREAMS {
                return;
            }
            self.streams.push((chunk.stream, Stream::default()));
        }
        if let Some((_, stream)) = self.streams.get_mut(at) {
            stream.push(self.started.unwrap_or(chunk.time), chunk.time, chunk.text);
        }
    }

    /// Hears how far the step is; a sentence for each stream of which something is known to be missing, once the
    /// step is complete.
    pub fn see(&mut self, mark: &Mark<'_>) -> Vec<String> {
        if mark.started.is_some() && mark.started != self.started && !mark.completed {
            self.streams.clear();
        }
        self.started = mark.started.or(self.started);
        if !mark.completed {
            return Vec::new();
        }
        let mut streams = std::mem::take(&mut self.streams);
        streams.sort_by_key(|(stream, _)| *stream);
        streams
            .into_iter()
            .filter_map(|(_, stream)| stream.finish(mark.failed))
            .map(|missing| missing.sentence())
            .collect()
    }
}
