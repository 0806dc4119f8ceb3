use std::path::Path;

use super::lines::{Carry, Line, Sink};
use super::wire::Chunk;
use super::*;
use crate::progress::time::stamp;
use crate::proto::control::{StatusResponse, Vertex, VertexLog};
use crate::proto::controller::trace_event::Event;
use crate::proto::controller::{
    LogLine, LogPattern, LogRequest, LogResponse, SearchLogRequest, SearchLogResponse, TraceEvent,
};
use crate::server::journal::Writer;

/// A trace with its log, while it is recorded.
struct Recorded {
    writer: Writer,
    indexer: Indexer,
    logs: Logs,
    trace: Journal,
    /// All lines that there should be, by the rule of [`lines`] without any places.
    carry: Carry,
    all: All,
}

#[derive(Default)]
struct All(Vec<(String, String)>);

impl Sink for All {
    fn lines(&mut self, chunk: &Chunk<'_>, whole: &[u8]) {
        for line in whole.split_inclusive(|byte| *byte == b'\n') {
            self.line(Line {
                vertex: chunk.vertex.to_vec(),
                text: line.strip_suffix(b"\n").unwrap().to_vec(),
                ..Line::default()
            });
        }
    }

    fn line(&mut self, line: Line) {
        self.0.push((
            String::from_utf8(line.vertex).unwrap(),
            String::from_utf8(line.text).unwrap(),
        ));
    }
}

impl Recorded {
    fn new(dir: &Path) -> Self {
        let (writer, trace) = Journal::create(&dir.join("1.trace")).unwrap();
        let (indexer, logs) = Logs::create(&trace).unwrap();
        Self {
            writer,
            indexer,
            logs,
            trace,
            carry: Carry::default(),
            all: All::default(),
        }
    }

    fn event(&mut self, event: Event) {
        let event = Some(event);
        let record = TraceEvent { time: 1, event }.encode_to_vec();
        self.writer.append(&record).unwrap();
        self.indexer.push(&[record]).unwrap();
    }

    fn status(&mut self, status: StatusResponse) {
        for log in &status.logs {
            let chunk = Chunk {
                vertex: log.vertex.as_bytes(),
                text: &log.msg,
                ..Chunk::default()
            };
            self.carry.push(&chunk, &mut self.all);
        }
        for vertex in status.vertexes.iter().filter(|v| v.completed.is_some()) {
            self.carry.close(vertex.digest.as_bytes(), &mut self.all);
        }
        self.event(Event::Status(status.encode_to_vec().into()));
    }

    fn log(&mut self, vertex: &str, text: impl Into<Vec<u8>>) {
        let log = VertexLog {
            vertex: vertex.into(),
            timestamp: Some(stamp(1_234_000_000)),
            stream: 1,
            msg: text.into(),
        };
        self.status(StatusResponse {
            logs: vec![log],
            ..StatusResponse::default()
        });
    }

    fn completes(&mut self, vertex: &str) {
        self.status(StatusResponse {
            vertexes: vec![Vertex {
                digest: vertex.into(),
                started: Some(stamp(1)),
                completed: Some(stamp(2)),
                ..Vertex::default()
            }],
            ..StatusResponse::default()
        });
    }

    /// Three steps in turn, of which one is rare; some MiB.
    fn much(&mut self) {
        for round in 0..1500u32 {
            let lines = (0..40).map(|line| format!("{round}.{line} of many lines\n"));
            let mut text: String = lines.collect();
            // Most messages end within a line.
            text.truncate(text.len() - (round % 30) as usize);
            self.log("a", text);
            if round % 500 == 250 {
                self.log("rare", format!("{round}\nopen "));
            }
            self.log("b", "·".repeat((round % 900) as usize));
            if round % 700 == 699 {
                self.log("b", "x".repeat(200_000));
                self.completes("b");
            }
        }
    }

    /// The expected lines of a step, or of all.
    fn expected(&self, vertex: &str) -> Vec<(String, String)> {
        let mut all = All(self.all.0.clone());
        for line in self.carry.open.clone() {
            all.line(line);
        }
        all.0.retain(|line| vertex.is_empty() || line.0 == vertex);
        all.0
    }

    fn finish(self) -> Journal {
        self.writer.finish().unwrap();
        self.indexer.finish().unwrap();
        self.trace
    }
}

fn ask(logs: &Logs, request: LogRequest) -> LogResponse {
    window::read(logs, &request, || false).unwrap()
}

fn texts(lines: &[LogLine]) -> Vec<(String, String)> {
    let text = |line: &LogLine| String::from_utf8(line.text.to_vec()).unwrap();
    lines
        .iter()
        .map(|line| (line.vertex.clone(), text(line)))
        .collect()
}

