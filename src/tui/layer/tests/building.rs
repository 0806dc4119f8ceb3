use super::*;

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
fn what_is_typed_takes_the_place_of_the_proposed_directory() {
    let directory = |keys: &[&str]| {
        let mut app = app();
        press(&mut app, &["a"]);
        press(&mut app, keys);
        press(&mut app, &["enter"])
            .into_iter()
            .find_map(|effect| match effect {
                Effect::Look(paths) => paths.first().cloned(),
                _ => None,
            })
    };
    let home = |path: &str| Some(PathBuf::from("/home/me").join(path));
    assert_eq!(directory(&[]), home("."));
    assert_eq!(directory(&["web"]), home("web"));
    assert_eq!(directory(&["/srv"]), home("/srv"));
    assert_eq!(directory(&["./web"]), home("./web"));
    assert_eq!(
        directory(&["tab", "tab", "shift-tab", "shift-tab", "web"]),
        home("web")
    );
    // A key that edits the proposal keeps it.
    assert_eq!(directory(&["end", "/web"]), home("./web"));
    let mut app = app();
    press(&mut app, &["a"]);
    tell(&mut app, Msg::Paste("web".to_owned()));
    assert!(
        matches!(press(&mut app, &["enter"]).as_slice(), [Effect::Look(paths)] if Some(&paths[0]) == home("web").as_ref())
    );
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
