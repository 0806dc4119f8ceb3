//! The formats below were written by Docker's buildx 0.29.1.

use std::os::unix::fs::PermissionsExt;

use super::*;

const HOST: &str = "unix:///var/run/docker.sock";

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::new(dir.path().join("docker/buildx"));
    (dir, store)
}

fn put(store: &Store, name: &str, text: &str) {
    let path = store.dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn a_missing_store_is_empty_and_stays_missing() {
    let (dir, store) = store();
    assert_eq!(store.current(HOST).unwrap(), None);
    assert_eq!(store.instance("remo").unwrap(), None);
    assert_eq!(store.names().unwrap(), Vec::<String>::new());
    assert!(!dir.path().join("docker").exists());
}

#[test]
fn reads_a_remote_builder() {
    let (_dir, store) = store();
    put(
        &store,
        "instances/remo",
        r#"{"Name":"Remo","Driver":"remote","Nodes":[{"Name":"remo0","Endpoint":"tcp://127.0.0.1:1234","Platforms":null,"DriverOpts":{"cacert":"/tmp/ca.pem","default-load":"true"},"Flags":null,"Files":null}],"Dynamic":false,"Later":1}"#,
    );
    let instance = store.instance("Remo").unwrap().unwrap();
    assert_eq!(instance.name, "Remo");
    assert_eq!(instance.driver, "remote");
    let node = &instance.nodes[0];
    assert_eq!(node.endpoint, "tcp://127.0.0.1:1234");
    assert_eq!(node.driver_opts["cacert"], "/tmp/ca.pem");
    assert!(node.platforms.is_empty() && node.flags.is_empty() && node.files.is_empty());
    assert_eq!(store.names().unwrap(), ["remo"]);
}

#[test]
fn reads_a_container_builder_with_platforms_flags_and_files() {
    let (_dir, store) = store();
    put(
        &store,
        "instances/c",
        r#"{"Name":"c","Driver":"docker-container","Nodes":[{"Name":"c0","Endpoint":"unix:///d.sock","Platforms":[{"architecture":"arm","os":"linux","variant":"v7"}],"DriverOpts":{"env.A":"b,c"},"Flags":["--debug"],"Files":{"buildkitd.toml":"ZGVidWcgPSB0cnVlCg=="}}],"Dynamic":false}"#,
    );
    let node = store.instance("c").unwrap().unwrap().nodes.remove(0);
    assert_eq!(node.platforms[0].architecture, "arm");
    assert_eq!(node.platforms[0].variant, "v7");
    assert_eq!(node.flags, ["--debug"]);
    assert_eq!(node.files["buildkitd.toml"], b"debug = true\n");
}

#[test]
fn current_belongs_to_an_endpoint_unless_global() {
    let (_dir, store) = store();
    put(
        &store,
        "current",
        r#"{"Key":"unix:///var/run/docker.sock","Name":"remo","Global":false}"#,
    );
    assert_eq!(store.current(HOST).unwrap().as_deref(), Some("remo"));
    assert_eq!(store.current("myctx").unwrap(), None);

    put(
        &store,
        "current",
        r#"{"Key":"unix:///var/run/docker.sock","Name":"remo","Global":true}"#,
    );
    assert_eq!(store.current("myctx").unwrap().as_deref(), Some("remo"));
}

#[test]
fn the_default_of_an_endpoint_comes_after_current() {
    let (_dir, store) = store();
    // The name of the file is what buildx made of the endpoint.
    put(&store, "defaults/514b9f6eb51d2c22d6aa", "r");
    assert_eq!(
        store.current("tcp://1.2.3.4:5").unwrap().as_deref(),
        Some("r")
    );
    assert_eq!(store.current(HOST).unwrap(), None);
    put(
        &store,
        "current",
        r#"{"Key":"tcp://1.2.3.4:5","Name":"other","Global":false}"#,
    );
    assert_eq!(
        store.current("tcp://1.2.3.4:5").unwrap().as_deref(),
        Some("other")
    );
    put(
        &store,
        "current",
        r#"{"Key":"tcp://1.2.3.4:5","Name":"","Global":false}"#,
    );
    assert_eq!(
        store.current("tcp://1.2.3.4:5").unwrap().as_deref(),
        Some("r")
    );
}

#[test]
fn damage_is_one_line_that_names_the_file() {
    let (_dir, store) = store();
    put(&store, "instances/bad", "{\"Name\":");
    let error = store.instance("bad").unwrap_err().to_string();
    assert!(error.contains("instances/bad is damaged"), "{error}");
    assert!(!error.contains('\n'), "{error}");
}

#[test]
fn names_cannot_leave_the_store() {
    let (_dir, store) = store();
    for name in ["../x", "a/b", "", ".lock", "0a", "a b", "ä"] {
        assert!(
            matches!(store.instance(name), Err(StoreError::Name(_))),
            "{name}"
        );
    }
    let error = store.save_ref("b", "n", "../../x", &LocalState::default());
    assert!(error.is_err());
}

#[test]
fn writes_what_buildx_writes_with_private_modes() {
    let (_dir, store) = store();
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_518_550);
    store.record_activity("Remo", at).unwrap();
    let text = fs::read_to_string(store.dir.join("activity/Remo")).unwrap();
    assert_eq!(text, "2026-11-24T11:09:10Z");

    let state = LocalState {
        target: String::new(),
        local_path: "/src".into(),
        dockerfile_path: "Dockerfile".into(),
    };
    store.save_ref("remo", "remo0", "abc123", &state).unwrap();
    let path = store.dir.join("refs/remo/remo0/abc123");
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        r#"{"Target":"","LocalPath":"/src","DockerfilePath":"Dockerfile"}"#
    );
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&store.dir), 0o700);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    // Nothing but the files that were asked for.
    let names: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
    assert_eq!(names.len(), 1);
}

#[test]
fn the_node_id_is_made_once() {
    let (_dir, store) = store();
    let ids: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| store.node_id().unwrap()))
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert_eq!(ids[0].len(), 16);
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    put(&store, ".buildNodeID", "0123456789abcdef");
    assert_eq!(store.node_id().unwrap(), "0123456789abcdef");
}
