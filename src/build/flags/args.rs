//! The flags, as clap knows them.

use std::path::PathBuf;

use super::hidden::HiddenArgs;
use crate::build::options::{Ulimits, fields, units};

/// What help ends with.
pub const EXAMPLES: &str = "\
Examples:
  buildx build -t app .                         build ./Dockerfile
  buildx build -f docker/Dockerfile --target test .
  buildx build -o out .                         the files of the result into ./out
  buildx build -o type=oci,dest=app.tar .       an OCI layout in an archive
  buildx build --push -t registry:5000/app https://github.com/user/repo.git#main
  buildx build --secret id=token,env=TOKEN --ssh default .
  tar c . | buildx build -                      a context from standard input";

/// Which builder, and how much to say: flags of every command.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Which {
    /// Use this builder instead of the current one.
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        help_heading = "Global options"
    )]
    pub builder: Option<String>,
    /// Say more when something goes wrong.
    #[arg(
        short = 'D', long, global = true, help_heading = "Global options",
        num_args = 0..=1, require_equals = true, default_missing_value = "true",
        default_value = "false", hide_default_value = true, hide_possible_values = true,
        value_parser = truth, value_name = "BOOL",
    )]
    pub debug: bool,
}

/// Go's reading of a truth value, as a parser for clap.
pub fn truth(text: &str) -> Result<bool, String> {
    fields::truth(text).ok_or_else(|| "expected true or false".to_owned())
}

/// The flags of `buildx build`.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(
    override_usage = "buildx build [OPTIONS] PATH | URL | -",
    after_help = EXAMPLES,
    next_help_heading = "What to build",
)]
pub struct BuildArgs {
    /// The context: a directory, a git or http URL, or - for a tar archive or a Dockerfile on
    /// standard input.
    #[arg(value_name = "PATH | URL | -", num_args = 0.., hide = true)]
    pub context: Vec<String>,

