//! The index beside a trace: where to start reading for a record's number.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::frame::MAGIC;

/// Least distance of two entries in bytes of the trace.
const DISTANCE: u64 = 256 << 10;

/// Length of an entry.
const ENTRY: usize = 20;

/// A record's number and where its frame starts.
type Place = (u64, u64);

/// Where record 0 starts; needs no entry.
const START: Place = (0, MAGIC.len() as u64);

/// The index of one trace.
#[derive(Debug)]
pub(super) struct Index {
    path: PathBuf,
    file: Option<File>,
    entries: u64,
    /// Where the frame of the last entry starts.
    last: u64,
}

impl Index {
    /// The index of the trace at `trace`, not looked at yet.
    pub(super) fn beside(trace: &Path) -> Self {
        let mut path = trace.as_os_str().to_owned();
        path.push(".index");
        Self {
            path: path.into(),
            file: None,
            entries: 0,
            last: START.1,
        }
    }

    /// The last entry for a trace of `length` bytes. New ones go behind it.
    pub(super) fn last(&mut self, length: u64) -> Place {
        let mut place = START;
        if let Ok(file) = File::open(&self.path) {
            self.entries = count(&file);
            while self.entries > 0 {
                match entry(&file, self.entries - 1) {
                    Some(found) if found.1 <= length => {
                        place = found;
                        break;
                    }
                    _ => self.entries -= 1,
                }
            }
        }
        self.last = place.1;
        place
    }

    /// Hears that the frame of record `number` starts at `offset`, and remembers it when the last
    /// entry is far away.
    ///
    /// # Errors
    /// The entry cannot be written. The next one will be tried at the same place.
    pub(super) fn note(&mut self, number: u64, offset: u64) -> io::Result<()> {
        if offset < self.last + DISTANCE {
            return Ok(());
        }
        // Also after an error: on a full disk not every record should try again.
        self.last = offset;
        let file = match &self.file {
            Some(file) => file,
            None => self.file.insert(
                OpenOptions::new()
                    .write(true)
                    .create(true)
                    .truncate(false)
                    .mode(0o600)
                    .open(&self.path)?,
            ),
        };
        let mut bytes = [0; ENTRY];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        bytes[8..16].copy_from_slice(&offset.to_le_bytes());
        let check = crc32fast::hash(&bytes[..16]);
        bytes[16..].copy_from_slice(&check.to_le_bytes());
        file.write_all_at(&bytes, self.entries * ENTRY as u64)?;
        self.entries += 1;
        Ok(())
    }

    /// Forgets the entries of an older trace.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn cut(&self) -> io::Result<()> {
        match OpenOptions::new().write(true).open(&self.path) {
            Ok(file) => file.set_len(self.entries * ENTRY as u64),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The last place at or before record `number` in a trace that ends at `end`, found by halving,
    /// without reading the index as a whole. A wrong entry counts as one that lies behind.
    pub(super) fn find(&self, number: u64, end: u64) -> Place {
        let Ok(file) = File::open(&self.path) else {
            return START;
        };
        let mut best = START;
        let (mut low, mut high) = (0, count(&file));
        while low < high {
            let middle = low + (high - low) / 2;
            match entry(&file, middle) {
                Some(place) if place.0 <= number && place.1 <= end => {
                    best = place;
                    low = middle + 1;
                }
                _ => high = middle,
            }
        }
        best
    }
}

fn count(file: &File) -> u64 {
    file.metadata().map_or(0, |data| data.len()) / ENTRY as u64
}

fn entry(file: &File, place: u64) -> Option<Place> {
    let mut bytes = [0; ENTRY];
    file.read_exact_at(&mut bytes, place * ENTRY as u64).ok()?;
    let (body, check) = bytes.split_last_chunk()?;
    if crc32fast::hash(body) != u32::from_le_bytes(*check) {
        return None;
    }
    let (number, offset) = body.split_first_chunk()?;
    Some((
        u64::from_le_bytes(*number),
        u64::from_le_bytes(*offset.first_chunk()?),
    ))
}
