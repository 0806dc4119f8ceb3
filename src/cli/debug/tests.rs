use clap::Parser;

use super::*;
use crate::cli::{Cli, Command as Root};
use crate::client::choice::ServerChoice;
use crate::monitor::exec::Api;
use crate::monitor::fake::{Canned, Fake};
use crate::monitor::invoke::On;
use crate::progress::settings::Kind;
use crate::proto::controller::{Session, SessionState};

fn parsed(line: &str) -> DebugCommand {
    let args = std::iter::once("buildx").chain(line.split(' '));
    match Cli::try_parse_from(args).map(|cli| cli.command) {
        Ok(Some(Root::Debug(command))) => *command,
        Ok(other) => panic!("{line}: {other:?}"),
        Err(error) => panic!("{line}: {error}"),
    }
}

fn flags(line: &str) -> Flags {
    let command = parsed(line);
    match command.verb {
        Some(Verb::Build { flags, .. }) => flags.or(command.flags),
        _ => command.flags,
    }
}

#[test]
fn flags_of_the_debugger_on_both_sides_of_build() {
    for line in [
        "debug --invoke sh --on always --name n --keep 2h --root /r --prefix ctrl-b build .",
        "debug build --invoke=sh --on=always --name n --keep 2h --root /r --prefix ctrl-b .",
        "debug --name x --invoke sh -t img --prefix ctrl-b b --on always --name n --keep 2h --root /r .",
    ] {
        let flags = flags(line);
        let (invoke, on) = flags.when().unwrap();
        assert_eq!(invoke.unwrap().arguments, ["sh"], "{line}");
        assert_eq!(on, Some(On::Always), "{line}");
        assert_eq!(flags.name.as_deref(), Some("n"), "{line}");
        assert_eq!(flags.keep, Some(7_200_000), "{line}");
        assert_eq!(flags.server.root.as_deref(), Some("/r".as_ref()), "{line}");
        assert_eq!(flags.prefix.as_deref(), Some("ctrl-b"), "{line}");
    }
}

#[test]
fn detach_of_the_original_says_which_server() {
    let server = |line: &str| {
        let which = flags(line).which_server();
        which.map(|which| which.server)
    };
    let table = [
        ("debug build .", Ok(None)),
        ("debug --detach build .", Ok(Some(ServerChoice::On))),
        ("debug build --detach=true .", Ok(Some(ServerChoice::On))),
        ("debug --detach=false build .", Ok(Some(ServerChoice::Off))),
        (
            "debug --detach build --detach=false .",
            Ok(Some(ServerChoice::Off)),
        ),
        ("debug --server=off build .", Ok(Some(ServerChoice::Off))),
        (
            "debug --detach --server=auto build .",
            Ok(Some(ServerChoice::Auto)),
        ),
        (
            "debug --detach --server=off build .",
            Err("--detach and --server=off contradict each other"),
        ),
        (
            "debug --detach=false build --server on .",
            Err("--detach=false and --server=on contradict each other"),
        ),
    ];
    for (line, expected) in table {
        let expected = expected.map_err(str::to_owned);
        assert_eq!(server(line), expected, "{line}");
    }
}

#[test]
fn wrong_values_are_refused() {
    let error = |line: &str| flags(line).when().unwrap_err();
    assert_eq!(
        error("debug --on=typo build ."),
        "invalid value \"typo\" for --on: expected error or always"
    );
    assert_eq!(
        error("debug build --invoke usr=x,tty=1 ."),
        "unknown key \"usr\" in --invoke (did you mean user?)"
    );
}

#[test]
fn commands_of_scripts() {
    let verb = |line: &str| parsed(line).verb.unwrap();
    assert!(matches!(verb("debug list --format json"), Verb::Ls(l) if l.format == Format::Json));
    let Verb::Exec(exec) = verb("debug exec -it -e A=1 -u 5 -w / --init s sh -c -t --init") else {
        panic!();
    };
    assert!(exec.tty && exec.interactive && exec.init);
    assert_eq!(exec.session, "s");
    assert_eq!(exec.command, ["sh", "-c", "-t", "--init"]);
    assert_eq!(
        (exec.env, exec.user.as_deref()),
        (vec!["A=1".into()], Some("5"))
    );
    let Verb::Logs { step, follow, .. } = verb("debug logs -f s RUN") else {
        panic!();
    };
    assert!(follow && step.as_deref() == Some("RUN"));
    assert!(matches!(verb("debug signal p INT"), Verb::Signal { signal, .. } if signal == "INT"));
    assert!(matches!(
        verb("debug disconnect --force s"),
        Verb::Disconnect { force: true, .. }
    ));
    assert!(matches!(
        verb("debug attach --read-only s"),
        Verb::Attach {
            read_only: true,
            ..
        }
    ));
}

