//! The owner of one process: its stream from the engine, what it has shown, and its viewers.

mod command;
mod end;
mod incoming;
mod requests;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::task::task_tracker::TaskTrackerToken;
use tonic::{Status, Streaming};

pub use command::{Command, Handle, Start};
use end::Wrapper;

use super::Settings;
use super::container::{Container, reason};
use super::counts::Counter;
use super::input::Writer;
use super::marker::Reports;
use super::output::Output;
use super::replay::{Replay, Stream};
use super::viewers::{Viewers, cells};
use crate::engine::gateway;
use crate::proto::controller::{Exited, Process, TerminalSize};
use crate::proto::gateway::ExecMessage;
use crate::term::guard::Terminal;
use crate::term::screen::Screen;

/// Requests that may wait for one process.
const COMMANDS: usize = 64;
/// Most bytes of output that are handled before something else gets its turn.
const SLICE: usize = 16 << 10;
/// What a message costs, measured in bytes of output.
const MESSAGE: usize = 256;
/// How long a terminal's output has to pause for its screen to be drawn without need.
const QUIET: Duration = Duration::from_millis(20);
/// Most bytes of what is said instead of starting.
const WORDS: usize = 4 << 10;
/// How long a program may take to die of SIGKILL before its container goes.
const KILL: Duration = Duration::from_secs(5);
/// How long the end of a container may lag behind that of its processes.
const LAG: Duration = Duration::from_secs(1);

/// What a stream gives: a message, its end, or why it broke.
type Read = Result<Option<ExecMessage>, Status>;

/// How far a process is.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Nothing of the program has been seen.
    Starting,
    /// The program runs, with its process id and session inside where they are known.
    Running(Option<(u32, u32)>),
    Ended,
}

struct Actor {
    settings: Settings,
    process: watch::Sender<Process>,
    counter: Counter,
    container: Arc<Container>,
    guest: Option<TaskTrackerToken>,
    stream: Option<Streaming<ExecMessage>>,
    /// A message that was read ahead and does not belong to the slice before it.
    ahead: Option<Read>,
    /// Bytes of output since something else had its turn; a message counts as [`MESSAGE`] more.
    handled: usize,
    engine_input: gateway::ProcessInput,
    writer: Writer,
    stdin: bool,
    tty: bool,
    phase: Phase,
    started: Option<oneshot::Sender<Result<(), Status>>>,
    /// What came instead of a start.
    words: Vec<u8>,
    /// Standard error that came before the report of the start, which comes on another stream.
    early: Vec<Bytes>,
    out: Option<Reports>,
    error: Option<Reports>,
    /// Exit code, once known.
    code: Option<i32>,
    /// Outputs that still come: standard output and standard error.
    open: [bool; 2],
    output: Output,
    /// When output that waits is drawn.
    quiet: Instant,
    viewers: Viewers,
    leader: watch::Sender<Option<u64>>,
    wake: Arc<Notify>,
    commands: mpsc::WeakSender<Command>,
    /// Why it is being killed, and who waits for that.
    killing: Option<String>,
    waiting: Vec<oneshot::Sender<()>>,
    /// What to say when the container does not say why it ended.
    broken: Option<String>,
    deadline: Option<Instant>,
}

