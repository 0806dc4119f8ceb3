//! Watching the files of a context.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc::Sender;
use tokio::task::AbortHandle;

use super::super::msg::Msg;
use crate::watch::{Wanted, WatchError, Watcher};

/// How long to wait before a context that was replaced is looked for again; doubled each time.
const FIRST: Duration = Duration::from_millis(200);

/// How often it is looked for: in all for less than a minute.
const TRIES: u32 = 8;

/// Tells when files of a context change, until it is aborted or that is not possible any more. A context that goes away
/// while it is watched, as when another branch is checked out, may come back.
pub fn watch(session: String, wanted: Wanted, sender: Sender<Msg>) -> AbortHandle {
    let task = tokio::spawn(async move {
        if let Some(why) = follow(&session, &wanted, &sender, FIRST).await {
            let why = why.to_string();
            let _ = sender.send(Msg::Unwatched { session, why }).await;
        }
    });
    task.abort_handle()
}

/// Why it cannot be watched any more; `None`: nobody wants to know.
async fn follow(
    session: &str,
    wanted: &Wanted,
    sender: &Sender<Msg>,
    first: Duration,
) -> Option<WatchError> {
    let (mut known, mut tries) = (false, 0);
    loop {
        let why = match begin(wanted.clone()).await? {
            Ok(mut watcher) => {
                if std::mem::replace(&mut known, true) {
                    // What came back may be anything.
                    tell(session, "the context".to_owned(), 1, sender).await?;
                } else {
                    let session = session.to_owned();
                    sender.send(Msg::Watched { session }).await.ok()?;
                }
                tries = 0;
                loop {
                    match watcher.next().await {
                        Ok(change) => tell(session, change.path, change.count, sender).await?,
                        Err(why) => break why,
                    }
                }
            }
            Err(why) => why,
        };
        if !known || !why.heals() || tries == TRIES {
            return Some(why);
        }
        if tries == 0 {
            let session = session.to_owned();
            sender.send(Msg::WatchWaits { session }).await.ok()?;
        }
        tokio::time::sleep(first * 2_u32.pow(tries)).await;
        tries += 1;
    }
}

/// Walks the directories beside the runtime, which it needs for the kernel's events.
async fn begin(wanted: Wanted) -> Option<Result<Watcher, WatchError>> {
    let runtime = Handle::current();
    let watcher = tokio::task::spawn_blocking(move || {
        let _inside = runtime.enter();
        Watcher::new(wanted)
    });
    watcher.await.ok()
}

async fn tell(session: &str, path: String, count: usize, sender: &Sender<Msg>) -> Option<()> {
    let session = session.to_owned();
    let changed = Msg::Changed {
        session,
        path,
        count,
    };
    sender.send(changed).await.ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use tokio::sync::mpsc::{Receiver, channel};

    use super::*;

    fn wanted(context: PathBuf) -> Wanted {
        Wanted {
            context,
            ..Wanted::default()
        }
    }

    async fn next(receiver: &mut Receiver<Msg>) -> Option<Msg> {
        tokio::time::timeout(Duration::from_secs(30), receiver.recv())
            .await
            .expect("a message in time")
    }

    async fn begun(receiver: &mut Receiver<Msg>) {
        let first = next(receiver).await;
        assert!(matches!(first, Some(Msg::Watched { .. })), "{first:?}");
    }

    async fn waits(receiver: &mut Receiver<Msg>) {
        loop {
            match next(receiver).await {
                Some(Msg::Changed { .. }) => {}
                Some(Msg::WatchWaits { session }) => return assert_eq!(session, "web"),
                other => panic!("{other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn a_context_that_is_replaced_is_watched_again() {
        let dir = tempfile::tempdir().unwrap();
        let context = dir.path().join("context");
        fs::create_dir(&context).unwrap();
        let (sender, mut receiver) = channel(16);
        let task = watch("web".to_owned(), wanted(context.clone()), sender);
        begun(&mut receiver).await;
        for moved in [false, true] {
            match moved {
                true => fs::rename(&context, dir.path().join("old")).unwrap(),
                false => fs::remove_dir_all(&context).unwrap(),
            }
            waits(&mut receiver).await;
            fs::create_dir(&context).unwrap();
            let back = next(&mut receiver).await;
            assert!(matches!(back, Some(Msg::Changed { path, .. }) if path == "the context"));
            fs::write(context.join("new"), "x").unwrap();
            let change = next(&mut receiver).await;
            assert!(matches!(change, Some(Msg::Changed { path, .. }) if path == "new"));
        }
        task.abort();
    }

    #[tokio::test]
    async fn one_that_does_not_come_back_is_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let context = dir.path().join("context");
        let wanted = wanted(context.clone());
        let (sender, mut receiver) = channel(16);
        let first = Duration::from_millis(1);
        let none = follow("web", &wanted, &sender, first).await;
        assert!(none.is_some(), "what was never there is not waited for");
        assert!(receiver.try_recv().is_err());
        fs::create_dir(&context).unwrap();
        let task = tokio::spawn(async move { follow("web", &wanted, &sender, first).await });
        begun(&mut receiver).await;
        fs::remove_dir_all(&context).unwrap();
        waits(&mut receiver).await;
        assert!(next(&mut receiver).await.is_none(), "it says so once");
        let end = task.await.unwrap();
        assert!(
            matches!(end, Some(WatchError::Unreadable { .. })),
            "{end:?}"
        );
    }
}
