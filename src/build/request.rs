//! Third stage: what was prepared and what the engine can do → one request. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use tempfile::TempDir;

use super::context::Upload;
use super::options::{Attests, HostTarget, Network, Platform, fields};
use super::outputs::{self, After, Sink};
use super::prepare::{Prepared, Refusal};
use crate::builder::node::{Driver, Node};
use crate::engine::address::Transport;
use crate::engine::control::Workers;
use crate::proto::control::{CacheOptions, CacheOptionsEntry, SolveRequest};

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

/// One build, as data: the request and what the callbacks need.
#[derive(Debug)]
pub struct Plan {
    /// The request, without `Ref` and `Session`.
    pub solve: SolveRequest,
    /// What the build may do beyond the usual, as in the request.
    pub entitlements: Vec<String>,
    /// Local sources by name.
    pub dirs: Vec<(String, PathBuf)>,
    /// Key of earlier copies of the local sources.
    pub shared_key: String,
    /// `--secret`, unread.
    pub secrets: Vec<String>,
    /// `--ssh`, unread; with `default` where a source needs it.
    pub ssh: Vec<String>,
    /// What the upload callback sends. Its URL has to be entered in the frontend's attributes, see
    /// [`Plan::set_upload`].
    pub upload: Option<Upload>,
    /// Content stores: id, directory, whether it is written.
    pub stores: Vec<(String, PathBuf, bool)>,
    /// Receivers by index of the exporter.
    pub sinks: Vec<(usize, Sink)>,
    /// What is left to do when the engine has answered.
    pub after: Vec<After>,
    /// Directories that must live as long as the build.
    pub temp: Vec<TempDir>,
    /// What the user should know beforehand.
    pub warnings: Vec<String>,
    /// What the user should know when the build has succeeded.
    pub warning_on_success: Option<String>,
    /// The context, when it is a directory of the user.
    pub context: Option<PathBuf>,
    /// The Dockerfile, when it is a file of the user.
    pub dockerfile: Option<PathBuf>,
}

impl Plan {
    /// Takes the reader for the upload callback out and enters the URL that `offer` gives for it.
    pub fn set_upload(&mut self, offer: impl FnOnce(Box<dyn std::io::Read + Send>) -> String) {
        if let Some(upload) = self.upload.take() {
            let url = offer(upload.reader);
            self.solve
                .frontend_attrs
                .insert(upload.attribute.to_owned(), url);
        }
    }
}