    /// Dockerfile: a path, a URL, or - for standard input (default: PATH/Dockerfile).
    #[arg(short, long, value_name = "FILE", allow_hyphen_values = true)]
    pub file: Option<String>,
    /// Stage of the Dockerfile to build (default: the last).
    #[arg(long, value_name = "STAGE", allow_hyphen_values = true)]
    pub target: Option<String>,
    /// Value of an ARG; without =VALUE it is taken from the environment.
    #[arg(
        long = "build-arg",
        value_name = "NAME[=VALUE]",
        allow_hyphen_values = true
    )]
    pub build_args: Vec<String>,
    /// Another context: a directory, URL, docker-image://REF or oci-layout://DIR[:TAG][@DIGEST].
    #[arg(
        long = "build-context",
        value_name = "NAME=PLACE",
        allow_hyphen_values = true
    )]
    pub build_contexts: Vec<String>,
    /// Platforms to build for, such as linux/amd64,linux/arm64.
    #[arg(long, value_name = "PLATFORM", allow_hyphen_values = true)]
    pub platform: Vec<String>,
    /// A secret for the build: id=ID[,src=FILE|env=VARIABLE].
    #[arg(long = "secret", value_name = "SECRET", allow_hyphen_values = true)]
    pub secrets: Vec<String>,
    /// SSH agent or keys for the build: default or ID[=SOCKET|KEY[,KEY]].
    #[arg(long, value_name = "SSH", allow_hyphen_values = true)]
    pub ssh: Vec<String>,

    /// Name of the image, NAME[:TAG].
    #[arg(
        short,
        long = "tag",
        value_name = "NAME",
        allow_hyphen_values = true,
        help_heading = "What becomes of the result"
    )]
    pub tags: Vec<String>,
    /// Where the result goes: a directory, - for a tar on standard output, or
    /// type=TYPE[,dest=PATH][,KEY=VALUE] with a TYPE of local, tar, oci, docker, image, registry,
    /// cacheonly.
    #[arg(
        short,
        long = "output",
        value_name = "OUTPUT",
        allow_hyphen_values = true,
        help_heading = "What becomes of the result"
    )]
    pub outputs: Vec<String>,
    /// Into docker's images: short for --output type=docker.
    #[arg(
        long, num_args = 0..=1, require_equals = true, default_missing_value = "true",
        default_value = "false", hide_default_value = true, value_parser = truth,
        value_name = "BOOL", help_heading = "What becomes of the result"
    )]
    pub load: bool,
    /// To the registry: short for --output type=registry.
    #[arg(
        long, num_args = 0..=1, require_equals = true, default_missing_value = "true",
        default_value = "false", hide_default_value = true, value_parser = truth,
        value_name = "BOOL", help_heading = "What becomes of the result"
    )]
    pub push: bool,
    /// Label of the image.
    #[arg(
        long = "label",
        value_name = "KEY=VALUE",
        allow_hyphen_values = true,
        help_heading = "What becomes of the result"
    )]
    pub labels: Vec<String>,
    /// Annotation [KIND[PLATFORM],...:]KEY=VALUE, with a KIND of manifest, index,
    /// manifest-descriptor, index-descriptor.
    #[arg(
        long = "annotation",
        value_name = "ANNOTATION",
        allow_hyphen_values = true,
        help_heading = "What becomes of the result"
    )]
    pub annotations: Vec<String>,
    /// An attestation: type=sbom|provenance[,KEY=VALUE].
    #[arg(
        long = "attest",
        value_name = "ATTESTATION",
        allow_hyphen_values = true,
        help_heading = "What becomes of the result"
    )]
    pub attests: Vec<String>,
    /// Short for --attest type=provenance: true, false, mode=min, mode=max.
    #[arg(
        long,
        value_name = "VALUE",
        allow_hyphen_values = true,
        help_heading = "What becomes of the result"
    )]
    pub provenance: Option<String>,
    /// Short for --attest type=sbom: true, false, generator=IMAGE.
    #[arg(
        long,
        value_name = "VALUE",
        allow_hyphen_values = true,
        help_heading = "What becomes of the result"
    )]
    pub sbom: Option<String>,
    /// Write the image's id to this file.
    #[arg(
        long,
        value_name = "FILE",
        allow_hyphen_values = true,
        value_parser = path,
        help_heading = "What becomes of the result"
    )]
    pub iidfile: Option<PathBuf>,
    /// Write what is known about the result to this file, as JSON.
    #[arg(
        long,
        value_name = "FILE",
        allow_hyphen_values = true,
        value_parser = path,
        help_heading = "What becomes of the result"
    )]
    pub metadata_file: Option<PathBuf>,

    /// Run every step again.
    #[arg(
        long, num_args = 0..=1, require_equals = true, default_missing_value = "true",
        default_value = "false", hide_default_value = true, value_parser = truth,
        value_name = "BOOL", help_heading = "Cache"
    )]
    pub no_cache: bool,
    /// Run every step of this stage again.
    #[arg(
        long = "no-cache-filter",
        value_name = "STAGE",
        allow_hyphen_values = true,
        help_heading = "Cache"
    )]
    pub no_cache_filter: Vec<String>,
    /// Look for newer versions of all images that are used.
    #[arg(
        long, num_args = 0..=1, require_equals = true, default_missing_value = "true",
        default_value = "false", hide_default_value = true, value_parser = truth,
        value_name = "BOOL", help_heading = "Cache"
    )]
    pub pull: bool,
    /// Use this cache: an image, or type=TYPE[,KEY=VALUE] with a TYPE of registry, local, gha, s3,
    /// azblob.
    #[arg(
        long,
        value_name = "CACHE",
        allow_hyphen_values = true,
        help_heading = "Cache"
    )]
    pub cache_from: Vec<String>,
    /// Keep cache there: an image, or type=TYPE[,mode=min|max][,KEY=VALUE] with a TYPE of registry,
    /// local, inline, gha, s3, azblob.
    #[arg(
        long,
        value_name = "CACHE",
        allow_hyphen_values = true,
        help_heading = "Cache"
    )]
    pub cache_to: Vec<String>,

    /// Network of the RUN steps: default, none or host.
    #[arg(
        long,
        value_name = "MODE",
        default_value = "default",
        hide_default_value = true,
        allow_hyphen_values = true,
        help_heading = "Environment of the steps"
    )]
    pub network: String,
    /// A host name for the steps, NAME:IP or NAME:host-gateway.
    #[arg(
        long = "add-host",
        value_name = "NAME:IP",
        allow_hyphen_values = true,
        help_heading = "Environment of the steps"
    )]
    pub add_hosts: Vec<String>,
    /// Size of /dev/shm, such as 64m.
    #[arg(
        long, value_name = "BYTES", allow_hyphen_values = true, value_parser = size,
        help_heading = "Environment of the steps"
    )]
    pub shm_size: Option<u64>,
    /// Limit of processes, NAME=SOFT[:HARD].
    #[arg(
        long = "ulimit", value_name = "LIMIT", allow_hyphen_values = true, value_parser = ulimit,
        help_heading = "Environment of the steps"
    )]
    pub ulimits: Vec<String>,
    /// Control group that the steps run in.
    #[arg(
        long,
        value_name = "PATH",
        allow_hyphen_values = true,
        help_heading = "Environment of the steps"
    )]
    pub cgroup_parent: Option<String>,
    /// Allow what steps ask for: network.host, security.insecure, device[=NAME].
    #[arg(
        long,
        value_name = "ENTITLEMENT",
        allow_hyphen_values = true,
        help_heading = "Environment of the steps"
    )]
    pub allow: Vec<String>,

    /// How to show progress: auto, plain, tty, rawjson, quiet or none.
    #[arg(
        long,
        value_name = "MODE",
        default_value = "auto",
        hide_default_value = true,
        allow_hyphen_values = true,
        help_heading = "Display"
    )]
    pub progress: String,
    /// Show nothing but the image's id, on standard output.
    #[arg(
        short, long, num_args = 0..=1, require_equals = true, default_missing_value = "true",
        default_value = "false", hide_default_value = true, value_parser = truth,
        value_name = "BOOL", help_heading = "Display"
    )]
    pub quiet: bool,

    /// Not here yet, or without a meaning for BuildKit.
    #[command(flatten)]
    pub hidden: HiddenArgs,
}

/// A request carries text only, so a name that is none is refused here and not changed on the way.
fn path(text: &str) -> Result<PathBuf, String> {
    Ok(text.into())
}

fn size(text: &str) -> Result<u64, String> {
    units::size(text).map_err(|error| error.0)
}

/// Checks the text; it is read again together with the others of its name.
fn ulimit(text: &str) -> Result<String, String> {
    units::add_ulimit(&mut Ulimits::new(), text)
        .map(|()| text.to_owned())
        .map_err(|error| error.0)
}
