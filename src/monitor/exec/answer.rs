//! What comes of a command.

use tonic::Status;

use crate::client::status;
use crate::monitor::parse::Command;

/// What carrying out a command gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// To be shown, a line each; harmless on a terminal.
    pub lines: Vec<String>,
    /// What is to be done next.
    pub then: Then,
}

/// What is to be done after a command.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Then {
    /// Read the next command.
    #[default]
    Stay,
    /// Show the trace of this build; then [`super::Monitor::built`] with its end.
    Follow {
        /// Session.
        session: String,
        /// Number of the build.
        build: u32,
    },
    /// Print the log of the last build, of the steps that match.
    Logs {
        /// Session.
        session: String,
        /// Part of a step's name, or its number.
        step: Option<String>,
    },
    /// Ask; if the answer is yes, carry the command out.
    Ask {
        /// Without the question mark's choices.
        question: String,
        /// What yes means.
        yes: Command,
    },
    /// End the monitor.
    Leave,
}

impl Answer {
    pub(super) fn line(line: impl Into<String>) -> Self {
        Self {
            lines: vec![line.into()],
            then: Then::Stay,
        }
    }

    pub(super) fn lines(lines: Vec<String>) -> Self {
        Self {
            lines,
            then: Then::Stay,
        }
    }
}

/// Why a command was not carried out, in one harmless line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Complaint(pub String);

impl From<Status> for Complaint {
    fn from(status: Status) -> Self {
        Self(status::line(&status))
    }
}
