//! What a build looks like: golden plain output, the live tree in a real terminal, JSON to the end, no escapes in pipes.

use portable_pty::CommandBuilder;
use regex::Regex;

use crate::support::cmd::{Buildx, PROGRAM};
use crate::support::context::Context;
use crate::support::engine::engine;
use crate::support::gate::Gate;
use crate::support::pty::Pty;

const HOST: &str = "--network=host";

/// Replaces what differs from run to run: digests, seconds, sizes of the transferred context.
fn normal(text: &str) -> String {
    let rules = [
        (r"sha256:[0-9a-f]{64}", "sha256:D"),
        (r"(?m)^(#\d+) \d+\.\d+ ", "$1 S "),
        (r"(?m)^\d+\.\d+ ", "S "),
        (r" \d+\.\d+s", " T"),
        (r"(?m)^(#\d+ transferring \w+:) \S+", "$1 N"),
        (r"(?m)^(#\d+ copying files) \S+", "$1 N"),
        (r"( T)? done\n", " done\n"),
    ];
    let text = rules.iter().fold(text.to_owned(), |text, (pattern, new)| {
        Regex::new(pattern)
            .unwrap()
            .replace_all(&text, *new)
            .into_owned()
    });
    // How often a status is printed before it is done depends on how long it takes.
    let lines: Vec<&str> = text.split('\n').collect();
    let ends = Regex::new("( N)?( T)?( done)?$").unwrap();
    let status = |line: &str| ends.replace(line, "").into_owned();
    let kept = lines.iter().enumerate().filter(|(at, line)| {
        let next = lines.get(at + 1).copied().unwrap_or_default();
        line.is_empty() || line.ends_with(" done") || status(next) != status(line)
    });
    let text = kept.map(|(_, line)| *line).collect::<Vec<_>>().join("\n");
    // The engine ends a local source when it knows what is in it, and begins it again to fetch it; whether both ends
    // are printed depends on the time in between.
    let blocks: Vec<&str> = text.split("\n\n").collect();
    let goes_on = |at: usize| {
        let (name, end) = blocks[at].split_once('\n').unwrap_or_default();
        let is_end = name.contains("[internal]") && !end.contains('\n') && end.ends_with(" DONE T");
        let mut later = blocks[at + 1..].iter();
        is_end && later.any(|block| block.lines().next() == Some(name))
    };
    let kept = (0..blocks.len()).filter(|at| !goes_on(*at));
    kept.map(|at| blocks[at]).collect::<Vec<_>>().join("\n\n")
}

/// Blocks of a plain output, each with its number and all of its lines.
fn blocks(text: &str) -> Vec<String> {
    text.trim_end().split("\n\n").map(str::to_owned).collect()
}

#[test]
fn plain_output_of_a_build_is_as_scripts_know_it() {
    let context = Context::busybox("RUN echo hello\nRUN printf 'par'; printf 'tial\\n'\n");
    let out = Buildx::on(
        engine(),
        [
            "build",
            HOST,
            "--no-cache",
            "--progress=plain",
            "--provenance=false",
            "-t",
            "test/plain",
        ],
    )
    .arg(context.path())
    .ok();
    assert_eq!(out.out(), "");
    let err = normal(&out.err());
    // The first three are concurrent, so their order is the engine's.
    let blocks = blocks(&err);
    assert_eq!(
        blocks[0],
        "#0 building with \"default\" instance using docker driver"
    );
    let has = |wanted: &str| blocks.iter().any(|b| b.contains(wanted));
    for wanted in [
        " [internal] load build definition from Dockerfile\n",
        " [internal] load .dockerignore\n",
        " [internal] load build context\n",
        " transferring dockerfile: N done\n",
        " [1/5] COPY busybox /bin/busybox\n",
    ] {
        assert!(has(wanted), "no {wanted:?} in\n{err}");
    }
    let at = blocks
        .iter()
        .position(|b| b.contains("RUN echo hello"))
        .unwrap();
    let rest = Regex::new(r"#(\d+)")
        .unwrap()
        .replace_all(&blocks[at..].join("\n\n"), "#N")
        .into_owned();
    assert_eq!(
        rest,
        "#N [4/5] RUN echo hello\n\
         #N S hello\n\
         #N DONE T\n\
         \n\
         #N [5/5] RUN printf 'par'; printf 'tial\\n'\n\
         #N S partial\n\
         #N DONE T\n\
         \n\
         #N exporting to image\n\
         #N exporting layers done\n\
         #N exporting manifest sha256:D done\n\
         #N exporting config sha256:D done\n\
         #N naming to docker.io/test/plain:latest done\n\
         #N unpacking to docker.io/test/plain:latest done\n\
         #N DONE T"
    );
}

