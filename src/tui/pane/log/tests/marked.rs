use super::*;

#[test]
fn a_drag_marks_lines_and_copies_them() {
    use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
    let mut app = shown(Screen::new(80, 24), &failed(), "build 3/4");
    let place = inside(&app, Pane::Log);
    let at = |app: &mut App, kind: MouseEventKind, row: u16| {
        let event = MouseEvent {
            kind,
            column: place.x + 5,
            row: place.y + row,
            modifiers: KeyModifiers::NONE,
        };
        app.update(app.now, Msg::Mouse(event))
    };
    at(&mut app, MouseEventKind::Down(MouseButton::Left), 19);
    at(&mut app, MouseEventKind::Drag(MouseButton::Left), 18);
    let effects = at(&mut app, MouseEventKind::Up(MouseButton::Left), 18);
    let copied = effects.iter().find_map(|effect| match effect {
        Effect::Clipboard(text) => std::str::from_utf8(text).ok(),
        _ => None,
    });
    let copied = copied.unwrap_or_default();
    assert!(
        copied.starts_with("--- FAIL: TestParse (0.02s)\n\tparse_test"),
        "{copied:?}"
    );
    assert_eq!(copied.lines().count(), 2);
}

#[test]
fn a_drag_that_is_held_beyond_a_border_scrolls() {
    use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
    let mut app = shown(Screen::new(80, 14), &failed(), "build 3/4");
    let place = inside(&app, Pane::Log);
    let at = |app: &mut App, kind: MouseEventKind, row: u16| {
        let event = MouseEvent {
            kind,
            column: place.x + 5,
            row,
            modifiers: KeyModifiers::NONE,
        };
        app.update(app.now, Msg::Mouse(event))
    };
    let first = |app: &App| {
        let view = app.view().unwrap();
        view.log.first_number(&view.build)
    };
    let began = first(&app);
    assert!(began > 4, "there is something to scroll");
    at(
        &mut app,
        MouseEventKind::Down(MouseButton::Left),
        place.y + 2,
    );
    at(&mut app, MouseEventKind::Drag(MouseButton::Left), place.y);
    assert_eq!(app.deadline(), None, "it is still inside");
    at(
        &mut app,
        MouseEventKind::Drag(MouseButton::Left),
        place.y - 1,
    );
    let mut steps = 0;
    while let Some(next) = app.deadline() {
        let before = first(&app);
        app.update(next.max(app.now), Msg::Tick);
        steps += 1;
        assert!(first(&app) + 1 >= before, "one row a step");
        assert!(steps < 1_000, "it ends at the first line");
        if first(&app) == 0 && steps > 2 * began {
            break;
        }
    }
    assert_eq!(first(&app), 0);
    let effects = at(&mut app, MouseEventKind::Up(MouseButton::Left), place.y - 1);
    let copied = effects.iter().find_map(|effect| match effect {
        Effect::Clipboard(text) => std::str::from_utf8(text).ok(),
        _ => None,
    });
    let lines = copied.unwrap_or_default().lines().count() as u64;
    assert_eq!(lines, began + 3);
    // Down again, faster, until the end.
    at(
        &mut app,
        MouseEventKind::Down(MouseButton::Left),
        place.y + 2,
    );
    at(
        &mut app,
        MouseEventKind::Drag(MouseButton::Left),
        place.bottom() + 1,
    );
    let mut steps = 0;
    while let Some(next) = app.deadline() {
        app.update(next.max(app.now), Msg::Tick);
        steps += 1;
        assert!(steps < 1_000);
    }
    assert_eq!(first(&app), began, "and nothing wakes up any more");
}
