//! The frontend's attributes: what the flags mean for it and for the engine's steps.

use std::collections::BTreeMap;

use super::{EngineFacts, outputs};
use crate::build::options::{Attests, HostTarget, Network, fields};
use crate::build::prepare::{Prepared, Refusal};

/// The frontend, and the attributes that do not depend on the engine.
pub(super) fn frontend(prepared: &Prepared) -> (&'static str, BTreeMap<String, String>) {
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
pub(super) fn attestations(
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
pub(super) fn steps(
    prepared: &Prepared,
    facts: &EngineFacts,
) -> Result<BTreeMap<String, String>, Refusal> {
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
