//! `buildx debug build`: from a build to its monitor, or to a sentence why there is none.

use std::io::Write;
use std::path::PathBuf;

use tokio::task::JoinHandle;
use tonic::Status;

use super::again::Again;
use super::editor::Editor;
use super::exec::{Api, Monitor, Setup, come_back, find_session, has_state, kept, no_state, now};
use super::invoke::{Invoke, On, when};
use super::listing;
use super::prefix::Prefix;
use super::run::{Line, Parts};
use super::spoken;
use super::terminal::{self, Terminal};
use super::watch::{Seen, Signals, watch};
use crate::build::after;
use crate::client::follow::{View, exit_code};
use crate::client::{pipes, status};
use crate::progress::settings::{Kind, Settings};
use crate::proto::controller::{
    BuildRequest, BuildResponse, Caller, DisconnectRequest, Outcome, outcome,
};
use crate::term::escape;

/// What is said where a monitor is wanted and cannot be.
pub const NO_TERMINAL: &str = "the monitor needs a terminal on standard input and output; for scripts there are the commands that 'buildx debug --help' lists";

/// What the user wants of a monitor.
#[derive(Clone, Debug)]
pub struct Wish {
    /// What belongs to the user.
    pub caller: Caller,
    /// `--invoke`.
    pub invoke: Option<Invoke>,
    /// `--on`.
    pub on: Option<On>,
    /// The prefix key.
    pub prefix: u8,
    /// The file of the prompt's history.
    pub history: Option<PathBuf>,
    /// How builds are shown.
    pub progress: Settings,
    /// The server runs in this process.
    pub in_process: bool,
    /// The way back to a server that was lost.
    pub again: Again,
    /// What is said is read out: sentences, and nothing is drawn over.
    pub spoken: bool,
}

impl Wish {
    /// Whether a success opens the monitor, too.
    pub fn on_success(&self) -> bool {
        when(self.on, self.invoke.as_ref()) == On::Always
    }

    /// A monitor on the user's terminal, in `session` if there is one; `started` says that it is
    /// this client's.
    ///
    /// # Errors
    /// There is no terminal; one line.
    pub fn open(&self, api: Api, session: Option<String>, started: bool) -> Result<Line, String> {
        if !terminal::is_there() {
            return Err(NO_TERMINAL.to_owned());
        }
        let cannot = |error| format!("cannot use the terminal: {error}");
        let terminal = Terminal::open().map_err(cannot)?;
        let prefix = Prefix::new(self.prefix);
        let setup = Setup {
            caller: self.caller.clone(),
            invoke: self.invoke.clone().unwrap_or_default(),
            prefix: prefix.name(),
            spoken: self.spoken,
        };
        let mut monitor = Monitor::new(api, setup);
        monitor.started = session.clone().filter(|_| started);
        monitor.session = session;
        Line::new(Parts {
            monitor,
            terminal,
            prefix,
            editor: Editor::new(self.history.as_deref()),
            progress: self.progress.clone(),
            in_process: self.in_process,
            again: match self.in_process {
                true => Again::default(),
                false => self.again.clone(),
            },
        })
        .map_err(cannot)
    }
}

/// Builds what `request` asks for and opens the monitor when the wish says so. The exit code is that
/// of the last build.
///
/// # Errors
/// There was no build, or its end was not seen; one line.
pub async fn build(api: Api, request: BuildRequest, wish: &Wish) -> Result<u8, String> {
    let quiet = wish.progress.kind == Kind::Quiet;
    let detached = request.detached;
    let mut signals = Signals::listen().map_err(|error| format!("cannot listen: {error}"))?;
    let started = api.clone().build(request).await;
    let started = started.map_err(|error| status::line(&error))?.into_inner();
    let flows = Flows::start(&api, &started);
    let mut view = View::on_stderr(wish.progress.clone());
    let seen = watch(
        &api,
        &started.session,
        started.build,
        &mut view,
        &mut signals,
    )
    .await;
    let outcome = match seen {
        Seen::Outcome(outcome) => outcome,
        Seen::Lost(lost) => return Err(lost.0),
        Seen::Left(code) => return Ok(code),
    };
    flows.end(&outcome).await?;
    if let Some(outcome::End::Finished(finished)) = &outcome.end {
        let response = finished.response.clone().into_iter().collect();
        let text = after::results_text(quiet, &response);
        let _ = std::io::stdout().write_all(text.as_bytes());
    }
    match next(&outcome, wish, terminal::is_there()) {
        Next::Nothing { refused: true } => {
            // A request that was refused has left nothing to come back to.
            let session = started.session;
            let request = DisconnectRequest {
                session,
                unless_used: true,
            };
            let _ = api.clone().disconnect(request).await;
            Ok(exit_code(&outcome))
        }
        Next::Nothing { refused: false } => Ok(exit_code(&outcome)),
        Next::Say(lines) => {
            say(wish, &lines);
            Ok(exit_code(&outcome))
        }
        Next::Headless => {
            say(wish, &headless(&api, &started.session, wish).await);
            Ok(exit_code(&outcome))
        }
        Next::Open => {
            let step = failed_step(&outcome, &view);
            drop(view);
            let mut line = wish.open(api, Some(started.session), !detached)?;
            let place = line.open(&outcome, &step).await;
            Ok(line.run(place).await)
        }
    }
}

