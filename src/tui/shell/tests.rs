use super::*;

#[test]
fn what_nobody_sees_is_drawn_when_it_is_quiet_also_if_it_came_with_much_else() {
    let size = TerminalSize { rows: 24, cols: 80 };
    let kind = Kind::Process {
        init: false,
        platform: None,
    };
    let mut shell = Shell::new(Tab(0), "s".to_owned(), kind, size);
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
