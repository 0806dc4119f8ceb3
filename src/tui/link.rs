//! Effects → the world: calls of the server, processes, files. Each of them runs in a task of its own and answers
//! with messages; a full queue makes the task wait, never the loop.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;

use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinHandle};

use super::msg::{Effect, Msg, Tab};
use super::recent;
use crate::client::{Api, Client, status};
use crate::monitor::exec::{Monitor, Setup};
use crate::monitor::history;
use crate::monitor::invoke::Invoke;
use crate::monitor::parse::Command;
use crate::monitor::prune::{Pruned, prune};
use crate::monitor::shell::FAREWELL;
use crate::proto::controller::{
    BuilderHealth, Caller, InfoRequest, LogRequest, SearchLogRequest, SessionRequest, TerminalSize,
};

mod changes;
mod files;
mod host;
mod older;
mod save;
mod shell;
mod watch;

/// Finds the server, or starts one.
pub type Connect =
    Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<Client, String>> + Send>> + Send>;

/// The connections of one screen.
pub struct Links {
    sender: mpsc::Sender<Msg>,
    caller: Caller,
    invoke: Invoke,
    connect: Connect,
    client: Option<Client>,
    sessions: Option<AbortHandle>,
    /// The call that makes the server count this client in a session.
    presence: Option<AbortHandle>,
    traces: HashMap<String, AbortHandle>,
    shells: HashMap<Tab, shell::Input>,
    /// Connections to processes of the server, also of tabs that are closed and still send what was typed.
    attached: Vec<JoinHandle<()>>,
    search: Option<AbortHandle>,
    watches: HashMap<String, AbortHandle>,
}

impl std::fmt::Debug for Links {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Links").finish_non_exhaustive()
    }
}

/// A name for the monitor's setup: the screen says its own prefix.
const PREFIX: &str = "Ctrl-a";

impl Links {
    /// Without a server.
    pub fn new(
        sender: mpsc::Sender<Msg>,
        caller: Caller,
        invoke: Option<Invoke>,
        connect: Connect,
    ) -> Self {
        Self {
            sender,
            caller,
            invoke: invoke.unwrap_or_default(),
            connect,
            client: None,
            sessions: None,
            presence: None,
            traces: HashMap::new(),
            shells: HashMap::new(),
            attached: Vec::new(),
            search: None,
            watches: HashMap::new(),
        }
    }

    /// Goes on with this server.
    pub fn use_client(&mut self, client: Client) -> Vec<Effect> {
        if let Some(task) = self.sessions.take() {
            task.abort();
        }
        let task = tokio::spawn(watch::sessions(
            client.api.clone(),
            client.info.clone(),
            self.sender.clone(),
        ));
        self.sessions = Some(task.abort_handle());
        self.client = Some(client);
        Vec::new()
    }

    fn api(&self) -> Option<Api> {
        self.client.as_ref().map(|client| client.api.clone())
    }

    /// A monitor in a session, for commands.
    fn monitor(&self, session: Option<String>, process: Option<String>) -> Option<Monitor> {
        let setup = Setup {
            spoken: false,
            caller: self.caller.clone(),
            invoke: self.invoke.clone(),
            prefix: PREFIX.to_owned(),
        };
        let mut monitor = Monitor::new(self.api()?, setup);
        monitor.session = session;
        monitor.process = process;
        Some(monitor)
    }

    /// Leaves all shells. Returns when the server has what was typed in them, or has been waited for long enough.
    pub async fn close(&mut self) {
        self.shells.clear();
        let ended = async {
            for task in self.attached.drain(..) {
                let _ = task.await;
            }
        };
        let _ = tokio::time::timeout(FAREWELL, ended).await;
    }

