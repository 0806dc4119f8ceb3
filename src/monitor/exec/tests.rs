use super::*;
use crate::monitor::fake::{Canned, Fake};
use crate::monitor::parse::parse;
use crate::proto::controller::{
    BuildFailure, Canceled, Client, Finished, Session, SessionState, State,
};

fn session(id: &str, name: &str) -> Session {
    Session {
        id: id.into(),
        name: name.into(),
        state: SessionState::Failed.into(),
        exit_code: 1,
        ..Session::default()
    }
}

fn canned() -> Canned {
    Canned {
        sessions: vec![session("aaa1", "app"), session("aab2", "web")],
        ..Canned::default()
    }
}

async fn monitor(fake: &Fake) -> Monitor {
    let setup = Setup {
        spoken: false,
        caller: Caller {
            directory: "/here".into(),
            ..Caller::default()
        },
        invoke: Invoke::default(),
        prefix: "Ctrl-a".into(),
    };
    Monitor::new(fake.api().await, setup)
}

/// The lines that a command gives, or its one line of complaint.
async fn run(monitor: &mut Monitor, line: &str) -> (Vec<String>, Then) {
    let command = parse(line).unwrap().unwrap();
    match monitor.run(command).await {
        Ok(answer) => (answer.lines, answer.then),
        Err(complaint) => (vec![complaint.0], Then::Stay),
    }
}

async fn lines(monitor: &mut Monitor, line: &str) -> Vec<String> {
    let (lines, then) = run(monitor, line).await;
    assert_eq!(then, Then::Stay, "{line}");
    lines
}

#[tokio::test]
async fn texts_that_scripts_wait_for() {
    let fake = Fake::with(canned());
    let mut monitor = monitor(&fake).await;
    monitor.session = Some("aaa1".into());
    assert_eq!(
        monitor.launching(),
        "Launching interactive container. Press Ctrl-a-c to switch to monitor console"
    );
    assert_eq!(
        monitor.open().await.unwrap().lines,
        [
            "Interactive container was restarted with process \"process1\". Press Ctrl-a-c to switch to the new container"
        ]
    );
    assert_eq!(
        lines(&mut monitor, "exec ls").await,
        ["Process \"process2\" started. Press Ctrl-a-c to switch to that process."]
    );
    assert_eq!(monitor.process.as_deref(), Some("process2"));
    assert_eq!(
        lines(&mut monitor, "attach process1").await,
        ["Attached to process \"process1\". Press Ctrl-a-c to switch to the new container"]
    );
    assert_eq!(monitor.process.as_deref(), Some("process1"));
    assert_eq!(
        lines(&mut monitor, "rollback").await,
        [
            "Interactive container was restarted with process \"process1\". Press Ctrl-a-c to switch to the new container"
        ]
    );
}

#[tokio::test]
async fn rollback_is_never_sticky() {
    let fake = Fake::with(canned());
    let mut monitor = monitor(&fake).await;
    monitor.session = Some("aaa1".into());
    lines(&mut monitor, "rollback --init -u 5 -w /x -e A=1 bash -l").await;
    lines(&mut monitor, "rollback").await;
    lines(&mut monitor, "exec sh").await;
    let execs = fake.canned().execs.clone();
    assert_eq!(execs[0].state(), State::Before);
    assert_eq!(execs[0].arguments, ["bash", "-l"]);
    assert_eq!(execs[0].user.as_deref(), Some("5"));
    assert_eq!(execs[0].directory.as_deref(), Some("/x"));
    assert_eq!(execs[1].state(), State::After);
    assert_eq!(execs[1].arguments, [""; 0]);
    assert_eq!(execs[1].environment, ["ROLLED=1"]);
    assert!(execs[1].user.is_none() && execs[1].directory.is_none());
    assert!(execs.iter().all(|exec| exec.tty && exec.stdin));
    assert!(execs.iter().all(|exec| {
        exec.caller
            .as_ref()
            .is_some_and(|caller| caller.directory == "/here")
    }));
}

