//! The `[tui]` part of the file: what the full screen looks like and which key does what.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Mistake, truth};
use crate::build::suggest::did_you_mean;
use crate::tui::action::{self, ACTIONS};
use crate::tui::keymap::{Key, Keymap};
use crate::tui::theme::{Role, parse_style};

/// Every key, in the order of the template.
pub const KEYS: [&str; 6] = ["mouse", "ascii", "color", "screen_reader", "keys", "theme"];

/// When there are colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Colours {
    /// Unless NO_COLOR says otherwise.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What the file says of the full screen, with the defaults for what it does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScreenConfig {
    /// The mouse is taken at the start.
    pub mouse: bool,
    /// Only ASCII characters, whatever the locale is.
    pub ascii: bool,
    /// When there are colours.
    pub color: Colours,
    /// No full screen: lines, in whole sentences.
    pub screen_reader: bool,
    /// Name of an action → its keys, separated by blanks.
    pub keys: BTreeMap<String, String>,
    /// Name of a role → its style.
    pub theme: BTreeMap<String, String>,
}

impl Default for ScreenConfig {
    fn default() -> Self {
        Self {
            mouse: true,
            ascii: false,
            color: Colours::Auto,
            screen_reader: false,
            keys: BTreeMap::new(),
            theme: BTreeMap::new(),
        }
    }
}

/// The byte where something is wrong, and what, in one line.
type Wrong = (usize, String);

impl ScreenConfig {
    /// Reads the table.
    pub(super) fn read(value: &Spanned<DeValue<'_>>) -> Result<Self, Wrong> {
        let mut config = Self::default();
        for (key, value) in table("tui", value)? {
            let name: &str = key.get_ref();
            config.set(name, value).map_err(|wrong| match wrong {
                None => {
                    let near = did_you_mean(name, KEYS);
                    let all = KEYS.join(", ");
                    (
                        key.span().start,
                        format!("unknown key \"tui.{name}\"{near}; the keys are {all}"),
                    )
                }
                Some(wrong) => wrong,
            })?;
        }
        Ok(config)
    }

    /// `None`: there is no such key.
    fn set(&mut self, name: &str, value: &Spanned<DeValue<'_>>) -> Result<(), Option<Wrong>> {
        let start = value.span().start;
        let at = |mistake| match mistake {
            Mistake::Key => None,
            Mistake::Value(what) => Some((start, format!("tui.{name}: {what}"))),
        };
        match name {
            "mouse" => self.mouse = truth(value.get_ref()).map_err(at)?,
            "ascii" => self.ascii = truth(value.get_ref()).map_err(at)?,
            "screen_reader" => self.screen_reader = truth(value.get_ref()).map_err(at)?,
            "color" => self.color = colours(value.get_ref()).map_err(at)?,
            "keys" => self.keys = keys(value)?,
            "theme" => self.theme = theme(value)?,
            _ => return Err(None),
        }
        Ok(())
    }

    /// The styles that differ from the usual ones.
    pub fn styles(&self) -> Vec<(Role, ratatui::style::Style)> {
        let style = |(name, text): (&String, &String)| {
            let (_, role) = Role::ALL.iter().find(|(known, _)| known == name)?;
            Some((*role, parse_style(text).ok()?))
        };
        self.theme.iter().filter_map(style).collect()
    }
}

fn table<'a>(name: &str, value: &'a Spanned<DeValue<'a>>) -> Result<&'a DeTable<'a>, Wrong> {
    value.get_ref().as_table().ok_or_else(|| {
        let kind = value.get_ref().type_str();
        let what = format!("{name}: expected a table, not {kind}");
        (value.span().start, what)
    })
}

fn colours(value: &DeValue<'_>) -> Result<Colours, Mistake> {
    match super::text(value, "\"auto\"")? {
        "auto" => Ok(Colours::Auto),
        "always" => Ok(Colours::Always),
        "never" => Ok(Colours::Never),
        other => {
            let near = did_you_mean(other, ["auto", "always", "never"]);
            Err(format!("expected auto, always or never, not {other:?}{near}").into())
        }
    }
}

/// Names and texts of a table, each checked.
fn texts(
    name: &str,
    value: &Spanned<DeValue<'_>>,
    check: impl Fn(&str, &str) -> Result<(), Mistake>,
    unknown: impl Fn(&str) -> String,
) -> Result<BTreeMap<String, String>, Wrong> {
    let mut found = BTreeMap::new();
    for (key, value) in table(&format!("tui.{name}"), value)? {
        let word: &str = key.get_ref();
        let text = super::text(value.get_ref(), "\"f2\"");
        let checked = text.and_then(|text| check(word, text).map(|()| text));
        let text = checked.map_err(|mistake| match mistake {
            Mistake::Key => (
                key.span().start,
                format!("tui.{name}.{word}: {}", unknown(word)),
            ),
            Mistake::Value(what) => (value.span().start, format!("tui.{name}.{word}: {what}")),
        })?;
        found.insert(word.to_owned(), text.to_owned());
    }
    Ok(found)
}

fn keys(value: &Spanned<DeValue<'_>>) -> Result<BTreeMap<String, String>, Wrong> {
    let check = |name: &str, keys: &str| {
        action::find(name).ok_or(Mistake::Key)?;
        for key in keys.split_whitespace() {
            Key::parse(key)?;
        }
        Ok(())
    };
    let unknown = |name: &str| {
        let near = did_you_mean(name, ACTIONS.iter().map(|spec| spec.name));
        format!("no such action{near}; 'buildx debug --keys' lists them")
    };
    let keys = texts("keys", value, check, unknown)?;
    Keymap::check(&keys).map_err(|refused| {
        let mut names = value.get_ref().as_table().into_iter().flatten();
        let named = names.find(|(key, _)| key.get_ref().as_ref() == refused.action);
        let at = named.map_or(value.span().start, |(key, _)| key.span().start);
        (at, format!("tui.{refused}"))
    })?;
    Ok(keys)
}

fn theme(value: &Spanned<DeValue<'_>>) -> Result<BTreeMap<String, String>, Wrong> {
    let names = || Role::ALL.iter().map(|(name, _)| *name);
    let check = |name: &str, style: &str| {
        names().find(|known| *known == name).ok_or(Mistake::Key)?;
        parse_style(style)?;
        Ok(())
    };
    let unknown = |name: &str| {
        let near = did_you_mean(name, names());
        let all: Vec<&str> = names().collect();
        format!("no such role{near}; the roles are {}", all.join(", "))
    };
    texts("theme", value, check, unknown)
}