/// Compares windows all over a log with what is expected.
#[track_caller]
fn compare(logs: &Logs, vertex: &str, expected: &[(String, String)]) {
    /// So many of the longest go into an answer.
    const COUNT: usize = 10;
    let total = expected.len();
    for from in (0..total).step_by(total / 15 + 1).chain([total - 1, total]) {
        let request = LogRequest {
            vertex: vertex.into(),
            from: from as u64,
            count: COUNT as u32,
            ..LogRequest::default()
        };
        let answer = ask(logs, request.clone());
        assert_eq!(answer.total, total as u64);
        let want = &expected[from..(from + COUNT).min(total)];
        assert!(texts(&answer.lines) == want, "from {from}");
        assert!(
            answer
                .lines
                .iter()
                .map(|line| line.number)
                .eq((from as u64..).take(want.len()))
        );
        let from_end = LogRequest {
            from_end: true,
            ..request
        };
        let answer = ask(logs, from_end);
        let until = total - from;
        let want = &expected[until.saturating_sub(COUNT)..until];
        assert!(texts(&answer.lines) == want, "{from} from the end");
        assert!(!answer.more);
    }
}

#[test]
fn any_window_is_found_live_and_later() {
    let dir = tempfile::tempdir().unwrap();
    let mut recorded = Recorded::new(dir.path());
    recorded.much();
    assert!(recorded.logs.shared.lock().spans.len() > 5);
    let logs = recorded.logs.clone();
    for vertex in ["", "a", "b", "rare"] {
        compare(&logs, vertex, &recorded.expected(vertex));
    }
    // It goes on.
    recorded.log("rare", "end\nand open");
    let expected = ["", "a", "b", "rare"].map(|vertex| (vertex, recorded.expected(vertex)));
    let bytes = logs.shared.lock().bytes;
    let trace = recorded.finish();

    let loaded = Logs::load(&trace).expect("the files are whole");
    let written = |name| std::fs::read(dir.path().join(name)).unwrap();
    let files = (written("1.places"), written("1.quiet"));
    assert!(files.0.len() < 200_000 && files.1.len() < 10_000);
    std::fs::write(dir.path().join("1.places"), &files.0[..files.0.len() / 2]).unwrap();
    assert!(Logs::load(&trace).is_none(), "it is not whole any more");
    let restored = Logs::open(&trace).unwrap();
    assert_eq!((written("1.places"), written("1.quiet")), files);
    for (vertex, expected) in &expected {
        for logs in [&logs, &loaded, &restored] {
            assert_eq!(logs.shared.lock().bytes, bytes);
            compare(logs, vertex, expected);
        }
    }
}

#[test]
fn an_answer_is_bounded_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut recorded = Recorded::new(dir.path());
    for _ in 0..100 {
        recorded.log("a", format!("{}\n", "x".repeat(60_000)));
    }
    let mut request = LogRequest {
        count: 1000,
        ..LogRequest::default()
    };
    let answer = ask(&recorded.logs, request.clone());
    assert_eq!((answer.lines.len(), answer.more), (17, true));
    assert_eq!((answer.total, answer.bytes), (100, 6_000_100));
    assert_eq!(answer.lines[0].time, 1234);
    request.from_end = true;
    let answer = ask(&recorded.logs, request);
    let last = answer.lines.last().unwrap().number;
    assert_eq!((answer.lines.len(), answer.more, last), (17, true, 99));
}

#[test]
fn a_filter_finds_the_next_and_the_last_lines() {
    let dir = tempfile::tempdir().unwrap();
    let mut recorded = Recorded::new(dir.path());
    recorded.much();
    let numbers = |from, from_end, text: &str| -> Vec<u64> {
        let request = LogRequest {
            from,
            from_end,
            count: 3,
            filter: Some(LogPattern {
                text: text.into(),
                ..LogPattern::default()
            }),
            ..LogRequest::default()
        };
        let lines = ask(&recorded.logs, request).lines;
        lines.iter().map(|line| line.number).collect()
    };
    let all: Vec<u64> = (0u64..)
        .zip(recorded.expected(""))
        .filter(|(_, line)| line.1.contains("7.7 "))
        .map(|(number, _)| number)
        .collect();
    assert!(all.len() > 20);
    assert_eq!(numbers(0, false, "7.7 "), all[..3]);
    assert_eq!(numbers(all[5] + 1, false, "7.7 "), all[6..9]);
    assert_eq!(numbers(0, true, "7.7 "), all[all.len() - 3..]);
    assert_eq!(numbers(0, true, "1499.1 ").len(), 1);
    assert!(numbers(0, false, "not there").is_empty());
}

/// Keeps all answers; goes away after some.
#[derive(Default)]
struct Heard {
    answers: Vec<SearchLogResponse>,
    patience: Option<usize>,
}

impl search::Answers for Heard {
    fn give(&mut self, answer: SearchLogResponse) {
        self.answers.push(answer);
    }

    fn gone(&self) -> bool {
        self.patience.is_some_and(|most| self.answers.len() >= most)
    }
}

