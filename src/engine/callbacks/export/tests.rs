//! Hostile and honest streams against the receiver, directly and through gRPC on an in-memory
//! connection with a scripted engine.

use super::codec::{BytesMessage, Packet, Raw, Stat};
use super::receive::{Next, ReceiveError, Receiver};
use super::{ExportSink, Exports};
use crate::paths::mask::Mask;
use crate::proto::filesync as wire;
use bytes::Bytes;
use proptest::prelude::*;
use prost::Message;
use std::collections::BTreeMap;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status, Streaming};

mod files;
mod hostile;
mod tree;

const DIR: u32 = 1 << 31 | 0o755;
const LINK: u32 = 1 << 27 | 0o777;
const DEVICE: u32 = 1 << 26 | 0o600;
const FIFO: u32 = 1 << 25 | 0o600;
const SOCKET: u32 = 1 << 24 | 0o600;
const CHAR_DEVICE: u32 = 1 << 26 | 1 << 21 | 0o600;

const STAT: i32 = 0;
const REQ: i32 = 1;
const DATA: i32 = 2;
const FIN: i32 = 3;
const ERR: i32 = 4;

fn stat(path: impl AsRef<[u8]>, mode: u32, linkname: impl AsRef<[u8]>, size: i64) -> Stat {
    Stat {
        path: Bytes::copy_from_slice(path.as_ref()),
        mode,
        size,
        mod_time: 981_173_106_000_000_007,
        linkname: Bytes::copy_from_slice(linkname.as_ref()),
        ..Default::default()
    }
}

fn packet(kind: i32) -> Packet {
    Packet {
        kind,
        ..Default::default()
    }
}

fn entry(stat: Stat) -> Packet {
    Packet {
        stat: Some(stat),
        ..packet(STAT)
    }
}

fn data(id: u32, data: &[u8]) -> Packet {
    Packet {
        id,
        data: Bytes::copy_from_slice(data),
        ..packet(DATA)
    }
}

/// Plays an engine that lists `stats` and answers each request with as many `x` as announced.
fn transfer(dest: &Path, stats: Vec<Stat>) -> Result<(), ReceiveError> {
    let sizes: Vec<_> = stats.iter().map(|stat| stat.size).collect();
    let mut receiver = Receiver::new(dest)?;
    let mut replies = Vec::new();
    let list = stats.into_iter().map(entry).chain([packet(STAT)]);
    let mut queue: std::collections::VecDeque<Packet> = list.collect();
    loop {
        let next = queue
            .pop_front()
            .expect("the receiver waits for what the engine owes it");
        if receiver.packet(next, &mut |reply| replies.push(reply))? == Next::Done {
            return Ok(());
        }
        for reply in replies.drain(..) {
            match reply.r#type {
                REQ => {
                    let size = usize::try_from(sizes[reply.id as usize]).unwrap();
                    queue.push_back(data(reply.id, &vec![b'x'; size]));
                    queue.push_back(data(reply.id, b""));
                }
                FIN => queue.push_back(packet(FIN)),
                other => panic!("the receiver said {other}"),
            }
        }
    }
}

/// A destination that holds links to the outside, in a directory that must not change.
struct Yard {
    dir: tempfile::TempDir,
}

/// Mode, modification time (s, ns), content of a file.
type Seen = (u32, i64, i64, Option<Vec<u8>>);

impl Yard {
    fn new() -> Yard {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("outside/dir")).unwrap();
        std::fs::write(dir.path().join("outside/canary"), "alive").unwrap();
        std::fs::create_dir_all(dir.path().join("dest/old/sub")).unwrap();
        std::fs::write(dir.path().join("dest/old/file"), "old").unwrap();
        symlink("../outside", dir.path().join("dest/a")).unwrap();
        symlink(dir.path().join("outside/canary"), dir.path().join("dest/b")).unwrap();
        symlink("../../outside/dir", dir.path().join("dest/old/c")).unwrap();
        std::fs::hard_link(dir.path().join("outside/canary"), dir.path().join("dest/h")).unwrap();
        Yard { dir }
    }

    fn dest(&self) -> PathBuf {
        self.dir.path().join("dest")
    }

    /// Everything outside of the destination: names, types, modes, times, contents.
    fn outside(&self) -> BTreeMap<PathBuf, Seen> {
        let mut seen = BTreeMap::new();
        let mut todo = vec![self.dir.path().to_path_buf()];
        while let Some(dir) = todo.pop() {
            for item in std::fs::read_dir(dir).unwrap() {
                let path = item.unwrap().path();
                let meta = std::fs::symlink_metadata(&path).unwrap();
                if path == self.dest() {
                    seen.insert(path, (0, 0, 0, None));
                    continue;
                }
                let content = meta.is_file().then(|| std::fs::read(&path).unwrap());
                seen.insert(
                    path.clone(),
                    (meta.mode(), meta.mtime(), meta.mtime_nsec(), content),
                );
                if meta.is_dir() {
                    todo.push(path);
                }
            }
        }
        seen
    }
}

/// A client on a connection to `exports`, and the task that serves it.
async fn engine(
    exports: &Exports,
) -> (
    tonic::client::Grpc<tonic::transport::Channel>,
    tokio::task::JoinHandle<Result<(), String>>,
) {
    let routes = tonic::service::Routes::new(exports.service());
    let (channel, serving) = crate::engine::callbacks::engine(routes).await;
    (tonic::client::Grpc::new(channel), serving)
}

async fn diff_copy(
    grpc: &mut tonic::client::Grpc<tonic::transport::Channel>,
    index: usize,
) -> (mpsc::Sender<Bytes>, Result<Streaming<Bytes>, Status>) {
    grpc.ready().await.unwrap();
    let (send, messages) = mpsc::channel(4);
    let mut request = Request::new(ReceiverStream::new(messages));
    let metadata = request.metadata_mut();
    metadata.insert("buildkit-attachable-exporter-id", index.into());
    metadata.insert("exporter-md-image.name", "a/b:c".parse().unwrap());
    metadata.insert("traceparent", "00-0".parse().unwrap());
    let path = http::uri::PathAndQuery::from_static("/moby.filesync.v1.FileSend/DiffCopy");
    let response = grpc
        .streaming(request, path, Raw)
        .await
        .map(tonic::Response::into_inner);
    (send, response)
}
