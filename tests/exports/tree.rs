//! A tree of files, and what has become of it in a directory or an archive.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;

/// A small tree with all that an image may hold and COPY takes.
pub(super) fn make_tree(at: &Path) {
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
pub(super) type Entry = (u32, i64, Vec<u8>);

pub(super) fn listing(root: &Path) -> BTreeMap<String, Entry> {
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

pub(super) fn tar_listing(tar: impl Read) -> BTreeMap<String, Entry> {
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

pub(super) fn same(ours: &BTreeMap<String, Entry>, theirs: &BTreeMap<String, Entry>) {
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
