use super::*;

fn write(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn context() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in [
        "Dockerfile",
        "src/a.c",
        ".git/HEAD",
        "node_modules/x/y.js",
        "docs/a.md",
    ] {
        write(dir.path(), name, "1");
    }
    write(
        dir.path(),
        ".dockerignore",
        "node_modules\n*.log\ndocs/**\n!docs/keep\n",
    );
    dir
}

fn wanted(dir: &Path) -> Wanted {
    Wanted {
        context: dir.to_owned(),
        dockerfile: Some(dir.join("Dockerfile")),
        outputs: vec![dir.join("out")],
    }
}

async fn next(watcher: &mut Watcher) -> Change {
    tokio::time::timeout(Duration::from_secs(30), watcher.next())
        .await
        .expect("a change in time")
        .unwrap()
}

/// A change that counts comes behind those that do not: what is told is that one alone.
async fn only(watcher: &mut Watcher, dir: &Path) {
    write(dir, "src/a.c", "again");
    let change = next(watcher).await;
    assert_eq!(change.path, "src/a.c");
}

#[tokio::test]
async fn what_the_build_cannot_see_does_not_count() {
    let dir = context();
    let mut watcher = Watcher::new(wanted(dir.path())).unwrap();
    for name in [
        ".git/index",
        "node_modules/x/z.js",
        "build.log",
        "docs/b.md",
        "src/.a.c.swp",
        "src/4913",
        "out/binary",
    ] {
        write(dir.path(), name, "2");
        only(&mut watcher, dir.path()).await;
    }
}

#[tokio::test]
async fn new_directories_renames_and_exceptions_count() {
    let dir = context();
    let mut watcher = Watcher::new(wanted(dir.path())).unwrap();
    fs::create_dir_all(dir.path().join("new/deep")).unwrap();
    assert_eq!(next(&mut watcher).await.path, "new");
    write(dir.path(), "new/deep/f", "1");
    assert_eq!(next(&mut watcher).await.path, "new/deep/f");
    write(dir.path(), "docs/keep", "1");
    assert_eq!(next(&mut watcher).await.path, "docs/keep");
    fs::rename(dir.path().join("new"), dir.path().join("old")).unwrap();
    assert!(["new", "old"].contains(&next(&mut watcher).await.path.as_str()));
    write(dir.path(), "old/deep/f", "2");
    assert_eq!(next(&mut watcher).await.path, "old/deep/f");
    fs::remove_file(dir.path().join("src/a.c")).unwrap();
    assert_eq!(next(&mut watcher).await.path, "src/a.c");
}

#[tokio::test]
async fn many_changes_are_one() {
    let dir = context();
    let mut watcher = Watcher::new(wanted(dir.path())).unwrap();
    for number in 0..50 {
        write(dir.path(), &format!("src/{number}"), "1");
    }
    let change = next(&mut watcher).await;
    assert_eq!(change.path, "src/0");
    assert!(change.count >= 50, "{change:?}");
}

#[tokio::test]
async fn the_ignore_file_is_read_again() {
    let dir = context();
    let mut watcher = Watcher::new(wanted(dir.path())).unwrap();
    write(dir.path(), ".dockerignore", "src/b*\n");
    assert_eq!(next(&mut watcher).await.path, ".dockerignore");
    write(dir.path(), "src/b.c", "1");
    only(&mut watcher, dir.path()).await;
    write(dir.path(), "node_modules/x/z.js", "1");
    assert_eq!(next(&mut watcher).await.path, "node_modules/x/z.js");
}

#[tokio::test]
async fn a_dockerfile_elsewhere_and_a_hidden_one_count() {
    let dir = context();
    let other = tempfile::tempdir().unwrap();
    write(other.path(), "D", "1");
    let elsewhere = Wanted {
        dockerfile: Some(other.path().join("D")),
        ..wanted(dir.path())
    };
    let mut watcher = Watcher::new(elsewhere).unwrap();
    write(other.path(), "E", "1");
    write(other.path(), "D", "2");
    assert_eq!(
        Path::new(&next(&mut watcher).await.path),
        other.path().join("D")
    );
    write(dir.path(), ".dockerignore", "*\n");
    let mut watcher = Watcher::new(wanted(dir.path())).unwrap();
    write(dir.path(), "src/a.c", "1");
    write(dir.path(), "Dockerfile", "2");
    assert_eq!(next(&mut watcher).await.path, "Dockerfile");
}

#[tokio::test]
async fn a_context_that_goes_away_is_told() {
    let dir = context();
    let mut watcher = Watcher::new(wanted(dir.path())).unwrap();
    fs::remove_dir_all(dir.path()).unwrap();
    let gone = async {
        loop {
            if let Err(error) = watcher.next().await {
                return error;
            }
        }
    };
    let error = tokio::time::timeout(Duration::from_secs(30), gone)
        .await
        .unwrap();
    assert!(matches!(error, WatchError::Gone(_)), "{error}");
    assert!(Watcher::new(wanted(dir.path())).is_err());
}

#[tokio::test]
async fn a_context_that_somebody_works_in_and_a_link_that_is_turned_are_gone() {
    let top = tempfile::tempdir().unwrap();
    for name in ["one", "two"] {
        fs::create_dir(top.path().join(name)).unwrap();
    }
    let link = top.path().join("link");
    std::os::unix::fs::symlink("one", &link).unwrap();
    let mut watcher = Watcher::new(wanted(&link)).unwrap();
    let new = top.path().join("new");
    std::os::unix::fs::symlink("two", &new).unwrap();
    fs::rename(&new, &link).unwrap();
    let end = tokio::time::timeout(Duration::from_secs(30), watcher.next()).await;
    assert!(matches!(end.unwrap(), Err(WatchError::Gone(_))));
    // Held open, its own watch does not end.
    let two = top.path().join("two");
    let held = fs::File::open(&two).unwrap();
    let mut watcher = Watcher::new(wanted(&two)).unwrap();
    fs::remove_dir(&two).unwrap();
    let end = tokio::time::timeout(Duration::from_secs(30), watcher.next()).await;
    assert!(matches!(end.unwrap(), Err(WatchError::Gone(_))));
    drop(held);
}
