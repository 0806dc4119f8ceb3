//! The commands of `buildx debug` that do one thing with a session, without a prompt.

use std::io::{IsTerminal, Write};

use serde_json::Value;
use tonic::Status;

use super::json;
use crate::cli::server::Format;
use crate::cli::stdout;
use crate::client::follow::{View, exit_code, lost};
use crate::client::logs;
use crate::client::{Api, caller, status};
use crate::monitor::exec::{Monitor, Setup, Target, Then, find, find_session, now};
use crate::monitor::invoke::Invoke;
use crate::monitor::listing;
use crate::monitor::parse::{self, Command};
use crate::monitor::watch::{Seen, Signals, watch};
use crate::paths::Env;
use crate::progress::settings::Settings;
use crate::proto::controller::session_event::Event;
use crate::proto::controller::{
    ListSessionsRequest, Process, RebuildRequest, Session, SessionRequest, SessionState,
    WatchSessionsRequest,
};
use crate::term::blocking::Blocking;

type Code = Result<u8, String>;

pub(super) async fn ls(api: &Api, format: Format) -> Code {
    let list = api.clone().list_sessions(ListSessionsRequest {}).await;
    let list = list.map_err(refused)?.into_inner().sessions;
    match format {
        Format::Table if std::io::stdout().is_terminal() => {
            let cols = rustix::termios::tcgetwinsize(std::io::stdout());
            let cols = cols.map_or(80, |size| usize::from(size.ws_col)).max(20);
            print(&listing::on_terminal(&list, now(), cols))?;
        }
        Format::Table => print(&listing::sessions(&list, None, now()))?,
        Format::Json => print_json(&list.iter().map(json::session).collect())?,
    }
    Ok(0)
}

pub(super) async fn inspect(api: &Api, session: String, format: Format) -> Code {
    let mut api = api.clone();
    let session = id(&mut api, &session).await?;
    let found = api.inspect(SessionRequest { session }).await;
    let found = found.map_err(refused)?.into_inner();
    match format {
        Format::Table => print(&listing::inspect(&found, now()))?,
        Format::Json => print_json(&json::inspect(&found))?,
    }
    Ok(0)
}

pub(super) async fn ps(api: &Api, session: String, format: Format) -> Code {
    let mut api = api.clone();
    let session = id(&mut api, &session).await?;
    let list = processes(&mut api, session).await?;
    match format {
        Format::Table => print(&listing::processes(&list, None, now()))?,
        Format::Json => print_json(&list.iter().map(json::process).collect())?,
    }
    Ok(0)
}

pub(super) async fn logs(api: &Api, mut wanted: logs::Wanted, format: Format) -> Code {
    use std::io::IsTerminal;
    let mut api = api.clone();
    wanted.session = id(&mut api, &wanted.session).await?;
    if format == Format::Json && wanted.step.is_some() {
        return Err("--format=json prints the whole build: leave STEP out".to_owned());
    }
    let env = Env::from_process();
    let mut settings = Settings::resolve(
        match format {
            Format::Table => crate::progress::settings::Mode::Plain,
            Format::Json => crate::progress::settings::Mode::RawJson,
        },
        |name| env.get(name).map(str::to_owned),
        std::io::stdout().is_terminal(),
    )?;
    // Somebody asks for the log: nothing of a name is cut.
    settings.truncate = false;
    let out = Box::new(|| Box::new(Blocking(std::io::stdout())) as Box<dyn Write + Send>);
    let printed = logs::print(&api, wanted, settings, out).await;
    printed.map(|_| 0).map_err(|lost| lost.0)
}

/// The exit code of the session's build, once it has ended.
pub(super) async fn wait(api: &Api, session: String) -> Code {
    let mut api = api.clone();
    let session = id(&mut api, &session).await?;
    let events = api.watch_sessions(WatchSessionsRequest::default()).await;
    let mut events = events.map_err(refused)?.into_inner();
    let broken = |status| lost(&session, &status).0;
    while let Some(event) = events.message().await.map_err(broken)? {
        match event.event {
            Some(Event::Changed(changed)) if changed.id == session => {
                if let Some(code) = ended(&changed)? {
                    return Ok(code);
                }
            }
            Some(Event::Gone(gone)) if gone == session => {
                return Err(format!("session {session} has been ended"));
            }
            Some(Event::Leaving(why)) => {
                return Err(broken(Status::unavailable(why)));
            }
            _ => {}
        }
    }
    Err(broken(Status::unavailable("it has ended")))
}

