use std::sync::{Arc, Mutex};

use bollard_buildkit_proto::google::protobuf::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::progress::steps::ClientSteps;
use crate::progress::trace::tests::message;

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn progress(kind: Kind) -> (Progress, Shared) {
    let out = Shared::default();
    let mut settings = Settings::resolve(Mode::Plain, |_| None, false).unwrap();
    settings.kind = kind;
    let header = Header {
        builder: "b\x1b[2J".into(),
        driver: "remote".into(),
    };
    (Progress::new(&settings, Box::new(out.clone()), header), out)
}

const KINDS: [Kind; 5] = [
    Kind::Plain,
    Kind::Tty,
    Kind::RawJson,
    Kind::Sentences,
    Kind::Quiet,
];

#[test]
fn without_input_there_is_no_deadline() {
    for kind in KINDS {
        let (mut p, _) = progress(kind);
        assert_eq!(p.next_deadline(), None, "{kind:?}");
        p.apply(&message().vertex("a", Some(0), Some(1)).0);
        assert_eq!(p.next_deadline().is_some(), kind != Kind::Quiet, "{kind:?}");
        p.draw().unwrap();
        assert_eq!(p.next_deadline(), None, "{kind:?}");
        p.apply(&message().vertex("b", Some(0), None).0);
        p.draw().unwrap();
        // Only the live tree has a clock that goes on.
        assert_eq!(p.next_deadline().is_some(), kind == Kind::Tty, "{kind:?}");
    }
}

#[test]
fn a_step_of_our_own_is_a_step() {
    let (mut p, out) = progress(Kind::Plain);
    let mut steps = ClientSteps::default();
    for event in [
        ClientEvent::Started,
        ClientEvent::Log(b"hi\n"),
        ClientEvent::Completed,
    ] {
        p.apply_local(&steps.event("importing to docker", event));
    }
    p.draw().unwrap();
    assert_eq!(
        out.text(),
        "#0 building with \"b^[[2J\" instance using remote driver\n\n#1 importing to docker\n#1 0.000 hi\n#1 DONE 0.0s\n"
    );
    assert!(p.trace().steps[0].local);
}

#[test]
fn a_client_step_that_fails_is_reported() {
    let (mut p, out) = progress(Kind::Plain);
    let mut steps = ClientSteps::default();
    for event in [ClientEvent::Started, ClientEvent::Failed("no image")] {
        p.apply_local(&steps.event("booting", event));
    }
    let error = BuildError::local("no image");
    p.finish(&Outcome::Failed {
        error: &error,
        hints: &[],
    })
    .unwrap();
    assert!(out.text().ends_with(
        "#1 ERROR: no image\n------\n > booting:\n------\nERROR: failed to build: failed to solve: no image\n"
    ), "{}", out.text());
}

#[test]
fn rawjson_is_json_to_the_end() {
    let result = BTreeMap::from([("k".to_string(), "v".to_string())]);
    let error = BuildError::local("bad");
    for outcome in [
        Outcome::Finished {
            result: &result,
            build_ref: "b/n/r",
        },
        Outcome::Failed {
            error: &error,
            hints: &[],
        },
        Outcome::Canceled,
    ] {
        let (mut p, out) = progress(Kind::RawJson);
        p.apply(&message().vertex("a", Some(0), Some(1)).0);
        p.remark("No output specified");
        p.finish(&outcome).unwrap();
        let lines: Vec<serde_json::Value> = out
            .text()
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect();
        assert_eq!(lines.len(), 2);
        let last = lines[1].as_object().unwrap();
        assert!(last.contains_key("result") || last.contains_key("error"));
    }
}

#[test]
fn quiet_speaks_of_errors_only() {
    let (mut p, out) = progress(Kind::Quiet);
    p.apply(&message().vertex("a", Some(0), Some(1)).warning("a", "w").0);
    p.finish(&Outcome::Finished {
        result: &BTreeMap::new(),
        build_ref: "",
    })
    .unwrap();
    assert_eq!(out.text(), "");
    p.finish(&Outcome::Canceled).unwrap();
    assert_eq!(
        out.text(),
        "ERROR: failed to build: failed to solve: Canceled: context canceled\n"
    );
}

#[test]
fn too_much_text_is_not_kept_waiting() {
    for kind in [Kind::Plain, Kind::RawJson] {
        let (mut p, out) = progress(kind);
        p.apply(&message().vertex("a", Some(0), None).0);
        let block = b"a line of a log that is a little longer than the others\n".repeat(1000);
        for _ in 0..400 {
            p.apply(&message().log("a", 10, &block).0);
        }
        assert!(out.text().len() > 2 * MAX_WAITING, "{kind:?}");
    }
}

#[test]
fn a_broken_writer_is_an_error_not_a_panic() {
    struct Broken;
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let settings = Settings::resolve(Mode::Plain, |_| None, false).unwrap();
    let mut p = Progress::new(&settings, Box::new(Broken), Header::default());
    p.apply(&message().vertex("a", Some(0), Some(1)).0);
    assert!(p.draw().is_err());
}

/// A time as no honest engine tells it, or any.
fn absurd() -> impl Strategy<Value = Timestamp> {
    let seconds = prop_oneof![
        Just(i64::MIN),
        Just(i64::MAX),
        Just(0),
        Just(1_700_000_000),
        -20_000_000_000..20_000_000_000_i64,
        any::<i64>(),
    ];
    (seconds, any::<i32>()).prop_map(|(seconds, nanos)| Timestamp { seconds, nanos })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn no_numbers_of_an_engine_break_a_printer(
        kind in proptest::sample::select(&KINDS),
        steps in proptest::collection::vec(
            (0..3_usize, absurd(), proptest::option::of(absurd()), any::<bool>()), 1..6),
        logs in proptest::collection::vec(
            (0..3_usize, absurd(), prop_oneof![Just("200KiB/s"), Just("2MiB"), Just("900000GiB/s"), Just("")], 0..3_usize), 0..8),
        amounts in proptest::collection::vec(
            (0..3_usize, any::<i64>(), any::<i64>(), absurd(), proptest::option::of(absurd())), 0..4),
    ) {
        let digest = |number: usize| format!("sha256:{number}");
        let (mut p, _) = progress(kind);
        for (number, started, completed, failed) in steps {
            let mut message = control::StatusResponse::default();
            message.vertexes.push(control::Vertex {
                digest: digest(number),
                name: "step".into(),
                started: Some(started),
                completed,
                error: if failed { "it broke".into() } else { String::new() },
                ..Default::default()
            });
            for (number, time, limit, before) in &logs {
                let mut msg = vec![b'x'; before * 102_400];
                if !limit.is_empty() {
                    msg.extend(format!("\n[output clipped, log limit {limit} reached]\n").bytes());
                }
                message.logs.push(control::VertexLog {
                    vertex: digest(*number),
                    timestamp: Some(*time),
                    stream: 1,
                    msg,
                });
            }
            for (number, current, total, started, completed) in &amounts {
                message.statuses.push(control::VertexStatus {
                    id: "part".into(),
                    vertex: digest(*number),
                    current: *current,
                    total: *total,
                    timestamp: Some(*started),
                    started: Some(*started),
                    completed: *completed,
                    ..Default::default()
                });
            }
            p.apply(&message);
            p.next_deadline();
            p.draw().unwrap();
        }
        p.finish(&Outcome::Canceled).unwrap();
    }
}
