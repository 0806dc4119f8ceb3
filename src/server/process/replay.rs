//! What a process without a terminal has printed, kept for those who attach later.

use std::collections::VecDeque;

use bytes::Bytes;

/// Most chunks that are kept, whatever their size.
const CHUNKS: usize = 4096;

/// The two outputs of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Error,
}

/// The last chunks of output, in order. Each has a number; readers remember the number of the next.
#[derive(Debug)]
pub struct Replay {
    chunks: VecDeque<(Stream, Bytes)>,
    /// Number of the first chunk that is kept.
    first: u64,
    bytes: usize,
    most: usize,
}

impl Replay {
    /// Keeps about `most` bytes.
    pub fn new(most: usize) -> Self {
        Self {
            chunks: VecDeque::new(),
            first: 0,
            bytes: 0,
            most,
        }
    }

    /// Adds output at the end. Call [`Replay::trim`] first, and not while it [`Replay::is_full`].
    pub fn push(&mut self, stream: Stream, bytes: Bytes) {
        self.bytes += bytes.len();
        self.chunks.push_back((stream, bytes));
    }

    /// Whether there is no room without dropping.
    pub fn is_full(&self) -> bool {
        self.bytes >= self.most || self.chunks.len() >= CHUNKS
    }

    /// Drops the oldest chunks until there is room, but none from number `needed` on.
    pub fn trim(&mut self, needed: u64) {
        while self.is_full() && self.first < needed {
            let Some((_, bytes)) = self.chunks.pop_front() else {
                break;
            };
            self.first += 1;
            self.bytes -= bytes.len();
        }
    }

    /// The chunk with this number.
    pub fn get(&self, number: u64) -> Option<&(Stream, Bytes)> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.chunks.get(index)
    }

    /// Number of the first chunk that is kept.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// Number of the next chunk.
    pub fn next(&self) -> u64 {
        self.first + self.chunks.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_chunks_go_unless_somebody_needs_them() {
        let mut replay = Replay::new(10);
        for number in 0..4u8 {
            replay.trim(1);
            replay.push(Stream::Out, Bytes::from(vec![number; 5]));
        }
        assert_eq!((replay.first(), replay.next()), (1, 4));
        assert!(replay.is_full());
        assert_eq!(replay.get(0), None);
        assert_eq!(replay.get(1).unwrap().1, vec![1; 5]);
        assert_eq!(replay.get(4), None);
        replay.trim(u64::MAX);
        assert_eq!(replay.first(), 3);
        assert!(!replay.is_full());
    }

    #[test]
    fn tiny_chunks_are_bounded_as_well() {
        let mut replay = Replay::new(1 << 20);
        for _ in 0..3 * CHUNKS {
            replay.trim(u64::MAX);
            replay.push(Stream::Error, Bytes::from_static(b"x"));
        }
        assert_eq!(replay.next() - replay.first(), CHUNKS as u64);
    }
}
