//! Following a build from the monitor: Ctrl-C cancels it, and does not end the monitor.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::exec::Api;
use super::terminal::{HUNG_UP, INTERRUPTED, TERMINATED};
use crate::client::follow::{Lost, View, follow};
use crate::proto::controller::{Outcome, TraceRequest};

/// The signals that matter while a build is followed.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

/// What following a build has led to.
#[derive(Debug)]
pub enum Seen {
    /// The build has ended.
    Outcome(Outcome),
    /// Its end cannot be seen.
    Lost(Lost),
    /// A signal says that nobody waits for it any more; the exit code that it means. The build goes on, or is being
    /// canceled.
    Left(u8),
}

impl Signals {
    /// Listens from now on.
    ///
    /// # Errors
    /// The system gives no handlers.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The exit code that the next one means.
    async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => INTERRUPTED,
            _ = self.terminate.recv() => TERMINATED,
            _ = self.hangup.recv() => HUNG_UP,
        }
    }
}

/// Shows the build `number` of `session` in `view`. The first SIGINT or SIGTERM cancels it; the next,
/// or the loss of the terminal, ends the wait.
pub async fn watch(
    api: &Api,
    session: &str,
    number: u32,
    view: &mut View,
    signals: &mut Signals,
) -> Seen {
    let cancel = CancellationToken::new();
    let request = TraceRequest {
        session: session.to_owned(),
        build: number,
        ..TraceRequest::default()
    };
    let mut following = std::pin::pin!(follow(api, request, view, &cancel));
    loop {
        tokio::select! {
            end = &mut following => return match end {
                Ok(Some(outcome)) => Seen::Outcome(outcome),
                Ok(None) => Seen::Left(INTERRUPTED),
                Err(lost) => Seen::Lost(lost),
            },
            code = signals.next() => match code {
                HUNG_UP => return Seen::Left(code),
                _ if cancel.is_cancelled() => return Seen::Left(code),
                _ => {}
            },
        }
        cancel.cancel();
    }
}
