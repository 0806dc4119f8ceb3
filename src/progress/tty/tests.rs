use proptest::prelude::*;

use super::*;
use crate::progress::settings::Mode;
use crate::progress::trace::tests::{Message, message, ms};

/// A terminal emulator in front of the printer.
struct Bench {
    trace: Trace,
    tty: Tty,
    size: Size,
    terminal: vt100::Parser,
}

fn cells(n: usize) -> std::num::NonZero<u16> {
    std::num::NonZero::new(n as u16).unwrap()
}

fn bench(cols: usize, rows: usize, env: &[(&str, &str)]) -> Bench {
    let find = |name: &str| {
        env.iter()
            .find(|(n, _)| *n == name)
            .map(|(_, v)| v.to_string())
    };
    let settings = Settings::resolve(Mode::Tty, find, true).unwrap();
    Bench {
        trace: Trace::new(settings.colour),
        tty: Tty::new("docker:default".into(), &settings),
        size: Size { cols, rows },
        terminal: vt100::Parser::new(cells(rows), cells(cols), 2000),
    }
}

impl Bench {
    fn feed(&mut self, m: Message) -> &mut Self {
        self.trace.apply(&m.0, ms(0));
        self
    }
    fn draw(&mut self, now: i64) -> &mut Self {
        let bytes = self.tty.draw(&self.trace, ms(now), self.size);
        self.terminal.process(bytes.as_bytes());
        self
    }
    fn finish(&mut self, now: i64, end: End) -> &mut Self {
        let bytes = self.tty.finish(&self.trace, ms(now), self.size, end);
        self.terminal.process(bytes.as_bytes());
        self
    }
    fn resize(&mut self, cols: usize, rows: usize) -> &mut Self {
        self.size = Size { cols, rows };
        self.terminal
            .screen_mut()
            .set_size(cells(rows), cells(cols));
        self
    }
    /// The screen without empty lines at the end.
    fn screen(&self) -> Vec<String> {
        let cols = self.size.cols as u16;
        let mut rows: Vec<String> = self
            .terminal
            .screen()
            .rows(0, cols)
            .map(|r| r.trim_end().into())
            .collect();
        while rows.last().is_some_and(String::is_empty) {
            rows.pop();
        }
        rows
    }
    fn expected(&self, now: i64) -> Vec<String> {
        let lines = self.tty.frame(&self.trace, ms(now), self.size, None);
        let plain = |l: &String| {
            width::characters(l)
                .collect::<String>()
                .trim_end()
                .to_string()
        };
        lines.iter().map(plain).collect()
    }
}

fn build() -> Message {
    message()
        .vertex("[internal] load build definition", Some(0), Some(100))
        .status(
            "[internal] load build definition",
            "transferring dockerfile:",
            (383, 0),
            (0, 100, Some(100)),
        )
        .vertex("[1/2] FROM base", Some(100), Some(100))
        .cached()
        .vertex("[2/2] RUN make", Some(100), None)
        .log("[2/2] RUN make", 200, b"cc one.c\n\ncc two.c\npartial")
}

#[test]
fn a_frame_at_80_by_24() {
    let mut b = bench(80, 24, &[]);
    b.feed(build()).draw(5800);
    assert_eq!(
        b.screen(),
        [
            "[+] Building 5.8s (2/3)                                          docker:default",
            " => [internal] load build definition                                       0.1s",
            " => => transferring dockerfile: 383B                                       0.1s",
            " => CACHED [1/2] FROM base                                                 0.0s",
            " => [2/2] RUN make                                                         5.7s",
            " => => # cc one.c",
            " => => # cc two.c",
            " => => # partial",
        ]
    );
}

#[test]
fn the_header_says_how_it_ended() {
    for (end, word) in [
        (End::Finished, "FINISHED"),
        (End::Failed, "FAILED"),
        (End::Canceled, "CANCELED"),
    ] {
        for cols in [20, 40, 80, 200] {
            let mut b = bench(cols, 24, &[]);
            b.feed(build()).draw(100).finish(61_200, end);
            let header = &b.screen()[0];
            assert!(header.contains(word), "{cols}: {header}");
            assert!(header.contains("61.2s"), "{cols}: {header}");
            assert!(
                !b.screen().iter().any(|l| l.contains('#')),
                "no log lines stay"
            );
        }
    }
}

