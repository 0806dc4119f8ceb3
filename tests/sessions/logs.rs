//! Logs for a screen: windows of lines, counts, search, while a build runs and after its server is gone.

use buildx::proto::controller::{
    LogPattern, LogRequest, LogResponse, SearchLogRequest, SearchLogResponse,
};
use buildx::server::logs::wire;
use prost::Message;

use super::*;

/// Prints numbered lines, then an open one, and stays there.
const WRITES: &str = "RUN i=0; while [ $i -lt 3000 ]; do echo \"line $i\"; i=$((i+1)); done; \
                      printf 'open \\033[31mred'; sleep 600\n";

async fn window(client: &buildx::client::Client, request: LogRequest) -> LogResponse {
    let answer = client.api.clone().log(request).await;
    answer.unwrap().into_inner()
}

fn text(line: &buildx::proto::controller::LogLine) -> &str {
    std::str::from_utf8(&line.text).unwrap()
}

#[tokio::test]
async fn a_log_is_read_by_windows_live_and_after_a_kill() {
    let server = Shared::on(engine());
    let context = Context::busybox(WRITES);
    let id = server.detached(&["--no-cache"], &context);
    let client = server.client().await;
    assert!(client.knows("log") && client.knows("search-log"));
    let mut stream = client
        .api
        .clone()
        .trace(TraceRequest {
            session: id.clone(),
            no_logs: true,
            ..TraceRequest::default()
        })
        .await
        .unwrap()
        .into_inner();
    // Counts come while it runs, and no text.
    let mut number = 0;
    let vertex = loop {
        let record = stream.message().await.unwrap().unwrap();
        assert!(record.number <= number + 1);
        number = record.number;
        match record.event.unwrap().event.unwrap() {
            Event::Status(status) | Event::LocalStatus(status) => {
                assert_eq!(wire::chunks(&status).count(), 0);
            }
            Event::LogCounts(counts) if counts.lines >= 3001 => {
                let step = counts.steps.iter().max_by_key(|step| step.lines).unwrap();
                if step.lines == 3001 {
                    break step.vertex.clone();
                }
            }
            _ => {}
        }
    };
    let last = LogRequest {
        session: id.clone(),
        vertex,
        count: 2,
        from_end: true,
        ..LogRequest::default()
    };
    let answer = window(&client, last.clone()).await;
    assert_eq!(answer.total, 3001);
    assert_eq!(
        (answer.lines[0].number, answer.lines[1].number),
        (2999, 3000)
    );
    assert_eq!(text(&answer.lines[0]), "line 2999");
    assert_eq!(text(&answer.lines[1]), "open \x1b[0;31mred\x1b[0m");
    assert_eq!(answer.lines[1].stream, 1);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let age = now.unwrap().as_millis() as i64 - answer.lines[1].time;
    assert!((-60_000..60_000).contains(&age), "{age}");

    server.kill();
    let client = server.client().await;
    assert_eq!(window(&client, last.clone()).await, answer);
    let all = LogRequest {
        from: 1500,
        from_end: false,
        vertex: String::new(),
        filter: Some(LogPattern {
            text: "e [0-9]+00$".into(),
            regex: true,
            ..LogPattern::default()
        }),
        ..last
    };
    let answer = window(&client, all).await;
    let lines: Vec<_> = answer.lines.iter().map(text).collect();
    assert_eq!(lines, ["line 1500", "line 1600"]);
}

#[tokio::test]
async fn a_search_finds_all_lines_of_a_finished_build() {
    let server = Shared::on(engine());
    let context = Context::busybox(
        "RUN i=0; while [ $i -lt 3000 ]; do echo \"line $i\"; i=$((i+1)); done; echo Last >&2\n",
    );
    server.build(&["--no-cache", "--name", "s"], &context).ok();
    let client = server.client().await;
    let search = |text: &str, ignore_case| {
        let request = SearchLogRequest {
            session: "s".into(),
            pattern: Some(LogPattern {
                text: text.into(),
                ignore_case,
                ..LogPattern::default()
            }),
            ..SearchLogRequest::default()
        };
        let mut api = client.api.clone();
        async move {
            let mut stream = api.search_log(request).await?.into_inner();
            let mut all: Vec<SearchLogResponse> = Vec::new();
            while let Some(answer) = stream.message().await? {
                all.push(answer);
            }
            Ok::<_, tonic::Status>(all)
        }
    };
    let answers = search("ne 10", false).await.unwrap();
    let last = answers.last().unwrap();
    assert!(last.done && last.searched >= 3001, "{last:?}");
    assert_eq!(last.count, 1 + 10 + 100);
    let lines: Vec<u64> = answers.iter().flat_map(|a| a.lines.clone()).collect();
    assert!(lines.is_sorted() && lines.len() == 111);
    let found = search("lAST", true).await.unwrap();
    assert_eq!(found.last().unwrap().count, 1);
    let status = search("", false).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::InvalidArgument);

    // The counts of a finished build come before its outcome, and are all there.
    let request = TraceRequest {
        session: "s".into(),
        no_logs: true,
        ..TraceRequest::default()
    };
    let mut stream = client
        .api
        .clone()
        .trace(request)
        .await
        .unwrap()
        .into_inner();
    let mut counts = Vec::new();
    let mut end = None;
    while let Some(record) = stream.message().await.unwrap() {
        assert!(end.is_none());
        match record.event.unwrap().event.unwrap() {
            Event::LogCounts(count) => counts.push(count),
            Event::Outcome(outcome) => end = Some(outcome.encoded_len()),
            _ => {}
        }
    }
    assert!(end.is_some());
    assert_eq!(counts.len(), 1, "{counts:?}");
    assert!(counts[0].lines >= 3001);
}
