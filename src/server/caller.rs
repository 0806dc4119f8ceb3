//! What belongs to the client that asked: its environment, directory and streams, as plain values of
//! one build. Nothing of it is looked up in the server's own environment, and nothing is stored.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::sync::mpsc;
use tonic::Status;

use crate::paths::Env;
use crate::paths::mask::Mask;
use crate::proto::controller;

/// How long the streams of a build wait for the client to connect to them.
const CLIENT_DEADLINE: Duration = Duration::from_secs(30);

/// Chunks of standard input or output that wait.
pub const STREAM_QUEUE: usize = 16;

/// The caller of one build.
#[derive(Clone)]
pub struct Caller {
    /// Its environment.
    pub env: Env,
    /// Absolute directory that relative names start from.
    pub directory: PathBuf,
    /// Its file mode creation mask.
    pub mask: Mask,
    /// Its process; 0 when it is not known.
    pub pid: u32,
    /// Its terminal; empty without one.
    pub terminal: String,
    /// Whether its standard output is a terminal.
    pub stdout_is_terminal: bool,
    /// What stands in files of its own process, by their names in the arguments.
    pub files: HashMap<String, Bytes>,
}

/// Without what may be secret.
impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Caller")
            .field("directory", &self.directory)
            .field("pid", &self.pid)
            .field("terminal", &self.terminal)
            .finish_non_exhaustive()
    }
}

impl TryFrom<controller::Caller> for Caller {
    type Error = Status;

    fn try_from(caller: controller::Caller) -> Result<Self, Status> {
        let directory = PathBuf::from(caller.directory);
        if !directory.is_absolute() {
            return Err(Status::invalid_argument("the caller has no directory"));
        }
        let env = caller.environment.into_iter().map(|(name, value)| {
            let value = OsString::from_vec(value.into());
            (OsString::from(name), value)
        });
        Ok(Self {
            env: env.collect(),
            directory,
            mask: Mask(caller.umask & 0o777),
            pid: 0,
            terminal: caller.terminal,
            stdout_is_terminal: caller.stdout_is_terminal,
            files: caller.files,
        })
    }
}

/// A client's standard input, read where a thread may block.
#[derive(Debug)]
pub struct Input {
    chunks: mpsc::Receiver<io::Result<Bytes>>,
    now: Bytes,
    ended: bool,
}

impl Input {
    /// The reader, and where the client's chunks are put. Dropping the sender without
    /// [`Input::end`] breaks the input off, so that half an archive is not taken for a whole one.
    pub fn new() -> (mpsc::Sender<io::Result<Bytes>>, Self) {
        let (sender, chunks) = mpsc::channel(STREAM_QUEUE);
        let input = Self {
            chunks,
            now: Bytes::new(),
            ended: false,
        };
        (sender, input)
    }

    /// The chunk that ends an input: an empty one.
    pub fn end() -> Bytes {
        Bytes::new()
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.now.is_empty() && !self.ended {
            match self.chunks.blocking_recv() {
                Some(Ok(chunk)) if chunk.is_empty() => self.ended = true,
                Some(Ok(chunk)) => self.now = chunk,
                Some(Err(error)) => return Err(error),
                None => {
                    return Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "the client that sent standard input has gone",
                    ));
                }
            }
        }
        let length = self.now.len().min(buffer.len());
        self.now
            .copy_to_slice(buffer.get_mut(..length).unwrap_or_default());
        Ok(length)
    }
}

/// A slot in which one stream of a build waits for its client.
#[derive(Debug)]
pub struct Waiting<T>(std::sync::Arc<std::sync::Mutex<Option<T>>>);

impl<T> Clone for Waiting<T> {
    fn clone(&self) -> Self {
        Self(std::sync::Arc::clone(&self.0))
    }
}

impl<T: Send + 'static> Waiting<T> {
    /// Holds `end` until a client takes it, for [`CLIENT_DEADLINE`] at most: a client that died
    /// before it connected must not leave a build that waits for it.
    pub fn new(end: T) -> Self {
        let slot = Self(std::sync::Arc::new(std::sync::Mutex::new(Some(end))));
        let weak = std::sync::Arc::downgrade(&slot.0);
        tokio::spawn(async move {
            tokio::time::sleep(CLIENT_DEADLINE).await;
            if let Some(slot) = weak.upgrade() {
                Self(slot).take();
            }
        });
        slot
    }

    /// The end, for the first who asks.
    pub fn take(&self) -> Option<T> {
        let mut slot = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        slot.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_that_breaks_off_is_an_error_and_one_that_ends_is_not() {
        let (sender, mut input) = Input::new();
        sender
            .blocking_send(Ok(Bytes::from_static(b"abc")))
            .unwrap();
        sender.blocking_send(Ok(Input::end())).unwrap();
        let mut text = String::new();
        input.read_to_string(&mut text).unwrap();
        assert_eq!(text, "abc");
        drop(sender);
        assert_eq!(input.read(&mut [0; 4]).unwrap(), 0);

        let (sender, mut input) = Input::new();
        sender
            .blocking_send(Ok(Bytes::from_static(b"abc")))
            .unwrap();
        drop(sender);
        let error = input.read_to_string(&mut String::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_caller_needs_a_directory_and_its_values_stay_out_of_debug() {
        let caller = controller::Caller {
            environment: [("TOKEN".to_owned(), Bytes::from_static(b"hunter2"))].into(),
            directory: "/work".into(),
            umask: 0o22,
            ..controller::Caller::default()
        };
        let parsed = Caller::try_from(caller.clone()).unwrap();
        assert_eq!(parsed.env.get("TOKEN"), Some("hunter2"));
        assert!(!format!("{parsed:?}").contains("hunter2"));
        let relative = controller::Caller {
            directory: "work".into(),
            ..caller
        };
        assert!(Caller::try_from(relative).is_err());
    }
}
