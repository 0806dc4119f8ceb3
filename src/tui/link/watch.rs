//! What the server tells by itself: sessions, traces, searches.

use tokio::sync::mpsc::Sender;

use super::super::msg::{BuildId, Msg, SearchAnswer};
use crate::client::{Api, Client, status};
use crate::proto::controller::session_event::Event;
use crate::proto::controller::{
    InfoResponse, SearchLogRequest, TraceRequest, WatchSessionsRequest,
};

/// Events of a trace that are one message.
const BATCH: usize = 256;

/// Every session, and each change.
pub async fn sessions(mut api: Api, info: InfoResponse, sender: Sender<Msg>) {
    let _ = sender.send(Msg::Connected(Box::new(info))).await;
    let lost = 'lost: {
        let mut events = match api.watch_sessions(WatchSessionsRequest::default()).await {
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

/// Uses a session for as long as this runs. What the server tells of it is told elsewhere, too.
pub async fn presence(mut api: Api, session: String) {
    let request = WatchSessionsRequest { session };
    if let Ok(events) = api.watch_sessions(request).await {
        let mut events = events.into_inner();
        while let Ok(Some(_)) = events.message().await {}
    }
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
