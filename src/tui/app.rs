//! The state of the screen, and how it changes. Nothing here waits, draws, or talks to anybody: messages come in,
//! effects go out, so a key can be pressed in a test without a runtime.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;

use super::keymap::Keymap;
use super::layer::Layer;
use super::layer::past::Past;
use super::layout::{Class, Layout, Pane, Wanted};
use super::msg::{BuildId, Effect, Msg, Tab};
use super::pane::sessions;
use super::run::Begin;
use super::session::View;
use super::shell::Shell;
use super::shell::screen::colour::Depth;
use super::theme::Theme;
use super::zone::Zone;
use crate::monitor::invoke::{Invoke, On};
use crate::proto::controller::{Caller, InfoResponse, Session, SessionState};
use ratatui::layout::Rect;

mod act;
mod ask;
mod command;
mod edge;
mod keys;
mod layers;
mod lines;
mod mouse;
mod offers;
mod paths;
mod reading;
mod server;
mod shells;
mod source;
mod watch;

pub use ask::Yes;
pub use keys::WHICH;
pub use lines::{clause, state_mark, state_word, step_label};

/// Toasts that are kept for the list of messages.
const MESSAGES: usize = 200;

/// How long a toast is shown, in milliseconds.
const TOAST: i64 = 4_000;

/// What the user wants of this screen.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What belongs to the user.
    pub caller: Caller,
    /// The process of `--invoke`.
    pub invoke: Option<Invoke>,
    /// When a shell is opened by itself.
    pub on: On,
    /// Keys.
    pub keymap: Keymap,
    /// Looks.
    pub theme: Theme,
    /// Colours that the terminal can show.
    pub depth: Depth,
    /// Take the mouse at the start.
    pub mouse: bool,
    /// The terminal tells keys apart when it is asked to ([`super::known::disambiguates`]).
    pub keys: bool,
    /// Builds that were started before, the newest first: words after `buildx build`.
    pub recent: Vec<Vec<String>>,
    /// The file of those.
    pub recent_file: Option<PathBuf>,
    /// Lines that were given on the command line before, the oldest first.
    pub commands: Vec<String>,
    /// The file of those.
    pub history: Option<PathBuf>,
    /// Lines that are shown once, at the very first start.
    pub hint: bool,
    /// For times of day.
    pub zone: Zone,
    /// The server runs in this process.
    pub in_process: bool,
}

impl Setup {
    /// That of somebody who has not done anything before, on a terminal with all colours.
    pub fn new(keymap: Keymap, theme: Theme) -> Self {
        Self {
            caller: Caller::default(),
            invoke: None,
            on: On::Error,
            keymap,
            theme,
            depth: Depth::True,
            mouse: true,
            keys: false,
            recent: Vec::new(),
            recent_file: None,
            commands: Vec::new(),
            history: None,
            hint: false,
            zone: Zone::utc(),
            in_process: false,
        }
    }
}

/// How the way to the server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// Not known yet.
    Waiting,
    /// It answers.
    Up,
    /// It does not.
    Lost {
        /// Why, in one line.
        reason: String,
        /// When it is tried again, in milliseconds since 1970.
        retry: i64,
        /// How often it was tried.
        tries: u32,
    },
}

/// A line that appears for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toast {
    /// Until when, in milliseconds since 1970; errors stay until a key: `i64::MAX`.
    pub until: i64,
    /// It is an error.
    pub error: bool,
    /// What it says.
    pub text: String,
}

/// A stop of a build that is asked for, and can be undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopping {
    /// Id of the session.
    pub session: String,
    /// When it is done, in milliseconds since 1970.
    pub at: i64,
}

