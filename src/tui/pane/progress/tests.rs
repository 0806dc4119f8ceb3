use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use insta::assert_snapshot;

use super::super::super::app::App;
use super::super::super::fixture::{
    Screen, Script, at, inside, pane, samples, screen, step, styled, text,
};
use super::super::super::layout::Pane;
use super::super::super::msg::Msg;
use super::*;
use crate::proto::controller::{BuildFailure, SessionState};

/// The pane of the chosen session beneath its title, in front of which its title.
fn shown(app: &App, size: (u16, u16)) -> String {
    let view = app.view().unwrap();
    let mut title = (String::new(), String::new());
    let buf = pane(app, size, true, |area, buf, look| {
        draw(view, area, buf, look);
        title = super::title(view, look);
    });
    format!("{} | {}\n{}", title.0, title.1, text(&buf))
}

fn told(script: &Script, now: f64) -> App {
    let mut app = Screen::new(120, 40).app();
    script.tell(&mut app, now);
    app
}

fn press(app: &mut App, keys: &str) {
    for key in keys.chars() {
        app.update(
            app.now,
            Msg::Key(App::press(KeyCode::Char(key), KeyModifiers::NONE)),
        );
    }
}

/// Name of the selected step.
fn selected(app: &App) -> &str {
    let view = app.view().unwrap();
    let step = view.progress.selected(&view.build).unwrap();
    &view.build.trace.steps[step].name
}

#[test]
fn while_it_runs() {
    let app = told(&samples::running(), 12.0);
    assert_snapshot!(shown(&app, (92, 20)));
    assert_snapshot!("while_it_runs_80x8", shown(&app, (80, 8)));
}

#[test]
fn failed() {
    let app = told(&samples::failed(), 32.0);
    assert_snapshot!(shown(&app, (92, 18)));
    // As at 80x24 beside a shell: rows around the step that failed.
    assert_snapshot!("failed_80x6", shown(&app, (80, 6)));
    assert_snapshot!("failed_30x6", shown(&app, (30, 6)));
}

#[test]
fn failed_in_colour() {
    let app = told(&samples::failed(), 32.0);
    let view = app.view().unwrap();
    let focused = pane(&app, (80, 7), true, |area, buf, look| {
        draw(view, area, buf, look)
    });
    assert_snapshot!(styled(&focused));
    let other = pane(&app, (80, 3), false, |area, buf, look| {
        draw(view, area, buf, look)
    });
    assert_snapshot!("failed_in_colour_without_the_keyboard", styled(&other));
}

#[test]
fn failed_in_ascii_without_colour() {
    let mut app = Screen::new(120, 40).ascii().app();
    samples::failed().tell(&mut app, 32.0);
    let view = app.view().unwrap();
    let buf = pane(&app, (92, 18), true, |area, buf, look| {
        draw(view, area, buf, look)
    });
    assert!(text(&buf).is_ascii());
    assert_snapshot!(styled(&buf));
}

#[test]
fn canceled() {
    // The last step was never told to have ended, so its time is that of the build.
    let app = told(&samples::canceled(), 9.0);
    assert_snapshot!(shown(&app, (92, 18)));
    let mut later = told(&samples::canceled(), 9.0);
    later.update(at(500.0), Msg::Tick);
    assert_eq!(shown(&later, (92, 18)), shown(&app, (92, 18)));
}

#[test]
fn a_build_that_did_not_end_well_never_looks_complete() {
    let steps = || {
        Script::new("web")
            .step(step("[1/2] FROM scratch").cached())
            .step(step("[2/2] COPY . .").ran(0.1, 0.2))
    };
    let right = |script: &Script| {
        let app = told(script, 3.0);
        let first = shown(&app, (60, 3)).lines().next().unwrap().to_owned();
        (first.contains('░'), first.contains("100%"))
    };
    let done = right(&steps().finished(&[]));
    assert_eq!(done, (false, true));
    // All steps that it got to know went well, and yet more were to come.
    for script in [
        steps().stopped("someone"),
        steps().failure(BuildFailure::default()),
    ] {
        assert_eq!(right(&script), (true, false));
    }
    // A step that failed has ended, but it is not done.
    let last = step("[3/3] RUN make").ran(0.2, 0.9).exit(2);
    let app = told(&steps().step(last).failed("[3/3]"), 3.0);
    let counts = app.view().unwrap().progress.counts();
    assert_eq!((counts.done, counts.all, counts.errors), (2, 3, 1));
}

