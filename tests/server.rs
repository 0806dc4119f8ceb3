//! The life of the shared server: found, started, refused, ended. No engine is needed.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::cmd::{Buildx, Output, PROGRAM};
use crate::support::shared::Process;

mod end;
mod refuse;
mod start;
mod words;

/// How long a process may take to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A place for one server, which is gone at the end.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("bx").tempdir().unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
        Self { dir }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("r")
    }

    /// The root directory, made as the server would.
    fn made(self) -> Self {
        fs::create_dir(self.root()).unwrap();
        fs::set_permissions(self.root(), Permissions::from_mode(0o700)).unwrap();
        self
    }

    fn socket(&self) -> PathBuf {
        self.root().join("v1.sock")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.root().join("server.log")).unwrap_or_default()
    }

    /// `buildx server ARGS…` here.
    fn server(&self, args: &[&str]) -> Buildx {
        let place = ["server", "--root"];
        Buildx::without_engine(place).arg(self.root()).args(args)
    }

    /// With a configuration file of this content.
    fn configured(&self, text: &str) -> PathBuf {
        let path = self.dir.path().join("config.toml");
        fs::write(&path, text).unwrap();
        path
    }

    fn start(&self) -> Process {
        self.server(&["start"]).ok();
        self.process()
    }

    /// The server, by its lock.
    #[track_caller]
    fn process(&self) -> Process {
        self.running().expect("no server has the lock")
    }

    /// `buildx server run` with this configuration and a socket that is bound already.
    fn run_on(&self, listener: UnixListener, config: &Path) -> Child {
        let script = "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ \
                      exec \"$0\" server run --root \"$1\" --server-config \"$2\"";
        Command::new("/bin/sh")
            .args(["-c", script])
            .args([Path::new(PROGRAM), &self.root(), config])
            .env("HOME", self.dir.path())
            .stdin(Stdio::from(OwnedFd::from(listener)))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// How many clients the server counts in the end, this one included. It hears of those that have left only after
    /// their end.
    #[track_caller]
    fn has_clients(&self, expected: u64) -> serde_json::Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let output = self.server(&["status", "--format", "json"]).ok();
            let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            if status["clients"] == expected {
                return status;
            }
            assert!(Instant::now() < deadline, "{output}");
        }
    }

    fn running(&self) -> Option<Process> {
        Process::holding(&self.root().join("server.lock"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(server) = self.running() {
            server.signal(Signal::KILL);
            let _ = server.ends_within(PATIENCE);
        }
    }
}

/// The process id that `server start` names.
fn pid_of(output: &Output) -> i32 {
    let out = output.out();
    let pid = out.trim_end().rsplit(' ').next().unwrap();
    pid.parse()
        .unwrap_or_else(|_| panic!("no pid at the end of {out:?}"))
}

/// Runs `act` as another user; the rest of the process stays who it is.
fn as_nobody<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::spawn(|| {
        let nobody = rustix::fs::Uid::from_raw(65534);
        rustix::thread::set_thread_uid(nobody).unwrap();
        act()
    })
    .join()
    .unwrap()
}

/// Appends to a file.
fn append(path: &Path, data: &[u8]) {
    let mut file = File::options().append(true).open(path).unwrap();
    file.write_all(data).unwrap();
}
