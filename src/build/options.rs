//! What was asked for: the flags of `buildx build`, typed and checked, before anything is looked at.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::progress::settings::Mode;

pub mod annotation;
pub mod attest;
pub mod cache;
pub(crate) mod fields;
pub mod hosts;
pub mod output;
pub mod platform;
pub mod reference;
pub mod units;

pub use annotation::Annotation;
pub use attest::Attests;
pub use cache::Cache;
pub use hosts::HostTarget;
pub use output::{Destination, Output, OutputKind};
pub use platform::Platform;
pub use units::Ulimits;

/// A value that cannot be meant; one line for the user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub String);

/// `--network`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// What the engine does by itself.
    #[default]
    Default,
    /// No network at all.
    None,
    /// The engine's own network.
    Host,
}

/// `buildx build`, exactly as asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BuildOptions {
    /// `PATH | URL | -`
    pub context: String,
    /// `-f`: a path, `-` or a URL; `None` for the default name in the context.
    pub dockerfile: Option<String>,
    /// `-t`, checked.
    pub tags: Vec<String>,
    /// `--target`
    pub target: Option<String>,
    /// `--build-arg`; without a value it comes from the environment.
    pub build_args: Vec<(String, Option<String>)>,
    /// `--build-context`, in order; names checked and without `:latest`.
    pub named_contexts: Vec<(String, String)>,
    /// `--secret`, to be read by the secrets service.
    pub secrets: Vec<String>,
    /// `--ssh`, to be read by the ssh service.
    pub ssh: Vec<String>,
    /// `--label`
    pub labels: Vec<(String, String)>,
    /// `--annotation`
    pub annotations: Vec<Annotation>,
    /// `--no-cache`
    pub no_cache: bool,
    /// `--no-cache-filter`: names of stages.
    pub no_cache_filter: Vec<String>,
    /// `--pull`
    pub pull: bool,
    /// `--platform`
    pub platforms: Vec<Platform>,
    /// `--output`
    pub outputs: Vec<Output>,
    /// `--load`
    pub load: bool,
    /// `--push`
    pub push: bool,
    /// `--cache-from`
    pub cache_from: Vec<Cache>,
    /// `--cache-to`
    pub cache_to: Vec<Cache>,
    /// `--network`
    pub network: Network,
    /// `--add-host`
    pub hosts: Vec<(String, HostTarget)>,
    /// `--shm-size`, in bytes; 0 is the engine's default.
    pub shm_size: u64,
    /// `--ulimit`
    pub ulimits: Ulimits,
    /// `--cgroup-parent`
    pub cgroup_parent: Option<String>,
    /// `--allow`: entitlements.
    pub allow: Vec<String>,
    /// `--attest`, `--sbom`, `--provenance`
    pub attests: Attests,
    /// `--iidfile`
    pub iidfile: Option<PathBuf>,
    /// `--metadata-file`
    pub metadata_file: Option<PathBuf>,
    /// `-q`
    pub quiet: bool,
    /// `--progress`
    pub progress: Mode,
    /// `--builder`
    pub builder: Option<String>,
    /// `-D`
    pub debug: bool,
    /// What the user should know about flags that have no effect.
    pub warnings: Vec<String>,
}

/// `--network`
///
/// # Errors
/// A mode that BuildKit does not have.
pub fn network(text: &str) -> Result<Network, Invalid> {
    match text {
        "" | "default" => Ok(Network::Default),
        "none" => Ok(Network::None),
        "host" => Ok(Network::Host),
        other => Err(Invalid(format!(
            "network mode {other:?} not supported by buildkit, expected default, none or host{}",
            super::suggest::did_you_mean(other, ["default", "none", "host"])
        ))),
    }
}

/// `--allow`
///
/// # Errors
/// An entitlement that BuildKit does not have.
pub fn entitlement(text: &str) -> Result<String, Invalid> {
    const KNOWN: [&str; 3] = ["network.host", "security.insecure", "device"];
    if KNOWN.contains(&text) || text.starts_with("device=") {
        return Ok(text.to_owned());
    }
    Err(Invalid(format!(
        "unknown entitlement {text}, expected {}{}",
        KNOWN.join(", "),
        super::suggest::did_you_mean(text, KNOWN)
    )))
}

/// `key=value` or `key`.
///
/// # Errors
/// The key is empty.
pub fn key_value(text: &str) -> Result<(String, Option<String>), Invalid> {
    let (key, value) = match text.split_once('=') {
        Some((key, value)) => (key, Some(value.to_owned())),
        None => (text, None),
    };
    if key.is_empty() {
        return Err(Invalid(format!(
            "invalid key-value pair {text:?}: empty key"
        )));
    }
    Ok((key.to_owned(), value))
}

/// `--build-context name=value`
///
/// # Errors
/// No pair, or a name that no stage and no image can have.
pub fn named_context(text: &str) -> Result<(String, String), Invalid> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| Invalid(format!("invalid context value: {text}, expected key=value")))?;
    let invalid = |why| Invalid(format!("invalid context name {name}: {why}"));
    match reference::check(name) {
        Ok(()) => {}
        Err("repository name must be lowercase") => {
            return Err(invalid(
                "invalid reference format: repository name must be lowercase",
            ));
        }
        Err(why) => return Err(invalid(why)),
    }
    if value.is_empty() {
        return Err(Invalid(format!(
            "invalid context value: {text}, it names no context"
        )));
    }
    let name = name.strip_suffix(":latest").unwrap_or(name);
    Ok((name.to_owned(), value.to_owned()))
}

