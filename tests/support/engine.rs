//! The engines of this test run, started by `scripts/test` (or by hand with `scripts/engine`).

use std::path::PathBuf;
use std::sync::OnceLock;

use bollard::Docker;
use buildx::engine::address::{Address, Transport};

/// A running Docker Engine that all tests share.
#[derive(Debug)]
pub struct Engine {
    socket: PathBuf,
}

/// The engine with containerd's image store: every exporter and cache.
pub fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| from_env("BUILDX_TEST_DOCKER"))
}

/// The engine with Docker's old image store, as most installed engines have.
pub fn graphdriver() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| from_env("BUILDX_TEST_GRAPHDRIVER"))
}

fn from_env(name: &str) -> Engine {
    let host = std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: run scripts/test, or start an engine with scripts/engine and set it to unix://…")
    });
    let socket = host
        .strip_prefix("unix://")
        .unwrap_or_else(|| panic!("{name}={host}: want unix://PATH"));
    Engine {
        socket: socket.into(),
    }
}

impl Engine {
    /// Its address as `DOCKER_HOST` takes it.
    pub fn docker_host(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// The socket of its API.
    pub fn address(&self) -> Address {
        Address::Unix(self.socket.clone())
    }

    /// The way to its BuildKit.
    pub fn transport(&self) -> Transport {
        Transport::Docker(self.address())
    }

    /// A client of its API.
    pub async fn api(&self) -> Docker {
        buildx::engine::docker::api(&self.address()).await.unwrap()
    }

    /// What the engine says of an image; `None` when it has no such image.
    pub async fn image(&self, name: &str) -> Option<bollard::models::ImageInspect> {
        self.api().await.inspect_image(name).await.ok()
    }
}
