//! Which actions can work now in the chosen session, so that nothing else is offered.

use super::super::action::Action;
use super::App;

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
        let build = &view.build;
        match action {
            Action::ShellAfter | Action::ShellBefore => {
                let failure = build.failure()?;
                let there = self.shell().is_some() || view.session.processes > 0;
                if there && action == Action::ShellAfter {
                    return None;
                }
                match (failure.refused, failure.no_state.as_str()) {
                    (true, _) => {
                        Some("no shell: the build was refused before a step could run".to_owned())
                    }
                    (false, "") => None,
                    (false, why) => Some(format!("no shell: {why}")),
                }
            }
            Action::Edit if build.failure().is_some() && build.files.is_empty() => {
                Some("the build has read no Dockerfile".to_owned())
            }
            _ => None,
        }
    }
}
