use tempfile::TempDir;

use super::*;
use crate::build::options::{key_value, output};

fn prepared(
    dir: &TempDir,
    env: &[(&str, &str)],
    terminal: bool,
    change: impl FnOnce(&mut BuildOptions),
) -> Result<Prepared, String> {
    fs::write(dir.path().join("Dockerfile"), "FROM scratch").unwrap();
    let mut options = BuildOptions {
        context: ".".into(),
        ..BuildOptions::default()
    };
    change(&mut options);
    let env = |name: &str| {
        env.iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| (*value).to_owned())
    };
    let around = Surroundings {
        env: &env,
        cwd: dir.path().to_path_buf(),
        stdin: None,
        stdout_is_terminal: terminal,
        proxy_args: vec![("http_proxy".into(), "http://p".into())],
    };
    prepare(options, around).map_err(|error| error.0)
}

fn dir() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn build_arguments_from_everywhere() {
    let env = [("HOME_X", "/h"), ("EMPTY", ""), ("SOURCE_DATE_EPOCH", "3")];
    let args = |texts: &[&str]| {
        let texts: Vec<_> = texts.iter().map(|text| key_value(text).unwrap()).collect();
        prepared(&dir(), &env, false, |o| o.build_args = texts)
            .unwrap()
            .build_args
            .into_iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        args(&["A=1", "A=2", "HOME_X", "EMPTY", "UNSET", "B="]),
        [
            "A=2",
            "B=",
            "EMPTY=",
            "HOME_X=/h",
            "SOURCE_DATE_EPOCH=3",
            "http_proxy=http://p"
        ]
    );
    assert_eq!(
        args(&["http_proxy=", "SOURCE_DATE_EPOCH=5"]),
        ["SOURCE_DATE_EPOCH=5", "http_proxy="]
    );
}

#[test]
fn platform_of_the_environment() {
    let env = [("DOCKER_DEFAULT_PLATFORM", "linux/x86_64")];
    let platforms = |given: Vec<Platform>| {
        let prepared = prepared(&dir(), &env, false, |o| o.platforms = given).unwrap();
        prepared
            .platforms
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(platforms(Vec::new()), ["linux/amd64"]);
    assert_eq!(
        platforms(vec![platform::parse("arm64").unwrap()]),
        ["linux/arm64"]
    );
    let error = prepared(
        &dir(),
        &[("DOCKER_DEFAULT_PLATFORM", "lniux/x")],
        false,
        |_| (),
    );
    assert!(error.unwrap_err().starts_with("DOCKER_DEFAULT_PLATFORM: "));
}

#[test]
fn outputs_are_placed_and_checked() {
    let dir = dir();
    fs::create_dir(dir.path().join("d")).unwrap();
    fs::write(dir.path().join("f"), "").unwrap();
    let place = |text: &str, terminal| {
        let outputs = text
            .split(' ')
            .map(|text| output::parse(text).unwrap().unwrap())
            .collect();
        prepared(&dir, &[], terminal, |o| o.outputs = outputs).map(|prepared| {
            prepared.outputs[0].place.clone().map(|place| match place {
                Place::Stdout => "-".to_owned(),
                Place::Path(path) => path.strip_prefix(dir.path()).unwrap().display().to_string(),
            })
        })
    };
    let at = |text: &str| Ok(Some(text.to_owned()));
    assert_eq!(place("d", false), at("d"));
    assert_eq!(place("new/deep", false), at("new/deep"));
    assert_eq!(place("type=tar", false), at("-"));
    assert_eq!(place("type=oci,dest=new.tar", false), at("new.tar"));
    assert_eq!(place("type=oci,dest=n/d,tar=false", false), at("n/d"));
    assert_eq!(place("type=docker", false), Ok(None));
    assert_eq!(place("type=image", true), Ok(None));
    let refused = |text: &str, terminal| place(text, terminal).unwrap_err();
    assert_eq!(
        refused("type=tar", true),
        "dest file is required for tar exporter, refusing to write to console"
    );
    assert!(refused("-", true).contains("refusing to write to console"));
    assert_eq!(refused("f", false), "destination directory f is a file");
    assert_eq!(
        refused("type=tar,dest=d", false),
        "destination file d is a directory"
    );
    assert_eq!(
        refused("type=tar,dest=nope/a.tar", false),
        "failed to open nope/a.tar: no such file or directory"
    );
    assert_eq!(
        refused("type=oci,tar=false", false),
        "dest is required for oci exporter"
    );
    assert_eq!(
        refused("type=oci,tar=false,dest=-", false),
        "dest cannot be stdout for oci exporter"
    );
    assert_eq!(
        refused("type=tar type=oci", false),
        "multiple outputs configured to write to stdout"
    );
    assert!(refused("type=image,dest=x", false).contains("has no dest"));
}

#[test]
fn caches() {
    use cache::Direction::{Export, Import};
    let dir = dir();
    let run = |from: &str, to: &str, env: &[(&str, &str)]| {
        let from = cache::parse(from, Import).unwrap();
        let to = cache::parse(to, Export).unwrap();
        prepared(&dir, env, false, |o| {
            o.cache_from = from;
            o.cache_to = to;
        })
        .unwrap()
    };
    let prepared = run("type=local,src=c", "type=local,dest=c", &[]);
    assert!(prepared.cache_from.is_empty());
    assert_eq!(
        prepared.warnings,
        ["local cache import at c not found, building without it"]
    );
    assert_eq!(
        prepared.stores,
        [("local:c".to_owned(), dir.path().join("c"), true)]
    );
    assert!(run("type=gha", "type=gha", &[]).cache_to.is_empty());
    let env = [("ACTIONS_RUNTIME_TOKEN", "t"), ("ACTIONS_CACHE_URL", "u")];
    let prepared = run("type=gha", "type=gha", &env);
    assert_eq!(prepared.cache_from[0].attrs["token"], "t");
    assert!(!format!("{prepared:?}").contains("\"t\""));
    let env = [("AWS_SECRET_ACCESS_KEY", "k")];
    let prepared = run("type=s3,bucket=b", "", &env);
    assert_eq!(prepared.cache_from[0].attrs["secret_access_key"], "k");
}

#[test]
fn local_cache_gets_its_digest() {
    let dir = dir();
    let digest = format!("sha256:{}", "a".repeat(64));
    let layout = dir.path().join("c");
    fs::create_dir_all(layout.join("blobs/sha256")).unwrap();
    fs::write(layout.join("blobs/sha256").join("a".repeat(64)), "{}").unwrap();
    fs::write(
        layout.join("index.json"),
        format!(
            r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"m","digest":"{digest}","size":2,"annotations":{{"org.opencontainers.image.ref.name":"latest"}}}}]}}"#
        ),
    )
    .unwrap();
    let from = cache::parse("type=local,src=c", cache::Direction::Import).unwrap();
    let prepared = prepared(&dir, &[], false, |o| o.cache_from = from).unwrap();
    assert_eq!(prepared.cache_from[0].attrs["digest"], digest);
    assert_eq!(prepared.stores, [("local:c".to_owned(), layout, false)]);
    assert!(prepared.warnings.is_empty());
}
