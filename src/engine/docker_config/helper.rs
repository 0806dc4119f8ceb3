//! Credential helpers: programs that docker's configuration names, asked for one login each.

use std::ffi::OsStr;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;

use super::{ConfigError, Credentials};

/// How long a credential helper may take. Some ask a person to unlock a key ring.
const DEADLINE: Duration = Duration::from_secs(50);

/// The user name by which a helper marks an identity token.
const TOKEN_USER: &str = "<token>";

/// What a helper prints.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    username: String,
    #[serde(default)]
    secret: String,
}

/// Runs `docker-credential-NAME get`, looked for in `search_path`, or else in the process's own. Blocks for
/// [`DEADLINE`] at most.
pub(super) fn get(
    name: &str,
    server: &str,
    search_path: Option<&OsStr>,
) -> Result<Credentials, ConfigError> {
    let program = format!("docker-credential-{name}");
    let failed = |why: String| ConfigError(format!("{program}: {why}"));
    if name.contains('/') {
        return Err(ConfigError(format!("{name:?} is no credential helper")));
    }
    let mut command =
        Command::new(locate(&program, search_path).unwrap_or_else(|| program.clone().into()));
    command
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if let Some(path) = search_path {
        command.env("PATH", path);
    }
    let mut child = command
        .spawn()
        .map_err(|error| failed(format!("{error}; is it installed?")))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that does not read its input still answers, or fails, by itself.
        let _ = writeln!(stdin, "{server}");
    }
    let output = in_time(child)
        .ok_or_else(|| failed(format!("no answer within {} s", DEADLINE.as_secs())))?;
    let output = output.map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        // By convention the reason is on standard output.
        let reason = String::from_utf8_lossy(&output.stdout);
        let reason = reason.trim();
        if reason.contains("credentials not found") || reason.contains("no credentials") {
            return Ok(Credentials::default());
        }
        let reason: String = reason
            .chars()
            .filter(|c| !c.is_control())
            .take(200)
            .collect();
        return Err(failed(format!("failed ({}): {reason}", output.status)));
    }
    let answer: Answer = serde_json::from_slice(&output.stdout)
        .map_err(|_| failed("its answer is no JSON".into()))?;
    Ok(if answer.username == TOKEN_USER {
        Credentials {
            identity_token: answer.secret,
            ..Default::default()
        }
    } else {
        Credentials {
            username: answer.username,
            password: answer.secret,
            ..Default::default()
        }
    })
}

/// What a program prints until it ends; `None` when it had to be killed, for it took longer than [`DEADLINE`].
fn in_time(child: Child) -> Option<std::io::Result<Output>> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let (done, watched) = channel::<()>();
    let watchdog = std::thread::spawn(move || {
        let late = watched.recv_timeout(DEADLINE) == Err(RecvTimeoutError::Timeout);
        if late && let Some(pid) = pid {
            let _ = kill_process(pid, Signal::KILL);
        }
        late
    });
    let output = child.wait_with_output();
    drop(done);
    let late = watchdog.join().unwrap_or_default();
    (!late).then_some(output)
}

fn locate(program: &str, search_path: Option<&OsStr>) -> Option<PathBuf> {
    std::env::split_paths(search_path?)
        .map(|directory| directory.join(program))
        .find(|path| path.is_file())
}
