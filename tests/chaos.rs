//! Clients, servers and engines that are killed at random points: the next client always finds a
//! server that works, and in the end nothing is left. `BUILDX_CHAOS_ROUNDS` makes it a soak.

use std::fs;
use std::time::{Duration, Instant};

use buildx::client::Client;
use buildx::proto::controller::ExecRequest;

use crate::support::context::Context;
use crate::support::shared::{Sessions, Shared, ended};
use crate::support::victim::Victim;

/// Rounds without the variable.
const ROUNDS: usize = 6;

/// How long what was killed may take to be gone everywhere.
const PATIENCE: Duration = Duration::from_secs(60);

/// Small deterministic random numbers (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// Waits until `left` is empty; polls, because processes and snapshots of an engine tell nobody.
async fn gone<T: std::fmt::Debug>(what: &str, left: impl AsyncFn() -> Vec<T>) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = left().await;
        if found.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "{what} left: {found:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn shell(client: &Client, session: &str) {
    let request = ExecRequest {
        session: session.to_owned(),
        tty: true,
        rows: 24,
        cols: 80,
        stdin: true,
        ..ExecRequest::default()
    };
    client.api.clone().exec(request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_killed_leaves_nothing_and_breaks_nobody() {
    let rounds = std::env::var("BUILDX_CHAOS_ROUNDS").ok();
    let rounds = rounds.map_or(ROUNDS, |text| text.parse().unwrap());
    let victim = Victim::start();
    let server = Shared::with(victim.host());
    let seed = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64 | 1;
    eprintln!("seed {seed}");
    let mut dice = Dice(seed);
    let broken = Context::busybox("RUN echo partial > /made; exit 3\n");
    let long = Context::busybox(
        "RUN i=0; while [ $i -lt 3000 ]; do echo $i; i=$((i+1)); usleep 10000; done\n",
    );
    for round in 0..rounds {
        let failed = server.detached(&["--no-cache", "--name", "failed"], &broken);
        let client = server.client().await;
        client.wait_for(&failed, ended).await;
        shell(&client, &failed).await;
        let mut build = server
            .build(&["--no-cache", "--name", "long"], &long)
            .spawn();
        tokio::time::sleep(Duration::from_millis(dice.below(1500))).await;
        let what = ["client", "server", "engine"][round % 3];
        eprintln!("round {round}: the {what} dies");
        match what {
            "client" => {
                build.child.kill().unwrap();
                drop(client);
            }
            "server" => server.kill(),
            _ => victim.replace(),
        }
        let _ = build.child.kill();
        build.wait();

        // Whatever died: the sessions are there, and a build works.
        let client = server.client().await;
        let sessions = client.sessions().await;
        assert!(
            sessions.iter().any(|session| session.id == failed),
            "{sessions:?}"
        );
        let good = Context::busybox("RUN echo works\n");
        server.build(&["--name", "good"], &good).ok();
        for session in client.sessions().await {
            server
                .run(["debug", "disconnect", "--force", &session.id])
                .ok();
        }
        gone("containers", async || victim.containers()).await;
        gone("held states", async || victim.held().await).await;
        assert!(client.sessions().await.is_empty());
    }
    let process = server.running().unwrap();
    server.run(["server", "stop"]).ok();
    process.ends();
    assert!(!server.root().join("v1.sock").exists());
    assert_eq!(
        fs::read_dir(server.root().join("sessions"))
            .unwrap()
            .count(),
        0
    );
    assert!(victim.containers().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_engine_is_told_and_reload_works() {
    let victim = Victim::start();
    let server = Shared::with(victim.host());
    let broken = Context::busybox("RUN echo partial > /made; exit 3\n");
    let long = Context::busybox("RUN echo begun; sleep 600\n");
    let failed = server.detached(&["--no-cache", "--name", "failed"], &broken);
    let running = server.detached(&["--no-cache", "--name", "running"], &long);
    let client = server.client().await;
    client.wait_for(&failed, ended).await;
    shell(&client, &failed).await;
    client
        .wait_for(&running, |session| session.doing.contains("echo begun"))
        .await;
    victim.replace();
    let lost = "lost connection to builder";
    let session = client.wait_for(&running, ended).await;
    assert!(session.reason.contains(lost), "{session:?}");
    let session = client.wait_for(&failed, |s| s.kept_until == 0).await;
    assert!(session.reason.contains(lost), "{session:?}");
    assert_eq!(session.processes, 0);
    server.run(["debug", "reload", "failed"]).fails(1);
    let exec = server.run(["debug", "exec"]);
    let output = exec.args(["failed", "cat", "/made"]).ok();
    assert_eq!(output.out(), "partial\n");
}
