//! Debian's docker-registry on 127.0.0.1, for one test.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

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
        // The kernel gives it a port, which it says.
        let config = format!(
            "version: 0.1\nlog:\n  level: info\nstorage:\n  filesystem:\n    rootdirectory: {}\n  delete:\n    enabled: true\nhttp:\n  addr: 127.0.0.1:0\n{more}",
            dir.path().join("data").display(),
        );
        let file = dir.path().join("config.yml");
        std::fs::write(&file, config).unwrap();
        let mut child = Command::new("docker-registry")
            .arg("serve")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("docker-registry is not installed: run scripts/setup --tests");
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let port = lines.find_map(|line| {
            let line = line.unwrap();
            let (_, after) = line.split_once("listening on 127.0.0.1:")?;
            let digits = after.split(|c: char| !c.is_ascii_digit()).next()?;
            digits.parse().ok()
        });
        // What it says of requests nobody reads, but it must be able to say it.
        std::thread::spawn(move || lines.count());
        Self {
            child,
            port: port.expect("docker-registry does not listen"),
            _dir: dir,
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
