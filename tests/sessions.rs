//! Sessions of the shared server: builds that belong to it, their traces, states, and what survives.

use std::time::Duration;

use buildx::proto::controller::trace_event::Event;
use buildx::proto::controller::{
    InputChunk, RebuildRequest, Session, SessionRequest, SessionState, TraceRequest, outcome,
};
use rustix::process::Signal;

use crate::support::context::Context;
use crate::support::engine::engine;
use crate::support::gate::Gate;
use crate::support::shared::{Sessions, Shared, ended};

mod elsewhere;
mod health;
mod live;
mod logs;
mod recover;
mod sources;
mod states;

/// A step that says when it runs, and fails. `mark` makes it another step than those of other tests.
fn fails(mark: &str) -> Context {
    Context::busybox(&format!(
        "RUN : {mark}; cat /proc/uptime > /partial; echo ran at $(cat /proc/uptime); exit 3\n"
    ))
}

/// What the step of [`fails`] printed.
#[track_caller]
fn ran_at(plain: &str) -> String {
    let line = plain
        .lines()
        .find(|line| line.contains(" ran at ") && line.starts_with('#') && !line.contains("RUN"));
    line.and_then(|line| line.split_once(" ran at "))
        .unwrap_or_else(|| panic!("the step did not run: {plain}"))
        .1
        .to_owned()
}

#[tokio::test]
async fn a_build_goes_on_without_its_client() {
    let server = Shared::on(engine());
    let gate = Gate::new();
    let context = Context::busybox(&format!("RUN echo begun; {}; echo ended\n", gate.wait()));
    let args = ["--network=host", "--no-cache", "--name", "left"];
    let build = server.build(&args, &context).spawn();
    let client = server.client().await;
    let begun = |session: &Session| session.doing.contains("echo begun");
    let id = client.wait_for_any(begun).await.id;
    let waiting = gate.comes();
    build.signal(Signal::KILL);
    build.wait();
    drop(waiting);
    let session = client.wait_for(&id, ended).await;
    assert_eq!(session.state(), SessionState::Succeeded, "{session:?}");
    assert_eq!(session.name, "left");
    assert_eq!((session.exit_code, session.build), (0, 1));
    assert_eq!(session.steps_done, session.steps);
}

#[test]
fn ctrl_c_cancels_the_build_on_the_server() {
    let server = Shared::on(engine());
    let context = Context::busybox("RUN echo begun; sleep 600\n");
    let mut build = server.build(&["--no-cache"], &context).spawn();
    {
        use std::io::{BufRead, BufReader};
        let mut lines = BufReader::new(build.child.stderr.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().ends_with("begun")));
        build.signal(Signal::INT);
        let rest: Vec<String> = lines.map(Result::unwrap).collect();
        assert!(rest.last().unwrap().contains("Canceled"), "{rest:?}");
    }
    assert_eq!(build.wait().code, 130);
    let listed = server.run(["debug", "ls"]).ok();
    assert!(listed.out().contains("canceled"), "{listed}");
}

#[test]
fn a_detached_build_is_waited_for_and_its_exit_code_told() {
    let server = Shared::on(engine());
    let (works, breaks) = (Context::busybox("RUN sleep 1\n"), fails("waited for"));
    let good = server.detached(&["-t", "some/where/app:1"], &works);
    let bad = server.detached(&["--no-cache"], &breaks);
    // Both run at the same time.
    server.run(["debug", "wait", &good[..8]]).ok();
    let output = server.run(["debug", "wait", &bad]).fails(1);
    assert_eq!(output.out(), "", "{output}");
    let listed = server.run(["debug", "ls", "--format", "json"]).ok();
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    let row = |id: &str| {
        listed
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["id"] == id)
            .unwrap()
            .clone()
    };
    assert_eq!(row(&good)["name"], "app");
    assert_eq!(row(&good)["state"], "succeeded");
    assert_eq!(row(&bad)["state"], "failed");
    assert_eq!(row(&bad)["exit_code"], 1);
}

