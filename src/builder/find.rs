//! The search for an engine.
//!
//! 1. the builder that was asked for (`--builder`, `BUILDX_BUILDER`);
//! 2. the builder chosen with `buildx use`;
//! 3. `DOCKER_HOST`, the current docker context;
//! 4. docker's default socket;
//! 5. a BuildKit on its usual sockets;
//! 6. the embedded engine.
//!
//! What the user chose (1 to 3) must answer: another engine is never taken silently. What nobody
//! chose is passed over when it does not answer, and remembered for the error.

use std::time::Duration;

use super::context::{self, ContextError, DEFAULT, DockerHost};
use super::node::{Driver, Node};
use super::store::{Instance, NodeConfig, Platform, Store, StoreError};
use crate::engine::address::{Address, Transport};
use crate::engine::channel::{CONNECT_DEADLINE, ConnectError};
use crate::engine::container;
use crate::engine::control::{Engine, Workers};
use crate::engine::embedded::{self, Lease};
use crate::paths::{Env, Paths};

mod tried;

pub use tried::{NotFound, Tried};
use tried::{docker_help, reason, unusable};

/// Name of the builder that needs no running engine.
pub const EMBEDDED: &str = "embedded";

/// A wait for an engine is shown when it lasts longer than this.
const SHOW_AFTER: Duration = Duration::from_millis(700);

/// Where progress of the search goes: one line at a time, not for a terminal before it is filtered.
pub type Tell<'a> = &'a mut (dyn FnMut(&str) + Send);

/// A connected engine.
#[derive(Debug)]
pub struct Found {
    /// Which engine it is.
    pub node: Node,
    /// The connection.
    pub engine: Engine,
    /// What its workers answered.
    pub workers: Workers,
    /// Whether steps must use the host's network unless the user says otherwise, because the engine
    /// has no network of its own.
    pub default_network_host: bool,
    /// Keeps the embedded engine from idling out; hold it as long as the engine is used.
    pub lease: Option<Lease>,
}

/// Finds and connects the engine for a build. `wanted` is the value of `--builder`.
///
/// # Errors
/// [`NotFound`]. Connecting to one engine takes at most [`CONNECT_DEADLINE`]; starting one (drivers
/// `docker-container` and `embedded`) has a deadline of its own.
pub async fn find(wanted: Option<&str>, env: &Env, tell: Tell<'_>) -> Result<Found, NotFound> {
    Search::new(env).find(wanted, tell).await
}

/// Stops the engines of a builder that buildx runs; whether one of them ran. `None`: buildx does not
/// run this builder's engines.
///
/// # Errors
/// [`NotFound`] when there is no such builder, or it cannot be stopped.
pub async fn stop(name: &str, env: &Env) -> Result<Option<bool>, NotFound> {
    let search = Search::new(env);
    let found = search
        .store(name, |store, name| store.instance(name))
        .await?;
    let Some(instance) = found else {
        context::named(env, &search.paths, name).map_err(|error| unusable(name, &error))?;
        return Ok(None);
    };
    if instance.driver != "docker-container" {
        return Ok(None);
    }
    let mut stopped = false;
    for node in &instance.nodes {
        let failed = |why: String| Tried {
            what: format!("builder {name:?}, node {:?}", node.name),
            why,
            help: None,
        };
        let host = context::endpoint(env, &search.paths, &node.endpoint)
            .map_err(|error| failed(error.to_string()))?;
        stopped |= container::stop(&host, &container_spec(node))
            .await
            .map_err(|error| failed(error.to_string()))?;
    }
    Ok(Some(stopped))
}

struct Search<'a> {
    env: &'a Env,
    paths: Paths,
}

impl<'a> Search<'a> {
    fn new(env: &'a Env) -> Self {
        Self {
            env,
            paths: Paths::new(env),
        }
    }

    async fn find(&self, wanted: Option<&str>, tell: Tell<'_>) -> Result<Found, NotFound> {
        match wanted.filter(|name| !name.is_empty()) {
            Some(name) => self.chosen(name, "--builder", tell).await,
            None => match self.env.get("BUILDX_BUILDER") {
                Some(name) => self.chosen(name, "BUILDX_BUILDER", tell).await,
                None => self.usual(tell).await,
            },
        }
    }

