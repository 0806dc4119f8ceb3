//! The server: one per user, owner of builds, sessions and the processes in them.
//!
//! [`service`] translates calls; what is alive of a session belongs to its [`session`]'s actor, which
//! runs [`build`]s, keeps their state and lets [`process`]es run in it. [`journal`] keeps traces on
//! disk. The same server runs in the process of a client that wants none in the background.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use tokio::sync::{broadcast, watch};
use tonic::Status;

use crate::proto::controller::session_event::Event;
use crate::proto::controller::{InfoResponse, Session as Listed, SessionEvent};

pub mod build;
pub mod caller;
pub mod foreign;
pub mod health;
pub mod holds;
pub mod journal;
pub mod life;
pub mod logs;
pub mod memory;
pub mod outcome;
pub mod place;
pub mod process;
pub mod recorder;
pub mod service;
pub mod session;
pub mod state;

use foreign::Refs;
use holds::Holds;
use journal::Store;
use session::Session;
use session::record::Record;

/// Version of the contract in `proto/controller.proto`.
pub const PROTOCOL: u32 = 1;

/// What servers of this version of the contract may lack, see [`InfoResponse::features`]: "log" is `Log` and
/// `TraceRequest.no_logs`, "search-log" is `SearchLog`, "search-filter" is
/// `LogRequest.search` and `SearchLogRequest.filter`.
const FEATURES: [&str; 3] = ["log", "search-log", "search-filter"];

/// Changes of sessions that may wait for a watcher; one that is further behind gets all sessions anew.
const CHANGES: usize = 256;

/// Why a session beyond the budget of the disk is gone.
const FORGOTTEN: &str = "the session was forgotten: the traces had no room left";

/// How a server is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Directory of the sessions' records; made with mode 0700.
    pub sessions: PathBuf,
    /// Directory of the socket and the log, for [`Server::info`]; empty in a client's process.
    pub root: PathBuf,
    /// File with what the server says; empty in a client's process.
    pub log: PathBuf,
    /// Most bytes of finished sessions' traces.
    pub disk_budget: u64,
    /// How long the state of a build is kept when a request does not say it.
    pub keep: Duration,
    /// Lines of scrollback that each process keeps.
    pub scrollback: usize,
    /// Whether a state in which nobody works is let go for builds from elsewhere, see [`foreign`].
    pub yield_to_others: bool,
    /// Whether the server runs inside its only client.
    pub in_process: bool,
    /// Where it says what is odd.
    pub says: life::log::Log,
    /// Who is connected, and the wish to end.
    pub life: life::Life,
}

/// What keeps a server from ending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Builds that run.
    pub builds: usize,
    /// Processes that run.
    pub processes: usize,
    /// Builds whose state is kept open on an engine.
    pub kept: usize,
    /// Calls of clients that are open: watches, traces, attached terminals.
    pub streams: usize,
}

/// The sessions and everything that they own.
#[derive(Debug)]
pub struct Server {
    settings: Settings,
    started: SystemTime,
    usage: watch::Sender<Usage>,
    store: Store,
    /// In order of their making.
    sessions: RwLock<Vec<Arc<Session>>>,
    changes: broadcast::Sender<SessionEvent>,
    holds: Arc<Holds>,
    refs: Refs,
    leaving: AtomicBool,
    enforcing: Mutex<()>,
}

/// A use of the server that keeps it from ending; ends when this is dropped.
#[derive(Debug)]
pub struct UsageOf {
    server: Arc<Server>,
    field: fn(&mut Usage) -> &mut usize,
}

impl Drop for UsageOf {
    fn drop(&mut self) {
        let field = self.field;
        self.server.usage.send_modify(|usage| {
            let count = field(usage);
            *count = count.saturating_sub(1);
        });
    }
}

