use std::path::PathBuf;

use crossterm::event::{KeyCode, KeyModifiers};

use super::super::fixture::{BEGAN, Screen, Script, screen, step, text};
use super::super::keymap::Key;
use super::super::layout::Pane;
use super::super::msg::{BuildId, Found, Msg, NotWritten};
use super::*;
use crate::monitor::parse::{Command, Process};
use crate::proto::controller::{self, BuilderHealth, InfoResponse};

mod building;
mod commands;
mod dockerfile;
mod finding;
mod keys;
mod watching;

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

const DOCKERFILE: &str =
    "FROM busybox AS base\nRUN apk add make\n\nFROM base\nRUN make \\\n    test\n";

fn script() -> Script {
    let mut script = Script::new("web")
        .dockerfile(DOCKERFILE)
        .step(step("[base 1/2] FROM busybox").cached().line(1))
        .step(step("[base 2/2] RUN apk add make").ran(0.1, 4.0).line(2))
        .step(
            step("[stage-1 1/1] RUN make test")
                .after(&["[base 2/2]"])
                .lines(5, 6)
                .ran(4.0, 6.5)
                .exit(2)
                .log(&["make: *** [Makefile:12: test] Error 1"]),
        )
        .process(controller::Process {
            id: "p7".to_owned(),
            arguments: vec!["sh".to_owned()],
            ..controller::Process::default()
        })
        .process(controller::Process {
            id: "p8".to_owned(),
            arguments: vec!["sh".to_owned()],
            ended: 1,
            ..controller::Process::default()
        })
        .failed("[stage-1 1/1]");
    script.inspected.arguments = vec!["--tag=web".to_owned(), ".".to_owned()];
    script.inspected.directory = "/src/app".to_owned();
    script
}

fn app_of(size: (u16, u16)) -> App {
    let mut app = Screen::new(size.0, size.1).app();
    app.setup.caller.directory = "/home/me".to_owned();
    Script::new("api").tell(&mut app, 1.0);
    script().tell(&mut app, 7.0);
    app.toast = None;
    app.focus = Pane::Progress;
    app
}

fn app() -> App {
    app_of(SIZES[0])
}

/// Presses keys: each character of a word is one, unless the word is the name of a key.
fn press(app: &mut App, keys: &[&str]) -> Vec<Effect> {
    let mut effects = Vec::new();
    for keys in keys {
        match Key::parse(keys) {
            Ok(key) => effects.extend(one(app, key.code, key.modifiers)),
            Err(_) => {
                for letter in keys.chars() {
                    effects.extend(one(app, KeyCode::Char(letter), KeyModifiers::NONE));
                }
            }
        }
    }
    effects
}

fn one(app: &mut App, code: KeyCode, modifiers: KeyModifiers) -> Vec<Effect> {
    let now = app.now;
    app.update(now, Msg::Key(App::press(code, modifiers)))
}

fn tell(app: &mut App, msg: Msg) -> Vec<Effect> {
    let now = app.now;
    app.update(now, msg)
}

/// The only command that is to be carried out.
fn run(effects: Vec<Effect>) -> (Option<String>, Command) {
    let mut runs = effects.into_iter().filter_map(|effect| match effect {
        Effect::Run {
            session, command, ..
        } => Some((session, command)),
        _ => None,
    });
    let run = runs.next().expect("a command");
    assert!(runs.next().is_none());
    run
}

fn prompt(app: &App) -> &str {
    match &app.layer {
        Some(Layer::Prompt(state)) => state.text(),
        other => panic!("no prompt: {other:?}"),
    }
}

/// What is in front alone: panes have snapshots of their own.
fn front(app: &App) -> String {
    let area = Rect::new(0, 0, app.size.0, app.size.1);
    let mut buf = Buffer::empty(area);
    let footer = app.layout().footer;
    match &app.layer {
        Some(layer) => {
            layer.draw(app, area, footer, &mut buf);
        }
        None => which::draw(app, area, area.bottom() - 1, &mut buf),
    }
    text(&buf)
}

/// The layer at every size.
fn snapshots(name: &str, open: impl Fn(&mut App)) {
    for size in SIZES {
        let mut app = app_of(size);
        open(&mut app);
        insta::assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), front(&app));
    }
}

fn file(path: &std::path::Path, text: &str) -> Msg {
    Msg::File {
        path: path.to_owned(),
        text: Ok(text.to_owned()),
    }
}

/// An app with the editor open.
fn editing(size: (u16, u16), text: &str) -> (App, PathBuf) {
    let mut app = app_of(size);
    let path = PathBuf::from("/src/app/Dockerfile");
    press(&mut app, &["v"]);
    tell(&mut app, file(&path, text));
    (app, path)
}

