//! The processes that the engine is made of: started, watched, and ended with all that they leave behind.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, wait};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::signal::unix::{Signal as SignalStream, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::engine::embedded::log::Log;
use crate::engine::embedded::program::Part;
use crate::engine::embedded::{EXEC, Order, STOP};
use crate::paths::EmbeddedPaths;

/// How long containerd may take to end after dockerd, and killed processes to vanish.
const GRACE: Duration = Duration::from_secs(5);
/// Bytes of log that are read at once.
const CHUNK: usize = 8 << 10;

/// The processes of the engine, and everything that becomes our child when its parent dies.
pub(super) struct Children {
    signals: SignalStream,
    /// In the order of their start; the last one is the engine itself.
    parts: Vec<(Pid, String)>,
}

impl Children {
    /// None yet. Must be called before the first one is started, so that no end is missed.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            signals: signal(SignalKind::child())?,
            parts: Vec::new(),
        })
    }

    /// Starts the engine; the number that it returns changes whenever the engine logs something.
    pub(super) fn start(
        &mut self,
        order: &Order,
        paths: &EmbeddedPaths,
        life: &Arc<File>,
        log: &Arc<Mutex<Log>>,
    ) -> io::Result<watch::Receiver<u64>> {
        let (reader, writer) = io::pipe()?;
        for part in order.program.parts(paths)? {
            let child = spawn(&part, life, &writer)?;
            let name = part.program.file_name().unwrap_or_default();
            self.parts
                .push((child, name.to_string_lossy().into_owned()));
        }
        drop(writer);
        let mut reader = pipe::Receiver::from_owned_fd(reader.into())?;
        let (progress, receiver) = watch::channel(0_u64);
        let log = log.clone();
        tokio::spawn(async move {
            let mut chunk = vec![0; CHUNK];
            while let Ok(count @ 1..) = reader.read(&mut chunk).await {
                if let Ok(mut log) = log.lock() {
                    log.write(&chunk[..count]);
                }
                progress.send_modify(|number: &mut u64| *number = number.wrapping_add(1));
            }
        });
        Ok(receiver)
    }

    /// Returns when a part of the engine has ended, with what happened in words.
    pub(super) async fn ended(&mut self) -> String {
        loop {
            while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
                if let Some(name) = self.forget(pid) {
                    return format!("{name} {}", outcome(status));
                }
            }
            self.signals.recv().await;
        }
    }

    fn forget(&mut self, pid: Pid) -> Option<String> {
        let index = self.parts.iter().position(|(part, _)| *part == pid)?;
        Some(self.parts.remove(index).1)
    }

    /// Waits until the log of a dead engine is read, or others keep it open.
    pub(super) async fn drained(&self, progress: &mut watch::Receiver<u64>) {
        if self.parts.is_empty() {
            let all = async { while progress.changed().await.is_ok() {} };
            let _ = timeout(Duration::from_millis(500), all).await;
        }
    }

    /// Ends all parts, the engine first, then everything that is left.
    pub(super) async fn stop(&mut self) {
        while let Some((pid, _)) = self.parts.last().cloned() {
            let _ = kill_process(pid, Signal::TERM);
            let limit = if self.parts.len() == 1 {
                GRACE
            } else {
                STOP - GRACE
            };
            let gone = async {
                while self.parts.iter().any(|(part, _)| *part == pid) {
                    self.ended().await;
                }
            };
            if timeout(limit, gone).await.is_err() {
                let _ = kill_process(pid, Signal::KILL);
                self.forget(pid);
            }
        }
        let _ = timeout(GRACE, self.kill_all()).await;
    }

    /// Kills children until there are none; a killed child's own children become ours.
    async fn kill_all(&mut self) {
        loop {
            loop {
                match wait(WaitOptions::NOHANG) {
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    // There are no children.
                    Err(_) => return,
                }
            }
            for pid in children() {
                let _ = kill_process(pid, Signal::KILL);
            }
            self.signals.recv().await;
        }
    }
}

/// Our children, dead ones not yet reaped included.
fn children() -> Vec<Pid> {
    let own = getpid();
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            // The name in parentheses may hold anything; the state and the parent follow it.
            stat.rsplit_once(')')
                .and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok())
                .and_then(Pid::from_raw)
                == Some(own)
        })
        .filter_map(Pid::from_raw)
        .collect()
}

/// Starts a part through [`super::exec`], with the life lock as its standard input. Must be called on the
/// main thread: the kernel ties the part's life to the thread that starts it.
fn spawn(part: &Part, life: &File, output: &io::PipeWriter) -> io::Result<Pid> {
    let child = Command::new("/proc/self/exe")
        .arg0("buildx")
        .arg(EXEC)
        .arg(getpid().as_raw_nonzero().to_string())
        .arg(&part.program)
        .args(&part.args)
        .stdin(Stdio::from(life.try_clone()?))
        .stdout(Stdio::from(output.try_clone()?))
        .stderr(Stdio::from(output.try_clone()?))
        .spawn()?;
    // Not awaited by its handle: all children are reaped in one place.
    i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| io::Error::other("a process without a number"))
}

fn outcome(status: WaitStatus) -> String {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => format!("exited with code {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended".into(),
    }
}
