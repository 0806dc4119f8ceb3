//! Builds that are stopped from the screen.

use super::screen;
use crate::support::context::Context;
use crate::support::engine::engine;
use crate::support::shared::Shared;

#[test]
fn stopping_asks_and_can_be_taken_back() {
    let server = Shared::on(engine());
    let id = buildx::engine::id::new_id().unwrap();
    let context = Context::busybox(&format!("RUN echo begun-$((1+1)); : {id}; sleep 600\n"));
    let path = context.path().to_str().unwrap();
    let args = ["--name", "sleeper", "build", "--network=none", path];
    let mut pty = screen(&server, &args, 40, 120);
    pty.wait_until("the step", |screen| screen.contains("begun-2"));
    let question = "Stop the build of sleeper?";
    // Anything but yes is no.
    pty.send("x");
    pty.wait_until("the question", |screen| screen.contains(question));
    pty.send("n");
    pty.wait_until("no question", |screen| !screen.contains(question));
    pty.send("x");
    pty.wait_until("the question", |screen| screen.contains(question));
    // Both at once, as there are three seconds only.
    pty.send("yu");
    pty.wait_until("the end of it", |screen| {
        screen.contains("the build goes on") && screen.contains("building")
    });
    pty.send("x");
    pty.wait_until("the question", |screen| screen.contains(question));
    pty.send("y");
    pty.wait_until("the delay", |screen| screen.contains("u takes it back"));
    pty.wait_until("the build's end", |screen| {
        screen.contains("⊘") && screen.contains("canceled") && !screen.contains("building")
    });
    pty.send("q");
    assert_eq!(pty.wait(), 130);
}
