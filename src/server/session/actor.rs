//! The task that owns what is alive of a session: its running build, the state that is kept, and with
//! them the time when that ends.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::record::{Record, State};
use super::start::{Started, gives_output, on_disk, options, wants_input};
use super::{Ask, Asked, Session};
use crate::build::options::BuildOptions;
use crate::proto::controller::outcome::End;
use crate::proto::controller::trace_event::Event;
use crate::server::build::{self, Order, Ran, Surrounding};
use crate::server::caller::{Input, STREAM_QUEUE, Waiting};
use crate::server::journal::Journal;
use crate::server::logs::Logs;
use crate::server::outcome;
use crate::server::process::{Counts, Processes};
use crate::server::recorder::{Recorder, now};
use crate::server::{Server, UsageOf};

mod kept;

use kept::{Kept, lost};

/// Asks that may wait.
const INBOX: usize = 16;

/// Listings of a running build change at most this often.
const LISTING_PAUSE: Duration = Duration::from_millis(100);

pub(super) struct Actor {
    pub(super) server: Arc<Server>,
    pub(super) session: Arc<Session>,
    inbox: mpsc::Receiver<Ask>,
    pub(super) record: Record,
    running: Option<Running>,
    kept: Option<Kept>,
    /// Told when processes begin, end, or are attached to.
    processes_changed: watch::Receiver<Counts>,
    /// One for each process that runs.
    processes: Vec<UsageOf>,
}

struct Running {
    build: tokio::task::JoinHandle<Ran>,
    recorder: Arc<Recorder>,
    cancel: CancellationToken,
    /// Who started it.
    starter: u32,
    /// Who stopped it, when it was somebody else.
    canceled_by: String,
    waiting: Vec<oneshot::Sender<bool>>,
    /// Whether who started it starts a process in what a failure leaves.
    attaches: bool,
    _usage: UsageOf,
}

enum Next {
    Go,
    End,
}

impl Actor {
    pub(super) fn new(server: &Arc<Server>, id: String, record: Record) -> Self {
        let (sender, inbox) = mpsc::channel(INBOX);
        let processes = Processes::new(id.clone(), server.process_settings());
        let processes_changed = processes.watch();
        let dir = server.store().dir(&id).unwrap_or_default();
        let session = Session::new(id, record.clone(), processes, dir, sender);
        let session = Arc::new(session);
        Self {
            server: Arc::clone(server),
            session,
            inbox,
            record,
            running: None,
            kept: None,
            processes_changed,
            processes: Vec::new(),
        }
    }

    /// Starts the next build.
    pub(super) fn begin(&mut self, asked: Asked, options: BuildOptions) -> Result<Started, Status> {
        let Asked { caller, attaches } = asked;
        if let Some(why) = self.server.refusal() {
            return Err(Status::unavailable(why));
        }
        let number = self.record.build + 1;
        let path = self
            .server
            .store()
            .trace(&self.session.id, number)
            .map_err(on_disk)?;
        let (writer, journal) = Journal::create(&path).map_err(on_disk)?;
        let (indexer, logs) = Logs::create(&journal).map_err(on_disk)?;
        let started = Started {
            build: number,
            wants_input: wants_input(&options),
            gives_output: gives_output(&options, caller.stdout_is_terminal),
        };
        self.record.build = number;
        self.record.last = super::record::Last {
            started: now(),
            ..Default::default()
        };
        let recorder = Arc::new(Recorder::new(writer, indexer));
        let starter = caller.pid;
        let cancel = CancellationToken::new();
        let (mut stdin, mut stdout) = (None, None);
        {
            let mut shown = self.session.shown();
            shown.traces.insert(number, journal);
            shown.logs.insert(number, logs);
            (shown.input, shown.output) = (None, None);
            if started.wants_input {
                let (sender, reader) = Input::new();
                shown.input = Some(Waiting::new(sender));
                stdin = Some(Box::new(reader) as Box<dyn std::io::Read + Send>);
            }
            if started.gives_output {
                let (sender, receiver) = mpsc::channel(STREAM_QUEUE);
                shown.output = Some(Waiting::new(receiver));
                stdout = Some(sender);
            }
        }
        let order = Order {
            session: self.session.id.clone(),
            options,
            caller,
            stdin,
            stdout,
        };
        let around = Surrounding {
            recorder: Arc::clone(&recorder),
            holds: self.server.holds(),
            refs: self.server.refs(),
            node: self.session.node.clone(),
            cancel: cancel.clone(),
        };
        self.running = Some(Running {
            build: tokio::spawn(build::run(order, around)),
            recorder,
            cancel,
            starter,
            canceled_by: String::new(),
            waiting: Vec::new(),
            attaches,
            _usage: self.server.uses(|usage| &mut usage.builds),
        });
        self.publish(true);
        Ok(started)
    }

