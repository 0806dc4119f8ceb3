//! From a plan to the callbacks of one build: everything that the engine may ask for or send.

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tonic::service::Routes;

use super::outputs::Sink;
use super::prepare::Refusal;
use super::request::Plan;
use crate::builder::context;
use crate::engine::address::Address;
use crate::engine::callbacks::content::{ContentStores, StoreAccess};
use crate::engine::callbacks::export::{ExportSink, Exports};
use crate::engine::callbacks::filesync::{FileSync, SourceDir};
use crate::engine::callbacks::upload::Uploads;
use crate::engine::docker::{self, ApiError};
use crate::paths::{Env, Paths};

/// Chunks of an image archive that wait for the docker engine.
const LOAD_QUEUE: usize = 16;

/// The callbacks of a build, and what has to be done with them when it has succeeded.
pub struct Services {
    /// To be served to the engine.
    pub routes: Routes,
    /// To be committed.
    pub exports: Exports,
    /// Images on their way into a docker engine; each ends with the engine's words.
    pub loads: Vec<JoinHandle<Result<Vec<String>, ApiError>>>,
}

/// Makes the callbacks of `plan`, and enters in it what depends on them.
///
/// # Errors
/// A docker context that images are to be loaded into does not answer.
pub async fn make(plan: &mut Plan, env: &Env) -> Result<Services, Refusal> {
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
            Sink::Stdout => ExportSink::Stdout,
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
    let exports = Exports::new(sinks);
    let routes = Routes::new(FileSync::new(directories.collect()).service())
        .add_service(exports.service())
        .add_service(uploads.service())
        .add_service(ContentStores::new(stores.collect()).service());
    Ok(Services {
        routes,
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
