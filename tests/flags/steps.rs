//! Flags that change how steps run and whether they do.

use super::{Layout, build, printed, printed_in, step};
use crate::support::context::Context;

#[test]
fn add_host() {
    let hosts = printed(
        "cat /etc/hosts",
        [
            "--add-host",
            "one:10.1.2.3,two=10.1.2.4",
            "--add-host",
            "six=[fd00::6]",
        ],
    );
    let has = |ip: &str, name: &str| {
        hosts
            .lines()
            .any(|line| line.split_whitespace().eq([ip, name]))
    };
    assert!(has("10.1.2.3", "one"), "{hosts}");
    assert!(has("10.1.2.4", "two"), "{hosts}");
    assert!(has("fd00::6", "six"), "{hosts}");
}

#[test]
fn shm_size() {
    let size = printed("df -k /dev/shm | tail -n 1", ["--shm-size", "12m"]);
    assert_eq!(size.split_whitespace().nth(1), Some("12288"), "{size}");
}

#[test]
fn ulimit() {
    let limits = printed(
        "echo $(ulimit -Sn) $(ulimit -Hn) $(ulimit -c)",
        ["--ulimit", "nofile=123:456", "--ulimit", "core=0"],
    );
    assert_eq!(limits, "123 456 0\n");
}

#[test]
fn cgroup_parent() {
    let groups = printed(
        "cat /proc/self/cgroup",
        ["--cgroup-parent", "/buildx-test-parent"],
    );
    let others = printed("cat /proc/self/cgroup", []);
    assert!(groups.contains("/buildx-test-parent/"), "{groups}");
    assert!(!others.contains("/buildx-test-parent/"), "{others}");
}

#[test]
fn network() {
    let interfaces = "tail -n +3 /proc/net/dev | cut -d : -f 1 | tr -d ' ' | sort | tr '\\n' ' '";
    let none = printed(interfaces, ["--network", "none"]);
    let host = printed(interfaces, ["--network", "host"]);
    assert_eq!(none.split_whitespace().collect::<Vec<_>>(), ["lo"]);
    let ours = std::fs::read_to_string("/proc/net/dev").unwrap();
    let mut ours: Vec<_> = ours
        .lines()
        .skip(2)
        .filter_map(|line| line.split(':').next())
        .map(str::trim)
        .collect();
    ours.sort_unstable();
    assert_eq!(host.split_whitespace().collect::<Vec<_>>(), ours);
}

#[test]
fn allow() {
    let context = Context::busybox("RUN --network=host echo hi\n");
    let fixed = ["build", "--network", "default", "-o", "type=cacheonly"];
    let on = |args: &[&str]| {
        crate::support::cmd::Buildx::on(crate::support::engine::engine(), fixed)
            .args(args)
            .arg(context.path())
    };
    let refused = on(&[]).fails(1).error_line();
    assert!(refused.contains("network.host is not allowed"), "{refused}");
    // Steps without a network of their own cannot run on this engine, so the first one decides.
    let allowed = on(&["--allow", "network.host"]).run();
    assert!(!allowed.err().contains("is not allowed"), "{allowed}");
}

#[test]
fn target() {
    let context = Context::busybox(
        "FROM scratch AS a\nCOPY Dockerfile /a\nFROM scratch AS b\nCOPY Dockerfile /b\n",
    );
    let files = |args: &[&str]| {
        let output = build(&context, args.iter().copied()).args(["-o", "-"]).ok();
        super::unpacked(&output.stdout)
            .into_keys()
            .collect::<Vec<_>>()
    };
    assert_eq!(files(&["--target", "a"]), ["a"]);
    assert_eq!(files(&[]), ["b"]);
    let error = build(&context, ["--target", "aa"]).fails(1).error_line();
    assert!(
        error.contains("target stage \"aa\" could not be found"),
        "{error}"
    );
}

