//! The sending side of one transfer: the engine is told of every entry, asks for the files that it
//! lacks, and gets them.
//!
//! One thread walks, a few threads read, and the connection takes what they produce from one
//! bounded queue; so memory does not depend on the tree.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;
use tokio::sync::{mpsc, watch};
use tokio_stream::{Stream, StreamExt};
use tonic::Status;

use super::walk::{Filter, WalkError, walk};
use crate::engine::callbacks::mode;
use crate::proto::filesync::packet::PacketType;
use crate::proto::filesync::{Packet, Stat};

/// Threads that read files. More of them cost memory and gain nothing on a local disk.
const READERS: usize = 3;

/// Bytes of a file in one message. Engines accept up to 4 MiB; an engine takes one chunk in while it
/// hashes the one before, so larger ones are faster up to here.
const CHUNK: usize = 2 << 20;

/// Batches that wait for the connection.
const QUEUE: usize = 3;

/// Entries in one batch.
const STATS: usize = 128;

/// Small files are sent together until they make up this many bytes.
const BATCH: usize = 128 << 10;

/// Requests that wait for a reader.
const REQUESTS: usize = 4096;

/// Requests that one reader takes at a time.
const TAKE: usize = 32;

/// What goes to the engine: messages in order, or the end with an error.
pub type Batch = Result<Vec<Packet>, Status>;

/// Serves one transfer of `root`: reads the engine's packets from `requests`, and returns the queue
/// of what is to be sent to it. The queue closes when the transfer is over.
pub fn send<S>(root: Arc<Path>, filter: Filter, requests: S) -> mpsc::Receiver<Batch>
where
    S: Stream<Item = Result<Packet, Status>> + Send + Unpin + 'static,
{
    let (output, queue) = mpsc::channel(QUEUE);
    let files = Arc::new(Mutex::new(Files::default()));
    let (progress, told) = watch::channel(0);

    let walker = {
        let (root, files, output) = (Arc::clone(&root), Arc::clone(&files), output.clone());
        move || tell(&root, &filter, &files, &progress, &output)
    };
    tokio::task::spawn_blocking(walker);
    tokio::spawn(answer(root, requests, files, told, output));
    queue
}

/// Paths of the files that the engine may ask for, by the index of their entry. Names are kept once
/// and in one piece, because a tree may have very many.
#[derive(Debug, Default)]
struct Files {
    names: String,
    /// Directory by its index, and where its path ends in `names`.
    entries: Vec<Slot>,
    directories: Vec<(u32, u32)>,
    current: String,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    directory: u32,
    start: u32,
    length: u16,
}

/// Index that stands for "not a file that can be asked for".
const NO_FILE: u32 = u32::MAX;

impl Files {
    /// Remembers the next entry.
    fn push(&mut self, stat: &Stat) {
        let askable = stat.mode & mode::TYPE == 0 && stat.linkname.is_empty();
        let (directory, name) = stat.path.rsplit_once('/').unwrap_or(("", &stat.path));
        let slot = if askable {
            self.file(directory, name)
        } else {
            None
        };
        self.entries.push(slot.unwrap_or(Slot {
            directory: NO_FILE,
            start: 0,
            length: 0,
        }));
    }

    fn file(&mut self, directory: &str, name: &str) -> Option<Slot> {
        if self.directories.is_empty() || self.current != directory {
            let span = self.keep(directory)?;
            self.directories.push(span);
            self.current.clear();
            self.current.push_str(directory);
        }
        let (start, length) = self.keep(name)?;
        Some(Slot {
            directory: u32::try_from(self.directories.len() - 1).ok()?,
            start,
            length: u16::try_from(length).ok()?,
        })
    }

    fn keep(&mut self, text: &str) -> Option<(u32, u32)> {
        let start = u32::try_from(self.names.len()).ok()?;
        self.names.push_str(text);
        Some((start, u32::try_from(text.len()).ok()?))
    }

    /// Path of the file with this index.
    fn path(&self, id: u32) -> Option<String> {
        let slot = self.entries.get(usize::try_from(id).ok()?)?;
        let (start, length) = *self
            .directories
            .get(usize::try_from(slot.directory).ok()?)?;
        let piece = |start: u32, length: u32| {
            let start = usize::try_from(start).ok()?;
            self.names.get(start..start + usize::try_from(length).ok()?)
        };
        let directory = piece(start, length)?;
        let name = piece(slot.start, u32::from(slot.length))?;
        Some(if directory.is_empty() {
            name.to_owned()
        } else {
            format!("{directory}/{name}")
        })
    }
}