#[tokio::test]
async fn a_trace_is_replayed_from_any_point_for_any_number_of_readers() {
    let server = Shared::on(engine());
    let context = Context::busybox(
        "RUN i=0; while [ $i -lt 500 ]; do echo line $i; i=$((i+1)); done; sleep 1; echo last\n",
    );
    let id = server.detached(&["--no-cache"], &context);
    let client = server.client().await;
    let read = |from: u64| {
        let mut api = client.api.clone();
        let request = TraceRequest {
            session: id.clone(),
            from,
            ..TraceRequest::default()
        };
        async move {
            let mut stream = api.trace(request).await.unwrap().into_inner();
            let mut records = Vec::new();
            while let Some(record) = stream.message().await.unwrap() {
                records.push(record);
            }
            records
        }
    };
    let (first, second) = tokio::join!(read(0), read(0));
    assert_eq!(first, second);
    assert!(
        first
            .iter()
            .zip(0..)
            .all(|(record, number)| record.number == number)
    );
    let last = first.last().unwrap().event.clone().unwrap().event;
    assert!(matches!(last, Some(Event::Outcome(_))), "{last:?}");
    let middle = first.len() as u64 / 2;
    assert_eq!(read(middle).await, first[first.len() / 2..]);
    // The printed log is the same as that of a client that was there.
    let logs = server.run(["debug", "logs", &id]).ok();
    for line in ["line 0", "line 499", "last"] {
        assert!(
            logs.out().contains(&format!(" {line}\n"))
                || logs.err().contains(&format!(" {line}\n")),
            "{line}: {logs}"
        );
    }
}

#[tokio::test]
async fn standard_input_and_output_belong_to_the_client() {
    let server = Shared::on(engine());
    let output = server
        .run(["build", "--progress=plain", "-o", "-", "-f", "-"])
        .arg(Context::new().file("a", "some text").path())
        .stdin("FROM scratch\nCOPY a /b\n")
        .ok();
    let mut archive = tar::Archive::new(output.stdout.as_slice());
    let names: Vec<_> = archive
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().into_owned())
        .collect();
    assert!(names.iter().any(|name| name.ends_with("b")), "{names:?}");

    // Half of an input is not taken for a whole one.
    let client = server.client().await;
    let id = {
        let mut run = server.run(["build", "--detach", "-"]).spawn();
        use std::io::Write;
        let mut stdin = run.child.stdin.take().unwrap();
        stdin.write_all(b"FROM scratch\n").unwrap();
        let id = client.wait_for_any(|s| s.context == "-").await.id;
        run.signal(Signal::KILL);
        run.wait();
        id
    };
    let session = client.wait_for(&id, ended).await;
    assert_eq!(session.state(), SessionState::Failed, "{session:?}");
    assert!(session.reason.contains("standard input"), "{session:?}");
    // Nor can it be sent twice.
    let chunk = InputChunk {
        session: id.clone(),
        data: "x".into(),
    };
    let status = client
        .api
        .clone()
        .input(tokio_stream::once(chunk))
        .await
        .unwrap_err();
    assert_eq!(status.code(), tonic::Code::FailedPrecondition);
}

#[test]
fn two_callers_never_mix() {
    let server = Shared::on(engine());
    let context = Context::busybox(
        "ARG WHO\nRUN --mount=type=secret,id=s,required=true sleep 1; echo $WHO has $(cat /run/secrets/s)\n",
    );
    let build = |who: &str, secret: &str| {
        let home = server
            .build(&["--no-cache", "--secret", "id=s,env=SECRET"], &context)
            .arg(format!("--build-arg=WHO={who}"))
            .env("SECRET", secret);
        home.spawn()
    };
    let (one, two) = (build("one", "first-value"), build("two", "other-value"));
    let (one, two) = (one.wait(), two.wait());
    assert!(one.err().contains("one has first-value"), "{one}");
    assert!(two.err().contains("two has other-value"), "{two}");
    // Without the variable there is none, whatever the server's first client had.
    let output = server
        .build(&["--no-cache", "--secret", "id=s,env=SECRET"], &context)
        .fails(1);
    assert!(
        output.error_line().contains("secret s: not found"),
        "{output}"
    );
    assert!(!server.log().contains("first-value"));
    let environ =
        std::fs::read(format!("/proc/{}/environ", server.running().unwrap().pid)).unwrap();
    assert!(!String::from_utf8_lossy(&environ).contains("first-value"));
    let found = std::process::Command::new("grep")
        .args(["-rlE", "first-value|other-value"])
        .arg(server.root().join("sessions"))
        .output()
        .unwrap();
    // The log of a step that prints its secret is the only place.
    let found = String::from_utf8(found.stdout).unwrap();
    assert!(
        found.lines().all(|path| path.ends_with(".trace")),
        "{found}"
    );
}

