//! What matters about the engine that a build is planned for.

use std::net::IpAddr;

use crate::builder::node::{Driver, Node};
use crate::engine::address::Transport;
use crate::engine::control::Workers;

/// What matters about the engine.
#[derive(Clone, Debug)]
pub struct EngineFacts {
    /// How it is run.
    pub driver: Driver,
    /// Whether it is the BuildKit inside dockerd.
    pub dockerd: bool,
    /// Whether images live in containerd's store (a BuildKit by itself always has all exporters).
    pub containerd_store: bool,
    /// Platforms that it builds for, its own first: `os/architecture[/variant]`.
    pub platforms: Vec<String>,
    /// The address of the machine that it runs on, as its steps see it.
    pub host_gateway: Option<IpAddr>,
    /// Whether one build can have several outputs (BuildKit 0.13).
    pub several_exporters: bool,
    /// Whether results go to docker's images when no output is named.
    pub default_load: bool,
    /// Whether the docker engine that images are loaded into has containerd's store.
    pub load_as_oci: bool,
    /// Whether steps need the host's network unless told otherwise.
    pub default_network_host: bool,
    /// The machine's id in shared keys.
    pub node_id: String,
}

impl EngineFacts {
    /// The facts about a connected engine; `several_exporters` is taken for granted and
    /// `load_as_oci` is off.
    pub fn new(
        node: &Node,
        workers: &Workers,
        default_network_host: bool,
        node_id: String,
    ) -> Self {
        let dockerd = matches!(node.transport, Transport::Docker(_));
        let mut platforms = workers.platforms();
        if !node.platforms.is_empty() {
            platforms.clone_from(&node.platforms);
        }
        Self {
            driver: node.driver,
            dockerd,
            containerd_store: !dockerd || workers.containerd_store(),
            platforms,
            host_gateway: workers.host_gateway_ip(),
            several_exporters: true,
            default_load: node.default_load(),
            load_as_oci: false,
            default_network_host,
            node_id,
        }
    }
}
