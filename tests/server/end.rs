//! How a server ends.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};

use rustix::process::Signal;

use super::{PATIENCE, Place, pid_of};

#[test]
fn it_leaves_when_nobody_needs_it() {
    let place = Place::new();
    let config = place.configured("idle_timeout = \"300ms\"");
    let start = || {
        place
            .server(&["start", "--server-config"])
            .arg(&config)
            .ok()
    };
    start();
    // It may be gone when this looks.
    if let Some(server) = place.running() {
        server.ends();
    }
    assert!(place.log().contains("leaving: nobody needed it any more"));
    assert!(!place.socket().exists());
    start();
}

#[test]
fn a_connection_that_says_nothing_is_somebody_too() {
    let place = Place::new().made();
    let config = place.configured("idle_timeout = \"300ms\"");
    // The connection is there before the server.
    let listener = UnixListener::bind(place.socket()).unwrap();
    fs::set_permissions(place.socket(), fs::Permissions::from_mode(0o600)).unwrap();
    let connected = UnixStream::connect(place.socket()).unwrap();
    let mut server = place.run_on(listener, &config);
    let mut line = String::new();
    let mut stderr = BufReader::new(server.stderr.take().unwrap());
    stderr.read_line(&mut line).unwrap();
    assert!(line.contains("listens on"), "{line}");
    let running = place.process();
    assert!(!running.ends_within(std::time::Duration::from_millis(900)));
    drop(connected);
    running.ends();
    assert!(server.wait().unwrap().success());
}

#[test]
fn a_signal_ends_it_in_order() {
    for signal in [Signal::TERM, Signal::INT] {
        let place = Place::new();
        let server = place.start();
        server.signal(signal);
        server.ends();
        let log = place.log();
        assert!(log.contains("leaving: it was "), "{log}");
        assert!(log.trim_end().ends_with("info: left"), "{log}");
        assert!(!place.socket().exists());
    }
}

#[test]
fn a_socket_that_vanishes_is_made_again() {
    let place = Place::new();
    let server = place.start();
    let (seen, made) = std::sync::mpsc::channel();
    let log = place.root().join("server.log");
    let mut follower = place.server(&["logs", "-f"]).spawn();
    let lines = BufReader::new(follower.child.stdout.take().unwrap()).lines();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let _ = seen.send(line);
        }
    });
    fs::remove_file(place.socket()).unwrap();
    while !made
        .recv_timeout(PATIENCE)
        .unwrap()
        .contains("made another one")
    {}
    assert_eq!(pid_of(&place.server(&["start"]).ok()), server.pid);
    follower.signal(Signal::TERM);
    follower.wait();
    assert_eq!(fs::read_to_string(log).unwrap().lines().count(), 2);
}

#[test]
fn a_server_that_nobody_can_find_leaves() {
    let place = Place::new();
    let server = place.start();
    // The directory goes, its locks with it, and a successor has the path.
    let gone = place.dir.path().join("gone");
    fs::rename(place.root(), &gone).unwrap();
    let successor = place.server(&["start"]).ok();
    assert_ne!(pid_of(&successor), server.pid);
    server.ends();
    assert!(place.socket().exists());
    place.server(&["status"]).ok();
}

#[test]
fn stop_ends_it_and_says_so() {
    let place = Place::new();
    let server = place.start();
    let output = place.server(&["stop"]).ok();
    let expected = format!("stopped the buildx server (pid {})\n", server.pid);
    assert_eq!(output.out(), expected);
    assert!(server.ends_within(std::time::Duration::ZERO));
    let again = place.server(&["stop"]).ok();
    assert_eq!(again.out(), "the buildx server was not running\n");
}

#[test]
fn stop_is_asked_for_and_not_forced() {
    let place = Place::new();
    place.start();
    place.server(&["stop"]).ok();
    let log = place.log();
    assert!(log.contains("leaving: it was stopped by client "), "{log}");
    assert!(log.contains("(buildx"), "{log}");
}

#[test]
fn restart_waits_for_who_is_connected_and_names_them() {
    let place = Place::new();
    let server = place.start();
    let connected = UnixStream::connect(place.socket()).unwrap();
    // The one that started it has been seen to leave.
    place.has_clients(2);
    let mut restart = place.server(&["restart"]).spawn();
    let mut lines = BufReader::new(restart.child.stderr.take().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    let us = format!("waiting for client {} (", std::process::id());
    assert!(line.starts_with(&us), "{line}");

    // It drains, and still answers.
    let status = place.has_clients(3);
    assert_eq!(status["draining"], true);
    assert_eq!(status["pid"], server.pid);
    drop(connected);
    let output = restart.wait();
    assert_eq!(output.code, 0, "{output}");
    server.ends();
    assert_ne!(pid_of(&output), server.pid);
}

#[test]
fn a_restart_that_is_given_up_changes_nothing() {
    let place = Place::new();
    let server = place.start();
    let _connected = UnixStream::connect(place.socket()).unwrap();
    let mut restart = place.server(&["restart"]).spawn();
    let mut lines = BufReader::new(restart.child.stderr.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("waiting for"));
    restart.signal(Signal::INT);
    restart.wait();
    assert_eq!(pid_of(&place.server(&["start"]).ok()), server.pid);
    assert!(!place.log().contains("leaving"));
}

#[test]
fn restart_waits_no_longer_than_it_is_told() {
    let place = Place::new();
    let server = place.start();
    let _connected = UnixStream::connect(place.socket()).unwrap();
    let output = place.server(&["restart", "--wait", "200ms"]).ok();
    assert!(output.err().starts_with("waiting for client "), "{output}");
    server.ends();
    let _connected = UnixStream::connect(place.socket()).unwrap();
    let server = place.process();
    let output = place.server(&["restart", "--now"]).ok();
    assert!(!output.err().contains("waiting"), "{output}");
    server.ends();
}

#[test]
fn restart_replaces_it() {
    let place = Place::new();
    let first = place.server(&["restart"]).ok();
    let second = place.server(&["restart", "--now"]).ok();
    assert_ne!(pid_of(&first), pid_of(&second));
    assert_eq!(pid_of(&second), place.process().pid);
}
