//! Local sources as they arrive on the real engine: all of them, as they are, and nothing else.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use crate::support::cmd::{Buildx, Output};
use crate::support::context::Context;
use crate::support::engine::engine;

fn build(context: &Context) -> Buildx {
    let args = ["build", "--network", "host", "--progress", "plain"];
    Buildx::on(engine(), args).arg(context.path())
}

/// Everything that `COPY . /` brings, as paths; directories end with a slash.
fn arrived(context: &Context) -> BTreeSet<String> {
    let output = build(context).args(["-o", "result"]).ok();
    let root = output.home.path().join("result");
    let mut found = BTreeSet::new();
    list(&root, &root, &mut found);
    found
}

fn list(root: &Path, directory: &Path, found: &mut BTreeSet<String>) {
    for entry in directory.read_dir().unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().to_str().unwrap();
        if path.is_dir() && !path.is_symlink() {
            found.insert(format!("{name}/"));
            list(root, &path, found);
        } else {
            found.insert(name.to_owned());
        }
    }
}

/// What the engine says that the context's transfer took, such as `53.38MB`.
fn transferred(output: &Output) -> String {
    let err = output.err();
    let step = err
        .lines()
        .find(|line| line.ends_with("[internal] load build context"))
        .and_then(|line| line.split(' ').next())
        .unwrap_or_else(|| panic!("{output}"));
    let start = format!("{step} transferring context: ");
    let line = err
        .lines()
        .find(|line| line.starts_with(&start) && line.ends_with("done"))
        .unwrap_or_else(|| panic!("{output}"));
    line.trim_start_matches(&start)
        .split(' ')
        .next()
        .unwrap()
        .to_owned()
}

#[test]
fn fifty_thousand_files_arrive_and_are_not_sent_twice() {
    let context = Context::dockerfile("FROM scratch\nCOPY . /\n");
    let mut total = 0;
    for directory in 0..250 {
        let path = context.join(format!("d{directory:03}"));
        std::fs::create_dir(&path).unwrap();
        for file in 0..200 {
            let content = format!("{directory} {file}");
            total += content.len();
            std::fs::write(path.join(format!("f{file:03}")), content).unwrap();
        }
    }
    let store = tempfile::tempdir().unwrap();
    // The machine's id in the shared key is kept in the store.
    let run = || build(&context).env("BUILDX_CONFIG", store.path());
    let output = run().args(["-o", "type=tar,dest=out.tar"]).ok();
    let archive = std::fs::File::open(output.home.path().join("out.tar")).unwrap();
    let mut archive = tar::Archive::new(std::io::BufReader::new(archive));
    let (mut files, mut bytes) = (0, 0);
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        if entry.path().unwrap().starts_with("Dockerfile") || !entry.header().entry_type().is_file()
        {
            continue;
        }
        files += 1;
        bytes += usize::try_from(entry.size()).unwrap();
    }
    assert_eq!((files, bytes), (50_000, total));
    let first = transferred(&output);
    let second = transferred(&run().ok());
    let size = |text: &str| -> f64 {
        let digits = text.trim_end_matches(char::is_alphabetic);
        let unit = match text.trim_start_matches(digits) {
            "MB" => 1e6,
            "kB" => 1e3,
            _ => 1.0,
        };
        digits.parse::<f64>().unwrap() * unit
    };
    // The listing goes over the wire again, the files do not.
    assert!(size(&second) < size(&first) * 0.75, "{first} {second}");
}

