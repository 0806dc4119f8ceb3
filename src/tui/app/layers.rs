//! What is opened in front of the panes, and what comes for it.

use super::super::action::Action;
use super::super::layer::prompt::What;
use super::super::layer::{Layer, Then, help, lines, pick};
use super::super::msg::{Effect, Msg};
use super::App;
use crate::monitor::listing;
use crate::monitor::parse::Command;
use crate::progress::units::bytes;
use crate::proto::controller::{BuilderHealth, InfoResponse};

impl App {
    /// Opens what an action stands for.
    pub(super) fn open_layer(&mut self, action: Action) -> Vec<Effect> {
        match action {
            Action::CommandLine => self.prompt(What::Command, ""),
            Action::Search => self.prompt(What::Search, ""),
            Action::Filter => self.prompt(What::Filter, ""),
            Action::Save => {
                let name = self.view().map(|view| view.name().replace(['/', ':'], "-"));
                let name = format!("{}.log", name.unwrap_or_default());
                self.prompt(What::Save, &name);
            }
            Action::Palette => self.layer = Some(Layer::Pick(pick::State::palette(self))),
            Action::AttachId => self.layer = Some(Layer::Pick(pick::State::ids(self))),
            Action::NewSession => {
                self.forget_listing();
                self.layer = Some(Layer::Form(Box::default()));
            }
            Action::Help => {
                let state = help::State::new(&self.setup.keymap, self.focus);
                self.layer = Some(Layer::Help(state));
            }
            Action::Messages => {
                let lines: Vec<String> = self
                    .messages
                    .iter()
                    .rev()
                    .map(|(at, error, line)| {
                        let word = if *error { "error: " } else { "" };
                        format!("{:>9} ago  {word}{line}", listing::span(self.now - *at))
                    })
                    .collect();
                match lines.is_empty() {
                    true => self.say("nothing was said yet"),
                    false => self.layer = Some(Layer::Lines(lines::State::new("messages", lines))),
                }
            }
            Action::Health => return vec![Effect::Health(self.current.clone())],
            _ => {}
        }
        Vec::new()
    }

    /// Shows the lines of an answer.
    pub(super) fn show_lines(&mut self, lines: Vec<String>) {
        self.layer = Some(Layer::Lines(lines::State::new("", lines)));
    }

    /// A command of the monitor was chosen by its name; `needs`: it takes arguments.
    pub fn pick_command(&mut self, name: &str, needs: bool) -> Then {
        if needs {
            self.prompt(What::Command, &format!("{name} "));
            return Then::Finish(Vec::new());
        }
        match self.submit(What::Command, name) {
            Ok(effects) => Then::Finish(effects),
            Err(line) => {
                self.complain(line);
                Then::Close
            }
        }
    }

    /// A session or process was chosen by its id; one that is not known here is asked for.
    pub fn pick_id(&mut self, id: &str) -> Then {
        if self.views.contains_key(id) {
            return Then::Finish(self.choose(id));
        }
        let current = self.current.clone();
        let own = self.view().and_then(|view| view.inspected.as_ref());
        let own = own.is_some_and(|inspected| inspected.processes.iter().any(|one| one.id == id));
        if let Some(session) = current.clone().filter(|_| own) {
            return Then::Finish(self.attach_shell(&session, id, false));
        }
        Then::Finish(vec![Effect::Run {
            session: current,
            process: None,
            command: Command::Attach {
                target: Some(id.to_owned()),
                read_only: false,
            },
        }])
    }

    /// What is meant for a layer.
    pub(super) fn on_layer(&mut self, msg: Msg) -> Vec<Effect> {
        match msg {
            Msg::File { path, text } => self.on_file(path, text),
            Msg::Written { path, result } => self.on_written(&path, &result),
            Msg::Looked(found) => {
                let Some(Layer::Form(mut state)) =
                    self.layer.take_if(|layer| matches!(layer, Layer::Form(_)))
                else {
                    return Vec::new();
                };
                let effects = state.looked(self, &found);
                self.layer = Some(Layer::Form(state));
                effects
            }
            Msg::Listed { directory, entries } => {
                self.on_listed(&directory, entries);
                Vec::new()
            }
            Msg::Health(info, builder) => {
                let lines = health(&info, builder.as_deref(), self.now);
                self.info = *info;
                self.layer = Some(Layer::Lines(lines::State::new("health", lines)));
                Vec::new()
            }
            Msg::Changed {
                session,
                path,
                count,
            } => self.on_changed(&session, &path, count),
            Msg::WatchWaits { session } => self.on_watch_waits(&session),
            Msg::Watched { session } => self.on_watched(&session),
            Msg::Unwatched { session, why } => self.on_unwatched(&session, why),
            _ => Vec::new(),
        }
    }
}

/// How server and builder are, a line each.
fn health(info: &InfoResponse, builder: Option<&BuilderHealth>, now: i64) -> Vec<String> {
    let plain = listing::plain;
    let mut lines = listing::server(info, now);
    let Some(health) = builder else {
        lines.push("Builder: no session is chosen".to_owned());
        return lines;
    };
    let mut rows = vec![
        ("Builder", plain(&health.builder)),
        ("Driver", plain(&health.driver)),
    ];
    if health.trouble.is_empty() {
        let millis = health.round_trip as f64 / 1000.0;
        let cache = bytes(i64::try_from(health.cache).unwrap_or(i64::MAX));
        rows.extend([
            ("Engine", plain(&health.version)),
            ("Round trip", format!("{millis:.1} ms")),
            ("Platforms", plain(&health.platforms.join(", "))),
            ("Cache", cache),
        ]);
    } else {
        rows.push(("Trouble", plain(&health.trouble)));
    }
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| vec![format!("{name}:"), value])
        .collect();
    lines.push(String::new());
    lines.extend(listing::table(&rows));
    lines
}