#[test]
fn results_are_named_and_coloured() {
    let mut b = bench(60, 24, &[("BUILDKIT_COLORS", "run=green")]);
    b.feed(
        message()
            .vertex("good", Some(0), Some(1))
            .vertex("bad", Some(0), Some(1))
            .error("exit code: 1")
            .vertex("gone", Some(0), Some(1))
            .error("context canceled")
            .vertex("on", Some(0), None),
    );
    b.draw(10);
    let screen = b.terminal.screen();
    let at = |row| screen.cell(row, 4).unwrap();
    assert_eq!(at(1).fgcolor(), vt100::Color::Idx(2));
    assert_eq!(at(2).fgcolor(), vt100::Color::Idx(1));
    assert_eq!(at(3).fgcolor(), vt100::Color::Idx(3));
    assert_eq!(at(4).fgcolor(), vt100::Color::Default);
    assert!(b.screen()[2].contains("ERROR bad"));
    assert!(b.screen()[3].contains("CANCELED gone"));
}

#[test]
fn no_color_means_no_colours() {
    let mut b = bench(80, 24, &[("NO_COLOR", "1")]);
    b.feed(build())
        .feed(message().log("[2/2] RUN make", 300, b"\n\x1b[31mred\x1b[0m\n"));
    let bytes = b.tty.draw(&b.trace, ms(10), b.size);
    assert!(
        !bytes.contains("\x1b[3") && !bytes.contains("\x1b[0") && !bytes.contains("\x1b[2m"),
        "{bytes:?}"
    );
    assert!(bytes.contains("# red"));
}

#[test]
fn nothing_is_written_when_nothing_changes() {
    let mut b = bench(80, 24, &[]);
    b.feed(build()).draw(5800);
    assert_eq!(b.tty.draw(&b.trace, ms(5810), b.size), "");
    let tick = b.tty.draw(&b.trace, ms(5900), b.size);
    assert!(
        tick.len() < 300,
        "only the header and the running step: {tick:?}"
    );
    assert!(!tick.contains("FROM base"));
}

#[test]
fn of_500_steps_the_running_and_the_failed_stay_visible() {
    for (cols, rows) in [(20, 5), (80, 24), (200, 60)] {
        let mut b = bench(cols, rows, &[]);
        for i in 0..500i64 {
            let name = format!("s{i}");
            let m = message().vertex(&name, Some(i), None);
            b.feed(m).draw(i * 10);
            assert_eq!(b.screen(), b.expected(i * 10), "{cols}x{rows} step {i}");
            let m = message().vertex(&name, Some(i), Some(i + 1));
            b.feed(if i == 3 { m.error("bad") } else { m });
        }
        b.feed(message().vertex("last", Some(500), None)).draw(9000);
        let screen = b.screen();
        assert!(screen.len() < rows);
        assert!(screen.iter().any(|l| l.contains("ERROR s3")), "{screen:#?}");
        assert!(screen.iter().any(|l| l.contains("=> last")), "{screen:#?}");
        b.finish(9100, End::Failed);
        // All of them are in the scrollback, once.
        b.terminal.screen_mut().set_scrollback(usize::MAX);
        let top = b.screen();
        assert!(
            top[0].contains("FAILED") || top[0].contains("9.1s"),
            "{}",
            top[0]
        );
        assert!(top[1].contains("=> s0"), "{}", top[1]);
    }
}

#[test]
fn more_running_steps_than_rows() {
    let mut b = bench(40, 6, &[]);
    for i in 0..50 {
        b.feed(message().vertex(&format!("r{i}"), Some(i), None).log(
            &format!("r{i}"),
            1,
            b"text\n",
        ));
    }
    b.draw(100);
    assert_eq!(b.screen().len(), 5);
    assert!(b.screen()[4].contains("r49"));
}

#[test]
fn wide_names_are_cut_by_cells() {
    let mut b = bench(30, 10, &[]);
    b.feed(
        message()
            .vertex("世界世界世界世界世界世界世界世界", Some(0), None)
            .log(
                "世界世界世界世界世界世界世界世界",
                1,
                "日本語日本語日本語日本語日本語\n".as_bytes(),
            ),
    );
    b.draw(2000);
    let screen = b.screen();
    assert_eq!(screen.len(), 3, "{screen:#?}");
    assert!(
        screen[1].ends_with("… 2.0s") || screen[1].ends_with("…  2.0s"),
        "{}",
        screen[1]
    );
    assert!(screen[2].ends_with('…'), "{}", screen[2]);
}