/// Takes a process over. The second part resolves when the program runs, or says why it does not.
pub fn spawn(
    start: Start,
    settings: &Settings,
    counter: Counter,
) -> (Handle, oneshot::Receiver<Result<(), Status>>) {
    let tty = start.process.tty;
    let size = TerminalSize {
        rows: start.process.rows,
        cols: start.process.cols,
    };
    let size = cells(&size).unwrap_or((24, 80));
    let output = if tty {
        Output::Screen(Box::new(Screen::of(
            Terminal::new(size.0, size.1, settings.scrollback).answering(true),
            settings.scrollback,
        )))
    } else {
        Output::Plain(Replay::new(settings.retained))
    };
    let (commands, queue) = mpsc::channel(COMMANDS);
    let (started, is_started) = oneshot::channel();
    let process = watch::Sender::new(start.process);
    let wake = Arc::new(Notify::new());
    let handle = Handle {
        process: process.subscribe(),
        container: Arc::clone(&start.container),
        commands: commands.clone(),
    };
    counter.add(1, 0);
    let reports = || start.nonce.as_deref().map(Reports::new);
    let actor = Actor {
        settings: settings.clone(),
        counter,
        process,
        writer: Writer::new(start.stream.input.clone(), size),
        engine_input: start.stream.input,
        stream: Some(start.stream.output),
        ahead: None,
        handled: 0,
        stdin: start.stdin,
        tty,
        phase: Phase::Starting,
        started: Some(started),
        words: Vec::new(),
        early: Vec::new(),
        out: reports(),
        error: reports(),
        code: None,
        open: [true, true],
        output,
        quiet: Instant::now(),
        viewers: Viewers::new(
            Arc::clone(&wake),
            (tty && start.raw).then(|| Replay::new(settings.retained)),
        ),
        leader: watch::Sender::new(None),
        wake,
        commands: commands.downgrade(),
        killing: None,
        waiting: Vec::new(),
        broken: None,
        deadline: None,
        guest: Some(start.container.guest()),
        container: start.container,
    };
    tokio::spawn(actor.run(queue));
    (handle, is_started)
}

