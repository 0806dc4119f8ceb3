//! The task that owns what is alive of a session: its running build, the state that is kept, and with
//! them the time when that ends.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::record::{Record, State};
use super::{Ask, Session};
use crate::build::flags;
use crate::build::options::{BuildOptions, Destination};
use crate::proto::controller::trace_event::Event;
use crate::proto::controller::{ExecRequest, ExecResponse};
use crate::server::build::{self, Open, Order, Ran, Surrounding};
use crate::server::caller::{Caller, Input, STREAM_QUEUE, Waiting};
use crate::server::foreign;
use crate::server::journal::{self, Journal};
use crate::server::outcome;
use crate::server::place;
use crate::server::process::{Counts, Processes, describe};
use crate::server::recorder::{Recorder, now};
use crate::server::state::OpenState;
use crate::server::{Server, UsageOf};

/// Asks that may wait.
const INBOX: usize = 16;

/// Listings of a running build change at most this often.
const LISTING_PAUSE: Duration = Duration::from_millis(100);

/// A state that is to be kept for so long is not kept: 0 means the default where that is asked for.
const NOT_AT_ALL: Duration = Duration::from_millis(1);

/// A kept state that nobody is attached to is looked at again when its time has come; this is how long
/// "never" is.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// Makes a session and starts its first build.
///
/// # Errors
/// The words are no build, or the session cannot be written to disk.
pub fn start(
    server: &Arc<Server>,
    mut record: Record,
    caller: Caller,
) -> Result<(Arc<Session>, Started), Status> {
    let options = options(&record)?;
    let id = crate::engine::id::new_id().map_err(|error| Status::internal(error.to_string()))?;
    if record.name.is_empty() {
        record.name = default_name(&options, &record.directory);
    }
    record.context.clone_from(&options.context);
    server.store().create(&id).map_err(on_disk)?;
    let mut actor = Actor::new(server, id, record);
    let started = match actor.begin(caller, options) {
        Ok(started) => started,
        Err(status) => {
            let _ = server.store().remove(&actor.session.id);
            return Err(status);
        }
    };
    let session = Arc::clone(&actor.session);
    server.enter(Arc::clone(&session));
    tokio::spawn(actor.run());
    Ok((session, started))
}

/// Takes up a session that an earlier server left.
pub fn resume(server: &Arc<Server>, id: String, record: Record) {
    let actor = Actor::new(server, id, record);
    for build in 1..=actor.record.build {
        let path = server.store().trace(&actor.session.id, build);
        if let Ok(path) = path
            && let Ok(journal) = Journal::open(&path)
        {
            actor.session.shown().traces.insert(build, journal);
        }
    }
    server.enter(Arc::clone(&actor.session));
    tokio::spawn(actor.run());
}

fn on_disk(error: journal::Error) -> Status {
    Status::resource_exhausted(format!("cannot keep the session: {error}"))
}

fn options(record: &Record) -> Result<BuildOptions, Status> {
    flags::parse(&record.arguments).map_err(|error| Status::invalid_argument(error.to_string()))
}

/// From the first tag, else from the directory of the context, else from the directory.
fn default_name(options: &BuildOptions, directory: &str) -> String {
    if let Some(tag) = options.tags.first() {
        let last = tag.rsplit('/').next().unwrap_or(tag);
        return last.split([':', '@']).next().unwrap_or(last).to_owned();
    }
    let context = Path::new(directory).join(&options.context);
    let context = context.canonicalize().unwrap_or(context);
    let named = |path: &Path| Some(path.file_name()?.to_string_lossy().into_owned());
    named(&context)
        .or_else(|| named(Path::new(directory)))
        .unwrap_or_else(|| "build".to_owned())
}

/// A build that has begun.
#[derive(Clone, Copy, Debug)]
pub struct Started {
    /// Its number.
    pub build: u32,
    /// Whether it reads standard input.
    pub wants_input: bool,
    /// Whether it writes to standard output.
    pub gives_output: bool,
}

fn wants_input(options: &BuildOptions) -> bool {
    options.context == "-" || options.dockerfile.as_deref() == Some("-")
}

fn gives_output(options: &BuildOptions, stdout_is_terminal: bool) -> bool {
    use crate::build::options::OutputKind::{Oci, Tar};
    // On a terminal the build refuses, in its own words.
    !stdout_is_terminal
        && options.outputs.iter().any(|output| match &output.dest {
            Some(Destination::Stdout) => true,
            None => matches!(output.kind, Tar | Oci),
            Some(Destination::Path(_)) => false,
        })
}

struct Actor {
    server: Arc<Server>,
    session: Arc<Session>,
    inbox: mpsc::Receiver<Ask>,
    record: Record,
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
    _usage: UsageOf,
}

