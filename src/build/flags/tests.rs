use super::*;
use crate::build::options::{HostTarget, Network, OutputKind};
use crate::progress::settings::Mode;

fn parsed(args: &[&str]) -> BuildOptions {
    let words: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
    parse(&words).unwrap_or_else(|error| panic!("{args:?}: {error}"))
}

#[test]
fn nothing_but_a_context() {
    let expected = BuildOptions {
        context: ".".into(),
        ..BuildOptions::default()
    };
    assert_eq!(parsed(&["."]), expected);
    assert_eq!(parsed(&["--", "."]), expected);
    assert_eq!(parsed(&["--load=false", "--pull=0", "."]), expected);
}

#[test]
fn values_follow_in_every_way() {
    for args in [
        &["--tag=x", "."][..],
        &["--tag", "x", "."],
        &["-t", "x", "."],
        &["-t=x", "."],
        &["-tx", "."],
        &[".", "-t", "x"],
        &[".", "-Dqt", "x"],
    ] {
        assert_eq!(parsed(args).tags, ["x"], "{args:?}");
    }
    assert_eq!(parsed(&["-f", "-", "."]).dockerfile.as_deref(), Some("-"));
    assert_eq!(parsed(&["-"]).context, "-");
    assert_eq!(parsed(&["-f-", "."]).dockerfile.as_deref(), Some("-"));
    assert_eq!(parsed(&["--build-arg", "-x=1", "."]).build_args.len(), 1);
}

#[test]
fn the_last_of_a_single_value_counts() {
    assert_eq!(
        parsed(&["--target", "a", "--target=b", "."])
            .target
            .as_deref(),
        Some("b")
    );
    assert!(!parsed(&["--load", "--load=false", "."]).load);
    assert_eq!(parsed(&["-t", "a", "-t", "b", "."]).tags, ["a", "b"]);
    assert_eq!(parsed(&["--target", "a", "--target=", "."]).target, None);
}

#[test]
fn every_flag_arrives() {
    let options = parsed(&[
        "--add-host",
        "a:1.2.3.4",
        "--add-host",
        "g:host-gateway",
        "--allow",
        "network.host",
        "--annotation",
        "manifest,index:k=v",
        "--attest",
        "type=sbom,generator=g",
        "--provenance",
        "mode=max",
        "--build-arg",
        "A=1",
        "--build-arg",
        "B",
        "--build-context",
        "base=docker-image://alpine",
        "--cache-from",
        "a/b",
        "--cache-to",
        "type=inline",
        "--cgroup-parent",
        "cg",
        "-f",
        "Df",
        "--iidfile",
        "iid",
        "--label",
        "l=1",
        "--label",
        "m",
        "--load",
        "--metadata-file",
        "md",
        "--network",
        "host",
        "--no-cache-filter",
        "s1,s2",
        "-o",
        "type=docker",
        "--platform",
        "linux/amd64,arm64",
        "--progress",
        "plain",
        "--pull",
        "--push",
        "--secret",
        "id=s",
        "--shm-size",
        "64m",
        "--ssh",
        "default",
        "-t",
        "x",
        "--target",
        "t",
        "--ulimit",
        "nofile=1:2",
        "--builder",
        "bld",
        "-D",
        ".",
    ]);
    assert_eq!(options.hosts[1], ("g".into(), HostTarget::Gateway));
    assert_eq!(options.allow, ["network.host"]);
    assert_eq!(options.annotations.len(), 2);
    assert_eq!(
        options.attests["provenance"].as_deref(),
        Some("type=provenance,mode=max")
    );
    assert!(options.attests.contains_key("sbom"));
    assert_eq!(
        options.build_args,
        [("A".into(), Some("1".into())), ("B".into(), None)]
    );
    assert_eq!(
        options.named_contexts,
        [("base".into(), "docker-image://alpine".into())]
    );
    assert_eq!(options.cache_from[0].kind, "registry");
    assert_eq!(options.cache_to[0].kind, "inline");
    assert_eq!(options.cgroup_parent.as_deref(), Some("cg"));
    assert_eq!(options.dockerfile.as_deref(), Some("Df"));
    assert_eq!(options.iidfile, Some("iid".into()));
    assert_eq!(options.labels[1], ("m".into(), String::new()));
    assert!(options.load && options.push && options.pull && options.debug);
    assert_eq!(options.metadata_file, Some("md".into()));
    assert_eq!(options.network, Network::Host);
    assert_eq!(options.no_cache_filter, ["s1", "s2"]);
    assert_eq!(options.outputs[0].kind, OutputKind::Docker);
    assert_eq!(options.platforms.len(), 2);
    assert_eq!(options.progress, Mode::Plain);
    assert_eq!(options.secrets, ["id=s"]);
    assert_eq!(options.shm_size, 64 << 20);
    assert_eq!(options.ssh, ["default"]);
    assert_eq!(options.target.as_deref(), Some("t"));
    assert_eq!(options.ulimits["nofile"], (1, 2));
    assert_eq!(options.builder.as_deref(), Some("bld"));
    assert!(options.warnings.is_empty());
}

#[test]
fn flags_of_the_classic_builder() {
    let options = parsed(&[
        "--compress",
        "--squash",
        "--rm",
        "--force-rm=false",
        "--isolation",
        "hyperv",
        "--security-opt",
        "x",
        "-m",
        "1g",
        "--memory-swap",
        "2g",
        "-c",
        "5",
        "--cpu-period",
        "6",
        "--cpu-quota",
        "-1",
        "--cpuset-cpus",
        "0",
        "--cpuset-mems",
        "0",
        ".",
    ]);
    assert_eq!(options.warnings.len(), 5, "{:?}", options.warnings);
    assert!(
        parsed(&["--rm", "--force-rm", "--squash=false", "."])
            .warnings
            .is_empty()
    );
    assert_eq!(parsed(&["--call", "build", "."]).context, ".");
}
