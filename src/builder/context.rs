//! Docker hosts: `DOCKER_HOST`, docker contexts on disk, and the URLs of endpoints.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::store::hex;
use crate::engine::address::{Address, TlsFiles};
use crate::paths::{Env, Paths};

/// Name of the context that stands for `DOCKER_HOST` or the default socket.
pub const DEFAULT: &str = "default";

/// Why there is no docker host to talk to. One line.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ContextError {
    /// No context of this name was made.
    #[error("docker context {0:?} does not exist: see `docker context ls`")]
    Missing(String),
    /// A file of the context, or docker's configuration, cannot be used.
    #[error("{}: {reason}", .path.display())]
    File {
        /// The file at fault.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An endpoint's URL cannot be used.
    #[error(transparent)]
    Url(#[from] UrlError),
}

/// Why an endpoint's URL cannot be used. One line.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("endpoint {url:?}: {reason}")]
pub struct UrlError {
    url: String,
    reason: String,
}

/// A docker host and how it was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DockerHost {
    /// The context's name; [`DEFAULT`] for `DOCKER_HOST` and the default socket. It is also the name
    /// of the builder that runs on this host's own BuildKit.
    pub name: String,
    /// Under which endpoint the buildx store files the user's choice.
    pub key: String,
    /// Where its Engine API listens.
    pub address: Address,
    /// How it was chosen, in words.
    pub origin: String,
    /// Whether the user chose it; only the default socket is not chosen by anybody.
    pub explicit: bool,
}

/// The docker host that docker's own client would use: `DOCKER_HOST`, then `DOCKER_CONTEXT`, then the
/// current context of docker's configuration, then the default socket.
///
/// # Errors
/// [`ContextError`] when what was chosen cannot be used.
pub fn current(env: &Env, paths: &Paths) -> Result<DockerHost, ContextError> {
    if env.get("DOCKER_HOST").is_some() {
        return default(env, paths);
    }
    let (name, origin) = match env.get("DOCKER_CONTEXT") {
        Some(name) => (Some(name.to_owned()), "DOCKER_CONTEXT"),
        None => (configured(paths)?, "current docker context"),
    };
    match name {
        Some(name) if name != DEFAULT => {
            let host = named(env, paths, &name)?;
            let origin = format!("{origin} {name:?}");
            Ok(DockerHost { origin, ..host })
        }
        _ => default(env, paths),
    }
}

/// The docker host of the context `name`; [`DEFAULT`] is `DOCKER_HOST` or the default socket.
///
/// # Errors
/// [`ContextError`]
pub fn named(env: &Env, paths: &Paths, name: &str) -> Result<DockerHost, ContextError> {
    if name == DEFAULT {
        return default(env, paths);
    }
    let id = ring::digest::digest(&ring::digest::SHA256, name.as_bytes());
    let id = hex(id.as_ref());
    let contexts = paths.docker_config.join("contexts");
    let path = contexts.join("meta").join(&id).join("meta.json");
    let data = read(&path)?.ok_or_else(|| ContextError::Missing(name.to_owned()))?;
    let damaged = |reason: String| ContextError::File {
        path: path.clone(),
        reason,
    };
    let meta: Meta = serde_json::from_slice(&data).map_err(|error| damaged(error.to_string()))?;
    let endpoint = meta
        .endpoints
        .docker
        .ok_or_else(|| damaged("the context has no docker endpoint".into()))?;
    let host = match endpoint.host.as_str() {
        "" => format!("unix://{}", paths.docker_socket.display()),
        host => host.to_owned(),
    };
    let files = tls_files(&contexts.join("tls").join(id).join("docker"));
    let tls = (files != TlsFiles::default() || endpoint.skip_tls_verify).then_some(TlsFiles {
        skip_verify: endpoint.skip_tls_verify,
        ..files
    });
    Ok(DockerHost {
        name: name.to_owned(),
        key: name.to_owned(),
        address: docker_url(&host, tls)?,
        origin: format!("docker context {name:?}"),
        explicit: true,
    })
}

