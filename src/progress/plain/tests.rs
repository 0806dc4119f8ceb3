use proptest::prelude::*;

use super::*;
use crate::progress::trace::tests::{Message, message, ms};

/// A printer that draws after each message.
struct Bench {
    trace: Trace,
    plain: Plain,
    out: String,
}

fn bench() -> Bench {
    Bench {
        trace: Trace::new(false),
        plain: Plain::new(
            "building with \"b\" instance using docker driver".into(),
            false,
        ),
        out: String::new(),
    }
}

impl Bench {
    fn feed(&mut self, now: i64, m: Message) {
        for change in self.trace.apply(&m.0, ms(now)) {
            self.plain.note(change, ms(now));
        }
    }
    fn draw(&mut self, now: i64) {
        self.plain.print(&self.trace, ms(now), &mut self.out);
    }
    fn at(&mut self, now: i64, m: Message) {
        self.feed(now, m);
        self.draw(now);
    }
    fn finish(mut self) -> String {
        self.plain.finish(&self.trace, ms(100_000), &mut self.out);
        self.out
    }
}

#[test]
fn a_small_build() {
    let mut b = bench();
    b.at(0, message().vertex("load", None, None));
    b.at(
        1,
        message()
            .vertex("load", Some(0), Some(0))
            .vertex("load", Some(1), None),
    );
    b.at(
        2,
        message().status("load", "transferring dockerfile:", (0, 0), (1, 1, None)),
    );
    b.at(
        30,
        message().status(
            "load",
            "transferring dockerfile:",
            (383, 0),
            (1, 30, Some(30)),
        ),
    );
    b.at(31, message().vertex("load", Some(1), Some(31)));
    b.at(32, message().vertex("copy", Some(32), Some(32)).cached());
    b.at(
        40,
        message()
            .vertex("run", Some(40), None)
            .log("run", 131, b"hi\nyou\n")
            .warning("run", "careful"),
    );
    b.at(1400, message().vertex("run", Some(40), Some(1390)));
    assert_eq!(
        b.finish(),
        r#"#0 building with "b" instance using docker driver

#1 load
#1 transferring dockerfile:
#1 transferring dockerfile: 383B 0.0s done
#1 DONE 0.0s

#2 copy
#2 CACHED

#3 run
#3 WARN: careful
#3 0.091 hi
#3 0.091 you
#3 DONE 1.4s
"#
    );
}

#[test]
fn a_partial_line_goes_on_without_a_second_prefix() {
    let mut b = bench();
    b.at(0, message().vertex("a", Some(0), None).log("a", 91, b"par"));
    b.at(100, message().log("a", 120, b"tial"));
    b.at(200, message().log("a", 130, b" rest\nnext"));
    b.at(300, message().vertex("a", Some(0), Some(200)));
    assert!(
        b.finish()
            .ends_with("#1 a\n#1 0.091 partial rest\n#1 0.130 next\n#1 DONE 0.2s\n")
    );
}

#[test]
fn an_interrupted_partial_line_is_printed_again() {
    let mut b = bench();
    b.at(0, message().vertex("a", Some(0), None).log("a", 91, b"par"));
    b.at(100, message().vertex("b", Some(0), Some(100)));
    b.at(200, message().log("a", 150, b"tial\n"));
    assert!(
        b.finish().ends_with(
            "#1 a\n#1 0.091 par\n#1 ...\n\n#2 b\n#2 DONE 0.1s\n\n#1 a\n#1 0.091 partial\n"
        )
    );
}

#[test]
fn a_status_is_printed_again_after_five_percent_or_five_seconds() {
    let mut b = bench();
    b.at(0, message().vertex("a", Some(0), None));
    for (at, current) in [
        (0, 0),
        (10, 40),
        (20, 60),
        (30, 100),
        (5100, 101),
        (5200, 102),
    ] {
        b.at(
            at,
            message().status("a", "sha256:1", (current, 1000), (0, at, None)),
        );
    }
    b.at(
        6000,
        message().status("a", "sha256:1", (1000, 1000), (0, 6000, Some(6000))),
    );
    assert!(b.finish().ends_with(
        "#1 sha256:1 0B / 1.00kB\n#1 sha256:1 60B / 1.00kB 0.0s\n#1 sha256:1 101B / 1.00kB 5.1s\n#1 sha256:1 1.00kB / 1.00kB 6.0s done\n"
    ));
}

