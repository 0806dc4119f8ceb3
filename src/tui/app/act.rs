//! An action → what it does.

use super::super::action::{Action, spec_of};
use super::super::layout::{Class, Pane};
use super::super::msg::Effect;
use super::super::pane::{self, Then};
use super::{App, Yes};
use crate::progress::units::count;
use crate::proto::controller::SessionState;

/// Rows that a pane is made larger or smaller by.
const STEP: i16 = 2;

impl App {
    /// Does what an action means where the keyboard is.
    pub fn act(&mut self, action: Action) -> Vec<Effect> {
        use Action as A;
        if self.view().is_none() && of_session(action) {
            let key = |action| self.setup.keymap.key(action).unwrap_or_default();
            let (build, attach) = (key(A::NewSession), key(A::AttachId));
            self.say(format!(
                "there is no session; {build} builds, {attach} attaches"
            ));
            return Vec::new();
        }
        match action {
            A::Session(number) => {
                let id = self
                    .order
                    .get(usize::from(number).saturating_sub(1))
                    .cloned();
                match id {
                    Some(id) => self.choose(&id),
                    None => {
                        self.say(format!("there is no session {number}"));
                        Vec::new()
                    }
                }
            }
            A::NextSession => self.step_session(1),
            A::PrevSession => self.step_session(-1),
            A::NextPane | A::PaneRight => self.step_pane(1),
            A::PrevPane | A::PaneLeft => self.step_pane(-1),
            A::Zoom => {
                self.zoom = !self.zoom;
                Vec::new()
            }
            A::Grow => self.grow(STEP),
            A::Shrink => self.grow(-STEP),
            A::Progress => self.focus_on(Pane::Progress),
            A::Log => {
                if let Some(view) = self.view_mut()
                    && let Some(step) = view.progress.selected(&view.build)
                {
                    view.log.show_step(&view.build, step);
                }
                self.focus_on(Pane::Log)
            }
            A::WholeLog => {
                if let Some(view) = self.view_mut() {
                    match view.log.whole() {
                        true => {
                            if let Some(step) = view.progress.selected(&view.build) {
                                view.log.show_step(&view.build, step);
                            }
                        }
                        false => view.log.show_all(),
                    }
                }
                self.focus_on(Pane::Log)
            }
            A::Dockerfile | A::Happened | A::Timeline => {
                let pane = match action {
                    A::Dockerfile => Pane::Dockerfile,
                    A::Happened => Pane::Happened,
                    _ => Pane::Timeline,
                };
                if self.focus == pane {
                    // The same key again goes through the files, and then back.
                    if pane == Pane::Dockerfile
                        && let Some(view) = self.view_mut()
                        && view.dockerfile.next_file(&view.build)
                    {
                        return Vec::new();
                    }
                    let before = self.before;
                    return self.focus_on(before);
                }
                self.detail_chosen = true;
                self.focus_on(pane)
            }
            A::Sidebar => self.focus_on(Pane::Sessions),
            A::NextError => self.step_error(true),
            A::PrevError => self.step_error(false),
            A::ShellAfter | A::ShellBefore | A::ShellFinal => match self.hindered(action) {
                Some(why) => {
                    self.complain(why);
                    Vec::new()
                }
                None if action == A::ShellAfter => self.shell_here(false),
                None => self.new_shell(action == A::ShellBefore),
            },
            A::ToggleShell => {
                if self.focus == Pane::Shell {
                    let before = self.before;
                    self.focus_on(before)
                } else {
                    self.shell_here(false)
                }
            }
            A::SendPrefix => {
                let prefix = self.setup.keymap.prefix;
                self.type_key(App::press(prefix.code, prefix.modifiers))
            }
            A::NextShell => self.step_shell(1),
            A::PrevShell => self.step_shell(-1),
            A::KillShell => self.ask_to_kill(),
            A::Scrollback => self.look_back(),
            A::Rollback => {
                match (self.hindered(action), self.current.clone()) {
                    (Some(why), _) => self.complain(why),
                    (None, Some(id)) => self.ask(
                        "Throw away what the shells changed, and start anew?",
                        Yes::Rollback(id),
                    ),
                    (None, None) => {}
                }
                Vec::new()
            }
            A::Reload => self.reload(),
            A::Watch => self.toggle_watch(),
            A::Cancel => self.ask_to_stop(),
            A::Edit => self.edit(),
            A::Editor => self.external_editor(),
            A::HostShell => self.host_shell(),
            A::Mouse => {
                self.mouse = !self.mouse;
                let words = if self.mouse {
                    "the mouse is ours"
                } else {
                    "the mouse is the terminal's"
                };
                self.say(words);
                vec![Effect::Mouse(self.mouse)]
            }
            A::NewSession
            | A::AttachId
            | A::CommandLine
            | A::Palette
            | A::Help
            | A::Messages
            | A::Health => self.open_layer(action),
            A::Prune => self.ask_to_prune(),
            A::Redraw => vec![Effect::Redraw],
            A::Suspend => vec![Effect::Suspend],
            A::Interrupt => self.interrupt(),
            A::Detach => vec![self.leave(self.last_code())],
            A::Quit => match self.view() {
                Some(view) => {
                    let session = view.session.id.clone();
                    let name = self.name_apart(view);
                    let question = format!("End session {name} with its shells and its log?");
                    self.ask(
                        question,
                        Yes::End {
                            session,
                            leave: true,
                        },
                    );
                    Vec::new()
                }
                None => vec![self.leave(self.last_code())],
            },
            action => self.act_in_pane(action),
        }
    }

