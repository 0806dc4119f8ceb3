//! Shells: what they are started in, who has the keyboard, and who else is there.

use super::*;

#[test]
fn a_failed_step_opens_a_shell_in_what_it_left() {
    let server = Shared::on(engine());
    let mut pty = opened(&server, &[], &failing());
    let screen = pty.screen();
    for line in [
        "Failed: [6/6] RUN echo partial > made; echo working; : ",
        "; exit 3 (Dockerfile:8), exit code 3",
        "State: as the failed step left it; \"rollback --init\" shows the one before it.",
        "Launching interactive container. Press Ctrl-a-c to switch to monitor console",
    ] {
        assert!(screen.contains(line), "{line}\n{screen}");
    }
    assert!(screen.contains("in /srv/app"), "{screen}");
    assert!(shell(&mut pty, "cat made kept").contains("partial\nbefore"));
    assert!(shell(&mut pty, "echo $GREETING from $PWD").contains("hello from /srv/app"));
    assert!(shell(&mut pty, "stty size").contains("40 100"));
    pty.resize(30, 90);
    // The engine sets the size beside the input.
    let size = "until stty size | grep -q '30 90'; do usleep 10000; done; stty size";
    assert!(shell(&mut pty, size).contains("30 90"));
}

#[test]
fn another_terminal_takes_the_shell_up_with_its_screen() {
    let server = Shared::on(engine());
    let mut pty = opened(&server, &[], &failing());
    shell(&mut pty, "secret=kept-in-memory");
    shell(&mut pty, "echo the screen is $((6*7))");
    pty.kill();
    let id = script(&server, &["ls"]).ok().out();
    let id = id.lines().nth(1).unwrap().split('\t').next().unwrap();
    let mut other = debug_of(&server, &["attach", &id[..10]], 24, 80);
    other.wait_until("the screen", |screen| {
        screen.contains("the screen is 42") && screen.trim_end().ends_with('#')
    });
    assert!(shell(&mut other, "echo $secret").contains("kept-in-memory"));
    assert!(shell(&mut other, "stty size").contains("24 80"));
}

#[test]
fn keys_after_the_prefix() {
    let server = Shared::on(engine());
    let mut pty = opened(&server, &[], &failing());
    // Everything at once: what is typed ahead goes to whoever has the keyboard then.
    pty.send("echo one\r\x01cps\r\x01cecho two\r");
    pty.wait_until("the way there and back", |screen| {
        screen.matches("Switched IO").count() == 2 && screen.trim_end().ends_with("two\n/srv/app #")
    });
    let screen = pty.screen();
    assert!(
        screen.contains("(buildx) ps\nPID\t") || screen.contains("(buildx) ps\nPID "),
        "{screen}"
    );
    // The prefix twice sends one; the terminal shows it as ^A.
    pty.send("echo ready; cat -v\r");
    pty.wait_until("the program", |screen| {
        screen.trim_end().ends_with("\nready")
    });
    pty.send("\x01\x01x\r");
    pty.wait_until("the echo of the prefix", |screen| {
        screen.matches("^Ax").count() >= 2
    });
}

#[test]
fn the_end_of_a_process_leads_back_to_the_monitor() {
    let server = Shared::on(engine());
    let mut pty = opened(&server, &[], &failing());
    pty.send("exit 5\r");
    pty.wait_until("the prompt", |screen| {
        screen
            .trim_end()
            .ends_with("Switched IO\nERROR: invoke: exit code: 5\n(buildx)")
    });
    pty.send("\x01c");
    pty.wait_until("that there is nothing", |screen| {
        screen.contains("Process isn't attached (previous \"exec\" exited?). Use \"attach\"")
    });
    let said = command(&mut pty, "exec sh -c 'cat made; exec cat'");
    assert!(
        said.contains("started. Press Ctrl-a-c to switch to that process."),
        "{said}"
    );
    pty.send("\x01c");
    pty.wait_until("its output", |screen| {
        screen.trim_end().ends_with("Switched IO\npartial")
    });
}

#[test]
fn rollback_is_a_new_start_before_or_after_the_step() {
    let server = Shared::on(engine());
    let mut pty = opened(&server, &[], &failing());
    shell(&mut pty, "echo edited > made");
    to_monitor(&mut pty);
    let said = command(&mut pty, "rollback --init");
    assert!(
        said.contains("Interactive container was restarted with process"),
        "{said}"
    );
    to_shell(&mut pty);
    assert!(shell(&mut pty, "ls /srv/app; echo listed").contains("kept\nlisted"));
    to_monitor(&mut pty);
    command(&mut pty, "rollback");
    to_shell(&mut pty);
    assert!(shell(&mut pty, "cat /srv/app/made").contains("partial"));
}