#[test]
fn ignore_files_are_read_as_docker_reads_them() {
    let tree = || {
        Context::dockerfile("FROM scratch\nCOPY . /\n")
            .file("a.md", "")
            .file("README.md", "")
            .file("docs/deep/x.md", "")
            .file("docs/deep/y.txt", "")
            .file("target/debug/bin", "")
            .file("target/keep/me", "")
            .file("temp1/x", "")
            .file("tempA/x", "")
    };
    let all = [
        ".dockerignore",
        "Dockerfile",
        "README.md",
        "a.md",
        "docs/",
        "docs/deep/",
        "docs/deep/x.md",
        "docs/deep/y.txt",
        "target/",
        "target/debug/",
        "target/debug/bin",
        "target/keep/",
        "target/keep/me",
        "temp1/",
        "temp1/x",
        "tempA/",
        "tempA/x",
    ];
    let table: [(&str, &[&str]); 6] = [
        ("# nothing\n\n", &[]),
        ("*.md\n!README.md\n", &["a.md"]),
        ("**/*.md\n", &["README.md", "a.md", "docs/deep/x.md"]),
        (
            "/target\n!target/keep\n",
            &["target/debug/", "target/debug/bin"],
        ),
        (
            "temp?\n  docs/  \n",
            &[
                "docs/",
                "docs/deep/",
                "docs/deep/x.md",
                "docs/deep/y.txt",
                "temp1/",
                "temp1/x",
                "tempA/",
                "tempA/x",
            ],
        ),
        (
            "**\n!docs/**/*.txt\n",
            &[
                "Dockerfile",
                ".dockerignore",
                "README.md",
                "a.md",
                "docs/deep/x.md",
                "target/",
                "target/debug/",
                "target/debug/bin",
                "target/keep/",
                "target/keep/me",
                "temp1/",
                "temp1/x",
                "tempA/",
                "tempA/x",
            ],
        ),
    ];
    for (ignore, missing) in table {
        let found = arrived(&tree().file(".dockerignore", ignore));
        let expected: BTreeSet<String> = all
            .iter()
            .filter(|name| !missing.contains(name))
            .map(|name| (*name).to_owned())
            .collect();
        assert_eq!(found, expected, "{ignore:?}");
    }
    // The ignore file of the Dockerfile goes before that of the context.
    let found = arrived(
        &tree()
            .file(".dockerignore", "docs\n")
            .file("Dockerfile.dockerignore", "target\ntemp*\n*.md\n"),
    );
    assert!(
        found.contains("docs/deep/y.txt") && !found.contains("target/"),
        "{found:?}"
    );
}

#[test]
fn links_modes_and_times_arrive_as_they_are() {
    let context = Context::dockerfile(
        "FROM scratch\nCOPY through/file /linked/\nCOPY w*/f? /wild/\nCOPY tree /tree\n",
    )
    .file("real/file", "behind a link")
    .symlink("through", "real")
    .file("wild/f1", "1")
    .file("wild/f2", "2")
    .file("wild/other", "3")
    .file("tree/first", "twice")
    .hard_link("tree/second", "tree/first")
    .symlink("tree/outside", "/etc/passwd")
    .symlink("tree/upward", "../../../etc/shadow")
    .file("tree/special", "x")
    .mode("tree/special", 0o4751)
    .directory("tree/sticky")
    .mode("tree/sticky", 0o1777)
    .mtime("tree/first", 1_000_000_001);
    let output = build(&context).args(["-o", "result"]).ok();
    let root = output.home.path().join("result");
    let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
    assert_eq!(read("linked/file"), "behind a link");
    assert_eq!((read("wild/f1"), read("wild/f2")), ("1".into(), "2".into()));
    assert!(!root.join("wild/other").exists());
    let meta = |name: &str| std::fs::symlink_metadata(root.join(name)).unwrap();
    assert_eq!(read("tree/second"), "twice");
    assert_eq!(meta("tree/first").mtime(), 1_000_000_001);
    assert_eq!(meta("tree/special").mode() & 0o7777, 0o4751);
    assert_eq!(meta("tree/sticky").mode() & 0o7777, 0o1777);
    // Links are data: they keep their targets, and nothing of this machine came along.
    let link = |name: &str| std::fs::read_link(root.join(name)).unwrap();
    assert_eq!(link("tree/outside"), Path::new("/etc/passwd"));
    assert_eq!(link("tree/upward"), Path::new("../../../etc/shadow"));
}

#[test]
fn extended_attributes_arrive() {
    // An attribute of trusted programs is the one that images are made with.
    let context = Context::busybox(
        "COPY file /file\nRUN [ \"$(stat -c %s /file)\" = 1 ]\nFROM scratch\nCOPY --from=0 /file /\n",
    )
    .file("file", "x");
    let name = "user.buildx-test";
    let path = context.join("file");
    match rustix::fs::setxattr(&path, name, b"green", rustix::fs::XattrFlags::empty()) {
        // The temporary directory's file system has no attributes: nothing can arrive.
        Err(rustix::io::Errno::OPNOTSUPP) => {
            build(&context).ok();
        }
        set => {
            set.unwrap();
            let output = build(&context)
                .args(["--no-cache", "-o", "type=tar,dest=out.tar"])
                .ok();
            let archive = std::fs::read(output.home.path().join("out.tar")).unwrap();
            let mut archive = tar::Archive::new(archive.as_slice());
            let mut file = archive
                .entries()
                .unwrap()
                .map(Result::unwrap)
                .find(|entry| entry.path().unwrap().ends_with("file"))
                .unwrap();
            let headers = file.pax_extensions().unwrap().expect("extensions");
            let found = headers
                .map(Result::unwrap)
                .any(|e| e.key_bytes().ends_with(name.as_bytes()) && e.value_bytes() == b"green");
            assert!(found, "the attribute is in the archive");
        }
    }
}

