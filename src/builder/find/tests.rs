//! The search order, with environments that no process has and sockets that are real.

use std::fs;
use std::os::unix::net::UnixListener;

use super::*;

struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join(".docker/buildx/instances")).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    /// An environment in which nothing of the machine is found.
    fn env(&self, more: &[(&str, &str)]) -> Env {
        let own = [
            ("HOME".to_owned(), self.path("")),
            ("BUILDX_EMBEDDED".to_owned(), self.path("embedded")),
            ("BUILDX_EMBEDDED_IDLE".to_owned(), "never".to_owned()),
        ];
        more.iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .chain(own)
            .collect()
    }

    fn instance(&self, name: &str, driver: &str, endpoints: &[&str]) {
        let nodes: Vec<_> = endpoints
            .iter()
            .enumerate()
            .map(|(number, endpoint)| {
                serde_json::json!({"Name": format!("{name}{number}"), "Endpoint": endpoint})
            })
            .collect();
        let json = serde_json::json!({"Name": name, "Driver": driver, "Nodes": nodes});
        let path = self.path(&format!(".docker/buildx/instances/{name}"));
        fs::write(path, json.to_string()).unwrap();
    }

    fn current(&self, key: &str, name: &str, global: bool) {
        let json = serde_json::json!({"Key": key, "Name": name, "Global": global});
        fs::write(self.path(".docker/buildx/current"), json.to_string()).unwrap();
    }
}

async fn fails(wanted: Option<&str>, env: &Env) -> NotFound {
    find(wanted, env, &mut |_| {}).await.unwrap_err()
}

#[tokio::test]
async fn an_unknown_builder_lists_the_known_ones() {
    let home = Home::new();
    home.instance("remo", "remote", &["unix:///nonexistent"]);
    let error = fails(Some("typo"), &home.env(&[])).await.to_string();
    assert_eq!(
        error,
        "builder \"typo\" (--builder): there is no builder and no docker context of this name \
         (known builders: default, embedded, remo)"
    );
}

#[tokio::test]
async fn the_option_comes_before_the_variable() {
    let home = Home::new();
    let env = home.env(&[("BUILDX_BUILDER", "two")]);
    let by_option = fails(Some("one"), &env).await;
    assert!(by_option.tried[0].what.contains("\"one\" (--builder)"));
    let by_variable = fails(None, &env).await;
    assert!(
        by_variable.tried[0]
            .what
            .contains("\"two\" (BUILDX_BUILDER)")
    );
}

#[tokio::test]
async fn a_chosen_builder_that_is_dead_is_never_replaced() {
    let home = Home::new();
    let (one, two) = (home.path("one.sock"), home.path("two.sock"));
    home.instance(
        "remo",
        "remote",
        &[&format!("unix://{one}"), &format!("unix://{two}")],
    );
    home.current("unix:///var/run/docker.sock", "remo", false);
    for wanted in [None, Some("remo")] {
        let error = fails(wanted, &home.env(&[])).await;
        assert_eq!(error.tried.len(), 2, "{error}");
        assert!(error.tried[0].what.contains(&one), "{error}");
        assert!(error.tried[0].why.contains("No such file"), "{error}");
        assert!(error.tried[1].what.contains(&two), "{error}");
    }
}

#[tokio::test]
async fn a_dead_docker_host_is_an_error_with_help() {
    let home = Home::new();
    let socket = home.path("docker.sock");
    // A socket that nobody listens on any more.
    drop(UnixListener::bind(&socket).unwrap());
    let env = home.env(&[("DOCKER_HOST", &format!("unix://{socket}"))]);
    let error = fails(None, &env).await.to_string();
    assert!(error.contains("Connection refused"), "{error}");
    assert!(error.contains("unset DOCKER_HOST"), "{error}");
    assert!(!error.contains('\n'), "{error}");
    assert_eq!(fails(Some("default"), &env).await.to_string(), error);
}

