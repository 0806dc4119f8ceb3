//! Where the server of a user keeps its socket, locks, log and sessions.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::private::{self, Refused};
use super::{Env, Paths};

/// Longest path of a unix socket, in bytes.
pub const SUN_PATH: usize = 107;

/// The places of one server. All are absolute; nothing is created here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerPaths {
    /// Socket and locks; entered by nobody else.
    pub run: PathBuf,
    /// Log and sessions; survives a restart of the machine.
    pub state: PathBuf,
    /// What a user sets to have another `run`, as a flag or variable.
    pub chosen_by: String,
}

impl ServerPaths {
    /// The places that `env` leads to, all below `root` when there is one. Two callers of one user
    /// with different environments should meet, so `/run/user/UID` is used even when
    /// `XDG_RUNTIME_DIR` does not say it.
    pub fn new(env: &Env, root: Option<&Path>) -> Self {
        Self::choose(env, root, rustix::process::geteuid().as_raw(), &is_ours)
    }

    fn choose(env: &Env, root: Option<&Path>, uid: u32, usable: &dyn Fn(&Path) -> bool) -> Self {
        if let Some(root) = root {
            return Self {
                run: root.to_owned(),
                state: root.to_owned(),
                chosen_by: "--root".to_owned(),
            };
        }
        let session = PathBuf::from(format!("/run/user/{uid}"));
        let runtime = env
            .path("XDG_RUNTIME_DIR")
            .filter(|dir| dir.is_absolute())
            .into_iter()
            .chain([session])
            .find(|dir| usable(dir));
        let (run, chosen_by) = match runtime {
            Some(dir) => (dir.join("buildx"), "XDG_RUNTIME_DIR"),
            None => (
                absolute(Paths::new(env).buildx_config.join("server")),
                "XDG_RUNTIME_DIR or BUILDX_CONFIG",
            ),
        };
        let state = match env.path("XDG_STATE_HOME").filter(|dir| dir.is_absolute()) {
            Some(dir) => dir.join("buildx"),
            None if uid == 0 => PathBuf::from("/var/lib/buildx"),
            None => absolute(
                env.path("HOME")
                    .unwrap_or_else(|| PathBuf::from("/"))
                    .join(".local/state/buildx"),
            ),
        };
        Self {
            run,
            state,
            chosen_by: chosen_by.to_owned(),
        }
    }

    /// Where the server listens. Servers of another major version of the protocol listen elsewhere,
    /// so the two never meet.
    pub fn socket(&self) -> PathBuf {
        self.run.join("v1.sock")
    }

    /// Held by the server for its life. Never unlinked.
    pub fn life_lock(&self) -> PathBuf {
        self.run.join("server.lock")
    }

    /// Held by a client only while it starts a server. Never unlinked.
    pub fn start_lock(&self) -> PathBuf {
        self.run.join("start.lock")
    }

    /// Held by the server whose sessions are in `state`, for its life. Never unlinked.
    pub fn sessions_lock(&self) -> PathBuf {
        self.state.join("sessions.lock")
    }

    /// What the server says, when the configuration does not name another file.
    pub fn log(&self) -> PathBuf {
        self.state.join("server.log")
    }

    /// Traces of the sessions.
    pub fn sessions(&self) -> PathBuf {
        self.state.join("sessions")
    }

    /// Where the holder of the sessions says that it listens, if that is not [`Self::socket`]: it was
    /// started with other variables. Believed only when it answers.
    pub fn elsewhere(&self) -> Option<PathBuf> {
        let mut text = String::new();
        fs::File::open(self.sessions_lock())
            .ok()?
            .take(4096)
            .read_to_string(&mut text)
            .ok()?;
        let socket = text.lines().find_map(|line| line.strip_prefix("socket "))?;
        let socket = PathBuf::from(socket);
        (socket != self.socket()).then_some(socket)
    }

    /// Makes the directories.
    ///
    /// # Errors
    /// They cannot be made or are not only ours, or the socket's path is too long.
    pub fn prepare(&self) -> Result<(), Refused> {
        self.check_length()?;
        private::make(&self.run)?;
        private::make_readable(&self.state)
    }

    /// # Errors
    /// The socket's path is longer than the system allows.
    pub fn check_length(&self) -> Result<(), Refused> {
        let socket = self.socket();
        let length = socket.as_os_str().len();
        if length <= SUN_PATH {
            return Ok(());
        }
        Err(Refused::Unsafe {
            path: socket,
            why: format!("is {length} bytes long and a socket's path has at most {SUN_PATH}"),
            remedy: format!("set {} to a shorter directory", self.chosen_by),
        })
    }
}

