//! The supervisor's clients: each is told every phase, and together they keep the engine running.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

use crate::engine::embedded::control::{GREETING, LINE, Phase, STOP_REQUEST};

/// The time without a client.
pub(super) struct Idle {
    limit: Duration,
    clients: usize,
    since: Instant,
}

impl Idle {
    pub(super) fn new(limit: Duration) -> Self {
        Self {
            limit,
            clients: 0,
            since: Instant::now(),
        }
    }
    pub(super) fn came(&mut self) {
        self.clients += 1;
    }
    pub(super) fn left(&mut self) {
        self.clients = self.clients.saturating_sub(1);
        self.restart();
    }
    pub(super) fn restart(&mut self) {
        self.since = Instant::now();
    }
    /// Never returns while there are clients.
    pub(super) async fn over(&self) {
        match self.since.checked_add(self.limit) {
            Some(end) if self.clients == 0 => sleep_until(end).await,
            _ => std::future::pending().await,
        }
    }
}

/// What clients do.
pub(super) enum Event {
    Came,
    Left,
    Stop,
}

/// Serves clients, each in a task of its own.
pub(super) async fn accept(
    listener: UnixListener,
    phases: watch::Receiver<Phase>,
    events: mpsc::Sender<Event>,
) {
    let count = Arc::new(());
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (phases, events, count) = (phases.clone(), events.clone(), count.clone());
                tokio::spawn(async move {
                    let _ = events.send(Event::Came).await;
                    let stop = serve(stream, phases, &count).await;
                    drop(count);
                    if stop {
                        let _ = events.send(Event::Stop).await;
                    }
                    let _ = events.send(Event::Left).await;
                });
            }
            // Out of descriptors: those of clients that leave come back.
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}

/// Tells a client every phase until it leaves. `true`: it asks to stop the engine.
async fn serve(stream: UnixStream, mut phases: watch::Receiver<Phase>, count: &Arc<()>) -> bool {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    let mut request = Vec::new();
    loop {
        let mut phase = phases.borrow_and_update().clone();
        if let Phase::Ready { others, .. } = &mut phase {
            // One is this client's, one the listener's.
            *others = Arc::strong_count(count).saturating_sub(2);
        }
        let Ok(mut line) = serde_json::to_vec(&phase) else {
            return false;
        };
        line.push(b'\n');
        // A client that does not read its few lines is stuck; it still counts as a client.
        if let Ok(Err(_)) = timeout(GREETING, write.write_all(&line)).await {
            return false;
        }
        tokio::select! {
            changed = phases.changed() => if changed.is_err() { return false },
            done = async { (&mut read).take(LINE).read_until(b'\n', &mut request).await } => {
                match done {
                    Ok(0) | Err(_) => return false,
                    Ok(_) if request == STOP_REQUEST => return true,
                    Ok(_) => request.clear(),
                }
            }
        }
    }
}
