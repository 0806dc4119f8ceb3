//! Driver `docker-container`. No BuildKit image can be had here, so the test makes one: busybox,
//! with a `buildkitd` that only stays, and a `buildctl` that bridges to dockerd's own BuildKit.

use bollard::Docker;
use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::{
    CreateImageOptionsBuilder, InspectContainerOptions, LogsOptionsBuilder,
    RemoveContainerOptionsBuilder, RemoveImageOptionsBuilder, RemoveVolumeOptions,
};
use buildx::builder::find::stop;
use buildx::builder::node::Driver;
use futures_util::{StreamExt, TryStreamExt};

use super::{Store, one_line, wait_for};
use crate::support::engine::engine;
use crate::support::proxy::{Fault, Proxy};

/// `PORT` comes by `--driver-opt env.PORT=…`, the network by `--driver-opt network=host`.
const BUILDCTL: &str = "#!/bin/sh\n\
    [ \"$*\" = dial-stdio ] || { echo \"unexpected: $*\" >&2; exit 1; }\n\
    exec /bin/busybox nc 127.0.0.1 \"$PORT\"\n";

/// Shows its arguments and its configuration, then stays.
const BUILDKITD: &str = "#!/bin/sh\n\
    echo \"flags: $*\"\n\
    /bin/busybox cat /etc/buildkit/buildkitd.toml\n\
    exec /bin/busybox sleep 100000\n";

const BROKEN_BUILDKITD: &str = "#!/bin/sh\necho 'no space for the state' >&2\nexit 3\n";

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, data) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o755);
        header.set_size(data.len() as u64);
        tar.append_data(&mut header, name, *data).unwrap();
    }
    tar.into_inner().unwrap()
}

/// An image, its container and its volume; removed by [`Made::remove`].
struct Made {
    api: Docker,
    image: String,
    container: String,
}

impl Made {
    async fn new(name: &str, buildkitd: &str, buildctl: &str) -> Self {
        let api = engine().api().await;
        let image = format!("{name}:test");
        let busybox = std::fs::read("/bin/busybox").unwrap();
        let root = archive(&[
            ("bin/busybox", &busybox),
            ("bin/sh", &busybox),
            ("bin/buildkitd", buildkitd.as_bytes()),
            ("bin/buildctl", buildctl.as_bytes()),
        ]);
        let options = CreateImageOptionsBuilder::new()
            .from_src("-")
            .repo(name)
            .tag("test")
            .changes(vec![
                "ENTRYPOINT [\"/bin/buildkitd\"]".to_owned(),
                "ENV PATH=/bin".to_owned(),
            ])
            .build();
        let body = bollard::body_full(root.into());
        api.create_image(Some(options), Some(body), None)
            .try_collect::<Vec<_>>()
            .await
            .unwrap();
        Self {
            api,
            image,
            container: format!("buildx_buildkit_{name}0"),
        }
    }

    async fn inspect(&self) -> ContainerInspectResponse {
        self.api
            .inspect_container(&self.container, None::<InspectContainerOptions>)
            .await
            .unwrap()
    }

    /// Reads the log until it has said `last`: what the container runs is not waited for by anybody else.
    async fn log_until(&self, last: &str) -> String {
        let options = LogsOptionsBuilder::new()
            .stdout(true)
            .stderr(true)
            .follow(true);
        let mut lines = self.api.logs(&self.container, Some(options.build()));
        let mut log = String::new();
        while !log.contains(last) {
            let line = lines.next().await;
            let line = line.unwrap_or_else(|| panic!("no {last:?} in {log}"));
            log.push_str(&line.unwrap().to_string());
        }
        log
    }

    async fn remove(self) {
        let force = RemoveContainerOptionsBuilder::new().force(true).build();
        self.api
            .remove_container(&self.container, Some(force))
            .await
            .unwrap();
        self.api
            .remove_volume(
                &format!("{}_state", self.container),
                None::<RemoveVolumeOptions>,
            )
            .await
            .unwrap();
        let force = RemoveImageOptionsBuilder::new().force(true).build();
        self.api
            .remove_image(&self.image, Some(force), None)
            .await
            .unwrap();
    }
}

#[test]
fn created_dialled_stopped_and_started_again() {
    let proxy = Proxy::tcp(engine().address(), Fault::None);
    let port = proxy.endpoint().rsplit(':').next().unwrap().to_owned();
    wait_for(life(&port));
}

