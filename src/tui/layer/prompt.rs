//! A line that is typed in the place of the footer: a command, a search, a filter, a name.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::super::app::App;
use super::super::keymap::Key;
use super::super::msg::Effect;
use super::super::pane::text::{cells, clear, fill, put};
use super::super::pane::wrap::wrap;
use super::super::theme::{Role, Theme};
use super::Then;
use super::field::Field;
use super::past::{Past, Walk};
use crate::monitor::complete::{Completion, complete};

/// Most rows of words that the line can go on with.
const CANDIDATES: usize = 8;

/// What the line is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A command of the monitor, an action, or a build.
    Command,
    /// What to look for in the log.
    Search,
    /// What lines of the log are shown.
    Filter,
    /// Where the log is saved.
    Save,
}

impl What {
    fn prompt(self, app: &App) -> String {
        match self {
            Self::Command => ":".to_owned(),
            Self::Search => "/".to_owned(),
            Self::Filter => "&".to_owned(),
            Self::Save => {
                let words = app.view().map(|view| view.log.words());
                format!("save {} (Ctrl-t) to: ", words.unwrap_or_default())
            }
        }
    }

    /// Said while nothing is typed.
    fn hint(self) -> &'static str {
        match self {
            Self::Command => "a command, an action or a build; Tab lists them",
            Self::Search => "text, or re: and a regular expression",
            Self::Filter => "only lines with this; empty shows all",
            Self::Save => "a file that is not there yet",
        }
    }
}

/// A word that the line can go on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The word.
    pub word: String,
    /// What it is.
    pub about: String,
}

/// The line.
#[derive(Clone, Debug)]
pub struct State {
    /// What for.
    pub what: What,
    field: Field,
    error: Option<String>,
    walk: Walk,
    /// Where the word before the cursor begins, and what it can become.
    candidates: (usize, Vec<Candidate>),
    /// Tab was pressed: even an empty word is completed.
    asked: bool,
    /// The candidate that has taken the place of the word.
    taken: Option<usize>,
}

impl State {
    /// With `text` in it.
    pub fn new(app: &App, what: What, text: &str) -> Self {
        let mut state = Self {
            what,
            field: Field::new(text),
            error: None,
            walk: Walk::default(),
            candidates: (0, Vec::new()),
            asked: false,
            taken: None,
        };
        if !text.is_empty() {
            state.look(app);
        }
        state
    }