    /// Does in the world what an effect says; answers come as messages.
    pub fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Reconnect => {
                let found = (self.connect)();
                let sender = self.sender.clone();
                tokio::spawn(async move {
                    let msg = match found.await {
                        Ok(client) => Msg::Reconnected(Box::new(client)),
                        Err(line) => Msg::Lost(line),
                    };
                    let _ = sender.send(msg).await;
                });
            }
            Effect::UseClient(client) => {
                self.use_client(*client);
            }
            Effect::Unfollow(session) => {
                if let Some(task) = self.traces.remove(&session) {
                    task.abort();
                }
            }
            Effect::Follow(build) => {
                let Some(client) = self.client.clone() else {
                    return;
                };
                let session = build.session.clone();
                let task = tokio::spawn(watch::trace(client, build, self.sender.clone()));
                if let Some(former) = self.traces.insert(session, task.abort_handle()) {
                    former.abort();
                }
            }
            Effect::BeIn(session) => {
                if let Some(former) = self.presence.take() {
                    former.abort();
                }
                if let (Some(api), Some(session)) = (self.api(), session) {
                    let task = tokio::spawn(watch::presence(api, session));
                    self.presence = Some(task.abort_handle());
                }
            }
            Effect::Inspect(session) => self.call(async move |mut api, sender| {
                let request = SessionRequest { session };
                if let Ok(inspected) = api.inspect(request).await {
                    let _ = sender
                        .send(Msg::Inspected(Box::new(inspected.into_inner())))
                        .await;
                }
            }),
            Effect::Log { id, request } => self.log(id, *request),
            Effect::Search {
                id,
                build,
                vertex,
                pattern,
                filter,
            } => {
                let Some(client) = &self.client else { return };
                let mut request = SearchLogRequest {
                    session: build.session,
                    build: build.build,
                    vertex,
                    pattern: Some(pattern),
                    limit: 0,
                    from: 0,
                    filter,
                };
                older::search(client, &mut request);
                let api = client.api.clone();
                let task = tokio::spawn(watch::search(api, id, request, self.sender.clone()));
                if let Some(former) = self.search.replace(task.abort_handle()) {
                    former.abort();
                }
            }
            Effect::StopSearch => {
                if let Some(task) = self.search.take() {
                    task.abort();
                }
            }
            Effect::SaveLog {
                build,
                vertex,
                form,
                path,
                overwrite,
            } => self.call(async move |api, sender| {
                let saved = save::save(api, build, vertex, *form, (path, overwrite)).await;
                let _ = sender.send(saved).await;
            }),
            Effect::Exec {
                tab,
                session,
                process,
                size,
                rollback,
            } => {
                let Some(mut monitor) = self.monitor(Some(session), None) else {
                    return;
                };
                monitor.size = size;
                let sender = self.sender.clone();
                tokio::spawn(async move {
                    let command = match rollback {
                        true => Command::Rollback(*process),
                        false => Command::Exec(*process),
                    };
                    let msg = shell::start(&mut monitor, command, tab).await;
                    let _ = sender.send(msg).await;
                });
            }
            Effect::Attach {
                tab,
                session,
                process,
                size,
                read_only,
            } => {
                let Some(api) = self.api() else { return };
                let target = shell::Target {
                    session,
                    process,
                    size,
                    read_only,
                    terminal: self.caller.terminal.clone(),
                };
                let (input, task) = shell::attach(api, tab, target, self.sender.clone());
                self.shells.insert(tab, input);
                self.attached.retain(|task| !task.is_finished());
                self.attached.push(task);
            }
            Effect::Host {
                tab,
                words,
                directory,
                size,
            } => {
                match host::start(
                    tab,
                    &words,
                    &directory,
                    size,
                    &self.caller,
                    self.sender.clone(),
                ) {
                    Ok(input) => {
                        self.shells.insert(tab, input);
                    }
                    Err(line) => self.say(Msg::Shell(tab, super::msg::ShellMsg::Lost(line))),
                }
            }
            Effect::Drop(tab) => {
                self.shells.remove(&tab);
            }
            Effect::Input(tab, bytes) => {
                if let Some(input) = self.shells.get(&tab)
                    && !input.data(bytes)
                {
                    self.say(Msg::Failed(
                        "the program does not read what is typed".to_owned(),
                    ));
                }
            }
            Effect::Resize(tab, size) => {
                if let Some(input) = self.shells.get(&tab) {
                    input.resize(size);
                }
            }
            Effect::Build(request) => self.call(async move |mut api, sender| {
                let msg = match api.build(*request).await {
                    Ok(built) => {
                        let built = built.into_inner();
                        Msg::Built(super::msg::BuildId {
                            session: built.session,
                            build: built.build,
                        })
                    }
                    Err(refused) => Msg::Failed(status::line(&refused)),
                };
                let _ = sender.send(msg).await;
            }),
            Effect::Run {
                session,
                process,
                command,
            } => self.run(session, process, command),
            Effect::Prune(sessions) => self.call(async move |mut api, sender| {
                let msg = match prune(&mut api, sessions).await {
                    Ok(Pruned {
                        mistake: Some(refused),
                        ..
                    })
                    | Err(refused) => Msg::Failed(status::line(&refused)),
                    Ok(pruned) => {
                        let (count, space) = (pruned.count(), pruned.space());
                        Msg::Note(format!("ended {count}; {space} of logs are free again"))
                    }
                };
                let _ = sender.send(msg).await;
            }),
            Effect::Health(session) => self.call(async move |mut api, sender| {
                let info = match api.info(InfoRequest {}).await {
                    Ok(info) => info.into_inner(),
                    Err(refused) => {
                        let _ = sender.send(Msg::Failed(status::line(&refused))).await;
                        return;
                    }
                };
                let builder = match session {
                    Some(session) => {
                        let health = api.health(SessionRequest { session }).await;
                        Some(health.map_or_else(
                            |refused| BuilderHealth {
                                trouble: status::line(&refused),
                                ..BuilderHealth::default()
                            },
                            tonic::Response::into_inner,
                        ))
                    }
                    None => None,
                };
                let builder = builder.map(Box::new);
                let _ = sender.send(Msg::Health(Box::new(info), builder)).await;
            }),
            Effect::Read(path) => self.on_disk(move || {
                let text = files::read(&path);
                Some(Msg::File { path, text })
            }),
            Effect::Write { path, text, before } => self.on_disk(move || {
                let result = files::write(&path, &text, before.as_deref());
                Some(Msg::Written { path, result })
            }),
            Effect::List(directory) => self.on_disk(move || {
                let entries = files::list(&directory);
                Some(Msg::Listed { directory, entries })
            }),
            Effect::Look(paths) => self.on_disk(move || Some(Msg::Looked(files::look(paths)))),
            Effect::Remember { file, line } => self.on_disk(move || {
                history::append(&file, &line);
                None
            }),
            Effect::Recent { file, words } => self.on_disk(move || {
                let saved = recent::save(&file, words);
                let cannot = |error| format!("cannot write {}: {error}", file.display());
                saved.err().map(|error| Msg::Failed(cannot(error)))
            }),
            Effect::Watch { session, wanted } => {
                if let Some(task) = self.watches.remove(&session) {
                    task.abort();
                }
                if let Some(wanted) = wanted {
                    let task = changes::watch(session.clone(), *wanted, self.sender.clone());
                    self.watches.insert(session, task);
                }
            }
            // Done by the loop.
            Effect::Clipboard(_)
            | Effect::Bell
            | Effect::Title(_)
            | Effect::Mouse(_)
            | Effect::Redraw
            | Effect::Suspend
            | Effect::Leave { .. } => {}
        }
    }

    fn log(&self, id: u64, mut request: LogRequest) {
        if let Some(client) = &self.client {
            older::log(client, &mut request);
        }
        self.call(async move |mut api, sender| {
            let answer = api.log(request).await;
            let answer = answer.map(tonic::Response::into_inner);
            let answer = answer.map_err(|refused| status::line(&refused));
            let _ = sender
                .send(Msg::Log(super::msg::LogAnswer { id, answer }))
                .await;
        });
    }

    fn run(&self, session: Option<String>, process: Option<String>, command: Command) {
        let Some(mut monitor) = self.monitor(session, process.clone()) else {
            return;
        };
        monitor.size = TerminalSize { rows: 24, cols: 80 };
        let sender = self.sender.clone();
        tokio::spawn(async move {
            let answer = monitor.run(command).await;
            let answer = answer.map(Box::new).map_err(|complaint| complaint.0);
            let new = monitor.process.filter(|new| Some(new) != process.as_ref());
            let msg = Msg::Answer {
                answer,
                session: monitor.session,
                process: new,
            };
            let _ = sender.send(msg).await;
        });
    }

    fn call<F>(&self, work: impl FnOnce(Api, mpsc::Sender<Msg>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        if let Some(api) = self.api() {
            tokio::spawn(work(api, self.sender.clone()));
        }
    }

    /// Does what blocks in a thread for that.
    fn on_disk(&self, work: impl FnOnce() -> Option<Msg> + Send + 'static) {
        let sender = self.sender.clone();
        tokio::task::spawn_blocking(move || {
            if let Some(msg) = work() {
                let _ = sender.blocking_send(msg);
            }
        });
    }

    fn say(&self, msg: Msg) {
        let sender = self.sender.clone();
        tokio::spawn(async move {
            let _ = sender.send(msg).await;
        });
    }
}
