//! A build to start: its words in fields, and the builds that were started before.

use std::path::{Path, PathBuf};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::super::app::App;
use super::super::keymap::Key;
use super::super::msg::{Effect, Found};
use super::super::pane::text::{self, cut, fill, middle, put};
use super::super::pane::wrap::wrap;
use super::super::theme::Role;
use super::Then;
use super::field::Field;
use crate::monitor::words;
use crate::term::escape;

mod path;

/// Label and hint of each field.
const FIELDS: [(&str, &str); 6] = [
    ("directory", "of the context, or an address"),
    ("Dockerfile", "in the directory, unless named"),
    ("target", "the last stage, unless named"),
    ("tags", "name:tag ..."),
    ("build arguments", "NAME=VALUE ..."),
    ("more flags", "as after 'buildx build'"),
];

const DIRECTORY: usize = 0;
const DOCKERFILE: usize = 1;
const TARGET: usize = 2;
const TAGS: usize = 3;
const ARGUMENTS: usize = 4;
const MORE: usize = 5;

/// Columns of the labels, and of the whole.
const LABEL: u16 = 17;
const COLUMNS: usize = 76;

/// Said while nothing is wrong.
const HOW: &str = "Enter builds, Tab goes on, Esc closes";

/// Most paths that are shown while one is typed.
const SHOWN: usize = 20;

/// Recent builds that are shown.
const RECENT: usize = 8;

/// What has been typed so far.
#[derive(Clone, Debug)]
pub struct State {
    fields: [Field; FIELDS.len()],
    /// A field, or behind them a recent build.
    at: usize,
    /// What is wrong, and with which field.
    error: Option<(usize, String)>,
    /// It waits for what the disk has.
    looking: bool,
    /// The field has been changed since it was gone to.
    typed: bool,
    /// The directory is the one that was proposed: what is typed takes its place.
    proposed: bool,
}

impl Default for State {
    /// For the directory that this program was started in.
    fn default() -> Self {
        let mut fields: [Field; FIELDS.len()] = Default::default();
        fields[DIRECTORY].set(".");
        Self {
            fields,
            at: DIRECTORY,
            error: None,
            looking: false,
            typed: false,
            proposed: true,
        }
    }
}

impl State {
    /// Takes a key.
    pub fn key(&mut self, app: &mut App, key: Key, event: KeyEvent) -> Then {
        let before = self.at;
        let then = self.take(app, key, event);
        self.typed &= self.at == before;
        then.or(|| self.list(app))
    }

    fn take(&mut self, app: &mut App, key: Key, event: KeyEvent) -> Then {
        let ctrl = key.modifiers == KeyModifiers::CONTROL;
        let count = FIELDS.len() + app.setup.recent.len().min(RECENT);
        let back = key.modifiers.contains(KeyModifiers::SHIFT);
        match key.code {
            KeyCode::Esc => return Then::Close,
            KeyCode::Char('c' | 'g') if ctrl => return Then::Close,
            KeyCode::Tab if back => self.at = (self.at + count - 1) % count,
            KeyCode::Tab if self.complete(app) => {}
            KeyCode::Tab => self.at = (self.at + 1) % count,
            KeyCode::Down => self.at = (self.at + 1).min(count - 1),
            KeyCode::Up => self.at = self.at.saturating_sub(1),
            KeyCode::Char('n') if ctrl => self.at = (self.at + 1).min(count - 1),
            KeyCode::Char('p') if ctrl => self.at = self.at.saturating_sub(1),
            KeyCode::Enter => {
                let recent = self.at.checked_sub(FIELDS.len());
                match recent.and_then(|at| app.setup.recent.get(at)) {
                    Some(words) => {
                        let words = words.clone();
                        self.fill(&words);
                    }
                    None => return self.submit(app),
                }
            }
            code => {
                let plain = (key.modifiers & !KeyModifiers::SHIFT).is_empty();
                self.unpropose(plain && matches!(code, KeyCode::Char(_)));
                if let Some(field) = self.fields.get_mut(self.at)
                    && field.key(key, event)
                {
                    (self.error, self.typed) = (None, true);
                }
            }
        }
        Then::Stay
    }

    /// The directory is no longer a mere proposal once its field is edited; `typed`: by text that takes its place.
    fn unpropose(&mut self, typed: bool) {
        if self.at == DIRECTORY && std::mem::take(&mut self.proposed) && typed {
            self.fields[DIRECTORY].set("");
        }
    }

