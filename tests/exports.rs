//! What exporters send to the client, against the real engine: file trees, archives, layout
//! directories and local caches. The context travels as an upload.

use crate::support::engine::{engine, graphdriver};
use buildx::engine::callbacks::content::layout::{self, Descriptor, Name};
use buildx::engine::callbacks::content::{ContentStores, StoreAccess};
use buildx::engine::callbacks::export::{ExportSink, Exports};
use buildx::engine::callbacks::upload::Uploads;
use buildx::engine::callbacks::{Announcement, Connection};
use buildx::engine::control::Engine;
use buildx::paths::mask::Mask;
use buildx::proto::control::{
    CacheOptions, CacheOptionsEntry, Exporter, PruneRequest, SolveRequest,
};
use std::collections::{BTreeMap, HashMap};
use std::io::{Cursor, Read};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::{Arc, Mutex};
use tonic::Status;

/// A build of a Dockerfile with a tree beside it.
#[derive(Default)]
struct Build {
    context: Vec<u8>,
    exporters: Vec<Exporter>,
    sinks: Vec<(usize, ExportSink)>,
    stores: Vec<(String, std::path::PathBuf, StoreAccess)>,
    cache: CacheOptions,
    attrs: Vec<(String, String)>,
    old_store: bool,
}

struct Done {
    response: HashMap<String, String>,
    /// Name of each vertex, and whether it came from the cache.
    vertices: BTreeMap<String, bool>,
}

fn random_id() -> String {
    let mut random = [0; 16];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut random).unwrap();
    format!("{:032x}", u128::from_ne_bytes(random))
}

fn map(attrs: &[(&str, &str)]) -> HashMap<String, String> {
    attrs
        .iter()
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .collect()
}

fn exporter(kind: &str, attrs: &[(&str, &str)]) -> Exporter {
    Exporter {
        r#type: kind.into(),
        attrs: map(attrs),
    }
}

fn cache_entry(attrs: &[(&str, &str)]) -> CacheOptionsEntry {
    CacheOptionsEntry {
        r#type: "local".into(),
        attrs: map(attrs),
    }
}

impl Build {
    async fn run(self) -> Result<Done, Status> {
        let daemon = if self.old_store {
            graphdriver()
        } else {
            engine()
        };
        let (engine, _) = Engine::connect(&daemon.transport()).await.unwrap();
        let exports = Exports::new(self.sinks, Mask(0o22));
        let uploads = Uploads::new();
        let url = uploads.add(Cursor::new(self.context));
        let stores = ContentStores::new(self.stores, Mask(0o22));
        let routes = tonic::service::Routes::new(exports.service())
            .add_service(uploads.service())
            .add_service(stores.service());
        let announcement = Announcement {
            id: random_id(),
            shared_key: "exports-test".into(),
        };
        let _connection = Connection::open(&engine, &announcement, routes).await?;
        let mut frontend_attrs = map(&[("context", &url)]);
        frontend_attrs.extend(self.attrs);
        let first = self.exporters.first().cloned().unwrap_or_default();
        let request = SolveRequest {
            r#ref: random_id(),
            session: announcement.id.clone(),
            frontend: "dockerfile.v0".into(),
            frontend_attrs,
            exporter_deprecated: first.r#type,
            exporter_attrs_deprecated: first.attrs,
            exporters: self.exporters,
            cache: Some(self.cache),
            ..Default::default()
        };
        let vertices = Arc::new(Mutex::new(BTreeMap::new()));
        let watching = {
            let (engine, reference) = (engine.clone(), request.r#ref.clone());
            let vertices = vertices.clone();
            tokio::spawn(async move {
                let mut status = engine.status(&reference).await.unwrap();
                while let Ok(Some(batch)) = status.message().await {
                    let mut vertices = vertices.lock().unwrap();
                    for vertex in batch.vertexes {
                        *vertices.entry(vertex.name).or_insert(false) |= vertex.cached;
                    }
                }
            })
        };
        let response = match engine.solve(request).await {
            Ok(response) => response.exporter_response,
            Err(status) => {
                return Err(match exports.refusal() {
                    Some(refusal) => Status::failed_precondition(refusal),
                    None => status,
                });
            }
        };
        watching.await.unwrap();
        exports.commit().unwrap();
        let vertices = std::mem::take(&mut *vertices.lock().unwrap());
        Ok(Done { response, vertices })
    }
}

/// A context of this Dockerfile and, as `tree`, the directory.
fn context(dockerfile: &str, tree: Option<&Path>) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    tar.follow_symlinks(false);
    let mut header = tar::Header::new_gnu();
    header.set_size(dockerfile.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, "Dockerfile", dockerfile.as_bytes())
        .unwrap();
    if let Some(tree) = tree {
        tar.append_dir_all("tree", tree).unwrap();
    }
    tar.into_inner().unwrap()
}

