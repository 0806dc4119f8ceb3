//! The tabs with terminals: started, shown, typed into, ended.

use std::time::Instant;

use bytes::Bytes;
use crossterm::event::{KeyCode, KeyEvent};

use super::super::action::Action;
use super::super::keymap::Key;
use super::super::layer::{Layer, help};
use super::super::layout::Pane;
use super::super::msg::{Effect, ShellMsg, Tab};
use super::super::own::you;
use super::super::shell::copy::Command;
use super::super::shell::{Kind, Shell, Told};
use super::{App, Yes};
use crate::monitor::parse::Process;
use crate::proto::controller::attach_output::Output;
use crate::proto::controller::{SessionState, TerminalSize};

/// How long a size has to stay before the program is told, in milliseconds.
const SETTLED: i64 = 50;

/// What a program's terminal has where the screen is too small for one.
const SMALLEST: TerminalSize = TerminalSize { rows: 24, cols: 80 };

impl App {
    /// The shown tab of the chosen session.
    pub fn shell(&self) -> Option<&Shell> {
        let tab = self.shown.get(self.current.as_ref()?)?;
        self.shells.iter().find(|shell| shell.tab == *tab)
    }

    pub(super) fn shell_mut(&mut self) -> Option<&mut Shell> {
        let tab = self.shown.get(self.current.as_ref()?)?;
        self.shells.iter_mut().find(|shell| shell.tab == *tab)
    }

    fn tab_mut(&mut self, tab: Tab) -> Option<&mut Shell> {
        self.shells.iter_mut().find(|shell| shell.tab == tab)
    }

    /// The tabs of a session, oldest first.
    pub fn tabs(&self, session: &str) -> impl Iterator<Item = &Shell> {
        self.shells
            .iter()
            .filter(move |shell| shell.session == session)
    }

    /// The size of a new tab: that of the pane as it will be.
    pub(super) fn shell_size(&self) -> TerminalSize {
        let wanted = super::Wanted {
            shell: true,
            focus: Pane::Shell,
            ..self.wanted()
        };
        let (columns, rows) = self.size;
        let area = ratatui::layout::Rect::new(0, 0, columns, rows);
        let layout = super::Layout::new(area, wanted);
        size_of(layout.place(Pane::Shell), layout.class)
    }

    pub(super) fn add_shell(&mut self, session: &str, kind: Kind, size: TerminalSize) -> Tab {
        self.next_tab += 1;
        let tab = Tab(self.next_tab);
        self.shells
            .push(Shell::new(tab, session.to_owned(), kind, size));
        self.shown.insert(session.to_owned(), tab);
        tab
    }

    /// Starts a shell in the state of a session.
    pub(super) fn start_shell(
        &mut self,
        session: &str,
        init: bool,
        platform: Option<String>,
        rollback: bool,
    ) -> Vec<Effect> {
        let size = self.shell_size();
        let process = Process {
            init,
            platform: platform.clone(),
            ..Process::default()
        };
        // What a rebuild or a rollback has ended makes room.
        let ended: Vec<Tab> = self
            .tabs(session)
            .filter(|shell| shell.ended())
            .map(|shell| shell.tab)
            .collect();
        let mut effects: Vec<Effect> = ended
            .into_iter()
            .flat_map(|tab| self.close_shell(tab))
            .collect();
        let tab = self.add_shell(session, Kind::Process { init, platform }, size);
        effects.push(Effect::Exec {
            tab,
            session: session.to_owned(),
            process: Box::new(process),
            size,
            rollback,
        });
        effects
    }

    /// A tab for a process that runs already.
    pub(super) fn attach_shell(
        &mut self,
        session: &str,
        process: &str,
        read_only: bool,
    ) -> Vec<Effect> {
        let known = self
            .shells
            .iter()
            .find(|shell| shell.process.as_deref() == Some(process) && !shell.ended())
            .map(|shell| shell.tab);
        if let Some(tab) = known {
            self.shown.insert(session.to_owned(), tab);
            return self.focus_on(Pane::Shell);
        }
        let size = self.shell_size();
        let kind = Kind::Process {
            init: false,
            platform: None,
        };
        let tab = self.add_shell(session, kind, size);
        if let Some(shell) = self.tab_mut(tab) {
            shell.process = Some(process.to_owned());
            shell.read_only = read_only;
        }
        self.focus_on(Pane::Shell);
        vec![Effect::Attach {
            tab,
            session: session.to_owned(),
            process: process.to_owned(),
            size,
            read_only,
        }]
    }

