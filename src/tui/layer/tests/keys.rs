use super::*;

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
        super::super::super::keymap::Keymap::new(prefix, &changes.into_iter().collect()).unwrap();
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
