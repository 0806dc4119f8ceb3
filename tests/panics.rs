//! A panic leaves the terminal as it was found. No input is known that makes the program panic, so this runs itself in
//! a terminal (therefore it has no harness), takes that over as the full screen does, and panics.

#[path = "support/pty.rs"]
#[allow(dead_code, reason = "the other tests use more of it")]
mod pty;

use std::collections::BTreeMap;

use buildx::monitor::terminal::{Mode, Terminal};
use buildx::tui::app::{App, Setup};
use buildx::tui::keymap::{Key, Keymap};
use buildx::tui::screen::{Screen, undo};
use buildx::tui::theme::Theme;
use portable_pty::CommandBuilder;
use pty::Pty;

/// The argument of the one that panics; the next one says where.
const VICTIM: &str = "victim";

/// What a panic says.
const WORDS: &str = "nobody expects this";

/// What the empty screen shows.
const SCREEN: &str = "a new build";

fn main() {
    let mut args = std::env::args().skip_while(|arg| arg != VICTIM).skip(1);
    match args.next() {
        Some(place) => victim(&place),
        None => ["main", "task"].into_iter().for_each(is_as_it_was),
    }
}

/// Shows the screen, and panics when a key is pressed.
fn victim(place: &str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut terminal = Terminal::open().unwrap();
        terminal.undo_with(&undo(true));
        terminal.mode(Mode::Raw);
        let mut screen = Screen::open((80, 24), true, true).unwrap();
        let keymap = Keymap::new(Key::parse("ctrl-a").unwrap(), &BTreeMap::new()).unwrap();
        let setup = Setup::new(keymap, Theme::new(false, true, Vec::new()));
        screen.draw(&App::new(setup, (80, 24), 0));
        terminal.next().await;
        match place {
            "main" => panic!("{WORDS}"),
            _ => tokio::spawn(async { panic!("{WORDS}") }).await.unwrap(),
        }
    });
}

fn is_as_it_was(place: &str) {
    let mut shell = CommandBuilder::new("bash");
    shell.args(["--norc", "--noprofile", "-i"]);
    shell.env("PS1", "outside$ ");
    shell.env("TERM", "xterm-256color");
    shell.env("RUST_BACKTRACE", "0");
    shell.env("SELF", std::env::current_exe().unwrap());
    let mut pty = Pty::spawn(shell, 24, 80);
    pty.wait_until("the shell", |screen| screen.contains("outside$"));
    pty.send(&format!(
        "before=$(stty -a); $SELF {VICTIM} {place}; code=$?\r"
    ));
    pty.wait_until("the screen", |screen| screen.contains(SCREEN));
    assert!(pty.alternate());
    pty.send("x");
    pty.wait_until("the reason", |screen| screen.contains(WORDS));
    assert!(!pty.alternate());
    pty.send("[ \"$before\" = \"$(stty -a)\" ] && echo code-$code-end\r");
    pty.wait_until("the modes of before", |screen| {
        screen.contains("code-101-end")
    });
    // What follows is the shell's own, which switches the paste's brackets on for each prompt.
    let text = String::from_utf8_lossy(pty.raw()).into_owned();
    let (text, _) = text.split_once(WORDS).unwrap();
    let ends = |code: &str| text.rfind(&format!("\x1b[{code}"));
    for (on, off) in [
        ("?1049h", "?1049l"),
        ("?25l", "?25h"),
        ("?2004h", "?2004l"),
        ("?1004h", "?1004l"),
        ("?1002h", "?1002l"),
        (">1u", "<u"),
    ] {
        assert!(ends(on).is_some(), "{on} was never switched on");
        assert!(ends(off) > ends(on), "{off} does not follow {on}");
    }
    pty.send("exit\r");
    pty.wait();
    println!("a panic of the {place} leaves the terminal as it was");
}
