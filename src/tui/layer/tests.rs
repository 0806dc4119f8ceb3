use std::path::PathBuf;

use crossterm::event::{KeyCode, KeyModifiers};

use super::super::fixture::{BEGAN, Screen, Script, screen, step, text};
use super::super::keymap::Key;
use super::super::layout::Pane;
use super::super::msg::{BuildId, Found, Msg, NotWritten};
use super::*;
use crate::monitor::parse::{Command, Process};
use crate::proto::controller::{self, BuilderHealth, InfoResponse};

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

#[test]
fn commands_go_through_the_monitors_parser() {
    let mut app = app();
    let effects = press(&mut app, &[":", "keep 2h", "enter"]);
    assert!(app.layer.is_none());
    let expected = Command::Keep(std::time::Duration::from_secs(7200));
    assert_eq!(run(effects), (Some("web".to_owned()), expected));
    // A mistake keeps the text.
    assert!(press(&mut app, &[":", "keep soon", "enter"]).is_empty());
    assert_eq!(prompt(&app), "keep soon");
    assert!(screen(&app).contains("invalid duration \"soon\""));
    press(&mut app, &["esc"]);
    assert!(app.layer.is_none());
    press(&mut app, &[":", "tmeline", "enter"]);
    assert!(screen(&app).contains("did you mean timeline?"));
    press(&mut app, &["ctrl-u", "backspace"]);
    assert!(app.layer.is_none());
}

#[test]
fn the_name_of_an_action_is_a_command() {
    let mut app = app();
    press(&mut app, &[":", "zoom", "enter"]);
    assert!(app.zoom && app.layer.is_none());
    press(&mut app, &[":", "help", "enter"]);
    assert!(matches!(app.layer, Some(Layer::Help(_))));
    press(&mut app, &["q", ":", "help exec", "enter"]);
    assert!(screen(&app).contains("Usage: exec"), "{}", screen(&app));
    press(&mut app, &["esc", ":", "zoom 2", "enter"]);
    assert!(screen(&app).contains("zoom takes no arguments"));
    press(&mut app, &["esc"]);
    // Meanings that differ have names that differ.
    for name in ["build", "attach", "list", "logs", "exec", "kill", "keep"] {
        assert!(super::super::action::find(name).is_none(), "{name}");
    }
}

#[test]
fn exec_opens_a_tab() {
    let mut app = app();
    let effects = press(&mut app, &[":", "exec -u 0 cat /etc/passwd", "enter"]);
    let process = effects.iter().find_map(|effect| match effect {
        Effect::Exec {
            process, session, ..
        } => Some((session.as_str(), process)),
        _ => None,
    });
    let (session, process) = process.expect("a process");
    assert_eq!(session, "web");
    assert_eq!(
        **process,
        Process {
            arguments: vec!["cat".to_owned(), "/etc/passwd".to_owned()],
            user: Some("0".to_owned()),
            ..Process::default()
        }
    );
    assert_eq!(app.focus, Pane::Shell);
}

#[test]
fn tab_completes_and_then_walks() {
    let mut app = app();
    press(&mut app, &[":", "roll", "tab"]);
    assert_eq!(prompt(&app), "rollback ");
    press(&mut app, &["ctrl-u", "attach w", "tab"]);
    assert_eq!(prompt(&app), "attach web ");
    press(&mut app, &["ctrl-u", "kill ", "tab"]);
    let first = prompt(&app).to_owned();
    press(&mut app, &["tab"]);
    let second = prompt(&app).to_owned();
    assert_ne!(first, second);
    press(&mut app, &["shift-tab"]);
    assert_eq!(prompt(&app), first);
    let (_, words) = app.candidates("kill ", 5);
    let words: Vec<&str> = words.iter().map(|one| one.word.as_str()).collect();
    assert_eq!(words, ["api", "p7", "web"]);
    press(&mut app, &["ctrl-u", "build --lab", "tab"]);
    assert_eq!(prompt(&app), "build --label ");
    // A word of nothing that is known stays.
    press(&mut app, &["ctrl-u", "zz", "tab"]);
    assert_eq!(prompt(&app), "zz");
}

