//! `buildx debug prune`: ends the sessions in which nobody works, and says what went.

use std::collections::HashSet;
use std::io::{BufRead, IsTerminal, Write};

use clap::Args;
use tonic::Code;

use super::verbs::{print, refused};
use crate::cli::choice::WhichServer;
use crate::client::Api;
use crate::monitor::listing;
use crate::progress::units::bytes;
use crate::proto::controller::{
    DisconnectRequest, InfoRequest, ListSessionsRequest, Session, SessionState,
};

/// `buildx debug prune`.
#[derive(Clone, Debug, Args)]
pub struct PruneArgs {
    /// Do not ask.
    #[arg(short, long)]
    pub force: bool,
    /// Which server.
    #[command(flatten)]
    pub server: WhichServer,
}

/// Ends them, after a question unless `force`.
pub(super) async fn run(api: &Api, force: bool) -> Result<u8, String> {
    let mut api = api.clone();
    let mut sessions = unused(&mut api).await?;
    if !force && !sessions.is_empty() {
        if !std::io::stdin().is_terminal() {
            return Err("standard input is no terminal to ask at; --force does not ask".to_owned());
        }
        let question = format!(
            "{} which nobody uses would end, with state and logs. End? [y/N] ",
            number(sessions.len())
        );
        if !agreed(question).await {
            return Ok(0);
        }
        // Somebody may have come meanwhile.
        let asked: HashSet<String> = sessions.drain(..).map(|session| session.id).collect();
        sessions = unused(&mut api).await?;
        sessions.retain(|session| asked.contains(&session.id));
    }
    let before = disk(&mut api).await?;
    let mut ended = Vec::new();
    let mut mistake = None;
    for session in sessions {
        let request = DisconnectRequest {
            session: session.id.clone(),
            unless_used: true,
        };
        match api.disconnect(request).await {
            Ok(answer) if answer.get_ref().ended => ended.push(vec![
                listing::plain(&session.id),
                listing::plain(&session.name),
            ]),
            Ok(_) => {}
            // Somebody else was quicker.
            Err(status) if status.code() == Code::NotFound => {}
            // What has ended so far is told nevertheless.
            Err(status) => {
                mistake = Some(refused(status));
                break;
            }
        }
    }
    print(&listing::table(&ended));
    if let Some(mistake) = mistake {
        return Err(mistake);
    }
    let freed = before.saturating_sub(disk(&mut api).await?);
    print(&[
        format!("Ended {}.", number(ended.len())),
        format!(
            "Total reclaimed space: {}",
            bytes(i64::try_from(freed).unwrap_or(i64::MAX))
        ),
    ]);
    Ok(0)
}

fn number(sessions: usize) -> String {
    match sessions {
        1 => "1 session".to_owned(),
        count => format!("{count} sessions"),
    }
}

/// The sessions whose build is over, without processes and clients.
async fn unused(api: &mut Api) -> Result<Vec<Session>, String> {
    let list = api.list_sessions(ListSessionsRequest {}).await;
    let mut list = list.map_err(refused)?.into_inner().sessions;
    list.retain(|session| {
        let over = !matches!(
            session.state(),
            SessionState::Building | SessionState::Unspecified
        );
        over && session.processes == 0 && session.watchers == 0
    });
    Ok(list)
}

/// Bytes of all logs.
async fn disk(api: &mut Api) -> Result<u64, String> {
    let info = api.info(InfoRequest {}).await;
    Ok(info.map_err(refused)?.into_inner().disk)
}

/// Whether the answer is yes; its line is read on a thread that may wait.
async fn agreed(question: String) -> bool {
    let asking = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        let asked = write!(std::io::stderr(), "{question}");
        let read = asked.and_then(|()| std::io::stdin().lock().read_line(&mut line));
        read.is_ok() && matches!(line.trim(), "y" | "Y" | "yes")
    });
    asking.await.unwrap_or(false)
}