/// A small tree with all that an image may hold and COPY takes.
fn make_tree(at: &Path) {
    let mode = |name: &str, mode| {
        std::fs::set_permissions(at.join(name), PermissionsExt::from_mode(mode)).unwrap();
    };
    for dir in ["bin", "empty", "deep/er/still", "a"] {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(at.join(dir))
            .unwrap();
    }
    std::fs::write(at.join("bin/tool"), "#!/bin/sh\n").unwrap();
    mode("bin/tool", 0o4755);
    std::fs::write(at.join("deep/er/still/zero"), "").unwrap();
    mode("deep/er/still/zero", 0o600);
    let big: Vec<u8> = (0..3_000_001u32).map(|n| (n ^ n >> 9) as u8).collect();
    std::fs::write(at.join("big"), big).unwrap();
    mode("big", 0o444);
    // Between a/ and its content by plain string order.
    std::fs::write(at.join("a.b"), "neighbour").unwrap();
    mode("a.b", 0o640);
    std::fs::write(at.join("a/x"), "inside").unwrap();
    std::fs::write(at.join("a/\u{e4}\u{f6} \u{4e2d}"), "name").unwrap();
    symlink("/bin/tool", at.join("absolute")).unwrap();
    symlink("../../outside", at.join("deep/upward")).unwrap();
    mode("empty", 0o1777);
    mode("deep/er", 0o2750);
    // Always the same: the engine takes an earlier COPY of equal content, with the times it had.
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(981_173_106);
    for file in [
        "bin/tool",
        "deep/er/still/zero",
        "big",
        "a.b",
        "a/x",
        "a/\u{e4}\u{f6} \u{4e2d}",
    ] {
        let file = std::fs::File::open(at.join(file)).unwrap();
        file.set_times(std::fs::FileTimes::new().set_modified(time))
            .unwrap();
    }
}

/// Type and mode, modification time of files in seconds, content or link target.
type Entry = (u32, i64, Vec<u8>);

fn listing(root: &Path) -> BTreeMap<String, Entry> {
    let mut entries = BTreeMap::new();
    let mut todo = vec![root.to_path_buf()];
    while let Some(dir) = todo.pop() {
        for item in std::fs::read_dir(dir).unwrap() {
            let path = item.unwrap().path();
            let meta = std::fs::symlink_metadata(&path).unwrap();
            let kind = meta.file_type();
            assert!(!kind.is_fifo() && !kind.is_socket());
            let content = if kind.is_dir() {
                todo.push(path.clone());
                Vec::new()
            } else if kind.is_symlink() {
                std::fs::read_link(&path)
                    .unwrap()
                    .into_os_string()
                    .into_encoded_bytes()
            } else {
                std::fs::read(&path).unwrap()
            };
            let mtime = if kind.is_file() { meta.mtime() } else { 0 };
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_string();
            entries.insert(name, (meta.mode(), mtime, content));
        }
    }
    entries
}

fn tar_listing(tar: impl Read) -> BTreeMap<String, Entry> {
    let mut archive = tar::Archive::new(tar);
    let mut entries = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry
            .path()
            .unwrap()
            .to_str()
            .unwrap()
            .trim_end_matches('/')
            .to_string();
        let header = entry.header().clone();
        let (kind, content, mtime) = match header.entry_type() {
            tar::EntryType::Directory => (0o40000, Vec::new(), 0),
            tar::EntryType::Symlink => (0o120000, entry.link_name_bytes().unwrap().into_owned(), 0),
            tar::EntryType::Regular => {
                let mut content = Vec::new();
                entry.read_to_end(&mut content).unwrap();
                (0o100000, content, header.mtime().unwrap() as i64)
            }
            other => panic!("{name} is of type {other:?}"),
        };
        entries.insert(
            name,
            (kind | header.mode().unwrap() & 0o7777, mtime, content),
        );
    }
    entries
}

fn same(ours: &BTreeMap<String, Entry>, theirs: &BTreeMap<String, Entry>) {
    let keys = |of: &BTreeMap<String, Entry>| of.keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(ours), keys(theirs));
    for (name, (mode, mtime, content)) in ours {
        let (other_mode, other_mtime, other_content) = &theirs[name];
        assert_eq!(
            (format!("{mode:o}"), mtime),
            (format!("{other_mode:o}"), other_mtime),
            "{name}"
        );
        assert!(content == other_content, "content of {name}");
    }
}

