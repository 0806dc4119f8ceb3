//! Every flag of `buildx build` against the real engine: each test fails if its flag is ignored.

mod errors;
mod inputs;
mod remote;
mod results;
mod steps;

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use crate::support::cmd::Buildx;
use crate::support::context::Context;
use crate::support::engine::engine;

/// `buildx build ARGS… CONTEXT` on the shared engine, whose steps have the host's network only.
fn build<'a>(context: &Context, args: impl IntoIterator<Item = &'a str>) -> Buildx {
    bare(args).arg(context.path())
}

/// [`build`] without a context.
fn bare<'a>(args: impl IntoIterator<Item = &'a str>) -> Buildx {
    let fixed = ["build", "--network", "host", "--progress", "plain"];
    Buildx::on(engine(), fixed.into_iter().chain(args))
}

/// A context whose only result is the file `out`: what `command` prints in a step. `head` is put
/// between the system and the step.
fn step(head: &str, command: &str) -> Context {
    Context::busybox(&format!(
        "{head}\nRUN {command} > /out\nFROM scratch\nCOPY --from=0 /out /out\n"
    ))
}

/// What `command` prints in a step of a build with `args`.
fn printed<'a>(command: &str, args: impl IntoIterator<Item = &'a str>) -> String {
    printed_in(&step("", command), args)
}

/// What the step of `context` prints.
fn printed_in<'a>(context: &Context, args: impl IntoIterator<Item = &'a str>) -> String {
    let output = build(context, args).args(["-o", "-"]).ok();
    let mut files = unpacked(&output.stdout);
    let out = files
        .remove("out")
        .unwrap_or_else(|| panic!("no file out: {output}"));
    String::from_utf8_lossy(&out).into_owned()
}

/// The files of an archive.
fn unpacked(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(Cursor::new(archive));
    archive
        .entries()
        .unwrap()
        .map(|entry| {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().to_string_lossy().into_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            (path.trim_start_matches("./").to_owned(), bytes)
        })
        .collect()
}

/// An OCI layout in memory: its index, and its blobs by digest.
struct Layout(BTreeMap<String, Vec<u8>>);

impl Layout {
    /// Builds with `-o type=oci` and reads the archive.
    fn built<'a>(context: &Context, args: impl IntoIterator<Item = &'a str>) -> Self {
        let output = build(context, args).args(["-o", "type=oci,dest=-"]).ok();
        Self(unpacked(&output.stdout))
    }

    fn json(&self, path: &str) -> serde_json::Value {
        let bytes = self.0.get(path).unwrap_or_else(|| panic!("no {path}"));
        serde_json::from_slice(bytes).unwrap()
    }

    fn blob(&self, descriptor: &serde_json::Value) -> serde_json::Value {
        let digest = descriptor["digest"].as_str().unwrap().replace(':', "/");
        self.json(&format!("blobs/{digest}"))
    }

    /// The descriptors of the images, those of attestations last; the index of the result is
    /// entered if it is one.
    fn manifests(&self) -> Vec<serde_json::Value> {
        let top = &self.json("index.json")["manifests"][0];
        if top["mediaType"].as_str().unwrap().contains("index") {
            self.blob(top)["manifests"].as_array().unwrap().clone()
        } else {
            vec![top.clone()]
        }
    }

    /// The first image's manifest.
    fn manifest(&self) -> serde_json::Value {
        self.blob(&self.manifests()[0])
    }

    /// The first image's configuration.
    fn config(&self) -> serde_json::Value {
        self.blob(&self.manifest()["config"])
    }
}
