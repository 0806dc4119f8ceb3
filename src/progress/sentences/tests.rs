use proptest::prelude::*;

use super::*;
use crate::engine::errors::{BuildError, LineRange, Source};
use crate::progress::settings::{Mode, Settings};
use crate::progress::trace::tests::{Message, message, ms};

/// A printer that writes after each message.
struct Bench {
    trace: Trace,
    sentences: Sentences,
    out: String,
}

fn bench() -> Bench {
    let mut bench = Bench {
        trace: Trace::new(false),
        sentences: Sentences::new("b".into(), "docker".into()),
        out: String::new(),
    };
    bench.at(0, message());
    assert_eq!(
        bench.said(),
        "The build starts on the builder \"b\" with the docker driver.\n"
    );
    bench
}

impl Bench {
    fn feed(&mut self, now: i64, m: Message) {
        for change in self.trace.apply(&m.0, ms(now)) {
            self.sentences.note(change, ms(now));
        }
    }
    fn at(&mut self, now: i64, m: Message) {
        self.feed(now, m);
        self.sentences.print(&self.trace, ms(now), &mut self.out);
    }
    /// What was written since the last time.
    fn said(&mut self) -> String {
        std::mem::take(&mut self.out)
    }
    fn turn(&self, now: i64) -> Option<i64> {
        let turn = self.sentences.turn(&self.trace, ms(now))?;
        Some((turn - ms(0)) / 1_000_000)
    }
}

const MAKE: &str = "[3/6] RUN make";

#[test]
fn a_step_begins_speaks_and_ends() {
    let mut b = bench();
    b.at(0, message().vertex(MAKE, Some(0), None));
    assert_eq!(b.said(), "Step 3 of 6 runs: RUN make.\n");
    b.at(10, message().log(MAKE, 10, b"one\ntw"));
    assert_eq!(b.said(), "one\n");
    b.at(20, message().log(MAKE, 20, b"o\n"));
    assert_eq!(b.said(), "two\n");
    b.at(1200, message().vertex(MAKE, Some(0), Some(1200)));
    assert_eq!(b.said(), "Step 3 of 6 done in 1.2 seconds.\n");
    assert_eq!(b.turn(1300), None);
}

#[test]
fn cached_steps_are_told_once_and_in_order() {
    let mut b = bench();
    let names = ["[3/6] RUN c", "[3/6] RUN c", "[2/6] RUN b", "[1/6] RUN a"];
    let mut all = message();
    for (number, name) in names.into_iter().enumerate() {
        all = all.vertex(name, Some(0), Some(0)).cached();
        all.0.vertexes[number].digest = format!("sha256:{number}");
    }
    b.at(0, all);
    assert_eq!(
        b.said(),
        "Step 1 of 6 was cached: RUN a.\nStep 2 of 6 was cached: RUN b.\nStep 3 of 6 was cached: RUN c.\n"
    );
}

#[test]
fn each_end_has_its_words() {
    let failed = "process \"/bin/sh -c make\" did not complete successfully: exit code: 3";
    for (m, expected) in [
        (
            message().vertex(MAKE, Some(0), Some(1200)),
            "Step 3 of 6 done in 1.2 seconds: RUN make.\n",
        ),
        (
            message().vertex(MAKE, Some(0), Some(0)).cached(),
            "Step 3 of 6 was cached: RUN make.\n",
        ),
        (
            message().vertex(MAKE, Some(0), Some(1200)).error(failed),
            "Step 3 of 6 failed with exit code 3 after 1.2 seconds: RUN make.\n",
        ),
        (
            message()
                .vertex(MAKE, Some(0), Some(1200))
                .error("no such file"),
            "Step 3 of 6 failed after 1.2 seconds: RUN make.\nThe cause: no such file.\n",
        ),
        (
            message()
                .vertex(MAKE, Some(0), Some(1200))
                .error("context canceled"),
            "Step 3 of 6 was canceled after 1.2 seconds: RUN make.\n",
        ),
        (
            message().vertex("exporting to image", Some(0), None),
            "Exporting to image begins.\n",
        ),
        (
            message()
                .vertex("[1/6] FROM x", Some(0), Some(3000))
                .status(
                    "[1/6] FROM x",
                    "sha256:a",
                    (45_600_000, 45_600_000),
                    (0, 9, Some(9)),
                )
                .status(
                    "[1/6] FROM x",
                    "extracting sha256:a",
                    (5, 0),
                    (0, 9, Some(9)),
                ),
            "Step 1 of 6 done in 3 seconds, 45.6 megabytes transferred: FROM x.\n",
        ),
    ] {
        let mut b = bench();
        b.at(1200, m);
        assert_eq!(b.said(), expected);
    }
}