/// `--tag`
///
/// # Errors
/// No image name.
pub fn tag(text: &str) -> Result<String, Invalid> {
    reference::check(text)
        .map(|()| text.to_owned())
        .map_err(|why| Invalid(format!("invalid tag {text:?}: {why}")))
}

/// The values of repeated `key=value` flags, the last one of a key last and alone.
pub fn last_of_each<V: Clone>(pairs: &[(String, V)]) -> BTreeMap<String, V> {
    pairs.iter().cloned().collect()
}

impl BuildOptions {
    /// Refuses what cannot go together.
    ///
    /// # Errors
    /// Which flags do not.
    pub fn check(&self) -> Result<(), Invalid> {
        let refuse = |why: &str| Err(Invalid(why.to_owned()));
        if self.no_cache && !self.no_cache_filter.is_empty() {
            return refuse("--no-cache and --no-cache-filter cannot currently be used together");
        }
        if self.quiet && !matches!(self.progress, Mode::Auto | Mode::Quiet) {
            let mode = match self.progress {
                Mode::Plain => "plain",
                Mode::Tty => "tty",
                _ => "rawjson",
            };
            return Err(Invalid(format!(
                "progress={mode} and quiet cannot be used together"
            )));
        }
        if self.iidfile.is_some()
            && self
                .outputs
                .iter()
                .any(|output| matches!(output.kind, OutputKind::Local | OutputKind::Tar))
        {
            return refuse("local and tar exporters are incompatible with image ID file");
        }
        if self.context == "-" && self.dockerfile.as_deref() == Some("-") {
            return refuse(
                "invalid argument: can't use stdin for both build context and dockerfile",
            );
        }
        let to_stdout = |output: &&Output| output.dest == Some(Destination::Stdout);
        if self.outputs.iter().filter(to_stdout).count() > 1 {
            return refuse("multiple outputs configured to write to stdout");
        }
        for output in &self.outputs {
            if output.kind == OutputKind::Local {
                match output.dest {
                    None => return refuse("dest is required for local exporter"),
                    Some(Destination::Stdout) => {
                        return refuse("dest cannot be stdout for local exporter");
                    }
                    Some(Destination::Path(_)) => {}
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_in_the_peers_words() {
        let text = |result: Result<_, Invalid>| result.map(|_: ()| ()).unwrap_err().to_string();
        assert!(
            text(network("foo").map(drop))
                .starts_with("network mode \"foo\" not supported by buildkit")
        );
        assert!(text(entitlement("foo").map(drop)).starts_with("unknown entitlement foo"));
        assert!(
            text(entitlement("network-host").map(drop)).ends_with("(did you mean network.host?)")
        );
        assert_eq!(entitlement("device=gpu").unwrap(), "device=gpu");
        assert_eq!(
            text(key_value("=x").map(drop)),
            "invalid key-value pair \"=x\": empty key"
        );
        assert_eq!(
            text(named_context("foo").map(drop)),
            "invalid context value: foo, expected key=value"
        );
        assert_eq!(
            text(named_context("=foo").map(drop)),
            "invalid context name : invalid reference format"
        );
        assert!(text(named_context("W=x").map(drop)).contains("must be lowercase"));
        assert_eq!(
            named_context("base:latest=docker-image://x").unwrap().0,
            "base"
        );
        assert_eq!(
            text(tag("Inv@lid").map(drop)),
            "invalid tag \"Inv@lid\": invalid reference format"
        );
        assert_eq!(
            text(tag("UPPER").map(drop)),
            "invalid tag \"UPPER\": repository name must be lowercase"
        );
    }

    #[test]
    fn what_cannot_go_together() {
        let check = |change: &dyn Fn(&mut BuildOptions)| {
            let mut options = BuildOptions::default();
            change(&mut options);
            options.check().map_err(|error| error.to_string())
        };
        let output = |text: &str| output::parse(text).unwrap().unwrap();
        assert_eq!(check(&|_| {}), Ok(()));
        assert!(
            check(&|o| {
                o.no_cache = true;
                o.no_cache_filter = vec!["a".into()];
            })
            .unwrap_err()
            .contains("cannot currently be used together")
        );
        assert_eq!(
            check(&|o| {
                o.quiet = true;
                o.progress = Mode::Plain;
            }),
            Err("progress=plain and quiet cannot be used together".into())
        );
        assert_eq!(
            check(&|o| {
                o.iidfile = Some("i".into());
                o.outputs = vec![output("out")];
            }),
            Err("local and tar exporters are incompatible with image ID file".into())
        );
        assert_eq!(
            check(&|o| o.outputs = vec![output("-"), output("type=oci,dest=-")]),
            Err("multiple outputs configured to write to stdout".into())
        );
        assert_eq!(
            check(&|o| o.outputs = vec![output("type=local")]),
            Err("dest is required for local exporter".into())
        );
        assert_eq!(
            check(&|o| o.outputs = vec![output("type=local,dest=-")]),
            Err("dest cannot be stdout for local exporter".into())
        );
        assert!(
            check(&|o| {
                o.context = "-".into();
                o.dockerfile = Some("-".into());
            })
            .is_err()
        );
    }
}
