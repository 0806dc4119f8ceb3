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

fn refused(stats: Vec<Stat>, name: &str, why: &str) {
    let yard = Yard::new();
    let before = yard.outside();
    let error = transfer(&yard.dest(), stats).expect_err(why).to_string();
    assert!(error.contains(name) && error.contains(why), "{error}");
    assert_eq!(before, yard.outside());
}

#[test]
fn names_that_lead_outside_are_refused() {
    refused(
        vec![stat("../x", 0o644, "", 1)],
        "\"../x\"",
        "leads outside",
    );
    refused(vec![stat("..", DIR, "", 0)], "\"..\"", "leads outside");
    refused(
        vec![stat("d", DIR, "", 0), stat("d/../../x", 0o644, "", 1)],
        "d/../../x",
        "leads outside",
    );
    refused(vec![stat("/etc/x", 0o644, "", 1)], "\"/etc/x\"", "absolute");
    refused(vec![stat("", 0o644, "", 1)], "\"\"", "name is empty");
    refused(vec![stat(".", DIR, "", 0)], "\".\"", "empty part");
    refused(
        vec![stat("d", DIR, "", 0), stat("d//x", 0o644, "", 1)],
        "d//x",
        "empty part",
    );
    refused(vec![stat("d/", DIR, "", 0)], "d/", "empty part");
    refused(vec![stat("n\0ul", 0o644, "", 1)], "\"n\\0ul\"", "NUL");
    refused(
        vec![stat("x".repeat(5000), 0o644, "", 1)],
        "\"xxx",
        "too long",
    );
}

#[test]
fn hostile_names_are_escaped_in_messages() {
    refused(
        vec![stat("../\x1b[2J\r\n\u{202e}x", 0o644, "", 1)],
        r#""../\u{1b}[2J\r\n\u{202e}x""#,
        "outside",
    );
}

#[test]
fn links_and_types_that_do_harm_are_refused() {
    refused(
        vec![stat("l", 0o644, "../outside/canary", 0)],
        "\"l\"",
        "hard link that leads outside",
    );
    refused(
        vec![stat("l", 0o644, "/etc/passwd", 0)],
        "\"l\"",
        "hard link that leads outside",
    );
    refused(vec![stat("l", 0o644, "b", 0)], "\"l\"", "not sent before");
    refused(
        vec![stat("b", LINK, "/etc/passwd", 0), stat("l", 0o644, "b", 0)],
        "\"l\"",
        "not sent before",
    );
    refused(
        vec![stat("l", 0o644, "z", 0), stat("z", 0o644, "", 0)],
        "\"l\"",
        "not sent before",
    );
    refused(
        vec![stat("s", LINK, "../outside", 0), stat("s/x", 0o644, "", 1)],
        "s/x",
        "parent was not sent",
    );
    refused(
        vec![stat("old/c/x", 0o644, "", 1)],
        "old/c/x",
        "parent was not sent",
    );
    refused(
        vec![stat("f", 0o644, "", 0), stat("f/x", 0o644, "", 1)],
        "f/x",
        "parent was not sent",
    );
    refused(vec![stat("dev", DEVICE, "", 0)], "\"dev\"", "device node");
    refused(
        vec![stat("tty", CHAR_DEVICE, "", 0)],
        "\"tty\"",
        "device node",
    );
    refused(vec![stat("odd", 1 << 19, "", 0)], "\"odd\"", "unknown type");
    refused(
        vec![stat("both", DIR | LINK, "x", 0)],
        "\"both\"",
        "unknown type",
    );
    refused(
        vec![stat("s", LINK, "", 0)],
        "\"s\"",
        "link target is empty",
    );
    refused(vec![stat("neg", 0o644, "", -1)], "\"neg\"", "negative");
}