#[test]
fn relative_paths_are_the_callers() {
    let server = Shared::on(engine());
    let context = Context::dockerfile("FROM scratch\nCOPY a /b\n").file("a", "text");
    let output = server
        .run(["build", "-o", "out", "--metadata-file", "m.json", "."])
        .current_dir(context.path())
        .ok();
    assert_eq!(
        std::fs::read(context.path().join("out/b")).unwrap(),
        b"text",
        "{output}"
    );
    assert!(context.path().join("m.json").exists());
    // Under the caller's mask, not the server's.
    use std::os::unix::fs::PermissionsExt;
    let mode = |name: &str| {
        std::fs::metadata(context.path().join(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    let mask = 0o666 & !umask();
    assert_eq!(mode("m.json"), mask);
}

fn umask() -> u32 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("Umask:"))
        .unwrap();
    u32::from_str_radix(mask.trim(), 8).unwrap()
}

#[tokio::test]
async fn disconnect_ends_a_session_and_leaves_nothing() {
    let server = Shared::on(engine());
    let context = Context::busybox("RUN echo begun; sleep 600\n");
    let id = server.detached(&["--no-cache"], &context);
    let client = server.client().await;
    client
        .wait_for(&id, |session| session.doing.contains("echo begun"))
        .await;
    server.run(["debug", "disconnect", &id]).ok();
    assert!(client.sessions().await.is_empty());
    assert_eq!(
        std::fs::read_dir(server.root().join("sessions"))
            .unwrap()
            .count(),
        0
    );
    let output = server.run(["debug", "inspect", &id]).fails(1);
    assert!(output.error_line().contains("unknown ID"), "{output}");
}

#[tokio::test]
async fn a_session_is_named_by_any_unique_prefix_or_name() {
    let server = Shared::on(engine());
    let context = Context::dockerfile("FROM scratch\nCOPY a /\n").file("a", "");
    let one = server.detached(&["--name", "same"], &context);
    let two = server.detached(&["--name", "same"], &context);
    let output = server.run(["debug", "inspect", "same"]).fails(1);
    let line = output.error_line();
    assert!(line.contains(&one) && line.contains(&two), "{line}");
    let client = server.client().await;
    let mut api = client.api.clone();
    for (id, other) in [(&one, &two), (&two, &one)] {
        let unique = (1..=25).find(|n| !other.starts_with(&id[..*n])).unwrap();
        let request = SessionRequest {
            session: id[..unique].to_owned(),
        };
        let found = api.inspect(request).await.unwrap().into_inner();
        assert_eq!(found.session.unwrap().id, *id);
    }
}

#[tokio::test]
async fn rebuild_keeps_the_traces_of_earlier_builds() {
    let server = Shared::on(engine());
    let context = fails("rebuilt");
    let id = server.detached(&["--no-cache"], &context);
    let client = server.client().await;
    let first = client.wait_for(&id, ended).await;
    assert_eq!(first.build, 1);
    server.run(["debug", "reload", &id]).fails(1);
    let second = client.wait_for(&id, |s| ended(s) && s.build == 2).await;
    assert_eq!(second.state(), SessionState::Failed);
    let mut api = client.api.clone();
    for build in [1, 2] {
        let request = TraceRequest {
            session: id.clone(),
            build,
            ..TraceRequest::default()
        };
        let mut stream = api.trace(request).await.unwrap().into_inner();
        let mut last = None;
        while let Some(record) = stream.message().await.unwrap() {
            last = record.event.unwrap().event;
        }
        let Some(Event::Outcome(outcome)) = last else {
            panic!("{last:?}");
        };
        assert!(matches!(outcome.end, Some(outcome::End::Failed(_))));
    }
    // A caller without an environment has no docker host, and is told so.
    let request = RebuildRequest {
        session: id,
        caller: None,
        attaches: false,
    };
    let status = api.rebuild(request).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
}

#[test]
fn finished_sessions_beyond_the_budget_are_forgotten_oldest_first() {
    let server = Shared::on(engine()).configured("trace_budget = \"64KiB\"\nkeep = \"0s\"\n");
    let context = Context::busybox(
        "RUN i=0; while [ $i -lt 2000 ]; do echo a line of some length $i; i=$((i+1)); done\n",
    );
    for name in ["one", "two", "three"] {
        server.build(&["--no-cache", "--name", name], &context).ok();
    }
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    let names = loop {
        let listed = server.run(["debug", "ls", "--format", "json"]).ok();
        let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
        let names: Vec<String> = listed
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["name"].as_str().unwrap().to_owned())
            .collect();
        if names.len() < 3 || std::time::Instant::now() > deadline {
            break names;
        }
    };
    assert!(!names.contains(&"one".to_owned()), "{names:?}");
}
