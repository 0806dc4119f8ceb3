//! One container of a session: its keeper, the shell found in it, and the word of its end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tonic::{Code, Status};

use super::keeper::{self, Keeper};
use crate::engine::errors;
use crate::engine::gateway::{self, ContainerSpec, Gateway, ProcessSpec, Target, single_ref};
use crate::engine::id::new_id;
use crate::proto::pb;
use crate::server::place::{Ground, Place, Root};

/// How long an engine may take to say that a process has started: it mounts and sets networks up.
const START: Duration = Duration::from_secs(30);
/// How long an engine may take to release a container.
const RELEASE: Duration = Duration::from_secs(10);
/// How long input that nobody reads may take to be taken out of the terminals.
pub const DRAIN: Duration = Duration::from_secs(5);
/// The reason when the engine is gone.
pub const LOST: &str = "lost connection to builder";

/// A container that lives, or has lived.
#[derive(Debug)]
pub struct Container {
    inner: gateway::Container,
    ground: Ground,
    /// Absent in a container that has one process only.
    keeper: Option<Keeper>,
    /// The shell for wrappers; empty without one.
    pub shell: Vec<String>,
    /// What is not as the place says, one line each.
    pub notes: Vec<String>,
    ended: watch::Sender<Option<Arc<str>>>,
    processes: TaskTracker,
}

/// What there is for processes of one state and platform.
#[derive(Clone, Debug)]
pub enum Opened {
    /// A container that they share.
    Shared(Arc<Container>),
    /// The image has no shell: each process needs a container of its own, with this network.
    Alone(Box<Ground>, Vec<String>),
}

/// Why a keeper did not come up.
enum Refused {
    NoShell,
    NoNetwork(String),
    Exit(String),
    Other(Status),
}

/// Makes the container of a place and starts its keeper in the first shell that is there.
///
/// # Errors
/// The engine's reason, as `FailedPrecondition` or `Unavailable`.
pub async fn open(gateway: &Gateway, place: &Place) -> Result<Opened, Status> {
    let mut ground = place.ground.clone();
    ground.root = Root::Ref(solved(gateway, &ground.root).await?);
    let mut notes = Vec::new();
    let shells = shells(&place.shell);
    let mut untried = shells.iter();
    let mut next = untried.next();
    while let Some(shell) = next {
        match start(gateway, &ground, &place.environment, shell, &notes).await {
            Ok(container) => return Ok(Opened::Shared(Arc::new(container))),
            Err(Refused::NoShell) => next = untried.next(),
            Err(Refused::NoNetwork(why)) if ground.network == pb::NetMode::Unset => {
                ground.network = pb::NetMode::None;
                notes.push(format!(
                    "no network: the engine could not set one up ({why})"
                ));
            }
            Err(Refused::NoNetwork(why)) => return Err(Status::failed_precondition(why)),
            Err(Refused::Exit(text)) => {
                let Some(mount) = missing(&mut ground.mounts, &text) else {
                    return Err(Status::failed_precondition(format!(
                        "the engine could not start a container: {text}"
                    )));
                };
                notes.push(format!(
                    "not carried over: the mount {}, because its source is not there",
                    mount.dest
                ));
            }
            Err(Refused::Other(status)) => return Err(status),
        }
    }
    notes.push(
        "the image has no shell: the program runs alone, in a container of its own".to_owned(),
    );
    Ok(Opened::Alone(Box::new(ground), notes))
}

/// Shells that may be there: the usual one, that of the step, those of images without a system.
fn shells(own: &[String]) -> Vec<Vec<String>> {
    let mut shells = vec![vec!["/bin/sh".to_owned()]];
    let name = own.last().and_then(|word| word.rsplit('/').next());
    if name.is_some_and(|name| ["sh", "bash", "ash", "dash", "ksh", "mksh", "zsh"].contains(&name))
    {
        shells.push(own.to_vec());
    }
    shells.push(vec!["/busybox/sh".to_owned()]);
    shells.dedup();
    shells
}

async fn solved(gateway: &Gateway, root: &Root) -> Result<String, Status> {
    let definition = match root {
        Root::Ref(id) => return Ok(id.clone()),
        Root::Parent(definition) => definition.as_ref().clone(),
    };
    let result = gateway.solve(Target::Definition(definition), false).await;
    let result = result.map_err(|status| engine_status(&status, "the state before the step"))?;
    single_ref(&result).map(str::to_owned).ok_or_else(|| {
        Status::failed_precondition(
            "the step starts from an empty file system: there is nothing to start a process in",
        )
    })
}

