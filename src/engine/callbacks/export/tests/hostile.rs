use super::*;

fn refused(stats: Vec<Stat>, name: &str, why: &str) {
    let yard = Yard::new();
    let before = yard.outside();
    let error = transfer(&yard.dest(), stats).expect_err(why).to_string();
    assert!(error.contains(name) && error.contains(why), "{error}");
    assert_eq!(before, yard.outside());
}

#[test]
fn names_that_lead_outside_are_refused() {
    refused(
        vec![stat("../x", 0o644, "", 1)],
        "\"../x\"",
        "leads outside",
    );
    refused(vec![stat("..", DIR, "", 0)], "\"..\"", "leads outside");
    refused(
        vec![stat("d", DIR, "", 0), stat("d/../../x", 0o644, "", 1)],
        "d/../../x",
        "leads outside",
    );
    refused(vec![stat("/etc/x", 0o644, "", 1)], "\"/etc/x\"", "absolute");
    refused(vec![stat("", 0o644, "", 1)], "\"\"", "name is empty");
    refused(vec![stat(".", DIR, "", 0)], "\".\"", "empty part");
    refused(
        vec![stat("d", DIR, "", 0), stat("d//x", 0o644, "", 1)],
        "d//x",
        "empty part",
    );
    refused(vec![stat("d/", DIR, "", 0)], "d/", "empty part");
    refused(vec![stat("n\0ul", 0o644, "", 1)], "\"n\\0ul\"", "NUL");
    refused(
        vec![stat("x".repeat(5000), 0o644, "", 1)],
        "\"xxx",
        "too long",
    );
}

#[test]
fn hostile_names_are_escaped_in_messages() {
    refused(
        vec![stat("../\x1b[2J\r\n\u{202e}x", 0o644, "", 1)],
        r#""../\u{1b}[2J\r\n\u{202e}x""#,
        "outside",
    );
}

#[test]
fn links_and_types_that_do_harm_are_refused() {
    refused(
        vec![stat("l", 0o644, "../outside/canary", 0)],
        "\"l\"",
        "hard link that leads outside",
    );
    refused(
        vec![stat("l", 0o644, "/etc/passwd", 0)],
        "\"l\"",
        "hard link that leads outside",
    );
    refused(vec![stat("l", 0o644, "b", 0)], "\"l\"", "not sent before");
    refused(
        vec![stat("b", LINK, "/etc/passwd", 0), stat("l", 0o644, "b", 0)],
        "\"l\"",
        "not sent before",
    );
    refused(
        vec![stat("l", 0o644, "z", 0), stat("z", 0o644, "", 0)],
        "\"l\"",
        "not sent before",
    );
    refused(
        vec![stat("s", LINK, "../outside", 0), stat("s/x", 0o644, "", 1)],
        "s/x",
        "parent was not sent",
    );
    refused(
        vec![stat("old/c/x", 0o644, "", 1)],
        "old/c/x",
        "parent was not sent",
    );
    refused(
        vec![stat("f", 0o644, "", 0), stat("f/x", 0o644, "", 1)],
        "f/x",
        "parent was not sent",
    );
    refused(vec![stat("dev", DEVICE, "", 0)], "\"dev\"", "device node");
    refused(
        vec![stat("tty", CHAR_DEVICE, "", 0)],
        "\"tty\"",
        "device node",
    );
    refused(vec![stat("odd", 1 << 19, "", 0)], "\"odd\"", "unknown type");
    refused(
        vec![stat("both", DIR | LINK, "x", 0)],
        "\"both\"",
        "unknown type",
    );
    refused(
        vec![stat("s", LINK, "", 0)],
        "\"s\"",
        "link target is empty",
    );
    refused(vec![stat("neg", 0o644, "", -1)], "\"neg\"", "negative");
}

