use crossterm::event::{KeyCode, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::style::Color;

use super::super::super::fixture::{Screen, screen_buffer, text};
use super::super::super::layer::Layer;
use super::super::super::msg::Msg;
use super::*;

const DOCKERFILE: &str = "FROM busybox AS base\nRUN make\n# why\nENV A=$B\n";

fn editing(text: &str, failed: Option<u32>) -> App {
    let mut app = Screen::new(40, 10).app();
    let path = PathBuf::from("/src/Dockerfile");
    app.layer = Some(Layer::Edit(State::new(path, text.to_owned(), failed)));
    app
}

fn state(app: &App) -> &State {
    match &app.layer {
        Some(Layer::Edit(state)) => state,
        other => panic!("no editor: {other:?}"),
    }
}

fn tell(app: &mut App, msg: Msg) -> Vec<Effect> {
    let now = app.now;
    app.update(now, msg)
}

fn press(app: &mut App, code: KeyCode, modifiers: KeyModifiers) -> Vec<Effect> {
    tell(app, Msg::Key(App::press(code, modifiers)))
}

fn mouse(app: &mut App, kind: MouseEventKind, column: u16, row: u16) {
    let event = MouseEvent {
        kind,
        column,
        row,
        modifiers: KeyModifiers::NONE,
    };
    tell(app, Msg::Mouse(event));
}

const DOWN: MouseEventKind = MouseEventKind::Down(MouseButton::Left);
const DRAG: MouseEventKind = MouseEventKind::Drag(MouseButton::Left);

fn colour(app: &App, column: u16, row: u16) -> Color {
    let buf = screen_buffer(app);
    buf.cell((column, row)).map_or(Color::Reset, |cell| cell.fg)
}

#[test]
fn the_text_has_the_colours_of_a_dockerfile_also_while_it_changes() {
    let mut app = editing(DOCKERFILE, Some(2));
    // Four cells are line numbers, one row is the title.
    assert_eq!(colour(&app, 4, 1), Color::Blue, "FROM");
    assert_eq!(colour(&app, 9, 1), Color::Reset, "busybox");
    assert_eq!(colour(&app, 17, 1), Color::Blue, "AS");
    assert_eq!(colour(&app, 8, 2), Color::Red, "the line that failed");
    assert_eq!(colour(&app, 4, 3), Color::DarkGray, "a comment");
    assert_eq!(colour(&app, 10, 4), Color::Magenta, "a variable");
    // The first line goes on in the second.
    press(&mut app, KeyCode::Up, KeyModifiers::NONE);
    press(&mut app, KeyCode::End, KeyModifiers::NONE);
    press(&mut app, KeyCode::Char('\\'), KeyModifiers::NONE);
    assert_ne!(colour(&app, 4, 2), Color::Blue);
    press(&mut app, KeyCode::Char('z'), KeyModifiers::CONTROL);
    assert_eq!(colour(&app, 4, 2), Color::Blue);
}

#[test]
fn the_mark_of_the_failed_line_moves_with_it() {
    let mut app = editing(DOCKERFILE, Some(2));
    press(&mut app, KeyCode::Up, KeyModifiers::NONE);
    press(&mut app, KeyCode::Enter, KeyModifiers::NONE);
    let rows = |app: &App| -> Vec<String> {
        let text = text(&screen_buffer(app));
        text.lines().map(str::to_owned).collect()
    };
    assert_eq!(rows(&app)[3], "|✗ 3 RUN make");
    press(&mut app, KeyCode::Backspace, KeyModifiers::NONE);
    assert_eq!(rows(&app)[2], "|✗ 2 RUN make");
}

#[test]
fn a_click_puts_the_cursor_and_a_drag_selects() {
    let mut app = editing(DOCKERFILE, None);
    mouse(&mut app, DOWN, 9, 1);
    assert_eq!(state(&app).area.cursor(), DataCursor(0, 5));
    mouse(&mut app, DRAG, 16, 1);
    assert_eq!(state(&app).area.selection_range(), Some(((0, 5), (0, 12))));
    let effects = press(&mut app, KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert!(
        matches!(effects.as_slice(), [Effect::Clipboard(text)] if text == "busybox"),
        "{effects:?}"
    );
    // Behind the end of a line, in the numbers, beneath the text.
    for (at, expected) in [
        ((39, 2), DataCursor(1, 8)),
        ((0, 4), DataCursor(3, 0)),
        ((20, 8), DataCursor(4, 0)),
    ] {
        mouse(&mut app, DOWN, at.0, at.1);
        assert_eq!(state(&app).area.cursor(), expected);
        assert_eq!(state(&app).area.selection_range(), None);
    }
    mouse(&mut app, DOWN, 4, 2);
    mouse(&mut app, DRAG, 7, 2);
    press(&mut app, KeyCode::Char('X'), KeyModifiers::NONE);
    assert!(state(&app).text().contains("\nX make\n"));
}

#[test]
fn the_wheel_scrolls_and_a_key_comes_back() {
    let long: String = (1..=50).map(|line| format!("RUN {line}\n")).collect();
    let mut app = editing(&long, None);
    for _ in 0..2 {
        mouse(&mut app, MouseEventKind::ScrollDown, 5, 5);
    }
    let shown = text(&screen_buffer(&app));
    assert!(
        shown
            .lines()
            .nth(1)
            .is_some_and(|row| row.ends_with("RUN 7"))
    );
    assert_eq!(state(&app).area.cursor(), DataCursor(0, 0));
    mouse(&mut app, DOWN, 6, 1);
    assert_eq!(state(&app).area.cursor(), DataCursor(6, 1));
    // Dragged over the border, a line further each time.
    mouse(&mut app, DRAG, 6, 9);
    mouse(&mut app, DRAG, 6, 9);
    assert_eq!(state(&app).area.cursor(), DataCursor(15, 1));
    for _ in 0..99 {
        mouse(&mut app, MouseEventKind::ScrollDown, 5, 5);
    }
    let shown = text(&screen_buffer(&app));
    assert!(
        shown
            .lines()
            .nth(7)
            .is_some_and(|row| row.ends_with("RUN 50")),
        "{shown}"
    );
    press(&mut app, KeyCode::Right, KeyModifiers::NONE);
    let shown = text(&screen_buffer(&app));
    assert!(
        shown.lines().any(|row| row.ends_with(" 16 RUN 16")),
        "{shown}"
    );
}

#[test]
fn a_long_line_stays_where_it_was_clicked() {
    let line = format!("RUN {}", "0123456789".repeat(10));
    let mut app = editing(&line, None);
    press(&mut app, KeyCode::End, KeyModifiers::NONE);
    let before = text(&screen_buffer(&app));
    mouse(&mut app, DOWN, 10, 1);
    assert_eq!(text(&screen_buffer(&app)), before);
    // 104 characters, the cursor behind them, 36 columns.
    assert_eq!(state(&app).area.cursor(), DataCursor(0, 105 - 36 + 6));
}
