use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;

mod crash;
mod damage;
mod frames;
mod full;
mod replay;
mod store;

/// Says to a test that it runs in a child process, and where.
const CHILD: &str = "BUILDX_TEST_JOURNAL";

/// The directory that the parent named, in a child.
fn child_dir() -> Option<PathBuf> {
    std::env::var_os(CHILD).map(PathBuf::from)
}

/// A command of `before` and the test `name` of this module, which will see itself as a child.
fn child(before: &[&str], name: &str, dir: &Path) -> Command {
    let program = std::env::current_exe().unwrap();
    let mut words = before
        .iter()
        .map(std::ffi::OsStr::new)
        .chain([program.as_os_str()]);
    let mut command = Command::new(words.next().unwrap());
    command
        .args(words)
        .args(["--exact", "--nocapture", "--test-threads=1"])
        .arg(format!("server::journal::tests::{name}"))
        .env(CHILD, dir);
    command
}

/// A record that says its number and has no other record's bytes.
fn record(number: u64, length: usize) -> Vec<u8> {
    let word = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
    word.iter().copied().cycle().take(length).collect()
}

/// A length between 0 and 4 KiB, different from record to record.
fn length(number: u64) -> usize {
    (number * 7919 % 4097) as usize
}

/// A finished trace of `records` records, each [`record`] of its [`length`].
fn finished(path: &Path, records: u64) -> Journal {
    let (mut writer, journal) = Journal::create(path).unwrap();
    let all: Vec<_> = (0..records).map(|n| record(n, length(n))).collect();
    for batch in all.chunks(100) {
        writer.append_batch(batch).unwrap();
    }
    writer.finish().unwrap();
    journal
}

/// All records that `reader` gives, checked to be numbered from `from`, and the error that ended it.
async fn drain(mut reader: Reader, from: u64) -> (Vec<bytes::Bytes>, Option<Error>) {
    let mut all = Vec::new();
    let error = loop {
        match reader.next().await {
            Ok(Some((number, record))) => {
                assert_eq!(number, from + all.len() as u64);
                all.push(record);
            }
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    assert!(
        matches!(reader.next().await, Ok(None)),
        "the end is the end"
    );
    (all, error)
}

/// As [`drain`], from a test that has no runtime.
fn drain_blocking(reader: Reader, from: u64) -> (Vec<bytes::Bytes>, Option<Error>) {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(drain(reader, from))
}
