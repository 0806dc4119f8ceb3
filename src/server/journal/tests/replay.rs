use std::future::Future;
use std::os::unix::fs::PermissionsExt;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;
use tokio::task::spawn;

use super::*;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[tokio::test]
async fn what_was_written_is_read_before_and_after_opening() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("1.trace");
    let written = finished(&path, 1000);
    let opened = Journal::open(&path).unwrap();
    for journal in [&written, &opened] {
        assert!(journal.finished());
        assert_eq!(journal.len(), 1000);
        let (all, error) = drain(journal.reader(0), 0).await;
        assert!(error.is_none(), "{error:?}");
        assert_eq!(all.len(), 1000);
        for (number, found) in (0..).zip(all) {
            assert_eq!(found, record(number, length(number)));
        }
    }
    assert_eq!(written.bytes(), opened.bytes());
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&dir.path().join("1.trace.index")), 0o600);
}

#[tokio::test]
async fn an_empty_trace_ends_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("1.trace");
    let (writer, journal) = Journal::create(&path).unwrap();
    assert!(journal.is_empty());
    writer.finish().unwrap();
    for journal in [journal, Journal::open(&path).unwrap()] {
        assert!(journal.is_empty() && journal.finished());
        let (all, error) = drain(journal.reader(0), 0).await;
        assert!(all.is_empty() && error.is_none());
        let (all, error) = drain(journal.reader(7), 7).await;
        assert!(all.is_empty() && error.is_none());
    }
}

#[tokio::test]
async fn records_may_be_empty_and_as_large_as_they_get() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, journal) = Journal::create(&dir.path().join("t")).unwrap();
    let lengths = [0, MAX_RECORD, 0, 1, MAX_RECORD - 1, 0];
    for (number, length) in (0..).zip(lengths) {
        assert_eq!(writer.append(&record(number, length)).unwrap(), number);
    }
    let error = writer.append(&vec![0; MAX_RECORD + 1]).unwrap_err();
    assert!(matches!(error, Error::TooLarge(_)), "{error}");
    assert_eq!(writer.append(b"behind").unwrap(), 6);
    drop(writer);
    let (all, error) = drain(journal.reader(0), 0).await;
    assert!(error.is_none(), "{error:?}");
    for (number, length) in (0..).zip(lengths) {
        assert_eq!(all[number as usize], record(number, length));
    }
    assert_eq!(all[6], b"behind".as_slice());
}

#[tokio::test]
async fn any_record_of_a_large_trace_is_found_without_reading_it_all() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t");
    // About 40 MiB.
    let count = 20_000;
    finished(&path, count);
    let journal = Journal::open(&path).unwrap();
    for from in [0, 1, 9_999, 10_000, 15_432, count - 1] {
        let mut reader = journal.reader(from);
        let (number, found) = reader.next().await.unwrap().unwrap();
        assert_eq!((number, &*found), (from, &*record(from, length(from))));
        let place = Index::beside(&path).find(from, journal.bytes());
        let mut skipped = place.1;
        for number in place.0..from {
            skipped += (frame::HEAD + length(number)) as u64;
        }
        // One distance of the index and one gathered write.
        assert!(skipped - place.1 < 520 << 10, "{from}: {place:?}");
    }
    assert!(journal.reader(count).next().await.unwrap().is_none());

    // The index is lost, then half of it is wrong, then it is longer than the trace.
    let index = dir.path().join("t.index");
    let whole = std::fs::read(&index).unwrap();
    assert!(whole.len() > 20 * 50);
    std::fs::remove_file(&index).unwrap();
    assert_eq!(Journal::open(&path).unwrap().len(), count);
    assert!(std::fs::read(&index).unwrap().len() >= whole.len());
    let mut wrong = whole.clone();
    let half = wrong.len() / 2;
    wrong[half..].fill(0xab);
    let mut long = whole.clone();
    long.extend_from_slice(&whole[..110]);
    for bytes in [wrong, long] {
        std::fs::write(&index, bytes).unwrap();
        for _ in 0..2 {
            let journal = Journal::open(&path).unwrap();
            assert!(journal.finished());
            let (tail, error) = drain(journal.reader(19_000), 19_000).await;
            assert!(error.is_none(), "{error:?}");
            assert_eq!(tail.len(), 1000);
        }
    }
}