#[test]
fn lines_are_remembered() {
    let mut app = app();
    app.setup.history = Some(PathBuf::from("/state/history"));
    let effects = press(&mut app, &[":", "list", "enter"]);
    assert!(effects.iter().any(|effect| matches!(
        effect,
        Effect::Remember { line, .. } if line == "list"
    )));
    press(&mut app, &[":", "keep 1h", "enter", ":", "ke"]);
    assert!(screen(&app).contains(":keep 1h"), "the ghost is shown");
    press(&mut app, &["right"]);
    assert_eq!(prompt(&app), "keep 1h");
    press(&mut app, &["ctrl-u", "x", "up"]);
    assert_eq!(prompt(&app), "keep 1h");
    press(&mut app, &["up", "up"]);
    assert_eq!(prompt(&app), "list");
    press(&mut app, &["down", "down"]);
    assert_eq!(prompt(&app), "x");
    press(&mut app, &["ctrl-r", "is"]);
    assert_eq!(prompt(&app), "list");
    assert!(screen(&app).contains("(history) is: list"));
    press(&mut app, &["ctrl-g"]);
    assert_eq!(prompt(&app), "x");
    let effects = press(&mut app, &["ctrl-r", "keep", "enter"]);
    assert!(matches!(run(effects).1, Command::Keep(_)));
}

#[test]
fn a_paste_of_a_mebibyte_is_cut() {
    let mut app = app();
    press(&mut app, &[":"]);
    tell(&mut app, Msg::Paste("x\n".repeat(1 << 19)));
    assert_eq!(prompt(&app).len(), 4096);
    press(&mut app, &["enter"]);
    assert!(matches!(app.layer, Some(Layer::Prompt(_))));
}

#[test]
fn patterns_are_checked_before_they_are_sent() {
    let mut app = app();
    app.focus = Pane::Log;
    press(&mut app, &["/", "re:a(", "enter"]);
    assert_eq!(prompt(&app), "re:a(");
    assert!(screen(&app).contains("unclosed group"), "{}", screen(&app));
    press(&mut app, &["esc", "/", "enter"]);
    assert!(app.layer.is_none());
    press(&mut app, &["&", "Error", "enter", "/"]);
    press(&mut app, &["up"]);
    assert_eq!(prompt(&app), "Error");
}

#[test]
fn a_log_is_saved_where_the_user_is() {
    let mut app = app();
    app.focus = Pane::Log;
    let effects = press(&mut app, &["o", "enter"]);
    let path = effects.into_iter().find_map(|effect| match effect {
        Effect::SaveLog { path, .. } => Some(path),
        _ => None,
    });
    assert_eq!(path, Some(PathBuf::from("/home/me/web.log")));
    press(&mut app, &["o", "ctrl-u", "enter"]);
    assert!(screen(&app).contains("which file?"));
    press(&mut app, &["esc"]);
    // What is there goes only if it is said.
    let exists = || Msg::NotSaved {
        session: "web".to_owned(),
        path: "/home/me/web.log".into(),
    };
    tell(&mut app, exists());
    let shown = screen(&app);
    assert!(
        shown.contains("There is a file /home/me/web.log. Overwrite it? y/N"),
        "{shown}"
    );
    let overwrites = |effects: Vec<Effect>| {
        effects.iter().any(|effect| matches!(effect, Effect::SaveLog { path, overwrite: true, .. } if path.ends_with("web.log")))
    };
    assert!(!overwrites(press(&mut app, &["n"])));
    tell(&mut app, exists());
    assert!(overwrites(press(&mut app, &["y"])));
    press(&mut app, &[":"]);
    tell(&mut app, exists());
    assert!(matches!(app.layer, Some(Layer::Prompt(_))));
}

