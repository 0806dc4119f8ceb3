use proptest::prelude::*;
use ratatui::buffer::Buffer;

use super::super::super::app::App;
use super::super::super::fixture::{Screen, Script, digest, inside, pane, step, styled, text};
use super::super::super::layout::Pane;
use super::super::super::msg::{LogAnswer, Msg, SearchAnswer};
use super::super::Look;
use super::*;
use crate::proto::controller::{
    LogCount, LogLine, LogRequest, LogResponse, SearchLogResponse, SessionState,
};

mod marked;
mod save;
mod window;

const STEP: &str = "[build 3/4] RUN make test";

fn literal(text: &str) -> LogPattern {
    LogPattern {
        text: text.to_owned(),
        ..LogPattern::default()
    }
}

fn failed() -> Script {
    let mut make = step(STEP).ran(1.0, 19.2).exit(2);
    for number in 0..60 {
        make = make.wrote(
            1.0 + f64::from(number) * 0.3,
            1,
            &format!("ok  example.com/web/{number}  0.2s"),
        );
    }
    make = make
        .wrote(19.0, 1, "\x1b[1;31m--- FAIL: TestParse\x1b[0m (0.02s)")
        .wrote(19.1, 2, "\tparse_test.go:88: open testdata/a.json: no such file or directory, and a lot more words behind it that do not fit")
        .clipped("1.2 MB of output are missing here: the builder clipped it");
    Script::new("web")
        .step(step("[build 2/4] COPY . .").cached())
        .step(
            step("[lint 1/1] RUN lint")
                .ran(0.5, 19.0)
                .log(&["linting", "done"]),
        )
        .step(step("[build 1/4] RUN true").ran(0.5, 0.6))
        .step(make)
        .step(step("[build 4/4] RUN make install"))
        .failed("[build 3/4]")
}

/// The pane alone on the screen.
fn shown(screen: Screen, script: &Script, name: &str) -> App {
    let mut app = screen.app();
    app.focus = Pane::Log;
    app.zoom = true;
    let effects = script.tell(&mut app, 20.0);
    script.answer(&mut app, effects);
    let view = app.view_mut().unwrap();
    view.log
        .show_named(&view.build, Some(name).filter(|name| !name.is_empty()));
    let effects = app.update(app.now, Msg::Tick);
    script.answer(&mut app, effects);
    app
}

fn drawn(app: &App) -> Buffer {
    let place = inside(app, Pane::Log);
    let view = app.view().unwrap();
    pane(app, (place.width, place.height), true, |area, buf, look| {
        draw(view, area, buf, look);
    })
}

fn titled(app: &App) -> String {
    let look = Look {
        theme: &app.setup.theme,
        keymap: &app.setup.keymap,
        focused: true,
        now: app.now,
        zone: &app.setup.zone,
    };
    let (left, right) = title(app.view().unwrap(), &look);
    format!("{left} | {right}\n{}", text(&drawn(app)))
}

#[test]
fn a_failed_step_in_every_size() {
    for (columns, rows) in [(80, 24), (120, 40), (200, 60)] {
        let app = shown(Screen::new(columns, rows), &failed(), "build 3/4");
        insta::assert_snapshot!(format!("failed_{columns}x{rows}"), titled(&app));
    }
    let app = shown(Screen::new(50, 14).ascii(), &failed(), "build 3/4");
    insta::assert_snapshot!("failed_ascii", styled(&drawn(&app)));
    let app = shown(Screen::new(50, 14), &failed(), "build 3/4");
    insta::assert_snapshot!("failed_colours", styled(&drawn(&app)));
}

#[test]
fn the_log_of_all_steps_has_labels_and_clocks_go_round() {
    let mut app = shown(Screen::new(80, 14), &failed(), "");
    insta::assert_snapshot!("whole", titled(&app));
    for name in ["day", "delta", "none"] {
        app.act(Action::Clock);
        insta::assert_snapshot!(name, text(&drawn(&app)));
    }
    app.act(Action::Clock);
    app.act(Action::ScrollRight);
    insta::assert_snapshot!("sideways", text(&drawn(&app)));
}

