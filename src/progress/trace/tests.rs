use super::*;
use crate::progress::time::{SECOND, stamp};
use crate::proto::pb;

/// Makes messages of an engine; times in milliseconds after a fixed second.
pub const BASE: Nanos = 1_700_000_000 * SECOND;

pub fn ms(ms: i64) -> Nanos {
    BASE + ms * 1_000_000
}

#[derive(Default)]
pub struct Message(pub control::StatusResponse);

impl Message {
    pub fn vertex(mut self, name: &str, started: Option<i64>, completed: Option<i64>) -> Self {
        self.0.vertexes.push(control::Vertex {
            digest: format!("sha256:{name}"),
            name: name.into(),
            started: started.map(|t| stamp(ms(t))),
            completed: completed.map(|t| stamp(ms(t))),
            ..Default::default()
        });
        self
    }
    pub fn cached(mut self) -> Self {
        self.0.vertexes.last_mut().unwrap().cached = true;
        self
    }
    pub fn error(mut self, error: &str) -> Self {
        self.0.vertexes.last_mut().unwrap().error = error.into();
        self
    }
    pub fn group(mut self, id: &str, weak: bool) -> Self {
        self.0.vertexes.last_mut().unwrap().progress_group = Some(pb::ProgressGroup {
            id: id.into(),
            name: format!("group {id}"),
            weak,
        });
        self
    }
    pub fn status(
        mut self,
        vertex: &str,
        id: &str,
        amount: (i64, i64),
        times: (i64, i64, Option<i64>),
    ) -> Self {
        self.0.statuses.push(control::VertexStatus {
            id: id.into(),
            vertex: format!("sha256:{vertex}"),
            name: String::new(),
            current: amount.0,
            total: amount.1,
            started: Some(stamp(ms(times.0))),
            timestamp: Some(stamp(ms(times.1))),
            completed: times.2.map(|t| stamp(ms(t))),
        });
        self
    }
    pub fn log(mut self, vertex: &str, at: i64, text: &[u8]) -> Self {
        self.0.logs.push(control::VertexLog {
            vertex: format!("sha256:{vertex}"),
            timestamp: Some(stamp(ms(at))),
            stream: 1,
            msg: text.into(),
        });
        self
    }
    pub fn warning(mut self, vertex: &str, short: &str) -> Self {
        self.0.warnings.push(control::VertexWarning {
            vertex: format!("sha256:{vertex}"),
            short: short.into(),
            ..Default::default()
        });
        self
    }
}

pub fn message() -> Message {
    Message::default()
}

fn apply(trace: &mut Trace, message: Message) -> Vec<Change> {
    trace.apply(&message.0, ms(0))
}

#[test]
fn a_vertex_that_is_probed_and_started_again_is_open() {
    let mut t = Trace::new(false);
    assert!(apply(&mut t, message().vertex("a", None, None)).is_empty());
    apply(&mut t, message().vertex("a", Some(10), Some(10)));
    assert!(t.steps[0].completed());
    apply(&mut t, message().vertex("a", Some(20), None));
    assert!(t.steps[0].running());
    // A late repetition of the announcement changes nothing.
    assert!(apply(&mut t, message().vertex("a", None, None)).is_empty());
    assert!(t.steps[0].running());
    apply(&mut t, message().vertex("a", Some(20), Some(1520)));
    assert!(t.steps[0].completed());
    assert_eq!(t.steps[0].duration(ms(9999)), 1_500_000_000);
    assert_eq!(t.order, [0]);
    // The same snapshot again is no change.
    assert!(apply(&mut t, message().vertex("a", Some(20), Some(1520))).is_empty());
}

#[test]
fn a_group_is_one_step_and_hidden_until_a_strong_member_starts() {
    let mut t = Trace::new(false);
    apply(
        &mut t,
        message()
            .vertex("weak", Some(0), None)
            .group("g", true)
            .vertex("strong", None, None)
            .group("g", false),
    );
    assert_eq!(t.count(), (0, 0));
    assert!(t.order.is_empty());
    apply(
        &mut t,
        message().vertex("strong", Some(10), None).group("g", false),
    );
    assert_eq!(t.count(), (0, 1));
    assert_eq!(t.steps[t.order[0]].name, "group g");
    apply(
        &mut t,
        message().vertex("weak", Some(0), Some(30)).group("g", true),
    );
    assert!(t.running());
    apply(
        &mut t,
        message()
            .vertex("strong", Some(10), Some(40))
            .group("g", false)
            .cached(),
    );
    assert_eq!(t.count(), (1, 1));
    assert!(!t.steps[0].cached, "only one of its members was");
    assert_eq!(t.find("sha256:weak").unwrap().digest, "g");
}

#[test]
fn repeated_warnings_are_one() {
    let mut t = Trace::new(false);
    apply(
        &mut t,
        message()
            .vertex("a", Some(0), None)
            .warning("a", "x\x1b[2J")
            .warning("a", "y"),
    );
    assert!(apply(&mut t, message().warning("a", "x\x1b[2J")).is_empty());
    let warnings: Vec<_> = t.steps[0]
        .warnings
        .iter()
        .map(|w| w.short.as_str())
        .collect();
    assert_eq!(warnings, ["x^[[2J", "y"]);
}

#[test]
fn clocks_that_differ_do_not_spoil_the_elapsed_time() {
    let mut t = Trace::new(false);
    // The engine is an hour behind.
    t.apply(&message().vertex("a", Some(0), None).0, ms(3_600_000));
    let step = &t.steps[0];
    assert_eq!(step.duration(t.clock(step, ms(3_602_000))), 2 * SECOND);
    assert_eq!(t.elapsed(ms(3_602_000)), 2 * SECOND);
}

#[test]
fn things_of_unknown_vertices_are_ignored() {
    let mut t = Trace::new(false);
    let changes = apply(
        &mut t,
        message()
            .log("x", 1, b"a")
            .warning("x", "w")
            .status("x", "s", (1, 2), (0, 1, None)),
    );
    assert!(changes.is_empty());
}

#[test]
fn names_and_errors_are_harmless() {
    let mut t = Trace::new(true);
    apply(
        &mut t,
        message()
            .vertex("a\x1b]0;t\x07", Some(0), Some(1))
            .error("no\u{202e}\n\x1b[31mred"),
    );
    assert_eq!(t.steps[0].name, "a^[]0;t^G");
    assert_eq!(t.steps[0].error, "no\\u{202e}\nred");
}

#[test]
fn a_clipped_log_ends_with_what_is_missing() {
    let mut t = Trace::new(false);
    let mut clipped = vec![b'x'; 204_800];
    clipped.extend(b"\n[output clipped, log limit 200KiB/s reached]\n");
    apply(
        &mut t,
        message().vertex("a", Some(0), None).log("a", 10, &clipped),
    );
    let changes = apply(&mut t, message().vertex("a", Some(0), Some(500)));
    assert_eq!(t.steps[0].missing.len(), 1);
    assert!(
        matches!(changes.last(), Some(Change::Log(0, p)) if p.text.contains("output is missing here"))
    );
    // A second look at the finished step does not say it again.
    apply(&mut t, message().vertex("a", Some(0), Some(500)));
    assert_eq!(t.steps[0].missing.len(), 1);
}
