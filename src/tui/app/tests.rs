//! The whole screen in every state at every class of size, and what keys do to the state.

use crossterm::event::{KeyCode, KeyModifiers};

use super::*;
use crate::monitor::parse::Command;
use crate::proto::controller::BuildFailure;
use crate::tui::fixture::{Screen, Script, at, samples, screen, step};

mod said;

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