#[test]
fn preparations_are_mentioned_when_they_are_slow_or_fail() {
    const LOAD: &str = "[internal] load build definition from Dockerfile";
    let mut b = bench();
    b.at(0, message().vertex(LOAD, Some(0), None));
    assert_eq!((b.said().as_str(), b.turn(0)), ("", Some(3000)));
    b.at(500, message().vertex(LOAD, Some(0), Some(500)));
    assert_eq!((b.said().as_str(), b.turn(500)), ("", None));

    const META: &str = "[internal] load metadata for docker.io/library/x:1";
    b.at(600, message().vertex(META, Some(600), None));
    b.at(3600, message());
    let subject = "Load metadata for docker.io/library/x:1";
    assert_eq!(b.said(), format!("{subject} takes its time.\n"));
    b.at(5000, message().vertex(META, Some(600), Some(4600)));
    assert_eq!(b.said(), format!("{subject} done in 4 seconds.\n"));

    const IGNORE: &str = "[internal] load .dockerignore";
    b.at(
        6000,
        message()
            .vertex(IGNORE, Some(5000), Some(6000))
            .error("denied"),
    );
    assert_eq!(
        b.said(),
        "Load .dockerignore failed after 1 second.\nThe cause: denied.\n"
    );
}

#[test]
fn who_speaks_is_said_when_it_changes() {
    const OTHER: &str = "[build 1/2] RUN test";
    let mut b = bench();
    b.at(
        0,
        message()
            .vertex(MAKE, Some(0), None)
            .vertex(OTHER, Some(0), None),
    );
    b.said();
    b.at(100, message().log(MAKE, 100, b"m1\n"));
    assert_eq!(b.said(), "Step 3 of 6 says:\nm1\n");
    // Others wait for a pause.
    b.at(200, message().log(OTHER, 200, b"o1\n"));
    b.at(300, message().log(MAKE, 300, b"m2\n"));
    assert_eq!((b.said().as_str(), b.turn(300)), ("m2\n", Some(1300)));
    b.at(1300, message());
    assert_eq!(b.said(), "Step 1 of 2 of stage build says:\no1\n");
    // Or for their turn.
    for at in (1400..6400).step_by(500) {
        b.at(at, message().log(OTHER, at, b"o\n").log(MAKE, at, b"m\n"));
    }
    assert_eq!(b.said(), "o\n".repeat(10));
    b.at(6300, message());
    assert!(b.said().starts_with("Step 3 of 6 says:\nm\nm\n"));
    // The end of a step is never held back, and lines after it say again whose they are.
    b.at(6400, message().vertex(OTHER, Some(0), Some(6400)));
    assert_eq!(
        b.said(),
        "Step 1 of 2 of stage build done in 6.4 seconds.\n"
    );
    b.at(6500, message().log(MAKE, 6500, b"m\n"));
    assert_eq!(b.said(), "Step 3 of 6 says:\nm\n");
}

#[test]
fn a_line_that_is_not_ended_is_read_out_after_a_while() {
    let mut b = bench();
    b.at(0, message().vertex(MAKE, Some(0), None));
    b.said();
    b.at(100, message().log(MAKE, 100, b"waiting"));
    assert_eq!((b.said().as_str(), b.turn(100)), ("", Some(2100)));
    b.at(2100, message());
    assert_eq!((b.said().as_str(), b.turn(2100)), ("waiting\n", None));
    b.at(2200, message().log(MAKE, 2200, b"\nnext\n"));
    assert_eq!(b.said(), "next\n");
}

#[test]
fn a_step_that_the_engine_looks_at_again_is_no_news() {
    let mut b = bench();
    b.at(0, message().vertex(MAKE, Some(0), Some(0)));
    assert_eq!(
        b.said(),
        "Step 3 of 6 done in less than 0.1 seconds: RUN make.\n"
    );
    b.at(10, message().vertex(MAKE, Some(10), None));
    b.at(900, message().vertex(MAKE, Some(10), Some(900)));
    assert_eq!(b.said(), "");
    b.at(1000, message().vertex(MAKE, Some(1000), None));
    b.at(4000, message());
    b.at(4100, message().vertex(MAKE, Some(1000), Some(4110)));
    assert_eq!(
        b.said(),
        "Step 3 of 6 takes its time.\nStep 3 of 6 done in 4 seconds.\n"
    );
}

