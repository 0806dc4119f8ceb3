//! Flags about what becomes of the result, and about what is told of it.

use std::fs;

use serde_json::Value;

use super::{Layout, bare, build, printed_in, unpacked};
use crate::support::cmd::Buildx;
use crate::support::context::Context;
use crate::support::engine::{engine, graphdriver};
use crate::support::registry::Registry;

fn small() -> Context {
    Context::dockerfile("FROM scratch\nCOPY a /out\n").file("a", "A")
}

fn label_of(name: &str) -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let image = runtime.block_on(engine().image(name))?;
    let labels = image
        .config
        .and_then(|config| config.labels)
        .unwrap_or_default();
    Some(labels.get("mine").cloned().unwrap_or_default())
}

#[test]
fn tag_and_label() {
    let context = small();
    build(
        &context,
        [
            "-t",
            "flags-tag:one",
            "-t",
            "flags-tag-two",
            "--label",
            "mine=a=b",
        ],
    )
    .ok();
    assert_eq!(label_of("flags-tag:one").as_deref(), Some("a=b"));
    assert_eq!(label_of("flags-tag-two:latest").as_deref(), Some("a=b"));
}

#[test]
fn load_keeps_the_image_beside_another_output() {
    let context = small();
    let out = Context::new();
    let dest = out.join("o");
    let dest = dest.to_str().unwrap();
    build(&context, ["-t", "flags-not-loaded", "-o", dest]).ok();
    assert_eq!(label_of("flags-not-loaded"), None);
    build(&context, ["-t", "flags-loaded", "-o", dest, "--load"]).ok();
    assert_eq!(label_of("flags-loaded").as_deref(), Some(""));
    assert_eq!(fs::read_to_string(out.join("o/out")).unwrap(), "A");
}

#[test]
fn several_outputs_at_once() {
    let context = small();
    let out = Context::new();
    let at = |name: &str| out.join(name).display().to_string();
    let output = build(&context, ["-t", "flags-several"])
        .args(["-o", &at("dir")])
        .args(["-o", &format!("type=tar,dest={}", at("a.tar"))])
        .args(["-o", &format!("type=docker,dest={}", at("d.tar"))])
        .args(["-o", &format!("type=oci,tar=false,dest={}", at("layout"))])
        .args(["-o", "type=image"])
        .args(["-o", "type=cacheonly"])
        .args(["-o", "type=oci,dest=-"])
        .ok();
    assert_eq!(fs::read_to_string(out.join("dir/out")).unwrap(), "A");
    assert_eq!(unpacked(&fs::read(out.join("a.tar")).unwrap())["out"], b"A");
    assert!(unpacked(&fs::read(out.join("d.tar")).unwrap()).contains_key("manifest.json"));
    let index: Value =
        serde_json::from_slice(&fs::read(out.join("layout/index.json")).unwrap()).unwrap();
    let names = &index["manifests"][0]["annotations"];
    assert_eq!(
        names["io.containerd.image.name"],
        "docker.io/library/flags-several:latest"
    );
    assert!(unpacked(&output.stdout).contains_key("oci-layout"));
    assert_eq!(label_of("flags-several").as_deref(), Some(""));
}

#[test]
fn cacheonly_makes_nothing() {
    let context = small();
    let output = build(&context, ["-t", "flags-cacheonly", "-o", "type=cacheonly"]).ok();
    assert_eq!(label_of("flags-cacheonly"), None);
    assert!(!output.err().contains("WARNING"), "{output}");
}

#[test]
fn annotation() {
    let args = [
        "--annotation",
        "manifest,index:mine=both",
        "--annotation",
        "manifest-descriptor:d=e",
        // A result for one platform has an index only with an attestation.
        "--provenance=mode=min",
    ];
    let layout = Layout::built(&small(), args);
    assert_eq!(layout.manifest()["annotations"]["mine"], "both");
    assert_eq!(layout.manifests()[0]["annotations"]["d"], "e");
    let top = &layout.json("index.json")["manifests"][0];
    assert_eq!(layout.blob(top)["annotations"]["mine"], "both");
}

#[test]
fn provenance_and_attest() {
    let context = small();
    let statement = |args: &[&str]| {
        let layout = Layout::built(&context, args.iter().copied());
        let attestation = layout
            .manifests()
            .get(1)
            .map(|descriptor| layout.blob(descriptor))?;
        Some(layout.blob(&attestation["layers"][0])["predicate"].clone())
    };
    assert_eq!(statement(&["--provenance=false"]), None);
    let max = statement(&["--provenance=mode=max"]).unwrap();
    assert!(max["buildConfig"].is_object(), "{max}");
    let attest = statement(&["--attest", "type=provenance,mode=max"]).unwrap();
    assert!(attest["buildConfig"].is_object(), "{attest}");
    let min = statement(&["--provenance=mode=min"]).unwrap();
    assert!(min["buildConfig"].is_null(), "{min}");
    assert!(min["builder"].is_object(), "{min}");
}

