//! How the engine of a session is, asked when somebody wants to know.
//!
//! Only the way to the engine is remembered, not a connection: an open one would keep a private engine
//! from idling out.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::builder::node::Node;
use crate::engine::control::Engine;
use crate::engine::errors::text;
use crate::proto::controller::BuilderHealth;
use crate::term::escape;

/// How long an engine may take to answer everything.
const DEADLINE: Duration = Duration::from_secs(5);

/// How `node` is. An engine that does not answer is not waited for longer than 5 s, and `trouble` says
/// why; one that answers, but does not count its cache in that time, has a cache of 0 bytes.
pub async fn of(node: &Node) -> BuilderHealth {
    let deadline = Instant::now() + DEADLINE;
    let mut health = BuilderHealth {
        builder: node.builder.clone(),
        driver: node.driver.name().to_owned(),
        ..BuilderHealth::default()
    };
    let asked = timeout_at(deadline, ask(node, &mut health)).await;
    let asked = asked.unwrap_or_else(|_| {
        let address = node.transport.address();
        Err(format!(
            "{address} did not answer within {} s",
            DEADLINE.as_secs()
        ))
    });
    match asked {
        Ok(engine) => {
            let records = timeout_at(deadline, engine.disk_usage(Vec::new())).await;
            let sizes = records.into_iter().flatten().flatten();
            health.cache = sizes
                .map(|record| u64::try_from(record.size).unwrap_or_default())
                .fold(0, u64::saturating_add);
        }
        Err(why) => {
            let line = escape::line(why.lines().next().unwrap_or_default()).into_owned();
            health.trouble = match line.as_str() {
                "" => "the engine does not answer".to_owned(),
                _ => line,
            };
        }
    }
    health
}

/// Everything that an engine answers at once.
async fn ask(node: &Node, health: &mut BuilderHealth) -> Result<Engine, String> {
    let connected = Engine::connect(&node.transport).await;
    let (engine, workers) = connected.map_err(|error| error.to_string())?;
    health.platforms = match node.platforms.as_slice() {
        [] => workers.platforms(),
        fixed => fixed.to_vec(),
    };
    // dockerd names its own platform twice.
    let mut known = HashSet::new();
    health.platforms.retain(|name| known.insert(name.clone()));
    let begun = Instant::now();
    let version = engine.version().await;
    let took = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    health.round_trip = took.max(1);
    match version {
        Ok(version) => health.version = version,
        // Old engines do not know the call, and have answered all the same.
        Err(status) if status.code() == tonic::Code::Unimplemented => {}
        Err(status) => return Err(text(&status)),
    }
    Ok(engine)
}

/// The answer for a session that has not been on an engine since this server started.
pub fn unknown(builder: String) -> BuilderHealth {
    BuilderHealth {
        builder,
        trouble: "the session has not been on its engine since this server started; reload builds it again"
            .to_owned(),
        ..BuilderHealth::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::node::Driver;
    use crate::engine::address::{Address, Transport};

    fn node(path: std::path::PathBuf) -> Node {
        Node {
            builder: "b".into(),
            node: "n".into(),
            driver: Driver::Remote,
            transport: Transport::Direct(Address::Unix(path)),
            driver_opts: Default::default(),
            platforms: Vec::new(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_engine_that_says_nothing_is_trouble_after_a_while() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("silent");
        let _silent = tokio::net::UnixListener::bind(&path).unwrap();
        let begun = Instant::now();
        let health = of(&node(path)).await;
        assert!(begun.elapsed() <= DEADLINE + Duration::from_millis(10));
        assert!(
            health.trouble.contains("did not answer within 5 s"),
            "{health:?}"
        );
        assert_eq!((&*health.builder, &*health.driver), ("b", "remote"));
        assert_eq!(health.round_trip, 0);
    }

    #[tokio::test]
    async fn an_engine_that_is_not_there_is_trouble_in_one_line() {
        let dir = tempfile::tempdir().unwrap();
        let health = of(&node(dir.path().join("no\nthing"))).await;
        assert!(health.trouble.starts_with("cannot connect to unix://"));
        assert!(!health.trouble.contains('\n'), "{health:?}");
    }
}
