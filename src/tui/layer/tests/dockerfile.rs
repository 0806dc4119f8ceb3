use super::*;

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
    let view = app.view_mut().unwrap();
    let mut inspected = view.inspected.clone().unwrap();
    inspected.arguments = vec!["--file=deploy/D".to_owned(), ".".to_owned()];
    view.inspect(inspected);
    let effects = press(&mut app, &["V"]);
    assert!(effects.iter().any(|effect| matches!(
        effect,
        Effect::Host { words, .. } if words.last().is_some_and(|last| last == "/src/app/deploy/D")
    )));
}
