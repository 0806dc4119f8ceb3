//! The full screen in real terminals, on a real engine.

use std::os::unix::fs::DirBuilderExt;

use portable_pty::CommandBuilder;

use crate::support::cmd::PROGRAM;
use crate::support::context::Context;
use crate::support::engine::engine;
use crate::support::pty::Pty;
use crate::support::shared::Shared;

mod allowed;
mod builder;
mod builds;
mod command;
mod files;
mod leave;
mod long_log;
mod mouse;
mod sessions;
mod suspend;

/// A context whose last step says why it fails. The step is no other test's: an engine remembers a failure as long as
/// somebody holds it.
fn failing() -> Context {
    let id = buildx::engine::id::new_id().unwrap();
    Context::busybox(&format!(
        "ENV GREETING=hello\n\
         WORKDIR /srv/app\n\
         RUN echo compiling; echo 'open a.json: no such file or directory' >&2; : {id}; exit 3\n\
         RUN echo never\n"
    ))
}

/// The screen of `buildx debug ARGS…`, whose server is `server`.
fn screen(server: &Shared, args: &[&str], rows: u16, cols: u16) -> Pty {
    Pty::spawn(command(server, args), rows, cols)
}

fn command(server: &Shared, args: &[&str]) -> CommandBuilder {
    let mut program = in_environment(server, PROGRAM);
    program.args(["debug", "--ui=tui", "--root"]);
    program.arg(server.root());
    program.args(args);
    program
}

/// A program in the environment that clients of `server` need.
fn in_environment(server: &Shared, program: &str) -> CommandBuilder {
    let mut program = CommandBuilder::new(program);
    program.env_clear();
    program.env("PATH", std::env::var("PATH").unwrap());
    program.env("TERM", "xterm-256color");
    program.env("LANG", "C.UTF-8");
    let home = server.root().with_file_name("home");
    std::fs::create_dir_all(&home).unwrap();
    // As one who has seen the hint of the first start.
    let mut private = std::fs::DirBuilder::new();
    private.recursive(true).mode(0o700);
    private.create(server.root()).unwrap();
    std::fs::write(server.root().join("welcomed"), "").unwrap();
    program.env("HOME", &home);
    program.cwd(&home);
    program.env("BUILDX_SERVER", "on");
    program.env("XDG_CONFIG_HOME", server.config_home());
    program.env("DOCKER_HOST", server.host());
    program
}

/// The session whose panes are shown, by the words beside the title of the list.
fn shows(screen: &str, session: &str) -> bool {
    let header = screen.lines().next().unwrap_or_default();
    header.contains(&format!("│ {session} "))
}

/// A failing build on the screen, with the keyboard in the shell of its failed step.
#[track_caller]
fn opened(server: &Shared, context: &Context, rows: u16, cols: u16) -> Pty {
    let path = context.path().to_str().unwrap();
    let mut pty = screen(server, &["build", "--network=none", path], rows, cols);
    pty.wait_until("the shell", |screen| screen.contains("/srv/app #"));
    pty
}

#[test]
fn a_failing_build_ends_in_a_card_and_a_prompt_in_the_failed_step() {
    let server = Shared::on(engine());
    let context = failing();
    for (rows, cols) in [(24, 80), (40, 120), (60, 200)] {
        let mut pty = opened(&server, &context, rows, cols);
        pty.wait_until("the failure", |screen| {
            screen.contains("FAILED") && screen.contains("ERROR") && screen.contains("exit 3")
        });
        if cols >= 120 {
            pty.wait_until("the card", |screen| {
                screen.contains("exit code 3") && screen.contains("no such file or directory")
            });
        }
        pty.send("echo $GREETING-$((6*7))\r");
        pty.wait_until("the program's answer", |screen| screen.contains("hello-42"));
        // Ctrl-a c: to the controls; the next e is a key of ours.
        pty.send("\x01c");
        pty.wait_until("the controls", |screen| screen.contains("NAV"));
        pty.send("s");
        pty.wait_until("the shell again", |screen| screen.contains("SHELL"));
        pty.send("\x01q");
        assert_eq!(pty.wait(), 1);
    }
}
