//! The commands of scripts: bytes, exit codes, JSON.

use super::*;

/// A session with a failed build.
fn failed(server: &Shared) -> String {
    let context = failing();
    let id = server.detached(&[], &context);
    script(server, &["wait", &id]).fails(1);
    id
}

#[test]
fn exec_passes_bytes_streams_and_exit_codes() {
    let server = Shared::on(engine());
    let id = failed(&server);
    let run = |args: &[&str]| script(&server, &[&["exec"], args].concat());
    assert_eq!(run(&[&id, "cat", "made"]).ok().out(), "partial\n");
    run(&[&id, "sh", "-c", "exit 42"]).fails(42);
    let both = run(&[&id, "sh", "-c", "echo out; echo err >&2"]).ok();
    assert_eq!((both.out(), both.err()), ("out\n".into(), "err\n".into()));
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let echoed = run(&[&id, "cat"]).stdin(bytes.clone()).ok();
    assert!(echoed.stdout == bytes, "{} bytes", echoed.stdout.len());
    // With a terminal, too, nothing is added to what the program writes. Without an end of a line: engines under load have
    // made CR CR LF of the first ones.
    let tty = run(&["-t", &id, "sh", "-c", "test -t 1 && printf '\\033[1ma\\tb'"]).ok();
    assert_eq!(tty.out(), "\x1b[1ma\tb");
    // What is piped in ends there as well, also behind a line that is not finished.
    for input in ["", "whole\n", "half"] {
        let count = ["-it", &id, "sh", "-c", "stty -echo; wc -c"];
        let counted = run(&count).stdin(input).ok();
        assert_eq!(counted.out().trim(), input.len().to_string(), "{counted}");
    }
    let flags = [
        "-e",
        "A=1",
        "-w",
        "/bin",
        "-u",
        "7:8",
        &id,
        "sh",
        "-c",
        "echo $A $PWD $(id -u):$(id -g)",
    ];
    assert_eq!(run(&flags).ok().out(), "1 /bin 7:8\n");
    let before = ["--init", &id, "ls", "/srv/app"];
    assert_eq!(run(&before).ok().out(), "kept\n");
    let missing = run(&[&id, "no-such-program"]).run();
    assert!(matches!(missing.code, 1 | 127), "{missing}");
    let unknown = run(&["zzz", "true"]).fails(1);
    assert!(
        unknown
            .error_line()
            .starts_with("ERROR: unknown ID: \"zzz\"")
    );
}

#[test]
fn a_program_whose_output_nobody_reads_ends() {
    let server = Shared::on(engine());
    let id = failed(&server);
    let mut endless = script(&server, &["exec", &id, "yes"]).spawn();
    let mut first = [0; 2];
    let mut output = endless.child.stdout.take().unwrap();
    std::io::Read::read_exact(&mut output, &mut first).unwrap();
    drop(output);
    let ended = endless.wait();
    assert_eq!((ended.code, ended.err().as_str()), (141, ""), "{ended}");
    let list = script(&server, &["ps", "--format", "json", &id]).ok();
    let list: serde_json::Value = serde_json::from_slice(&list.stdout).unwrap();
    assert_ne!(list[0]["ended"], 0, "{list}");
}

#[test]
fn a_full_disk_is_told() {
    let server = Shared::on(engine());
    let id = failed(&server);
    let works = Context::dockerfile("FROM scratch\nCOPY Dockerfile /\n");
    let runs = ["logs", "inspect", "ps"].map(|verb| script(&server, &[verb, &id]));
    let quiet = server.run(["build", "-q"]).arg(works.path());
    for run in runs.into_iter().chain([quiet]) {
        let full = std::fs::File::options().write(true).open("/dev/full");
        let output = run.stdout(full.unwrap()).fails(1);
        let line = output.error_line();
        assert!(line.starts_with("ERROR: cannot write"), "{output}");
        assert!(line.contains("No space left"), "{output}");
    }
}

