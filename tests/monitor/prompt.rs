//! The prompt: its commands, its history, completion, and builds that are started from it.

use super::*;

#[test]
fn commands_say_what_there_is() {
    let server = Shared::on(engine());
    let mut pty = opened(&server, &["--name", "app"], &failing());
    to_monitor(&mut pty);
    let list = command(&mut pty, "list");
    assert!(
        list.contains("app") && list.contains("failed") && list.contains("true"),
        "{list}"
    );
    let ps = command(&mut pty, "ps");
    assert!(ps.contains("running") && ps.contains("/srv/app"), "{ps}");
    let logs = command(&mut pty, "logs working");
    assert!(
        logs.contains("working") && !logs.contains("load build context"),
        "{logs}"
    );
    let wrong = command(&mut pty, "frobnicate");
    assert!(
        wrong.contains("ERROR: unknown command: \"frobnicate\"; try help"),
        "{wrong}"
    );
    let kept = command(&mut pty, "keep 2h");
    assert!(
        kept.contains("is kept for 1h") || kept.contains("is kept for 2h"),
        "{kept}"
    );
}

#[test]
fn a_terminal_that_can_show_no_screen_gets_lines_and_the_reason() {
    let server = Shared::on(engine());
    let mut program = CommandBuilder::new(PROGRAM);
    program.args(["debug", "--root"]);
    program.arg(server.root());
    let mut program = clean(&server, program);
    program.env("TERM", "dumb");
    let mut pty = Pty::spawn(program, 24, 80);
    pty.wait_until("the reason and the prompt", |screen| {
        screen.contains("cannot show a screen") && screen.trim_end().ends_with("(buildx)")
    });
    pty.send("exit\r");
    assert_eq!(pty.wait(), 0);
}

#[test]
fn history_and_completion() {
    let server = Shared::on(engine());
    let mut pty = debug(&server, &[]);
    pty.wait_until("the prompt", |screen| {
        screen.trim_end().ends_with("(buildx)")
    });
    pty.send("sta\t");
    pty.wait_until("the word", |screen| screen.contains("(buildx) status"));
    pty.send("\r");
    pty.wait_until("the answer", |screen| {
        screen.contains("No session; \"list\"")
    });
    pty.send("\x04");
    assert_eq!(pty.wait(), 0);

    let context = failing();
    let id = server.detached(&["--name", "web"], &context);
    script(&server, &["wait", &id]).fails(1);
    let mut pty = debug(&server, &[]);
    pty.wait_until("the prompt", |screen| {
        screen.trim_end().ends_with("(buildx)")
    });
    pty.send("\x1b[A");
    pty.wait_until("the last line of the last run", |screen| {
        screen.trim_end().ends_with("(buildx) status")
    });
    pty.send("\x15inspect we\t\r");
    pty.wait_until("the session", |screen| {
        screen.contains(&id) && screen.contains("failed")
    });
    // Ctrl-C empties a line; on an empty one it leaves.
    pty.send("nonsense\x03");
    pty.wait_until("a new line", |screen| {
        screen.contains("^C") && screen.trim_end().ends_with("(buildx)")
    });
    pty.send("\x03");
    assert_eq!(pty.wait(), 0);
}

#[test]
fn reload_builds_again_and_its_exit_code_counts() {
    let server = Shared::on(engine());
    let context = failing();
    let mut pty = opened(&server, &["--progress=plain"], &context);
    to_monitor(&mut pty);
    std::fs::write(
        context.join("Dockerfile"),
        format!(
            "{}RUN echo repaired > made\n",
            crate::support::context::BUSYBOX
        ),
    )
    .unwrap();
    pty.send("reload\r");
    pty.wait_until("the new container", |screen| {
        let after = screen.rsplit_once("naming to").map(|(_, after)| after);
        after.is_some_and(|after| {
            after.contains("Interactive container was restarted")
                && after.trim_end().ends_with("(buildx)")
        })
    });
    to_shell(&mut pty);
    let made = shell(&mut pty, "cat /made");
    assert!(made.contains("repaired"), "{made}");
    to_monitor(&mut pty);
    pty.send("exit\r");
    assert_eq!(pty.wait(), 0);
}

#[test]
fn ctrl_c_cancels_a_reload_and_the_monitor_stays() {
    let server = Shared::on(engine());
    let context = failing();
    let mut pty = opened(&server, &["--progress=plain"], &context);
    to_monitor(&mut pty);
    std::fs::write(
        context.join("Dockerfile"),
        format!(
            "{}RUN echo begun; sleep 600\n",
            crate::support::context::BUSYBOX
        ),
    )
    .unwrap();
    pty.send("reload\r");
    pty.wait_until("the step", |screen| screen.trim_end().ends_with(" begun"));
    pty.send("\x03");
    pty.wait_until("the prompt", |screen| {
        screen.contains("The build was canceled") && screen.trim_end().ends_with("(buildx)")
    });
    pty.send("exit\r");
    assert_eq!(pty.wait(), 130);
}

#[test]
fn a_parse_error_opens_a_prompt_that_says_why_there_is_no_shell() {
    let server = Shared::on(engine());
    let context = Context::dockerfile("FROM scratch\nFRBO x\n");
    let path = context.path().to_str().unwrap().to_owned();
    let mut pty = debug(&server, &["build", &path]);
    pty.wait_until("the prompt", |screen| {
        screen.trim_end().ends_with("(buildx)")
    });
    let screen = pty.screen();
    assert!(screen.contains("No process could be started: "), "{screen}");
    pty.send("exit\r");
    assert_eq!(pty.wait(), 1);
}

#[test]
fn a_success_opens_when_it_is_asked_for() {
    let server = Shared::on(engine());
    let context = Context::busybox("WORKDIR /made\n");
    let path = context.path().to_str().unwrap().to_owned();
    let mut pty = opened(&server, &["--invoke", "sh"], &context);
    assert!(pty.screen().contains("The build has succeeded."));
    assert!(shell(&mut pty, "pwd").contains("/made"));
    to_monitor(&mut pty);
    pty.send("exit\r");
    assert_eq!(pty.wait(), 0);

    let mut pty = debug(
        &server,
        &[
            "--on=error",
            "--invoke",
            "sh",
            "build",
            "--network=none",
            &path,
        ],
    );
    pty.wait_until("why not", |screen| {
        screen.contains("The build has succeeded and --on=error waits for a failure")
    });
    assert_eq!(pty.wait(), 0);
}

#[test]
fn another_prefix() {
    let server = Shared::on(engine());
    let mut pty = opened(&server, &["--prefix", "ctrl-b"], &failing());
    assert!(
        pty.screen()
            .contains("Press Ctrl-b-c to switch to monitor console")
    );
    pty.send("\x02c");
    pty.wait_until("the prompt", |screen| {
        screen.trim_end().ends_with("(buildx)")
    });
}