/// Insists that what is at `path` is a socket in a directory of ours, and that it is ours and closed to
/// others.
///
/// # Errors
/// [`Refused`]; its `is_absent` when there is nothing.
pub fn check_socket(path: &Path) -> Result<(), Refused> {
    if let Some(dir) = path.parent() {
        private::check(dir)?;
    }
    let found = fs::symlink_metadata(path).map_err(|error| Refused::Io {
        path: path.to_owned(),
        error,
    })?;
    private::check_ours(path, &found, found.file_type().is_socket(), "no socket")?;
    if found.mode() & 0o077 != 0 {
        return Err(Refused::Unsafe {
            path: path.to_owned(),
            why: format!("is open to others (mode {:04o})", found.mode() & 0o7777),
            remedy: "find out who changed it, then: buildx server restart".to_owned(),
        });
    }
    Ok(())
}

/// A relative directory in a variable is one of the caller's working directory.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

/// A real directory of ours that nobody else can write to.
fn is_ours(dir: &Path) -> bool {
    let found: io::Result<fs::Metadata> = fs::symlink_metadata(dir);
    found.is_ok_and(|found| {
        found.is_dir()
            && found.uid() == rustix::process::geteuid().as_raw()
            && found.mode() & 0o022 == 0
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Env {
        pairs.iter().copied().collect()
    }

    fn chosen(pairs: &[(&str, &str)], uid: u32, usable: &[&str]) -> (String, String) {
        let usable = |dir: &Path| usable.iter().any(|known| dir == Path::new(known));
        let paths = ServerPaths::choose(&env(pairs), None, uid, &usable);
        (
            paths.run.display().to_string(),
            paths.state.display().to_string(),
        )
    }

    #[test]
    fn callers_of_one_user_meet() {
        let state = "/home/u/.local/state/buildx".to_owned();
        let all = ["/run/user/7", "/x"];
        let home = ("HOME", "/home/u");
        let with = |run: &str| (run.to_owned(), state.clone());
        assert_eq!(
            chosen(&[home, ("XDG_RUNTIME_DIR", "/x")], 7, &all),
            with("/x/buildx")
        );
        // ssh, cron and sudo: no variable, or that of somebody else.
        assert_eq!(chosen(&[home], 7, &all), with("/run/user/7/buildx"));
        assert_eq!(
            chosen(&[home, ("XDG_RUNTIME_DIR", "/run/user/1")], 7, &all),
            with("/run/user/7/buildx")
        );
        assert_eq!(
            chosen(&[home], 7, &[]),
            with("/home/u/.docker/buildx/server")
        );
        assert_eq!(
            chosen(&[home, ("BUILDX_CONFIG", "/b")], 7, &[]),
            with("/b/server")
        );
    }

    #[test]
    fn the_state_follows_the_user() {
        assert_eq!(chosen(&[("HOME", "/root")], 0, &[]).1, "/var/lib/buildx");
        assert_eq!(
            chosen(&[("HOME", "/root"), ("XDG_STATE_HOME", "/s")], 0, &[]).1,
            "/s/buildx"
        );
        let root = ServerPaths::new(&env(&[("HOME", "/h")]), Some(Path::new("/r")));
        assert_eq!(root.socket(), Path::new("/r/v1.sock"));
        assert_eq!(root.sessions(), Path::new("/r/sessions"));
        assert_eq!(root.log(), Path::new("/r/server.log"));
    }

    #[test]
    fn the_length_of_the_socket_is_checked() {
        let fits = "/".to_owned() + &"r".repeat(SUN_PATH - "/v1.sock".len() - 1);
        let paths = |root: &str| ServerPaths::new(&env(&[]), Some(Path::new(root)));
        paths(&fits).check_length().unwrap();
        let said = paths(&format!("{fits}r")).check_length().unwrap_err();
        let said = said.to_string();
        assert!(said.contains("108 bytes long"), "{said}");
        assert!(said.contains("set --root to a shorter directory"), "{said}");
    }

    #[test]
    fn a_runtime_directory_must_be_ours() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("run");
        fs::create_dir(&inner).unwrap();
        fs::set_permissions(&inner, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(is_ours(&inner));
        fs::set_permissions(&inner, fs::Permissions::from_mode(0o770)).unwrap();
        assert!(!is_ours(&inner));
        fs::set_permissions(&inner, fs::Permissions::from_mode(0o700)).unwrap();
        let link = dir.path().join("link");
        symlink(&inner, &link).unwrap();
        assert!(!is_ours(&link));
        assert!(!is_ours(&dir.path().join("none")));
    }

    #[test]
    fn only_our_own_closed_socket_is_used() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let path = dir.path().join("v1.sock");
        assert!(check_socket(&path).unwrap_err().is_absent());
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        check_socket(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        let said = check_socket(&path).unwrap_err().to_string();
        assert!(said.contains("is open to others (mode 0666)"), "{said}");

        let link = dir.path().join("link");
        symlink(&path, &link).unwrap();
        let said = check_socket(&link).unwrap_err().to_string();
        assert!(said.contains("is a symbolic link"), "{said}");
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let said = check_socket(&file).unwrap_err().to_string();
        assert!(said.contains("is no socket"), "{said}");
    }
}
