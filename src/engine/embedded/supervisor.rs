//! The process that runs the engine: starts it, counts its clients, stops it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, getpid, getppid, kill_process, set_child_subreaper,
    set_parent_process_death_signal, setsid, umask, wait,
};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::pipe;
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{Signal as SignalStream, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::log::Log;
use super::program::Part;
use super::{EXEC, GREETING, LINE, Order, Phase, STOP, STOP_REQUEST, holders};
use crate::engine::address::Transport;
use crate::engine::channel::ConnectError;
use crate::engine::control::Engine;
use crate::paths::EmbeddedPaths;

/// How long containerd may take to end after dockerd, and killed processes to vanish.
const GRACE: Duration = Duration::from_secs(5);
/// Bytes of log that are read at once.
const CHUNK: usize = 8 << 10;

/// Becomes the engine: `embedded-exec PARENT PROGRAM ARGUMENT…`. The kernel ends it when the
/// supervisor dies.
pub fn exec(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    let parent = args.next();
    let Some(program) = args.next() else {
        return ExitCode::FAILURE;
    };
    if let Err(error) = set_parent_process_death_signal(Some(Signal::TERM)) {
        eprintln!("cannot tie the engine to its supervisor: {error}");
        return ExitCode::FAILURE;
    }
    // It may have died before the line above.
    let now = getppid().map(|pid| OsString::from(pid.as_raw_nonzero().to_string()));
    if now != parent {
        return ExitCode::FAILURE;
    }
    let error = Command::new(&program).args(args).exec();
    eprintln!("cannot run {}: {error}", Path::new(&program).display());
    ExitCode::FAILURE
}

/// Runs the embedded engine until it is asked to stop, is idle for too long, or ends:
/// `embedded-supervise ORDER`. Must be called before any thread is started.
pub fn supervise(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    // Away from the terminal and its signals. Fails only for a process group's leader, which has a
    // session of its own already when it comes from `ensure_started`.
    let _ = setsid();
    umask(rustix::fs::Mode::from_raw_mode(0o077));
    let order = args
        .next()
        .and_then(|text| serde_json::from_str::<Order>(&text.to_string_lossy()).ok());
    let Some(order) = order else {
        eprintln!("{} is for buildx itself", super::SUPERVISE);
        return ExitCode::FAILURE;
    };
    let run = || -> Result<(), String> {
        let paths = order.paths();
        let life = holders::take_over(&paths.life_lock(), STOP)
            .map_err(|error| {
                format!(
                    "an old engine holds {}: {error}",
                    paths.life_lock().display()
                )
            })?
            .file;
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?
            .block_on(run(&order, &paths, life))
            .map_err(|error| error.to_string())
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            report(&Phase::Failed {
                reason,
                log: Vec::new(),
            });
            ExitCode::FAILURE
        }
    }
}

/// Why the engine is to stop.
#[derive(Debug)]
enum End {
    Asked,
    Idle,
    Signal,
    Failed(String),
}

async fn run(order: &Order, paths: &EmbeddedPaths, life: File) -> io::Result<()> {
    // Builds that outlive a killed dockerd become ours, so that they can be ended.
    set_child_subreaper(Some(getpid()))?;
    order.program.clean(paths);
    let _ = fs::remove_file(paths.control_socket());
    let listener = UnixListener::bind(paths.control_socket())?;
    let log = Arc::new(Mutex::new(Log::open(&paths.log())?));
    let mut children = Children {
        signals: signal(SignalKind::child())?,
        parts: Vec::new(),
    };
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;

    let (phase, phases) = watch::channel(Phase::Starting);
    let (event, mut events) = mpsc::channel(16);
    let clients = tokio::spawn(accept(listener, phases, event));
    let life = Arc::new(life);
    let mut progress = children.start(order, paths, &life, &log)?;
    note(&log, "starting");

    let transport = order.program.kind().transport(paths);
    let mut idle = Idle::new(order.idle);
    let deadline = Instant::now() + order.start;
    let mut ready = false;
    let end = {
        let answers = until_it_answers(&transport, &mut progress);
        tokio::pin!(answers);
        loop {
            tokio::select! {
                biased;
                ended = children.ended() => break End::Failed(ended),
                event = events.recv() => match event {
                    Some(Event::Came) => idle.came(),
                    Some(Event::Left) => idle.left(),
                    Some(Event::Stop) | None => break End::Asked,
                },
                _ = terminate.recv() => break End::Signal,
                _ = interrupt.recv() => break End::Signal,
                () = &mut answers, if !ready => {
                    ready = true;
                    note(&log, "ready");
                    idle.restart();
                    let now = Phase::Ready { kind: order.program.kind(), others: 0 };
                    report(&now);
                    phase.send_replace(now);
                }
                () = sleep_until(deadline), if !ready => {
                    break End::Failed(format!(
                        "{} did not answer within {} s",
                        order.program.name(),
                        order.start.as_secs_f32()
                    ));
                }
                () = idle.over(), if ready => break End::Idle,
            }
        }
    };
    note(&log, &format!("stopping: {end:?}"));
    let last = match end {
        End::Failed(reason) => {
            // What the engine wrote last is still in the pipe.
            children.drained(&mut progress).await;
            let log = log.lock().map(|log| log.last_lines()).unwrap_or_default();
            Phase::Failed { reason, log }
        }
        _ => Phase::Stopping,
    };
    if !ready {
        report(&last);
    }
    phase.send_replace(last);
    // Only a holder of the life lock may unlink the socket, and we still hold it.
    let _ = fs::remove_file(paths.control_socket());
    children.stop().await;
    order.program.clean(paths);
    note(&log, "stopped");
    clients.abort();
    Ok(())
}

