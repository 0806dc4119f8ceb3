//! The owner of a session's containers and of the list of its processes.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tonic::Status;

use super::Settings;
use super::actor::Handle;
use super::container::{self, Container, Opened};
use super::counts::{Counter, Counts};
use super::launch::{Ending, Launch, Launched, Opening, launch};
use crate::proto::controller::{ExecRequest, ExecResponse, Process, State, TerminalSize};
use crate::server::place::{self, Place};
use crate::server::state::OpenState;

/// Who waits for a process to start.
type Reply = oneshot::Sender<Result<ExecResponse, Status>>;

/// What the owner can be asked for.
pub enum Request {
    /// Another state.
    Open(Box<OpenState>, oneshot::Sender<()>),
    /// No state; why.
    Close(String, oneshot::Sender<bool>),
    /// A process.
    Exec(Box<ExecRequest>, Reply),
    /// A process on the original state; who wants it.
    Rollback(Box<ExecRequest>, String, Reply),
    /// All processes.
    List(oneshot::Sender<Vec<Process>>),
    /// The process whose id begins so.
    Find(String, oneshot::Sender<Result<Handle, Status>>),
}

/// A session's processes.
pub struct Owner {
    session: String,
    settings: Settings,
    counter: Counter,
    state: Option<OpenState>,
    /// Why there is no state.
    closed: String,
    /// The container for each state and platform, or the way to it.
    containers: HashMap<(State, String), Opening>,
    processes: Vec<Handle>,
    /// Ends what is being started, with a reason. Replaced each time.
    ending: watch::Sender<Option<Arc<str>>>,
    launches: JoinSet<(Attempt, Launched)>,
}

/// A request that is being served.
struct Attempt {
    request: Box<ExecRequest>,
    state: OpenState,
    place: Place,
    reply: Reply,
    /// Says when and why everything of its time ends.
    ending: Ending,
    is_first: bool,
}

impl Owner {
    /// Nothing yet.
    pub fn new(session: String, settings: Settings) -> Self {
        Self {
            session,
            settings,
            counter: Counter::new(),
            state: None,
            closed: "nothing of the build is open: rebuild it first".to_owned(),
            containers: HashMap::new(),
            processes: Vec::new(),
            ending: watch::Sender::new(None),
            launches: JoinSet::new(),
        }
    }

    /// The numbers as they change.
    pub fn counts(&self) -> watch::Receiver<Counts> {
        self.counter.subscribe()
    }

