//! The way into a process: from each viewer's stream to one queue, and from there to the engine.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_stream::{Stream, StreamExt};
use tonic::Status;

use super::actor::Command;
use crate::engine::gateway::ProcessInput;
use crate::proto::controller::AttachInput;
use crate::proto::controller::attach_input::Input;

/// What a client sends while it is attached.
pub type ClientInput = Pin<Box<dyn Stream<Item = Result<AttachInput, Status>> + Send>>;

/// Most bytes of one message to the engine.
const CHUNK: usize = 16 << 10;
/// Chunks that may wait for the engine.
const CHUNKS: usize = 16;
/// Input, in bytes, that a terminal takes although its program does not read.
const STUCK: usize = 4 << 10;
/// Signals that may wait for the engine.
const SIGNALS: usize = 8;
/// Bytes of one viewer that may wait; then its stream is not read on.
const WAITING: usize = 256 << 10;

/// What goes to a process in order.
#[derive(Debug)]
pub enum Chunk {
    /// Typed or sent.
    Data(Bytes),
    /// End of file.
    Close,
}

/// The way to the engine. A program that does not read its input blocks only this.
#[derive(Clone, Debug)]
pub struct Writer {
    data: mpsc::Sender<Chunk>,
    size: Arc<watch::Sender<(u16, u16)>>,
    signals: mpsc::Sender<String>,
    /// Bytes since the last size that surely arrived.
    sent: Arc<AtomicUsize>,
    /// The engine's side, for what need not wait.
    process: ProcessInput,
    ahead: Arc<Mutex<Ahead>>,
}

/// What is not with the engine yet. No data may overtake it.
#[derive(Debug, Default)]
struct Ahead {
    chunks: usize,
    size: bool,
    /// Nothing more goes to the engine.
    over: bool,
}

fn lock(ahead: &Mutex<Ahead>) -> MutexGuard<'_, Ahead> {
    // Nothing panics while it holds the lock.
    ahead.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Writer {
    /// Starts to write to `process`, whose terminal has `size`.
    pub fn new(process: ProcessInput, size: (u16, u16)) -> Self {
        let (data, chunks) = mpsc::channel(CHUNKS);
        let (signals, names) = mpsc::channel(SIGNALS);
        let (size, sizes) = watch::channel(size);
        let sent = Arc::new(AtomicUsize::new(0));
        let ahead = Arc::new(Mutex::default());
        tokio::spawn(write(
            process.clone(),
            chunks,
            sizes,
            names,
            (Arc::clone(&sent), Arc::clone(&ahead)),
        ));
        Self {
            data,
            size: Arc::new(size),
            signals,
            sent,
            process,
            ahead,
        }
    }

    /// Puts something in if there is room; otherwise it is given back. Data goes to the engine at once when nothing is
    /// before it: each task that a key passes on its way may cost it a change of threads.
    pub fn try_send(&self, chunk: Chunk) -> Result<(), Chunk> {
        let mut ahead = lock(&self.ahead);
        if ahead.over {
            return Ok(());
        }
        let chunk = match chunk {
            Chunk::Data(data) if ahead.chunks == 0 && !ahead.size => {
                let length = data.len();
                match self.process.try_write(data) {
                    Ok(()) => {
                        self.sent.fetch_add(length, Ordering::Relaxed);
                        return Ok(());
                    }
                    Err(data) => Chunk::Data(data),
                }
            }
            chunk => chunk,
        };
        let sent = self.data.try_send(chunk);
        ahead.chunks += usize::from(sent.is_ok());
        sent.map_err(TrySendError::into_inner)
    }

    /// Room for [`Writer::send`]; `None`: the process has ended.
    async fn room(&self) -> Option<mpsc::Permit<'_, Chunk>> {
        self.data.reserve().await.ok()
    }

    fn send(&self, chunk: Chunk, room: mpsc::Permit<'_, Chunk>) {
        lock(&self.ahead).chunks += 1;
        room.send(chunk);
    }

    /// The program has ended: what waits, and what still comes, is for nobody.
    pub fn stop(&self) {
        lock(&self.ahead).over = true;
    }

    /// A new size; it overtakes the input that still waits here.
    pub fn resize(&self, size: (u16, u16)) {
        let mut ahead = lock(&self.ahead);
        ahead.size = true;
        self.size.send_replace(size);
    }

    /// A signal through the engine; it overtakes as sizes do.
    pub fn signal(&self, name: &str) -> bool {
        self.signals.try_send(name.to_owned()).is_ok()
    }

    /// The last size.
    pub fn size(&self) -> (u16, u16) {
        *self.size.borrow()
    }

    /// Whether so much was sent that the engine may be stuck with it, and with everything behind it. Nothing tells
    /// that it has gone on since, so what may be stuck once may be so from then on.
    pub fn may_be_stuck(&self) -> bool {
        let fits = |sent| (sent <= STUCK).then_some(0);
        self.sent
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits)
            .is_err()
    }
}

