//! Ctrl-Z stops the program as any other, and `fg` brings it back.

use super::{failing, in_environment};
use crate::support::cmd::PROGRAM;
use crate::support::engine::engine;
use crate::support::pty::Pty;
use crate::support::shared::Shared;

#[test]
fn a_shell_sees_it_stop_and_brings_it_back() {
    let server = Shared::on(engine());
    let context = failing();
    let mut shell = in_environment(&server, "bash");
    shell.args(["--norc", "--noprofile", "-i"]);
    shell.env("PS1", "outside$ ");
    shell.env("ROOT", server.root());
    shell.env("CONTEXT", context.path());
    let mut pty = Pty::spawn(shell, 40, 120);
    pty.wait_until("the shell", |screen| screen.contains("outside$"));
    pty.send("stty -a >before\r");
    pty.send(&format!(
        "{PROGRAM} debug --ui=tui --root $ROOT build --network=none $CONTEXT\r"
    ));
    pty.wait_until("the container", |screen| screen.contains("/srv/app #"));
    // In the container it is a key like others; at the controls it is ours.
    pty.send("\x01c");
    pty.wait_until("the controls", |screen| screen.contains("NAV"));
    pty.send("\x1a");
    pty.wait_until("the outer shell", |screen| {
        screen.contains("Stopped") && !screen.contains("── steps")
    });
    assert!(!pty.alternate());
    for off in ["2004l", "1004l", "1000l", "1002l", "25h"] {
        let text = String::from_utf8_lossy(pty.raw()).into_owned();
        let left = text.rfind("\x1b[?1049l").unwrap();
        let on = text.rfind("\x1b[?1049h").unwrap();
        let at = text.rfind(&format!("\x1b[?{off}"));
        assert!(left > on && at.is_some_and(|at| at > on), "{off}");
    }
    pty.send("stty -a >stopped; cmp before stopped && echo modes-$((1+1))\r");
    pty.wait_until("the modes of before", |screen| screen.contains("modes-2"));

    pty.send("fg\r");
    pty.wait_until("the screen again", |screen| {
        screen.contains("── steps") && screen.contains("NAV") && !screen.contains("Stopped")
    });
    assert!(pty.alternate());
    pty.send("s");
    pty.wait_until("the keyboard in the container", |screen| {
        screen.contains("SHELL")
    });
    pty.send("echo back-$((2+3))\r");
    pty.wait_until("the program's answer", |screen| screen.contains("back-5"));
    pty.send("\x01q");
    pty.wait_until("the outer shell", |screen| {
        screen.contains("come back with") && !screen.contains("── steps")
    });
    pty.send("stty -a >after; cmp before after && echo code-$?-end\r");
    pty.wait_until("the modes of before", |screen| {
        screen.contains("code-0-end")
    });
    pty.send("exit\r");
    pty.wait();
}
