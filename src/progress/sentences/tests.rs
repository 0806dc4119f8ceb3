use proptest::prelude::*;

use super::*;
use crate::progress::trace::tests::{Message, message, ms};

/// A printer that prints after each message.
struct Bench {
    trace: Trace,
    sentences: Sentences,
    out: String,
}

fn bench() -> Bench {
    Bench {
        trace: Trace::new(false),
        sentences: Sentences::new("default", "docker"),
        out: String::new(),
    }
}

impl Bench {
    fn at(&mut self, now: i64, m: Message) {
        for change in self.trace.apply(&m.0, ms(now)) {
            self.sentences.note(change);
        }
        self.sentences.print(&self.trace, ms(now), &mut self.out);
    }

    /// The lines since the last call.
    fn said(&mut self) -> Vec<String> {
        let text = std::mem::take(&mut self.out);
        assert!(text.is_empty() || text.ends_with('\n'), "{text:?}");
        text.lines().map(str::to_owned).collect()
    }
}

#[test]
fn a_build_that_fails() {
    let mut b = bench();
    b.at(
        0,
        message().vertex("[internal] load metadata", Some(0), None),
    );
    b.at(
        900,
        message().vertex("[internal] load metadata", Some(0), Some(900)),
    );
    assert_eq!(
        b.said(),
        ["The build has begun on builder default, driver docker."]
    );
    b.at(
        1000,
        message()
            .vertex("[1/2] COPY . .", Some(1000), Some(1000))
            .cached(),
    );
    assert_eq!(b.said(), ["Step 1 of 2, COPY . ., was cached."]);
    b.at(1000, message().vertex("[2/2] RUN make", Some(1000), None));
    assert_eq!(b.said(), ["Step 2 of 2, RUN make, has begun."]);
    b.at(
        1100,
        message().log("[2/2] RUN make", 1100, b"cc one.c\ncc tw"),
    );
    assert_eq!(b.said(), ["Output of step 2 of 2:", "cc one.c"]);
    b.at(1200, message().log("[2/2] RUN make", 1200, b"o.c\nlast"));
    assert_eq!(b.said(), ["cc two.c"]);
    let error = "process \"/bin/sh -c make\" did not complete successfully: exit code: 3";
    b.at(
        2200,
        message()
            .vertex("[2/2] RUN make", Some(1000), Some(2200))
            .error(error),
    );
    assert_eq!(
        b.said(),
        [
            "last",
            "Step 2 of 2 has failed with exit code 3 after 1.2 seconds."
        ]
    );
    b.sentences.finish(&b.trace, ms(3000), &mut b.out);
    assert_eq!(b.said(), [""; 0]);
}

#[test]
fn one_step_speaks_at_a_time() {
    let mut b = bench();
    b.at(
        0,
        message()
            .vertex("[a 1/1] RUN a", Some(0), None)
            .vertex("[b 1/1] RUN b", Some(0), None),
    );
    assert_eq!(
        b.said()[1..],
        [
            "Step 1 of 1 in a, RUN a, has begun.",
            "Step 1 of 1 in b, RUN b, has begun."
        ]
    );
    b.at(10, message().log("[a 1/1] RUN a", 10, b"a1\n"));
    b.at(20, message().log("[b 1/1] RUN b", 20, b"b1\n"));
    b.at(30, message().log("[a 1/1] RUN a", 30, b"a2\n"));
    assert_eq!(b.said(), ["Output of step 1 of 1 in a:", "a1", "a2"]);
    let turn = b.sentences.turn(&b.trace);
    assert_eq!(turn, Some(ms(5010)));
    b.at(5010, message());
    assert_eq!(b.said(), ["Output of step 1 of 1 in b:", "b1"]);
    // Whoever has ended says all at once, and the other goes on with its name.
    b.at(5020, message().log("[a 1/1] RUN a", 5020, b"a3"));
    assert_eq!(b.said(), [""; 0]);
    b.at(5030, message().vertex("[a 1/1] RUN a", Some(0), Some(5030)));
    assert_eq!(
        b.said(),
        [
            "Output of step 1 of 1 in a:",
            "a3",
            "Step 1 of 1 in a has finished after 5 seconds."
        ]
    );
    b.at(5040, message().log("[b 1/1] RUN b", 5040, b"b2\nopen"));
    assert_eq!(b.said(), ["Output of step 1 of 1 in b:", "b2"]);
    b.sentences.finish(&b.trace, ms(5050), &mut b.out);
    assert_eq!(b.said().last().map(String::as_str), Some("open"));
}