impl Server {
    /// A server with the sessions that `settings.sessions` holds. Needs a tokio runtime.
    ///
    /// # Errors
    /// The directory cannot be made or read, or is not only this user's.
    pub fn new(settings: Settings) -> Result<Arc<Self>, journal::Error> {
        let store = Store::new(settings.sessions.clone(), settings.disk_budget)?;
        let server = Arc::new(Self {
            started: SystemTime::now(),
            usage: watch::Sender::default(),
            sessions: RwLock::default(),
            changes: broadcast::channel(CHANGES).0,
            holds: Arc::default(),
            refs: Refs::default(),
            leaving: AtomicBool::new(false),
            enforcing: Mutex::default(),
            settings,
            store,
        });
        server.take_up()?;
        Ok(server)
    }

    /// Takes up the sessions of earlier servers, oldest first.
    fn take_up(self: &Arc<Self>) -> Result<(), journal::Error> {
        let mut found = Vec::new();
        for stored in self.store.sessions()? {
            match stored.meta {
                Ok(Some(meta)) => match Record::decode(&meta) {
                    Ok(record) => found.push((record.created, stored.id, record)),
                    Err(error) => self.says(&stored.id, &format!("unreadable: {error}")),
                },
                // Its server died before there was anything to say about it.
                Ok(None) => {
                    let _ = self.store.remove(&stored.id);
                }
                Err(error) => self.says(&stored.id, &error.to_string()),
            }
        }
        found.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        for (_, id, record) in found {
            session::start::resume(self, id, record);
        }
        self.enforce_budget();
        Ok(())
    }

