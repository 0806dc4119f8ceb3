use crossterm::event::{KeyCode, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use insta::assert_snapshot;

use super::super::super::fixture::{Screen, Script, inside, pane, samples, step, styled, text};
use super::super::super::layout::Pane;
use super::super::super::msg::Msg;
use super::*;
use crate::proto::controller::{Client, Process, State as Sees};

fn shown(app: &App, size: (u16, u16), focused: bool) -> String {
    text(&pane(app, size, focused, |area, buf, look| {
        draw(app, area, buf, look)
    }))
}

fn process(id: &str, words: &str, state: Sees) -> Process {
    Process {
        id: id.to_owned(),
        session: "web".to_owned(),
        arguments: vec![words.to_owned()],
        state: state.into(),
        step: "[build 3/4] RUN make test".to_owned(),
        clients: vec![Client {
            pid: 7,
            terminal: "/dev/pts/4".to_owned(),
            process: id.to_owned(),
            read_only: false,
        }],
        ..Process::default()
    }
}

/// Five sessions in different states; the failed one is chosen.
fn five() -> App {
    let mut app = Screen::new(120, 40).app();
    let done = || step("[1/2] FROM a").ran(0.0, 1.0);
    let mut web = samples::failed()
        .platforms(&["linux/amd64"])
        .process(process("p1", "/bin/sh", Sees::After))
        .process(Process {
            ended: 5,
            ..process("p2", "gone", Sees::Before)
        })
        .client(std::process::id(), "/dev/pts/1", false)
        .client(4242, "/dev/pts/4", true)
        .client(99, "", false);
    web.session.watchers = 3;
    web.session.doing =
        "process \"/bin/sh -c make test\" did not complete successfully: exit code: 2".to_owned();
    web.inspected.clients[1].process = "p1".to_owned();
    web.inspected.arguments = ["--target", "final", "."].map(str::to_owned).to_vec();
    let api = Script::new("api")
        .step(done())
        .step(step("[2/2] RUN b").runs(1.0));
    let docs = Script::new("docs").step(done()).finished(&[]);
    let stopped = Script::new("a-project-with-a-long-name")
        .step(done())
        .stopped("");
    let mut base = Script::new("base").step(done());
    base.session.state = SessionState::Recoverable.into();
    base.session.ended = crate::tui::fixture::at(4.0);
    for script in [api, docs, stopped, base] {
        script.tell(&mut app, 12.0);
    }
    web.tell(&mut app, 32.0);
    app
}

#[test]
fn five_sessions() {
    let app = five();
    assert_snapshot!("five_27x38", shown(&app, (27, 38), false));
    assert_snapshot!("five_30x58_with_the_keyboard", shown(&app, (30, 58), true));
    assert_snapshot!("five_80x12", shown(&app, (80, 12), true));
    assert_snapshot!("five_27x8", shown(&app, (27, 8), false));
}

#[test]
fn five_sessions_in_colour() {
    let app = five();
    let draw = |area, buf: &mut Buffer, look: &Look| draw(&app, area, buf, look);
    assert_snapshot!(styled(&pane(&app, (30, 20), true, draw)));
}

#[test]
fn five_sessions_in_ascii() {
    let mut app = five();
    app.setup.theme = crate::tui::theme::Theme::new(true, false, Vec::new());
    let shown = shown(&app, (27, 30), true);
    assert!(shown.is_ascii());
    assert_snapshot!(shown);
}

#[test]
fn without_sessions() {
    let app = Screen::new(120, 40).app();
    assert_snapshot!(shown(&app, (27, 8), true));
}

#[test]
fn several_platforms_have_a_state_each() {
    let mut app = Screen::new(120, 40).app();
    samples::platforms().tell(&mut app, 3.0);
    let shown = shown(&app, (27, 20), false);
    assert!(shown.contains("| ✗ linux/arm64"), "{shown}");
    assert!(shown.contains("| ✓ linux/amd64"), "{shown}");
}

#[test]
fn tabs_of_this_screen_come_first_and_once() {
    let mut app = five();
    app.begin(crate::tui::run::Begin::Session {
        session: "web".to_owned(),
        process: Some("p1".to_owned()),
        read_only: false,
    });
    let shown = shown(&app, (40, 30), false);
    assert!(shown.contains("|▸1 shell"), "{shown}");
    assert!(!shown.contains("- /bin/sh"), "{shown}");
}

#[test]
fn a_context_of_a_dot_is_shown_as_the_directory_that_it_was() {
    let mut script = Script::new("web");
    script.session.context = ".".to_owned();
    script.inspected.directory = "/home/me/web".to_owned();
    let mut app = Screen::new(120, 40).app();
    script.tell(&mut app, 1.0);
    let shown = shown(&app, (30, 30), false);
    assert!(shown.contains("/home/me/web"), "{shown}");
}

#[test]
fn the_state_is_kept_for_whole_minutes() {
    let mut app = five();
    let view = app.view_mut().unwrap();
    view.session.kept_until = 0;
    assert!(!shown(&app, (30, 30), false).contains("kept"));
    let now = app.now;
    for (left, expected) in [
        (1, "kept 1 min"),
        (60_000, "kept 1 min"),
        (60_001, "kept 2 min"),
        (-1, "kept no longer"),
    ] {
        app.view_mut().unwrap().session.kept_until = now + left;
        let shown = shown(&app, (30, 30), false);
        assert!(shown.contains(expected), "{left}: {shown}");
    }
}

fn two_hundred() -> App {
    let mut app = Screen::new(120, 40).app();
    for number in 1..=200 {
        Script::new(&format!("n{number}")).tell(&mut app, 1.0);
    }
    app
}

#[test]
fn with_two_hundred_sessions_the_chosen_and_the_pointed_one_are_in_sight() {
    let mut app = two_hundred();
    let shown_now = shown(&app, (27, 20), false);
    assert!(shown_now.contains("▸200 n200"), "{shown_now}");
    app.update(
        app.now,
        Msg::Key(App::press(KeyCode::Char('g'), KeyModifiers::NONE)),
    );
    for _ in 0..150 {
        app.update(
            app.now,
            Msg::Key(App::press(KeyCode::Char('k'), KeyModifiers::NONE)),
        );
        let pointed = format!(" n{} ", app.pointed + 1);
        let shown = shown(&app, (27, 20), true);
        assert!(shown.contains(&pointed), "{pointed} {shown}");
    }
    assert_eq!(app.pointed, 49);
}

#[test]
fn a_click_chooses_the_session_of_its_row() {
    let mut app = two_hundred();
    let place = inside(&app, Pane::Sessions);
    let rows = shown(&app, (place.width, place.height), false);
    let row = rows.lines().position(|line| line.contains("n190")).unwrap();
    let click = |row: usize| {
        Msg::Mouse(MouseEvent {
            kind: MouseEventKind::Down(MouseButton::Left),
            column: place.x + 5,
            row: place.y + u16::try_from(row).unwrap(),
            modifiers: KeyModifiers::NONE,
        })
    };
    app.update(app.now, click(row));
    assert_eq!(app.current.as_deref(), Some("n190"));
    assert_eq!(app.focus, Pane::Sessions);
    let after = shown(&app, (place.width, place.height), true);
    assert!(after.lines().nth(row).unwrap().contains("n190"), "{after}");
    // Beneath the list are no sessions.
    let details = after.lines().position(|line| line.contains("──")).unwrap();
    app.update(app.now, click(details));
    assert_eq!(app.current.as_deref(), Some("n190"));
}

#[test]
fn hostile_names_and_small_places() {
    let mut script = Script::new("\u{1b}[2Jname\n");
    script.session.doing = "\u{1b}]0;x\u{7}doing".to_owned();
    script.session.context = "\u{1b}c/src".to_owned();
    script.session.builder = "\u{9b}31mb".to_owned();
    script.session.steps_done = u32::MAX;
    script.session.kept_until = i64::MAX;
    script.inspected.platforms = vec!["\u{1b}[1mlinux".to_owned()];
    let script = script
        .process(process("\u{1b}", "sh \u{1b}[2J", Sees::Before))
        .client(1, "\u{1b}tty", true);
    let mut app = Screen::new(120, 40).app();
    script.tell(&mut app, i32::MAX.into());
    for size in [(0, 0), (1, 1), (5, 9), (27, 38), (300, 2)] {
        for focused in [true, false] {
            assert!(!shown(&app, size, focused).contains(['\u{1b}', '\u{7}', '\u{9b}']));
        }
    }
}

#[test]
fn progress_is_the_same_in_the_list_as_in_the_title() {
    let mut app = Screen::new(120, 40).app();
    let script = Script::new("api")
        .step(step("[1/2] FROM a").ran(0.0, 1.0))
        .step(step("[2/2] RUN b").runs(1.0));
    script.tell(&mut app, 2.0);
    // The server counts the steps of another build that does the same, too.
    let mut session = app.view().unwrap().session.clone();
    (session.steps_done, session.steps) = (9, 10);
    app.update(app.now, Msg::Session(Box::new(session)));
    let shown = super::super::super::fixture::screen(&app);
    assert!(shown.contains("steps 1/2"), "{shown}");
    assert!(shown.contains("● 50%"), "{shown}");
    assert!(!shown.contains("90%"), "{shown}");
    app.update(app.now, Msg::Resize(80, 24));
    let strip = super::super::super::fixture::screen(&app);
    assert!(strip.contains("[1 api 50%]"), "{strip}");
}
