//! `buildx debug prune`: ends the sessions in which nobody works, and says what went.

use std::collections::HashSet;
use std::io::{BufRead, IsTerminal, Write};

use clap::Args;

use super::verbs::{print, refused};
use crate::cli::choice::WhichServer;
use crate::client::Api;
use crate::monitor::listing;
use crate::monitor::prune::{is_unused, prune};
use crate::progress::units;
use crate::proto::controller::{ListSessionsRequest, Session};

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
            units::count(sessions.len(), "session")
        );
        if !agreed(question).await {
            return Ok(0);
        }
        // Somebody may have come meanwhile.
        let asked: HashSet<String> = sessions.drain(..).map(|session| session.id).collect();
        sessions = unused(&mut api).await?;
        sessions.retain(|session| asked.contains(&session.id));
    }
    let ids = sessions.iter().map(|session| session.id.clone()).collect();
    let pruned = prune(&mut api, ids).await.map_err(refused)?;
    let went = sessions
        .iter()
        .filter(|session| pruned.ended.contains(&session.id));
    let rows: Vec<_> = went
        .map(|session| vec![listing::plain(&session.id), listing::plain(&session.name)])
        .collect();
    print(&listing::table(&rows))?;
    let (count, space) = (pruned.count(), pruned.space());
    if let Some(mistake) = pruned.mistake {
        return Err(refused(mistake));
    }
    print(&[
        format!("Ended {count}."),
        format!("Total reclaimed space: {space}"),
    ])?;
    Ok(0)
}

/// The sessions in which nobody works.
async fn unused(api: &mut Api) -> Result<Vec<Session>, String> {
    let list = api.list_sessions(ListSessionsRequest {}).await;
    let mut list = list.map_err(refused)?.into_inner().sessions;
    list.retain(is_unused);
    Ok(list)
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
