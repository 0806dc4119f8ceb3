//! Builds on an engine that do not come from this server.
//!
//! An engine shows a build that comes to a held failed step the remembered failure. For builds of
//! this server [`super::holds`] prevents that; of others this side sees the start, in the engine's build
//! history (BuildKit 0.11 and newer), and then the names of their steps, once their frontend has read
//! the Dockerfile. A step by the same name is taken for the held one.
//!
//! That is in time when the step comes after files of the context, which have to be transferred first.
//! A step without such files before it may be reached sooner, so its state is let go as soon as a
//! build from elsewhere begins at all.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use prost::Message;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

use super::state::{Inside, OpenState};
use crate::engine::control::Engine;
use crate::proto::control::{BuildHistoryEventType, BuildHistoryRequest};
use crate::proto::pb;

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
    /// Whether files of the context come before it.
    after_context: bool,
    /// Whether it holds a cache mount, which others would find empty.
    cache: bool,
}

impl Held {
    /// Of a held state.
    pub fn new(state: &OpenState) -> Self {
        let Inside::Failed {
            definition: Some(definition),
            vertex,
            ..
        } = &state.inside
        else {
            return Self::unknown();
        };
        Self::of(definition, vertex)
    }

    fn unknown() -> Self {
        Self {
            name: String::new(),
            after_context: false,
            cache: false,
        }
    }

    fn of(definition: &pb::Definition, vertex: &str) -> Self {
        let ops: HashMap<String, pb::Op> = definition
            .def
            .iter()
            .filter_map(|bytes| Some((digest(bytes), pb::Op::decode(bytes.as_slice()).ok()?)))
            .collect();
        let metadata = definition.metadata.get(vertex);
        let name = metadata.and_then(|metadata| metadata.description.get("llb.customname"));
        let mut after_context = false;
        let mut seen = HashSet::new();
        let mut todo = vec![vertex];
        while let Some(one) = todo.pop() {
            let Some(op) = ops.get(one).filter(|_| seen.insert(one)) else {
                continue;
            };
            if let Some(pb::op::Op::Source(source)) = &op.op {
                after_context |= source.identifier.starts_with("local://");
            }
            todo.extend(op.inputs.iter().map(|input| input.digest.as_str()));
        }
        let cache = match ops.get(vertex).and_then(|op| op.op.as_ref()) {
            Some(pb::op::Op::Exec(exec)) => {
                exec.mounts.iter().any(|mount| mount.cache_opt.is_some())
            }
            _ => false,
        };
        Self {
            name: name.map(|name| bare(name).to_owned()).unwrap_or_default(),
            after_context,
            cache,
        }
    }

    fn knows_too_little(&self) -> bool {
        self.name.is_empty() || !self.after_context
    }

    fn is(&self, name: &str) -> bool {
        bare(name) == self.name || (self.cache && name.contains("type=cache"))
    }
}

fn digest(bytes: &[u8]) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA256, bytes);
    let hex: String = hash.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    format!("sha256:{hex}")
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
                if held.knows_too_little() {
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

    fn op(op: pb::op::Op, inputs: &[&str]) -> Vec<u8> {
        let input = |digest: &&str| pb::Input {
            digest: (*digest).to_owned(),
            index: 0,
        };
        pb::Op {
            inputs: inputs.iter().map(input).collect(),
            op: Some(op),
            ..pb::Op::default()
        }
        .encode_to_vec()
    }

    fn source(identifier: &str) -> pb::op::Op {
        pb::op::Op::Source(pb::SourceOp {
            identifier: identifier.to_owned(),
            ..pb::SourceOp::default()
        })
    }

    #[test]
    fn a_step_is_known_by_its_name_and_by_what_comes_before_it() {
        for (identifier, after) in [("local://context", true), ("docker-image://a", false)] {
            let base = op(source(identifier), &[]);
            let run = op(pb::op::Op::Exec(pb::ExecOp::default()), &[&digest(&base)]);
            let vertex = digest(&run);
            let mut definition = pb::Definition {
                def: vec![base, run],
                ..pb::Definition::default()
            };
            let mut metadata = pb::OpMetadata::default();
            metadata
                .description
                .insert("llb.customname".into(), "[a 2/2] RUN make".into());
            definition.metadata.insert(vertex.clone(), metadata);
            let held = Held::of(&definition, &vertex);
            assert_eq!(held.knows_too_little(), !after);
            assert!(held.is("[stage-1 4/9] RUN make"));
            assert!(!held.is("[a 2/2] RUN make all"));
            assert!(!held.is("[a 2/2] RUN --mount=type=cache,target=/c x"));
        }
        assert!(Held::unknown().knows_too_little());
    }
}
