//! What exporters send to the client, against the real engine: file trees, archives, layout
//! directories and local caches.

use std::os::unix::fs::{MetadataExt, symlink};

use buildx::engine::callbacks::export::ExportSink;
use buildx::proto::control::Exporter;

use build::{Build, COPY, context, exporter};
use tree::{listing, make_tree, same, tar_listing};

mod build;
mod caches;
mod layouts;
mod tree;

#[tokio::test(flavor = "multi_thread")]
async fn a_local_and_a_tar_export_are_the_tree() {
    let dir = tempfile::tempdir().unwrap();
    let (tree, dest) = (dir.path().join("tree"), dir.path().join("dest"));
    make_tree(&tree);
    // What is there and not in the build stays; what is in the way goes, without being followed.
    std::fs::create_dir_all(dest.join("big")).unwrap();
    std::fs::write(dest.join("kept"), "mine").unwrap();
    std::fs::write(dir.path().join("victim"), "alive").unwrap();
    symlink("../victim", dest.join("a.b")).unwrap();
    let build = |exporter: Exporter, sink| Build {
        context: context(COPY, Some(&tree)),
        exporters: vec![exporter],
        sinks: vec![(0, sink)],
        ..Build::default()
    };
    build(exporter("local", &[]), ExportSink::Directory(dest.clone()))
        .run()
        .await
        .unwrap();
    assert_eq!(std::fs::read(dest.join("kept")).unwrap(), b"mine");
    assert_eq!(std::fs::read(dir.path().join("victim")).unwrap(), b"alive");
    std::fs::remove_file(dest.join("kept")).unwrap();
    same(&listing(&tree), &listing(&dest));

    let file = dir.path().join("o.tar");
    build(exporter("tar", &[]), ExportSink::File(file.clone()))
        .run()
        .await
        .unwrap();
    same(
        &listing(&tree),
        &tar_listing(std::fs::File::open(&file).unwrap()),
    );
    let (sink, mut chunks) = tokio::sync::mpsc::channel::<std::io::Result<bytes::Bytes>>(4);
    let collect = tokio::spawn(async move {
        let mut all = Vec::new();
        while let Some(chunk) = chunks.recv().await {
            all.extend_from_slice(&chunk.unwrap());
        }
        all
    });
    build(exporter("tar", &[]), ExportSink::Stream(sink))
        .run()
        .await
        .unwrap();
    same(
        &listing(&tree),
        &tar_listing(collect.await.unwrap().as_slice()),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn dockers_old_store_exports_trees_too() {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    make_tree(&tree);
    for (kind, dest) in [
        ("local", dir.path().join("dest")),
        ("tar", dir.path().join("o.tar")),
    ] {
        let sink = match kind {
            "local" => ExportSink::Directory(dest.clone()),
            _ => ExportSink::File(dest.clone()),
        };
        let build = Build {
            context: context(COPY, Some(&tree)),
            exporters: vec![exporter(kind, &[])],
            sinks: vec![(0, sink)],
            old_store: true,
            ..Build::default()
        };
        build.run().await.unwrap();
        let exported = match kind {
            "local" => listing(&dest),
            _ => tar_listing(std::fs::File::open(&dest).unwrap()),
        };
        same(&listing(&tree), &exported);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn platforms_share_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    let (tree, dest) = (dir.path().join("tree"), dir.path().join("dest"));
    make_tree(&tree);
    let busybox = tree.join("busybox");
    std::fs::copy("/bin/busybox", &busybox).unwrap();
    // An engine that has the content already gives back the time that it saw first.
    let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    let opened = std::fs::File::open(&busybox).unwrap();
    opened.set_modified(long_ago).unwrap();
    // Hard links, too, which a copy of the context does not hold.
    let dockerfile = "FROM --platform=$BUILDPLATFORM scratch AS links\nCOPY tree/busybox /\n\
        RUN --network=none [\"/busybox\", \"sh\", \"-c\", \"/busybox mkdir -p /o/d; echo x > /o/d/one; /busybox ln /o/d/one /o/two\"]\n\
        FROM scratch\nCOPY --from=links /o /links\nCOPY tree /\n";
    let build = Build {
        context: context(dockerfile, Some(&tree)),
        exporters: vec![exporter("local", &[])],
        sinks: vec![(0, ExportSink::Directory(dest.clone()))],
        attrs: vec![(
            "platform".into(),
            "linux/amd64,linux/arm64,linux/s390x".into(),
        )],
        ..Build::default()
    };
    build.run().await.unwrap();
    assert_eq!(std::fs::read_dir(&dest).unwrap().count(), 3);
    for platform in ["linux_amd64", "linux_arm64", "linux_s390x"] {
        let root = dest.join(platform);
        let inode = |name| std::fs::metadata(root.join(name)).unwrap().ino();
        assert_eq!(inode("links/d/one"), inode("links/two"));
        std::fs::remove_dir_all(root.join("links")).unwrap();
        let mut expected = listing(&tree);
        // The engine's own doing: it takes the directory of the platform for the root.
        expected.get_mut("absolute").unwrap().2 = format!("/{platform}/bin/tool").into();
        same(&expected, &listing(&root));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_engine_cannot_write_is_said_with_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let device = b"FROM scratch\nCOPY tree/busybox /\nRUN --network=none [\"/busybox\", \"mknod\", \"/null\", \"c\", \"1\", \"3\"]\n";
    let tree = dir.path().join("tree");
    std::fs::create_dir(&tree).unwrap();
    std::fs::copy("/bin/busybox", tree.join("busybox")).unwrap();
    let build = |sink| Build {
        context: context(std::str::from_utf8(device).unwrap(), Some(&tree)),
        exporters: vec![exporter("local", &[])],
        sinks: vec![(0, sink)],
        ..Build::default()
    };
    let dest = dir.path().join("dest");
    let refused = build(ExportSink::Directory(dest.clone()))
        .run()
        .await
        .err()
        .unwrap();
    assert!(
        refused
            .message()
            .contains("\"null\", which is refused: it is a device node"),
        "{refused}"
    );
    assert!(!dest.join("null").exists());
    std::fs::write(dir.path().join("file"), "").unwrap();
    let sink = ExportSink::Directory(dir.path().join("file"));
    let failed = build(sink).run().await.err().unwrap();
    assert!(
        failed
            .message()
            .contains("file\" as the destination directory"),
        "{failed}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn several_exporters_send_to_their_own_sinks() {
    let dir = tempfile::tempdir().unwrap();
    let (tree, dest, file) = (
        dir.path().join("tree"),
        dir.path().join("dest"),
        dir.path().join("o.tar"),
    );
    make_tree(&tree);
    let build = Build {
        context: context(COPY, Some(&tree)),
        exporters: vec![
            exporter("local", &[]),
            exporter("image", &[("push", "false"), ("store", "false")]),
            exporter("tar", &[]),
        ],
        sinks: vec![
            (0, ExportSink::Directory(dest.clone())),
            (2, ExportSink::File(file.clone())),
        ],
        ..Build::default()
    };
    build.run().await.unwrap();
    same(&listing(&tree), &listing(&dest));
    same(
        &listing(&tree),
        &tar_listing(std::fs::File::open(&file).unwrap()),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_build_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("o.tar");
    let build = Build {
        context: context("FROM scratch\nCOPY missing /\n", None),
        exporters: vec![exporter("tar", &[])],
        sinks: vec![(0, ExportSink::File(file))],
        ..Build::default()
    };
    assert!(build.run().await.is_err());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