#[tokio::test]
async fn a_choice_for_another_docker_host_does_not_count() {
    let home = Home::new();
    home.instance("remo", "remote", &["unix:///nonexistent/remo"]);
    home.current("unix:///elsewhere.sock", "remo", false);
    let env = home.env(&[("DOCKER_HOST", "unix:///nonexistent/docker.sock")]);
    let error = fails(None, &env).await.to_string();
    assert!(error.contains("/nonexistent/docker.sock"), "{error}");
    assert!(!error.contains("remo"), "{error}");

    home.current("unix:///elsewhere.sock", "remo", true);
    let error = fails(None, &env).await.to_string();
    assert!(error.contains("/nonexistent/remo"), "{error}");
}

#[tokio::test]
async fn a_choice_that_is_gone_is_passed_over_and_told() {
    let home = Home::new();
    let host = "unix:///nonexistent/docker.sock";
    home.current(host, "gone", false);
    let error = fails(None, &home.env(&[("DOCKER_HOST", host)])).await;
    assert_eq!(error.tried.len(), 2, "{error}");
    assert!(
        error.to_string().contains("docker buildx use default"),
        "{error}"
    );
}

#[tokio::test]
async fn nothing_at_all_lists_everything() {
    let home = Home::new();
    let (docker, run) = (home.path("docker.sock"), home.path("run"));
    let env = home.env(&[("XDG_RUNTIME_DIR", &run)]);
    let mut search = Search::new(&env);
    search.paths.docker_socket = docker.clone().into();
    search.paths.buildkit_sockets[0] = home.path("buildkitd.sock").into();
    let error = search.find(None, &mut |_| {}).await.unwrap_err();
    let tried: Vec<&str> = error.tried.iter().map(|t| t.what.as_str()).collect();
    assert_eq!(
        tried,
        [
            &format!("unix://{docker} (default docker socket)"),
            &format!("BuildKit at unix://{}", home.path("buildkitd.sock")),
            &format!("BuildKit at unix://{run}/buildkit/buildkitd.sock"),
            &format!("BuildKit at unix://{run}/buildkit-default/buildkitd.sock"),
            "embedded engine",
        ]
    );
    let text = error.to_string();
    assert_eq!(text.lines().count(), 6, "{text}");
    assert!(text.contains("sudo systemctl start docker"), "{text}");
}

#[tokio::test]
async fn a_socket_that_never_answers_costs_five_seconds() {
    let home = Home::new();
    let socket = home.path("deaf.sock");
    let _deaf = UnixListener::bind(&socket).unwrap();
    home.instance("deaf", "remote", &[&format!("unix://{socket}")]);
    let start = std::time::Instant::now();
    let mut shown = Vec::new();
    let error = find(Some("deaf"), &home.env(&[]), &mut |line| {
        shown.push(line.to_owned())
    })
    .await
    .unwrap_err();
    let took = start.elapsed();
    assert!(
        error.to_string().contains("did not answer within 5 s"),
        "{error}"
    );
    assert!(
        took >= CONNECT_DEADLINE && took < 2 * CONNECT_DEADLINE,
        "{took:?}"
    );
    assert_eq!(
        shown,
        [format!("waiting for unix://{socket} (5 s at most)")]
    );
}

#[tokio::test]
async fn a_damaged_builder_names_its_file() {
    let home = Home::new();
    fs::write(home.path(".docker/buildx/instances/bad"), "{").unwrap();
    let error = fails(Some("bad"), &home.env(&[])).await.to_string();
    assert!(error.contains("instances/bad is damaged"), "{error}");
    assert!(!error.contains('\n'), "{error}");
}

#[tokio::test]
async fn drivers_that_we_do_not_have_are_named() {
    let home = Home::new();
    home.instance("kube", "kubernetes", &["kubernetes:///kube"]);
    let error = fails(Some("kube"), &home.env(&[])).await.to_string();
    assert!(
        error.contains("driver \"kubernetes\" is not supported"),
        "{error}"
    );
}