#[test]
fn special_files_hold_nothing_up() {
    let context = Context::dockerfile("FROM scratch\nCOPY . /\n").file("plain", "x");
    let _socket = UnixListener::bind(context.join("socket")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        context.join("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o644),
        0,
    )
    .unwrap();
    let found = arrived(&context);
    for name in ["plain", "fifo", "socket"] {
        assert!(found.contains(name), "{found:?}");
    }
}

#[test]
fn a_name_that_cannot_be_sent_is_said() {
    let context = Context::dockerfile("FROM scratch\nCOPY . /\n");
    let name = std::ffi::OsStr::from_bytes(b"bad\xffname");
    std::fs::write(context.join(name), "").unwrap();
    let output = build(&context).fails(1);
    let line = output.error_line();
    assert!(
        line.contains("bad\\xffname") && line.contains("UTF-8"),
        "{output}"
    );
    // Ignored, it is no obstacle.
    build(&context.file(".dockerignore", "bad*\n")).ok();
}

#[test]
fn odd_ignore_lines_are_read_as_docker_reads_them() {
    let all = [
        ".hidden",
        "a/b/c.txt",
        "a/b/d.md",
        "a/x",
        "docs/of[1]",
        "node_modules/p/index.js",
        "z.log",
        "üb er",
    ];
    // Ignore file → the files that are left; checked against Docker's own buildx 0.29.1.
    let table: [(&str, &[&str]); 5] = [
        // A line that changes nothing for a directory is not remembered for what is in it.
        ("a\n!a/x\na\nd*\nn*\n.h*\nü*\n", &["a/x", "z.log"]),
        ("**\n!docs/of\\[1\\]\n", &["docs/of[1]"]),
        (
            "a/*/\n./docs//of?1]\n  node_modules  \n.h*\nüb *\n",
            &["z.log"],
        ),
        ("a**\n!a/**/d.md\n*o*\n[^a-z]*\n", &["a/b/d.md"]),
        (
            "**o*\n**.txt\na/?\n!a/b/*.md\n.h**\n",
            &["a/b/d.md", "node_modules/p/index.js", "z.log", "üb er"],
        ),
    ];
    for (ignore, left) in table {
        let mut context = Context::dockerfile("FROM scratch\nCOPY . /\n").file(
            ".dockerignore",
            format!("{ignore}.dockerignore\nDockerfile\n"),
        );
        for name in all {
            context = context.file(name, "");
        }
        let mut found = arrived(&context);
        found.retain(|name| !name.ends_with('/'));
        assert_eq!(found.iter().collect::<Vec<_>>(), left, "{ignore:?}");
    }
}

#[test]
fn links_on_the_way_to_what_is_copied_stay_inside_the_context() {
    // Two paths through one link: Docker's own buildx (0.29.1) loses the second.
    let context = Context::dockerfile("FROM scratch\nCOPY link/a link/b abs/c wild*/d out /to/\n")
        .file("real/a", "A")
        .file("real/b", "B")
        .file("real/deep/c", "C")
        .file("far/[d]", "D")
        .file("etc/hostname", "inside")
        .symlink("link", "real")
        .symlink("abs", "/real/deep")
        .directory("wild1")
        .symlink("wild1/d", "../far/[d]")
        .symlink("out", "../../../../../../../../etc/hostname");
    let output = build(&context).args(["-o", "result"]).ok();
    let root = output.home.path().join("result/to");
    for (name, content) in [("a", "A"), ("b", "B"), ("c", "C"), ("d", "D")] {
        let found = std::fs::read_to_string(root.join(name)).unwrap();
        assert_eq!(found, content, "{name}");
    }
    let found = std::fs::read_to_string(root.join("out")).unwrap();
    assert_eq!(found, "inside", "the context's file, not the host's");
}