    /// To the shell that is there, else to one that somebody else has left, else to a new one.
    pub(super) fn shell_here(&mut self, init: bool) -> Vec<Effect> {
        let Some(view) = self.view() else {
            return Vec::new();
        };
        let session = view.session.id.clone();
        if self.shell().is_some_and(|shell| !shell.ended()) {
            return self.focus_on(Pane::Shell);
        }
        if view.inspected.is_none() && view.session.processes > 0 && !init {
            // Which ones run is on its way.
            self.shell_wanted = Some(session);
            return Vec::new();
        }
        let running = view.inspected.as_ref().and_then(|inspected| {
            let alive = inspected
                .processes
                .iter()
                .filter(|process| process.ended == 0 && process.tty);
            alive
                .max_by_key(|process| process.started)
                .map(|process| process.id.clone())
        });
        if let Some(process) = running {
            return self.attach_shell(&session, &process, false);
        }
        self.new_shell(init)
    }

    /// One more shell, where there is a state for it.
    pub(super) fn new_shell(&mut self, init: bool) -> Vec<Effect> {
        let Some(view) = self.view() else {
            return Vec::new();
        };
        if view.session.state() == SessionState::Building {
            self.say("the build still runs; a shell can be opened when a step has failed or all are done");
            return Vec::new();
        }
        if let Some(failure) = view.build.failure()
            && !failure.no_state.is_empty()
        {
            let why = failure.no_state.clone();
            self.complain(why);
            return Vec::new();
        }
        let session = view.session.id.clone();
        let platforms = view
            .inspected
            .as_ref()
            .map(|inspected| inspected.platforms.clone());
        if let Some(platforms) = platforms.filter(|platforms| platforms.len() > 1 && !init) {
            self.layer = Some(Layer::platforms(platforms));
            return Vec::new();
        }
        let effects = self.start_shell(&session, init, None, false);
        self.focus_on(Pane::Shell);
        effects
    }

    /// A shell on this platform of the result.
    pub fn shell_on(&mut self, platform: String) -> Vec<Effect> {
        let Some(session) = self.current.clone() else {
            return Vec::new();
        };
        let effects = self.start_shell(&session, false, Some(platform), false);
        self.focus_on(Pane::Shell);
        effects
    }

    /// A program of this machine in a tab.
    pub(super) fn host_program(&mut self, words: Vec<String>, then_reload: bool) -> Vec<Effect> {
        let Some(view) = self.view() else {
            self.say("choose a session first");
            return Vec::new();
        };
        let session = view.session.id.clone();
        let directory = self
            .context()
            .filter(|directory| directory.is_dir())
            .unwrap_or_else(|| self.setup.caller.directory.clone().into());
        let size = self.shell_size();
        let tab = self.add_shell(
            &session,
            Kind::Host {
                words: words.clone(),
                then_reload,
            },
            size,
        );
        self.focus_on(Pane::Shell);
        vec![Effect::Host {
            tab,
            words,
            directory,
            size,
        }]
    }

    pub(super) fn host_shell(&mut self) -> Vec<Effect> {
        let shell = self
            .variable("SHELL")
            .unwrap_or_else(|| "/bin/sh".to_owned());
        self.host_program(vec![shell], false)
    }