#[tokio::test]
async fn invoke_fills_in_what_commands_leave_out() {
    let fake = Fake::with(canned());
    let mut monitor = monitor(&fake).await;
    monitor.setup.invoke =
        crate::monitor::invoke::parse("entrypoint=env,args=sh,env=A=1,user=7,cwd=/srv").unwrap();
    monitor.session = Some("aaa1".into());
    monitor.size = TerminalSize { rows: 30, cols: 99 };
    monitor.open().await.unwrap();
    lines(&mut monitor, "exec -e B=2 -u 8 ls").await;
    let execs = fake.canned().execs.clone();
    assert_eq!(execs[0].entrypoint, ["env"]);
    assert_eq!(execs[0].arguments, ["sh"]);
    assert!(!execs[0].tty);
    assert_eq!((execs[0].rows, execs[0].cols), (30, 99));
    assert_eq!(execs[1].entrypoint, [""; 0]);
    assert_eq!(execs[1].arguments, ["ls"]);
    assert_eq!(execs[1].environment, ["A=1", "B=2"]);
    assert_eq!(execs[1].user.as_deref(), Some("8"));
    assert_eq!(execs[1].directory.as_deref(), Some("/srv"));
    assert!(execs[1].tty);
}

#[tokio::test]
async fn taking_up_a_kept_state_starts_a_shell_in_it() {
    let mut sessions = canned();
    sessions.sessions[0].kept_until = i64::MAX;
    let fake = Fake::with(sessions);
    let mut monitor = monitor(&fake).await;
    let looked = lines(&mut monitor, "attach --read-only aaa1").await;
    assert!(looked[1].starts_with("No process runs in it"), "{looked:?}");
    let said = lines(&mut monitor, "attach aaa1").await;
    assert!(
        said[1].starts_with("Interactive container was restarted"),
        "{said:?}"
    );
    assert_eq!(fake.canned().execs.len(), 1);
    assert!(monitor.process.is_some());
}

#[tokio::test]
async fn ids_prefixes_and_names() {
    let fake = Fake::with(canned());
    let mut monitor = monitor(&fake).await;
    let table = [
        ("attach aaa1", "aaa1"),
        ("attach aab", "aab2"),
        ("attach app", "aaa1"),
        ("attach web", "aab2"),
    ];
    for (line, expected) in table {
        let said = lines(&mut monitor, line).await;
        assert!(said[0].starts_with(&format!("Attached to session {expected:?} (")));
        assert!(said[1].starts_with("No process runs in it"), "{said:?}");
        assert_eq!(monitor.session.as_deref(), Some(expected), "{line}");
    }
    assert_eq!(
        lines(&mut monitor, "attach aa").await,
        ["ID \"aa\" fits several: aaa1, aab2"]
    );
    // A name counts more than the beginning of an id, unless several have it.
    fake.canned().sessions[1].name = "aa".into();
    let said = lines(&mut monitor, "attach aa").await;
    assert!(
        said[0].starts_with("Attached to session \"aab2\" ("),
        "{said:?}"
    );
    fake.canned().sessions[0].name = "aa".into();
    assert_eq!(
        lines(&mut monitor, "attach aa").await,
        ["ID \"aa\" fits several: aaa1, aab2"]
    );
    fake.canned().sessions[0].name = "app".into();
    fake.canned().sessions[1].name = "web".into();
    assert_eq!(
        lines(&mut monitor, "attach zzz").await,
        ["unknown ID: \"zzz\"; \"list\" shows the sessions, \"ps\" the processes"]
    );

    // A variable of a script that is empty names nothing, also where there is only one session.
    let all = std::mem::take(&mut fake.canned().sessions);
    fake.canned().sessions = all[..1].to_vec();
    for line in ["attach ''", "kill ''"] {
        let said = lines(&mut monitor, line).await;
        assert!(said[0].starts_with("unknown ID: \"\""), "{line}: {said:?}");
    }
    fake.canned().sessions = all;

    // A process of another session is found, and its session taken up.
    lines(&mut monitor, "exec top").await;
    lines(&mut monitor, "attach app").await;
    assert_eq!(monitor.process, None);
    let said = lines(&mut monitor, "attach proc").await;
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(monitor.session.as_deref(), Some("aab2"));
    assert_eq!(monitor.process.as_deref(), Some("process1"));

    // A session with a running process takes up the process as well.
    monitor.process = None;
    let said = lines(&mut monitor, "attach --read-only web").await;
    assert!(said[1].starts_with("Attached to process \"process1\"."));
    assert!(monitor.read_only);
}

#[tokio::test]
async fn an_ended_process_is_not_attached() {
    let fake = Fake::with(canned());
    let mut monitor = monitor(&fake).await;
    monitor.session = Some("aaa1".into());
    lines(&mut monitor, "exec top").await;
    monitor.process = None;
    fake.canned().processes[0].ended = 5;
    fake.canned().processes[0].exit_code = Some(3);
    assert_eq!(
        lines(&mut monitor, "attach process1").await,
        ["process \"process1\" has exited 3; \"exec\" or \"rollback\" starts another"]
    );
    assert_eq!(monitor.process, None);
}

