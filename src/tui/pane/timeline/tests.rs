use insta::assert_snapshot;

use super::super::super::app::App;
use super::super::super::fixture::{Screen, Script, at, pane, samples, step, styled, text};
use super::super::super::msg::Msg;
use super::*;
use crate::progress::time::SECOND;

fn told(script: &Script, now: f64) -> App {
    let mut app = Screen::new(200, 60).app();
    script.tell(&mut app, now);
    app
}

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

/// Names of the steps on the critical path, and its time.
fn critical(script: &Script, now: f64) -> (Vec<String>, f64) {
    let mut app = told(script, now);
    let view = app.view_mut().unwrap();
    let path = path::critical(&view.build, &view.timeline.inputs, view.timeline.to);
    let name = |id: usize| view.build.trace.steps[id].name.clone();
    let names = path.into_iter().map(name).collect();
    let now = at(now) * 1_000_000;
    let span = view.timeline.critical(&view.build, now);
    (names, span as f64 / SECOND as f64)
}

#[test]
fn while_it_runs() {
    let app = told(&samples::running(), 12.0);
    assert_snapshot!(shown(&app, (101, 14)));
    assert_snapshot!("while_it_runs_80x8", shown(&app, (80, 8)));
}

#[test]
fn bars_grow_with_the_clock() {
    let mut app = told(&samples::running(), 12.0);
    let title = |app: &App| shown(app, (80, 2)).lines().next().unwrap().to_owned();
    assert_eq!(title(&app), "timeline | total 12.0s  █ critical path 11.8s");
    app.update(at(20.0), Msg::Tick);
    assert_eq!(title(&app), "timeline | total 20.0s  █ critical path 19.8s");
}

#[test]
fn failed() {
    let app = told(&samples::failed(), 32.0);
    assert_snapshot!(shown(&app, (101, 14)));
    let view = app.view().unwrap();
    let buf = pane(&app, (80, 14), false, |area, buf, look| {
        draw(view, area, buf, look)
    });
    assert_snapshot!("failed_in_colour", styled(&buf));
}

#[test]
fn failed_in_ascii_without_colour() {
    let mut app = Screen::new(120, 40).ascii().app();
    samples::failed().tell(&mut app, 32.0);
    let view = app.view().unwrap();
    let buf = pane(&app, (92, 14), true, |area, buf, look| {
        draw(view, area, buf, look)
    });
    assert!(text(&buf).is_ascii());
    assert_snapshot!(styled(&buf));
}

#[test]
fn finished_and_canceled() {
    assert_snapshot!(
        "finished",
        shown(&told(&samples::finished(), 42.0), (101, 14))
    );
    assert_snapshot!(
        "canceled",
        shown(&told(&samples::canceled(), 9.0), (101, 14))
    );
}

#[test]
fn without_steps() {
    let script = Script::new("web");
    assert_snapshot!("waiting", shown(&told(&script, 1.0), (60, 2)));
    assert_snapshot!("nothing", shown(&told(&script.stopped(""), 1.0), (60, 2)));
}

#[test]
fn the_critical_path_is_the_longest_chain_with_what_came_behind_it() {
    let (names, span) = critical(&samples::finished(), 42.0);
    let expected = [
        "[internal] load build context",
        "[base 4/4] COPY go.mod go.sum ./",
        "[deps 1/1] RUN go mod download",
        "[build 2/4] COPY . .",
        "[build 3/4] RUN --mount=type=cache,target=/root/.cache make test",
        "[build 4/4] RUN make install",
        "[stage-4 1/1] COPY --from=build /out/web /web",
        "exporting to image",
    ];
    assert_eq!(names, expected);
    assert!((span - 41.4).abs() < 0.001, "{span}");
}

#[test]
fn the_critical_path_goes_through_groups() {
    let script = Script::new("web")
        .step(step("[1/3] FROM a").ran(0.0, 2.0))
        .step(
            step("copy")
                .after(&["[1/3]"])
                .group("[2/3] COPY --link", false)
                .ran(2.0, 5.0),
        )
        .step(
            step("merge")
                .after(&["copy"])
                .group("[2/3] COPY --link", false)
                .ran(5.0, 5.5),
        )
        .step(step("[3/3] RUN b").after(&["merge"]).ran(5.5, 6.0));
    let (names, span) = critical(&script, 7.0);
    assert_eq!(names, ["[1/3] FROM a", "[2/3] COPY --link", "[3/3] RUN b"]);
    assert!((span - 6.0).abs() < 0.001, "{span}");
}

