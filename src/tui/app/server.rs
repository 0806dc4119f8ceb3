//! What the server says → the state.

use super::super::action::Action;
use super::super::layer::Layer;
use super::super::layout::Pane;
use super::super::msg::{BuildId, Effect, Msg};
use super::super::own::you;
use super::super::session::View;
use super::{App, Link};
use crate::monitor::exec::{Answer, Monitor, Then};
use crate::monitor::invoke::On;
use crate::monitor::parse::Command;
use crate::proto::controller::trace_event::Event;
use crate::proto::controller::{Outcome, Session, SessionState, State, outcome};

/// Waits between tries to find the server again, in milliseconds.
const RETRY: [i64; 5] = [250, 500, 1_000, 2_000, 5_000];

impl App {
    pub(super) fn on_server(&mut self, msg: Msg) -> Vec<Effect> {
        match msg {
            Msg::Connected(info) => {
                self.present = None;
                let back = matches!(self.link, Link::Lost { .. });
                self.info = *info;
                self.link = Link::Up;
                self.complete = false;
                if back {
                    self.say("the server is back");
                }
                // What was read before is read again: its numbers may have gone on.
                self.current
                    .clone()
                    .map_or_else(Vec::new, |id| self.open(&id))
            }
            Msg::Reconnected(client) => vec![Effect::UseClient(client)],
            Msg::Lost(reason) => {
                let tries = match &self.link {
                    Link::Lost { tries, .. } => *tries,
                    Link::Waiting | Link::Up => 0,
                };
                let wait = RETRY[RETRY.len().saturating_sub(1).min(tries as usize)];
                self.link = Link::Lost {
                    reason,
                    retry: self.now + wait,
                    tries,
                };
                for view in self.views.values_mut() {
                    view.followed = false;
                    view.log.ask_again();
                    view.happened.ask_again();
                }
                Vec::new()
            }
            Msg::Session(session) => self.on_session(*session),
            Msg::Gone(id) => self.on_gone(&id),
            Msg::AllSessions => {
                self.complete = true;
                self.choose_some()
            }
            Msg::Trace(build, events) => {
                let Some(view) = self.views.get_mut(&build.session) else {
                    return Vec::new();
                };
                if view.build.number != build.build {
                    return Vec::new();
                }
                let ended = view.build.outcome.is_some();
                for mut event in events {
                    if let Some(Event::Outcome(Outcome {
                        end: Some(outcome::End::Canceled(canceled)),
                        ..
                    })) = &mut event.event
                    {
                        canceled.by = you(&canceled.by, &self.setup.caller.terminal).into_owned();
                    }
                    view.build.see(event);
                }
                view.refresh();
                match (ended, view.build.outcome.clone()) {
                    (false, Some(outcome)) => {
                        let mut effects = self.on_outcome(&build, &outcome);
                        effects.extend(self.rebuild_if_changed(&build.session));
                        effects
                    }
                    _ => Vec::new(),
                }
            }
            Msg::TraceEnd(build, trouble) => {
                if let Some(view) = self.views.get_mut(&build.session)
                    && view.build.number == build.build
                {
                    view.build.trouble = trouble;
                }
                Vec::new()
            }
            Msg::Inspected(inspected) => {
                let Some(id) = inspected.session.as_ref().map(|session| session.id.clone()) else {
                    return Vec::new();
                };
                for process in &inspected.processes {
                    let shell = self
                        .shells
                        .iter_mut()
                        .find(|shell| shell.process.as_deref() == Some(process.id.as_str()));
                    if let Some(shell) = shell {
                        shell.info = Some(process.clone());
                    }
                }
                if let Some(view) = self.views.get_mut(&id) {
                    view.inspect(*inspected);
                }
                let here = self.current.as_deref() == Some(id.as_str());
                match self.shell_wanted.take_if(|wanted| *wanted == id) {
                    Some(_) if here => self.shell_here(false),
                    _ => Vec::new(),
                }
            }
            Msg::Log(answer) => {
                // A session that is not shown any more may have asked.
                for view in self.views.values_mut() {
                    if view.happened.on_lines(&answer) {
                        return Vec::new();
                    }
                    if view.log.awaits(answer.id) {
                        view.log.on_lines(answer);
                        return Vec::new();
                    }
                }
                Vec::new()
            }
            Msg::Found(answer) => {
                let asking = self
                    .views
                    .values_mut()
                    .find(|view| view.log.awaits_hits(answer.id));
                let trouble = asking.and_then(|view| view.log.on_found(answer));
                if let Some(line) = trouble {
                    self.complain(line);
                }
                Vec::new()
            }
            Msg::Built(build) => {
                self.started = Some(build.clone());
                self.current = Some(build.session.clone());
                self.views.entry(build.session.clone()).or_insert_with(|| {
                    View::new(Session {
                        id: build.session.clone(),
                        ..Session::default()
                    })
                });
                if matches!(self.layer, Some(Layer::Form(_))) {
                    self.layer = None;
                }
                let mut effects = self.open(&build.session);
                effects.extend(self.follow(&build));
                effects
            }
            Msg::Answer {
                answer,
                session,
                process,
            } => self.on_answer(answer, session, process),
            Msg::Note(line) => {
                self.say(line);
                Vec::new()
            }
            Msg::NotSaved { session, path } => {
                self.on_not_saved(session, path);
                Vec::new()
            }
            Msg::Failed(line) => {
                self.complain(line);
                Vec::new()
            }
            msg => self.on_layer(msg),
        }
    }