#[test]
fn a_search_is_seen() {
    let script = failed();
    let mut app = shown(Screen::new(60, 14), &script, "build 3/4");
    let view = app.view_mut().unwrap();
    view.log.search(&view.build, literal("PAR"));
    let effects = app.update(app.now, Msg::Tick);
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::Search { .. }))
    );
    assert!(titled(&app).contains("/PAR ?/0 (counting…)"));
    let view = app.view_mut().unwrap();
    let pattern = LogPattern {
        ignore_case: true,
        ..literal("par")
    };
    view.log.search(&view.build, pattern);
    let effects = app.update(app.now, Msg::Tick);
    let id = effects.iter().find_map(|effect| match effect {
        Effect::Search { id, .. } => Some(*id),
        _ => None,
    });
    let answer = SearchLogResponse {
        lines: vec![60, 61],
        count: 2,
        searched: 62,
        done: true,
    };
    app.update(
        app.now,
        Msg::Found(SearchAnswer {
            id: id.unwrap(),
            answer: Ok(answer),
        }),
    );
    app.act(Action::NextMatch);
    assert!(titled(&app).contains("/par 2/2"), "{}", titled(&app));
    insta::assert_snapshot!("found", styled(&drawn(&app)));
}

#[test]
fn why_there_are_no_lines() {
    for (name, words) in [
        ("build 2/4", "Cached: this step did not run"),
        ("build 1/4", "This step printed nothing."),
        ("build 4/4", "This step did not run."),
    ] {
        let app = shown(Screen::new(80, 24), &failed(), name);
        let rows = text(&drawn(&app));
        assert!(rows.contains(words), "{name}: {rows}");
    }
    let running = Script::new("web")
        .step(step("[1/2] RUN a").runs(1.0))
        .step(step("[2/2] RUN b"));
    for (name, words) in [
        ("1/2", "This step has printed nothing yet."),
        ("2/2", "This step has not begun."),
        ("", "Nothing has been printed yet."),
    ] {
        let app = shown(Screen::new(80, 24), &running, name);
        let rows = text(&drawn(&app));
        assert!(rows.contains(words), "{name}: {rows}");
    }
}

#[test]
fn an_older_server_gives_the_last_lines() {
    let mut app = shown(Screen::new(80, 24), &failed(), "build 3/4");
    app.info.features.clear();
    app.update(app.now, Msg::Tick);
    let view = app.view_mut().unwrap();
    let vertex = digest(STEP);
    let index = view.build.trace.index(&vertex).unwrap();
    view.build.trace.steps[index]
        .log
        .push(2_000_000_000, b"the last line\n");
    let rows = text(&drawn(&app));
    assert!(rows.contains("2.000 the last line"), "{rows}");
}

#[test]
fn one_line_is_one() {
    let script = Script::new("web").step(step(STEP).runs(0.0).log(&["alone"]));
    let app = shown(Screen::new(80, 24), &script, "build 3/4");
    assert!(titled(&app).contains("| 1 line  6B\n"), "{}", titled(&app));
}

#[test]
fn times_of_day_are_local() {
    let mut app = shown(Screen::new(80, 24), &failed(), "build 3/4");
    app.act(Action::Clock);
    let utc = text(&drawn(&app));
    assert!(titled(&app).contains("| UTC  "), "{}", titled(&app));
    app.setup.zone = Zone::of(Some("<+0530>-5:30"));
    assert!(titled(&app).contains("| +0530  "));
    let local = text(&drawn(&app));
    let hour = |text: &str| -> Option<u32> {
        let row = text.lines().find(|row| row.contains("FAIL"))?;
        let (hour, rest) = row.get(2..)?.split_once(':')?;
        let minute = rest.get(..2)?;
        Some(hour.trim().parse::<u32>().ok()? * 60 + minute.parse::<u32>().ok()?)
    };
    let (utc, local) = (hour(&utc).unwrap(), hour(&local).unwrap());
    assert_eq!((utc + 330) % 1440, local);
}

#[test]
fn the_step_is_found_again_in_the_build_of_a_changed_context() {
    let script = failed();
    let mut app = shown(Screen::new(80, 24), &script, STEP);
    let view = app.view_mut().unwrap();
    let now = view.log.vertex.replace("sha256:before".to_owned());
    assert_eq!(now, Some(digest(STEP)));
    view.refresh();
    assert_eq!(view.log.vertex, Some(digest(STEP)));
    // One that this build has not, or not yet.
    view.log.vertex = Some("sha256:gone".to_owned());
    view.log.name = "[build 9/9] RUN gone".to_owned();
    view.refresh();
    assert_eq!(view.log.vertex.as_deref(), Some("sha256:gone"));
    assert!(
        titled(&app).starts_with("log [build 9/9]"),
        "{}",
        titled(&app)
    );
}

#[test]
fn the_title_of_a_filtered_log_does_not_claim_that_all_lines_are_shown() {
    let mut app = shown(Screen::new(80, 24), &failed(), STEP);
    assert!(titled(&app).contains("| 62 lines"), "{}", titled(&app));
    app.view_mut().unwrap().log.filter(Some(literal("FAIL")));
    assert!(
        titled(&app).contains("&FAIL  of 62 lines"),
        "{}",
        titled(&app)
    );
}
