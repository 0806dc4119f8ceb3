//! One session as this client has seen it: what the server says of it, and the place that each pane is at.

use std::collections::HashMap;

use prost::Message;

use super::pane::{dockerfile, happened, log, progress, timeline};
use super::twins::Twins;
use crate::build::flags;
use crate::build::options::{BuildOptions, Invalid};
use crate::progress::time::{Nanos, now as clock};
use crate::progress::trace::Trace;
use crate::proto::control::StatusResponse;
use crate::proto::controller::trace_event::Event;
use crate::proto::controller::{
    BuildFailure, InspectResponse, LineRange, LogCount, Outcome, Session, SessionState, SourceFile,
    TraceEvent, outcome,
};
use crate::term::escape;

/// Lines from before the build that are kept.
const NOTES: usize = 100;

/// Source files that are kept, and the most bytes of each.
const FILES: (usize, usize) = (64, 1 << 20);

/// What was seen of the last build of a session.
#[derive(Debug, Default)]
pub struct Build {
    /// Id of its session.
    pub session: String,
    /// Its number, from 1; 0: none.
    pub number: u32,
    /// Its steps.
    pub trace: Trace,
    /// Where the engine is: the builder and its driver.
    pub builder: Option<(String, String)>,
    /// Lines from before the build: `true` for a warning.
    pub notes: Vec<(bool, String)>,
    /// Its source files.
    pub files: Vec<SourceFile>,
    /// Digest of a vertex → file and lines.
    pub places: HashMap<String, (usize, Vec<LineRange>)>,
    /// Digest of a vertex → how much it logged.
    pub counts: HashMap<String, LogCount>,
    /// Lines and bytes of the whole log.
    pub total: (u64, u64),
    /// Lines that are said once it has succeeded.
    pub remarks: Vec<String>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// When the last event of its trace happened; milliseconds since 1970.
    pub heard: i64,
    /// Counts what has been seen: whoever has derived something knows whether to do it again.
    pub version: u64,
    /// Why its trace cannot be read.
    pub trouble: Option<String>,
    /// Steps of other builds in its trace.
    pub twins: Twins,
}

impl Build {
    /// Merges one event of the trace.
    pub fn see(&mut self, event: TraceEvent) {
        self.version += 1;
        self.heard = self.heard.max(event.time);
        let now: Nanos = event.time.saturating_mul(1_000_000);
        let now = if now == 0 { clock() } else { now };
        self.trace.begin(now);
        let Some(event) = event.event else { return };
        match event {
            Event::Note(line) => self.note(false, &line),
            Event::Warning(line) => self.note(true, &line),
            Event::Header(header) => {
                self.builder = Some((
                    escape::line(&header.builder).into_owned(),
                    escape::line(&header.driver).into_owned(),
                ));
            }
            Event::Status(bytes) => {
                if let Ok(batch) = StatusResponse::decode(bytes) {
                    self.trace.apply(&batch, now);
                }
            }
            Event::LocalStatus(bytes) => {
                if let Ok(batch) = StatusResponse::decode(bytes) {
                    self.trace.apply_local(&batch, now);
                }
            }
            Event::ClockSkew(skew) => self.trace.set_clock(now.saturating_add(skew), now),
            Event::Remark(line) => self.remarks.push(escape::line(&line).into_owned()),
            Event::Outcome(outcome) => {
                if let (true, Some(outcome::End::Failed(failure))) =
                    (self.files.is_empty(), &outcome.end)
                {
                    self.files = failure.sources.iter().map(of_failure).collect();
                }
                self.outcome = Some(outcome);
            }
            Event::Sources(sources) => {
                let first = self.files.len();
                for location in sources.locations {
                    let file = first + location.file as usize;
                    self.places.insert(location.vertex, (file, location.ranges));
                }
                let room = FILES.0.saturating_sub(first);
                let files = sources.files.into_iter().take(room).map(|mut file| {
                    file.data.truncate(FILES.1);
                    file
                });
                self.files.extend(files);
            }
            Event::LogCounts(counts) => {
                self.total = (counts.lines, counts.bytes);
                for count in counts.steps {
                    self.counts.insert(count.vertex.clone(), count);
                }
            }
        }
    }

    fn note(&mut self, warning: bool, line: &str) {
        if self.notes.len() < NOTES {
            self.notes.push((warning, escape::line(line).into_owned()));
        }
    }

    /// Why it failed.
    pub fn failure(&self) -> Option<&BuildFailure> {
        match &self.outcome.as_ref()?.end {
            Some(outcome::End::Failed(failure)) => Some(failure),
            _ => None,
        }
    }

    /// The step that failed, by its index.
    pub fn failed_step(&self) -> Option<usize> {
        let named = self
            .failure()
            .and_then(|failure| self.trace.index(&failure.vertex));
        named.or_else(|| self.trace.steps.iter().position(|step| step.failed()))
    }