/// The sample of `assets/demo`, whole: what a script that reads plain output gets.
#[test]
fn plain_output_of_the_sample() {
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo");
    let read = |name: &str| std::fs::read(format!("{sample}/{name}")).unwrap();
    let context = Context::dockerfile(read("Dockerfile"))
        .file(".dockerignore", read(".dockerignore"))
        .file("app/greet.sh.in", read("app/greet.sh.in"))
        .file("system/bin/busybox", std::fs::read("/bin/busybox").unwrap())
        .mode("system/bin/busybox", 0o755)
        .symlink("system/bin/sh", "busybox");
    let fresh = format!(
        "BUILDKIT_CACHE_MOUNT_NS={}",
        buildx::engine::id::new_id().unwrap()
    );
    let out = Buildx::on(engine(), ["build", HOST, "--no-cache", "--progress=plain"])
        .args(["--build-arg", &fresh, "-o", "result"])
        .arg(context.path())
        .ok();
    assert_eq!(normal(&out.err()), include_str!("golden/sample.plain.txt"));
}

#[test]
fn a_failure_in_plain_words() {
    let context = Context::busybox(
        "RUN for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo line $i; done; exit 3\n",
    );
    let out = Buildx::on(engine(), ["build", HOST, "--no-cache", "--progress=plain"])
        .arg(context.path())
        .fails(1);
    let err = normal(&out.err());
    let end = err.find("------\n").unwrap();
    let step = "RUN for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo line $i; done; exit 3";
    let mut expected = format!("------\n > [4/4] {step}:\n");
    for i in 3..13 {
        expected.push_str(&format!("S line {i}\n"));
    }
    expected.push_str(&format!(
        "------\nDockerfile:5\n--------------------\n   3 |     COPY busybox /bin/sh\n   4 |     RUN /bin/busybox --install -s /bin\n   5 | >>> {step}\n   6 |     \n--------------------\n"
    ));
    let line = out.error_line();
    assert!(
        line.starts_with("ERROR: failed to build: failed to solve: process \"/bin/sh -c "),
        "{line}"
    );
    assert!(
        line.ends_with("did not complete successfully: exit code: 3"),
        "{line}"
    );
    expected.push_str(&line);
    expected.push('\n');
    assert_eq!(&err[end..], expected);
}

#[test]
fn hostile_output_reaches_no_pipe_and_no_terminal() {
    let context = Context::busybox(
        "RUN printf '\\033]0;title\\007 \\033[31mred\\033[0m \\302\\2331A \\377 \\342\\200\\256 \\033[2J\\nover\\rwritten\\n'\n",
    );
    let build = ["build", HOST, "--no-cache", "--progress=plain"];
    let out = Buildx::on(engine(), build).arg(context.path()).ok();
    assert!(
        out.stderr
            .iter()
            .all(|b| *b >= 0x20 || *b == b'\n' || *b == b'\t'),
        "{out}"
    );
    let err = out.err();
    assert!(
        err.contains(" ^[]0;title^G red \\u{9b}1A \\xff \\u{202e} ^[[2J\n"),
        "{err}"
    );

    let mut pty = Pty::spawn(command(&build, &context), 24, 200);
    assert_eq!(pty.wait(), 0);
    let raw = String::from_utf8(pty.raw().to_vec()).unwrap();
    assert!(raw.contains("\x1b[0;31mred\x1b[0m \\u{9b}1A"), "{raw}");
    let colours = Regex::new("\x1b\\[[0-9;]*m").unwrap();
    assert!(!colours.replace_all(&raw, "").contains('\x1b'), "{raw:?}");
}

fn command(args: &[&str], context: &Context) -> CommandBuilder {
    let mut command = CommandBuilder::new(PROGRAM);
    command.args(args);
    command.arg(context.path());
    command.env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", context.path().join("home"));
    command.cwd("/");
    command.env("TERM", "xterm-256color");
    command.env("BUILDX_SERVER", "off");
    command.env("DOCKER_HOST", engine().docker_host());
    command
}

#[test]
fn the_live_tree_in_a_terminal() {
    // Rows enough for the steps of other tests, too, which the engine shares with this build.
    for (rows, cols) in [(40, 80), (60, 200), (40, 20)] {
        let gate = Gate::new();
        let wait = gate.wait();
        let context = Context::busybox(&format!("RUN echo begun; {wait}\nRUN exit 7\n"));
        let mut pty = Pty::spawn(
            command(&["build", HOST, "--no-cache"], &context),
            rows,
            cols,
        );
        pty.wait_until("the log of the running step", |s| {
            s.contains("=> => # begun")
        });
        drop(gate.comes());
        assert_eq!(pty.wait(), 1);
        let screen = pty.screen();
        if cols > 20 {
            assert!(screen.contains("FAILED"), "{screen}");
            assert!(screen.contains(" => ERROR [5/5] RUN exit 7 "), "{screen}");
            assert!(screen.contains("docker:default"), "{screen}");
            assert!(screen.contains("   6 | >>> RUN exit 7"), "{screen}");
            assert_eq!(screen.matches("[+] Building").count(), 1, "{screen}");
        }
        assert!(
            !screen.contains("# begun"),
            "log lines stay behind:\n{screen}"
        );
        assert_eq!(screen.matches("ERROR:").count(), 1, "{screen}");
        assert!(String::from_utf8_lossy(pty.raw()).ends_with('\n'));
    }
}

