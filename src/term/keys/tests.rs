use crossterm::event::{MediaKeyCode, ModifierKeyCode};
use proptest::prelude::*;

use super::*;
use crate::term::hostile;

const PLAIN: Modes = Modes {
    application_cursor: false,
    application_keypad: false,
    bracketed_paste: false,
    focus_events: false,
    keyboard_flags: 0,
};

const SHIFT: KeyModifiers = KeyModifiers::SHIFT;
const ALT: KeyModifiers = KeyModifiers::ALT;
const CONTROL: KeyModifiers = KeyModifiers::CONTROL;
const NONE: KeyModifiers = KeyModifiers::NONE;

fn typed(code: KeyCode, modifiers: KeyModifiers, modes: Modes) -> String {
    bytes(&KeyEvent::new(code, modifiers), modes)
}

fn bytes(key: &KeyEvent, modes: Modes) -> String {
    encode(key, modes).escape_ascii().to_string()
}

/// What crossterm 0.29 reads from a terminal without the kitty protocol, byte for byte.
#[test]
fn a_plain_terminal_gets_back_what_it_sent() {
    let char = KeyCode::Char;
    let table: &[(KeyCode, KeyModifiers, &str)] = &[
        (char('a'), NONE, "a"),
        (char('A'), SHIFT, "A"),
        (char('é'), NONE, "\\xc3\\xa9"),
        (char('世'), NONE, "\\xe4\\xb8\\x96"),
        (char(' '), CONTROL, "\\x00"),
        (char('a'), CONTROL, "\\x01"),
        (char('c'), CONTROL, "\\x03"),
        (char('h'), CONTROL, "\\x08"),
        (char('j'), CONTROL, "\\n"),
        (char('z'), CONTROL, "\\x1a"),
        (char('4'), CONTROL, "\\x1c"),
        (char('5'), CONTROL, "\\x1d"),
        (char('6'), CONTROL, "\\x1e"),
        (char('7'), CONTROL, "\\x1f"),
        (char('x'), ALT, "\\x1bx"),
        (char('X'), ALT.union(SHIFT), "\\x1bX"),
        (char('a'), ALT.union(CONTROL), "\\x1b\\x01"),
        (char(' '), ALT, "\\x1b "),
        (KeyCode::Enter, NONE, "\\r"),
        (KeyCode::Enter, ALT, "\\x1b\\r"),
        (KeyCode::Tab, NONE, "\\t"),
        (KeyCode::BackTab, SHIFT, "\\x1b[Z"),
        (KeyCode::Backspace, NONE, "\\x7f"),
        (KeyCode::Backspace, ALT, "\\x1b\\x7f"),
        (KeyCode::Esc, NONE, "\\x1b"),
        (KeyCode::Esc, ALT, "\\x1b\\x1b"),
        (KeyCode::Up, NONE, "\\x1b[A"),
        (KeyCode::Down, NONE, "\\x1b[B"),
        (KeyCode::Right, NONE, "\\x1b[C"),
        (KeyCode::Left, NONE, "\\x1b[D"),
        (KeyCode::Home, NONE, "\\x1b[H"),
        (KeyCode::End, NONE, "\\x1b[F"),
        (KeyCode::Up, CONTROL, "\\x1b[1;5A"),
        (KeyCode::Left, ALT, "\\x1b[1;3D"),
        (KeyCode::Right, SHIFT.union(CONTROL), "\\x1b[1;6C"),
        (KeyCode::Home, SHIFT, "\\x1b[1;2H"),
        (KeyCode::End, ALT.union(SHIFT).union(CONTROL), "\\x1b[1;8F"),
        (KeyCode::Insert, NONE, "\\x1b[2~"),
        (KeyCode::Delete, NONE, "\\x1b[3~"),
        (KeyCode::Delete, CONTROL, "\\x1b[3;5~"),
        (KeyCode::PageUp, NONE, "\\x1b[5~"),
        (KeyCode::PageDown, SHIFT, "\\x1b[6;2~"),
        (KeyCode::F(1), NONE, "\\x1bOP"),
        (KeyCode::F(4), NONE, "\\x1bOS"),
        (KeyCode::F(1), SHIFT, "\\x1b[1;2P"),
        (KeyCode::F(5), NONE, "\\x1b[15~"),
        (KeyCode::F(6), NONE, "\\x1b[17~"),
        (KeyCode::F(10), NONE, "\\x1b[21~"),
        (KeyCode::F(11), NONE, "\\x1b[23~"),
        (KeyCode::F(12), CONTROL, "\\x1b[24;5~"),
    ];
    for (code, modifiers, expected) in table {
        assert_eq!(
            typed(*code, *modifiers, PLAIN),
            *expected,
            "{code:?} {modifiers:?}"
        );
    }
}