/// The docker host of a node's endpoint: a URL, or else the name of a context.
///
/// # Errors
/// [`ContextError`]
pub fn endpoint(env: &Env, paths: &Paths, endpoint: &str) -> Result<Address, ContextError> {
    if endpoint.contains("://") {
        Ok(docker_url(endpoint, tls_of_environment(env, paths))?)
    } else {
        named(env, paths, endpoint).map(|host| host.address)
    }
}

fn default(env: &Env, paths: &Paths) -> Result<DockerHost, ContextError> {
    let (host, origin) = match env.get("DOCKER_HOST") {
        Some(host) => (host.to_owned(), "DOCKER_HOST"),
        None => (
            format!("unix://{}", paths.docker_socket.display()),
            "default docker socket",
        ),
    };
    Ok(DockerHost {
        name: DEFAULT.into(),
        address: docker_url(&host, tls_of_environment(env, paths))?,
        key: host,
        origin: origin.into(),
        explicit: origin == "DOCKER_HOST",
    })
}

fn tls_of_environment(env: &Env, paths: &Paths) -> Option<TlsFiles> {
    let verify = env.get("DOCKER_TLS_VERIFY").is_some();
    if !verify && env.get("DOCKER_TLS").is_none() {
        return None;
    }
    let dir = env
        .path("DOCKER_CERT_PATH")
        .unwrap_or_else(|| paths.docker_config.clone());
    Some(TlsFiles {
        skip_verify: !verify,
        ..tls_files(&dir)
    })
}

