//! What the container of a node is made of: image, driver options, configuration files. Pure.

use std::collections::BTreeMap;

use bollard::models::{
    ContainerCreateBody, HostConfig, Mount, MountType, RestartPolicy, RestartPolicyNameEnum,
};

use super::ContainerError;

/// Where the engine in the container keeps its state.
const STATE_DIR: &str = "/var/lib/buildkit";
/// Where it reads its configuration.
const CONFIG_DIR: &str = "etc/buildkit";
/// The image of a builder without the driver option `image`.
const IMAGE: &str = "moby/buildkit:buildx-stable-1";

/// A node of the driver, as its builder describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spec {
    /// Name of the node; the container is called `buildx_buildkit_<node>`.
    pub node: String,
    /// `--driver-opt`.
    pub driver_opts: BTreeMap<String, String>,
    /// `--buildkitd-flags`.
    pub flags: Vec<String>,
    /// Files for the engine's configuration directory, by name.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Spec {
    /// Name of the node's container.
    pub fn container(&self) -> String {
        format!("buildx_buildkit_{}", self.node)
    }

    /// The engine's image.
    pub(super) fn image(&self) -> &str {
        option(&self.driver_opts, "image").unwrap_or(IMAGE)
    }
}

/// The container as the driver options describe it.
pub(super) fn body(node: &Spec) -> Result<ContainerCreateBody, ContainerError> {
    let opts = &node.driver_opts;
    // The engine clips each step's log at 2 MiB and 200 KiB/s unless told otherwise.
    let mut env = BTreeMap::from([
        ("BUILDKIT_STEP_LOG_MAX_SIZE", "-1"),
        ("BUILDKIT_STEP_LOG_MAX_SPEED", "-1"),
    ]);
    env.extend(
        opts.iter()
            .filter_map(|(key, value)| Some((key.strip_prefix("env.")?, value.as_str()))),
    );
    let host = HostConfig {
        privileged: Some(true),
        init: Some(true),
        mounts: Some(vec![Mount {
            typ: Some(MountType::VOLUME),
            source: Some(format!("{}_state", node.container())),
            target: Some(STATE_DIR.into()),
            ..Default::default()
        }]),
        restart_policy: Some(restart_policy(opts)?),
        network_mode: option(opts, "network").map(str::to_owned),
        cgroup_parent: option(opts, "cgroup-parent").map(str::to_owned),
        cpuset_cpus: option(opts, "cpuset-cpus").map(str::to_owned),
        cpuset_mems: option(opts, "cpuset-mems").map(str::to_owned),
        cpu_period: number(opts, "cpu-period")?,
        cpu_quota: number(opts, "cpu-quota")?,
        cpu_shares: number(opts, "cpu-shares")?,
        memory: bytes(opts, "memory")?,
        memory_swap: bytes(opts, "memory-swap")?,
        ..Default::default()
    };
    Ok(ContainerCreateBody {
        image: Some(node.image().to_owned()),
        cmd: (!node.flags.is_empty()).then(|| node.flags.clone()),
        env: Some(
            env.iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect(),
        ),
        host_config: Some(host),
        ..Default::default()
    })
}

fn option<'a>(opts: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    opts.get(name)
        .map(String::as_str)
        .filter(|value| !value.is_empty())
}

fn bad(opts: &BTreeMap<String, String>, name: &str, reason: &'static str) -> ContainerError {
    ContainerError::Option {
        name: name.to_owned(),
        value: opts.get(name).cloned().unwrap_or_default(),
        reason,
    }
}

fn number(opts: &BTreeMap<String, String>, name: &str) -> Result<Option<i64>, ContainerError> {
    option(opts, name)
        .map(|value| {
            value
                .parse()
                .map_err(|_| bad(opts, name, "must be a whole number"))
        })
        .transpose()
}

/// Sizes as docker takes them: `1048576`, `64m`, `2GiB`; `-1` for no limit.
fn bytes(opts: &BTreeMap<String, String>, name: &str) -> Result<Option<i64>, ContainerError> {
    let Some(value) = option(opts, name) else {
        return Ok(None);
    };
    if value == "-1" {
        return Ok(Some(-1));
    }
    let text = value.to_ascii_lowercase();
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let factor = match text[digits.len()..].trim() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        "t" | "tb" | "tib" => 1_i64 << 40,
        _ => return Err(bad(opts, name, "must be a size such as 512m or 2g")),
    };
    digits
        .parse::<i64>()
        .ok()
        .and_then(|number| number.checked_mul(factor))
        .map(Some)
        .ok_or_else(|| bad(opts, name, "must be a size such as 512m or 2g"))
}

fn restart_policy(opts: &BTreeMap<String, String>) -> Result<RestartPolicy, ContainerError> {
    const NAME: &str = "restart-policy";
    let text = option(opts, NAME).unwrap_or("unless-stopped");
    let (policy, count) = match text.split_once(':') {
        Some((policy, count)) => {
            let count = count
                .parse()
                .map_err(|_| bad(opts, NAME, "must end in a number"))?;
            (policy, Some(count))
        }
        None => (text, None),
    };
    let policy = match policy {
        "no" => RestartPolicyNameEnum::NO,
        "always" => RestartPolicyNameEnum::ALWAYS,
        "unless-stopped" => RestartPolicyNameEnum::UNLESS_STOPPED,
        "on-failure" => RestartPolicyNameEnum::ON_FAILURE,
        _ => {
            return Err(bad(
                opts,
                NAME,
                "must be no, always, unless-stopped or on-failure[:COUNT]",
            ));
        }
    };
    Ok(RestartPolicy {
        name: Some(policy),
        maximum_retry_count: count,
    })
}

/// The configuration files as a tar archive for the container's root; `None` when there are none.
pub(super) fn archive(
    files: &BTreeMap<String, Vec<u8>>,
) -> Result<Option<Vec<u8>>, ContainerError> {
    if files.is_empty() {
        return Ok(None);
    }
    let mut tar = tar::Builder::new(Vec::new());
    for (name, data) in files {
        let failed = |error: std::io::Error| ContainerError::File {
            name: name.clone(),
            reason: error.to_string(),
        };
        if name.starts_with('/') {
            return Err(failed(std::io::Error::other("the name must be relative")));
        }
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o600);
        header.set_size(data.len() as u64);
        // Refuses names with "..".
        tar.append_data(&mut header, format!("{CONFIG_DIR}/{name}"), data.as_slice())
            .map_err(failed)?;
    }
    tar.into_inner()
        .map(Some)
        .map_err(|error| ContainerError::File {
            name: CONFIG_DIR.into(),
            reason: error.to_string(),
        })
}

#[cfg(test)]
mod tests;
