//! The queue between a process and one viewer. It has bounds in bytes and messages, and nobody
//! waits to put something in.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

use crate::proto::controller::AttachOutput;
use crate::proto::controller::attach_output::Output;

/// Most bytes that wait for a viewer.
pub const BYTES: usize = 512 << 10;
/// Most messages that wait for a viewer.
pub const MESSAGES: usize = 1024;
/// Chunks are joined up to this size while they wait.
const CHUNK: usize = 64 << 10;

/// The process's end.
#[derive(Debug)]
pub struct Sender {
    shared: Arc<Shared>,
}

/// The viewer's end: what it is sent, in order. Dropping it detaches.
#[derive(Debug)]
pub struct Attached {
    shared: Arc<Shared>,
    _input: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    /// Wakes the process when the viewer has drained its queue or left.
    process: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<Item>,
    bytes: usize,
    /// Bytes at which the process wants to be woken.
    wanted: Option<usize>,
    finished: bool,
    gone: bool,
    waker: Option<Waker>,
}

#[derive(Debug)]
enum Item {
    Out(BytesMut),
    Error(BytesMut),
    Other(Output),
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing panics while it holds the lock.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A queue whose viewer wakes `process`.
pub fn new(process: Arc<Notify>) -> (Sender, Receiver) {
    let shared = Arc::new(Shared {
        queue: Mutex::default(),
        process,
    });
    let receiver = Receiver(Arc::clone(&shared));
    (Sender { shared }, receiver)
}

/// The viewer's end before its input is read.
#[derive(Debug)]
pub struct Receiver(Arc<Shared>);

impl Receiver {
    /// What the viewer gets. `input` reads what it sends, and ends with it.
    pub fn attached(self, input: tokio::task::JoinHandle<()>) -> Attached {
        Attached {
            shared: self.0,
            _input: AbortOnDropHandle::new(input),
        }
    }
}

impl Sender {
    /// Whether `BYTES` and `MESSAGES` leave room. Otherwise the process is woken when half is free.
    pub fn has_room(&self) -> bool {
        let mut queue = self.shared.lock();
        let room = queue.bytes < BYTES && queue.items.len() < MESSAGES;
        if !room {
            queue.wanted = Some(BYTES / 2);
        }
        room
    }

    /// Puts terminal output or standard output in. False, and nothing is in: there is no room.
    pub fn data(&self, bytes: &Bytes) -> bool {
        self.chunk(bytes, false)
    }

    /// Puts standard error in, as [`Sender::data`].
    pub fn error_data(&self, bytes: &Bytes) -> bool {
        self.chunk(bytes, true)
    }

    fn chunk(&self, bytes: &Bytes, error: bool) -> bool {
        let mut queue = self.shared.lock();
        if queue.finished {
            return true;
        }
        if queue.bytes >= BYTES || queue.items.len() >= MESSAGES {
            return false;
        }
        queue.bytes += bytes.len();
        match queue.items.back_mut() {
            Some(Item::Out(last)) if !error && last.len() + bytes.len() <= CHUNK => {
                last.extend_from_slice(bytes);
            }
            Some(Item::Error(last)) if error && last.len() + bytes.len() <= CHUNK => {
                last.extend_from_slice(bytes);
            }
            _ => {
                let item = BytesMut::from(bytes.as_ref());
                queue.items.push_back(match error {
                    true => Item::Error(item),
                    false => Item::Out(item),
                });
            }
        }
        queue.wake();
        true
    }

    /// Puts a message in that is no output. Of those that replace each other only the newest waits;
    /// of the others the bound on messages holds.
    pub fn say(&self, output: Output) {
        let mut queue = self.shared.lock();
        if matches!(output, Output::Presence(_)) {
            queue
                .items
                .retain(|item| !matches!(item, Item::Other(Output::Presence(_))));
        }
        let full = queue.items.len() >= 2 * MESSAGES && !matches!(output, Output::Exited(_));
        if full || queue.finished {
            return;
        }
        queue.bytes += size(&output);
        queue.items.push_back(Item::Other(output));
        queue.wake();
    }

    /// Throws away what a snapshot will show, and has the process woken when the viewer has read
    /// the rest.
    pub fn fall_behind(&self) {
        let mut queue = self.shared.lock();
        queue.items.retain(|item| {
            matches!(
                item,
                Item::Other(Output::Notice(_) | Output::Presence(_) | Output::Clipboard(_))
            )
        });
        queue.bytes = queue.items.iter().map(Item::size).sum();
        queue.wanted = Some(0);
        queue.wake();
    }

    /// Whether the viewer has read everything.
    pub fn is_empty(&self) -> bool {
        self.shared.lock().items.is_empty()
    }

    /// Throws away what waits, and ends.
    pub fn end(&self) {
        let mut queue = self.shared.lock();
        queue.items.clear();
        queue.bytes = 0;
        queue.finished = true;
        queue.wake();
    }

    /// Nothing more will come.
    pub fn finish(&self) {
        let mut queue = self.shared.lock();
        queue.finished = true;
        queue.wake();
    }

    /// Whether the viewer has left.
    pub fn is_gone(&self) -> bool {
        self.shared.lock().gone
    }
}

fn size(output: &Output) -> usize {
    match output {
        Output::Snapshot(snapshot) => snapshot.scrollback.len() + snapshot.screen.len(),
        Output::Clipboard(text) => text.len(),
        Output::Notice(text) => text.len(),
        _ => 0,
    }
}

impl Item {
    fn size(&self) -> usize {
        match self {
            Item::Out(bytes) | Item::Error(bytes) => bytes.len(),
            Item::Other(output) => size(output),
        }
    }
}

impl Queue {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl tokio_stream::Stream for Attached {
    type Item = AttachOutput;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<AttachOutput>> {
        let mut queue = self.shared.lock();
        let item = queue.items.pop_front();
        if let Some(item) = &item {
            queue.bytes = queue.bytes.saturating_sub(item.size());
        }
        let free = match queue.wanted {
            Some(0) => queue.items.is_empty(),
            Some(bytes) => queue.bytes <= bytes && queue.items.len() <= MESSAGES / 2,
            None => false,
        };
        if free {
            queue.wanted = None;
            self.shared.process.notify_one();
        }
        let output = match item {
            Some(Item::Out(bytes)) => Output::Data(bytes.freeze()),
            Some(Item::Error(bytes)) => Output::ErrorData(bytes.freeze()),
            Some(Item::Other(output)) => output,
            None if queue.finished => return Poll::Ready(None),
            None => {
                queue.waker = Some(context.waker().clone());
                return Poll::Pending;
            }
        };
        Poll::Ready(Some(AttachOutput {
            output: Some(output),
        }))
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let mut queue = self.shared.lock();
        queue.gone = true;
        queue.items.clear();
        drop(queue);
        self.shared.process.notify_one();
    }
}

#[cfg(test)]
mod tests;
