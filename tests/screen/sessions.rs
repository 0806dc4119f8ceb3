//! More than one session, client and size.

use super::{failing, opened, screen};
use crate::support::cmd::Buildx;
use crate::support::context::Context;
use crate::support::engine::engine;
use crate::support::gate::Gate;
use crate::support::shared::Shared;

#[test]
fn switching_between_sessions_keeps_a_flood_and_an_editor_alive() {
    let server = Shared::on(engine());
    let contexts = [failing(), failing(), failing()];
    let mut pty = opened(&server, &contexts[0], 40, 120);
    // An editor in the first session.
    pty.send("vi /tmp/note\r");
    // Its rows behind the end of the file: the name is in what was typed, too.
    pty.wait_until("the editor", |screen| {
        screen.contains("/tmp/note") && screen.matches("~ ").count() > 3
    });
    pty.send("ihello from vi");
    pty.wait_until("its text", |screen| screen.contains("hello from vi"));
    // A flood in the second, started from another terminal.
    let mut other = opened(&server, &contexts[1], 24, 80);
    other.send("while true; do echo flood-$((i=i+1)); done\r");
    other.wait_until("the flood", |screen| screen.contains("flood-"));
    let third = opened(&server, &contexts[2], 24, 80);
    drop(third);
    pty.wait_until("three sessions", |screen| {
        screen
            .lines()
            .filter(|line| line.contains("FAILED"))
            .count()
            >= 3
    });
    pty.send("\x012");
    pty.wait_until("the second session", |screen| {
        !screen.contains("hello from vi")
    });
    pty.send("s");
    pty.wait_until("its flood", |screen| screen.contains("flood-"));
    pty.send("\x011");
    pty.send("\x01c");
    pty.wait_until("the first session again", |screen| {
        screen.contains("hello from vi")
    });
    pty.send("\x01q");
    pty.wait();
    other.send("\x03\x01q");
    other.wait();
}

#[test]
fn two_screens_show_one_shell() {
    let server = Shared::on(engine());
    let context = failing();
    let mut one = opened(&server, &context, 40, 120);
    let mut two = screen(&server, &[], 40, 120);
    two.wait_until("the session", |screen| {
        screen.contains("FAILED") && screen.contains("NAV")
    });
    two.send("s");
    two.wait_until("the shell", |screen| {
        screen.contains("/srv/app #") && screen.contains("SHELL")
    });
    two.send("echo typed-by-$((1+1))\r");
    one.wait_until("what the other typed", |screen| {
        screen.contains("typed-by-2")
    });
    one.wait_until("the other client", |screen| screen.contains("2 clients"));
    one.send("echo typed-by-$((0+1))\r");
    two.wait_until("the answer", |screen| screen.contains("typed-by-1"));
    // A client that dies leaves the shell alone.
    two.kill();
    one.send("echo still-$((4+5))\r");
    one.wait_until("the shell goes on", |screen| screen.contains("still-9"));
    one.send("\x01q");
    one.wait();
}

#[test]
fn a_build_started_elsewhere_appears_while_it_runs() {
    let server = Shared::on(engine());
    let mut pty = screen(&server, &[], 40, 120);
    pty.wait_until("the invitation", |screen| screen.contains("No sessions."));
    let id = buildx::engine::id::new_id().unwrap();
    let gate = Gate::new();
    let context = Context::busybox(&format!("RUN echo begun; : {id}; {}\n", gate.wait()));
    let path = context.path().to_str().unwrap();
    let mut build = screen(
        &server,
        &["--name", "elsewhere", "build", "--network=host", path],
        24,
        80,
    );
    pty.wait_until("the running build", |screen| {
        screen.contains("elsewhere") && screen.contains("building")
    });
    drop(gate.comes());
    pty.wait_until("its end", |screen| screen.contains("✓ ok"));
    pty.send("q");
    pty.wait();
    build.send("q");
    build.wait();
}

#[test]
fn storms_of_sizes_end_with_a_whole_screen() {
    let server = Shared::on(engine());
    let context = failing();
    let mut pty = opened(&server, &context, 40, 120);
    for (rows, cols) in [
        (1, 1),
        (500, 200),
        (2, 500),
        (13, 49),
        (24, 80),
        (5, 19),
        (6, 20),
        (200, 500),
        (60, 200),
    ] {
        pty.resize(rows, cols);
    }
    pty.resize(40, 120);
    pty.send("stty size; echo sized-$((1+2))\r");
    pty.wait_until("the shell after the storm", |screen| {
        screen.contains("sized-3") && screen.contains("── steps")
    });
    pty.send("\x01q");
    pty.wait();
}

#[test]
fn a_large_paste_arrives_whole() {
    let server = Shared::on(engine());
    let context = failing();
    let mut pty = opened(&server, &context, 40, 120);
    pty.send(
        "stty -echo -icanon; echo reads-$((1+1)); head -c 1048576 | md5sum; stty echo icanon\r",
    );
    // A terminal that waits for whole lines has no room for this one.
    pty.wait_until("the command", |screen| screen.contains("reads-2"));
    let text: String = ('a'..='z').cycle().take(1 << 20).collect();
    pty.send(&format!("\x1b[200~{text}\x1b[201~"));
    let digest = {
        use std::io::Write;
        let mut child = std::process::Command::new("md5sum")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    };
    let digest = digest.split_whitespace().next().unwrap().to_owned();
    pty.wait_until("the digest", |screen| screen.contains(&digest));
    pty.send("\x01q");
    pty.wait();
}

#[test]
fn who_looks_at_a_finished_session_uses_it() {
    let server = Shared::on(engine());
    let context = failing();
    let mut one = opened(&server, &context, 40, 120);
    one.send("\x01q");
    one.wait();
    let script = |args: &[&str]| {
        Buildx::on(engine(), ["debug", "--root"])
            .arg(server.root())
            .args(args)
            .env("XDG_CONFIG_HOME", server.config_home())
            .env("BUILDX_SERVER", "on")
    };
    let list = script(&["ls", "--format=json"]).ok();
    let list: serde_json::Value = serde_json::from_slice(&list.stdout).unwrap();
    let id = list[0]["id"].as_str().unwrap();
    let mut two = screen(&server, &[], 40, 120);
    two.wait_until("the session and who uses it", |screen| {
        screen.contains("FAILED") && screen.contains(" you ")
    });
    let refused = script(&["disconnect", id]).fails(1);
    assert!(
        refused.err().contains("Others use session "),
        "{}",
        refused.err()
    );
    two.send("q");
    two.wait();
}

#[test]
fn pruning_says_how_many_sessions_went() {
    let server = Shared::on(engine());
    let contexts = [failing(), failing()];
    let mut one = opened(&server, &contexts[0], 40, 120);
    one.send("exit\r");
    one.wait_until("the end of the shell", |screen| screen.contains("NAV"));
    one.send("q");
    one.wait();
    let mut two = opened(&server, &contexts[1], 40, 120);
    two.send("\x01c");
    two.wait_until("the controls", |screen| screen.contains("NAV"));
    two.send("X");
    two.wait_until("the question", |screen| {
        screen.contains("End 1 ended session in which nobody works")
    });
    two.send("y");
    two.wait_until("what went", |screen| {
        screen.contains("ended 1 session; ") && screen.contains(" of logs are free again")
    });
    two.send("q");
    two.wait();
}