#[test]
fn the_palette_finds_actions_and_commands() {
    let mut app = app();
    press(&mut app, &["ctrl-p", "timel", "enter"]);
    assert_eq!(app.focus, Pane::Timeline);
    let effects = press(&mut app, &["ctrl-p", "list the sess", "enter"]);
    assert_eq!(run(effects).1, Command::List);
    // One that needs words opens the prompt with its name.
    press(&mut app, &["ctrl-p", "signal", "enter"]);
    assert_eq!(prompt(&app), "signal ");
    press(&mut app, &["esc", "ctrl-p", "qqqq", "enter"]);
    assert!(screen(&app).contains("nothing fits"));
    press(&mut app, &["esc"]);
    assert!(app.layer.is_none());
}

#[test]
fn sessions_and_processes_are_found_and_others_asked_for() {
    let mut app = app();
    press(&mut app, &["A", "ap", "enter"]);
    assert_eq!(app.current.as_deref(), Some("api"));
    press(&mut app, &["A", "web", "enter"]);
    let effects = press(&mut app, &["A", "p7", "enter"]);
    assert!(effects.iter().any(|effect| matches!(
        effect,
        Effect::Attach { process, .. } if process == "p7"
    )));
    app.focus = Pane::Progress;
    let effects = press(&mut app, &["A", "zzz9", "enter"]);
    let (_, command) = run(effects);
    assert!(matches!(command, Command::Attach { target: Some(id), .. } if id == "zzz9"));
}

#[test]
fn help_begins_with_this_pane_and_is_searched() {
    let mut app = app();
    app.focus = Pane::Log;
    press(&mut app, &["?"]);
    let Some(Layer::Help(state)) = &app.layer else {
        panic!("no help");
    };
    assert_eq!(
        state.rows()[0],
        help::Row::Heading("in this pane: log".to_owned())
    );
    let of_log = |row: &help::Row| matches!(row, help::Row::Key(keys, ..) if keys == "/");
    let first = state.rows().iter().position(of_log).unwrap();
    let other = |row: &help::Row| *row == help::Row::Heading("everywhere".to_owned());
    assert!(first < state.rows().iter().position(other).unwrap());
    // Something of the log stays in sight.
    let mut wide = app_of((120, 40));
    wide.focus = Pane::Log;
    press(&mut wide, &["?"]);
    assert!(screen(&wide).contains("── log"), "{}", screen(&wide));
    press(&mut app, &["z"]);
    let Some(Layer::Help(state)) = &app.layer else {
        panic!("no help");
    };
    assert!(matches!(&state.rows()[0], help::Row::Key(_, name, _) if name == "zoom"));
    // A letter after the first is a letter, also q.
    press(&mut app, &["q"]);
    assert!(matches!(app.layer, Some(Layer::Help(_))));
    press(&mut app, &["esc", "q"]);
    assert!(app.layer.is_none());
    for key in ["?", "esc", "f1"] {
        press(&mut app, &["?", key]);
        assert!(app.layer.is_none(), "{key}");
    }
}

#[test]
fn help_shows_remapped_keys() {
    let mut app = app();
    let changes = [("zoom", "f9"), ("timeline", "")];
    let changes = changes.map(|(name, keys)| (name.to_owned(), keys.to_owned()));
    let prefix = app.setup.keymap.prefix;
    app.setup.keymap =
        super::super::keymap::Keymap::new(prefix, &changes.into_iter().collect()).unwrap();
    press(&mut app, &["?"]);
    let Some(Layer::Help(state)) = &app.layer else {
        panic!("no help");
    };
    let keys = |wanted: &str| {
        state.rows().iter().find_map(|row| match row {
            help::Row::Key(keys, name, _) if name == wanted => Some(keys.clone()),
            _ => None,
        })
    };
    assert_eq!(keys("zoom").as_deref(), Some("F9"));
    assert_eq!(keys("timeline").as_deref(), Some(":timeline"));
    assert_eq!(keys("session").as_deref(), Some("1-9"));
}

