use proptest::prelude::*;

use super::*;
use crate::term::hostile;

/// Items as text, one a line; neighbouring texts in one.
#[derive(Default)]
struct Seen(Vec<String>);

impl Sink for Seen {
    fn item(&mut self, item: Item<'_>) {
        let line = match item {
            Item::Text(text) => {
                if let Some(last) = self.0.last_mut()
                    && last.starts_with("text ")
                {
                    return last.push_str(text);
                }
                format!("text {text}")
            }
            Item::Invalid => "invalid".into(),
            Item::Control(byte) => format!("control {byte:02x}"),
            Item::Escape(intermediate, last) => {
                let intermediate = intermediate.map(char::from);
                format!("escape {intermediate:?} {}", char::from(last))
            }
            Item::Csi(csi) => {
                let groups: Vec<&[u16]> = csi.groups().collect();
                let (private, intermediate) = (
                    csi.private.map(char::from),
                    csi.intermediate.map(char::from),
                );
                format!(
                    "csi {private:?} {groups:?} {intermediate:?} {}",
                    char::from(csi.last)
                )
            }
            Item::Osc(command, terminator) => {
                format!("osc {} {terminator:?}", String::from_utf8_lossy(command))
            }
        };
        self.0.push(line);
    }
}

fn seen(stream: &[u8]) -> Vec<String> {
    let mut seen = Seen::default();
    Reader::default().push(stream, &mut seen);
    seen.0
}

#[test]
fn a_stream_is_taken_apart() {
    let table: &[(&str, &[&str])] = &[
        ("grüße\r\n", &["text grüße", "control 0d", "control 0a"]),
        ("\x1b[m", &["csi None [] None m"]),
        ("\x1b[;m", &["csi None [[0], [0]] None m"]),
        ("\x1b[38:5:1;4m", &["csi None [[38, 5, 1], [4]] None m"]),
        ("\x1b[?25h", &["csi Some('?') [[25]] None h"]),
        ("\x1b[5 q", &["csi None [[5]] Some(' ') q"]),
        ("\x1b[99999999H", &["csi None [[65535]] None H"]),
        ("\x1b7\x1b(0", &["escape None 7", "escape Some('(') 0"]),
        // Controls within a sequence are obeyed at once.
        ("\x1b[3\n1m", &["control 0a", "csi None [[31]] None m"]),
        // CAN ends a sequence, ESC begins another.
        ("\x1b[3\x18m", &["text m"]),
        ("\x1b[3\x1b[1m", &["csi None [[1]] None m"]),
        // Nobody understands these.
        ("\x1b[1?5hx", &["text x"]),
        ("\x1b[ !px", &["text x"]),
        ("\x1b  Fx", &["text x"]),
        ("\x1b]0;a;b\x07x", &["osc 0;a;b Bell", "text x"]),
        ("\x1b]0;a\x1b\\x", &["osc 0;a String", "text x"]),
        ("\x1b]0;a\x1b[mx", &["csi None [] None m", "text x"]),
        ("\x1b]0;a\x18x", &["text x"]),
        (
            "\x1bP1$r\x07q\x1b\\\x1b_a\x1b\\\x1b^b\x1b\\\x1bXc\x1b\\x",
            &["text x"],
        ),
        ("a\x7fb", &["text ab"]),
    ];
    for (stream, items) in table {
        assert_eq!(&seen(stream.as_bytes()), items, "{stream:?}");
    }
    assert_eq!(
        seen(b"a\xff\xe2\x82b"),
        ["text a", "invalid", "invalid", "text b"]
    );
    assert_eq!(seen(b"\xe2\x82\x1b7"), ["invalid", "escape None 7"]);
}

#[test]
fn parameters_beyond_the_bound_are_ignored() {
    let many = format!("\x1b[{}7m", "1;".repeat(100_000));
    let items = seen(many.as_bytes());
    assert_eq!(items.len(), 1);
    assert_eq!(items.concat().matches('1').count(), MAX_PARAMETERS);
}

#[test]
fn an_endless_string_is_forgotten_at_the_bound() {
    for introducer in ["\x1b]0;", "\x1bP", "\x1b_", "\x1b^", "\x1bX"] {
        let mut reader = Reader::default();
        let mut seen = Seen::default();
        reader.push(introducer.as_bytes(), &mut seen);
        for _ in 0..MAX_STRING / 1024 - 1 {
            reader.push(&[b'x'; 1024], &mut seen);
        }
        assert!(seen.0.is_empty(), "{introducer:?}");
        assert!(reader.string.capacity() <= 2 * MAX_STRING);
        reader.push(&[b'y'; 2048], &mut seen);
        reader.push(b"\x07", &mut seen);
        let text = seen.0.concat();
        assert!(
            text.starts_with("text yyyy") && text.ends_with("control 07"),
            "{introducer:?}"
        );
        assert!(reader.string.capacity() <= 1024);
    }
}

