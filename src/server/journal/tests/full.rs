use std::io::ErrorKind;
use std::process::Stdio;

use super::*;
use crate::server::journal::meta::{read_meta, write_meta};

/// Runs the test `name` as a child with a file system of 1 MiB of its own, which goes with the child.
fn on_a_small_disk(name: &str) {
    let dir = tempfile::tempdir().unwrap();
    let mount = "mount -t tmpfs -o size=1m,mode=700 tmpfs \"$BUILDX_TEST_JOURNAL\" && exec \"$@\"";
    let small = [
        "unshare",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        mount,
        "sh",
    ];
    let output = child(&small, name, dir.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_full_disk_is_told_and_takes_nothing() {
    let Some(dir) = child_dir() else {
        return on_a_small_disk("full::a_full_disk_is_told_and_takes_nothing");
    };
    let path = dir.join("t");
    let ballast = dir.join("ballast");
    std::fs::write(&ballast, vec![1; 300 << 10]).unwrap();

    let (mut writer, journal) = Journal::create(&path).unwrap();
    let mut taken = 0;
    let error = loop {
        match writer.append(&record(taken, 10_000)) {
            Ok(number) => assert_eq!(number, taken),
            Err(error) => break error,
        }
        taken += 1;
    };
    assert_eq!(error.io_kind(), Some(ErrorKind::StorageFull), "{error}");
    assert!(
        error.to_string().contains(path.to_str().unwrap()),
        "{error}"
    );
    assert!(taken > 50);

    let all_there = |journal: &Journal, records: u64| {
        assert_eq!(journal.len(), records);
        for from in [0, records - 5] {
            let (all, error) = drain_blocking(journal.replay(from), from);
            assert!(error.is_none(), "{error:?}");
            assert_eq!(all.len() as u64, records - from);
            for (number, found) in (from..).zip(all) {
                assert_eq!(found, record(number, 10_000));
            }
        }
    };
    all_there(&journal, taken);
    all_there(&Journal::open(&path).unwrap(), taken);

    // Some room again, for one of the writes of a batch: nothing of it stays, also in the index.
    std::fs::remove_file(&ballast).unwrap();
    let batch: Vec<_> = (0..20).map(|number| record(number, 45_000)).collect();
    let error = writer.append_batch(&batch).unwrap_err();
    assert_eq!(error.io_kind(), Some(ErrorKind::StorageFull), "{error}");
    all_there(&journal, taken);
    all_there(&Journal::open(&path).unwrap(), taken);

    // It goes on where it was.
    for _ in 0..28 {
        assert_eq!(writer.append(&record(taken, 10_000)).unwrap(), taken);
        taken += 1;
    }
    writer.finish().unwrap();
    all_there(&journal, taken);
    let opened = Journal::open(&path).unwrap();
    assert!(opened.finished());
    all_there(&opened, taken);
}

#[test]
fn a_description_on_a_full_disk_stays_the_old_one() {
    let Some(dir) = child_dir() else {
        return on_a_small_disk("full::a_description_on_a_full_disk_stays_the_old_one");
    };
    write_meta(&dir, b"old").unwrap();
    let error = write_meta(&dir, &vec![b'n'; 2 << 20]).unwrap_err();
    assert_eq!(error.io_kind(), Some(ErrorKind::StorageFull), "{error}");
    assert_eq!(read_meta(&dir).unwrap().unwrap(), b"old".as_slice());
    let names: Vec<_> = std::fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["meta"], "nothing half written stays");
}
