//! What a server keeps of a session on disk, so that the next server knows it. Nothing of the caller's
//! environment is in it.

use serde::{Deserialize, Serialize};

use crate::proto::controller::SessionState;

/// A session, as JSON in its directory (`meta`). Times are milliseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// Its name.
    pub name: String,
    /// The words after "buildx build".
    pub arguments: Vec<String>,
    /// Directory that relative names start from.
    pub directory: String,
    /// The context, as given.
    pub context: String,
    /// Terminal of the client that started it.
    pub terminal: String,
    /// When it was made.
    pub created: i64,
    /// Whether it was started to go on without its client.
    pub detached: bool,
    /// How long its states are kept, in milliseconds.
    pub keep: u64,
    /// Whether the state of a build that succeeds is opened at once.
    pub keep_success: bool,
    /// Number of its last build.
    pub build: u32,
    /// The last build.
    pub last: Last,
}

/// The last build of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Last {
    /// How it is or ended.
    pub state: State,
    /// When it began.
    pub started: i64,
    /// When it ended, or when something of it was recorded last if the server died; 0 while it runs.
    pub ended: i64,
    /// Exit code for scripts.
    pub exit_code: u32,
    /// Name of the builder.
    pub builder: String,
    /// Steps that are complete.
    pub steps_done: u32,
    /// Steps that are known.
    pub steps: u32,
    /// What ran or failed.
    pub doing: String,
    /// What the state does not say.
    pub reason: String,
    /// Why a failure left nothing to start a process in; empty if it left something.
    pub no_state: String,
    /// Platforms of the result.
    pub platforms: Vec<String>,
}

/// The state of a build, by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It runs.
    #[default]
    Building,
    /// It went well.
    Succeeded,
    /// It failed.
    Failed,
    /// It was stopped.
    Canceled,
    /// The server died meanwhile.
    Recoverable,
}

impl From<State> for SessionState {
    fn from(state: State) -> Self {
        match state {
            State::Building => Self::Building,
            State::Succeeded => Self::Succeeded,
            State::Failed => Self::Failed,
            State::Canceled => Self::Canceled,
            State::Recoverable => Self::Recoverable,
        }
    }
}

impl Record {
    /// The record in its bytes.
    pub fn encode(&self) -> Vec<u8> {
        // Strings and numbers only: there is nothing that could not be written.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// A record that an earlier server left. A build that ran then is one to be recovered.
    ///
    /// # Errors
    /// It is no record.
    pub fn decode(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let mut record: Self = serde_json::from_slice(bytes)?;
        if record.last.state == State::Building {
            record.last.state = State::Recoverable;
            record.last.reason = "the server ended during the build; reload builds it again".into();
        }
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_that_ran_is_one_to_be_recovered() {
        let mut record = Record {
            name: "app".into(),
            build: 2,
            ..Record::default()
        };
        let read = Record::decode(&record.encode()).unwrap();
        assert_eq!(read.last.state, State::Recoverable);
        assert!(read.last.reason.contains("reload"));
        record.last.state = State::Failed;
        assert_eq!(Record::decode(&record.encode()).unwrap(), record);
        // What a later server adds is passed over, what an earlier one lacks has its default.
        let read = Record::decode(br#"{"name":"x","later":1,"last":{"state":"succeeded"}}"#);
        assert_eq!(read.unwrap().last.state, State::Succeeded);
        assert!(Record::decode(b"{").is_err());
    }
}
