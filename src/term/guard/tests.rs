use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::term::hostile;

/// Everything that vt100 tells about a screen.
#[derive(Debug, PartialEq)]
struct Look {
    size: (u16, u16),
    /// A line for each row; a blank and a written space look the same.
    cells: Vec<String>,
    wrapped: Vec<bool>,
    cursor: (u16, u16),
    modes: String,
    hidden: bool,
    style: String,
    alternate: bool,
    title: String,
    tracked: (bool, bool, u16),
}

fn look(terminal: &Terminal) -> Look {
    let screen = terminal.screen();
    let (rows, cols) = terminal.size();
    let cell = |row, col| {
        let cell = screen.cell(row, col).unwrap();
        let text = if cell.has_contents() {
            cell.contents()
        } else {
            " "
        };
        let flags = [
            (cell.is_wide(), 'w'),
            (cell.is_wide_continuation(), 'c'),
            (cell.bold(), 'b'),
            (cell.dim(), 'd'),
            (cell.italic(), 'i'),
            (cell.underline(), 'u'),
            (cell.inverse(), 'r'),
        ];
        let flags: String = flags.iter().filter(|f| f.0).map(|f| f.1).collect();
        match (cell.fgcolor(), cell.bgcolor(), flags.as_str()) {
            (vt100::Color::Default, vt100::Color::Default, "") => text.to_string(),
            style => format!("{text}{style:?}"),
        }
    };
    Look {
        size: (rows, cols),
        cells: (0..rows)
            .map(|row| (0..cols).map(|col| cell(row, col)).collect::<String>())
            .collect(),
        wrapped: (0..rows).map(|row| screen.row_wrapped(row)).collect(),
        cursor: screen.cursor_position(),
        modes: screen.input_mode_formatted(),
        hidden: screen.hide_cursor(),
        style: screen.attributes_formatted(),
        alternate: terminal.alternate(),
        title: terminal.title().to_string(),
        tracked: (
            terminal.focus_events(),
            terminal.synchronized(),
            terminal.keyboard_flags(),
        ),
    }
}

fn fed(rows: u16, cols: u16, stream: &str) -> Terminal {
    let mut terminal = Terminal::new(rows, cols, 100);
    let effects = terminal.feed(stream.as_bytes());
    assert!(!effects.broken);
    terminal
}

fn contents(terminal: &Terminal) -> String {
    terminal.screen().contents()
}

#[test]
fn a_terminal_can_live_in_any_task() {
    fn is_send<T: Send + 'static>(_: &T) {}
    is_send(&Terminal::new(1, 1, 0));
}

#[test]
fn what_vt100_lacks_is_translated() {
    let table = [
        ("line drawing", "\x1b(0lqk\x1b(Bq", "┌─┐q"),
        ("line drawing in G1", "\x1b)0\x0etu\x0ftu", "├┤tu"),
        (
            "the saved cursor keeps the set",
            "\x1b(0\x1b7\x1b(B\x1b8x",
            "│",
        ),
        ("IND", "a\x1bDb", "a\n b"),
        ("NEL", "a\x1bEb", "a\nb"),
        ("CBT", "0123456789abcdefg\x1b[Zx", "0123456789abcdefx"),
        ("CBT on a stop", "01234567\x1b[Zx", "x1234567"),
        (
            "CBT twice",
            "0123456789abcdefg\x1b[2Zx",
            "01234567x9abcdefg",
        ),
        ("CHT", "\x1b[2Ix", "                x"),
        ("HPR", "a\x1b[2ax", "a  x"),
        ("VPR", "a\x1b[2ex", "a\n\n x"),
        ("SCO's cursor", "a\x1b[sbc\x1b[ux", "axc"),
        ("1048", "a\x1b[?1048hbc\x1b[?1048lx", "axc"),
        ("1047", "a\x1b[?1047hb\x1b[?1047l", "a"),
        (
            "1047 clears on the way back",
            "\x1b[?47hb\x1b[?1047l\x1b[?47h",
            "",
        ),
        ("region sends home", "\x1b[5;9rx", "x"),
        ("selective erase", "abc\x1b[2D\x1b[?K", "a"),
        ("no text", "a\u{fffd}b", "a?b"),
        ("the emoji's variation", "\u{2764}\u{fe0f}x", "\u{2764}x"),
        ("invisible ones", "a\u{202e}b\u{200d}\u{85}c", "abc"),
        ("a blank of its width", "a\u{ad}b\u{115f}c", "ab  c"),
        ("a marked letter", "e\u{301}x", "e\u{301}x"),
    ];
    for (name, stream, expected) in table {
        assert_eq!(contents(&fed(10, 20, stream)), expected, "{name}");
    }
    assert_eq!(
        contents(&{
            let mut terminal = Terminal::new(10, 20, 0);
            terminal.feed(b"a\xffb");
            terminal
        }),
        "a?b"
    );
}

