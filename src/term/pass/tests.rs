use std::sync::LazyLock;

use proptest::prelude::*;
use regex::Regex;

use super::*;
use crate::term::guard::Terminal;
use crate::term::hostile;

fn passed(stream: &[u8]) -> String {
    let mut out = Vec::new();
    Pass::new().feed(stream, &mut out);
    String::from_utf8(out).unwrap()
}

/// The only sequences that may reach the user's terminal, written down a second time.
static ALLOWED: LazyLock<Regex> = LazyLock::new(|| {
    let number = "(?:[0-9]{1,3}|1000)?";
    let colour =
        "(?:[0-9]|[1-9][0-9]|10[0-7]|[34]8;5;[0-9]{1,3}|[34]8;2;[0-9]{1,3};[0-9]{1,3};[0-9]{1,3})";
    let modes = "1|6|7|9|12|25|47|1000|1002|1003|1004|1005|1006|1015|1047|1049|2004|2026";
    Regex::new(&format!(
        "^(?:{})",
        [
            "[\\x07\\x08\\t\\n\\r]",
            "\x1b[78=>MDE]",
            &format!("\x1b\\[{number}[A-HILMPSTXZ@`a-f]"),
            &format!("\x1b\\[{number};{number}[Hfr]"),
            &format!("\x1b\\[{number}r"),
            "\x1b\\[[0-2]?[JK]",
            &format!("\x1b\\[(?:{colour}(?:;{colour})*)?m"),
            &format!("\x1b\\[\\?(?:{modes})[hl]"),
            "\x1b\\[[0-6] q",
            "\x1b\\[!p",
            "\x1b\\[2[23];2t",
            "\x1b\\]2;[^\\x00-\\x1f\\x7f-\\x9f]{0,256}\x07",
        ]
        .join("|")
    ))
    .unwrap()
});

/// The first place of an output that is not allowed.
fn forbidden(output: &str) -> Option<&str> {
    let mut rest = output;
    while let Some(c) = rest.chars().next() {
        let length = match ALLOWED.find(rest) {
            Some(found) => found.len(),
            None if c.is_control() || is_hidden(c) || ('\u{fe0e}'..='\u{fe0f}').contains(&c) => {
                return Some(rest);
            }
            None => c.len_utf8(),
        };
        rest = &rest[length..];
    }
    None
}

#[test]
fn what_is_understood_passes_in_one_form() {
    let table = [
        ("grüße 世界\r\n\t\x08\x07", "grüße 世界\r\n\t\x08\x07"),
        ("\x0b\x0c", "\n\n"),
        ("\x1b[0001;02H\x1b[;5H\x1b[3;H", "\x1b[1;2H\x1b[1;5H\x1b[3H"),
        (
            "\x1b[5A\x1b[A\x1b[0A\x1b[99999A",
            "\x1b[5A\x1b[A\x1b[A\x1b[1000A",
        ),
        ("\x1b[2;5r\x1b[r", "\x1b[2;5r\x1b[r"),
        ("\x1b[2J\x1b[K\x1b[?1K", "\x1b[2J\x1b[K\x1b[1K"),
        ("\x1b[1;38:2::1:2:3;8m", "\x1b[1;38;2;1;2;3m"),
        (
            "\x1b[?1049;25h\x1b[?2004l",
            "\x1b[?1049h\x1b[?25h\x1b[?2004l",
        ),
        ("\x1b[?66h\x1b[?66l\x1b=\x1b>", "\x1b=\x1b>\x1b=\x1b>"),
        ("\x1b[s\x1b[u\x1b[?1048h\x1b[?1048l", "\x1b7\x1b8\x1b7\x1b8"),
        ("\x1b(0lqk\x1b(Blqk\x1b)0\x0ex\x0fx", "┌─┐lqk│x"),
        ("\x1b[3 q\x1b[!p", "\x1b[3 q\x1b[!p"),
        (
            "\x1b]0;a\x07\x1b]2;b\x1b\\",
            "\x1b[22;2t\x1b]2;a\x07\x1b]2;b\x07",
        ),
        ("\x1b]0;\u{202e}x\x07", "\x1b[22;2t\x1b]2;\\u{202e}x\x07"),
        (
            "a\u{202e}b\u{9b}31m\u{feff}",
            "a\\u{202e}b\\u{9b}31m\\u{feff}",
        ),
        ("\u{2764}\u{fe0f}\u{200d}\u{1f525}", "\u{2764}\u{1f525}"),
    ];
    for (stream, output) in table {
        assert_eq!(passed(stream.as_bytes()), output, "{stream:?}");
        assert_eq!(forbidden(output), None, "{stream:?}");
    }
    assert_eq!(passed(b"a\xffb\x9b"), "a\u{fffd}b\u{fffd}");
    let zalgo = format!("e{}x", "\u{301}".repeat(50));
    assert_eq!(
        passed(zalgo.as_bytes()),
        format!("e{}x", "\u{301}".repeat(8))
    );
}

