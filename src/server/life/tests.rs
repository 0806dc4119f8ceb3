use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, advance};
use tokio_stream::{Stream, StreamExt};
use tonic::{Code, Status};

use super::*;
use crate::proto::controller::{ShutdownEvent, ShutdownRequest};
use crate::server::Usage;

fn busy() -> (watch::Sender<Usage>, watch::Receiver<Usage>) {
    watch::channel(Usage {
        builds: 1,
        processes: 2,
        ..Usage::default()
    })
}

const DRAIN: ShutdownRequest = ShutdownRequest {
    drain: true,
    drain_limit: 0,
    unless_used: false,
};

async fn next(
    events: &mut (impl Stream<Item = Result<ShutdownEvent, Status>> + Unpin),
) -> Vec<String> {
    events.next().await.unwrap().unwrap().waiting_for
}

#[test]
fn connections_of_one_process_are_one_client() {
    let life = Life::default();
    let first = life.seat(Some(1));
    let second = life.seat(Some(1));
    let unknown = [life.seat(None), life.seat(None)];
    assert_eq!(life.clients(), 3);
    assert_eq!(life.peers().len(), 4);
    drop((first, unknown));
    assert_eq!(life.clients(), 1);
    drop(second);
    assert_eq!(life.clients(), 0);
}

#[tokio::test]
async fn the_first_reason_counts() {
    let life = Life::default();
    assert_eq!(life.refusal(), None);
    life.end("one");
    life.end("two");
    assert_eq!(life.ended().await, "one");
    assert!(life.refusal().unwrap().contains("one"));
}

#[tokio::test]
async fn at_once_means_at_once() {
    let life = Life::default();
    let (_usage, usage) = busy();
    let _other = life.seat(Some(1));
    let mut events = Box::pin(
        life.shutdown(ShutdownRequest::default(), None, usage)
            .unwrap(),
    );
    assert!(next(&mut events).await.is_empty());
    assert!(events.next().await.is_none());
    assert_eq!(life.ended().await, "it was stopped by somebody");
}

#[tokio::test]
async fn draining_names_whom_it_waits_for_until_the_last_is_gone() {
    let life = Life::default();
    let (usage, used) = busy();
    let asker = life.seat(Some(std::process::id()));
    let again = life.seat(Some(std::process::id()));
    let other = life.seat(Some(u32::MAX));
    let mut events = Box::pin(life.shutdown(DRAIN, Some(asker.peer()), used).unwrap());
    assert_eq!(
        next(&mut events).await,
        [
            "1 running build",
            "2 running processes",
            "client 4294967295"
        ]
    );
    assert!(life.draining());
    assert!(life.refusal().unwrap().contains("takes no new builds"));
    usage.send_modify(|usage| usage.builds = 0);
    assert_eq!(
        next(&mut events).await,
        ["2 running processes", "client 4294967295"]
    );
    drop(other);
    assert_eq!(next(&mut events).await, ["2 running processes"]);
    usage.send_replace(Usage::default());
    assert!(next(&mut events).await.is_empty());
    let reason = life.ended().await;
    let own = format!("it was stopped by client {}", std::process::id());
    assert!(reason.starts_with(&own), "{reason}");
    drop(again);
}

#[tokio::test]
async fn a_change_of_mind_changes_nothing() {
    let life = Life::default();
    let (_usage, used) = busy();
    let mut events = Box::pin(life.shutdown(DRAIN, None, used).unwrap());
    assert_eq!(next(&mut events).await.len(), 2);
    assert!(life.draining());
    drop(events);
    assert!(!life.draining());
    assert_eq!(life.refusal(), None);
}

#[tokio::test(start_paused = true)]
async fn draining_ends_at_its_limit() {
    let life = Life::default();
    let (_usage, used) = busy();
    let request = ShutdownRequest {
        drain_limit: 60_000,
        ..DRAIN
    };
    let mut events = Box::pin(life.shutdown(request, None, used).unwrap());
    assert_eq!(next(&mut events).await.len(), 2);
    let begin = Instant::now();
    assert!(next(&mut events).await.is_empty());
    assert_eq!(begin.elapsed().as_secs(), 60);
    life.ended().await;
}

#[tokio::test]
async fn a_server_in_use_can_be_left_alone() {
    let life = Life::default();
    let request = ShutdownRequest {
        unless_used: true,
        ..ShutdownRequest::default()
    };
    let kept = watch::channel(Usage {
        kept: 1,
        ..Usage::default()
    });
    let status = life.shutdown(request, None, kept.1).map(drop).unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(status.message(), "the server is in use: 1 kept state");
    let free = watch::channel(Usage::default());
    let mut events = Box::pin(life.shutdown(request, None, free.1).unwrap());
    assert!(next(&mut events).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn idle_time_begins_when_the_last_one_leaves() {
    let life = Life::default();
    let (usage, used) = busy();
    let limit = Some(Duration::from_secs(600));
    let over = {
        let life = life.clone();
        tokio::spawn(async move { idle::over(limit, &life, used).await })
    };
    advance(Duration::from_secs(6000)).await;
    assert!(!over.is_finished());
    let seat = life.seat(None);
    usage.send_replace(Usage::default());
    advance(Duration::from_secs(6000)).await;
    assert!(!over.is_finished());
    let begin = Instant::now();
    drop(seat);
    over.await.unwrap();
    assert_eq!(begin.elapsed().as_secs(), 600);
}
