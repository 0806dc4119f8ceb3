use ratatui::style::Color;

use super::super::super::app::App;
use super::super::super::fixture::{Screen, Script, inside, pane, screen, step, styled, text};
use super::super::super::layout::Pane;
use super::super::super::msg::Msg;
use super::*;
use crate::proto::controller::{BuildFailure, LineRange, SourceExcerpt, SourceFile};

const SOURCE: &str = "# syntax=docker/dockerfile:1
FROM alpine AS base
ARG TARGETOS=\"linux\"
RUN apk add --no-cache make \\
    # the compiler
    gcc
FROM base AS build
COPY . .
RUN --mount=type=cache,target=/root/.cache make test VERSION=$VERSION
RUN <<EOF
echo \"hello\"
EOF
RUN make install
";

fn script() -> Script {
    Script::new("web")
        .dockerfile(SOURCE)
        .step(step("[base 1/2] FROM alpine").cached().line(2))
        .step(step("[base 2/2] RUN apk add").ran(0.1, 12.5).lines(4, 6))
        .step(
            step("[build 1/4] COPY . .")
                .ran(12.5, 13.1)
                .line(8)
                .warning("CopyIgnored: .env", 8),
        )
}

fn failed() -> Script {
    script()
        .step(
            step("[build 2/4] RUN make test")
                .ran(13.1, 31.3)
                .exit(2)
                .line(9),
        )
        .step(
            step("[build 3/4] RUN <<EOF")
                .ran(13.1, 31.3)
                .canceled()
                .lines(10, 12),
        )
        .step(step("[build 4/4] RUN make install").line(13))
        .failed("[build 2/4]")
}

/// The pane alone on the screen.
fn shown(screen: Screen, script: &Script, now: f64) -> App {
    let mut app = screen.app();
    app.focus = Pane::Dockerfile;
    app.detail = Pane::Dockerfile;
    app.zoom = true;
    script.tell(&mut app, now);
    app
}

fn drawn(app: &App) -> Buffer {
    let place = inside(app, Pane::Dockerfile);
    let view = app.view().unwrap();
    pane(app, (place.width, place.height), true, |area, buf, look| {
        draw(view, area, buf, look);
    })
}

#[test]
fn a_failed_build_in_every_size() {
    for (columns, rows) in [(80, 24), (120, 40), (200, 60)] {
        let app = shown(Screen::new(columns, rows), &failed(), 31.3);
        insta::assert_snapshot!(format!("failed_{columns}x{rows}"), text(&drawn(&app)));
    }
    let app = shown(Screen::new(80, 24), &failed(), 31.3);
    insta::assert_snapshot!("failed_colours", styled(&drawn(&app)));
    let app = shown(Screen::new(50, 14).ascii(), &failed(), 31.3);
    insta::assert_snapshot!("failed_ascii", styled(&drawn(&app)));
}

#[test]
fn a_build_that_runs() {
    let script = script().step(step("[build 2/4] RUN make test").runs(13.1).line(9));
    let app = shown(Screen::new(80, 24), &script, 20.0);
    insta::assert_snapshot!(text(&drawn(&app)));
}

#[test]
fn between_the_mark_and_a_long_number_is_a_space() {
    let source = format!("FROM scratch\n{}COPY . .\n", "#\n".repeat(114));
    let script = Script::new("web")
        .dockerfile(&source)
        .step(step("[2/2] COPY . .").ran(0.1, 0.2).line(116))
        .finished(&[]);
    let mut app = shown(Screen::new(80, 24), &script, 1.0);
    let view = app.view_mut().unwrap();
    act(view, Action::Bottom, 20);
    let rows = text(&drawn(&app));
    assert!(rows.contains("✓ 116  COPY . ."), "{rows}");
    assert!(rows.contains("  115  #"), "{rows}");
}

#[test]
fn why_there_is_no_source() {
    let app = shown(Screen::new(80, 24), &Script::new("web"), 1.0);
    assert!(text(&drawn(&app)).contains("Waiting for the frontend"));
    let app = shown(Screen::new(80, 24), &Script::new("web").finished(&[]), 1.0);
    assert!(text(&drawn(&app)).contains("Built from stdin or LLB"));
}