#[test]
fn finished() {
    let app = told(&samples::finished(), 42.0);
    assert_snapshot!(shown(&app, (120, 18)));
}

#[test]
fn several_platforms() {
    let app = told(&samples::platforms(), 3.0);
    assert_snapshot!(shown(&app, (80, 12)));
    let platforms = app.view().unwrap().progress.platforms();
    let expected = [("linux/arm64", Mark::Failed), ("linux/amd64", Mark::Ok)];
    let expected = expected.map(|(name, mark)| (name.to_owned(), mark));
    assert_eq!(platforms, expected);
}

#[test]
fn nothing_yet_and_nothing_at_all() {
    let waiting = Script::new("web")
        .note(false, "waiting for the engine at unix:///run/docker.sock")
        .note(true, "no builder is chosen");
    assert_snapshot!("waiting", shown(&told(&waiting, 1.2), (60, 4)));
    let refused = waiting.failure(crate::proto::controller::BuildFailure {
        message: "no such Dockerfile".to_owned(),
        refused: true,
        ..Default::default()
    });
    assert_snapshot!("refused", shown(&told(&refused, 1.2), (60, 4)));
    let mut lost = Script::new("web");
    lost.session.state = SessionState::Recoverable.into();
    assert_snapshot!("recoverable", shown(&told(&lost, 1.2), (80, 2)));
}

#[test]
fn a_trace_that_cannot_be_read_is_told_beneath_the_steps() {
    let mut app = told(&samples::running(), 12.0);
    let build = crate::tui::msg::BuildId {
        session: "web".to_owned(),
        build: 1,
    };
    app.update(
        at(12.0),
        Msg::TraceEnd(build, Some("disk \u{1b}[2J full".to_owned())),
    );
    let shown = shown(&app, (80, 6));
    let last = shown.lines().last().unwrap();
    assert_eq!(
        last.trim_end(),
        "| steps cannot be read any further: disk ^[[2J full"
    );
}

#[test]
fn steps_without_sources_are_in_the_order_in_which_stages_were_seen() {
    let script = Script::new("llb")
        .step(step("compile a"))
        .step(step("[b 2/2] RUN b"))
        .step(step("[a 1/1] RUN a"))
        .step(step("[b 1/2] FROM b"))
        .step(step("[internal] load build definition").ran(0.0, 0.1))
        .step(step("pushing with docker").local().runs(0.3))
        .step(step("exporting to image"));
    let app = told(&script, 1.0);
    let view = app.view().unwrap();
    let names: Vec<&str> = view
        .progress
        .shown()
        .filter_map(Row::step)
        .map(|id| view.build.trace.steps[id].name.as_str())
        .collect();
    let expected = [
        "[internal] load build definition",
        "[b 1/2] FROM b",
        "[b 2/2] RUN b",
        "[a 1/1] RUN a",
        "compile a",
        "exporting to image",
        "pushing with docker",
    ];
    assert_eq!(names, expected);
}

#[test]
fn the_selection_follows_until_somebody_touches_it() {
    let mut script = Script::new("web")
        .step(step("[1/3] FROM a").ran(0.0, 0.1))
        .step(step("[2/3] RUN b").runs(0.1))
        .step(step("[3/3] RUN c"));
    let mut app = Screen::new(120, 40).app();
    script.tell(&mut app, 1.0);
    assert_eq!(selected(&app), "[2/3] RUN b");
    script.steps[1] = step("[2/3] RUN b").ran(0.1, 2.0);
    script.steps[2] = step("[3/3] RUN c").runs(2.0);
    script.tell(&mut app, 2.1);
    assert_eq!(selected(&app), "[3/3] RUN c");
    // Between keys and failures the person wins.
    press(&mut app, "kk");
    assert_eq!(selected(&app), "[1/3] FROM a");
    script.steps[2] = step("[3/3] RUN c").ran(2.0, 3.0).exit(1);
    let failed = script.clone().failed("[3/3]");
    failed.tell(&mut app, 3.0);
    assert_eq!(selected(&app), "[1/3] FROM a");
    press(&mut app, "e");
    assert_eq!(selected(&app), "[3/3] RUN c");
    // Whoever touches nothing is led to what failed.
    let app = told(&failed, 3.0);
    assert_eq!(selected(&app), "[3/3] RUN c");
}

