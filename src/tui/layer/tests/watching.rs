use super::*;

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
fn a_build_that_a_change_started_takes_no_keys_away() {
    for (watching, focus) in [(true, Pane::Progress), (false, Pane::Shell)] {
        let mut app = app();
        if let Some(view) = app.view_mut() {
            view.watching = watching;
        }
        app.started = Some(BuildId {
            session: "web".to_owned(),
            build: 2,
        });
        let mut next = script();
        next.session.build = 2;
        let effects = next.tell(&mut app, 9.0);
        let opens = |effect: &Effect| matches!(effect, Effect::Exec { .. });
        assert!(effects.iter().any(opens));
        assert_eq!(app.focus, focus);
    }
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