/// What comes after a build.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// The exit code says it all.
    Nothing { refused: bool },
    /// These lines, and no monitor.
    Say(Vec<String>),
    /// There is something to look at and no terminal to do it.
    Headless,
    /// The monitor.
    Open,
}

fn next(outcome: &Outcome, wish: &Wish, terminal: bool) -> Next {
    match &outcome.end {
        Some(outcome::End::Canceled(_)) | None => Next::Nothing { refused: false },
        Some(outcome::End::Failed(failure)) if failure.refused => Next::Nothing { refused: true },
        Some(outcome::End::Finished(_)) if !wish.on_success() => match &wish.invoke {
            // Whoever names a program wants to know why it is not there.
            Some(invoke) => Next::Say(vec![format!(
                "The build has succeeded and {}, so nothing is started.",
                if invoke.only_on_error {
                    "--invoke=on-error waits for a failure"
                } else {
                    "--on=error waits for a failure"
                }
            )]),
            None => Next::Nothing { refused: false },
        },
        Some(outcome::End::Failed(failure)) if !terminal && !has_state(failure) => {
            Next::Say(vec![format!(
                "No process could be started: {}",
                no_state(failure)
            )])
        }
        _ if !terminal => Next::Headless,
        _ => Next::Open,
    }
}

async fn headless(api: &Api, session: &str, wish: &Wish) -> Vec<String> {
    let reason = "The monitor is not opened: standard input and output are not a terminal.";
    if wish.in_process {
        return vec![format!(
            "{reason} Without a server (--server=off) nothing of the build is kept."
        )];
    }
    let mut lines = vec![reason.to_owned()];
    if let Ok(session) = find_session(&mut api.clone(), session).await {
        lines.push(match wish.spoken {
            true => spoken::kept(session.kept_until, now()),
            false => kept(session.kept_until),
        });
    }
    lines.push(come_back(session));
    lines
}

fn say(wish: &Wish, lines: &[String]) {
    if wish.progress.kind == Kind::RawJson {
        return;
    }
    for line in lines {
        let _ = writeln!(std::io::stderr(), "{}", escape::line(line));
    }
}

fn failed_step(outcome: &Outcome, view: &View) -> String {
    let Some(outcome::End::Failed(failure)) = &outcome.end else {
        return String::new();
    };
    let step = view.trace().and_then(|trace| trace.find(&failure.vertex));
    step.map_or_else(String::new, |step| listing::plain(&step.name))
}

/// Standard input and output of a build that uses them.
struct Flows {
    output: Option<JoinHandle<Result<(), Status>>>,
}

impl Flows {
    fn start(api: &Api, started: &BuildResponse) -> Self {
        if started.wants_input {
            let (api, session) = (api.clone(), started.session.clone());
            // What goes wrong shows in the build.
            tokio::spawn(pipes::send(api, session, tokio::io::stdin()));
        }
        let output = started.gives_output.then(|| {
            let (api, session) = (api.clone(), started.session.clone());
            tokio::spawn(pipes::receive(api, session, tokio::io::stdout()))
        });
        Self { output }
    }

