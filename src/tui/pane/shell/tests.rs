use bytes::Bytes;
use crossterm::event::{KeyCode, KeyModifiers};

use super::*;
use crate::proto::controller::attach_output::Output;
use crate::tui::fixture::{Screen, at, samples, screen};
use crate::tui::msg::{Msg, ShellMsg, Tab};

/// A failed build with a new shell that has written this.
fn shell((columns, rows): (u16, u16), output: &str) -> (App, Tab) {
    let mut app = Screen::new(columns, rows).app();
    samples::failed().tell(&mut app, 45.0);
    keys(&mut app, "I");
    let tab = app.shells[0].tab;
    tell(
        &mut app,
        tab,
        Output::Data(Bytes::copy_from_slice(output.as_bytes())),
    );
    (app, tab)
}

fn tell(app: &mut App, tab: Tab, output: Output) {
    app.update(at(50.0), Msg::Shell(tab, ShellMsg::Output(output)));
}

/// Types letters; `\r` is Enter, `\x01` the prefix.
fn keys(app: &mut App, letters: &str) {
    for letter in letters.chars() {
        let event = match letter {
            '\r' => App::press(KeyCode::Enter, KeyModifiers::NONE),
            '\x01' => App::press(KeyCode::Char('a'), KeyModifiers::CONTROL),
            letter => App::press(KeyCode::Char(letter), KeyModifiers::NONE),
        };
        app.update(at(50.0), Msg::Key(event));
    }
}

/// The row of the screen with the title of the shell.
fn title_row(app: &App) -> String {
    let shown = screen(app);
    let row = shown.lines().rev().find(|row| row.contains("─ shell"));
    row.unwrap_or_else(|| panic!("{shown}")).to_owned()
}

#[test]
fn matches_are_counted_from_one() {
    let lines: Vec<String> = (1..=300).map(|line| line.to_string()).collect();
    let (mut app, _) = shell((120, 40), &lines.join("\r\n"));
    keys(&mut app, "\x01[/123\r");
    assert!(
        title_row(&app).contains("match 1/1 "),
        "{}",
        title_row(&app)
    );
    keys(&mut app, "/29\r");
    assert!(
        title_row(&app).contains("match 2/13 "),
        "{}",
        title_row(&app)
    );
    keys(&mut app, "/nothing\r");
    assert!(
        title_row(&app).contains(" no match "),
        "{}",
        title_row(&app)
    );
}

/// The last row: the footer.
fn footer(app: &App) -> String {
    screen(app).lines().last().unwrap_or_default().to_owned()
}

#[test]
fn the_scrollback_says_its_keys() {
    let (mut app, _) = shell((80, 24), "one\r\ntwo\r\n");
    keys(&mut app, "\x01[");
    let shown = footer(&app);
    for part in [
        "SCROLLBACK",
        "/ search",
        "v select",
        "y copy",
        "q leave",
        "F1 help",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    keys(&mut app, "/o");
    assert!(footer(&app).contains("Enter search"), "{}", footer(&app));
    keys(&mut app, "\r");
    for part in ["n next", "N previous", "q leave", "F1 help"] {
        assert!(footer(&app).contains(part), "{part}: {}", footer(&app));
    }
    keys(&mut app, "v");
    assert!(footer(&app).contains("o other end"), "{}", footer(&app));
    // The prefix still leads to everything else.
    keys(&mut app, "\x01");
    assert!(footer(&app).contains("PREFIX"), "{}", footer(&app));
    keys(&mut app, "cs");
    let f1 = App::press(KeyCode::F(1), KeyModifiers::NONE);
    app.update(at(50.0), Msg::Key(f1));
    let shown = screen(&app);
    for part in [
        "in this pane: scrollback",
        "search down",
        "select whole rows",
        "back to the program",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    app.update(at(50.0), Msg::Key(f1));
    keys(&mut app, "?");
    let prompt = app.shell().and_then(|shell| shell.copy.as_ref()?.prompt());
    assert!(prompt.is_some_and(|prompt| prompt.backward));
    keys(&mut app, "x\rq");
    assert!(footer(&app).contains("SHELL"), "{}", footer(&app));
}

#[test]
fn an_ended_shell_says_how_and_which_key_closes_it() {
    use crate::proto::controller::Exited;
    for (exit_code, reason, words) in [
        (
            Some(129),
            "",
            "ended with exit code 129, as by SIGHUP; Enter closes",
        ),
        (Some(3), "", "ended with exit code 3; Enter closes"),
        (
            None,
            "ended by a rollback",
            "ended by a rollback; Enter closes",
        ),
    ] {
        let (mut app, tab) = shell((120, 40), "# ");
        let info = Process {
            step: "[build 2/2] RUN make".to_owned(),
            directory: "/src".to_owned(),
            mounts: vec!["cache /root/.cache/go-build".to_owned(); 3],
            ..Process::default()
        };
        app.shells[0].info = Some(info);
        assert!(!footer(&app).contains("Enter"), "{}", footer(&app));
        let reason = reason.to_owned();
        tell(&mut app, tab, Output::Exited(Exited { exit_code, reason }));
        assert!(title_row(&app).contains(words), "{}", title_row(&app));
        let shown = footer(&app);
        assert!(shown.contains("ENDED Enter closes this pane"), "{shown}");
        keys(&mut app, "\r");
        assert!(app.shells.is_empty());
    }
}

#[test]
fn a_shell_that_never_began_is_not_in_a_result() {
    let (mut app, tab) = shell((120, 40), "");
    app.shells[0].ready = false;
    assert!(
        title_row(&app).contains("shell: failed state "),
        "{}",
        title_row(&app)
    );
    let lost = ShellMsg::Lost("the state is gone".to_owned());
    app.update(at(50.0), Msg::Shell(tab, lost));
    let title = title_row(&app);
    assert!(
        title.contains("shell: could not be started; Enter closes"),
        "{title}"
    );
    assert!(screen(&app).contains("the state is gone"));
}

#[test]
fn the_smallest_shell_says_whose_it_is() {
    let (mut app, tab) = shell((49, 13), "# ");
    let first = |app: &App| screen(app).lines().next().unwrap_or_default().to_owned();
    assert!(
        first(&app).contains("web ✗ shell: failed state"),
        "{}",
        first(&app)
    );
    assert!(screen(&app).contains("|#"), "{}", screen(&app));
    let exited = crate::proto::controller::Exited {
        exit_code: Some(3),
        ..Default::default()
    };
    tell(&mut app, tab, Output::Exited(exited));
    let row = first(&app);
    assert!(
        row.contains("web ✗") && row.contains("Enter closes"),
        "{row}"
    );
}