    /// Shows the record, and (`keep`) writes it to disk.
    fn publish(&mut self, keep: bool) {
        {
            let mut shown = self.session.shown();
            shown.record.clone_from(&self.record);
            shown.building = self.running.is_some();
            shown.kept_until = self.kept.as_ref().map_or(0, |kept| {
                let left = kept.until.saturating_duration_since(Instant::now());
                now() + i64::try_from(left.as_millis()).unwrap_or(i64::MAX)
            });
        }
        if keep
            && let Err(error) = self
                .server
                .store()
                .describe(&self.session.id, &self.record.encode())
        {
            // The session lives on without; only a server that starts anew would not know it.
            self.server.says(&self.session.id, &error.to_string());
        }
        self.server.changed(&self.session);
    }

    pub(super) async fn run(mut self) {
        while let Next::Go = self.turn().await {}
    }

    async fn turn(&mut self) -> Next {
        if self.running.is_some() {
            return self.building().await;
        }
        let until = self.kept.as_ref().map(|kept| kept.until);
        let deadline = async {
            match until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        let lost = lost(self.kept.as_mut());
        tokio::select! {
            ask = self.inbox.recv() => match ask {
                Some(ask) => self.answer(ask).await,
                None => Next::End,
            },
            why = lost => {
                self.lose(why).await;
                Next::Go
            }
            Ok(()) = self.processes_changed.changed() => {
                self.attended();
                Next::Go
            }
            () = deadline => {
                self.expire().await;
                Next::Go
            }
        }
    }

    /// One turn while a build runs.
    async fn building(&mut self) -> Next {
        let Some(running) = self.running.as_mut() else {
            return Next::Go;
        };
        let mut summary = running.recorder.summary();
        summary.mark_changed();
        let mut paused = std::pin::pin!(tokio::time::sleep(Duration::ZERO));
        loop {
            let Some(running) = self.running.as_mut() else {
                return Next::Go;
            };
            tokio::select! {
                ran = &mut running.build => {
                    self.ended(ran).await;
                    return Next::Go;
                }
                ask = self.inbox.recv() => match ask {
                    Some(ask) => {
                        if let Next::End = self.answer_while_building(ask).await {
                            return Next::End;
                        }
                    }
                    None => return Next::End,
                },
                () = async { (&mut paused).await; let _ = summary.changed().await; } => {
                    let new = summary.borrow_and_update().clone();
                    let last = &mut self.record.last;
                    last.builder = new.builder;
                    (last.steps_done, last.steps) = (new.steps_done, new.steps);
                    last.doing = new.doing;
                    if !new.lost.is_empty() {
                        last.reason = format!("its trace has holes: {}", new.lost);
                    }
                    self.publish(false);
                    paused.set(tokio::time::sleep(LISTING_PAUSE));
                }
            }
        }
    }

    /// A build has ended: its outcome is written, its state kept.
    async fn ended(&mut self, ran: Result<Ran, tokio::task::JoinError>) {
        let Some(running) = self.running.take() else {
            return;
        };
        let ran = ran.unwrap_or_else(|error| Ran::broken(&error.to_string()));
        let told = outcome::of(&ran, &running.canceled_by);
        let summary = running.recorder.summary().borrow().clone();
        let last = &mut self.record.last;
        last.state = outcome::state(&ran.end);
        last.ended = now();
        last.exit_code = told.exit_code;
        last.builder = summary.builder;
        (last.steps_done, last.steps) = (summary.steps_done, summary.steps);
        last.doing = match last.state {
            State::Succeeded => String::new(),
            State::Failed if summary.doing.is_empty() => outcome::line(&ran.end),
            _ => summary.doing,
        };
        last.reason = match &ran.no_state {
            why if !why.is_empty() => why.clone(),
            _ if !running.canceled_by.is_empty() => format!("canceled by {}", running.canceled_by),
            _ => outcome::reason(&ran.end),
        };
        if let Some(End::Failed(failure)) = &told.end {
            last.no_state.clone_from(&failure.no_state);
        }
        last.platforms.clone_from(&ran.platforms);
        self.keep(ran.open, running.attaches).await;
        // The state is ready, and listed, when a client reads in the trace that the build has ended.
        self.publish(false);
        running.recorder.finish(Event::Outcome(told));
        self.publish(true);
        for waiting in running.waiting {
            let _ = waiting.send(true);
        }
        self.server.enforce_budget();
    }

    async fn answer_while_building(&mut self, ask: Ask) -> Next {
        let Some(running) = self.running.as_mut() else {
            return self.answer(ask).await;
        };
        const RUNS: &str = "the build is still running: wait for it, or cancel it first";
        match ask {
            Ask::Rebuild(_, reply) => {
                let _ = reply.send(Err(Status::failed_precondition(RUNS)));
            }
            Ask::Exec(_, _, reply) => {
                let _ = reply.send(Err(Status::failed_precondition(RUNS)));
            }
            Ask::Keep(keep, reply) => {
                self.record.keep = keep;
                let _ = reply.send(0);
            }
            Ask::Cancel(by, reply) => {
                if !running.cancel.is_cancelled() && by.pid != running.starter {
                    running.canceled_by = by.in_words();
                }
                running.cancel.cancel();
                running.waiting.push(reply);
            }
            Ask::Disconnect(by, reply) => {
                running.canceled_by = by.in_words();
                self.stop_build().await;
                return self.answer(Ask::Disconnect(by, reply)).await;
            }
            Ask::Leave(reason, reply) => {
                running.canceled_by = format!("the server: {reason}");
                self.stop_build().await;
                return self.answer(Ask::Leave(reason, reply)).await;
            }
        }
        Next::Go
    }

    async fn stop_build(&mut self) {
        if let Some(running) = self.running.as_mut() {
            running.cancel.cancel();
            let ran = (&mut running.build).await;
            self.ended(ran).await;
        }
    }

    async fn answer(&mut self, ask: Ask) -> Next {
        match ask {
            Ask::Rebuild(asked, reply) => {
                let answer = self.rebuild(asked).await;
                let _ = reply.send(answer);
            }
            Ask::Cancel(_, reply) => {
                let _ = reply.send(false);
            }
            Ask::Keep(keep, reply) => {
                let until = self.keep_for(keep).await;
                let _ = reply.send(until);
            }
            Ask::Exec(request, anew, reply) => {
                let answer = self.exec(*request, anew).await;
                let _ = reply.send(answer);
                self.attended();
            }
            Ask::Disconnect(by, reply) => {
                let why = format!("the session was ended by {}", by.in_words());
                self.release(&why).await;
                self.server.leave_out(&self.session.id, why);
                if let Err(error) = self.server.store().remove(&self.session.id) {
                    self.server.says(&self.session.id, &error.to_string());
                }
                let _ = reply.send(());
                return Next::End;
            }
            Ask::Leave(reason, reply) => {
                self.release(&format!("the server ended: {reason}")).await;
                self.publish(true);
                let _ = reply.send(());
                return Next::End;
            }
        }
        Next::Go
    }

    async fn rebuild(&mut self, mut asked: Asked) -> Result<u32, Status> {
        let options = options(&self.record)?;
        if wants_input(&options) || gives_output(&options, false) {
            return Err(Status::failed_precondition(
                "a build that reads standard input or writes to standard output cannot be repeated: start it anew",
            ));
        }
        asked.caller.directory = self.record.directory.clone().into();
        self.release("the session is built again").await;
        Ok(self.begin(asked, options)?.build)
    }
}
