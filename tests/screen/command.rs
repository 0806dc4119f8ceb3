//! The command line and the palette.

use super::{failing, opened, shows};
use crate::support::engine::engine;
use crate::support::shared::Shared;

#[test]
fn a_command_goes_to_a_session_and_a_wrong_one_loses_nothing() {
    let server = Shared::on(engine());
    let contexts = [failing(), failing()];
    let other = server.detached(&["--name", "other"], &contexts[1]);
    let mut pty = opened(&server, &contexts[0], 40, 120);
    pty.wait_until("the other session", |screen| {
        screen.contains("other") && !shows(screen, "other")
    });
    pty.send("\x01c");
    pty.wait_until("the controls", |screen| screen.contains("NAV"));
    pty.send(&format!(":atach {}\r", &other[..8]));
    pty.wait_until("the mistake, with what was typed", |screen| {
        screen.contains("unknown command: \"atach\"")
            && screen.contains("attach")
            && screen.contains(&format!(":atach {}", &other[..8]))
            && screen.contains("FAILED")
    });
    // To the begin of the line, behind the first letters, and the missing one.
    pty.send("\x1b[H\x1b[C\x1b[Ct\r");
    pty.wait_until("the other session", |screen| shows(screen, "other"));
    pty.wait_until("a shell in it", |screen| {
        screen.contains("SHELL") && screen.contains("/srv/app #")
    });
    pty.send("\x01q");
    pty.wait();
}

#[test]
fn an_unknown_id_is_one_line() {
    let server = Shared::on(engine());
    let context = failing();
    let mut pty = opened(&server, &context, 40, 120);
    pty.send("\x01:attach nothing-of-that-name\r");
    pty.wait_until("the complaint", |screen| {
        screen
            .lines()
            .any(|line| line.contains("unknown ID: \"nothing-of-that-name\""))
    });
    pty.send("echo still-$((1+1))\r");
    pty.wait_until("the shell as before", |screen| screen.contains("still-2"));
    pty.send("\x01q");
    pty.wait();
}

#[test]
fn the_palette_finds_an_action_by_a_few_letters() {
    let server = Shared::on(engine());
    let context = failing();
    let mut pty = opened(&server, &context, 40, 120);
    assert!(!pty.screen().contains("── timeline"));
    pty.send("\x01\x10");
    pty.wait_until("the palette", |screen| {
        screen.contains("palette") && screen.contains("next-session")
    });
    pty.send("timel");
    pty.wait_until("what is left", |screen| {
        screen.contains("bars of time") && !screen.contains("next-session")
    });
    pty.send("\r");
    pty.wait_until("the timeline", |screen| screen.contains("── timeline"));
    pty.send("\x01q");
    pty.wait();
}
