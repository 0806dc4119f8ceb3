//! The processes of a session: started in the containers of an open build, watched by any number
//! of clients.
//!
//! ```text
//!  Processes ──▶ owner ──▶ launch ──▶ container (keeper, shell)      one for each state and platform
//!                  │          │
//!                  │          └─────▶ actor ◀── engine's stream      one for each process
//!                  └── handles ─────▶   │  marker: reports of the wrapper taken out
//!                                       │  output: screen (drawn when there is time), or the last of what was printed
//!                                       └▶ viewers ── queue ──▶ client
//!                                          client ── input ──▶ engine
//! ```
//!
//! A process ends when its wrapper has reported its exit code, when its container ends, or when the
//! engine is gone. The end of one process is nothing to the others.

mod actor;
mod container;
mod counts;
mod input;
mod keeper;
mod launch;
mod marker;
mod output;
mod owner;
mod queue;
mod replay;
mod viewers;
mod wrapper;

use tokio::sync::{mpsc, oneshot, watch};
use tokio_stream::Stream;
use tonic::Status;

use self::actor::Command;
use self::owner::{Owner, Request};
use super::recorder::now;
use super::state::OpenState;
use crate::proto::controller::{
    AttachInput, AttachStart, Client, ExecRequest, ExecResponse, Process,
};
use crate::signals::SIGNALS;

pub use counts::Counts;
pub use queue::Attached;

/// Requests that may wait for the owner.
const REQUESTS: usize = 64;

/// Bounds of a session's processes.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Lines of scrollback that each terminal keeps while its process runs.
    pub scrollback: usize,
    /// Bytes that are kept of the output of a process without a terminal, and of the scrollback of
    /// one that has ended.
    pub retained: usize,
    /// Processes that may run at once. An old engine takes 250 calls on a connection.
    pub running: usize,
    /// Ended processes that stay in the list.
    pub ended: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            scrollback: 2000,
            retained: 256 << 10,
            running: 64,
            ended: 100,
        }
    }
}

/// The processes of one session. Clones are handles on the same; when the last one is dropped,
/// everything ends.
#[derive(Clone, Debug)]
pub struct Processes {
    requests: mpsc::Sender<Request>,
    counts: watch::Receiver<Counts>,
}

impl Processes {
    /// No processes, and no state to start one in. Needs a tokio runtime.
    pub fn new(session: impl Into<String>, settings: Settings) -> Self {
        let (requests, queue) = mpsc::channel(REQUESTS);
        let owner = Owner::new(session.into(), settings);
        let counts = owner.counts();
        tokio::spawn(owner.run(queue));
        Self { requests, counts }
    }

    /// The numbers, and when the list changes.
    pub fn watch(&self) -> watch::Receiver<Counts> {
        self.counts.clone()
    }

    /// The numbers now.
    pub fn counts(&self) -> Counts {
        *self.counts.borrow()
    }

    /// Starts processes in `state` from now on. What ran in another one ends, and the list is empty.
    pub async fn open(&self, state: OpenState) {
        let (done, is_done) = oneshot::channel();
        self.send(Request::Open(Box::new(state), done)).await;
        let _ = is_done.await;
    }

    /// Ends all processes, tells those who are attached `reason`, and lets the containers go. Returns
    /// when the engine has done so; false: it did not within the time. Nothing can be started until
    /// [`Processes::open`].
    pub async fn close(&self, reason: &str) -> bool {
        let (done, is_done) = oneshot::channel();
        self.send(Request::Close(reason.to_owned(), done)).await;
        is_done.await.unwrap_or(false)
    }

    /// Starts a process; returns when its program runs.
    ///
    /// # Errors
    /// `FailedPrecondition`: no state, nothing to start a process in, no such user or shell, or the
    /// engine's reason. `InvalidArgument`: something in the request is no value.
    /// `ResourceExhausted`: too many run. `Unavailable`: the engine is gone.
    pub async fn exec(&self, request: ExecRequest) -> Result<ExecResponse, Status> {
        let (reply, answer) = oneshot::channel();
        self.send(Request::Exec(Box::new(request), reply)).await;
        answer.await.map_err(|_| gone())?
    }

