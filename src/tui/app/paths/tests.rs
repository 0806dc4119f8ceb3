use crossterm::event::{KeyCode, KeyModifiers};

use super::*;
use crate::tui::fixture::{BEGAN, Screen, screen};
use crate::tui::msg::Msg;

/// Ctrl-u, which clears a field.
const CLEAR: char = '\x15';

/// Types, and answers what is asked of the disk: `src/` and `sub/` with `sub/deep/` in it, two files, and what nobody
/// wants to see.
fn typed(app: &mut App, keys: &str) {
    for letter in keys.chars() {
        let key = match letter {
            '\t' => App::press(KeyCode::Tab, KeyModifiers::NONE),
            CLEAR => App::press(KeyCode::Char('u'), KeyModifiers::CONTROL),
            letter => App::press(KeyCode::Char(letter), KeyModifiers::NONE),
        };
        tell(app, Msg::Key(key));
    }
}

fn tell(app: &mut App, msg: Msg) {
    for effect in app.update(BEGAN, msg) {
        let Effect::List(directory) = effect else {
            continue;
        };
        let names: &[(&str, bool)] = match directory.to_str().unwrap() {
            "/home/me/" => &[
                ("sub", true),
                ("src", true),
                (".git", true),
                ("Dockerfile", false),
                ("service.yaml", false),
                ("s p", true),
                ("s\u{1b}[2J", true),
            ],
            "/home/me/sub/" => &[("deep", true)],
            _ => &[],
        };
        let entries = names.iter().map(|(name, directory)| Entry {
            name: (*name).to_owned(),
            directory: *directory,
        });
        let entries = entries.collect();
        app.update(BEGAN, Msg::Listed { directory, entries });
    }
}

fn app() -> App {
    let mut app = Screen::new(80, 24).app();
    app.setup.caller.directory = "/home/me".to_owned();
    app
}

/// What stands in the row of the screen that begins with this label.
fn field(app: &App, label: &str) -> String {
    let screen = screen(app);
    let row = screen.lines().find_map(|line| line.split_once(label));
    let (_, rest) = row.unwrap_or_else(|| panic!("no {label}: {screen}"));
    rest.trim_matches(['│', ' ']).to_owned()
}

fn form(keys: &str) -> App {
    let mut app = app();
    typed(&mut app, &format!("a{CLEAR}{keys}"));
    app
}

#[test]
fn tab_goes_on_with_a_path_of_the_form() {
    let app = form("su\tde\t");
    assert_eq!(field(&app, "directory "), "sub/deep/");
    // Where there are several ways it stays, and they are shown; files are no context.
    let app = form("s\tu\t");
    assert_eq!(field(&app, "directory "), "sub/");
    let app = form("s");
    assert!(
        screen(&app).contains("s p/  src/  sub/ "),
        "{}",
        screen(&app)
    );
    // What is whole, what is not there and what was not touched is left.
    for (keys, directory) in [
        ("su\t\tDoc\t", "sub/"),
        ("sub\tDoc\t", "sub"),
        ("none\tDoc\t", "none"),
        ("..\tDoc\t", ".."),
        ("\tDoc\t", "of the context, or an address"),
        ("https://a.example/b\tDoc\t", "https://a.example/b"),
    ] {
        let app = form(keys);
        assert_eq!(field(&app, "directory "), directory, "{keys:?}");
        assert_eq!(field(&app, "Dockerfile "), "Dockerfile", "{keys:?}");
    }
    let app = form(".g\t");
    assert_eq!(field(&app, "directory "), ".git/");
}

#[test]
fn tab_goes_on_with_the_path_of_a_build() {
    let line = |keys: &str| {
        let mut app = app();
        typed(&mut app, ":");
        typed(&mut app, keys);
        let screen = screen(&app);
        let last = screen.lines().last().unwrap();
        last.trim_start_matches(['|', ' ']).to_owned()
    };
    assert_eq!(line("build su\tde\t"), ":build sub/deep/");
    assert_eq!(line("build -f Do\tsr\t"), ":build -f Dockerfile src/");
    // A file is no context, and a name with a blank would be two words.
    assert_eq!(line("build Do\t"), ":build Do");
    assert_eq!(line("build s\t\t"), ":build sub/");
    // Nothing else is read from the disk.
    let mut app = app();
    app.update(
        BEGAN,
        Msg::Key(App::press(KeyCode::Char(':'), KeyModifiers::NONE)),
    );
    for letter in "kill su".chars() {
        let key = App::press(KeyCode::Char(letter), KeyModifiers::NONE);
        assert!(app.update(BEGAN, Msg::Key(key)).is_empty());
    }
}

#[test]
fn tab_goes_on_with_what_was_pasted() {
    let mut pasted = form("");
    tell(&mut pasted, Msg::Paste("sub/d".to_owned()));
    typed(&mut pasted, "\t");
    assert_eq!(field(&pasted, "directory "), "sub/deep/");
    let mut pasted = app();
    typed(&mut pasted, ":");
    tell(&mut pasted, Msg::Paste("build sub/d".to_owned()));
    typed(&mut pasted, "\t");
    assert!(screen(&pasted).contains(":build sub/deep/"));
}

#[test]
fn what_comes_too_late_is_not_taken() {
    let mut app = form("sub/");
    let entry = Entry {
        name: "late".to_owned(),
        directory: true,
    };
    let directory = PathBuf::from("/home/me");
    let entries = vec![entry];
    app.update(BEGAN, Msg::Listed { directory, entries });
    assert_eq!(app.paths("sub/", true), ["sub/deep/"]);
    assert!(app.paths("", true).is_empty());
}
