//! How the engine of a session is.

use std::time::Instant;

use buildx::proto::controller::BuilderHealth;

use super::*;
use crate::support::engine::graphdriver;
use crate::support::proxy::{Fault, Proxy};

async fn health(client: &buildx::client::Client, session: &str) -> BuilderHealth {
    let request = SessionRequest {
        session: session.to_owned(),
    };
    let mut api = client.api.clone();
    api.health(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn an_engine_says_how_it_is_while_it_builds_and_afterwards() {
    for engine in [engine(), graphdriver()] {
        let server = Shared::on(engine);
        let client = server.client().await;
        let context = Context::busybox("RUN echo begun; sleep 600\n");
        let id = server.detached(&["--no-cache"], &context);
        client
            .wait_for(&id, |session| session.doing.contains("echo begun"))
            .await;
        // An engine that is busy may take longer for its answer, or to count its cache, than it is waited for.
        let deadline = Instant::now() + Duration::from_secs(120);
        let complete = async || loop {
            let health = health(&client, &id).await;
            if health.trouble.is_empty() && health.cache > 0 || Instant::now() > deadline {
                return health;
            }
        };
        let during = complete().await;
        assert_eq!(during.trouble, "");
        assert_eq!((&*during.builder, &*during.driver), ("default", "docker"));
        assert!(during.version.starts_with('v'), "{during:?}");
        assert!(during.round_trip > 0 && during.cache > 0, "{during:?}");
        let platforms = &during.platforms;
        assert!(platforms.iter().any(|one| one.starts_with("linux/")));
        server.run(["debug", "cancel", &id]).ok();
        assert_eq!(complete().await.trouble, "");

        // Another server does not know the way.
        server.kill();
        let client = server.client().await;
        let unknown = health(&client, &id).await;
        assert!(unknown.trouble.contains("reload"), "{unknown:?}");
        assert_eq!(unknown.builder, "default");
    }
}

#[test]
fn an_engine_that_is_gone_is_trouble() {
    let proxy = Proxy::unix(engine().address(), Fault::None);
    let server = Shared::on(engine());
    let store = tempfile::tempdir().unwrap();
    proxy.register(store.path(), "away", &engine().docker_host());
    let context = Context::dockerfile("FROM scratch\nCOPY a /\n").file("a", "");
    server
        .build(&["--builder", "away", "--name", "away"], &context)
        .env("BUILDX_CONFIG", store.path())
        .ok();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let client = runtime.block_on(server.client());
    let ask = || runtime.block_on(health(&client, "away"));
    let there = ask();
    assert_eq!((&*there.driver, &*there.trouble), ("remote", ""));
    let socket = proxy.socket();
    drop(proxy);
    let gone = ask();
    assert_eq!((&*gone.builder, &*gone.version), ("away", ""));
    assert!(gone.trouble.starts_with("cannot connect to"), "{gone:?}");
    let socket = socket.display().to_string();
    assert!(gone.trouble.contains(&socket), "{gone:?}");
}
