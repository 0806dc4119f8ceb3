//! One engine that a build can run on, and the driver that reaches it.

use std::collections::BTreeMap;

use crate::engine::address::Transport;

/// How an engine is run and reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// BuildKit inside dockerd.
    Docker,
    /// A BuildKit that somebody else runs.
    Remote,
    /// A BuildKit in a container that buildx runs.
    DockerContainer,
    /// A private engine that buildx runs by itself.
    Embedded,
}

impl Driver {
    /// The name as it is printed: `docker`, `remote`, `docker-container`, `embedded`.
    pub fn name(self) -> &'static str {
        match self {
            Driver::Docker => "docker",
            Driver::Remote => "remote",
            Driver::DockerContainer => "docker-container",
            Driver::Embedded => "embedded",
        }
    }
}

/// One engine of a builder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Name of the builder.
    pub builder: String,
    /// Name of the node; that of the builder when it has only one engine by its nature.
    pub node: String,
    /// How the engine is run.
    pub driver: Driver,
    /// How it is reached.
    pub transport: Transport,
    /// `--driver-opt` of `buildx create`.
    pub driver_opts: BTreeMap<String, String>,
    /// Platforms that the user fixed for the node, `os/architecture[/variant]`; usually none.
    pub platforms: Vec<String>,
}

impl Node {
    /// Whether results go to the docker host's images when the build names no output
    /// (`--driver-opt default-load=true`).
    pub fn default_load(&self) -> bool {
        self.driver_opts.get("default-load").is_some_and(|value| {
            matches!(value.as_str(), "true" | "1" | "t" | "T" | "TRUE" | "True")
        })
    }
}