#[test]
fn escape_follows_again() {
    let mut app = told(&samples::running(), 12.0);
    let before = selected(&app).to_owned();
    press(&mut app, "<");
    assert!(selected(&app).starts_with("[internal]"));
    app.update(
        at(12.0),
        Msg::Key(App::press(KeyCode::Esc, KeyModifiers::NONE)),
    );
    assert_eq!(selected(&app), before);
    assert!(!app.view().unwrap().touched);
}

#[test]
fn a_step_is_found_again_in_the_build_of_a_changed_dockerfile() {
    let mut app = told(&samples::failed(), 32.0);
    press(&mut app, "j");
    let before = selected(&app).to_owned();
    assert_eq!(before, "[build 4/4] RUN make install");
    let mut script = samples::running();
    script.session.build = 2;
    script.steps.remove(0);
    script.tell(&mut app, 12.0);
    assert_eq!(selected(&app), before);
}

#[test]
fn the_step_in_sight_stays_selected_in_the_next_build() {
    let mut app = told(&samples::failed(), 32.0);
    let before = selected(&app).to_owned();
    assert!(before.starts_with("[build 3/4]"), "{before}");
    // Something else was chosen than a step.
    app.view_mut().unwrap().touched = true;
    let mut script = samples::failed();
    script.session.build = 2;
    let mut first = Script::new("web").step(step("[internal] load build context").ran(0.0, 0.1));
    first.session.build = 2;
    first.tell(&mut app, 33.0);
    script.tell(&mut app, 45.0);
    assert_eq!(selected(&app), before);
}

#[test]
fn internal_steps_fold() {
    let mut app = told(&samples::finished(), 42.0);
    let folded = app.view().unwrap().progress.rows();
    app.update(
        at(42.0),
        Msg::Key(App::press(KeyCode::Char('o'), KeyModifiers::CONTROL)),
    );
    let view = app.view().unwrap();
    assert_eq!(view.progress.rows(), folded + 3);
    assert_snapshot!(shown(&app, (92, 6)));
}

#[test]
fn what_prepares_the_build_is_shown_while_it_runs_and_when_it_fails() {
    let definition = step("[internal] load build definition from Dockerfile").ran(0.0, 0.1);
    let context = step("[internal] load build context");
    let transfer =
        context
            .clone()
            .runs(0.1)
            .part("transferring context:", (0.1, 2.0, None), 24_000_000, 0);
    let running = Script::new("web").step(definition.clone()).step(transfer);
    assert_snapshot!("internal_running", shown(&told(&running, 2.0), (70, 3)));
    let failed = Script::new("web")
        .step(definition)
        .step(context.ran(0.1, 0.3).error("no such directory"))
        .failed("[internal] load build context");
    assert_snapshot!("internal_failed", shown(&told(&failed, 2.0), (70, 3)));
}

#[test]
fn parts_have_rate_and_remaining_time() {
    let app = told(&samples::running(), 12.0);
    for (width, expected) in [
        (
            92,
            "93bf0f3f6e1b                 ████████░░░░░░░░░░░░ 32.00MB / 80.00MB  3.20MB/s  15s left",
        ),
        (
            60,
            "93bf0f3f6e1b      32.00MB / 80.00MB  3.20MB/s  15s left",
        ),
        (45, "93bf0f3f6e1b           32.00MB / 80.00MB"),
        (30, "93bf0~"),
    ] {
        let shown = shown(&app, (width, 20));
        let line = shown.lines().find(|line| line.contains("93bf0f")).unwrap();
        let expected = expected.trim_end_matches('~');
        assert!(line.contains(expected), "{width}: {line}");
    }
}

