//! How sessions begin: with a build, or as what an earlier server left.

use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use tonic::Status;

use super::actor::Actor;
use super::record::{Record, State};
use super::{Asked, Session};
use crate::build::flags;
use crate::build::options::{BuildOptions, Destination};
use crate::server::Server;
use crate::server::journal;

/// Makes a session and starts its first build.
///
/// # Errors
/// The words are no build, or the session cannot be written to disk.
pub fn start(
    server: &Arc<Server>,
    mut record: Record,
    asked: Asked,
) -> Result<(Arc<Session>, Started), Status> {
    let options = options(&record)?;
    let id = crate::engine::id::new_id().map_err(|error| Status::internal(error.to_string()))?;
    if record.name.is_empty() {
        record.name = default_name(&options, &record.directory);
    }
    record.context.clone_from(&options.context);
    server.store().create(&id).map_err(on_disk)?;
    let mut actor = Actor::new(server, id, record);
    let started = match actor.begin(asked, options) {
        Ok(started) => started,
        Err(status) => {
            let _ = server.store().remove(&actor.session.id);
            return Err(status);
        }
    };
    let session = Arc::clone(&actor.session);
    server.enter(Arc::clone(&session));
    tokio::spawn(actor.run());
    Ok((session, started))
}

/// Takes up a session that an earlier server left.
pub fn resume(server: &Arc<Server>, id: String, mut record: Record) {
    let last = server.store().trace(&id, record.build).ok();
    let data = last.and_then(|path| std::fs::metadata(path).ok());
    if record.last.state == State::Recoverable
        && record.last.ended == 0
        && let Some(time) = data.as_ref().and_then(|data| data.modified().ok())
        && let Ok(time) = time.duration_since(UNIX_EPOCH)
    {
        // Nobody has written its end. Each event was written when it happened, and nothing after the last one.
        let time = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        record.last.ended = time.max(record.last.started);
    }
    let actor = Actor::new(server, id, record);
    actor.session.shown().trace_bytes = data.map_or(0, |data| data.len());
    server.enter(Arc::clone(&actor.session));
    tokio::spawn(actor.run());
}

pub(super) fn on_disk(error: journal::Error) -> Status {
    Status::resource_exhausted(format!(
        "cannot keep the session: {error}; --server=off builds without a session"
    ))
}

pub(super) fn options(record: &Record) -> Result<BuildOptions, Status> {
    flags::parse(&record.arguments).map_err(|error| Status::invalid_argument(error.to_string()))
}

/// From the first tag, else from the directory of the context, else from the directory.
fn default_name(options: &BuildOptions, directory: &str) -> String {
    if let Some(tag) = options.tags.first() {
        let last = tag.rsplit('/').next().unwrap_or(tag);
        return last.split([':', '@']).next().unwrap_or(last).to_owned();
    }
    let context = Path::new(directory).join(&options.context);
    let context = context.canonicalize().unwrap_or(context);
    let named = |path: &Path| Some(path.file_name()?.to_string_lossy().into_owned());
    named(&context)
        .or_else(|| named(Path::new(directory)))
        .unwrap_or_else(|| "build".to_owned())
}

/// A build that has begun.
#[derive(Clone, Copy, Debug)]
pub struct Started {
    /// Its number.
    pub build: u32,
    /// Whether it reads standard input.
    pub wants_input: bool,
    /// Whether it writes to standard output.
    pub gives_output: bool,
}

pub(super) fn wants_input(options: &BuildOptions) -> bool {
    options.context == "-" || options.dockerfile.as_deref() == Some("-")
}

pub(super) fn gives_output(options: &BuildOptions, stdout_is_terminal: bool) -> bool {
    use crate::build::options::OutputKind::{Oci, Tar};
    // On a terminal the build refuses, in its own words.
    !stdout_is_terminal
        && options.outputs.iter().any(|output| match &output.dest {
            Some(Destination::Stdout) => true,
            None => matches!(output.kind, Tar | Oci),
            Some(Destination::Path(_)) => false,
        })
}