    /// Takes pasted text.
    pub fn paste(&mut self, app: &mut App, text: &str) -> Option<Effect> {
        self.unpropose(true);
        if let Some(field) = self.fields.get_mut(self.at) {
            field.paste(text.trim_end_matches(['\r', '\n']));
            (self.error, self.typed) = (None, true);
        }
        self.list(app)
    }

    /// The words of the build, or the field that is wrong and what is wrong with it.
    fn words(&self) -> Result<Vec<String>, (usize, String)> {
        let text = |at: usize| self.fields.get(at).map_or("", |field| field.text().trim());
        let split = |at: usize| {
            let split = words::split(text(at));
            split.map_err(|error| (at, error.to_owned()))
        };
        let mut all = Vec::new();
        for (at, flag) in [(DOCKERFILE, "file"), (TARGET, "target")] {
            if !text(at).is_empty() {
                all.push(format!("--{flag}={}", text(at)));
            }
        }
        for (at, flag) in [(TAGS, "tag"), (ARGUMENTS, "build-arg")] {
            all.extend(
                split(at)?
                    .into_iter()
                    .map(|word| format!("--{flag}={word}")),
            );
        }
        all.extend(split(MORE)?);
        if text(DIRECTORY).is_empty() {
            return Err((DIRECTORY, "which directory?".to_owned()));
        }
        if text(DIRECTORY).starts_with('-') {
            all.push("--".to_owned());
        }
        all.push(text(DIRECTORY).to_owned());
        Ok(all)
    }

    /// Puts the words of a build into the fields.
    fn fill(&mut self, given: &[String]) {
        let mut parts: [Vec<String>; FIELDS.len()] = Default::default();
        for word in given {
            let (at, value) = match word.split_once('=') {
                Some(("--file", value)) => (DOCKERFILE, value),
                Some(("--target", value)) => (TARGET, value),
                Some(("--tag", value)) => (TAGS, value),
                Some(("--build-arg", value)) => (ARGUMENTS, value),
                _ if word == "--" => continue,
                _ if word.starts_with("--") => (MORE, word.as_str()),
                _ => (DIRECTORY, word.as_str()),
            };
            if let Some(part) = parts.get_mut(at) {
                part.push(value.to_owned());
            }
        }
        for ((at, field), part) in self.fields.iter_mut().enumerate().zip(parts) {
            match at {
                TAGS | ARGUMENTS | MORE => field.set(&line(&part)),
                _ => field.set(&part.concat()),
            }
        }
        self.at = DIRECTORY;
        self.error = None;
        self.proposed = false;
    }

    fn submit(&mut self, app: &App) -> Then {
        if let Err(error) = self.words() {
            self.wrong(error);
            return Then::Stay;
        }
        self.looking = true;
        Then::Effects(vec![Effect::Look(self.places(app).to_vec())])
    }

    /// Directory and Dockerfile as the disk knows them.
    fn places(&self, app: &App) -> [PathBuf; 2] {
        let from = Path::new(&app.setup.caller.directory);
        [DIRECTORY, DOCKERFILE].map(|at| from.join(self.fields[at].text().trim()))
    }

    /// What the disk has: the build begins, or what is wrong is shown.
    pub fn looked(&mut self, app: &mut App, found: &[(PathBuf, Found)]) -> Vec<Effect> {
        if !std::mem::take(&mut self.looking) {
            return Vec::new();
        }
        let what = |path: &Path| {
            found
                .iter()
                .find(|(known, _)| known == path)
                .map(|(_, found)| *found)
        };
        let [directory, dockerfile] = self.places(app);
        let text = self.fields[DIRECTORY].text();
        let address =
            text.contains("://") || text.starts_with("git@") || text.starts_with("github.com/");
        let named = !self.fields[DOCKERFILE].text().trim().is_empty();
        let web = self.fields[DOCKERFILE].text().contains("://");
        let wrong = match (what(&directory), what(&dockerfile)) {
            (None, _) => return Vec::new(),
            (Some(Found::Nothing), _) if !address => {
                Some((DIRECTORY, "there is no such directory"))
            }
            (Some(Found::File), _) if !address => {
                Some((DIRECTORY, "that is a file, not a directory"))
            }
            (_, Some(Found::Nothing)) if named && !web => {
                Some((DOCKERFILE, "there is no such file"))
            }
            (_, Some(Found::Directory)) if named && !web => {
                Some((DOCKERFILE, "that is a directory"))
            }
            _ => None,
        };
        let started = match wrong {
            Some((at, line)) => Err((at, line.to_owned())),
            None => self
                .words()
                .and_then(|words| app.start_build(&words).map_err(|line| (MORE, line))),
        };
        started.unwrap_or_else(|error| {
            self.wrong(error);
            Vec::new()
        })
    }

