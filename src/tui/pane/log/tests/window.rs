use super::*;

/// A server's log of one step, and what a client has of it.
struct Logged {
    lines: Vec<String>,
    /// Most bytes of an answer.
    most: usize,
    state: State,
    build: Build,
    rows: u16,
    next: u64,
    asked: Vec<LogRequest>,
}

impl Logged {
    fn new(lines: impl IntoIterator<Item = String>, rows: u16) -> Self {
        let mut logged = Self {
            lines: lines.into_iter().collect(),
            most: 1 << 20,
            state: State {
                vertex: Some("v".to_owned()),
                ..State::default()
            },
            build: Build {
                number: 1,
                ..Build::default()
            },
            rows,
            next: 0,
            asked: Vec::new(),
        };
        logged.count();
        logged
    }

    /// The trace tells how much there is.
    fn count(&mut self) {
        let bytes = self.lines.iter().map(|line| line.len() as u64 + 1).sum();
        let count = LogCount {
            vertex: "v".to_owned(),
            lines: self.lines.len() as u64,
            bytes,
            missing: Vec::new(),
        };
        self.build.counts.insert("v".to_owned(), count);
    }

    fn answer(&self, request: &LogRequest) -> LogResponse {
        let total = self.lines.len() as u64;
        let regex = request.filter.as_ref().and_then(find::compile);
        let search = request.search.as_ref().and_then(find::compile);
        let (first, last) = match request.from_end {
            true => (0, total.saturating_sub(request.from)),
            false => (request.from, total),
        };
        let mut found: Vec<u64> = (first..last)
            .filter(|number| {
                let line = &self.lines[*number as usize];
                [&regex, &search]
                    .into_iter()
                    .flatten()
                    .all(|regex| regex.is_match(line))
            })
            .collect();
        let count = request.count as usize;
        let mut more = false;
        if request.from_end {
            found.reverse();
        }
        found.truncate(count);
        let mut size = 0;
        let fit = found.iter().position(|number| {
            size += self.lines[*number as usize].len();
            size > self.most
        });
        if let Some(fit) = fit {
            found.truncate(fit.max(1));
            more = true;
        }
        if request.from_end {
            found.reverse();
        }
        let line = |number: &u64| LogLine {
            number: *number,
            vertex: "v".to_owned(),
            time: 0,
            stream: 1,
            text: self.lines[*number as usize].clone().into_bytes().into(),
            continued: false,
        };
        LogResponse {
            lines: found.iter().map(line).collect(),
            total,
            bytes: 0,
            more,
        }
    }

