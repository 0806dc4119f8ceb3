//! Which program the embedded engine is, and how it is configured.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Kind, mounts};
use crate::paths::{EmbeddedPaths, Env};

/// Variables that the engine inherits from the command that starts it: they describe the machine's
/// way to registries, not the user.
pub const NETWORK_VARIABLES: [&str; 9] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "ALL_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// Where engines and their helpers (runc, iptables, mkfs, …) usually are.
const SEARCH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Space that dockerd's build cache may take before it is cleaned.
const CACHE: &str = "20GB";

/// The programs that make up the engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Program {
    /// BuildKit alone.
    Buildkitd {
        /// The program.
        buildkitd: PathBuf,
    },
    /// BuildKit inside dockerd, with a containerd of its own: dockerd would otherwise share the
    /// system's.
    Dockerd {
        /// The program.
        dockerd: PathBuf,
        /// The program.
        containerd: PathBuf,
    },
}

/// One process of the engine.
pub struct Part {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
}

impl Program {
    /// What the caller's `PATH` offers, else what the usual directories do: buildkitd, else dockerd
    /// with containerd.
    pub fn find(env: &Env) -> Option<Self> {
        let usual: Env = [("PATH", SEARCH)].into_iter().collect();
        let find = |name: &str| env.program(name).or_else(|| usual.program(name));
        if let Some(buildkitd) = find("buildkitd") {
            return Some(Program::Buildkitd { buildkitd });
        }
        Some(Program::Dockerd {
            dockerd: find("dockerd")?,
            containerd: find("containerd")?,
        })
    }

    /// Name of the program, for people.
    pub fn name(&self) -> &'static str {
        match self {
            Program::Buildkitd { .. } => "buildkitd",
            Program::Dockerd { .. } => "dockerd",
        }
    }

    /// How the engine is spoken to.
    pub fn kind(&self) -> Kind {
        match self {
            Program::Buildkitd { .. } => Kind::Buildkit,
            Program::Dockerd { .. } => Kind::Docker,
        }
    }

    /// The environment of the engine: the same whoever starts it, but for [`NETWORK_VARIABLES`].
    pub fn environment(&self, env: &Env) -> Vec<(String, OsString)> {
        let main = match self {
            Program::Buildkitd { buildkitd } => buildkitd,
            Program::Dockerd { dockerd, .. } => dockerd,
        };
        let mut path = OsString::new();
        if let Some(dir) = main.parent() {
            path.push(dir);
            path.push(":");
        }
        path.push(SEARCH);
        let mut vars = vec![
            ("PATH".to_owned(), path),
            ("HOME".to_owned(), "/root".into()),
            // The engine clips each step's log at 2 MiB and 200 KiB/s unless told otherwise.
            ("BUILDKIT_STEP_LOG_MAX_SIZE".to_owned(), "-1".into()),
            ("BUILDKIT_STEP_LOG_MAX_SPEED".to_owned(), "-1".into()),
        ];
        vars.extend(
            NETWORK_VARIABLES
                .iter()
                .filter_map(|name| Some(((*name).to_owned(), env.os(name)?.to_owned()))),
        );
        vars
    }

    /// The longest path of a socket that the engine makes, for a check beforehand.
    pub fn longest_socket(&self, paths: &EmbeddedPaths) -> PathBuf {
        match self {
            Program::Buildkitd { .. } => paths.control_socket(),
            // dockerd's network sockets are called by twelve digits.
            Program::Dockerd { .. } => paths.run.join("docker/libnetwork/0123456789ab.sock"),
        }
    }

    /// Removes what a killed engine left that would keep a new one from starting, and what it left
    /// mounted. Only for the holder of the life lock.
    pub fn clean(&self, paths: &EmbeddedPaths) {
        mounts::unmount_beneath(&paths.run);
        mounts::unmount_beneath(&paths.state);
        for name in [
            "engine.sock",
            "docker.pid",
            "containerd.sock",
            "containerd.sock.ttrpc",
        ] {
            let _ = fs::remove_file(paths.run.join(name));
        }
    }

    /// Writes the configuration; returns the processes in the order of their start. The last one is
    /// the engine itself.
    ///
    /// # Errors
    /// The configuration file's.
    pub fn parts(&self, paths: &EmbeddedPaths) -> io::Result<Vec<Part>> {
        match self {
            Program::Buildkitd { buildkitd } => {
                let config = paths.state.join("buildkitd.toml");
                fs::write(&config, buildkitd_config(paths))?;
                Ok(vec![Part {
                    program: buildkitd.clone(),
                    args: vec!["--config".into(), config.into()],
                }])
            }
            Program::Dockerd {
                dockerd,
                containerd,
            } => {
                let containerd_config = paths.state.join("containerd.toml");
                fs::write(&containerd_config, containerd_config_text(paths))?;
                let docker_config = paths.state.join("dockerd.json");
                fs::write(&docker_config, dockerd_config(paths).to_string())?;
                Ok(vec![
                    Part {
                        program: containerd.clone(),
                        args: vec!["--config".into(), containerd_config.into()],
                    },
                    Part {
                        program: dockerd.clone(),
                        args: vec!["--config-file".into(), docker_config.into()],
                    },
                ])
            }
        }
    }
}

