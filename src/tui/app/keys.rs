//! A key → whom it is for.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::super::action::Action;
use super::super::keymap::{Key, Listener};
use super::super::layer::{self, Layer};
use super::super::layout::Pane;
use super::super::msg::Effect;
use super::{App, Yes};

/// After this time with the prefix alone, the keys behind it are shown, in milliseconds.
pub const WHICH: i64 = 400;

impl App {
    pub(super) fn key(&mut self, event: KeyEvent) -> Vec<Effect> {
        let Some(key) = Key::of(&event) else {
            return Vec::new();
        };
        self.hint_closed =
            std::mem::take(&mut self.hint) || self.toast.is_some() || self.prefixed.is_some();
        if let Some(toast) = &self.toast
            && toast.error
            && self.layer.is_none()
        {
            self.toast = None;
        }
        if self.layer.is_some() {
            return self.layer_key(key, event);
        }
        if self.stopping.is_some() && matches!(key.code, KeyCode::Char('u') | KeyCode::Esc) {
            self.undo_stop();
            return Vec::new();
        }
        if self.focus == Pane::Shell {
            return self.shell_key(key, event);
        }
        let text = matches!(self.focus, Pane::Log | Pane::Dockerfile | Pane::Happened);
        let searching =
            self.focus == Pane::Log && self.view().is_some_and(|view| view.log.searching());
        let listener = if text {
            Listener::Text { searching }
        } else {
            Listener::Pane
        };
        // The prefix does in panes what it does in the shell, for hands that have learnt it.
        if self.prefixed.take().is_some() {
            return match self.setup.keymap.action(key, Listener::Shell) {
                Some(action) => self.act(action),
                None => self.unbound(key),
            };
        }
        if key == self.setup.keymap.prefix {
            self.prefixed = Some(self.now);
            return Vec::new();
        }
        match self.setup.keymap.action(key, listener) {
            Some(action) => self.act(action),
            None => self.unbound(key),
        }
    }

    fn unbound(&mut self, key: Key) -> Vec<Effect> {
        if key.code != KeyCode::Esc {
            let help = self.setup.keymap.key(Action::Help).unwrap_or_default();
            self.say(format!("{key} means nothing here; {help} shows the keys"));
        }
        Vec::new()
    }

    /// In the shell every key is the program's, apart from the prefix and the key behind it.
    fn shell_key(&mut self, key: Key, event: KeyEvent) -> Vec<Effect> {
        if self.prefixed.take().is_some() {
            if key == self.setup.keymap.prefix {
                return self.type_key(event);
            }
            if key.code == KeyCode::Esc {
                return Vec::new();
            }
            // `a` after the prefix meant the prefix itself to hands that know screen; here it starts a build, as in
            // the panes.
            return match self.setup.keymap.action(key, Listener::Shell) {
                Some(action) => self.act(action),
                None => self.unbound(key),
            };
        }
        if key == self.setup.keymap.prefix {
            self.prefixed = Some(self.now);
            return Vec::new();
        }
        self.type_key(event)
    }

    fn layer_key(&mut self, key: Key, event: KeyEvent) -> Vec<Effect> {
        let Some(mut layer) = self.layer.take() else {
            return Vec::new();
        };
        let then = layer.key(self, key, event);
        match then {
            layer::Then::Stay => self.layer = Some(layer),
            layer::Then::Close => {}
            layer::Then::Act(action) => return self.act(action),
            layer::Then::Yes(yes) => return self.yes(yes),
            layer::Then::Effects(effects) => {
                self.layer = Some(layer);
                return effects;
            }
            layer::Then::Finish(effects) => return effects,
        }
        Vec::new()
    }

    /// Asks in the bottom line.
    pub(super) fn ask(&mut self, question: impl Into<String>, yes: Yes) {
        self.layer = Some(Layer::Ask {
            question: question.into(),
            yes,
        });
    }

    /// Ctrl-C outside of the shell: closes what is open; twice within two seconds it stops the build.
    pub(super) fn interrupt(&mut self) -> Vec<Effect> {
        const TWICE: i64 = 2_000;
        let twice = self.now - self.interrupted <= TWICE;
        self.interrupted = self.now;
        let building = self.view().filter(|view| {
            view.session.state() == crate::proto::controller::SessionState::Building
        });
        match (twice, building) {
            (true, Some(view)) => {
                let session = view.session.id.clone();
                self.interrupted = 0;
                vec![Effect::Run {
                    session: Some(session),
                    process: None,
                    command: crate::monitor::parse::Command::Cancel,
                }]
            }
            (false, Some(_)) => {
                let leave = self.setup.keymap.key(Action::Detach).unwrap_or_default();
                self.say(format!(
                    "Ctrl-C again stops the build; {leave} leaves and the build goes on"
                ));
                Vec::new()
            }
            (_, None) => {
                let key = |action| self.setup.keymap.key(action).unwrap_or_default();
                let (leave, end) = (key(Action::Detach), key(Action::Quit));
                self.say(match self.current {
                    Some(_) => format!("{leave} leaves, {end} ends the session"),
                    None => format!("{leave} leaves"),
                });
                Vec::new()
            }
        }
    }

    pub(super) fn paste(&mut self, text: &str) -> Vec<Effect> {
        if let Some(mut layer) = self.layer.take() {
            let effect = layer.paste(self, text);
            self.layer = Some(layer);
            return effect.into_iter().collect();
        }
        if self.focus == Pane::Shell {
            return self.type_paste(text);
        }
        self.say("nothing here takes text; open the shell or the command line first");
        Vec::new()
    }

    /// A key as crossterm has it, for tests and macros.
    pub fn press(code: KeyCode, modifiers: KeyModifiers) -> KeyEvent {
        KeyEvent::new(code, modifiers)
    }
}
