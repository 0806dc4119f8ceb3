//! One who replays a trace and follows it.

use std::fs::File;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::{JoinError, spawn_blocking};

use super::cursor::{Cursor, Step};
use super::index::Index;
use super::{Error, Journal, State};

/// Reads a trace in order. It reads the file in chunks when it is asked, so a slow one holds up
/// nobody and holds at most one chunk, or one record if that is larger.
#[derive(Debug)]
pub struct Reader {
    journal: Journal,
    /// Number of the next record.
    next: u64,
    /// Number of the first record that is not wanted.
    until: u64,
    cursor: Option<Cursor>,
    ended: bool,
}

impl Reader {
    pub(super) fn new(journal: Journal, from: u64, until: u64) -> Self {
        Self {
            journal,
            next: from,
            until,
            cursor: None,
            ended: false,
        }
    }

    /// The next record and its number; `None` at the end. Waits for the writer.
    ///
    /// A record shares the memory of the chunk that it was read with.
    ///
    /// May be dropped at any await; nothing is lost.
    ///
    /// # Errors
    /// The file is damaged or cannot be read. After that comes `None`.
    pub async fn next(&mut self) -> Result<Option<(u64, Bytes)>, Error> {
        if self.ended {
            return Ok(None);
        }
        let result = self.advance().await;
        self.ended = !matches!(result, Ok(Some(_)));
        result
    }

    /// The next records and the number of the first: those that have been read already, or the next
    /// one, and no more after `max_bytes` are reached. Waits for the first, never for more. `None`
    /// at the end.
    ///
    /// # Errors
    /// As [`Reader::next`].
    pub async fn next_batch(
        &mut self,
        max_bytes: usize,
    ) -> Result<Option<(u64, Vec<Bytes>)>, Error> {
        let Some((number, record)) = self.next().await? else {
            return Ok(None);
        };
        let mut bytes = record.len();
        let mut records = vec![record];
        while bytes < max_bytes && self.next < self.until {
            // An error, as all that is not at hand, waits for the next call.
            let Some(Ok(Step::Record(record))) = self.cursor.as_mut().map(Cursor::step) else {
                break;
            };
            self.next += 1;
            bytes += record.len();
            records.push(record);
        }
        Ok(Some((number, records)))
    }

    async fn advance(&mut self) -> Result<Option<(u64, Bytes)>, Error> {
        loop {
            if self.next >= self.until {
                return Ok(None);
            }
            let need = match &mut self.cursor {
                Some(cursor) => match cursor.step() {
                    Ok(Step::Record(record)) => {
                        let number = self.next;
                        self.next += 1;
                        return Ok(Some((number, record)));
                    }
                    Ok(Step::More(need)) => need,
                    Ok(Step::End) => return Err(cursor.early_end()),
                    Err(damage) => return Err(Error::damaged(&self.journal.path, damage)),
                },
                None => 0,
            };
            // In this order: what is there once the writer is gone is all that will ever be there.
            let gone = self.journal.state.has_changed().is_err();
            let state = *self.journal.state.borrow_and_update();
            if self.next < state.records {
                match &mut self.cursor {
                    Some(cursor) => {
                        let read = spawn_blocking(cursor.reading(need, state.end)).await;
                        cursor.fill(read.unwrap_or_else(|error| Err(lost(error))))?;
                    }
                    None => self.cursor = Some(self.seek(state).await?),
                }
            } else if gone {
                return match state.damage {
                    Some(damage) => Err(Error::damaged(&self.journal.path, damage)),
                    None => Ok(None),
                };
            } else {
                // The error, that the writer is gone, is seen again above.
                let _ = self.journal.state.changed().await;
            }
        }
    }

    /// Opens the file at the next record, which exists.
    async fn seek(&self, state: State) -> Result<Cursor, Error> {
        let path = Arc::clone(&self.journal.path);
        let next = self.next;
        spawn_blocking(move || {
            let file = File::open(&path).map_err(|source| Error::io("read", &path, source))?;
            let (number, offset) = Index::beside(&path).find(next, state.end);
            let mut cursor = Cursor::new(path, Arc::new(file), number, offset);
            cursor.skip_to(next, state.end)?;
            Ok(cursor)
        })
        .await
        .unwrap_or_else(|error| Err(Error::io("read", &self.journal.path, lost(error))))
    }
}

/// A blocking thread that ended without an answer: the runtime is shutting down.
fn lost(error: JoinError) -> io::Error {
    io::Error::other(error)
}
