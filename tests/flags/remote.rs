//! Outputs on a builder that is no docker engine: driver `remote`, and docker only to load into.

use std::path::PathBuf;

use super::unpacked;
use crate::support::cmd::Buildx;
use crate::support::context::Context;
use crate::support::engine::{engine, graphdriver};
use crate::support::proxy::{Fault, Proxy};

/// `buildx build ARGS… CONTEXT` on a remote builder, with `docker` as the docker engine beside it.
fn remote(
    proxy: &Proxy,
    docker: &crate::support::engine::Engine,
    args: &[&str],
    context: &Context,
) -> Buildx {
    let run = Buildx::on(docker, ["build", "--progress", "plain"]).args(args);
    let store: PathBuf = run.home().join("store");
    proxy.register(&store, "far", "none");
    run.env("BUILDX_CONFIG", store).arg(context.path())
}

fn small() -> Context {
    let unique = std::fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap();
    Context::dockerfile("FROM scratch\nCOPY a /out\n").file("a", unique)
}

fn has(docker: &crate::support::engine::Engine, name: &str) -> bool {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(docker.image(name))
        .is_some()
}

#[test]
fn nothing_is_made_by_default_and_that_is_told_after_success_only() {
    let proxy = Proxy::unix(engine().address(), Fault::None);
    let output = remote(&proxy, engine(), &["-t", "flags-remote-nothing"], &small()).ok();
    let warning = "No output specified with remote driver.";
    assert!(output.err().contains(warning), "{output}");
    assert!(!has(engine(), "flags-remote-nothing"));
    let broken = Context::dockerfile("FROM scratch\nCOPY nope /\n");
    let output = remote(&proxy, engine(), &[], &broken).fails(1);
    assert!(!output.err().contains(warning), "{output}");
    let output = remote(&proxy, engine(), &["-o", "type=cacheonly"], &small()).ok();
    assert!(!output.err().contains(warning), "{output}");
}

#[test]
fn load_goes_to_docker_whatever_its_store() {
    let proxy = Proxy::unix(engine().address(), Fault::None);
    for (docker, name) in [
        (engine(), "flags-remote-load-new"),
        (graphdriver(), "flags-remote-load-old"),
    ] {
        let context = small();
        remote(&proxy, docker, &["-t", name, "--load"], &context).ok();
        assert!(has(docker, name), "{name}");
    }
}

#[test]
fn several_platforms_load_where_the_store_can_hold_them() {
    let proxy = Proxy::unix(engine().address(), Fault::None);
    let args = [
        "-t",
        "flags-remote-multi",
        "--load",
        "--platform",
        "linux/amd64,linux/arm64",
    ];
    remote(&proxy, engine(), &args, &small()).ok();
    assert!(has(engine(), "flags-remote-multi"));
    let error = remote(&proxy, graphdriver(), &args, &small())
        .fails(1)
        .error_line();
    assert!(
        error.contains("docker exporter does not currently support exporting manifest lists"),
        "{error}"
    );
}

#[test]
fn files_come_back() {
    let proxy = Proxy::tcp(engine().address(), Fault::None);
    let context = small();
    let output = remote(&proxy, engine(), &["-o", "-"], &context).ok();
    let sent = std::fs::read(context.join("a")).unwrap();
    assert_eq!(unpacked(&output.stdout)["out"], sent);
}