fn socket_url(path: &Path) -> String {
    format!("unix://{}", path.display())
}

/// A TOML string; JSON's escapes are a part of TOML's.
fn quoted(text: impl AsRef<Path>) -> String {
    json!(text.as_ref().to_string_lossy()).to_string()
}

/// Steps have the host's network: there is no bridge, and nothing of the machine's network changes.
fn buildkitd_config(paths: &EmbeddedPaths) -> String {
    format!(
        "root = {}\n\
         insecure-entitlements = [\"network.host\"]\n\
         [grpc]\n\
         address = [{}]\n\
         [otel]\n\
         socketPath = {}\n\
         [worker.oci]\n\
         enabled = true\n\
         networkMode = \"host\"\n\
         [worker.containerd]\n\
         enabled = false\n",
        quoted(paths.state.join("buildkit")),
        quoted(socket_url(&paths.engine_socket())),
        // The usual place is the system's.
        quoted(paths.run.join("otel.sock")),
    )
}

fn containerd_config_text(paths: &EmbeddedPaths) -> String {
    format!(
        "version = 2\n\
         root = {}\n\
         state = {}\n\
         disabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n\
         [grpc]\n\
         address = {}\n\
         [ttrpc]\n\
         address = {}\n",
        quoted(paths.state.join("containerd")),
        quoted(paths.run.join("containerd")),
        quoted(paths.run.join("containerd.sock")),
        quoted(paths.run.join("containerd.sock.ttrpc")),
    )
}

/// No bridge, no change to the machine's packet filter; images in containerd's store, which gives
/// all exporters, caches and several platforms.
fn dockerd_config(paths: &EmbeddedPaths) -> serde_json::Value {
    json!({
        "hosts": [socket_url(&paths.engine_socket())],
        "containerd": paths.run.join("containerd.sock"),
        "data-root": paths.state.join("docker"),
        "exec-root": paths.run.join("docker"),
        "pidfile": paths.run.join("docker.pid"),
        "bridge": "none",
        "iptables": false,
        "ip6tables": false,
        "ip-masq": false,
        "ip-forward": false,
        "features": { "containerd-snapshotter": true },
        "builder": { "gc": { "enabled": true, "defaultKeepStorage": CACHE } },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_fixed_but_for_the_network() {
        let env: Env = [
            ("PATH", "/home/u/bin"),
            ("SECRET", "x"),
            ("HTTPS_PROXY", "http://proxy"),
            ("HOME", "/home/u"),
        ]
        .into_iter()
        .collect();
        let program = Program::Buildkitd {
            buildkitd: "/opt/bk/buildkitd".into(),
        };
        let vars = program.environment(&env);
        let names: Vec<&str> = vars.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "PATH",
                "HOME",
                "BUILDKIT_STEP_LOG_MAX_SIZE",
                "BUILDKIT_STEP_LOG_MAX_SPEED",
                "HTTPS_PROXY"
            ]
        );
        assert_eq!(vars[0].1, OsString::from(format!("/opt/bk:{SEARCH}")));
    }

    #[test]
    fn buildkitd_is_preferred() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("buildkitd");
        fs::write(&program, "").unwrap();
        let env: Env = [("PATH", dir.path())].into_iter().collect();
        // Not executable yet.
        assert_ne!(Program::find(&env).map(|p| p.name()), Some("buildkitd"));
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&program, mode).unwrap();
        assert_eq!(
            Program::find(&env),
            Some(Program::Buildkitd { buildkitd: program })
        );
    }
}
