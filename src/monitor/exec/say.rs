//! Sentences about the state of a build, for all that speak of it.

use super::now;
use crate::monitor::listing;
use crate::proto::controller::{BuildFailure, State};

/// How to come back to a session.
pub fn come_back(session: &str) -> String {
    format!("Session {session} lives on; come back with: buildx debug attach {session}")
}

/// How long a state is kept, in a sentence.
pub fn kept(until: i64) -> String {
    match until {
        0 => "The state of the build is not kept.".to_owned(),
        until => format!(
            "The state of the build is kept for {}.",
            listing::span(listing::left(until, now()))
        ),
    }
}

/// The server's remarks about a process, harmless on a terminal.
pub(super) fn notes(notes: &[String]) -> Vec<String> {
    notes.iter().map(|note| listing::plain(note)).collect()
}

/// Whether a process can be started in what a failed build left.
pub fn has_state(failure: &BuildFailure) -> bool {
    failure.state() != State::Unspecified
}

/// Why there is nothing to start a process in.
pub fn no_state(failure: &BuildFailure) -> String {
    match failure.no_state.as_str() {
        "" => "the build left no state to start a process in".to_owned(),
        why => listing::plain(why),
    }
}
