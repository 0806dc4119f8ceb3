//! What a list of sessions sees while builds run.

use std::time::Instant;

use buildx::proto::controller::session_event::Event as Change;
use buildx::proto::controller::{Session, WatchSessionsRequest};

use super::*;

#[tokio::test]
async fn a_running_build_is_seen_step_by_step_at_a_bounded_pace() {
    let server = Shared::on(engine());
    let client = server.client().await;
    let mut api = client.api.clone();
    let events = api
        .watch_sessions(WatchSessionsRequest::default())
        .await
        .unwrap();
    let mut events = events.into_inner();
    let begun = Instant::now();
    let gate = Gate::new();
    let wait = gate.wait();
    let context = Context::busybox(&format!(
        "RUN echo one; {wait}\nRUN echo two; {wait}\nRUN echo three; seq 20000; {wait}\n",
    ));
    let id = server.detached(&["--network=host", "--no-cache"], &context);
    let mut seen: Vec<Session> = Vec::new();
    let mut steps = ["echo one", "echo two", "echo three"]
        .into_iter()
        .peekable();
    while !seen.last().is_some_and(ended) {
        // A step goes on when it has been seen.
        let doing = seen.last().map(|session| &*session.doing);
        if steps
            .next_if(|step| doing.is_some_and(|doing| doing.contains(step)))
            .is_some()
        {
            drop(gate.comes());
        }
        let event = events.message().await.unwrap().unwrap().event;
        if let Some(Change::Changed(session)) = event
            && session.id == id
        {
            seen.push(session);
        }
    }
    // Ten a second, and the begin and end of it and of its readers.
    let most = begun.elapsed().as_millis() / 100 + 5;
    assert!((seen.len() as u128) < most, "{} of {most}", seen.len());
    for step in ["echo one", "echo two", "echo three"] {
        let during = seen.iter().find(|session| session.doing.contains(step));
        let during = during.unwrap_or_else(|| panic!("{step} is never seen: {seen:?}"));
        assert!(during.steps_done < during.steps, "{during:?}");
        assert_eq!(during.state(), SessionState::Building);
    }
    let mut done: Vec<u32> = seen.iter().map(|session| session.steps_done).collect();
    done.dedup();
    assert!(done.len() > 3, "{done:?}");
    let last = seen.last().unwrap();
    assert_eq!((last.steps_done, &*last.doing), (last.steps, ""));
}

#[tokio::test]
async fn who_reads_a_trace_is_counted_at_once() {
    let server = Shared::on(engine());
    let client = server.client().await;
    let context = Context::busybox("RUN echo begun; sleep 600\n");
    let id = server.detached(&["--no-cache"], &context);
    let running = |session: &Session| session.doing.contains("echo begun");
    let quiet = |session: &Session| running(session) && session.watchers == 0;
    client.wait_for(&id, quiet).await;
    let mut api = client.api.clone();
    let mut watch = api
        .watch_sessions(WatchSessionsRequest::default())
        .await
        .unwrap();
    let mut watchers = async |wanted: u32| {
        let changed = async {
            loop {
                match watch.get_mut().message().await.unwrap().unwrap().event {
                    Some(Change::Changed(session)) if session.watchers == wanted => return,
                    _ => {}
                }
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(30), changed).await;
        waited.unwrap_or_else(|_| panic!("{wanted} watchers are never told"));
    };
    watchers(0).await;
    let request = TraceRequest {
        session: id.clone(),
        ..TraceRequest::default()
    };
    let reading = client.api.clone().trace(request).await.unwrap();
    watchers(1).await;
    drop(reading);
    watchers(0).await;
    server.run(["debug", "cancel", &id]).ok();
}
