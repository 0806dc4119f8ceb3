//! Ending sessions in which nobody works, one after the other.

use tonic::{Code, Status};

use crate::client::Api;
use crate::progress::units::{bytes, count};
use crate::proto::controller::{DisconnectRequest, InfoRequest, Session, SessionState};

/// What has been ended.
#[derive(Debug, Default)]
pub struct Pruned {
    /// Ids of the sessions, in the order in which they were named.
    pub ended: Vec<String>,
    /// Bytes on the server's disk that are free again.
    pub freed: u64,
    /// Why the rest was not ended.
    pub mistake: Option<Status>,
}

impl Pruned {
    /// How many, in words.
    pub fn count(&self) -> String {
        count(self.ended.len(), "session")
    }

    /// How much is free again, with its unit.
    pub fn space(&self) -> String {
        bytes(i64::try_from(self.freed).unwrap_or(i64::MAX))
    }
}

/// Whether nobody works in a session: its build is over, no program runs in it, and no client uses it.
pub fn is_unused(session: &Session) -> bool {
    let over = !matches!(
        session.state(),
        SessionState::Building | SessionState::Unspecified
    );
    over && session.processes == 0 && session.watchers == 0
}

/// Ends those of `sessions` that nobody uses by now.
///
/// # Errors
/// The server does not answer, and nothing was ended.
pub async fn prune(api: &mut Api, sessions: Vec<String>) -> Result<Pruned, Status> {
    let before = disk(api).await?;
    let mut pruned = Pruned::default();
    for session in sessions {
        let request = DisconnectRequest {
            session: session.clone(),
            unless_used: true,
        };
        match api.disconnect(request).await {
            Ok(answer) if answer.get_ref().ended => pruned.ended.push(session),
            Ok(_) => {}
            // Somebody else was quicker.
            Err(status) if status.code() == Code::NotFound => {}
            // What has ended so far is told nevertheless.
            Err(status) => {
                pruned.mistake = Some(status);
                return Ok(pruned);
            }
        }
    }
    match disk(api).await {
        Ok(after) => pruned.freed = before.saturating_sub(after),
        Err(status) => pruned.mistake = Some(status),
    }
    Ok(pruned)
}

/// Bytes of all logs.
async fn disk(api: &mut Api) -> Result<u64, Status> {
    let info = api.info(InfoRequest {}).await?;
    Ok(info.into_inner().disk)
}
