//! Bytes of a trace: the file's start and the frames.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::Error;

/// Largest record. Twice what the engine puts into one event.
pub const MAX_RECORD: usize = 4 << 20;

/// What every trace starts with; the last byte is the format's version.
pub(super) const MAGIC: [u8; 8] = *b"bxtrace\x01";

/// Length of a frame without its record.
pub(super) const HEAD: usize = 12;

/// Length of the frame that ends a finished trace.
const END: u32 = u32::MAX;

/// A frame that is not what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damage {
    pub(super) record: u64,
    pub(super) offset: u64,
    pub(super) why: &'static str,
}

/// The head of a frame.
pub(super) enum Head {
    /// A record of `length` bytes whose CRC-32 is `check`.
    Record { length: usize, check: u32 },
    /// The end of a finished trace.
    End,
}

/// Appends the frame of record `number` to `out`.
///
/// # Errors
/// The record is too large.
pub(super) fn encode(out: &mut Vec<u8>, number: u64, record: &[u8]) -> Result<(), Error> {
    let length = u32::try_from(record.len())
        .ok()
        .filter(|_| record.len() <= MAX_RECORD)
        .ok_or(Error::TooLarge(record.len()))?;
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&head_check(number, length).to_le_bytes());
    out.extend_from_slice(&crc32fast::hash(record).to_le_bytes());
    out.extend_from_slice(record);
    Ok(())
}

/// The frame that ends a trace of `records` records.
pub(super) fn end(records: u64) -> [u8; HEAD] {
    // There is no record, so its check is 0.
    let mut frame = [0; HEAD];
    frame[..4].copy_from_slice(&END.to_le_bytes());
    frame[4..8].copy_from_slice(&head_check(records, END).to_le_bytes());
    frame
}

/// Reads the head of record `number`; the error says what is wrong with it.
pub(super) fn head(number: u64, bytes: &[u8; HEAD]) -> Result<Head, &'static str> {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = *bytes;
    let length = u32::from_le_bytes([a, b, c, d]);
    let check = u32::from_le_bytes([i, j, k, l]);
    if u32::from_le_bytes([e, f, g, h]) != head_check(number, length) {
        return Err("does not start as a record");
    }
    match usize::try_from(length) {
        _ if length == END && check == 0 => Ok(Head::End),
        Ok(length) if length <= MAX_RECORD => Ok(Head::Record { length, check }),
        _ => Err("is larger than a record can be"),
    }
}

fn head_check(number: u64, length: u32) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&number.to_le_bytes());
    hasher.update(&length.to_le_bytes());
    hasher.finalize()
}

/// Whether `file` starts as a trace does; `false` for one whose server died before that was written.
///
/// # Errors
/// The file cannot be read, is no trace, or has a newer format.
pub(super) fn check_magic(path: &Path, file: &File, length: u64) -> Result<bool, Error> {
    let mut start = MAGIC;
    let there = usize::try_from(length).map_or(MAGIC.len(), |length| length.min(MAGIC.len()));
    file.read_exact_at(&mut start[..there], 0)
        .map_err(|source| Error::io("read", path, source))?;
    let [name @ .., version] = start;
    let [expected @ .., known] = MAGIC;
    if name != expected {
        return Err(Error::NoTrace {
            path: path.to_owned(),
        });
    }
    if version != known {
        return Err(Error::Version {
            path: path.to_owned(),
            version,
        });
    }
    Ok(there == MAGIC.len())
}
