//! What an id names: a session or a process.

use super::{Api, Complaint};
use crate::monitor::listing;
use crate::proto::controller::{ListSessionsRequest, Process, Session, SessionRequest};

/// What an id names.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// A session.
    Session(Session),
    /// A process.
    Process(Process),
}

impl Target {
    fn id(&self) -> &str {
        match self {
            Self::Session(session) => &session.id,
            Self::Process(process) => &process.id,
        }
    }

    fn is_named(&self, name: &str) -> bool {
        matches!(self, Self::Session(session) if !name.is_empty() && session.name == name)
    }
}

/// The session or process that `id` names: an id, the name of one session, a unique prefix of an id.
/// Processes of the session `current` and sessions come first; processes of other sessions count
/// when nothing else fits. No id names nothing: a variable of a script that is empty is not the only session.
///
/// # Errors
/// Nothing, or more than one thing, has that id.
pub async fn find(api: &mut Api, current: Option<&str>, id: &str) -> Result<Target, Complaint> {
    if id.is_empty() {
        return Err(unknown(id));
    }
    let list = api
        .list_sessions(ListSessionsRequest {})
        .await?
        .into_inner();
    let mut fits: Vec<Target> = Vec::new();
    if let Some(current) = current
        && list.sessions.iter().any(|session| session.id == current)
    {
        fits.extend(processes(api, current, id).await?);
    }
    fits.extend(
        list.sessions
            .iter()
            .filter(|session| session.id.starts_with(id) || session.name == id)
            .cloned()
            .map(Target::Session),
    );
    if fits.is_empty() {
        for session in &list.sessions {
            if current != Some(session.id.as_str()) {
                fits.extend(processes(api, &session.id, id).await?);
            }
        }
    }
    only(id, fits)
}

/// The session that `id` names.
///
/// # Errors
/// Nothing, or more than one, has that id.
pub async fn find_session(api: &mut Api, id: &str) -> Result<Session, Complaint> {
    if id.is_empty() {
        return Err(unknown(id));
    }
    let list = api
        .list_sessions(ListSessionsRequest {})
        .await?
        .into_inner();
    let fits = list
        .sessions
        .into_iter()
        .filter(|session| session.id.starts_with(id) || session.name == id)
        .map(Target::Session);
    match only(id, fits.collect())? {
        Target::Session(session) => Ok(session),
        Target::Process(_) => Err(unknown(id)),
    }
}

async fn processes(api: &mut Api, session: &str, id: &str) -> Result<Vec<Target>, Complaint> {
    let request = SessionRequest {
        session: session.to_owned(),
    };
    let list = match api.list_processes(request).await {
        Ok(list) => list.into_inner(),
        // It ended between the two calls.
        Err(status) if status.code() == tonic::Code::NotFound => return Ok(Vec::new()),
        Err(status) => return Err(status.into()),
    };
    let fits = list.processes.into_iter();
    Ok(fits
        .filter(|process| process.id.starts_with(id))
        .map(Target::Process)
        .collect())
}

fn only(id: &str, mut fits: Vec<Target>) -> Result<Target, Complaint> {
    if let Some(exact) = fits.iter().position(|target| target.id() == id) {
        return Ok(fits.swap_remove(exact));
    }
    // The beginning of an id is an accident; a name was given. One that several have decides nothing.
    let mut named = fits
        .iter()
        .enumerate()
        .filter(|(_, target)| target.is_named(id));
    if let (Some((only, _)), None) = (named.next(), named.next()) {
        return Ok(fits.swap_remove(only));
    }
    match fits.pop() {
        None => Err(unknown(id)),
        Some(only) if fits.is_empty() => Ok(only),
        Some(last) => {
            fits.push(last);
            let ids: Vec<String> = fits
                .iter()
                .map(|target| listing::plain(target.id()))
                .collect();
            Err(Complaint(format!(
                "ID {id:?} fits several: {}",
                ids.join(", ")
            )))
        }
    }
}

fn unknown(id: &str) -> Complaint {
    Complaint(format!(
        "unknown ID: {id:?}; \"list\" shows the sessions, \"ps\" the processes"
    ))
}
