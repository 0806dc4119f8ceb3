//! One session: a build with its options, trace, result and processes.
//!
//! [`actor`] owns what is alive of it; this is the handle that calls use, with what can be read without
//! asking the actor.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};
use tonic::Status;

use super::Server;
use super::caller::{Caller, Waiting};
use super::journal::Journal;
use super::logs::Logs;
use super::process::Processes;
use crate::builder::node::Node;
use crate::proto::controller::{Client, ExecRequest, ExecResponse, Session as Listed};

mod actor;
pub mod record;
pub mod start;

use record::{Record, State};

/// What a session is asked to do. Answers come when it is done.
#[derive(Debug)]
pub enum Ask {
    /// Build again, for that client.
    Rebuild(Asked, oneshot::Sender<Result<u32, Status>>),
    /// Stop the running build; answered with whether one ran, once it has ended.
    Cancel(Client, oneshot::Sender<bool>),
    /// End everything. The session is gone when this is answered.
    Disconnect(Client, oneshot::Sender<()>),
    /// Keep the state for so many milliseconds from now, 0 to let it go; answered with until when.
    Keep(u64, oneshot::Sender<i64>),
    /// Start a process, or throw away all others first, for that client.
    Exec(
        Box<ExecRequest>,
        Option<String>,
        oneshot::Sender<Result<ExecResponse, Status>>,
    ),
    /// The server leaves; the reason.
    Leave(String, oneshot::Sender<()>),
}

/// Who asks for a build.
#[derive(Debug)]
pub struct Asked {
    /// What belongs to the client.
    pub caller: Caller,
    /// Whether it starts a process in the state of a failed step as soon as it can.
    pub attaches: bool,
}

/// A handle on one session.
#[derive(Debug)]
pub struct Session {
    /// 25 characters of `[0-9a-z]`.
    pub id: String,
    /// Its processes.
    pub processes: Processes,
    /// Its directory on disk.
    dir: PathBuf,
    inbox: mpsc::Sender<Ask>,
    /// The engine that it was last on.
    node: watch::Sender<Option<Node>>,
    shown: Mutex<Shown>,
    /// Held by the one who opens logs.
    opening: tokio::sync::Mutex<()>,
}

/// What can be read without asking the actor.
#[derive(Debug, Default)]
struct Shown {
    record: Record,
    kept_until: i64,
    not_carried: Vec<String>,
    building: bool,
    /// Those that have been opened.
    traces: BTreeMap<u32, Journal>,
    logs: BTreeMap<u32, Logs>,
    /// Size of the last trace on disk when an earlier server wrote it.
    trace_bytes: u64,
    /// Clients in calls that use the session, by a number for each call.
    readers: HashMap<u64, Client>,
    next_reader: u64,
    input: Option<Waiting<mpsc::Sender<io::Result<Bytes>>>>,
    output: Option<Waiting<mpsc::Receiver<io::Result<Bytes>>>>,
}