#[test]
fn doubles_and_disorder_are_refused() {
    refused(
        vec![stat("x", DIR, "", 0), stat("x", LINK, "../outside", 0)],
        "\"x\"",
        "sent twice",
    );
    refused(
        vec![stat("y", DIR, "", 0), stat("x", DIR, "", 0)],
        "\"x\"",
        "out of order",
    );
    let late = vec![
        stat("d", DIR, "", 0),
        stat("d.x", 0o644, "", 1),
        stat("d/x", 0o644, "", 1),
    ];
    refused(late, "d/x", "out of order");
}

#[test]
fn content_must_fit_what_was_announced() {
    let yard = Yard::new();
    for (pieces, why) in [
        (vec![data(0, b"ab"), data(7, b"ab")], "not asked for (id 7)"),
        (vec![data(0, b"abcd")], "longer than announced"),
        (vec![data(0, b"ab"), data(0, b"")], "shorter than announced"),
    ] {
        let mut receiver = Receiver::new(&yard.dest()).unwrap();
        let packets = [entry(stat("f", 0o644, "", 3))].into_iter().chain(pieces);
        let results = packets.map(|packet| receiver.packet(packet, &mut |_| {}));
        let error = results.last().unwrap().unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    assert!(!yard.dest().join("f").exists());
    let left = std::fs::read_dir(yard.dest()).unwrap().count();
    assert_eq!(left, 4, "no temporary file stays");
}

#[test]
fn packets_out_of_turn_are_refused() {
    let dest = tempfile::tempdir().unwrap();
    for (packets, why) in [
        (vec![packet(FIN)], "its end before ours"),
        (vec![packet(REQ)], "type 1"),
        (vec![packet(99)], "type 99"),
        (
            vec![packet(STAT), packet(STAT)],
            "after the end of the list",
        ),
        (
            vec![Packet {
                data: Bytes::from_static(b"no\x1b[m"),
                ..packet(ERR)
            }],
            r#""no\u{1b}[m""#,
        ),
    ] {
        let mut receiver = Receiver::new(dest.path()).unwrap();
        let results = packets
            .into_iter()
            .map(|packet| receiver.packet(packet, &mut |_| {}));
        let error = results.last().unwrap().unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn a_tree_arrives_with_types_modes_times_links_and_attributes() {
    let yard = Yard::new();
    let before = yard.outside();
    let mut tagged = stat("tagged", 0o640, "", 4);
    tagged
        .xattrs
        .insert("user.colour".into(), Bytes::from_static(b"blue"));
    let stats = vec![
        stat("a", 0o644, "", 5), // was a symlink to a directory outside
        stat("b", DIR, "", 0),   // was a symlink to a file outside
        stat("b/deep", 1 << 31 | 1 << 20 | 0o1777 & 0o777, "", 0),
        stat("b/deep/f", 1 << 23 | 1 << 22 | 0o751, "", 70_000),
        stat("b.after", 0o000, "", 0),
        stat("dangling", LINK, "../../nowhere", 0),
        stat("fifo", FIFO, "", 0),
        stat("h", 0o600, "", 2), // was a hard link to a file outside
        stat("h2", 0o600, "h", 0),
        stat("locked", 1 << 31 | 0o555, "", 0),
        stat("locked/in", 0o644, "", 1),
        stat(b"n\xff", 0o644, "", 1),
        stat("old", 0o644, "", 1), // was a directory with content
        stat("sock", SOCKET, "", 0),
        tagged,
    ];
    transfer(&yard.dest(), stats).unwrap();
    let mut after = yard.outside();
    // The hard link that was replaced was one of the canary's two names.
    for (path, seen) in &before {
        assert_eq!(after.remove(path).as_ref(), Some(seen));
    }
    assert!(after.is_empty());
    let dest = yard.dest();
    let mode = |name: &str| {
        std::fs::symlink_metadata(dest.join(name))
            .unwrap()
            .permissions()
            .mode()
    };
    assert_eq!(std::fs::read(dest.join("a")).unwrap(), b"xxxxx");
    assert_eq!(mode("b"), 0o40755);
    assert_eq!(mode("b/deep"), 0o41777);
    assert_eq!(mode("b/deep/f"), 0o106751);
    assert_eq!(
        std::fs::metadata(dest.join("b/deep/f")).unwrap().len(),
        70_000
    );
    assert_eq!(mode("b.after"), 0o100000);
    assert_eq!(mode("locked"), 0o40555);
    assert_eq!(
        std::fs::read_link(dest.join("dangling")).unwrap(),
        Path::new("../../nowhere")
    );
    assert!(
        std::fs::symlink_metadata(dest.join("fifo"))
            .unwrap()
            .file_type()
            .is_fifo()
    );
    let (h, h2) = (
        std::fs::metadata(dest.join("h")).unwrap(),
        std::fs::metadata(dest.join("h2")).unwrap(),
    );
    assert_eq!((h.ino(), h.nlink()), (h2.ino(), 2));
    assert!(!dest.join("sock").exists());
    assert!(std::fs::metadata(dest.join("old")).unwrap().is_file());
    use std::os::unix::ffi::OsStrExt;
    assert!(dest.join(std::ffi::OsStr::from_bytes(b"n\xff")).exists());
    for name in [
        "a",
        "b",
        "b/deep",
        "b/deep/f",
        "dangling",
        "fifo",
        "locked",
        "locked/in",
    ] {
        let meta = std::fs::symlink_metadata(dest.join(name)).unwrap();
        assert_eq!(
            (meta.mtime(), meta.mtime_nsec()),
            (981_173_106, 7),
            "{name}"
        );
    }
    let mut value = [0; 8];
    match rustix::fs::getxattr(dest.join("tagged"), "user.colour", &mut value) {
        Ok(n) => assert_eq!(&value[..n], b"blue"),
        Err(why) => assert_eq!(why, rustix::io::Errno::OPNOTSUPP),
    }
}

#[test]
fn the_same_tree_can_be_sent_again() {
    let yard = Yard::new();
    let stats = || {
        vec![
            stat("d", 1 << 31 | 0o555, "", 0),
            stat("d/f", 0o444, "", 9),
            stat("d/g", 0o444, "d/f", 0),
            stat("d/l", LINK, "f", 0),
            stat("d/p", FIFO, "", 0),
        ]
    };
    transfer(&yard.dest(), stats()).unwrap();
    transfer(&yard.dest(), stats()).unwrap();
    let names = std::fs::read_dir(yard.dest().join("d")).unwrap().count();
    assert_eq!(names, 4);
}

#[test]
fn more_files_than_the_window_arrive() {
    let dest = tempfile::tempdir().unwrap();
    let stats = (0..1000)
        .map(|n| stat(format!("{n:04}"), 0o644, "", 1 + n % 3))
        .collect();
    transfer(dest.path(), stats).unwrap();
    assert_eq!(std::fs::read_dir(dest.path()).unwrap().count(), 1000);
}

prop_compose! {
    fn any_path()(
        parts in prop::collection::vec(
            prop::sample::select(vec!["a", "b", "c", "h", "old", "sub", "file", "..", ".", "", "a\0"]), 1..5),
        plain in prop::bool::weighted(0.8),
        absolute in prop::bool::weighted(0.1),
    ) -> String {
        let keep = |part: &&str| !plain || !matches!(*part, ".." | "." | "" | "a\0");
        let path = parts.into_iter().filter(keep).collect::<Vec<_>>().join("/");
        if absolute { format!("/{path}") } else { path }
    }
}

fn any_stat() -> impl Strategy<Value = Stat> {
    let links = prop_oneof![
        3 => any_path(),
        1 => prop::sample::select(vec!["../outside", "../../outside", "../outside/canary", "a/canary", "/tmp"])
            .prop_map(String::from),
    ];
    let modes = prop::sample::select(vec![
        DIR, DIR, DIR, 0o644, 0o644, 0o644, LINK, LINK, FIFO, SOCKET,
    ]);
    (any_path(), modes, links, prop::bool::weighted(0.3), 0..5i64).prop_map(
        |(path, mode, link, hard, size)| {
            let linked = mode == LINK || hard && mode != DIR;
            stat(
                path,
                mode,
                if linked { link } else { String::new() },
                if linked { 0 } else { size },
            )
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..Default::default() })]
    #[test]
    fn no_stream_changes_anything_outside(
        mut stats in prop::collection::vec(any_stat(), 1..12),
        sorted in prop::bool::weighted(0.8),
        rounds in 1..3,
    ) {
        if sorted {
            let key = |stat: &Stat| stat.path.split(|b| *b == b'/').map(<[u8]>::to_vec).collect::<Vec<_>>();
            stats.sort_by_key(key);
            stats.dedup_by_key(|stat| stat.path.clone());
        }
        let yard = Yard::new();
        let before = yard.outside();
        for _ in 0..rounds {
            let _ = transfer(&yard.dest(), stats.clone());
        }
        prop_assert_eq!(before, yard.outside());
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

fn tar_piece(data: &[u8]) -> Bytes {
    BytesMessage {
        data: Bytes::copy_from_slice(data),
    }
    .encode_to_vec()
    .into()
}

fn names(dir: &Path) -> Vec<String> {
    let read = std::fs::read_dir(dir).unwrap();
    read.map(|item| item.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[tokio::test]
async fn a_byte_stream_becomes_a_file_when_the_build_succeeded() {
    let dir = tempfile::tempdir().unwrap();
    let exports = Exports::new(
        vec![(1, ExportSink::File(dir.path().join("o.tar")))],
        Mask(0o22),
    );
    let (mut grpc, _serving) = engine(&exports).await;
    let (send, replies) = diff_copy(&mut grpc, 1).await;
    for _ in 0..100 {
        send.send(tar_piece(&[7; 40_000])).await.unwrap();
    }
    drop(send);
    assert!(
        replies.unwrap().message().await.unwrap().is_none(),
        "OK without an answer"
    );
    assert!(
        !dir.path().join("o.tar").exists(),
        "not before the build succeeded"
    );
    exports.commit().unwrap();
    assert_eq!(
        std::fs::read(dir.path().join("o.tar")).unwrap(),
        vec![7; 4_000_000]
    );
    assert_eq!(names(dir.path()), ["o.tar"]);
    assert_eq!(exports.metadata(1)["image.name"], "a/b:c");
    assert_eq!(exports.metadata(1).len(), 1);
    let (_send, again) = diff_copy(&mut grpc, 1).await;
    assert_eq!(
        again.unwrap().message().await.unwrap_err().code(),
        tonic::Code::AlreadyExists
    );
    let (_send, unknown) = diff_copy(&mut grpc, 0).await;
    assert_eq!(
        unknown.unwrap().message().await.unwrap_err().code(),
        tonic::Code::NotFound
    );
}

#[test]
fn a_broken_byte_stream_leaves_the_old_file() {
    let dir = tempfile::tempdir().unwrap();
    let dest = dir.path().join("o.tar");
    std::fs::write(&dest, "old").unwrap();
    let (sink, mut chunks) = mpsc::channel(1);
    let exports = Exports::new(
        vec![
            (0, ExportSink::File(dest.clone())),
            (1, ExportSink::Stream(sink)),
        ],
        Mask(0o22),
    );
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let (mut grpc, serving) = engine(&exports).await;
        let (send, _replies) = diff_copy(&mut grpc, 0).await;
        // More than fits on the way: some of it has been taken when all of it is sent.
        for _ in 0..100 {
            send.send(tar_piece(&[7; 40_000])).await.unwrap();
        }
        let (other, _replies) = diff_copy(&mut grpc, 1).await;
        other.send(tar_piece(b"started")).await.unwrap();
        assert_eq!(chunks.recv().await.unwrap().unwrap(), "started");
        assert_eq!(
            names(dir.path()).len(),
            2,
            "the half file is beside the old one"
        );
        serving.abort();
        assert!(chunks.recv().await.unwrap().is_err());
        assert!(chunks.recv().await.is_none());
    });
    // Waits for the threads that write.
    drop(runtime);
    exports.commit().unwrap();
    assert_eq!(std::fs::read(&dest).unwrap(), b"old");
    assert_eq!(names(dir.path()), ["o.tar"]);
}

#[tokio::test]
async fn a_tree_arrives_through_grpc() {
    let dir = tempfile::tempdir().unwrap();
    let dest = dir.path().join("new/dest");
    let exports = Exports::new(vec![(0, ExportSink::Directory(dest.clone()))], Mask(0o22));
    let (mut grpc, _serving) = engine(&exports).await;
    let (send, replies) = diff_copy(&mut grpc, 0).await;
    let mut replies = replies.unwrap();
    for packet in [entry(stat("f", 0o644, "", 2)), packet(STAT)] {
        send.send(packet.encode_to_vec().into()).await.unwrap();
    }
    let mut next = async || {
        replies
            .message()
            .await
            .unwrap()
            .map(|reply| wire::Packet::decode(reply).unwrap())
    };
    let asked = next().await.unwrap();
    assert_eq!((asked.r#type, asked.id), (REQ, 0));
    for packet in [data(0, b"h"), data(0, b"i"), data(0, b"")] {
        send.send(packet.encode_to_vec().into()).await.unwrap();
    }
    assert_eq!(next().await.unwrap().r#type, FIN);
    send.send(packet(FIN).encode_to_vec().into()).await.unwrap();
    // The engine's end stays open: waiting for it would be a deadlock.
    assert!(next().await.is_none());
    assert_eq!(std::fs::read(dest.join("f")).unwrap(), b"hi");
    assert_eq!(
        std::fs::metadata(dest).unwrap().permissions().mode() & 0o777,
        0o700
    );
}

#[tokio::test]
async fn a_refusal_is_told_to_the_engine() {
    let dir = tempfile::tempdir().unwrap();
    let exports = Exports::new(
        vec![(0, ExportSink::Directory(dir.path().join("dest")))],
        Mask(0o22),
    );
    let (mut grpc, _serving) = engine(&exports).await;
    let (send, replies) = diff_copy(&mut grpc, 0).await;
    let mut replies = replies.unwrap();
    send.send(entry(stat("../x", 0o644, "", 2)).encode_to_vec().into())
        .await
        .unwrap();
    let told = wire::Packet::decode(replies.message().await.unwrap().unwrap()).unwrap();
    assert_eq!(told.r#type, ERR);
    assert!(String::from_utf8_lossy(&told.data).contains("\"../x\""));
    assert_eq!(
        replies.message().await.unwrap_err().code(),
        tonic::Code::InvalidArgument
    );
    assert!(!dir.path().join("x").exists());
}

#[test]
fn special_files_are_written_to_and_links_followed() {
    use super::sink::ByteSink;
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("real"), "old").unwrap();
    std::fs::set_permissions(dir.path().join("real"), PermissionsExt::from_mode(0o640)).unwrap();
    symlink("real", dir.path().join("link")).unwrap();
    let mut sink = ByteSink::file(&dir.path().join("link"), Mask(0o22)).unwrap();
    sink.write(vec![
        Bytes::new(),
        Bytes::from_static(b"n"),
        Bytes::from_static(b"ew"),
    ])
    .unwrap();
    sink.complete().unwrap().unwrap().place().unwrap();
    assert!(
        std::fs::symlink_metadata(dir.path().join("link"))
            .unwrap()
            .is_symlink()
    );
    assert_eq!(std::fs::read(dir.path().join("real")).unwrap(), b"new");
    let mode = std::fs::metadata(dir.path().join("real"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o640);
    let mut null = ByteSink::file(Path::new("/dev/null"), Mask(0o22)).unwrap();
    null.write(vec![Bytes::from_static(b"x")]).unwrap();
    assert!(null.complete().unwrap().is_none());
    assert!(ByteSink::file(dir.path(), Mask(0o22)).is_err());
    assert!(ByteSink::file(&dir.path().join("no/such"), Mask(0o22)).is_err());
}
