use std::io::Cursor;

use clap::Parser;

use super::*;
use crate::build::prepare::{Surroundings, prepare};
use crate::builder::node::Driver;
use crate::cli::{Cli, Command};

fn facts(kind: &str) -> EngineFacts {
    let dockerd = kind != "container";
    EngineFacts {
        driver: if dockerd {
            Driver::Docker
        } else {
            Driver::DockerContainer
        },
        dockerd,
        containerd_store: kind != "graphdriver",
        platforms: vec!["linux/amd64".into(), "linux/arm64".into()],
        host_gateway: None,
        several_exporters: true,
        default_load: false,
        load_as_oci: false,
        default_network_host: false,
        node_id: "0123456789abcdef".into(),
    }
}

fn planned_with(line: &str, facts: &EngineFacts, env: &[(&str, &str)]) -> Result<Plan, String> {
    let dir = tempfile::tempdir().unwrap();
    let cwd = dir.path().to_path_buf();
    std::fs::create_dir(cwd.join("ctx")).unwrap();
    std::fs::write(cwd.join("ctx/Dockerfile"), "FROM scratch\n").unwrap();
    let words = ["buildx", "build"]
        .into_iter()
        .chain(line.split_whitespace());
    let cli = Cli::try_parse_from(words).unwrap();
    let Some(Command::Build(args)) = cli.command else {
        panic!("{line}");
    };
    let options =
        crate::build::flags::options(args.build, cli.global.which).map_err(|error| error.0)?;
    let env = |name: &str| {
        let found = env.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let around = Surroundings {
        env: &env,
        cwd,
        stdin: Some(Box::new(Cursor::new(b"\x1f\x8b\x08".to_vec()))),
        stdout_is_terminal: false,
        proxy_args: Vec::new(),
    };
    let prepared = prepare(options, around).map_err(|error| error.0)?;
    let mut plan = plan(prepared, facts).map_err(|error| error.0)?;
    // Paths of the test's directory are the same for every run.
    let relative = |path: &PathBuf| path.strip_prefix(dir.path()).map(PathBuf::from).ok();
    for (_, sink) in &mut plan.sinks {
        if let Sink::Directory(path) | Sink::File(path) = sink {
            *path = relative(path).unwrap();
        }
    }
    for (_, path, _) in &mut plan.stores {
        *path = relative(path).unwrap();
    }
    for after in &mut plan.after {
        if let After::Layout { dir } | After::CacheLayout { dir, .. } = after {
            *dir = relative(dir).unwrap();
        }
    }
    Ok(plan)
}

fn planned(line: &str, kind: &str) -> Result<Plan, String> {
    planned_with(line, &facts(kind), &[])
}

/// `type key=value …` of each exporter.
fn exporters(plan: &Plan) -> Vec<String> {
    let first = plan.solve.exporters.first();
    assert_eq!(
        plan.solve.exporter_deprecated,
        first.map_or("", |one| one.r#type.as_str())
    );
    assert_eq!(
        plan.solve.exporter_attrs_deprecated,
        first.map(|one| one.attrs.clone()).unwrap_or_default()
    );
    plan.solve
        .exporters
        .iter()
        .map(|one| {
            let mut attrs: Vec<_> = one.attrs.iter().map(|(k, v)| format!(" {k}={v}")).collect();
            attrs.sort();
            format!("{}{}", one.r#type, attrs.concat())
        })
        .collect()
}

fn attrs(plan: &Plan) -> Vec<String> {
    let mut attrs: Vec<_> = plan
        .solve
        .frontend_attrs
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    attrs.sort();
    attrs
}

const DEFAULT_PROVENANCE: &str = "attest:provenance=mode=min,inline-only=true";

#[test]
fn nothing_but_a_context() {
    let plan = planned("ctx", "graphdriver").unwrap();
    assert_eq!(plan.solve.frontend, "dockerfile.v0");
    assert_eq!(
        attrs(&plan),
        ["filename=Dockerfile", "image-resolve-mode=local"]
    );
    assert_eq!(exporters(&plan), ["moby"]);
    assert_eq!(plan.shared_key, "ctx:0123456789abcdef");
    assert!(plan.solve.cache.is_some() && plan.warning_on_success.is_none());
    assert!(plan.solve.entitlements.is_empty());

    let plan = planned("ctx", "containerd").unwrap();
    assert_eq!(
        attrs(&plan),
        [
            DEFAULT_PROVENANCE,
            "filename=Dockerfile",
            "image-resolve-mode=local"
        ]
    );
    assert_eq!(exporters(&plan), ["moby"]);

    let plan = planned("ctx", "container").unwrap();
    assert_eq!(attrs(&plan), [DEFAULT_PROVENANCE, "filename=Dockerfile"]);
    assert!(plan.solve.exporters.is_empty());
    assert!(
        plan.warning_on_success
            .unwrap()
            .starts_with("No output specified with docker-container driver.")
    );
}

/// What docker's buildx 0.29.1 was seen to send to the engine, except that one image is not made
/// twice.
#[test]
fn outputs_by_driver() {
    let table: [(&str, &str, &[&str]); 27] = [
        ("graphdriver", "--load -t foo", &["moby name=foo"]),
        ("graphdriver", "-o type=docker", &["moby"]),
        (
            "graphdriver",
            "-o type=image,unpack=true -o o",
            &["moby unpack=true", "local"],
        ),
        ("graphdriver", "--load -o o", &["local", "moby"]),
        (
            "graphdriver",
            "-o type=docker,context=default -t foo",
            &["moby name=foo"],
        ),
        ("graphdriver", "--push -t h:1/foo", &["moby name=h:1/foo"]),
        (
            "graphdriver",
            "--load --push -t h:1/foo",
            &["moby name=h:1/foo"],
        ),
        ("graphdriver", "-o type=cacheonly", &[]),
        ("graphdriver", "-o -", &["tar"]),
        (
            "containerd",
            "--load --push -t h:1/foo",
            &["moby name=h:1/foo push=true"],
        ),
        (
            "containerd",
            "-o type=image,name=a --push -t h:1/foo -t h:1/bar",
            &["moby name=h:1/foo,h:1/bar push=true"],
        ),
        (
            "containerd",
            "-o type=registry,name=h:1/x",
            &["moby name=h:1/x push=true"],
        ),
        (
            "containerd",
            "-o type=docker,dest=o.tar -t foo",
            &["docker name=foo"],
        ),
        (
            "containerd",
            "-o type=oci,dest=o.tar -t foo",
            &["oci name=foo"],
        ),
        (
            "containerd",
            "-o type=oci,dest=o,tar=false",
            &["oci tar=false"],
        ),
        (
            "containerd",
            "-o type=local,dest=o,platform-split=false",
            &["local platform-split=false"],
        ),
        (
            "containerd",
            "-o o -o type=tar,dest=o.tar -o type=docker",
            &["local", "tar", "moby"],
        ),
        (
            "containerd",
            "--annotation a=b --annotation index:c=d",
            &["moby annotation-index.c=d annotation.a=b"],
        ),
        ("containerd", "-o o --annotation a=b", &["local"]),
        (
            "container",
            "--push -t h:1/foo",
            &["image name=h:1/foo push=true unpack=false"],
        ),
        ("container", "-o type=image -t foo", &["image name=foo"]),
        ("container", "--load -t foo", &["docker name=foo"]),
        (
            "container",
            "--load --push -t foo",
            &["image name=foo push=true unpack=false", "docker name=foo"],
        ),
        (
            "container",
            "--push -o o -t foo",
            &["local", "image name=foo push=true unpack=false"],
        ),
        ("container", "-o type=cacheonly", &[]),
        (
            "container",
            "-o type=registry,name=foo,compression=zstd",
            &["image compression=zstd name=foo push=true"],
        ),
        ("container", "-o type=docker,dest=-", &["docker"]),
    ];
    for (kind, line, expected) in table {
        let plan = planned(&format!("{line} ctx"), kind).unwrap();
        assert_eq!(exporters(&plan), expected, "{kind} {line}");
        assert_eq!(plan.warning_on_success, None, "{kind} {line}");
    }
}

#[test]
fn sinks_stores_and_what_comes_after() {
    let plan = planned(
        "-o o -o type=tar -o type=oci,dest=x.tar -o type=oci,dest=lay,tar=false --cache-to type=local,dest=c,mode=max,tag=t ctx",
        "containerd",
    )
    .unwrap();
    assert_eq!(
        plan.sinks,
        [
            (0, Sink::Directory("o".into())),
            (1, Sink::Stdout),
            (2, Sink::File("x.tar".into()))
        ]
    );
    assert_eq!(
        plan.stores,
        [
            ("local:c".to_owned(), PathBuf::from("c"), true),
            ("export".to_owned(), PathBuf::from("lay"), true)
        ]
    );
    assert_eq!(
        plan.after,
        [
            After::Layout { dir: "lay".into() },
            After::CacheLayout {
                dir: "c".into(),
                tag: "t".into()
            }
        ]
    );
    let plan = planned("--push -t h:1/a:x -t b ctx", "graphdriver").unwrap();
    let names = vec!["h:1/a:x".to_owned(), "b".to_owned()];
    assert_eq!(
        plan.after,
        [After::Push {
            names: names.clone()
        }]
    );
    assert_eq!(
        outputs::to_push(&names),
        [
            ("h:1/a".to_owned(), "x".to_owned()),
            ("b".to_owned(), "latest".to_owned())
        ]
    );
    let plan = planned("-o type=docker,context=far ctx", "container").unwrap();
    assert_eq!(
        plan.sinks,
        [(
            0,
            Sink::Load {
                context: Some("far".into())
            }
        )]
    );
    assert_eq!(exporters(&plan), ["docker"]);

    let mut new = facts("container");
    new.load_as_oci = true;
    let plan = planned_with("--load --platform linux/amd64,linux/arm64 ctx", &new, &[]).unwrap();
    assert_eq!(exporters(&plan), ["oci"]);
    let mut loading = facts("container");
    loading.default_load = true;
    let plan = planned_with("ctx", &loading, &[]).unwrap();
    assert_eq!(exporters(&plan), ["docker"]);
    let env = [("BUILDX_NO_DEFAULT_LOAD", "1")];
    let plan = planned_with("ctx", &facts("containerd"), &env).unwrap();
    assert!(exporters(&plan).is_empty());
}

#[test]
fn what_an_engine_cannot_do() {
    let tail = "is not supported for the docker driver. Switch to a different driver, or turn on the containerd image store, and try again.";
    for (line, what) in [
        ("-o type=oci,dest=o.tar", "OCI exporter"),
        ("-o type=oci,dest=o,tar=false", "OCI exporter"),
        ("-o type=docker,dest=o.tar", "Docker exporter"),
        ("--platform linux/amd64,linux/arm64", "Multi-platform build"),
        ("--sbom=true", "Attestation"),
        ("--provenance=mode=max", "Attestation"),
        ("--cache-to type=registry,ref=a", "Cache export"),
        ("--cache-to type=local,dest=a", "Cache export"),
    ] {
        let error = planned(&format!("{line} ctx"), "graphdriver").unwrap_err();
        assert_eq!(error, format!("{what} {tail}"), "{line}");
        assert!(
            planned(&format!("{line} ctx"), "containerd").is_ok(),
            "{line}"
        );
    }
    for line in ["--push", "-o type=registry", "--push -o o", "--load --push"] {
        for kind in ["graphdriver", "containerd", "container"] {
            assert_eq!(
                planned(&format!("{line} ctx"), kind).unwrap_err(),
                "tag is needed when pushing to registry",
                "{kind} {line}"
            );
        }
    }
    assert_eq!(
        planned("--annotation index:a=b ctx", "graphdriver").unwrap_err(),
        "index annotations not supported for single platform export"
    );
    assert!(
        planned("--load --platform linux/amd64,linux/arm64 ctx", "container")
            .unwrap_err()
            .starts_with("docker exporter does not currently support exporting manifest lists")
    );
    assert!(
        planned("--add-host g:host-gateway ctx", "containerd")
            .unwrap_err()
            .starts_with("unable to derive the IP value for host-gateway")
    );
    let mut old = facts("container");
    old.several_exporters = false;
    assert!(
        planned_with("-o o -o type=image ctx", &old, &[])
            .unwrap_err()
            .starts_with("multiple outputs are not supported")
    );
}

#[test]
fn frontend_attributes() {
    let line = "--add-host a:1.2.3.4 --add-host b=::1 --cgroup-parent cg --shm-size 64m \
        --ulimit nofile=5:7 --ulimit core=0 --label l=1 --label m --build-arg A=1 \
        --platform linux/x86_64,local --target t --pull --no-cache --network host \
        --allow security.insecure --sbom=true --provenance=false ctx";
    let plan = planned(line, "containerd").unwrap();
    assert_eq!(
        attrs(&plan),
        [
            "add-hosts=a=1.2.3.4,b=::1",
            "attest:sbom=type=sbom",
            "build-arg:A=1",
            "cgroup-parent=cg",
            "filename=Dockerfile",
            "force-network-mode=host",
            "image-resolve-mode=pull",
            "label:l=1",
            "label:m=",
            "no-cache=",
            "platform=linux/amd64",
            "shm-size=67108864",
            "target=t",
            "ulimit=core=0:0,nofile=5:7",
        ]
    );
    assert_eq!(
        plan.solve.entitlements,
        ["security.insecure", "network.host"]
    );

    let plan = planned(
        "--no-cache-filter a --no-cache-filter b,c --network none ctx",
        "container",
    )
    .unwrap();
    let all = attrs(&plan);
    assert!(all.contains(&"no-cache=a,b,c".into()), "{all:?}");
    assert!(all.contains(&"force-network-mode=none".into()), "{all:?}");

    let mut embedded = facts("containerd");
    embedded.default_network_host = true;
    let plan = planned_with("ctx", &embedded, &[]).unwrap();
    assert!(attrs(&plan).contains(&"force-network-mode=host".into()));
    assert_eq!(plan.solve.entitlements, ["network.host"]);

    let mut bridge = facts("containerd");
    bridge.host_gateway = "172.17.0.1".parse().ok();
    let plan = planned_with("--add-host g:host-gateway ctx", &bridge, &[]).unwrap();
    assert!(attrs(&plan).contains(&"add-hosts=g=172.17.0.1".into()));
}

#[test]
fn build_arguments_with_a_meaning() {
    let plan = planned(
        "--build-arg BUILDKIT_MULTI_PLATFORM=1 --build-arg BUILDKIT_INLINE_CACHE=1 ctx",
        "containerd",
    )
    .unwrap();
    assert!(attrs(&plan).contains(&"multi-platform=true".into()));
    assert_eq!(plan.solve.cache.unwrap().exports[0].r#type, "inline");
    let plan = planned("--build-arg BUILDKIT_SYNTAX=foo/bar ctx", "containerd").unwrap();
    assert_eq!(plan.solve.frontend, "gateway.v0");
    let all = attrs(&plan);
    assert!(all.contains(&"source=foo/bar".into()) && all.contains(&"cmdline=foo/bar".into()));
    let env = [("BUILDX_NO_DEFAULT_ATTESTATIONS", "1")];
    let plan = planned_with("ctx", &facts("container"), &env).unwrap();
    assert_eq!(attrs(&plan), ["filename=Dockerfile"]);
}

#[test]
fn caches_go_twice() {
    let plan = planned(
        "--cache-from foo/bar --cache-from type=s3,bucket=b --cache-to type=registry,ref=x,mode=max ctx",
        "container",
    )
    .unwrap();
    let cache = plan.solve.cache.as_ref().unwrap();
    assert_eq!(cache.imports.len(), 2);
    assert_eq!(cache.exports[0].attrs["mode"], "max");
    assert_eq!(
        plan.solve.frontend_attrs["cache-imports"],
        r#"[{"Attrs":{"ref":"foo/bar"},"Type":"registry"},{"Attrs":{"bucket":"b"},"Type":"s3"}]"#
    );
}

#[test]
fn an_upload_gets_its_url() {
    let mut plan = planned("-", "container").unwrap();
    assert!(!plan.solve.frontend_attrs.contains_key("context"));
    plan.set_upload(|_| "http://buildkit-session/x".into());
    assert_eq!(
        plan.solve.frontend_attrs["context"],
        "http://buildkit-session/x"
    );
    assert!(plan.upload.is_none());
}

#[test]
fn ssh_for_git() {
    let plan = planned("git@example.org:a.git", "container").unwrap();
    assert_eq!(plan.ssh, ["default"]);
    let plan = planned(
        "--ssh mine=/s --secret id=x git@example.org:a.git",
        "container",
    )
    .unwrap();
    assert_eq!(plan.ssh, ["mine=/s"]);
    assert_eq!(plan.secrets, ["id=x"]);
}
