use proptest::prelude::*;

use super::*;

/// What a program does.
#[derive(Clone, Debug)]
enum Part {
    /// Prints lines of this text.
    Lines(usize, String),
    /// Prints something else.
    Other(&'static str),
    /// Its terminal gets another width, and at most so many rows.
    Resize(u16, u16),
}

fn part() -> impl Strategy<Value = Part> {
    let text = prop_oneof![
        "[a-z]{0,30}",
        "[a-zé漢\t]{0,12}",
        Just("x\ry\x08".to_owned())
    ];
    let other = prop::sample::select(vec![
        "\x1b[31m",
        "\x1b[2;3r",
        "\x1b[r",
        "\x1b[?1049h",
        "\x1b[?1049l",
        "\x1b[?47h\x1b[2;4r",
        "\x1b[?47l",
        "\x1b[?6h",
        "\x1b[2;2H",
        "\x1b[H",
        "\x1b[2J",
        "\x1b7",
        "\x1b8",
        "\x1b[",
        "\x1b]0;title",
        "\x07",
        "m",
        "\n\n",
        "\x1b(0",
        "\x0e",
        "\x1b[b",
        "\x1bc",
        "\x1b[!p",
        "\u{feff}",
    ]);
    prop_oneof![
        2 => (prop_oneof![0..40usize, 900..2500usize], text).prop_map(|(n, text)| Part::Lines(n, text)),
        3 => other.prop_map(Part::Other),
        1 => (1..400u16, 1..20u16).prop_map(|(rows, cols)| Part::Resize(rows, cols)),
    ]
}

fn new(rows: u16, cols: u16, scrollback: usize) -> Screen {
    let terminal = Terminal::new(rows, cols, scrollback);
    Screen::of(terminal.answering(true), scrollback)
}

/// Feeds both, in chunks of this size, and returns what they said.
fn feed(screen: &mut Screen, eager: &mut Terminal, bytes: &Bytes, size: usize) -> [Effects; 2] {
    let mut said = [Effects::default(), Effects::default()];
    for chunk in bytes.chunks(size.max(1)) {
        let chunk = Bytes::copy_from_slice(chunk);
        for (said, new) in said
            .iter_mut()
            .zip([screen.feed(&chunk), eager.feed(&chunk)])
        {
            said.replies.extend(new.replies);
            said.bells += new.bells;
            said.title = new.title.or(said.title.take());
        }
    }
    said
}

/// All that is seen of a terminal, and its modes.
fn seen(terminal: &Terminal) -> (Vec<String>, (u16, u16), [bool; 2], u16) {
    let screen = terminal.screen();
    let texts = vec![
        screen.contents_formatted(),
        screen.attributes_formatted(),
        screen.input_mode_formatted(),
        format!("{:?}", screen.cursor_style()),
        terminal.title().to_owned(),
    ];
    let modes = [terminal.alternate(), terminal.focus_events()];
    (
        texts,
        screen.cursor_position(),
        modes,
        terminal.keyboard_flags(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn it_shows_the_same_in_the_end(
        parts in prop::collection::vec(part(), 1..12),
        scrollback in prop_oneof![Just(0usize), Just(7), Just(1100)],
        mut rows in prop_oneof![1..5u16, Just(60), Just(300)],
        size in prop_oneof![1..9usize, 1000..1300usize, Just(16_384)],
        looks in prop::collection::vec(any::<bool>(), 12),
        left in prop::collection::vec(prop_oneof![0..4usize, Just(usize::MAX)], 12),
    ) {
        let mut screen = new(rows, 12, scrollback);
        let mut eager = Terminal::new(rows, 12, scrollback).answering(true);
        for ((part, looks), left) in parts.into_iter().zip(looks).zip(left) {
            match part {
                Part::Lines(count, text) => {
                    let lines: String = (0..count).map(|n| format!("{n}{text}\r\n")).collect();
                    let [ours, theirs] = feed(&mut screen, &mut eager, &lines.into(), size);
                    prop_assert_eq!(ours, theirs);
                }
                Part::Other(text) => {
                    let [ours, theirs] = feed(&mut screen, &mut eager, &text.into(), size);
                    prop_assert_eq!(ours, theirs);
                }
                Part::Resize(most, cols) => {
                    rows = rows.min(most);
                    screen.resize(rows, cols);
                    eager.resize(rows, cols);
                }
            }
            prop_assert!(screen.bytes <= BYTES && screen.waiting.len() <= CHUNKS);
            while screen.waiting.len() > left {
                screen.draw_some();
            }
            if looks {
                screen.look();
                prop_assert_eq!(seen(screen.shown()), seen(&eager));
            }
        }
        screen.draw();
        prop_assert!(!screen.is_waiting() && screen.bytes == 0 && screen.lines == 0);
        prop_assert_eq!(screen.drawn().snapshot(usize::MAX), eager.snapshot(usize::MAX));
        // A terminal that grows takes lines back.
        rows += u16::try_from(scrollback).unwrap().min(600);
        screen.resize(rows, 12);
        eager.resize(rows, 12);
        prop_assert_eq!(screen.drawn().snapshot(usize::MAX), eager.snapshot(usize::MAX));
    }
}

/// So many lines of 80 bytes, in one chunk.
fn lines(count: usize) -> Bytes {
    Bytes::from(format!("{}\r\n", "x".repeat(78)).repeat(count))
}

#[test]
fn what_will_be_out_of_sight_is_never_drawn() {
    let mut screen = new(24, 80, 2000);
    for _ in 0..400 {
        screen.feed(&lines(100));
    }
    assert!(screen.is_waiting());
    assert!(screen.drawn().snapshot(usize::MAX).scrollback.is_empty());
    // 2,049 lines are needed.
    screen.draw_some();
    assert_eq!(screen.lines, 2000);
}

#[test]
fn what_does_not_scroll_out_of_sight_is_drawn_when_there_is_much() {
    let mut screen = new(24, 80, 2000);
    screen.feed(&Bytes::from_static(b"\x1b[2;10r"));
    for _ in 0..400 {
        screen.feed(&lines(100));
        assert!(screen.bytes <= BYTES);
    }
    screen.draw();
    assert!(screen.drawn().snapshot(0).screen.starts_with(b"\x1b["));
    // Without any end, as well.
    let mut screen = new(24, 80, 2000);
    for _ in 0..100 {
        screen.feed(&Bytes::from(vec![b'x'; 16 << 10]));
        assert!(screen.bytes <= BYTES);
    }
    assert!(screen.drawn().screen().contents().starts_with("xxxx"));
}

#[test]
fn short_output_and_everything_but_text_is_drawn_at_once() {
    let mut screen = new(24, 80, 2000);
    screen.feed(&Bytes::from_static(b"$ "));
    assert!(!screen.is_waiting());
    screen.feed(&lines(100));
    assert!(screen.is_waiting());
    let effects = screen.feed(&Bytes::from_static(b"\x1b[6n"));
    assert!(!screen.is_waiting());
    assert_eq!(effects.replies, b"\x1b[24;1R");
    // Text that may belong to a sequence is not only text.
    screen.feed(&Bytes::from_static(b"\x1b["));
    screen.feed(&lines(100));
    assert!(!screen.is_waiting());
}

#[test]
fn who_looks_at_a_flood_sees_its_end_and_draws_next_to_nothing() {
    let mut screen = new(24, 80, 2000);
    let numbered = |from: usize, count: usize| -> Bytes {
        let lines = (from..from + count).map(|number| format!("{number}\r\n"));
        lines.collect::<String>().into()
    };
    for turn in 0..100 {
        screen.feed(&numbered(turn * 1000, 1000));
        screen.look();
        let shown = screen.shown().screen().contents();
        let last = (turn * 1000 + 999).to_string();
        assert!(shown.ends_with(&last), "{shown}");
        assert_eq!(screen.shown().screen().cursor_position(), (23, 0));
    }
    assert_eq!(screen.drawn().screen().contents(), "");
    // What comes in drops is seen, too.
    screen.feed(&Bytes::from_static(b"$ "));
    screen.look();
    assert!(screen.shown().screen().contents().ends_with("99999\n$ "));
    assert!(screen.is_waiting());
    while screen.is_waiting() {
        screen.draw_some();
    }
    assert!(screen.shown().screen().contents().ends_with("99999\n$ "));
    assert_eq!(screen.shown().screen().scrollback_len(), 2000);
}

#[test]
fn who_looks_again_after_much_was_drawn_misses_nothing() {
    let mut screen = new(24, 80, 2000);
    let mut eager = Terminal::new(24, 80, 2000).answering(true);
    let mut feed = |screen: &mut Screen, from: usize, count: usize| {
        let lines = (from..from + count).map(|number| format!("{number:0>78}\r\n"));
        let bytes: Bytes = lines.collect::<String>().into();
        screen.feed(&bytes);
        eager.feed(&bytes);
        eager.screen().contents()
    };
    feed(&mut screen, 0, 100);
    screen.look();
    for turn in 1..5 {
        feed(&mut screen, turn * 100, 20);
    }
    // What the preview has seen is drawn, and more than that.
    for _ in 0..4 {
        screen.draw_some();
    }
    assert!(screen.is_waiting());
    let expected = feed(&mut screen, 500, 1);
    screen.look();
    assert_eq!(screen.shown().screen().contents(), expected);
}

#[test]
fn a_view_that_is_scrolled_back_stays_where_it_is() {
    let mut screen = new(24, 80, 2000);
    screen.feed(&lines(100));
    screen.feed(&lines(100));
    screen.scroll_to(5);
    assert!(!screen.is_waiting());
    screen.feed(&lines(100));
    assert!(!screen.is_waiting());
    assert_eq!(screen.shown().screen().scrollback(), 105);
    screen.scroll_to(0);
    screen.feed(&lines(100));
    assert!(screen.is_waiting());
}