    /// Serves requests until nobody can make one.
    pub async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        loop {
            tokio::select! {
                request = requests.recv() => match request {
                    Some(request) => self.serve(request),
                    None => break,
                },
                Some(Ok((attempt, launched))) = self.launches.join_next() => {
                    self.launched(attempt, launched);
                }
            }
        }
        self.end_all("the session is gone").await;
    }

    fn serve(&mut self, request: Request) {
        match request {
            Request::Open(state, done) => {
                let released = self.end_all("the build was made again");
                self.processes.clear();
                self.state = Some(*state);
                tokio::spawn(async move {
                    released.await;
                    let _ = done.send(());
                });
            }
            Request::Close(reason, done) => {
                let released = self.end_all(&reason);
                self.processes.clear();
                self.state = None;
                self.closed = reason;
                tokio::spawn(async move {
                    let _ = done.send(released.await);
                });
            }
            Request::Exec(request, reply) => match self.place(&request) {
                Ok((state, place)) => {
                    let attempt = self.attempt(request, state, place, reply);
                    self.launch(attempt, std::future::ready(()));
                }
                Err(status) => {
                    let _ = reply.send(Err(status));
                }
            },
            Request::Rollback(request, who, reply) => match self.place(&request) {
                Ok((state, place)) => {
                    let released = self.end_all(&format!("rolled back by {who}"));
                    let attempt = self.attempt(request, state, place, reply);
                    self.launch(attempt, released.map(drop));
                }
                Err(status) => {
                    let _ = reply.send(Err(status));
                }
            },
            Request::List(reply) => {
                let list = self.processes.iter();
                let _ = reply.send(list.map(|handle| handle.process.borrow().clone()).collect());
            }
            Request::Find(id, reply) => {
                let _ = reply.send(self.find(&id));
            }
        }
    }

    fn place(&self, request: &ExecRequest) -> Result<(OpenState, Place), Status> {
        let Some(state) = &self.state else {
            return Err(Status::failed_precondition(self.closed.clone()));
        };
        let runs = |handle: &&Handle| handle.process.borrow().ended == 0;
        let running = self.processes.iter().filter(runs).count() + self.launches.len();
        if running >= self.settings.running {
            return Err(Status::resource_exhausted(format!(
                "{running} processes run in this session: end one first"
            )));
        }
        Ok((state.clone(), place::find(state, request)?))
    }

    /// The container for a place, made `after` if there is none, and what to say about that.
    fn container(
        &mut self,
        state: &OpenState,
        place: &Place,
        after: impl Future<Output = ()> + Send + 'static,
    ) -> (Opening, Vec<String>) {
        let key = (place.state, place.platform.clone());
        let mut notes = Vec::new();
        if let Some(opening) = self.containers.get(&key) {
            let lives = match &*opening.borrow() {
                None | Some(Ok(Opened::Alone(..))) => true,
                Some(Err(_)) => false,
                Some(Ok(Opened::Shared(container))) => {
                    let reason = container.ended().borrow().clone();
                    if let Some(reason) = &reason {
                        notes.push(format!(
                            "a new container: what was changed in the earlier one is gone ({reason})"
                        ));
                    }
                    reason.is_none()
                }
            };
            if lives {
                return (opening.clone(), notes);
            }
        }
        let (opened, opening) = watch::channel(None);
        let (gateway, place) = (state.gateway.clone(), place.clone());
        tokio::spawn(async move {
            after.await;
            let result = container::open(&gateway, &place).await;
            opened.send_replace(Some(result));
        });
        self.containers.insert(key, opening.clone());
        (opening, notes)
    }

    fn attempt(
        &self,
        request: Box<ExecRequest>,
        state: OpenState,
        place: Place,
        reply: Reply,
    ) -> Attempt {
        Attempt {
            request,
            state,
            place,
            reply,
            ending: self.ending.subscribe(),
            is_first: true,
        }
    }

    fn launch(&mut self, attempt: Attempt, after: impl Future<Output = ()> + Send + 'static) {
        let (opening, notes) = self.container(&attempt.state, &attempt.place, after);
        let request = &attempt.request;
        let job = Launch {
            gateway: attempt.state.gateway.clone(),
            place: attempt.place.clone(),
            opening,
            ending: attempt.ending.clone(),
            session: self.session.clone(),
            settings: self.settings.clone(),
            counter: self.counter.clone(),
            tty: request.tty,
            stdin: request.stdin,
            raw: request.raw,
            size: TerminalSize {
                rows: request.rows,
                cols: request.cols,
            },
            notes,
        };
        self.launches
            .spawn(async move { (attempt, launch(job).await) });
    }

    /// Lists a process that has started, unless everything of its time has ended meanwhile.
    fn launched(&mut self, mut attempt: Attempt, launched: Launched) {
        let reason = attempt.ending.borrow().clone();
        let answer = match (launched, reason) {
            (Ok((handle, _)), Some(reason)) => {
                let container = Arc::clone(&handle.container);
                let status = Status::failed_precondition(&*reason);
                tokio::spawn(async move { container.release(&reason).await });
                Err(status)
            }
            (Ok((handle, notes)), None) => {
                let process = handle.process.borrow().id.clone();
                self.processes.push(handle);
                self.forget_old();
                self.counter.add(0, 0);
                Ok(ExecResponse { process, notes })
            }
            (Err(failure), None) if failure.in_another && attempt.is_first => {
                attempt.is_first = false;
                return self.launch(attempt, std::future::ready(()));
            }
            (Err(failure), _) => Err(failure.status),
        };
        let _ = attempt.reply.send(answer);
    }

    fn forget_old(&mut self) {
        let ended = |handle: &Handle| handle.process.borrow().ended != 0;
        let count = self.processes.iter().filter(|handle| ended(handle)).count();
        let mut surplus = count.saturating_sub(self.settings.ended);
        self.processes.retain(|handle| {
            let forget = surplus > 0 && ended(handle);
            surplus -= usize::from(forget);
            !forget
        });
    }

    fn find(&self, id: &str) -> Result<Handle, Status> {
        let id_of = |handle: &Handle| handle.process.borrow().id.clone();
        let fitting: Vec<&Handle> = self
            .processes
            .iter()
            .filter(|handle| !id.is_empty() && id_of(handle).starts_with(id))
            .collect();
        match fitting.as_slice() {
            [] => Err(Status::not_found(format!(
                "no process {id:?} in this session"
            ))),
            [only] => Ok((*only).clone()),
            several => {
                let names: Vec<String> = several.iter().map(|handle| id_of(handle)).collect();
                Err(Status::invalid_argument(format!(
                    "{id:?} fits several processes: {}",
                    names.join(", ")
                )))
            }
        }
    }

    /// Ends every process and container with this reason, at once for their viewers. The future
    /// resolves when the engine has let the containers go, or has not within the time: then false.
    fn end_all(&mut self, reason: &str) -> impl Future<Output = bool> + Send + 'static {
        let ending = std::mem::replace(&mut self.ending, watch::Sender::new(None));
        ending.send_replace(Some(reason.into()));
        let mut containers: Vec<Arc<Container>> = Vec::new();
        for handle in &self.processes {
            if !handle.container.is_shared() {
                containers.push(Arc::clone(&handle.container));
            }
        }
        let mut unfinished = Vec::new();
        for (_, opening) in self.containers.drain() {
            let opened = opening.borrow().clone();
            match opened {
                Some(Ok(Opened::Shared(container))) => containers.push(container),
                None => unfinished.push(opening),
                _ => {}
            }
        }
        for container in &containers {
            container.end(reason);
        }
        let reason = reason.to_owned();
        async move {
            let releases = containers
                .iter()
                .map(|container| container.release(&reason));
            let openings = unfinished.into_iter().map(|mut opening| {
                let reason = reason.clone();
                async move {
                    let opened = opening.wait_for(Option::is_some).await;
                    let opened = opened.ok().and_then(|opened| opened.clone());
                    match opened {
                        Some(Ok(Opened::Shared(container))) => container.release(&reason).await,
                        _ => true,
                    }
                }
            });
            let (released, unopened) = tokio::join!(join_all(releases), join_all(openings));
            released
                .into_iter()
                .chain(unopened)
                .all(|released| released)
        }
    }
}