    fn past<'a>(&self, app: &'a App) -> &'a Past {
        match self.what {
            What::Command => &app.commands,
            What::Search | What::Filter | What::Save => &app.patterns,
        }
    }

    /// What is typed.
    pub fn text(&self) -> &str {
        self.field.text()
    }

    /// Takes a key.
    pub fn key(&mut self, app: &mut App, key: Key, event: KeyEvent) -> Then {
        let then = self.take(app, key, event);
        then.or(|| self.list(app))
    }

    /// Reads the directory of a path that is being typed, if it is not known.
    fn list(&self, app: &mut App) -> Option<Effect> {
        let commands = self.what == What::Command;
        commands.then(|| app.list_for(self.field.text(), self.field.at()))?
    }

    /// The entries of a directory are here.
    pub fn listed(&mut self, app: &App) {
        if self.taken.is_none() && !self.walk.walking() {
            self.look(app);
        }
    }

    fn take(&mut self, app: &mut App, key: Key, event: KeyEvent) -> Then {
        let ctrl = key.modifiers == KeyModifiers::CONTROL;
        if self.walk.searching() {
            match self.walk.search_key(self.past(app), key) {
                Some(text) => {
                    self.field.set(&text);
                    return Then::Stay;
                }
                // Any other key takes the line and does what it does.
                None => self.walk.stop_searching(),
            }
        }
        match key.code {
            KeyCode::Esc => return Then::Close,
            KeyCode::Char('c' | 'g') if ctrl => return Then::Close,
            KeyCode::Char('d') if ctrl && self.text().is_empty() => return Then::Close,
            KeyCode::Backspace if self.text().is_empty() => return Then::Close,
            KeyCode::Enter => return self.submit(app),
            KeyCode::Char('t') if ctrl && self.what == What::Save => {
                if let Some(view) = app.view_mut() {
                    view.log.turn_clock();
                }
                return Then::Stay;
            }
            KeyCode::Tab => {
                self.tab(app, !key.modifiers.contains(KeyModifiers::SHIFT));
                return Then::Stay;
            }
            KeyCode::Char('r') if ctrl => {
                self.walk.search(self.field.text());
                return Then::Stay;
            }
            KeyCode::Up | KeyCode::Down => return self.go(app, key.code == KeyCode::Up),
            KeyCode::Char(letter @ ('p' | 'n')) if ctrl => return self.go(app, letter == 'p'),
            KeyCode::Right | KeyCode::End if self.take_ghost(app) => return Then::Stay,
            KeyCode::Char('f' | 'e') if ctrl && self.take_ghost(app) => return Then::Stay,
            _ => {}
        }
        if self.field.key(key, event) {
            self.changed(app);
        }
        Then::Stay
    }

    /// Takes pasted text.
    pub fn paste(&mut self, app: &mut App, text: &str) -> Option<Effect> {
        self.field.paste(text);
        self.changed(app);
        self.list(app)
    }

    fn changed(&mut self, app: &App) {
        self.error = None;
        self.walk.leave();
        self.look(app);
    }

    /// Looks for what the line can go on with.
    fn look(&mut self, app: &App) {
        self.taken = None;
        self.asked &= !self.text().is_empty();
        self.candidates = match self.what {
            What::Command => app.candidates(self.field.text(), self.field.at()),
            What::Search | What::Filter | What::Save => (0, Vec::new()),
        };
    }

    fn tab(&mut self, app: &App, forward: bool) {
        if self.candidates.1.is_empty() || !self.asked && self.text().is_empty() {
            self.look(app);
        }
        self.asked = true;
        let (from, words) = &self.candidates;
        let count = words.len();
        if count == 0 {
            return;
        }
        let typed = self.field.text().get(*from..self.field.at());
        let all: Vec<String> = words.iter().map(|one| one.word.clone()).collect();
        if self.taken.is_none()
            && let Completion::Word(word) = complete(typed.unwrap_or_default(), &all)
        {
            // A directory is not the end of a path.
            let word = word
                .strip_suffix("/ ")
                .map_or(word.clone(), |path| format!("{path}/"));
            self.field.replace(*from, &word);
            self.look(app);
            return;
        }
        // Nothing more is common to them: one after the other.
        let next = match (self.taken, forward) {
            (None, true) => 0,
            (None, false) => count - 1,
            (Some(at), true) => (at + 1) % count,
            (Some(at), false) => (at + count - 1) % count,
        };
        if let Some(word) = all.get(next) {
            self.field.replace(*from, word);
            self.taken = Some(next);
        }
    }

    fn go(&mut self, app: &App, back: bool) -> Then {
        if let Some(text) = self.walk.step(self.past(app), self.field.text(), back) {
            self.field.set(&text);
            self.error = None;
            self.candidates.1.clear();
        }
        Then::Stay
    }

    /// The rest of the newest line that begins as this one does.
    fn ghost<'a>(&self, app: &'a App) -> Option<&'a str> {
        let text = self.text();
        if text.is_empty() || !self.field.at_end() || self.walk.walking() {
            return None;
        }
        self.past(app).rest(text)
    }

    fn take_ghost(&mut self, app: &App) -> bool {
        let Some(rest) = self.ghost(app).map(str::to_owned) else {
            return false;
        };
        let text = format!("{}{rest}", self.text());
        self.field.set(&text);
        self.changed(app);
        true
    }

    fn submit(&mut self, app: &mut App) -> Then {
        let text = self.text().trim().to_owned();
        match app.submit(self.what, &text) {
            Ok(effects) => Then::Finish(effects),
            Err(line) => {
                self.error = Some(line);
                Then::Stay
            }
        }
    }

    /// Draws it in the last row of `area`, and above it what it can go on with.
    pub fn draw(&self, app: &App, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let theme = &app.setup.theme;
        let row = Rect {
            y: area.bottom().checked_sub(1)?,
            height: 1,
            ..area
        };
        let above = Rect {
            height: row.y.saturating_sub(area.y),
            ..area
        };
        match &self.error {
            Some(error) => {
                let room = usize::from(above.width).saturating_sub(4);
                let lines = wrap(error, room).into_iter();
                let lines: Vec<_> = lines
                    .map(|line| (format!(" {line} "), String::new()))
                    .collect();
                lift(theme, &lines, None, above, buf, Role::Error);
            }
            None => self.draw_candidates(theme, above, buf),
        }
        clear(buf, row);
        let prompt = match self.walk.wanted() {
            Some(wanted) => format!("(history) {wanted}: "),
            None => self.what.prompt(app),
        };
        let x = put(buf, row, row.x + 1, row.y, &prompt, theme.style(Role::Key));
        let line = Rect {
            x,
            width: row.right().saturating_sub(x),
            ..row
        };
        let dim = theme.style(Role::Dim);
        let ghost = match self.text() {
            "" => Some(self.what.hint()),
            _ => self.ghost(app),
        };
        let ghost = ghost.map(|ghost| (ghost, dim));
        let at = self.field.draw(line, buf, theme.style(Role::Text), ghost);
        Some(at)
    }

    fn draw_candidates(&self, theme: &Theme, above: Rect, buf: &mut Buffer) {
        let words = &self.candidates.1;
        if !self.asked && self.text().is_empty() {
            return;
        }
        let most = CANDIDATES.min(usize::from(above.height / 2));
        let at = self.taken.unwrap_or(0);
        let first = (at + 1).saturating_sub(most);
        let mut rows: Vec<(String, String)> = words
            .iter()
            .skip(first)
            .take(most)
            .map(|one| (one.word.clone(), one.about.clone()))
            .collect();
        let more = words.len().saturating_sub(first + rows.len());
        if more > 0 && rows.len() > 1 {
            rows.pop();
            rows.push((format!("{} more", more + 1), String::new()));
        }
        let here = self.taken.map(|at| at - first);
        lift(theme, &rows, here, above, buf, Role::Text);
    }
}