#[test]
fn sbom_asks_for_its_generator() {
    // Nothing listens there: the name in the error is the proof that it was asked for.
    let generator = "generator=127.0.0.1:1/scanner";
    for args in [
        ["--sbom", generator],
        ["--attest", &format!("type=sbom,{generator}")],
    ] {
        let error = build(&small(), args)
            .args(["-o", "type=oci,dest=x.tar"])
            .fails(1)
            .error_line();
        assert!(error.contains("127.0.0.1:1/scanner"), "{error}");
    }
}

#[test]
fn push_with_either_store() {
    let registry = Registry::start();
    for (store, engine) in [("new", engine()), ("old", graphdriver())] {
        for (how, args) in [
            ("flag", &["--push"][..]),
            ("type", &["-o", "type=registry"]),
        ] {
            let name = format!("{}/{store}/{how}:v", registry.host());
            let context = small().file("a", format!("{store} {how}"));
            Buildx::on(engine, ["build", "-t", &name])
                .args(args)
                .arg(context.path())
                .ok();
            // Read back by the other way: an engine that does not have it.
            let reader = Context::dockerfile(format!("FROM {name}\n"));
            assert_eq!(
                printed_in(&reader, ["--pull"]),
                format!("{store} {how}"),
                "{name}"
            );
        }
    }
}

#[test]
fn output_attributes_of_registry() {
    let registry = Registry::start();
    let name = format!("{}/byname:v", registry.host());
    build(&small(), ["-o", &format!("type=image,push=true,name={name},compression=uncompressed,force-compression=true,oci-mediatypes=true")]).ok();
    let layout = Layout::built(&Context::dockerfile(format!("FROM {name}\n")), ["--pull"]);
    let kind = layout.manifest()["layers"][0]["mediaType"].clone();
    assert_eq!(kind, "application/vnd.oci.image.layer.v1.tar");
}

/// A context whose step prints something new each time that it really runs, and that no engine has
/// seen before.
fn unseen() -> Context {
    let mark = fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap();
    super::step(
        &format!("ENV MARK={mark}"),
        "cat /proc/sys/kernel/random/uuid",
    )
}

/// What the step of `context` prints on the engine with the old store, which shares no cache with
/// the other one.
fn printed_elsewhere(context: &Context, args: &[&str]) -> String {
    let fixed = [
        "build",
        "--network",
        "host",
        "--progress",
        "plain",
        "-o",
        "-",
    ];
    let output = Buildx::on(graphdriver(), fixed)
        .args(args)
        .arg(context.path())
        .ok();
    String::from_utf8(unpacked(&output.stdout)["out"].clone()).unwrap()
}

#[test]
fn cache_in_a_directory() {
    let context = unseen();
    let out = Context::new();
    let dir = out.join("cache").display().to_string();
    let to = format!("type=local,mode=max,dest={dir}");
    let first = printed_in(&context, ["--cache-to", &to]);
    assert!(out.join("cache/index.json").is_file());
    let from = format!("type=local,src={dir}");
    assert_eq!(printed_elsewhere(&context, &["--cache-from", &from]), first);
}

#[test]
fn cache_that_is_not_there_is_told() {
    let context = unseen();
    let output = build(&context, ["--cache-from", "type=local,src=/nope"]).ok();
    let warning = "WARNING: local cache import at /nope not found";
    assert!(output.err().contains(warning), "{output}");
}

#[test]
fn cache_in_a_registry() {
    let registry = Registry::start();
    let reference = format!("{}/cache:v", registry.host());
    let context = unseen();
    let to = format!("type=registry,ref={reference},mode=max");
    let first = printed_in(&context, ["--cache-to", &to]);
    assert_eq!(
        printed_elsewhere(&context, &["--cache-from", &reference]),
        first
    );
    assert_ne!(
        printed_elsewhere(&unseen(), &["--cache-from", &reference]),
        first
    );
}