#[test]
fn iso_colours_are_understood() {
    let terminal = fed(2, 10, "\x1b[38:2::10:20:30;48:5:7mx");
    let cell = terminal.screen().cell(0, 0).unwrap();
    assert_eq!(cell.fgcolor(), vt100::Color::Rgb(10, 20, 30));
    assert_eq!(cell.bgcolor(), vt100::Color::Idx(7));
    // The numbers of an underline colour are no attributes.
    let terminal = fed(2, 10, "\x1b[58;5;1mx");
    assert!(!terminal.screen().cell(0, 0).unwrap().bold());
}

#[test]
fn a_soft_reset_leaves_text_and_cursor() {
    let terminal = fed(
        10,
        20,
        "\x1b[2;5r\x1b[?25l\x1b[?1h\x1b=\x1b[1;31m\x1b(0\x1b[3;4H\x1b[!pq",
    );
    assert_eq!(terminal.screen().cursor_position(), (2, 4));
    assert_eq!(contents(&terminal), "\n\n   q");
    assert!(!terminal.screen().hide_cursor());
    assert!(!terminal.screen().application_cursor());
    assert!(!terminal.screen().application_keypad());
    assert_eq!(
        terminal.screen().cell(2, 3).unwrap().fgcolor(),
        vt100::Color::Default
    );
}

#[test]
fn questions_are_answered_by_one_side_only() {
    let table: &[(&str, &str)] = &[
        ("\x1b[c", "\x1b[?62;22c"),
        ("\x1b[0c", "\x1b[?62;22c"),
        ("\x1b[>c", "\x1b[>0;277;0c"),
        ("\x1b[5n", "\x1b[0n"),
        ("ab\r\nc\x1b[6n", "\x1b[2;2R"),
        ("0123456789\x1b[6n", "\x1b[1;10R"),
        ("\x1b[18t", "\x1b[8;4;10t"),
        ("\x1b[14t", "\x1b[4;64;80t"),
        ("\x1b[?2004h\x1b[?2004$p", "\x1b[?2004;1$y"),
        ("\x1b[?2004$p", "\x1b[?2004;2$y"),
        ("\x1b[?7$p", "\x1b[?7;3$y"),
        ("\x1b[?4711$p", "\x1b[?4711;0$y"),
        ("\x1b[4$p", "\x1b[4;0$y"),
        ("\x1b[?u", "\x1b[?0u"),
        ("\x1b[>5u\x1b[>8u\x1b[<u\x1b[?u", "\x1b[?5u"),
        ("\x1b[=3u\x1b[=1;3u\x1b[?u", "\x1b[?2u"),
        ("\x1b]10;?\x07", "\x1b]10;rgb:d0d0/d0d0/d0d0\x07"),
        ("\x1b]11;?\x1b\\", "\x1b]11;rgb:0000/0000/0000\x1b\\"),
        (
            "\x1b]4;1;?;21;?\x07",
            "\x1b]4;1;rgb:cdcd/0000/0000\x07\x1b]4;21;rgb:0000/0000/ffff\x07",
        ),
        // Setting a colour is no question, and these are answered by nobody.
        (
            "\x1b]11;#fff\x07\x1b]4;1;red\x07\x1b]4;256;?\x07\x1b[21t\x1b]52;c;?\x07",
            "",
        ),
        ("\x1bP$qm\x1b\\\x1bP+q544e\x1b\\\x1b[>1q\x1b[1c", ""),
    ];
    for (question, answer) in table {
        let mut asked = Terminal::new(4, 10, 0).answering(true);
        let replies = asked.feed(question.as_bytes()).replies;
        assert_eq!(String::from_utf8(replies).unwrap(), *answer, "{question:?}");
        let mut silent = Terminal::new(4, 10, 0);
        assert_eq!(silent.feed(question.as_bytes()).replies, b"");
    }
    let version = Terminal::new(4, 10, 0)
        .answering(true)
        .feed(b"\x1b[>q")
        .replies;
    assert!(version.starts_with(b"\x1bP>|buildx ") && version.ends_with(b"\x1b\\"));
}

