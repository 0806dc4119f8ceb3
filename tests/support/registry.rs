//! Debian's docker-registry on 127.0.0.1, for one test.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A running registry; stopped when dropped.
#[derive(Debug)]
pub struct Registry {
    child: Child,
    port: u16,
    _dir: TempDir,
}

impl Registry {
    /// A registry that anyone may use.
    pub fn start() -> Self {
        Self::with_config("")
    }

    /// A registry that asks for a name and a password; `htpasswd` is the file's content (bcrypt).
    pub fn with_htpasswd(htpasswd: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let file = dir.path().join("htpasswd");
        std::fs::write(&file, htpasswd).unwrap();
        let auth = format!(
            "auth:\n  htpasswd:\n    realm: test\n    path: {}\n",
            file.display()
        );
        let mut registry = Self::with_config(&auth);
        // Keep the password file as long as the registry.
        let data = std::mem::replace(&mut registry._dir, dir);
        let _ = data.keep();
        registry
    }

    fn with_config(more: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let port = free_port();
        let config = format!(
            "version: 0.1\nlog:\n  level: warn\nstorage:\n  filesystem:\n    rootdirectory: {}\n  delete:\n    enabled: true\nhttp:\n  addr: 127.0.0.1:{port}\n{more}",
            dir.path().join("data").display(),
        );
        let file = dir.path().join("config.yml");
        std::fs::write(&file, config).unwrap();
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("docker-registry is not installed: run scripts/setup --tests");
        let registry = Self {
            child,
            port,
            _dir: dir,
        };
        registry.wait_until_it_listens();
        registry
    }

    fn wait_until_it_listens(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        // A foreign program tells that it listens in no other way than by listening.
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < deadline, "docker-registry does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nothing listens on at the moment.
pub fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}
