//! Every way out of the monitor: what becomes of the session, and of the terminal.

use std::time::Duration;

use rustix::process::Signal;

use super::*;

/// The ids of the server's sessions.
fn sessions(server: &Shared) -> Vec<String> {
    let listed = script(server, &["ls"]).ok().out();
    let ids = listed.lines().skip(1).map(|line| line.split('\t').next());
    ids.flatten().map(str::to_owned).collect()
}

#[test]
fn exit_ends_the_session_that_the_monitor_started() {
    let server = Shared::on(engine());
    let mut pty = opened(&server, &[], &failing());
    assert_eq!(sessions(&server).len(), 1);
    to_monitor(&mut pty);
    pty.send("exit\r");
    assert_eq!(pty.wait(), 1);
    assert!(sessions(&server).is_empty());
}

#[test]
fn exit_leaves_a_session_alone_that_others_use() {
    let server = Shared::on(engine());
    let mut pty = opened(&server, &[], &failing());
    let id = sessions(&server).remove(0);
    let mut other = debug(&server, &["attach", &id]);
    other.wait_until("the shell", |screen| screen.trim_end().ends_with('#'));
    to_monitor(&mut pty);
    pty.send("\x04");
    assert_eq!(pty.wait(), 1);
    let screen = pty.screen();
    assert!(
        screen.contains(&format!("Others use session {id}: pid ")),
        "{screen}"
    );
    assert!(
        screen.contains(&format!("come back with: buildx debug attach {id}")),
        "{screen}"
    );
    // And who only attached leaves it, too.
    other.send("\x01c");
    other.wait_until("the prompt", |screen| {
        screen.trim_end().ends_with("(buildx)")
    });
    other.send("exit\r");
    assert_eq!(other.wait(), 0);
    assert_eq!(sessions(&server), [id]);
}

#[test]
fn who_is_at_the_prompt_uses_the_session_too_and_hears_of_its_end() {
    let server = Shared::on(engine());
    let mut pty = opened(&server, &[], &failing());
    let id = sessions(&server).remove(0);
    let watchers = || {
        let list = script(&server, &["ls", "--format=json"]).ok();
        let list: serde_json::Value = serde_json::from_slice(&list.stdout).unwrap();
        list[0]["watchers"].as_u64()
    };
    let mut other = debug(&server, &["attach", &id]);
    other.wait_until("the shell", |screen| screen.trim_end().ends_with('#'));
    assert_eq!(watchers(), Some(2));
    to_monitor(&mut other);
    assert_eq!(watchers(), Some(2));

    to_monitor(&mut pty);
    pty.send("exit\r");
    assert_eq!(pty.wait(), 1);
    let screen = pty.screen();
    assert!(
        screen.contains(&format!("Others use session {id}: pid ")),
        "{screen}"
    );
    assert_eq!(sessions(&server), std::slice::from_ref(&id));

    let mut inside = debug(&server, &["attach", &id]);
    inside.wait_until("the shell", |screen| screen.trim_end().ends_with('#'));
    script(&server, &["disconnect", "--force", &id]).ok();
    other.wait_until("the end of the session", |screen| {
        screen.contains("The session was ended by pid ") && screen.trim_end().ends_with("(buildx)")
    });
    inside.wait_until("the end of the process", |screen| {
        screen.contains("invoke: the session was ended by pid ")
            && screen.trim_end().ends_with("(buildx)")
    });
    command(&mut inside, "ls");
    for screen in [other.screen(), inside.screen()] {
        assert_eq!(screen.matches("was ended by").count(), 1, "{screen}");
    }
    other.send("exit\r");
    assert_eq!(other.wait(), 0);
    let screen = other.screen();
    assert!(!screen.contains("lives on"), "{screen}");
}

#[test]
fn detach_says_how_to_come_back() {
    let server = Shared::on(engine());
    let mut pty = opened(&server, &[], &failing());
    let id = sessions(&server).remove(0);
    pty.send("\x01d");
    assert_eq!(pty.wait(), 1);
    let line = format!("Session {id} lives on; come back with: buildx debug attach {id}");
    assert!(pty.screen().contains(&line), "{}", pty.screen());
    assert_eq!(sessions(&server), [id]);
}

#[test]
fn what_was_typed_before_leaving_arrives() {
    let server = Shared::on(engine());
    let mut pty = opened(&server, &[], &failing());
    let id = sessions(&server).remove(0);
    let long = "x".repeat(1000);
    pty.send(&format!("echo last words >late; : {long}\r\x01d"));
    assert_eq!(pty.wait(), 1);
    let wait = "until test -s late; do usleep 10000; done; cat late";
    let read = script(&server, &["exec", &id, "sh", "-c", wait]).ok().out();
    assert_eq!(read, "last words\n");
}