#[test]
fn doubles_and_disorder_are_refused() {
    refused(
        vec![stat("x", DIR, "", 0), stat("x", LINK, "../outside", 0)],
        "\"x\"",
        "sent twice",
    );
    refused(
        vec![stat("y", DIR, "", 0), stat("x", DIR, "", 0)],
        "\"x\"",
        "out of order",
    );
    let late = vec![
        stat("d", DIR, "", 0),
        stat("d.x", 0o644, "", 1),
        stat("d/x", 0o644, "", 1),
    ];
    refused(late, "d/x", "out of order");
}

#[test]
fn content_must_fit_what_was_announced() {
    let yard = Yard::new();
    for (pieces, why) in [
        (vec![data(0, b"ab"), data(7, b"ab")], "not asked for (id 7)"),
        (vec![data(0, b"abcd")], "longer than announced"),
        (vec![data(0, b"ab"), data(0, b"")], "shorter than announced"),
    ] {
        let mut receiver = Receiver::new(&yard.dest()).unwrap();
        let packets = [entry(stat("f", 0o644, "", 3))].into_iter().chain(pieces);
        let results = packets.map(|packet| receiver.packet(packet, &mut |_| {}));
        let error = results.last().unwrap().unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    assert!(!yard.dest().join("f").exists());
    let left = std::fs::read_dir(yard.dest()).unwrap().count();
    assert_eq!(left, 4, "no temporary file stays");
}

#[test]
fn packets_out_of_turn_are_refused() {
    let dest = tempfile::tempdir().unwrap();
    for (packets, why) in [
        (vec![packet(FIN)], "its end before ours"),
        (vec![packet(REQ)], "type 1"),
        (vec![packet(99)], "type 99"),
        (
            vec![packet(STAT), packet(STAT)],
            "after the end of the list",
        ),
        (
            vec![Packet {
                data: Bytes::from_static(b"no\x1b[m"),
                ..packet(ERR)
            }],
            r#""no\u{1b}[m""#,
        ),
    ] {
        let mut receiver = Receiver::new(dest.path()).unwrap();
        let results = packets
            .into_iter()
            .map(|packet| receiver.packet(packet, &mut |_| {}));
        let error = results.last().unwrap().unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

prop_compose! {
    fn any_path()(
        parts in prop::collection::vec(
            prop::sample::select(vec!["a", "b", "c", "h", "old", "sub", "file", "..", ".", "", "a\0"]), 1..5),
        plain in prop::bool::weighted(0.8),
        absolute in prop::bool::weighted(0.1),
    ) -> String {
        let keep = |part: &&str| !plain || !matches!(*part, ".." | "." | "" | "a\0");
        let path = parts.into_iter().filter(keep).collect::<Vec<_>>().join("/");
        if absolute { format!("/{path}") } else { path }
    }
}

fn any_stat() -> impl Strategy<Value = Stat> {
    let links = prop_oneof![
        3 => any_path(),
        1 => prop::sample::select(vec!["../outside", "../../outside", "../outside/canary", "a/canary", "/tmp"])
            .prop_map(String::from),
    ];
    let modes = prop::sample::select(vec![
        DIR, DIR, DIR, 0o644, 0o644, 0o644, LINK, LINK, FIFO, SOCKET,
    ]);
    (any_path(), modes, links, prop::bool::weighted(0.3), 0..5i64).prop_map(
        |(path, mode, link, hard, size)| {
            let linked = mode == LINK || hard && mode != DIR;
            stat(
                path,
                mode,
                if linked { link } else { String::new() },
                if linked { 0 } else { size },
            )
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..Default::default() })]
    #[test]
    fn no_stream_changes_anything_outside(
        mut stats in prop::collection::vec(any_stat(), 1..12),
        sorted in prop::bool::weighted(0.8),
        rounds in 1..3,
    ) {
        if sorted {
            let key = |stat: &Stat| stat.path.split(|b| *b == b'/').map(<[u8]>::to_vec).collect::<Vec<_>>();
            stats.sort_by_key(key);
            stats.dedup_by_key(|stat| stat.path.clone());
        }
        let yard = Yard::new();
        let before = yard.outside();
        for _ in 0..rounds {
            let _ = transfer(&yard.dest(), stats.clone());
        }
        prop_assert_eq!(before, yard.outside());
    }
}
