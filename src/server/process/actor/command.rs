//! What a process can be asked for, and what it starts with.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};
use tonic::Status;

use crate::engine::gateway;
use crate::proto::controller::{AttachStart, Client, Process, TerminalSize};
use crate::server::process::container::Container;
use crate::server::process::input::ClientInput;
use crate::server::process::queue::Attached;

/// What a process can be asked for.
pub enum Command {
    /// A client attaches.
    Attach {
        /// As it came.
        start: AttachStart,
        /// Who it is.
        client: Client,
        /// What it will send.
        input: ClientInput,
        /// What it gets.
        reply: oneshot::Sender<Result<Attached, Status>>,
    },
    /// A viewer types; answered when its size counts.
    Lead {
        /// Its number.
        viewer: u64,
        /// Told when it is done.
        done: oneshot::Sender<()>,
    },
    /// A viewer's terminal has changed its size.
    Resize {
        /// Its number.
        viewer: u64,
        /// The new size.
        size: TerminalSize,
    },
    /// A viewer sends a signal.
    ViewerSignal {
        /// Its number.
        viewer: u64,
        /// Name of the signal.
        name: String,
    },
    /// A viewer leaves; what it typed has been handed on.
    Detach {
        /// Its number.
        viewer: u64,
    },
    /// Somebody sends a signal; the name is known to be one.
    Signal {
        /// Name without SIG.
        name: &'static str,
        /// Who it is, in words.
        who: String,
        /// Whether it got there.
        reply: oneshot::Sender<Result<(), Status>>,
    },
    /// Somebody kills the process.
    Kill {
        /// Who it is, in words.
        who: String,
        /// Told when it has ended.
        reply: oneshot::Sender<()>,
    },
}

/// The way to a process.
#[derive(Clone, Debug)]
pub struct Handle {
    /// Requests.
    pub commands: mpsc::Sender<Command>,
    /// How it is now.
    pub process: watch::Receiver<Process>,
    /// Its container.
    pub container: Arc<Container>,
}

/// What a process starts with.
pub struct Start {
    /// As it is listed.
    pub process: Process,
    /// The engine's side.
    pub stream: gateway::Process,
    /// Where it runs.
    pub container: Arc<Container>,
    /// Nonce of its wrapper; `None` runs without one.
    pub nonce: Option<String>,
    /// Whether it has a standard input.
    pub stdin: bool,
    /// Whether the output of its terminal is kept for those who want it raw.
    pub raw: bool,
}
