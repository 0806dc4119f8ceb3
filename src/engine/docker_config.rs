//! Docker's `config.json`: logins, credential helpers, proxies.
//!
//! Nothing secret is in any `Debug` output or error of this file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

mod helper;

/// What Docker Hub's login is filed under.
const HUB: &str = "https://index.docker.io/v1/";

/// Why credentials cannot be had; one line.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct ConfigError(pub String);

/// A login. Empty: anonymous.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Empty together with a token.
    pub username: String,
    /// Password.
    pub password: String,
    /// Refresh token of an OAuth login.
    pub identity_token: String,
    /// Token that is sent to the registry as it is.
    pub registry_token: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("anonymous", &self.is_anonymous())
            .finish_non_exhaustive()
    }
}

impl Credentials {
    /// Whether there is nothing to log in with.
    pub fn is_anonymous(&self) -> bool {
        *self == Self::default()
    }
}

/// The file, as far as builds need it.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct File {
    auths: BTreeMap<String, Login>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: String,
    proxies: BTreeMap<String, Proxies>,
}

#[derive(Deserialize, Default, Clone)]
#[serde(default)]
struct Login {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Proxies {
    http_proxy: String,
    https_proxy: String,
    no_proxy: String,
    ftp_proxy: String,
    all_proxy: String,
}

/// Docker's configuration of one caller.
#[derive(Default)]
pub struct DockerConfig {
    path: PathBuf,
    file: File,
    /// Where credential helpers are looked for; the process's own `PATH` when `None`.
    search_path: Option<std::ffi::OsString>,
    /// Several helpers misbehave when they run in parallel.
    helpers: Mutex<()>,
}

impl std::fmt::Debug for DockerConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DockerConfig")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl DockerConfig {
    /// Reads `config.json` in `directory`; a missing file is an empty configuration.
    ///
    /// # Errors
    /// The file cannot be read, or is no JSON.
    pub fn load(directory: &Path) -> Result<Self, ConfigError> {
        let path = directory.join("config.json");
        let file = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                // serde's text may quote a value, so only the place is told.
                ConfigError(format!(
                    "{} is no docker configuration (line {}, column {})",
                    path.display(),
                    error.line(),
                    error.column()
                ))
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => File::default(),
            Err(error) => return Err(ConfigError(format!("{}: {error}", path.display()))),
        };
        Ok(Self {
            path,
            file,
            search_path: None,
            helpers: Mutex::new(()),
        })
    }

    /// Looks for credential helpers on this `PATH`, the caller's.
    #[must_use]
    pub fn with_search_path(mut self, path: Option<std::ffi::OsString>) -> Self {
        self.search_path = path;
        self
    }

    /// The directory of the configuration.
    pub fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    /// Build arguments for the proxies of the docker host at `docker_host`, in both spellings.
    pub fn proxy_build_args(&self, docker_host: &str) -> BTreeMap<String, String> {
        let proxies = &self.file.proxies;
        let Some(proxies) = proxies.get(docker_host).or_else(|| proxies.get("default")) else {
            return BTreeMap::new();
        };
        [
            ("http_proxy", &proxies.http_proxy),
            ("https_proxy", &proxies.https_proxy),
            ("no_proxy", &proxies.no_proxy),
            ("ftp_proxy", &proxies.ftp_proxy),
            ("all_proxy", &proxies.all_proxy),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .flat_map(|(name, value)| {
            [
                (name.to_owned(), value.clone()),
                (name.to_uppercase(), value.clone()),
            ]
        })
        .collect()
    }

    /// The login for the registry at `host` (`name[:port]`). Blocks while a helper runs.
    ///
    /// # Errors
    /// A helper that is missing, fails, or takes too long.
    pub fn credentials(&self, host: &str) -> Result<Credentials, ConfigError> {
        let key = if matches!(
            host,
            "registry-1.docker.io" | "docker.io" | "index.docker.io"
        ) {
            HUB
        } else {
            host
        };
        if let Some(helper) = self.file.cred_helpers.get(key) {
            return self.ask(helper, key);
        }
        if !self.file.creds_store.is_empty() {
            let found = self.ask(&self.file.creds_store, key)?;
            if !found.is_anonymous() {
                return Ok(found);
            }
        }
        match self.login(key) {
            Some(login) => login.credentials(key),
            None => Ok(Credentials::default()),
        }
    }

    /// The entry of `auths` for a registry: under its own name, or with a scheme or a path.
    fn login(&self, key: &str) -> Option<&Login> {
        let auths = &self.file.auths;
        auths.get(key).or_else(|| {
            let plain = bare(key);
            auths
                .iter()
                .find(|(name, _)| bare(name) == plain)
                .map(|(_, login)| login)
        })
    }

    fn ask(&self, name: &str, server: &str) -> Result<Credentials, ConfigError> {
        let _one_at_a_time = self.helpers.lock().unwrap_or_else(PoisonError::into_inner);
        helper::get(name, server, self.search_path.as_deref())
    }
}

/// A registry's name without scheme and path.
fn bare(name: &str) -> &str {
    let name = name
        .strip_prefix("https://")
        .or_else(|| name.strip_prefix("http://"))
        .unwrap_or(name);
    name.split('/').next().unwrap_or(name)
}