#[test]
fn bytes_that_are_no_text_take_linear_time() {
    // Quadratic, this would take a minute.
    assert_eq!(seen(&[0xff; 1 << 18]).len(), 1 << 18);
}

#[test]
fn colours_are_written_in_one_form() {
    let rewritten = |stream: &str| {
        struct Rewritten(Vec<u8>, Vec<sgr::Outcome>);
        impl Sink for Rewritten {
            fn item(&mut self, item: Item<'_>) {
                if let Item::Csi(csi) = item {
                    self.1.push(sgr::write(csi, |code| code != 8, &mut self.0));
                }
            }
        }
        let mut out = Rewritten(Vec::new(), Vec::new());
        Reader::default().push(stream.as_bytes(), &mut out);
        (String::from_utf8(out.0).unwrap(), out.1[0])
    };
    use sgr::Outcome::{Nothing, Reset, Styled};
    let table = [
        ("\x1b[m", "\x1b[m", Reset),
        ("\x1b[1;0m", "\x1b[1;0m", Reset),
        ("\x1b[0;1;31m", "\x1b[0;1;31m", Styled),
        ("\x1b[38;5;9;1m", "\x1b[38;5;9;1m", Styled),
        ("\x1b[48;2;1;2;3m", "\x1b[48;2;1;2;3m", Styled),
        ("\x1b[38:2::1:2:3m", "\x1b[38;2;1;2;3m", Styled),
        ("\x1b[38:2:1:2:3;4:3m", "\x1b[38;2;1;2;3;4m", Styled),
        ("\x1b[4:0m", "\x1b[24m", Styled),
        ("\x1b[21m", "\x1b[4m", Styled),
        ("\x1b[58;5;1;7m", "\x1b[7m", Styled),
        ("\x1b[58:2::1:2:3m", "", Nothing),
        ("\x1b[38;2;1m", "", Nothing),
        ("\x1b[38;5;256;1m", "\x1b[1m", Styled),
        ("\x1b[8m", "", Nothing),
    ];
    for (stream, written, outcome) in table {
        assert_eq!(
            rewritten(stream),
            (written.to_string(), outcome),
            "{stream:?}"
        );
    }
}

#[test]
fn the_clipboard_takes_whole_texts_only() {
    assert_eq!(osc::clipboard(b"c;aGFsbG8="), Some(b"hallo".to_vec()));
    assert_eq!(osc::clipboard(b";aGFsbG8"), Some(b"hallo".to_vec()));
    for refused in [
        &b"c;?"[..],
        b"c;",
        b"c",
        b"x;aGFsbG8=",
        b"c;a%b",
        b"c;aGFsbG8=;",
    ] {
        assert_eq!(osc::clipboard(refused), None);
    }
    let encode = |n: usize| {
        let text =
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD, vec![b'x'; n]);
        osc::clipboard(format!("c;{text}").as_bytes()).map(|text| text.len())
    };
    assert_eq!(encode(osc::MAX_CLIPBOARD), Some(osc::MAX_CLIPBOARD));
    assert_eq!(encode(osc::MAX_CLIPBOARD + 1), None);
}

#[test]
fn titles_are_harmless_and_short() {
    assert_eq!(osc::title("vim\u{202e}".as_bytes()), "vim\\u{202e}");
    assert_eq!(osc::title(b"\xff"), "\u{fffd}");
    assert_eq!(osc::title(&[b'x'; 100_000]).len(), 256);
    assert_eq!(
        osc::title("世".repeat(1000).as_bytes()).chars().count(),
        256
    );
}

proptest! {
    #![proptest_config(hostile::config(150))]

    #[test]
    fn chunks_make_no_difference(stream in hostile::hostile(), cuts in hostile::cuts()) {
        let mut pieces = Seen::default();
        let mut reader = Reader::default();
        for piece in hostile::cut(&stream, &cuts) {
            reader.push(&piece, &mut pieces);
        }
        prop_assert_eq!(pieces.0, seen(&stream));
    }

    /// What is unfinished brings another reader to the same state.
    #[test]
    fn another_reader_goes_on(stream in hostile::hostile(), at: proptest::sample::Index) {
        let (before, after) = stream.split_at(at.index(stream.len() + 1));
        let mut whole = Seen::default();
        let mut reader = Reader::default();
        reader.push(before, &mut whole);
        let mut other = Reader::default();
        let mut nothing = Seen::default();
        other.push(&reader.unfinished(), &mut nothing);
        prop_assert!(nothing.0.is_empty());
        let mut expected = Seen::default();
        reader.push(after, &mut expected);
        let mut found = Seen::default();
        other.push(after, &mut found);
        prop_assert_eq!(found.0, expected.0);
    }
}

#[test]
fn numbers_are_written_in_digits() {
    for number in [0, 7, 10, 99, 100, 1000, 9999, 10_000, u16::MAX] {
        let mut out = Vec::new();
        digits(number, &mut out);
        assert_eq!(out, number.to_string().as_bytes());
    }
}
