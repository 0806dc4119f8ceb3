//! A refusal of the server in one line for people.

use tonic::{Code, Status};

use crate::term::escape;

/// What `status` says; harmless on a terminal.
pub fn line(status: &Status) -> String {
    let message = escape::line(status.message()).replace('\t', " ");
    if is_lost(status) && !message.contains("server") {
        format!("lost the buildx server: {message}")
    } else if message.is_empty() {
        format!("the server refused: {:?}", status.code())
    } else {
        message
    }
}

/// Whether nobody answers any more. A broken transport has no code of its own.
pub fn is_lost(status: &Status) -> bool {
    let source = std::error::Error::source(status);
    status.code() == Code::Unavailable
        || (status.code() == Code::Unknown
            && (source.is_some() || status.message().contains("transport")))
}
