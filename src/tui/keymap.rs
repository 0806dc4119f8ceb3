//! Which key does what: the table's keys, changed by the configuration; conflicts are errors.

use std::collections::BTreeMap;
use std::fmt;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::action::{ACTIONS, Action, Scope, Spec};
use crate::build::suggest::did_you_mean;

/// A key with its modifiers, in one spelling: a shifted letter is the capital, without the modifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd)]
pub struct Key {
    /// Which key.
    pub code: KeyCode,
    /// Ctrl, Alt and, where it is not part of the character, Shift.
    pub modifiers: KeyModifiers,
}

impl Key {
    /// The key of an event that is not a release.
    pub fn of(event: &KeyEvent) -> Option<Self> {
        (event.kind != KeyEventKind::Release).then(|| Self::new(event.code, event.modifiers))
    }

    /// In the one spelling.
    pub fn new(code: KeyCode, modifiers: KeyModifiers) -> Self {
        let mut modifiers =
            modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT);
        let code = match code {
            KeyCode::Char(letter) => {
                let shifted = modifiers.contains(KeyModifiers::SHIFT);
                modifiers.remove(KeyModifiers::SHIFT);
                match letter {
                    letter if modifiers.contains(KeyModifiers::CONTROL) => {
                        with_control(letter, &mut modifiers)
                    }
                    letter if shifted => KeyCode::Char(letter.to_ascii_uppercase()),
                    letter => KeyCode::Char(letter),
                }
            }
            KeyCode::BackTab => {
                modifiers.insert(KeyModifiers::SHIFT);
                KeyCode::Tab
            }
            code => code,
        };
        Self { code, modifiers }
    }

    /// Reads a key as people write it: `ctrl-a`, `shift-tab`, `f1`, `G`, `space`.
    ///
    /// # Errors
    /// One line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut modifiers = KeyModifiers::NONE;
        let mut rest = text;
        loop {
            let lower = rest.to_ascii_lowercase();
            let strip = |names: &[&str]| {
                let found = names.iter().find(|name| lower.starts_with(**name))?;
                rest.get(found.len()..).filter(|rest| !rest.is_empty())
            };
            if let Some(after) = strip(&["ctrl-", "ctrl+", "c-", "^"]) {
                modifiers |= KeyModifiers::CONTROL;
                rest = after;
            } else if let Some(after) = strip(&["alt-", "alt+", "a-", "m-"]) {
                modifiers |= KeyModifiers::ALT;
                rest = after;
            } else if let Some(after) = strip(&["shift-", "shift+", "s-"]) {
                modifiers |= KeyModifiers::SHIFT;
                rest = after;
            } else {
                break;
            }
        }
        let mut characters = rest.chars();
        let code = match (characters.next(), characters.next()) {
            (Some(single), None) => KeyCode::Char(single),
            _ => {
                let lower = rest.to_ascii_lowercase();
                let named = NAMES.iter().find(|(name, _)| *name == lower);
                let function = lower
                    .strip_prefix('f')
                    .and_then(|number| number.parse::<u8>().ok());
                match (named, function) {
                    (Some((_, code)), _) => *code,
                    (None, Some(number @ 1..=24)) => KeyCode::F(number),
                    _ => {
                        return Err(format!(
                            "unknown key {text:?}{}; keys look like ctrl-a, shift-tab, f1, G or space",
                            did_you_mean(&lower, NAMES.iter().map(|(name, _)| *name))
                        ));
                    }
                }
            }
        };
        Ok(Self::new(code, modifiers))
    }
}

/// A character with Ctrl, as a plain terminal tells it, on any: cases are one, some are keys of their own, and digits
/// stand for the characters that have the same byte.
fn with_control(letter: char, modifiers: &mut KeyModifiers) -> KeyCode {
    let named = match letter.to_ascii_lowercase() {
        'i' => KeyCode::Tab,
        'm' => KeyCode::Enter,
        '[' | '3' => KeyCode::Esc,
        letter => {
            return KeyCode::Char(match letter {
                '2' | '@' => ' ',
                '4' => '\\',
                '5' => ']',
                '6' => '^',
                '7' | '/' => '_',
                letter => letter,
            });
        }
    };
    modifiers.remove(KeyModifiers::CONTROL);
    named
}

const NAMES: &[(&str, KeyCode)] = &[
    ("enter", KeyCode::Enter),
    ("tab", KeyCode::Tab),
    ("esc", KeyCode::Esc),
    ("space", KeyCode::Char(' ')),
    ("backspace", KeyCode::Backspace),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("pgup", KeyCode::PageUp),
    ("pgdn", KeyCode::PageDown),
    ("insert", KeyCode::Insert),
    ("delete", KeyCode::Delete),
];

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.modifiers.contains(KeyModifiers::CONTROL) {
            f.write_str("Ctrl-")?;
        }
        if self.modifiers.contains(KeyModifiers::ALT) {
            f.write_str("Alt-")?;
        }
        if self.modifiers.contains(KeyModifiers::SHIFT) {
            f.write_str("Shift-")?;
        }
        match self.code {
            KeyCode::F(number) => write!(f, "F{number}"),
            code => match NAMES.iter().find(|(_, known)| *known == code) {
                Some((name, _)) => {
                    let mut letters = name.chars();
                    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
                    write!(f, "{}{}", first.unwrap_or_default(), letters.as_str())
                }
                None => match code {
                    KeyCode::Char(letter) => write!(f, "{letter}"),
                    _ => f.write_str("?"),
                },
            },
        }
    }
}

