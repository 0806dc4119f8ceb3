use crossterm::event::{KeyCode, KeyModifiers};
use proptest::prelude::*;
use ratatui::style::Color;

use super::*;
use crate::term::guard::Terminal;
use crate::term::hostile;
use crate::tui::keymap::Key;

fn copy(rows: u16, cols: u16, output: &str) -> CopyMode {
    let mut terminal = Terminal::new(rows, cols, 100);
    terminal.feed(output.as_bytes());
    CopyMode::new(terminal.screen())
}

/// Types characters; `\r` is Enter, `\x1b` Escape, `^x` a key with Control.
fn keys(copy: &mut CopyMode, text: &str) -> Effect {
    let mut effect = Effect::Draw;
    let mut control = false;
    for c in text.chars() {
        let code = match c {
            '\r' => KeyCode::Enter,
            '\x1b' => KeyCode::Esc,
            '\x08' => KeyCode::Backspace,
            '\x10' => {
                control = true;
                continue;
            }
            c => KeyCode::Char(c),
        };
        let modifiers = match std::mem::take(&mut control) {
            true => KeyModifiers::CONTROL,
            false => KeyModifiers::NONE,
        };
        effect = copy.key(&KeyEvent::new(code, modifiers));
    }
    effect
}

/// Control, for the next character.
const C: &str = "\x10";

fn copied(copy: &mut CopyMode, text: &str) -> String {
    match keys(copy, text) {
        Effect::Copy(text) => text,
        other => panic!("{other:?}"),
    }
}

fn at(copy: &CopyMode) -> (usize, u16) {
    (copy.cursor.row, copy.cursor.col)
}

const TEXT: &str = "zero one\r\n  two.three  four\r\n\r\nfive 世界 six\r\nlast";

#[test]
fn moving_by_characters_and_rows() {
    let mut copy = copy(5, 20, TEXT);
    assert_eq!(at(&copy), (4, 3));
    for (typed, place) in [
        ("l", (4, 3)),
        ("h", (4, 2)),
        ("k", (3, 2)),
        ("$", (3, 12)),
        // Rows are as long as they are, and the end of the row stays wanted.
        ("k", (2, 0)),
        ("k", (1, 16)),
        ("0", (1, 0)),
        ("^", (1, 2)),
        ("g", (0, 0)),
        ("G", (4, 0)),
        ("H", (0, 0)),
        ("M", (2, 0)),
        ("L", (4, 0)),
        // A wide character is one step.
        ("k0lllll", (3, 5)),
        ("l", (3, 7)),
        ("l", (3, 9)),
        ("h", (3, 7)),
    ] {
        keys(&mut copy, typed);
        assert_eq!(at(&copy), place, "{typed}");
    }
}

#[test]
fn moving_by_words() {
    let mut copy = copy(5, 20, TEXT);
    keys(&mut copy, "g");
    let mut seen = Vec::new();
    for _ in 0..9 {
        keys(&mut copy, "w");
        seen.push(at(&copy));
    }
    let starts = [
        (0, 5),
        (1, 2),
        (1, 5),
        (1, 6),
        (1, 13),
        (3, 0),
        (3, 5),
        (3, 10),
        (4, 0),
    ];
    assert_eq!(seen, starts);
    for place in starts.iter().rev().skip(1) {
        keys(&mut copy, "b");
        assert_eq!(at(&copy), *place);
    }
    keys(&mut copy, "bbb");
    assert_eq!(at(&copy), (0, 0));
    let mut ends = Vec::new();
    for _ in 0..5 {
        keys(&mut copy, "e");
        ends.push(at(&copy));
    }
    assert_eq!(ends, [(0, 3), (0, 7), (1, 4), (1, 5), (1, 10)]);
}

#[test]
fn words_go_on_in_wrapped_rows() {
    let mut copy = copy(3, 5, "abcdefgh ij");
    keys(&mut copy, "gw");
    assert_eq!(at(&copy), (1, 4));
    keys(&mut copy, "b");
    assert_eq!(at(&copy), (0, 0));
    keys(&mut copy, "e");
    assert_eq!(at(&copy), (1, 2));
}

#[test]
fn characters_are_copied_as_lines() {
    let mut copy = copy(5, 20, TEXT);
    assert_eq!(copied(&mut copy, "gwvy"), "o");
    assert_eq!(
        copied(&mut copy, "\x1bgwvjjj0y"),
        "one\n  two.three  four\n\nf"
    );
    // Backward it is the same.
    assert_eq!(
        copied(&mut copy, "\x1bgwvjjj0oy"),
        "one\n  two.three  four\n\nf"
    );
    // A part of a wide character is all of it.
    assert_eq!(copied(&mut copy, "\x1bGk0lllllvly"), "世界");
}

