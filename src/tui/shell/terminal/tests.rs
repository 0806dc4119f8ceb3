use crossterm::event::MouseButton;
use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::*;
use crate::proto::controller::{Presence, Ready, TerminalSize};
use crate::term::hostile;
use crate::tui::shell::copy::CopyMode;
use crate::tui::shell::screen::{Look, paint};

fn data(text: &str) -> Output {
    Output::Data(Bytes::copy_from_slice(text.as_bytes()))
}

fn resized(rows: u32, cols: u32) -> Output {
    Output::Resized(TerminalSize { rows, cols })
}

fn all(terminal: &mut ShellTerminal) -> Advance {
    terminal.advance(Instant::now(), || true)
}

fn shown(rows: u16, cols: u16, output: &str) -> ShellTerminal {
    let mut terminal = ShellTerminal::new(rows, cols, true);
    terminal.push(data(output));
    all(&mut terminal);
    terminal
}

fn text(terminal: &ShellTerminal) -> String {
    terminal.screen().contents()
}

fn snapshot(of: &ShellTerminal) -> Snapshot {
    message(of.terminal.drawn().snapshot(1 << 20))
}

fn message(snapshot: guard::Snapshot) -> Snapshot {
    Snapshot {
        size: Some(TerminalSize {
            rows: snapshot.rows.into(),
            cols: snapshot.cols.into(),
        }),
        alternate: snapshot.alternate,
        title: snapshot.title,
        scrollback: snapshot.scrollback.into(),
        screen: snapshot.screen.into(),
    }
}

#[test]
fn a_snapshot_and_what_follows() {
    let original = shown(
        3,
        10,
        "\x1b]0;build\x07one\r\ntwo\r\nthree\r\nfour\x1b[1;1H",
    );
    let mut copy = ShellTerminal::of(&snapshot(&original), true);
    assert_eq!(text(&copy), text(&original));
    assert_eq!(copy.title(), "build");
    assert_eq!(copy.take_events(), [Event::Title]);
    assert_eq!(copy.scrollback(), 1);
    copy.push(data("T"));
    assert_eq!(
        all(&mut copy),
        Advance {
            changed: true,
            left: false
        }
    );
    assert_eq!(text(&copy), "Two\nthree\nfour");
}

#[test]
fn a_flood_is_obeyed_in_slices() {
    let mut terminal = ShellTerminal::new(5, 20, true);
    let flood = "x".repeat(SLICE * 5) + "\r\nend";
    terminal.push(data(&flood));
    assert!(!terminal.is_full());
    let mut rounds = 0;
    while terminal.advance(Instant::now(), || false).left {
        rounds += 1;
    }
    assert_eq!(rounds, 5);
    terminal.look();
    assert!(text(&terminal).ends_with("end"));
    terminal.push(data(&"y".repeat(BACKLOG)));
    assert!(terminal.is_full());
    all(&mut terminal);
    assert!(!terminal.is_full());
}

#[test]
fn many_small_messages_fill_it_too() {
    let mut terminal = ShellTerminal::new(5, 20, true);
    for _ in 0..BACKLOG / PIECE {
        assert!(!terminal.is_full());
        terminal.push(Output::Bell(Ready {}));
    }
    assert!(terminal.is_full());
    all(&mut terminal);
    // A person hears one of them.
    assert_eq!(terminal.take_events(), [Event::Bell]);
}

#[test]
fn a_snapshot_drops_the_output_before_it_and_nothing_else() {
    let other = shown(2, 10, "new");
    let mut terminal = ShellTerminal::new(2, 10, true);
    terminal.push(data("old"));
    terminal.push(Output::Notice("someone typed".into()));
    terminal.push(Output::Snapshot(snapshot(&other)));
    terminal.push(data("er"));
    all(&mut terminal);
    assert_eq!(text(&terminal), "newer");
    assert_eq!(
        terminal.take_events(),
        [Event::Notice("someone typed".into())]
    );
}

#[test]
fn sizes_change_where_they_stand_among_the_output() {
    let mut terminal = ShellTerminal::new(2, 4, true);
    terminal.push(data("abcdef"));
    terminal.push(resized(3, 8));
    terminal.push(data("ghijklm"));
    all(&mut terminal);
    assert_eq!(terminal.size(), (3, 8));
    assert_eq!(text(&terminal), "abcd\nefghijklm");
}