#[test]
fn build_arg() {
    let context = step(
        "ARG A=default\nARG B=default\nARG C=default\nARG D=default",
        "echo \"$A,$B,$C,$D\"",
    );
    let output = build(
        &context,
        [
            "--build-arg",
            "A=1=2",
            "--build-arg",
            "B",
            "--build-arg",
            "C",
            "--build-arg",
            "D=",
            "-o",
            "-",
        ],
    )
    .env("B", "from the environment")
    .ok();
    let files = super::unpacked(&output.stdout);
    assert_eq!(
        String::from_utf8_lossy(&files["out"]),
        "1=2,from the environment,default,\n"
    );
}

#[test]
fn source_date_epoch_of_the_environment() {
    let context = step("ARG SOURCE_DATE_EPOCH", "echo $SOURCE_DATE_EPOCH");
    let output = build(&context, ["-o", "-"])
        .env("SOURCE_DATE_EPOCH", "1700000000")
        .ok();
    assert_eq!(super::unpacked(&output.stdout)["out"], b"1700000000\n");
}

#[test]
fn no_cache_and_its_filter() {
    let context = Context::dockerfile(random_dockerfile()).with_busybox();
    let run = |args: &[&str]| {
        let output = build(&context, args.iter().copied()).args(["-o", "-"]).ok();
        let files = super::unpacked(&output.stdout);
        (files["one"].clone(), files["two"].clone())
    };
    let first = run(&[]);
    assert_eq!(run(&[]), first);
    let filtered = run(&["--no-cache-filter", "two"]);
    assert_eq!(filtered.0, first.0);
    assert_ne!(filtered.1, first.1);
    let all = run(&["--no-cache"]);
    assert_ne!(all.0, first.0);
    assert_ne!(all.1, filtered.1);
}

/// Steps that print something new each time that they really run.
fn random_dockerfile() -> String {
    let busybox =
        crate::support::context::BUSYBOX.replacen("FROM scratch", "FROM scratch AS base", 1);
    format!(
        "{busybox}\
         FROM base AS one\nRUN cat /proc/sys/kernel/random/uuid > /one\n\
         FROM base AS two\nRUN cat /proc/sys/kernel/random/uuid > /two\n\
         FROM scratch\nCOPY --from=one /one /\nCOPY --from=two /two /\n"
    )
}

#[test]
fn platform() {
    let context = Context::dockerfile("FROM scratch\nCOPY Dockerfile /f\n");
    let platforms = |args: &[&str]| {
        let layout = Layout::built(&context, args.iter().copied());
        layout
            .manifests()
            .iter()
            .map(|manifest| &manifest["platform"])
            .filter(|platform| platform["os"] != "unknown")
            .map(|platform| {
                let variant = platform["variant"].as_str().unwrap_or_default();
                format!("{}/{variant}", platform["architecture"].as_str().unwrap())
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(
        platforms(&[
            "--platform",
            "linux/x86_64,arm64/v8",
            "--platform",
            "arm/v6"
        ]),
        ["amd64/", "arm64/", "arm/v6"]
    );
    assert_eq!(platforms(&["--platform", "linux/riscv64"]), ["riscv64/"]);
    let output = build(&context, ["-o", "type=oci,dest=-"])
        .env("DOCKER_DEFAULT_PLATFORM", "linux/s390x")
        .ok();
    let layout = Layout(super::unpacked(&output.stdout));
    assert_eq!(layout.config()["architecture"], "s390x");
    let local = Layout::built(&context, ["--platform", "local"]);
    assert_eq!(local.config()["architecture"], "amd64");
}

#[test]
fn pull_looks_for_the_newest_image() {
    let registry = crate::support::registry::Registry::start();
    let name = format!("{}/base:latest", registry.host());
    let make = |content: &str, args: &[&str]| {
        let context = Context::dockerfile("FROM scratch\nCOPY out /out\n").file("out", content);
        build(&context, ["-t", &name]).args(args).ok();
    };
    make("new", &["--push"]);
    make("old", &["--load"]);
    let context = Context::dockerfile(format!("FROM {name}\n"));
    assert_eq!(printed_in(&context, []), "old");
    assert_eq!(printed_in(&context, ["--pull"]), "new");
}
