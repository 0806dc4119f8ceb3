//! Shows a build as the server tells it: the records of its trace, replayed and then live.
//!
//! A reader that is slow holds nobody up but itself: records wait on the server's disk.

use std::io::Write;
use std::time::Instant;

use prost::Message;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use super::{Api, status};
use crate::build::results;
use crate::engine::errors::{self, BuildError};
use crate::progress::settings::{Kind, Settings};
use crate::progress::{self, Header, Progress};
use crate::proto::control::StatusResponse;
use crate::proto::controller::trace_event::Event;
use crate::proto::controller::{
    BuildFailure, Outcome, SessionRequest, TraceEvent, TraceRequest, outcome,
};
use crate::term::blocking::Blocking;
use crate::term::escape;

/// Where a view writes; asked once for each printer.
pub type Out = Box<dyn Fn() -> Box<dyn Write + Send> + Send>;

/// What a build looks like to the user: lines before it, its progress, its end.
pub struct View {
    settings: Settings,
    out: Out,
    progress: Option<Progress>,
    /// When the build began, in milliseconds since 1970.
    began: Option<i64>,
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View")
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}

/// Why the end of a build was not seen; one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Lost(pub String);

impl View {
    /// Shows a build on `out`.
    pub fn new(settings: Settings, out: Out) -> Self {
        Self {
            settings,
            out,
            progress: None,
            began: None,
        }
    }

    /// Shows a build on standard error.
    pub fn on_stderr(settings: Settings) -> Self {
        Self::new(settings, Box::new(|| Box::new(Blocking(std::io::stderr()))))
    }

    /// What has been observed; `None` before the build has found its engine.
    pub fn trace(&self) -> Option<&progress::trace::Trace> {
        self.progress.as_ref().map(Progress::trace)
    }

    /// Merges one event; draws when it is time. An event that this side does not know is skipped.
    pub fn see(&mut self, event: TraceEvent) {
        self.began.get_or_insert(event.time);
        let Some(event) = event.event else { return };
        match event {
            Event::Note(line) => self.say(&escape::line(&line)),
            Event::Warning(line) => {
                let word = match self.settings.kind {
                    Kind::Sentences => "Warning",
                    _ => "WARNING",
                };
                self.say(&format!("{word}: {}", escape::line(&line)));
            }
            Event::Header(header) => {
                let header = Header {
                    builder: header.builder,
                    driver: header.driver,
                };
                self.begin(header);
            }
            Event::Status(bytes) => self.status(&bytes, false),
            Event::LocalStatus(bytes) => self.status(&bytes, true),
            Event::ClockSkew(skew) => self.progress().clock_skew(skew),
            Event::Remark(line) => self.progress().remark(line),
            Event::Outcome(outcome) => self.end(&outcome),
            // For screens that show the source, and logs by their counts.
            Event::Sources(_) | Event::LogCounts(_) => {}
        }
    }

    /// Shows what is held back, when no more is read of a build that goes on.
    pub fn leave(&mut self) {
        if let Some(progress) = &mut self.progress {
            let _ = progress.leave();
        }
    }

    /// When [`View::draw`] has something to do although nothing new comes.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.progress.as_ref().and_then(Progress::next_deadline)
    }

    /// Draws. A terminal that went away is no reason to stop following.
    pub fn draw(&mut self) {
        if let Some(progress) = &mut self.progress {
            let _ = progress.draw();
        }
    }

    /// The progress; one without a place where the trace has no header.
    fn progress(&mut self) -> &mut Progress {
        if self.progress.is_none() {
            self.begin(Header::default());
        }
        self.progress
            .get_or_insert_with(|| Progress::new(&self.settings, (self.out)(), Header::default()))
    }

    fn begin(&mut self, header: Header) {
        let mut progress = Progress::new(&self.settings, (self.out)(), header);
        if let Some(began) = self.began {
            progress.began(began.saturating_mul(1_000_000));
        }
        self.progress = Some(progress);
    }

    fn say(&mut self, line: &str) {
        if !matches!(self.settings.kind, Kind::Quiet | Kind::RawJson) {
            let _ = writeln!((self.out)(), "{line}");
        }
    }

    fn status(&mut self, bytes: &[u8], local: bool) {
        let Ok(batch) = StatusResponse::decode(bytes) else {
            return;
        };
        let progress = self.progress();
        match local {
            false => progress.apply(&batch),
            true => progress.apply_local(&batch),
        }
        if progress
            .next_deadline()
            .is_some_and(|at| at <= Instant::now())
        {
            self.draw();
        }
    }

    fn end(&mut self, outcome: &Outcome) {
        match &outcome.end {
            Some(outcome::End::Finished(finished)) => {
                let result = finished.response.clone().into_iter().collect();
                let _ = self.progress().finish(&progress::Outcome::Finished {
                    result: &result,
                    build_ref: &finished.build_ref,
                });
            }
            // There was no build to show the end of.
            Some(outcome::End::Failed(failure))
                if failure.refused && self.settings.kind != Kind::RawJson =>
            {
                // It may list what was tried, a line each.
                let text = escape::text(failure.message.as_bytes());
                let _ = writeln!((self.out)(), "ERROR: {text}");
            }
            Some(outcome::End::Failed(failure)) => {
                let error = build_error(failure);
                let _ = self.progress().finish(&progress::Outcome::Failed {
                    error: &error,
                    hints: &failure.hints,
                });
            }
            Some(outcome::End::Canceled(canceled)) => {
                if !canceled.by.is_empty() {
                    self.say(&format!(
                        "the build was canceled by {}",
                        escape::line(&canceled.by)
                    ));
                }
                let _ = self.progress().finish(&progress::Outcome::Canceled);
            }
            None => {
                let _ = self.progress().finish(&progress::Outcome::Canceled);
            }
        }
    }
}