#[test]
fn keys_that_only_some_terminals_tell() {
    let char = KeyCode::Char;
    for (c, expected) in [
        ('@', "\\x00"),
        ('2', "\\x00"),
        ('[', "\\x1b"),
        ('\\', "\\x1c"),
        (']', "\\x1d"),
        ('^', "\\x1e"),
        ('_', "\\x1f"),
        ('/', "\\x1f"),
        ('?', "\\x7f"),
        ('A', "\\x01"),
        // Without a control character of their own.
        ('1', "1"),
        (';', ";"),
        ('é', "\\xc3\\xa9"),
    ] {
        assert_eq!(typed(char(c), CONTROL, PLAIN), expected, "{c}");
    }
    // The kitty protocol names the unshifted letter.
    assert_eq!(typed(char('a'), ALT | SHIFT, PLAIN), "\\x1bA");
    assert_eq!(typed(char('ß'), SHIFT, PLAIN), "\\xc3\\x9f");
    assert_eq!(typed(KeyCode::Tab, SHIFT, PLAIN), "\\x1b[Z");
    assert_eq!(typed(KeyCode::Backspace, CONTROL, PLAIN), "\\x08");
    assert_eq!(typed(KeyCode::Enter, CONTROL, PLAIN), "\\r");
    assert_eq!(typed(char('v'), KeyModifiers::SUPER, PLAIN), "");
    assert_eq!(typed(KeyCode::CapsLock, NONE, PLAIN), "");
    assert_eq!(typed(KeyCode::Menu, ALT, PLAIN), "");
}

/// kf13 to kf36 of terminfo's xterm-256color.
#[test]
fn function_keys_that_no_keyboard_has() {
    for (n, expected) in [
        (13, "\\x1b[1;2P"),
        (16, "\\x1b[1;2S"),
        (17, "\\x1b[15;2~"),
        (24, "\\x1b[24;2~"),
        (25, "\\x1b[1;5P"),
        (36, "\\x1b[24;5~"),
        (0, ""),
        (37, ""),
        (255, ""),
    ] {
        assert_eq!(typed(KeyCode::F(n), NONE, PLAIN), expected, "F{n}");
    }
}

#[test]
fn application_modes() {
    let modes = Modes {
        application_cursor: true,
        application_keypad: true,
        ..PLAIN
    };
    assert_eq!(typed(KeyCode::Up, NONE, modes), "\\x1bOA");
    assert_eq!(typed(KeyCode::Home, NONE, modes), "\\x1bOH");
    // With modifiers they stay as they are.
    assert_eq!(typed(KeyCode::Up, CONTROL, modes), "\\x1b[1;5A");
    assert_eq!(typed(KeyCode::PageUp, NONE, modes), "\\x1b[5~");
    // A digit of the main keyboard is a digit.
    assert_eq!(typed(KeyCode::Char('5'), NONE, modes), "5");
    let on_keypad = |code, state| {
        let key = KeyEvent::new_with_kind_and_state(code, NONE, KeyEventKind::Press, state);
        bytes(&key, modes)
    };
    let keypad = KeyEventState::KEYPAD;
    assert_eq!(on_keypad(KeyCode::Char('5'), keypad), "\\x1bOu");
    assert_eq!(on_keypad(KeyCode::Char('+'), keypad), "\\x1bOk");
    assert_eq!(on_keypad(KeyCode::Enter, keypad), "\\x1bOM");
    let locked = keypad | KeyEventState::NUM_LOCK;
    assert_eq!(on_keypad(KeyCode::Char('5'), locked), "5");
    assert_eq!(on_keypad(KeyCode::Up, keypad), "\\x1bOA");
}

#[test]
fn releases_are_for_those_who_asked() {
    let key = |kind| KeyEvent::new_with_kind(KeyCode::Up, NONE, kind);
    let with = |flags| Modes {
        keyboard_flags: flags,
        ..PLAIN
    };
    assert_eq!(bytes(&key(KeyEventKind::Repeat), PLAIN), "\\x1b[A");
    assert_eq!(bytes(&key(KeyEventKind::Release), PLAIN), "");
    assert_eq!(bytes(&key(KeyEventKind::Release), with(1)), "");
    assert_eq!(bytes(&key(KeyEventKind::Press), with(3)), "\\x1b[A");
    assert_eq!(bytes(&key(KeyEventKind::Repeat), with(3)), "\\x1b[1;1:2A");
    assert_eq!(bytes(&key(KeyEventKind::Release), with(3)), "\\x1b[1;1:3A");
    let enter = KeyEvent::new_with_kind(KeyCode::Enter, NONE, KeyEventKind::Release);
    assert_eq!(bytes(&enter, with(3)), "");
    assert_eq!(bytes(&enter, with(11)), "\\x1b[13;1:3u");
}