#[test]
fn a_flood_is_not_held_for_its_turn() {
    let mut b = bench();
    b.at(
        0,
        message()
            .vertex("[a 1/1] RUN a", Some(0), None)
            .vertex("[b 1/1] RUN b", Some(0), None),
    );
    b.at(10, message().log("[a 1/1] RUN a", 10, b"a1\n"));
    let much = "x".repeat(MAX_HELD);
    b.at(
        20,
        message().log("[b 1/1] RUN b", 20, format!("{much}\n").as_bytes()),
    );
    assert!(b.sentences.held() == 0, "{}", b.sentences.held());
}

#[test]
fn silence_is_broken_after_a_while() {
    let mut b = bench();
    b.at(0, message().vertex("[1/1] RUN sleep", Some(0), None));
    b.said();
    assert_eq!(b.sentences.turn(&b.trace), Some(ms(30_000)));
    b.at(29_999, message());
    assert_eq!(b.said(), [""; 0]);
    b.at(30_000, message());
    assert_eq!(b.said(), ["Step 1 of 1 still runs, after 30 seconds."]);
    assert_eq!(b.sentences.turn(&b.trace), Some(ms(60_000)));
    b.at(
        40_000,
        message().vertex("[1/1] RUN sleep", Some(0), Some(40_000)),
    );
    assert_eq!(b.said(), ["Step 1 of 1 has finished after 40 seconds."]);
    assert_eq!(b.sentences.turn(&b.trace), None);
}

#[test]
fn a_long_internal_step_is_named_at_its_end() {
    let mut b = bench();
    b.at(
        0,
        message().vertex("[internal] load metadata", Some(0), None),
    );
    b.at(
        4000,
        message().vertex("[internal] load metadata", Some(0), Some(4000)),
    );
    assert_eq!(
        b.said()[1..],
        ["The step \"load metadata\" has finished after 4 seconds."]
    );
}

#[test]
fn a_step_that_runs_again_is_said_again() {
    let mut b = bench();
    b.at(0, message().vertex("[1/1] RUN x", Some(0), Some(100)));
    b.at(200, message().vertex("[1/1] RUN x", Some(200), None));
    b.at(300, message().vertex("[1/1] RUN x", Some(200), Some(300)));
    assert_eq!(
        b.said()[1..],
        [
            "Step 1 of 1, RUN x, has finished after 0.1 seconds.",
            "Step 1 of 1, RUN x, has begun.",
            "Step 1 of 1 has finished after 0.2 seconds."
        ]
    );
}

proptest! {
    #[test]
    fn every_line_of_output_is_said_once_and_nothing_is_drawn_over(
        events in prop::collection::vec((0usize..3, 0i64..3000), 0..60),
    ) {
        let mut b = bench();
        let names = ["[a 1/1] RUN a", "[b 1/1] RUN b", "[internal] c"];
        let mut now = 0;
        for name in names {
            b.at(0, message().vertex(name, Some(0), None));
        }
        for (index, (step, wait)) in events.iter().enumerate() {
            now += wait;
            b.at(now, message().log(names[*step], now, format!("<{index}>\n").as_bytes()));
        }
        for name in names {
            b.at(now, message().vertex(name, Some(0), Some(now)));
        }
        b.sentences.finish(&b.trace, ms(now), &mut b.out);
        for index in 0..events.len() {
            prop_assert_eq!(b.out.matches(&format!("<{index}>")).count(), 1);
        }
        prop_assert!(!b.out.contains(['\r', '\x1b']));
    }
}