    /// Actions that mean the pane with the keyboard.
    fn act_in_pane(&mut self, action: Action) -> Vec<Effect> {
        if self.focus == Pane::Sessions {
            return self.act_in_sessions(action);
        }
        let rows = self
            .layout()
            .place(self.focus)
            .map_or(1, |place| place.height.saturating_sub(1).max(1));
        let focus = self.focus;
        let Some(view) = self.view_mut() else {
            return Vec::new();
        };
        view.touched = true;
        let then = match focus {
            Pane::Progress => pane::progress::act(view, action, rows),
            Pane::Timeline => pane::timeline::act(view, action, rows),
            Pane::Happened => pane::happened::act(view, action, rows),
            Pane::Dockerfile => pane::dockerfile::act(view, action, rows),
            Pane::Log => pane::log::act(view, action, rows),
            Pane::Sessions | Pane::Shell => Then::Ignored,
        };
        match then {
            Then::Done => Vec::new(),
            Then::Effects(effects) => effects,
            Then::Focus(pane) => self.focus_on(pane),
            Then::Copy(text) => {
                self.say(format!("copied {}", count(text.lines().count(), "line")));
                vec![Effect::Clipboard(text.into())]
            }
            Then::Say(line) => {
                self.say(line);
                Vec::new()
            }
            Then::Ignored => match action {
                Action::Search | Action::Filter | Action::Save => self.open_layer(action),
                Action::Back => self.back(),
                action => {
                    if let Some(spec) = spec_of(action) {
                        let (name, pane) = (spec.name, focus.title());
                        self.say(format!("{name} does nothing in {pane}"));
                    }
                    Vec::new()
                }
            },
        }
    }

    fn back(&mut self) -> Vec<Effect> {
        if self.zoom {
            self.zoom = false;
            return Vec::new();
        }
        match self.focus {
            Pane::Progress => Vec::new(),
            _ => self.focus_on(Pane::Progress),
        }
    }

    fn act_in_sessions(&mut self, action: Action) -> Vec<Effect> {
        let last = self.order.len().saturating_sub(1);
        self.hold_sidebar();
        match action {
            Action::Down => self.pointed = (self.pointed + 1).min(last),
            Action::Up => self.pointed = self.pointed.saturating_sub(1),
            Action::Top => self.pointed = 0,
            Action::Bottom => self.pointed = last,
            Action::PageDown | Action::HalfDown => self.pointed = (self.pointed + 10).min(last),
            Action::PageUp | Action::HalfUp => self.pointed = self.pointed.saturating_sub(10),
            Action::Open => {
                let effects = match self.order.get(self.pointed).cloned() {
                    Some(id) => self.choose(&id),
                    None => Vec::new(),
                };
                self.focus_on(Pane::Progress);
                return effects;
            }
            Action::Back => return self.back(),
            _ => {}
        }
        Vec::new()
    }

    /// Before the pointer in the sidebar moves: the rows in sight stay as long as it is among them.
    fn hold_sidebar(&mut self) {
        if let Some(place) = self.layout().inside(Pane::Sessions) {
            pane::sessions::hold(self, place, true);
        }
    }

    /// Chooses the session in a row of the sidebar, from 0 beneath its title.
    pub(super) fn click_session(&mut self, row: u16) -> Vec<Effect> {
        let Some(place) = self.layout().inside(Pane::Sessions) else {
            return Vec::new();
        };
        let focused = self.focus == Pane::Sessions;
        let Some(at) = pane::sessions::session_at(self, place, row, focused) else {
            return Vec::new();
        };
        pane::sessions::hold(self, place, focused);
        self.pointed = at;
        let id = self.order.get(at).cloned();
        id.map_or_else(Vec::new, |id| self.choose(&id))
    }

    /// Gives the keyboard to a pane.
    pub(super) fn focus_on(&mut self, pane: Pane) -> Vec<Effect> {
        if pane != self.focus {
            if self.focus != Pane::Shell {
                self.before = self.focus;
            }
            self.focus = pane;
            self.prefixed = None;
        }
        if matches!(pane, Pane::Timeline | Pane::Happened | Pane::Dockerfile) {
            self.detail = pane;
        }
        Vec::new()
    }

    /// The panes that the keyboard can go to, in order.
    fn panes(&self) -> Vec<Pane> {
        let mut panes: Vec<Pane> = match self.class() {
            Class::Line => return vec![Pane::Progress],
            Class::Tiny => vec![Pane::Log],
            Class::Single => vec![Pane::Progress, Pane::Happened, Pane::Log, Pane::Dockerfile],
            Class::Stack => vec![Pane::Progress, self.detail, Pane::Log],
            Class::Sidebar => vec![Pane::Sessions, Pane::Progress, self.detail, Pane::Log],
            Class::Columns => vec![
                Pane::Sessions,
                Pane::Progress,
                Pane::Timeline,
                Pane::Log,
                Pane::Happened,
                Pane::Dockerfile,
            ],
        };
        if self.shell().is_some() {
            panes.push(Pane::Shell);
        }
        panes
    }