/// The whole state.
#[derive(Debug)]
pub struct App {
    /// What the user wants.
    pub setup: Setup,
    /// Size of the screen: columns, rows.
    pub size: (u16, u16),
    /// Milliseconds since 1970.
    pub now: i64,
    /// The way to the server.
    pub link: Link,
    /// What the server said of itself.
    pub info: InfoResponse,
    /// Every session that was there has been told.
    pub complete: bool,
    /// Ids of the sessions, in the server's order.
    pub order: Vec<String>,
    /// The sessions.
    pub views: HashMap<String, View>,
    /// The chosen session.
    pub current: Option<String>,
    /// The session in which the server counts this client.
    present: Option<String>,
    /// The session that this client has started.
    pub started: Option<BuildId>,
    /// Exit code of the last build that this client has started.
    pub code: u8,
    /// The row of the sidebar that keys mean, when it has the keyboard.
    pub pointed: usize,
    /// The place in the sidebar.
    pub sidebar: sessions::State,
    /// The tabs with terminals, oldest first.
    pub shells: Vec<Shell>,
    /// The shown tab of each session.
    pub shown: HashMap<String, Tab>,
    next_tab: u64,
    next_question: u64,
    /// The pane with the keyboard.
    pub focus: Pane,
    /// The pane before it, for the way back.
    pub before: Pane,
    /// It has the whole screen.
    pub zoom: bool,
    /// Which of timeline, Dockerfile and what happened is shown where one fits.
    pub detail: Pane,
    /// The user has chosen the detail, so it does not change by itself.
    pub detail_chosen: bool,
    /// Rows that were given to steps, detail and shell, or taken.
    pub extra: [i16; 3],
    /// The prefix key was pressed in the shell; since when.
    pub prefixed: Option<i64>,
    /// What is in front of the panes.
    pub layer: Option<Layer>,
    /// Lines that were given on the command line before.
    pub commands: Past,
    /// What was searched and filtered for before.
    pub patterns: Past,
    /// The file that the editor waits for.
    pub reading: Option<PathBuf>,
    /// What is said now.
    pub toast: Option<Toast>,
    /// For paths that are being typed.
    listing: paths::Listing,
    /// What was said, the oldest first: when, and the line.
    pub messages: VecDeque<(i64, bool, String)>,
    /// A build that is about to be stopped.
    pub stopping: Option<Stopping>,
    /// When Ctrl-C was pressed last.
    pub interrupted: i64,
    /// The mouse is ours.
    pub mouse: bool,
    /// What the mouse holds.
    pub drag: Option<mouse::Drag>,
    /// It is held beyond a border of a pane.
    pub edge: Option<edge::Edge>,
    /// The last click: where and when.
    pub click: Option<(u16, u16, i64)>,
    /// The terminal has the focus.
    pub focused: bool,
    /// The hint of the first start is shown.
    pub hint: bool,
    /// The key that is being handled has closed something.
    hint_closed: bool,
    /// The session whose shell is to be opened as soon as it is known which run in it.
    shell_wanted: Option<String>,
    /// The session with whose end this screen is left.
    leaving: Option<String>,
    /// The last message has changed something that is drawn.
    pub changed: bool,
    title: String,
}

impl App {
    /// At the start; nothing is known of the server.
    pub fn new(setup: Setup, size: (u16, u16), now: i64) -> Self {
        Self {
            mouse: setup.mouse,
            hint: setup.hint,
            commands: Past::new(setup.commands.iter().cloned()),
            patterns: Past::default(),
            reading: None,
            setup,
            size,
            now,
            link: Link::Waiting,
            info: InfoResponse::default(),
            complete: false,
            order: Vec::new(),
            views: HashMap::new(),
            current: None,
            present: None,
            started: None,
            code: 0,
            pointed: 0,
            sidebar: sessions::State::default(),
            shells: Vec::new(),
            shown: HashMap::new(),
            next_tab: 0,
            next_question: 0,
            focus: Pane::Progress,
            before: Pane::Progress,
            zoom: false,
            detail: Pane::Dockerfile,
            detail_chosen: false,
            extra: [0; 3],
            prefixed: None,
            layer: None,
            toast: None,
            listing: paths::Listing::default(),
            messages: VecDeque::new(),
            stopping: None,
            interrupted: 0,
            hint_closed: false,
            shell_wanted: None,
            leaving: None,
            drag: None,
            edge: None,
            click: None,
            focused: true,
            changed: true,
            title: String::new(),
        }
    }

    /// What the screen begins with.
    pub fn begin(&mut self, begin: Begin) -> Vec<Effect> {
        match begin {
            Begin::Sessions => Vec::new(),
            Begin::Build(build) => self.update(self.now, Msg::Built(build)),
            Begin::Session {
                session,
                process,
                read_only,
            } => {
                self.views.entry(session.clone()).or_default();
                let mut effects = self.choose(&session);
                if let Some(process) = process {
                    effects.extend(self.attach_shell(&session, &process, read_only));
                }
                effects
            }
        }
    }