#[test]
fn everything_else_is_dropped() {
    let dropped = [
        "\x1b[c",
        "\x1b[>c",
        "\x1b[=c",
        "\x1b[6n",
        "\x1b[?6n",
        "\x1b[18t",
        "\x1b[21t",
        "\x1b[8;9;9t",
        "\x1b[22t",
        "\x1b[?2004$p",
        "\x1b[4$p",
        "\x1b[>q",
        "\x1b[?u",
        "\x1b[>5u",
        "\x1b[<u",
        "\x1b[=1;1u",
        "\x1b[1u",
        "\x1b[5s",
        "\x1b]10;?\x07",
        "\x1b]11;#fff\x07",
        "\x1b]4;1;red\x07",
        "\x1b]52;c;aGk=\x07",
        "\x1b]52;c;?\x07",
        "\x1b]8;;http://x\x1b\\",
        "\x1b]7;file://x\x07",
        "\x1b]1337;File=:x\x07",
        "\x1b]9;note\x07",
        "\x1b]1;icon\x07",
        "\x1bP$qm\x1b\\",
        "\x1bP+q544e\x1b\\",
        "\x1bPq#0\x1b\\",
        "\x1b_Gx\x1b\\",
        "\x1b^x\x1b\\",
        "\x1bXx\x1b\\",
        "\x1b[5i",
        "\x1b[4i",
        "\x1b[?5i",
        "\x1b[3J",
        "\x1b[?3J",
        "\x1b[8m",
        "\x1b[>4;2m",
        "\x1b[?1m",
        "\x1b[g",
        "\x1b[3g",
        "\x1bH",
        "\x1bZ",
        "\x1b#8",
        "\x1b%G",
        "\x1b%@",
        "\x1b F",
        "\x1bN",
        "\x1bO",
        "\x1b(B",
        "\x1bn",
        "\x1b|",
        "\x1bl",
        "\x1b[4h",
        "\x1b[20h",
        "\x1b[2h",
        "\x1b[?3h",
        "\x1b[?5h",
        "\x1b[?8l",
        "\x1b[?1001h",
        "\x1b[?1007h",
        "\x1b[?1034h",
        "\x1b[?2027h",
        "\x1b[?69h",
        "\x1b[1;2;3;4;5T",
        "\x1b[1;1;5;5$z",
        "\x1b[2*x",
        "\x1b[62;1\"p",
        "\x1b[0y",
        "\x1b[9 q",
        "\x05",
        "\x00",
        "\x11\x13",
        "\x18",
        "\x1a",
        "\x7f",
        "\x1b[?1 h",
        "\x1b[38;5m",
        "\x1b[38;9;1m",
    ];
    for stream in dropped {
        assert_eq!(passed(stream.as_bytes()), "", "{stream:?}");
        let mut pass = Pass::new();
        pass.feed(stream.as_bytes(), &mut Vec::new());
        assert_eq!(pass.restore(), b"", "{stream:?}");
    }
}

#[test]
fn restoring_undoes_what_is_on_and_only_that() {
    let table = [
        ("", ""),
        (
            "text\x1b[H\x1b[2J\x1b[31mx\x1b[m\x1b[?25h\x1b[?1l\x1b>\x1b[r\x1b[0 q",
            "",
        ),
        ("\x1b[?1049h\x1b[?1049l\x1b[m", ""),
        ("\x1b[31m", "\x1b[m"),
        ("\x1b[2;5r", "\x1b7\x1b[r\x1b8"),
        ("\x1b[2;5r\x1b[?6h", "\x1b[?6l\x1b[r\x1b[1000;1H"),
        (
            "\x1b[?1049h\x1b[2;5r",
            "\x1b[r\x1b[?1049l\x1b7\x1b[r\x1b8\x1b[m",
        ),
        ("\x1b[?1049h\x1b[?47l\x1b[?47h", "\x1b[?47l"),
        ("\x1b[?25l\x1b[?7l", "\x1b[?7h\x1b[?25h"),
        ("\x1b[?1h\x1b=\x1b[5 q", "\x1b[?1l\x1b>\x1b[0 q"),
        ("\x1b[?1000;1002;1006h\x1b[?1000l", "\x1b[?1002l\x1b[?1006l"),
        (
            "\x1b[?2004h\x1b[?2026h\x1b[?1004h",
            "\x1b[?2026l\x1b[?1004l\x1b[?2004l",
        ),
        ("\x1b]0;x\x07", "\x1b[23;2t"),
        ("\x1b[?25l\x1b[!p", "\x1b[?25h"),
        ("\x1b[?25l\x1bc", ""),
        // Saved attributes may come back.
        ("\x1b8", "\x1b[m"),
    ];
    for (stream, undone) in table {
        let mut pass = Pass::new();
        let mut out = Vec::new();
        pass.feed(stream.as_bytes(), &mut out);
        let restored = String::from_utf8(pass.restore()).unwrap();
        assert_eq!(restored, undone, "{stream:?}");
        assert_eq!(pass.restore(), b"", "{stream:?}");
        assert_eq!(forbidden(&restored), None);
    }
}

