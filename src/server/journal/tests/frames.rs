use super::*;

#[test]
fn frames_are_the_records_from_any_place() {
    let dir = tempfile::tempdir().unwrap();
    let journal = finished(&dir.path().join("t"), 2000);
    for from in [0, 1, 999, 1999, 2000, 3000] {
        let mut frames = journal.frames(from).unwrap();
        for number in from..2000 {
            assert_eq!(frames.number(), number);
            let expected = record(number, length(number));
            assert_eq!(frames.record().unwrap(), Some(expected.as_slice()));
        }
        assert_eq!(frames.record().unwrap(), None);
        assert_eq!(frames.record().unwrap(), None);
    }
    // Near and far ahead, never back.
    let mut frames = journal.frames(3).unwrap();
    for number in [5u64, 6, 700, 1500, 1501, 1400] {
        frames.skip_to(number).unwrap();
        let number = frames.number();
        let expected = record(number, length(number));
        assert_eq!(frames.record().unwrap(), Some(expected.as_slice()));
    }
    assert_eq!(frames.number(), 1503);
}

#[test]
fn damage_is_told_unless_the_content_is_trusted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t");
    let (mut writer, journal) = Journal::create(&path).unwrap();
    writer.append_batch([[1; 100], [2; 100]]).unwrap();
    writer.finish().unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let second = bytes.len() - 12 - 50;
    bytes[second] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let mut frames = journal.frames(0).unwrap();
    assert!(frames.record().unwrap().is_some());
    let error = frames.record().unwrap_err();
    assert!(error.to_string().contains("record 1 at byte"), "{error}");
    let mut frames = journal.frames(1).unwrap().trusting();
    assert_eq!(frames.record().unwrap().map(<[u8]>::len), Some(100));
    // The file is shorter than it was.
    std::fs::write(&path, &bytes[..second]).unwrap();
    let error = journal.frames(1).unwrap_err();
    assert!(error.to_string().contains("is missing"), "{error}");
}
