use prost::Message;

use super::*;
use crate::build::options::{BuildOptions, named_context};
use crate::engine::vertex::digest;

struct Around {
    dir: TempDir,
}

impl Around {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("ctx")).unwrap();
        fs::write(dir.path().join("ctx/Dockerfile"), "FROM scratch\n").unwrap();
        Self { dir }
    }

    fn write(&self, path: &str) {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "FROM scratch\n").unwrap();
    }

    fn find(
        &self,
        context: &str,
        file: Option<&str>,
        named: &[&str],
        stdin: &[u8],
    ) -> Result<Sources, String> {
        let options = BuildOptions {
            context: context.into(),
            dockerfile: file.map(str::to_owned),
            named_contexts: named
                .iter()
                .map(|text| named_context(text).unwrap())
                .collect(),
            ..BuildOptions::default()
        };
        let mut around = Surroundings {
            env: &|_| None,
            cwd: self.dir.path().to_path_buf(),
            stdin: Some(Box::new(Cursor::new(stdin.to_vec()))),
            stdout_is_terminal: false,
            proxy_args: Vec::new(),
        };
        find(&options, &mut around).map_err(|error| error.0)
    }

    /// The directory of a local source, relative to the test's.
    fn dir(&self, sources: &Sources, name: &str) -> String {
        let (_, dir) = sources.dirs.iter().find(|(n, _)| n == name).unwrap();
        let root = fs::canonicalize(self.dir.path()).unwrap();
        dir.strip_prefix(root).unwrap().display().to_string()
    }
}

#[test]
fn a_directory() {
    let around = Around::new();
    let sources = around.find("ctx", None, &[], b"").unwrap();
    assert_eq!(sources.attrs["filename"], "Dockerfile");
    assert_eq!(sources.attrs.len(), 1);
    assert_eq!(sources.key, "ctx");
    assert_eq!(around.dir(&sources, "context"), "ctx");
    assert_eq!(around.dir(&sources, "dockerfile"), "ctx");
    assert!(sources.upload.is_none());
    assert_eq!(around.find("ctx/.", None, &[], b"").unwrap().key, "ctx");
}

#[test]
fn dockerfile_elsewhere_and_in_lower_case() {
    let around = Around::new();
    around.write("files/Other");
    let sources = around.find("ctx", Some("files/Other"), &[], b"").unwrap();
    assert_eq!(sources.attrs["filename"], "Other");
    assert_eq!(around.dir(&sources, "dockerfile"), "files");

    around.write("low/dockerfile");
    let sources = around.find("low", None, &[], b"").unwrap();
    assert_eq!(sources.attrs["filename"], "dockerfile");
}

#[test]
fn a_dockerfile_that_is_a_link() {
    let around = Around::new();
    around.write("files/Real");
    let link = |target: &str, name: &str| {
        std::os::unix::fs::symlink(target, around.dir.path().join("ctx").join(name)).unwrap();
    };
    link("../files/Real", "Out");
    link("Dockerfile", "In");
    let sources = around.find("ctx", Some("ctx/Out"), &[], b"").unwrap();
    assert_eq!(sources.attrs["filename"], "Real");
    assert_eq!(around.dir(&sources, "dockerfile"), "files");
    let sources = around.find("ctx", Some("ctx/In"), &[], b"").unwrap();
    assert_eq!(sources.attrs["filename"], "In");
    assert_eq!(around.dir(&sources, "dockerfile"), "ctx");
}

#[test]
fn dockerfile_from_standard_input() {
    let around = Around::new();
    let sources = around.find("ctx", Some("-"), &[], b"FROM x\n").unwrap();
    assert_eq!(sources.attrs["filename"], "Dockerfile");
    assert_eq!(sources.attrs["dockerfilekey"], "dockerfile");
    assert_eq!(around.dir(&sources, "context"), "ctx");
    let (_, dir) = sources
        .dirs
        .iter()
        .find(|(n, _)| n == "dockerfile")
        .unwrap();
    assert_eq!(fs::read(dir.join("Dockerfile")).unwrap(), b"FROM x\n");
    let dir = dir.clone();
    drop(sources);
    assert!(!dir.exists());
}

