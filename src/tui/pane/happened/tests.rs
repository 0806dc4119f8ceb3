use super::super::super::app::App;
use super::super::super::fixture::{Screen, Script, digest, inside, pane, step, styled, text};
use super::super::super::layout::Pane;
use super::super::super::msg::{Effect, Msg};
use super::*;
use crate::proto::controller::{
    BuildFailure, InfoResponse, LineRange, SessionState, SourceExcerpt,
};

const SOURCE: &str = "FROM alpine\nCOPY . .\nRUN make test\nRUN make install\n";

fn failed() -> Script {
    let mut lines: Vec<String> = (0..30)
        .map(|line| format!("compiling file {line}"))
        .collect();
    lines.extend(
        [
            "--- FAIL: TestParse (0.02s)",
            "    parse_test.go:88: open testdata/a.json: no such file or directory",
            "retry",
            "retry",
            "retry",
            "\x1b[31mFAIL\x1b[0m example.com/web/parse",
            "make: *** [Makefile:12: test] Error 1",
        ]
        .map(str::to_owned),
    );
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    Script::new("web")
        .dockerfile(SOURCE)
        .step(step("[1/4] FROM alpine").cached().line(1))
        .step(step("[2/4] COPY . .").ran(0.1, 0.7).line(2))
        .step(
            step("[3/4] RUN make test")
                .ran(0.7, 18.9)
                .exit(2)
                .line(3)
                .log(&lines),
        )
        .step(
            step("[lint 1/1] RUN golangci-lint run")
                .ran(0.7, 9.7)
                .canceled(),
        )
        .step(step("[4/4] RUN make install").line(4))
        .failed("[3/4]")
}

/// The pane alone on the screen.
fn shown(screen: Screen, script: &Script, now: f64) -> App {
    let mut app = screen.app();
    app.focus = Pane::Happened;
    app.detail = Pane::Happened;
    app.zoom = true;
    let effects = script.tell(&mut app, now);
    script.answer(&mut app, effects);
    app
}

fn drawn(app: &App) -> Buffer {
    let place = inside(app, Pane::Happened);
    let view = app.view().unwrap();
    pane(app, (place.width, place.height), true, |area, buf, look| {
        draw(view, area, buf, look);
    })
}

fn card(script: &Script) -> String {
    text(&drawn(&shown(Screen::new(100, 40), script, 20.0)))
}

#[test]
fn a_failed_run_in_every_size() {
    for (columns, rows) in [(80, 24), (120, 40), (200, 60)] {
        let app = shown(Screen::new(columns, rows), &failed(), 19.0);
        insta::assert_snapshot!(format!("failed_{columns}x{rows}"), text(&drawn(&app)));
    }
    let app = shown(Screen::new(80, 24), &failed(), 19.0);
    insta::assert_snapshot!("failed_colours", styled(&drawn(&app)));
    let app = shown(Screen::new(50, 14).ascii(), &failed(), 19.0);
    insta::assert_snapshot!("failed_ascii", styled(&drawn(&app)));
}

#[test]
fn the_card_scrolls_and_is_copied_whole() {
    let mut app = shown(Screen::new(50, 14), &failed(), 19.0);
    let top = text(&drawn(&app));
    app.act(Action::Bottom);
    let bottom = text(&drawn(&app));
    assert!(
        bottom.contains("make: *** [Makefile:12: test] Error 1"),
        "{bottom}"
    );
    app.act(Action::Top);
    assert_eq!(text(&drawn(&app)), top);
    let effects = app.act(Action::Copy);
    let copied = effects.iter().find_map(|effect| match effect {
        Effect::Clipboard(text) => String::from_utf8(text.to_vec()).ok(),
        _ => None,
    });
    let copied = copied.unwrap();
    assert!(copied.contains("failed: exit code 2") && copied.contains("retry  (3 times)"));
    app.act(Action::Open);
    assert_eq!(app.focus, Pane::Log);
}

fn cmake(code: u32, log: &[&str], hint: &str) -> Script {
    let made = step("[2/2] RUN cmake .");
    Script::new("web")
        .dockerfile("FROM a\nRUN cmake .\n")
        .step(made.ran(0.0, 1.0).exit(code).line(2).log(log))
        .failure(BuildFailure {
            message: format!(
                "process \"/bin/sh -c cmake .\" did not complete successfully: exit code: {code}"
            ),
            vertex: digest("[2/2] RUN cmake ."),
            process_exit_code: Some(code),
            hints: vec![hint.to_owned()],
            no_state: "the engine is too old".to_owned(),
            ..BuildFailure::default()
        })
}

