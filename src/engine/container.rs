//! BuildKit in a container: the driver `docker-container`, and streams into any such container.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::errors::Error as DockerError;
use bollard::models::{
    ContainerCreateBody, HostConfig, Mount, MountType, RestartPolicy, RestartPolicyNameEnum,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, CreateImageOptionsBuilder, InspectContainerOptions,
    LogsOptionsBuilder, StartContainerOptions, StopContainerOptions,
    UploadToContainerOptionsBuilder,
};
use futures_util::StreamExt;

use super::address::{Address, Transport};
use super::channel::CONNECT_DEADLINE;
use super::control::{Engine, Workers};
use super::docker::{ApiError, api};
use super::embedded::visible;
mod stdio;

pub use stdio::dial_stdio;

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
}

/// The image of a builder without the driver option `image`.
const IMAGE: &str = "moby/buildkit:buildx-stable-1";
/// Where the engine in the container keeps its state.
const STATE_DIR: &str = "/var/lib/buildkit";
/// Where it reads its configuration.
const CONFIG_DIR: &str = "etc/buildkit";
/// How long a started engine may take to answer.
const START_DEADLINE: Duration = Duration::from_secs(60);
/// Lines of the container's log that an error shows.
const LOG_LINES: usize = 10;

/// Why the builder's container does not run an engine. The first line says what happened.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    /// The docker host did not do what it was asked for.
    #[error("cannot {action}: {source}")]
    Docker {
        /// What was asked for.
        action: String,
        /// What the docker host said.
        source: ApiError,
    },
    /// A driver option has a value that cannot be used.
    #[error("driver option {name}={value}: {reason}")]
    Option {
        /// Name of the option.
        name: String,
        /// Its value.
        value: String,
        /// What would be right.
        reason: &'static str,
    },
    /// A file for the engine's configuration cannot be copied into the container.
    #[error("cannot copy {name:?} into the container: {reason}")]
    File {
        /// Name of the file in the builder's store.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// The container runs no engine.
    #[error("container {name} {what}{}", said(.log))]
    Dead {
        /// Name of the container.
        name: String,
        /// What became of it.
        what: String,
        /// Its last lines.
        log: Vec<String>,
    },
}

fn said(log: &[String]) -> String {
    if log.is_empty() {
        return "; it logged nothing".into();
    }
    format!("; its last lines:\n    {}", log.join("\n    "))
}

fn docker_error(action: impl Into<String>) -> impl FnOnce(DockerError) -> ContainerError {
    move |error| ContainerError::Docker {
        action: action.into(),
        source: error.into(),
    }
}

/// Connects to the engine in the container of a node: pulls the image, creates and starts the
/// container where that is needed, and waits until the engine answers.
///
/// # Errors
/// [`ContainerError`]; `Dead` when the engine of a running container does not answer within
/// [`CONNECT_DEADLINE`], or that of a started one within a minute.
pub async fn connect(
    docker: &Address,
    node: &Spec,
    tell: &mut (dyn FnMut(&str) + Send),
) -> Result<(Engine, Workers), ContainerError> {
    let name = node.container();
    let client = api(docker).await.map_err(|source| ContainerError::Docker {
        action: format!("reach docker at {docker}"),
        source,
    })?;
    match client
        .inspect_container(&name, None::<InspectContainerOptions>)
        .await
    {
        Ok(container) => {
            let running = container.state.and_then(|state| state.running);
            if running == Some(true) {
                // Another command may have started it a moment ago.
                return wait_ready(&client, docker, &name, CONNECT_DEADLINE).await;
            }
        }
        Err(DockerError::DockerResponseServerError {
            status_code: 404, ..
        }) => create(&client, &name, node, tell).await?,
        Err(error) => return Err(docker_error(format!("inspect container {name}"))(error)),
    }
    tell(&format!("starting container {name}"));
    client
        .start_container(&name, None::<StartContainerOptions>)
        .await
        .map_err(docker_error(format!("start container {name}")))?;
    wait_ready(&client, docker, &name, START_DEADLINE).await
}

/// Stops the container of a node; `false` when it did not run.
///
/// # Errors
/// [`ContainerError`]
pub async fn stop(docker: &Address, node: &Spec) -> Result<bool, ContainerError> {
    let name = node.container();
    let client = api(docker).await.map_err(|source| ContainerError::Docker {
        action: format!("reach docker at {docker}"),
        source,
    })?;
    match client
        .inspect_container(&name, None::<InspectContainerOptions>)
        .await
    {
        Ok(container) => {
            if container.state.and_then(|state| state.running) != Some(true) {
                return Ok(false);
            }
        }
        Err(DockerError::DockerResponseServerError {
            status_code: 404, ..
        }) => return Ok(false),
        Err(error) => return Err(docker_error(format!("inspect container {name}"))(error)),
    }
    client
        .stop_container(&name, None::<StopContainerOptions>)
        .await
        .map_err(docker_error(format!("stop container {name}")))?;
    Ok(true)
}