#[test]
fn a_search_tells_every_line_once_and_counts_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut recorded = Recorded::new(dir.path());
    recorded.much();
    recorded.log("a", "7.7 in the open line");
    for (vertex, from, limit) in [("", 0, 0), ("a", 0, 3), ("a", 1000, 0), ("rare", 0, 0)] {
        let mut heard = Heard::default();
        let request = SearchLogRequest {
            vertex: vertex.into(),
            from,
            limit,
            pattern: Some(LogPattern {
                text: "7.7 ".into(),
                ..LogPattern::default()
            }),
            ..SearchLogRequest::default()
        };
        search::run(&recorded.logs, &request, &mut heard).unwrap();
        let expected = recorded.expected(vertex);
        let mut all: Vec<u64> = (0u64..)
            .zip(&expected)
            .filter(|(number, line)| *number >= from && line.1.contains("7.7 "))
            .map(|(number, _)| number)
            .collect();
        let last = heard.answers.last().unwrap();
        assert!(last.done);
        assert_eq!(last.count, all.len() as u64);
        assert_eq!(last.searched, expected.len() as u64 - from);
        if limit > 0 {
            all.truncate(limit as usize);
        }
        let told: Vec<u64> = heard.answers.iter().flat_map(|a| a.lines.clone()).collect();
        assert_eq!(told, all);
        assert!(
            all.is_empty() || !heard.answers[0].done,
            "the first hit comes at once"
        );
    }
}

#[test]
fn a_search_within_a_filter_finds_what_both_find() {
    let dir = tempfile::tempdir().unwrap();
    let mut recorded = Recorded::new(dir.path());
    recorded.log("a", "error: one\nerror\nwarning\nemoji ri");
    recorded.log("a", "ght\nerror: two\nerror: open");
    let literal = |text: &str| {
        Some(LogPattern {
            text: text.into(),
            ..LogPattern::default()
        })
    };
    let mut heard = Heard::default();
    let request = SearchLogRequest {
        pattern: literal("error:"),
        filter: literal("error"),
        ..SearchLogRequest::default()
    };
    search::run(&recorded.logs, &request, &mut heard).unwrap();
    let told: Vec<u64> = heard.answers.iter().flat_map(|a| a.lines.clone()).collect();
    assert_eq!(told, [0, 4, 5]);
    let mut request = LogRequest {
        count: 2,
        filter: Some(LogPattern {
            text: "(left|emoji|error)".into(),
            regex: true,
            ..LogPattern::default()
        }),
        search: literal("emoji"),
        ..LogRequest::default()
    };
    let answer = ask(&recorded.logs, request.clone());
    assert_eq!((answer.lines.len(), answer.lines[0].number), (1, 3));
    // The search alone.
    request.filter = None;
    assert_eq!(ask(&recorded.logs, request.clone()).lines, answer.lines);
    request.from_end = true;
    request.search = literal("error:");
    request.filter = literal("error");
    let numbers: Vec<u64> = ask(&recorded.logs, request)
        .lines
        .iter()
        .map(|line| line.number)
        .collect();
    assert_eq!(numbers, [4, 5]);
}

#[test]
fn a_search_ends_when_nobody_waits() {
    let dir = tempfile::tempdir().unwrap();
    let mut recorded = Recorded::new(dir.path());
    recorded.much();
    let mut heard = Heard {
        patience: Some(1),
        ..Heard::default()
    };
    let request = SearchLogRequest {
        pattern: Some(LogPattern {
            text: "lines".into(),
            ..LogPattern::default()
        }),
        ..SearchLogRequest::default()
    };
    search::run(&recorded.logs, &request, &mut heard).unwrap();
    assert!(heard.answers[0].searched < 100, "{:?}", heard.answers[0]);
    assert!(heard.answers.last().unwrap().searched < 100);
}

#[test]
fn a_step_without_a_log_has_an_empty_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut recorded = Recorded::new(dir.path());
    recorded.completes("a");
    recorded.event(Event::Note("x".into()));
    let request = LogRequest {
        vertex: "a".into(),
        count: 5,
        ..LogRequest::default()
    };
    assert_eq!(ask(&recorded.logs, request), LogResponse::default());
    assert_eq!(recorded.logs.quiet.len(), 2);
    let trace = recorded.finish();
    assert!(Logs::load(&trace).is_some());
}

#[test]
fn what_was_clipped_is_told_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut recorded = Recorded::new(dir.path());
    let mut text = vec![b'x'; 200 << 10];
    text.extend(b"\n[output clipped, log limit 200KiB/s reached]\n");
    recorded.log("a", text);
    recorded.completes("a");
    let missing = |logs: &Logs| logs.shared.lock().find(b"a").unwrap().missing.clone();
    let told = missing(&recorded.logs);
    assert!(told.len() == 1 && told[0].contains("200KiB/s"), "{told:?}");
    let trace = recorded.finish();
    assert_eq!(missing(&Logs::load(&trace).unwrap()), told);
}

#[test]
fn a_broken_trace_gives_what_is_before_the_damage() {
    let dir = tempfile::tempdir().unwrap();
    let mut recorded = Recorded::new(dir.path());
    recorded.much();
    let trace = recorded.finish();
    let path = dir.path().join("1.trace");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    std::fs::remove_file(dir.path().join("1.quiet")).unwrap();
    let logs = Logs::open(&trace).unwrap();
    assert!(logs.trouble().unwrap().contains("is damaged"));
    let request = LogRequest {
        count: 1,
        from_end: true,
        ..LogRequest::default()
    };
    let answer = ask(&logs, request);
    assert!(answer.total > 10_000 && answer.lines.len() == 1);
}