/// The walking thread.
fn tell(
    root: &Path,
    filter: &Filter,
    files: &Mutex<Files>,
    progress: &watch::Sender<u32>,
    output: &mpsc::Sender<Batch>,
) {
    let mut batch: Vec<Stat> = Vec::with_capacity(STATS);
    let result = walk(root, filter, &mut |stat| {
        batch.push(stat);
        batch.len() < STATS || flush(&mut batch, files, progress, output)
    });
    match result {
        Ok(()) => {
            let end = Packet {
                r#type: PacketType::PacketStat.into(),
                ..Default::default()
            };
            if flush(&mut batch, files, progress, output) {
                let _ = output.blocking_send(Ok(vec![end]));
            }
        }
        Err(WalkError::Stopped) => {}
        Err(error) => {
            let _ = output.blocking_send(Err(Status::failed_precondition(error.to_string())));
        }
    }
}

/// Sends the collected entries; their files can be asked for from then on.
fn flush(
    batch: &mut Vec<Stat>,
    files: &Mutex<Files>,
    progress: &watch::Sender<u32>,
    output: &mpsc::Sender<Batch>,
) -> bool {
    {
        let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
        for stat in batch.iter() {
            files.push(stat);
        }
        progress.send_replace(u32::try_from(files.entries.len()).unwrap_or(u32::MAX));
    }
    let packets = batch.drain(..).map(|stat| Packet {
        r#type: PacketType::PacketStat.into(),
        stat: Some(stat),
        ..Default::default()
    });
    output.blocking_send(Ok(packets.collect())).is_ok()
}

/// Reads the engine's requests and hands them to the readers.
async fn answer<S>(
    root: Arc<Path>,
    mut requests: S,
    files: Arc<Mutex<Files>>,
    told: watch::Receiver<u32>,
    output: mpsc::Sender<Batch>,
) where
    S: Stream<Item = Result<Packet, Status>> + Send + Unpin + 'static,
{
    let (asked, queue) = mpsc::channel(REQUESTS);
    let queue = Arc::new(Mutex::new(queue));
    let readers: Vec<_> = (0..READERS)
        .map(|_| {
            let (root, files) = (Arc::clone(&root), Arc::clone(&files));
            let (queue, output) = (Arc::clone(&queue), output.clone());
            tokio::task::spawn_blocking(move || read_files(&root, &files, &queue, &output))
        })
        .collect();
    let mut finished = false;
    while let Some(Ok(packet)) = requests.next().await {
        match packet.r#type() {
            PacketType::PacketReq => {
                if packet.id >= *told.borrow() {
                    let error = format!(
                        "the engine asked for entry {}, which it was not told of",
                        packet.id
                    );
                    let _ = output.send(Err(Status::invalid_argument(error))).await;
                    break;
                }
                if asked.send(packet.id).await.is_err() {
                    break;
                }
            }
            PacketType::PacketFin => {
                finished = true;
                break;
            }
            PacketType::PacketErr => {
                let text = String::from_utf8_lossy(&packet.data).into_owned();
                let _ = output.send(Err(Status::aborted(text))).await;
                break;
            }
            PacketType::PacketStat | PacketType::PacketData => {}
        }
    }
    drop(asked);
    for reader in readers {
        let _ = reader.await;
    }
    if finished {
        // The stream must end right after this answer: the engine waits for that before it closes
        // its own side. No other sender is alive by now.
        let fin = Packet {
            r#type: PacketType::PacketFin.into(),
            ..Default::default()
        };
        let _ = output.send(Ok(vec![fin])).await;
    }
}

