//! The line monitor in real terminals, on a real engine.

use portable_pty::CommandBuilder;

use crate::support::cmd::{Buildx, PROGRAM};
use crate::support::context::Context;
use crate::support::engine::engine;
use crate::support::pty::Pty;
use crate::support::shared::Shared;

mod leave;
mod prompt;
mod reader;
mod scripts;
mod shell;

/// A context whose last step leaves something and fails. The step is no other test's: an engine
/// remembers a failure as long as somebody holds it.
fn failing() -> Context {
    let id = buildx::engine::id::new_id().unwrap();
    Context::busybox(&format!(
        "ENV GREETING=hello\n\
         WORKDIR /srv/app\n\
         RUN echo before > kept\n\
         RUN echo partial > made; echo working; : {id}; exit 3\n"
    ))
}

/// A terminal with `buildx debug ARGS…`, whose server is `server`.
fn debug(server: &Shared, args: &[&str]) -> Pty {
    debug_of(server, args, 40, 100)
}

fn debug_of(server: &Shared, args: &[&str], rows: u16, cols: u16) -> Pty {
    let mut program = CommandBuilder::new(PROGRAM);
    program.args(["debug", "--ui=line", "--root"]);
    program.arg(server.root());
    program.args(args);
    Pty::spawn(clean(server, program), rows, cols)
}

/// `program` with nothing in its environment but the engine.
fn clean(server: &Shared, mut program: CommandBuilder) -> CommandBuilder {
    program.env_clear();
    program.env("PATH", std::env::var("PATH").unwrap());
    program.env("TERM", "xterm-256color");
    let home = server.root().with_file_name("home");
    std::fs::create_dir_all(&home).unwrap();
    program.env("HOME", &home);
    program.cwd(&home);
    program.env("BUILDX_SERVER", "on");
    program.env("XDG_CONFIG_HOME", server.config_home());
    program.env("DOCKER_HOST", engine().docker_host());
    program
}

/// `buildx debug ARGS…` without a terminal.
fn script(server: &Shared, args: &[&str]) -> Buildx {
    Buildx::on(engine(), ["debug", "--root"])
        .env("XDG_CONFIG_HOME", server.config_home())
        .arg(server.root())
        .args(args)
        .env("BUILDX_SERVER", "on")
}

/// Builds `context` in the debugger and waits for the shell's prompt.
#[track_caller]
fn opened(server: &Shared, flags: &[&str], context: &Context) -> Pty {
    let path = context.path().to_str().unwrap();
    let args = [flags, &["build", "--network=none", path]].concat();
    let mut pty = debug(server, &args);
    pty.wait_until("the shell", |screen| screen.trim_end().ends_with('#'));
    pty
}

/// Types a line at the prompt of the monitor and waits for the next prompt.
#[track_caller]
fn command(pty: &mut Pty, line: &str) -> String {
    let after = answered(pty, &format!("(buildx) {line}"), line, "(buildx)");
    after.trim_end().trim_end_matches("(buildx)").to_owned()
}

/// Types a line in the shell and waits for its next prompt.
#[track_caller]
fn shell(pty: &mut Pty, line: &str) -> String {
    answered(pty, line, line, "#")
}

/// Types a line and waits until it stands on the screen as `echoed`, and a prompt of this end below it; returns what
/// stands there. An answer from before to a line like this one does not count.
#[track_caller]
fn answered(pty: &mut Pty, echoed: &str, line: &str, prompt: &str) -> String {
    let below = |screen: &str| {
        let (_, below) = screen.rsplit_once(echoed)?;
        Some(below.trim_end().to_owned())
    };
    let before = below(&pty.screen());
    pty.send(&format!("{line}\r"));
    pty.wait_until(line, |screen| {
        let below = below(screen).filter(|below| below.contains('\n') && below.ends_with(prompt));
        below.is_some() && below != before
    });
    below(&pty.screen()).unwrap()
}

/// Changes to the shell.
#[track_caller]
fn to_shell(pty: &mut Pty) {
    pty.send("\x01c");
    pty.wait_until("the shell", |screen| {
        let after = screen.rsplit_once("Switched IO").map(|(_, after)| after);
        after.is_some_and(|after| after.trim_end().ends_with('#'))
    });
}

/// Changes to the monitor.
#[track_caller]
fn to_monitor(pty: &mut Pty) {
    pty.send("\x01c");
    pty.wait_until("the prompt", |screen| {
        screen.trim_end().ends_with("Switched IO\n(buildx)")
    });
}
