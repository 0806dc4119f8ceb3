//! The keys: those of this pane first, then the others. Made from the keymap, so it shows what is true.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::super::action::{ACTIONS, Action, Scope, Spec};
use super::super::app::App;
use super::super::keymap::{Key, Keymap};
use super::super::layout::Pane;
use super::super::pane::text::{cells, clear, put};
use super::super::pane::wrap::wrap;
use super::super::shell::copy;
use super::super::theme::Role;
use super::field::Field;
use super::{Then, fuzzy};
use crate::monitor::table;

/// Columns of the overlay, where there is room for them.
const COLUMNS: u16 = 64;

/// Columns of the keys.
const KEYS: u16 = 16;

/// Columns of the overlay that are not the list's.
const BESIDE: u16 = 3;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// Begins a part.
    Heading(String),
    /// Keys, the name, and what it does.
    Key(String, String, String),
}

/// The rows, what has been typed to find some, and the place.
#[derive(Clone, Debug)]
pub struct State {
    all: Vec<Row>,
    shown: Vec<Row>,
    field: Field,
    offset: usize,
}

impl State {
    /// For the pane that has the keyboard.
    pub fn new(keymap: &Keymap, pane: Pane) -> Self {
        Self::of(rows(keymap, pane))
    }

    /// For the scrollback of a shell.
    pub fn scrollback(keymap: &Keymap) -> Self {
        let mut all = vec![Row::Heading("in this pane: scrollback".to_owned())];
        all.extend(copying());
        let mut others = rows(keymap, Pane::Shell);
        if let Some(first) = others.first_mut() {
            *first = Row::Heading(format!(
                "{}, behind {}",
                Scope::Shell.title(),
                keymap.prefix
            ));
        }
        all.extend(others);
        Self::of(all)
    }

    fn of(all: Vec<Row>) -> Self {
        Self {
            shown: all.clone(),
            all,
            field: Field::default(),
            offset: 0,
        }
    }

    /// The rows that are shown.
    pub fn rows(&self) -> &[Row] {
        &self.shown
    }

    /// Takes a key.
    pub fn key(&mut self, app: &App, key: Key, event: KeyEvent) -> Then {
        let ctrl = key.modifiers == KeyModifiers::CONTROL;
        let typed = !self.field.text().is_empty();
        let page = usize::from(app.size.1.saturating_sub(3).max(1));
        let width = COLUMNS.min(app.size.0).saturating_sub(BESIDE);
        let shown = &self.shown;
        let above = shown.get(..self.offset).unwrap_or_default();
        let last = shown
            .len()
            .saturating_sub(fit(shown.iter().rev(), width, page));
        self.offset = match key.code {
            KeyCode::Esc if typed => {
                self.field.set("");
                self.look();
                0
            }
            KeyCode::Esc | KeyCode::F(1) | KeyCode::Char('?') => return Then::Close,
            KeyCode::Char('q') if !typed => return Then::Close,
            KeyCode::Char('c' | 'g') if ctrl => return Then::Close,
            KeyCode::Down => self.offset + 1,
            KeyCode::Up => self.offset.saturating_sub(1),
            KeyCode::PageDown => {
                self.offset + fit(shown.iter().skip(self.offset), width, page).max(1)
            }
            KeyCode::PageUp => {
                let before = fit(above.iter().rev(), width, page).max(1);
                self.offset.saturating_sub(before)
            }
            KeyCode::Home if !typed => 0,
            KeyCode::End if !typed => last,
            _ => {
                if self.field.key(key, event) {
                    self.look();
                    0
                } else {
                    self.offset
                }
            }
        }
        .min(last);
        Then::Stay
    }

    /// Takes pasted text.
    pub fn paste(&mut self, text: &str) {
        self.field.paste(text);
        self.look();
    }