/// A reading thread: takes requests until there are no more.
fn read_files(
    root: &Path,
    files: &Mutex<Files>,
    queue: &Mutex<mpsc::Receiver<u32>>,
    output: &mpsc::Sender<Batch>,
) {
    let Ok(root) = openat(
        CWD,
        root,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    ) else {
        let _ = output.blocking_send(Err(Status::not_found(format!(
            "{} is gone",
            root.display()
        ))));
        return;
    };
    let mut ids = Vec::with_capacity(TAKE);
    loop {
        {
            let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(id) = queue.blocking_recv() else {
                return;
            };
            ids.push(id);
            while ids.len() < TAKE
                && let Ok(id) = queue.try_recv()
            {
                ids.push(id);
            }
        }
        let mut batch = Batcher::new(output);
        for id in ids.drain(..) {
            let path = {
                let files = files.lock().unwrap_or_else(PoisonError::into_inner);
                files.path(id)
            };
            let sent = match path.map(|path| open(&root, &path).map_err(|error| (path, error))) {
                Some(Ok(Some(file))) => copy(file, id, &mut batch),
                // Vanished, or not a file any more: it is sent as an empty one.
                Some(Ok(None)) | None => batch.push(data(id, Bytes::new())),
                Some(Err((path, error))) => {
                    let error = format!("cannot read {}: {error}", path.escape_debug());
                    let _ = output.blocking_send(Err(Status::permission_denied(error)));
                    return;
                }
            };
            if !sent {
                return;
            }
        }
        if !batch.flush() {
            return;
        }
    }
}

/// Opens a file beneath `root` without following any link; `None` when it is no file any more.
fn open(root: &OwnedFd, path: &str) -> io::Result<Option<File>> {
    // O_NONBLOCK: whatever took the file's place must not make the reader wait.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let file = match openat2(root, path, flags, Mode::empty(), resolve) {
        // Kernels before 5.6, and sandboxes that do not know the call.
        Err(Errno::NOSYS | Errno::PERM) => open_stepwise(root.as_fd(), path, flags),
        file => file,
    };
    match file {
        Ok(file) => Ok(Some(File::from(file))),
        Err(
            Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NXIO | Errno::XDEV | Errno::AGAIN,
        ) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Opens a path component by component, so that no link in its middle is followed either.
fn open_stepwise(root: BorrowedFd<'_>, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let step = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut directory: Option<OwnedFd> = None;
    let mut rest = path;
    loop {
        let at = directory.as_ref().map_or(root, AsFd::as_fd);
        let Some((name, below)) = rest.split_once('/') else {
            return openat(at, rest, flags, Mode::empty());
        };
        directory = Some(openat(at, name, step, Mode::empty())?);
        rest = below;
    }
}

fn data(id: u32, data: Bytes) -> Packet {
    Packet {
        r#type: PacketType::PacketData.into(),
        id,
        data,
        ..Default::default()
    }
}

/// Sends a file: its bytes, then an empty message. `false` when nobody listens any more.
fn copy(mut file: File, id: u32, batch: &mut Batcher<'_>) -> bool {
    // A device that took the file's place might never end.
    let size = match file.metadata() {
        Ok(metadata) if metadata.is_file() => metadata.len(),
        _ => return batch.push(data(id, Bytes::new())),
    };
    // One byte more than the file has: then a single read of a small file also sees its end.
    let capacity = usize::try_from(size).map_or(CHUNK, |size| (size + 1).min(CHUNK));
    loop {
        let mut chunk = Vec::with_capacity(capacity);
        let limit = u64::try_from(capacity).unwrap_or(u64::MAX);
        // An error in the middle ends the file early, as if it had been cut off.
        let read = Read::by_ref(&mut file).take(limit).read_to_end(&mut chunk);
        let end = read.is_err() || chunk.len() < capacity;
        if !chunk.is_empty() && !batch.push(data(id, chunk.into())) {
            return false;
        }
        if end {
            return batch.push(data(id, Bytes::new()));
        }
    }
}

/// Collects messages, so that small files do not cost a wake-up each.
struct Batcher<'a> {
    output: &'a mpsc::Sender<Batch>,
    packets: Vec<Packet>,
    bytes: usize,
}

impl<'a> Batcher<'a> {
    fn new(output: &'a mpsc::Sender<Batch>) -> Self {
        Self {
            output,
            packets: Vec::new(),
            bytes: 0,
        }
    }

    fn push(&mut self, packet: Packet) -> bool {
        self.bytes += packet.data.len();
        self.packets.push(packet);
        self.bytes < BATCH || self.flush()
    }

    fn flush(&mut self) -> bool {
        self.bytes = 0;
        let packets = std::mem::take(&mut self.packets);
        packets.is_empty() || self.output.blocking_send(Ok(packets)).is_ok()
    }
}

#[cfg(test)]
#[path = "send/tests.rs"]
mod tests;
