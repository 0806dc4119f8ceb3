//! What is said when something is wrong: one line, a hint where there is one, and the exit code.

use super::{bare, build};
use crate::support::cmd::Buildx;
use crate::support::context::Context;
use crate::support::engine::graphdriver;

#[test]
fn usage_errors_are_one_line_and_exit_code_1() {
    let table = [
        (
            &["build", "--tga", "x", "."][..],
            "ERROR: unknown flag: --tga (did you mean --tag?)",
        ),
        (
            &["build", "--load=maybe", "."],
            "ERROR: invalid argument \"maybe\" for \"--load\" flag: expected true or false",
        ),
        (
            &["build"],
            "ERROR: buildx: 'buildx build' requires 1 argument (PATH | URL | -); see 'buildx build --help'",
        ),
        (
            &["build", "--progress", "loud", "."],
            "ERROR: invalid progress mode loud, expected auto, plain, tty, rawjson, quiet or none",
        ),
        (
            &["build", "-o", "type=lokal,dest=x", "."],
            "ERROR: unknown output type \"lokal\", expected one of local, tar, oci, docker, image, registry, cacheonly (did you mean local?)",
        ),
        (
            &["biuld"],
            "ERROR: unknown command: \"biuld\" (did you mean build?); see 'buildx --help'",
        ),
    ];
    for (args, expected) in table {
        let output = Buildx::without_engine(args).fails(1);
        assert_eq!(output.err(), format!("{expected}\n"));
        assert_eq!(output.out(), "");
    }
}

#[test]
fn version_and_help_need_no_engine() {
    let version = Buildx::without_engine(["version"]).ok();
    assert!(version.out().starts_with("buildx "), "{version}");
    let help = Buildx::without_engine(["build", "--help"]).ok();
    assert!(help.out().contains("--no-cache-filter"), "{help}");
    assert!(!help.out().contains('\x1b'), "{help}");
}

#[test]
fn what_the_old_store_cannot_do() {
    let context = Context::dockerfile("FROM scratch\nCOPY Dockerfile /\n");
    for (args, what) in [
        (&["-o", "type=oci,dest=x.tar"][..], "OCI exporter"),
        (&["--cache-to", "type=local,dest=c"], "Cache export"),
        (
            &["--platform", "linux/amd64,linux/arm64"],
            "Multi-platform build",
        ),
        (&["--sbom=true"], "Attestation"),
    ] {
        let error = Buildx::on(graphdriver(), ["build"])
            .args(args)
            .arg(context.path())
            .fails(1)
            .error_line();
        assert_eq!(
            error,
            format!(
                "ERROR: failed to build: {what} is not supported for the docker driver. Switch to a different driver, or turn on the containerd image store, and try again."
            )
        );
    }
}

#[test]
fn missing_contexts_and_dockerfiles() {
    let context = Context::new().file("Dockerfile.dev", "FROM scratch\n");
    let error = bare(["nope"]).fails(1).error_line();
    assert!(
        error.ends_with("unable to prepare context: path \"nope\" not found"),
        "{error}"
    );
    let error = build(&context, []).fails(1).error_line();
    assert!(error.contains("failed to read dockerfile"), "{error}");
    let error = bare(["-f", "Dockerfile.dve", "."])
        .current_dir(context.path())
        .fails(1)
        .error_line();
    assert!(error.ends_with("(did you mean Dockerfile.dev?)"), "{error}");
}

/// One error, with a line for each thing that was tried.
#[test]
fn no_engine_lists_what_was_tried() {
    let context = Context::dockerfile("FROM scratch\n");
    let run = Buildx::without_engine(["build", "--builder", "dead"]).arg(context.path());
    let store = run.home().join("store");
    std::fs::create_dir_all(store.join("instances")).unwrap();
    let nodes = serde_json::json!([
        {"Name": "one", "Endpoint": "unix:///nonexistent/one"},
        {"Name": "two", "Endpoint": "unix:///nonexistent/two"},
    ]);
    let builder = serde_json::json!({"Name": "dead", "Driver": "remote", "Nodes": nodes});
    std::fs::write(store.join("instances/dead"), builder.to_string()).unwrap();
    let output = run.env("BUILDX_CONFIG", store).fails(1);
    let err = output.err();
    let lines: Vec<_> = err.lines().collect();
    let [head, one, two] = lines[..] else {
        panic!("{output}");
    };
    assert!(
        head.ends_with("no BuildKit engine answered; tried in order:"),
        "{output}"
    );
    for (line, name) in [(one, "one"), (two, "two")] {
        assert!(line.starts_with("  builder \"dead\", node "), "{output}");
        assert!(line.contains(&format!("/nonexistent/{name}")), "{output}");
        assert!(line.contains("No such file or directory"), "{output}");
    }
}

/// A foreign frontend is looked for where the file or the argument says. The engine of the tests
/// cannot run one, as it has no network for containers: the refusal is the proof.
#[test]
fn foreign_frontends_are_asked_for() {
    let name = "127.0.0.1:1/frontend:v1";
    let context = Context::dockerfile("FROM scratch\nCOPY Dockerfile /\n");
    let argument = format!("BUILDKIT_SYNTAX={name}");
    let by_argument = build(&context, ["--build-arg", &argument]);
    let file = Context::dockerfile(format!("# syntax={name}\nFROM scratch\n"));
    for run in [by_argument, build(&file, [])] {
        let error = run.fails(1).error_line();
        let wanted = format!("failed to resolve source metadata for {name}");
        assert!(error.contains(&wanted), "{error}");
    }
}

/// What a warning means is told with `-D`, and that there is more to know without it.
#[test]
fn debug_flag() {
    let context = Context::dockerfile("FROM scratch\nCOPY Dockerfile \\\n\n  /\n");
    let short = build(&context, []).ok().err();
    assert!(
        short.contains("1 warning found (use -D to expand):\n"),
        "{short}"
    );
    assert!(!short.contains("More info: "), "{short}");
    let long = build(&context, ["-D"]).ok().err();
    assert!(long.contains("1 warning found:\n"), "{long}");
    assert!(long.contains("More info: https://"), "{long}");
    assert!(long.contains(">>>   /\n"), "{long}");
}

#[test]
fn copy_of_an_ignored_file_names_the_pattern() {
    let context = Context::dockerfile("FROM scratch\nCOPY src/secret.txt /\n")
        .file("src/secret.txt", "")
        .file(".dockerignore", "# comment\nsrc/secret*\n");
    let output = build(&context, []).fails(1);
    assert!(
        output
            .err()
            .contains("pattern \"src/secret*\" of .dockerignore (line 2) hides it"),
        "{output}"
    );
}

#[test]
fn copy_of_a_missing_file_names_near_ones() {
    let context = Context::dockerfile("FROM scratch\nCOPY src/mian.rs /\n").file("src/main.rs", "");
    let output = build(&context, []).fails(1);
    assert!(output.err().contains("near names: src/main.rs"), "{output}");
}

#[test]
fn a_killed_step_is_told_without_guessing() {
    let context = Context::busybox("RUN sh -c 'kill -9 $$; true'; exit 137\n");
    let output = build(&context, []).fails(1);
    assert!(output.err().contains("exit code: 137"), "{output}");
    assert!(
        output
            .err()
            .contains("the engine gave no out-of-memory evidence"),
        "{output}"
    );
}