    /// Who the server is, for clients.
    pub fn info(&self) -> InfoResponse {
        let usage = *self.usage.borrow();
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        InfoResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol: PROTOCOL,
            pid: std::process::id(),
            started: recorder::millis(self.started),
            sessions: number(self.sessions().len()),
            builds: number(usage.builds),
            processes: number(usage.processes),
            disk: self.store.used(),
            disk_budget: self.settings.disk_budget,
            clients: u32::try_from(self.settings.life.clients()).unwrap_or(u32::MAX),
            memory: memory::resident(),
            draining: self.settings.life.draining(),
            root: self.settings.root.display().to_string(),
            log: self.settings.log.display().to_string(),
            in_process: self.settings.in_process,
            features: FEATURES.map(str::to_owned).to_vec(),
        }
    }

    /// How it was set up.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Who is connected, and the wish to end.
    pub fn life(&self) -> &life::Life {
        &self.settings.life
    }

    /// What the server does right now; changes are seen at once.
    pub fn usage(&self) -> watch::Receiver<Usage> {
        self.usage.subscribe()
    }

    /// Counts one more use, until the answer is dropped.
    pub fn uses(self: &Arc<Self>, field: fn(&mut Usage) -> &mut usize) -> UsageOf {
        self.usage.send_modify(|usage| *field(usage) += 1);
        UsageOf {
            server: Arc::clone(self),
            field,
        }
    }

    /// Tells every client `reason`, ends builds and processes, and releases what is kept. Returns
    /// when the engines have been told.
    pub async fn leave(&self, reason: &str) {
        self.leaving.store(true, Ordering::Relaxed);
        let leaving = |session: Arc<Session>| async move {
            let ask = |reply| session::Ask::Leave(reason.to_owned(), reply);
            let _ = session.ask(ask).await;
        };
        let all = self.sessions().into_iter().map(leaving);
        futures_util::future::join_all(all).await;
        self.tell(Event::Leaving(reason.to_owned()));
    }

    /// Why no new build is taken, in one line; `None` when builds are welcome.
    pub fn refusal(&self) -> Option<String> {
        let leaving = self.leaving.load(Ordering::Relaxed);
        let leaves = || leaving.then(|| "the server is leaving".to_owned());
        self.settings.life.refusal().or_else(leaves)
    }

    /// Every session, oldest first.
    pub fn sessions(&self) -> Vec<Arc<Session>> {
        let sessions = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
        sessions.clone()
    }

    /// The session with that id, else the only one with that name, else the only one with that name or an id that
    /// begins so.
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` when it fits several, which are named.
    pub fn find(&self, wanted: &str) -> Result<Arc<Session>, Status> {
        let sessions = self.sessions();
        if let Some(exact) = sessions.iter().find(|session| session.id == wanted) {
            return Ok(Arc::clone(exact));
        }
        let is_named =
            |session: &&Arc<Session>| !wanted.is_empty() && session.record().name == wanted;
        let named: Vec<_> = sessions.iter().filter(is_named).collect();
        if let [only] = named.as_slice() {
            return Ok(Arc::clone(only));
        }
        let begins = sessions
            .iter()
            .filter(|session| !wanted.is_empty() && session.id.starts_with(wanted));
        let fits: Vec<_> = named
            .into_iter()
            .chain(begins.filter(|session| !is_named(session)))
            .collect();
        match fits.as_slice() {
            [] => Err(Status::not_found(format!(
                "no session {wanted:?}; 'buildx debug ls' shows those that there are"
            ))),
            [only] => Ok(Arc::clone(only)),
            several => {
                let ids: Vec<_> = several.iter().map(|session| session.id.as_str()).collect();
                Err(Status::invalid_argument(format!(
                    "{wanted:?} fits several sessions: {}",
                    ids.join(", ")
                )))
            }
        }
    }

    /// Changes of sessions from now on.
    pub fn changes(&self) -> broadcast::Receiver<SessionEvent> {
        self.changes.subscribe()
    }

    fn tell(&self, event: Event) {
        self.tell_of(event.into());
    }

    fn tell_of(&self, event: SessionEvent) {
        // Nobody may be listening.
        let _ = self.changes.send(event);
    }

    pub(crate) fn changed(&self, session: &Session) {
        if self.changes.receiver_count() == 0 {
            return;
        }
        // Of a session that is gone nothing comes after the word that it is.
        let sessions = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
        if sessions.iter().any(|known| known.id == session.id) {
            self.tell(Event::Changed(session.listed()));
        }
    }

    pub(crate) fn enter(&self, session: Arc<Session>) {
        let listed: Listed = session.listed();
        let mut sessions = self
            .sessions
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        sessions.push(session);
        drop(sessions);
        self.tell(Event::Changed(listed));
    }

    /// Takes a session from the list; `reason` says why, in one line.
    pub(crate) fn leave_out(&self, id: &str, reason: String) {
        let mut sessions = self
            .sessions
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|session| session.id != id);
        drop(sessions);
        self.tell_of(SessionEvent {
            event: Some(Event::Gone(id.to_owned())),
            reason,
        });
    }

    /// Writes a line about a session to the log.
    pub(crate) fn says(&self, session: &str, what: &str) {
        self.settings
            .says
            .warn(&format!("session {session}: {what}"));
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn holds(&self) -> Arc<Holds> {
        Arc::clone(&self.holds)
    }

    pub(crate) fn refs(&self) -> Refs {
        self.refs.clone()
    }

    pub(crate) fn process_settings(&self) -> process::Settings {
        process::Settings {
            scrollback: self.settings.scrollback,
            ..Default::default()
        }
    }

    /// Forgets the oldest finished sessions beyond the budget, in the background.
    pub(crate) fn enforce_budget(self: &Arc<Self>) {
        if !self.store.wants_enforcing() {
            return;
        }
        let server = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            let _only = server.enforcing.lock();
            let busy = || {
                let sessions = server.sessions().into_iter();
                let busy = sessions.filter(|session| session.is_busy());
                busy.map(|session| session.id.clone()).collect()
            };
            match server.store.enforce(busy) {
                Ok(done) => {
                    for id in done.removed {
                        server.leave_out(&id, FORGOTTEN.to_owned());
                    }
                    for (session, error) in done.failed {
                        server.says(&session, &error.to_string());
                    }
                }
                Err(error) => server
                    .settings
                    .says
                    .warn(&format!("cannot look at the traces: {error}")),
            }
        });
    }
}