/// Tells the client that started us how that went, and lets go of its pipe.
fn report(phase: &Phase) {
    let mut out = io::stdout();
    // The client may have left.
    let _ = serde_json::to_writer(&mut out, phase);
    let _ = out.flush();
    if let Ok(null) = File::options().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(&null);
    }
}

fn note(log: &Mutex<Log>, text: &str) {
    if let Ok(mut log) = log.lock() {
        log.note(text);
    }
}

/// The time without a client.
struct Idle {
    limit: Duration,
    clients: usize,
    since: Instant,
}

impl Idle {
    fn new(limit: Duration) -> Self {
        Self {
            limit,
            clients: 0,
            since: Instant::now(),
        }
    }
    fn came(&mut self) {
        self.clients += 1;
    }
    fn left(&mut self) {
        self.clients = self.clients.saturating_sub(1);
        self.restart();
    }
    fn restart(&mut self) {
        self.since = Instant::now();
    }
    /// Never returns while there are clients.
    async fn over(&self) {
        match self.since.checked_add(self.limit) {
            Some(end) if self.clients == 0 => sleep_until(end).await,
            _ => std::future::pending().await,
        }
    }
}

/// Returns when the engine answers. It is tried again whenever it has logged something, because an
/// engine that begins to listen says so.
async fn until_it_answers(transport: &Transport, progress: &mut watch::Receiver<u64>) {
    loop {
        progress.borrow_and_update();
        match Engine::connect(transport).await {
            Ok(_) => return,
            // It has accepted the connection; that alone took seconds.
            Err(ConnectError::Silent { .. }) => {}
            Err(_) => {
                if progress.changed().await.is_err() {
                    // It has closed its log, so it is ending; that is seen elsewhere.
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}

/// What clients do.
enum Event {
    Came,
    Left,
    Stop,
}

/// Serves clients, each in a task of its own.
async fn accept(
    listener: UnixListener,
    phases: watch::Receiver<Phase>,
    events: mpsc::Sender<Event>,
) {
    let count = Arc::new(());
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (phases, events, count) = (phases.clone(), events.clone(), count.clone());
                tokio::spawn(async move {
                    let _ = events.send(Event::Came).await;
                    let stop = serve(stream, phases, &count).await;
                    drop(count);
                    if stop {
                        let _ = events.send(Event::Stop).await;
                    }
                    let _ = events.send(Event::Left).await;
                });
            }
            // Out of descriptors: those of clients that leave come back.
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}

/// Tells a client every phase until it leaves. `true`: it asks to stop the engine.
async fn serve(stream: UnixStream, mut phases: watch::Receiver<Phase>, count: &Arc<()>) -> bool {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    let mut request = Vec::new();
    loop {
        let mut phase = phases.borrow_and_update().clone();
        if let Phase::Ready { others, .. } = &mut phase {
            // One is this client's, one the listener's.
            *others = Arc::strong_count(count).saturating_sub(2);
        }
        let Ok(mut line) = serde_json::to_vec(&phase) else {
            return false;
        };
        line.push(b'\n');
        // A client that does not read its few lines is stuck; it still counts as a client.
        if let Ok(Err(_)) = timeout(GREETING, write.write_all(&line)).await {
            return false;
        }
        tokio::select! {
            changed = phases.changed() => if changed.is_err() { return false },
            done = async { (&mut read).take(LINE).read_until(b'\n', &mut request).await } => {
                match done {
                    Ok(0) | Err(_) => return false,
                    Ok(_) if request == STOP_REQUEST => return true,
                    Ok(_) => request.clear(),
                }
            }
        }
    }
}

/// The processes of the engine, and everything that becomes our child when its parent dies.
struct Children {
    signals: SignalStream,
    /// In the order of their start; the last one is the engine itself.
    parts: Vec<(Pid, String)>,
}

impl Children {
    /// Starts the engine; the number that it returns changes whenever the engine logs something.
    fn start(
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
    async fn ended(&mut self) -> String {
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
    async fn drained(&self, progress: &mut watch::Receiver<u64>) {
        if self.parts.is_empty() {
            let all = async { while progress.changed().await.is_ok() {} };
            let _ = timeout(Duration::from_millis(500), all).await;
        }
    }

    /// Ends all parts, the engine first, then everything that is left.
    async fn stop(&mut self) {
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

/// Starts a part through [`exec`], with the life lock as its standard input. Must be called on the
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