#[test]
fn an_endless_run_of_questions_has_few_answers() {
    let mut terminal = Terminal::new(4, 10, 0).answering(true);
    for question in ["\x1b[6n", "\x1b]4;1;?;1;?\x07"] {
        let replies = terminal.feed(question.repeat(100_000).as_bytes()).replies;
        assert!((1000..=4096).contains(&replies.len()), "{}", replies.len());
    }
    assert_eq!(terminal.feed(b"\x1b[5n").replies, b"\x1b[0n");
}

#[test]
fn effects_are_told_once() {
    let mut terminal = Terminal::new(4, 10, 0);
    let effects =
        terminal.feed(b"\x07\x07\x1b]0;one\x07\x1b]2;t\xe2\x80\xaewo\x07\x1b]52;c;aGFsbG8=\x07");
    assert_eq!(effects.bells, 2);
    assert_eq!(effects.title.as_deref(), Some("t\\u{202e}wo"));
    assert_eq!(effects.clipboard.as_deref(), Some(&b"hallo"[..]));
    assert_eq!(terminal.feed(b"x"), Effects::default());
    assert_eq!(terminal.title(), "t\\u{202e}wo");
}

/// The panic of vt100 0.18.1: a character widened in the last column of the last row. The second part says
/// whether vt100 still has it; when it has not, the filter for U+FE0F can go.
#[test]
fn an_emoji_in_the_last_corner_breaks_nothing() {
    let stream = format!(
        "\x1b[24;1H{}\u{26a0}\u{fe0f}\n\x1b[H{}",
        ".".repeat(79),
        "x".repeat(24 * 80)
    );
    let mut terminal = Terminal::new(24, 80, 100);
    assert!(!terminal.feed(stream.as_bytes()).broken);
    assert!(contents(&terminal).ends_with('x'));
    let mut bare = Caught::new(24, 80, 100);
    bare.write(stream.as_bytes());
    bare.flush();
    assert!(bare.take_broken());
}

#[test]
fn a_broken_screen_is_replaced_and_the_program_goes_on() {
    let mut terminal = fed(
        5,
        20,
        "text\x1b[?1049h\x1b[?25l\x1b[?1002h\x1b[?2004h\x1b=more",
    );
    terminal.emulator.caught.break_now();
    assert!(!will_be_caught());
    assert!(terminal.feed(b"").broken);
    assert!(!terminal.feed(b"new").broken);
    assert_eq!(contents(&terminal), "new");
    assert_eq!(terminal.size(), (5, 20));
    assert!(terminal.alternate());
    let screen = terminal.screen();
    assert!(screen.hide_cursor() && screen.bracketed_paste() && screen.application_keypad());
    assert_eq!(
        screen.mouse_protocol_mode(),
        vt100::MouseProtocolMode::ButtonMotion
    );
    terminal.feed(b"\x1b[?1049l");
    assert_eq!(terminal.screen().scrollback_capacity(), 100);
}

