use super::*;
use crate::proto::controller::{Exited, Presence, Snapshot};
use futures_util::FutureExt;
use tokio_stream::StreamExt;

fn queue() -> (Sender, Attached, Arc<Notify>) {
    let wake = Arc::new(Notify::new());
    let (sender, receiver) = new(Arc::clone(&wake));
    let input = tokio::spawn(std::future::pending());
    (sender, receiver.attached(input), wake)
}

/// What is there now.
fn drain(attached: &mut Attached) -> Vec<Output> {
    let next = || attached.next().now_or_never().flatten();
    std::iter::from_fn(next)
        .filter_map(|message| message.output)
        .collect()
}

fn block(size: usize) -> Bytes {
    Bytes::from(vec![b'x'; size])
}

#[tokio::test]
async fn small_chunks_are_joined_and_keep_their_order() {
    let (sender, mut attached, _) = queue();
    assert!(sender.data(&Bytes::from_static(b"a")));
    assert!(sender.data(&Bytes::from_static(b"b")));
    assert!(sender.error_data(&Bytes::from_static(b"c")));
    sender.say(Output::Notice("n".into()));
    assert!(sender.data(&Bytes::from_static(b"d")));
    assert_eq!(
        drain(&mut attached),
        [
            Output::Data(Bytes::from_static(b"ab")),
            Output::ErrorData(Bytes::from_static(b"c")),
            Output::Notice("n".into()),
            Output::Data(Bytes::from_static(b"d")),
        ]
    );
}

#[tokio::test]
async fn a_full_queue_refuses_output_and_wakes_when_half_is_free() {
    let (sender, mut attached, wake) = queue();
    let mut taken = 0;
    while sender.data(&block(CHUNK)) {
        taken += 1;
    }
    assert_eq!(taken, BYTES / CHUNK);
    assert!(!sender.has_room());
    let mut read = 0;
    while wake.notified().now_or_never().is_none() {
        attached.next().await.unwrap();
        read += 1;
    }
    assert_eq!(read, taken / 2);
    assert!(sender.has_room());
}

#[tokio::test]
async fn messages_are_bounded_as_well() {
    let (sender, mut attached, _) = queue();
    for _ in 0..5 * MESSAGES {
        sender.say(Output::Notice(String::new()));
        sender.say(Output::Presence(Presence::default()));
    }
    assert!(!sender.has_room());
    sender.say(Output::Exited(Exited::default()));
    sender.finish();
    let all = drain(&mut attached);
    assert_eq!(all.len(), 2 * MESSAGES + 1);
    assert!(matches!(all.last(), Some(Output::Exited(_))));
    assert!(attached.next().await.is_none());
}

#[tokio::test]
async fn who_falls_behind_keeps_only_what_a_screen_does_not_show() {
    let (sender, mut attached, wake) = queue();
    sender.say(Output::Snapshot(Snapshot::default()));
    sender.data(&block(10));
    sender.say(Output::Notice("n".into()));
    sender.fall_behind();
    assert!(!sender.is_empty());
    assert!(wake.notified().now_or_never().is_none());
    assert_eq!(drain(&mut attached), [Output::Notice("n".into())]);
    assert!(wake.notified().now_or_never().is_some());
    assert!(sender.is_empty());
}

#[tokio::test]
async fn leaving_is_noticed_and_a_waiting_viewer_is_woken() {
    let (sender, mut attached, wake) = queue();
    let waiting = tokio::spawn(async move {
        let first = attached.next().await;
        (first, attached)
    });
    tokio::task::yield_now().await;
    sender.data(&block(1));
    let (first, attached) = waiting.await.unwrap();
    assert_eq!(first.unwrap().output, Some(Output::Data(block(1))));
    assert!(!sender.is_gone());
    drop(attached);
    wake.notified().await;
    assert!(sender.is_gone());
}
