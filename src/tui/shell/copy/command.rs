//! What a person can do in copy mode, and the keys for it: those of vi and tmux.

use std::sync::LazyLock;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::tui::keymap::Key;

/// How a selection grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// From one character to another.
    Characters,
    /// Whole rows.
    Rows,
    /// A rectangle.
    Block,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    Left,
    Right,
    Up,
    Down,
    NextWord,
    PreviousWord,
    WordEnd,
    LineStart,
    FirstCharacter,
    LineEnd,
    Top,
    Bottom,
    ViewTop,
    ViewMiddle,
    ViewBottom,
    HalfPageUp,
    HalfPageDown,
    PageUp,
    PageDown,
    /// Begins to select, changes the kind of the selection, or ends it.
    Select(Kind),
    OtherEnd,
    SearchForward,
    SearchBackward,
    NextMatch,
    PreviousMatch,
    /// Copies the selection, or else the line.
    Copy,
    /// Copies the selection, or else leaves.
    Accept,
    /// Ends the selection, or else leaves.
    Back,
    Leave,
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// Which command.
    pub command: Command,
    /// Its keys, separated by spaces, as [`Key::parse`] reads them.
    pub keys: &'static str,
    /// The word for the footer.
    pub short: &'static str,
    /// What it does.
    pub about: &'static str,
}

impl Spec {
    /// Its keys, as they are shown.
    pub fn shown(&self) -> impl Iterator<Item = String> {
        bound(self.keys).map(|key| key.to_string())
    }
}

const fn spec(
    command: Command,
    keys: &'static str,
    short: &'static str,
    about: &'static str,
) -> Spec {
    Spec {
        command,
        keys,
        short,
        about,
    }
}

/// Every command, in the order of the help. What a key does, the footer and the help come from here.
pub const COMMANDS: &[Spec] = &[
    spec(Command::SearchForward, "/", "search", "search down"),
    spec(Command::SearchBackward, "?", "search up", "search up"),
    spec(Command::NextMatch, "n", "next", "next match"),
    spec(Command::PreviousMatch, "N", "previous", "previous match"),
    spec(
        Command::Select(Kind::Characters),
        "v",
        "select",
        "select characters; again: no more",
    ),
    spec(
        Command::Select(Kind::Rows),
        "V",
        "rows",
        "select whole rows; again: no more",
    ),
    spec(
        Command::Select(Kind::Block),
        "ctrl-v",
        "block",
        "select a rectangle; again: no more",
    ),
    spec(
        Command::OtherEnd,
        "o",
        "other end",
        "to the other end of the selection",
    ),
    spec(
        Command::Copy,
        "y",
        "copy",
        "copy the selection, or else the line, and leave",
    ),
    spec(
        Command::Accept,
        "enter",
        "copy",
        "copy the selection, or else nothing, and leave",
    ),
    spec(
        Command::Back,
        "esc",
        "back",
        "end the selection, or else leave",
    ),
    spec(Command::Leave, "q ctrl-c", "leave", "back to the program"),
    spec(Command::Left, "h left backspace", "left", "left"),
    spec(Command::Right, "l right space", "right", "right"),
    spec(Command::Down, "j down ctrl-n", "down", "down"),
    spec(Command::Up, "k up ctrl-p", "up", "up"),
    spec(Command::NextWord, "w", "word", "next word"),
    spec(Command::PreviousWord, "b", "word back", "previous word"),
    spec(Command::WordEnd, "e", "word end", "end of the word"),
    spec(
        Command::LineStart,
        "0 home",
        "row start",
        "start of the row",
    ),
    spec(
        Command::FirstCharacter,
        "^",
        "row text",
        "first character of the row that is not a space",
    ),
    spec(Command::LineEnd, "$ end", "row end", "end of the row"),
    spec(Command::Top, "g ctrl-home", "oldest", "oldest line"),
    spec(Command::Bottom, "G ctrl-end", "newest", "newest line"),
    spec(Command::ViewTop, "H", "view top", "top of the view"),
    spec(
        Command::ViewMiddle,
        "M",
        "view middle",
        "middle of the view",
    ),
    spec(
        Command::ViewBottom,
        "L",
        "view bottom",
        "bottom of the view",
    ),
    spec(Command::HalfPageUp, "ctrl-u", "half up", "half a page up"),
    spec(
        Command::HalfPageDown,
        "ctrl-d",
        "half down",
        "half a page down",
    ),
    spec(Command::PageUp, "pgup ctrl-b", "page up", "a page up"),
    spec(Command::PageDown, "pgdn ctrl-f", "page down", "a page down"),
];

static BOUND: LazyLock<Vec<(Key, Command)>> = LazyLock::new(|| {
    let bound = |spec: &'static Spec| bound(spec.keys).map(|key| (key, spec.command));
    COMMANDS.iter().flat_map(bound).collect()
});

/// A test sees to it that each can be read.
fn bound(keys: &'static str) -> impl Iterator<Item = Key> {
    keys.split(' ').filter_map(|key| Key::parse(key).ok())
}

impl Command {
    /// The command of a key. Shift with a key that is not a character changes nothing.
    pub fn of(key: &KeyEvent) -> Option<Self> {
        let mut key = Key::of(key)?;
        if !matches!(key.code, KeyCode::Char(_)) {
            key.modifiers.remove(KeyModifiers::SHIFT);
        }
        let found = BOUND.iter().find(|(bound, _)| *bound == key);
        found.map(|(_, command)| *command)
    }
}
