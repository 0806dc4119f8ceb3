use super::*;

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