#[test]
fn the_grid_is_bounded() {
    let mut terminal = Terminal::new(0, 0, 10);
    assert_eq!(terminal.size(), (1, 1));
    terminal.feed("a世\n".as_bytes());
    terminal.resize(u16::MAX, 3);
    assert_eq!(terminal.size(), (MAX_ROWS, 3));
    terminal.resize(1, u16::MAX);
    assert_eq!(terminal.size(), (1, MAX_COLS));
    // A program cannot change it.
    terminal.feed(b"\x1b[8;50;50t\x1b[?3h");
    assert_eq!(terminal.size(), (1, MAX_COLS));
}

#[test]
fn huge_numbers_and_endless_strings_cost_little() {
    let start = Instant::now();
    let mut terminal = Terminal::new(24, 80, 1000);
    for last in "bABCDEFGHILMPSTXZ@`adefr".chars() {
        let stream = format!("x\x1b[65535;65535{last}").repeat(1000);
        assert!(!terminal.feed(stream.as_bytes()).broken);
    }
    for introducer in ["\x1b]0;", "\x1bP", "\x1b_"] {
        terminal.feed(introducer.as_bytes());
        for _ in 0..64 {
            terminal.feed(&[b'x'; 16 * 1024]);
        }
    }
    // Unbounded, the first sequence alone takes several times as long in a release build.
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "{:?}",
        start.elapsed()
    );
}

fn lines(bytes: &[u8]) -> Vec<&str> {
    std::str::from_utf8(bytes)
        .unwrap()
        .split_terminator("\r\n")
        .collect()
}

#[test]
fn the_scrollback_of_a_snapshot_is_lines_of_coloured_text() {
    let mut stream = String::new();
    for n in 0..8 {
        stream.push_str(&format!("\x1b[3{n}mline {n}\x1b[m\r\n"));
    }
    stream.push_str("a long line that wraps\r\n\r\nlast\r\n\r\n\r\n\r\n");
    let terminal = fed(3, 10, &stream);
    let snapshot = terminal.snapshot(1 << 20);
    let found = lines(&snapshot.scrollback);
    assert_eq!(found.len(), 12);
    assert_eq!(found[1], "\x1b[31mline 1\x1b[m");
    assert_eq!(&found[8..], ["a long line that wraps", "", "last", ""]);

    // The newest lines within a budget.
    let some = terminal.snapshot(20).scrollback;
    assert_eq!(lines(&some), ["ps", "", "last", ""]);
    assert!(terminal.snapshot(0).scrollback.is_empty());

    let restored = Terminal::restore(&snapshot, 100);
    assert_eq!(look(&restored), look(&terminal));
    assert_eq!(restored.snapshot(1 << 20), snapshot);
    // Fewer lines than were sent.
    assert_eq!(Terminal::restore(&snapshot, 2).screen().scrollback_len(), 2);
}