    /// Chooses the rows: those of the very key that is typed first, then those whose words fit.
    fn look(&mut self) {
        let typed = self.field.text().trim();
        if typed.is_empty() {
            self.shown.clone_from(&self.all);
            return;
        }
        let rows: Vec<&Row> = self
            .all
            .iter()
            .filter(|row| matches!(row, Row::Key(..)))
            .collect();
        let same = |row: &&Row| match row {
            Row::Key(keys, ..) => keys.split(' ').any(|key| {
                key == typed || (typed.chars().count() > 1 && key.eq_ignore_ascii_case(typed))
            }),
            Row::Heading(_) => false,
        };
        let texts = rows.iter().map(|row| match row {
            Row::Key(_, name, about) => (name.as_str(), about.as_str()),
            Row::Heading(title) => (title.as_str(), ""),
        });
        let fit = fuzzy::choose(typed, texts);
        let mut shown: Vec<Row> = rows
            .iter()
            .filter(|row| same(row))
            .copied()
            .cloned()
            .collect();
        let others = fit.into_iter().filter_map(|index| rows.get(index));
        shown.extend(others.filter(|row| !same(row)).copied().cloned());
        self.shown = shown;
        self.offset = 0;
    }

    /// Draws it over the right side of the screen, so that something of the log stays in sight.
    pub fn draw(
        &self,
        app: &App,
        area: Rect,
        footer: Option<Rect>,
        buf: &mut Buffer,
    ) -> Option<Position> {
        let theme = &app.setup.theme;
        let width = COLUMNS.min(area.width);
        let bottom = footer.map_or(area.bottom(), |footer| footer.y);
        let outer = Rect {
            x: area.right() - width,
            y: area.y,
            width,
            height: bottom.saturating_sub(area.y),
        };
        clear(buf, outer);
        let border = theme.style(Role::BorderFocus);
        for y in outer.top()..outer.bottom() {
            put(buf, outer, outer.x, y, theme.vertical(), border);
        }
        for x in outer.left()..outer.right() {
            put(buf, outer, x, outer.y, theme.horizontal(), border);
        }
        let title = " help: type to search; ?, Esc or q closes ";
        put(buf, outer, outer.x + 2, outer.y, title, border);
        let inner = Rect {
            x: outer.x.saturating_add(2),
            y: outer.y.saturating_add(1),
            width: outer.width.saturating_sub(BESIDE),
            height: outer.height.saturating_sub(1),
        };
        if inner.height == 0 {
            return None;
        }
        let x = put(buf, inner, inner.x, inner.y, "> ", theme.style(Role::Key));
        let line = Rect {
            x,
            width: inner.right().saturating_sub(x),
            height: 1,
            ..inner
        };
        let cursor = self.field.draw(line, buf, theme.style(Role::Text), None);
        let list = Rect {
            y: inner.y + 1,
            height: inner.height - 1,
            ..inner
        };
        let mut y = list.top();
        let mut end = self.offset;
        for row in self.shown.iter().skip(self.offset) {
            if y >= list.bottom() {
                break;
            }
            end += 1;
            match row {
                Row::Heading(title) => {
                    put(buf, list, list.x, y, title, theme.style(Role::Accent));
                    y += 1;
                }
                Row::Key(keys, _, about) => {
                    put(buf, list, list.x + 1, y, keys, theme.style(Role::Key));
                    let room = room(keys, list.width);
                    let x = list.right().saturating_sub(room);
                    for part in wrap(about, usize::from(room)) {
                        put(buf, list, x, y, &part, theme.style(Role::Text));
                        y = y.saturating_add(1);
                    }
                }
            }
        }
        if end < self.shown.len() && list.height > 0 {
            let more = format!(" {} more ", self.shown.len() - end);
            let x = list
                .right()
                .saturating_sub(u16::try_from(cells(&more)).unwrap_or(0));
            put(
                buf,
                list,
                x,
                list.bottom() - 1,
                &more,
                theme.style(Role::Bar),
            );
        }
        Some(cursor)
    }
}

