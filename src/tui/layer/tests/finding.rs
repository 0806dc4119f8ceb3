use super::*;

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