/// Makes the request.
///
/// # Errors
/// What this engine cannot do.
pub fn plan(prepared: Prepared, facts: &EngineFacts) -> Result<Plan, Refusal> {
    let graphdriver = facts.dockerd && !facts.containerd_store;
    let outputs = outputs::plan(&prepared, facts)?;
    let platforms = platforms(&prepared.platforms, facts)?;
    if platforms.len() > 1 && graphdriver {
        return Err(outputs::unsupported("Multi-platform build"));
    }
    let (frontend, mut attrs) = frontend(&prepared);
    if !platforms.is_empty() {
        attrs.insert("platform".into(), platforms.join(","));
    }
    attrs.extend(attestations(&prepared, graphdriver)?);
    attrs.extend(steps(&prepared, facts)?);
    let Prepared {
        options,
        sources,
        cache_from,
        cache_to,
        stores: cache_stores,
        build_args,
        warnings,
        ..
    } = prepared;

    if graphdriver && cache_to.iter().any(|cache| cache.kind != "inline") {
        return Err(outputs::unsupported("Cache export"));
    }
    let entry = |kind: &str, attrs: &BTreeMap<String, String>| CacheOptionsEntry {
        r#type: kind.to_owned(),
        attrs: attrs.clone().into_iter().collect(),
    };
    let imports: Vec<_> = cache_from
        .iter()
        .map(|cache| entry(&cache.kind, &cache.attrs))
        .collect();
    let mut exports: Vec<_> = cache_to
        .iter()
        .map(|cache| entry(&cache.kind, &cache.attrs))
        .collect();
    if build_args
        .get("BUILDKIT_INLINE_CACHE")
        .is_some_and(|value| fields::truth(value) == Some(true))
        && !exports.iter().any(|cache| cache.r#type == "inline")
    {
        exports.push(entry("inline", &BTreeMap::new()));
    }
    if !imports.is_empty() {
        let list: Vec<_> = cache_from
            .iter()
            .map(|cache| serde_json::json!({"Type": cache.kind, "Attrs": cache.attrs}))
            .collect();
        attrs.insert(
            "cache-imports".into(),
            serde_json::Value::from(list).to_string(),
        );
    }
    let mut after = outputs.after;
    for cache in cache_to.iter().filter(|cache| cache.kind == "local") {
        let dest = cache.attrs.get("dest").map(String::as_str).unwrap_or("");
        let id = format!("local:{dest}");
        if let Some((_, dir, _)) = cache_stores.iter().find(|(store, ..)| *store == id) {
            let tag = cache.attrs.get("tag").map_or("latest", String::as_str);
            after.push(After::CacheLayout {
                dir: dir.clone(),
                tag: tag.to_owned(),
            });
        }
    }

    let mut entitlements = options.allow.clone();
    if attrs
        .get("force-network-mode")
        .is_some_and(|mode| mode == "host")
        && !entitlements.iter().any(|one| one == "network.host")
    {
        entitlements.push("network.host".to_owned());
    }
    let mut stores = cache_stores;
    let layouts = sources.stores.into_iter().map(|(id, dir)| (id, dir, false));
    let written = outputs.stores.into_iter().map(|(id, dir)| (id, dir, true));
    stores.extend(layouts.chain(written));
    let mut ssh = options.ssh.clone();
    if sources.needs_ssh && ssh.is_empty() {
        ssh.push("default".to_owned());
    }
    let (exporter, exporter_attrs) = outputs
        .exporters
        .first()
        .map(|first| (first.r#type.clone(), first.attrs.clone()))
        .unwrap_or_default();
    let warning_on_success = outputs.nothing_by_accident.then(|| {
        format!(
            "No output specified with {} driver. Build result will only remain in the build cache. To push result image into registry use --push or to load image into docker use --load",
            facts.driver.name()
        )
    });
    Ok(Plan {
        solve: SolveRequest {
            // Engines before 0.13 know one exporter, in fields of its own.
            exporter_deprecated: exporter,
            exporter_attrs_deprecated: exporter_attrs,
            exporters: outputs.exporters,
            frontend: frontend.to_owned(),
            frontend_attrs: attrs.into_iter().collect(),
            frontend_inputs: sources.inputs,
            cache: Some(CacheOptions {
                exports,
                imports,
                ..CacheOptions::default()
            }),
            entitlements: entitlements.clone(),
            ..SolveRequest::default()
        },
        entitlements,
        dirs: sources.dirs,
        shared_key: format!("{}:{}", sources.key, facts.node_id),
        secrets: options.secrets,
        ssh,
        upload: sources.upload,
        stores,
        sinks: outputs.sinks,
        after,
        temp: sources.temp,
        warnings,
        warning_on_success,
        context: sources.context,
        dockerfile: sources.dockerfile,
    })
}

fn platforms(asked: &[Platform], facts: &EngineFacts) -> Result<Vec<String>, Refusal> {
    let mut names = Vec::new();
    for platform in asked {
        let name = match platform {
            Platform::Local => facts.platforms.first().cloned().ok_or_else(|| {
                Refusal("--platform local: the builder does not tell its platform".to_owned())
            })?,
            named => named.to_string(),
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// The frontend, and the attributes that do not depend on the engine.
fn frontend(prepared: &Prepared) -> (&'static str, BTreeMap<String, String>) {
    let options = &prepared.options;
    let mut attrs = prepared.sources.attrs.clone();
    attrs.extend(prepared.vcs.clone());
    let mut put = |key: String, value: String| {
        attrs.insert(key, value);
    };
    if let Some(target) = &options.target {
        put("target".into(), target.clone());
    }
    for (name, value) in &prepared.build_args {
        put(format!("build-arg:{name}"), value.clone());
    }
    for (key, value) in &options.labels {
        put(format!("label:{key}"), value.clone());
    }
    if options.no_cache {
        put("no-cache".into(), String::new());
    } else if !options.no_cache_filter.is_empty() {
        put("no-cache".into(), options.no_cache_filter.join(","));
    }
    let arg = |name: &str| prepared.build_args.get(name);
    if arg("BUILDKIT_MULTI_PLATFORM").is_some_and(|value| fields::truth(value) == Some(true)) {
        put("multi-platform".into(), "true".into());
    }
    match arg("BUILDKIT_SYNTAX").map(|text| (text, text.split_whitespace().next())) {
        Some((command, Some(source))) => {
            put("source".into(), source.to_owned());
            put("cmdline".into(), command.clone());
            ("gateway.v0", attrs)
        }
        _ => ("dockerfile.v0", attrs),
    }
}

/// `attest:*`: what was asked for, and the least provenance where the engine can make it.
fn attestations(
    prepared: &Prepared,
    graphdriver: bool,
) -> Result<BTreeMap<String, String>, Refusal> {
    const PROVENANCE: &str = "provenance";
    let asked: &Attests = &prepared.options.attests;
    let mut attrs = BTreeMap::new();
    for (kind, value) in asked {
        if let Some(value) = value {
            if graphdriver {
                return Err(outputs::unsupported("Attestation"));
            }
            attrs.insert(format!("attest:{kind}"), value.clone());
        }
    }
    if !graphdriver && !asked.contains_key(PROVENANCE) && !prepared.no_default_attestations {
        attrs.insert(
            format!("attest:{PROVENANCE}"),
            "mode=min,inline-only=true".to_owned(),
        );
    }
    Ok(attrs)
}

/// Attributes about how steps run and images are found.
fn steps(prepared: &Prepared, facts: &EngineFacts) -> Result<BTreeMap<String, String>, Refusal> {
    let options = &prepared.options;
    let mut attrs = BTreeMap::new();
    let mut put = |key: &str, value: String| {
        attrs.insert(key.to_owned(), value);
    };
    match options.network {
        Network::Host => put("force-network-mode", "host".into()),
        Network::None => put("force-network-mode", "none".into()),
        Network::Default if facts.default_network_host => {
            put("force-network-mode", "host".into());
        }
        Network::Default => {}
    }
    let hosts = options
        .hosts
        .iter()
        .map(|(name, target)| match (*target, facts.host_gateway) {
            (HostTarget::Ip(ip), _) | (HostTarget::Gateway, Some(ip)) => Ok(format!("{name}={ip}")),
            (HostTarget::Gateway, None) => Err(Refusal(format!(
                "unable to derive the IP value for host-gateway ({name}): the {} builder does not tell its host's address; give the address itself",
                facts.driver.name()
            ))),
        })
        .collect::<Result<Vec<_>, _>>()?;
    if !hosts.is_empty() {
        put("add-hosts", fields::join(hosts));
    }
    if options.shm_size > 0 {
        put("shm-size", options.shm_size.to_string());
    }
    if !options.ulimits.is_empty() {
        let limits = options
            .ulimits
            .iter()
            .map(|(name, (soft, hard))| format!("{name}={soft}:{hard}"));
        put("ulimit", fields::join(limits));
    }
    if let Some(parent) = &options.cgroup_parent {
        put("cgroup-parent", parent.clone());
    }
    if options.pull {
        put("image-resolve-mode", "pull".into());
    } else if facts.dockerd {
        // The images of docker's store are the user's own: no registry is asked for them.
        put("image-resolve-mode", "local".into());
    }
    Ok(attrs)
}

#[cfg(test)]
mod tests;
