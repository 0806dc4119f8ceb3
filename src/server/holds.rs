//! Failed steps that are held open on engines, and how other builds get past them.
//!
//! While a failed step is held, the engine answers every build that comes to the same step with the
//! remembered failure, without running it. Which steps are the same the engine decides by cache keys
//! that this side cannot compute, so two steps count as the same here when they run the same
//! program with the same arguments, variables, directory and user.
//!
//! A build that has such a step solves it with the cache ignored, which the engine does not merge
//! with the remembered failure. That works once: the failure of a step whose cache was ignored would
//! meet every later build. So of the held states of one step at most one is of that kind, and it is
//! let go when another build comes to the step. Builds that run at the same time share steps, also one
//! that ignores the cache with one that does not: then the failure of either is of that kind.
//!
//! A held step also holds its cache mounts: another build that mounts the same cache would find it
//! empty. So a state in which nobody works is let go for such a build, too.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prost::Message;
use tokio::sync::{mpsc, oneshot, watch};

use crate::build::drive::Seen;
use crate::engine::errors::FailedExec;
use crate::engine::vertex::digest;
use crate::proto::pb;

/// What a step runs, as a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StepKey([u8; 32]);

impl StepKey {
    fn new<'a>(
        args: impl IntoIterator<Item = &'a str>,
        env: impl IntoIterator<Item = &'a str>,
        cwd: &str,
        user: &str,
    ) -> Self {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        let mut put = |text: &str| {
            context.update(&(text.len() as u64).to_le_bytes());
            context.update(text.as_bytes());
        };
        args.into_iter().for_each(&mut put);
        put("\0env");
        env.into_iter().for_each(&mut put);
        put("\0cwd");
        put(cwd);
        put(user);
        let mut key = [0; 32];
        key.copy_from_slice(context.finish().as_ref());
        Self(key)
    }

    /// The key of a failed step; `None` when it runs no program.
    pub fn of_failed(exec: &FailedExec) -> Option<Self> {
        let meta = exec.op.get("exec")?.get("meta")?;
        let list = |name: &str| -> Vec<&str> {
            let list = meta.get(name).and_then(|list| list.as_array());
            list.into_iter()
                .flatten()
                .filter_map(|text| text.as_str())
                .collect()
        };
        let text = |name: &str| meta.get(name).and_then(|text| text.as_str()).unwrap_or("");
        Some(Self::new(
            list("args"),
            list("env"),
            text("cwd"),
            text("user"),
        ))
    }

    fn of_op(op: &pb::Op) -> Option<Self> {
        let Some(pb::op::Op::Exec(exec)) = &op.op else {
            return None;
        };
        let meta = exec.meta.as_ref()?;
        Some(Self::new(
            meta.args.iter().map(String::as_str),
            meta.env.iter().map(String::as_str),
            &meta.cwd,
            &meta.user,
        ))
    }
}

/// A step that runs a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it runs.
    pub key: StepKey,
    /// Digest of its vertex.
    pub vertex: String,
    /// Ids of its cache mounts.
    pub caches: Vec<String>,
}

impl Step {
    /// The failed step `vertex`; `None` when it runs no program.
    pub fn of_failed(exec: &FailedExec, vertex: &str) -> Option<Self> {
        let mounts = exec.op.get("exec")?.get("mounts");
        let mounts = mounts.and_then(|mounts| mounts.as_array());
        let cache = |mount: &serde_json::Value| {
            (mount.get("mountType")?.as_str()? == "CACHE").then_some(())?;
            Some(mount.get("cacheOpt")?.get("ID")?.as_str()?.to_owned())
        };
        Some(Self {
            key: StepKey::of_failed(exec)?,
            vertex: vertex.to_owned(),
            caches: mounts.into_iter().flatten().filter_map(cache).collect(),
        })
    }

    fn of_op(bytes: &[u8]) -> Option<Self> {
        let op = pb::Op::decode(bytes).ok()?;
        let key = StepKey::of_op(&op)?;
        let Some(pb::op::Op::Exec(exec)) = op.op else {
            return None;
        };
        let caches = exec.mounts.into_iter().filter_map(|mount| mount.cache_opt);
        Some(Self {
            key,
            vertex: digest(bytes),
            caches: caches.map(|cache| cache.id).collect(),
        })
    }
}

/// The steps of a definition that run a program.
pub fn steps(definition: &pb::Definition) -> Vec<Step> {
    let steps = definition.def.iter();
    steps.filter_map(|bytes| Step::of_op(bytes)).collect()
}

/// The steps of a definition of which the cache is ignored already, as with `--no-cache`.
pub fn uncached(definition: &pb::Definition) -> HashSet<StepKey> {
    let ignored = |step: &Step| {
        let metadata = definition.metadata.get(&step.vertex);
        metadata.is_some_and(|metadata| metadata.ignore_cache)
    };
    let steps = steps(definition).into_iter().filter(ignored);
    steps.map(|step| step.key).collect()
}

/// The same definition, with the cache ignored for some vertices. The digests stay as they are.
pub fn ignoring_cache(definition: &pb::Definition, vertices: &[String]) -> pb::Definition {
    let mut definition = definition.clone();
    for vertex in vertices {
        let metadata = definition.metadata.entry(vertex.clone()).or_default();
        metadata.ignore_cache = true;
    }
    definition
}

/// `vertices`, and what is made of their results in the definition.
pub fn with_dependents(definition: &pb::Definition, vertices: &[String]) -> Vec<String> {
    let mut all = vertices.to_vec();
    // Operations come after their inputs; the last one only names the result.
    let (_, ops) = definition.def.split_last().unwrap_or((&Vec::new(), &[]));
    for bytes in ops {
        let Ok(op) = pb::Op::decode(bytes.as_slice()) else {
            continue;
        };
        if op.inputs.iter().any(|input| all.contains(&input.digest)) {
            all.push(digest(bytes));
        }
    }
    all
}

