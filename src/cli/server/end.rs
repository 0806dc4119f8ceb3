//! `buildx server stop` and `buildx server restart`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::Signal;
use tonic::Code;

use super::{note, say};
use crate::client::holder::Process;
use crate::client::{self, Client, ConnectError, Options};
use crate::proto::controller::ShutdownRequest;
use crate::term::escape;

/// How long a server that has agreed to end may take for it.
const END: Duration = Duration::from_secs(25);
/// How long one that does not answer may take to hear a signal.
const GRACE: Duration = Duration::from_secs(5);

/// Ends the server, whether it answers or not.
///
/// # Errors
/// It cannot be ended.
pub async fn stop(options: Options) -> anyhow::Result<ExitCode> {
    let line = match end(&options, ShutdownRequest::default()).await? {
        Some(pid) => format!("stopped the buildx server (pid {pid})\n"),
        None => "the buildx server was not running\n".to_owned(),
    };
    say(&line)?;
    Ok(ExitCode::SUCCESS)
}

/// Replaces the server by a new one when nobody needs it, at once, or after a time.
///
/// # Errors
/// It cannot be ended, or none can be started.
pub async fn restart(
    options: Options,
    now: bool,
    wait: Option<Duration>,
) -> anyhow::Result<ExitCode> {
    let limit = wait.map_or(0, |wait| {
        // Zero would be for ever.
        u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1)
    });
    let request = ShutdownRequest {
        drain: !now,
        drain_limit: limit,
        unless_used: false,
    };
    if let Some(pid) = end(&options, request).await? {
        say(&format!("stopped the buildx server (pid {pid})\n"))?;
    }
    super::start(&options).await
}

/// Returns the process id of the server that was ended; `None` when none ran.
async fn end(options: &Options, request: ShutdownRequest) -> anyhow::Result<Option<i32>> {
    let quiet = Options {
        launch: false,
        ..options.clone()
    };
    let holder = client::holder(&options.paths).context("cannot look for the server")?;
    let found = client::connect(&quiet, &mut |_| ()).await;
    let Some(process) = holder else {
        return match found {
            Ok(client) => bail!(
                "the buildx server (pid {}) runs in another container: end it there",
                client.info.pid
            ),
            Err(ConnectError::Absent { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        };
    };
    match found {
        Ok(client) => {
            if ask(client, request).await? {
                if process.ended(END).await? {
                    return Ok(Some(process.pid()));
                }
                note(&format!("it has not ended within {} s", END.as_secs()));
            }
        }
        // It is ending, or has lost its socket.
        Err(ConnectError::Absent { .. }) => {}
        Err(error) => note(&error.to_string()),
    }
    force(&process).await?;
    Ok(Some(process.pid()))
}

/// Asks the server to end and says whom it waits for. `false`: it does not know how to.
async fn ask(mut client: Client, request: ShutdownRequest) -> anyhow::Result<bool> {
    let refused =
        |status: tonic::Status| anyhow::anyhow!(escape::line(status.message()).into_owned());
    let mut events = match client.api.shutdown(request).await {
        Ok(events) => events.into_inner(),
        Err(status) if status.code() == Code::Unimplemented => {
            if request.drain {
                bail!(
                    "this server cannot wait for its users (version {}); end it with: buildx server restart --now",
                    escape::line(&client.info.version)
                );
            }
            return Ok(false);
        }
        Err(status) => return Err(refused(status)),
    };
    loop {
        match events.message().await {
            Ok(Some(event)) if !event.waiting_for.is_empty() => {
                for line in &event.waiting_for {
                    note(&format!("waiting for {}", escape::line(line)));
                }
            }
            Ok(_) => return Ok(true),
            // It may be gone before its last word.
            Err(status) if status.code() == Code::Unavailable => return Ok(true),
            Err(status) => return Err(refused(status)),
        }
    }
}

/// For a server that does not do as it is asked.
async fn force(process: &Process) -> anyhow::Result<()> {
    for (signal, wait) in [(Signal::TERM, GRACE), (Signal::KILL, GRACE)] {
        process.signal(signal)?;
        if process.ended(wait).await? {
            return Ok(());
        }
    }
    bail!("the buildx server (pid {}) cannot be ended", process.pid())
}