struct Kept {
    open: Open,
    until: Instant,
    /// Watches for builds that do not come from this server.
    foreign: Option<foreign::Watch>,
    _usage: UsageOf,
}

enum Next {
    Go,
    End,
}

impl Actor {
    fn new(server: &Arc<Server>, id: String, record: Record) -> Self {
        let (sender, inbox) = mpsc::channel(INBOX);
        let processes = Processes::new(id.clone(), server.process_settings());
        let processes_changed = processes.watch();
        let session = Arc::new(Session::new(id, record.clone(), processes, sender));
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
    fn begin(&mut self, caller: Caller, options: BuildOptions) -> Result<Started, Status> {
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
        let recorder = Arc::new(Recorder::new(writer));
        let starter = caller.pid;
        let cancel = CancellationToken::new();
        let (mut stdin, mut stdout) = (None, None);
        {
            let mut shown = self.session.shown();
            shown.traces.insert(number, journal);
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
            cancel: cancel.clone(),
        };
        self.running = Some(Running {
            build: tokio::spawn(build::run(order, around)),
            recorder,
            cancel,
            starter,
            canceled_by: String::new(),
            waiting: Vec::new(),
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
            && let Ok(dir) = self.server.store().dir(&self.session.id)
            && let Err(error) = journal::write_meta(&dir, &self.record.encode())
        {
            // The session lives on without; only a server that starts anew would not know it.
            self.server.says(&self.session.id, &error.to_string());
        }
        self.server.changed(&self.session);
    }

    async fn run(mut self) {
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

    /// As long as somebody is attached, the time that the state is kept does not run.
    fn attended(&mut self) {
        let counts = self.session.processes.counts();
        self.processes.truncate(counts.processes);
        while self.processes.len() < counts.processes {
            let usage = self.server.uses(|usage| &mut usage.processes);
            self.processes.push(usage);
        }
        if let Some(kept) = self.kept.as_mut() {
            let keep = Duration::from_millis(self.record.keep);
            if counts.clients > 0 {
                kept.until = Instant::now() + keep.max(Duration::from_secs(1));
            }
        }
        self.publish(false);
    }

    async fn expire(&mut self) {
        if self.session.processes.counts().clients > 0 {
            self.attended();
            return;
        }
        self.release("the time that the state is kept for has passed; reload builds it again")
            .await;
    }

    /// Whether somebody works in the state, or left something running in it.
    fn in_use(&self) -> bool {
        let counts = self.session.processes.counts();
        counts.processes + counts.clients > 0
    }

    /// Ends processes and lets the state go.
    async fn release(&mut self, why: &str) {
        self.session.processes.close(why).await;
        self.processes.clear();
        if let Some(kept) = self.kept.take() {
            match kept.open {
                Open::Failed(failed) => failed.release().await,
                Open::Success(success) => success.release().await,
            }
        }
        self.publish(false);
    }

    /// The state is gone on the engine, or stands in another build's way.
    async fn lose(&mut self, why: Lost) {
        match why {
            Lost::Engine(why) => {
                let reason = "lost connection to builder; reload builds it again";
                self.server.says(&self.session.id, &why.to_string());
                self.session.processes.close(reason).await;
                self.kept = None;
                self.record.last.reason = reason.to_owned();
                self.publish(true);
            }
            Lost::Yield { to, force, done } => {
                if !force && self.in_use() {
                    return;
                }
                let why = format!(
                    "the state was let go because session {to} runs the same step; reload builds it again"
                );
                self.release(&why).await;
                self.record.last.reason = why;
                self.publish(true);
                let _ = done.send(());
            }
            Lost::Foreign => {
                if self.in_use() {
                    // Somebody works in it; the engine may show the other build the old failure.
                    return;
                }
                let why = "the state was let go because a build from elsewhere comes to the same step; reload builds it again";
                self.release(why).await;
                self.record.last.reason = why.to_owned();
                self.publish(true);
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
        let outcome = outcome::of(&ran, &running.canceled_by);
        let summary = running.recorder.summary().borrow().clone();
        let last = &mut self.record.last;
        last.state = outcome::state(&ran.end);
        last.ended = now();
        last.exit_code = outcome.exit_code;
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
        last.platforms.clone_from(&ran.platforms);
        self.keep(ran.open).await;
        // The state is ready when a client reads that there is one.
        running.recorder.finish(Event::Outcome(outcome));
        self.publish(true);
        for waiting in running.waiting {
            let _ = waiting.send(true);
        }
        self.server.enforce_budget();
    }

    async fn keep(&mut self, open: Option<Open>) {
        let Some(mut open) = open else { return };
        let keep = Duration::from_millis(self.record.keep);
        if keep <= NOT_AT_ALL {
            match open {
                Open::Failed(failed) => failed.release().await,
                Open::Success(success) => success.release().await,
            }
            return;
        }
        let mut foreign = None;
        match &mut open {
            Open::Failed(failed) => {
                open_for_processes(&self.session, failed.state.clone()).await;
                let yields = self.server.settings().yield_to_others;
                foreign = yields.then(|| {
                    foreign::Watch::start(failed.engine(), self.server.refs(), failed.step())
                });
            }
            Open::Success(success) => {
                if success.is_empty() {
                    return;
                }
                if self.record.keep_success
                    && let Ok(Some(state)) = success.open().await
                {
                    open_for_processes(&self.session, state).await;
                }
            }
        }
        self.kept = Some(Kept {
            open,
            until: Instant::now() + keep.min(FOREVER),
            foreign,
            _usage: self.server.uses(|usage| &mut usage.kept),
        });
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
                    running.canceled_by = describe(&by);
                }
                running.cancel.cancel();
                running.waiting.push(reply);
            }
            Ask::Disconnect(by, reply) => {
                running.canceled_by = describe(&by);
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
            Ask::Rebuild(caller, reply) => {
                let answer = self.rebuild(caller).await;
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
                let why = format!("the session was ended by {}", describe(&by));
                self.release(&why).await;
                self.server.leave_out(&self.session.id);
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

    async fn rebuild(&mut self, mut caller: Caller) -> Result<u32, Status> {
        let options = options(&self.record)?;
        if wants_input(&options) || gives_output(&options, false) {
            return Err(Status::failed_precondition(
                "a build that reads standard input or writes to standard output cannot be repeated: start it anew",
            ));
        }
        caller.directory = self.record.directory.clone().into();
        self.release("the session is built again").await;
        Ok(self.begin(caller, options)?.build)
    }

    /// Sets the time from now on; without a state that is kept, for the next one.
    async fn keep_for(&mut self, keep: u64) -> i64 {
        if keep == 0 {
            self.release("the state was let go by hand").await;
        } else {
            self.record.keep = keep;
            if let Some(kept) = self.kept.as_mut() {
                kept.until = Instant::now() + Duration::from_millis(keep).min(FOREVER);
            }
        }
        self.publish(true);
        self.session.shown().kept_until
    }

    async fn exec(
        &mut self,
        request: ExecRequest,
        anew: Option<String>,
    ) -> Result<ExecResponse, Status> {
        let Some(kept) = self.kept.as_mut() else {
            return Err(self.nothing_kept());
        };
        if let Open::Success(success) = &mut kept.open
            && let Some(state) = success.open().await?
        {
            open_for_processes(&self.session, state).await;
        }
        match anew {
            Some(by) => self.session.processes.rollback(request, &by).await,
            None => self.session.processes.exec(request).await,
        }
    }

    fn nothing_kept(&self) -> Status {
        let last = &self.record.last;
        let why = match (last.state, last.reason.as_str()) {
            (_, why) if why.contains("reload") => why.to_owned(),
            (State::Failed, why) if !why.is_empty() => why.to_owned(),
            (State::Canceled, _) => {
                "the build was canceled and left no state; reload builds it again".to_owned()
            }
            (State::Succeeded, _) => {
                "nothing of the result is kept; reload builds it again".to_owned()
            }
            _ => "nothing of the build is kept; reload builds it again".to_owned(),
        };
        Status::failed_precondition(why)
    }
}

/// Opens `state` for the processes of a session.
async fn open_for_processes(session: &Session, state: OpenState) {
    let notes = place::find(&state, &ExecRequest::default()).map(|place| place.notes);
    session.shown().not_carried = notes.unwrap_or_default();
    session.processes.open(state).await;
}

/// Why a kept state has to go.
enum Lost {
    Engine(String),
    Yield {
        to: String,
        force: bool,
        done: oneshot::Sender<()>,
    },
    Foreign,
}

/// Resolves when the kept state has to go.
async fn lost(kept: Option<&mut Kept>) -> Lost {
    let Some(kept) = kept else {
        return std::future::pending().await;
    };
    let foreign = async {
        match kept.foreign.as_mut() {
            Some(watch) => watch.seen().await,
            None => std::future::pending().await,
        }
    };
    match &mut kept.open {
        Open::Failed(failed) => tokio::select! {
            gone = failed.gone() => match gone {
                build::Gone::Engine(why) => Lost::Engine(why),
                build::Gone::Yield(asked) => Lost::Yield { to: asked.to, force: asked.force, done: asked.done },
            },
            () = foreign => Lost::Foreign,
        },
        Open::Success(success) => Lost::Engine(success.broken().await),
    }
}