#[test]
fn warnings_are_said_when_they_come() {
    let mut b = bench();
    b.at(
        0,
        message()
            .vertex(MAKE, Some(0), None)
            .vertex("[internal] load", Some(0), Some(1))
            .warning(MAKE, "old")
            .warning("[internal] load", "bad"),
    );
    let said = b.said();
    assert!(said.contains("\nWarning of step 3 of 6: old.\n"), "{said}");
    assert!(said.contains("Warning: bad.\n"), "{said}");
}

fn settings() -> Settings {
    let settings = Settings::resolve(Mode::Plain, |_| None, true).unwrap();
    settings.spoken()
}

#[test]
fn a_success_is_counted() {
    let mut b = bench();
    b.at(
        0,
        message()
            .vertex("[internal] load", Some(0), Some(100))
            .vertex("[1/2] FROM x", Some(100), Some(100))
            .cached()
            .vertex("[2/2] RUN x", Some(100), Some(1400)),
    );
    let end = |end: End<'_>| super::end(&b.trace, &settings(), end);
    assert_eq!(
        end(End::Finished(&["no output".into()])),
        "Warning: no output.\nThe build succeeded after 1.4 seconds: 2 steps, 1 of them cached.\n"
    );
    assert_eq!(
        end(End::Canceled),
        "The build was canceled after 1.4 seconds.\n"
    );
}

#[test]
fn a_failure_has_its_place_and_cause() {
    let mut b = bench();
    b.at(
        0,
        message()
            .vertex(MAKE, Some(0), Some(1200))
            .error("exit code: 3")
            .warning(MAKE, "old\x1b[2J"),
    );
    let source = |start, end| Source {
        filename: "Dockerfile".into(),
        data: "FROM x\nRUN \x1b[2Jmake \\\n  all\n".into(),
        ranges: vec![LineRange { start, end }],
    };
    let error = |sources| BuildError {
        sources,
        vertex: Some(format!("sha256:{MAKE}")),
        ..BuildError::local("exit code: 3")
    };
    let said = |sources| {
        let error = error(sources);
        let hints = ["Try this.".to_string()];
        super::end(&b.trace, &settings(), End::Failed(&error, &hints))
    };
    assert_eq!(
        said(vec![source(1, 1)]),
        "There was 1 warning; with -D you hear more about them.\n\
         The build failed after 1.2 seconds in step 3 of 6.\n\
         Line 1 of Dockerfile: FROM x.\n\
         The cause: exit code: 3.\n\
         Try this.\n"
    );
    let lines = said(vec![source(2, 3)]);
    assert!(
        lines.contains("Lines 2 to 3 of Dockerfile:\nRUN ^[[2Jmake \\\n  all\nThe cause"),
        "{lines}"
    );
    for absurd in [(0, 0), (99, 100), (u32::MAX, u32::MAX)] {
        assert!(!said(vec![source(absurd.0, absurd.1)]).contains("Line"));
    }
    let mut debug = settings();
    debug.debug = true;
    let text = super::end(&b.trace, &debug, End::Canceled);
    assert!(text.starts_with("There was 1 warning.\nold"), "{text}");
    assert!(!text.contains('\x1b'), "{text}");
}

proptest! {
    #[test]
    fn nothing_hostile_and_nothing_lost(
        chunks in prop::collection::vec((0..2usize, prop::collection::vec(any::<u8>(), 0..40)), 0..20),
        name in ".{0,20}",
        step in 1..3000i64,
    ) {
        let mut b = bench();
        let names = [MAKE.to_owned(), format!("[{name}")];
        let mut at = 0;
        b.at(0, message().vertex(&names[0], Some(0), None).vertex(&names[1], Some(0), None));
        for (who, chunk) in &chunks {
            at += step;
            b.at(at, message().log(&names[*who], at, chunk));
            b.at(at, message().log(&names[*who], at, b"\nmark\n"));
        }
        b.at(at, message().vertex(&names[0], Some(0), Some(at)).vertex(&names[1], Some(0), Some(at)));
        prop_assert_eq!(b.sentences.held(), 0);
        let out = b.said();
        let marks = out.lines().filter(|line| *line == "mark").count();
        prop_assert_eq!(marks, chunks.len());
        prop_assert!(out.chars().all(|c| matches!(c, '\n' | '\t') || !c.is_control()), "{:?}", out);
    }
}
