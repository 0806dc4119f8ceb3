//! What of a build is open on the engine, so that processes can be started in it.
//!
//! The build actor opens it and lets it go; [`super::process`] starts containers and processes on it.

use std::sync::Arc;

use crate::engine::errors::FailedExec;
use crate::engine::gateway::Gateway;
use crate::proto::pb;

/// A gateway build that is held open, and what can be mounted from it.
#[derive(Clone, Debug)]
pub struct OpenState {
    /// The open build; its refs and containers end with it.
    pub gateway: Gateway,
    /// What is in it.
    pub inside: Inside,
}

/// What can be mounted from an open build.
#[derive(Clone, Debug)]
pub enum Inside {
    /// A step failed: its state before and after.
    Failed {
        /// The operation and the ids of its mounts.
        exec: FailedExec,
        /// The definition that the step belongs to, as the engine encoded it: what surrounds the
        /// step, such as the variables of the steps before a COPY. Absent where the engine gave none.
        definition: Option<Arc<pb::Definition>>,
        /// Digest of the failed vertex in `definition`; may be empty.
        vertex: String,
    },
    /// The build succeeded: one result for each platform, in the order of the frontend.
    Result(Vec<PlatformResult>),
}

/// The result of a build for one platform.
#[derive(Clone, Debug)]
pub struct PlatformResult {
    /// `os/architecture[/variant]`; empty when the frontend does not say it.
    pub platform: String,
    /// The ref; empty for an empty result, which cannot be mounted.
    pub reference: String,
    /// The image's configuration (OCI image spec, JSON) when the frontend gave one.
    pub config: Option<serde_json::Value>,
}
