//! Images as archives and as layout directories.

use std::collections::BTreeMap;
use std::path::Path;

use buildx::engine::callbacks::content::StoreAccess;
use buildx::engine::callbacks::content::layout::{self, Descriptor, Name};
use buildx::engine::callbacks::export::ExportSink;
use buildx::paths::mask::Mask;

use super::build::{Build, COPY, context, exporter};
use super::tree::{Entry, listing, make_tree, same, tar_listing};

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
