//! One of a list, found by a few of its letters: an action or a command by name, a session or process by id.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::super::action::{ACTIONS, Action};
use super::super::app::{App, state_word};
use super::super::keymap::Key;
use super::super::pane::text::{self, cells, fill, middle, put, put_right};
use super::super::theme::Role;
use super::field::Field;
use super::{Then, fuzzy};
use crate::monitor::table;
use crate::term::escape;

/// Most rows of the list.
const ROWS: usize = 20;

/// Least and most columns of the list, where there is room for them: as wide as its longest row.
const COLUMNS: (usize, usize) = (78, 112);

/// What is chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pick {
    /// This action.
    Action(Action),
    /// This command of the monitor, by its name.
    Command(&'static str),
    /// What this id names, session or process.
    Id(String),
}

/// A row.
#[derive(Clone, Debug)]
pub struct Item {
    /// What is searched, and shown first.
    pub name: String,
    /// What it is; searched as well.
    pub about: String,
    /// At the right: keys, or a state.
    pub right: String,
    /// What it stands for.
    pub pick: Pick,
}

/// The list, what has been typed, and the place.
#[derive(Clone, Debug)]
pub struct State {
    title: &'static str,
    field: Field,
    items: Vec<Item>,
    /// The items that fit, the best first.
    shown: Vec<usize>,
    at: usize,
    /// What is typed may be an id that is not in the list.
    open: bool,
}

impl State {
    fn new(title: &'static str, items: Vec<Item>, open: bool) -> Self {
        let shown = (0..items.len()).collect();
        Self {
            title,
            field: Field::default(),
            items,
            shown,
            at: 0,
            open,
        }
    }

    /// Every action and every command.
    pub fn palette(app: &App) -> Self {
        let keys = |action| {
            let keys: Vec<String> = app
                .setup
                .keymap
                .keys(action)
                .map(|key| key.to_string())
                .collect();
            keys.join(" ")
        };
        let actions = ACTIONS
            .iter()
            .filter(|spec| spec.action != Action::Palette)
            .map(|spec| Item {
                name: spec.name.to_owned(),
                about: spec.about.to_owned(),
                right: keys(spec.action),
                pick: Pick::Action(spec.action),
            });
        let commands = table::COMMANDS
            .iter()
            .filter(|spec| super::super::action::find(spec.name).is_none())
            .map(|spec| Item {
                name: spec.name.to_owned(),
                about: spec.about.to_owned(),
                right: format!(":{}", spec.name),
                pick: Pick::Command(spec.name),
            });
        let mut items: Vec<Item> = actions.chain(commands).collect();
        // Nine rows that a digit does better would stand before everything else.
        items.sort_by_key(|item| matches!(item.pick, Pick::Action(Action::Session(_))));
        Self::new("palette", items, false)
    }

    /// Every session, and the processes of the chosen one.
    pub fn ids(app: &App) -> Self {
        let sessions = app.sessions().map(|view| {
            let session = &view.session;
            let processes = match session.processes {
                0 => String::new(),
                1 => "1 process".to_owned(),
                count => format!("{count} processes"),
            };
            Item {
                name: view.name(),
                about: format!("{} {processes}", escape::line(&session.id)),
                right: state_word(session).to_owned(),
                pick: Pick::Id(session.id.clone()),
            }
        });
        let inspected = app.view().and_then(|view| view.inspected.as_ref());
        let processes = inspected
            .into_iter()
            .flat_map(|inspected| &inspected.processes)
            .map(|process| Item {
                name: escape::line(&process.arguments.join(" ")).into_owned(),
                about: format!("process {}", escape::line(&process.id)),
                right: if process.ended == 0 { "runs" } else { "ended" }.to_owned(),
                pick: Pick::Id(process.id.clone()),
            });
        Self::new("go to", sessions.chain(processes).collect(), true)
    }

    /// Takes a key.
    pub fn key(&mut self, app: &mut App, key: Key, event: KeyEvent) -> Then {
        let ctrl = key.modifiers == KeyModifiers::CONTROL;
        let last = self.shown.len().saturating_sub(1);
        match key.code {
            KeyCode::Esc => return Then::Close,
            KeyCode::Char('c' | 'g') if ctrl => return Then::Close,
            KeyCode::Enter => return self.enter(app),
            KeyCode::Down | KeyCode::Tab => self.at = (self.at + 1).min(last),
            KeyCode::Up => self.at = self.at.saturating_sub(1),
            KeyCode::Char('n' | 'j') if ctrl => self.at = (self.at + 1).min(last),
            KeyCode::Char('p') if ctrl => self.at = self.at.saturating_sub(1),
            KeyCode::PageDown => self.at = (self.at + ROWS).min(last),
            KeyCode::PageUp => self.at = self.at.saturating_sub(ROWS),
            _ => {
                if self.field.key(key, event) {
                    self.look();
                }
            }
        }
        Then::Stay
    }

