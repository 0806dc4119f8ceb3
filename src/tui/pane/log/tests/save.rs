use super::*;

#[test]
fn a_saved_log_is_all_of_it() {
    let app = shown(Screen::new(80, 24), &failed(), "build 3/4");
    let view = app.view().unwrap();
    let effect = view
        .log
        .save(&view.build, &app.setup.zone, "x.log".into(), false);
    let Effect::SaveLog {
        build,
        vertex,
        path,
        form,
        overwrite: false,
    } = effect
    else {
        panic!("{effect:?}")
    };
    assert_eq!((build.session.as_str(), build.build), ("web", 1));
    assert_eq!((vertex, path), (digest(STEP), "x.log".into()));
    assert_eq!((form.filter, form.clock), (None, Clock::Step));
    assert_eq!(view.session.state(), SessionState::Failed);
    // As it is shown: the filter and the clock.
    let mut app = app;
    app.act(Action::Clock);
    let view = app.view_mut().unwrap();
    view.log.filter(Some(literal("FAIL")));
    assert_eq!(view.log.words(), "lines with FAIL, local times");
    let view = app.view().unwrap();
    let effect = view
        .log
        .save(&view.build, &app.setup.zone, "x.log".into(), false);
    let Effect::SaveLog { form, .. } = effect else {
        panic!("{effect:?}")
    };
    assert_eq!(
        (form.filter, form.clock),
        (Some(literal("FAIL")), Clock::Day)
    );
}