fn tls_files(dir: &Path) -> TlsFiles {
    let file = |name| Some(dir.join(name)).filter(|path| path.is_file());
    TlsFiles {
        cacert: file("ca.pem"),
        cert: file("cert.pem"),
        key: file("key.pem"),
        servername: None,
        skip_verify: false,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Meta {
    #[serde(default)]
    endpoints: Endpoints,
}

#[derive(Default, Deserialize)]
struct Endpoints {
    docker: Option<Endpoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Endpoint {
    #[serde(default)]
    host: String,
    #[serde(default, rename = "SkipTLSVerify")]
    skip_tls_verify: bool,
}

/// `currentContext` of docker's configuration.
fn configured(paths: &Paths) -> Result<Option<String>, ContextError> {
    #[derive(Deserialize)]
    struct Config {
        #[serde(rename = "currentContext")]
        current: Option<String>,
    }
    let path = paths.docker_config.join("config.json");
    let Some(data) = read(&path)? else {
        return Ok(None);
    };
    let config: Config = serde_json::from_slice(&data).map_err(|error| ContextError::File {
        path,
        reason: error.to_string(),
    })?;
    Ok(config.current.filter(|name| !name.is_empty()))
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, ContextError> {
    match fs::read(path) {
        Ok(data) => Ok(Some(data)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(ContextError::File {
            path: path.to_owned(),
            reason: error.to_string(),
        }),
    }
}

/// The URL of a docker host: `unix://`, `tcp://`, `ssh://`.
///
/// # Errors
/// [`UrlError`] for every other scheme and for what cannot be dialled.
pub fn docker_url(url: &str, tls: Option<TlsFiles>) -> Result<Address, UrlError> {
    let refuse = |reason: &str| {
        Err(UrlError {
            url: redacted(url),
            reason: reason.into(),
        })
    };
    match url.split_once("://") {
        Some(("unix", path)) => unix(url, path),
        Some(("tcp", rest)) => tcp(
            url,
            rest,
            Some(if tls.is_some() { 2376 } else { 2375 }),
            tls,
        ),
        Some(("ssh", rest)) => ssh(url, rest),
        Some(("npipe", _)) => refuse("named pipes are for Windows; use unix://, tcp:// or ssh://"),
        Some(("fd", _)) => refuse("is for servers; use unix://, tcp:// or ssh://"),
        _ => refuse("must begin with unix://, tcp:// or ssh://"),
    }
}

/// The URL of a standalone BuildKit (driver `remote`) with the TLS files of its driver options;
/// `docker` finds the docker host when the engine runs in a container.
///
/// # Errors
/// [`UrlError`] for what cannot be dialled; `docker`'s error.
pub fn remote_url(
    url: &str,
    opts: &BTreeMap<String, String>,
    docker: impl FnOnce() -> Result<Address, ContextError>,
) -> Result<Address, ContextError> {
    let refuse = |reason: &str| {
        Err(ContextError::Url(UrlError {
            url: redacted(url),
            reason: reason.into(),
        }))
    };
    let opt = |name: &str| opts.get(name).filter(|value| !value.is_empty());
    let files = TlsFiles {
        cacert: opt("cacert").map(PathBuf::from),
        cert: opt("cert").map(PathBuf::from),
        key: opt("key").map(PathBuf::from),
        servername: opt("servername").cloned(),
        skip_verify: false,
    };
    let tls = (files != TlsFiles::default()).then_some(files);
    match url.split_once("://") {
        Some(("unix", path)) => Ok(unix(url, path)?),
        Some(("tcp", rest)) => Ok(tcp(url, rest, None, tls)?),
        Some(("docker-container", name)) => {
            let name = name.trim_end_matches('/');
            let valid = !name.is_empty()
                && name
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
            if !valid {
                return refuse("wants docker-container://NAME");
            }
            Ok(Address::Container {
                docker: Box::new(docker()?),
                name: name.to_owned(),
            })
        }
        Some(("npipe", _)) => refuse("named pipes are for Windows"),
        Some((scheme @ ("kube-pod" | "ssh" | "podman-container" | "nerdctl-container"), _)) => {
            refuse(&format!(
                "{scheme}:// is not supported; use unix://, tcp:// or docker-container://"
            ))
        }
        _ => refuse("must begin with unix://, tcp:// or docker-container://"),
    }
}

fn unix(url: &str, path: &str) -> Result<Address, UrlError> {
    if path.is_empty() {
        return Err(UrlError {
            url: url.into(),
            reason: "has no path".into(),
        });
    }
    Ok(Address::Unix(path.into()))
}

fn tcp(
    url: &str,
    rest: &str,
    default_port: Option<u16>,
    tls: Option<TlsFiles>,
) -> Result<Address, UrlError> {
    let refuse = |reason: &str| UrlError {
        url: redacted(url),
        reason: reason.into(),
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if !path.is_empty() {
        return Err(refuse("has a path, which a tcp:// endpoint cannot have"));
    }
    if authority.contains('@') {
        return Err(refuse("has a user, which a tcp:// endpoint cannot have"));
    }
    let (host, port) = host_port(authority).ok_or_else(|| refuse("wants tcp://HOST:PORT"))?;
    let port = port
        .or(default_port)
        .ok_or_else(|| refuse("has no port: wants tcp://HOST:PORT"))?;
    let host = if host.is_empty() { "127.0.0.1" } else { host };
    Ok(Address::Tcp {
        host: host.to_owned(),
        port,
        tls,
    })
}

fn ssh(url: &str, rest: &str) -> Result<Address, UrlError> {
    let refuse = |reason: &str| UrlError {
        url: redacted(url),
        reason: reason.into(),
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if !path.is_empty() {
        return Err(refuse("a socket path is not supported"));
    }
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    if user.is_some_and(|user| user.contains(':')) {
        return Err(refuse("has a password; use an ssh key"));
    }
    let (host, port) = host_port(host).ok_or_else(|| refuse("wants ssh://[USER@]HOST[:PORT]"))?;
    // ssh would take them for options.
    if host.is_empty() || host.starts_with('-') || user.is_some_and(|user| user.starts_with('-')) {
        return Err(refuse("wants ssh://[USER@]HOST[:PORT]"));
    }
    let mut args = vec!["-o".to_owned(), "ConnectTimeout=5".to_owned()];
    if let Some(user) = user {
        args.extend(["-l".to_owned(), user.to_owned()]);
    }
    if let Some(port) = port {
        args.extend(["-p".to_owned(), port.to_string()]);
    }
    args.push(host.to_owned());
    Ok(Address::Ssh { args })
}

/// Splits `host`, `host:port`, `[v6]`, `[v6]:port`.
fn host_port(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            match rest {
                "" => (host, None),
                rest => (host, Some(rest.strip_prefix(':')?)),
            }
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        None => None,
        Some(port) => Some(port.parse().ok().filter(|port| *port != 0)?),
    };
    Some((host, port))
}

/// The URL without a password, for messages.
fn redacted(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    match rest.rsplit_once('@') {
        Some((user, host)) if user.contains(':') => {
            let user = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}:…@{host}")
        }
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests;
