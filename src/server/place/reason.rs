//! Why a failed build has nothing to start a process in.

use super::op;
use crate::engine::errors::BuildError;

/// One sentence, or `None` when the failure came with a state. The frontend's own errors have no
/// types, so they are known by their words.
pub fn why_no_state(error: &BuildError) -> Option<String> {
    if let Some(failed) = &error.exec {
        return match op::read(&failed.op) {
            Some(_) => None,
            None => {
                Some("The step that failed has no file system to start a process in.".to_owned())
            }
        };
    }
    let message = error.message.as_str();
    let has = |words: &str| message.contains(words);
    let sentence = if error.canceled {
        "The build was stopped: no step failed."
    } else if has("parse error") || has("unknown instruction") || has("dockerfile syntax") {
        "The Dockerfile could not be read: no step has run."
    } else if has("target stage") && has("could not be found") {
        "The Dockerfile has no stage of that name: no step has run."
    } else if has("failed to resolve source metadata") || has("failed to load metadata for") {
        "A base image could not be found: no step has run."
    } else if has("failed to read dockerfile") {
        "There is no Dockerfile: no step has run."
    } else if error.exit_code.is_some() || has("did not complete successfully") {
        "This engine does not say what a failed step leaves behind (Docker before 23.0, BuildKit before 0.10): \
         its state cannot be entered."
    } else {
        "The build failed outside of its steps: there is nothing to start a process in."
    };
    Some(sentence.to_owned())
}