#[test]
fn the_kitty_protocol() {
    let char = KeyCode::Char;
    let table: &[(u16, KeyCode, KeyModifiers, &str)] = &[
        (1, char('a'), NONE, "a"),
        (1, char('A'), SHIFT, "A"),
        (1, char('a'), CONTROL, "\\x1b[97;5u"),
        (1, char('A'), CONTROL, "\\x1b[97;6u"),
        (1, char('a'), ALT, "\\x1b[97;3u"),
        (1, char('i'), CONTROL, "\\x1b[105;5u"),
        (1, char('v'), KeyModifiers::SUPER, "\\x1b[118;9u"),
        (1, char(' '), CONTROL, "\\x1b[32;5u"),
        (1, KeyCode::Esc, NONE, "\\x1b[27u"),
        (1, KeyCode::Enter, NONE, "\\r"),
        (1, KeyCode::Enter, SHIFT, "\\x1b[13;2u"),
        (1, KeyCode::Tab, CONTROL, "\\x1b[9;5u"),
        (1, KeyCode::BackTab, SHIFT, "\\x1b[9;2u"),
        (1, KeyCode::Backspace, NONE, "\\x7f"),
        (1, KeyCode::Backspace, CONTROL, "\\x1b[127;5u"),
        (1, KeyCode::Up, NONE, "\\x1b[A"),
        (1, KeyCode::Up, ALT, "\\x1b[1;3A"),
        (1, KeyCode::F(1), NONE, "\\x1b[P"),
        (1, KeyCode::F(3), NONE, "\\x1b[13~"),
        (1, KeyCode::F(3), SHIFT, "\\x1b[13;2~"),
        (1, KeyCode::F(5), NONE, "\\x1b[15~"),
        (1, KeyCode::F(13), NONE, "\\x1b[57376u"),
        (1, KeyCode::Delete, CONTROL, "\\x1b[3;5~"),
        (1, KeyCode::Menu, NONE, "\\x1b[57363u"),
        (1, KeyCode::Media(MediaKeyCode::Play), NONE, "\\x1b[57428u"),
        (2, char('a'), CONTROL, "\\x01"),
        (2, char('a'), ALT, "\\x1ba"),
        (2, KeyCode::Esc, NONE, "\\x1b"),
        (8, char('a'), NONE, "\\x1b[97u"),
        (8, char('A'), SHIFT, "\\x1b[97;2u"),
        (12, char('A'), SHIFT, "\\x1b[97:65;2u"),
        (24, char('a'), NONE, "\\x1b[97;;97u"),
        (24, char('A'), SHIFT, "\\x1b[97;2;65u"),
        (24, char('a'), CONTROL, "\\x1b[97;5u"),
        (8, KeyCode::Enter, NONE, "\\x1b[13u"),
        (8, KeyCode::Tab, NONE, "\\x1b[9u"),
    ];
    for (flags, code, modifiers, expected) in table {
        let modes = Modes {
            // Has no say here.
            application_cursor: true,
            keyboard_flags: *flags,
            ..PLAIN
        };
        assert_eq!(
            typed(*code, *modifiers, modes),
            *expected,
            "{flags} {code:?} {modifiers:?}"
        );
    }
}

#[test]
fn a_lone_modifier_is_told_to_those_who_want_every_key() {
    let key = KeyEvent::new(KeyCode::Modifier(ModifierKeyCode::LeftShift), SHIFT);
    let with = |keyboard_flags| Modes {
        keyboard_flags,
        ..PLAIN
    };
    assert_eq!(bytes(&key, with(1)), "");
    assert_eq!(bytes(&key, with(9)), "\\x1b[57441;2u");
}

#[test]
fn pasted_text_cannot_press_keys() {
    let text = "a\tb\nc\r\nd\x1b[201~rm\x03\u{9b}x\x7fé";
    let bracketed = Modes {
        bracketed_paste: true,
        ..PLAIN
    };
    let shown = |modes| paste(text, modes).escape_ascii().to_string();
    assert_eq!(
        shown(bracketed),
        "\\x1b[200~a\\tb\\nc\\r\\nd[201~rmx\\xc3\\xa9\\x1b[201~"
    );
    assert_eq!(shown(PLAIN), "a\\tb\\rc\\rd[201~rmx\\xc3\\xa9");
}

