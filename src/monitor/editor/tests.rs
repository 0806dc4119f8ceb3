use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;

use super::*;

/// Types `keys`; the events.
fn type_into(editor: &mut Editor, keys: &[u8]) -> Vec<Event> {
    let mut events = Vec::new();
    for &key in keys {
        let event = editor.push(key);
        if matches!(event, Some(Event::Line(_))) {
            editor.clear();
        }
        events.extend(event);
    }
    events
}

fn edited(keys: &[u8]) -> String {
    let mut editor = Editor::new(None);
    assert_eq!(type_into(&mut editor, keys), []);
    editor.line().0.to_owned()
}

fn line(text: &str) -> Event {
    Event::Line(text.to_owned())
}

#[test]
fn a_line_is_edited_as_everywhere() {
    let table: &[(&[u8], &str)] = &[
        (b"ls -l", "ls -l"),
        (b"lx\x7fs", "ls"),
        (b"ist\x1b[Hl", "list"),
        (b"st\x01li\x05!", "list!"),
        (b"one two\x17", "one "),
        (b"one two\x15", ""),
        (b"one two\x1bb\x0b", "one "),
        (b"one two\x17\x19\x19", "one twotwo"),
        (b"ab\x14", "ba"),
        (b"abc\x1b[D\x1b[D\x1b[3~", "ac"),
        (b"\x1b[Z\x00\x02", ""),
        ("h\u{202e}é".as_bytes(), "hé"),
    ];
    for (keys, expected) in table {
        assert_eq!(edited(keys), *expected, "{keys:?}");
    }
}

#[test]
fn keys_that_end_a_line() {
    let mut editor = Editor::new(None);
    assert_eq!(
        type_into(&mut editor, b"ps\rexec sh\n"),
        [line("ps"), line("exec sh")]
    );
    assert_eq!(type_into(&mut editor, b"x\x03"), [Event::Interrupt]);
    // What an interrupt means, only the prompt knows.
    assert_eq!(editor.line().0, "x");
    editor.clear();
    assert_eq!(type_into(&mut editor, b"\x04"), [Event::End]);
    assert_eq!(type_into(&mut editor, b"x\x02\x04"), []);
    assert!(editor.is_empty());
    assert_eq!(
        type_into(&mut editor, b"\t\x0c\x1a"),
        [Event::Complete, Event::Clear, Event::Suspend]
    );
}

#[test]
fn history_is_walked_and_searched() {
    let mut editor = Editor::new(None);
    for line in ["list", "exec ls", "ps", "ps", "  ", "exec sh"] {
        editor.remember(line);
    }
    type_into(&mut editor, b"new\x1b[A");
    assert_eq!(editor.line().0, "exec sh");
    type_into(&mut editor, b"\x10\x10\x10\x10");
    assert_eq!(editor.line().0, "list");
    type_into(&mut editor, b"\x0e\x0e\x0e\x1b[B\x1b[B");
    assert_eq!(editor.line().0, "new");
    type_into(&mut editor, b"\x12ec");
    assert_eq!(editor.line().0, "exec sh");
    assert!(
        editor
            .draw("(buildx) ", 80)
            .contains("(history) ec: exec sh")
    );
    type_into(&mut editor, b"\x12");
    assert_eq!(editor.line().0, "exec ls");
    assert_eq!(type_into(&mut editor, b"\r"), [line("exec ls")]);
    type_into(&mut editor, b"draft\x12lis\x07");
    assert_eq!(editor.line().0, "draft");
}

#[test]
fn history_outlives_the_run_in_a_private_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("history");
    let mut first = Editor::new(Some(&file));
    let mut second = Editor::new(Some(&file));
    first.remember("one \\ two");
    second.remember("three");
    first.remember("four");
    first.remember("\x1b[2J");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut third = Editor::new(Some(&file));
    let mut lines = Vec::new();
    for _ in 0..4 {
        type_into(&mut third, b"\x10");
        lines.push(third.line().0.to_owned());
    }
    assert_eq!(lines, ["four", "three", "one \\ two", "one \\ two"]);
}

#[test]
fn history_is_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("history");
    let mut editor = Editor::new(Some(&file));
    for n in 0..history::KEPT + 50 {
        editor.remember(&format!("line {n}"));
    }
    let text = std::fs::read_to_string(&file).unwrap();
    // One line says the version of the format.
    assert_eq!(text.lines().count(), history::KEPT + 1);
    assert!(text.ends_with(&format!("line {}\n", history::KEPT + 49)));
}

#[test]
fn long_lines_are_shown_around_the_cursor() {
    let mut editor = Editor::new(None);
    type_into(&mut editor, "0123456789漢字".as_bytes());
    assert_eq!(editor.draw("> ", 80), "\r> 0123456789漢字\x1b[K\r\x1b[16C");
    assert_eq!(editor.draw("> ", 12), "\r> 56789漢字\x1b[K\r\x1b[11C");
    type_into(&mut editor, b"\x01");
    assert_eq!(editor.draw("> ", 12), "\r> 012345678\x1b[K\r\x1b[2C");
    assert_eq!(editor.draw("(buildx) ", 0), "\r0\x1b[K\r");
    type_into(&mut editor, &[b'x'; 2 * LONGEST]);
    assert_eq!(editor.line().0.len(), LONGEST);
}

#[test]
fn completion_replaces_the_word_before_the_cursor() {
    let mut editor = Editor::new(None);
    type_into(&mut editor, b"attach ab x\x02\x02");
    editor.complete(7, "abcd");
    assert_eq!(editor.line(), ("attach abcd x", 11));
    editor.complete(99, "never");
    assert_eq!(editor.line().0, "attach abcd x");
}

proptest! {
    #[test]
    fn any_keys_and_any_width_do_no_harm(keys: Vec<u8>, cols in 0..50_usize) {
        let mut editor = Editor::new(None);
        editor.remember("exec ls é漢");
        for key in keys {
            editor.push(key);
            let drawn = editor.draw("(buildx) ", cols);
            let text = drawn.replace("\x1b[K", "");
            let text = text.strip_prefix('\r').unwrap();
            let (shown, _) = text.split_once('\r').unwrap();
            prop_assert!(!shown.chars().any(char::is_control), "{shown:?}");
        }
    }
}