#[test]
fn wrapped_rows_are_one_line_and_blanks_at_ends_are_left_out() {
    let mut wrapped = copy(4, 5, "abcdefghij\r\nkl   \r\nm");
    assert_eq!(copied(&mut wrapped, "gvGy"), "abcdefghij\nkl\nm");
    assert_eq!(copied(&mut wrapped, "\x1bggV\r"), "abcde");
    assert_eq!(copied(&mut wrapped, "\x1bgVjjy"), "abcdefghij\nkl");
    // Without a selection, the whole line is meant.
    assert_eq!(copied(&mut wrapped, "\x1bgjy"), "abcdefghij");
}

#[test]
fn a_block_is_a_rectangle() {
    let mut copy = copy(3, 10, "abcd\r\nx\r\n12世45");
    let typed = format!("gl{C}vGl");
    keys(&mut copy, &typed);
    assert_eq!(copy.selecting(), Some(Kind::Block));
    assert_eq!(copied(&mut copy, "ly"), "bcd\n\n2世");
}

#[test]
fn leaving() {
    let mut copy = copy(3, 10, "abc");
    assert_eq!(keys(&mut copy, "q"), Effect::Leave);
    assert_eq!(keys(&mut copy, "\x1b"), Effect::Leave);
    assert_eq!(keys(&mut copy, "\r"), Effect::Leave);
    let interrupt = format!("{C}c");
    assert_eq!(keys(&mut copy, &interrupt), Effect::Leave);
    // Escape ends the selection first, and the same key again, too.
    assert_eq!(keys(&mut copy, "v\x1b"), Effect::Draw);
    assert_eq!(keys(&mut copy, "vv"), Effect::Draw);
    assert_eq!(copy.selecting(), None);
    assert_eq!(keys(&mut copy, "vV"), Effect::Draw);
    assert_eq!(copy.selecting(), Some(Kind::Rows));
}

fn numbered(count: usize) -> String {
    let lines: Vec<String> = (0..count).map(|n| format!("line {n}")).collect();
    lines.join("\r\n")
}

fn top(copy: &CopyMode) -> String {
    let row = copy.screen().rows(0, 40).next().unwrap();
    row.trim_end().to_string()
}

#[test]
fn the_view_follows_the_cursor() {
    let mut copy = copy(4, 20, &numbered(30));
    assert_eq!(copy.position(), (0, 26));
    assert_eq!(top(&copy), "line 26");
    assert_eq!(copy.cursor(), (3, 6));
    keys(&mut copy, "g");
    assert_eq!((top(&copy).as_str(), copy.cursor()), ("line 0", (0, 0)));
    assert_eq!(copy.position(), (26, 26));
    for (typed, shown, cursor) in [
        ("j", "line 0", (1, 0)),
        ("\x10f", "line 4", (1, 0)),
        ("\x10d", "line 6", (1, 0)),
        ("\x10u", "line 4", (1, 0)),
        ("jjj", "line 5", (3, 0)),
        ("\x10b\x10b\x10b", "line 0", (0, 0)),
        ("G", "line 26", (3, 0)),
        ("\x10f", "line 26", (3, 0)),
    ] {
        keys(&mut copy, typed);
        assert_eq!(
            (top(&copy).as_str(), copy.cursor()),
            (shown, cursor),
            "{typed:?}"
        );
    }
    copy.scroll(3);
    assert_eq!((top(&copy).as_str(), copy.cursor()), ("line 23", (3, 0)));
    copy.scroll(-100);
    assert_eq!(top(&copy), "line 26");
}

#[test]
fn it_begins_where_the_person_was_looking() {
    let mut terminal = Terminal::new(4, 20, 100);
    terminal.feed(numbered(30).as_bytes());
    terminal.scroll_to(10);
    let copy = CopyMode::new(terminal.screen());
    assert_eq!((top(&copy).as_str(), copy.cursor()), ("line 16", (3, 0)));
    assert_eq!(copy.position(), (10, 26));
}