/// What a script would get from a session in that state.
async fn waited(state: SessionState, exit_code: i32) -> Result<u8, String> {
    let fake = Fake::with(Canned {
        sessions: vec![Session {
            id: "abc".into(),
            state: state.into(),
            exit_code,
            ..Session::default()
        }],
        ..Canned::default()
    });
    let api: Api = fake.api().await;
    verbs::wait(&api, "ab".into()).await
}

#[tokio::test]
async fn wait_passes_the_exit_code_of_the_build_on() {
    assert_eq!(waited(SessionState::Succeeded, 0).await, Ok(0));
    assert_eq!(waited(SessionState::Failed, 102).await, Ok(102));
    assert_eq!(waited(SessionState::Canceled, 130).await, Ok(130));
    let lost = waited(SessionState::Recoverable, -1).await.unwrap_err();
    assert!(lost.ends_with("buildx debug reload abc"), "{lost}");
    let gone = waited(SessionState::Building, -1).await.unwrap_err();
    assert_eq!(gone, "session abc has been ended");
}

#[tokio::test]
async fn disconnect_asks_nobody() {
    let fake = Fake::with(Canned {
        sessions: vec![Session {
            id: "abc".into(),
            ..Session::default()
        }],
        others: vec![crate::proto::controller::Client {
            pid: 12,
            ..Default::default()
        }],
        ..Canned::default()
    });
    let api = fake.api().await;
    assert_eq!(
        verbs::disconnect(&api, "abc".into(), false).await,
        Err("Others use session abc: pid 12; --force ends it all the same".to_owned())
    );
    assert_eq!(verbs::disconnect(&api, "abc".into(), true).await, Ok(0));
    assert!(fake.canned().sessions.is_empty());
}

#[test]
fn the_welcome_is_for_the_first_start_alone() {
    let dir = tempfile::tempdir().unwrap();
    let flags = Flags {
        server: WhichServer {
            root: Some(dir.path().join("root")),
            ..WhichServer::default()
        },
        ..Flags::default()
    };
    let env = Env::from_process();
    assert!(screen::first_start(&flags, &env));
    assert!(!screen::first_start(&flags, &env));
    assert!(!screen::first_start(&flags, &env));
}

#[test]
fn screen_readers_get_lines() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.toml");
    std::fs::write(&file, "[tui]\nscreen_reader = true\n").unwrap();
    let env: Env = [("TERM", "xterm")].into_iter().collect();
    let with = |screen_reader: bool, config: bool| Flags {
        screen_reader,
        server: WhichServer {
            server_config: config.then(|| file.clone()),
            ..WhichServer::default()
        },
        ..Flags::default()
    };
    for (flags, expected) in [
        (with(false, false), false),
        (with(true, false), true),
        (with(false, true), true),
    ] {
        assert_eq!(screen::screen_reader(&flags, &env), Ok(expected));
    }
    assert_eq!(screen::wanted(&with(true, false), &env, false), Ok(false));
    let json: Env = [("BUILDKIT_PROGRESS", "rawjson")].into_iter().collect();
    for (reader, progress, env, expected) in [
        (true, None, &env, Kind::Sentences),
        (false, None, &env, Kind::Plain),
        // A word of the user's counts more, and so do programs that read.
        (true, Some("plain"), &env, Kind::Plain),
        (true, None, &json, Kind::RawJson),
    ] {
        let settings = build::settings(&with(reader, false), progress, env).unwrap();
        // Where the tests run can be a terminal.
        let kind = match settings.kind {
            Kind::Tty => Kind::Plain,
            kind => kind,
        };
        assert_eq!(kind, expected, "{reader} {progress:?}");
    }
}

#[test]
fn only_what_may_build_by_itself_needs_more_than_one_thread() {
    let none: Env = std::iter::empty::<(&str, &str)>().collect();
    let ci: Env = [("CI", "true")].into_iter().collect();
    let here = |line: &str, env: &Env| may_work_here(&parsed(line), env);
    for (line, usual, in_ci) in [
        ("debug", false, true),
        ("debug build .", false, true),
        ("debug --server=on build .", false, true),
        ("debug build --server=on .", false, true),
        ("debug --server=off build .", true, true),
        ("debug --detach=false build .", true, true),
        ("debug build --server=off .", true, true),
        ("debug --server=on", false, false),
        ("debug attach x", false, false),
    ] {
        assert_eq!(here(line, &none), usual, "{line}");
        assert_eq!(here(line, &ci), in_ci, "{line} in CI");
    }
}
