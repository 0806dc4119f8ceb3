//! Builds on an engine that do not come from this server.
//!
//! An engine shows a build that comes to a held failed step the remembered failure. For builds of
//! this server [`super::holds`] prevents that; of others this side sees no more than that they begin, in
//! the engine's build history (BuildKit 0.11 and newer). What they will run is known only when it may be
//! too late, so a state in which nobody works is let go when a build from elsewhere begins. Only one
//! of another repository is waited for until it names a step like the held one: that it comes to the very
//! same step is unlikely.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

use super::state::{Inside, OpenState};
use crate::engine::control::Engine;
use crate::proto::control::{BuildHistoryEventType, BuildHistoryRequest};
use crate::proto::pb;

/// Attribute of a build that names its repository.
pub const SOURCE: &str = "vcs:source";

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

/// What other builds are compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Name of the step without its place in the Dockerfile; empty when it is not known.
    name: String,
    /// The repository that it comes from (`vcs:source`); empty when there is none.
    source: String,
    /// Whether it holds a cache mount, which others would find empty.
    cache: bool,
}

impl Held {
    /// Of a held state, with the attributes that its build was asked for with.
    pub fn new(state: &OpenState, source: &str) -> Self {
        let mut held = Self {
            name: String::new(),
            source: source.to_owned(),
            cache: false,
        };
        if let Inside::Failed {
            definition: Some(definition),
            vertex,
            ..
        } = &state.inside
        {
            held.look(definition, vertex);
        }
        held
    }

    fn look(&mut self, definition: &pb::Definition, vertex: &str) {
        let metadata = definition.metadata.get(vertex);
        let name = metadata.and_then(|metadata| metadata.description.get("llb.customname"));
        self.name = name.map(|name| bare(name).to_owned()).unwrap_or_default();
        let steps = super::holds::steps(definition);
        let step = steps.iter().find(|step| step.vertex == vertex);
        self.cache = step.is_some_and(|step| !step.caches.is_empty());
    }

    /// Whether a build of the repository `source` may come to the step.
    fn may_be_of(&self, source: Option<&String>) -> bool {
        let other = source.is_some_and(|source| *source != self.source);
        !other || self.source.is_empty() || self.name.is_empty()
    }

    fn is(&self, name: &str) -> bool {
        bare(name) == self.name || (self.cache && name.contains("type=cache"))
    }
}

/// `[stage 3/4] RUN x` without its place.
fn bare(name: &str) -> &str {
    match name
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("] "))
    {
        Some((_, bare)) => bare,
        None => name,
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
    /// Starts watching for builds that come to the step `held`.
    pub fn start(engine: &Engine, own: Refs, held: Held) -> Self {
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
            let mut watched = JoinSet::new();
            while let Ok(Some(event)) = events.message().await {
                let started = event.r#type() == BuildHistoryEventType::Started;
                let foreign = event
                    .record
                    .filter(|record| record.completed_at.is_none() && !own.contains(&record.r#ref));
                let Some(record) = foreign.filter(|_| started) else {
                    continue;
                };
                if held.may_be_of(record.frontend_attrs.get(SOURCE)) {
                    let _ = sender.try_send(());
                    continue;
                }
                watched.spawn(compare(
                    engine.clone(),
                    record.r#ref,
                    held.clone(),
                    sender.clone(),
                ));
                while watched.try_join_next().is_some() {}
            }
        });
        Self { seen, task }
    }

    /// Resolves when a build from elsewhere comes to the step; never when the engine cannot tell.
    pub async fn seen(&mut self) {
        if self.seen.recv().await.is_none() {
            std::future::pending().await
        }
    }
}

/// Reads what a build does until it names the step.
async fn compare(engine: Engine, reference: String, held: Held, seen: mpsc::Sender<()>) {
    let Ok(mut status) = engine.status(&reference).await else {
        return;
    };
    while let Ok(Some(batch)) = status.message().await {
        if batch.vertexes.iter().any(|vertex| held.is(&vertex.name)) {
            let _ = seen.try_send(());
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_of_another_repository_is_compared_by_names() {
        let held = Held {
            name: "RUN make".to_owned(),
            source: "git@host:a".to_owned(),
            cache: true,
        };
        let (same, other) = ("git@host:a".to_owned(), "git@host:b".to_owned());
        assert!(held.may_be_of(Some(&same)) && held.may_be_of(None));
        assert!(!held.may_be_of(Some(&other)));
        assert!(held.is("[stage-1 4/9] RUN make"));
        assert!(!held.is("[a 2/2] RUN make all"));
        assert!(held.is("[a 2/2] RUN --mount=type=cache,target=/c x"));
        let unknown = Held {
            source: String::new(),
            ..held
        };
        assert!(unknown.may_be_of(Some(&other)));
    }

    #[test]
    fn the_name_of_a_step_is_in_its_definition() {
        let mut metadata = pb::OpMetadata::default();
        metadata
            .description
            .insert("llb.customname".into(), "[a 2/2] RUN make".into());
        let mut definition = pb::Definition::default();
        definition.metadata.insert("v".to_owned(), metadata);
        let mut held = Held {
            name: String::new(),
            source: "s".to_owned(),
            cache: false,
        };
        held.look(&definition, "v");
        assert_eq!(held.name, "RUN make");
    }
}
