//! The whole screen in every state at every class of size, and what keys do to the state.

use crossterm::event::{KeyCode, KeyModifiers};

use super::*;
use crate::monitor::parse::Command;
use crate::proto::controller::BuildFailure;
use crate::tui::fixture::{Screen, Script, at, samples, screen, step};
use crate::tui::keymap::Key;

/// Sizes of the ladder's classes.
const SIZES: [(u16, u16); 7] = [
    (200, 60),
    (120, 40),
    (80, 24),
    (60, 18),
    (30, 8),
    (19, 5),
    (1, 1),
];

fn key(app: &mut App, code: KeyCode) -> Vec<Effect> {
    app.update(at(50.0), Msg::Key(App::press(code, KeyModifiers::NONE)))
}

fn letter(app: &mut App, letter: char) -> Vec<Effect> {
    key(app, KeyCode::Char(letter))
}

fn prefix(app: &mut App) {
    let prefix = App::press(KeyCode::Char('a'), KeyModifiers::CONTROL);
    app.update(at(50.0), Msg::Key(prefix));
}

fn told(script: &Script, (columns, rows): (u16, u16)) -> App {
    let mut app = Screen::new(columns, rows).app();
    script.tell(&mut app, 45.0);
    app
}

#[test]
fn every_state_at_every_size() {
    let states = [
        ("building", samples::running()),
        ("failed", samples::failed()),
        ("canceled", samples::canceled()),
        ("finished", samples::finished()),
    ];
    for (columns, rows) in SIZES {
        for (state, script) in &states {
            let app = told(script, (columns, rows));
            insta::assert_snapshot!(format!("{state}_{columns}x{rows}"), screen(&app));
        }
        let mut empty = Screen::new(columns, rows).app();
        empty.update(at(0.0), Msg::AllSessions);
        insta::assert_snapshot!(format!("empty_{columns}x{rows}"), screen(&empty));
        let mut lost = told(&samples::failed(), (columns, rows));
        lost.update(at(45.0), Msg::Lost("the server leaves: stopped".to_owned()));
        insta::assert_snapshot!(format!("lost_{columns}x{rows}"), screen(&lost));
    }
    let mut ascii = Screen::new(120, 40).ascii().app();
    samples::failed().tell(&mut ascii, 45.0);
    let shown = screen(&ascii);
    assert!(shown.is_ascii(), "{shown}");
    insta::assert_snapshot!("failed_ascii_120x40", shown);
}

#[test]
fn what_cannot_work_in_a_refused_build_is_not_offered() {
    let script = Script::new("web").failure(BuildFailure {
        message: "there is no Dockerfile here".to_owned(),
        no_state: "there was no build".to_owned(),
        refused: true,
        ..BuildFailure::default()
    });
    let mut app = told(&script, (120, 40));
    app.focus_on(Pane::Progress);
    let footer = |app: &App| screen(app).lines().last().map(str::to_owned).unwrap();
    let offered = footer(&app);
    assert!(
        !offered.contains("shell") && !offered.contains("edit"),
        "{offered}"
    );
    assert!(offered.contains("reload"), "{offered}");
    assert!(letter(&mut app, 's').is_empty());
    assert!(screen(&app).contains("no shell: the build was refused"));
    app.detail = Pane::Dockerfile;
    letter(&mut app, 'e');
    assert_eq!(app.focus, Pane::Happened);
    let shown = screen(&app);
    assert!(shown.contains("there is no Dockerfile here"), "{shown}");
    assert!(!shown.contains("no errors"), "{shown}");
    // A build that went well and left nothing has no state to enter and no error to go to.
    let plain = Script::new("web").step(step("[1/1] FROM a").ran(0.0, 1.0));
    let mut app = told(&plain.clone().finished(&[]), (120, 40));
    app.focus_on(Pane::Progress);
    let offered = footer(&app);
    assert!(
        !offered.contains("shell") && !offered.contains("error") && offered.contains("edit"),
        "{offered}"
    );
    assert!(letter(&mut app, 's').is_empty());
    assert!(screen(&app).contains("nothing of the build is kept; r builds it again"));
    // A Dockerfile that came from standard input is no file to edit; a state that is kept can be entered.
    let mut kept = plain.finished(&[]);
    kept.session.kept_until = at(1_000.0);
    kept.inspected.arguments = vec!["--file=-".to_owned(), ".".to_owned()];
    let mut app = told(&kept, (120, 40));
    app.focus_on(Pane::Progress);
    let offered = footer(&app);
    assert!(
        offered.contains("s shell") && !offered.contains("edit"),
        "{offered}"
    );
    // Neither another session nor another shell is there to go to.
    letter(&mut app, 's');
    prefix(&mut app);
    let offered = footer(&app);
    assert!(
        offered.contains("zoom") && !offered.contains("next"),
        "{offered}"
    );
    // Where there is something to enter and to read, it is offered.
    let mut app = told(&samples::failed(), (120, 40));
    app.focus_on(Pane::Progress);
    let offered = footer(&app);
    assert!(
        offered.contains("shell") && offered.contains("next error"),
        "{offered}"
    );
}