/// Both screens, everything that is saved, and what comes next, character by character.
#[test]
fn a_snapshot_has_what_vt100_does_not_tell() {
    let program = "one\r\n\x1b[31;4mtwo\x1b[2;4r\x1b[3;7H\x1b7\x1b[2;2H\x1b[1;32m\x1b(0\x1b]0;t\x07\x1b[?1004h\
        \x1b[>5u\x1b[?1049h\x1b[2;5r\x1b[4;4H\x1b)0\x1b7\x1b[?6h\x1b[5mqq\x1b[?25l\x1b[?1006;1003h\x1b[4 q\
        \x1b[>1u\x1b[>3u\x1b[?2026h\x1b(B\x0eqq0123456789\x0f\n\n\n\nend\x1b8x\x1b[?6l\x1b[2;2HxX\n\n\n\n\n\nY\
        \x1b]2;new\x1b\\\x1b[<u\x1b[38:2::1:2:3m世界\x1b[?2026l\x1b[?1049lafter\x1b8saved\n\n\n\n\n\x1b[?1049h\
        \x1b[<9u\x1bcnew";
    let rest = "\x1b[1;1Hq\x1b8q\n\n\n\n\nz\x1b[?1049lq\n\n\n\nz\x1b8q";
    for at in (0..=program.len()).filter(|at| program.is_char_boundary(*at)) {
        let (before, after) = program.split_at(at);
        let mut original = fed(6, 12, before);
        let snapshot = original.snapshot(1 << 20);
        let mut restored = Terminal::restore(&snapshot, 100);
        assert_eq!(look(&restored), look(&original), "{at}");
        assert_eq!(restored.snapshot(1 << 20), snapshot, "{at}");
        for stream in [after, rest] {
            original.feed(stream.as_bytes());
            restored.feed(stream.as_bytes());
            assert_eq!(look(&restored), look(&original), "{at}");
        }
    }
}

#[test]
fn a_snapshot_of_nothing_is_short() {
    let snapshot = Terminal::new(24, 80, 1000).snapshot(1 << 20);
    assert!(snapshot.screen.len() < 80, "{:?}", snapshot.screen);
    assert!(snapshot.scrollback.is_empty());
}

/// What happens to a terminal.
#[derive(Debug, Clone)]
enum Step {
    Feed(hostile::Stream),
    Resize(u16, u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => hostile::hostile().prop_map(Step::Feed),
        1 => (0u16..30, 0u16..30).prop_map(|(rows, cols)| Step::Resize(rows, cols)),
    ];
    proptest::collection::vec(step, 1..12)
}

fn run(terminal: &mut Terminal, steps: &[Step]) -> bool {
    steps.iter().fold(false, |broken, step| {
        let effects = match step {
            Step::Feed(bytes) => terminal.feed(bytes),
            Step::Resize(rows, cols) => terminal.resize(*rows, *cols),
        };
        assert!(effects.replies.len() <= 4096);
        broken | effects.broken
    })
}

/// The rows of a screen by their backgrounds: `.` has none, `g` is green.
fn backgrounds(output: &str) -> Vec<String> {
    let mut terminal = Terminal::new(4, 4, 10);
    terminal.feed(b"aaaa\r\nbbbb\r\ncccc\r\ndddd\r\x1b[42m");
    terminal.feed(output.as_bytes());
    let row = |row| -> String {
        let shown = |col| match terminal.screen().cell(row, col).unwrap().bgcolor() {
            vt100::Color::Idx(2) => 'g',
            _ => '.',
        };
        (0..4).map(shown).collect()
    };
    (0..4).map(row).collect()
}

/// xterm, and tmux by the recorded streams.
#[test]
fn blanks_that_come_in_have_the_background() {
    let none = "....";
    let all = "gggg";
    for (output, expected) in [
        ("\n", [none, none, none, all]),
        ("\x1b[1;1H\n", [none; 4]),
        ("\x1bD", [none, none, none, all]),
        ("\x1bE", [none, none, none, all]),
        ("\x1b[H\x1bM", [all, none, none, none]),
        ("\x1b[2S", [none, none, all, all]),
        ("\x1b[2T", [all, all, none, none]),
        ("\x1b[2H\x1b[2L", [none, all, all, none]),
        ("\x1b[2H\x1b[M", [none, none, none, all]),
        ("\x1b[2H\x1b[9M", [none, all, all, all]),
        ("\x1b[2;2H\x1b[2@", [none, ".gg.", none, none]),
        ("\x1b[2;2H\x1b[2P", [none, "..gg", none, none]),
        ("\x1b[2;2H\x1b[9P", [none, ".ggg", none, none]),
        // Within a region.
        ("\x1b[2;3r\x1b[3H\n", [none, none, all, none]),
        ("\x1b[2;3r\x1b[2H\x1bM", [none, all, none, none]),
        ("\x1b[2;3r\x1b[2H\x1b[M", [none, none, all, none]),
        ("\x1b[2;3r\x1b[4H\n\x1b[M\x1b[L", [none; 4]),
        ("\x1b[2;3r\x1b[r\x1b[4H\n", [none, none, none, all]),
        // Without a background, and with one that is gone.
        ("\x1b[m\n", [none; 4]),
        ("\x1b7\x1b[m\x1b8\n", [none, none, none, all]),
    ] {
        assert_eq!(backgrounds(output), expected, "{output:?}");
    }
}