    /// Takes pasted text.
    pub fn paste(&mut self, text: &str) {
        self.field.paste(text);
        self.look();
    }

    fn look(&mut self) {
        let items = self.items.iter();
        let texts = items.map(|item| (item.name.as_str(), item.about.as_str()));
        self.shown = fuzzy::choose(self.field.text(), texts);
        self.at = 0;
    }

    fn enter(&mut self, app: &mut App) -> Then {
        let item = self.shown.get(self.at).and_then(|at| self.items.get(*at));
        match item.map(|item| &item.pick) {
            Some(Pick::Action(action)) => Then::Act(*action),
            Some(Pick::Command(name)) => {
                let needs = table::find(name).is_some_and(|spec| spec.arguments.0 > 0);
                app.pick_command(name, needs)
            }
            Some(Pick::Id(id)) => app.pick_id(id),
            None if self.open && !self.field.text().trim().is_empty() => {
                app.pick_id(self.field.text().trim())
            }
            None => Then::Stay,
        }
    }

    /// Draws a box in the upper half.
    pub fn draw(&self, app: &App, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let theme = &app.setup.theme;
        let name = |item: &Item| cells(&item.name);
        let left = self.items.iter().map(name).max().unwrap_or(0).min(24);
        let rows = self.items.len().min(ROWS) + 1;
        let right = |item: &Item| cells(&item.right);
        let about = |item: &Item| cells(&item.about);
        let widest = |of: &dyn Fn(&Item) -> usize| self.items.iter().map(of).max().unwrap_or(0);
        let columns = left + widest(&about) + widest(&right) + 5;
        let columns = columns.clamp(COLUMNS.0, COLUMNS.1);
        let inner = text::window(theme, self.title, columns, rows, area, buf);
        let x = put(buf, inner, inner.x, inner.y, "> ", theme.style(Role::Key));
        let line = Rect {
            x,
            width: inner.right().saturating_sub(x),
            height: inner.height.min(1),
            ..inner
        };
        if line.height == 0 {
            return None;
        }
        let hint = if self.open {
            "id or name"
        } else {
            "a few letters of it"
        };
        let ghost = self
            .field
            .text()
            .is_empty()
            .then(|| (hint, theme.style(Role::Dim)));
        let cursor = self.field.draw(line, buf, theme.style(Role::Text), ghost);
        let list = Rect {
            y: inner.y + 1,
            height: inner.height - 1,
            ..inner
        };
        if self.shown.is_empty() {
            let words = if self.open {
                "Enter asks the server for it"
            } else {
                "nothing fits"
            };
            put(buf, list, list.x, list.y, words, theme.style(Role::Dim));
        }
        let first = (self.at + 1).saturating_sub(usize::from(list.height));
        let shown = self.shown.iter().enumerate().skip(first);
        for ((index, item), y) in shown.zip(list.top()..list.bottom()) {
            let Some(item) = self.items.get(*item) else {
                continue;
            };
            let here = index == self.at;
            let style = theme.style(if here { Role::Selected } else { Role::Text });
            let dim = if here { style } else { theme.style(Role::Dim) };
            if here {
                fill(buf, list, y, style);
            }
            let pointer = if here { theme.pointer() } else { " " };
            put(buf, list, list.x, y, pointer, style);
            let name = middle(&item.name, left, theme.ellipsis());
            put(buf, list, list.x + 2, y, &name, style);
            let about = list
                .x
                .saturating_add(3)
                .saturating_add(u16::try_from(left).unwrap_or(0));
            let end = put_right(
                buf,
                list,
                about,
                y,
                &item.right,
                if here { style } else { theme.style(Role::Key) },
            );
            let inside = Rect {
                width: end.saturating_sub(list.x + 1),
                ..list
            };
            let room = usize::from(inside.right().saturating_sub(about));
            put(
                buf,
                inside,
                about,
                y,
                &middle(&item.about, room, theme.ellipsis()),
                dim,
            );
        }
        Some(cursor)
    }
}