#[test]
fn the_key_of_the_whole_log_says_where_it_leads() {
    let mut app = told(&samples::failed(), (120, 40));
    app.focus_on(Pane::Log);
    let view = app.view_mut().unwrap();
    view.log.show_all();
    assert!(screen(&app).contains("O this step"), "{}", screen(&app));
    letter(&mut app, 'O');
    assert!(screen(&app).contains("O whole log"), "{}", screen(&app));
}

#[test]
fn the_next_warning_is_brought_into_sight() {
    let mut script = Script::new("web").dockerfile("FROM a\nRUN b\n");
    for number in 1..=9 {
        let ran = step(&format!("[{number}/9] RUN b{number}")).ran(0.0, 1.0);
        script = script.step(ran.warning("JSONArgsRecommended", 2));
    }
    let warned = step("[internal] load build definition").ran(0.0, 0.1);
    let script = script
        .step(warned.warning("SecretsUsedInArgOrEnv: do not", 2))
        .finished(&[]);
    let mut app = told(&script, (80, 24));
    app.focus_on(Pane::Happened);
    app.update(at(46.0), Msg::Tick);
    let warning = "SecretsUsedInArgOrEnv: do not";
    assert!(!screen(&app).contains(warning), "{}", screen(&app));
    letter(&mut app, 'e');
    app.update(at(46.0), Msg::Tick);
    assert!(screen(&app).contains(warning), "{}", screen(&app));
    // Where the card has no place, it is said.
    let mut app = told(&script, (80, 24));
    app.focus_on(Pane::Timeline);
    letter(&mut app, 'e');
    assert!(screen(&app).contains(warning), "{}", screen(&app));
}

#[test]
fn the_times_of_a_build_whose_server_died_stand_still() {
    let mut script = samples::running();
    script.session.state = SessionState::Recoverable.into();
    for older_server in [false, true] {
        let mut app = told(&script, (120, 40));
        let shown = screen(&app);
        assert!(shown.contains("00:45.0"), "{shown}");
        if older_server {
            let session = Session {
                ended: 0,
                ..app.view().unwrap().session.clone()
            };
            app.update(at(45.0), Msg::Session(Box::new(session)));
        }
        for pane in [Pane::Happened, Pane::Dockerfile, Pane::Timeline] {
            app.focus_on(pane);
            app.update(at(45.0), Msg::Tick);
            let shown = screen(&app);
            assert_eq!(app.deadline(), None);
            app.update(at(65.0), Msg::Tick);
            assert_eq!(screen(&app), shown);
            assert!(
                !shown.contains("what happens") && !shown.contains('●'),
                "{shown}"
            );
        }
    }
}