#[test]
fn searching() {
    let mut copy = copy(4, 20, &numbered(30));
    assert_eq!(keys(&mut copy, "g/line 1"), Effect::Draw);
    assert_eq!(
        copy.prompt().map(|prompt| prompt.text.as_str()),
        Some("line 1")
    );
    // The place is shown while typing.
    assert_eq!(at(&copy), (1, 0));
    assert_eq!(keys(&mut copy, "\r"), Effect::Draw);
    assert_eq!(copy.prompt(), None);
    assert_eq!(copy.matches(), Some((Some(1), 11)));
    keys(&mut copy, "n");
    assert_eq!(at(&copy), (10, 0));
    assert_eq!(copy.matches(), Some((Some(2), 11)));
    keys(&mut copy, "N");
    assert_eq!(at(&copy), (1, 0));
    assert_eq!(keys(&mut copy, "N"), Effect::Wrapped);
    assert_eq!(at(&copy), (19, 0));
    assert_eq!(keys(&mut copy, "n"), Effect::Wrapped);
    // The other way round.
    keys(&mut copy, "G?line 2\r");
    assert_eq!(at(&copy), (28, 0));
    keys(&mut copy, "n");
    assert_eq!(at(&copy), (27, 0));
    keys(&mut copy, "N");
    assert_eq!(at(&copy), (28, 0));
    assert_eq!(keys(&mut copy, "/nothing\r"), Effect::NotFound);
    assert_eq!(keys(&mut copy, "n"), Effect::NotFound);
    assert_eq!(copy.matches(), Some((None, 0)));
}

#[test]
fn a_search_given_up_leaves_things_as_they_were() {
    let mut copy = copy(4, 20, &numbered(30));
    let before = (at(&copy), top(&copy));
    keys(&mut copy, "?line 3");
    assert_eq!(at(&copy), (3, 0));
    keys(&mut copy, "\x1b");
    assert_eq!((at(&copy), top(&copy)), before);
    assert_eq!(copy.matches(), None);
    keys(&mut copy, "/a\x08\x08");
    assert_eq!(copy.prompt(), None);
    // An empty one repeats the last.
    keys(&mut copy, "g/line 2\r/\r");
    assert_eq!(at(&copy), (20, 0));
    keys(&mut copy, "/");
    copy.paste("line 7\nmore");
    assert_eq!(
        copy.prompt().map(|prompt| prompt.text.as_str()),
        Some("line 7")
    );
}

#[test]
fn small_letters_find_all_and_lines_are_whole() {
    let mut copy = copy(4, 5, "Error errors\r\n世界 a.b");
    keys(&mut copy, "g/error");
    assert_eq!(copy.matches(), Some((Some(2), 2)));
    let of = |copy: &CopyMode| copy.search.matches.clone();
    let place = |row, col| Place { row, col };
    let found = |start, end| Match { start, end };
    assert_eq!(
        of(&copy),
        [
            found(place(0, 0), place(0, 5)),
            found(place(1, 1), place(2, 1))
        ]
    );
    keys(&mut copy, "\x1bg/Error");
    assert_eq!(of(&copy).len(), 1);
    // Nothing in it is a pattern.
    keys(&mut copy, "\x1bg/.");
    assert_eq!(of(&copy), [found(place(4, 1), place(4, 2))]);
    keys(&mut copy, "\x1bg/界");
    assert_eq!(of(&copy), [found(place(3, 2), place(3, 4))]);
}

#[test]
fn the_mouse_selects_and_copies() {
    let mut copy = copy(4, 20, &(numbered(30) + " more"));
    // A click selects nothing.
    copy.press(0, 5, 1);
    assert_eq!(copy.release(), Effect::Draw);
    copy.press(0, 5, 1);
    copy.drag(1, 6, false);
    assert_eq!(copy.release(), Effect::Copy("26\nline 27".into()));
    // Above the view it scrolls.
    copy.press(1, 0, 1);
    copy.drag(-2, 5, false);
    assert_eq!(top(&copy), "line 24");
    assert_eq!(
        copy.release(),
        Effect::Copy("24\nline 25\nline 26\nl".into())
    );
    copy.press(0, 1, 1);
    copy.drag(1, 2, true);
    assert_eq!(copy.release(), Effect::Copy("in\nin".into()));
    copy.scroll(-10);
    copy.press(3, 9, 2);
    assert_eq!(copy.release(), Effect::Copy("more".into()));
    copy.press(3, 9, 3);
    assert_eq!(copy.release(), Effect::Copy("line 29 more".into()));
}

