//! What a screen reader gets: sentences, one after the other.

use super::{failing, in_environment};
use crate::support::cmd::PROGRAM;
use crate::support::engine::engine;
use crate::support::pty::Pty;
use crate::support::shared::Shared;

#[test]
fn a_failing_build_is_told_in_sentences_and_nothing_is_drawn_over() {
    let server = Shared::on(engine());
    let context = failing();
    let mut program = in_environment(&server, PROGRAM);
    program.args(["debug", "--screen-reader", "--root"]);
    program.arg(server.root());
    program.args(["build", "--network=none"]);
    program.arg(context.path());
    let mut pty = Pty::spawn(program, 60, 200);
    pty.wait_until("the shell", |screen| screen.contains("/srv/app #"));
    let raw = String::from_utf8_lossy(pty.raw()).into_owned();
    // Up to the program, whose terminal is its own.
    let (told, _) = raw.split_once("Launching interactive container").unwrap();
    assert!(!told.contains("\x1b["), "{told:?}");
    assert!(
        !told
            .replace("\r\r\n", "")
            .replace("\r\n", "")
            .contains('\r'),
        "{told:?}"
    );
    let sentences = [
        "The build has begun on builder default, driver docker.",
        "Step 5 of 6, RUN echo compiling; ",
        "Output of step 5 of 6:\r\n",
        "open a.json: no such file or directory",
        "Step 5 of 6 has failed with exit code 3 after ",
        " of Dockerfile is: RUN echo compiling; ",
        "The build has failed after ",
        "The program /bin/sh runs in the failed state of step 5 of 6, as root, in the directory /srv/app.",
    ];
    let mut rest = told;
    for sentence in sentences {
        let at = rest.find(sentence);
        let at = at.unwrap_or_else(|| panic!("no {sentence:?} in {rest:?} of {told:?}"));
        rest = &rest[at + sentence.len()..];
    }
    for drawn in ["------", "=>", "│", "──", "\n#"] {
        assert!(!told.contains(drawn), "{drawn:?} in {told:?}");
    }
    pty.send("echo $GREETING-$((6*7))\r");
    pty.wait_until("the program's answer", |screen| screen.contains("hello-42"));
    pty.send("\x01c");
    pty.wait_until("the monitor", |screen| screen.contains("Switched IO"));
    pty.send("reload\r");
    pty.wait_until("the second build in sentences", |screen| {
        screen
            .matches("Step 5 of 6 has failed with exit code 3")
            .count()
            == 2
    });
    pty.wait_until("the monitor again", |screen| {
        screen.trim_end().ends_with("(buildx)")
    });
    pty.send("detach\r");
    assert_eq!(pty.wait(), 1);
}