#[test]
fn a_lost_server_is_tried_again_and_again() {
    let mut app = told(&samples::failed(), (120, 40));
    let mut now = at(45.0);
    let mut waits = Vec::new();
    for _ in 0..6 {
        assert!(app.update(now, Msg::Lost("gone".to_owned())).is_empty());
        let retry = app.deadline().unwrap();
        waits.push(retry - now);
        now = retry;
        let effects = app.update(now, Msg::Tick);
        assert!(matches!(effects[..], [Effect::Reconnect]), "{effects:?}");
        // While the answer is awaited, nothing wakes the loop.
        assert_eq!(app.deadline(), None);
    }
    assert_eq!(waits, [250, 500, 1_000, 2_000, 5_000, 5_000]);
}

#[test]
fn stopping_a_build_asks_and_can_be_undone() {
    let mut app = told(&samples::running(), (120, 40));
    letter(&mut app, 'x');
    assert!(matches!(app.layer, Some(Layer::Ask { .. })));
    // Anything but yes is no.
    key(&mut app, KeyCode::Enter);
    assert!(app.layer.is_none() && app.stopping.is_none());
    letter(&mut app, 'x');
    letter(&mut app, 'y');
    let due = app.stopping.clone().unwrap().at;
    assert_eq!(due, at(50.0) + 3_000);
    assert!(letter(&mut app, 'u').is_empty());
    assert_eq!(app.stopping, None);
    letter(&mut app, 'x');
    letter(&mut app, 'y');
    let effects = app.update(due, Msg::Tick);
    assert!(
        effects.iter().any(|effect| matches!(
            effect,
            Effect::Run {
                command: Command::Cancel,
                ..
            }
        )),
        "{effects:?}"
    );
}

#[test]
fn leaving_says_how_to_come_back_and_ends_nothing() {
    let mut app = told(&samples::failed(), (120, 40));
    let effects = letter(&mut app, 'q');
    let [Effect::Leave { lines, code: 0 }] = &effects[..] else {
        panic!("{effects:?}");
    };
    assert!(
        lines[0].contains("lives on; come back with: buildx debug attach"),
        "{lines:?}"
    );
}

#[test]
fn ending_a_session_waits_for_the_servers_word() {
    let mut app = told(&samples::failed(), (120, 40));
    let id = app.current.clone().unwrap();
    letter(&mut app, 'Q');
    let effects = letter(&mut app, 'y');
    assert!(
        matches!(
            &effects[..],
            [Effect::Run {
                command: Command::Disconnect { .. },
                ..
            }]
        ),
        "{effects:?}"
    );
    let effects = app.update(at(51.0), Msg::Gone(id));
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::Leave { .. })),
        "{effects:?}"
    );
}

#[test]
fn in_the_shell_every_key_is_the_programs_but_the_prefix() {
    let mut app = told(&samples::failed(), (120, 40));
    let effects = letter(&mut app, 's');
    let tab = effects
        .iter()
        .find_map(|effect| match effect {
            Effect::Exec { tab, .. } | Effect::Attach { tab, .. } => Some(*tab),
            _ => None,
        })
        .unwrap();
    assert_eq!(app.focus, Pane::Shell);
    for typed in ['q', 'x', '1', '?', ':'] {
        let effects = letter(&mut app, typed);
        let [Effect::Input(to, bytes)] = &effects[..] else {
            panic!("{typed}: {effects:?}");
        };
        assert_eq!((*to, &bytes[..]), (tab, typed.to_string().as_bytes()));
    }
    prefix(&mut app);
    let press = App::press(KeyCode::Char('a'), KeyModifiers::CONTROL);
    let effects = app.update(at(50.0), Msg::Key(press));
    assert!(
        matches!(&effects[..], [Effect::Input(_, bytes)] if bytes[..] == [1]),
        "{effects:?}"
    );
    prefix(&mut app);
    letter(&mut app, 'c');
    assert_ne!(app.focus, Pane::Shell);
    letter(&mut app, 's');
    assert_eq!(app.focus, Pane::Shell);
}