#[test]
fn events_come_in_order_and_the_end_comes_last() {
    let mut terminal = ShellTerminal::new(2, 10, true);
    let exited = Exited {
        exit_code: Some(3),
        reason: String::new(),
    };
    terminal.push(data("\x07\x1b]2;vim\x07bye"));
    terminal.push(Output::Bell(Ready {}));
    terminal.push(Output::Clipboard("copied".into()));
    terminal.push(Output::Presence(Presence::default()));
    terminal.push(Output::Exited(exited.clone()));
    assert_eq!(terminal.exited(), None);
    all(&mut terminal);
    assert_eq!(
        terminal.take_events(),
        [
            Event::Title,
            Event::Bell,
            Event::Clipboard("copied".into()),
            Event::Presence(Vec::new()),
            Event::Exited,
        ]
    );
    assert_eq!(terminal.exited(), Some(&exited));
    assert_eq!(terminal.take_events(), []);
}

#[test]
fn a_frame_is_held_for_a_tenth_of_a_second() {
    let mut terminal = ShellTerminal::new(2, 10, true);
    let start = Instant::now();
    assert_eq!(terminal.hold(), None);
    terminal.push(data("\x1b[?2026hhalf"));
    terminal.advance(start, || true);
    assert_eq!(terminal.hold(), Some(start + HOLD));
    // More of the same frame does not hold it longer.
    terminal.push(data("more"));
    terminal.advance(start + HOLD / 2, || true);
    assert_eq!(terminal.hold(), Some(start + HOLD));
    terminal.push(data("\x1b[?2026l"));
    terminal.advance(start + HOLD, || true);
    assert_eq!(terminal.hold(), None);
}

#[test]
fn output_keeps_the_place_while_scrolled_back() {
    let mut terminal = shown(2, 10, "1\r\n2\r\n3\r\n4\r\n5");
    terminal.scroll(2);
    assert_eq!(terminal.offset(), 2);
    assert_eq!(text(&terminal), "2\n3");
    terminal.push(data("\r\n6\r\n7"));
    all(&mut terminal);
    assert_eq!(text(&terminal), "2\n3");
    assert_eq!(terminal.offset(), 4);
    // A wider terminal shows the same lines.
    terminal.push(resized(2, 12));
    all(&mut terminal);
    assert_eq!(text(&terminal), "2\n3");
    terminal.scroll(isize::MAX);
    assert_eq!(terminal.offset(), terminal.scrollback());
    terminal.scroll(isize::MIN);
    assert_eq!(text(&terminal), "6\n7");
    terminal.push(data("\r\n8"));
    all(&mut terminal);
    assert_eq!(text(&terminal), "7\n8");
}

#[test]
fn the_scrollback_has_a_bound() {
    let mut terminal = ShellTerminal::new(2, 10, true);
    let lines: String = (0..SCROLLBACK + 500).map(|n| format!("{n}\r\n")).collect();
    terminal.push(data(&lines));
    all(&mut terminal);
    assert!(terminal.is_waiting());
    terminal.draw();
    assert_eq!(terminal.scrollback(), SCROLLBACK);
}

#[test]
fn a_process_without_terminal_writes_plain_lines() {
    let mut terminal = ShellTerminal::new(4, 10, false);
    terminal.push(data("one\ntw"));
    terminal.push(Output::ErrorData("o\nthree\n".into()));
    all(&mut terminal);
    assert_eq!(text(&terminal), "one\ntwo\nthree");
}

fn mouse_event(kind: MouseEventKind, modifiers: KeyModifiers) -> MouseEvent {
    MouseEvent {
        kind,
        column: 4,
        row: 1,
        modifiers,
    }
}

