//! When nobody needs the server any more.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::Life;
use crate::server::Usage;

/// Returns when nothing has been done, nothing kept and nobody connected for `limit`; never without
/// one.
pub async fn over(limit: Option<Duration>, life: &Life, mut usage: watch::Receiver<Usage>) {
    let Some(limit) = limit else {
        return std::future::pending().await;
    };
    let mut peers = life.shared.peers.subscribe();
    loop {
        let unused = *usage.borrow_and_update() == Usage::default();
        let alone = peers.borrow_and_update().is_empty();
        let changed = tokio::select! {
            changed = usage.changed() => changed,
            changed = peers.changed() => changed,
            () = sleep(limit), if unused && alone => return,
        };
        if changed.is_err() {
            // The server is gone; there is nothing left to end.
            return;
        }
    }
}