    fn on_session(&mut self, session: Session) -> Vec<Effect> {
        let id = session.id.clone();
        let new = !self.views.contains_key(&id);
        let view = self
            .views
            .entry(id.clone())
            .or_insert_with(|| View::new(Session::default()));
        let before = std::mem::replace(&mut view.session, session);
        if new || !self.order.contains(&id) {
            self.order.push(id.clone());
        }
        if self.current.is_none() && self.complete {
            // The first one on an empty screen.
            return self.choose(&id);
        }
        if self.current.as_deref() != Some(id.as_str()) {
            return Vec::new();
        }
        let Some(view) = self.views.get(&id) else {
            return Vec::new();
        };
        let (session, followed) = (view.session.clone(), view.followed);
        // The end of a build is told where it is shown; this is what became of its state.
        let later = (session.build, session.state) == (before.build, before.state);
        if later && !new && session.reason != before.reason && !session.reason.is_empty() {
            self.complain(session.reason.clone());
        }
        let mut effects = Vec::new();
        if session.build != before.build || !followed {
            effects.extend(self.follow(&BuildId {
                session: id.clone(),
                build: session.build,
            }));
        }
        let told = |session: &Session| {
            (
                session.processes,
                session.watchers,
                session.state,
                session.kept_until,
            )
        };
        if told(&session) != told(&before) {
            effects.push(Effect::Inspect(id));
        }
        effects
    }

    fn on_gone(&mut self, id: &str) -> Vec<Effect> {
        let at = self.order.iter().position(|known| known == id);
        self.order.retain(|known| known != id);
        let view = self.views.remove(id);
        self.shells
            .retain(|shell| shell.session != id || shell.host());
        self.shown.remove(id);
        let mut effects = vec![Effect::Unfollow(id.to_owned())];
        if self.leaving.as_deref() == Some(id) {
            let name = view.as_ref().map_or_else(|| id.to_owned(), View::name);
            effects.push(Effect::Leave {
                lines: vec![format!("Session {name} has ended.")],
                code: self.code,
            });
        }
        if self.current.as_deref() == Some(id) {
            self.current = None;
            if let Some(view) = view {
                self.say(format!("session {} has ended", view.name()));
            }
            let at = at.unwrap_or(0).min(self.order.len().saturating_sub(1));
            if let Some(next) = self.order.get(at).cloned() {
                effects.extend(self.choose(&next));
            }
        }
        effects
    }

    /// Chooses the session to begin with, when none was named.
    fn choose_some(&mut self) -> Vec<Effect> {
        if self.current.is_some() {
            return Vec::new();
        }
        // Where something happens or has failed, the newest first.
        let rank = |session: &Session| match session.state() {
            SessionState::Building => 2,
            SessionState::Failed => 1,
            _ => 0,
        };
        let best = self
            .sessions()
            .map(|view| {
                (
                    rank(&view.session),
                    view.session.started,
                    view.session.id.clone(),
                )
            })
            .max();
        best.map_or_else(Vec::new, |(_, _, id)| self.choose(&id))
    }

    /// Makes a session the chosen one.
    pub(in crate::tui) fn choose(&mut self, id: &str) -> Vec<Effect> {
        if self.current.as_deref() == Some(id) {
            return Vec::new();
        }
        self.current = Some(id.to_owned());
        self.prefixed = None;
        if let Some(at) = self.order.iter().position(|known| known == id) {
            self.pointed = at;
        }
        if !self.detail_chosen {
            self.choose_detail();
        }
        self.open(id)
    }

    /// Begins to read what is not read yet of a session.
    fn open(&mut self, id: &str) -> Vec<Effect> {
        let Some(view) = self.views.get(id) else {
            return Vec::new();
        };
        let mut effects = vec![Effect::Inspect(id.to_owned())];
        if !view.followed && view.session.build > 0 {
            let build = BuildId {
                session: id.to_owned(),
                build: view.session.build,
            };
            effects.extend(self.follow(&build));
        }
        effects
    }

    fn follow(&mut self, build: &BuildId) -> Vec<Effect> {
        let Some(view) = self.views.get_mut(&build.session) else {
            return Vec::new();
        };
        if build.build == 0 || (view.followed && view.build.number == build.build) {
            return Vec::new();
        }
        view.followed = true;
        view.begin(build.build);
        vec![Effect::Follow(build.clone())]
    }