#[test]
fn focus_is_told_on_request() {
    let modes = Modes {
        focus_events: true,
        ..PLAIN
    };
    assert_eq!(focus(true, PLAIN), b"");
    assert_eq!(focus(true, modes), b"\x1b[I");
    assert_eq!(focus(false, modes), b"\x1b[O");
}

#[test]
fn modes_are_those_of_the_program() {
    let mut terminal = Terminal::new(4, 10, 0);
    assert_eq!(Modes::of(&terminal), PLAIN);
    terminal.feed(b"\x1b[?1h\x1b=\x1b[?2004h\x1b[?1004h\x1b[>5u");
    let all = Modes {
        application_cursor: true,
        application_keypad: true,
        bracketed_paste: true,
        focus_events: true,
        keyboard_flags: 5,
    };
    assert_eq!(Modes::of(&terminal), all);
}

fn codes() -> impl Strategy<Value = KeyCode> {
    let modifiers = vec![
        ModifierKeyCode::LeftShift,
        ModifierKeyCode::RightMeta,
        ModifierKeyCode::IsoLevel5Shift,
    ];
    prop_oneof![
        any::<char>().prop_map(KeyCode::Char),
        proptest::char::range(' ', '~').prop_map(KeyCode::Char),
        any::<u8>().prop_map(KeyCode::F),
        proptest::sample::select(modifiers).prop_map(KeyCode::Modifier),
        proptest::sample::select(vec![
            KeyCode::Backspace,
            KeyCode::Enter,
            KeyCode::Left,
            KeyCode::Home,
            KeyCode::PageUp,
            KeyCode::Tab,
            KeyCode::BackTab,
            KeyCode::Delete,
            KeyCode::Insert,
            KeyCode::Null,
            KeyCode::Esc,
            KeyCode::CapsLock,
            KeyCode::Pause,
            KeyCode::KeypadBegin,
            KeyCode::Media(MediaKeyCode::MuteVolume),
        ]),
    ]
}

fn events() -> impl Strategy<Value = KeyEvent> {
    let kinds = proptest::sample::select(vec![
        KeyEventKind::Press,
        KeyEventKind::Repeat,
        KeyEventKind::Release,
    ]);
    (codes(), any::<u8>(), kinds, any::<u8>()).prop_map(|(code, modifiers, kind, state)| {
        KeyEvent::new_with_kind_and_state(
            code,
            KeyModifiers::from_bits_truncate(modifiers),
            kind,
            KeyEventState::from_bits_truncate(state),
        )
    })
}

fn modes() -> impl Strategy<Value = Modes> {
    (any::<[bool; 4]>(), 0u16..32).prop_map(|([a, b, c, d], keyboard_flags)| Modes {
        application_cursor: a,
        application_keypad: b,
        bracketed_paste: c,
        focus_events: d,
        keyboard_flags,
    })
}

proptest! {
    #![proptest_config(hostile::config(3000))]

    /// Nothing, or exactly one key: a character, a control character or a complete sequence, with Escape before
    /// it or not.
    #[test]
    fn one_key_is_one_sequence(key in events(), modes in modes()) {
        let valid = regex::bytes::Regex::new(
            r"\A(?s-u:\x1b?(?:[\x00-\x7f]|[\xc2-\xf4][\x80-\xbf]{1,3}|\x1bO[A-Za-z]|\x1b\[[0-9;:]*[A-Za-z~])|)\z",
        )
        .unwrap();
        let bytes = encode(&key, modes);
        prop_assert!(valid.is_match(&bytes), "{}", bytes.escape_ascii());
        if key.kind == KeyEventKind::Release && modes.keyboard_flags & 2 == 0 {
            prop_assert!(bytes.is_empty());
        }
    }

    #[test]
    fn no_paste_gets_out_of_its_brackets(text: String, modes in modes()) {
        let bytes = paste(&text, modes);
        let inner = match modes.bracketed_paste {
            true => bytes.strip_prefix(b"\x1b[200~").and_then(|b| b.strip_suffix(b"\x1b[201~")).unwrap(),
            false => &bytes[..],
        };
        let inner = std::str::from_utf8(inner).unwrap();
        prop_assert!(inner.chars().all(|c| !c.is_control() || matches!(c, '\t' | '\n' | '\r')));
        let kept = |c: &char| !c.is_control();
        prop_assert!(inner.chars().filter(kept).eq(text.chars().filter(kept)));
    }
}
