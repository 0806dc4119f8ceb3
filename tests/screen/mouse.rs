//! The mouse: what a click, the wheel and a drag do, and what a program gets of them.

use super::{failing, screen, shows};
use crate::support::context::Context;
use crate::support::engine::engine;
use crate::support::pty::Pty;
use crate::support::shared::Shared;

/// The row of a pane's title, from 0.
fn title(screen: &str, pane: &str) -> Option<usize> {
    screen
        .lines()
        .position(|line| line.contains(&format!("── {pane}")))
}

/// The number of the log's first line in sight, of lines as `line-7-`.
fn first_line(screen: &str) -> Option<u32> {
    let line = screen.lines().nth(title(screen, "log [")? + 1)?;
    let (_, rest) = line.split_once("line-")?;
    rest.split('-').next()?.parse().ok()
}

/// A build of that name, with its shell open.
fn named(server: &Shared, name: &str, context: &Context) -> Pty {
    let path = context.path().to_str().unwrap();
    let args = ["--name", name, "build", "--network=none", path];
    let mut pty = screen(server, &args, 40, 120);
    pty.wait_until("the shell", |screen| screen.contains("/srv/app #"));
    pty
}

#[test]
fn clicks_choose_sessions_and_panes() {
    let server = Shared::on(engine());
    let contexts = [failing(), failing()];
    let mut pty = named(&server, "first", &contexts[0]);
    let mut other = named(&server, "second", &contexts[1]);
    other.send("\x01q");
    other.wait();
    pty.wait_until("both sessions", |screen| screen.contains("2 second"));
    assert!(shows(&pty.screen(), "first"));
    pty.click(pty.find("2 second"));
    pty.wait_until("the second session", |screen| {
        shows(screen, "second") && screen.contains("NAV")
    });
    pty.click(pty.find("1 first"));
    pty.wait_until("the first session and its shell", |screen| {
        shows(screen, "first") && screen.contains("/srv/app #")
    });
    let (row, column) = pty.find("── shell:");
    pty.click((row + 2, column + 4));
    pty.wait_until("the keyboard in the shell", |screen| {
        screen.contains("SHELL")
    });
    pty.send("echo clicked-$((6*7))\r");
    pty.wait_until("the program's answer", |screen| {
        screen.contains("clicked-42")
    });
    // A key of ours goes to the pane that was clicked.
    let (row, column) = pty.find("── log [");
    pty.click((row + 1, column + 4));
    pty.wait_until("the keyboard in the log", |screen| screen.contains("NAV"));
    pty.send("z");
    pty.wait_until("the log alone", |screen| {
        title(screen, "log [").is_some() && title(screen, "steps").is_none()
    });
    pty.send("q");
    pty.wait();
}

#[test]
fn the_wheel_scrolls_the_log_and_a_drag_moves_a_border() {
    let server = Shared::on(engine());
    let id = buildx::engine::id::new_id().unwrap();
    let context = Context::busybox(&format!(
        "WORKDIR /srv/app\n\
         RUN for i in $(seq 200); do echo line-$i-; done; : {id}; exit 3\n"
    ));
    let mut pty = named(&server, "long", &context);
    pty.wait_until("the end of the log", |screen| {
        first_line(screen).is_some_and(|line| line > 150)
    });
    let before = first_line(&pty.screen()).unwrap();
    let (row, column) = pty.find("── log [");
    let inside = (row + 1, column + 9);
    pty.mouse(64, inside, false);
    pty.wait_until("earlier lines", |screen| {
        first_line(screen) == Some(before - 3)
    });
    pty.mouse(65, inside, false);
    pty.wait_until("later lines", |screen| first_line(screen) == Some(before));
    // The wheel leaves the keyboard where it is.
    assert!(pty.screen().contains("SHELL"));

    let (row, column) = pty.find("── shell:");
    pty.mouse(0, (row, column), false);
    pty.mouse(32, (row - 1, column), false);
    pty.mouse(32, (row - 3, column), false);
    pty.mouse(0, (row - 3, column), true);
    pty.wait_until("a higher border", |screen| {
        title(screen, "shell:") == Some(usize::from(row) - 3)
    });
    pty.send("\x01q");
    pty.wait();
}

#[test]
fn a_program_that_asks_for_the_mouse_gets_it() {
    let server = Shared::on(engine());
    let context = failing();
    let mut pty = named(&server, "asks", &context);
    pty.send("clear; printf '\\033[?1000h\\033[?1006h'; echo asked-$((1+1)); cat -v\r");
    pty.wait_until("the program", |screen| screen.contains("asked-2"));
    let (row, column) = pty.find("── shell:");
    pty.click((row + 5, column + 6));
    pty.send("\r");
    // From 1, in the program's own screen: the row beneath the title is its first. Once echoed, once by cat.
    let twice = |screen: &str, report| screen.matches(report).count() == 2;
    pty.wait_until("press and release", |screen| {
        twice(screen, "^[[<0;7;5M") && twice(screen, "^[[<0;7;5m")
    });
    // A click into another pane is none of the program's.
    pty.click(pty.find("── steps"));
    pty.wait_until("the controls", |screen| screen.contains("NAV"));
    pty.send("smark\r");
    pty.wait_until("what was typed next", |screen| twice(screen, "mark"));
    let reports = pty.screen().matches("^[[<").count();
    assert_eq!(reports, 4, "press and release, by echo and cat");
    pty.send("\x03");
    // What is typed before the program has ended goes with it.
    pty.wait_until("the prompt", |screen| screen.contains("/srv/app #"));
    pty.send("printf '\\033[?1000l'; echo done-$((1+2))\r");
    pty.wait_until("its answer", |screen| screen.contains("done-3"));
    pty.send("\x01q");
    pty.wait();
}
