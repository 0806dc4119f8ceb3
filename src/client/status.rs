//! A refusal of the server in one line for people.

use tonic::{Code, Status};

use crate::term::escape;

/// What a broken connection means. What its transport says of it is no help to anybody.
const BROKE: &str = "the connection broke, or the server was killed";

/// What `status` says; harmless on a terminal.
pub fn line(status: &Status) -> String {
    let message = escape::line(status.message()).replace('\t', " ");
    if is_lost(status) && !message.contains("server") {
        let why = match is_broken(status) {
            true => BROKE,
            false => &message,
        };
        format!("lost the buildx server: {why}")
    } else if message.is_empty() {
        format!("the server refused: {:?}", status.code())
    } else {
        message
    }
}

/// Whether nobody answers any more. A broken transport has no code of its own.
pub fn is_lost(status: &Status) -> bool {
    status.code() == Code::Unavailable
        || (matches!(status.code(), Code::Unknown | Code::Internal) && is_broken(status))
}

/// Whether this side says so: what the server tells has no source.
fn is_broken(status: &Status) -> bool {
    std::error::Error::source(status).is_some()
        || ["transport error", "h2 protocol error"]
            .iter()
            .any(|words| status.message().starts_with(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_connection_is_told_in_words() {
        let broke = format!("lost the buildx server: {BROKE}");
        let io = std::io::Error::other("error reading a body from connection");
        for (status, expected) in [
            (Status::from_error(Box::new(io)), broke.as_str()),
            (
                Status::unknown("h2 protocol error: error reading a body from connection"),
                &broke,
            ),
            (Status::internal("h2 protocol error: http2 error"), &broke),
            (
                Status::unavailable("stopped by SIGTERM"),
                "lost the buildx server: stopped by SIGTERM",
            ),
            (
                Status::unavailable("the server is leaving"),
                "the server is leaving",
            ),
            (Status::unknown("odd"), "odd"),
            (Status::internal(""), "the server refused: Internal"),
        ] {
            assert_eq!(line(&status), expected, "{status:?}");
        }
    }
}