#[test]
fn the_screens_own_doings_are_told_as_such() {
    use crate::proto::controller::attach_output::Output;
    use crate::tui::msg::ShellMsg;
    let own = format!("pid {}", std::process::id());
    let mut app = Screen::new(120, 40).app();
    app.setup.caller.terminal = "/dev/pts/0".to_owned();
    let by = format!("{own} on /dev/pts/0");
    samples::canceled().stopped(&by).tell(&mut app, 45.0);
    let shown = screen(&app);
    assert!(shown.contains("Canceled by you."), "{shown}");
    let mut app = told(&samples::failed(), (120, 40));
    letter(&mut app, 'I');
    let tab = app.shells[0].tab;
    for (notice, said) in [
        (format!("{own} sent SIGHUP"), "you sent SIGHUP"),
        ("pid 1 sent SIGHUP".to_owned(), "pid 1 sent SIGHUP"),
    ] {
        let output = Output::Notice(notice);
        app.update(at(51.0), Msg::Shell(tab, ShellMsg::Output(output)));
        assert_eq!(
            app.toast.as_ref().map(|toast| toast.text.as_str()),
            Some(said)
        );
    }
    let exited = crate::proto::controller::Exited {
        exit_code: None,
        reason: format!("rolled back by {own}"),
    };
    let output = Output::Exited(exited);
    app.update(at(51.0), Msg::Shell(tab, ShellMsg::Output(output)));
    let shown = screen(&app);
    assert!(
        shown.contains("shell: rolled back by you; Enter closes"),
        "{shown}"
    );
}

#[test]
fn a_command_for_a_program_that_is_gone_is_answered_in_few_words() {
    let mut app = told(&samples::failed(), (80, 24));
    let line = crate::monitor::exec::Monitor::not_attached();
    app.update(
        at(50.0),
        Msg::Answer {
            answer: Err(line.to_owned()),
            session: None,
            process: None,
        },
    );
    let shown = screen(&app);
    let words = "no program runs here: Ctrl-a I starts a shell, Ctrl-a U begins anew";
    assert!(shown.contains(words), "{shown}");
}

#[test]
fn a_new_shell_takes_the_place_of_ended_ones() {
    use crate::proto::controller::Exited;
    use crate::proto::controller::attach_output::Output;
    use crate::tui::msg::ShellMsg;
    let mut app = told(&samples::failed(), (120, 40));
    letter(&mut app, 'I');
    let first = app.shells[0].tab;
    let exited = Exited {
        exit_code: None,
        reason: "ended by a rebuild".to_owned(),
    };
    app.update(
        at(51.0),
        Msg::Shell(first, ShellMsg::Output(Output::Exited(exited))),
    );
    // It stays with its last screen until something takes its place.
    assert_eq!(app.shells.len(), 1);
    prefix(&mut app);
    let effects = letter(&mut app, 'I');
    assert!(
        matches!(&effects[..], [Effect::Drop(tab), Effect::Exec { .. }] if *tab == first),
        "{effects:?}"
    );
    assert_eq!(app.shells.len(), 1);
}

#[test]
fn any_keys_at_any_size_leave_a_screen_that_can_be_drawn() {
    use proptest::prelude::*;
    let codes = prop_oneof![
        proptest::char::range(' ', '~').prop_map(KeyCode::Char),
        proptest::sample::select(vec![
            KeyCode::Enter,
            KeyCode::Esc,
            KeyCode::Tab,
            KeyCode::BackTab,
            KeyCode::Up,
            KeyCode::Down,
            KeyCode::Left,
            KeyCode::Right,
            KeyCode::PageUp,
            KeyCode::PageDown,
            KeyCode::Home,
            KeyCode::End,
            KeyCode::F(1),
        ]),
    ];
    let modifiers = proptest::sample::select(vec![
        KeyModifiers::NONE,
        KeyModifiers::NONE,
        KeyModifiers::CONTROL,
        KeyModifiers::ALT,
    ]);
    let keys = proptest::collection::vec((codes, modifiers), 0..60);
    let sizes = proptest::collection::vec((1_u16..220, 1_u16..70), 1..4);
    proptest!(ProptestConfig::with_cases(64), |(keys in keys, sizes in sizes)| {
        let mut app = told(&samples::failed(), (120, 40));
        for (index, (code, modifiers)) in keys.into_iter().enumerate() {
            app.update(at(50.0), Msg::Key(App::press(code, modifiers)));
            if let Some((columns, rows)) = sizes.get(index % 20) {
                app.update(at(50.0), Msg::Resize(*columns, *rows));
                screen(&app);
            }
        }
        screen(&app);
    });
}