async fn create(
    client: &Docker,
    name: &str,
    node: &Spec,
    tell: &mut (dyn FnMut(&str) + Send),
) -> Result<(), ContainerError> {
    let image = option(&node.driver_opts, "image").unwrap_or(IMAGE);
    let mut body = body(name, image, node)?;
    let info = client
        .info()
        .await
        .map_err(docker_error("ask docker about itself"))?;
    let userns = info
        .security_options
        .is_some_and(|options| options.iter().any(|option| option.contains("name=userns")));
    if userns && let Some(host) = &mut body.host_config {
        // A privileged container is refused in a user namespace of its own.
        host.userns_mode = Some("host".into());
    }
    let files = archive(&node.files)?;
    pull_if_missing(client, image, tell).await?;
    tell(&format!("creating container {name}"));
    let options = CreateContainerOptionsBuilder::new().name(name).build();
    match client.create_container(Some(options), body).await {
        Ok(_) => {}
        // Another build was faster.
        Err(DockerError::DockerResponseServerError {
            status_code: 409, ..
        }) => return Ok(()),
        Err(error) => return Err(docker_error(format!("create container {name}"))(error)),
    }
    if let Some(files) = files {
        let options = UploadToContainerOptionsBuilder::new().path("/").build();
        client
            .upload_to_container(name, Some(options), bollard::body_full(files.into()))
            .await
            .map_err(docker_error(format!("copy the configuration into {name}")))?;
    }
    Ok(())
}

async fn pull_if_missing(
    client: &Docker,
    image: &str,
    tell: &mut (dyn FnMut(&str) + Send),
) -> Result<(), ContainerError> {
    match client.inspect_image(image).await {
        Ok(_) => return Ok(()),
        Err(DockerError::DockerResponseServerError {
            status_code: 404, ..
        }) => {}
        Err(error) => return Err(docker_error(format!("inspect image {image}"))(error)),
    }
    tell(&format!("pulling image {image}"));
    let options = CreateImageOptionsBuilder::new().from_image(image).build();
    let mut lines = Box::pin(client.create_image(Some(options), None, None));
    let mut seen: HashMap<String, String> = HashMap::new();
    while let Some(line) = lines.next().await {
        let line = line.map_err(docker_error(format!("pull image {image}")))?;
        let (id, status) = (line.id.unwrap_or_default(), line.status.unwrap_or_default());
        // Each layer repeats its status for every part that arrives.
        if !status.is_empty() && seen.get(&id) != Some(&status) {
            tell(format!("{id} {status}").trim_start());
            seen.insert(id, status);
        }
    }
    Ok(())
}

/// The container as the driver options describe it.
fn body(name: &str, image: &str, node: &Spec) -> Result<ContainerCreateBody, ContainerError> {
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
            source: Some(format!("{name}_state")),
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
        image: Some(image.to_owned()),
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
fn archive(files: &BTreeMap<String, Vec<u8>>) -> Result<Option<Vec<u8>>, ContainerError> {
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

/// Waits for the engine in a running container. Every line that it logs, and at the
/// latest a second, is a reason to try again: an engine logs when it listens, but need not.
async fn wait_ready(
    client: &Docker,
    docker: &Address,
    name: &str,
    limit: Duration,
) -> Result<(Engine, Workers), ContainerError> {
    let transport = Transport::Direct(Address::Container {
        docker: Box::new(docker.clone()),
        name: name.to_owned(),
    });
    let options = LogsOptionsBuilder::new()
        .follow(true)
        .stdout(true)
        .stderr(true)
        .tail("20")
        .build();
    let mut lines = Box::pin(client.logs(name, Some(options)));
    let mut log = VecDeque::new();
    let wait = async {
        loop {
            let error = match Engine::connect(&transport).await {
                Ok(connected) => return Ok(connected),
                Err(error) => error,
            };
            match tokio::time::timeout(Duration::from_secs(1), lines.next()).await {
                Ok(Some(Ok(line))) => {
                    keep(&mut log, &line);
                    // Lines that are there already need no connection each.
                    while let Some(Some(Ok(line))) = now(lines.next()) {
                        keep(&mut log, &line);
                    }
                }
                Ok(Some(Err(_)) | None) => return Err(error),
                Err(_) => {}
            }
        }
    };
    let what = match tokio::time::timeout(limit, wait).await {
        Ok(Ok(connected)) => return Ok(connected),
        Ok(Err(error)) => ended(client, name)
            .await
            .unwrap_or_else(|| format!("runs no BuildKit: {error}")),
        Err(_) => format!("did not answer within {} s", limit.as_secs()),
    };
    Err(ContainerError::Dead {
        name: name.to_owned(),
        what,
        log: log.into(),
    })
}

/// The output of a future that is ready.
fn now<F: Future>(future: F) -> Option<F::Output> {
    futures_util::FutureExt::now_or_never(future)
}

fn keep(log: &mut VecDeque<String>, line: &LogOutput) {
    let text = line.to_string();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        if log.len() == LOG_LINES {
            log.pop_front();
        }
        log.push_back(visible(&line.chars().take(300).collect::<String>()));
    }
}

async fn ended(client: &Docker, name: &str) -> Option<String> {
    let state = client
        .inspect_container(name, None::<InspectContainerOptions>)
        .await
        .ok()?
        .state?;
    if state.running == Some(true) && state.restarting != Some(true) {
        return None;
    }
    let code = state.exit_code.unwrap_or_default();
    let memory = match state.oom_killed {
        Some(true) => ", out of memory",
        _ => "",
    };
    Some(format!("exited with code {code}{memory}"))
}

#[cfg(test)]
mod tests;
