use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use super::*;

fn tree(files: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in files {
        let path = dir.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, file).unwrap();
    }
    dir
}

fn collect(root: &Path, include: Option<&[&str]>, exclude: &[&str]) -> Vec<Stat> {
    let filter = Filter {
        include: include.map(|patterns| Patterns::new(patterns).unwrap()),
        exclude: Patterns::new(exclude).unwrap(),
    };
    let mut found = Vec::new();
    walk(root, &filter, &mut |stat| {
        found.push(stat);
        true
    })
    .unwrap();
    found
}

fn paths(root: &Path, include: Option<&[&str]>, exclude: &[&str]) -> Vec<String> {
    collect(root, include, exclude)
        .into_iter()
        .map(|stat| stat.path)
        .collect()
}

#[test]
fn children_come_before_siblings_with_a_later_byte() {
    let dir = tree(&["a/x", "a.b", "a-b", "b"]);
    assert_eq!(
        paths(dir.path(), None, &[]),
        ["a", "a/x", "a-b", "a.b", "b"].map(str::to_owned).to_vec(),
        "siblings by bytes, each with its children at once"
    );
}

#[test]
fn parents_of_what_is_sent_are_sent_even_when_ignored() {
    let dir = tree(&["keep/me", "keep/not", "other/x", "deep/er/still"]);
    assert_eq!(
        paths(dir.path(), None, &["**", "!keep/me", "!deep/**/still"]),
        ["deep", "deep/er", "deep/er/still", "keep", "keep/me"]
    );
    assert_eq!(
        paths(dir.path(), Some(&["deep/er", "other/*"]), &["**/still"]),
        ["deep", "deep/er", "other", "other/x"]
    );
}

#[test]
fn ignored_directories_that_cannot_be_read_do_not_matter() {
    let dir = tree(&["secret/x", "a"]);
    // Replacing the directory by a file makes any attempt to enter it fail loudly.
    assert_eq!(paths(dir.path(), None, &["secret"]), ["a"]);
}

#[test]
fn links_and_special_files_are_told_as_what_they_are() {
    let dir = tree(&["z-first"]);
    let root = dir.path();
    std::fs::hard_link(root.join("z-first"), root.join("a-again")).unwrap();
    symlink("/etc/passwd", root.join("link")).unwrap();
    let _socket = UnixListener::bind(root.join("socket")).unwrap();

    let found = collect(root, None, &[]);
    let by = |name: &str| found.iter().find(|stat| stat.path == name).unwrap();
    assert_eq!(
        (by("a-again").size, by("a-again").linkname.as_str()),
        (7, "")
    );
    assert_eq!(
        (by("z-first").size, by("z-first").linkname.as_str()),
        (0, "a-again")
    );
    assert_eq!(by("link").linkname, "/etc/passwd");
    assert_eq!(by("socket").mode & !0o777, 0);
    assert_eq!((by("link").uid, by("link").gid), (0, 0));

    // Without the first name, the next one is the file.
    let found = collect(root, None, &["a-again"]);
    let only = found.iter().find(|stat| stat.path == "z-first").unwrap();
    assert_eq!((only.size, only.linkname.as_str()), (7, ""));
}

#[test]
fn a_name_that_is_no_text_is_refused_by_name_unless_it_is_ignored() {
    let dir = tree(&["fine"]);
    let name = OsStr::from_bytes(b"bad\xff");
    std::fs::write(dir.path().join(name), "").unwrap();
    let filter = Filter::default();
    let error = walk(dir.path(), &filter, &mut |_| true).unwrap_err();
    assert!(error.to_string().contains("bad\\xff"), "{error}");
    assert_eq!(paths(dir.path(), None, &["bad*"]), ["fine"]);
}

#[test]
fn extended_attributes_travel() {
    let dir = tree(&["file"]);
    let path = dir.path().join("file");
    let set = rustix::fs::setxattr(
        &path,
        "user.colour",
        b"green",
        rustix::fs::XattrFlags::empty(),
    );
    if set == Err(Errno::OPNOTSUPP) {
        // The file system of the temporary directory has no attributes: nothing to travel.
        assert!(collect(dir.path(), None, &[])[0].xattrs.is_empty());
        return;
    }
    set.unwrap();
    let found = collect(dir.path(), None, &[]);
    assert_eq!(found[0].xattrs["user.colour"], &b"green"[..]);
}

#[test]
fn a_sink_that_has_enough_ends_the_walk() {
    let dir = tree(&["a", "b", "c"]);
    let mut seen = 0;
    let result = walk(dir.path(), &Filter::default(), &mut |_| {
        seen += 1;
        seen < 2
    });
    assert!(matches!(result, Err(WalkError::Stopped)));
    assert_eq!(seen, 2);
}
