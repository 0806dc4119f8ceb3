//! What a build tells while it runs, in the events of a trace (`proto/controller.proto`).

use std::sync::{Mutex, PoisonError};

use crate::progress::ClientEvent;
use crate::progress::steps::ClientSteps;
use crate::proto::control::StatusResponse;
use crate::proto::controller::BuildHeader;
use crate::proto::controller::trace_event::Event;

/// Sees everything that happens in one build, in order. Must not block for long: it is called in
/// between the engine's messages.
pub trait Witness: Send + Sync {
    /// An event other than a status.
    fn see(&self, event: Event);

    /// A batch of the engine's status stream, or (`local`) of steps of our own, whose times are this
    /// machine's.
    fn status(&self, batch: StatusResponse, local: bool);
}

/// Tells a [`Witness`] what this side does in one build.
pub struct Teller<'a> {
    witness: &'a dyn Witness,
    steps: Mutex<ClientSteps>,
}

impl std::fmt::Debug for Teller<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Teller").finish_non_exhaustive()
    }
}

impl<'a> Teller<'a> {
    /// Tells `witness`.
    pub fn new(witness: &'a dyn Witness) -> Self {
        Self {
            witness,
            steps: Mutex::default(),
        }
    }

    /// A line about the way to the engine.
    pub fn note(&self, line: &str) {
        self.witness.see(Event::Note(line.to_owned()));
    }

    /// A line of warning from before the build.
    pub fn warning(&self, line: &str) {
        self.witness.see(Event::Warning(line.to_owned()));
    }

    /// Where the build runs.
    pub fn header(&self, header: BuildHeader) {
        self.witness.see(Event::Header(header));
    }

    /// A line that is said once the build has succeeded.
    pub fn remark(&self, line: String) {
        self.witness.see(Event::Remark(line));
    }

    /// Something happened to the step of our own with that name.
    pub fn client_step(&self, name: &str, event: ClientEvent<'_>) {
        let message = {
            let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
            steps.event(name, event)
        };
        self.witness.status(message, true);
    }
}
