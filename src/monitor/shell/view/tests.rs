use super::*;
use crate::proto::controller::TerminalSize;
use crate::term::pass::Pass;

/// A server's snapshot of a screen that shows `output`.
fn snapshot(output: &[u8]) -> Snapshot {
    let mut screen = guard::Terminal::new(6, 20, 100);
    screen.feed(output);
    let taken = screen.snapshot(0);
    Snapshot {
        size: Some(TerminalSize { rows: 6, cols: 20 }),
        alternate: taken.alternate,
        title: taken.title,
        scrollback: taken.scrollback.into(),
        screen: taken.screen.into(),
    }
}

/// A user's terminal that shows two lines of ours and then the snapshot.
fn shown(snapshot: &Snapshot) -> guard::Terminal {
    let mut terminal = guard::Terminal::new(6, 20, 100);
    terminal.feed(b"header\r\nmonitor\r\n");
    let mut passed = Vec::new();
    Pass::new().feed(&inline(snapshot), &mut passed);
    terminal.feed(&passed);
    terminal
}

fn lines(terminal: &guard::Terminal) -> Vec<String> {
    let text = terminal.screen().contents();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_short_screen_is_drawn_below_what_is_there() {
    let terminal = shown(&snapshot(b"# \x1b[31mls\x1b[m\r\nbin\r\n# ec"));
    assert_eq!(
        lines(&terminal),
        ["header", "monitor", "# ls", "bin", "# ec"]
    );
    assert_eq!(terminal.screen().cursor_position(), (4, 4));
    let cell = terminal.screen().cell(2, 2).unwrap();
    assert_eq!(cell.fgcolor(), vt100::Color::Idx(1));
}

#[test]
fn the_cursor_goes_where_it_was() {
    let terminal = shown(&snapshot(b"one\r\ntwo\r\nthree\x1b[1;3H"));
    assert_eq!(terminal.screen().cursor_position(), (2, 2));
    assert_eq!(lines(&terminal)[4], "three");
    // An empty screen takes no room.
    let terminal = shown(&snapshot(b""));
    assert_eq!(lines(&terminal), ["header", "monitor"]);
    assert_eq!(terminal.screen().cursor_position(), (2, 0));
}

#[test]
fn a_full_screen_pushes_the_rest_up() {
    let terminal = shown(&snapshot(b"1\r\n2\r\n3\r\n4\r\n5\r\n6"));
    assert_eq!(lines(&terminal), ["1", "2", "3", "4", "5", "6"]);
    assert_eq!(terminal.screen().cursor_position(), (5, 1));
}

#[test]
fn a_program_with_the_whole_screen_gets_its_own() {
    let terminal = shown(&snapshot(b"main\x1b[?1049h\x1b[Hfull\x1b[4;2H"));
    assert!(terminal.screen().alternate_screen());
    assert_eq!(lines(&terminal), ["full"]);
    assert_eq!(terminal.screen().cursor_position(), (3, 1));
}

#[test]
fn modes_of_the_keyboard_are_kept() {
    let terminal = shown(&snapshot(b"\x1b[?1h\x1b[?2004h\x1b[?25l# "));
    let screen = terminal.screen();
    assert!(screen.application_cursor() && screen.bracketed_paste() && screen.hide_cursor());
}

#[test]
fn absurd_snapshots_do_no_harm() {
    for size in [None, Some((0, 0)), Some((u32::MAX, u32::MAX)), Some((1, 1))] {
        let snapshot = Snapshot {
            size: size.map(|(rows, cols)| TerminalSize { rows, cols }),
            screen: b"\x1b[99;99Hx\x1b]0;".to_vec().into(),
            ..Snapshot::default()
        };
        assert!(!inline(&snapshot).contains(&b']'));
    }
}