#[tokio::test]
async fn a_replay_ends_where_the_trace_was() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, journal) = Journal::create(&dir.path().join("t")).unwrap();
    writer.append_batch([b"a", b"b", b"c"]).unwrap();
    let replay = journal.replay(1);
    writer.append(b"d").unwrap();
    let (all, error) = drain(replay, 1).await;
    assert_eq!(all, [b"b".as_slice(), b"c"]);
    assert!(error.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_follow_the_writer_from_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, journal) = Journal::create(&dir.path().join("t")).unwrap();
    let count = 5000;
    let readers: Vec<_> = [0, 1, 2500, count - 1, count, count + 5]
        .into_iter()
        .map(|from| (from, spawn(drain(journal.reader(from), from))))
        .collect();
    for number in 0..count {
        writer.append(&record(number, length(number))).unwrap();
        if number % 64 == 0 {
            tokio::task::yield_now().await;
        }
    }
    writer.finish().unwrap();
    for (from, reader) in readers {
        let (all, error) = reader.await.unwrap();
        assert!(error.is_none(), "{error:?}");
        assert_eq!(all.len() as u64, count.saturating_sub(from));
        for (number, found) in (from..).zip(all) {
            assert_eq!(found, record(number, length(number)));
        }
    }
}

/// Every record is seen before the next is written: the reader is woken for each.
#[tokio::test]
async fn a_follower_gets_each_record_as_it_comes() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, journal) = Journal::create(&dir.path().join("t")).unwrap();
    let mut reader = journal.reader(0);
    for number in 0..200 {
        let mut next = pin!(reader.next());
        let waiting = next.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(waiting, Poll::Pending), "nothing was written yet");
        writer.append(&record(number, 100)).unwrap();
        let (found, bytes) = next.await.unwrap().unwrap();
        assert_eq!((found, &*bytes), (number, &*record(number, 100)));
    }
    drop(writer);
    assert!(reader.next().await.unwrap().is_none());
    assert!(!journal.finished());
}

#[tokio::test]
async fn a_slow_reader_holds_up_nobody_and_little_memory() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, journal) = Journal::create(&dir.path().join("t")).unwrap();
    writer.append(b"first").unwrap();
    let mut slow = journal.reader(0);
    assert_eq!(slow.next().await.unwrap().unwrap().1, b"first".as_slice());
    // All of it is written while the reader stands.
    for number in 1..10_000 {
        writer.append(&record(number, length(number))).unwrap();
    }
    writer.finish().unwrap();
    let (rest, error) = drain(slow, 1).await;
    assert!(error.is_none());
    assert_eq!(rest.len(), 9_999);
}

#[tokio::test]
async fn batches_are_bounded_and_complete() {
    let dir = tempfile::tempdir().unwrap();
    let journal = finished(&dir.path().join("t"), 3000);
    for max in [0, 1, 5000, 1 << 30] {
        let mut reader = journal.reader(10);
        let mut next = 10;
        while let Some((first, records)) = reader.next_batch(max).await.unwrap() {
            assert_eq!(first, next);
            let bytes: usize = records.iter().map(bytes::Bytes::len).sum();
            let last = records.last().unwrap().len();
            assert!(records.len() == 1 || bytes - last < max);
            // What one reading of the file gave, however large the wish.
            assert!(bytes <= 256 << 10);
            for found in records {
                assert_eq!(found, record(next, length(next)));
                next += 1;
            }
        }
        assert_eq!(next, 3000);
    }
    let mut replay = journal.replay(0);
    let mut seen = 0;
    while let Some((_, records)) = replay.next_batch(4096).await.unwrap() {
        seen += records.len();
    }
    assert_eq!(seen, 3000);
}

#[test]
fn a_read_that_is_dropped_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let journal = finished(&dir.path().join("t"), 2000);
    let mut reader = journal.reader(0);
    let mut dropped = 0;
    // What reads the file does so when it is let.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        for number in 0..2000 {
            loop {
                let (open, gate) = std::sync::mpsc::channel::<()>();
                let held = tokio::task::spawn_blocking(move || gate.recv());
                let mut next = pin!(reader.next());
                let poll = next.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                drop(open);
                held.await.unwrap().unwrap_err();
                let found = match poll {
                    Poll::Ready(found) => found,
                    // Given up while the file is being read, each time but the third.
                    Poll::Pending if dropped % 3 != 2 => {
                        dropped += 1;
                        continue;
                    }
                    Poll::Pending => {
                        dropped += 1;
                        next.await
                    }
                };
                let (at, bytes) = found.unwrap().unwrap();
                assert_eq!((at, &*bytes), (number, &*record(number, length(number))));
                break;
            }
        }
    });
    assert!(dropped > 10, "{dropped}");
}

