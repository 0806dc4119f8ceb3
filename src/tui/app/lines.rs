//! Words for states, the same in every pane.

use super::super::theme::Mark;
use crate::proto::controller::{Session, SessionState};

/// Glyph and colour of a session's state.
pub fn state_mark(session: &Session) -> Mark {
    match session.state() {
        SessionState::Building => Mark::Running,
        SessionState::Succeeded => Mark::Ok,
        SessionState::Failed => Mark::Failed,
        SessionState::Canceled => Mark::Canceled,
        SessionState::Recoverable => Mark::Recoverable,
        SessionState::Unspecified => Mark::Waiting,
    }
}

/// A session's state in a word.
pub fn state_word(session: &Session) -> &'static str {
    match session.state() {
        SessionState::Building => "building",
        SessionState::Succeeded => "ok",
        SessionState::Failed => "FAILED",
        SessionState::Canceled => "canceled",
        SessionState::Recoverable => "recoverable",
        SessionState::Unspecified => "",
    }
}

/// A sentence as it stands behind a colon: without its capital, unless a name begins with it, and without its full stop.
pub fn clause(sentence: &str) -> String {
    let sentence = sentence.trim_end().trim_end_matches('.');
    let mut rest = sentence.chars();
    match (rest.next(), rest.clone().next()) {
        (Some(first), second) if second.is_none_or(|second| !second.is_uppercase()) => {
            first.to_lowercase().chain(rest).collect()
        }
        _ => sentence.to_owned(),
    }
}

/// `[build 3/4]` of a step's name, or its first words.
pub fn step_label(name: &str) -> String {
    match name.find(']') {
        Some(end) if name.starts_with('[') => name.get(..=end).unwrap_or(name).to_owned(),
        _ => name
            .split_whitespace()
            .take(3)
            .collect::<Vec<_>>()
            .join(" "),
    }
}
