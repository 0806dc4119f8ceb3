use super::*;
use proptest::prelude::*;

const NONCE: &str = "0123456789abcdefghijklmno";

fn report(text: &str) -> Vec<u8> {
    format!("\x1b_{NONCE};{text}\x1b\\").into_bytes()
}

/// Output and reports of bytes that come cut at `cuts`.
fn taken(bytes: &[u8], cuts: &[usize]) -> (Vec<u8>, Vec<String>) {
    let mut reports = Reports::new(NONCE);
    let (mut output, mut texts) = (Vec::new(), Vec::new());
    let mut rest = bytes;
    for cut in cuts.iter().copied().chain([usize::MAX]) {
        let (chunk, after) = rest.split_at(cut.min(rest.len()));
        rest = after;
        for piece in reports.push(Bytes::copy_from_slice(chunk)) {
            match piece {
                Piece::Output(bytes) => output.extend(bytes),
                Piece::Report(text) => texts.push(text),
            }
        }
    }
    output.extend(reports.finish());
    (output, texts)
}

#[test]
fn reports_are_taken_out_of_the_output() {
    let bytes = [
        &report("s;7;5"),
        b"hello\x1b[31m".as_slice(),
        &report("e;0"),
    ]
    .concat();
    let (output, texts) = taken(&bytes, &[]);
    assert_eq!(output, b"hello\x1b[31m");
    assert_eq!(texts, ["s;7;5", "e;0"]);
}

#[test]
fn what_only_looks_like_a_report_is_output() {
    let other = NONCE.replace('0', "1");
    let long = "x".repeat(LONGEST + 1);
    for bytes in [
        format!("\x1b_{other};e;0\x1b\\"),
        format!("\x1b_{NONCE}e;0\x1b\\"),
        format!("\x1b_{NONCE};e 0\x1b\\"),
        format!("\x1b_{NONCE};e;0\\"),
        format!("\x1b_{NONCE};{long}\x1b\\"),
        format!("\x1b\x1b_{NONCE}"),
        "\x1b".to_owned(),
    ] {
        let (output, texts) = taken(bytes.as_bytes(), &[]);
        assert_eq!(output, bytes.as_bytes());
        assert!(texts.is_empty(), "{bytes:?}");
    }
}

#[test]
fn only_what_may_become_a_report_waits() {
    let mut reports = Reports::new(NONCE);
    let pieces = reports.push(Bytes::from_static(b"$ \x1b[1"));
    assert_eq!(pieces, [Piece::Output(Bytes::from_static(b"$ \x1b[1"))]);
    let pieces = reports.push(Bytes::from_static(b"x\x1b_01"));
    assert_eq!(pieces, [Piece::Output(Bytes::from_static(b"x"))]);
    let pieces = reports.push(Bytes::from_static(b"x"));
    assert_eq!(pieces, [Piece::Output(Bytes::from_static(b"\x1b_01x"))]);
}

fn part() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..20),
        Just(b"\x1b".to_vec()),
        Just(b"\x1b_".to_vec()),
        (0..NONCE.len() + 3).prop_map(|cut| report("e;1")[..cut].to_vec()),
    ]
}

proptest! {
    #[test]
    fn any_cut_gives_the_same(
        parts in proptest::collection::vec((part(), proptest::option::of("[a-z;0-9]{0,12}")), 0..8),
        cuts in proptest::collection::vec(0usize..20, 0..20),
    ) {
        let (mut bytes, mut output, mut texts) = (Vec::new(), Vec::new(), Vec::new());
        for (noise, text) in parts {
            bytes.extend(&noise);
            output.extend(&noise);
            if let Some(text) = text {
                bytes.extend(report(&text));
                texts.push(text);
            }
        }
        let whole = taken(&bytes, &[]);
        prop_assert_eq!(&whole, &taken(&bytes, &cuts));
        prop_assert_eq!(whole, (output, texts));
    }
}
