//! Ctrl-C and its kin: the first one cancels the build, the second one leaves at once.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit code of a cancelled build.
pub const CANCELED: u8 = 130;

/// Starts listening for SIGINT, SIGTERM and SIGHUP. The token is cancelled by the first of them;
/// the second ends the process with [`CANCELED`], whatever it is doing.
///
/// # Errors
/// The system gave no handler.
pub fn listen() -> std::io::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let token = CancellationToken::new();
    let canceled = token.clone();
    tokio::spawn(async move {
        any(&mut interrupt, &mut terminate, &mut hangup).await;
        canceled.cancel();
        any(&mut interrupt, &mut terminate, &mut hangup).await;
        std::process::exit(i32::from(CANCELED));
    });
    Ok(token)
}

async fn any(a: &mut Signal, b: &mut Signal, c: &mut Signal) {
    tokio::select! {
        _ = a.recv() => {}
        _ = b.recv() => {}
        _ = c.recv() => {}
    }
}