impl Login {
    fn credentials(&self, key: &str) -> Result<Credentials, ConfigError> {
        let mut found = Credentials {
            username: self.username.clone(),
            password: self.password.clone(),
            identity_token: self.identitytoken.clone(),
            registry_token: self.registrytoken.clone(),
        };
        if !self.auth.is_empty() {
            let broken =
                || ConfigError(format!("the login for {key} cannot be read: log in again"));
            let bytes = STANDARD.decode(self.auth.trim()).map_err(|_| broken())?;
            let text = String::from_utf8(bytes).map_err(|_| broken())?;
            let (username, password) = text.split_once(':').ok_or_else(broken)?;
            username.clone_into(&mut found.username);
            password.trim_matches('\0').clone_into(&mut found.password);
        }
        if !found.identity_token.is_empty() {
            found.username.clear();
            found.password.clear();
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn config(json: &str) -> (tempfile::TempDir, DockerConfig) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("config.json"), json).unwrap();
        let config = DockerConfig::load(dir.path()).unwrap();
        (dir, config)
    }

    fn login(username: &str, password: &str) -> Credentials {
        Credentials {
            username: username.into(),
            password: password.into(),
            ..Default::default()
        }
    }

    #[test]
    fn logins_are_found_under_every_spelling() {
        let (_dir, config) = config(
            r#"{"auths":{
                "https://index.docker.io/v1/":{"auth":"dTpw"},
                "https://reg.example/v2/":{"username":"a","password":"b"},
                "127.0.0.1:5000":{"auth":"dTpwOnE="},
                "token.example":{"auth":"dTpw","identitytoken":"t"},
                "broken.example":{"auth":"%"}
            },"HttpHeaders":{"x":"y"}}"#,
        );
        assert_eq!(
            config.credentials("registry-1.docker.io"),
            Ok(login("u", "p"))
        );
        assert_eq!(config.credentials("reg.example"), Ok(login("a", "b")));
        assert_eq!(config.credentials("127.0.0.1:5000"), Ok(login("u", "p:q")));
        assert_eq!(config.credentials("other"), Ok(Credentials::default()));
        let token = config.credentials("token.example").unwrap();
        assert_eq!(
            (token.identity_token.as_str(), token.username.as_str()),
            ("t", "")
        );
        let error = config.credentials("broken.example").unwrap_err();
        assert!(error.to_string().contains("broken.example"));
        assert!(!format!("{config:?} {token:?}").contains("\"t\""));
    }

    #[test]
    fn helpers_are_asked_and_their_moods_understood() {
        let (dir, config) = config(
            r#"{"auths":{"plain.example":{"auth":"dTpw"}},
                "credHelpers":{"one.example":"good","two.example":"token","three.example":"bad","four.example":"absent"},
                "credsStore":"empty"}"#,
        );
        let helper = |name: &str, script: &str| {
            let path = dir.path().join(format!("docker-credential-{name}"));
            std::fs::write(&path, format!("#!/bin/sh\nread server\n{script}\n")).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        };
        helper(
            "good",
            r#"echo "{\"Username\":\"$1-$server\",\"Secret\":\"s\"}""#,
        );
        helper("token", r#"echo '{"Username":"<token>","Secret":"t"}'"#);
        helper("bad", "echo 'the key ring is locked'; exit 1");
        helper(
            "empty",
            "echo 'credentials not found in native keychain'; exit 1",
        );
        let path = std::env::join_paths([dir.path(), Path::new("/bin"), Path::new("/usr/bin")]);
        let config = config.with_search_path(path.ok());

        assert_eq!(
            config.credentials("one.example"),
            Ok(login("get-one.example", "s"))
        );
        assert_eq!(
            config.credentials("two.example").unwrap().identity_token,
            "t"
        );
        let error = config.credentials("three.example").unwrap_err().to_string();
        assert!(
            error.contains("docker-credential-bad") && error.contains("locked"),
            "{error}"
        );
        let error = config.credentials("four.example").unwrap_err().to_string();
        assert!(error.contains("is it installed?"), "{error}");
        // The store knows nothing: the file does.
        assert_eq!(config.credentials("plain.example"), Ok(login("u", "p")));
    }

    #[test]
    fn proxies_become_build_arguments_in_both_spellings() {
        let (_dir, config) = config(
            r#"{"proxies":{"default":{"httpProxy":"http://p:1","noProxy":"x"},"tcp://h:1":{"allProxy":"socks5://s"}}}"#,
        );
        let names: Vec<_> = config.proxy_build_args("unix:///x").into_keys().collect();
        assert_eq!(names, ["HTTP_PROXY", "NO_PROXY", "http_proxy", "no_proxy"]);
        let names: Vec<_> = config.proxy_build_args("tcp://h:1").into_keys().collect();
        assert_eq!(names, ["ALL_PROXY", "all_proxy"]);
    }

    #[test]
    fn a_broken_file_is_named_without_its_content() {
        let dir = tempfile::tempdir().unwrap();
        assert!(DockerConfig::load(dir.path()).is_ok());
        std::fs::write(dir.path().join("config.json"), "{\"auths\": \"hush\"}").unwrap();
        let error = DockerConfig::load(dir.path()).unwrap_err().to_string();
        assert!(
            error.contains("config.json") && !error.contains("hush"),
            "{error}"
        );
    }
}