#[test]
fn a_failure_that_left_nothing_says_why() {
    let server = Shared::on(engine());
    let context = failing();
    let id = server.detached(&["--target=nowhere"], &context);
    script(&server, &["wait", &id]).fails(1);
    let why = "The Dockerfile has no stage of that name: no step has run.";
    let refused = script(&server, &["exec", &id, "true"]).fails(1);
    assert_eq!(refused.error_line(), format!("ERROR: {why}"));
    let shown = script(&server, &["inspect", &id]).ok().out();
    assert!(shown.contains(why), "{shown}");
    let mut pty = debug(&server, &["attach", &id]);
    pty.wait_until("the prompt", |screen| {
        screen.trim_end().ends_with("(buildx)")
    });
    let screen = pty.screen();
    assert!(screen.contains(why), "{screen}");
    assert!(!screen.contains("starts one"), "{screen}");
}

#[test]
fn the_log_of_a_step_that_is_not_there_is_an_error() {
    let server = Shared::on(engine());
    let id = failed(&server);
    for (flags, step) in [(&["logs"][..], "nosuchstep"), (&["logs", "-f"], "99")] {
        let none = script(&server, &[flags, &[&id, step]].concat()).fails(1);
        let line = format!("ERROR: no step with the number or name {step:?} has begun");
        assert_eq!((none.out(), none.error_line()), (String::new(), line));
    }
    let some = script(&server, &["logs", &id, "echo partial"]).ok().out();
    assert!(some.contains(" working\n"), "{some}");

    let context = Context::busybox("RUN echo begun; sleep 600\n");
    let running = server.detached(&[], &context);
    let none = script(&server, &["logs", &running, "nosuchstep"]).fails(1);
    assert!(none.error_line().ends_with(" has begun so far"), "{none}");
    script(&server, &["cancel", &running]).ok();
}