#[test]
fn a_silent_step_gets_its_turn_after_ten_seconds_at_the_latest() {
    let mut b = bench();
    b.at(0, message().vertex("a", Some(0), None).log("a", 0, b"a0\n"));
    b.at(100, message().vertex("b", Some(0), None));
    for s in 1..=4 {
        b.at(
            s * 1000,
            message()
                .log("a", s * 1000, format!("a{s}\n").as_bytes())
                .log("b", s * 1000, b"b\n"),
        );
    }
    // Nobody's turn has come, but it is known when it will.
    assert!(!b.out.contains("#2"), "{}", b.out);
    let turn = b.plain.turn(ms(4000)).unwrap();
    assert!(turn > ms(4000) && turn <= ms(10_100), "{}", turn - ms(0));
    b.draw(10_200);
    assert!(b.out.contains("#1 ...\n\n#2 b\n#2 1.000 b\n"), "{}", b.out);
}

#[test]
fn a_step_with_very_much_to_say_does_not_wait() {
    let mut b = bench();
    b.at(0, message().vertex("a", Some(0), None).log("a", 0, b"a\n"));
    let line = [b'x'; 1000];
    b.feed(10, message().vertex("b", Some(0), None));
    for _ in 0..1200 {
        b.feed(10, message().log("b", 10, &line).log("b", 10, b"\n"));
    }
    assert!(b.plain.held() > MAX_HELD);
    b.draw(11);
    assert_eq!(b.plain.held(), 0);
}

#[test]
fn results_have_their_words() {
    let mut b = bench();
    b.at(
        0,
        message()
            .vertex("a", Some(0), Some(1))
            .error("exit code: 3"),
    );
    b.at(
        1,
        message()
            .vertex("b", Some(0), Some(2))
            .error("context canceled"),
    );
    assert!(
        b.finish()
            .ends_with("#1 a\n#1 ERROR: exit code: 3\n\n#2 b\n#2 CANCELED\n")
    );
}

#[test]
fn names_are_cut_on_request_only() {
    let long = "x".repeat(71) + "世界";
    assert_eq!(shorten(&long), "x".repeat(71) + "...");
    assert_eq!(shorten("short"), "short");
}

/// Any stream of messages about three steps.
fn messages() -> impl Strategy<Value = Vec<(i64, Message)>> {
    let name = || prop_oneof![Just("a"), Just("b"), Just("c")];
    let one = prop_oneof![
        (name(), 0i64..50).prop_map(|(n, s)| message().vertex(n, Some(s), None)),
        (name(), 0i64..50, 0i64..90).prop_map(|(n, s, l)| message().vertex(
            n,
            Some(s),
            Some(s + l)
        )),
        name().prop_map(|n| message().vertex(n, None, None)),
        name().prop_map(|n| message()
            .vertex(n, Some(1), Some(2))
            .error("bad\n#1 DONE 0.0s\n")),
        (name(), any::<bool>()).prop_map(|(n, w)| message().vertex(n, Some(3), None).group("g", w)),
        (name(), "[a#\\x1b\\[\r\n世 ]{0,12}").prop_map(|(n, t)| message().log(n, 40, t.as_bytes())),
        (name(), any::<i64>(), any::<i64>(), any::<bool>()).prop_map(|(n, c, t, d)| {
            message().status(n, "st", (c, t), (0, 50, d.then_some(60)))
        }),
        (name(), "[a-z\n]{1,5}").prop_map(|(n, w)| message().warning(n, &w)),
    ];
    proptest::collection::vec((0i64..4000, one), 0..60)
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

proptest! {
    /// Every line belongs to a numbered block, a number never changes its name, blocks are apart.
    #[test]
    fn the_grammar_holds_for_any_stream(stream in messages()) {
        let mut b = bench();
        let mut now = 0;
        for (gap, m) in stream {
            now += gap;
            b.at(now, m);
        }
        let out = b.finish();
        let mut names: Vec<(String, String)> = Vec::new();
        let mut previous = "";
        for (i, line) in out.lines().enumerate() {
            if line.is_empty() {
                prop_assert!(!previous.is_empty(), "two empty lines\n{}", out);
                previous = line;
                continue;
            }
            let (number, text) = line.split_once(' ').unwrap_or((line, ""));
            let digits = number.strip_prefix('#');
            prop_assert!(digits.is_some_and(|d| d.parse::<usize>().is_ok()), "{:?}\n{}", line, out);
            if previous.is_empty() && i > 0 {
                match names.iter().find(|(n, _)| n == number) {
                    Some((_, name)) => prop_assert_eq!(name, text),
                    None => {
                        names.push((number.to_string(), text.to_string()));
                        prop_assert_eq!(number, format!("#{}", names.len()), "\n{}", &out);
                    }
                }
            } else if i > 0 {
                let same = previous.split(' ').next();
                prop_assert_eq!(same, Some(number), "block changes without an empty line\n{}", &out);
            }
            previous = line;
        }
        prop_assert!(out.is_empty() || out.ends_with('\n'));
        prop_assert!(!out.contains('\x1b'));
    }
}