#[test]
fn marks_are_those_of_the_view() {
    let mut copy = copy(3, 10, "one two\r\ntwo\r\nthree two\r\nfour");
    let styles = Styles {
        selection: Style::new().bg(Color::Blue),
        found: Style::new().bg(Color::Yellow),
        current: Style::new().bg(Color::Red),
    };
    keys(&mut copy, "?two\r");
    let marked = |copy: &CopyMode| -> Vec<_> {
        let marks = copy.marks(&styles);
        marks
            .into_iter()
            .map(|m| (m.row, m.columns, m.style.bg.unwrap()))
            .collect()
    };
    assert_eq!(
        marked(&copy),
        [(0, 0..3, Color::Yellow), (1, 6..9, Color::Red)]
    );
    keys(&mut copy, "vk");
    assert_eq!(
        marked(&copy)[2..],
        [(0, 2..u16::MAX, Color::Blue), (1, 0..7, Color::Blue)]
    );
    keys(&mut copy, "V");
    assert_eq!(
        marked(&copy)[2..],
        [(0, 0..u16::MAX, Color::Blue), (1, 0..u16::MAX, Color::Blue)]
    );
}

#[test]
fn every_key_of_the_table_is_read_and_means_one_thing() {
    let mut known = Vec::new();
    for spec in COMMANDS {
        for text in spec.keys.split(' ') {
            let key = Key::parse(text).unwrap();
            assert!(!known.contains(&key), "{text}");
            known.push(key);
            let event = KeyEvent::new(key.code, key.modifiers);
            assert_eq!(Command::of(&event), Some(spec.command), "{text}");
        }
    }
    // What has a meaning of its own around the scrollback is not taken.
    for text in ["f1", "ctrl-a", "alt-v"] {
        let key = Key::parse(text).unwrap();
        let event = KeyEvent::new(key.code, key.modifiers);
        assert_eq!(Command::of(&event), None, "{text}");
    }
    let shifted = KeyEvent::new(KeyCode::Left, KeyModifiers::SHIFT);
    assert_eq!(Command::of(&shifted), Some(Command::Left));
}

#[test]
fn a_drag_beyond_the_view_moves_it_until_the_end() {
    let text: Vec<String> = (1..=20).map(|line| line.to_string()).collect();
    let mut copy = copy(4, 10, &text.join("\r\n"));
    assert!(!copy.drag_beyond(-1, 0), "no button is held");
    copy.press(2, 0, 1);
    assert!(copy.drag_beyond(-1, 0));
    assert_eq!(at(&copy), (15, 0));
    assert!(copy.drag_beyond(-3, 0));
    assert_eq!(at(&copy), (12, 0));
    while copy.drag_beyond(-8, 0) {}
    assert_eq!(at(&copy), (0, 0));
    assert!(copy.drag_beyond(2, 0));
    assert_eq!(at(&copy), (5, 0));
    while copy.drag_beyond(8, 0) {}
    assert_eq!(at(&copy), (19, 0));
    let Effect::Copy(text) = copy.release() else {
        panic!("nothing is selected");
    };
    assert_eq!(text, "19\n2");
}

#[test]
fn the_alternate_screen_is_all_there_is() {
    let mut copy = copy(2, 10, "1\r\n2\r\n3\r\n4\x1b[?1049h\x1b[Hvim");
    assert_eq!(copy.position(), (0, 0));
    assert_eq!(copied(&mut copy, "gVy"), "vim");
}

proptest! {
    #![proptest_config(hostile::config(200))]

    /// Rows as text have the characters of the cells, at their columns, whatever was written.
    #[test]
    fn rows_are_the_cells(stream in hostile::hostile(), grid in (1u16..8, 2u16..20)) {
        let mut terminal = Terminal::new(grid.0, grid.1, 30);
        terminal.feed(&stream);
        let mut copy = CopyMode::new(terminal.screen());
        prop_assert_eq!(copy.lines.len(), copy.rows + copy.screen.scrollback_len());
        for (row, line) in copy.lines.iter().enumerate() {
            copy.screen.set_scrollback(copy.lines.len() - copy.rows - row.min(copy.lines.len() - copy.rows));
            let shown = row.saturating_sub(copy.lines.len() - copy.rows) as u16;
            for cluster in clusters(&line.text).filter(|c| c.col < grid.1) {
                let cell = copy.screen.cell(shown, cluster.col).unwrap();
                let text = if cell.has_contents() { cell.contents() } else { " " };
                prop_assert_eq!(cluster.text, text);
                prop_assert_eq!(cluster.width, 1 + u16::from(cell.is_wide()));
            }
        }
    }
}