    /// Only the builder `name` will do.
    async fn chosen(&self, name: &str, by: &str, tell: Tell<'_>) -> Result<Found, NotFound> {
        match name {
            EMBEDDED => return Ok(self.embedded(tell).await?),
            DEFAULT => return Ok(self.docker(self.host(name)?, tell).await?),
            _ => {}
        }
        if let Some(instance) = self
            .store(name, move |store, name| store.instance(name))
            .await?
        {
            return self.instance(instance, tell).await;
        }
        match context::named(self.env, &self.paths, name) {
            Ok(host) => Ok(self.docker(host, tell).await?),
            Err(ContextError::Missing(_)) => {
                let known = self
                    .store(name, |store, _| store.names())
                    .await
                    .unwrap_or_default();
                Err(Tried {
                    what: format!("builder {name:?} ({by})"),
                    why: "there is no builder and no docker context of this name".into(),
                    help: Some(format!(
                        "known builders: {}",
                        [&[DEFAULT.to_owned(), EMBEDDED.to_owned()][..], &known]
                            .concat()
                            .join(", ")
                    )),
                }
                .into())
            }
            Err(error) => Err(unusable(name, &error).into()),
        }
    }

    /// Nobody asked for a builder on the command line.
    async fn usual(&self, tell: Tell<'_>) -> Result<Found, NotFound> {
        let host = context::current(self.env, &self.paths)
            .map_err(|error| unusable("docker host", &error))?;
        let mut tried = Vec::new();
        let current = self
            .store(&host.key, |store, key| store.current(key))
            .await?;
        if let Some(name) = current.filter(|name| *name != host.name) {
            match self.in_use(&name, tell).await? {
                Some(found) => return Ok(found),
                None => tried.push(Tried {
                    what: format!("builder {name:?} (chosen with `buildx use`)"),
                    why: "it does not exist any more".into(),
                    help: Some("forget it: docker buildx use default".into()),
                }),
            }
        }
        let explicit = host.explicit;
        match self.docker(host, tell).await {
            Ok(found) => return Ok(found),
            Err(error) => tried.push(error),
        }
        if explicit {
            return Err(NotFound { tried });
        }
        for path in &self.paths.buildkit_sockets {
            let node = Node {
                builder: "buildkit".into(),
                node: "buildkit".into(),
                driver: Driver::Remote,
                transport: Transport::Direct(Address::Unix(path.clone())),
                driver_opts: Default::default(),
                platforms: Vec::new(),
            };
            match connect(node, tell).await {
                Ok(found) => return Ok(found),
                Err(error) => tried.push(Tried {
                    what: format!("BuildKit at unix://{}", path.display()),
                    why: reason(&error),
                    help: None,
                }),
            }
        }
        match self.embedded(tell).await {
            Ok(found) => Ok(found),
            Err(error) => {
                tried.push(error);
                Err(NotFound { tried })
            }
        }
    }

    /// The builder chosen with `buildx use`; `None` when it is gone.
    async fn in_use(&self, name: &str, tell: Tell<'_>) -> Result<Option<Found>, NotFound> {
        if name == EMBEDDED {
            return Ok(Some(self.embedded(tell).await?));
        }
        if let Some(instance) = self.store(name, |store, name| store.instance(name)).await? {
            return self.instance(instance, tell).await.map(Some);
        }
        match context::named(self.env, &self.paths, name) {
            Ok(host) => Ok(Some(self.docker(host, tell).await?)),
            Err(ContextError::Missing(_)) => Ok(None),
            Err(error) => Err(unusable(name, &error).into()),
        }
    }

    fn host(&self, name: &str) -> Result<DockerHost, NotFound> {
        // "default" follows DOCKER_CONTEXT and the configuration, as `docker build` would.
        let host = if name == DEFAULT {
            context::current(self.env, &self.paths)
        } else {
            context::named(self.env, &self.paths, name)
        };
        host.map_err(|error| unusable(name, &error).into())
    }

    async fn docker(&self, host: DockerHost, tell: Tell<'_>) -> Result<Found, Tried> {
        let node = Node {
            builder: host.name.clone(),
            node: host.name.clone(),
            driver: Driver::Docker,
            transport: Transport::Docker(host.address.clone()),
            driver_opts: Default::default(),
            platforms: Vec::new(),
        };
        connect(node, tell).await.map_err(|error| Tried {
            what: format!("{} ({})", host.address, host.origin),
            why: reason(&error),
            help: docker_help(&host, &error),
        })
    }

    /// The first node that answers; all of them in the error.
    async fn instance(&self, instance: Instance, tell: Tell<'_>) -> Result<Found, NotFound> {
        let mut tried = Vec::new();
        for config in &instance.nodes {
            let why = match self.node(&instance, config, tell).await {
                Ok(found) => return Ok(found),
                Err(why) => why,
            };
            tried.push(Tried {
                what: format!(
                    "builder {:?}, node {:?} ({} {})",
                    instance.name, config.name, instance.driver, config.endpoint
                ),
                why,
                help: match instance.driver.as_str() {
                    "remote" => Some(format!(
                        "is BuildKit running there? Another builder: --builder NAME, or forget this one: docker buildx rm {}",
                        instance.name
                    )),
                    _ => None,
                },
            });
        }
        if tried.is_empty() {
            tried.push(Tried {
                what: format!("builder {:?}", instance.name),
                why: "it has no nodes".into(),
                help: Some(format!("docker buildx rm {}", instance.name)),
            });
        }
        Err(NotFound { tried })
    }

