//! What the commands and the log say.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;

use rustix::process::Signal;
use serde_json::Value;

use super::{Place, append};
use crate::support::cmd::Buildx;

#[test]
fn status_without_a_server_is_no_success() {
    let place = Place::new();
    let output = place.server(&["status"]).fails(1);
    assert!(output.out().contains("does not run"), "{output}");
    assert_eq!(output.err(), "");
    let output = place.server(&["status", "--format", "json"]).fails(1);
    let status: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(status["running"], false);
    // Asking makes nothing.
    assert!(!place.root().exists());
}

#[test]
fn status_of_a_server_for_programs() {
    let place = Place::new();
    let server = place.start();
    let status = place.has_clients(1);
    assert_eq!(status["running"], true);
    assert_eq!(status["pid"], server.pid);
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["protocol"], 1);
    assert_eq!(status["sessions"], 0);
    assert_eq!(status["disk_budget"], 2_u64 << 30);
    assert!(status["memory"].as_u64().unwrap() > 1 << 20);
    assert_eq!(status["socket"], place.socket().to_str().unwrap());
    let log = place.root().join("server.log");
    assert_eq!(status["log"], log.to_str().unwrap());
}

#[test]
fn a_full_log_is_put_aside_and_both_are_printed() {
    let place = Place::new().made();
    let log = place.root().join("server.log");
    fs::write(&log, "first\n".repeat(700_000)).unwrap();
    place.start();
    let aside = place.root().join("server.log.1");
    for file in [&log, &aside] {
        assert_eq!(fs::metadata(file).unwrap().mode() & 0o777, 0o600);
    }
    assert!(fs::metadata(&log).unwrap().len() < 1000);
    // The standard error followed the file.
    let server = place.process();
    assert_eq!(fs::read_link(server.proc("fd/2")).unwrap(), log);
    let output = place.server(&["logs", "-n", "2"]).ok();
    let lines: Vec<String> = output.out().lines().map(String::from).collect();
    assert_eq!(lines.len(), 2, "{output}");
    assert_eq!(lines[0], "first");
    assert!(lines[1].contains("listens on"), "{output}");
}

#[test]
fn logs_can_be_followed_into_a_new_file() {
    let place = Place::new();
    place.start();
    let mut follower = place.server(&["logs", "-f", "-n", "1"]).spawn();
    let mut lines = BufReader::new(follower.child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("listens on"));
    let log = place.root().join("server.log");
    append(&log, b"hostile \x1b[2J\n");
    assert_eq!(lines.next().unwrap().unwrap(), "hostile ^[[2J");
    fs::rename(&log, place.root().join("server.log.1")).unwrap();
    fs::write(&log, "from the new file\n").unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "from the new file");
    follower.signal(Signal::TERM);
    follower.wait();
}

#[test]
fn there_may_be_no_log() {
    let place = Place::new().made();
    let line = place.server(&["logs"]).fails(1).error_line();
    assert!(
        line.contains("no buildx server has written a log yet"),
        "{line}"
    );
}

#[test]
fn the_configuration_moves_the_log_and_its_level() {
    let place = Place::new();
    let log = place.dir.path().join("my.log");
    let config = place.configured(&format!(
        "log_file = {:?}\nlog_level = \"debug\"\n",
        log.display().to_string()
    ));
    place
        .server(&["start", "--server-config"])
        .arg(&config)
        .ok();
    let text = fs::read_to_string(&log).unwrap();
    assert!(text.contains("debug: connected: client "), "{text}");
    assert!(!place.root().join("server.log").exists());
}

#[test]
fn the_configuration_moves_everything() {
    let place = Place::new();
    let output = Buildx::without_engine(["server", "start"]);
    let directory = output.home().join(".config/buildx");
    fs::create_dir_all(&directory).unwrap();
    let root = place.root().display().to_string();
    fs::write(directory.join("config.toml"), format!("root = {root:?}")).unwrap();
    output.ok();
    place.server(&["status"]).ok();
}

#[test]
fn mistakes_in_the_configuration_are_one_line() {
    let place = Place::new();
    let config = place.configured("\nidle_timout = \"5m\"\n");
    let line = place
        .server(&["status", "--server-config"])
        .arg(&config)
        .fails(1)
        .error_line();
    let expected = format!(
        "ERROR: {}:2: unknown key \"idle_timout\" (did you mean idle_timeout?); the keys are ",
        config.display()
    );
    assert!(line.starts_with(&expected), "{line}");
    let line = place
        .server(&["status", "--server-config", "/none/such"])
        .fails(1)
        .error_line();
    assert!(
        line.contains("cannot read the configuration /none/such"),
        "{line}"
    );
}

#[test]
fn a_path_that_no_socket_can_have_is_named() {
    let place = Place::new();
    let long = place.dir.path().join("r".repeat(100));
    for command in ["start", "status", "run"] {
        let line = Buildx::without_engine(["server", command, "--root"])
            .arg(&long)
            .fails(1)
            .error_line();
        assert!(line.contains("at most 107"), "{line}");
        assert!(line.contains("set --root to a shorter directory"), "{line}");
    }
}
