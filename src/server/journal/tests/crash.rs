use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use super::*;

/// Lengths of the records that the child writes, one after the other and again; some are larger than
/// what a write is gathered to.
const LENGTHS: [usize; 6] = [100, 0, 3000, 300_000, 17, 60_000];

fn nth(number: u64) -> Vec<u8> {
    record(number, LENGTHS[number as usize % LENGTHS.len()])
}

/// Writes records, and a line for each that was taken, until it is killed.
fn write_forever(dir: &Path) -> ! {
    let (mut writer, _) = Journal::create(&dir.join("t")).unwrap();
    let mut out = std::io::stdout();
    for first in (0..).step_by(4) {
        writer.append(&nth(first)).unwrap();
        writeln!(out, "taken {first}").unwrap();
        writer
            .append_batch((first + 1..first + 4).map(nth))
            .unwrap();
        writeln!(out, "taken {}", first + 3).unwrap();
        out.flush().unwrap();
    }
    unreachable!();
}

#[test]
fn what_was_taken_is_there_after_a_kill() {
    if let Some(dir) = child_dir() {
        write_forever(&dir);
    }
    for round in 0..10 {
        let dir = tempfile::tempdir().unwrap();
        let mut child = child(
            &[],
            "crash::what_was_taken_is_there_after_a_kill",
            dir.path(),
        )
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut taken = Vec::new();
        let mut hear = |line: std::io::Result<String>| {
            if let Some(number) = line.unwrap().strip_prefix("taken ") {
                taken.push(number.parse::<u64>().unwrap());
            }
        };
        // The harness's own lines come first.
        lines.by_ref().take(5 + round * 9).for_each(&mut hear);
        child.kill().unwrap();
        child.wait().unwrap();
        lines.for_each(&mut hear);
        let last = taken.pop().unwrap();

        let path = dir.path().join("t");
        let journal = Journal::open(&path).unwrap();
        assert!(journal.len() > last, "{} of {last}", journal.len());
        assert!(!journal.finished());
        let (all, error) = drain_blocking(journal.reader(0), 0);
        assert!(error.is_none(), "{error:?}");
        for (number, found) in (0..).zip(all) {
            assert_eq!(found, nth(number));
        }
    }
}
