//! What a person can do in copy mode, and the keys for it: those of vi and tmux.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

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

/// The keys of each command, for help.
pub const KEYS: &[(&str, &str)] = &[
    ("h j k l, arrows", "move"),
    ("w b e", "next word, previous word, end of word"),
    ("0 ^ $", "start, first character, end of the row"),
    ("g G", "oldest, newest line"),
    ("H M L", "top, middle, bottom of the view"),
    ("Ctrl-u Ctrl-d", "half a page up, down"),
    ("PgUp PgDn", "a page up, down"),
    ("v V Ctrl-v", "select characters, rows, a block"),
    ("o", "other end of the selection"),
    ("/ ?", "search down, up"),
    ("n N", "next, previous match"),
    ("y Enter", "copy and leave"),
    ("Esc", "end the selection, leave"),
    ("q", "leave"),
];

impl Command {
    /// The command of a key.
    pub fn of(key: &KeyEvent) -> Option<Self> {
        let others = key.modifiers - KeyModifiers::SHIFT;
        if others == KeyModifiers::CONTROL {
            return Some(match key.code {
                KeyCode::Char('u') => Command::HalfPageUp,
                KeyCode::Char('d') => Command::HalfPageDown,
                KeyCode::Char('b') => Command::PageUp,
                KeyCode::Char('f') => Command::PageDown,
                KeyCode::Char('p') => Command::Up,
                KeyCode::Char('n') => Command::Down,
                KeyCode::Char('v') => Command::Select(Kind::Block),
                KeyCode::Char('c') => Command::Leave,
                KeyCode::Home => Command::Top,
                KeyCode::End => Command::Bottom,
                _ => return None,
            });
        }
        if !others.is_empty() {
            return None;
        }
        Some(match key.code {
            KeyCode::Char('h') | KeyCode::Left | KeyCode::Backspace => Command::Left,
            KeyCode::Char('l' | ' ') | KeyCode::Right => Command::Right,
            KeyCode::Char('k') | KeyCode::Up => Command::Up,
            KeyCode::Char('j') | KeyCode::Down => Command::Down,
            KeyCode::Char('w') => Command::NextWord,
            KeyCode::Char('b') => Command::PreviousWord,
            KeyCode::Char('e') => Command::WordEnd,
            KeyCode::Char('0') | KeyCode::Home => Command::LineStart,
            KeyCode::Char('^') => Command::FirstCharacter,
            KeyCode::Char('$') | KeyCode::End => Command::LineEnd,
            KeyCode::Char('g') => Command::Top,
            KeyCode::Char('G') => Command::Bottom,
            KeyCode::Char('H') => Command::ViewTop,
            KeyCode::Char('M') => Command::ViewMiddle,
            KeyCode::Char('L') => Command::ViewBottom,
            KeyCode::PageUp => Command::PageUp,
            KeyCode::PageDown => Command::PageDown,
            KeyCode::Char('v') => Command::Select(Kind::Characters),
            KeyCode::Char('V') => Command::Select(Kind::Rows),
            KeyCode::Char('o') => Command::OtherEnd,
            KeyCode::Char('/') => Command::SearchForward,
            KeyCode::Char('?') => Command::SearchBackward,
            KeyCode::Char('n') => Command::NextMatch,
            KeyCode::Char('N') => Command::PreviousMatch,
            KeyCode::Char('y') => Command::Copy,
            KeyCode::Enter => Command::Accept,
            KeyCode::Esc => Command::Back,
            KeyCode::Char('q') => Command::Leave,
            _ => return None,
        })
    }
}
