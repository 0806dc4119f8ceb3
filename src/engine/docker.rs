//! The Engine API of a docker host, reached over any [`Address`]: images in and out.

use std::io;

use bollard::Docker;
use bollard::auth::DockerCredentials;
use bollard::query_parameters::{ImportImageOptionsBuilder, PushImageOptionsBuilder};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use hyper_util::rt::TokioIo;

use super::address::Address;
use super::dial::{chain, open};
use super::docker_config::Credentials;

/// The host is told by the connection, not by the URL; only the scheme and a valid name matter.
const HOST: &str = "http://docker";

/// Minutes are normal for a push or a load, so the deadline of one answer is generous: seconds.
const ANSWER_DEADLINE: u64 = 600;

/// Why the Engine API did not do what was asked, in one line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ApiError(pub String);

impl From<bollard::errors::Error> for ApiError {
    fn from(error: bollard::errors::Error) -> Self {
        Self(match error {
            bollard::errors::Error::DockerResponseServerError { message, .. } => message,
            other => chain(&other),
        })
    }
}

/// A client of the Engine API at `address`; each request dials anew, with [`super::dial`]'s errors.
/// The API version is the engine's own.
///
/// # Errors
/// [`ApiError`] when the host does not answer.
pub async fn api(address: &Address) -> Result<Docker, ApiError> {
    let address = address.clone();
    let transport = move |mut request: bollard::BollardRequest| {
        let address = address.clone();
        async move {
            // A bare connection leaves both to its caller: the host, and a target without one.
            request
                .headers_mut()
                .insert(http::header::HOST, http::HeaderValue::from_static("docker"));
            if let Some(target) = request.uri().path_and_query().cloned() {
                *request.uri_mut() = target.into();
            }
            let io = open(&address, b"http/1.1", false)
                .await
                .map_err(|error| io::Error::other(error.to_string()))?;
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(io)).await?;
            tokio::spawn(connection.with_upgrades());
            Ok(sender.send_request(request).await?)
        }
    };
    let docker = Docker::connect_with_custom_transport(
        transport,
        Some(HOST),
        ANSWER_DEADLINE,
        bollard::API_DEFAULT_VERSION,
    )?;
    Ok(docker.negotiate_version().await?)
}

/// Pushes `image` (`name:tag`) and tells each line of the engine's progress to `tell`.
///
/// # Errors
/// The registry's or the engine's refusal.
pub async fn push(
    docker: &Docker,
    name: &str,
    tag: &str,
    credentials: &Credentials,
    mut tell: impl FnMut(&str),
) -> Result<(), ApiError> {
    let options = PushImageOptionsBuilder::new().tag(tag).build();
    // The engine wants the header even for anonymous pushes.
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let credentials = DockerCredentials {
        username: some(&credentials.username),
        password: some(&credentials.password),
        identitytoken: some(&credentials.identity_token),
        registrytoken: some(&credentials.registry_token),
        ..Default::default()
    };
    let mut lines = Box::pin(docker.push_image(name, Some(options), Some(credentials)));
    while let Some(line) = lines.next().await {
        let line = line?;
        if let Some(message) = line.error_detail.and_then(|detail| detail.message) {
            return Err(ApiError(message));
        }
        if let Some(status) = line.status {
            tell(&status);
        }
    }
    Ok(())
}

/// The registry that an image's name leads to.
pub fn registry_of(name: &str) -> &str {
    match name.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => "docker.io",
    }
}

/// Loads an image archive into the engine while it is being produced; returns the engine's words
/// (`Loaded image: …`).
///
/// # Errors
/// The engine's refusal, or the stream's own error.
pub async fn load(
    docker: &Docker,
    archive: impl Stream<Item = Result<Bytes, io::Error>> + Send + 'static,
) -> Result<Vec<String>, ApiError> {
    let options = ImportImageOptionsBuilder::new().quiet(true).build();
    let mut lines = Box::pin(docker.import_image_stream(options, archive, None));
    let mut said = Vec::new();
    while let Some(line) = lines.next().await {
        let line = line?;
        if let Some(message) = line.error_detail.and_then(|detail| detail.message) {
            return Err(ApiError(message));
        }
        said.extend(line.stream.map(|text| text.trim_end().to_owned()));
    }
    Ok(said)
}

/// Whether the docker engine keeps images in containerd's store, and so takes OCI archives of several
/// platforms.
///
/// # Errors
/// The host does not answer.
pub async fn has_containerd_store(docker: &Docker) -> Result<bool, ApiError> {
    let info = docker.info().await?;
    let status = info.driver_status.unwrap_or_default();
    Ok(status.iter().any(|pair| {
        matches!(pair.as_slice(), [key, value] if key == "driver-type" && value.starts_with("io.containerd."))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_is_the_first_part_if_it_looks_like_a_host() {
        for (name, registry) in [
            ("app", "docker.io"),
            ("library/app", "docker.io"),
            ("localhost/app", "localhost"),
            ("127.0.0.1:5000/a/b", "127.0.0.1:5000"),
            ("reg.example/app", "reg.example"),
        ] {
            assert_eq!(registry_of(name), registry);
        }
    }
}
