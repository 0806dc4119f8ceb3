//! Where state, sockets, locks and configuration live.
//!
//! | what | where | instead of it |
//! |---|---|---|
//! | docker's configuration | `~/.docker` | `$DOCKER_CONFIG` |
//! | the buildx store | `<docker's configuration>/buildx` | `$BUILDX_CONFIG` |
//! | state of the embedded engine | `/var/lib/buildx` (root), `~/.local/state/buildx` | `$XDG_STATE_HOME/buildx`, `$BUILDX_EMBEDDED` |
//! | its sockets and process files | `/run/buildx` (root), `$XDG_RUNTIME_DIR/buildx` | `$BUILDX_EMBEDDED/run` |
//! | the server's socket and locks | `$XDG_RUNTIME_DIR/buildx`, `/run/user/UID/buildx`, else `<the buildx store>/server` | `--root` |
//! | its log and sessions | `/var/lib/buildx` (root), `~/.local/state/buildx` | `$XDG_STATE_HOME/buildx`, `--root` |
//! | our own configuration | `~/.config/buildx/config.toml` | `$XDG_CONFIG_HOME/buildx/config.toml`, `--server-config` |
//!
//! The embedded engine stops after 30 minutes without a client, or `$BUILDX_EMBEDDED_IDLE`, and may
//! take one minute to start, or `$BUILDX_EMBEDDED_START` (written as `90s`, `2h`).
//!
//! Everything is worked out from an [`Env`], never from the process's environment, so that one
//! process can serve callers with different environments.

pub mod holders;
pub mod lock;
pub mod mask;
pub mod private;
pub mod rotating;
pub mod server;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Whether a path means another file, or none, in each process: what a shell makes of `<(…)` and `>(…)`, and the standard
/// streams by their names. A server cannot open what its caller means.
pub fn is_of_one_process(path: &str) -> bool {
    let streams = ["/dev/stdin", "/dev/stdout", "/dev/stderr"];
    let within = ["/dev/fd/", "/proc/self/"];
    streams.contains(&path) || within.iter().any(|directory| path.starts_with(directory))
}

/// One caller's environment variables. Values may be secret, so `Debug` shows names only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Env {
    vars: BTreeMap<OsString, OsString>,
}

impl std::fmt::Debug for Env {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.vars.keys()).finish()
    }
}

impl Env {
    /// This process's environment; `HOME` is looked up in the user database when it is not set.
    pub fn from_process() -> Self {
        let mut env: Self = std::env::vars_os().collect();
        if env.os("HOME").is_none()
            && let Some(home) = std::env::home_dir()
        {
            env.vars.insert("HOME".into(), home.into());
        }
        env
    }

    /// The value of `name`; `None` when it is unset, empty, or no UTF-8.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.os(name)?.to_str()
    }

    /// The value of `name` as it is; `None` when it is unset or empty.
    pub fn os(&self, name: &str) -> Option<&OsStr> {
        self.vars
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    /// The value of `name` as it is, even when it is empty; `None` when it is unset.
    pub fn raw(&self, name: &str) -> Option<&OsStr> {
        self.vars.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// The value of `name` as a path; `None` when it is unset or empty.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.os(name).map(PathBuf::from)
    }

    /// Finds a program in the directories of `PATH`.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        std::env::split_paths(self.os("PATH")?)
            .map(|dir| dir.join(name))
            .find(|path| {
                path.is_absolute()
                    && path.is_file()
                    && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
            })
    }
}

impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for Env {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self {
            vars: pairs
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        }
    }
}

/// The directories of one caller. Nothing is created here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// Docker's configuration: `config.json`, contexts, certificates.
    pub docker_config: PathBuf,
    /// The buildx store.
    pub buildx_config: PathBuf,
    /// Where docker listens when nothing else is said.
    pub docker_socket: PathBuf,
    /// Where BuildKit listens when nothing else is said; then its rootless twin; then where nerdctl's
    /// setup puts that.
    pub buildkit_sockets: Vec<PathBuf>,
    /// The embedded engine.
    pub embedded: EmbeddedPaths,
}

impl Paths {
    /// The directories that `env` leads to.
    pub fn new(env: &Env) -> Self {
        let home = env.path("HOME").unwrap_or_else(|| PathBuf::from("/"));
        let docker_config = env
            .path("DOCKER_CONFIG")
            .unwrap_or_else(|| home.join(".docker"));
        Self {
            buildx_config: env
                .path("BUILDX_CONFIG")
                .unwrap_or_else(|| docker_config.join("buildx")),
            docker_config,
            docker_socket: "/var/run/docker.sock".into(),
            buildkit_sockets: buildkit_sockets(env),
            embedded: EmbeddedPaths::new(env, &home, rustix::process::geteuid().is_root()),
        }
    }
}

