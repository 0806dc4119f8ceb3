//! A builder that goes away under the screen.

use super::{failing, opened};
use crate::support::shared::Shared;
use crate::support::victim::Victim;

#[test]
fn a_lost_builder_is_told_and_reload_works_when_it_is_back() {
    let victim = Victim::start();
    let server = Shared::with(victim.host());
    let context = failing();
    let mut pty = opened(&server, &context, 40, 120);
    pty.send("echo before-$((1+1))\r");
    pty.wait_until("the shell", |screen| screen.contains("before-2"));
    victim.kill();
    pty.wait_until("the loss in words", |screen| {
        screen.contains("lost connection to builder")
    });
    // The screen works: keys are obeyed, and what was seen of the build is still there.
    pty.send("\x01c");
    pty.wait_until("the controls", |screen| {
        screen.contains("NAV") && screen.contains("── steps") && screen.contains("FAILED")
    });
    victim.again();
    pty.send("r");
    pty.wait_until("a new shell", |screen| {
        screen.contains("SHELL") && screen.contains("/srv/app #") && !screen.contains("before-2")
    });
    pty.send("echo again-$((1+2))\r");
    pty.wait_until("its answer", |screen| screen.contains("again-3"));
    pty.send("\x01q");
    assert_eq!(pty.wait(), 1);
}