#[test]
fn hints_and_codes_are_told() {
    let told = card(&cmake(
        127,
        &["/bin/sh: cmake: not found"],
        "install it\x1b[2J",
    ));
    for part in [
        "127: command not found: cmake",
        "hint: install it^[[2J",
        "no shell in it: the engine is too old",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let told = card(&cmake(137, &["Killed"], "an out-of-memory kill"));
    assert!(
        told.contains("killed (SIGKILL)") && told.contains("out-of-memory kill"),
        "{told}"
    );
    let told = card(&cmake(1, &[], "none"));
    assert!(told.contains("It printed nothing."), "{told}");
}

#[test]
fn frontend_errors_have_their_line_and_refusals_their_message() {
    let source = "FROM x\nRUNN y\n";
    let script = Script::new("web").dockerfile(source).failure(BuildFailure {
        message: "dockerfile parse error on line 2: unknown instruction: RUNN (did you mean RUN?)"
            .to_owned(),
        sources: vec![SourceExcerpt {
            filename: "Dockerfile".to_owned(),
            data: source.into(),
            ranges: vec![LineRange { start: 2, end: 2 }],
        }],
        no_state: "no step ran".to_owned(),
        ..BuildFailure::default()
    });
    insta::assert_snapshot!("frontend", card(&script));
    let script = Script::new("web").failure(BuildFailure {
        message: "--output: unknown type \"x\"".to_owned(),
        refused: true,
        ..BuildFailure::default()
    });
    insta::assert_snapshot!("refused", card(&script));
}

#[test]
fn a_failure_outside_of_the_steps_is_not_said_to_be_before_them() {
    let lost = BuildFailure {
        message: "lost the connection to the builder".to_owned(),
        no_state: "no step failed".to_owned(),
        ..BuildFailure::default()
    };
    let script = Script::new("web").step(step("[internal] load build context").ran(0.0, 0.1));
    let before = card(&script.clone().failure(lost.clone()));
    assert!(before.contains("failed: before a step ran"), "{before}");
    let after = script.step(step("[1/2] RUN make").runs(0.1)).failure(lost);
    let after = card(&after);
    assert!(after.contains("failed: outside of its steps"), "{after}");
}

#[test]
fn no_shell_is_offered_in_a_state_that_was_let_go() {
    let mut script = Script::new("web")
        .step(step("[1/1] RUN make").ran(0.0, 1.0).exit(2))
        .failed("[1/1]");
    assert!(card(&script).contains("s shell in the failed step"));
    script.session.kept_until = 0;
    script.session.reason = "The time has passed; reload builds it again".to_owned();
    let shown = card(&script);
    assert!(!shown.contains("s shell in the failed step"), "{shown}");
    let why = "no shell in it: the time has passed; reload builds it again";
    assert!(shown.contains(why), "{shown}");
}

fn steps() -> Script {
    let context = step("[internal] load build context").part(
        "transferring context: 1.4MB",
        (0.0, 0.2, Some(0.2)),
        1_400_000,
        0,
    );
    let made = step("[2/3] RUN make").ran(0.2, 9.2);
    Script::new("web")
        .step(context.ran(0.0, 0.2))
        .step(step("[1/3] FROM alpine").cached())
        .step(made.warning("JSONArgsRecommended: use JSON", 7))
        .step(step("[3/3] COPY a b").ran(9.2, 9.4))
}

#[test]
fn other_ends_and_none() {
    let script = steps().remark("No output specified").finished(&[
        ("image.name", "docker.io/library/app:latest"),
        ("containerimage.digest", "sha256:0123456789abcdef"),
        ("other\x1b[2J", "1"),
    ]);
    insta::assert_snapshot!("finished", card(&script));
    let slow = step("[4/4] RUN slow");
    let script = steps()
        .step(slow.clone().ran(9.4, 12.0).canceled())
        .stopped("pts/4");
    insta::assert_snapshot!("canceled", card(&script));
    let script = steps()
        .step(slow.runs(9.4))
        .note(true, "the builder is old");
    insta::assert_snapshot!("running", card(&script));
    let mut script = Script::new("web");
    script.session.state = SessionState::Recoverable.into();
    script.session.reason = "lost connection to builder".to_owned();
    insta::assert_snapshot!("recoverable", card(&script));
    assert!(card(&Script::new("web")).contains("Waiting for builder default."));
}

#[test]
fn an_image_name_that_is_no_word_is_not_put_into_a_command() {
    let script = Script::new("web").finished(&[("image.name", "a; rm -rf /")]);
    assert!(!card(&script).contains("docker run"));
}

#[test]
fn a_failure_is_asked_about_once_and_again_after_a_loss() {
    let mut app = Screen::new(100, 40).app();
    let asked = |effects: &[Effect]| {
        let ours = |effect: &&Effect| matches!(effect, Effect::Log { request, .. } if request.count == LINES);
        effects.iter().filter(ours).count()
    };
    let effects = failed().tell(&mut app, 19.0);
    assert_eq!(asked(&effects), 1);
    assert_eq!(asked(&app.update(0, Msg::Tick)), 0);
    app.update(0, Msg::Lost("gone".to_owned()));
    let info = InfoResponse {
        features: vec!["log".to_owned()],
        ..InfoResponse::default()
    };
    app.update(0, Msg::Connected(Box::new(info)));
    let effects = failed().tell(&mut app, 19.0);
    assert_eq!(asked(&effects), 1);
}

#[test]
fn a_drag_marks_rows_and_copies_them() {
    use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
    let mut app = shown(Screen::new(80, 14), &failed(), 20.0);
    let place = inside(&app, Pane::Happened);
    let at = |app: &mut App, kind: fn(MouseButton) -> MouseEventKind, row: u16| {
        let event = MouseEvent {
            kind: kind(MouseButton::Left),
            column: place.x + 5,
            row,
            modifiers: KeyModifiers::NONE,
        };
        app.update(app.now, Msg::Mouse(event))
    };
    let copied = |effects: Vec<Effect>| {
        let text = effects.into_iter().find_map(|effect| match effect {
            Effect::Clipboard(text) => String::from_utf8(text.to_vec()).ok(),
            _ => None,
        });
        text.unwrap_or_default()
    };
    let rows = app.view().unwrap().happened.rows.iter();
    let rows: Vec<String> = rows.map(|row| row.text.trim_end().to_owned()).collect();
    // From the third row up to the second.
    at(&mut app, MouseEventKind::Down, place.y + 2);
    at(&mut app, MouseEventKind::Drag, place.y + 1);
    let marked = |app: &App| {
        let buf = drawn(app);
        let selected = app.setup.theme.style(Role::Selected);
        let rows = (0..place.height).filter(|y| buf[(5, *y)].modifier == selected.add_modifier);
        rows.collect::<Vec<_>>()
    };
    assert_eq!(marked(&app), [1, 2]);
    let effects = at(&mut app, MouseEventKind::Up, place.y + 1);
    assert_eq!(copied(effects), rows[1..=2].join("\n"));
    // Held beneath the pane, what is behind the border comes.
    at(&mut app, MouseEventKind::Down, place.y + 1);
    at(&mut app, MouseEventKind::Drag, place.bottom());
    let mut steps = 0;
    while let Some(next) = app.deadline().filter(|_| steps < 1_000) {
        app.update(next.max(app.now), Msg::Tick);
        steps += 1;
    }
    assert!(app.view().unwrap().happened.top > 0);
    let effects = at(&mut app, MouseEventKind::Up, place.bottom());
    assert_eq!(copied(effects), rows[1..].join("\n"));
    // Escape marks nothing, and then all of the card is copied.
    let view = app.view_mut().unwrap();
    assert!(matches!(act(view, Action::Back, 10), Then::Done));
    assert!(matches!(act(view, Action::Back, 10), Then::Ignored));
    assert_eq!(view.happened.copied(), rows.join("\n"));
    // Another text in the place of a marked one is not what was meant.
    view.happened.mark(0, false);
    view.happened.mark(1, true);
    let top = view.happened.top;
    view.happened.rows[top].text = "other".to_owned();
    view.happened.made = Made::default();
    app.update(app.now, Msg::Tick);
    assert!(!app.view().unwrap().happened.marks_several());
}
