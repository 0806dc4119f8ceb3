//! An engine of a test's own: the builder `embedded`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use super::cmd::Buildx;

/// The state directory of one engine, which is stopped at the end.
#[derive(Debug)]
pub struct Embedded {
    dir: TempDir,
}

impl Embedded {
    /// A place for an engine; the first build with it starts it.
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("bx").tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        Self { dir }
    }

    /// What `BUILDX_EMBEDDED` has to be.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// `buildx ARGS…` that finds this engine as the builder `embedded`.
    pub fn run(&self, args: &[&str]) -> Buildx {
        Buildx::without_engine(args).env("BUILDX_EMBEDDED", self.path())
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        let output = self.run(&["stop", "embedded"]).run();
        if !std::thread::panicking() {
            assert_eq!(output.code, 0, "{output}");
        }
    }
}
