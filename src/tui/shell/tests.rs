use crossterm::event::{KeyCode, KeyModifiers, MouseButton};

use super::*;

fn shell(rows: u32, cols: u32) -> Shell {
    let kind = Kind::Process {
        init: false,
        platform: None,
    };
    Shell::new(Tab(0), "s".to_owned(), kind, TerminalSize { rows, cols })
}

fn print(shell: &mut Shell, text: &str) {
    let output = Output::Data(Bytes::copy_from_slice(text.as_bytes()));
    shell.on(ShellMsg::Output(output), Instant::now());
}

fn mouse(kind: MouseEventKind, row: u16, column: u16) -> MouseEvent {
    MouseEvent {
        kind,
        column,
        row,
        modifiers: KeyModifiers::NONE,
    }
}

#[test]
fn the_mouse_is_where_it_is_seen_in_a_grid_that_is_larger_than_the_pane() {
    let [down, drag, up] = [
        MouseEventKind::Down(MouseButton::Left),
        MouseEventKind::Drag(MouseButton::Left),
        MouseEventKind::Up(MouseButton::Left),
    ];
    let room = (2, 10);
    let mut shell = shell(5, 20);
    print(&mut shell, "one\r\ntwo\r\nthree\r\nfour\r\nfive");
    // Of five lines the last two are seen.
    shell.mouse(&mouse(down, 0, 0), room);
    shell.mouse(&mouse(drag, 0, 0), room);
    shell.mouse(&mouse(drag, 0, 2), room);
    let copied = shell.mouse(&mouse(up, 0, 2), room);
    assert_eq!(copied, Mouse::Copy("fou".to_owned()));
    // A program gets the place in its own grid, counted from one.
    print(&mut shell, "\x1b[?1000h\x1b[?1006h");
    let typed = shell.mouse(&mouse(down, 0, 2), room);
    assert_eq!(typed, Mouse::Type(b"\x1b[<0;3;4M".to_vec()));
}

#[test]
fn a_paste_in_the_scrollback_is_no_input_of_the_program() {
    let mut shell = shell(5, 20);
    print(&mut shell, "one\r\ntwo");
    assert_eq!(shell.paste("ls"), Ok(b"ls".to_vec()));
    shell.start_copying();
    assert!(shell.paste("ls").is_err());
    shell.copy_key(&KeyEvent::new(KeyCode::Char('/'), KeyModifiers::NONE));
    assert_eq!(shell.paste("two"), Ok(Vec::new()));
    let prompt = shell.copy.as_ref().and_then(CopyMode::prompt);
    assert_eq!(prompt.map(|prompt| prompt.text.as_str()), Some("two"));
}

#[test]
fn what_nobody_sees_is_drawn_when_it_is_quiet_also_if_it_came_with_much_else() {
    let mut shell = shell(24, 80);
    // More than a turn of what is drawn at once, and then lines, in one message.
    let colours = "\x1b[m".repeat(TURN * 8 * 1024 / 3);
    let lines = "line\r\n".repeat(4 * 1024);
    let output = Output::Data(format!("{colours}{lines}").into());
    shell.on(ShellMsg::Output(output), Instant::now());
    shell.came(0);
    let mut now = 0;
    while let Some(at) = shell.deadline() {
        now = now.max(at);
        shell.tick(now);
    }
    assert!(!shell.terminal.is_waiting());
    assert!(now >= QUIET);
}
