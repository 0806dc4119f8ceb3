//! What was asked, looked at: on the caller's disk, in its environment, and on the engine.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use super::{Build, DEFAULT_HOST, End};
use crate::build::after;
use crate::build::options::{BuildOptions, OutputKind};
use crate::build::prepare::{Prepared, Refusal, Surroundings, prepare};
use crate::build::request::{EngineFacts, Plan};
use crate::build::results::ResultFiles;
use crate::build::services;
use crate::builder::find::Found;
use crate::builder::store::{LocalState, Store};
use crate::engine::docker;
use crate::engine::docker_config::DockerConfig;
use crate::paths::Paths;
use crate::server::caller::Caller;

/// What the callbacks and the result files of one build are made for.
pub(super) struct Asked {
    pub(super) options: BuildOptions,
    pub(super) caller: Caller,
    pub(super) config: Arc<DockerConfig>,
    pub(super) files: ResultFiles,
}

impl Asked {
    pub(super) fn caller(&self) -> services::Caller<'_> {
        services::Caller {
            env: &self.caller.env,
            files: &self.caller.files,
            cwd: &self.caller.directory,
            mask: self.caller.mask,
            config: Arc::clone(&self.config),
        }
    }
}

impl Build {
    /// Reads what the options name, off the async threads: a disk or a pipe may be slow.
    pub(super) async fn prepared(
        &self,
        options: BuildOptions,
        caller: Caller,
        stdin: Option<Box<dyn Read + Send>>,
    ) -> Result<(Asked, Prepared), End> {
        let preparing = tokio::task::spawn_blocking(move || -> Result<_, Refusal> {
            let cwd = &caller.directory;
            let files = ResultFiles::begin(
                options.iidfile.as_deref(),
                options.metadata_file.as_deref(),
                cwd,
                caller.mask,
            )?;
            let config = DockerConfig::load(&Paths::new(&caller.env).docker_config)
                .map_err(|error| Refusal(error.to_string()))?
                .with_search_path(caller.env.os("PATH").map(Into::into));
            let docker_host = caller.env.get("DOCKER_HOST").unwrap_or(DEFAULT_HOST);
            let proxy_args = config.proxy_build_args(docker_host).into_iter().collect();
            let asked = Asked {
                config: Arc::new(config),
                files,
                options: options.clone(),
                caller,
            };
            // Mistakes are told before an engine is looked for.
            asked.caller().secrets(&options.secrets)?;
            asked.caller().ssh(&options.ssh)?;
            let env = &asked.caller.env;
            let surroundings = Surroundings {
                env: &|name| {
                    env.raw(name)
                        .map(|value| value.to_string_lossy().into_owned())
                },
                cwd: asked.caller.directory.clone(),
                stdin,
                stdout_is_terminal: asked.caller.stdout_is_terminal,
                proxy_args,
            };
            let prepared = prepare(options, surroundings)?;
            Ok((asked, prepared))
        });
        tokio::select! {
            biased;
            () = self.around.cancel.cancelled() => Err(End::Canceled),
            done = preparing => match done {
                Ok(prepared) => Ok(prepared?),
                Err(error) => Err(End::Refused(error.to_string())),
            },
        }
    }

    pub(super) async fn facts(&self, found: &Found, asked: &Asked) -> Result<EngineFacts, End> {
        let (options, env) = (&asked.options, &asked.caller.env);
        let store = Store::new(Paths::new(env).buildx_config);
        // Without a place for the id the build goes on: only incremental transfers suffer.
        let node_id = store.node_id().unwrap_or_default();
        let mut facts = EngineFacts::new(
            &found.node,
            &found.workers,
            found.default_network_host,
            node_id,
        );
        if options.outputs.len() > 1 {
            facts.several_exporters = after::several_exporters(&found.engine).await;
        }
        let loads = options.load
            || facts.default_load
            || options
                .outputs
                .iter()
                .any(|output| output.kind == OutputKind::Docker && output.dest.is_none());
        if loads && !facts.dockerd {
            let context = options
                .outputs
                .iter()
                .find_map(|output| output.attrs.get("context"));
            let address = services::docker_host(env, context.map(String::as_str))?;
            let api = docker::api(&address)
                .await
                .map_err(|error| Refusal(format!("cannot load into docker: {error}")))?;
            facts.load_as_oci = docker::has_containerd_store(&api)
                .await
                .map_err(|error| Refusal(format!("cannot load into docker: {error}")))?;
        }
        Ok(facts)
    }
}

/// Leaves what Docker's own tools look for in the store. A store that cannot be written is no
/// reason to fail a build.
pub(super) fn remember(found: &Found, asked: &Asked, plan: &Plan, reference: &str) {
    let store = Store::new(Paths::new(&asked.caller.env).buildx_config);
    let (builder, node) = (&found.node.builder, &found.node.node);
    let _ = store.record_activity(builder, SystemTime::now());
    let options = &asked.options;
    let place = |path: &Option<PathBuf>, given: &str| match path {
        // Without the dots of "." and "./x".
        Some(path) => path
            .components()
            .collect::<PathBuf>()
            .to_string_lossy()
            .into_owned(),
        None => given.to_owned(),
    };
    let dockerfile = options.dockerfile.as_deref();
    let state = LocalState {
        target: options
            .target
            .clone()
            .unwrap_or_else(|| "default".to_owned()),
        local_path: place(&plan.context, &options.context),
        dockerfile_path: dockerfile
            .map_or_else(String::new, |given| place(&plan.dockerfile, given)),
    };
    let _ = store.save_ref(builder, node, reference, &state);
}