#[test]
fn the_lines_of_a_syntax_error_are_marked() {
    let source = "FROM x\nRUNN y\n";
    let script = Script::new("web").dockerfile(source).failure(BuildFailure {
        message: "unknown instruction: RUNN".to_owned(),
        sources: vec![SourceExcerpt {
            filename: "Dockerfile".to_owned(),
            data: source.into(),
            ranges: vec![LineRange { start: 2, end: 2 }],
        }],
        ..BuildFailure::default()
    });
    let app = shown(Screen::new(80, 24), &script, 1.0);
    let rows = text(&drawn(&app));
    let row = rows.lines().nth(1).unwrap();
    assert!(
        row.contains("✗  2  RUNN y") && row.ends_with("ERROR"),
        "{rows}"
    );
    assert_eq!(app.view().unwrap().dockerfile.cursor, 1);
    // The word that the message names is marked in it.
    let buf = drawn(&app);
    let marked = (0..80)
        .filter(|x| {
            buf.cell((*x, 1))
                .is_some_and(|cell| cell.bg == Color::Yellow)
        })
        .collect::<Vec<_>>();
    assert_eq!(marked, [7, 8, 9, 10]);
}

#[test]
fn enter_selects_the_step_of_the_line() {
    let mut app = shown(Screen::new(80, 24), &failed(), 31.3);
    app.act(Action::Top);
    for _ in 0..4 {
        app.act(Action::Down);
    }
    app.act(Action::Open);
    let view = app.view().unwrap();
    assert_eq!(view.progress.selected(&view.build), Some(1));
    assert_eq!(view.dockerfile.cursor, 4);
    app.act(Action::Top);
    app.act(Action::Open);
    assert!(screen(&app).contains("no step of the build comes from this line"));
}

#[test]
fn it_follows_the_selected_step_until_it_is_moved_by_hand() {
    let many: String = (0..100).map(|line| format!("RUN step {line}\n")).collect();
    let mut script = Script::new("web").dockerfile(&many);
    for line in 0..100_u32 {
        let name = format!("[{line}/100] RUN step {line}");
        script = script.step(step(&name).cached().line(line + 1));
    }
    let mut app = shown(Screen::new(80, 24), &script, 1.0);
    let show = |app: &mut App, step: usize| {
        let view = app.view_mut().unwrap();
        view.progress.select(&view.build, step);
        app.update(0, Msg::Tick);
    };
    show(&mut app, 70);
    assert!(text(&drawn(&app)).contains("71  RUN step 70"));
    app.act(Action::Top);
    show(&mut app, 80);
    assert!(text(&drawn(&app)).contains(" 1  RUN step 0"));
    let view = app.view_mut().unwrap();
    view.dockerfile.show_step(&view.build, 80);
    show(&mut app, 80);
    assert!(text(&drawn(&app)).contains("81  RUN step 80"));
    app.act(Action::Bottom);
    assert!(text(&drawn(&app)).contains("100  RUN step 99"));
}

#[test]
fn several_files_take_turns_and_copies_of_one_are_one() {
    let mut app = shown(Screen::new(80, 24), &failed(), 31.3);
    let view = app.view_mut().unwrap();
    let same = view.build.files[0].clone();
    view.build.files.push(same);
    view.build.files.push(SourceFile {
        name: "bake\x1b[2J".to_owned(),
        data: "group \"default\" {}\n".into(),
        language: "HCL".to_owned(),
    });
    app.update(0, Msg::Tick);
    let title_of = |app: &App| {
        let look = Look {
            theme: &app.setup.theme,
            keymap: &app.setup.keymap,
            focused: true,
            now: 0,
            zone: &app.setup.zone,
        };
        title(app.view().unwrap(), &look).0
    };
    assert_eq!(title_of(&app), "Dockerfile (1 of 2)");
    app.act(Action::Dockerfile);
    assert_eq!(title_of(&app), "bake^[[2J (2 of 2)");
    assert_eq!(app.focus, Pane::Dockerfile);
    assert!(text(&drawn(&app)).contains("group \"default\" {}"));
    app.act(Action::Dockerfile);
    assert_ne!(app.focus, Pane::Dockerfile);
    assert_eq!(title_of(&app), "Dockerfile (1 of 2)");
}

#[test]
fn hostile_sources_are_harmless_and_bounded() {
    let long = format!(
        "RUN \x1b]0;t\x07{}\tx\r\n{}",
        "世".repeat(10_000),
        "\n".repeat(50_000)
    );
    let script = Script::new("web").dockerfile(&long);
    let mut app = shown(Screen::new(80, 24), &script, 1.0);
    assert_eq!(app.view().unwrap().dockerfile.source.lines.len(), 20_000);
    for _ in 0..3 {
        app.act(Action::ScrollRight);
        let buf = drawn(&app);
        let symbols = buf.content().iter().flat_map(|cell| cell.symbol().chars());
        assert!(!symbols.into_iter().any(char::is_control));
    }
    app.act(Action::Bottom);
    assert!(text(&drawn(&app)).contains("20000"));
}