/// Columns for what keys do, in a list of this width.
fn room(keys: &str, width: u16) -> u16 {
    let taken = u16::try_from(cells(keys) + 2).unwrap_or(u16::MAX);
    width.saturating_sub(taken.max(KEYS))
}

/// How many of these rows fit into so many lines, from the first on.
fn fit<'a>(rows: impl Iterator<Item = &'a Row>, width: u16, lines: usize) -> usize {
    let mut left = lines;
    rows.take_while(|row| {
        let taken = match row {
            Row::Heading(_) => 1,
            Row::Key(keys, _, about) => wrap(about, usize::from(room(keys, width))).len(),
        };
        let rest = left.checked_sub(taken);
        left = rest.unwrap_or(0);
        rest.is_some()
    })
    .count()
}

fn rows(keymap: &Keymap, pane: Pane) -> Vec<Row> {
    let here: &[Scope] = match pane {
        Pane::Shell => &[Scope::Shell],
        Pane::Log | Pane::Dockerfile | Pane::Happened => &[Scope::Text, Scope::List],
        Pane::Sessions | Pane::Progress | Pane::Timeline => &[Scope::List],
    };
    let scopes = [Scope::Everywhere, Scope::List, Scope::Text, Scope::Shell];
    let others = scopes.iter().filter(|scope| !here.contains(scope));
    let mut rows = vec![Row::Heading(format!("in this pane: {}", pane.title()))];
    for scope in here {
        rows.extend(of_scope(keymap, *scope));
    }
    for scope in others {
        rows.push(Row::Heading(scope.title().to_owned()));
        if *scope == Scope::Shell {
            rows.push(Row::Key(
                keymap.prefix.to_string(),
                "prefix".to_owned(),
                "before every key that is not for the program; twice sends it".to_owned(),
            ));
        }
        rows.extend(of_scope(keymap, *scope));
    }
    let command = keymap.key(Action::CommandLine).unwrap_or_default();
    rows.push(Row::Heading("on the command line".to_owned()));
    rows.extend(table::COMMANDS.iter().map(|spec| {
        Row::Key(
            format!("{command}{}", spec.name),
            spec.name.to_owned(),
            spec.about.to_owned(),
        )
    }));
    rows
}

/// The keys of the scrollback.
fn copying() -> impl Iterator<Item = Row> {
    copy::COMMANDS.iter().map(|spec| {
        let keys: Vec<String> = spec.shown().collect();
        Row::Key(keys.join(" "), spec.short.to_owned(), spec.about.to_owned())
    })
}

fn of_scope(keymap: &Keymap, scope: Scope) -> Vec<Row> {
    let mut rows = Vec::new();
    let digits = digits(keymap);
    for spec in ACTIONS.iter().filter(|spec| spec.scope == scope) {
        match spec.action {
            Action::Session(1) if digits => rows.push(Row::Key(
                "1-9".to_owned(),
                "session".to_owned(),
                "session by its number".to_owned(),
            )),
            Action::Session(_) if digits => {}
            _ => rows.push(row(keymap, spec)),
        }
    }
    rows
}

/// Whether the nine sessions have their digits, and nothing else.
fn digits(keymap: &Keymap) -> bool {
    (1..=9).all(|number| {
        let keys: Vec<String> = keymap
            .keys(Action::Session(number))
            .map(|key| key.to_string())
            .collect();
        keys == [number.to_string()]
    })
}

fn row(keymap: &Keymap, spec: &Spec) -> Row {
    let keys: Vec<String> = keymap
        .keys(spec.action)
        .map(|key| key.to_string())
        .collect();
    let keys = match (spec.action, keys.is_empty()) {
        (Action::SendPrefix, true) => keymap.prefix.to_string(),
        (_, true) => format!(":{}", spec.name),
        (_, false) => keys.join(" "),
    };
    Row::Key(keys, spec.name.to_owned(), spec.about.to_owned())
}
