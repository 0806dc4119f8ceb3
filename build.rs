//! Generates the Rust side of `proto/` with protox, so that no `protoc` is needed on the machine,
//! and finds out which revision is built.

use std::path::Path;
use std::process::Command;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = protox::compile(
        [
            "proto/controller.proto",
            "proto/filesync.proto",
            "proto/content.proto",
        ],
        ["proto"],
    )?;
    tonic_prost_build::configure()
        .bytes(".")
        // Its values are secret; proto.rs has a form without them.
        .skip_debug([".buildx.controller.v1.Caller"])
        .compile_fds(files)?;
    println!("cargo:rustc-env=BUILDX_REVISION={}", revision());
    Ok(())
}

/// The short git revision, or `unknown` outside of a git work tree.
fn revision() -> String {
    let git = |args: &[&str]| {
        let output = Command::new("git").args(args).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
    };
    // A new commit changes the log of HEAD, whatever branch it is on.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"])
        && Path::new(&log).exists()
    {
        println!("cargo:rerun-if-changed={log}");
    }
    git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".to_owned())
}