#[test]
fn the_cursor_stays_where_it_is_when_blanks_are_coloured() {
    let mut terminal = Terminal::new(4, 4, 10);
    terminal.feed(b"\x1b[42m\x1b[4;3H\n\x1b[S\x1b[T\x1b[P\x1b[@\x1b[L\x1b[M");
    assert_eq!(terminal.screen().cursor_position(), (3, 2));
}

proptest! {
    #![proptest_config(hostile::config(150))]

    /// No panic, not even one that is caught; no character that could deceive.
    #[test]
    fn nothing_breaks(rows in 0u16..30, cols in 0u16..30, steps in steps()) {
        let mut terminal = Terminal::new(rows, cols, 50).answering(true);
        prop_assert!(!run(&mut terminal, &steps));
        let (rows, cols) = terminal.size();
        for row in 0..rows {
            for col in 0..cols {
                let cell = terminal.screen().cell(row, col).unwrap();
                let safe = |c: char| !c.is_control() && !crate::term::escape::is_hidden(c);
                prop_assert!(cell.contents().chars().all(safe));
            }
        }
        // The snapshot of a hostile screen is read again, too.
        let snapshot = terminal.snapshot(10_000);
        prop_assert!(snapshot.scrollback.len() <= 10_000);
        let restored = Terminal::restore(&snapshot, 50);
        prop_assert_eq!(look(&restored), look(&terminal));
    }

    #[test]
    fn chunks_make_no_difference(stream in hostile::hostile(), cuts in hostile::cuts()) {
        let mut whole = Terminal::new(8, 20, 50).answering(true);
        let effects = whole.feed(&stream);
        let mut pieces = Terminal::new(8, 20, 50).answering(true);
        let mut sum = Effects::default();
        for piece in hostile::cut(&stream, &cuts) {
            let one = pieces.feed(&piece);
            sum.replies.extend(one.replies);
            sum.bells += one.bells;
            sum.title = one.title.or(sum.title);
            sum.clipboard = one.clipboard.or(sum.clipboard);
        }
        prop_assert_eq!(sum, effects);
        prop_assert_eq!(look(&pieces), look(&whole));
        prop_assert_eq!(pieces.snapshot(1 << 20), whole.snapshot(1 << 20));
    }

    /// A restored terminal goes on like the first one, whatever comes.
    #[test]
    fn a_restored_terminal_goes_on(
        before in hostile::common(),
        after in hostile::common(),
        at: proptest::sample::Index,
    ) {
        // The moment can be in the middle of a sequence.
        let stream = [before.0, after.0].concat();
        let (before, after) = stream.split_at(at.index(stream.len() + 1));
        let mut original = Terminal::new(8, 20, 50);
        original.feed(before);
        let snapshot = original.snapshot(1 << 20);
        let mut restored = Terminal::restore(&snapshot, 50);
        prop_assert_eq!(look(&restored), look(&original));
        prop_assert_eq!(&restored.snapshot(1 << 20).scrollback, &snapshot.scrollback);
        original.feed(after);
        restored.feed(after);
        // Whether a line has wrapped behind a blank is the one thing that may differ.
        let mut expected = look(&original);
        expected.wrapped = look(&restored).wrapped;
        prop_assert_eq!(look(&restored), expected);
    }
}
