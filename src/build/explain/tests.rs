use super::*;
use crate::engine::errors::LineRange;

const REF: &str = "failed to compute cache key: failed to calculate checksum of ref a::b: ";

fn scene(files: &[&str], ignore: &str) -> (tempfile::TempDir, Scene) {
    let dir = tempfile::tempdir().unwrap();
    for file in files {
        let path = dir.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    if !ignore.is_empty() {
        fs::write(dir.path().join(".dockerignore"), ignore).unwrap();
    }
    let scene = Scene {
        context: Some(dir.path().to_path_buf()),
        dockerfile: Some(dir.path().join("Dockerfile")),
        dirs: vec![("named".into(), dir.path().join("sub"))],
    };
    (dir, scene)
}

fn failure(message: String, instruction: &str) -> BuildError {
    let mut error = BuildError::local(message);
    error.sources.push(Source {
        filename: "Dockerfile".into(),
        data: format!("FROM scratch\n{instruction}\n").into_bytes(),
        ranges: vec![LineRange { start: 2, end: 2 }],
    });
    error
}

fn not_found(path: &str, instruction: &str, scene: &Scene) -> Vec<String> {
    explain(
        &failure(format!("{REF}\"/{path}\": not found"), instruction),
        scene,
    )
}

#[test]
fn names_the_pattern_and_its_line() {
    let ignore = "# secrets\n\n*.log\n/src/secret*\n!src/secret.md\n";
    let files = ["src/secret.txt", "src/secret.md", "a.log", "node/x/y"];
    let (_dir, scene) = scene(&files, ignore);
    assert_eq!(
        not_found("src/secret.txt", "COPY src/secret.txt /", &scene),
        [
            "/src/secret.txt is in the context, but pattern \"/src/secret*\" of .dockerignore (line 4) hides it"
        ]
    );
    assert_eq!(
        not_found("a.log", "COPY a.log /", &scene),
        ["/a.log is in the context, but pattern \"*.log\" of .dockerignore (line 3) hides it"]
    );
    // There and not hidden: nothing is known.
    assert!(not_found("src/secret.md", "COPY src/secret.md /", &scene).is_empty());
}

#[test]
fn a_pattern_for_the_directory_above_counts() {
    let (_dir, scene) = scene(&["node/x/y"], "node\n");
    let lines = not_found("node/x/y", "COPY node/x/y /", &scene);
    assert!(
        lines[0].contains("pattern \"node\" of .dockerignore (line 1)"),
        "{lines:?}"
    );
}

#[test]
fn the_dockerfiles_own_ignore_file_counts_alone() {
    let (dir, scene) = scene(&["a", "b"], "a\n");
    fs::write(dir.path().join("Dockerfile.dockerignore"), "b\n").unwrap();
    let lines = not_found("b", "COPY b /", &scene);
    assert!(
        lines[0].contains("pattern \"b\" of Dockerfile.dockerignore (line 1)"),
        "{lines:?}"
    );
    assert!(not_found("a", "COPY a /", &scene).is_empty());
}

#[test]
fn proposes_near_names_that_are_not_hidden() {
    let files = [
        "src/main.rs",
        "lib/main.rs",
        "src/mian.rs.bak",
        "README.md",
        "old/main.rs",
    ];
    let (_dir, scene) = scene(&files, "old\n");
    let near = |path: &str| not_found(path, "COPY x /", &scene).remove(0);
    assert_eq!(
        near("src/mian.rs"),
        "/src/mian.rs is not in the context; near names: src/main.rs, lib/main.rs"
    );
    assert!(near("readme.md").ends_with("near names: README.md"));
    assert!(near("quite/different").starts_with("/quite/different is not in the context ("));
}

#[test]
fn a_missing_directory_stands_for_the_source_below_it() {
    let (_dir, scene) = scene(&["src/secret", "src/main"], "src\n");
    let message = "failed to compute cache key: failed to calculate checksum of ref a::b: failed to walk /d/buildkit-mount1/src: lstat /d/buildkit-mount1/src: no such file or directory";
    let hint = |instruction: &str| explain(&failure(message.into(), instruction), &scene).remove(0);
    assert!(hint("COPY src/secret /x").starts_with("/src/secret is in the context, but pattern"));
    assert!(hint("COPY [\"./src/secret\", \"/x\"]").starts_with("/src/secret is in"));
    assert!(hint("COPY src/sec* /src/main").starts_with("/src is in the context, but pattern"));
}

#[test]
fn contexts_by_name_and_stages() {
    let (_dir, scene) = scene(&["sub/file", "file"], "");
    let lines = not_found("flie", "COPY --from=named flie /", &scene);
    assert_eq!(
        lines,
        ["/flie is not in the context named; near names: file"]
    );
    assert!(not_found("flie", "COPY --from=stage flie /", &scene).is_empty());
    assert!(
        not_found(
            "flie",
            "RUN --mount=type=bind,from=stage,target=/m ls",
            &scene
        )
        .is_empty()
    );
}

#[test]
fn paths_that_would_leave_the_context() {
    let (_dir, scene) = scene(&["a"], "");
    let lines = not_found("secret", "COPY ../secret /", &scene);
    assert!(lines[0].contains("--build-context"), "{lines:?}");
}

#[test]
fn texts_of_old_and_new_engines() {
    assert_eq!(
        missing_path(&format!("{REF}\"/a b/c\": not found")),
        Some("a b/c")
    );
    assert_eq!(
        missing_path("failed to compute cache key: \"/x\" not found: not found"),
        Some("x")
    );
    let walk = "failed to calculate checksum of ref a::b: failed to walk /d/tmp/buildkit-mount12/src: lstat /d/tmp/buildkit-mount12/src: no such file or directory";
    assert_eq!(missing_path(walk), Some("src"));
    assert_eq!(missing_path("target stage \"x\": not found"), None);
    assert_eq!(missing_path(&format!("{REF}\": not found")), None);
}

#[test]
fn killed_steps() {
    let killed = |message: &str, code| {
        let mut error = BuildError::local(message);
        error.exit_code = code;
        explain(&error, &Scene::default())
    };
    let step = "process \"/bin/sh -c x\" did not complete successfully: ";
    let lines = killed(&format!("{step}exit code: 137"), Some(137));
    assert_eq!(
        lines,
        ["exit code 137: killed (SIGKILL); the engine gave no out-of-memory evidence"]
    );
    let lines = killed(&format!("{step}cannot allocate memory"), None);
    assert!(
        lines[0].starts_with("the step ran out of memory"),
        "{lines:?}"
    );
    assert!(killed(&format!("{step}exit code: 1"), Some(1)).is_empty());
    let mut cancelled = BuildError::canceled();
    cancelled.exit_code = Some(137);
    assert!(explain(&cancelled, &Scene::default()).is_empty());
}

#[test]
fn an_engine_without_a_bridge_says_what_helps() {
    let error = BuildError::local(
        "process \"/bin/sh -c true\" did not complete successfully: network bridge not found",
    );
    let lines = explain(&error, &Scene::default());
    assert!(
        lines.iter().any(|line| line.contains("--network=host")),
        "{lines:?}"
    );
}

#[test]
fn what_a_step_asks_for_and_nobody_granted_is_named() {
    let lines = |message: &str| explain(&BuildError::local(message), &Scene::default());
    assert_eq!(
        lines("failed to load LLB: network.host is not allowed"),
        ["a step asks for network.host: --allow=network.host grants it"]
    );
    let lines_of_engine = lines(
        "granting entitlement security.insecure is not allowed by build daemon configuration",
    );
    assert!(
        lines_of_engine.len() == 1 && lines_of_engine[0].contains("the engine's configuration"),
        "{lines_of_engine:?}"
    );
    assert!(lines("COPY --link is not allowed").is_empty());
}
