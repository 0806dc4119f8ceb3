//! Questions with yes or no, in the bottom line; and what yes does.

use std::path::PathBuf;

use super::super::msg::{Effect, Tab};
use super::{App, Stopping};
use crate::monitor::parse::Command;

/// How long a stop can be undone, in milliseconds.
const UNDO: i64 = 3_000;

/// What yes does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Yes {
    /// Stop the build of this session, in a moment.
    Stop(String),
    /// End this session, and leave if it was asked with the intent to leave.
    End {
        /// Id of the session.
        session: String,
        /// Leave then.
        leave: bool,
    },
    /// End the program of this tab.
    Kill(Tab),
    /// Throw away what shells of this session changed.
    Rollback(String),
    /// End these sessions.
    Prune(Vec<String>),
    /// Write the log of this session into a file that exists.
    Overwrite(String, PathBuf),
    /// Carry this command out.
    Command(Command),
}

impl App {
    /// Does what yes means.
    pub(super) fn yes(&mut self, yes: Yes) -> Vec<Effect> {
        match yes {
            Yes::Stop(session) => {
                self.stopping = Some(Stopping {
                    session,
                    at: self.now + UNDO,
                });
                Vec::new()
            }
            Yes::End { session, leave } => {
                // The screen is left when the server says that it is gone.
                self.leaving = leave.then(|| session.clone());
                vec![run(
                    &session,
                    Command::Disconnect {
                        target: None,
                        force: true,
                    },
                )]
            }
            Yes::Kill(tab) => {
                let shell = self.shells.iter().find(|shell| shell.tab == tab);
                let Some((session, process)) =
                    shell.and_then(|shell| Some((shell.session.clone(), shell.process.clone()?)))
                else {
                    return self.close_shell(tab);
                };
                vec![Effect::Run {
                    session: Some(session),
                    process: Some(process.clone()),
                    command: Command::Kill(Some(process)),
                }]
            }
            Yes::Rollback(session) => self.start_shell(&session, false, None, true),
            Yes::Prune(sessions) => vec![Effect::Prune(sessions)],
            Yes::Overwrite(session, path) => {
                let view = self.view().filter(|view| view.session.id == session);
                let zone = &self.setup.zone;
                let save = view.map(|view| view.log.save(&view.build, zone, path, true));
                save.into_iter().collect()
            }
            Yes::Command(command) => {
                let process = self.shell().and_then(|shell| shell.process.clone());
                vec![Effect::Run {
                    session: self.current.clone(),
                    process,
                    command,
                }]
            }
        }
    }

    /// A log was not saved: there is something of that name.
    pub(super) fn on_not_saved(&mut self, session: String, path: PathBuf) {
        let name = path.display();
        let name = crate::term::escape::line(&name.to_string()).into_owned();
        // Whoever does something else by now is not interrupted.
        let here = self.layer.is_none() && self.current.as_deref() == Some(session.as_str());
        match here {
            true => self.ask(
                format!("There is a file {name}. Overwrite it?"),
                Yes::Overwrite(session, path),
            ),
            false => self.complain(format!("not saved: there is a file {name}")),
        }
    }

    /// Takes a stop back that has not been done.
    pub(super) fn undo_stop(&mut self) -> bool {
        let undone = self.stopping.take().is_some();
        if undone {
            self.say("the build goes on");
        }
        undone
    }
}

fn run(session: &str, command: Command) -> Effect {
    Effect::Run {
        session: Some(session.to_owned()),
        process: None,
        command,
    }
}