async fn write(
    process: ProcessInput,
    mut chunks: mpsc::Receiver<Chunk>,
    mut sizes: watch::Receiver<(u16, u16)>,
    mut signals: mpsc::Receiver<String>,
    (sent, ahead): (Arc<AtomicUsize>, Arc<Mutex<Ahead>>),
) {
    loop {
        let done = tokio::select! {
            biased;
            changed = sizes.changed() => {
                if changed.is_err() {
                    return;
                }
                let (rows, cols) = *sizes.borrow_and_update();
                let done = process.resize(rows.into(), cols.into()).await;
                let mut ahead = lock(&ahead);
                ahead.size = sizes.has_changed().unwrap_or(false);
                done
            }
            Some(name) = signals.recv() => process.signal(&name).await,
            chunk = chunks.recv() => {
                let done = match chunk {
                    Some(_) if lock(&ahead).over => Ok(()),
                    Some(Chunk::Data(bytes)) => {
                        sent.fetch_add(bytes.len(), Ordering::Relaxed);
                        process.write(bytes.into()).await
                    }
                    Some(Chunk::Close) => process.close_stdin().await,
                    None => return,
                };
                lock(&ahead).chunks -= 1;
                done
            }
        };
        if done.is_err() {
            return;
        }
    }
}

/// One viewer's way in.
#[derive(Debug)]
pub struct Reader {
    /// Its number.
    pub viewer: u64,
    /// Looks on only.
    pub read_only: bool,
    /// Whether the process has a terminal.
    pub tty: bool,
    /// Whether the process has a standard input.
    pub stdin: bool,
    /// The process.
    pub commands: mpsc::Sender<Command>,
    /// Who typed last.
    pub leader: watch::Receiver<Option<u64>>,
    /// The way on.
    pub writer: Writer,
}

impl Reader {
    /// Reads what the client sends until it ends. Sizes and signals do not wait behind input that
    /// the program does not take, unless very much of it waits.
    pub async fn read(self, mut input: ClientInput) {
        let mut waiting: VecDeque<Chunk> = VecDeque::new();
        let mut bytes = 0;
        let mut open = true;
        let mut leaves = false;
        while (open && !leaves) || !waiting.is_empty() {
            tokio::select! {
                biased;
                room = self.writer.room(), if !waiting.is_empty() => {
                    let Some(room) = room else { return };
                    if let Some(chunk) = waiting.pop_front() {
                        if let Chunk::Data(data) = &chunk {
                            bytes -= data.len();
                        }
                        self.writer.send(chunk, room);
                    }
                }
                message = input.next(), if open && !leaves && bytes < WAITING => {
                    let Some(Ok(message)) = message else {
                        open = false;
                        continue;
                    };
                    if self.read_only && !matches!(message.input, Some(Input::Detach(_))) {
                        continue;
                    }
                    match message.input {
                        Some(Input::Data(data)) if self.stdin && !data.is_empty() => {
                            self.lead().await;
                            bytes += self.queue(data, &mut waiting);
                        }
                        Some(Input::Close(_)) if self.stdin && !self.tty => {
                            waiting.push_back(Chunk::Close);
                        }
                        Some(Input::Resize(size)) => {
                            let viewer = self.viewer;
                            let _ = self.commands.send(Command::Resize { viewer, size }).await;
                        }
                        Some(Input::Signal(name)) => {
                            let viewer = self.viewer;
                            let _ = self.commands.send(Command::ViewerSignal { viewer, name }).await;
                        }
                        Some(Input::Detach(_)) => leaves = true,
                        _ => {}
                    }
                }
            }
        }
        if leaves {
            let viewer = self.viewer;
            let _ = self.commands.send(Command::Detach { viewer }).await;
        }
    }

    /// Makes this viewer the one that typed last. Its size counts before what it typed.
    async fn lead(&self) {
        if !self.tty || *self.leader.borrow() == Some(self.viewer) {
            return;
        }
        let (done, is_done) = oneshot::channel();
        let viewer = self.viewer;
        if self
            .commands
            .send(Command::Lead { viewer, done })
            .await
            .is_ok()
        {
            let _ = is_done.await;
        }
    }

    /// Hands data on; what finds no room waits. Returns the bytes that wait.
    fn queue(&self, mut data: Bytes, waiting: &mut VecDeque<Chunk>) -> usize {
        let mut bytes = 0;
        while !data.is_empty() {
            let part = data.split_to(data.len().min(CHUNK));
            let length = part.len();
            let chunk = Chunk::Data(part);
            let left = if waiting.is_empty() {
                match self.writer.try_send(chunk) {
                    Ok(()) => continue,
                    Err(chunk) => chunk,
                }
            } else {
                chunk
            };
            waiting.push_back(left);
            bytes += length;
        }
        bytes
    }
}
