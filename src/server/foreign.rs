//! Builds on an engine that do not come from this server.
//!
//! An engine shows a build that comes to a held failed step the remembered failure. For builds of
//! this server [`super::holds`] prevents that; of others this side sees no more than that they begin, in
//! the engine's build history (BuildKit 0.11 and newer). What they will run is known only when it may be
//! too late, so a state in which nobody works is let go when a build from elsewhere begins. Only a few
//! are waited for until they name a step like the held one that they have not come to yet:
//!
//! * One of another repository: that it comes to the very same step is unlikely.
//! * One that began before the step failed. The history tells of it as of one that begins, but it may
//!   be past the step, or have shared its run and failed with it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

use super::state::{Inside, OpenState};
use crate::engine::control::Engine;
use crate::progress::time::{self, Nanos};
use crate::proto::control::{
    BuildHistoryEventType, BuildHistoryRecord, BuildHistoryRequest, Vertex,
};
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
    /// When it failed, by the engine's clock; without it every build counts as one that begins.
    failed_at: Option<Nanos>,
}

impl Held {
    /// Of a held state that is there since `failed_at` (by the engine's clock), and the repository that
    /// its build was asked for with.
    pub fn new(state: &OpenState, source: &str, failed_at: Option<Nanos>) -> Self {
        let mut held = Self {
            name: String::new(),
            source: source.to_owned(),
            cache: false,
            failed_at,
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

    /// Whether a build that the history names may come to the step for all that is known of it.
    fn may_be(&self, record: &BuildHistoryRecord) -> bool {
        !self.is_later_than(record) && self.may_be_of(record.frontend_attrs.get(SOURCE))
    }

    /// Whether the step failed when that build had begun already.
    fn is_later_than(&self, record: &BuildHistoryRecord) -> bool {
        let began = record.created_at.as_ref().map(time::nanos);
        matches!((began, self.failed_at), (Some(began), Some(failed)) if began < failed)
    }

    /// Whether a build of the repository `source` may come to the step.
    fn may_be_of(&self, source: Option<&String>) -> bool {
        let other = source.is_some_and(|source| *source != self.source);
        !other || self.source.is_empty() || self.name.is_empty()
    }

    /// Whether a build whose vertices these are, as far as they are known, is still to come to the step.
    fn is_ahead(&self, vertices: &[Vertex]) -> bool {
        // A vertex may be there several times; the last one says how it is.
        let last: HashMap<_, _> = vertices.iter().map(|v| (v.digest.as_str(), v)).collect();
        last.into_values().any(|vertex| {
            let started = vertex.started.as_ref().map(time::nanos);
            let before =
                matches!((started, self.failed_at), (Some(at), Some(failed)) if at < failed);
            !before && self.is(&vertex.name)
        })
    }

    fn is(&self, name: &str) -> bool {
        let same = !self.name.is_empty() && bare(name) == self.name;
        same || (self.cache && name.contains("type=cache"))
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
                if held.may_be(&record) {
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

/// Reads what a build does until it names the step as one that it has not come to.
async fn compare(engine: Engine, reference: String, held: Held, seen: mpsc::Sender<()>) {
    let Ok(mut status) = engine.status(&reference).await else {
        return;
    };
    while let Ok(Some(batch)) = status.message().await {
        if held.is_ahead(&batch.vertexes) {
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
            failed_at: None,
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
            failed_at: None,
        };
        held.look(&definition, "v");
        assert_eq!(held.name, "RUN make");
    }

    #[test]
    fn a_build_that_began_before_the_failure_counts_only_when_it_is_still_to_come_to_the_step() {
        let held = Held {
            name: "RUN make".to_owned(),
            source: String::new(),
            cache: false,
            failed_at: Some(100),
        };
        let began = |at: Option<Nanos>| BuildHistoryRecord {
            created_at: at.map(time::stamp),
            ..BuildHistoryRecord::default()
        };
        assert!(!held.may_be(&began(Some(99))));
        assert!(held.may_be(&began(Some(100))) && held.may_be(&began(None)));
        let unknown = Held {
            failed_at: None,
            ..held.clone()
        };
        assert!(unknown.may_be(&began(Some(99))));

        let vertex = |digest: &str, name: &str, started: Option<Nanos>| Vertex {
            digest: digest.to_owned(),
            name: name.to_owned(),
            started: started.map(time::stamp),
            ..Vertex::default()
        };
        let make = |started| vertex("m", "[2/2] RUN make", started);
        assert!(held.is_ahead(&[vertex("o", "RUN other", None), make(None)]));
        assert!(held.is_ahead(&[make(Some(101))]));
        // It shared the run that failed, or had one of its own.
        assert!(!held.is_ahead(&[make(Some(99))]));
        assert!(!held.is_ahead(&[make(None), make(Some(99))]));
        assert!(!held.is_ahead(&[vertex("o", "RUN other", None)]));
        let nameless = Held {
            name: String::new(),
            ..held
        };
        assert!(!nameless.is_ahead(&[vertex("n", "", None)]));
    }
}
