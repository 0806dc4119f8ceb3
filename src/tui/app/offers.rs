//! Which actions can work now in the chosen session, so that nothing else is offered.

use super::super::action::Action;
use super::super::session::View;
use super::{App, clause};
use crate::monitor::prune::is_unused;
use crate::proto::controller::{SessionState, outcome};

impl App {
    /// What an action is called in the footer as things are, if not as always.
    pub fn called(&self, action: Action) -> Option<&'static str> {
        let whole = self.view().is_some_and(|view| view.log.whole());
        (action == Action::WholeLog && whole).then_some("this step")
    }

    /// Why this action cannot work now in the chosen session, in one line; `None` if it can, or if nothing is known
    /// against it.
    pub fn hindered(&self, action: Action) -> Option<String> {
        let view = self.view()?;
        let session = &view.session;
        match action {
            Action::ShellAfter => {
                let runs = self.shell().is_some_and(|shell| !shell.ended());
                match runs || session.processes > 0 {
                    true => None,
                    false => self.no_state(view),
                }
            }
            Action::ShellBefore => self.no_state(view).or_else(|| self.no_before(view)),
            Action::ShellFinal | Action::Rollback => self.no_state(view),
            Action::Edit => match view.build.failure() {
                Some(_) if view.build.files.is_empty() => {
                    Some("the build has read no Dockerfile".to_owned())
                }
                // What it was built from is told later.
                _ if view.inspected.is_none() => None,
                _ => self.dockerfile().err(),
            },
            Action::NextError | Action::PrevError => {
                let counts = view.progress.counts();
                let none = counts.errors + counts.warnings == 0 && view.build.failure().is_none();
                none.then(|| "no errors and no warnings".to_owned())
            }
            Action::NextSession | Action::PrevSession => {
                (self.order.len() < 2).then(|| "there is no other session".to_owned())
            }
            Action::NextShell | Action::PrevShell => (self.tabs(&session.id).nth(1).is_none())
                .then(|| "there is no other shell".to_owned()),
            Action::Prune => self
                .unused()
                .next()
                .is_none()
                .then(|| "nothing to prune: every other session is in use".to_owned()),
            _ => None,
        }
    }

    /// Why no shell can be started in the state of a build; `None` if one can, or while the build runs.
    fn no_state(&self, view: &View) -> Option<String> {
        match view.build.failure() {
            Some(failure) if failure.refused => {
                return Some("no shell: the build was refused before a step could run".to_owned());
            }
            Some(failure) if !failure.no_state.is_empty() => {
                return Some(format!("no shell: {}", clause(&failure.no_state)));
            }
            _ => {}
        }
        if view.session.state() == SessionState::Building || view.session.kept_until != 0 {
            return None;
        }
        let again = self.setup.keymap.key(Action::Reload);
        let again = again.map_or(String::new(), |key| format!("; {key} builds it again"));
        Some(format!("no shell: nothing of the build is kept{again}"))
    }

    /// Why there is no state before the failed step, where there is one of the result.
    fn no_before(&self, view: &View) -> Option<String> {
        let end = view.build.outcome.as_ref()?.end.as_ref()?;
        let result = self.setup.keymap.key(Action::ShellFinal);
        let result = result.map_or(String::new(), |key| {
            format!("; {key} starts a shell in the result")
        });
        matches!(end, outcome::End::Finished(_)).then(|| format!("no step failed{result}"))
    }

    /// Sessions that have ended, in which nobody works, other than the chosen one.
    pub(super) fn unused(&self) -> impl Iterator<Item = &str> {
        self.sessions()
            .map(|view| &view.session)
            .filter(|session| {
                is_unused(session) && self.current.as_deref() != Some(session.id.as_str())
            })
            .map(|session| session.id.as_str())
    }
}