    /// Asks and answers until nothing is asked any more.
    fn settle(&mut self) {
        self.state.acted();
        for _ in 0..200 {
            let next = &mut self.next;
            let effects = self.state.ask(&self.build, self.rows, true, || {
                *next += 1;
                *next
            });
            if effects.is_empty() {
                return;
            }
            for effect in effects {
                match effect {
                    Effect::Log { id, request } => {
                        let answer = Ok(self.answer(&request));
                        self.asked.push(*request);
                        self.state.on_lines(LogAnswer { id, answer });
                    }
                    Effect::Search {
                        id,
                        pattern,
                        filter,
                        ..
                    } => {
                        let regex = find::compile(&pattern).unwrap();
                        let filter = filter.as_ref().and_then(find::compile);
                        let lines: Vec<u64> = (0_u64..)
                            .zip(&self.lines)
                            .filter(|(_, line)| regex.is_match(line))
                            .filter(|(_, line)| filter.as_ref().is_none_or(|f| f.is_match(line)))
                            .map(|(number, _)| number)
                            .collect();
                        let answer = Ok(SearchLogResponse {
                            count: lines.len() as u64,
                            lines,
                            searched: self.lines.len() as u64,
                            done: true,
                        });
                        self.state.on_found(SearchAnswer { id, answer });
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        panic!("it does not stop asking");
    }

    /// The texts of the rows.
    fn seen(&self) -> Vec<&str> {
        let first = self.state.first(&self.build);
        self.state
            .window
            .iter_from(first)
            .take(usize::from(self.rows))
            .map(|line| &*line.text)
            .collect()
    }

    fn numbered(&self, first: usize) -> Vec<String> {
        (first..first + usize::from(self.rows))
            .map(|line| format!("line {line}"))
            .collect()
    }

    fn by(&mut self, rows: isize) {
        self.state.scroll(&self.build, rows);
        self.settle();
    }
}

fn numbered(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|line| format!("line {line}"))
}

#[test]
fn the_end_is_asked_for_first_and_little_else() {
    let mut log = Logged::new(numbered(100_000), 20);
    log.settle();
    assert_eq!(log.seen(), log.numbered(99_980));
    assert!(log.asked[0].from_end && log.asked[0].from == 0);
    assert_eq!(log.asked.len(), 1);
    assert_eq!(log.state.window.len(), 256);
}

#[test]
fn it_follows_until_it_is_scrolled_and_again_at_the_end() {
    let mut log = Logged::new(numbered(1000), 10);
    log.settle();
    log.by(-5);
    assert_eq!(log.seen(), log.numbered(985));
    log.lines
        .extend((1000..1100).map(|line| format!("line {line}")));
    log.count();
    log.settle();
    assert_eq!(log.seen(), log.numbered(985));
    log.by(200);
    assert_eq!(log.seen(), log.numbered(1090));
    assert_eq!(log.state.top, None);
    // The open line goes on.
    log.lines.last_mut().unwrap().push_str(" and more");
    log.count();
    log.settle();
    assert_eq!(log.seen().last(), Some(&"line 1099 and more"));
    for _ in 0..110 {
        log.by(-10);
    }
    assert_eq!(log.seen(), log.numbered(0));
}

#[test]
fn top_end_and_lines_in_between_are_reached() {
    let mut log = Logged::new(numbered(1_000_000), 10);
    log.settle();
    log.state.top = Some(0);
    log.state.asking.top();
    log.settle();
    assert_eq!(log.seen(), log.numbered(0));
    log.state.go(500_000);
    log.settle();
    assert!(log.seen().contains(&"line 500000"));
    log.state.top = None;
    log.state.asking.end();
    log.settle();
    assert_eq!(log.seen(), log.numbered(999_990));
    assert!(log.asked.len() < 12, "{}", log.asked.len());
}

#[test]
fn the_old_lines_stay_until_new_ones_are_here() {
    let mut log = Logged::new(numbered(100), 10);
    log.settle();
    log.build.counts.insert(
        "w".to_owned(),
        LogCount {
            vertex: "w".to_owned(),
            lines: 7,
            ..LogCount::default()
        },
    );
    log.state.show(Some("w".to_owned()));
    assert_eq!(log.seen(), log.numbered(90));
    let mut id = 100;
    let effects = log.state.ask(&log.build, 10, true, || {
        id += 1;
        id
    });
    assert_eq!(effects.len(), 1);
    // Another step before the answer: still one question, and its answer is not taken.
    log.state.show(Some("v".to_owned()));
    assert!(log.state.ask(&log.build, 10, true, || 7).is_empty());
    log.state.on_lines(LogAnswer {
        id: 101,
        answer: Ok(LogResponse::default()),
    });
    assert_eq!(log.seen(), log.numbered(90));
    log.settle();
    assert_eq!(log.seen(), log.numbered(90));
}

#[test]
fn a_search_goes_to_the_nearest_match_and_on() {
    let mut log = Logged::new(numbered(50_000), 10);
    log.settle();
    log.state.search(&log.build, literal("777"));
    log.settle();
    // Nothing at the end: the last one before it.
    assert_eq!(log.state.here, Some(49_777));
    assert!(log.seen().contains(&"line 49777"));
    let status = |log: &Logged| log.state.find.as_ref().unwrap().status(log.state.here, "~");
    assert_eq!(status(&log), "95/95");
    log.state.step(&log.build, true);
    log.settle();
    assert_eq!(status(&log), "95/95, none further");
    for _ in 0..94 {
        log.state.step(&log.build, false);
        log.settle();
    }
    assert_eq!((log.state.here, status(&log).as_str()), (Some(777), "1/95"));
    assert!(log.seen().contains(&"line 777"));
    assert!(matches!(log.state.back(), Then::Effects(_)));
    assert!(!log.state.searching());
}

#[test]
fn a_filter_leaves_what_matches_and_a_search_goes_within_it() {
    let mut log = Logged::new(numbered(10_000), 10);
    log.settle();
    log.state.filter(Some(literal("99")));
    log.settle();
    assert_eq!(log.seen().last(), Some(&"line 9999"));
    assert!(log.seen().iter().all(|line| line.contains("99")));
    log.state.top = Some(0);
    log.state.asking.top();
    log.settle();
    assert_eq!(log.seen()[..3], ["line 99", "line 199", "line 299"]);
    log.state.search(&log.build, literal("5"));
    log.settle();
    assert_eq!(log.state.here, Some(599));
    assert!(log.seen().contains(&"line 599"));
    // Without the filter the place stays.
    log.state.filter(None);
    log.settle();
    assert!(log.seen().contains(&"line 599") && log.seen().contains(&"line 600"));
    // It may find a piece of what the filter finds.
    log.state.filter(Some(literal("line 99")));
    log.state.search(&log.build, literal("99"));
    log.settle();
    let find = log.state.find.as_ref().unwrap();
    assert!(find.status(log.state.here, "~").ends_with("/111"));
    assert!(log.state.here.is_some());
    log.state.filter(Some(literal("nothing has this")));
    log.settle();
    assert!(log.seen().is_empty());
}

#[test]
fn memory_is_bounded_with_the_longest_lines() {
    let mut log = Logged::new((0..400).map(|_| "x".repeat(64 * 1024)), 40);
    log.settle();
    let most = 40 * 4 * 70 * 1024;
    for _ in 0..30 {
        log.by(-17);
        assert!(log.state.window.bytes() <= most);
        assert_eq!(log.seen().len(), 40);
    }
    log.state.asking.top();
    log.state.top = Some(0);
    log.settle();
    assert_eq!(log.state.window.from(), 0);
    assert_eq!(log.seen().len(), 40);
    log.state.go(200);
    log.settle();
    assert!(log.state.window.covers(200));
}

#[test]
fn marked_lines_are_copied_else_the_match_else_what_is_seen() {
    let mut log = Logged::new(["a\x1b[31mb\x1b[0m", "c", "d", "e"].map(str::to_owned), 3);
    log.settle();
    assert_eq!(log.state.copied(&log.build), "c\nd\ne");
    log.state.search(&log.build, literal("a"));
    log.settle();
    assert_eq!(log.state.copied(&log.build), "ab");
    log.state.top = Some(0);
    log.state.mark(&log.build, 2, false);
    log.state.mark(&log.build, 1, true);
    assert_eq!(log.state.copied(&log.build), "c\nd");
    log.state.mark(&log.build, 99, true);
    assert_eq!(log.state.copied(&log.build), "d\ne");
    assert!(matches!(log.state.back(), Then::Done));
    assert!(log.state.searching());
}

#[test]
fn a_lost_server_is_asked_again() {
    let mut log = Logged::new(numbered(10), 5);
    let first = log.state.ask(&log.build, 5, true, || 1);
    assert_eq!(first.len(), 1);
    assert!(log.state.ask(&log.build, 5, true, || 2).is_empty());
    log.state.ask_again();
    assert_eq!(log.state.ask(&log.build, 5, true, || 3).len(), 1);
    // An answer to the lost question is none.
    assert!(!log.state.awaits(1) && log.state.awaits(3));
    log.state.on_lines(LogAnswer {
        id: 3,
        answer: Err("no\x1b[2J".to_owned()),
    });
    assert_eq!(log.state.asking.trouble(), Some("no^[[2J"));
    assert!(log.state.ask(&log.build, 5, true, || 4).is_empty());
    log.lines.push("more".to_owned());
    log.count();
    log.settle();
    assert_eq!(log.seen().len(), 5);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Wherever a person goes in a log that grows, the rows show what the log has there, and the questions end.
    #[test]
    fn the_window_shows_what_the_log_has(
        sizes in proptest::collection::vec(prop_oneof![9 => 0usize..40, 1 => Just(20_000usize)], 1..600),
        moves in proptest::collection::vec((0u8..9, 0usize..700), 1..20),
        rows in 1u16..30, most in prop_oneof![Just(30_000usize), Just(1usize << 20)],
    ) {
        let lines = sizes.iter().enumerate().map(|(number, size)| format!("{number} {}", "x".repeat(*size)));
        let mut log = Logged::new(lines, rows);
        log.most = most;
        log.settle();
        for (which, amount) in moves {
            match which {
                0 => log.by(-(amount as isize)),
                1 => log.by(amount as isize),
                2 => log.by(-3),
                3 => { log.state.top = Some(0); log.state.asking.top(); }
                4 => { log.state.top = None; log.state.asking.end(); }
                5 => log.state.go((amount % log.lines.len()) as u64),
                6 => {
                    let first = log.lines.len();
                    log.lines.extend((first..first + amount).map(|number| format!("{number} new")));
                    log.count();
                }
                7 => { log.state.search(&log.build, literal(&amount.to_string())); }
                _ => log.state.step(&log.build, amount % 2 == 0),
            }
            log.settle();
            let first = log.state.first(&log.build);
            let from = log.state.window.get(first).map(|line| line.number as usize).unwrap();
            let number = |line: &str| line.split(' ').next().map(str::to_owned);
            let seen: Vec<_> = log.seen().into_iter().map(number).collect();
            let end = (from + usize::from(rows)).min(log.lines.len());
            let expected: Vec<_> = log.lines[from..end].iter().map(|line| number(line)).collect();
            prop_assert_eq!(seen, expected);
            let full = usize::from(rows).min(log.lines.len());
            prop_assert!(end - from == full, "{} rows of {}", end - from, full);
        }
    }

    /// A server that answers anything does no harm, and is not asked without end.
    #[test]
    fn wrong_answers_do_no_harm(
        answers in proptest::collection::vec(
            (proptest::collection::vec(0u64..1000, 0..5), 0u64..1000, any::<bool>(), any::<bool>()), 1..8,
        ),
        lines in 0u64..1000, rows in 0u16..20, goal in 0u64..1000,
    ) {
        let mut log = Logged::new([], rows);
        log.build.counts.insert("v".to_owned(), LogCount { vertex: "v".to_owned(), lines, bytes: 1, ..LogCount::default() });
        log.state.go(goal);
        log.state.search(&log.build, literal("x"));
        let mut given = answers.iter().cycle();
        let mut id = 0;
        let mut rounds = 0;
        loop {
            rounds += 1;
            prop_assert!(rounds < 100, "it does not stop asking");
            let effects = log.state.ask(&log.build, rows, true, || { id += 1; id });
            if effects.is_empty() { break; }
            for effect in effects {
                let Effect::Log { id, .. } = effect else { continue };
                let (numbers, total, more, failed) = given.next().unwrap();
                let lines = numbers.iter().map(|number| LogLine {
                    number: *number, text: "x\x1b[31m\x1b[2J\u{0}".into(), ..LogLine::default()
                });
                let response = LogResponse { lines: lines.collect(), total: *total, bytes: 0, more: *more };
                let answer = if *failed { Err("no".to_owned()) } else { Ok(response) };
                log.state.on_lines(LogAnswer { id, answer });
            }
            log.seen();
        }
    }
}