#[test]
fn the_live_tree_when_all_goes_well_and_the_window_changes() {
    let gate = Gate::new();
    let wait = gate.wait();
    let context = Context::busybox(&format!("RUN echo one; {wait}; echo two; {wait}\n"));
    let mut pty = Pty::spawn(command(&["build", HOST, "--no-cache"], &context), 40, 80);
    pty.wait_until("the log", |s| s.contains("=> => # one"));
    pty.resize(40, 60);
    drop(gate.comes());
    pty.wait_until("the narrow tree", |s| s.contains("=> => # two"));
    pty.resize(45, 100);
    drop(gate.comes());
    assert_eq!(pty.wait(), 0);
    let screen = pty.screen();
    let lines: Vec<&str> = screen.lines().collect();
    assert!(
        lines[0].starts_with("[+] Building ") && lines[0].contains(" FINISHED"),
        "{screen}"
    );
    assert_eq!(screen.matches("[+] Building").count(), 1, "{screen}");
    assert_eq!(screen.matches("RUN echo one").count(), 1, "{screen}");
}

#[test]
fn rawjson_is_json_whatever_happens() {
    for (step, code, key) in [
        ("RUN echo hi", 0, "result"),
        ("RUN echo hi; exit 2", 1, "error"),
    ] {
        let context = Context::busybox(step);
        let out = Buildx::on(
            engine(),
            ["build", HOST, "--no-cache", "--progress=rawjson"],
        )
        .arg(context.path())
        .fails(code);
        let objects: Vec<serde_json::Value> = out
            .err()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
            .collect();
        let (last, status) = objects.split_last().unwrap();
        assert!(last.get(key).is_some(), "{last}");
        if key == "error" {
            assert_eq!(last[key]["exitCode"], 2, "{last}");
        }
        let logs = status.iter().filter_map(|o| o.get("logs")).count();
        assert!(logs > 0 && status.iter().all(|o| o.get("error").is_none()));
    }
}

#[test]
fn quiet_is_quiet_and_the_environment_chooses_for_auto_only() {
    let context = Context::busybox("RUN echo hi\n");
    let out = Buildx::on(engine(), ["build", HOST, "--progress=quiet"])
        .arg(context.path())
        .ok();
    assert_eq!(out.err(), "");
    let out = Buildx::on(engine(), ["build", HOST])
        .env("BUILDKIT_PROGRESS", "rawjson")
        .arg(context.path())
        .ok();
    assert!(out.err().starts_with('{'), "{out}");
    let out = Buildx::on(engine(), ["build", HOST, "--progress=plain"])
        .env("BUILDKIT_PROGRESS", "rawjson")
        .arg(context.path())
        .ok();
    assert!(out.err().starts_with("#0 building"), "{out}");
    let out = Buildx::on(engine(), ["build", HOST, "--progress=tty"])
        .arg(context.path())
        .fails(1);
    assert!(
        out.err()
            .contains("failed to get console: provided file is not a console"),
        "{out}"
    );
}

#[test]
fn a_clipped_log_says_what_is_missing() {
    // 250,000 bytes at once are clipped to 204,800; two seconds later the output goes on, and is clipped again.
    let burst = "yes 0123456789 | head -c";
    let context = Context::busybox(&format!("RUN {burst} 250000; sleep 2; {burst} 700000\n"));
    let build = || {
        Buildx::on(engine(), ["build", HOST, "--no-cache", "--progress=plain"])
            .arg(context.path())
            .ok()
            .err()
    };
    // If the engine takes longer than a second to start the step and write all that, it lets more through.
    let clipped = "[output clipped, log limit 200KiB/s reached]";
    let in_time = |err: &String| err.matches(clipped).count() == 2;
    let err = (0..5).map(|_| build()).find(in_time);
    let err = err.expect("the output is never clipped twice");
    let line = err.lines().find(|l| l.contains("missing")).unwrap();
    assert!(
        line.contains("at least 45200 bytes of output are missing here"),
        "{line}"
    );
    assert!(line.contains("BUILDKIT_STEP_LOG_MAX_SIZE=-1"), "{line}");
}