/// Draws rows of two columns at the bottom of `area`.
fn lift(
    theme: &Theme,
    rows: &[(String, String)],
    here: Option<usize>,
    area: Rect,
    buf: &mut Buffer,
    role: Role,
) {
    let widest = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
    let left = widest(&mut rows.iter().map(|(left, _)| cells(left)));
    let right = widest(&mut rows.iter().map(|(_, right)| cells(right)));
    // A sentence has the whole row: what stood behind it would be read as its end.
    let width = match role {
        Role::Error => usize::from(area.width),
        _ => left + if right > 0 { right + 2 } else { 0 } + 2,
    };
    let height = u16::try_from(rows.len())
        .unwrap_or(u16::MAX)
        .min(area.height);
    let place = Rect {
        y: area.bottom() - height,
        height,
        width: u16::try_from(width).unwrap_or(u16::MAX).min(area.width),
        ..area
    };
    clear(buf, place);
    for ((index, (word, about)), y) in rows.iter().enumerate().zip(place.top()..place.bottom()) {
        let selected = here == Some(index);
        let style = theme.style(if selected { Role::Selected } else { role });
        fill(
            buf,
            place,
            y,
            if selected {
                style
            } else {
                theme.style(Role::Marked)
            },
        );
        put(buf, place, place.x + 1, y, word, style);
        let about_style = if selected {
            style
        } else {
            theme.style(Role::Dim)
        };
        let column = u16::try_from(left).unwrap_or(u16::MAX);
        let x = place
            .x
            .saturating_add(1)
            .saturating_add(column)
            .saturating_add(2);
        put(buf, place, x, y, about, about_style);
    }
}
