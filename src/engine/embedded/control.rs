//! The control protocol between clients and the supervisor: a line for each phase one way, one request the other.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::{START, STOP};
use crate::engine::address::{Address, Transport};
use crate::paths::EmbeddedPaths;

/// How long a supervisor may take to say its first word. Whoever does not hear it kills the engine
/// in the end, so this is far beyond what a busy machine needs.
pub(super) const GREETING: Duration = Duration::from_secs(10);
/// Longest line of the control protocol, in bytes.
pub(super) const LINE: u64 = 64 << 10;

/// What the supervisor tells its clients, one JSON object per line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Phase {
    /// The engine does not answer yet.
    Starting,
    /// It answers.
    Ready {
        /// How it is spoken to.
        kind: Kind,
        /// How many other clients there are.
        others: usize,
    },
    /// It will not answer.
    Failed { reason: String, log: Vec<String> },
    /// It is being stopped.
    Stopping,
}

/// How an engine is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// dockerd.
    Docker,
    /// buildkitd.
    Buildkit,
}

impl Kind {
    /// The way to the engine.
    pub(super) fn transport(self, paths: &EmbeddedPaths) -> Transport {
        let address = Address::Unix(paths.engine_socket());
        match self {
            Kind::Docker => Transport::Docker(address),
            Kind::Buildkit => Transport::Direct(address),
        }
    }
}

/// What a client asks of the supervisor.
pub(super) const STOP_REQUEST: &[u8] = b"stop\n";

/// A connection to the supervisor, which has said its first word.
#[derive(Debug)]
pub(super) struct Control {
    stream: BufReader<UnixStream>,
    phase: Phase,
}

impl Control {
    /// `None`: there is no supervisor, or it says nothing.
    pub(super) async fn connect(paths: &EmbeddedPaths) -> Option<Self> {
        let greet = async {
            let stream = UnixStream::connect(paths.control_socket()).await.ok()?;
            let mut control = Self {
                stream: BufReader::new(stream),
                phase: Phase::Starting,
            };
            control.phase = control.read().await?;
            Some(control)
        };
        timeout(GREETING, greet).await.ok().flatten()
    }

    async fn read(&mut self) -> Option<Phase> {
        let mut line = Vec::new();
        (&mut self.stream)
            .take(LINE)
            .read_until(b'\n', &mut line)
            .await
            .ok()?;
        serde_json::from_slice(&line).ok()
    }

    /// The first phase that is not `Starting`; `None` when the supervisor ends before.
    pub(super) async fn ready(&mut self) -> Option<Phase> {
        let wait = async {
            while self.phase == Phase::Starting {
                self.phase = self.read().await?;
            }
            Some(self.phase.clone())
        };
        timeout(START + STOP, wait).await.ok().flatten()
    }

    /// Returns when the supervisor has ended or its time is over.
    pub(super) async fn ask_to_stop(&mut self) {
        let ask = async {
            self.stream.get_mut().write_all(STOP_REQUEST).await.ok()?;
            while let Some(phase) = self.read().await {
                self.phase = phase;
            }
            Some(())
        };
        let _ = timeout(STOP, ask).await;
    }
}