#[test]
fn a_failure_before_any_step_is_told_where_the_log_is() {
    let script = Script::new("web").failure(BuildFailure {
        message: "failed to load LLB: network.host is not allowed".to_owned(),
        no_state: "The build failed outside of its steps: there is nothing.".to_owned(),
        ..BuildFailure::default()
    });
    let mut app = told(&script, (80, 24));
    let shown = screen(&app);
    let why = "The build failed: failed to load LLB: network.host is not allowed";
    assert!(shown.contains(why) && !shown.contains("0/0"), "{shown}");
    // Also in the place of a step that the build before had.
    let mut again = told(&samples::failed(), (80, 24));
    again.focus_on(Pane::Log);
    let mut next = script.clone();
    next.session.build = 2;
    next.tell(&mut again, 46.0);
    assert!(screen(&again).contains(why), "{}", screen(&again));
    app.update(
        app.now,
        Msg::Key(App::press(KeyCode::Char('s'), KeyModifiers::NONE)),
    );
    let shown = screen(&app);
    assert!(
        shown.contains("no shell: the build failed outside of its steps: there is nothing\n"),
        "{shown}"
    );
}

#[test]
fn sentences_behind_a_colon() {
    assert_eq!(clause("The build failed: x."), "the build failed: x");
    assert_eq!(clause("DNS does not work."), "DNS does not work");
    assert_eq!(clause("there was no build"), "there was no build");
    assert_eq!(clause("."), "");
}

#[test]
fn what_ctrl_c_says_names_the_keys_that_are_set() {
    let mut app = Screen::new(80, 24).app();
    let prefix = Key::parse("ctrl-a").unwrap();
    let changes = [("detach", "f9"), ("end", "f10")];
    let changes = changes.map(|(name, key)| (name.to_owned(), key.to_owned()));
    app.setup.keymap = Keymap::new(prefix, &changes.into()).unwrap();
    let press = |app: &mut App| {
        let key = App::press(KeyCode::Char('c'), KeyModifiers::CONTROL);
        app.update(app.now, Msg::Key(key));
        screen(app)
    };
    let shown = press(&mut app);
    assert!(
        shown.contains("F9 leaves") && !shown.contains("F10"),
        "{shown}"
    );
    Script::new("web").tell(&mut app, 10.0);
    let shown = press(&mut app);
    assert!(
        shown.contains("Ctrl-C again") && shown.contains("F9 leaves"),
        "{shown}"
    );
}

#[test]
fn a_build_that_went_well_has_no_state_before_a_failed_step() {
    let mut script = Script::new("web")
        .step(step("[1/1] RUN true").ran(0.0, 1.0))
        .finished(&[]);
    script.session.kept_until = at(600.0);
    let mut app = told(&script, (80, 24));
    app.focus_on(Pane::Progress);
    let effects = letter(&mut app, 'S');
    assert!(
        !effects
            .iter()
            .any(|effect| matches!(effect, Effect::Exec { .. }))
    );
    let said = screen(&app);
    assert!(
        said.contains("no step failed; I starts a shell in the result"),
        "{said}"
    );
    let effects = letter(&mut app, 'I');
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::Exec { .. }))
    );
}