#[test]
fn steps_that_wait_for_each_other_end_the_chain() {
    let script = Script::new("web")
        .step(step("[1/3] a").after(&["[3/3]"]).ran(0.0, 1.0))
        .step(step("[2/3] b").after(&["[1/3]", "[2/3]"]).ran(1.0, 2.0))
        .step(step("[3/3] c").after(&["[2/3]"]).ran(2.0, 3.0));
    let (names, _) = critical(&script, 7.0);
    assert_eq!(names, ["[1/3] a", "[2/3] b", "[3/3] c"]);
}

#[test]
fn a_long_chain_does_not_use_the_stack() {
    // As deep as the call stack of a test could not be.
    let mut script = Script::new("web").step(step("step 0").ran(0.0, 1.0));
    for number in 1..20_000 {
        let from = f64::from(number);
        script = script.step(step(&format!("step {number}")).ran(from, from + 1.0));
    }
    let app = told(&script, 20_000.0);
    let build = &app.view().unwrap().build;
    let inputs = path::Inputs::chain(20_000);
    assert_eq!(path::critical(build, &inputs, 0).len(), 20_000);
}

#[test]
fn steps_of_our_own_are_on_the_same_axis_whatever_the_clocks_show() {
    let mut build = Build::default();
    let script = Script::new("web")
        .step(step("[1/1] RUN a").ran(0.0, 10.0))
        .step(step("pushing").local().ran(10.0, 12.0));
    // The engine is an hour behind: what it tells comes an hour later by our clock.
    let hour = 3600 * 1000;
    for mut event in script.events(at(12.0)) {
        event.time += hour;
        build.see(event);
    }
    let local = build.trace.steps.iter().find(|step| step.local).unwrap();
    let period = periods(&build, local).next().unwrap();
    let started = local.periods()[0].start;
    assert_eq!(started - period.start, hour * 1_000_000);
}

#[test]
fn ticks_are_round_and_apart() {
    for (seconds, columns, expected) in [
        (0.4, 40, "0s 0.1s 0.2s 0.3s"),
        (41.0, 60, "0s 10s 20s 30s 40s"),
        (41.0, 20, "0s 30s"),
        (100.0, 80, "0s 20s 40s 1m 1m20s"),
        (4000.0, 50, "0s 20m 40m 1h"),
        (90_000.0, 30, "0s 9h 18h"),
    ] {
        let axis = Axis::new(5, 5 + (seconds * SECOND as f64) as Nanos, columns);
        let ticks = axis.ticks();
        let labels: Vec<_> = ticks.iter().map(|(_, label)| label.as_str()).collect();
        assert_eq!(labels.join(" "), expected, "{seconds} {columns}");
        for pair in ticks.windows(2) {
            assert!(pair[1].0 - pair[0].0 >= 8, "{seconds} {columns}: {pair:?}");
        }
    }
}

#[test]
fn absurd_times_stay_on_the_axis() {
    for (from, to) in [(i64::MIN, i64::MAX), (0, 0), (5, -5), (i64::MAX, i64::MIN)] {
        let axis = Axis::new(from, to, 7);
        assert!(axis.ticks().iter().all(|(column, _)| *column < 7));
        for (start, stop) in [(i64::MIN, i64::MAX), (0, 0), (3, 1), (i64::MAX, i64::MIN)] {
            let (first, end) = axis.period(start, stop);
            assert!(first < end && end <= 7, "{from} {to} {start} {stop}");
        }
    }
}

#[test]
fn what_another_build_left_in_memory_does_not_stretch_the_axis() {
    let script = Script::new("web")
        .step(step("[1/2] RUN a").ran(-300.0, -290.0).cached())
        .step(step("[2/2] RUN b").ran(1.0, 3.0));
    let app = told(&script, 4.0);
    let shown = shown(&app, (80, 4));
    let title = shown.lines().next().unwrap();
    assert!(title.contains("total 2.0s"), "{title}");
}

#[test]
fn small_places_and_hostile_times() {
    let script = Script::new("web")
        .step(step("[1/2] RUN \u{1b}[2Ja").runs(-9e9))
        .step(step("[2/2] RUN b").ran(9e9, -9e9));
    let app = told(&script, 2.0);
    for size in [(0, 0), (1, 1), (10, 3), (19, 2), (30, 1), (500, 3)] {
        assert!(!shown(&app, size).contains('\u{1b}'));
    }
}
