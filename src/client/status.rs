//! A refusal of the server in one line for people.

use tonic::{Code, Status};

use crate::term::escape;

/// What `status` says; harmless on a terminal.
pub fn line(status: &Status) -> String {
    let message = escape::line(status.message()).replace('\t', " ");
    if is_cut(status) {
        // What the transport says of it helps nobody.
        "the connection to the buildx server was lost".to_owned()
    } else if is_lost(status) && !message.contains("server") {
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
        || is_cut(status)
        || (status.code() == Code::Unknown
            && (source.is_some() || status.message().contains("transport")))
}

/// Whether the connection broke in the middle of an answer. The code of such a status depends on how it broke.
fn is_cut(status: &Status) -> bool {
    status.message().starts_with("h2 protocol error")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_connection_is_told_in_words() {
        for code in [Code::Internal, Code::Unknown, Code::Cancelled] {
            let broken = Status::new(
                code,
                "h2 protocol error: error reading a body from connection",
            );
            assert!(is_lost(&broken));
            assert_eq!(
                line(&broken),
                "the connection to the buildx server was lost"
            );
        }
        let refused = Status::internal("no space left");
        assert!(!is_lost(&refused));
        assert_eq!(line(&refused), "no space left");
        let away = Status::unavailable("tcp connect error");
        assert_eq!(line(&away), "lost the buildx server: tcp connect error");
    }
}