#[test]
fn no_key_does_nothing_and_says_nothing() {
    let mut app = Screen::new(80, 24).app();
    for key in "xseiftLObrwvV!USIy/&".chars() {
        app.toast = None;
        let effects = letter(&mut app, key);
        let said = app.toast.as_ref().map(|toast| toast.text.clone());
        assert!(
            effects.is_empty() && app.layer.is_none(),
            "{key}: {effects:?}"
        );
        match "&/y".contains(key) {
            // Keys of texts, of which there is none.
            true => assert!(said.is_some(), "{key}"),
            false => assert_eq!(
                said.as_deref(),
                Some("there is no session; a builds, A attaches"),
                "{key}"
            ),
        }
    }
    let script = Script::new("web").failure(BuildFailure {
        message: "no".to_owned(),
        no_state: "No step has run.".to_owned(),
        ..BuildFailure::default()
    });
    let mut app = told(&script, (80, 24));
    app.focus_on(Pane::Log);
    let mut said = |key: KeyCode| {
        app.toast = None;
        super::tests::key(&mut app, key);
        assert!(app.layer.is_none());
        app.toast
            .as_ref()
            .map(|toast| toast.text.clone())
            .unwrap_or_default()
    };
    assert_eq!(said(KeyCode::Char('n')), "there is no other session");
    assert_eq!(said(KeyCode::Char('U')), "no shell: no step has run");
    assert_eq!(said(KeyCode::Enter), "open does nothing in log");
}

#[test]
fn an_end_that_is_told_once_more_opens_no_shell() {
    let mut app = Screen::new(120, 40).app();
    let script = samples::failed();
    app.started = Some(BuildId {
        session: script.session.id.clone(),
        build: script.session.build,
    });
    let shells = |effects: Vec<Effect>| {
        let execs = effects
            .iter()
            .filter(|effect| matches!(effect, Effect::Exec { .. }));
        execs.count()
    };
    assert_eq!(shells(script.tell(&mut app, 45.0)), 1);
    assert_eq!(app.focus, Pane::Shell);
    // The server dies with the shell, and another one has the trace only.
    app.shells.clear();
    app.update(app.now, Msg::Lost("gone".to_owned()));
    app.update(app.now, Msg::Connected(Box::default()));
    assert_eq!(shells(script.tell(&mut app, 46.0)), 0);
    assert_ne!(app.focus, Pane::Shell);
}

#[test]
fn the_title_says_what_it_has_room_for() {
    let title = |columns| {
        let app = told(&samples::failed(), (columns, 24));
        screen(&app).lines().nth(1).unwrap_or_default().to_owned()
    };
    let all = "FAILED  at [build 3/4]  10/14  3 cached  1 error  1 warning  00:45.0";
    assert!(title(80).ends_with(all), "{}", title(80));
    let some = "FAILED  at [build 3/4]  10/14  1 error  00:45.0";
    assert!(title(55).ends_with(some), "{}", title(55));
    let few = "| web        FAILED  at [build 3/4]  10/14  00:45.0";
    assert_eq!(title(50), few);
}

#[test]
fn questions_tell_sessions_of_one_name_apart() {
    let mut app = told(&samples::running(), (80, 24));
    let question = |app: &mut App, key| {
        letter(app, key);
        let asked = screen(app).lines().last().unwrap_or_default().to_owned();
        letter(app, 'n');
        asked
    };
    assert!(question(&mut app, 'x').contains("Stop the build of web?"));
    let mut other = samples::running();
    other.session.id = "other".to_owned();
    other.tell(&mut app, 45.0);
    assert!(question(&mut app, 'x').contains("Stop the build of web (number 2)?"));
    assert!(question(&mut app, 'Q').contains("End session web (number 2) with"));
}

#[test]
fn the_next_error_of_one_is_said_to_be_the_only_one() {
    let script = Script::new("web")
        .step(step("[1/2] RUN true").ran(0.0, 1.0))
        .step(step("[2/2] RUN make").ran(1.0, 2.0).exit(2))
        .failed("[2/2]");
    let mut app = told(&script, (80, 24));
    app.focus_on(Pane::Progress);
    letter(&mut app, 'k');
    letter(&mut app, 'e');
    assert_eq!(app.toast, None);
    letter(&mut app, 'e');
    let said = app.toast.as_ref().map(|toast| toast.text.as_str());
    assert_eq!(said, Some("no other error or warning"));
}