/// The failure as the printers take it.
pub fn build_error(failure: &BuildFailure) -> BuildError {
    let ranges = |excerpt: &crate::proto::controller::SourceExcerpt| {
        let range = |range: &crate::proto::controller::LineRange| errors::LineRange {
            start: range.start,
            end: range.end,
        };
        excerpt.ranges.iter().map(range).collect()
    };
    BuildError {
        code: i32::try_from(failure.code).map_or(Code::Unknown, Code::from_i32),
        vertex: Some(failure.vertex.clone()).filter(|vertex| !vertex.is_empty()),
        sources: failure
            .sources
            .iter()
            .map(|excerpt| errors::Source {
                filename: excerpt.filename.clone(),
                data: excerpt.data.to_vec(),
                ranges: ranges(excerpt),
            })
            .collect(),
        exit_code: failure.process_exit_code,
        ..BuildError::local(failure.message.clone())
    }
}

/// The exit code that an outcome means for scripts.
pub fn exit_code(outcome: &Outcome) -> u8 {
    match &outcome.end {
        Some(outcome::End::Failed(failure)) if outcome.exit_code == 0 => {
            results::exit_code(&build_error(failure))
        }
        _ => u8::try_from(outcome.exit_code).unwrap_or(1),
    }
}

/// Shows `request`'s build in `view` until its outcome, which comes back; `None` when the trace ends
/// before it, as one that is not followed may. When `cancel` is cancelled, the server is asked to
/// stop the build, and what happens then is shown, too.
///
/// # Errors
/// The server was lost, or does not know the session.
pub async fn follow(
    api: &Api,
    request: TraceRequest,
    view: &mut View,
    cancel: &CancellationToken,
) -> Result<Option<Outcome>, Lost> {
    let session = request.session.clone();
    let follows = !request.no_follow;
    let mut reader = api.clone();
    let stream = reader.trace(request).await;
    let mut stream = stream
        .map_err(|status| lost(&session, &status))?
        .into_inner();
    let mut stopping = std::pin::pin!(stop_when(api.clone(), session.clone(), cancel.clone()));
    let mut stopped = false;
    loop {
        tokio::select! {
            record = stream.message() => match record {
                Ok(Some(record)) => {
                    let Some(event) = record.event else { continue };
                    if let Some(Event::Outcome(outcome)) = &event.event {
                        let outcome = outcome.clone();
                        view.see(event);
                        return Ok(Some(outcome));
                    }
                    view.see(event);
                }
                Ok(None) => {
                    view.leave();
                    return match follows {
                        false => Ok(None),
                        true => Err(lost(&session, &Status::unavailable("it has ended"))),
                    };
                }
                Err(status) => {
                    view.leave();
                    return Err(lost(&session, &status));
                }
            },
            () = until(view.next_deadline()) => view.draw(),
            result = &mut stopping, if !stopped => {
                stopped = true;
                // A build that cannot be stopped goes on, and is shown.
                if let Err(status) = result {
                    let why = status::line(&status);
                    view.say(&format!("WARNING: the build cannot be canceled: {why}"));
                }
            }
        }
    }
}

async fn stop_when(mut api: Api, session: String, cancel: CancellationToken) -> Result<(), Status> {
    cancel.cancelled().await;
    api.cancel(SessionRequest { session }).await.map(drop)
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

/// What it means for the user that a call about a build of `session` has broken off.
pub fn lost(session: &str, status: &Status) -> Lost {
    let why = status::line(status);
    match status.code() {
        Code::NotFound | Code::InvalidArgument | Code::Unimplemented => Lost(why),
        _ => {
            let why = why.strip_prefix("lost the buildx server: ").unwrap_or(&why);
            Lost(format!(
                "lost the buildx server: {why}; a build that it ran can be brought back with: buildx debug reload {session}"
            ))
        }
    }
}

#[cfg(test)]
mod tests;