#[test]
fn the_editor_begins_at_the_line_that_failed() {
    let mut app = app();
    let effects = press(&mut app, &["v"]);
    let path = PathBuf::from("/src/app/Dockerfile");
    assert!(matches!(effects.as_slice(), [Effect::Read(read)] if *read == path));
    // What was not asked for opens nothing.
    let other = Msg::File {
        path: PathBuf::from("/etc/passwd"),
        text: Ok("x".to_owned()),
    };
    tell(&mut app, other);
    assert!(app.layer.is_none());
    tell(&mut app, file(&path, DOCKERFILE));
    press(&mut app, &["#"]);
    let effects = press(&mut app, &["ctrl-s"]);
    let [
        Effect::Write {
            path: written,
            text,
            before,
        },
    ] = effects.as_slice()
    else {
        panic!("{effects:?}");
    };
    assert_eq!(*written, path);
    assert_eq!(*text, DOCKERFILE.replace("RUN make \\", "#RUN make \\"));
    assert_eq!(before.as_deref(), Some(DOCKERFILE));
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
fn a_changed_text_is_not_lost_by_accident() {
    let (mut app, _) = editing(SIZES[0], DOCKERFILE);
    press(&mut app, &["esc"]);
    assert!(app.layer.is_none(), "nothing has changed");
    let (mut app, _) = editing(SIZES[0], DOCKERFILE);
    press(&mut app, &["x", "esc"]);
    assert!(screen(&app).contains("Throw the changes away? y/N"));
    press(&mut app, &["n"]);
    assert!(matches!(app.layer, Some(Layer::Edit(_))));
    press(&mut app, &["ctrl-z", "esc"]);
    assert!(app.layer.is_none(), "it was taken back");
    let (mut app, _) = editing(SIZES[0], DOCKERFILE);
    press(&mut app, &["x", "esc", "y"]);
    assert!(app.layer.is_none());
}

#[test]
fn saving_over_what_others_wrote_asks() {
    let (mut app, path) = editing(SIZES[0], DOCKERFILE);
    press(&mut app, &["x", "ctrl-r"]);
    let written = |result| Msg::Written {
        path: path.clone(),
        result,
    };
    assert!(tell(&mut app, written(Err(NotWritten::Changed))).is_empty());
    assert!(screen(&app).contains("write over it? y/N"));
    let effects = press(&mut app, &["y"]);
    assert!(matches!(
        effects.as_slice(),
        [Effect::Write { before: None, .. }]
    ));
    let effects = tell(&mut app, written(Ok(())));
    assert_eq!(run(effects).1, Command::Reload);
    assert!(app.layer.is_none());
    // A failure leaves the text.
    let (mut app, _) = editing(SIZES[0], DOCKERFILE);
    press(&mut app, &["x", "ctrl-s"]);
    let full = NotWritten::Failed("cannot write: no space".to_owned());
    tell(&mut app, written(Err(full)));
    press(&mut app, &["esc"]);
    assert!(screen(&app).contains("Throw the changes away?"));
}

#[test]
fn line_ends_stay_as_they_are() {
    for text in ["", "a", "a\n", "a\r\nb\r\n", "a\r\nb\n", "\n\n"] {
        let state = edit::State::new(PathBuf::from("/f"), text.to_owned(), Some(99));
        assert_eq!(state.text(), text);
        assert!(!state.changed(), "{text:?}");
    }
}

#[test]
fn a_dockerfile_from_elsewhere_is_refused_in_words() {
    let cases = [
        (vec!["--file=-", "."], "from standard input"),
        (
            vec!["https://example.com/a.git"],
            "no directory of this machine",
        ),
        (vec!["--file=https://example.com/D", "."], "is at https://"),
    ];
    for (words, expected) in cases {
        let mut script = script();
        script.inspected.arguments = words.iter().map(|word| (*word).to_owned()).collect();
        let mut app = Screen::new(80, 24).app();
        script.tell(&mut app, 7.0);
        app.focus = Pane::Progress;
        assert!(press(&mut app, &["v"]).is_empty());
        let said = app.toast.as_ref().map(|toast| toast.text.as_str());
        assert!(said.is_some_and(|said| said.contains(expected)), "{said:?}");
    }
    let mut app = app();
    if let Some(inspected) = &mut app.view_mut().unwrap().inspected {
        inspected.arguments = vec!["--file=deploy/D".to_owned(), ".".to_owned()];
    }
    let effects = press(&mut app, &["V"]);
    assert!(effects.iter().any(|effect| matches!(
        effect,
        Effect::Host { words, .. } if words.last().is_some_and(|last| last == "/src/app/deploy/D")
    )));
}

#[test]
fn a_form_becomes_a_build() {
    let mut app = app();
    app.setup.recent_file = Some(PathBuf::from("/state/recent"));
    press(
        &mut app,
        &[
            "a", "ctrl-u", "sub", "tab", "tab", "final", "tab", "web:1 b",
        ],
    );
    press(&mut app, &["tab", "TOKEN=x 'A=b c'", "tab", "--no-cache"]);
    let effects = press(&mut app, &["enter"]);
    let [Effect::Look(paths)] = effects.as_slice() else {
        panic!("{effects:?}");
    };
    assert_eq!(paths[0], PathBuf::from("/home/me/sub"));
    let missing = paths.iter().map(|path| (path.clone(), Found::Nothing));
    assert!(tell(&mut app, Msg::Looked(missing.collect())).is_empty());
    assert!(screen(&app).contains("there is no such directory"));
    press(&mut app, &["enter"]);
    let there = paths.iter().map(|path| (path.clone(), Found::Directory));
    let effects = tell(&mut app, Msg::Looked(there.collect()));
    let [Effect::Build(request), Effect::Recent { words, .. }] = effects.as_slice() else {
        panic!("{effects:?}");
    };
    assert!(request.attaches);
    let expected = [
        "--build-arg=TOKEN=x",
        "--build-arg=A=b c",
        "--no-cache=true",
        "--tag=web:1",
        "--tag=b",
        "--target=final",
        "sub",
    ];
    let mut sorted = request.arguments.clone();
    sorted.sort();
    let mut wanted = expected.map(str::to_owned).to_vec();
    wanted.sort();
    assert_eq!(sorted, wanted);
    assert!(words.contains(&"--build-arg=TOKEN".to_owned()), "{words:?}");
    assert!(words.contains(&"/home/me/sub".to_owned()), "{words:?}");
    assert!(matches!(app.layer, Some(Layer::Form(_))), "until it runs");
    let built = Msg::Built(BuildId {
        session: "new".to_owned(),
        build: 1,
    });
    tell(&mut app, built);
    assert!(app.layer.is_none());
    assert_eq!(app.current.as_deref(), Some("new"));
}

#[test]
fn long_errors_are_shown_whole() {
    for size in SIZES {
        let mut app = app_of(size);
        app.setup.recent = vec![vec!["/home/me/web".to_owned()]];
        press(&mut app, &["a", "ctrl-u", "-", "enter"]);
        let path = PathBuf::from("/home/me/-");
        let there = vec![
            (path, Found::Directory),
            ("/home/me/".into(), Found::Directory),
        ];
        assert!(tell(&mut app, Msg::Looked(there)).is_empty());
        let words = |shown: &str| {
            let shown = shown.replace(['│', '|'], " ");
            shown.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        let wrong = "a build from standard input is started with 'buildx build' elsewhere";
        let shown = screen(&app);
        assert!(words(&shown).contains(wrong), "{shown}");
        assert!(shown.contains("built before"), "{shown}");
        press(&mut app, &["esc", ":", "build -", "enter"]);
        let shown = screen(&app);
        assert!(words(&shown).contains(wrong), "{shown}");
    }
}

#[test]
fn a_recent_build_fills_the_form() {
    let mut app = app();
    let words = ["--tag=a", "--build-arg=X", "--pull=true", "/src"];
    app.setup.recent = vec![words.map(str::to_owned).to_vec()];
    press(&mut app, &["a", "shift-tab", "enter", "enter"]);
    let found = vec![
        (PathBuf::from("/src"), Found::Directory),
        (PathBuf::from("/home/me"), Found::Directory),
    ];
    // An answer to another question starts nothing.
    assert!(tell(&mut app, Msg::Looked(Vec::new())).is_empty());
    press(&mut app, &["enter"]);
    let found = found
        .into_iter()
        .chain([(PathBuf::from("/home/me/"), Found::Directory)]);
    let effects = tell(&mut app, Msg::Looked(found.collect()));
    let [Effect::Build(request)] = effects.as_slice() else {
        panic!("{effects:?}");
    };
    let mut sorted = request.arguments.clone();
    sorted.sort();
    assert_eq!(sorted, ["--build-arg=X", "--pull=true", "--tag=a", "/src"]);
}

#[test]
fn a_build_on_the_command_line() {
    let mut app = app();
    let effects = press(&mut app, &[":", "build -t x .", "enter"]);
    assert!(effects.iter().any(|effect| matches!(
        effect,
        Effect::Build(request) if request.arguments == ["--tag=x", "."]
    )));
    assert_eq!(app.setup.recent, [["--tag=x", "/home/me"]]);
    for (line, expected) in [
        ("build --tga x .", "unexpected argument"),
        ("build -", "standard input"),
        ("build -o - .", "standard output"),
    ] {
        press(&mut app, &[":", line]);
        let effects = press(&mut app, &["enter"]);
        assert!(effects.is_empty(), "{line}");
        assert!(screen(&app).contains(expected), "{line}: {}", screen(&app));
        press(&mut app, &["esc"]);
    }
    // Alone it is the monitor's other name of reload.
    let effects = press(&mut app, &[":", "build", "enter"]);
    assert_eq!(run(effects).1, Command::Reload);
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
fn a_change_waits_for_the_build_that_runs() {
    let mut app = app();
    let changed = |session: &str| Msg::Changed {
        session: session.to_owned(),
        path: "a.c".to_owned(),
        count: 3,
    };
    assert!(
        tell(&mut app, changed("web")).is_empty(),
        "it is not watched"
    );
    assert!(matches!(
        press(&mut app, &["w"]).as_slice(),
        [Effect::Watch {
            wanted: Some(_),
            ..
        }]
    ));
    assert_eq!(
        run(tell(&mut app, changed("web"))),
        (Some("web".to_owned()), Command::Reload)
    );
    // While it builds, once it has ended.
    let mut running = script();
    running.session.build = 2;
    running.session.state = controller::SessionState::Building.into();
    let mut ended = running.clone();
    ended.session.state = controller::SessionState::Failed.into();
    let session = |script: &Script| Msg::Session(Box::new(script.session.clone()));
    tell(&mut app, session(&running));
    assert!(tell(&mut app, changed("web")).is_empty());
    let build = BuildId {
        session: "web".to_owned(),
        build: 2,
    };
    let events = ended.events(BEGAN + 9_000);
    let effects = tell(&mut app, Msg::Trace(build, events));
    assert_eq!(run(effects).1, Command::Reload);
    let effects = tell(
        &mut app,
        Msg::Unwatched {
            session: "web".to_owned(),
            why: "too many".to_owned(),
        },
    );
    assert!(effects.is_empty());
    tell(&mut app, session(&ended));
    assert!(tell(&mut app, changed("web")).is_empty());
}

#[test]
fn a_context_is_watched_from_where_it_was_named() {
    for (context, expected) in [
        (".", Some("/src/app")),
        ("sub/./x", Some("/src/app/sub/x")),
        ("/abs", Some("/abs")),
        ("-", None),
        ("https://example.com/a.git", None),
        ("git@example.com:a", None),
    ] {
        let mut script = script();
        script.session.context = context.to_owned();
        script.inspected.arguments = vec![context.to_owned()];
        let mut app = Screen::new(80, 24).app();
        script.tell(&mut app, 7.0);
        app.focus = Pane::Progress;
        let effects = press(&mut app, &["w"]);
        let watched = effects.into_iter().find_map(|effect| match effect {
            Effect::Watch { wanted, .. } => wanted.map(|wanted| wanted.context),
            _ => None,
        });
        assert_eq!(watched, expected.map(PathBuf::from), "{context}");
    }
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
