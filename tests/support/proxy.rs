//! A plain socket in front of dockerd's own BuildKit, so that driver `remote` has a real engine,
//! and the faults that networks have.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use buildx::engine::address::Address;
use buildx::engine::dial::{Upgrade, upgrade};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::Runtime;

/// What the proxy does to the connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: every byte passes.
    None,
    /// Accepts and never answers.
    Silent,
    /// Cuts a connection after this many bytes from the engine.
    CutAfter(u64),
}

/// A running proxy; stopped when dropped.
#[derive(Debug)]
pub struct Proxy {
    dir: TempDir,
    port: Option<u16>,
    accepted: Arc<AtomicU64>,
    _runtime: Runtime,
}

impl Proxy {
    /// Listens on a unix socket.
    pub fn unix(docker: Address, fault: Fault) -> Self {
        let dir = TempDir::new().unwrap();
        let runtime = runtime();
        let accepted = Arc::new(AtomicU64::new(0));
        let listener = {
            let _entered = runtime.enter();
            UnixListener::bind(dir.path().join("buildkit.sock")).unwrap()
        };
        let counter = Arc::clone(&accepted);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(pass(stream, docker.clone(), fault));
            }
        });
        Self {
            dir,
            port: None,
            accepted,
            _runtime: runtime,
        }
    }

    /// Listens on a TCP port of 127.0.0.1.
    pub fn tcp(docker: Address, fault: Fault) -> Self {
        let runtime = runtime();
        let accepted = Arc::new(AtomicU64::new(0));
        let listener = runtime
            .block_on(TcpListener::bind(("127.0.0.1", 0)))
            .unwrap();
        let port = listener.local_addr().unwrap().port();
        let counter = Arc::clone(&accepted);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(pass(stream, docker.clone(), fault));
            }
        });
        Self {
            dir: TempDir::new().unwrap(),
            port: Some(port),
            accepted,
            _runtime: runtime,
        }
    }

    /// The address as the `remote` driver takes it.
    pub fn endpoint(&self) -> String {
        match self.port {
            Some(port) => format!("tcp://127.0.0.1:{port}"),
            None => format!("unix://{}", self.socket().display()),
        }
    }

    /// The unix socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("buildkit.sock")
    }

    /// How many connections have been accepted.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Writes a builder `name` for this proxy into a buildx store and makes it the current one of
    /// the endpoint `key` (a `DOCKER_HOST`).
    pub fn register(&self, store: &Path, name: &str, key: &str) {
        register(store, name, "remote", &self.endpoint(), key);
    }
}

/// Writes a builder into a buildx store and makes it the current one of the endpoint `key`.
pub fn register(store: &Path, name: &str, driver: &str, endpoint: &str, key: &str) {
    std::fs::create_dir_all(store.join("instances")).unwrap();
    let instance = serde_json::json!({
        "Name": name,
        "Driver": driver,
        "Nodes": [{
            "Name": format!("{name}0"), "Endpoint": endpoint, "Platforms": null,
            "DriverOpts": null, "Flags": null, "Files": null,
        }],
        "Dynamic": false,
    });
    std::fs::write(store.join("instances").join(name), instance.to_string()).unwrap();
    let current = serde_json::json!({"Key": key, "Name": name, "Global": true});
    std::fs::write(store.join("current"), current.to_string()).unwrap();
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

async fn pass(
    mut client: impl AsyncRead + AsyncWrite + Unpin + Send,
    docker: Address,
    fault: Fault,
) {
    if fault == Fault::Silent {
        let mut sink = [0; 4096];
        while client.read(&mut sink).await.is_ok_and(|n| n > 0) {}
        return;
    }
    let Ok(mut engine) = upgrade(&docker, Upgrade::Grpc, &[]).await else {
        return;
    };
    match fault {
        Fault::CutAfter(limit) => {
            let (from_engine, mut to_engine) = tokio::io::split(engine);
            let (mut from_client, mut to_client) = tokio::io::split(client);
            let up = tokio::io::copy(&mut from_client, &mut to_engine);
            let mut limited = from_engine.take(limit);
            let down = tokio::io::copy(&mut limited, &mut to_client);
            tokio::select! { _ = up => {}, _ = down => {} }
            let _ = to_client.shutdown().await;
        }
        _ => {
            let _ = tokio::io::copy_bidirectional(&mut client, &mut engine).await;
        }
    }
}
