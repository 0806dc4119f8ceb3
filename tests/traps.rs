//! The traps of BuildKit's protocols, each by the build that falls into it.

use std::time::{Duration, Instant};

use crate::support::cmd::{Buildx, Output};
use crate::support::context::Context;
use crate::support::engine::{Engine, engine, graphdriver};
use crate::support::proxy::{Fault, Proxy};

fn build(engine: &Engine, context: &Context) -> Buildx {
    let args = ["build", "--network", "host", "--progress", "plain"];
    Buildx::on(engine, args).arg(context.path())
}

/// A build by the `remote` driver through `proxy`.
fn through(proxy: &Proxy, context: &Context) -> Buildx {
    let run = build(engine(), context);
    let store = run.home().join("store");
    proxy.register(&store, "through", &engine().docker_host());
    run.env("BUILDX_CONFIG", store)
}

/// Error details travel in trailers with the whole Dockerfile in them, encoded twice.
#[test]
fn a_large_dockerfile_that_fails_keeps_its_error() {
    let padding = "# a comment that fills the file up to its size\n".repeat(1400);
    assert!(padding.len() > 64 << 10);
    for engine in [engine(), graphdriver()] {
        let context = Context::busybox(&format!("{padding}RUN exit 3\n"));
        let output = build(engine, &context).fails(1);
        assert!(output.err().contains(">>> RUN exit 3"), "{output}");
        assert!(output.error_line().ends_with("exit code: 3"), "{output}");
    }
}

/// Ignore patterns travel in request headers.
#[test]
fn three_thousand_lines_of_ignore_file_work() {
    let mut ignore: String = (0..3000).map(|n| format!("ignored/dir{n}/**\n")).collect();
    ignore.push_str("!ignored/dir2999/kept\n");
    for engine in [engine(), graphdriver()] {
        let context = Context::dockerfile("FROM scratch\nCOPY . /\n")
            .file(".dockerignore", &ignore)
            .file("ignored/dir0/x", "")
            .file("ignored/dir2999/x", "")
            .file("ignored/dir2999/kept", "");
        let output = build(engine, &context).args(["-o", "result"]).ok();
        let result = output.home.path().join("result/ignored");
        assert!(result.join("dir2999/kept").exists(), "{output}");
        assert!(!result.join("dir2999/x").exists(), "{output}");
        assert!(!result.join("dir0/x").exists(), "{output}");
    }
}

/// An engine drops a client that does not answer its health probe, after about ten seconds.
#[test]
fn a_long_step_does_not_lose_the_client() {
    let context = Context::busybox(
        "RUN sleep 12\nRUN --mount=type=secret,id=late,required=true test -s /run/secrets/late\n",
    );
    build(engine(), &context)
        .args(["--no-cache", "--secret", "id=late,env=LATE"])
        .env("LATE", "value")
        .ok();
}

/// The same through `Control.Session`, and with one connection for everything.
#[test]
fn a_remote_engine_is_used_over_one_connection() {
    let proxy = Proxy::unix(engine().address(), Fault::None);
    let context = Context::busybox(
        "RUN --mount=type=secret,id=a,required=true cp /run/secrets/a /out\nFROM scratch\nCOPY --from=0 /out /\n",
    );
    let output = through(&proxy, &context)
        .args(["--no-cache", "--secret", "id=a,env=A", "-o", "result"])
        .env("A", "through the tunnel")
        .ok();
    let out = std::fs::read_to_string(output.home.path().join("result/out")).unwrap();
    assert_eq!(out, "through the tunnel");
    assert!(output.err().contains("using remote driver"), "{output}");
    assert_eq!(proxy.accepted(), 1, "{output}");
}

#[test]
fn a_request_that_is_refused_early_shows_the_real_reason() {
    let context = Context::dockerfile("FROM scratch\nCOPY Dockerfile /\n");
    let output = build(engine(), &context)
        .args(["--cache-to", "type=nonsense"])
        .fails(1);
    let line = output.error_line();
    assert!(line.contains("nonsense"), "{output}");
    assert!(!output.err().contains("no such job"), "{output}");
}

fn one_line_about(output: &Output, words: &[&str]) {
    let line = output.error_line();
    assert!(words.iter().any(|word| line.contains(word)), "{output}");
    for raw in ["rpc error", "h2 protocol", "transport error", "Status {"] {
        assert!(!output.err().contains(raw), "{output}");
    }
}

#[test]
fn a_connection_that_breaks_is_one_line_in_plain_words() {
    // The step takes longer than any run may.
    let context = Context::busybox("RUN sleep 1; seq 100000; sleep 600\n");
    let proxy = Proxy::unix(engine().address(), Fault::CutAfter(60_000));
    let output = through(&proxy, &context).arg("--no-cache").fails(1);
    one_line_about(&output, &["lost the connection to the builder"]);
}

#[test]
fn a_silent_engine_is_given_up_after_the_deadline() {
    let context = Context::dockerfile("FROM scratch\n");
    for proxy in [
        Proxy::unix(engine().address(), Fault::Silent),
        Proxy::tcp(engine().address(), Fault::Silent),
    ] {
        let began = Instant::now();
        let output = through(&proxy, &context).fails(1);
        one_line_about(&output, &["did not answer within 5 s"]);
        // Somebody who waits is told for what, and for how long.
        let waiting = format!("waiting for {} (5 s at most)", proxy.endpoint());
        assert!(output.err().contains(&waiting), "{output}");
        assert!(began.elapsed() < Duration::from_secs(60), "{output}");
    }
}

/// Names that are no ASCII come encoded, and only those.
#[test]
fn names_of_all_kinds_are_found() {
    let names = ["ä b", "é%20+x", "100%", "plain", "日本"];
    let mut context = Context::new();
    let mut dockerfile = "FROM scratch\n".to_owned();
    for name in names {
        context = context.file(name, name);
        dockerfile.push_str(&format!("COPY [\"{name}\", \"/out/\"]\n"));
    }
    let context = context.file("Dockerfile", dockerfile);
    let output = build(engine(), &context).args(["-o", "result"]).ok();
    for name in names {
        let path = output.home.path().join("result/out").join(name);
        assert_eq!(std::fs::read_to_string(path).unwrap(), name);
    }
}

/// A build's id may be used once more only after a while; ours are random, so two at once are fine.
#[test]
fn builds_of_the_same_context_at_once_do_not_meet() {
    let context = Context::busybox("RUN sleep 0.5\n");
    let runs: Vec<_> = (0..4).map(|_| build(engine(), &context).spawn()).collect();
    for run in runs {
        let output = run.wait();
        assert_eq!(output.code, 0, "{output}");
    }
}
