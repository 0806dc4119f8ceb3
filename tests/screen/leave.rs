//! Every way of leaving puts the terminal right, and leaves what runs alone.

use rustix::process::Signal;

use super::{command, failing, opened, screen};
use crate::support::engine::engine;
use crate::support::pty::Pty;
use crate::support::shared::Shared;

/// What undoes the screen is in the last bytes.
#[track_caller]
fn assert_put_right(raw: &[u8]) {
    let text = String::from_utf8_lossy(raw);
    let on = text.rfind("\x1b[?1049h").expect("the alternate screen");
    for off in [
        "\x1b[?1049l",
        "\x1b[?2004l",
        "\x1b[?1004l",
        "\x1b[?1000l",
        "\x1b[?1002l",
        "\x1b[?25h",
    ] {
        let at = text.rfind(off).unwrap_or_else(|| panic!("no {off:?}"));
        assert!(at > on, "{off:?} is older than the screen");
    }
}

#[test]
fn detaching_says_how_to_come_back_and_the_shell_is_there_again() {
    let server = Shared::on(engine());
    let context = failing();
    let mut pty = opened(&server, &context, 40, 120);
    // At once: what was typed before leaving arrives.
    pty.send("export KEPT=still-here\r\x01q");
    assert_eq!(pty.wait(), 1);
    assert_put_right(pty.raw());
    let said = String::from_utf8_lossy(pty.raw()).into_owned();
    assert!(
        said.contains("lives on; come back with: buildx debug attach "),
        "{said}"
    );

    let mut again = screen(&server, &[], 40, 120);
    again.wait_until("the session", |screen| {
        screen.contains("FAILED") && screen.contains("NAV")
    });
    again.send("s");
    again.wait_until("the shell", |screen| {
        screen.contains("export KEPT=still-here")
    });
    again.send("echo $KEPT-indeed\r");
    again.wait_until("its variable", |screen| {
        screen.contains("still-here-indeed")
    });
    again.send("\x01q");
    again.wait();
}

#[test]
fn signals_put_the_terminal_right() {
    let server = Shared::on(engine());
    let context = failing();
    let mut first = opened(&server, &context, 24, 80);
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129)] {
        let mut pty = screen(&server, &[], 24, 80);
        pty.wait_until("the screen", |screen| screen.contains("FAILED"));
        pty.signal(signal);
        assert_eq!(pty.wait(), code, "{signal:?}");
        assert_put_right(pty.raw());
    }
    first.send("echo alive-$((1+1))\r");
    first.wait_until("the other screen", |screen| screen.contains("alive-2"));
}

#[test]
fn a_lost_server_is_a_card_and_not_the_end() {
    let server = Shared::on(engine());
    let context = failing();
    let mut pty = opened(&server, &context, 40, 120);
    server.kill();
    pty.wait_until("the screen with the session as it is now", |screen| {
        screen.contains("no server") || screen.contains("the server is back")
    });
    // It starts another one, which knows the session.
    pty.wait_until("the session again", |screen| {
        !screen.contains("no server") && screen.contains("FAILED")
    });
    pty.send("\x01q");
    pty.wait();
    assert_put_right(pty.raw());
}

/// A terminal that tells keys apart is asked to, on the alternate screen, and asked no more when it is left.
#[test]
fn keys_are_told_apart_only_on_the_screen_and_only_by_terminals_that_can() {
    let server = Shared::on(engine());
    let context = failing();
    let path = context.path().to_str().unwrap();
    for (name, knows) in [("xterm-kitty", true), ("xterm-256color", false)] {
        let mut program = command(&server, &["build", "--network=none", path]);
        program.env("TERM", name);
        let mut pty = Pty::spawn(program, 40, 120);
        pty.wait_until("the shell", |screen| screen.contains("/srv/app #"));
        if knows {
            // Ctrl-i, Ctrl-m, Alt-b and Esc as such a terminal writes them.
            pty.send("cat -v\x1b[109;5u");
            pty.send("a\x1b[98;3u\x1b[27u\x1b[105;5ub\x1b[109;5u");
            pty.wait_until("the keys", |screen| {
                screen.contains("a^[b^[") && screen.contains("b")
            });
            pty.send("\x1b[99;5u");
            pty.send("\x1b[97;5uq");
        } else {
            pty.send("\x01q");
        }
        assert_eq!(pty.wait(), 1);
        assert_put_right(pty.raw());
        let text = String::from_utf8_lossy(pty.raw()).into_owned();
        let place = |sequence: &str| text.rfind(sequence);
        assert_eq!(place("\x1b[>1u").is_some(), knows, "{name}");
        assert_eq!(place("\x1b[<u").is_some(), knows, "{name}");
        if knows {
            assert!(place("\x1b[?1049h") < place("\x1b[>1u"));
            assert!(place("\x1b[>1u") < place("\x1b[<u"));
            assert!(place("\x1b[<u") < place("\x1b[?1049l"));
        }
    }
}
