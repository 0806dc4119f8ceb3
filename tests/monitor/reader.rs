//! Screen-reader mode: sentences, one below the other.

use super::*;

/// What a terminal gets that reads out: no byte moves the cursor back over what was written, apart from the begin of
/// the prompt's row, and no frame or rule is drawn.
#[track_caller]
fn linear(raw: &[u8]) {
    let text = String::from_utf8_lossy(raw);
    for drawn in [
        "\x1b[A",
        "\x1b[1A",
        "\x1b[2J",
        "\x1b[H",
        "\x1b[?2026h",
        "----",
        "─",
        "│",
        "[+]",
    ] {
        assert!(!text.contains(drawn), "{drawn:?} in {text:?}");
    }
}

#[test]
fn a_failing_build_is_told_in_sentences() {
    let server = Shared::on(engine());
    let context = failing();
    let path = context.path().to_str().unwrap();
    let args = ["--screen-reader", "build", "--network=none", path];
    let mut pty = reader(&server, &args);
    pty.wait_until("the shell", |screen| screen.trim_end().ends_with('#'));
    linear(pty.raw());
    let screen = pty.screen();
    let mut rest = screen.as_str();
    for sentence in [
        "The build starts on the builder \"default\" with the docker driver.\n",
        "Step 6 of 6 runs: RUN echo partial > made; echo working; : ",
        "\nworking\n",
        "Step 6 of 6 failed with exit code 3 after ",
        "The build failed after ",
        " in step 6 of 6.\nLine 8 of Dockerfile: RUN echo partial > made; echo working; : ",
        "The cause: process \"/bin/sh -c echo partial",
        "exit code: 3.\n",
        "is open in the state after step 6 of 6, as the failure left it, as user root, in directory /srv/app.\n",
        "At the prompt, rollback --init opens the state before the step.\n",
        "The state of the build is kept for ",
        "Press Ctrl-a and then c to come to the prompt of the monitor, and the same to come back.\n",
    ] {
        let found = rest.find(sentence);
        let at = found.unwrap_or_else(|| panic!("{sentence:?} is not in {rest:?}"));
        rest = &rest[at + sentence.len()..];
    }
    assert!(!screen.contains("load build definition"), "{screen}");
    assert!(shell(&mut pty, "cat made").contains("partial"));

    pty.send("\x01c");
    pty.wait_until("the prompt", |screen| {
        screen
            .trim_end()
            .ends_with("You are at the prompt of the monitor.\n(buildx)")
    });
    let list = command(&mut pty, "list");
    assert!(
        list.contains("There is 1 session.\nSession ")
            && list.contains(", where you are: failed, "),
        "{list}"
    );
    let ps = command(&mut pty, "ps");
    assert!(ps.contains("There is 1 process.\nProcess "), "{ps}");
    // What is typed is echoed as it is typed; what it can be completed to is a sentence.
    let before = pty.raw().len();
    pty.send("sta");
    pty.wait_until("the word", |screen| screen.ends_with("(buildx) sta"));
    assert_eq!(&pty.raw()[before..], b"sta");
    pty.send("\x15l\t");
    pty.wait_until("the completions", |screen| {
        screen.contains(" completions: list, logs") && screen.trim_end().ends_with("(buildx) l")
    });
    pty.send("\x15\x1b[A");
    pty.wait_until("the last line", |screen| {
        screen.trim_end().ends_with("(buildx) ps")
    });
    pty.send("\x15exit\r");
    assert_eq!(pty.wait(), 1);
    linear(pty.raw());
}

#[test]
fn a_success_and_what_was_cached() {
    let server = Shared::on(engine());
    let id = buildx::engine::id::new_id().unwrap();
    let context = Context::busybox(&format!("RUN echo {id}\n"));
    let path = context.path().to_str().unwrap();
    let args = ["--screen-reader", "build", "--network=none", path];
    assert_eq!(reader(&server, &args).wait(), 0);
    let mut pty = reader(&server, &args);
    assert_eq!(pty.wait(), 0);
    linear(pty.raw());
    let screen = pty.screen();
    assert!(
        screen.contains(&format!(" was cached: RUN echo {id}.\n")),
        "{screen}"
    );
    assert!(screen.contains("The build succeeded after "), "{screen}");
    // A word of the user's counts more.
    let args = [
        "--screen-reader",
        "build",
        "--network=none",
        "--progress=plain",
        path,
    ];
    let mut pty = reader(&server, &args);
    assert_eq!(pty.wait(), 0);
    let screen = pty.screen();
    assert!(
        screen.contains("#0 building with") && !screen.contains("The build starts"),
        "{screen}"
    );
}

/// `buildx debug ARGS…` in a terminal wide enough that no sentence wraps.
fn reader(server: &Shared, args: &[&str]) -> Pty {
    let mut program = CommandBuilder::new(PROGRAM);
    program.args(["debug", "--root"]);
    program.arg(server.root());
    program.args(args);
    Pty::spawn(clean(server, program), 60, 250)
}
