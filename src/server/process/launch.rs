//! From a place to a running process.

use std::sync::Arc;

use tokio::sync::watch;
use tonic::Status;

use super::Settings;
use super::actor::{Handle, Start, spawn};
use super::container::{Container, Opened, Unfit, reason};
use super::counts::Counter;
use super::viewers::cells;
use super::wrapper;
use crate::engine::gateway::Gateway;
use crate::engine::id::new_id;
use crate::proto::controller::{Process, TerminalSize};
use crate::proto::pb;
use crate::server::place::Place;
use crate::term::escape;

/// Size of a terminal when nobody says one.
const SIZE: (u16, u16) = (24, 80);
/// What a terminal's programs expect to be told.
const TERMINAL: [(&str, &str); 3] = [
    ("TERM", "xterm-256color"),
    ("COLORTERM", "truecolor"),
    // Without it programs draw lines in character sets that few terminals have.
    ("LANG", "C.UTF-8"),
];

/// Most characters of a step's name in a list.
const STEP_NAME: usize = 1024;

/// A container, or the way to it.
pub type Opening = watch::Receiver<Option<Result<Opened, Status>>>;

/// Why everything of a state ends; `None` while it lasts.
pub type Ending = watch::Receiver<Option<Arc<str>>>;

/// A process to be started.
pub struct Launch {
    /// The open build.
    pub gateway: Gateway,
    /// Where it starts.
    pub place: Place,
    /// Its container.
    pub opening: Opening,
    /// Stops the launch.
    pub ending: Ending,
    /// Id of the session, for the list.
    pub session: String,
    /// Bounds.
    pub settings: Settings,
    /// Where the process counts.
    pub counter: Counter,
    /// Whether it gets a terminal.
    pub tty: bool,
    /// Whether it gets a standard input; a terminal always is one.
    pub stdin: bool,
    /// Whether the output of the terminal is kept for those who want it raw.
    pub raw: bool,
    /// Size of its terminal.
    pub size: TerminalSize,
    /// What is to be told beside what the place and the container say.
    pub notes: Vec<String>,
}

/// A process that runs, and what is to be told about it.
pub type Launched = Result<(Handle, Vec<String>), Failure>;

/// Why a process does not run.
pub struct Failure {
    /// For the one who asked.
    pub status: Status,
    /// Whether only its container had ended, so that another one may do.
    pub in_another: bool,
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self {
            status,
            in_another: false,
        }
    }
}

/// Starts a process, unless the state ends first.
pub async fn launch(mut launch: Launch) -> Launched {
    let mut ending = launch.ending.clone();
    let opened = tokio::select! {
        biased;
        reason = reason(&mut ending) => return Err(Status::failed_precondition(&*reason).into()),
        opened = opened(&mut launch.opening) => opened?,
    };
    let mut lacks = launch.place.notes.clone();
    let container = match opened {
        Opened::Shared(container) => {
            lacks.extend(container.notes.iter().cloned());
            container
        }
        Opened::Alone(ground, why) => {
            if launch.place.arguments.is_empty() {
                let status =
                    Status::failed_precondition("the image has no shell: say which program to run");
                return Err(status.into());
            }
            lacks.extend(why);
            Arc::new(Container::alone(&launch.gateway, &ground).await?)
        }
    };
    let result = tokio::select! {
        biased;
        reason = reason(&mut ending) => Err(Status::failed_precondition(&*reason)),
        started = start_in(&launch, Arc::clone(&container), lacks) => started,
    };
    match result {
        Ok(handle) => {
            let mut notes = std::mem::take(&mut launch.notes);
            notes.extend(handle.process.borrow().not_carried.iter().cloned());
            Ok((handle, notes))
        }
        Err(status) => {
            if !container.is_shared() {
                container.release("the process did not start").await;
                return Err(status.into());
            }
            let in_another = container.ended().borrow().as_deref() == Some(status.message());
            Err(Failure { status, in_another })
        }
    }
}