#[test]
fn the_mouse_is_for_whoever_asked() {
    let none = KeyModifiers::NONE;
    let click = MouseEventKind::Down(MouseButton::Left);
    let up = mouse_event(MouseEventKind::ScrollUp, none);
    let mut terminal = shown(2, 10, "1\r\n2\r\n3");
    assert_eq!(terminal.mouse(&mouse_event(click, none)), MouseUse::Person);
    assert_eq!(terminal.mouse(&up), MouseUse::Scroll(3));

    terminal.push(data("\x1b[?1000h\x1b[?1006h"));
    all(&mut terminal);
    let bytes = b"\x1b[<0;5;2M".to_vec();
    assert_eq!(
        terminal.mouse(&mouse_event(click, none)),
        MouseUse::Program(bytes)
    );
    let moved = mouse_event(MouseEventKind::Moved, none);
    assert_eq!(terminal.mouse(&moved), MouseUse::Program(Vec::new()));
    let shifted = mouse_event(click, KeyModifiers::SHIFT);
    assert_eq!(terminal.mouse(&shifted), MouseUse::Person);
    terminal.scroll(1);
    assert_eq!(terminal.mouse(&up), MouseUse::Scroll(3));

    terminal.push(data("\x1b[?1000l\x1b[?1049h\x1b[?1h"));
    all(&mut terminal);
    let arrows = b"\x1bOA\x1bOA\x1bOA".to_vec();
    assert_eq!(terminal.mouse(&up), MouseUse::Program(arrows));
}

#[derive(Debug, Clone)]
enum Step {
    Data(hostile::Stream),
    Resize(u32, u32),
    Snapshot,
    Advance(u8),
    Scroll(isize),
    Copy(Vec<char>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let keys = proptest::collection::vec(
        proptest::sample::select(
            "hjklwbe0^$gGHMLvVonN/?aé世 \r\x1b"
                .chars()
                .collect::<Vec<_>>(),
        ),
        0..20,
    );
    let step = prop_oneof![
        5 => hostile::hostile().prop_map(Step::Data),
        2 => (0u32..30, 0u32..40).prop_map(|(rows, cols)| Step::Resize(rows, cols)),
        1 => Just(Step::Snapshot),
        2 => (0u8..4).prop_map(Step::Advance),
        2 => (-80isize..80).prop_map(Step::Scroll),
        2 => keys.prop_map(Step::Copy),
    ];
    proptest::collection::vec(step, 1..12)
}

proptest! {
    #![proptest_config(hostile::config(150))]

    /// Hostile output, sizes, snapshots, scrolling and copy mode in any order. What comes out is always the screen
    /// of everything that went in.
    #[test]
    fn nothing_breaks(steps in steps(), area in (1u16..40, 1u16..20)) {
        let now = Instant::now();
        let mut terminal = ShellTerminal::new(8, 20, true);
        let mut whole = Terminal::new(8, 20, SCROLLBACK);
        for step in steps {
            match step {
                Step::Data(stream) => {
                    whole.feed(&stream);
                    terminal.push(Output::Data(Bytes::from(stream.0)));
                }
                Step::Resize(rows, cols) => {
                    whole.resize(rows as u16, cols as u16);
                    terminal.push(resized(rows, cols));
                }
                Step::Snapshot => {
                    // As the server's copy would send it.
                    let snapshot = whole.snapshot(1 << 20);
                    whole = Terminal::restore(&snapshot, SCROLLBACK);
                    terminal.push(Output::Snapshot(message(snapshot)));
                }
                Step::Advance(mut slices) => {
                    let advance = terminal.advance(now, || { slices = slices.saturating_sub(1); slices > 0 });
                    prop_assert_eq!(advance.left, !terminal.queue.is_empty());
                }
                Step::Scroll(lines) => terminal.scroll(lines),
                Step::Copy(keys) => {
                    terminal.draw();
                    let mut copy = CopyMode::new(terminal.screen());
                    for key in keys {
                        let code = match key {
                            '\r' => KeyCode::Enter,
                            '\x1b' => KeyCode::Esc,
                            c => KeyCode::Char(c),
                        };
                        copy.key(&KeyEvent::new(code, KeyModifiers::NONE));
                        let (row, col) = copy.cursor();
                        let (rows, cols) = copy.screen().size();
                        prop_assert!(row < rows.get() && col < cols.get());
                        for mark in copy.marks(&Default::default()) {
                            prop_assert!(mark.row < rows.get());
                        }
                    }
                    copy.press(3, 5, 1);
                    copy.drag(-2, 9, false);
                    copy.drag(40, 1, true);
                    copy.release();
                }
            }
            terminal.look();
            let area = Rect::new(0, 0, area.0, area.1);
            paint(terminal.screen(), area, &mut Buffer::empty(area), &Look::default());
            prop_assert!(!terminal.take_events().contains(&Event::Broken));
        }
        all(&mut terminal);
        prop_assert_eq!(terminal.queued, 0);
        terminal.scroll_to(0);
        terminal.look();
        prop_assert_eq!(terminal.screen().contents_formatted(), whole.screen().contents_formatted());
    }
}
