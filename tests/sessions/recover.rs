//! What survives the end of servers and engines.

use super::*;

/// Prints numbered lines, a few at a time.
const COUNTS: &str = "i=0; while [ $i -lt 100 ]; do echo line $i; i=$((i+1)); usleep 10000; done";

#[tokio::test]
async fn a_killed_server_loses_no_session_and_no_line() {
    let server = Shared::on(engine());
    let gate = Gate::new();
    let (all, counts) = (
        Context::busybox(
            "RUN echo all of it
",
        ),
        // Not at its end before the server is killed.
        Context::busybox(&format!("RUN {COUNTS}; {}\n", gate.wait())),
    );
    let done = server.build(&["--name", "done"], &all).ok();
    assert!(done.err().contains("all of it") || done.err().contains("CACHED"));
    let args = ["--network=host", "--no-cache", "--name", "running"];
    let id = server.detached(&args, &counts);
    let client = server.client().await;
    let request = TraceRequest {
        session: id.clone(),
        ..TraceRequest::default()
    };
    // Everything that a reader has seen must be there afterwards.
    let mut stream = client
        .api
        .clone()
        .trace(request.clone())
        .await
        .unwrap()
        .into_inner();
    let mut seen = Vec::new();
    while let Some(record) = stream.message().await.unwrap() {
        let text = format!("{:?}", record.event);
        seen.push(record);
        if text.contains("line 50\\n") {
            break;
        }
    }
    server.kill();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let killed = i64::try_from(now.unwrap().as_millis()).unwrap();

    let client = server.client().await;
    let sessions = client.sessions().await;
    let names: Vec<_> = sessions
        .iter()
        .map(|s| (s.name.as_str(), s.state()))
        .collect();
    assert_eq!(
        names,
        [
            ("done", SessionState::Succeeded),
            ("running", SessionState::Recoverable)
        ]
    );
    assert!(sessions[1].reason.contains("reload"), "{sessions:?}");
    let last = seen.last().and_then(|record| record.event.as_ref());
    let last = last.map_or(0, |event| event.time);
    let stopped = sessions[1].ended;
    // The file system's clock is behind by a tick of the kernel, and by more on a machine that is busy.
    assert!(
        stopped >= last - 1000 && stopped <= killed,
        "{last} {killed} {sessions:?}"
    );
    let request = TraceRequest {
        no_follow: true,
        ..request
    };
    let mut stream = client
        .api
        .clone()
        .trace(request)
        .await
        .unwrap()
        .into_inner();
    let mut kept = Vec::new();
    while let Some(record) = stream.message().await.unwrap() {
        kept.push(record);
    }
    assert!(kept.len() >= seen.len());
    assert_eq!(kept[..seen.len()], seen);
    server.run(["debug", "wait", "running"]).fails(1);
    // The engine has stopped the build of the dead server; reload brings it back.
    drop(gate);
    server.run(["debug", "reload", "running"]).ok();
    let session = client.wait_for(&id, |s| ended(s) && s.build == 2).await;
    assert_eq!(session.state(), SessionState::Succeeded);
    let logs = server.run(["debug", "logs", "done"]).ok();
    assert!(
        logs.out().contains("echo all of it") || logs.err().contains("echo all of it"),
        "{logs}"
    );
}

#[tokio::test]
async fn a_server_that_is_stopped_tells_who_follows() {
    let server = Shared::on(engine());
    let context = Context::busybox("RUN echo begun; sleep 600\n");
    let build = server.build(&["--no-cache"], &context).spawn();
    let client = server.client().await;
    let begun = |session: &Session| session.doing.contains("echo begun");
    client.wait_for_any(begun).await;
    server.running().unwrap().signal(Signal::TERM);
    let output = build.wait();
    assert_eq!(output.code, 130, "{output}");
    assert!(output.err().contains("SIGTERM"), "{output}");
    let listed = server.run(["debug", "ls"]).ok();
    assert!(listed.out().contains("canceled"), "{listed}");
}