#[test]
fn a_program_with_the_whole_screen_is_left_and_found_again() {
    let server = Shared::on(engine());
    let mut pty = opened(&server, &[], &failing());
    pty.send(
        "printf '\\033[?1049h\\033[2J\\033[5;5Hwhole\\033[?25l'; read x; printf '\\033[?1049l'\r",
    );
    pty.wait_until("the program", |screen| screen.trim() == "whole");
    pty.send("\x01c");
    pty.wait_until("the main screen", |screen| {
        screen.contains("Launching interactive") && screen.trim_end().ends_with("(buildx)")
    });
    pty.send("\x01c");
    pty.wait_until("the program again", |screen| screen.trim() == "whole");
    pty.send("\r");
    pty.wait_until("the shell", |screen| screen.trim_end().ends_with('#'));
}

#[test]
fn two_terminals_at_one_shell_see_each_other() {
    let server = Shared::on(engine());
    let mut first = opened(&server, &[], &failing());
    let id = script(&server, &["ls"]).ok().out();
    let id = id
        .lines()
        .nth(1)
        .unwrap()
        .split('\t')
        .next()
        .unwrap()
        .to_owned();
    let mut second = debug(&server, &["attach", "--read-only", &id]);
    first.wait_until("the other", |screen| {
        screen.contains("[buildx] pid ") && screen.contains("(read-only) is here, too.")
    });
    shell(&mut first, "echo from the first");
    second.wait_until("its output", |screen| screen.contains("from the first\n"));
    second.send("echo from the second\r\x01d");
    assert_eq!(second.wait(), 0);
    first.wait_until("the end of it", |screen| screen.contains("has left."));
    assert!(!first.screen().contains("from the second"));
}

#[test]
fn a_process_without_a_terminal_of_its_own() {
    let server = Shared::on(engine());
    let context = failing();
    let path = context.path().to_str().unwrap().to_owned();
    let invoke = "args=/bin/busybox,args=cat,tty=false";
    let mut pty = debug(
        &server,
        &["--invoke", invoke, "build", "--network=none", &path],
    );
    pty.wait_until("the process", |screen| {
        screen.contains("Press Ctrl-a-c to switch to the new")
    });
    pty.send("over and over\r");
    pty.wait_until("the echo and the answer", |screen| {
        screen.trim_end().ends_with("over and over\nover and over")
    });
    pty.send("\x04");
    pty.wait_until("the prompt", |screen| {
        screen.trim_end().ends_with("Switched IO\n(buildx)")
    });
}

#[test]
fn without_a_server_nothing_lives_on() {
    let server = Shared::on(engine());
    let context = failing();
    let path = context.path().to_str().unwrap().to_owned();
    let mut pty = debug(
        &server,
        &["--detach=false", "build", "--network=none", &path],
    );
    pty.wait_until("the shell", |screen| screen.trim_end().ends_with('#'));
    assert!(shell(&mut pty, "cat made").contains("partial"));
    assert!(server.running().is_none());
    pty.send("\x01d");
    pty.wait_until("that it cannot be", |screen| {
        screen.contains("ERROR: nothing lives on without a server (--server=off)")
            && screen.trim_end().ends_with("(buildx)")
    });
    pty.send("exit\r");
    assert_eq!(pty.wait(), 1);
}

#[test]
fn a_server_that_is_killed_is_a_sentence() {
    let server = Shared::on(engine());
    let context = failing();
    let mut pty = opened(&server, &[], &context);
    server.kill();
    pty.wait_until("the prompt", |screen| {
        screen.contains("ERROR: lost the buildx server") && screen.trim_end().ends_with("(buildx)")
    });
    let said = command(&mut pty, "list");
    assert!(
        said.contains("The server was lost; this is a new one."),
        "{said}"
    );
    // The session has been written down.
    assert!(said.contains("failed"), "{said}");
    let said = command(&mut pty, "reload");
    assert!(
        said.contains("Interactive container was restarted"),
        "{said}"
    );
    pty.send("exit\r");
    assert_eq!(pty.wait(), 1);
}
