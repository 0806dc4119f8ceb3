use super::*;

#[test]
fn tables_are_tab_separated_and_aligned() {
    let rows = vec![
        row(&["A", "BB", "C"]),
        row(&["12345678", "x", "y"]),
        row(&["é", "1234567", ""]),
    ];
    let lines = table(&rows);
    assert_eq!(lines, ["A\t\tBB\tC", "12345678\tx\ty", "é\t\t1234567\t"]);
}

#[test]
fn spans_in_their_largest_unit() {
    let table = [
        (-5, "0s"),
        (999, "0s"),
        (59_999, "59s"),
        (60_000, "1m"),
        (3_599_000, "59m"),
        (3_600_000, "1h"),
        (172_799_000, "47h"),
        (172_800_000, "2d"),
    ];
    for (milliseconds, expected) in table {
        assert_eq!(span(milliseconds), expected, "{milliseconds}");
    }
    assert_eq!(kept(0, 5), "-");
    assert_eq!(kept(600_000, 0), "10m");
    assert_eq!(kept(600_000, 1), "10m");
    assert_eq!(kept(600_000, 60_000), "9m");
    assert_eq!(kept(60_000, 1), "59s");
}

#[test]
fn a_terminal_gets_one_line_for_each_session() {
    let session = |id: &str, doing: &str| Session {
        id: id.into(),
        name: "a-name-that-is-longer-than-it-needs".into(),
        doing: doing.into(),
        ..Session::default()
    };
    let sessions = [
        session(
            "abcdefgh1xxxxxxxxxxxxxxxx",
            "[1/2] RUN something that is rather long",
        ),
        session("abcdefgh2xxxxxxxxxxxxxxxx", ""),
        session("zbcdefgh2xxxxxxxxxxxxxxxx", "\x1b[2J"),
    ];
    let lines = on_terminal(&sessions, 5000, 80);
    assert_eq!(lines.len(), 4);
    assert!(
        lines.iter().all(|line| width::cells(line) <= 80),
        "{lines:?}"
    );
    assert!(
        lines[1].starts_with("abcdefgh1  a-name-that-is-…  unknown  5s   -"),
        "{lines:?}"
    );
    assert!(lines[1].ends_with('…') && lines[2].starts_with("abcdefgh2  "));
    assert!(lines[3].starts_with("zbcdefgh   ") && lines[3].ends_with("^[[2J"));
}

#[test]
fn inspect_says_where_each_process_runs() {
    let process = Process {
        id: "p".into(),
        step: "[2/3] RUN x\x1b[2J".into(),
        network: "none".into(),
        mounts: vec!["cache /root/.cache".into(), "secret /run/secrets/s".into()],
        not_carried: vec!["known".into(), "more".into()],
        ..Process::default()
    };
    let found = InspectResponse {
        processes: vec![process],
        not_carried: vec!["known".into()],
        ..InspectResponse::default()
    };
    let lines = inspect(&found, 0);
    let at = lines.iter().position(|line| line == "Process p:").unwrap();
    assert_eq!(
        lines[at + 1..],
        [
            "  Step:\t\t[2/3] RUN x^[[2J",
            "  Network:\tnone",
            "  Mount:\t\tcache /root/.cache",
            "  Mount:\t\tsecret /run/secrets/s",
            "  Not carried:\tmore",
        ]
    );
}

#[test]
fn nothing_hostile_in_a_listing() {
    let session = Session {
        id: "a".into(),
        name: "x\x1b[2Jy\n\tz".into(),
        ..Session::default()
    };
    let lines = sessions(&[session], Some("a"), 0);
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("ID\tCURRENT_SESSION\t"), "{lines:?}");
    assert!(lines[1].starts_with("a\ttrue\t\t"), "{lines:?}");
    assert!(lines[1].chars().all(|c| c == '\t' || !c.is_control()));

    let process = Process {
        id: "p".into(),
        arguments: vec!["sh".into(), "\x1b]0;x\x07".into()],
        exit_code: Some(3),
        ended: 1,
        ..Process::default()
    };
    let lines = processes(&[process], None, 0);
    assert!(lines[0].starts_with("PID\tCURRENT_SESSION\tCOMMAND\t"));
    assert!(lines[1].contains("exited 3"), "{lines:?}");
    assert!(lines[1].chars().all(|c| c == '\t' || !c.is_control()));
}