#[test]
fn the_keys_behind_the_prefix_are_told_after_a_while() {
    let mut app = app();
    press(&mut app, &["ctrl-a"]);
    assert!(!screen(&app).contains("Ctrl-a then"));
    let at = app.deadline().expect("a deadline");
    app.update(at, Msg::Tick);
    assert!(screen(&app).contains("Ctrl-a then"), "{}", screen(&app));
    press(&mut app, &["z"]);
    assert!(app.zoom);
    assert!(!screen(&app).contains("Ctrl-a then"));
}

#[test]
fn how_server_and_builder_are() {
    let info = InfoResponse {
        version: "0.1.0".to_owned(),
        pid: 42,
        started: BEGAN - 3_600_000,
        sessions: 2,
        memory: 20 << 20,
        disk: 3 << 20,
        disk_budget: 2 << 30,
        ..InfoResponse::default()
    };
    let health = BuilderHealth {
        builder: "default".to_owned(),
        driver: "docker".to_owned(),
        version: "v0.13.2".to_owned(),
        round_trip: 412,
        platforms: vec!["linux/amd64".to_owned(), "linux/arm64".to_owned()],
        cache: 5 << 30,
        trouble: String::new(),
    };
    snapshots("health", |app| {
        let health = Some(Box::new(health.clone()));
        tell(app, Msg::Health(Box::new(info.clone()), health));
    });
    let mut app = app();
    let sick = BuilderHealth {
        trouble: "no answer\x1b[2J".to_owned(),
        ..health
    };
    tell(&mut app, Msg::Health(Box::new(info), Some(Box::new(sick))));
    assert!(screen(&app).contains("no answer^[[2J"), "{}", screen(&app));
}

#[test]
fn each_layer_as_it_looks() {
    snapshots("command", |app| {
        press(app, &[":", "re"]);
    });
    snapshots("command_wrong", |app| {
        press(app, &[":", "keep soon", "enter"]);
    });
    snapshots("search", |app| {
        app.focus = Pane::Log;
        press(app, &["/"]);
    });
    snapshots("palette", |app| {
        press(app, &["ctrl-p", "sh", "down"]);
    });
    snapshots("go_to", |app| {
        press(app, &["A"]);
    });
    snapshots("help", |app| {
        app.focus = Pane::Log;
        press(app, &["f1"]);
    });
    snapshots("form", |app| {
        let recent = ["--tag=web", "--build-arg=VERSION", "/home/me/web"];
        app.setup.recent = vec![recent.map(str::to_owned).to_vec()];
        press(app, &["a", "tab", "tab", "final"]);
    });
    snapshots("messages", |app| {
        app.say("the build goes on");
        app.complain("cannot write x: no space left on device");
        app.now += 65_000;
        press(app, &["M"]);
    });
    snapshots("which", |app| {
        press(app, &["ctrl-a"]);
        app.now += 500;
    });
    for size in SIZES {
        let (app, _) = editing(size, DOCKERFILE);
        insta::assert_snapshot!(format!("editor_{}x{}", size.0, size.1), front(&app));
    }
}

#[test]
fn help_is_told_whole_and_no_row_is_passed_over() {
    for size in [(80, 24), (40, 12), (200, 60)] {
        let mut app = app_of(size);
        press(&mut app, &["?"]);
        let Some(Layer::Help(state)) = &app.layer else {
            panic!("no help");
        };
        let rows = state.rows().to_vec();
        let mut seen = String::new();
        loop {
            let page = front(&app);
            if seen.ends_with(&page) {
                break;
            }
            seen.push_str(&page);
            press(&mut app, &["pgdn"]);
        }
        assert!(!seen.contains('…'), "{seen}");
        let words: Vec<&str> = seen.split(|c: char| !c.is_alphanumeric()).collect();
        for row in rows {
            let help::Row::Key(_, _, about) = row else {
                continue;
            };
            let told: Vec<&str> = about.split(|c: char| !c.is_alphanumeric()).collect();
            let last = told.iter().rfind(|word| !word.is_empty()).unwrap();
            assert!(words.contains(last), "{about}: {seen}");
        }
        // From the end back to the beginning.
        for _ in 0..200 {
            press(&mut app, &["pgup"]);
        }
        assert!(front(&app).contains("in this pane"));
    }
}

#[test]
fn the_wheel_moves_in_what_is_in_front() {
    let mut app = app();
    let wheel = || {
        Msg::Mouse(crossterm::event::MouseEvent {
            kind: crossterm::event::MouseEventKind::ScrollDown,
            column: 1,
            row: 1,
            modifiers: KeyModifiers::NONE,
        })
    };
    press(&mut app, &["?"]);
    let before = screen(&app);
    tell(&mut app, wheel());
    assert_ne!(screen(&app), before);
    // A question is not answered by it.
    press(&mut app, &["esc", "Q"]);
    tell(&mut app, wheel());
    assert!(matches!(app.layer, Some(Layer::Ask { .. })));
}