#[test]
fn inline_cache() {
    let registry = Registry::start();
    let carried = |name: &str, args: &[&str]| {
        let mark = fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap();
        let context = Context::busybox(&format!(
            "ENV MARK={mark}\nRUN cat /proc/sys/kernel/random/uuid > /out\n"
        ));
        let name = format!("{}/{name}:v", registry.host());
        build(&context, ["--push", "-t", &name]).args(args).ok();
        let reader = Context::dockerfile(format!(
            "FROM {name} AS i\nFROM scratch\nCOPY --from=i /out /\n"
        ));
        let here = printed_in(&reader, ["--pull"]);
        here == printed_elsewhere(&context, &["--cache-from", &name])
    };
    assert!(carried("inline", &["--cache-to", "type=inline"]));
    assert!(carried("arg", &["--build-arg", "BUILDKIT_INLINE_CACHE=1"]));
    assert!(!carried("none", &[]));
}

#[test]
fn iidfile_and_quiet() {
    let context = small();
    let out = Context::new();
    let iid = out.join("iid").display().to_string();
    let output = Buildx::on(
        engine(),
        ["build", "-q", "-t", "flags-quiet", "--iidfile", &iid],
    )
    .arg(context.path())
    .ok();
    let id = fs::read_to_string(&iid).unwrap();
    assert!(id.starts_with("sha256:") && id.len() == 71, "{id:?}");
    assert_eq!(output.out(), format!("{id}\n"));
    assert_eq!(output.err(), "");
    // Nothing made, nothing written; and what was there is gone, for it is not about this build.
    build(&context, ["-o", "type=cacheonly", "--iidfile", &iid]).ok();
    assert!(!out.join("iid").exists());
}

#[test]
fn metadata_file() {
    let context = small();
    let out = Context::new();
    let path = out.join("m.json").display().to_string();
    build(&context, ["-t", "flags-metadata", "--metadata-file", &path]).ok();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("{\n  \"") && text.ends_with('}'), "{text}");
    let all: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(all["image.name"], "docker.io/library/flags-metadata:latest");
    assert_eq!(
        all["containerimage.descriptor"]["digest"],
        all["containerimage.digest"]
    );
    assert_eq!(
        all["buildx.build.ref"].as_str().unwrap().split('/').count(),
        3
    );
    assert!(
        all["buildx.build.provenance"]["buildType"].is_string(),
        "{text}"
    );
    assert!(
        all["buildx.build.provenance"]["buildConfig"].is_null(),
        "{text}"
    );

    build(&context, ["--metadata-file", &path])
        .env("BUILDX_METADATA_PROVENANCE", "disabled")
        .ok();
    let all: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert!(all["buildx.build.provenance"].is_null());

    // A build that fails leaves the file alone.
    let before = fs::read(&path).unwrap();
    let broken = Context::dockerfile("FROM scratch\nCOPY nope /\n");
    build(&broken, ["--metadata-file", &path]).fails(1);
    assert_eq!(fs::read(&path).unwrap(), before);
}

/// What Docker's own tools look for in the store to name the sources of a build.
#[test]
fn sources_are_remembered_by_absolute_names() {
    let context = small().file("other/Dockerfile", "FROM scratch\nCOPY a /out\n");
    let path = context.path().display().to_string();
    for (args, dockerfile) in [
        (&["."][..], String::new()),
        (
            &["-f", "./other/Dockerfile", "."],
            format!("{path}/other/Dockerfile"),
        ),
    ] {
        let output = bare([]).args(args).current_dir(context.path()).ok();
        let refs = output
            .home
            .path()
            .join(".docker/buildx/refs/default/default");
        let file = fs::read_dir(refs).unwrap().next().unwrap().unwrap().path();
        let state: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        let wanted = serde_json::json!({"Target": "default", "LocalPath": path, "DockerfilePath": dockerfile});
        assert_eq!(state, wanted);
    }
}

#[test]
fn progress_modes() {
    let context = small();
    let run = |mode: &str| {
        Buildx::on(engine(), ["build", "--progress", mode])
            .arg(context.path())
            .ok()
    };
    assert!(run("plain").err().starts_with("#0 building with"));
    assert_eq!(run("quiet").err(), "");
    assert_eq!(run("none").err(), "");
    let raw = run("rawjson").err();
    for line in raw.lines() {
        serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
    assert!(raw.contains("vertexes"), "{raw}");
    assert_eq!(run("plain").out(), "");
}

#[test]
fn builder() {
    let context = small();
    let by_flag = Buildx::on(engine(), ["build", "--builder", "nope"]).arg(context.path());
    let by_variable = Buildx::on(engine(), ["build"])
        .arg(context.path())
        .env("BUILDX_BUILDER", "nope");
    for run in [by_flag, by_variable] {
        let output = run.fails(1);
        assert!(output.error_line().contains("nope"), "{output}");
    }
}
