use super::*;

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

#[test]
fn special_files_are_written_to_and_links_followed() {
    use super::super::sink::ByteSink;
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