#[test]
fn the_welcome_goes_with_any_key() {
    let mut app = app();
    app.hint = true;
    assert!(screen(&app).contains("welcome"));
    press(&mut app, &["j"]);
    assert!(!screen(&app).contains("welcome"));
}

#[test]
fn no_layer_breaks_on_any_size() {
    let open: [&[&str]; 8] = [
        &[":", "re", "tab"],
        &[":", "keep soon", "enter"],
        &["ctrl-p", "s"],
        &["A"],
        &["?", "log"],
        &["a"],
        &["M"],
        &["ctrl-a"],
    ];
    for keys in open {
        for columns in (1..=40).chain([80, 300]) {
            for rows in [1, 2, 3, 5, 8, 24, 100] {
                let mut app = app();
                app.say("something");
                press(&mut app, keys);
                app.now += 500;
                tell(&mut app, Msg::Resize(columns, rows));
                screen(&app);
            }
        }
    }
    for (columns, rows) in [(1, 1), (9, 3), (10, 3), (30, 4), (500, 200)] {
        let (mut app, _) = editing(SIZES[0], DOCKERFILE);
        tell(&mut app, Msg::Resize(columns, rows));
        press(&mut app, &["pgdn", "x", "end", "enter", "pgup"]);
        screen(&app);
    }
}

#[test]
fn the_footer_names_the_keys_of_what_is_in_front() {
    let footer = |keys: &[&str]| {
        let mut app = app();
        press(&mut app, keys);
        assert!(app.layer.is_some(), "{keys:?}");
        screen(&app).lines().last().unwrap_or_default().to_owned()
    };
    for (key, word) in [
        ("ctrl-p", "CHOOSE"),
        ("A", "CHOOSE"),
        ("a", "NEW BUILD"),
        ("?", "HELP"),
    ] {
        let footer = footer(&[key]);
        assert!(
            footer.contains(word) && footer.contains("Esc closes"),
            "{footer}"
        );
        assert!(!footer.contains("NAV"), "{footer}");
    }
    let mut app = app();
    app.say("something");
    press(&mut app, &["M"]);
    assert!(
        screen(&app).contains("READ j k scroll  Esc closes"),
        "{}",
        screen(&app)
    );
}

#[test]
fn lines_beyond_the_box_are_counted() {
    let mut app = app();
    for number in 0..40 {
        app.say(format!("line {number}"));
    }
    press(&mut app, &["M"]);
    assert!(front(&app).contains(" 18 more "), "{}", front(&app));
    press(&mut app, &["G"]);
    assert!(!front(&app).contains(" more "), "{}", front(&app));
}

#[test]
fn the_footer_of_a_log_names_the_next_match_while_a_search_is_on() {
    let mut app = app();
    app.focus = Pane::Log;
    let footer = |app: &App| screen(app).lines().last().unwrap_or_default().to_owned();
    assert!(!footer(&app).contains("n next match"));
    press(&mut app, &["/", "make", "enter"]);
    assert!(
        footer(&app).contains("n next match  N previous match"),
        "{}",
        footer(&app)
    );
    press(&mut app, &["esc"]);
    assert!(!footer(&app).contains("n next match"));
}

#[test]
fn nothing_stands_behind_what_is_wrong_with_a_command() {
    let mut app = app();
    press(&mut app, &[":", "keep soon", "enter"]);
    let shown = screen(&app);
    let row = shown.lines().rev().nth(1).unwrap_or_default();
    let beneath = |app: &App| {
        let area = Rect::new(0, 0, app.size.0, app.size.1);
        let mut buf = Buffer::filled(area, ratatui::buffer::Cell::new("#"));
        if let Some(layer) = &app.layer {
            layer.draw(app, area, app.layout().footer, &mut buf);
        }
        text(&buf)
    };
    let filled = beneath(&app);
    let alone = filled.lines().rev().nth(1).unwrap_or_default();
    assert_eq!(alone, row);
}

#[test]
fn the_palette_does_not_begin_with_nine_digits() {
    let mut app = app_of((120, 40));
    press(&mut app, &["ctrl-p"]);
    let shown = front(&app);
    assert!(!shown.contains("session-1"), "{shown}");
    assert!(shown.contains("▸ next-session"), "{shown}");
    press(&mut app, &["session-3", "enter"]);
    assert!(screen(&app).contains("there is no session 3"));
}