#[tokio::test]
async fn without_a_session_or_process() {
    let fake = Fake::with(canned());
    let mut monitor = monitor(&fake).await;
    for line in [
        "ps",
        "exec ls",
        "rollback",
        "reload",
        "cancel",
        "keep 1m",
        "inspect",
        "disconnect",
    ] {
        let said = lines(&mut monitor, line).await;
        assert!(
            said[0].starts_with("no attaching session"),
            "{line}: {said:?}"
        );
    }
    let (said, then) = run(&mut monitor, "logs").await;
    assert!(said[0].starts_with("no attaching session") && then == Then::Stay);
    for line in ["kill", "signal INT"] {
        let said = lines(&mut monitor, line).await;
        assert_eq!(
            said,
            [
                "Process isn't attached (previous \"exec\" exited?). Use \"attach\" for attaching or \"rollback\" or \"exec\" for running new one."
            ]
        );
    }
    assert!(fake.asked().is_empty());
}

#[tokio::test]
async fn leaving_ends_what_was_started_unless_it_is_used() {
    let fake = Fake::with(canned());
    let mut monitor = monitor(&fake).await;
    monitor.session = Some("aaa1".into());
    monitor.started = Some("aaa1".into());
    let (said, then) = run(&mut monitor, "exit").await;
    assert_eq!((said.len(), then), (0, Then::Leave));
    assert_eq!(fake.asked(), ["disconnect aaa1"]);

    // Others use it.
    let fake = Fake::with(canned());
    fake.canned().others.push(Client {
        pid: 12,
        terminal: "/dev/pts/9".into(),
        ..Client::default()
    });
    let mut monitor = self::monitor(&fake).await;
    monitor.session = Some("aaa1".into());
    monitor.started = Some("aaa1".into());
    let (said, then) = run(&mut monitor, "quit").await;
    assert_eq!(then, Then::Leave);
    assert_eq!(
        said,
        [
            "Others use session aaa1: pid 12 on /dev/pts/9.",
            "Session aaa1 lives on; come back with: buildx debug attach aaa1"
        ]
    );

    // Detached, or attached to what somebody else started.
    for (started, line) in [(Some("aaa1"), "detach"), (None, "exit")] {
        let mut monitor = self::monitor(&fake).await;
        monitor.session = Some("aaa1".into());
        monitor.started = started.map(str::to_owned);
        fake.asked();
        let (said, then) = run(&mut monitor, line).await;
        assert_eq!(then, Then::Leave);
        assert_eq!(said, [come_back("aaa1")]);
        assert!(fake.asked().is_empty(), "{line}");
    }

    // Ended by somebody else.
    for line in ["detach", "exit"] {
        let mut monitor = self::monitor(&fake).await;
        monitor.session = Some("gone".into());
        let (said, _) = run(&mut monitor, line).await;
        assert_eq!(said, ["Session gone has ended."]);
    }

    // Gone already.
    let mut monitor = self::monitor(&fake).await;
    monitor.session = None;
    monitor.started = Some("gone".into());
    let (said, then) = run(&mut monitor, "exit").await;
    assert_eq!((said.len(), then), (0, Then::Leave));
}

#[tokio::test]
async fn disconnect_asks_and_kill_does_not() {
    let fake = Fake::with(canned());
    fake.canned().others.push(Client {
        pid: 12,
        ..Client::default()
    });
    let mut monitor = monitor(&fake).await;
    monitor.session = Some("aaa1".into());
    let (_, then) = run(&mut monitor, "disconnect").await;
    let Then::Ask { question, yes } = then else {
        panic!("{then:?}");
    };
    assert_eq!(
        question,
        "Others use session aaa1: pid 12. End it all the same?"
    );
    let answer = monitor.run(yes).await.unwrap();
    assert_eq!(answer.lines, ["Session aaa1 has ended."]);
    assert_eq!(monitor.session, None);

    lines(&mut monitor, "attach web").await;
    lines(&mut monitor, "exec ls").await;
    assert_eq!(
        lines(&mut monitor, "disconnect process1").await,
        ["Process \"process1\" has ended."]
    );
    assert_eq!(monitor.process, None);
    assert_eq!(
        lines(&mut monitor, "kill aab2").await,
        ["Session aab2 has ended."]
    );
    assert_eq!(monitor.session, None);
}