    /// Connects to a node of the store; says why not.
    async fn node(
        &self,
        instance: &Instance,
        config: &NodeConfig,
        tell: Tell<'_>,
    ) -> Result<Found, String> {
        let docker = |endpoint: &str| {
            context::endpoint(self.env, &self.paths, endpoint).map_err(|error| error.to_string())
        };
        let node = |driver, transport| Node {
            builder: instance.name.clone(),
            node: config.name.clone(),
            driver,
            transport,
            driver_opts: config.driver_opts.clone(),
            platforms: config.platforms.iter().map(platform).collect(),
        };
        let node = match instance.driver.as_str() {
            "docker" => node(Driver::Docker, Transport::Docker(docker(&config.endpoint)?)),
            "remote" => {
                let address = context::remote_url(&config.endpoint, &config.driver_opts, || {
                    context::current(self.env, &self.paths).map(|host| host.address)
                })
                .map_err(|error| error.to_string())?;
                node(Driver::Remote, Transport::Direct(address))
            }
            "docker-container" => {
                let host = docker(&config.endpoint)?;
                let spec = container_spec(config);
                let (engine, workers) = container::connect(&host, &spec, tell)
                    .await
                    .map_err(|error| error.to_string())?;
                return Ok(Found {
                    node: node(Driver::DockerContainer, engine.transport().clone()),
                    engine,
                    workers,
                    default_network_host: false,
                    lease: None,
                });
            }
            other => {
                return Err(format!(
                    "driver {other:?} is not supported: docker, remote, docker-container and embedded are"
                ));
            }
        };
        connect(node, tell).await.map_err(|error| reason(&error))
    }

    async fn embedded(&self, tell: Tell<'_>) -> Result<Found, Tried> {
        let failed = |why: String, help: Option<String>| Tried {
            what: "embedded engine".into(),
            why,
            help,
        };
        let started = embedded::ensure_started(&self.paths.embedded, self.env, tell)
            .await
            .map_err(|error| {
                let help = error.help();
                failed(error.to_string(), help)
            })?;
        let node = Node {
            builder: EMBEDDED.into(),
            node: EMBEDDED.into(),
            driver: Driver::Embedded,
            transport: started.lease.transport().clone(),
            driver_opts: Default::default(),
            platforms: Vec::new(),
        };
        Ok(Found {
            node,
            engine: started.engine,
            workers: started.workers,
            default_network_host: true,
            lease: Some(started.lease),
        })
    }

    /// One transaction on the store, off the async threads.
    async fn store<T: Send + 'static>(
        &self,
        argument: &str,
        transaction: impl FnOnce(&Store, &str) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, NotFound> {
        let store = Store::new(&self.paths.buildx_config);
        let argument = argument.to_owned();
        tokio::task::spawn_blocking(move || transaction(&store, &argument))
            .await
            .map_err(|error| error.to_string())
            .and_then(|result| result.map_err(|error| error.to_string()))
            .map_err(|why| {
                Tried {
                    what: "choice of the builder".into(),
                    why,
                    help: None,
                }
                .into()
            })
    }
}

/// Connects to a node; a wait that lasts is shown.
async fn connect(node: Node, tell: Tell<'_>) -> Result<Found, ConnectError> {
    let result = {
        let connecting = Engine::connect(&node.transport);
        tokio::pin!(connecting);
        tokio::select! {
            result = &mut connecting => result,
            () = tokio::time::sleep(SHOW_AFTER) => {
                tell(&format!(
                    "waiting for {} ({} s at most)",
                    node.transport.address(),
                    CONNECT_DEADLINE.as_secs()
                ));
                connecting.await
            }
        }
    };
    let (engine, workers) = result?;
    Ok(Found {
        node,
        engine,
        workers,
        default_network_host: false,
        lease: None,
    })
}

/// What the container driver needs to know of a node of the store.
pub fn container_spec(node: &NodeConfig) -> container::Spec {
    container::Spec {
        node: node.name.clone(),
        driver_opts: node.driver_opts.clone(),
        flags: node.flags.clone(),
        files: node.files.clone(),
    }
}

fn platform(platform: &Platform) -> String {
    let mut text = format!("{}/{}", platform.os, platform.architecture);
    if !platform.variant.is_empty() {
        text.push('/');
        text.push_str(&platform.variant);
    }
    text
}

#[cfg(test)]
mod tests;