/// The exit code of a build that has ended.
fn ended(session: &Session) -> Result<Option<u8>, String> {
    match session.state() {
        SessionState::Building | SessionState::Unspecified => Ok(None),
        SessionState::Recoverable => Err(format!(
            "the server was lost during the build; it can be brought back with: buildx debug reload {}",
            session.id
        )),
        SessionState::Succeeded | SessionState::Failed | SessionState::Canceled => {
            Ok(Some(u8::try_from(session.exit_code).unwrap_or(1)))
        }
    }
}

/// Builds again and shows it; the exit code is that of the build.
pub(super) async fn reload(api: &Api, session: String, settings: Settings) -> Code {
    let mut api = api.clone();
    let mut signals = Signals::listen().map_err(|error| format!("cannot listen: {error}"))?;
    let session = id(&mut api, &session).await?;
    let caller = caller::of_process().map_err(|error| format!("no current directory: {error}"))?;
    let request = RebuildRequest {
        session,
        caller: Some(caller),
        attaches: false,
    };
    let started = api.rebuild(request).await.map_err(refused)?.into_inner();
    let mut view = View::on_stderr(settings);
    let seen = watch(
        &api,
        &started.session,
        started.build,
        &mut view,
        &mut signals,
    )
    .await;
    match seen {
        Seen::Outcome(outcome) => Ok(exit_code(&outcome)),
        Seen::Lost(lost) => Err(lost.0),
        Seen::Left(code) => Ok(code),
    }
}

pub(super) async fn disconnect(api: &Api, target: String, force: bool) -> Code {
    let target = Some(target);
    carry_out(api, None, Command::Disconnect { target, force }).await
}

pub(super) async fn cancel(api: &Api, session: String) -> Code {
    carry_out(api, Some(session), Command::Cancel).await
}

pub(super) async fn kill(api: &Api, target: String) -> Code {
    carry_out(api, None, Command::Kill(Some(target))).await
}

pub(super) async fn keep(api: &Api, session: String, span: &str) -> Code {
    let span = parse::duration(span).map_err(|mistake| mistake.0)?;
    carry_out(api, Some(session), Command::Keep(span)).await
}

pub(super) async fn signal(api: &Api, target: String, name: String) -> Code {
    let mut api = api.clone();
    let found = find(&mut api, None, &target).await.map_err(|why| why.0)?;
    let process = match found {
        Target::Process(process) => process,
        Target::Session(session) => {
            let running = processes(&mut api, session.id).await?;
            let running = running.into_iter().filter(|process| process.ended == 0);
            running
                .max_by_key(|process| process.started)
                .ok_or_else(|| format!("no process runs in session {target:?}"))?
        }
    };
    let command = Command::Signal {
        name: parse::signal(&name),
        process: Some(process.id),
    };
    carry_out(&api, Some(process.session), command).await
}

/// What the monitor would do, with nobody to ask.
async fn carry_out(api: &Api, session: Option<String>, command: Command) -> Code {
    let mut api = api.clone();
    let session = match session {
        Some(session) => Some(id(&mut api, &session).await?),
        None => None,
    };
    let mut monitor = Monitor::new(
        api,
        Setup {
            spoken: false,
            caller: caller::of_process()
                .map_err(|error| format!("no current directory: {error}"))?,
            invoke: Invoke::default(),
            prefix: String::new(),
        },
    );
    monitor.session = session;
    let answer = monitor.run(command).await.map_err(|why| why.0)?;
    print(&answer.lines)?;
    match answer.then {
        Then::Ask { question, .. } => {
            let what = question
                .rsplit_once(". ")
                .map_or(question.as_str(), |(what, _)| what);
            Err(format!("{what}; --force ends it all the same"))
        }
        _ => Ok(0),
    }
}

/// The id of the session that `wanted` names.
pub(super) async fn id(api: &mut Api, wanted: &str) -> Result<String, String> {
    let found = find_session(api, wanted).await.map_err(|why| why.0)?;
    Ok(found.id)
}

async fn processes(api: &mut Api, session: String) -> Result<Vec<Process>, String> {
    let list = api.list_processes(SessionRequest { session }).await;
    Ok(list.map_err(refused)?.into_inner().processes)
}

pub(super) fn refused(error: tonic::Status) -> String {
    status::line(&error)
}

pub(super) fn print(lines: &[String]) -> Result<(), String> {
    let mut text = lines.join("\n");
    if !lines.is_empty() {
        text.push('\n');
    }
    stdout::write(text.as_bytes())
}

fn print_json(value: &Value) -> Result<(), String> {
    stdout::write(format!("{value:#}\n").as_bytes())
}
