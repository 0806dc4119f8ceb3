//! An engine of a test's own, which can be killed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use buildx::engine::address::{Address, Transport};
use buildx::engine::control::Engine;
use rustix::process::Signal;
use tempfile::TempDir;

/// A running Docker Engine of one test.
#[derive(Debug)]
pub struct Victim {
    dir: TempDir,
}

impl Victim {
    /// Starts one.
    pub fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("bxe").tempdir().unwrap();
        let victim = Self { dir };
        victim.script("start");
        victim
    }

    fn script(&self, what: &str) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/engine");
        let status = Command::new(script).arg(what).arg(self.dir.path()).status();
        assert!(status.unwrap().success(), "scripts/engine {what}");
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("docker.sock")
    }

    /// Its address as `DOCKER_HOST` takes it.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Kills it with SIGKILL, cleans up what it mounted, and starts it again.
    pub fn replace(&self) {
        self.kill();
        self.again();
    }

    /// Starts it again after [`Victim::kill`].
    pub fn again(&self) {
        self.script("start");
    }

    /// Kills it with SIGKILL, and cleans up what it mounted.
    pub fn kill(&self) {
        let pid = fs::read_to_string(self.dir.path().join("pid")).unwrap();
        let pid: i32 = pid.trim().parse().unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, Signal::KILL).unwrap();
        self.script("stop");
    }

    /// Processes of build containers: what runs below this engine's directory and is no part of
    /// the engine itself.
    pub fn containers(&self) -> Vec<String> {
        let executor = self.dir.path().join("data/buildkit/executor");
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let root = entry.path().join("mountinfo");
            // A process of a container has the executor's directory in its mounts as its root.
            let Ok(mounts) = fs::read_to_string(root) else {
                continue;
            };
            let inside = mounts.lines().any(|line| {
                let mut words = line.split(' ').skip(3);
                let (source, target) = (words.next(), words.next());
                target == Some("/etc/resolv.conf") && source.is_some()
            });
            let line = fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
            if inside && mounts.contains(&*executor.to_string_lossy()) {
                found.push(line.replace('\0', " "));
            }
        }
        found
    }

    /// Records of the build cache that somebody holds.
    pub async fn held(&self) -> Vec<String> {
        let transport = Transport::Docker(Address::Unix(self.socket()));
        let (engine, _) = Engine::connect(&transport).await.unwrap();
        let usage = engine.disk_usage(Vec::new()).await.unwrap();
        let held = usage.into_iter().filter(|record| record.in_use);
        held.map(|record| record.description).collect()
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/engine");
        let _ = Command::new(script)
            .arg("stop")
            .arg(self.dir.path())
            .status();
    }
}