    fn wrong(&mut self, error: (usize, String)) {
        self.at = error.0;
        self.error = Some(error);
    }

    /// Draws a box in the middle.
    pub fn draw(&self, app: &App, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let theme = &app.setup.theme;
        let recent: Vec<String> = app
            .setup
            .recent
            .iter()
            .take(RECENT)
            .map(|given| escape::line(&line(given)).into_owned())
            .collect();
        let extra = if recent.is_empty() {
            0
        } else {
            recent.len() + 1
        };
        // As wide as the box is inside; an error is shown whole.
        let room = COLUMNS.min(usize::from(area.width.saturating_sub(4)));
        let (said, said_as) = match &self.error {
            Some((_, line)) => (wrap(line, room), Role::Error),
            None => {
                let paths = self.paths(app).into_iter().take(SHOWN);
                let paths = paths.collect::<Vec<_>>().join("  ");
                let said = if paths.is_empty() { HOW } else { &paths };
                (vec![cut(said, room, theme.ellipsis())], Role::Dim)
            }
        };
        let behind = FIELDS.len() + said.len();
        let rows = behind + extra;
        let inner = text::window(theme, "new build", COLUMNS, rows, area, buf);
        // Where not all fits, what is typed into stays in sight.
        let row = match self.at.checked_sub(FIELDS.len()) {
            None => self.at,
            Some(at) => behind + 1 + at,
        };
        let first = (row + 2).saturating_sub(usize::from(inner.height));
        let place = |row: usize| {
            let y = inner
                .y
                .saturating_add(u16::try_from(row.checked_sub(first)?).ok()?);
            (y < inner.bottom()).then_some(Rect {
                y,
                height: 1,
                ..inner
            })
        };
        let mut cursor = None;
        for ((at, field), (label, hint)) in self.fields.iter().enumerate().zip(FIELDS) {
            let Some(row) = place(at) else { continue };
            let here = self.at == at;
            let role = if here { Role::Accent } else { Role::Text };
            put(buf, row, row.x, row.y, label, theme.style(role));
            let line = Rect {
                x: row.x.saturating_add(LABEL).min(row.right()),
                width: row.width.saturating_sub(LABEL),
                ..row
            };
            let ghost = field
                .text()
                .is_empty()
                .then(|| (hint, theme.style(Role::Dim)));
            let role = match at == DIRECTORY && self.proposed {
                true => Role::Dim,
                false => Role::Text,
            };
            let position = field.draw(line, buf, theme.style(role), ghost);
            if here {
                cursor = Some(position);
            }
        }
        for (at, line) in said.iter().enumerate() {
            if let Some(row) = place(FIELDS.len() + at) {
                put(buf, row, row.x, row.y, line, theme.style(said_as));
            }
        }
        if !recent.is_empty()
            && let Some(row) = place(behind)
        {
            put(
                buf,
                row,
                row.x,
                row.y,
                "built before",
                theme.style(Role::Accent),
            );
        }
        for (at, line) in recent.iter().enumerate() {
            let Some(row) = place(behind + 1 + at) else {
                continue;
            };
            let here = self.at == FIELDS.len() + at;
            let style = theme.style(if here { Role::Selected } else { Role::Text });
            if here {
                fill(buf, row, row.y, style);
            }
            let pointer = if here { theme.pointer() } else { " " };
            put(buf, row, row.x, row.y, pointer, style);
            let room = usize::from(row.width).saturating_sub(2);
            put(
                buf,
                row,
                row.x + 2,
                row.y,
                &middle(line, room, theme.ellipsis()),
                style,
            );
        }
        cursor
    }
}

/// Words as a line that is split into them again, with quotes where they are needed only.
fn line(given: &[String]) -> String {
    let quote = |word: &String| {
        let odd = |letter: char| letter.is_whitespace() || "'\"\\#".contains(letter);
        match word.is_empty() || word.contains(odd) {
            true => words::join([word]),
            false => word.clone(),
        }
    };
    given.iter().map(quote).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_line_is_split_into_its_words(given in prop::collection::vec("[ -~é]{0,12}", 0..5)) {
            prop_assert_eq!(words::split(&line(&given)).unwrap(), given);
        }
    }
}
