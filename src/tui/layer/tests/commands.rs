use super::*;

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
        assert!(super::super::super::action::find(name).is_none(), "{name}");
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