/// The engine would read `/dev/zero` until nothing of its memory is left.
#[test]
fn devices_and_pipes_are_no_dockerfiles_and_no_contexts() {
    let around = Around::new();
    let said = around.find("ctx", Some("/dev/zero"), &[], b"").unwrap_err();
    assert!(said.contains("/dev/zero is no regular file"), "{said}");
    let said = around.find("ctx", Some("/dev/fd/999"), &[], b"");
    let said = said.unwrap_err();
    assert!(said.ends_with("(-f - reads standard input)"), "{said}");
    let said = around.find("/dev/null", None, &[], b"").unwrap_err();
    assert!(said.contains("it is a pipe or a device"), "{said}");
}

#[test]
fn standard_input_alone() {
    let around = Around::new();
    let sources = around.find("-", None, &[], b"FROM scratch\n").unwrap();
    assert_eq!(sources.attrs["dockerfilekey"], "dockerfile");
    assert!(!sources.attrs.contains_key("context"));
    let (_, context) = sources.dirs.iter().find(|(n, _)| n == "context").unwrap();
    assert_eq!(fs::read_dir(context).unwrap().count(), 0);

    assert_eq!(
        around.find("-", None, &[], b"").unwrap_err(),
        "failed to read dockerfile from stdin: it is empty"
    );
    assert!(
        around
            .find("-", Some("Dockerfile"), &[], b"FROM scratch\n")
            .unwrap_err()
            .starts_with("ambiguous Dockerfile source")
    );
}

#[test]
fn archives_on_standard_input() {
    let around = Around::new();
    let mut builder = tar::Builder::new(Vec::new());
    builder
        .append_dir_all(".", around.dir.path().join("ctx"))
        .unwrap();
    let archive = builder.into_inner().unwrap();
    let mut old = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_old();
    header.set_path("Dockerfile").unwrap();
    header.set_size(0);
    header.set_cksum();
    old.append(&header, io::empty()).unwrap();
    let old = old.into_inner().unwrap();
    for bytes in [
        &archive[..],
        &old,
        b"\x1f\x8b\x08...",
        b"BZh9...",
        b"\xfd7zXZ\0...",
    ] {
        let mut sources = around.find("-", Some("sub/Df"), &[], bytes).unwrap();
        assert_eq!(sources.attrs["filename"], "sub/Df");
        assert!(sources.dirs.is_empty());
        let mut sent = Vec::new();
        let upload = sources.upload.as_mut().unwrap();
        assert_eq!(upload.attribute, "context");
        upload.reader.read_to_end(&mut sent).unwrap();
        assert_eq!(sent, bytes, "nothing of the input is lost");
    }
    assert!(!is_archive(&[0; 512]));
    assert!(!is_archive(&[b'x'; 512]));
    assert!(!is_archive(b"FROM scratch"));
}

