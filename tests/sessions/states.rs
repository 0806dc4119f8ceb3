//! States that are kept open on the engine, and that they never change the outcome of other builds.

use super::*;
use crate::support::cmd::Buildx;

#[tokio::test]
async fn a_failed_state_is_kept_and_poisons_no_other_build() {
    let server = Shared::on(engine());
    let context = fails("poisons nothing");
    let first = server
        .build(&["--no-cache-filter", "none"], &context)
        .fails(1);
    let mut seen = vec![ran_at(&first.err())];
    // The same step, again and again, while earlier failures are held.
    for _ in 0..4 {
        let again = server.build(&[], &context).fails(1);
        let at = ran_at(&again.err());
        assert!(
            !seen.contains(&at),
            "the remembered failure was shown: {again}"
        );
        assert!(again.err().contains(">>> RUN : poisons nothing"), "{again}");
        seen.push(at);
    }
    let client = server.client().await;
    let kept: Vec<_> = client
        .sessions()
        .await
        .into_iter()
        .filter(|session| session.kept_until != 0)
        .collect();
    assert!(!kept.is_empty());
}

/// Builds of one step at once share it on the engine, and fail together.
#[test]
fn failures_at_once_poison_no_later_build() {
    let server = Shared::on(engine());
    let context = fails("at once");
    let first = server.build(&["--no-cache"], &context).fails(1);
    let mut seen = vec![ran_at(&first.err())];
    for _ in 0..3 {
        let both = [(); 2].map(|()| server.build(&[], &context).spawn());
        for build in both {
            seen.push(ran_at(&build.wait().err()));
        }
        let alone = ran_at(&server.build(&[], &context).fails(1).err());
        assert!(!seen.contains(&alone), "the remembered failure was shown");
        seen.push(alone);
    }
}

#[test]
fn an_add_whose_url_cannot_be_fetched_leaves_the_state_before_it() {
    let server = Shared::on(engine());
    let context = Context::busybox("RUN echo before > /made\nADD http://127.0.0.1:1/none /x\n");
    server.build(&["--name", "add"], &context).fails(1);
    let shown = server
        .run(["debug", "exec"])
        .args(["add", "/bin/busybox", "cat", "/made"])
        .ok();
    assert_eq!(shown.out(), "before\n", "{shown}");
    let inspected = server
        .run(["debug", "inspect", "--format=json", "add"])
        .ok();
    let failure: serde_json::Value = serde_json::from_str(&inspected.out()).unwrap();
    assert_eq!(failure["outcome"]["failed"]["no_state"], "", "{failure}");
}

#[tokio::test]
async fn a_failed_state_is_let_go_for_a_build_from_elsewhere() {
    let server = Shared::on(engine()).configured("");
    let context = fails("from elsewhere");
    let first = server.build(&["--no-cache"], &context).fails(1);
    let elsewhere = Buildx::on(engine(), ["build", "--progress=plain", "--network=none"])
        .arg(context.path())
        .fails(1);
    assert_ne!(
        ran_at(&elsewhere.err()),
        ran_at(&first.err()),
        "{elsewhere}"
    );
    let client = server.client().await;
    let id = client.sessions().await.remove(0).id;
    let session = client.wait_for(&id, |s| s.kept_until == 0).await;
    assert!(session.reason.contains("reload"), "{session:?}");
}

#[test]
fn a_step_that_works_again_is_built_and_cached_while_its_failure_is_held() {
    let server = Shared::on(engine());
    // Fails as long as nobody has left the flag in the cache mount, which is new in each run.
    let cache = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    let context = Context::busybox(&format!(
        "RUN --mount=type=cache,id=works{cache},target=/c : {cache}; test -e /c/flag || {{ touch /c/flag; exit 3; }}\nRUN echo after\n"
    ));
    server.build(&[], &context).fails(1);
    server.build(&[], &context).ok();
    let third = server.build(&[], &context).ok();
    assert!(third.err().contains("CACHED"), "{third}");
}

#[tokio::test]
async fn the_time_that_a_state_is_kept_is_shown_and_can_be_changed() {
    let server = Shared::on(engine());
    let context = fails("is kept");
    server
        .build(&["--no-cache", "--keep", "1h", "--name", "kept"], &context)
        .fails(1);
    let client = server.client().await;
    let now = || i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    let session = client.sessions().await.remove(0);
    let left = session.kept_until - now();
    assert!((3_540_000..=3_600_000).contains(&left), "{left}");
    server.run(["debug", "keep", "kept", "2h"]).ok();
    let session = client.sessions().await.remove(0);
    assert!(session.kept_until - now() > 7_000_000);
    server.run(["debug", "keep", "kept", "0"]).ok();
    let session = client.sessions().await.remove(0);
    assert_eq!(session.kept_until, 0);
    // A short one ends by itself.
    server
        .build(&["--no-cache", "--keep", "1s", "--name", "short"], &context)
        .fails(1);
    let id = client.sessions().await.remove(1).id;
    client
        .wait_for(&id, |session| session.kept_until == 0)
        .await;
    server
        .build(&["--no-cache", "--keep", "0", "--name", "not"], &context)
        .fails(1);
    assert_eq!(client.sessions().await.remove(2).kept_until, 0);
}

#[test]
fn exports_happen_before_anybody_looks_inside() {
    let server = Shared::on(engine());
    let context = Context::dockerfile("FROM scratch\nCOPY a /b\n").file("a", "text");
    let output = server.build(&["-o", "out"], &context).ok();
    assert_eq!(
        std::fs::read(output.home.path().join("out/b")).unwrap(),
        b"text"
    );
}
