use super::*;

fn parsed(line: &str) -> Command {
    parse(line)
        .unwrap_or_else(|error| panic!("{line}: {error}"))
        .unwrap_or_else(|| panic!("{line}: nothing"))
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn every_command() {
    assert_eq!(parse("  "), Ok(None));
    let table = [
        ("list", Command::List),
        (" ls ", Command::List),
        ("ps", Command::Ps),
        ("reload", Command::Reload),
        ("build", Command::Reload),
        ("exit", Command::Exit),
        ("quit", Command::Exit),
        ("detach", Command::Detach),
        ("status", Command::Status),
        ("cancel", Command::Cancel),
        ("shutdown", Command::Shutdown { force: false }),
        ("help", Command::Help(None)),
        ("keep 2h", Command::Keep(Duration::from_secs(7200))),
        ("keep 0", Command::Keep(Duration::ZERO)),
        ("logs", Command::Logs(None)),
        ("logs 'RUN make'", Command::Logs(some("RUN make"))),
        ("inspect x", Command::Inspect(some("x"))),
        ("kill", Command::Kill(None)),
        ("kill p", Command::Kill(some("p"))),
        (
            "disconnect",
            Command::Disconnect {
                target: None,
                force: false,
            },
        ),
        (
            "attach p --read-only",
            Command::Attach {
                target: some("p"),
                read_only: true,
            },
        ),
        (
            "signal sigint p",
            Command::Signal {
                name: "INT".into(),
                process: some("p"),
            },
        ),
    ];
    for (line, expected) in table {
        assert_eq!(parsed(line), expected, "{line}");
    }
    assert_eq!(parsed("help ls"), Command::Help(Some(Word::List)));
}

#[test]
fn command_lines_are_left_alone() {
    let plain = |words: &[&str]| Process {
        arguments: words.iter().map(|&word| word.to_owned()).collect(),
        ..Process::default()
    };
    let table = [
        ("exec ls -l --all", plain(&["ls", "-l", "--all"])),
        ("exec -it sh -c 'a b'", plain(&["sh", "-c", "a b"])),
        ("exec -- -odd", plain(&["-odd"])),
        ("exec sh -- -x", plain(&["sh", "--", "-x"])),
        ("exec -", plain(&["-"])),
        ("exec ''", plain(&[""])),
    ];
    for (line, expected) in table {
        assert_eq!(parsed(line), Command::Exec(expected), "{line}");
    }
    assert_eq!(
        parsed(
            "exec -e A=1 --env=B= -eC=x -w /srv -u 1000:1000 --init --platform linux/arm64 env -u"
        ),
        Command::Exec(Process {
            arguments: vec!["env".into(), "-u".into()],
            environment: vec!["A=1".into(), "B=".into(), "C=x".into()],
            directory: some("/srv"),
            user: some("1000:1000"),
            init: true,
            platform: some("linux/arm64"),
        })
    );
    assert_eq!(parsed("rollback"), Command::Rollback(Process::default()));
    assert_eq!(
        parsed("rollback --init bash"),
        Command::Rollback(Process {
            init: true,
            ..plain(&["bash"])
        })
    );
}

#[test]
fn mistakes_are_one_line() {
    let table = [
        (
            "lst",
            "unknown command: \"lst\" (did you mean list?); try help",
        ),
        ("frobnicate", "unknown command: \"frobnicate\"; try help"),
        ("exec 'x", "failed to parse command: a quote is not closed"),
        ("exec", "command must be passed"),
        ("exec -e", "exec: flag needs an argument: -e"),
        ("exec --env", "exec: flag needs an argument: --env"),
        (
            "exec -e A sh",
            "invalid variable \"A\": expected NAME=VALUE",
        ),
        ("exec -x sh", "exec: unknown flag: -x; see help exec"),
        (
            "exec --usr x sh",
            "exec: unknown flag: --usr (did you mean --user?)",
        ),
        ("exec -u a -u b sh", "exec: --user is given twice"),
        ("exec --init=1 sh", "exec: --init takes no value"),
        ("list x", "list: usage: list"),
        ("attach a b", "attach: usage: attach [--read-only] [ID]"),
        ("keep", "keep: usage: keep DURATION"),
        (
            "keep soon",
            "invalid duration \"soon\": expected a number with a unit, such as 90s, 10m or 2h, or 0",
        ),
        (
            "help exce",
            "no help message for \"exce\" (did you mean exec?)",
        ),
    ];
    for (line, expected) in table {
        assert_eq!(parse(line).unwrap_err().to_string(), expected, "{line}");
    }
}
