//! The builder `embedded`: started once, shared, stopped, and replaced whatever dies.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use buildx::paths::lock;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tempfile::TempDir;

use crate::support::cmd::Buildx;
use crate::support::context::Context;
use crate::support::embedded::Embedded;

/// How long an engine may take to end; waited for by its lock, not by looking again and again.
const PATIENCE: Duration = Duration::from_secs(60);

/// What these tests want to know of an engine.
impl Embedded {
    fn build(&self, context: &Context) -> Buildx {
        self.run(&["build", "--builder", "embedded", "--progress", "plain"])
            .arg(context.path())
    }

    /// Process ids of this engine whose program, or first argument, ends with `what`.
    fn processes(&self, what: &str) -> Vec<Pid> {
        let dir = self.path().to_str().unwrap();
        command_lines()
            .filter(|(_, line)| line.contains(dir))
            .filter(|(_, line)| line.split(' ').take(2).any(|word| word.ends_with(what)))
            .map(|(pid, _)| pid)
            .collect()
    }

    fn kill(&self, what: &str) {
        let found = self.processes(what);
        assert!(!found.is_empty(), "no {what} runs");
        for pid in found {
            // The death of another may have taken it along.
            let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else {
                continue;
            };
            let _ = pidfd_send_signal(&process, Signal::KILL);
            ends(pid, &process);
        }
    }

    /// How often an engine was started.
    fn starts(&self) -> usize {
        fs::read_to_string(self.path().join("engine.log"))
            .unwrap()
            .matches("supervisor: starting")
            .count()
    }

    /// Waits until neither a supervisor nor an engine runs.
    fn wait_for_end(&self) {
        lock::exclusive(&self.path().join("life.lock"), PATIENCE).unwrap();
    }

    #[track_caller]
    fn nothing_left(&self) {
        self.wait_for_end();
        // The supervisor lets go of its lock a moment before it is gone.
        for pid in self.processes("") {
            let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else {
                continue;
            };
            ends(pid, &process);
        }
        assert_eq!(self.processes(""), []);
        let mounts = fs::read_to_string("/proc/mounts").unwrap();
        assert!(!mounts.contains(self.path().to_str().unwrap()), "{mounts}");
    }
}

/// Waits for the end of a process.
#[track_caller]
fn ends(pid: Pid, process: &OwnedFd) {
    let deadline = Timespec::try_from(PATIENCE).unwrap();
    loop {
        match poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&deadline)) {
            // A child of another test has ended.
            Err(rustix::io::Errno::INTR) => {}
            ended => return assert_eq!(ended, Ok(1), "{pid:?} goes on"),
        }
    }
}

fn command_lines() -> impl Iterator<Item = (Pid, String)> {
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| {
            let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            (pid != rustix::process::getpid()).then_some((pid, line))
        })
}

fn hello() -> Context {
    Context::busybox("RUN echo hello\n")
}

#[test]
fn two_builds_at_once_start_one_engine() {
    let embedded = Embedded::new();
    let context = hello();
    let builds = [
        embedded.build(&context).spawn(),
        embedded.build(&context).spawn(),
    ];
    for build in builds {
        let output = build.wait();
        assert_eq!(output.code, 0, "{output}");
        assert!(output.err().contains("embedded"), "{output}");
    }
    embedded.build(&context).ok();
    assert_eq!(embedded.starts(), 1);
    assert_eq!(embedded.processes("embedded-supervise").len(), 1);

    let output = embedded.run(&["stop", "embedded"]).ok();
    assert_eq!(output.out(), "stopped embedded\n");
    embedded.nothing_left();
    let output = embedded.run(&["stop", "embedded"]).ok();
    assert_eq!(output.out(), "embedded was not running\n");
    // What was built before is still in the cache.
    let output = embedded.build(&context).ok();
    assert!(output.err().contains("CACHED"), "{output}");
}