    /// Waits until everything of a finished build is written.
    async fn end(self, outcome: &Outcome) -> Result<(), String> {
        match (self.output, &outcome.end) {
            (Some(output), Some(outcome::End::Finished(_))) => match output.await {
                Ok(Err(error)) => Err(status::line(&error)),
                Ok(Ok(())) | Err(_) => Ok(()),
            },
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::fake::{Canned, Fake};
    use crate::monitor::invoke;
    use crate::progress::settings::Mode;
    use crate::proto::controller::{
        BuildFailure, Canceled, Finished, Session, State, TraceEvent, trace_event,
    };

    fn wish(on: Option<On>, invoke: Option<&str>) -> Wish {
        Wish {
            caller: Caller::default(),
            invoke: invoke.map(|text| invoke::parse(text).unwrap()),
            on,
            prefix: 1,
            history: None,
            progress: Settings::resolve(Mode::Quiet, |_| None, false).unwrap(),
            in_process: false,
            again: Again::default(),
            spoken: false,
        }
    }

    fn outcome(end: outcome::End) -> Outcome {
        Outcome {
            end: Some(end),
            exit_code: 1,
        }
    }

    fn failed(state: State, refused: bool) -> Outcome {
        outcome(outcome::End::Failed(BuildFailure {
            state: state.into(),
            refused,
            message: "why".into(),
            no_state: "the engine kept nothing".into(),
            ..BuildFailure::default()
        }))
    }

    #[test]
    fn what_opens_the_monitor() {
        let good = || outcome(outcome::End::Finished(Finished::default()));
        let canceled = outcome(outcome::End::Canceled(Canceled::default()));
        let nothing = Next::Nothing { refused: false };
        let table = [
            (failed(State::After, false), None, None, Next::Open),
            (failed(State::Unspecified, false), None, None, Next::Open),
            (
                failed(State::After, false),
                Some(On::Always),
                Some("sh"),
                Next::Open,
            ),
            (
                failed(State::After, true),
                None,
                None,
                Next::Nothing { refused: true },
            ),
            (canceled, Some(On::Always), None, nothing),
            (good(), None, None, Next::Nothing { refused: false }),
            (good(), Some(On::Always), None, Next::Open),
            (good(), None, Some("sh"), Next::Open),
        ];
        for (outcome, on, invoke, expected) in table {
            let told = next(&outcome, &wish(on, invoke), true);
            assert_eq!(told, expected, "{outcome:?} {on:?} {invoke:?}");
        }
        let said = |on, invoke| match next(&good(), &wish(on, Some(invoke)), true) {
            Next::Say(lines) => lines.join(
                "
",
            ),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            said(Some(On::Error), "sh"),
            "The build has succeeded and --on=error waits for a failure, so nothing is started."
        );
        assert!(said(Some(On::Always), "on-error").contains("--invoke=on-error waits"));
    }

    #[test]
    fn without_a_terminal_nothing_opens() {
        let told = |outcome| next(&outcome, &wish(None, None), false);
        assert_eq!(told(failed(State::After, false)), Next::Headless);
        assert_eq!(
            told(failed(State::Unspecified, false)),
            Next::Say(vec![
                "No process could be started: the engine kept nothing".into()
            ])
        );
    }

    #[tokio::test]
    async fn without_a_terminal_it_is_said_how_to_come_back() {
        let fake = Fake::with(Canned {
            sessions: vec![Session {
                id: "abc".into(),
                kept_until: crate::monitor::exec::now() + 600_000,
                ..Session::default()
            }],
            ..Canned::default()
        });
        let api = fake.api().await;
        assert_eq!(
            headless(&api, "abc", &wish(None, None)).await,
            [
                "The monitor is not opened: standard input and output are not a terminal.",
                "The state of the build is kept for 10m.",
                "Session abc lives on; come back with: buildx debug attach abc",
            ]
        );
        let alone = Wish {
            in_process: true,
            ..wish(None, None)
        };
        let lines = headless(&api, "abc", &alone).await;
        assert_eq!(lines.len(), 1);
        assert!(
            lines[0].ends_with("nothing of the build is kept."),
            "{lines:?}"
        );
    }

    #[tokio::test]
    async fn a_refused_request_leaves_no_session() {
        let fake = Fake::with(Canned {
            events: vec![TraceEvent {
                event: Some(trace_event::Event::Outcome(failed(
                    State::Unspecified,
                    true,
                ))),
                ..TraceEvent::default()
            }],
            ..Canned::default()
        });
        let request = BuildRequest {
            keep_success: true,
            ..BuildRequest::default()
        };
        let code = build(fake.api().await, request, &wish(None, None)).await;
        assert_eq!(code, Ok(1));
        assert_eq!(fake.asked(), ["trace built1 1", "disconnect built1"]);
        assert!(fake.canned().sessions.is_empty());
        assert!(fake.canned().builds[0].keep_success);
    }
}