    fn step_pane(&mut self, by: isize) -> Vec<Effect> {
        let panes = self.panes();
        let at = panes
            .iter()
            .position(|pane| *pane == self.focus)
            .unwrap_or(0);
        let next = at.cast_signed() + by;
        let next = next
            .rem_euclid(panes.len().max(1).cast_signed())
            .cast_unsigned();
        match panes.get(next) {
            Some(pane) => self.focus_on(*pane),
            None => Vec::new(),
        }
    }

    fn step_session(&mut self, by: isize) -> Vec<Effect> {
        match (self.order.len(), &self.current) {
            (0, None) => {
                self.say("there is no session");
                return Vec::new();
            }
            (0 | 1, Some(_)) => {
                self.say("there is no other session");
                return Vec::new();
            }
            _ => {}
        }
        let at = self
            .current
            .as_ref()
            .and_then(|id| self.order.iter().position(|known| known == id))
            .unwrap_or(0);
        let next = (at.cast_signed() + by).rem_euclid(self.order.len().cast_signed());
        let id = self.order.get(next.cast_unsigned()).cloned();
        id.map_or_else(Vec::new, |id| self.choose(&id))
    }

    fn step_error(&mut self, forward: bool) -> Vec<Effect> {
        let Some(view) = self.view_mut() else {
            return Vec::new();
        };
        view.touched = true;
        let before = view.progress.selected(&view.build);
        match view.progress.step_error(&view.build, forward) {
            Some(step) => {
                let same = before == Some(step) && !view.log.whole();
                view.log.show_step(&view.build, step);
                view.dockerfile.show_step(&view.build, step);
                view.happened.show_step(step);
                let steps = &view.build.trace.steps;
                let step = steps.get(step).filter(|step| !step.failed());
                let warning = step.and_then(|step| step.warnings.first());
                let warning = warning.map(|warning| warning.short.clone());
                if let Some(warning) = warning
                    && self.layout().place(Pane::Happened).is_none()
                {
                    self.say(format!("warning: {warning}"));
                } else if same {
                    self.say("no other error or warning");
                }
            }
            // What failed is no step: the card tells of it.
            None if view.build.failure().is_some() => {
                view.happened.show_top();
                self.detail_chosen = true;
                return self.focus_on(Pane::Happened);
            }
            None => self.say("no errors and no warnings"),
        }
        Vec::new()
    }

    fn grow(&mut self, by: i16) -> Vec<Effect> {
        let at = match self.focus {
            Pane::Progress => 0,
            Pane::Shell => 2,
            Pane::Log => {
                // The log has what the others leave.
                self.extra[1] = (self.extra[1] - by).clamp(-200, 200);
                return Vec::new();
            }
            _ => 1,
        };
        self.extra[at] = (self.extra[at] + by).clamp(-200, 200);
        Vec::new()
    }

    fn ask_to_stop(&mut self) -> Vec<Effect> {
        let building = self
            .view()
            .filter(|view| view.session.state() == SessionState::Building)
            .map(|view| (view.session.id.clone(), self.name_apart(view)));
        let stops = |id: &str| self.stopping.as_ref().is_some_and(|one| one.session == id);
        match building {
            // It is on its way, and its message says how to take it back.
            Some((id, _)) if stops(&id) => {}
            Some((id, name)) => self.ask(format!("Stop the build of {name}?"), Yes::Stop(id)),
            None => self.say("no build runs in this session"),
        }
        Vec::new()
    }

    fn ask_to_prune(&mut self) -> Vec<Effect> {
        let unused: Vec<String> = self.unused().map(str::to_owned).collect();
        match unused.len() {
            0 => self.say("nothing to prune: every other session is in use"),
            ended => {
                let sessions = count(ended, "ended session");
                let question =
                    format!("End {sessions} in which nobody works, with state and logs?");
                self.ask(question, Yes::Prune(unused));
            }
        }
        Vec::new()
    }
}

/// Whether an action means something of the chosen session.
fn of_session(action: Action) -> bool {
    use Action as A;
    match action {
        A::Session(_)
        | A::NextSession
        | A::PrevSession
        | A::NextPane
        | A::PrevPane
        | A::PaneLeft
        | A::PaneRight
        | A::Zoom
        | A::Grow
        | A::Shrink
        | A::Sidebar
        | A::NewSession
        | A::AttachId
        | A::Prune
        | A::CommandLine
        | A::Palette
        | A::Help
        | A::Messages
        | A::Health
        | A::Mouse
        | A::Redraw
        | A::Suspend
        | A::Interrupt
        | A::Detach
        | A::Quit
        | A::Back => false,
        // Nothing to move in.
        A::Down | A::Up | A::PageDown | A::PageUp | A::HalfDown | A::HalfUp => false,
        A::Top | A::Bottom => false,
        _ => true,
    }
}