#[test]
fn restoring_forgets_half_a_sequence_and_the_character_set() {
    let mut pass = Pass::new();
    let mut out = Vec::new();
    pass.feed(b"\x1b(0\x1b]0;secret", &mut out);
    assert_eq!(out, b"");
    assert_eq!(pass.restore(), b"");
    pass.feed(b"qx\x07", &mut out);
    assert_eq!(out, b"qx\x07");
}

#[test]
fn a_full_reset_becomes_a_gentle_one() {
    assert_eq!(
        passed(b"\x1b[?1049h\x1b[?25l\x1b[1mx\x1bcy"),
        "\x1b[?1049h\x1b[?25l\x1b[1mx\x1b[?1049l\x1b[?25h\x1b[m\x1b[m\x1b[r\x1b[H\x1b[2Jy"
    );
}

#[test]
fn endless_sequences_hold_back_little_and_grow_little() {
    let mut pass = Pass::new();
    let mut out = Vec::new();
    for start in ["\x1b]0;", "\x1bP", "\x1b[", "\u{202e}"] {
        for chunk in [start.repeat(10_000).into_bytes(), vec![b'1'; 1 << 20]] {
            out.clear();
            pass.feed(&chunk, &mut out);
            assert!(out.len() <= 4 * chunk.len());
        }
        pass.feed(b"\x18", &mut out);
    }
}

/// What the user sees.
fn look(terminal: &Terminal) -> (String, (u16, u16), String, bool, bool) {
    let screen = terminal.screen();
    (
        screen.contents_formatted(),
        screen.cursor_position(),
        screen.input_mode_formatted(),
        screen.hide_cursor(),
        screen.alternate_screen(),
    )
}

proptest! {
    #![proptest_config(hostile::config(150))]

    #[test]
    fn only_allowed_sequences_come_out(stream in hostile::hostile()) {
        let mut pass = Pass::new();
        let mut out = Vec::new();
        pass.feed(&stream, &mut out);
        prop_assert!(out.len() <= 16 * stream.len() + 64);
        out.extend(pass.restore());
        let out = String::from_utf8(out).unwrap();
        prop_assert_eq!(forbidden(&out), None);
        prop_assert_eq!(pass.restore(), b"");
    }

    #[test]
    fn chunks_make_no_difference(stream in hostile::hostile(), cuts in hostile::cuts()) {
        let mut pass = Pass::new();
        let mut out = Vec::new();
        for piece in hostile::cut(&stream, &cuts) {
            pass.feed(&piece, &mut out);
        }
        prop_assert_eq!(String::from_utf8(out).unwrap(), passed(&stream));
    }

    /// The user sees what the program meant.
    #[test]
    fn the_screen_is_the_same(stream in hostile::common()) {
        let mut raw = Terminal::new(8, 20, 50);
        raw.feed(&stream);
        let mut filtered = Terminal::new(8, 20, 50);
        filtered.feed(passed(&stream).as_bytes());
        prop_assert_eq!(look(&filtered), look(&raw));
        prop_assert_eq!(filtered.title(), raw.title());
        prop_assert_eq!(filtered.focus_events(), raw.focus_events());
    }

    /// After restoring, nothing of the program is left but its text.
    #[test]
    fn nothing_stays_on(stream in hostile::hostile()) {
        let mut pass = Pass::new();
        let mut out = Vec::new();
        pass.feed(&stream, &mut out);
        out.extend(pass.restore());
        let mut terminal = Terminal::new(8, 20, 0);
        terminal.feed(&out);
        let fresh = Terminal::new(8, 20, 0);
        let (_, _, modes, hidden, alternate) = look(&terminal);
        let (_, _, fresh_modes, ..) = look(&fresh);
        prop_assert_eq!(modes, fresh_modes);
        prop_assert!(!hidden && !alternate && !terminal.focus_events() && !terminal.synchronized());
        prop_assert_eq!(terminal.screen().attributes_formatted(), "\x1b[m");
        // A region would keep the cursor off the last line.
        terminal.feed(b"\x1b[1;1H\x1b[1000B");
        prop_assert_eq!(terminal.screen().cursor_position().0, 7);
        terminal.feed(b"\x1b[1;1H");
        prop_assert_eq!(terminal.screen().cursor_position().0, 0);
    }
}