#[test]
fn two_traces_of_one_name_are_refused_and_an_old_index_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t");
    finished(&path, 1000);
    let error = Journal::create(&path).unwrap_err();
    assert_eq!(error.io_kind(), Some(std::io::ErrorKind::AlreadyExists));
    std::fs::remove_file(&path).unwrap();
    let (mut writer, journal) = Journal::create(&path).unwrap();
    for number in 0..3000 {
        writer.append(&record(number, 333)).unwrap();
    }
    let (all, error) = drain_blocking(journal.replay(2_000), 2_000);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(all[0], record(2_000, 333));
}

/// What is done to a trace.
#[derive(Clone, Debug)]
enum Act {
    Append(usize),
    Batch(Vec<usize>),
    /// A batch of which one record is too large: nothing may come of it.
    Refused(Vec<usize>),
    Finish,
    Drop,
    /// The writer is gone and left this many bytes of another record.
    Torn(usize),
}

fn act() -> impl Strategy<Value = Act> {
    let length = prop_oneof![0..20_usize, 0..5000_usize, 250_000..400_000_usize];
    let lengths = proptest::collection::vec(length.clone(), 0..5);
    prop_oneof![
        6 => length.prop_map(Act::Append),
        3 => lengths.clone().prop_map(Act::Batch),
        2 => lengths.prop_map(Act::Refused),
        1 => Just(Act::Finish),
        1 => Just(Act::Drop),
        2 => (1..300_usize).prop_map(Act::Torn),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn a_trace_is_what_was_appended(acts in proptest::collection::vec(act(), 1..25), from in any::<proptest::sample::Index>()) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t");
        let (writer, journal) = Journal::create(&path).unwrap();
        let mut writer = Some(writer);
        let mut wanted: Vec<Vec<u8>> = Vec::new();
        for act in acts {
            // What is broken off or finished stays so.
            if writer.is_none() {
                break;
            }
            let at = wanted.len() as u64;
            let records = |lengths: Vec<usize>| -> Vec<Vec<u8>> {
                (at..).zip(lengths).map(|(number, length)| record(number, length)).collect()
            };
            match act {
                Act::Append(length) => {
                    let number = writer.as_mut().unwrap().append(&record(at, length)).unwrap();
                    prop_assert_eq!(number, at);
                    wanted.push(record(at, length));
                }
                Act::Batch(lengths) => {
                    let new = records(lengths);
                    let range = writer.as_mut().unwrap().append_batch(&new).unwrap();
                    prop_assert_eq!(range, at..at + new.len() as u64);
                    wanted.extend(new);
                }
                Act::Refused(lengths) => {
                    let mut new = records(lengths);
                    new.push(vec![0; MAX_RECORD + 1]);
                    let error = writer.as_mut().unwrap().append_batch(&new).unwrap_err();
                    prop_assert!(matches!(error, Error::TooLarge(_)));
                }
                Act::Finish => {
                    writer.take().unwrap().finish().unwrap();
                    prop_assert!(Journal::open(&path).unwrap().finished());
                }
                Act::Drop => {
                    writer = None;
                    prop_assert!(!Journal::open(&path).unwrap().finished());
                }
                Act::Torn(length) => {
                    writer = None;
                    let mut torn = Vec::new();
                    frame::encode(&mut torn, at, &record(at, 500)).unwrap();
                    let mut bytes = std::fs::read(&path).unwrap();
                    bytes.extend_from_slice(&torn[..length]);
                    std::fs::write(&path, bytes).unwrap();
                }
            }
        }
        let from = from.index(wanted.len() + 1);
        let opened = Journal::open(&path).unwrap();
        prop_assert_eq!(opened.len(), wanted.len() as u64);
        prop_assert_eq!(opened.bytes(), journal.bytes());
        for journal in [journal, opened] {
            let (all, error) = drain_blocking(journal.replay(from as u64), from as u64);
            prop_assert!(error.is_none(), "{:?}", error);
            prop_assert!(all.iter().eq(&wanted[from..]));
        }
    }
}
