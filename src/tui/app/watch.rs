//! Watch mode: a change of the context starts the build again, at once or when the one that runs has ended.

use super::super::action::Action;
use super::super::msg::Effect;
use super::App;
use crate::monitor::parse::Command;
use crate::proto::controller::SessionState;
use crate::term::escape;
use crate::watch::Wanted;

impl App {
    /// Begins to watch the context of the chosen session, or ends that.
    pub(super) fn toggle_watch(&mut self) -> Vec<Effect> {
        let Some(view) = self.view() else {
            return Vec::new();
        };
        let session = view.session.id.clone();
        let watching = view.watching;
        let wanted = match (watching, self.context()) {
            (true, _) => None,
            (false, Some(context))
                if self
                    .outputs()
                    .iter()
                    .any(|output| context.starts_with(output)) =>
            {
                self.say(
                    "the build writes into its own context: it would start itself again and again",
                );
                return Vec::new();
            }
            (false, Some(context)) => Some(Box::new(Wanted {
                context,
                dockerfile: self.dockerfile().ok(),
                outputs: self.outputs(),
            })),
            (false, None) => {
                self.say("the context of this build is no directory of this machine");
                return Vec::new();
            }
        };
        if let Some(view) = self.view_mut() {
            view.watching = !watching;
            view.changed = false;
        }
        if watching {
            self.say("files are not watched any more");
        }
        vec![Effect::Watch { session, wanted }]
    }

    /// A change is seen from now on; one before this would have been missed.
    pub(super) fn on_watched(&mut self, session: &str) -> Vec<Effect> {
        if self.views.get(session).is_some_and(|view| view.watching) {
            self.say("the build runs again whenever a file of the context changes");
        }
        Vec::new()
    }

    /// Files of a watched context have changed.
    pub(super) fn on_changed(&mut self, session: &str, path: &str, count: usize) -> Vec<Effect> {
        let Some(view) = self.views.get_mut(session).filter(|view| view.watching) else {
            return Vec::new();
        };
        let others = match count {
            0 | 1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        let what = format!("{}{others} changed", escape::line(path));
        if view.session.state() == SessionState::Building {
            view.changed = true;
            self.say(format!(
                "{what}; the build runs again when this one has ended"
            ));
            return Vec::new();
        }
        self.say(format!("{what}: building again"));
        vec![again(session)]
    }

    /// A build has ended: files that changed meanwhile start the next one.
    pub(super) fn rebuild_if_changed(&mut self, session: &str) -> Vec<Effect> {
        let view = self.views.get_mut(session);
        let wanted = view.is_some_and(|view| std::mem::take(&mut view.changed) && view.watching);
        if wanted {
            self.say("files changed during the build: building again");
        }
        wanted.then(|| again(session)).into_iter().collect()
    }

    /// A watched context is gone; it is looked for again.
    pub(super) fn on_watch_waits(&mut self, session: &str) -> Vec<Effect> {
        if self.views.get(session).is_some_and(|view| view.watching) {
            self.say("the watched context is gone; the build runs again when it is back");
        }
        Vec::new()
    }

    /// A context cannot be watched, or not any more.
    pub(super) fn on_unwatched(&mut self, session: &str, why: String) -> Vec<Effect> {
        if let Some(view) = self.views.get_mut(session) {
            view.watching = false;
            view.changed = false;
        }
        let again = match self.setup.keymap.key(Action::Watch) {
            Some(key) => format!("; {key} watches again"),
            None => String::new(),
        };
        self.complain(format!("{why}{again}"));
        Vec::new()
    }
}

fn again(session: &str) -> Effect {
    Effect::Run {
        session: Some(session.to_owned()),
        process: None,
        command: Command::Reload,
    }
}
