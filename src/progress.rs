//! One model of a build and the printers that show it.
//!
//! The engine's status messages and our own steps go into the [`trace::Trace`]; what they change
//! goes to the printer: [`plain`], [`tty`], [`rawjson`], [`sentences`], or none (quiet). At the end comes the [`report`].

pub mod clip;
pub mod log;
pub mod name;
pub mod plain;
pub mod rawjson;
pub mod report;
pub mod screen;
pub mod sentences;
pub mod settings;
pub mod steps;
pub mod time;
pub mod trace;
pub mod tty;
pub mod units;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use self::plain::Plain;
use self::sentences::Sentences;
use self::settings::Kind;
pub use self::settings::{Mode, Settings};
pub use self::steps::ClientEvent;
use self::time::Nanos;
use self::trace::Trace;
use self::tty::{End, Tty};
use crate::engine::errors::BuildError;
use crate::proto::control;
use crate::term::escape;

/// Text that may wait for a draw, in bytes. Beyond it [`Progress::apply`] draws by itself.
const MAX_WAITING: usize = 8 << 20;

/// Where a build runs, for the first line.
#[derive(Debug, Clone, Default)]
pub struct Header {
    /// Name of the builder.
    pub builder: String,
    /// Name of its driver.
    pub driver: String,
}

/// How a build ended.
#[derive(Debug)]
pub enum Outcome<'a> {
    /// It went well.
    Finished {
        /// The engine's answer.
        result: &'a BTreeMap<String, String>,
        /// The build's id: `builder/node/ref`.
        build_ref: &'a str,
    },
    /// It failed.
    Failed {
        /// Why.
        error: &'a BuildError,
        /// What to do about it, a line each.
        hints: &'a [String],
    },
    /// The user stopped it.
    Canceled,
}

#[derive(Debug)]
enum Printer {
    Plain(Plain),
    Tty(Tty),
    RawJson(String),
    Sentences(Sentences),
    Quiet,
}

/// Shows a build: owns the trace and the printer, and writes to the given writer only in
/// [`Progress::draw`] and [`Progress::finish`] (and in [`Progress::apply`] when too much waits).
pub struct Progress {
    settings: Settings,
    trace: Trace,
    printer: Printer,
    out: Box<dyn Write + Send>,
    /// Something has changed since the last draw.
    changed: bool,
    drawn: Option<Instant>,
    held: Vec<String>,
    failed: Option<io::Error>,
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Progress")
            .field("printer", &self.printer)
            .finish_non_exhaustive()
    }
}

impl Progress {
    /// Nothing is written before the first draw.
    pub fn new(settings: &Settings, out: Box<dyn Write + Send>, header: Header) -> Self {
        let builder = escape::line(&header.builder);
        let driver = escape::line(&header.driver);
        let printer = match settings.kind {
            Kind::Plain => Printer::Plain(Plain::new(
                format!("building with \"{builder}\" instance using {driver} driver"),
                settings.truncate,
            )),
            Kind::Tty => Printer::Tty(Tty::new(format!("{driver}:{builder}"), settings)),
            Kind::RawJson => Printer::RawJson(String::new()),
            Kind::Sentences => {
                Printer::Sentences(Sentences::new(builder.into_owned(), driver.into_owned()))
            }
            Kind::Quiet => Printer::Quiet,
        };
        Progress {
            settings: settings.clone(),
            trace: Trace::new(settings.colour),
            printer,
            out,
            changed: false,
            drawn: Some(Instant::now()),
            held: Vec::new(),
            failed: None,
        }
    }

    /// Merges a message of the engine. Draw when [`Progress::next_deadline`] says so.
    pub fn apply(&mut self, message: &control::StatusResponse) {
        self.merge(message, false);
    }

    /// Merges a message about our own steps, whose times are this machine's.
    pub fn apply_local(&mut self, message: &control::StatusResponse) {
        self.merge(message, true);
    }

    /// When the build began, which may be long before this is shown.
    pub fn began(&mut self, at: Nanos) {
        self.trace.begin(at);
    }

    /// How far the engine's clock is ahead of this machine's.
    pub fn clock_skew(&mut self, skew: Nanos) {
        self.trace.set_clock(skew, 0);
    }

    fn merge(&mut self, message: &control::StatusResponse, local: bool) {
        let now = time::now();
        let changes = match local {
            false => self.trace.apply(message, now),
            true => self.trace.apply_local(message, now),
        };
        let waiting = match &mut self.printer {
            Printer::Plain(plain) => {
                self.changed |= !changes.is_empty();
                for change in changes {
                    plain.note(change, now);
                }
                plain.held()
            }
            Printer::Sentences(sentences) => {
                self.changed |= !changes.is_empty();
                for change in changes {
                    sentences.note(change, now);
                }
                sentences.held()
            }
            Printer::Tty(_) => {
                self.changed = true;
                0
            }
            Printer::RawJson(text) => {
                if let Some(line) = rawjson::message(message) {
                    text.push_str(&line);
                    self.changed = true;
                }
                text.len()
            }
            Printer::Quiet => 0,
        };
        if waiting > MAX_WAITING
            && let Err(error) = self.draw()
        {
            self.failed.get_or_insert(error);
        }
    }