async fn life(port: &str) {
    let made = Made::new("bxcontainer", BUILDKITD, BUILDCTL).await;
    let store = Store::new();
    store.add(
        "bxcontainer",
        "docker-container",
        serde_json::json!([{
            "Name": "bxcontainer0",
            "Endpoint": engine().docker_host(),
            "DriverOpts": {"image": made.image, "network": "host", "env.PORT": port},
            "Flags": ["--debug"],
            "Files": {"buildkitd.toml": "ZGVidWcgPSB0cnVlCg=="},
        }]),
    );

    let mut told = Vec::new();
    let found = buildx::builder::find::find(Some("bxcontainer"), &store.env(), &mut |line| {
        told.push(line.to_owned());
    })
    .await
    .unwrap();
    assert_eq!(found.node.driver, Driver::DockerContainer);
    assert!(!found.workers.platforms().is_empty());
    assert!(
        told.contains(&format!("creating container {}", made.container)),
        "{told:?}"
    );
    assert!(
        !told.iter().any(|line| line.contains("pulling")),
        "{told:?}"
    );

    let container = made.inspect().await;
    let host = container.host_config.unwrap();
    assert_eq!(host.privileged, Some(true));
    let env = container.config.unwrap().env.unwrap();
    assert!(
        env.contains(&"BUILDKIT_STEP_LOG_MAX_SIZE=-1".to_owned()),
        "{env:?}"
    );
    assert!(
        env.contains(&"BUILDKIT_STEP_LOG_MAX_SPEED=-1".to_owned()),
        "{env:?}"
    );
    let log = made.log_until("debug = true").await;
    assert!(log.contains("flags: --debug"), "{log}");
    drop(found);

    // A running one is used as it is, also by the remote driver.
    store.find("bxcontainer").await.unwrap();
    assert_eq!(made.inspect().await.id, container.id);
    store.add(
        "byname",
        "remote",
        serde_json::json!([{"Name": "byname0", "Endpoint": format!("docker-container://{}", made.container)}]),
    );
    let host = engine().docker_host();
    let env: buildx::paths::Env = [
        ("BUILDX_CONFIG", store.dir.path().to_str().unwrap()),
        ("DOCKER_CONFIG", store.dir.path().to_str().unwrap()),
        ("DOCKER_HOST", host.as_str()),
    ]
    .into_iter()
    .collect();
    buildx::builder::find::find(Some("byname"), &env, &mut |_| {})
        .await
        .unwrap();

    assert_eq!(stop("bxcontainer", &store.env()).await.unwrap(), Some(true));
    assert_eq!(
        stop("bxcontainer", &store.env()).await.unwrap(),
        Some(false)
    );
    assert_eq!(stop("byname", &store.env()).await.unwrap(), None);
    store.find("bxcontainer").await.unwrap();
    assert_eq!(made.inspect().await.id, container.id);

    made.remove().await;
}

#[tokio::test]
async fn an_engine_that_dies_shows_its_last_lines() {
    let made = Made::new("bxbroken", BROKEN_BUILDKITD, BUILDCTL).await;
    let store = Store::new();
    store.add(
        "bxbroken",
        "docker-container",
        serde_json::json!([{
            "Name": "bxbroken0",
            "Endpoint": engine().docker_host(),
            "DriverOpts": {"image": made.image, "network": "host", "restart-policy": "no"},
        }]),
    );
    let error = store.find("bxbroken").await.unwrap_err().to_string();
    assert!(error.contains("exited with code 3"), "{error}");
    assert!(error.contains("no space for the state"), "{error}");
    made.remove().await;
}

#[tokio::test]
async fn a_missing_image_is_named() {
    let store = Store::new();
    store.add(
        "bxnoimage",
        "docker-container",
        serde_json::json!([{
            "Name": "bxnoimage0",
            "Endpoint": engine().docker_host(),
            "DriverOpts": {"image": "127.0.0.1:1/no/such:image", "network": "host"},
        }]),
    );
    let error = one_line(&store.find("bxnoimage").await.unwrap_err());
    assert!(
        error.contains("cannot pull image 127.0.0.1:1/no/such:image"),
        "{error}"
    );
}