#[tokio::test]
async fn shutdown_asks_when_others_are_connected() {
    let fake = Fake::with(canned());
    fake.canned().others.push(Client::default());
    let mut monitor = monitor(&fake).await;
    let (_, then) = run(&mut monitor, "shutdown").await;
    let Then::Ask { question, yes } = then else {
        panic!("{then:?}");
    };
    assert_eq!(
        question,
        "pid 12 is connected. End the server all the same?"
    );
    assert!(fake.asked().is_empty());
    let answer = monitor.run(yes).await.unwrap();
    assert_eq!(answer.then, Then::Leave);
    assert_eq!(fake.asked(), ["shutdown"]);
}

#[tokio::test]
async fn the_rest() {
    let fake = Fake::with(canned());
    let mut monitor = monitor(&fake).await;
    monitor.session = Some("aaa1".into());
    let list = lines(&mut monitor, "list").await;
    assert_eq!(list.len(), 3);
    assert!(
        list[1].starts_with("aaa1\ttrue\t\tapp\tfailed\t"),
        "{list:?}"
    );
    assert!(list[2].starts_with("aab2\tfalse\t\tweb\t"), "{list:?}");
    assert_eq!(
        lines(&mut monitor, "keep 5m").await,
        ["The state of the build is kept for 5m."]
    );
    assert_eq!(
        lines(&mut monitor, "keep 0").await,
        ["The state of the build is not kept."]
    );
    assert_eq!(
        lines(&mut monitor, "cancel").await,
        ["The build was canceled."]
    );
    lines(&mut monitor, "exec ls -l").await;
    let ps = lines(&mut monitor, "ps").await;
    assert!(ps[1].starts_with("process1\ttrue\t\t[ls -l]\t"), "{ps:?}");
    assert!(lines(&mut monitor, "signal sigterm").await.is_empty());
    assert_eq!(
        fake.asked(),
        [
            "keep 300000",
            "keep 0",
            "cancel aaa1",
            "signal process1 TERM"
        ]
    );
    let inspect = lines(&mut monitor, "inspect").await.join("\n");
    assert!(inspect.contains("-t 'a b' ."), "{inspect}");
    let status = lines(&mut monitor, "status").await.join("\n");
    assert!(status.contains("9.9 (pid 77)"), "{status}");
    assert!(status.contains("attached to process process1"), "{status}");
    assert_eq!(
        lines(&mut monitor, "help").await[0],
        "Available commands are:"
    );
    assert_eq!(lines(&mut monitor, "help ps").await[0], "Usage: ps");

    let (_, then) = run(&mut monitor, "reload").await;
    let follow = Then::Follow {
        session: "aaa1".into(),
        build: 2,
    };
    assert_eq!(then, follow);
    assert_eq!(monitor.process, None);
    let (_, then) = run(&mut monitor, "logs '2/3'").await;
    assert!(matches!(then, Then::Logs { step: Some(step), .. } if step == "2/3"));
}

#[tokio::test]
async fn what_follows_a_build() {
    let fake = Fake::with(canned());
    let mut monitor = monitor(&fake).await;
    monitor.session = Some("aaa1".into());
    let failed = |state: State, no_state: &str| Outcome {
        end: Some(outcome::End::Failed(BuildFailure {
            state: state.into(),
            no_state: no_state.into(),
            ..BuildFailure::default()
        })),
        exit_code: 1,
    };
    let finished = Outcome {
        end: Some(outcome::End::Finished(Finished::default())),
        exit_code: 0,
    };
    let canceled = Outcome {
        end: Some(outcome::End::Canceled(Canceled { by: "pid 4".into() })),
        exit_code: 130,
    };
    for outcome in [&failed(State::After, ""), &finished] {
        let answer = monitor.built(outcome).await.unwrap();
        assert!(answer.lines[0].starts_with("Interactive container was restarted"));
    }
    let complaint = monitor
        .built(&failed(
            State::Unspecified,
            "The Dockerfile\x1b does not parse.",
        ))
        .await
        .unwrap_err();
    assert_eq!(complaint.0, "The Dockerfile^[ does not parse.");
    let answer = monitor.built(&canceled).await.unwrap();
    assert_eq!(answer.lines, ["The build was canceled by pid 4."]);

    // What cannot be carried is said; a refusal is one line.
    fake.canned().notes = vec!["not carried:\x07 tmpfs size".into()];
    let answer = monitor.built(&finished).await.unwrap();
    assert_eq!(answer.lines[0], "not carried:^G tmpfs size");
    fake.canned().refuse = Some("the state was released".into());
    let complaint = monitor.built(&finished).await.unwrap_err();
    assert_eq!(complaint.0, "the state was released");
}