    /// A variable of the user's environment.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        let value = self.setup.caller.environment.get(name)?;
        let text = String::from_utf8(value.to_vec()).ok()?;
        (!text.is_empty()).then_some(text)
    }

    pub(super) fn on_started(
        &mut self,
        tab: Tab,
        process: String,
        notes: Vec<String>,
    ) -> Vec<Effect> {
        let Some(shell) = self.tab_mut(tab) else {
            return Vec::new();
        };
        shell.process = Some(process.clone());
        let session = shell.session.clone();
        let size = shell.size();
        if !notes.is_empty() {
            self.say(notes.join("; "));
        }
        vec![
            Effect::Attach {
                tab,
                session: session.clone(),
                process,
                size,
                read_only: false,
            },
            Effect::Inspect(session),
        ]
    }

    pub(super) fn on_shell(&mut self, tab: Tab, mut msg: ShellMsg) -> Vec<Effect> {
        if let ShellMsg::Output(Output::Exited(exited)) = &mut msg {
            exited.reason = you(&exited.reason, &self.setup.caller.terminal).into_owned();
        }
        let now = self.now;
        let Some(shell) = self.tab_mut(tab) else {
            return Vec::new();
        };
        let told = shell.on(msg, Instant::now());
        shell.came(now);
        self.told(tab, told)
    }

    fn told(&mut self, tab: Tab, told: Told) -> Vec<Effect> {
        let shown = self.shell().is_some_and(|shell| shell.tab == tab);
        let mut effects = Vec::new();
        if let Some(text) = told.clipboard {
            effects.push(Effect::Clipboard(text));
        }
        if told.bell {
            effects.push(Effect::Bell);
        }
        if !told.reply.is_empty() {
            effects.push(Effect::Input(tab, told.reply.into()));
        }
        if told.broken
            && let Some(shell) = self.tab_mut(tab)
            && let Some(process) = shell.process.clone()
        {
            // The server's copy may be whole.
            shell.reconnect();
            effects.push(Effect::Attach {
                tab,
                session: shell.session.clone(),
                process,
                size: shell.size(),
                read_only: shell.read_only,
            });
        }
        self.changed = told.ended || told.line.is_some() || (shown && told.changed);
        if let Some(line) = told.line {
            let line = you(&line, &self.setup.caller.terminal).into_owned();
            self.say(line);
        }
        if told.ended {
            effects.extend(self.on_end(tab));
        }
        effects
    }

    /// A program has ended: its tab goes when it ended well, and stays with its last screen when it did not.
    fn on_end(&mut self, tab: Tab) -> Vec<Effect> {
        let Some(shell) = self.tab_mut(tab) else {
            return Vec::new();
        };
        let reload = matches!(
            shell.kind,
            Kind::Host {
                then_reload: true,
                ..
            }
        );
        let well = shell.ended_well();
        let mut effects = if well {
            self.close_shell(tab)
        } else {
            Vec::new()
        };
        if reload && well {
            effects.extend(self.reload());
        }
        effects
    }

    /// Takes a tab away.
    pub(super) fn close_shell(&mut self, tab: Tab) -> Vec<Effect> {
        let Some(at) = self.shells.iter().position(|shell| shell.tab == tab) else {
            return Vec::new();
        };
        let shell = self.shells.remove(at);
        if self.shown.get(&shell.session) == Some(&tab) {
            let next = self.tabs(&shell.session).last().map(|shell| shell.tab);
            match next {
                Some(next) => self.shown.insert(shell.session, next),
                None => self.shown.remove(&shell.session),
            };
        }
        vec![Effect::Drop(tab)]
    }

    pub(super) fn step_shell(&mut self, by: isize) -> Vec<Effect> {
        let Some(session) = self.current.clone() else {
            return Vec::new();
        };
        let tabs: Vec<Tab> = self.tabs(&session).map(|shell| shell.tab).collect();
        let shown = self.shown.get(&session);
        let at = tabs.iter().position(|tab| Some(tab) == shown).unwrap_or(0);
        if tabs.is_empty() {
            self.say("no shell");
            return Vec::new();
        }
        let next = (at.cast_signed() + by).rem_euclid(tabs.len().cast_signed());
        if let Some(tab) = tabs.get(next.cast_unsigned()) {
            self.shown.insert(session, *tab);
        }
        Vec::new()
    }

    pub(super) fn ask_to_kill(&mut self) -> Vec<Effect> {
        let Some(shell) = self.shell() else {
            self.say("no shell");
            return Vec::new();
        };
        let tab = shell.tab;
        if shell.ended() {
            return self.close_shell(tab);
        }
        let question = format!("End {} and what runs in it?", shell.label());
        self.ask(question, Yes::Kill(tab));
        Vec::new()
    }

    /// A key for the program.
    pub(super) fn type_key(&mut self, event: KeyEvent) -> Vec<Effect> {
        let Some(shell) = self.shell_mut() else {
            return Vec::new();
        };
        if shell.copy.is_some() {
            return self.copy_key(event);
        }
        if shell.ended() {
            let tab = shell.tab;
            return match event.code {
                KeyCode::Enter | KeyCode::Esc => self.close_shell(tab),
                _ => {
                    self.say("the program has ended; Enter closes its pane");
                    Vec::new()
                }
            };
        }
        let tab = shell.tab;
        if shell.read_only {
            self.say("this shell is only watched");
            return Vec::new();
        }
        // What is typed belongs to the newest lines.
        let scrolled = shell.terminal.offset() > 0;
        shell.terminal.scroll_to(0);
        let bytes = shell.terminal.key(&event);
        // The program draws what it makes of it.
        self.changed = scrolled || self.hint_closed;
        input(tab, bytes)
    }

    pub(super) fn type_paste(&mut self, text: &str) -> Vec<Effect> {
        let typed = |shell: &&mut Shell| !shell.ended() || shell.copy.is_some();
        let Some(shell) = self.shell_mut().filter(typed) else {
            return Vec::new();
        };
        let tab = shell.tab;
        match shell.paste(text) {
            Ok(bytes) => input(tab, bytes),
            Err(line) => {
                self.say(line);
                Vec::new()
            }
        }
    }

    /// The key that opens the help from the scrollback, where `?` searches.
    pub fn scrollback_help(&self) -> Option<Key> {
        let mut keys = self.setup.keymap.keys(Action::Help);
        keys.find(|key| {
            let typed = matches!(key.code, KeyCode::Char(_));
            !typed && Command::of(&KeyEvent::new(key.code, key.modifiers)).is_none()
        })
    }

    fn copy_key(&mut self, event: KeyEvent) -> Vec<Effect> {
        let help = self.scrollback_help();
        if help.is_some() && Key::of(&event) == help {
            self.layer = Some(Layer::Help(help::State::scrollback(&self.setup.keymap)));
            return Vec::new();
        }
        let Some(shell) = self.shell_mut() else {
            return Vec::new();
        };
        let (text, line) = shell.copy_key(&event);
        if let Some(line) = line {
            self.say(line);
        }
        text.map_or_else(Vec::new, |text| self.copied(text))
    }

    /// Text goes into the clipboard.
    pub(super) fn copied(&mut self, text: String) -> Vec<Effect> {
        let count = text.chars().count();
        self.say(format!("copied {count} characters"));
        vec![Effect::Clipboard(text.into())]
    }

    /// Into the scrollback of the shell.
    pub(super) fn look_back(&mut self) -> Vec<Effect> {
        match self.shell_mut() {
            Some(shell) => {
                shell.start_copying();
                self.focus_on(Pane::Shell)
            }
            None => {
                self.say("no shell");
                Vec::new()
            }
        }
    }

    pub(super) fn on_focus(&mut self, focused: bool) -> Vec<Effect> {
        self.focused = focused;
        if !focused {
            // Nobody may tell that the button was let go.
            self.edge = None;
        }
        if self.focus != Pane::Shell {
            return Vec::new();
        }
        let Some(shell) = self.shell() else {
            return Vec::new();
        };
        input(shell.tab, shell.terminal.focus(focused).to_vec())
    }

    /// Sizes of shown tabs follow the layout; the program is told when the size has settled.
    pub(super) fn resize_shells(&mut self, effects: &mut Vec<Effect>) {
        let layout = self.layout();
        let size = size_of(layout.place(Pane::Shell), layout.class);
        let visible = layout.place(Pane::Shell).is_some();
        let now = self.now;
        if let Some(shell) = self.shell_mut()
            && visible
        {
            shell.wants(size, now + SETTLED);
        }
        for shell in &mut self.shells {
            if let Some(size) = shell.settled(now) {
                effects.push(Effect::Resize(shell.tab, size));
            }
        }
    }

    /// Output that waited has its turn.
    pub(super) fn tick_shells(&mut self) -> Vec<Effect> {
        let now = self.now;
        let ticks = self.shells.iter_mut();
        let told: Vec<(Tab, Told)> = ticks
            .filter_map(|shell| Some((shell.tab, shell.tick(now)?)))
            .collect();
        let mut effects = Vec::new();
        for (tab, told) in told {
            effects.extend(self.told(tab, told));
        }
        self.changed = true;
        effects
    }

    /// Whether so much output waits that no more should be read for now.
    pub fn full(&self) -> bool {
        self.shells.iter().any(|shell| shell.terminal.is_full())
    }

    /// Brings the shell that is shown up to date, before a frame is drawn.
    pub fn look(&mut self) {
        if let Some(shell) = self.shell_mut() {
            shell.look();
        }
    }

    /// Until when the screen should not be drawn, because the program in it is in the middle of a frame.
    pub fn hold(&self) -> Option<Instant> {
        self.shell().and_then(|shell| shell.terminal.hold())
    }
}

fn input(tab: Tab, bytes: Vec<u8>) -> Vec<Effect> {
    if bytes.is_empty() {
        return Vec::new();
    }
    vec![Effect::Input(tab, Bytes::from(bytes))]
}

/// The size of a program's terminal in a pane: without its title row.
fn size_of(place: Option<ratatui::layout::Rect>, class: super::Class) -> TerminalSize {
    match place {
        Some(place) if class > super::Class::Tiny => TerminalSize {
            rows: u32::from(place.height.saturating_sub(1).max(1)),
            cols: u32::from(place.width.max(1)),
        },
        _ => SMALLEST,
    }
}
