use proptest::prelude::*;

use super::*;
use crate::term::hostile;

fn event(kind: MouseEventKind, column: u16, row: u16, modifiers: KeyModifiers) -> MouseEvent {
    MouseEvent {
        kind,
        column,
        row,
        modifiers,
    }
}

fn at(kind: MouseEventKind, column: u16, row: u16, mode: Mode, encoding: Encoding) -> String {
    let bytes = encode(
        &event(kind, column, row, KeyModifiers::NONE),
        mode,
        encoding,
    );
    bytes.escape_ascii().to_string()
}

const LEFT: MouseEventKind = MouseEventKind::Down(MouseButton::Left);
const RIGHT_UP: MouseEventKind = MouseEventKind::Up(MouseButton::Right);
const DRAG: MouseEventKind = MouseEventKind::Drag(MouseButton::Middle);

#[test]
fn each_mode_tells_what_it_should() {
    let all = [
        LEFT,
        RIGHT_UP,
        DRAG,
        MouseEventKind::Moved,
        MouseEventKind::ScrollUp,
        MouseEventKind::ScrollDown,
        MouseEventKind::ScrollLeft,
        MouseEventKind::ScrollRight,
    ];
    let told = |mode| all.map(|kind| at(kind, 0, 0, mode, Encoding::Sgr));
    assert!(told(Mode::None).iter().all(String::is_empty));
    let press = [r"\x1b[<0;1;1M", "", "", "", "", "", "", ""];
    assert_eq!(told(Mode::Press), press);
    let mut expected = [
        r"\x1b[<0;1;1M",
        r"\x1b[<2;1;1m",
        "",
        "",
        r"\x1b[<64;1;1M",
        r"\x1b[<65;1;1M",
        r"\x1b[<66;1;1M",
        r"\x1b[<67;1;1M",
    ];
    assert_eq!(told(Mode::PressRelease), expected);
    expected[2] = r"\x1b[<33;1;1M";
    assert_eq!(told(Mode::ButtonMotion), expected);
    expected[3] = r"\x1b[<35;1;1M";
    assert_eq!(told(Mode::AnyMotion), expected);
}

#[test]
fn each_encoding() {
    let mode = Mode::AnyMotion;
    assert_eq!(at(LEFT, 9, 4, mode, Encoding::Default), r"\x1b[M *%");
    assert_eq!(at(RIGHT_UP, 9, 4, mode, Encoding::Default), r"\x1b[M#*%");
    assert_eq!(at(DRAG, 0, 0, mode, Encoding::Default), r"\x1b[MA!!");
    assert_eq!(at(LEFT, 222, 0, mode, Encoding::Default), r"\x1b[M \xff!");
    assert_eq!(at(LEFT, 222, 0, mode, Encoding::Utf8), r"\x1b[M \xc3\xbf!");
    assert_eq!(at(LEFT, 94, 0, mode, Encoding::Utf8), r"\x1b[M \x7f!");
    assert_eq!(
        at(LEFT, 999, 300, mode, Encoding::Sgr),
        r"\x1b[<0;1000;301M"
    );
}

#[test]
fn a_button_never_stays_pressed_beyond_the_last_place() {
    let mode = Mode::ButtonMotion;
    for (encoding, last) in [
        (Encoding::Default, r"\xff\xff"),
        (Encoding::Utf8, r"\xdf\xbf\xdf\xbf"),
    ] {
        assert_eq!(at(LEFT, 4000, 0, mode, encoding), "");
        assert_eq!(at(LEFT, 0, 4000, mode, encoding), "");
        assert_eq!(
            at(RIGHT_UP, 4000, 4000, mode, encoding),
            format!(r"\x1b[M#{last}")
        );
        assert_eq!(
            at(DRAG, 4000, 4000, mode, encoding),
            format!(r"\x1b[MA{last}")
        );
    }
}

#[test]
fn held_keys_count_except_in_the_oldest_mode() {
    let all = KeyModifiers::SHIFT | KeyModifiers::ALT | KeyModifiers::CONTROL;
    let event = event(LEFT, 0, 0, all);
    assert_eq!(
        encode(&event, Mode::PressRelease, Encoding::Sgr),
        b"\x1b[<28;1;1M"
    );
    assert_eq!(encode(&event, Mode::Press, Encoding::Sgr), b"\x1b[<0;1;1M");
}

proptest! {
    #![proptest_config(hostile::config(1000))]

    #[test]
    fn always_a_whole_sequence(
        kind in proptest::sample::select(vec![
            LEFT, RIGHT_UP, DRAG, MouseEventKind::Moved, MouseEventKind::ScrollLeft,
        ]),
        place: (u16, u16),
        held: u8,
        mode in proptest::sample::select(vec![
            Mode::None, Mode::Press, Mode::PressRelease, Mode::ButtonMotion, Mode::AnyMotion,
        ]),
        encoding in proptest::sample::select(vec![Encoding::Default, Encoding::Utf8, Encoding::Sgr]),
    ) {
        let event = event(kind, place.0, place.1, KeyModifiers::from_bits_truncate(held));
        let bytes = encode(&event, mode, encoding);
        let form = match encoding {
            Encoding::Sgr => r"\A(?:\x1b\[<[0-9]+;[0-9]+;[0-9]+[Mm]|)\z",
            Encoding::Default => r"\A(?:\x1b\[M(?-u:[\x20-\xff]{3})|)\z",
            Encoding::Utf8 => r"\A(?:\x1b\[M[\x{20}-\x{7ff}]{3}|)\z",
        };
        let form = regex::bytes::Regex::new(form).unwrap();
        prop_assert!(form.is_match(&bytes), "{}", bytes.escape_ascii());
    }
}