#[test]
fn a_signal_gives_the_terminal_back_and_leaves_the_session() {
    let server = Shared::on(engine());
    let context = failing();
    let line = format!(
        "{PROGRAM} debug --ui=line --root {} build --network=none {}; echo code $?; stty -a",
        server.root().display(),
        context.path().display()
    );
    let mut program = CommandBuilder::new("sh");
    program.args(["-c", &line]);
    let mut pty = Pty::spawn(clean(&server, program), 60, 120);
    pty.wait_until("the shell", |screen| screen.trim_end().ends_with('#'));
    let attached = script(
        &server,
        &["inspect", "--format=json", &sessions(&server)[0]],
    )
    .ok();
    let attached: serde_json::Value = serde_json::from_slice(&attached.stdout).unwrap();
    let pid = attached["clients"][0]["pid"].as_i64().unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    pty.wait();
    let screen = pty.screen();
    assert!(screen.contains("code 143\n"), "{screen}");
    for mode in ["icanon", "echo", "isig", "opost"] {
        let is_on = screen.split_whitespace().any(|word| word == mode);
        assert!(is_on, "{mode}: {screen}");
    }
    assert_eq!(sessions(&server).len(), 1);
}

#[test]
fn the_exit_code_is_that_of_the_signal() {
    let server = Shared::on(engine());
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130)] {
        let mut pty = debug(&server, &[]);
        pty.wait_until("the prompt", |screen| {
            screen.trim_end().ends_with("(buildx)")
        });
        pty.signal(signal);
        assert_eq!(pty.wait(), code, "{signal:?}");
    }
    let id = {
        let context = failing();
        let id = server.detached(&[], &context);
        script(&server, &["wait", &id]).fails(1);
        id
    };
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129)] {
        let mut pty = debug(&server, &["exec", "-t", &id, "sh"]);
        pty.wait_until("the shell", |screen| screen.trim_end().ends_with('#'));
        pty.signal(signal);
        assert_eq!(pty.wait(), code, "{signal:?}");
    }
    // The first one is the program's.
    let deaf = "trap 'echo heard' TERM; echo up; while :; do sleep 1; done";
    let mut pipes = script(&server, &["exec", &id, "sh", "-c", deaf]).spawn();
    let mut out = std::io::BufReader::new(pipes.child.stdout.take().unwrap());
    for expected in ["up\n", "heard\n"] {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut out, &mut line).unwrap();
        assert_eq!(line, expected);
        pipes.signal(Signal::TERM);
    }
    assert_eq!(pipes.wait().code, 143);
}

#[test]
fn a_signal_overtakes_input_that_the_program_does_not_read() {
    let server = Shared::on(engine());
    let context = failing();
    let id = server.detached(&[], &context);
    script(&server, &["wait", &id]).fails(1);
    let deaf = "trap 'echo heard; exit 5' TERM; while :; do sleep 1; done";
    let mut pipes = script(&server, &["exec", "-t", &id, "sh", "-c", deaf]).spawn();
    let mut input = pipes.child.stdin.take().unwrap();
    let (sender, written) = std::sync::mpsc::channel();
    // More than all that is on the way takes, and not without an end: engines keep what a program does not read.
    let feeder = std::thread::spawn(move || {
        for _ in 0..64 {
            let _ = sender.send(());
            if std::io::Write::write_all(&mut input, &[b'x'; 64 << 10]).is_err() {
                return;
            }
        }
    });
    while written.recv_timeout(Duration::from_secs(2)).is_ok() {}
    pipes.signal(Signal::TERM);
    let ended = pipes.wait();
    assert!(ended.out().contains("heard"), "{ended}");
    assert_eq!(ended.code, 5, "{ended}");
    feeder.join().unwrap();
}

#[test]
fn ctrl_z_at_the_prompt_and_fg() {
    let server = Shared::on(engine());
    let mut program = CommandBuilder::new("bash");
    program.args(["--norc", "--noprofile", "-i"]);
    let mut program = clean(&server, program);
    program.env("PS1", "outer> ");
    let mut pty = Pty::spawn(program, 24, 100);
    pty.wait_until("the outer shell", |screen| screen.contains("outer>"));
    pty.send(&format!(
        "{PROGRAM} debug --ui=line --root {}\r",
        server.root().display()
    ));
    pty.wait_until("the prompt", |screen| {
        screen.trim_end().ends_with("(buildx)")
    });
    pty.send("sta\x1a");
    pty.wait_until("the outer shell", |screen| {
        screen.contains("Stopped") && screen.trim_end().ends_with("outer>")
    });
    pty.send("echo line mode; fg\r");
    pty.wait_until("the prompt with its line", |screen| {
        screen.contains("\nline mode\n") && screen.trim_end().ends_with("(buildx) sta")
    });
    pty.send("tus\r");
    pty.wait_until("the answer", |screen| screen.contains("No session;"));
    pty.send("exit\r");
    pty.wait_until("the outer shell", |screen| {
        screen.trim_end().ends_with("outer>")
    });
    pty.send("exit\r");
    pty.wait();
}

#[test]
fn without_a_terminal_the_state_is_kept_and_it_is_said_how_to_come_back() {
    let server = Shared::on(engine());
    let context = failing();
    let path = context.path().to_str().unwrap().to_owned();
    let output = script(&server, &["build", "--network=none", &path]).fails(1);
    let id = sessions(&server).remove(0);
    let err = output.err();
    assert!(
        err.contains("standard input and output are not a terminal."),
        "{err}"
    );
    assert!(err.contains("The state of the build is kept for "), "{err}");
    assert!(err.contains(&format!("buildx debug attach {id}")), "{err}");
    // Whoever takes the session up is in its state at once.
    let mut pty = debug(&server, &["attach", &id]);
    pty.wait_until("the shell", |screen| {
        screen.trim_end().ends_with("/srv/app #")
    });
    assert!(shell(&mut pty, "cat made").contains("partial"));
}
