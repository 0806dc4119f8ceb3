//! stand-in
use crate::engine::errors::{BuildError, FailedExec};
pub fn why_no_state(_: &BuildError) -> Option<String> {
    None
}
pub fn is_before_only(exec: &FailedExec) -> bool {
    exec.op.get("exec").is_none()
}
