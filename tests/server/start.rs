//! Found or launched, once, with nothing of the client.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use super::{Place, pid_of};
use crate::support::cmd::{Buildx, PROGRAM};

const LAUNCHING: &str = "no buildx server found; launching...\n";

#[test]
fn the_first_client_launches_and_the_second_finds() {
    let place = Place::new();
    let first = place.server(&["start"]).ok();
    assert_eq!(first.err(), LAUNCHING);
    let second = place.server(&["start"]).ok();
    assert_eq!(second.err(), "");
    assert_eq!(pid_of(&first), pid_of(&second));
    assert_eq!(pid_of(&first), place.process().pid);
}

#[test]
fn fifty_at_once_get_one_server_and_no_error() {
    let place = Place::new();
    let clients: Vec<_> = (0..50).map(|_| place.server(&["start"]).spawn()).collect();
    let pids: BTreeSet<i32> = clients
        .into_iter()
        .map(|client| {
            let output = client.wait();
            assert_eq!(output.code, 0, "{output}");
            let err = output.err();
            assert!(err.is_empty() || err == LAUNCHING, "{output}");
            pid_of(&output)
        })
        .collect();
    assert_eq!(pids.len(), 1, "{pids:?}");
    assert_eq!(place.log().matches("listens on").count(), 1);
}

#[test]
fn nothing_of_the_client_is_inherited() {
    let place = Place::new();
    let held = place.dir.path().join("held");
    // A script's lock on descriptor 9, a secret, an open mask, and a directory of its own.
    let mut command = Command::new("/bin/sh");
    command
        .args([
            "-c",
            "umask 000; exec \"$0\" server start --root \"$1\" 9>\"$2\"",
        ])
        .args([Path::new(PROGRAM), &place.root(), &held])
        .env_clear()
        .env("PATH", "/usr/bin:/bin:/somewhere")
        .env("HOME", "/home/u")
        .env("TOKEN", "hunter2")
        .env("XDG_STATE_HOME", place.dir.path())
        .current_dir(place.dir.path())
        .stdin(Stdio::piped());
    assert!(command.status().unwrap().success());
    let server = place.process();

    let environ = fs::read(server.proc("environ")).unwrap();
    let environ: BTreeSet<String> = environ
        .split(|byte| *byte == 0)
        .filter(|pair| !pair.is_empty())
        .map(|pair| String::from_utf8_lossy(pair).into_owned())
        .collect();
    let expected = [
        "HOME=/home/u",
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ];
    assert_eq!(environ, expected.map(String::from).into());
    assert_eq!(fs::read_link(server.proc("cwd")).unwrap(), Path::new("/"));
    let status = fs::read_to_string(server.proc("status")).unwrap();
    assert!(status.contains("Umask:\t0077"), "{status}");

    // pid (name) state ppid pgrp session tty
    let stat = fs::read_to_string(server.proc("stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let pid = server.pid.to_string();
    assert_eq!(fields[2..5], [pid.as_str(), pid.as_str(), "0"], "{stat}");

    let root = place.root();
    for entry in fs::read_dir(server.proc("fd")).unwrap() {
        let entry = entry.unwrap();
        let Ok(target) = fs::read_link(entry.path()) else {
            continue;
        };
        let number: u32 = entry.file_name().to_str().unwrap().parse().unwrap();
        let text = target.display().to_string();
        match number {
            0 => assert_eq!(target, Path::new("/dev/null")),
            1 | 2 => assert_eq!(target, root.join("server.log")),
            _ => assert!(
                target.starts_with(&root)
                    || text.starts_with("socket:")
                    || text.starts_with("anon_inode:"),
                "{number} is {text}"
            ),
        }
    }
}

#[test]
fn what_it_makes_is_closed_to_others() {
    let place = Place::new();
    place.start();
    let mode = |name: &str| {
        let found = fs::symlink_metadata(place.root().join(name)).unwrap();
        found.mode() & 0o7777
    };
    assert_eq!(mode(""), 0o700);
    for name in ["v1.sock", "server.log", "server.lock", "start.lock"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
}

#[test]
fn a_stale_socket_is_replaced() {
    let place = Place::new().made();
    drop(UnixListener::bind(place.socket()).unwrap());
    fs::set_permissions(place.socket(), fs::Permissions::from_mode(0o600)).unwrap();
    let output = place.server(&["start"]).ok();
    assert_eq!(output.err(), LAUNCHING);
}

#[test]
fn a_killed_server_is_replaced() {
    let place = Place::new();
    let first = place.start();
    first.signal(Signal::KILL);
    first.ends();
    assert!(place.socket().exists());
    let output = place.server(&["start"]).ok();
    assert_eq!(output.err(), LAUNCHING);
    assert_ne!(pid_of(&output), first.pid);
}

#[test]
fn callers_with_other_variables_meet_the_same_server() {
    let place = Place::new();
    let state = place.root();
    let start = |run: &str| {
        let run = place.dir.path().join(run);
        fs::create_dir_all(&run).unwrap();
        fs::set_permissions(&run, fs::Permissions::from_mode(0o700)).unwrap();
        Buildx::without_engine(["server", "start"])
            .env("XDG_RUNTIME_DIR", run)
            .env("XDG_STATE_HOME", &state)
            .ok()
    };
    let first = start("one");
    let second = start("two");
    assert_eq!(pid_of(&first), pid_of(&second), "{second}");
    assert_eq!(second.err(), "");
    assert!(place.dir.path().join("one/buildx/v1.sock").exists());
    assert!(state.join("buildx/server.log").exists());

    let lock = place.dir.path().join("one/buildx/server.lock");
    let holders = buildx::paths::holders::find(&lock).unwrap();
    rustix::process::kill_process(holders[0].pid, Signal::TERM).unwrap();
    buildx::paths::lock::exclusive(&lock, Duration::from_secs(30)).unwrap();
}

#[test]
fn a_service_manager_may_have_bound_the_socket() {
    let place = Place::new().made();
    let listener = UnixListener::bind(place.socket()).unwrap();
    fs::set_permissions(place.socket(), fs::Permissions::from_mode(0o600)).unwrap();
    let mut server = place.run_on(listener, &place.configured(""));
    // The connection waits in the socket's queue until the server is there.
    let status = place.server(&["status", "--format", "json"]).ok();
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["pid"], server.id());

    let running = place.process();
    running.signal(Signal::TERM);
    running.ends();
    assert!(server.wait().unwrap().success());
    // It is the service manager's.
    assert!(place.socket().exists());
}

#[test]
fn a_server_in_the_foreground_logs_to_standard_error() {
    let place = Place::new();
    let mut server = place.server(&["run"]).spawn();
    let mut stderr = std::io::BufReader::new(server.child.stderr.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut stderr, &mut line).unwrap();
    assert!(line.contains("listens on"), "{line}");
    let output = place.server(&["start"]).ok();
    assert_eq!(pid_of(&output), i32::try_from(server.child.id()).unwrap());
    server.signal(Signal::INT);
    let output = server.wait();
    assert_eq!(output.code, 0, "{output}");
    assert!(!place.socket().exists());
}