#[test]
fn a_click_selects_and_nothing_moves() {
    let mut script = Script::new("web");
    for number in 1..100 {
        script = script.step(step(&format!("[{number}/99] RUN {number}")).ran(0.0, 1.0));
    }
    let mut app = told(&script, 1.0);
    press(&mut app, ">kkkk");
    let place = inside(&app, Pane::Progress);
    let before = text(&pane_of(&app, place));
    let event = |kind, row| {
        Msg::Mouse(MouseEvent {
            kind,
            column: place.x + 4,
            row,
            modifiers: KeyModifiers::NONE,
        })
    };
    let row = place.y + place.height / 2;
    app.update(at(1.0), event(MouseEventKind::Down(MouseButton::Left), row));
    let after = text(&pane_of(&app, place));
    let clicked = usize::from(row - place.y);
    let strip = |text: &str| text.replace('▸', " ");
    assert_eq!(strip(&before), strip(&after));
    let line = after.lines().nth(clicked).unwrap();
    assert!(line.starts_with("|▸"), "{line}");
    assert!(line.contains(selected(&app)), "{line}");
    // The other button lists what can be done with it.
    let before = selected(&app).to_owned();
    let right = MouseEventKind::Down(MouseButton::Right);
    app.update(at(1.0), event(right, row + 1));
    assert!(app.layer.is_some());
    assert_ne!(selected(&app), before);
}

fn pane_of(app: &App, place: Rect) -> Buffer {
    let view = app.view().unwrap();
    pane(
        app,
        (place.width, place.height),
        false,
        |area, buf, look| {
            draw(view, area, buf, look);
        },
    )
}

#[test]
fn the_neighbourhood_of_what_failed_is_on_a_screen_of_80x24() {
    let mut app = Screen::new(80, 24).app();
    samples::failed().tell(&mut app, 32.0);
    let screen = screen(&app);
    for line in [
        "[build 2/4] COPY",
        "ERROR exit 2  18.2s",
        "[build 4/4] RUN make install",
    ] {
        assert!(screen.contains(line), "{line}\n{screen}");
    }
}

#[test]
fn hostile_texts_and_numbers_do_no_harm() {
    let script = Script::new("web").step(
        step("[build 1/1] \u{1b}]0;x\u{7}RUN \u{202e}evil\n\rline")
            .runs(-1e9)
            .part("\u{1b}[31mpart\n", (-1e9, -1e9, None), i64::MAX, i64::MAX)
            .part("b", (1e9, 1e9, None), -5, i64::MIN)
            .part("c", (1.0, 1.0, None), i64::MIN, 3),
    );
    let app = told(&script, 2.0);
    for size in [(80, 6), (12, 6), (3, 3), (1, 1), (0, 0), (200, 1)] {
        let shown = shown(&app, size);
        assert!(
            !shown.contains(['\u{1b}', '\u{7}', '\u{202e}', '\r']),
            "{shown:?}"
        );
    }
}

fn many(count: usize) -> Script {
    let mut script = Script::new("web");
    for number in 1..=count {
        let step = step(&format!(
            "[s{} {}/100] RUN {number}",
            number / 100,
            number % 100
        ));
        script = script.step(match number % 5 {
            0 => step.cached(),
            1 => step.runs(0.5),
            2 => step,
            _ => step.ran(0.1, 0.9),
        });
    }
    script
}

/// The fastest of several frames, so that what else the machine does counts little.
fn frame(app: &App) -> Duration {
    let once = || {
        let begin = Instant::now();
        std::hint::black_box(screen(app));
        begin.elapsed()
    };
    (0..20).map(|_| once()).min().unwrap()
}

#[test]
fn what_a_frame_costs_does_not_depend_on_the_number_of_steps() {
    let few = told(&many(100), 1.0);
    let mut lots = told(&many(10_000), 1.0);
    let ratio = frame(&lots).as_secs_f64() / frame(&few).as_secs_f64();
    // Ten thousand would be a hundred times as much.
    assert!(ratio < 5.0, "{ratio}");
    press(&mut lots, ">");
    let begin = Instant::now();
    for _ in 0..100 {
        press(&mut lots, "k");
    }
    let each = begin.elapsed() / 100;
    assert!(each < Duration::from_millis(50), "{each:?}");
    assert_eq!(selected(&lots), "[s99 0/100] RUN 9900");
}