#[test]
fn urls() {
    let around = Around::new();
    for (url, ssh) in [
        ("https://example.org/a.git#main:sub", false),
        ("git://example.org/a", false),
        ("http://example.org/a.tar", false),
        ("git@example.org:a/b.git", true),
        ("ssh://git@example.org/a.git", true),
    ] {
        let sources = around.find(url, None, &[], b"").unwrap();
        assert_eq!(sources.attrs["context"], url);
        assert_eq!(sources.attrs["filename"], "Dockerfile");
        assert_eq!(sources.needs_ssh, ssh, "{url}");
        assert!(sources.dirs.is_empty());
    }
    let sources = around
        .find("https://example.org/a.git", Some("x/Df"), &[], b"")
        .unwrap();
    assert_eq!(sources.attrs["filename"], "x/Df");
    let sources = around
        .find("https://example.org/a.git", Some("-"), &[], b"FROM x")
        .unwrap();
    assert_eq!(sources.attrs["dockerfilekey"], "dockerfile");
    let sources = around
        .find("ctx", Some("https://example.org/Df"), &[], b"")
        .unwrap();
    let definition = &sources.inputs["dockerfile"];
    let op = pb::Op::decode(&definition.def[0][..]).unwrap();
    let last = pb::Op::decode(&definition.def[1][..]).unwrap();
    assert_eq!(last.inputs[0].digest, digest(&definition.def[0]));
    match op.op {
        Some(pb::op::Op::Source(source)) => {
            assert_eq!(source.identifier, "https://example.org/Df");
            assert_eq!(source.attrs["http.filename"], "Dockerfile");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn named_contexts() {
    let around = Around::new();
    fs::create_dir(around.dir.path().join("more")).unwrap();
    let named = [
        "x=more",
        "context=more",
        "y=docker-image://alpine:3",
        "z=https://example.org/x.git",
    ];
    let sources = around.find("ctx", None, &named, b"").unwrap();
    assert_eq!(sources.attrs["context:x"], "local:x");
    assert_eq!(around.dir(&sources, "x"), "more");
    assert_eq!(sources.attrs["context:context"], "local:_context");
    assert_eq!(around.dir(&sources, "_context"), "more");
    assert_eq!(around.dir(&sources, "context"), "ctx");
    assert_eq!(sources.attrs["context:y"], "docker-image://alpine:3");
    assert_eq!(sources.attrs["context:z"], "https://example.org/x.git");
    assert_eq!(
        sources.attrs["frontend.caps"],
        "moby.buildkit.frontend.contexts+forward"
    );
}

#[test]
fn layouts_as_named_contexts() {
    let around = Around::new();
    let layout = around.dir.path().join("lay");
    let digest = digest(b"{}");
    let blobs = layout.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    fs::write(blobs.join(digest.strip_prefix("sha256:").unwrap()), "{}").unwrap();
    fs::write(
        layout.join("index.json"),
        format!(
            r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{digest}","size":2,"annotations":{{"org.opencontainers.image.ref.name":"v1"}}}}]}}"#
        ),
    )
    .unwrap();
    let sources = around
        .find("ctx", None, &["base=oci-layout://lay:v1"], b"")
        .unwrap();
    assert_eq!(
        sources.attrs["context:base"],
        format!("oci-layout://layout0:v1@{digest}")
    );
    assert_eq!(sources.stores, [("oci:layout0".to_owned(), layout.clone())]);
    let error = around
        .find("ctx", None, &["base=oci-layout://lay:v2"], b"")
        .unwrap_err();
    assert!(error.contains("could not be resolved"), "{error}");
}

#[test]
fn what_is_missing_is_named() {
    let around = Around::new();
    fs::create_dir(around.dir.path().join("empty")).unwrap();
    around.write("ctx/sub/Dockerfile.dev");
    let refused =
        |context, file, named: &[&str]| around.find(context, file, named, b"").unwrap_err();
    assert_eq!(
        refused("nope", None, &[]),
        "unable to prepare context: path \"nope\" not found"
    );
    assert_eq!(
        refused("ctxt", None, &[]),
        "unable to prepare context: path \"ctxt\" not found (did you mean ctx?)"
    );
    assert!(refused("", None, &[]).starts_with("please specify build context"));
    assert!(refused("ctx/Dockerfile", None, &[]).contains("did you mean -f?"));
    assert!(
        refused("github.com/a/b", None, &[]).contains("did you mean https://github.com/a/b.git?")
    );
    assert_eq!(
        refused("empty", None, &[]),
        "failed to read dockerfile: open empty/Dockerfile: no such file or directory"
    );
    around.write("many/Dockerfile.dev");
    around.write("many/Dockerfile.dev.dockerignore");
    assert!(refused("many", None, &[]).ends_with(" (did you mean -f many/Dockerfile.dev?)"));
    assert_eq!(
        refused("ctx", Some("sub/Dockerfile.dev"), &[]),
        "failed to read dockerfile: open sub/Dockerfile.dev: no such file or directory (did you mean ctx/sub/Dockerfile.dev?)"
    );
    assert_eq!(
        refused("ctx", Some("ctx/Dockerflie"), &[]),
        "failed to read dockerfile: open ctx/Dockerflie: no such file or directory (did you mean ctx/Dockerfile?)"
    );
    assert!(refused("ctx", Some("ctx"), &[]).contains("is a directory"));
    assert_eq!(
        refused("ctx", None, &["x=nope"]),
        "failed to get build context x: stat nope: no such file or directory"
    );
    assert!(refused("ctx", None, &["x=ctx/Dockerfile"]).contains("not a directory"));
    assert_eq!(
        refused("ctx", None, &["x=target:foo"]),
        "failed to find target foo for context x"
    );
    assert!(
        refused("ctx", None, &["x=oci-layout://nope"])
            .starts_with("oci-layout reference \"oci-layout://nope\" could not be resolved")
    );
}
