use std::sync::{Arc, Mutex};

use super::*;
use crate::monitor::fake::{Canned, Fake};
use crate::progress::settings::Mode;
use crate::progress::time;
use crate::proto::control;
use crate::proto::controller::{BuildHeader, Canceled, Finished, LineRange, SourceExcerpt};

/// What was written to a view.
#[derive(Clone, Default)]
pub struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Paper {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    fn view(&self, mode: Mode) -> View {
        let settings = Settings::resolve(mode, |_| None, false).unwrap();
        let paper = self.clone();
        View::new(settings, Box::new(move || Box::new(paper.clone())))
    }
}

fn event(event: Event) -> TraceEvent {
    TraceEvent {
        time: 0,
        event: Some(event),
    }
}

fn vertex(name: &str, completed: bool) -> StatusResponse {
    StatusResponse {
        vertexes: vec![control::Vertex {
            digest: "sha256:1".into(),
            name: name.into(),
            started: Some(time::stamp(1_000)),
            completed: completed.then(|| time::stamp(2_000_001_000)),
            ..control::Vertex::default()
        }],
        ..StatusResponse::default()
    }
}

fn log(text: &[u8]) -> StatusResponse {
    StatusResponse {
        logs: vec![control::VertexLog {
            vertex: "sha256:1".into(),
            timestamp: Some(time::stamp(1_500)),
            stream: 1,
            msg: text.to_vec(),
        }],
        ..StatusResponse::default()
    }
}

fn status(batch: &StatusResponse) -> TraceEvent {
    event(Event::Status(batch.encode_to_vec().into()))
}

fn beginning() -> Vec<TraceEvent> {
    vec![
        event(Event::Note("waiting for \x1b[2Jit".into())),
        event(Event::Warning("odd".into())),
        event(Event::Header(BuildHeader {
            builder: "b".into(),
            driver: "docker".into(),
            build_ref: "b/n/r".into(),
        })),
        event(Event::ClockSkew(5)),
        status(&vertex("RUN make", false)),
        status(&log(b"hello\n")),
        event(Event::Status(b"\xff\xff no message".to_vec().into())),
        TraceEvent::default(),
    ]
}

fn ended(end: outcome::End, exit_code: u32) -> TraceEvent {
    event(Event::Outcome(Outcome {
        end: Some(end),
        exit_code,
    }))
}

fn request(no_follow: bool) -> TraceRequest {
    TraceRequest {
        session: "s".into(),
        no_follow,
        ..TraceRequest::default()
    }
}

async fn show(
    canned: Canned,
    mode: Mode,
    no_follow: bool,
) -> (Result<Option<Outcome>, Lost>, String) {
    let fake = Fake::with(canned);
    let paper = Paper::default();
    let mut view = paper.view(mode);
    let cancel = CancellationToken::new();
    let end = follow(&fake.api().await, request(no_follow), &mut view, &cancel).await;
    drop(view);
    (end, paper.text())
}

#[tokio::test]
async fn a_build_from_its_first_line_to_its_last() {
    let mut events = beginning();
    events.push(event(Event::Remark("nothing was kept".into())));
    events.push(status(&vertex("RUN make", true)));
    events.push(ended(outcome::End::Finished(Finished::default()), 0));
    let canned = |events: &Vec<TraceEvent>| Canned {
        events: events.clone(),
        ..Canned::default()
    };
    let (end, text) = show(canned(&events), Mode::Plain, false).await;
    assert_eq!(exit_code(&end.unwrap().unwrap()), 0);
    assert_eq!(
        text,
        "waiting for ^[[2Jit\nWARNING: odd\n#0 building with \"b\" instance using docker driver\n\n\
         #1 RUN make\n#1 0.000 hello\n#1 DONE 2.0s\nWARNING: nothing was kept\n"
    );
    let (_, text) = show(canned(&events), Mode::Quiet, false).await;
    assert_eq!(text, "");
    let (_, text) = show(canned(&events), Mode::RawJson, false).await;
    assert!(text.lines().all(|line| line.starts_with('{')), "{text}");
}

#[tokio::test]
async fn a_failure_keeps_its_lines_and_code() {
    let mut events = beginning();
    let failure = BuildFailure {
        code: Code::ResourceExhausted as u32,
        message: "no room".into(),
        sources: vec![SourceExcerpt {
            filename: "Dockerfile".into(),
            data: b"FROM x\nRUN make".to_vec().into(),
            ranges: vec![LineRange { start: 2, end: 2 }],
        }],
        hints: vec!["give it more".into()],
        ..BuildFailure::default()
    };
    events.push(ended(outcome::End::Failed(failure), 102));
    let canned = Canned {
        events,
        ..Canned::default()
    };
    let (end, text) = show(canned, Mode::Plain, false).await;
    assert_eq!(exit_code(&end.unwrap().unwrap()), 102);
    let tail = "   2 | >>> RUN make\n--------------------\ngive it more\nERROR: failed to build: failed to solve: no room\n";
    assert!(text.ends_with(tail), "{text}");
}

#[tokio::test]
async fn a_refusal_keeps_its_lines_and_nothing_else() {
    let failure = BuildFailure {
        message: "no such\x1b[2J\nbuilder".into(),
        refused: true,
        ..BuildFailure::default()
    };
    let canned = || Canned {
        events: vec![ended(outcome::End::Failed(failure.clone()), 1)],
        ..Canned::default()
    };
    let (end, text) = show(canned(), Mode::Quiet, false).await;
    assert_eq!(exit_code(&end.unwrap().unwrap()), 1);
    assert_eq!(text, "ERROR: no such^[[2J\nbuilder\n");
    let (_, text) = show(canned(), Mode::RawJson, false).await;
    assert!(text.starts_with('{'), "{text}");
}

#[tokio::test]
async fn canceling_asks_the_server_and_follows_to_the_end() {
    let fake = Fake::with(Canned {
        events: beginning(),
        ..Canned::default()
    });
    let paper = Paper::default();
    let mut view = paper.view(Mode::Plain);
    let cancel = CancellationToken::new();
    cancel.cancel();
    let end = follow(&fake.api().await, request(false), &mut view, &cancel).await;
    let end = end.unwrap().unwrap();
    assert_eq!(end.end, Some(outcome::End::Canceled(Canceled::default())));
    assert_eq!(exit_code(&end), 130);
    assert_eq!(fake.asked(), ["trace s 0", "cancel s"]);
    let text = paper.text();
    assert!(text.contains("#1 0.000 hello\n"), "{text}");
    assert!(text.ends_with("context canceled\n"), "{text}");
}

#[tokio::test]
async fn a_lost_server_is_one_sentence_after_what_was_seen() {
    let canned = Canned {
        events: beginning(),
        breaks: Some(Status::unavailable("stopped by SIGTERM")),
        ..Canned::default()
    };
    let (end, text) = show(canned, Mode::Plain, false).await;
    assert_eq!(
        end.unwrap_err().0,
        "lost the buildx server: stopped by SIGTERM; a build that it ran can be brought back with: buildx debug reload s"
    );
    assert!(text.ends_with("#1 0.000 hello\n"), "{text}");
}

#[tokio::test]
async fn without_following_what_is_there_is_shown() {
    let canned = Canned {
        events: beginning(),
        ..Canned::default()
    };
    let (end, text) = show(canned, Mode::Plain, true).await;
    assert_eq!(end, Ok(None));
    assert!(text.ends_with("#1 RUN make\n#1 0.000 hello\n"), "{text}");
}
