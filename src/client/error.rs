//! Why there is no server to talk to.

use std::path::PathBuf;
use std::time::Duration;

use crate::paths::private::Refused;

/// Why there is no server to talk to. Each says what helps.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No server runs.
    #[error("no buildx server runs (looked for {})", socket.display())]
    Absent {
        /// Where it would listen.
        socket: PathBuf,
    },
    /// Something at its place is not ours, or can be reached by others.
    #[error("{refused}{}", remedy(.refused))]
    Refused {
        /// What.
        refused: Refused,
    },
    /// Somebody else listens there.
    #[error(
        "will not talk to the server on {}: it runs as another user (uid {uid}); end that one, or choose another place with --root",
        socket.display()
    )]
    Foreign {
        /// The socket.
        socket: PathBuf,
        /// Whose process listens.
        uid: u32,
    },
    /// It accepts connections and says nothing.
    #[error(
        "the buildx server on {} does not answer (waited {} s); end it with: buildx server stop (its log: {})",
        socket.display(), after.as_secs(), log.display()
    )]
    Silent {
        /// The socket.
        socket: PathBuf,
        /// The deadline that passed.
        after: Duration,
        /// Where its last words are.
        log: PathBuf,
    },
    /// Something else answers.
    #[error("what listens on {} is no buildx server: {reason}", socket.display())]
    Protocol {
        /// The socket.
        socket: PathBuf,
        /// What it said.
        reason: String,
    },
    /// It did not start.
    #[error("cannot start the buildx server: {reason}; its log is {}, and --server=off does without it", log.display())]
    Launch {
        /// Why, in one line.
        reason: String,
        /// Where its last words are.
        log: PathBuf,
    },
    /// Another command has been starting it for too long.
    #[error("another command has been starting the buildx server for {} s; if none is, end it with: buildx server stop", .0.as_secs())]
    Busy(Duration),
}

// By hand, so that it is not the source, too: the message has it already.
impl From<Refused> for ConnectError {
    fn from(refused: Refused) -> Self {
        Self::Refused { refused }
    }
}

/// What helps where the reason says only what is wrong.
fn remedy(refused: &Refused) -> &'static str {
    match refused {
        Refused::Io { .. } => {
            "; choose another place with --root, or do without a server with --server=off"
        }
        Refused::Unsafe { .. } => "",
    }
}