fn buildkit_sockets(env: &Env) -> Vec<PathBuf> {
    let mut sockets = vec![PathBuf::from("/run/buildkit/buildkitd.sock")];
    if let Some(run) = env.path("XDG_RUNTIME_DIR") {
        sockets.push(run.join("buildkit/buildkitd.sock"));
        sockets.push(run.join("buildkit-default/buildkitd.sock"));
    }
    sockets
}

/// Where the embedded engine keeps its things. There is one engine per state directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddedPaths {
    /// Images, caches, configuration, logs and locks; survives a restart of the machine.
    pub state: PathBuf,
    /// Sockets and process files. Short, because a unix socket's path has at most 107 bytes.
    pub run: PathBuf,
}

impl EmbeddedPaths {
    fn new(env: &Env, home: &Path, root: bool) -> Self {
        if let Some(dir) = env.path("BUILDX_EMBEDDED") {
            return Self {
                run: dir.join("run"),
                state: dir,
            };
        }
        let state = match env.path("XDG_STATE_HOME") {
            Some(dir) => dir.join("buildx/embedded"),
            None if root => PathBuf::from("/var/lib/buildx/embedded"),
            None => home.join(".local/state/buildx/embedded"),
        };
        let run = match env.path("XDG_RUNTIME_DIR") {
            Some(dir) if !root => dir.join("buildx/embedded"),
            _ if root && env.path("XDG_STATE_HOME").is_none() => {
                PathBuf::from("/run/buildx/embedded")
            }
            _ => state.join("run"),
        };
        Self { state, run }
    }

    /// Held by a client only while it starts the engine. Never unlinked.
    pub fn start_lock(&self) -> PathBuf {
        self.state.join("start.lock")
    }

    /// Held by the supervisor and the engine for their lives. Never unlinked.
    pub fn life_lock(&self) -> PathBuf {
        self.state.join("life.lock")
    }

    /// What the engine and its supervisor said last.
    pub fn log(&self) -> PathBuf {
        self.state.join("engine.log")
    }

    /// Where the supervisor listens for clients.
    pub fn control_socket(&self) -> PathBuf {
        self.run.join("control.sock")
    }

    /// Where the engine listens.
    pub fn engine_socket(&self) -> PathBuf {
        self.run.join("engine.sock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Env {
        pairs.iter().copied().collect()
    }

    #[test]
    fn variables_move_the_directories() {
        let paths = Paths::new(&env(&[("HOME", "/home/u")]));
        assert_eq!(paths.docker_config, Path::new("/home/u/.docker"));
        assert_eq!(paths.buildx_config, Path::new("/home/u/.docker/buildx"));

        let paths = Paths::new(&env(&[("HOME", "/home/u"), ("DOCKER_CONFIG", "/d")]));
        assert_eq!(paths.buildx_config, Path::new("/d/buildx"));

        let paths = Paths::new(&env(&[
            ("HOME", "/home/u"),
            ("DOCKER_CONFIG", "/d"),
            ("BUILDX_CONFIG", "/b"),
            ("BUILDX_EMBEDDED", "/e"),
        ]));
        assert_eq!(paths.docker_config, Path::new("/d"));
        assert_eq!(paths.buildx_config, Path::new("/b"));
        assert_eq!(paths.embedded.state, Path::new("/e"));
        assert_eq!(paths.embedded.run, Path::new("/e/run"));
    }

    #[test]
    fn the_embedded_engine_follows_the_user() {
        let of = |pairs: &[(&str, &str)], root| {
            let paths = EmbeddedPaths::new(&env(pairs), Path::new("/home/u"), root);
            (paths.state, paths.run)
        };
        assert_eq!(
            of(&[("XDG_RUNTIME_DIR", "/run/user/0")], true),
            (
                "/var/lib/buildx/embedded".into(),
                "/run/buildx/embedded".into()
            )
        );
        assert_eq!(
            of(&[("XDG_RUNTIME_DIR", "/run/user/7")], false),
            (
                "/home/u/.local/state/buildx/embedded".into(),
                "/run/user/7/buildx/embedded".into()
            )
        );
        // Another state directory is another engine, so it must not share sockets with the first.
        assert_eq!(
            of(&[("XDG_STATE_HOME", "/s")], true),
            ("/s/buildx/embedded".into(), "/s/buildx/embedded/run".into())
        );
    }

    #[test]
    fn empty_means_unset_and_values_stay_out_of_debug() {
        let env = env(&[("DOCKER_HOST", ""), ("TOKEN", "hunter2")]);
        assert_eq!(env.get("DOCKER_HOST"), None);
        assert_eq!(env.get("TOKEN"), Some("hunter2"));
        assert!(!format!("{env:?}").contains("hunter2"));
    }

    #[test]
    fn programs_are_found_in_path_order() {
        let env = env(&[("PATH", "/nonexistent:/usr/bin:/bin")]);
        assert_eq!(env.program("sh"), Some(PathBuf::from("/usr/bin/sh")));
        assert_eq!(env.program("no-such-program"), None);
    }
}