    /// The shape of the cursor as the terminal counts them (DECSCUSR); 0: the user's own.
    pub fn cursor_shape(&self) -> u8 {
        match (self.focus, self.shell(), &self.layer) {
            (Pane::Shell, Some(shell), None) => shell.cursor_shape(),
            _ => 0,
        }
    }

    /// Changes the state by what has happened at `now`, and says what is to be done.
    pub fn update(&mut self, now: i64, msg: Msg) -> Vec<Effect> {
        self.now = now;
        let mut effects = match msg {
            Msg::Key(event) => self.key(event),
            Msg::Mouse(event) => self.on_mouse(event),
            Msg::Paste(text) => self.paste(&text),
            Msg::Focus(focused) => self.on_focus(focused),
            Msg::Resize(columns, rows) => {
                self.size = (columns, rows);
                Vec::new()
            }
            Msg::Tick => self.tick(),
            Msg::Continued => vec![Effect::Redraw],
            Msg::Terminate(code) => vec![self.leave(code)],
            Msg::Shell(tab, msg) => self.on_shell(tab, msg),
            Msg::Started {
                tab,
                process,
                notes,
            } => self.on_started(tab, process, notes),
            msg => self.on_server(msg),
        };
        self.settle(&mut effects);
        effects
    }

    /// What follows from the new state, whatever led to it.
    fn settle(&mut self, effects: &mut Vec<Effect>) {
        if self.focus == Pane::Shell && self.shell().is_none() {
            self.focus = match self.before {
                Pane::Shell => Pane::Progress,
                pane => pane,
            };
            self.zoom = false;
        }
        // A build that has ended meanwhile need not be stopped.
        if let Some(Layer::Ask {
            yes: Yes::Stop(id), ..
        }) = &self.layer
        {
            let view = self.views.get(id);
            let building = view.is_some_and(|view| view.session.state() == SessionState::Building);
            if !building {
                self.layer = None;
            }
        }
        self.resize_shells(effects);
        if self.present != self.current {
            self.present.clone_from(&self.current);
            effects.push(Effect::BeIn(self.current.clone()));
        }
        effects.extend(self.ask_for_lines());
        let title = self.window_title();
        if title != self.title {
            self.title.clone_from(&title);
            effects.push(Effect::Title(title));
        }
    }

    fn window_title(&self) -> String {
        match self.view() {
            None => "buildx".to_owned(),
            Some(view) => {
                let state = lines::state_word(&view.session);
                format!("buildx: {} {state}", view.name())
            }
        }
    }

    /// When [`Msg::Tick`] has something to do or to show although nothing happens: milliseconds since 1970.
    pub fn deadline(&self) -> Option<i64> {
        let toast = self.toast.as_ref().map(|toast| toast.until);
        let stopping = self.stopping.as_ref().map(|stopping| stopping.at);
        let retry = match &self.link {
            Link::Lost { retry, .. } => Some(*retry),
            Link::Waiting | Link::Up => None,
        };
        // Times of running steps are shown in tenths; nobody reads them faster than this.
        let running = self
            .view()
            .is_some_and(|view| view.session.state == SessionState::Building as i32);
        let clock = running.then(|| self.now - self.now.rem_euclid(100) + 100);
        let which = self
            .prefixed
            .map(|since| since + keys::WHICH)
            .filter(|at| *at > self.now);
        let shells = self.shells.iter().filter_map(Shell::deadline).min();
        let edge = self.edge_deadline();
        [toast, stopping, retry, clock, which, shells, edge]
            .into_iter()
            .flatten()
            .filter(|at| *at < i64::MAX)
            .min()
    }

    /// The chosen session.
    pub fn view(&self) -> Option<&View> {
        self.views.get(self.current.as_ref()?)
    }

    /// The chosen session, to be changed.
    pub fn view_mut(&mut self) -> Option<&mut View> {
        self.views.get_mut(self.current.as_ref()?)
    }

    /// The sessions in the order of the sidebar.
    pub fn sessions(&self) -> impl Iterator<Item = &View> {
        self.order.iter().filter_map(|id| self.views.get(id))
    }

