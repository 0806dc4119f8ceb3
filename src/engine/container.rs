//! BuildKit in a container: the driver `docker-container`, and streams into any such container.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::errors::Error as DockerError;
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

mod spec;
mod stdio;

pub use spec::Spec;
use spec::{archive, body};
pub use stdio::dial_stdio;

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
    let client = reach(docker).await?;
    match is_running(&client, &name).await? {
        // Another command may have started it a moment ago.
        Some(true) => return wait_ready(&client, docker, &name, CONNECT_DEADLINE).await,
        Some(false) => {}
        None => create(&client, &name, node, tell).await?,
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
    let client = reach(docker).await?;
    if is_running(&client, &name).await? != Some(true) {
        return Ok(false);
    }
    client
        .stop_container(&name, None::<StopContainerOptions>)
        .await
        .map_err(docker_error(format!("stop container {name}")))?;
    Ok(true)
}

async fn reach(docker: &Address) -> Result<Docker, ContainerError> {
    api(docker).await.map_err(|source| ContainerError::Docker {
        action: format!("reach docker at {docker}"),
        source,
    })
}

/// Whether a container runs; `None` when there is none of this name.
async fn is_running(client: &Docker, name: &str) -> Result<Option<bool>, ContainerError> {
    match client
        .inspect_container(name, None::<InspectContainerOptions>)
        .await
    {
        Ok(container) => Ok(Some(
            container.state.and_then(|state| state.running) == Some(true),
        )),
        Err(DockerError::DockerResponseServerError {
            status_code: 404, ..
        }) => Ok(None),
        Err(error) => Err(docker_error(format!("inspect container {name}"))(error)),
    }
}

async fn create(
    client: &Docker,
    name: &str,
    node: &Spec,
    tell: &mut (dyn FnMut(&str) + Send),
) -> Result<(), ContainerError> {
    let mut body = body(node)?;
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
    pull_if_missing(client, node.image(), tell).await?;
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
