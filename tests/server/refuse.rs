//! What somebody else may have put there is not used.

use std::fs::{self, Permissions};
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::net::{UnixListener, UnixStream};

use rustix::process::Signal;

use super::{Place, as_nobody};

#[track_caller]
fn refused(place: &Place, expected: &[&str]) {
    for command in ["start", "status"] {
        let line = place.server(&[command]).fails(1).error_line();
        for part in expected {
            assert!(line.contains(part), "{part:?} is not in {line:?}");
        }
    }
}

#[test]
fn a_symbolic_link_is_refused() {
    let place = Place::new().made();
    let elsewhere = Place::new();
    elsewhere.start();
    symlink(elsewhere.socket(), place.socket()).unwrap();
    refused(
        &place,
        &[
            &format!("will not use {}", place.socket().display()),
            "is a symbolic link",
            "remove it",
        ],
    );

    let place = Place::new();
    symlink(elsewhere.root(), place.root()).unwrap();
    refused(&place, &["/r: it is a symbolic link"]);
}

#[test]
fn something_else_in_its_place_is_refused() {
    let place = Place::new().made();
    fs::write(place.socket(), "").unwrap();
    refused(&place, &["v1.sock: it is no socket"]);
}

#[test]
fn a_foreign_owner_is_refused() {
    let place = Place::new().made();
    let _listener = UnixListener::bind(place.socket()).unwrap();
    chown(place.socket(), Some(65534), None).unwrap();
    refused(&place, &["v1.sock: it belongs to another user (uid 65534)"]);
    fs::remove_file(place.socket()).unwrap();
    chown(place.root(), Some(65534), None).unwrap();
    refused(&place, &["/r: it belongs to another user (uid 65534)"]);
    chown(place.root(), Some(0), None).unwrap();
}

#[test]
fn a_mode_that_lets_others_in_is_refused() {
    let place = Place::new();
    place.start();
    fs::set_permissions(place.socket(), Permissions::from_mode(0o666)).unwrap();
    refused(
        &place,
        &[
            "v1.sock: it is open to others (mode 0666)",
            "buildx server restart",
        ],
    );
    fs::set_permissions(place.socket(), Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(place.root(), Permissions::from_mode(0o755)).unwrap();
    let chmod = format!("chmod 700 {}", place.root().display());
    refused(&place, &["/r: it is open to others (mode 0755)", &chmod]);
    fs::set_permissions(place.root(), Permissions::from_mode(0o700)).unwrap();
    place.server(&["status"]).ok();
}

#[test]
fn the_remedy_for_an_open_socket_works() {
    let place = Place::new();
    let server = place.start();
    fs::set_permissions(place.socket(), Permissions::from_mode(0o666)).unwrap();
    place.server(&["restart", "--now"]).ok();
    server.ends();
    place.server(&["status"]).ok();
}

#[test]
fn a_server_of_another_user_is_refused() {
    let place = Place::new().made();
    chown(place.dir.path(), Some(65534), None).unwrap();
    chown(place.root(), Some(65534), None).unwrap();
    let socket = place.socket();
    let _listener = as_nobody(move || UnixListener::bind(socket).unwrap());
    for path in [place.dir.path(), &place.root(), &place.socket()] {
        chown(path, Some(0), None).unwrap();
    }
    fs::set_permissions(place.socket(), Permissions::from_mode(0o600)).unwrap();
    refused(&place, &["runs as another user (uid 65534)", "--root"]);
}

#[test]
fn a_client_of_another_user_is_turned_away() {
    let place = Place::new();
    place.start();
    for path in [place.dir.path(), &place.root()] {
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    }
    fs::set_permissions(place.socket(), Permissions::from_mode(0o666)).unwrap();
    let socket = place.socket();
    let said = as_nobody(move || {
        let mut stream = UnixStream::connect(socket).unwrap();
        let mut said = Vec::new();
        stream.read_to_end(&mut said).map(|_| said)
    });
    assert_eq!(said.unwrap_or_default(), b"");
    let log = place.log();
    assert!(
        log.contains("warn: closed a connection of uid 65534"),
        "{log}"
    );
}

#[test]
fn a_silent_server_is_named_and_can_be_ended() {
    let place = Place::new();
    let server = place.start();
    server.signal(Signal::STOP);
    let line = place.server(&["start"]).fails(1).error_line();
    for part in ["does not answer", "buildx server stop", "server.log"] {
        assert!(line.contains(part), "{part:?} is not in {line:?}");
    }
    let output = place.server(&["stop"]).ok();
    assert!(
        output.out().contains("stopped the buildx server"),
        "{output}"
    );
    server.ends();
    place.start();
}