/// Who listens to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// A list or another pane without text.
    Pane,
    /// A pane with text; `searching`: a search is on, so that `n` means the next match.
    Text {
        /// See there.
        searching: bool,
    },
    /// The shell, behind the prefix.
    Shell,
}

/// A change of the table's keys that is not possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Name of the action whose keys were to be changed.
    pub action: String,
    /// Why not, in one line.
    pub why: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "keys.{}: {}", self.action, self.why)
    }
}

/// Keys → actions.
#[derive(Clone, Debug)]
pub struct Keymap {
    /// The key that makes the shell listen.
    pub prefix: Key,
    bindings: Vec<(Key, &'static Spec)>,
}

impl Keymap {
    /// The table's keys with the changes of the configuration: the name of an action → its keys, separated by
    /// spaces; an empty text takes its keys away.
    ///
    /// # Errors
    /// One line: an action or key that does not exist, or one key with two meanings in one place.
    pub fn new(prefix: Key, changes: &BTreeMap<String, String>) -> Result<Self, String> {
        let keymap = Self {
            prefix,
            bindings: bindings(changes).map_err(|refused| refused.to_string())?,
        };
        let clash = keymap.bindings.iter().find(|(key, _)| *key == prefix);
        if let Some((_, spec)) = clash {
            return Err(format!(
                "{prefix} is the prefix and means {}; give one of them another key",
                spec.name
            ));
        }
        Ok(keymap)
    }

    /// Whether these changes of the table's keys are possible.
    ///
    /// # Errors
    /// As [`Keymap::new`], but for the prefix.
    pub fn check(changes: &BTreeMap<String, String>) -> Result<(), Refused> {
        bindings(changes).map(|_| ())
    }

    /// What a key means to a listener.
    pub fn action(&self, key: Key, listener: Listener) -> Option<Action> {
        let hears = |scope: Scope| match listener {
            Listener::Pane => matches!(scope, Scope::Everywhere | Scope::List),
            Listener::Text { .. } => scope != Scope::Shell,
            Listener::Shell => matches!(scope, Scope::Everywhere | Scope::Shell),
        };
        let mut found = self
            .bindings
            .iter()
            .filter(|(bound, spec)| *bound == key && hears(spec.scope))
            .map(|(_, spec)| spec);
        let first = found.next()?;
        let of_search = |spec: &Spec| matches!(spec.action, Action::NextMatch | Action::PrevMatch);
        let searching = listener == Listener::Text { searching: true };
        let chosen = match found.next() {
            Some(second) if of_search(second) == searching => second,
            Some(_) => first,
            None if of_search(first) && !searching => return None,
            None => first,
        };
        Some(chosen.action)
    }

    /// The keys of an action, as they are shown.
    pub fn keys(&self, action: Action) -> impl Iterator<Item = Key> {
        self.bindings
            .iter()
            .filter(move |(_, spec)| spec.action == action)
            .map(|(key, _)| *key)
    }

    /// The first key of an action, as text.
    pub fn key(&self, action: Action) -> Option<String> {
        self.keys(action).next().map(|key| key.to_string())
    }

    /// The whole table as text, a line each: for `--keys`.
    pub fn table(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "prefix {} (in the shell, before every key; twice sends it)",
            self.prefix
        )];
        for spec in ACTIONS {
            let keys: Vec<String> = self.keys(spec.action).map(|key| key.to_string()).collect();
            lines.push(format!(
                "{:<18} {:<16} {}",
                spec.name,
                keys.join(" "),
                spec.about
            ));
        }
        lines
    }
}

/// The table's keys with these changes.
fn bindings(changes: &BTreeMap<String, String>) -> Result<Vec<(Key, &'static Spec)>, Refused> {
    let refused = |action: &str, why: String| Refused {
        action: action.to_owned(),
        why,
    };
    if let Some(unknown) = changes
        .keys()
        .find(|name| super::action::find(name).is_none())
    {
        let names = ACTIONS.iter().map(|spec| spec.name);
        let near = did_you_mean(unknown, names);
        let why = format!("no such action{near}; 'buildx debug --keys' lists them");
        return Err(refused(unknown, why));
    }
    let mut bindings: Vec<(Key, &'static Spec)> = Vec::new();
    for spec in ACTIONS {
        let keys = changes.get(spec.name).map_or(spec.keys, String::as_str);
        for text in keys.split_whitespace() {
            let key = Key::parse(text).map_err(|why| refused(spec.name, why))?;
            let clash = bindings.iter().find(|(known, other)| {
                *known == key && listen_alike(spec.scope, other.scope) && !shadows(spec, other)
            });
            if let Some((_, other)) = clash {
                // The one that was changed is the one to change again.
                let changed = |spec: &Spec| changes.contains_key(spec.name);
                let (named, means) = match changed(spec) || !changed(other) {
                    true => (spec.name, other.name),
                    false => (other.name, spec.name),
                };
                let why = format!("{key} already means {means}; give one of them another key");
                return Err(refused(named, why));
            }
            bindings.push((key, spec));
        }
    }
    Ok(bindings)
}

/// Whether two scopes can hear the same key.
fn listen_alike(one: Scope, other: Scope) -> bool {
    use Scope::{Everywhere, List, Shell, Text};
    match (one, other) {
        (Shell, List | Text) | (List | Text, Shell) => false,
        (Everywhere | List | Text | Shell, _) => true,
    }
}

/// The search keys take the place of others while a search is on.
fn shadows(one: &Spec, other: &Spec) -> bool {
    let of_search = |spec: &Spec| matches!(spec.action, Action::NextMatch | Action::PrevMatch);
    of_search(one) != of_search(other)
}

#[cfg(test)]
mod tests;