    /// Whether nothing more happens in it.
    pub fn over(&self, session: &Session) -> bool {
        self.outcome.is_some() || session.state() == SessionState::Recoverable
    }

    /// When it ended, or was heard of last if its server died; milliseconds since 1970.
    fn end(&self, session: &Session) -> Option<i64> {
        match (session.ended, session.state()) {
            // An older server does not tell.
            (0, SessionState::Recoverable) => Some(self.heard.max(session.started)),
            (0, _) => None,
            (ended, _) => Some(ended),
        }
    }

    /// The time that running steps are measured at, on our clock: `now` (milliseconds since 1970), or its end.
    pub fn clock(&self, session: &Session, now: i64) -> Nanos {
        let end = self.end(session).filter(|_| self.over(session));
        end.map_or(now, |end| end.min(now))
            .saturating_mul(1_000_000)
    }

    /// Time since it began, until now or its end.
    pub fn elapsed(&self, session: &Session, now: i64) -> Nanos {
        if session.started == 0 {
            return 0;
        }
        let end = self.end(session).unwrap_or(now);
        end.saturating_sub(session.started)
            .max(0)
            .saturating_mul(1_000_000)
    }
}

fn of_failure(excerpt: &crate::proto::controller::SourceExcerpt) -> SourceFile {
    let mut data = excerpt.data.clone();
    data.truncate(FILES.1);
    SourceFile {
        name: excerpt.filename.clone(),
        data,
        language: String::new(),
    }
}

/// A session on this screen.
#[derive(Debug, Default)]
pub struct View {
    /// What the server says of it.
    pub session: Session,
    /// Its last build.
    pub build: Build,
    /// What the server tells when it is asked for everything.
    pub inspected: Option<InspectResponse>,
    /// What that says of the build's flags. Reading them takes longer than drawing does.
    options: Option<Result<BuildOptions, Invalid>>,
    /// Its trace is being read.
    pub followed: bool,
    /// Whether its context is being watched.
    pub watching: bool,
    /// Files of it changed while it was building.
    pub changed: bool,
    /// Number of the build whose end has opened a shell by itself.
    pub opened: u32,
    /// A person has chosen something in it, so nothing jumps.
    pub touched: bool,
    /// The place in the steps.
    pub progress: progress::State,
    /// The place in the log.
    pub log: log::State,
    /// The place in the source.
    pub dockerfile: dockerfile::State,
    /// The place in the story of the end.
    pub happened: happened::State,
    /// The place in the bars.
    pub timeline: timeline::State,
}

impl View {
    /// A session that has not been opened.
    pub fn new(session: Session) -> Self {
        Self {
            session,
            ..Self::default()
        }
    }

    /// Takes what the server tells when it is asked for everything.
    pub fn inspect(&mut self, told: InspectResponse) {
        let known = self.inspected.as_ref();
        if known.is_none_or(|known| known.arguments != told.arguments) {
            self.options = Some(flags::parse(&told.arguments));
        }
        self.inspected = Some(told);
    }

    /// What was asked of the build, once the server has told it.
    pub fn options(&self) -> Option<Result<&BuildOptions, &Invalid>> {
        self.options.as_ref().map(Result::as_ref)
    }

    /// Begins the view of another build; the places in the panes stay.
    pub fn begin(&mut self, number: u32) {
        let again = self.build.number == number;
        if self.touched {
            self.progress.hold(&self.build);
        }
        self.build = Build {
            session: self.session.id.clone(),
            number,
            ..Build::default()
        };
        (self.inspected, self.options) = (None, None);
        self.log.begin(again);
        if !again {
            self.happened.forget();
        }
        self.refresh();
    }

    /// Derives anew what panes derive from the build. Nothing moves that a person has chosen.
    pub fn refresh(&mut self) {
        self.build.twins.hide(&mut self.build.trace);
        self.progress.refresh(&self.build, !self.touched);
        self.log.find_again(&self.build);
        self.timeline.refresh(&self.build, &self.progress);
    }

    /// How many steps are done, and how many are known: as its panes show them once its trace is read, else as the server
    /// has counted them, for which the twins of other builds are steps of this one.
    pub fn steps(&self) -> (usize, usize) {
        let counts = self.progress.counts();
        if counts.all > 0 {
            return (counts.done, counts.all);
        }
        (
            self.session.steps_done as usize,
            self.session.steps as usize,
        )
    }

    /// The same in percent; `None` while no step is known.
    pub fn percent(&self) -> Option<usize> {
        let (done, all) = self.steps();
        (done * 100).checked_div(all)
    }

    /// Its name, or the beginning of its id.
    pub fn name(&self) -> String {
        name(&self.session)
    }
}

/// The name of a session, or the beginning of its id; harmless and on one line.
pub fn name(session: &Session) -> String {
    if session.name.is_empty() {
        session.id.chars().take(7).collect()
    } else {
        escape::line(&session.name).into_owned()
    }
}
