//! What is opened in front of the panes, and what comes for it.

use super::super::action::Action;
use super::super::layer::{Layer, lines};
use super::super::msg::{Effect, Msg};
use super::App;

impl App {
    /// Opens what an action stands for.
    pub(super) fn open_layer(&mut self, action: Action) -> Vec<Effect> {
        match action {
            Action::Help => {
                let lines = self.setup.keymap.table();
                self.layer = Some(Layer::Lines(lines::State::new("keys", lines)));
            }
            Action::Messages => {
                let lines = self
                    .messages
                    .iter()
                    .rev()
                    .map(|(_, _, line)| line.clone())
                    .collect();
                self.layer = Some(Layer::Lines(lines::State::new("messages", lines)));
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

    /// What is meant for a layer.
    pub(super) fn on_layer(&mut self, msg: Msg) -> Vec<Effect> {
        let _ = msg;
        Vec::new()
    }

    /// The Dockerfile in place.
    pub(super) fn edit(&mut self) -> Vec<Effect> {
        Vec::new()
    }

    /// The Dockerfile in the user's editor.
    pub(super) fn external_editor(&mut self) -> Vec<Effect> {
        let editor = self
            .variable("VISUAL")
            .or_else(|| self.variable("EDITOR"))
            .unwrap_or_else(|| "vi".to_owned());
        let mut words = shell_words::split(&editor).unwrap_or_else(|_| vec![editor]);
        words.push("Dockerfile".to_owned());
        self.host_program(words, true)
    }
}