    /// A remark that is printed at the end, if the build goes well.
    pub fn remark(&mut self, text: impl Into<String>) {
        self.held.push(text.into());
    }

    /// When [`Progress::draw`] has something to do although nothing new comes. None: only after input.
    pub fn next_deadline(&self) -> Option<Instant> {
        let now = Instant::now();
        let after = |pause: Duration| self.drawn.map_or(now, |drawn| drawn + pause);
        match &self.printer {
            Printer::RawJson(_) => self.changed.then_some(now),
            _ if self.changed => Some(after(self.settings.draw)),
            Printer::Tty(_) => self.trace.running().then(|| after(self.settings.tick)),
            Printer::Plain(plain) => {
                let clock = time::now();
                self.at(now, plain.turn(clock)?.saturating_sub(clock))
            }
            Printer::Sentences(sentences) => {
                let clock = time::now();
                let turn = sentences.turn(&self.trace, clock)?;
                self.at(now, turn.saturating_sub(clock))
            }
            Printer::Quiet => None,
        }
    }

    /// The time `wait` after `now`, but not too soon after the last draw.
    fn at(&self, now: Instant, wait: Nanos) -> Option<Instant> {
        let wait = Duration::from_nanos(u64::try_from(wait).unwrap_or(0));
        let soonest = self.drawn.map_or(now, |drawn| drawn + self.settings.draw);
        Some((now + wait).max(soonest))
    }

    /// Writes what is to be seen now.
    ///
    /// # Errors
    /// The writer's.
    pub fn draw(&mut self) -> io::Result<()> {
        let now = time::now();
        let text = match &mut self.printer {
            Printer::Plain(plain) => {
                let mut text = String::new();
                plain.print(&self.trace, now, &mut text);
                text
            }
            Printer::Sentences(sentences) => {
                let mut text = String::new();
                sentences.print(&self.trace, now, &mut text);
                text
            }
            Printer::Tty(tty) => tty.draw(&self.trace, now, screen::size()),
            Printer::RawJson(text) => std::mem::take(text),
            Printer::Quiet => String::new(),
        };
        self.changed = false;
        self.drawn = Some(Instant::now());
        self.write(&text)
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        if text.is_empty() {
            return Ok(());
        }
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }

    /// Writes everything that is held back, but no end: the build goes on without this reader.
    ///
    /// # Errors
    /// The writer's.
    pub fn leave(&mut self) -> io::Result<()> {
        let (mut text, now) = (String::new(), time::now());
        match &mut self.printer {
            Printer::Plain(plain) => plain.finish(&self.trace, now, &mut text),
            Printer::Sentences(sentences) => sentences.finish(&self.trace, now, &mut text),
            _ => return self.draw(),
        }
        self.changed = false;
        self.write(&text)
    }

    /// Draws for the last time and writes the end of the output.
    ///
    /// # Errors
    /// The writer's.
    pub fn finish(&mut self, outcome: &Outcome<'_>) -> io::Result<()> {
        let canceled = BuildError::canceled();
        let (error, hints, end): (_, &[String], _) = match outcome {
            Outcome::Finished { .. } => (None, &[], End::Finished),
            Outcome::Failed { error, hints } => (Some(*error), hints, End::Failed),
            Outcome::Canceled => (Some(&canceled), &[], End::Canceled),
        };
        let now = time::now();
        let mut text = match &mut self.printer {
            Printer::Plain(plain) => {
                let mut text = String::new();
                plain.finish(&self.trace, now, &mut text);
                text
            }
            Printer::Sentences(sentences) => {
                let mut text = String::new();
                sentences.finish(&self.trace, now, &mut text);
                text
            }
            Printer::Tty(tty) => tty.finish(&self.trace, now, screen::size(), end),
            Printer::RawJson(text) => std::mem::take(text),
            Printer::Quiet => String::new(),
        };
        match (&self.printer, outcome) {
            (Printer::RawJson(_), Outcome::Finished { result, build_ref }) => {
                text.push_str(&rawjson::result(result, build_ref));
            }
            (Printer::RawJson(_), _) => {
                text.push_str(&rawjson::error(error.unwrap_or(&canceled), hints));
            }
            (Printer::Sentences(_), _) => {
                let end = match outcome {
                    Outcome::Finished { .. } => sentences::End::Finished(&self.held),
                    Outcome::Failed { error, hints } => sentences::End::Failed(error, hints),
                    Outcome::Canceled => sentences::End::Canceled,
                };
                text.push_str(&sentences::end(&self.trace, &self.settings, end));
            }
            _ => text.push_str(&report::text(
                &self.trace,
                &self.settings,
                error,
                hints,
                &self.held,
            )),
        }
        self.changed = false;
        self.write(&text)
    }

    /// Everything observed so far.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }
}

#[cfg(test)]
mod tests;