impl Actor {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let wake = Arc::clone(&self.wake);
        let mut container = self.container.ended();
        let mut is_listed = true;
        while is_listed || self.viewers.len() > 0 {
            let reads = self.stream.is_some() && !self.is_held_back();
            let runs = !matches!(self.phase, Phase::Ended);
            let deadline = self.deadline.unwrap_or_else(Instant::now);
            tokio::select! {
                biased;
                command = commands.recv(), if is_listed => match command {
                    Some(command) => self.obey(command),
                    // Those who are attached still get what is left.
                    None => {
                        is_listed = false;
                        self.give_up();
                    }
                },
                reason = reason(&mut container), if runs => {
                    let reason = self.not_started().unwrap_or_else(|| reason.to_string());
                    self.finish(None, &reason);
                }
                () = wake.notified() => self.settle(),
                () = sleep_until(deadline), if self.deadline.is_some() => self.overdue(),
                message = next(&mut self.stream, &mut self.ahead), if reads => {
                    self.receive(message);
                    // A flood must not starve the others on this thread.
                    if self.handled >= SLICE {
                        self.handled = 0;
                        tokio::task::yield_now().await;
                    }
                }
                () = sleep_until(self.quiet), if self.output.is_waiting() => self.draw_some(),
            }
        }
    }

    /// Nobody can ask for the process any more.
    fn give_up(&mut self) {
        if !matches!(self.phase, Phase::Ended) {
            let reason = "the session is gone";
            self.finish(None, reason);
            self.release(reason.to_owned());
        }
    }

    /// Whether the program has to wait, so that no output is lost.
    fn is_held_back(&mut self) -> bool {
        let needed = match self.killing {
            Some(_) => u64::MAX,
            None => self.viewers.needed(),
        };
        match &mut self.output {
            Output::Plain(replay) => {
                replay.trim(needed);
                replay.is_full()
            }
            _ => !self.viewers.has_room(needed),
        }
    }

    fn overdue(&mut self) {
        self.deadline = None;
        if let Some(reason) = self.killing.clone() {
            let process = self.process.borrow().id.clone();
            let short: String = process.chars().take(8).collect();
            self.finish(None, &reason);
            let others =
                format!("process {short} did not end and took its container along ({reason})");
            self.release(others);
        } else if let Some(reason) = self.broken.take() {
            let reason = self.not_started().unwrap_or(reason);
            self.finish(None, &reason);
        }
    }

    fn release(&self, reason: String) {
        let container = Arc::clone(&self.container);
        tokio::spawn(async move { container.release(&reason).await });
    }

    /// The end. Attached clients get what is left, and then the reason.
    fn finish(&mut self, code: Option<i32>, reason: &str) {
        if matches!(self.phase, Phase::Ended) {
            return;
        }
        let (code, reason) = match &self.killing {
            Some(killed) => (None, killed.clone()),
            None => (code, reason.to_owned()),
        };
        for stream in [Stream::Out, Stream::Error] {
            let reports = match stream {
                Stream::Out => &mut self.out,
                Stream::Error => &mut self.error,
            };
            let held = reports.as_mut().map(Reports::finish).unwrap_or_default();
            if !held.is_empty() {
                self.print(stream, held);
            }
        }
        let wrapper = match self.phase {
            Phase::Running(Some((pid, session))) if self.tty => Some(Wrapper {
                program: self.code.is_none().then_some(pid),
                session,
                word: self.process.borrow().id.clone(),
                may_be_stuck: self.writer.may_be_stuck(),
            }),
            _ => None,
        };
        self.writer.stop();
        self.phase = Phase::Ended;
        self.deadline = None;
        self.change(|process| {
            process.ended = super::now();
            process.exit_code = code;
            process.reason.clone_from(&reason);
        });
        if let Some(started) = self.started.take() {
            let reason = if reason.is_empty() {
                "it ended at once"
            } else {
                &reason
            };
            let _ = started.send(Err(Status::failed_precondition(reason)));
        }
        self.output.freeze(self.settings.retained);
        self.settle();
        for waiting in self.waiting.drain(..) {
            let _ = waiting.send(());
        }
        self.counter.add(-1, 0);
        if !self.container.is_shared() {
            self.release("its only process ended".to_owned());
        }
        tokio::spawn(end::close(
            self.stream.take(),
            self.engine_input.clone(),
            Arc::clone(&self.container),
            wrapper,
            self.guest.take(),
        ));
    }

    fn exited(&self) -> Option<Exited> {
        let process = self.process.borrow();
        matches!(self.phase, Phase::Ended).then(|| Exited {
            exit_code: process.exit_code,
            reason: process.reason.clone(),
        })
    }

    /// Draws all that waits for it.
    fn draw(&mut self) {
        if let Output::Screen(screen) = &mut self.output
            && screen.draw()
        {
            self.viewers.renew();
        }
    }

    /// Draws a part of what waits for it, because nothing else is to be done.
    fn draw_some(&mut self) {
        if let Output::Screen(screen) = &mut self.output
            && screen.draw_some()
        {
            self.viewers.renew();
        }
    }

    /// Notices who has left, and gives the others what there is room for.
    fn settle(&mut self) {
        let gone = self.viewers.remove_gone();
        if !gone.is_empty() {
            if gone
                .iter()
                .any(|viewer| Some(viewer.id) == *self.leader.borrow())
            {
                self.leader.send_replace(None);
            }
            self.list_clients(-i64::try_from(gone.len()).unwrap_or_default());
        }
        if self.viewers.want_snapshot() {
            self.draw();
        }
        let exited = self.exited();
        self.viewers.settle(&self.output, exited.as_ref());
    }

    fn change(&self, change: impl FnOnce(&mut Process)) {
        self.process.send_modify(change);
        self.counter.add(0, 0);
    }

    fn list_clients(&self, more: i64) {
        let clients = self.viewers.clients();
        self.process
            .send_modify(|process| process.clients = clients);
        self.counter.add(0, more);
    }
}

/// The next message, the one that was read ahead first.
async fn next(stream: &mut Option<Streaming<ExecMessage>>, ahead: &mut Option<Read>) -> Read {
    if let Some(read) = ahead.take() {
        return read;
    }
    match stream {
        Some(stream) => stream.message().await,
        None => Ok(None),
    }
}
