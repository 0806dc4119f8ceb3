//! From a plan to the callbacks of one build: everything that the engine may ask for or send.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tonic::service::Routes;

use super::options::{BuildOptions, fields};
use super::outputs::Sink;
use super::prepare::Refusal;
use super::request::Plan;
use crate::builder::context;
use crate::engine::address::Address;
use crate::engine::callbacks::auth::Auth;
use crate::engine::callbacks::content::{ContentStores, StoreAccess};
use crate::engine::callbacks::export::{ExportSink, Exports};
use crate::engine::callbacks::filesync::{FileSync, SourceDir, Unsent};
use crate::engine::callbacks::secrets::{self, SecretValue, Secrets};
use crate::engine::callbacks::ssh::{self, SshAgents, SshSource};
use crate::engine::callbacks::upload::Uploads;
use crate::engine::docker::{self, ApiError};
use crate::engine::docker_config::DockerConfig;
use crate::paths::mask::Mask;
use crate::paths::{Env, Paths};

/// Chunks of an image archive that wait for the docker engine.
const LOAD_QUEUE: usize = 16;

/// Images on their way into a docker engine; each ends with the engine's words.
pub type Loads = Vec<JoinHandle<Result<Vec<String>, ApiError>>>;

/// The callbacks of a build, and what has to be done with them when it has succeeded.
pub struct Services {
    /// To be served to the engine.
    pub routes: Routes,
    /// Tells why a local source could not be sent.
    pub unsent: Unsent,
    /// To be committed.
    pub exports: Exports,
    /// To be waited for.
    pub loads: Loads,
}

/// What belongs to the caller of one build, and is served to the engine for this build only.
#[derive(Clone, Debug)]
pub struct Caller<'a> {
    /// The environment.
    pub env: &'a Env,
    /// What stands in files of its own process, by their names.
    pub files: &'a HashMap<String, Bytes>,
    /// What relative paths start from.
    pub cwd: &'a Path,
    /// For new files.
    pub mask: Mask,
    /// Logins.
    pub config: Arc<DockerConfig>,
}

/// What stands in files that options name and only this process can open, by their names; for a server, which is another
/// one. Reading them can take as long as whoever writes them.
pub fn own_files(options: &BuildOptions) -> HashMap<String, Bytes> {
    let secrets = options.secrets.iter();
    secrets::own_files(secrets.filter_map(|text| fields::split(text).ok()))
}

impl Caller<'_> {
    /// Reads `--secret` values as far as they are not files.
    ///
    /// # Errors
    /// The first one that is wrong.
    pub fn secrets(&self, texts: &[String]) -> Result<Vec<(String, SecretValue)>, Refusal> {
        let secrets = texts.iter().map(|text| {
            let fields = fields::split(text).map_err(|error| Refusal(error.to_string()))?;
            secrets::parse(&fields, self.cwd, self.env, self.files).map_err(Refusal)
        });
        secrets.collect()
    }

    /// Reads `--ssh` values.
    ///
    /// # Errors
    /// The first one that is wrong.
    pub fn ssh(&self, texts: &[String]) -> Result<Vec<(String, SshSource)>, Refusal> {
        let agents = texts
            .iter()
            .map(|text| ssh::parse(text, self.cwd, self.env).map_err(Refusal));
        agents.collect()
    }
}

/// Makes the callbacks of `plan`, and enters in it what depends on them. `stdout` is the caller's
/// standard output.
///
/// # Errors
/// A secret or key that is not there, or a docker context that does not answer.
pub async fn make(
    plan: &mut Plan,
    caller: &Caller<'_>,
    mut stdout: Option<mpsc::Sender<std::io::Result<Bytes>>>,
) -> Result<Services, Refusal> {
    let env = caller.env;
    let secrets = Secrets::new(caller.secrets(&plan.secrets)?);
    let agents = SshAgents::new(caller.ssh(&plan.ssh)?).map_err(Refusal)?;
    let client_tokens = env.get("BUILDKIT_NO_CLIENT_TOKEN").and_then(fields::truth) != Some(true);
    let auth = Auth::new(Arc::clone(&caller.config), client_tokens);
    let uploads = Uploads::new();
    plan.set_upload(|reader| uploads.add(reader));
    let directories = plan.dirs.iter().map(|(name, root)| SourceDir {
        name: name.clone(),
        root: root.clone(),
    });
    let stores = plan.stores.iter().map(|(id, directory, written)| {
        let access = if *written {
            StoreAccess::ReadWrite
        } else {
            StoreAccess::Read
        };
        (id.clone(), directory.clone(), access)
    });
    let mut sinks = Vec::new();
    let mut loads = Vec::new();
    for (index, sink) in &plan.sinks {
        let sink = match sink {
            Sink::Directory(path) => ExportSink::Directory(path.clone()),
            Sink::File(path) => ExportSink::File(path.clone()),
            Sink::Stdout => match stdout.take() {
                Some(stdout) => ExportSink::Stream(stdout),
                None => return Err(Refusal("standard output cannot be written here".to_owned())),
            },
            Sink::Load { context } => {
                let address = docker_host(env, context.as_deref())?;
                let api = docker::api(&address)
                    .await
                    .map_err(|error| Refusal(format!("cannot load into docker: {error}")))?;
                let (sender, receiver) = mpsc::channel(LOAD_QUEUE);
                let archive = tokio_stream::wrappers::ReceiverStream::new(receiver);
                loads.push(tokio::spawn(
                    async move { docker::load(&api, archive).await },
                ));
                ExportSink::Stream(sender)
            }
        };
        sinks.push((*index, sink));
    }
    let exports = Exports::new(sinks, caller.mask);
    let files = FileSync::new(directories.collect());
    let unsent = files.unsent();
    let routes = Routes::new(files.service())
        .add_service(exports.service())
        .add_service(uploads.service())
        .add_service(secrets.service())
        .add_service(agents.service())
        .add_service(auth.service())
        .add_service(ContentStores::new(stores.collect(), caller.mask).service());
    Ok(Services {
        routes,
        unsent,
        exports,
        loads,
    })
}

/// The Engine API of a docker context, the current one when none is named.
///
/// # Errors
/// There is no such context.
pub fn docker_host(env: &Env, context: Option<&str>) -> Result<Address, Refusal> {
    let paths = Paths::new(env);
    let host = match context {
        Some(name) => context::named(env, &paths, name),
        None => context::current(env, &paths),
    };
    host.map(|host| host.address)
        .map_err(|error| Refusal(error.to_string()))
}
