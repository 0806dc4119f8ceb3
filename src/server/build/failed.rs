//! A failed step that is held on the engine.

use tokio::sync::mpsc;
use tonic::Status;

use crate::build::drive::Drive;
use crate::build::request::Plan;
use crate::builder::find::Found;
use crate::progress::time::Nanos;
use crate::server::foreign::{self, Ref};
use crate::server::holds::{Entry, Yield};
use crate::server::state::OpenState;

/// A failed step that is held on the engine.
#[derive(Debug)]
pub struct Failed {
    /// What can be mounted.
    pub state: OpenState,
    pub(super) yields: mpsc::Receiver<Yield>,
    pub(super) drive: Drive,
    pub(super) status: Status,
    /// Repository of the context.
    pub(super) source: String,
    /// When the step failed, by the engine's clock.
    pub(super) failed_at: Option<Nanos>,
    pub(super) found: Found,
    pub(super) _entry: Option<Entry>,
    pub(super) _own: Ref,
    pub(super) _plan: Plan,
}

impl Failed {
    /// Lets the state go; the engine then remembers nothing of the failure.
    pub async fn release(mut self) {
        self.drive.fail(Some(&self.status)).await;
    }

    /// Resolves when the state has to go.
    pub async fn gone(&mut self) -> Gone {
        let asked = async {
            match self.yields.recv().await {
                Some(asked) => asked,
                // A state that stands in nobody's way.
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            asked = asked => Gone::Yield(asked),
            why = self.drive.broken() => Gone::Engine(why),
        }
    }

    /// What a build from elsewhere would have to run to come to the step.
    pub fn step(&self) -> foreign::Held {
        foreign::Held::new(&self.state, &self.source, self.failed_at)
    }

    /// The engine.
    pub fn engine(&self) -> &crate::engine::control::Engine {
        &self.found.engine
    }
}

/// Why a held state has to go.
#[derive(Debug)]
pub enum Gone {
    /// The engine has lost it; the reason.
    Engine(String),
    /// Another build comes to the same step.
    Yield(Yield),
}