async fn start(
    gateway: &Gateway,
    ground: &Ground,
    environment: &[String],
    shell: &[String],
    notes: &[String],
) -> Result<Container, Refused> {
    let inner = create(gateway, ground).await.map_err(Refused::Other)?;
    let (ended, _) = watch::channel(None);
    let spec = ProcessSpec {
        meta: pb::Meta {
            args: Vec::new(),
            env: environment
                .iter()
                .filter(|variable| variable.starts_with("PATH="))
                .cloned()
                .collect(),
            cwd: "/".to_owned(),
            ..Default::default()
        },
        tty: None,
        stdin: true,
        security: ground.security,
        secret_env: Vec::new(),
    };
    let started = timeout(START, keeper::start(&inner, shell, spec, ended.clone())).await;
    let failed = match started {
        Ok(Ok(keeper)) => {
            return Ok(Container {
                inner,
                ground: ground.clone(),
                keeper: Some(keeper),
                shell: shell.to_vec(),
                notes: notes.to_vec(),
                ended,
                processes: TaskTracker::new(),
            });
        }
        Ok(Err(failed)) => failed,
        Err(_) => keeper::Failed::Engine(too_slow("start a container")),
    };
    // Nothing of ours reads from it any more, so this does not wait.
    let _ = timeout(RELEASE, inner.release()).await;
    Err(match failed {
        keeper::Failed::Engine(status) => Refused::Other(engine_status(&status, "a container")),
        keeper::Failed::Exit(text) if is_missing_program(&text) => Refused::NoShell,
        keeper::Failed::Exit(text) if text.contains("network bridge") => Refused::NoNetwork(text),
        keeper::Failed::Exit(text) => Refused::Exit(text),
    })
}

/// Takes the mount out whose source the engine did not find, which may be why the step failed.
fn missing(mounts: &mut Vec<pb::Mount>, text: &str) -> Option<pb::Mount> {
    let is_missing = |mount: &pb::Mount| {
        let selector = mount.selector.trim_end_matches('/');
        !selector.is_empty() && text.contains(&format!("{selector}: no such file or directory"))
    };
    let index = mounts.iter().position(is_missing)?;
    Some(mounts.remove(index))
}

async fn create(gateway: &Gateway, ground: &Ground) -> Result<gateway::Container, Status> {
    let root = match &ground.root {
        Root::Ref(id) => id.clone(),
        Root::Parent(_) => return Err(Status::internal("the root has not been solved")),
    };
    let id = new_id().map_err(|error| Status::internal(error.to_string()))?;
    let mut spec = ContainerSpec::new(id, root);
    spec.mounts.clone_from(&ground.mounts);
    spec.network = ground.network;
    spec.extra_hosts.clone_from(&ground.extra_hosts);
    spec.hostname.clone_from(&ground.hostname);
    spec.platform.clone_from(&ground.platform);
    let made = timeout(START, gateway.new_container(spec)).await;
    made.unwrap_or_else(|_| Err(too_slow("make a container")))
        .map_err(|status| engine_status(&status, "a container"))
}

/// What the engine's runtime says when there is no such program.
pub fn is_missing_program(text: &str) -> bool {
    text.contains("unable to start container process")
        && (text.contains("no such file or directory")
            || text.contains("executable file not found")
            || text.contains("permission denied")
            || text.contains("not a directory")
            || text.contains("exec format error"))
}

impl Container {
    /// A container for one process, without a keeper.
    ///
    /// # Errors
    /// As [`open`].
    pub async fn alone(gateway: &Gateway, ground: &Ground) -> Result<Self, Status> {
        Ok(Self {
            inner: create(gateway, ground).await?,
            ground: ground.clone(),
            keeper: None,
            shell: Vec::new(),
            notes: Vec::new(),
            ended: watch::Sender::new(None),
            processes: TaskTracker::new(),
        })
    }

    /// What it is made of.
    pub fn ground(&self) -> &Ground {
        &self.ground
    }

    /// Whether several processes run in it.
    pub fn is_shared(&self) -> bool {
        self.keeper.is_some()
    }

    /// Why it has ended; `None` while it lives. Changes once.
    pub fn ended(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.ended.subscribe()
    }

    /// Starts a process.
    ///
    /// # Errors
    /// The engine's reason.
    pub async fn start(
        &self,
        id: &str,
        meta: pb::Meta,
        tty: Option<(u16, u16)>,
        stdin: bool,
    ) -> Result<gateway::Process, Status> {
        let spec = ProcessSpec {
            meta,
            tty: tty.map(|(rows, cols)| (rows.into(), cols.into())),
            stdin,
            security: self.ground.security,
            secret_env: self.ground.secret_env.clone(),
        };
        match timeout(START, self.inner.start(id, spec)).await {
            Ok(Ok(process)) => Ok(process),
            Ok(Err(status)) => Err(engine_status(&status, "the process")),
            Err(_) => Err(too_slow("start the process")),
        }
    }

