//! What the screen says where something failed early, where a key cannot work, and where names are not enough.

use super::*;
use crate::tui::keymap::Key;

#[test]
fn a_failure_before_any_step_is_told_where_the_log_is() {
    let script = Script::new("web").failure(BuildFailure {
        message: "failed to load LLB: network.host is not allowed".to_owned(),
        no_state: "The build failed outside of its steps: there is nothing.".to_owned(),
        ..BuildFailure::default()
    });
    let mut app = told(&script, (80, 24));
    let shown = screen(&app);
    let why = "The build failed: failed to load LLB: network.host is not allowed";
    assert!(shown.contains(why) && !shown.contains("0/0"), "{shown}");
    // Also in the place of a step that the build before had.
    let mut again = told(&samples::failed(), (80, 24));
    again.focus_on(Pane::Log);
    let mut next = script.clone();
    next.session.build = 2;
    next.tell(&mut again, 46.0);
    assert!(screen(&again).contains(why), "{}", screen(&again));
    app.update(
        app.now,
        Msg::Key(App::press(KeyCode::Char('s'), KeyModifiers::NONE)),
    );
    let shown = screen(&app);
    assert!(
        shown.contains("no shell: the build failed outside of its steps: there is nothing\n"),
        "{shown}"
    );
}

#[test]
fn sentences_behind_a_colon() {
    assert_eq!(clause("The build failed: x."), "the build failed: x");
    assert_eq!(clause("DNS does not work."), "DNS does not work");
    assert_eq!(clause("there was no build"), "there was no build");
    assert_eq!(clause("."), "");
}

#[test]
fn what_ctrl_c_says_names_the_keys_that_are_set() {
    let mut app = Screen::new(80, 24).app();
    let prefix = Key::parse("ctrl-a").unwrap();
    let changes = [("detach", "f9"), ("end", "f10")];
    let changes = changes.map(|(name, key)| (name.to_owned(), key.to_owned()));
    app.setup.keymap = Keymap::new(prefix, &changes.into()).unwrap();
    let press = |app: &mut App| {
        let key = App::press(KeyCode::Char('c'), KeyModifiers::CONTROL);
        app.update(app.now, Msg::Key(key));
        screen(app)
    };
    let shown = press(&mut app);
    assert!(
        shown.contains("F9 leaves") && !shown.contains("F10"),
        "{shown}"
    );
    Script::new("web").tell(&mut app, 10.0);
    let shown = press(&mut app);
    assert!(
        shown.contains("Ctrl-C again") && shown.contains("F9 leaves"),
        "{shown}"
    );
}

#[test]
fn a_build_that_went_well_has_no_state_before_a_failed_step() {
    let mut script = Script::new("web")
        .step(step("[1/1] RUN true").ran(0.0, 1.0))
        .finished(&[]);
    script.session.kept_until = at(600.0);
    let mut app = told(&script, (80, 24));
    app.focus_on(Pane::Progress);
    let effects = letter(&mut app, 'S');
    assert!(
        !effects
            .iter()
            .any(|effect| matches!(effect, Effect::Exec { .. }))
    );
    let said = screen(&app);
    assert!(
        said.contains("no step failed; I starts a shell in the result"),
        "{said}"
    );
    let effects = letter(&mut app, 'I');
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::Exec { .. }))
    );
}

#[test]
fn no_key_does_nothing_and_says_nothing() {
    let mut app = Screen::new(80, 24).app();
    for key in "xseiftLObrwvV!USIy/&".chars() {
        app.toast = None;
        let effects = letter(&mut app, key);
        let said = app.toast.as_ref().map(|toast| toast.text.clone());
        assert!(
            effects.is_empty() && app.layer.is_none(),
            "{key}: {effects:?}"
        );
        match "&/y".contains(key) {
            // Keys of texts, of which there is none.
            true => assert!(said.is_some(), "{key}"),
            false => assert_eq!(
                said.as_deref(),
                Some("there is no session; a builds, A attaches"),
                "{key}"
            ),
        }
    }
    let script = Script::new("web").failure(BuildFailure {
        message: "no".to_owned(),
        no_state: "No step has run.".to_owned(),
        ..BuildFailure::default()
    });
    let mut app = told(&script, (80, 24));
    app.focus_on(Pane::Log);
    let mut said = |key: KeyCode| {
        app.toast = None;
        super::key(&mut app, key);
        assert!(app.layer.is_none());
        app.toast
            .as_ref()
            .map(|toast| toast.text.clone())
            .unwrap_or_default()
    };
    assert_eq!(said(KeyCode::Char('n')), "there is no other session");
    assert_eq!(said(KeyCode::Char('U')), "no shell: no step has run");
    assert_eq!(said(KeyCode::Enter), "open does nothing in log");
}

#[test]
fn an_end_that_is_told_once_more_opens_no_shell() {
    let mut app = Screen::new(120, 40).app();
    let script = samples::failed();
    app.started = Some(BuildId {
        session: script.session.id.clone(),
        build: script.session.build,
    });
    let shells = |effects: Vec<Effect>| {
        let execs = effects
            .iter()
            .filter(|effect| matches!(effect, Effect::Exec { .. }));
        execs.count()
    };
    assert_eq!(shells(script.tell(&mut app, 45.0)), 1);
    assert_eq!(app.focus, Pane::Shell);
    // The server dies with the shell, and another one has the trace only.
    app.shells.clear();
    app.update(app.now, Msg::Lost("gone".to_owned()));
    app.update(app.now, Msg::Connected(Box::default()));
    assert_eq!(shells(script.tell(&mut app, 46.0)), 0);
    assert_ne!(app.focus, Pane::Shell);
}

#[test]
fn the_title_says_what_it_has_room_for() {
    let title = |columns| {
        let app = told(&samples::failed(), (columns, 24));
        screen(&app).lines().nth(1).unwrap_or_default().to_owned()
    };
    let all = "FAILED  at [build 3/4]  10/14  3 cached  1 error  1 warning  00:45.0";
    assert!(title(80).ends_with(all), "{}", title(80));
    let some = "FAILED  at [build 3/4]  10/14  1 error  00:45.0";
    assert!(title(55).ends_with(some), "{}", title(55));
    let few = "| web        FAILED  at [build 3/4]  10/14  00:45.0";
    assert_eq!(title(50), few);
}

#[test]
fn questions_tell_sessions_of_one_name_apart() {
    let mut app = told(&samples::running(), (80, 24));
    let question = |app: &mut App, key| {
        letter(app, key);
        let asked = screen(app).lines().last().unwrap_or_default().to_owned();
        letter(app, 'n');
        asked
    };
    assert!(question(&mut app, 'x').contains("Stop the build of web?"));
    let mut other = samples::running();
    other.session.id = "other".to_owned();
    other.tell(&mut app, 45.0);
    assert!(question(&mut app, 'x').contains("Stop the build of web (number 2)?"));
    assert!(question(&mut app, 'Q').contains("End session web (number 2) with"));
}

#[test]
fn the_next_error_of_one_is_said_to_be_the_only_one() {
    let script = Script::new("web")
        .step(step("[1/2] RUN true").ran(0.0, 1.0))
        .step(step("[2/2] RUN make").ran(1.0, 2.0).exit(2))
        .failed("[2/2]");
    let mut app = told(&script, (80, 24));
    app.focus_on(Pane::Progress);
    letter(&mut app, 'k');
    letter(&mut app, 'e');
    assert_eq!(app.toast, None);
    letter(&mut app, 'e');
    let said = app.toast.as_ref().map(|toast| toast.text.as_str());
    assert_eq!(said, Some("no other error or warning"));
}