    /// Where everything is.
    pub fn layout(&self) -> Layout {
        let (columns, rows) = self.size;
        let area = Rect::new(0, 0, columns, rows);
        Layout::new(area, self.wanted())
    }

    fn wanted(&self) -> Wanted {
        let steps = self.view().map_or(0, |view| view.progress.rows());
        Wanted {
            focus: self.focus,
            zoom: self.zoom,
            detail: self.detail,
            shell: self.shell().is_some(),
            steps: u16::try_from(steps).unwrap_or(u16::MAX),
            extra: self.extra,
        }
    }

    /// How much fits.
    pub fn class(&self) -> Class {
        Class::of(self.size.0, self.size.1)
    }

    /// Says a line for a while.
    pub fn say(&mut self, text: impl Into<String>) {
        self.tell(false, text.into());
    }

    /// Says that something went wrong; it stays until a key.
    pub fn complain(&mut self, text: impl Into<String>) {
        self.tell(true, text.into());
    }

    fn tell(&mut self, error: bool, text: String) {
        let text = crate::term::escape::line(&text).into_owned();
        if self.messages.len() >= MESSAGES {
            self.messages.pop_front();
        }
        self.messages.push_back((self.now, error, text.clone()));
        let until = if error { i64::MAX } else { self.now + TOAST };
        self.toast = Some(Toast { until, error, text });
    }

    fn tick(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self
            .toast
            .as_ref()
            .is_some_and(|toast| toast.until <= self.now)
        {
            self.toast = None;
        }
        if let Some(stopping) = self.stopping.take_if(|stopping| stopping.at <= self.now) {
            effects.push(Effect::Run {
                session: Some(stopping.session),
                process: None,
                command: crate::monitor::parse::Command::Cancel,
            });
        }
        if let Link::Lost { retry, tries, .. } = &mut self.link
            && *retry <= self.now
        {
            *tries += 1;
            // The answer sets the next time; until then there is nothing to wait for.
            *retry = i64::MAX;
            effects.push(Effect::Reconnect);
        }
        self.tick_edge();
        effects.extend(self.tick_shells());
        effects
    }

    /// The exit code of the last build that was started here. The list of sessions may know its end before its trace does.
    fn last_code(&self) -> u8 {
        let started = self.started.as_ref();
        let session = started.and_then(|build| {
            let view = self.views.get(&build.session)?;
            (view.session.build == build.build).then_some(&view.session)
        });
        session
            .and_then(|session| u8::try_from(session.exit_code).ok())
            .unwrap_or(self.code)
    }

    /// The name of a session; with its number where others have the same.
    fn name_apart(&self, view: &View) -> String {
        let name = view.name();
        if self.sessions().filter(|other| other.name() == name).count() < 2 {
            return name;
        }
        let at = self.order.iter().position(|id| *id == view.session.id);
        at.map_or(name.clone(), |at| format!("{name} (number {})", at + 1))
    }

    /// Leaves: what is said on the screen that was there before.
    pub fn leave(&self, code: u8) -> Effect {
        Effect::Leave {
            lines: self.last_words(),
            code,
        }
    }

    fn last_words(&self) -> Vec<String> {
        if self.setup.in_process {
            return Vec::new();
        }
        let Some(view) = self.view() else {
            return Vec::new();
        };
        let session = &view.session;
        let alone = self
            .sessions()
            .filter(|other| other.session.name == session.name)
            .count()
            == 1;
        let word = if alone && is_word(&session.name) {
            session.name.clone()
        } else {
            session.id.clone()
        };
        let building = session.state == SessionState::Building as i32;
        let verb = if building {
            "keeps running"
        } else {
            "lives on"
        };
        vec![format!(
            "Session {} {verb}; come back with: buildx debug attach {word}",
            view.name()
        )]
    }

    /// The directory of a session, where it is one of this machine.
    pub fn directory(session: &Session) -> Option<PathBuf> {
        let path = PathBuf::from(&session.context);
        path.is_absolute().then_some(path)
    }
}

/// Whether a shell reads this as one word.
fn is_word(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_./:@#".contains(&byte))
        && !name.starts_with(['-', '#'])
}

#[cfg(test)]
mod tests;