    /// The user as the engine takes it, when there is such a user and `directory` can be entered.
    /// An engine would end the whole container over a mistake in either.
    ///
    /// # Errors
    /// [`Unfit`].
    pub async fn check(&self, user: &str, directory: &str) -> Result<String, Unfit> {
        let Some(keeper) = &self.keeper else {
            return Ok(user.to_owned());
        };
        let (name, group) = user.split_once(':').unwrap_or((user, ""));
        let numeric = |id: &str| id.parse::<u32>().is_ok();
        let named = |id: &str| !id.is_empty() && !numeric(id);
        if user.contains(char::is_whitespace) || name.starts_with('-') || group.starts_with('-') {
            return Err(Unfit::User);
        }
        let word = |id: &str| {
            if named(id) {
                id.to_owned()
            } else {
                "-".to_owned()
            }
        };
        let answer = keeper
            .ask(format!("c {} {} {directory}", word(name), word(group)))
            .await;
        let answer = answer.ok_or(Unfit::Silent)?;
        let (fit, files) = answer.split_once(',').unwrap_or((&answer, ""));
        match fit {
            "path" => return Err(Unfit::Directory),
            "user" | "group" if name == "root" && group.is_empty() => return Ok(String::new()),
            "user" | "group" => return Err(Unfit::User),
            _ => {}
        }
        // Without these files the engine knows numbers only, and only in pairs.
        if !files.is_empty() && !user.is_empty() && group.is_empty() {
            return Ok(format!("{name}:0"));
        }
        Ok(user.to_owned())
    }

    /// Sends a signal to the process `pid` inside. False: it is not there, or nobody answered.
    pub async fn signal(&self, pid: u32, signal: &str) -> bool {
        self.command(format!("s {signal} {pid}")).await
    }

    /// Kills the program `pid` and whatever shares its session.
    pub async fn kill(&self, pid: u32, session: u32) -> bool {
        self.command(format!("k {pid} {session}")).await
    }

    /// Sets the size of the terminal of `pid` from inside, for when the way through the engine is
    /// blocked.
    pub async fn resize(&self, pid: u32, rows: u16, cols: u16) -> bool {
        self.command(format!("w {pid} {rows} {cols}")).await
    }

    /// Lets the wrapper end that leads a session with a terminal, as soon as its program has ended.
    pub async fn let_go(&self, session: u32) -> bool {
        self.command(format!("f {session}")).await
    }

    /// As [`Container::let_go`], but after a line with `word` has been read from the terminal: whatever the engine
    /// still had to write there is before it, and nothing may follow.
    pub async fn drain(&self, session: u32, word: &str) -> bool {
        self.command(format!("d {session} {word}")).await
    }

    /// For a process that runs in it: the release waits until this is dropped, or 5 s.
    pub fn guest(&self) -> TaskTrackerToken {
        self.processes.token()
    }

    /// Makes a directory inside.
    pub async fn make_directory(&self, directory: &str) -> bool {
        self.command(format!("m {directory}")).await
    }

    async fn command(&self, line: String) -> bool {
        match &self.keeper {
            Some(keeper) => keeper.ask(line).await.as_deref() == Some("0"),
            None => false,
        }
    }

    /// Ends the container and everything in it; the first reason stays. Returns when the engine has
    /// let it go, or after 10 s: then false.
    pub async fn release(&self, reason: &str) -> bool {
        self.end(reason);
        self.processes.close();
        let _ = timeout(DRAIN, self.processes.wait()).await;
        if let Some(keeper) = &self.keeper {
            keeper.leave();
        }
        timeout(RELEASE, self.inner.release()).await.is_ok()
    }

    /// Tells everybody that it has ended.
    pub fn end(&self, reason: &str) {
        keeper::end(&self.ended, reason);
    }
}

/// Waits until something has ended, and says why.
pub async fn reason(ending: &mut watch::Receiver<Option<Arc<str>>>) -> Arc<str> {
    let reason = ending.wait_for(Option::is_some).await;
    let reason = reason.ok().and_then(|reason| reason.clone());
    reason.unwrap_or_else(|| "the server is leaving".into())
}

/// Why a process cannot be as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// There is no such user or group.
    User,
    /// The directory is a file.
    Directory,
    /// The container did not answer.
    Silent,
}

fn too_slow(what: &str) -> Status {
    Status::deadline_exceeded(format!(
        "the engine did not {what} within {} s",
        START.as_secs()
    ))
}

/// An engine's refusal in words.
pub fn engine_status(status: &Status, what: &str) -> Status {
    if is_lost(status) {
        return Status::unavailable(LOST);
    }
    match status.code() {
        Code::InvalidArgument | Code::FailedPrecondition | Code::DeadlineExceeded => status.clone(),
        _ => Status::failed_precondition(format!(
            "the engine refused {what}: {}",
            errors::text(status)
        )),
    }
}

/// Whether a status says that the engine, or the build that was open on it, is gone.
pub fn is_lost(status: &Status) -> bool {
    status.code() == Code::Unavailable
        || std::error::Error::source(status).is_some()
        || status.message().contains("no such job")
}