#[test]
fn whatever_is_killed_is_replaced() {
    let embedded = Embedded::new();
    let context = hello();
    embedded.build(&context).ok();
    for victim in ["/dockerd", "/containerd", "embedded-supervise", ""] {
        let before = embedded.starts();
        embedded.kill(victim);
        embedded.build(&context).ok();
        assert_eq!(
            embedded.starts(),
            before + 1,
            "after the death of {victim:?}"
        );
        assert_eq!(embedded.processes("embedded-supervise").len(), 1);
    }
    embedded.run(&["stop", "embedded"]).ok();
    embedded.nothing_left();
}

#[test]
fn a_running_step_ends_with_its_engine() {
    // Nobody else sleeps this long, nor another run of the tests.
    let sleep = format!("sleep 9{}", 1_000_000 + std::process::id());
    let embedded = Embedded::new();
    let context = Context::busybox(&format!("RUN echo step-$((40+2)) && {sleep}\n"));
    let mut build = embedded.build(&context).spawn();
    let stderr = build.child.stderr.take().unwrap();
    let mut lines = BufReader::new(stderr).lines().map(Result::unwrap);
    assert!(
        lines.any(|line| line.contains("step-42")),
        "the step did not run"
    );
    // Read on, so that the program never waits for us.
    let rest = std::thread::spawn(move || lines.collect::<Vec<_>>().join("\n"));
    // The shell of the step holds these words too, so there is no moment without them.
    let running = || command_lines().any(|(_, line)| line.contains(&sleep));
    assert!(running());

    embedded.kill("/dockerd");
    let output = build.wait();
    let err = rest.join().unwrap();
    assert_eq!(output.code, 1, "{err}");
    assert!(err.contains("ERROR"), "{err}");
    embedded.wait_for_end();
    assert!(!running());
    embedded.nothing_left();
}

#[test]
fn it_ends_when_nobody_uses_it() {
    let embedded = Embedded::new();
    embedded
        .build(&hello())
        .env("BUILDX_EMBEDDED_IDLE", "100ms")
        .ok();
    embedded.nothing_left();
    let log = fs::read_to_string(embedded.path().join("engine.log")).unwrap();
    assert!(log.contains("stopping: Idle"), "{log}");
}

/// A `buildkitd` that is a shell script; returns a `PATH` that finds it first.
fn false_engine(dir: &Path, script: &str) -> String {
    let program: PathBuf = dir.join("buildkitd");
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:{}", dir.display(), std::env::var("PATH").unwrap())
}

#[test]
fn an_engine_that_fails_shows_its_last_lines() {
    let embedded = Embedded::new();
    let bin = TempDir::new().unwrap();
    let path = false_engine(bin.path(), "echo 'disk on fire' >&2; exit 7");
    let output = embedded.build(&hello()).env("PATH", path).fails(1);
    let err = output.err();
    assert!(err.contains("buildkitd exited with code 7"), "{err}");
    assert!(err.contains("disk on fire"), "{err}");
    embedded.nothing_left();
}

#[test]
fn an_engine_that_never_answers_has_a_deadline() {
    let embedded = Embedded::new();
    let bin = TempDir::new().unwrap();
    let path = false_engine(bin.path(), "echo thinking; exec sleep 1000");
    let output = embedded
        .build(&hello())
        .env("PATH", path)
        .env("BUILDX_EMBEDDED_START", "3s")
        .fails(1);
    let err = output.err();
    assert!(err.contains("buildkitd did not answer within 3 s"), "{err}");
    assert!(err.contains("thinking"), "{err}");
    embedded.nothing_left();
}

#[test]
fn a_state_directory_that_others_can_read_is_refused() {
    let embedded = Embedded::new();
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(embedded.path(), mode).unwrap();
    let output = embedded.build(&hello()).fails(1);
    assert!(
        output.error_line().contains("is open to others"),
        "{output}"
    );
}
