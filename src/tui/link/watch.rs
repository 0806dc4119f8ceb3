//! What the server tells by itself: sessions, traces, searches; and what changes on this machine's disk.

use std::path::PathBuf;

use tokio::sync::mpsc::Sender;
use tokio::task::AbortHandle;

use super::super::msg::{BuildId, Msg, SearchAnswer};
use crate::client::{Api, Client, status};
use crate::proto::controller::session_event::Event;
use crate::proto::controller::{
    InfoResponse, LogRequest, SearchLogRequest, TraceRequest, WatchSessionsRequest,
};
use crate::watch::{Wanted, Watcher};

/// Events of a trace that are one message.
const BATCH: usize = 256;

/// Lines that are asked for at once when a log is saved.
const LINES: u32 = 10_000;

/// Every session, and each change.
pub async fn sessions(mut api: Api, info: InfoResponse, sender: Sender<Msg>) {
    let _ = sender.send(Msg::Connected(Box::new(info))).await;
    let lost = 'lost: {
        let mut events = match api.watch_sessions(WatchSessionsRequest {}).await {
            Ok(events) => events.into_inner(),
            Err(refused) => break 'lost status::line(&refused),
        };
        loop {
            let msg = match events.message().await {
                Ok(Some(event)) => match event.event {
                    Some(Event::Changed(session)) => Msg::Session(Box::new(session)),
                    Some(Event::Gone(id)) => Msg::Gone(id),
                    Some(Event::Ready(_)) => Msg::AllSessions,
                    Some(Event::Leaving(why)) => break 'lost format!("the server leaves: {why}"),
                    None => continue,
                },
                Ok(None) => break 'lost "the server ended the connection".to_owned(),
                Err(refused) => break 'lost status::line(&refused),
            };
            if sender.send(msg).await.is_err() {
                return;
            }
        }
    };
    let _ = sender.send(Msg::Lost(lost)).await;
}

/// What happened in a build, and what happens.
pub async fn trace(client: Client, build: BuildId, sender: Sender<Msg>) {
    let request = TraceRequest {
        session: build.session.clone(),
        build: build.build,
        no_logs: client.knows("log"),
        ..TraceRequest::default()
    };
    let mut api = client.api.clone();
    let mut records = match api.trace(request).await {
        Ok(records) => records.into_inner(),
        Err(refused) => {
            let _ = sender
                .send(Msg::TraceEnd(build, Some(status::line(&refused))))
                .await;
            return;
        }
    };
    let end = loop {
        let first = match records.message().await {
            Ok(Some(record)) => record,
            Ok(None) => break None,
            Err(refused) => break Some(status::line(&refused)),
        };
        let mut events: Vec<_> = first.event.into_iter().collect();
        // What is there already goes along.
        while events.len() < BATCH {
            use futures_util::FutureExt;
            match records.message().now_or_never() {
                Some(Ok(Some(record))) => events.extend(record.event),
                _ => break,
            }
        }
        if sender
            .send(Msg::Trace(build.clone(), events))
            .await
            .is_err()
        {
            return;
        }
    };
    let _ = sender.send(Msg::TraceEnd(build, end)).await;
}

/// What a search finds.
pub async fn search(mut api: Api, id: u64, request: SearchLogRequest, sender: Sender<Msg>) {
    let mut found = match api.search_log(request).await {
        Ok(found) => found.into_inner(),
        Err(refused) => {
            let answer = Err(status::line(&refused));
            let _ = sender.send(Msg::Found(SearchAnswer { id, answer })).await;
            return;
        }
    };
    loop {
        let answer = match found.message().await {
            Ok(Some(part)) => Ok(part),
            Ok(None) => return,
            Err(refused) => Err(status::line(&refused)),
        };
        let ended = answer.is_err();
        if sender
            .send(Msg::Found(SearchAnswer { id, answer }))
            .await
            .is_err()
            || ended
        {
            return;
        }
    }
}

/// Writes a log into a file that does not exist.
pub async fn save(mut api: Api, build: BuildId, vertex: String, path: PathBuf) -> Msg {
    use tokio::io::AsyncWriteExt;
    let cannot =
        |error: std::io::Error| Msg::Failed(format!("cannot write {}: {error}", path.display()));
    let file = tokio::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .await;
    let mut file = match file {
        Ok(file) => tokio::io::BufWriter::new(file),
        Err(error) => return cannot(error),
    };
    let mut from = 0;
    loop {
        let request = LogRequest {
            session: build.session.clone(),
            build: build.build,
            vertex: vertex.clone(),
            from,
            count: LINES,
            ..LogRequest::default()
        };
        let lines = match api.log(request).await {
            Ok(lines) => lines.into_inner(),
            Err(refused) => return Msg::Failed(status::line(&refused)),
        };
        for line in &lines.lines {
            let text = String::from_utf8_lossy(&line.text);
            let plain: String = crate::term::width::characters(&text).collect();
            let written = async {
                file.write_all(plain.as_bytes()).await?;
                file.write_all(b"\n").await
            };
            if let Err(error) = written.await {
                return cannot(error);
            }
        }
        match lines.lines.last() {
            Some(last) if lines.more => from = last.number + 1,
            _ => break,
        }
    }
    match file.flush().await {
        Ok(()) => Msg::Note(format!("saved {}", path.display())),
        Err(error) => cannot(error),
    }
}

/// Tells when files of a context change, until it is aborted or that is not possible any more.
pub fn files(session: String, wanted: Wanted, sender: Sender<Msg>) -> AbortHandle {
    let task = tokio::spawn(async move {
        let runtime = tokio::runtime::Handle::current();
        // It walks the directories, and needs the runtime for the kernel's events.
        let watcher = tokio::task::spawn_blocking(move || {
            let _inside = runtime.enter();
            Watcher::new(wanted)
        });
        let Ok(watcher) = watcher.await else { return };
        if watcher.is_ok() {
            let session = session.clone();
            let _ = sender.send(Msg::Watched { session }).await;
        }
        let why = match watcher {
            Ok(mut watcher) => loop {
                let change = match watcher.next().await {
                    Ok(change) => change,
                    Err(why) => break why,
                };
                let msg = Msg::Changed {
                    session: session.clone(),
                    path: change.path,
                    count: change.count,
                };
                if sender.send(msg).await.is_err() {
                    return;
                }
            },
            Err(why) => why,
        };
        let why = why.to_string();
        let _ = sender.send(Msg::Unwatched { session, why }).await;
    });
    task.abort_handle()
}