    /// A build has ended, as its trace says.
    fn on_outcome(&mut self, build: &BuildId, outcome: &Outcome) -> Vec<Effect> {
        let mine = self.started.as_ref() == Some(build);
        if mine {
            self.code = u8::try_from(outcome.exit_code).unwrap_or(1);
        }
        let here = self.current.as_deref() == Some(build.session.as_str());
        if self
            .stopping
            .as_ref()
            .is_some_and(|stopping| stopping.session == build.session)
        {
            self.stopping = None;
        }
        let mut effects = Vec::new();
        if let Some(view) = self.views.get_mut(&build.session) {
            view.happened.begin(&view.build);
            if !view.touched
                && let Some(step) = view.build.failed_step()
            {
                view.log.show_step(&view.build, step);
                view.dockerfile.show_step(&view.build, step);
            }
        }
        if !here {
            return effects;
        }
        if !self.detail_chosen {
            self.choose_detail();
        }
        effects.push(Effect::Inspect(build.session.clone()));
        let failed = match &outcome.end {
            Some(outcome::End::Failed(failure)) => {
                Some(failure.state() != State::Unspecified && !failure.refused)
            }
            Some(outcome::End::Finished(_)) => None,
            Some(outcome::End::Canceled(_)) | None => return effects,
        };
        let open = match failed {
            Some(state) => state,
            None => self.setup.on == On::Always,
        };
        let has_one = self
            .shells
            .iter()
            .any(|shell| shell.session == build.session && !shell.ended());
        // A trace that is read once more, as after a server was lost, tells of the same end.
        let view = self.views.get_mut(&build.session);
        let first = view
            .is_some_and(|view| std::mem::replace(&mut view.opened, build.build) != build.build);
        if mine && open && first && !has_one {
            effects.extend(self.start_shell(&build.session, false, None, false));
            // A build that nobody's key has started takes no keys away.
            let watching = self.view().is_some_and(|view| view.watching);
            if self.layer.is_none() && self.focus != Pane::Log && !watching {
                self.focus_on(Pane::Shell);
            }
        }
        effects
    }

    /// What is shown where one of timeline, Dockerfile and what happened fits.
    fn choose_detail(&mut self) {
        let ended = self.view().is_some_and(|view| view.build.outcome.is_some());
        self.detail = if ended {
            Pane::Happened
        } else {
            Pane::Dockerfile
        };
    }

    fn on_answer(
        &mut self,
        answer: Result<Box<Answer>, String>,
        session: Option<String>,
        process: Option<String>,
    ) -> Vec<Effect> {
        let answer = match answer {
            Ok(answer) => *answer,
            // Where line mode has a sentence for scripts, a person wants one that is short and names keys.
            Err(line) if line == Monitor::not_attached() => {
                let key = |action| self.setup.keymap.key(action).unwrap_or_default();
                let prefix = self.setup.keymap.prefix;
                let (start, anew) = (key(Action::ShellFinal), key(Action::Rollback));
                self.complain(format!(
                    "no program runs here: {prefix} {start} starts a shell, {prefix} {anew} begins anew"
                ));
                return Vec::new();
            }
            Err(line) => {
                self.complain(line);
                return Vec::new();
            }
        };
        match answer.lines.as_slice() {
            [] => {}
            [line] => self.say(line.clone()),
            // Whoever goes to a shell wants to type into it, not to close a box first.
            lines if process.is_some() => self.say(lines.join("; ")),
            lines => self.show_lines(lines.to_vec()),
        }
        let mut effects = Vec::new();
        if let Some(session) = &session
            && self.views.contains_key(session)
        {
            effects.extend(self.choose(session));
        }
        if let (Some(session), Some(process)) = (session, process) {
            effects.extend(self.attach_shell(&session, &process, false));
        }
        match answer.then {
            Then::Stay => {}
            Then::Follow { session, build } => {
                let build = BuildId { session, build };
                self.started = Some(build.clone());
                effects.extend(self.choose(&build.session));
                effects.extend(self.follow(&build));
            }
            Then::Logs { session, step } => {
                effects.extend(self.choose(&session));
                if let Some(view) = self.view_mut() {
                    view.log.show_named(&view.build, step.as_deref());
                }
                self.focus_on(Pane::Log);
            }
            Then::Ask { question, yes } => self.ask(question, super::Yes::Command(yes)),
            Then::Leave => effects.push(self.leave(self.code)),
        }
        effects
    }

    /// Builds the chosen session again.
    pub(super) fn reload(&mut self) -> Vec<Effect> {
        let Some(id) = self.current.clone() else {
            return Vec::new();
        };
        vec![Effect::Run {
            session: Some(id),
            process: None,
            command: Command::Reload,
        }]
    }
}