    /// Ends all processes, throws away what they changed, and starts one on the original state.
    /// `who` did it, in words.
    ///
    /// # Errors
    /// As [`Processes::exec`]; a request that cannot be served ends nothing.
    pub async fn rollback(&self, request: ExecRequest, who: &str) -> Result<ExecResponse, Status> {
        let (reply, answer) = oneshot::channel();
        let who = who.to_owned();
        self.send(Request::Rollback(Box::new(request), who, reply))
            .await;
        answer.await.map_err(|_| gone())?
    }

    /// Every process, oldest first; those that have ended stay until the state changes.
    pub async fn list(&self) -> Vec<Process> {
        let (reply, answer) = oneshot::channel();
        self.send(Request::List(reply)).await;
        answer.await.unwrap_or_default()
    }

    /// The clients that are attached, once for each process.
    pub async fn clients(&self) -> Vec<Client> {
        let processes = self.list().await;
        let clients = processes.into_iter().flat_map(|process| process.clients);
        clients.collect()
    }

    /// Sends a signal to the program of a process. `who` did it, in words (see [`Client::in_words`](crate::proto::controller::Client::in_words)).
    ///
    /// # Errors
    /// `NotFound`, `InvalidArgument` for a name that is no signal or an id that fits several,
    /// `FailedPrecondition` when it has ended.
    pub async fn signal(&self, process: &str, signal: &str, who: &str) -> Result<(), Status> {
        let name = signal_name(signal)?;
        let handle = self.find(process).await?;
        let (reply, answer) = oneshot::channel();
        let who = who.to_owned();
        let command = Command::Signal { name, who, reply };
        handle.commands.send(command).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Kills a process and what shares its session; when that does not help within 2 s, its
    /// container goes, and the others in it are told why. Returns when it has ended.
    ///
    /// # Errors
    /// `NotFound`, or `InvalidArgument` for an id that fits several.
    pub async fn kill(&self, process: &str, who: &str) -> Result<(), Status> {
        let handle = self.find(process).await?;
        let (reply, answer) = oneshot::channel();
        let who = who.to_owned();
        let command = Command::Kill { who, reply };
        handle.commands.send(command).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }

    /// Attaches `who` to a process. `input` is everything after the start message. What the client
    /// gets begins with the screen or the output so far, and ends with `Exited`; dropping it
    /// detaches, and the process goes on.
    ///
    /// # Errors
    /// `NotFound`, `InvalidArgument` for an id that fits several, `ResourceExhausted` when very many
    /// are attached.
    pub async fn attach(
        &self,
        start: AttachStart,
        mut who: Client,
        input: impl Stream<Item = Result<AttachInput, Status>> + Send + 'static,
    ) -> Result<Attached, Status> {
        let handle = self.find(&start.process).await?;
        if who.terminal.is_empty() {
            who.terminal.clone_from(&start.terminal);
        }
        let (reply, answer) = oneshot::channel();
        let command = Command::Attach {
            start,
            client: who,
            input: Box::pin(input),
            reply,
        };
        handle.commands.send(command).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    async fn find(&self, process: &str) -> Result<actor::Handle, Status> {
        let (reply, answer) = oneshot::channel();
        self.send(Request::Find(process.to_owned(), reply)).await;
        answer.await.map_err(|_| gone())?
    }

    async fn send(&self, request: Request) {
        // The owner outlives every handle; without a runtime the reply fails.
        let _ = self.requests.send(request).await;
    }
}

/// What a request gets when the runtime stops.
fn gone() -> Status {
    Status::unavailable("the server is leaving")
}

/// A signal's name without SIG, in capitals.
fn signal_name(name: &str) -> Result<&'static str, Status> {
    let upper = name.trim().to_ascii_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    let known = SIGNALS.iter().copied().find(|known| *known == bare);
    known.ok_or_else(|| {
        Status::invalid_argument(format!(
            "unknown signal {name:?}: use one of {}",
            SIGNALS.join(", ")
        ))
    })
}