async fn opened(opening: &mut Opening) -> Result<Opened, Status> {
    let opened = opening.wait_for(Option::is_some).await;
    let opened = opened.ok().and_then(|opened| opened.clone());
    opened.unwrap_or_else(|| Err(super::gone()))
}

async fn start_in(
    launch: &Launch,
    container: Arc<Container>,
    mut lacks: Vec<String>,
) -> Result<Handle, Status> {
    let place = &launch.place;
    let user = user(&container, place, &mut lacks).await?;
    let mut environment = place.environment.clone();
    if launch.tty {
        for (name, value) in TERMINAL {
            let is_set = |variable: &String| variable.split('=').next() == Some(name);
            if !environment.iter().any(is_set) {
                environment.push(format!("{name}={value}"));
            }
        }
    }
    let id = || new_id().map_err(|error| Status::internal(error.to_string()));
    let (process, nonce) = (id()?, id()?);
    let program = match place.arguments.as_slice() {
        [] if place.shell == ["/bin/sh"] => container.shell.clone(),
        [] => place.shell.clone(),
        arguments => arguments.to_vec(),
    };
    let args = if container.is_shared() {
        wrapper::wrapped(&container.shell, &nonce, &program, launch.tty)
    } else {
        program.clone()
    };
    let size = launch.tty.then(|| cells(&launch.size).unwrap_or(SIZE));
    let stdin = launch.tty || launch.stdin;
    let meta = pb::Meta {
        args,
        env: environment,
        cwd: place.directory.clone(),
        user,
        ..Default::default()
    };
    let shown_user = match meta.user.as_str() {
        "" => "root".to_owned(),
        user => user.to_owned(),
    };
    let stream = container.start(&process, meta, size, stdin).await?;
    let (rows, cols) = size.unwrap_or((0, 0));
    let listed = Process {
        id: process,
        session: launch.session.clone(),
        arguments: program,
        state: place.state.into(),
        user: shown_user,
        directory: place.directory.clone(),
        tty: launch.tty,
        started: super::now(),
        rows: rows.into(),
        cols: cols.into(),
        platform: place.platform.clone(),
        step: escape::line(&place.step).chars().take(STEP_NAME).collect(),
        network: container.ground().network_name().to_owned(),
        mounts: container.ground().mount_names(),
        not_carried: lacks,
        ..Default::default()
    };
    let start = Start {
        process: listed,
        stream,
        nonce: container.is_shared().then_some(nonce),
        stdin,
        raw: launch.raw,
        container,
    };
    let (handle, started) = spawn(start, &launch.settings, launch.counter.clone());
    started.await.map_err(|_| super::gone())??;
    Ok(handle)
}

/// The user that the process runs as, when there is one and it can enter its directory.
async fn user(
    container: &Container,
    place: &Place,
    lacks: &mut Vec<String>,
) -> Result<String, Status> {
    match container.check(&place.user, &place.directory).await {
        Ok(user) => Ok(user),
        Err(Unfit::User) if place.user_is_asked => Err(Status::failed_precondition(format!(
            "there is no user {:?} in /etc/passwd and /etc/group of the container",
            place.user
        ))),
        Err(Unfit::User) => {
            lacks.push(format!(
                "the process runs as root: there is no user {:?} in /etc/passwd and /etc/group",
                place.user
            ));
            Ok(String::new())
        }
        // The engine would make it for a step, but not for a process.
        Err(Unfit::Directory)
            if !place.directory_is_asked && container.make_directory(&place.directory).await =>
        {
            let user = container.check(&place.user, &place.directory).await;
            user.map_err(|_| Status::failed_precondition("the container does not answer"))
        }
        Err(Unfit::Directory) => Err(Status::failed_precondition(format!(
            "{} is no directory",
            place.directory
        ))),
        Err(Unfit::Silent) => Err(Status::failed_precondition(
            container
                .ended()
                .borrow()
                .as_deref()
                .unwrap_or("the container does not answer: roll back for a new one"),
        )),
    }
}