#[test]
fn resizes_leave_no_garbage() {
    let mut b = bench(80, 24, &[]);
    b.feed(build()).draw(100);
    // The lowest window comes last: what a block loses at its top, a higher one would bring back from the
    // scrollback, and no program can erase that.
    let sizes = [
        (40, 24),
        (120, 30),
        (79, 24),
        (200, 60),
        (20, 20),
        (80, 24),
        (20, 5),
    ];
    for (at, (cols, rows)) in sizes.iter().enumerate() {
        let now = 1000 * (at as i64 + 1);
        b.resize(*cols, *rows).draw(now);
        assert_eq!(b.screen(), b.expected(now), "{cols}x{rows}");
        b.feed(message().log("[2/2] RUN make", 1, b" more\nand more\n"))
            .draw(now + 500);
        assert_eq!(b.screen(), b.expected(now + 500), "{cols}x{rows}");
    }
    b.finish(9000, End::Finished);
    assert_eq!(b.screen().len(), 4);
    assert!(b.screen()[3].contains("[2/2] RUN"), "{:?}", b.screen());
}

#[test]
fn what_stood_above_stays() {
    let mut b = bench(80, 24, &[]);
    b.terminal.process(b"$ buildx build .\r\n");
    b.feed(build()).draw(100);
    b.feed(message().log("[2/2] RUN make", 1, b"\nx\ny\nz\n"))
        .draw(200);
    b.finish(300, End::Finished);
    assert_eq!(b.screen()[0], "$ buildx build .");
    assert!(b.screen()[1].starts_with("[+] Building 0.3s (2/3) FINISHED"));
    assert_eq!(b.screen().len(), 6);
}

#[test]
fn typed_keys_do_not_disturb_the_tree() {
    let mut b = bench(80, 24, &[]);
    b.feed(build()).draw(100);
    b.terminal.process(b"^Cabc");
    b.draw(1200);
    assert_eq!(b.screen(), b.expected(1200));
    b.terminal.process(b"^C");
    b.finish(1300, End::Canceled);
    assert_eq!(b.screen().len(), 5);
}

#[test]
fn a_long_log_costs_no_more_than_its_last_lines() {
    let mut b = bench(80, 24, &[]);
    b.feed(build());
    let block = b"a line of a log\n".repeat(10_000);
    for _ in 0..10 {
        b.feed(message().log("[2/2] RUN make", 300, &block));
    }
    let (_, step) = (0, &b.trace.steps[2]);
    assert!(step.log.lines() > 100_000);
    assert_eq!(step.log.tail().count(), crate::progress::log::TAIL);
    assert!(b.tty.draw(&b.trace, ms(400), b.size).len() < 2000);
}

proptest! {
    /// Any size, down to one cell, and any state: never a panic, and the screen shows just the frame.
    #[test]
    fn any_size_is_right(sizes in proptest::collection::vec((1usize..90, 1usize..30), 1..6), names in proptest::collection::vec("[a-z世\u{301} ]{0,40}", 1..12)) {
        let mut b = bench(sizes[0].0, sizes[0].1, &[]);
        for (i, name) in names.iter().enumerate() {
            let m = message().vertex(name, Some(i as i64), (i % 3 == 0).then_some(i as i64 + 1));
            b.feed(m.log(name, 5, format!("{name}\n{name}").as_bytes()).status(name, name, (5, 10), (0, 1, None)));
        }
        for (cols, rows) in sizes {
            // The emulator does not survive its own resize with wide characters in the last column.
            let mut fresh = bench(cols, rows, &[]);
            std::mem::swap(&mut fresh.trace, &mut b.trace);
            fresh.draw(100).draw(2000);
            let screen = fresh.screen();
            if cols >= 4 {
                let expected: Vec<String> = fresh.expected(2000);
                prop_assert_eq!(screen, expected);
            }
            let lines = fresh.tty.frame(&fresh.trace, ms(1), fresh.size, None);
            prop_assert!(lines.len() < rows.max(2));
            prop_assert!(lines.iter().all(|l| width::cells(l) < cols.max(2)));
            std::mem::swap(&mut fresh.trace, &mut b.trace);
        }
    }
}
