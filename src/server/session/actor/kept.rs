//! The state that is kept of a build: how long, for whom, and how it goes.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use tonic::Status;

use super::Actor;
use crate::proto::controller::{ExecRequest, ExecResponse};
use crate::server::build::{self, Open};
use crate::server::session::Session;
use crate::server::session::record::State;
use crate::server::state::OpenState;
use crate::server::{UsageOf, foreign, place};

/// A state that is to be kept for so long is not kept: 0 means the default where that is asked for.
const NOT_AT_ALL: Duration = Duration::from_millis(1);

/// A kept state that nobody is attached to is looked at again when its time has come; this is how long
/// "never" is.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// How long a client that has said so may take from the end of the build to its process. It has read the
/// trace meanwhile, so it needs two calls; the rest is for a machine that is busy.
const COMING: Duration = Duration::from_secs(10);

pub(super) struct Kept {
    open: Open,
    pub(super) until: Instant,
    /// Until when somebody who has said so may still come.
    expected: Option<Expected>,
    /// Watches for builds that do not come from this server.
    foreign: Option<foreign::Watch>,
    _usage: UsageOf,
}

/// Somebody who is about to start a process in the state.
struct Expected {
    until: Instant,
    /// The state has to go for a build from elsewhere if nobody comes.
    foreign: bool,
}

impl Actor {
    /// As long as somebody is attached, the time that the state is kept does not run.
    pub(super) fn attended(&mut self) {
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

    pub(super) async fn expire(&mut self) {
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

    /// Who is about to work in the state.
    fn expected(&mut self) -> Option<&mut Expected> {
        let expected = self.kept.as_mut()?.expected.as_mut()?;
        (expected.until > Instant::now()).then_some(expected)
    }

    /// Ends processes and lets the state go.
    pub(super) async fn release(&mut self, why: &str) {
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
    pub(super) async fn lose(&mut self, why: Lost) {
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
                if !force && (self.in_use() || self.expected().is_some()) {
                    return;
                }
                let why = format!(
                    "the state was let go because session {to} runs the same step; reload builds it again"
                );
                self.record.last.reason.clone_from(&why);
                self.release(&why).await;
                self.publish(true);
                let _ = done.send(());
            }
            Lost::Foreign => {
                if self.in_use() {
                    // Somebody works in it; the engine may show the other build the old failure.
                    return;
                }
                if let Some(expected) = self.expected() {
                    expected.foreign = true;
                    return;
                }
                let why = "the state was let go because a build from elsewhere may come to the same step; reload builds it again";
                why.clone_into(&mut self.record.last.reason);
                self.release(why).await;
                self.publish(true);
            }
        }
    }

    /// Keeps what a build has left; `attaches`: for a client that starts a process in it at once.
    pub(super) async fn keep(&mut self, open: Option<Open>, attaches: bool) {
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
            expected: attaches.then(|| Expected {
                until: Instant::now() + COMING,
                foreign: false,
            }),
            foreign,
            _usage: self.server.uses(|usage| &mut usage.kept),
        });
    }

    /// Sets the time from now on; without a state that is kept, for the next one.
    pub(super) async fn keep_for(&mut self, keep: u64) -> i64 {
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

    pub(super) async fn exec(
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
        let started = match anew {
            Some(by) => self.session.processes.rollback(request, &by).await,
            None => self.session.processes.exec(request).await,
        }?;
        kept.expected = None;
        Ok(started)
    }

    fn nothing_kept(&self) -> Status {
        let last = &self.record.last;
        let why = match (last.state, last.reason.as_str()) {
            (_, why) if why.contains("reload") => why.to_owned(),
            (State::Failed, why) if !why.is_empty() => why.to_owned(),
            (State::Failed, _) if !last.no_state.is_empty() => last.no_state.clone(),
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
pub(super) enum Lost {
    Engine(String),
    Yield {
        to: String,
        force: bool,
        done: oneshot::Sender<()>,
    },
    Foreign,
}

/// Resolves when the kept state has to go.
pub(super) async fn lost(kept: Option<&mut Kept>) -> Lost {
    let Some(kept) = kept else {
        return std::future::pending().await;
    };
    let waiting = kept.expected.as_ref().filter(|expected| expected.foreign);
    let waiting = waiting.map(|expected| expected.until);
    let foreign = async {
        match (waiting, kept.foreign.as_mut()) {
            (Some(until), _) => tokio::time::sleep_until(until).await,
            (None, Some(watch)) => watch.seen().await,
            (None, None) => std::future::pending().await,
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