impl Session {
    fn new(
        id: String,
        record: Record,
        processes: Processes,
        dir: PathBuf,
        inbox: mpsc::Sender<Ask>,
    ) -> Self {
        Self {
            id,
            processes,
            dir,
            inbox,
            node: watch::Sender::new(None),
            shown: Mutex::new(Shown {
                record,
                ..Shown::default()
            }),
            opening: tokio::sync::Mutex::default(),
        }
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the actor.
    ///
    /// # Errors
    /// `NotFound`: the session has ended meanwhile.
    pub async fn ask<T>(&self, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Result<T, Status> {
        let gone = |_| Status::not_found(format!("session {} has ended", self.id));
        let (sender, answer) = oneshot::channel();
        self.inbox.send(ask(sender)).await.map_err(|_| gone(()))?;
        answer.await.map_err(|_| gone(()))
    }

    /// What is kept of it on disk.
    pub fn record(&self) -> Record {
        self.shown().record.clone()
    }

    /// Its row in a listing.
    pub fn listed(&self) -> Listed {
        let counts = self.processes.counts();
        let shown = self.shown();
        // A client may be in several calls.
        let watchers: HashSet<u32> = shown.readers.values().map(|client| client.pid).collect();
        let Record {
            name,
            context,
            terminal,
            created,
            detached,
            build,
            last,
            ..
        } = shown.record.clone();
        let bytes = shown
            .traces
            .get(&build)
            .map_or(shown.trace_bytes, Journal::bytes);
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Listed {
            id: self.id.clone(),
            name,
            state: crate::proto::controller::SessionState::from(last.state) as i32,
            builder: last.builder,
            terminal,
            created,
            started: last.started,
            ended: last.ended,
            watchers: number(watchers.len()),
            processes: number(counts.processes),
            steps_done: last.steps_done,
            steps: last.steps,
            doing: last.doing,
            kept_until: shown.kept_until,
            reason: last.reason,
            build,
            context,
            detached,
            exit_code: match last.state {
                State::Building | State::Recoverable => -1,
                _ => i32::try_from(last.exit_code).unwrap_or(i32::MAX),
            },
            trace_bytes: bytes,
        }
    }

    /// What of its state cannot be carried into a process, a line each.
    pub fn not_carried(&self) -> Vec<String> {
        self.shown().not_carried.clone()
    }

    /// The engine that its last build has found; `None` for a session of an earlier server.
    pub fn node(&self) -> Option<Node> {
        self.node.borrow().clone()
    }

    /// Whether it builds, is kept, or is used.
    pub fn is_busy(&self) -> bool {
        let counts = self.processes.counts();
        let used = counts.processes + counts.clients;
        let shown = self.shown();
        shown.building || shown.kept_until != 0 || used + shown.readers.len() > 0
    }

    /// The trace of a build, of the last one for 0. One of an earlier server is opened when it is
    /// first asked for: a server that starts must not read all of them.
    ///
    /// # Errors
    /// `NotFound`: there is no such build. `DataLoss`: its trace cannot be read.
    pub async fn trace(&self, build: u32) -> Result<Journal, Status> {
        let (number, known) = {
            let shown = self.shown();
            let last = shown.record.build;
            let number = if build == 0 { last } else { build };
            if number > last {
                return Err(self.no_trace(number));
            }
            (number, shown.traces.get(&number).cloned())
        };
        if let Some(journal) = known {
            return Ok(journal);
        }
        let path = self.dir.join(format!("{number}.trace"));
        let opened = tokio::task::spawn_blocking(move || Journal::open(&path)).await;
        let journal = match opened {
            Ok(Ok(journal)) => journal,
            Ok(Err(error)) if error.io_kind() == Some(io::ErrorKind::NotFound) => {
                return Err(self.no_trace(number));
            }
            Ok(Err(error)) => return Err(Status::data_loss(error.to_string())),
            Err(error) => return Err(Status::internal(error.to_string())),
        };
        self.shown().traces.insert(number, journal.clone());
        Ok(journal)
    }

    /// The log of a build, of the last one for 0. It is opened when it is first asked for, as traces are.
    ///
    /// # Errors
    /// As [`Session::trace`]; also when what belongs to it cannot be written.
    pub async fn logs(&self, build: u32) -> Result<Logs, Status> {
        let number = match build {
            0 => self.shown().record.build,
            number => number,
        };
        let known = || self.shown().logs.get(&number).cloned();
        if let Some(logs) = known() {
            return Ok(logs);
        }
        let _only = self.opening.lock().await;
        if let Some(logs) = known() {
            return Ok(logs);
        }
        let trace = self.trace(number).await?;
        let logs = tokio::task::spawn_blocking(move || Logs::open(&trace))
            .await
            .map_err(|error| Status::internal(error.to_string()))?
            .map_err(|error| Status::data_loss(error.to_string()))?;
        self.shown().logs.insert(number, logs.clone());
        Ok(logs)
    }

    fn no_trace(&self, build: u32) -> Status {
        Status::not_found(format!("session {} has no trace of build {build}", self.id))
    }

    /// Enters a client that reads the trace, is attached to a process, or has the session before it, until the
    /// answer is dropped. Watchers are told of both.
    pub fn reads(self: &Arc<Self>, server: &Arc<Server>, client: Client) -> Reading {
        let number = {
            let mut shown = self.shown();
            let number = shown.next_reader;
            shown.next_reader += 1;
            shown.readers.insert(number, client);
            number
        };
        server.changed(self);
        Reading {
            server: Arc::clone(server),
            session: Arc::clone(self),
            number,
        }
    }

    /// Clients that use the session: each once, attached ones with their process.
    pub async fn clients(&self) -> Vec<Client> {
        let mut clients = self.processes.clients().await;
        let shown = self.shown();
        for reader in shown.readers.values() {
            if !clients.iter().any(|client| client.pid == reader.pid) {
                clients.push(reader.clone());
            }
        }
        clients
    }

    /// Where standard input of the running build is put, for the first who asks.
    pub fn input(&self) -> Option<mpsc::Sender<io::Result<Bytes>>> {
        let input = self.shown().input.clone();
        input.and_then(|input| input.take())
    }

    /// What the running build writes to standard output, for the first who asks.
    pub fn output(&self) -> Option<mpsc::Receiver<io::Result<Bytes>>> {
        let output = self.shown().output.clone();
        output.and_then(|output| output.take())
    }
}

/// A call in which a client uses a session.
#[derive(Debug)]
pub struct Reading {
    server: Arc<Server>,
    session: Arc<Session>,
    number: u64,
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.session.shown().readers.remove(&self.number);
        self.server.changed(&self.session);
    }
}
