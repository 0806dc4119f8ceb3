//! Files and programs of this machine: an editor, a shell, a watched context.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{failing, in_environment, opened};
use crate::support::cmd::PROGRAM;
use crate::support::engine::engine;
use crate::support::pty::Pty;
use crate::support::shared::Shared;

#[test]
fn the_users_editor_in_a_pane_and_a_build_of_what_it_saved() {
    let server = Shared::on(engine());
    let context = failing();
    let editor = server.root().with_file_name("editor");
    let script =
        "#!/bin/sh\nprintf 'exit with? '; read -r code\nsed -i \"s/exit 3/exit $code/\" \"$1\"\n";
    fs::write(&editor, script).unwrap();
    fs::set_permissions(&editor, fs::Permissions::from_mode(0o755)).unwrap();
    let mut program = in_environment(&server, PROGRAM);
    program.args(["debug", "--ui=tui", "--root"]);
    program.arg(server.root());
    program.args(["build", "--network=none"]);
    program.arg(context.path());
    program.env("EDITOR", &editor);
    let mut pty = Pty::spawn(program, 40, 120);
    pty.wait_until("the shell", |screen| screen.contains("/srv/app #"));
    pty.send("\x01V");
    pty.wait_until("the editor", |screen| screen.contains("exit with?"));
    pty.send("0\r");
    // An editor that ends well is followed by a build.
    pty.wait_until("the build", |screen| {
        screen.contains("✓ ok") && !screen.contains("exit with?")
    });
    let saved = fs::read_to_string(context.join("Dockerfile")).unwrap();
    assert!(saved.contains("exit 0\n"), "{saved}");
    pty.send("\x01q");
    assert_eq!(pty.wait(), 0);
}

#[test]
fn a_shell_of_this_machine() {
    let server = Shared::on(engine());
    let context = failing();
    let mut pty = opened(&server, &context, 40, 120);
    pty.send("\x01!");
    pty.wait_until("another shell", |screen| !screen.contains("/srv/app #"));
    // The container has no such file.
    let file = context.join("Dockerfile");
    pty.send(&format!(
        "test -e {} && echo here-$((40+2))\r",
        file.display()
    ));
    pty.wait_until("its answer", |screen| screen.contains("here-42"));
    pty.send("exit\r");
    pty.wait_until("the container's shell again", |screen| {
        screen.contains("/srv/app #")
    });
    pty.send("\x01q");
    pty.wait();
}

/// Whether a process watches files.
fn watches(pid: u32) -> bool {
    let entries = fs::read_dir(format!("/proc/{pid}/fdinfo")).unwrap();
    entries.flatten().any(|entry| {
        // It may be closed by now.
        let info = fs::read_to_string(entry.path()).unwrap_or_default();
        info.contains("inotify wd:")
    })
}

#[test]
fn a_changed_file_builds_again() {
    let server = Shared::on(engine());
    let context = failing();
    let mut pty = opened(&server, &context, 40, 120);
    pty.send("\x01w");
    pty.wait_until("the word of it", |screen| {
        screen.contains("whenever a file of the context")
    });
    assert!(watches(pty.pid()), "it says so and does not watch");
    let file = context.join("Dockerfile");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("exit 3", "exit 0")).unwrap();
    pty.wait_until("the build", |screen| screen.contains("✓ ok"));
    pty.send("\x01q");
    assert_eq!(pty.wait(), 0);
}
