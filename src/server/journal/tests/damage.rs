use proptest::prelude::*;

use super::*;

/// The bytes of a small finished trace, and its records.
fn sample(dir: &Path) -> (Vec<u8>, Vec<Vec<u8>>) {
    let path = dir.join("sample");
    let records: Vec<_> = [5, 0, 40, 1, 13]
        .into_iter()
        .zip(0..)
        .map(|(length, number)| record(number, length))
        .collect();
    let (mut writer, _) = Journal::create(&path).unwrap();
    writer.append_batch(&records).unwrap();
    writer.finish().unwrap();
    (std::fs::read(path).unwrap(), records)
}

#[test]
fn a_tail_torn_at_any_byte_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let (bytes, records) = sample(dir.path());
    let path = dir.path().join("torn");
    let ends: Vec<usize> = records
        .iter()
        .scan(8, |end, record| {
            *end += frame::HEAD + record.len();
            Some(*end)
        })
        .collect();
    for cut in 0..bytes.len() {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        let whole = ends.iter().filter(|&&end| end <= cut).count();
        let journal = Journal::open(&path).unwrap();
        assert_eq!(journal.len(), whole as u64, "cut at {cut}");
        assert!(!journal.finished());
        let (all, error) = drain_blocking(journal.reader(0), 0);
        assert!(error.is_none(), "cut at {cut}: {error:?}");
        assert!(all.iter().eq(&records[..whole]), "cut at {cut}");
    }
}

#[test]
fn a_wrong_bit_anywhere_is_told_and_no_record_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let (bytes, records) = sample(dir.path());
    let path = dir.path().join("wrong");
    for at in 0..bytes.len() {
        for bit in [0, 7] {
            let mut wrong = bytes.clone();
            wrong[at] ^= 1 << bit;
            std::fs::write(&path, &wrong).unwrap();
            let journal = match Journal::open(&path) {
                Ok(journal) => journal,
                Err(Error::NoTrace { .. }) if at < 7 => continue,
                Err(Error::Version { .. }) if at == 7 => continue,
                Err(error) => panic!("byte {at}: {error}"),
            };
            assert!(!journal.finished());
            let (all, error) = drain_blocking(journal.reader(0), 0);
            assert!(all.iter().eq(&records[..all.len()]), "byte {at}");
            let error = error.unwrap_or_else(|| panic!("byte {at}: no error"));
            let Error::Damaged { record, offset, .. } = error else {
                panic!("byte {at}: {error}");
            };
            assert_eq!(record, all.len() as u64);
            assert!(offset as usize <= at);
        }
    }
}

/// The index lets a server open the trace without looking at the damage; readers find it.
#[test]
fn damage_in_the_middle_ends_readers_there_and_no_others() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t");
    finished(&path, 2000);
    let mut bytes = std::fs::read(&path).unwrap();
    let offset: usize = 8 + (0..100).map(|n| frame::HEAD + length(n)).sum::<usize>();
    bytes[offset + frame::HEAD + 3] ^= 1;
    std::fs::write(&path, &bytes).unwrap();

    let journal = Journal::open(&path).unwrap();
    assert_eq!(journal.len(), 2000);
    let (all, error) = drain_blocking(journal.reader(90), 90);
    assert_eq!(all.len(), 10);
    let message = error.unwrap().to_string();
    assert!(
        message.contains(&format!("record 100 at byte {offset}")),
        "{message}"
    );
    assert!(message.contains(path.to_str().unwrap()), "{message}");
    let (_, error) = drain_blocking(journal.reader(101), 101);
    assert!(error.is_some(), "the way there leads over the damage");
    let (all, error) = drain_blocking(journal.reader(1500), 1500);
    assert!(error.is_none() && all.len() == 500);

    std::fs::remove_file(dir.path().join("t.index")).unwrap();
    let journal = Journal::open(&path).unwrap();
    assert_eq!(journal.len(), 100);
    let (all, error) = drain_blocking(journal.reader(0), 0);
    assert_eq!(all.len(), 100);
    assert!(matches!(error, Some(Error::Damaged { record: 100, .. })));
}

#[test]
fn a_trace_that_shrinks_under_its_readers_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t");
    let journal = finished(&path, 2000);
    std::fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(1000)
        .unwrap();
    for from in [0, 1999] {
        let (_, error) = drain_blocking(journal.reader(from), from);
        assert!(matches!(error, Some(Error::Damaged { .. })), "{error:?}");
    }
    std::fs::remove_file(&path).unwrap();
    let (_, error) = drain_blocking(journal.reader(0), 0);
    let error = error.unwrap();
    assert_eq!(error.io_kind(), Some(std::io::ErrorKind::NotFound));
    assert!(error.to_string().contains(path.to_str().unwrap()));
}

#[test]
fn other_files_and_newer_formats_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t");
    for (bytes, newer) in [
        (b"#!/bin/sh\n".as_slice(), false),
        (b"#", false),
        (b"bxtracX", false),
        (b"bxtrace\x02and more", true),
    ] {
        std::fs::write(&path, bytes).unwrap();
        match Journal::open(&path).unwrap_err() {
            Error::Version { version: 2, .. } => assert!(newer),
            Error::NoTrace { .. } => assert!(!newer),
            other => panic!("{other}"),
        }
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "it was not touched");
    }
}

/// Any entry, with the right check: what the index says is not believed either.
fn entry(number: u64, offset: u64) -> Vec<u8> {
    let mut bytes = [number.to_le_bytes(), offset.to_le_bytes()].concat();
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn no_bytes_on_disk_give_wrong_records_or_a_panic(
        cuts in proptest::collection::vec((any::<u16>(), any::<u16>(), proptest::collection::vec(any::<u8>(), 0..30)), 0..4),
        entries in proptest::collection::vec((prop_oneof![0..9_u64, any::<u64>()], prop_oneof![0..200_u64, any::<u64>()]), 0..6),
        from in prop_oneof![0..9_u64, any::<u64>()],
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (mut bytes, records) = sample(dir.path());
        for (start, end, new) in cuts {
            let start = usize::from(start) % (bytes.len() + 1);
            let end = start + usize::from(end) % (bytes.len() - start + 1).min(20);
            bytes.splice(start..end, new);
        }
        let path = dir.path().join("t");
        std::fs::write(&path, &bytes).unwrap();
        let index: Vec<u8> = entries.into_iter().flat_map(|(number, offset)| entry(number, offset)).collect();
        std::fs::write(dir.path().join("t.index"), index).unwrap();
        if let Ok(journal) = Journal::open(&path) {
            let (all, _) = drain_blocking(journal.reader(from), from);
            let wanted = usize::try_from(from).ok().and_then(|from| records.get(from..)).unwrap_or_default();
            prop_assert!(all.len() <= wanted.len());
            prop_assert!(all.iter().eq(&wanted[..all.len()]));
        }
    }
}
