//! Builds on an engine that do not come from this server.
//!
//! An engine shows a build that comes to a held failed step the remembered failure. For builds of
//! this server [`super::holds`] prevents that; of others only their start is seen, in the engine's
//! build history (BuildKit 0.11 and newer), and what they will run is not known then.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::engine::control::Engine;
use crate::proto::control::{BuildHistoryEventType, BuildHistoryRequest};

/// The ids of this server's own builds on engines.
#[derive(Clone, Debug, Default)]
pub struct Refs(Arc<Mutex<HashSet<String>>>);

impl Refs {
    /// Enters a build until the answer is dropped.
    pub fn enter(&self, reference: &str) -> Ref {
        let mut refs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        refs.insert(reference.to_owned());
        Ref {
            refs: self.clone(),
            reference: reference.to_owned(),
        }
    }

    fn contains(&self, reference: &str) -> bool {
        let refs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        refs.contains(reference)
    }
}

/// A build of this server.
#[derive(Debug)]
pub struct Ref {
    refs: Refs,
    reference: String,
}

impl Drop for Ref {
    fn drop(&mut self) {
        let mut refs = self.refs.0.lock().unwrap_or_else(PoisonError::into_inner);
        refs.remove(&self.reference);
    }
}

/// Watches one engine.
#[derive(Debug)]
pub struct Watch {
    seen: mpsc::Receiver<()>,
    task: JoinHandle<()>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Watch {
    /// Starts watching.
    pub fn start(engine: &Engine, own: Refs) -> Self {
        let (sender, seen) = mpsc::channel(1);
        let engine = engine.clone();
        let task = tokio::spawn(async move {
            let request = BuildHistoryRequest {
                active_only: true,
                ..BuildHistoryRequest::default()
            };
            let Ok(events) = engine.control().listen_build_history(request).await else {
                return;
            };
            let mut events = events.into_inner();
            while let Ok(Some(event)) = events.message().await {
                let started = event.r#type() == BuildHistoryEventType::Started;
                let foreign = event.record.is_some_and(|record| {
                    record.completed_at.is_none() && !own.contains(&record.r#ref)
                });
                if started && foreign && sender.send(()).await.is_err() {
                    return;
                }
            }
        });
        Self { seen, task }
    }

    /// Resolves when a build from elsewhere runs or begins; never when the engine cannot tell.
    pub async fn seen(&mut self) {
        if self.seen.recv().await.is_none() {
            std::future::pending().await
        }
    }
}