#[test]
fn a_reader_that_goes_away_ends_the_log() {
    let server = Shared::on(engine());
    let context = Context::busybox("RUN echo begun; sleep 600\n");
    let id = server.detached(&[], &context);
    let mut logs = script(&server, &["logs", "-f", &id]).spawn();
    let mut out = std::io::BufReader::new(logs.child.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    assert!(line.starts_with("#0 building with"), "{line}");
    drop(out);
    script(&server, &["cancel", &id]).ok();
    assert_eq!(logs.wait().code, 0);
    script(&server, &["wait", &id]).fails(130);
}

#[test]
fn exec_on_a_terminal() {
    let server = Shared::on(engine());
    let id = failed(&server);
    let mut pty = debug_of(&server, &["exec", "-t", &id, "sh"], 20, 70);
    pty.wait_until("the shell", |screen| screen.trim_end().ends_with('#'));
    let size = shell(&mut pty, "stty size");
    assert!(size.contains("20 70"), "{size}");
    pty.send("exit 9\r");
    assert_eq!(pty.wait(), 9);
    // Without -t, hostile bytes are shown, not obeyed.
    let mut pty = debug(&server, &["exec", &id, "printf", "a\\033[2Jb"]);
    assert_eq!(pty.wait(), 0);
    assert!(pty.screen().contains("a^[[2Jb"), "{}", pty.screen());
}

#[test]
fn who_loses_the_server_in_a_process_hears_how_to_come_back() {
    let server = Shared::on(engine());
    let id = failed(&server);
    let line = format!("can be brought back with: buildx debug reload {id}");
    let mut pipes = script(&server, &["exec", &id, "sh", "-c", "echo up; sleep 600"]).spawn();
    let mut out = std::io::BufReader::new(pipes.child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut out, &mut String::new()).unwrap();
    let mut pty = debug_of(&server, &["exec", "-t", &id, "sh"], 24, 200);
    pty.wait_until("the shell", |screen| screen.trim_end().ends_with('#'));
    server.kill();
    let lost = pipes.wait();
    assert_eq!(lost.code, 1, "{lost}");
    assert!(lost.error_line().ends_with(&line), "{lost}");
    assert_eq!(pty.wait(), 1);
    let screen = pty.screen();
    let said = screen.lines().find(|line| line.starts_with("ERROR: "));
    assert!(said.is_some_and(|said| said.ends_with(&line)), "{screen}");
}

#[test]
fn json_and_the_other_verbs() {
    let server = Shared::on(engine());
    let id = failed(&server);
    let json = |args: &[&str]| -> serde_json::Value {
        let output = script(&server, args).ok();
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let list = json(&["ls", "--format=json"]);
    assert_eq!(list[0]["id"], id.as_str());
    assert_eq!(
        (&list[0]["state"], &list[0]["exit_code"]),
        (&"failed".into(), &1.into())
    );
    let found = json(&["inspect", &id, "--format=json"]);
    assert_eq!(found["outcome"]["failed"]["process_exit_code"], 3);
    assert_eq!(found["outcome"]["failed"]["state"], "after");
    assert_eq!(json(&["ps", &id, "--format=json"]), serde_json::json!([]));

    let logs = script(&server, &["logs", &id]).ok().out();
    assert!(
        logs.contains(" working\n") && logs.contains("\nERROR: failed to build"),
        "{logs}"
    );
    let step = script(&server, &["logs", &id, "working"]).ok().out();
    assert!(step.lines().all(|line| line.starts_with('#')), "{step}");
    let raw = script(&server, &["logs", &id, "--format=json"]).ok().out();
    assert!(raw.lines().all(|line| line.starts_with('{')), "{raw}");

    assert!(
        script(&server, &["keep", &id, "0"])
            .ok()
            .out()
            .contains("is not kept")
    );
    script(&server, &["reload", &id, "--progress=plain"]).fails(1);
    assert!(
        script(&server, &["cancel", &id])
            .ok()
            .out()
            .contains("No build was running")
    );
    script(&server, &["disconnect", &id]).ok();
    assert_eq!(json(&["ls", "--format=json"]), serde_json::json!([]));
}

#[test]
fn prune_ends_what_nobody_uses_and_says_what_went() {
    let server = Shared::on(engine());
    let gone = [(); 2].map(|()| failed(&server));
    let used = failed(&server);
    let mut pty = debug(&server, &["attach", &used]);
    pty.wait_until("the shell", |screen| screen.trim_end().ends_with('#'));
    let context = Context::busybox("RUN sleep 600\n");
    let building = server.detached(&[], &context);

    let refused = script(&server, &["prune"]).fails(1);
    assert!(refused.error_line().contains("--force"), "{refused}");
    let told = script(&server, &["prune", "--force"]).ok().out();
    let lines: Vec<&str> = told.lines().collect();
    let [first, second, count, freed] = lines[..] else {
        panic!("{told}");
    };
    for id in &gone {
        let named = |line: &str| line.starts_with(&format!("{id}\t"));
        assert!(named(first) || named(second), "{told}");
    }
    assert_eq!(count, "Ended 2 sessions.");
    let freed = freed.strip_prefix("Total reclaimed space: ").unwrap();
    assert!(!freed.starts_with('0'), "{told}");
    let left = script(&server, &["ls"]).ok().out();
    assert!(left.contains(&used) && left.contains(&building), "{left}");

    let none = script(&server, &["prune"]).ok().out();
    assert_eq!(none, "Ended 0 sessions.\nTotal reclaimed space: 0B\n");
    script(&server, &["cancel", &building]).ok();
    let mut asked = debug(&server, &["prune"]);
    asked.wait_until("the question", |screen| {
        screen.contains("1 session which nobody uses") && screen.trim_end().ends_with("[y/N]")
    });
    asked.send("n\r");
    assert_eq!(asked.wait(), 0);
    assert!(script(&server, &["ls"]).ok().out().contains(&building));
    let mut asked = debug(&server, &["prune"]);
    asked.wait_until("the question", |screen| {
        screen.trim_end().ends_with("[y/N]")
    });
    asked.send("y\r");
    assert_eq!(asked.wait(), 0);
    assert!(
        asked.screen().contains("Ended 1 session."),
        "{}",
        asked.screen()
    );
    pty.send("\x01d");
    pty.wait();
}