/// Asks a session to let its held state go.
#[derive(Debug)]
pub struct Yield {
    /// Id of the session that asks.
    pub to: String,
    /// Whether it has to go although somebody works in it.
    pub force: bool,
    /// Answered when it is gone, or stays.
    pub done: oneshot::Sender<()>,
}

/// All held states and running builds of a server.
#[derive(Debug, Default)]
pub struct Holds(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    running: HashMap<u64, Running>,
    held: HashMap<u64, Held>,
}

#[derive(Debug)]
struct Running {
    engine: String,
    session: String,
    steps: Vec<Step>,
    /// The steps of which it ignores the cache.
    uncached: HashSet<StepKey>,
    /// Those of which a build does that ran at the same time.
    shared: HashSet<StepKey>,
    /// It comes to no other step.
    over: bool,
    seen: watch::Receiver<Seen>,
}

#[derive(Debug)]
struct Held {
    engine: String,
    step: Step,
    uncached: bool,
    yields: mpsc::Sender<Yield>,
}

impl Inner {
    /// The steps of which a build that runs on `engine` ignores the cache.
    fn uncached(&self, engine: &str) -> HashSet<StepKey> {
        let builds = self.running.values();
        let builds = builds.filter(|build| build.engine == engine);
        builds.flat_map(|build| &build.uncached).copied().collect()
    }
}

/// An entry; it ends when this is dropped.
#[derive(Debug)]
pub struct Entry {
    holds: Arc<Holds>,
    number: u64,
}

impl Entry {
    /// The build ignores the cache of these steps from now on.
    pub fn ignores(&self, keys: &HashSet<StepKey>) {
        let mut inner = self.holds.lock();
        let Some(own) = inner.running.get_mut(&self.number) else {
            return;
        };
        own.uncached.extend(keys);
        let engine = own.engine.clone();
        for (number, other) in &mut inner.running {
            if *number != self.number && other.engine == engine {
                other.shared.extend(keys);
            }
        }
    }

    /// The build has ended, and only its failure is still to be held.
    pub fn over(&self) {
        if let Some(own) = self.holds.lock().running.get_mut(&self.number) {
            own.over = true;
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut inner = self.holds.lock();
        inner.running.remove(&self.number);
        inner.held.remove(&self.number);
    }
}

impl Holds {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn number(inner: &mut Inner) -> u64 {
        inner.next += 1;
        inner.next
    }

    /// A build with these steps is about to run on `engine`. Returns its entry and the vertices
    /// that have to be solved with the cache ignored. States that stand in the way of even that are
    /// let go first.
    pub async fn run(
        self: &Arc<Self>,
        engine: &str,
        session: &str,
        steps: Vec<Step>,
        seen: watch::Receiver<Seen>,
    ) -> (Entry, Vec<String>) {
        let (entry, yields) = {
            let mut inner = self.lock();
            let number = Self::number(&mut inner);
            let in_the_way = inner.held.values().filter(|held| held.engine == engine);
            let yields: Vec<_> = in_the_way
                .filter_map(|held| {
                    let same = |step: &Step| held.uncached && step.key == held.step.key;
                    let force = steps.iter().any(same);
                    let shared =
                        |step: &Step| step.caches.iter().any(|id| held.step.caches.contains(id));
                    (force || steps.iter().any(shared)).then(|| (held.yields.clone(), force))
                })
                .collect();
            let running = Running {
                engine: engine.to_owned(),
                session: session.to_owned(),
                steps: steps.clone(),
                uncached: HashSet::new(),
                shared: inner.uncached(engine),
                over: false,
                seen,
            };
            inner.running.insert(number, running);
            let holds = Arc::clone(self);
            (Entry { holds, number }, yields)
        };
        for (holder, force) in yields {
            let (done, gone) = oneshot::channel();
            let to = session.to_owned();
            if holder.send(Yield { to, force, done }).await.is_ok() {
                let _ = gone.await;
            }
        }
        let inner = self.lock();
        let held = |step: &&Step| {
            let mut all = inner.held.values();
            all.any(|held| held.engine == engine && held.step.key == step.key)
        };
        let bypass = steps.iter().filter(held);
        let bypass = bypass.map(|step| step.vertex.clone()).collect();
        drop(inner);
        (entry, bypass)
    }

    /// The failed `step` of a session is about to be held; `entry` is that of its build.
    ///
    /// # Errors
    /// The session of a running build that is still to come to the step.
    pub fn hold(
        self: &Arc<Self>,
        engine: &str,
        session: &str,
        step: Step,
        entry: Option<&Entry>,
        yields: mpsc::Sender<Yield>,
    ) -> Result<Entry, String> {
        let mut inner = self.lock();
        let build = entry.and_then(|entry| inner.running.get(&entry.number));
        let uncached = build.is_some_and(|build| {
            build.uncached.contains(&step.key) || build.shared.contains(&step.key)
        });
        let to_come = inner.running.values().find(|build| {
            build.engine == engine
                && build.session != session
                && !build.over
                && build.steps.iter().any(|other| {
                    other.key == step.key && !build.seen.borrow().started(&other.vertex)
                })
        });
        if let Some(build) = to_come {
            return Err(build.session.clone());
        }
        let number = Self::number(&mut inner);
        let held = Held {
            engine: engine.to_owned(),
            step,
            uncached,
            yields,
        };
        inner.held.insert(number, held);
        let holds = Arc::clone(self);
        Ok(Entry { holds, number })
    }
}

#[cfg(test)]
mod tests;