const COPY: &str = "FROM scratch\nCOPY tree /\n";

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

/// The files of an archive by name.
fn unpacked(tar: &Path) -> BTreeMap<String, Vec<u8>> {
    tar_listing(std::fs::File::open(tar).unwrap())
        .into_iter()
        .filter(|(_, (mode, ..))| mode & 0o170000 == 0o100000)
        .map(|(name, (_, _, content))| (name, content))
        .collect()
}

fn files_of(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    listing(dir)
        .into_iter()
        .filter(|(_, (mode, ..))| mode & 0o170000 == 0o100000)
        .map(|(name, (_, _, content))| (name, content))
        .collect()
}

fn json(text: &[u8]) -> serde_json::Value {
    serde_json::from_slice(text).unwrap()
}

/// Checks every blob's digest, and that all that is named from the index down is there; returns the
/// files of the only image's layers, which must not be compressed.
fn check_layout(files: &BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Entry> {
    assert_eq!(json(&files["oci-layout"])["imageLayoutVersion"], "1.0.0");
    for (name, content) in files {
        if let Some(hex) = name.strip_prefix("blobs/sha256/") {
            let hash = ring::digest::digest(&ring::digest::SHA256, content);
            let found: String = hash
                .as_ref()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            assert_eq!(found, hex);
        }
    }
    let blob = |descriptor: &serde_json::Value| {
        let name = descriptor["digest"].as_str().unwrap().replace(':', "/");
        let content = &files[&format!("blobs/{name}")];
        assert_eq!(content.len() as u64, descriptor["size"].as_u64().unwrap());
        content
    };
    let mut manifest = json(blob(&json(&files["index.json"])["manifests"][0]));
    if manifest.get("layers").is_none() {
        manifest = json(blob(&manifest["manifests"][0]));
    }
    let config = json(blob(&manifest["config"]));
    assert_eq!(config["os"], "linux");
    let mut content = BTreeMap::new();
    for layer in manifest["layers"].as_array().unwrap() {
        content.extend(tar_listing(blob(layer).as_slice()));
    }
    content
}

const UNCOMPRESSED: [(&str, &str); 2] = [
    ("compression", "uncompressed"),
    ("force-compression", "true"),
];

#[tokio::test(flavor = "multi_thread")]
async fn oci_layouts_as_archive_and_directory_hold_the_tree() {
    let dir = tempfile::tempdir().unwrap();
    let (tree, file, layout) = (
        dir.path().join("tree"),
        dir.path().join("o.tar"),
        dir.path().join("layout"),
    );
    make_tree(&tree);
    let named = |more: &[(&'static str, &'static str)]| {
        let attrs = [
            &UNCOMPRESSED[..],
            &[("name", "docker.io/test/oci:v1")],
            more,
        ]
        .concat();
        exporter("oci", &attrs)
    };
    let archive = Build {
        context: context(COPY, Some(&tree)),
        exporters: vec![named(&[])],
        sinks: vec![(0, ExportSink::File(file.clone()))],
        ..Build::default()
    };
    archive.run().await.unwrap();
    same(&listing(&tree), &check_layout(&unpacked(&file)));

    // Twice: the second time the engine finds the blobs there.
    for _ in 0..2 {
        let directory = Build {
            context: context(COPY, Some(&tree)),
            exporters: vec![named(&[("tar", "false")])],
            stores: vec![("export".into(), layout.clone(), StoreAccess::ReadWrite)],
            ..Build::default()
        };
        let done = directory.run().await.unwrap();
        let descriptor =
            Descriptor::from_response(&done.response["containerimage.descriptor"]).unwrap();
        let names = Name::of_image(done.response.get("image.name").map(String::as_str));
        layout::put(&layout, &descriptor, &names, Mask(0o22)).unwrap();
        assert_eq!(
            layout::resolve(&layout, Some("v1"), None).unwrap().as_str(),
            descriptor.digest
        );
        same(&listing(&tree), &check_layout(&files_of(&layout)));
    }

    // And back in, as a context.
    let digest = layout::resolve(&layout, Some("v1"), None).unwrap();
    let dest = dir.path().join("dest");
    let back = Build {
        context: context("FROM base\n", None),
        exporters: vec![exporter("local", &[])],
        sinks: vec![(0, ExportSink::Directory(dest.clone()))],
        stores: vec![("oci:layout".into(), layout, StoreAccess::Read)],
        attrs: vec![
            (
                "context:base".into(),
                format!("oci-layout://layout@{digest}"),
            ),
            (
                "frontend.caps".into(),
                "moby.buildkit.frontend.contexts+forward".into(),
            ),
        ],
        ..Build::default()
    };
    back.run().await.unwrap();
    same(&listing(&tree), &listing(&dest));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_docker_archive_names_its_parts() {
    let dir = tempfile::tempdir().unwrap();
    let (tree, file) = (dir.path().join("tree"), dir.path().join("image.tar"));
    make_tree(&tree);
    let attrs = [&UNCOMPRESSED[..], &[("name", "docker.io/test/archive:v2")]].concat();
    let build = Build {
        context: context(COPY, Some(&tree)),
        exporters: vec![exporter("docker", &attrs)],
        sinks: vec![(0, ExportSink::File(file.clone()))],
        ..Build::default()
    };
    build.run().await.unwrap();
    let files = unpacked(&file);
    let image = &json(&files["manifest.json"])[0];
    assert_eq!(image["RepoTags"][0], "test/archive:v2");
    assert_eq!(
        json(&files[image["Config"].as_str().unwrap()])["os"],
        "linux"
    );
    let layer = image["Layers"][0].as_str().unwrap();
    same(&listing(&tree), &tar_listing(files[layer].as_slice()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_cache_is_written_and_used() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    let store = format!("local:{}", cache.display());
    let tree = dir.path().join("tree");
    std::fs::create_dir(&tree).unwrap();
    std::fs::copy("/bin/busybox", tree.join("busybox")).unwrap();
    let marker = random_id();
    let dockerfile = format!(
        "FROM scratch\nCOPY tree /\nRUN --network=none [\"/busybox\", \"echo\", \"{marker}\"]\nRUN --network=none [\"/busybox\", \"touch\", \"/{marker}\"]\n"
    );
    let step = async |cache: CacheOptions, access: Option<StoreAccess>| {
        let build = Build {
            context: context(&dockerfile, Some(&tree)),
            stores: access
                .map(|access| (store.clone(), dir.path().join("cache"), access))
                .into_iter()
                .collect(),
            attrs: imports(&cache),
            cache,
            ..Build::default()
        };
        let done = build.run().await.unwrap();
        let cached = done
            .vertices
            .iter()
            .find(|(name, _)| name.contains("\"touch\"") || name.contains("busybox touch"));
        (
            *cached.unwrap_or_else(|| panic!("{:?}", done.vertices)).1,
            done.response,
        )
    };
    let dest = cache.to_str().unwrap();
    let export = CacheOptions {
        exports: vec![cache_entry(&[("dest", dest), ("mode", "max")])],
        ..Default::default()
    };
    let (cached, response) = step(export, Some(StoreAccess::ReadWrite)).await;
    assert!(!cached);
    let descriptor = Descriptor::from_response(&response["cache.manifest"]).unwrap();
    layout::put(
        &cache,
        &descriptor,
        &[Name::Tag(layout::DEFAULT_TAG.into())],
        Mask(0o22),
    )
    .unwrap();

    forget(&marker).await;
    assert!(
        !step(CacheOptions::default(), None).await.0,
        "the engine has forgotten it"
    );

    forget(&marker).await;
    let digest = layout::resolve(&cache, None, None).unwrap();
    let import = CacheOptions {
        imports: vec![cache_entry(&[("src", dest), ("digest", digest.as_str())])],
        ..Default::default()
    };
    assert!(
        step(import, Some(StoreAccess::Read)).await.0,
        "with the cache"
    );
}

/// Imports reach the solver through the frontend, as JSON.
fn imports(cache: &CacheOptions) -> Vec<(String, String)> {
    let entry =
        |entry: &CacheOptionsEntry| serde_json::json!({"Type": entry.r#type, "Attrs": entry.attrs});
    let entries: Vec<_> = cache.imports.iter().map(entry).collect();
    match entries.as_slice() {
        [] => Vec::new(),
        entries => vec![(
            "cache-imports".into(),
            serde_json::json!(entries).to_string(),
        )],
    }
}

/// Prunes what the engine keeps of steps that mention `marker`.
async fn forget(marker: &str) {
    let (engine, _) = Engine::connect(&engine().transport()).await.unwrap();
    // A record goes only when nothing stands on it.
    for _ in 0..3 {
        let filter: Vec<_> = engine
            .disk_usage(Vec::new())
            .await
            .unwrap()
            .into_iter()
            .filter(|record| record.description.contains(marker))
            .map(|record| format!("id=={}", record.id))
            .collect();
        if filter.is_empty() {
            return;
        }
        let request = PruneRequest {
            filter,
            all: true,
            ..Default::default()
        };
        let mut freed = engine.prune(request).await.unwrap();
        while freed.message().await.unwrap().is_some() {}
    }
    panic!("the engine keeps {marker}");
}
