//! Builders of the store on a real engine: driver `remote` over unix, TCP and mutual TLS, driver
//! `docker-container`, and what is said when they do not answer.

mod container;
mod embedded;
mod remote;

use buildx::builder::find::{Found, NotFound, find};
use buildx::paths::Env;
use tempfile::TempDir;

/// A private buildx store and home.
struct Store {
    dir: TempDir,
}

impl Store {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        std::fs::create_dir_all(dir.path().join("instances")).unwrap();
        Self { dir }
    }

    /// Writes a builder in the format of Docker's buildx.
    fn add(&self, name: &str, driver: &str, nodes: serde_json::Value) {
        let instance =
            serde_json::json!({"Name": name, "Driver": driver, "Nodes": nodes, "Dynamic": false});
        let path = self.dir.path().join("instances").join(name);
        std::fs::write(path, instance.to_string()).unwrap();
    }

    /// An environment that knows this store and no engine.
    fn env(&self) -> Env {
        [
            ("HOME", self.dir.path()),
            ("BUILDX_CONFIG", self.dir.path()),
            ("DOCKER_CONFIG", self.dir.path()),
        ]
        .into_iter()
        .collect()
    }

    async fn find(&self, name: &str) -> Result<Found, NotFound> {
        find(Some(name), &self.env(), &mut |_| {}).await
    }
}

/// Runs a test's asynchronous part; proxies bring runtimes of their own and live outside.
fn wait_for<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// One line of an error, which must be all of it.
#[track_caller]
fn one_line(error: &NotFound) -> String {
    let text = error.to_string();
    assert!(!text.contains('\n'), "more than one line: {text}");
    text
}
