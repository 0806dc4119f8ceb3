//! The flags of `buildx build`, and from their text to [`BuildOptions`].
//!
//! A request to the server carries these words too, so they are read in one way on both sides.

use std::path::PathBuf;

use clap::Parser;

use super::options::{
    self, BuildOptions, Invalid, Ulimits, annotation, attest, cache, fields, hosts, output,
    platform, units,
};

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

/// Flags of docker's classic builder and of later versions: known, so that nobody is told that they
/// do not exist.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct HiddenArgs {
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = truth)]
    compress: bool,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = truth)]
    squash: bool,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "true", value_parser = truth)]
    rm: bool,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = truth)]
    force_rm: bool,
    #[arg(long, hide = true, allow_hyphen_values = true)]
    isolation: Option<String>,
    #[arg(long, hide = true, allow_hyphen_values = true)]
    security_opt: Vec<String>,
    #[arg(short, long, hide = true, allow_hyphen_values = true)]
    memory: Option<String>,
    #[arg(long, hide = true, allow_hyphen_values = true)]
    memory_swap: Option<String>,
    #[arg(short, long, hide = true, allow_hyphen_values = true, value_parser = number)]
    cpu_shares: Option<i64>,
    #[arg(long, hide = true, allow_hyphen_values = true, value_parser = number)]
    cpu_period: Option<i64>,
    #[arg(long, hide = true, allow_hyphen_values = true, value_parser = number)]
    cpu_quota: Option<i64>,
    #[arg(long, hide = true, allow_hyphen_values = true)]
    cpuset_cpus: Option<String>,
    #[arg(long, hide = true, allow_hyphen_values = true)]
    cpuset_mems: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = truth)]
    check: bool,
    #[arg(long, hide = true, allow_hyphen_values = true)]
    call: Option<String>,
}

/// A request carries text only, so a name that is none is refused here and not changed on the way.
fn path(text: &str) -> Result<PathBuf, String> {
    Ok(text.into())
}

fn size(text: &str) -> Result<u64, String> {
    units::size(text).map_err(|error| error.0)
}

fn number(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| "expected a number".to_owned())
}

/// Checks the text; it is read again together with the others of its name.
fn ulimit(text: &str) -> Result<String, String> {
    units::add_ulimit(&mut Ulimits::new(), text)
        .map(|()| text.to_owned())
        .map_err(|error| error.0)
}

/// The flags as [`BuildOptions`].
///
/// # Errors
/// The first value that cannot be meant, or flags that cannot go together.
pub fn options(args: BuildArgs, global: Which) -> Result<BuildOptions, Invalid> {
    let context = match <[String; 1]>::try_from(args.context) {
        Ok([context]) => context,
        Err(contexts) => {
            let not = match contexts.len() {
                0 => String::new(),
                n => format!(", not {n}"),
            };
            return Err(Invalid(format!(
                "buildx: 'buildx build' requires 1 argument (PATH | URL | -){not}; see 'buildx build --help'"
            )));
        }
    };
    let warnings = args.hidden.warnings()?;
    let progress = args.progress.parse().map_err(|error: String| {
        Invalid(format!(
            "{error}, expected auto, plain, tty, rawjson, quiet or none"
        ))
    })?;
    let mut hosts = Vec::new();
    for text in &args.add_hosts {
        hosts::add(&mut hosts, text)?;
    }
    let mut ulimits = Ulimits::new();
    for text in &args.ulimits {
        units::add_ulimit(&mut ulimits, text)?;
    }
    let options = BuildOptions {
        context,
        dockerfile: args.file.filter(|file| !file.is_empty()),
        tags: each(&args.tags, options::tag)?,
        target: args.target.filter(|target| !target.is_empty()),
        build_args: each(&args.build_args, options::key_value)?,
        named_contexts: each(&args.build_contexts, options::named_context)?,
        secrets: args.secrets,
        ssh: args.ssh,
        labels: each(&args.labels, options::key_value)?
            .into_iter()
            .map(|(key, value)| (key, value.unwrap_or_default()))
            .collect(),
        annotations: each(&args.annotations, annotation::parse)?
            .into_iter()
            .flatten()
            .collect(),
        no_cache: args.no_cache,
        no_cache_filter: args
            .no_cache_filter
            .iter()
            .flat_map(|list| list.split(','))
            .filter(|stage| !stage.is_empty())
            .map(str::to_owned)
            .collect(),
        pull: args.pull,
        platforms: each(&args.platform, platform::list)?
            .into_iter()
            .flatten()
            .collect(),
        outputs: each(&args.outputs, output::parse)?
            .into_iter()
            .flatten()
            .collect(),
        load: args.load,
        push: args.push,
        cache_from: caches(&args.cache_from, cache::Direction::Import)?,
        cache_to: caches(&args.cache_to, cache::Direction::Export)?,
        network: options::network(&args.network)?,
        hosts,
        shm_size: args.shm_size.unwrap_or(0),
        ulimits,
        cgroup_parent: args.cgroup_parent.filter(|path| !path.is_empty()),
        allow: args
            .allow
            .iter()
            .filter(|text| !text.is_empty())
            .map(|text| options::entitlement(text))
            .collect::<Result<_, _>>()?,
        attests: attest::parse(
            &args.attests,
            args.sbom.as_deref(),
            args.provenance.as_deref(),
        )?,
        iidfile: args.iidfile.filter(|path| !path.as_os_str().is_empty()),
        metadata_file: args
            .metadata_file
            .filter(|path| !path.as_os_str().is_empty()),
        quiet: args.quiet,
        progress,
        builder: global.builder.filter(|name| !name.is_empty()),
        debug: global.debug,
        warnings,
    };
    options.check()?;
    Ok(options)
}

fn each<T>(
    texts: &[String],
    parse: impl Fn(&str) -> Result<T, Invalid>,
) -> Result<Vec<T>, Invalid> {
    texts.iter().map(|text| parse(text)).collect()
}

fn caches(texts: &[String], direction: cache::Direction) -> Result<Vec<cache::Cache>, Invalid> {
    let caches = each(texts, |text| cache::parse(text, direction))?;
    Ok(caches.into_iter().flatten().collect())
}

impl HiddenArgs {
    /// One line for each flag that the user gave in vain.
    fn warnings(&self) -> Result<Vec<String>, Invalid> {
        if self.check || self.call.as_deref().is_some_and(|call| call != "build") {
            return Err(Invalid(
                "--check and --call are not supported yet; they come in a later version".to_owned(),
            ));
        }
        let mut warnings = Vec::new();
        let mut warn = |given: bool, text: &str| {
            if given {
                warnings.push(text.to_owned());
            }
        };
        warn(
            self.squash,
            "--squash has no effect with BuildKit; use a multi-stage Dockerfile instead",
        );
        warn(
            self.compress,
            "--compress has no effect with BuildKit: only what changed of the context is sent",
        );
        warn(
            self.isolation
                .as_deref()
                .is_some_and(|text| !text.is_empty()),
            "--isolation has no effect with BuildKit",
        );
        warn(
            !self.security_opt.is_empty(),
            "--security-opt has no effect with BuildKit; use RUN --security=insecure instead",
        );
        let limits = self.memory.is_some()
            || self.memory_swap.is_some()
            || self.cpu_shares.is_some()
            || self.cpu_period.is_some()
            || self.cpu_quota.is_some()
            || self.cpuset_cpus.is_some()
            || self.cpuset_mems.is_some();
        warn(
            limits,
            "limits of memory and CPU have no effect with BuildKit; limit the builder instead",
        );
        // --rm and --force-rm ask for what BuildKit does anyway.
        Ok(warnings)
    }
}

/// What a request carries: every flag in one list.
#[derive(Debug, Parser)]
#[command(name = "build", args_override_self = true, disable_help_flag = true)]
struct Words {
    #[command(flatten)]
    global: Which,
    #[command(flatten)]
    args: BuildArgs,
}

/// Reads the words of a request: the flags and the context, without the name of the command.
///
/// # Errors
/// The first word that cannot be meant. A client checks its words before it sends them, so this is
/// a flag that only the newer side knows.
pub fn parse(words: &[String]) -> Result<BuildOptions, Invalid> {
    let words = std::iter::once("build").chain(words.iter().map(String::as_str));
    let words = Words::try_parse_from(words).map_err(|error| {
        let text = error.to_string();
        let line = text.lines().next().unwrap_or_default();
        Invalid(line.trim_start_matches("error: ").to_owned())
    })?;
    options(words.args, words.global)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::options::{HostTarget, Network, OutputKind};
    use crate::progress::settings::Mode;

    fn parsed(args: &[&str]) -> BuildOptions {
        let words: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        parse(&words).unwrap_or_else(|error| panic!("{args:?}: {error}"))
    }

    #[test]
    fn nothing_but_a_context() {
        let expected = BuildOptions {
            context: ".".into(),
            ..BuildOptions::default()
        };
        assert_eq!(parsed(&["."]), expected);
        assert_eq!(parsed(&["--", "."]), expected);
        assert_eq!(parsed(&["--load=false", "--pull=0", "."]), expected);
    }

    #[test]
    fn values_follow_in_every_way() {
        for args in [
            &["--tag=x", "."][..],
            &["--tag", "x", "."],
            &["-t", "x", "."],
            &["-t=x", "."],
            &["-tx", "."],
            &[".", "-t", "x"],
            &[".", "-Dqt", "x"],
        ] {
            assert_eq!(parsed(args).tags, ["x"], "{args:?}");
        }
        assert_eq!(parsed(&["-f", "-", "."]).dockerfile.as_deref(), Some("-"));
        assert_eq!(parsed(&["-"]).context, "-");
        assert_eq!(parsed(&["-f-", "."]).dockerfile.as_deref(), Some("-"));
        assert_eq!(parsed(&["--build-arg", "-x=1", "."]).build_args.len(), 1);
    }

    #[test]
    fn the_last_of_a_single_value_counts() {
        assert_eq!(
            parsed(&["--target", "a", "--target=b", "."])
                .target
                .as_deref(),
            Some("b")
        );
        assert!(!parsed(&["--load", "--load=false", "."]).load);
        assert_eq!(parsed(&["-t", "a", "-t", "b", "."]).tags, ["a", "b"]);
        assert_eq!(parsed(&["--target", "a", "--target=", "."]).target, None);
    }

    #[test]
    fn every_flag_arrives() {
        let options = parsed(&[
            "--add-host",
            "a:1.2.3.4",
            "--add-host",
            "g:host-gateway",
            "--allow",
            "network.host",
            "--annotation",
            "manifest,index:k=v",
            "--attest",
            "type=sbom,generator=g",
            "--provenance",
            "mode=max",
            "--build-arg",
            "A=1",
            "--build-arg",
            "B",
            "--build-context",
            "base=docker-image://alpine",
            "--cache-from",
            "a/b",
            "--cache-to",
            "type=inline",
            "--cgroup-parent",
            "cg",
            "-f",
            "Df",
            "--iidfile",
            "iid",
            "--label",
            "l=1",
            "--label",
            "m",
            "--load",
            "--metadata-file",
            "md",
            "--network",
            "host",
            "--no-cache-filter",
            "s1,s2",
            "-o",
            "type=docker",
            "--platform",
            "linux/amd64,arm64",
            "--progress",
            "plain",
            "--pull",
            "--push",
            "--secret",
            "id=s",
            "--shm-size",
            "64m",
            "--ssh",
            "default",
            "-t",
            "x",
            "--target",
            "t",
            "--ulimit",
            "nofile=1:2",
            "--builder",
            "bld",
            "-D",
            ".",
        ]);
        assert_eq!(options.hosts[1], ("g".into(), HostTarget::Gateway));
        assert_eq!(options.allow, ["network.host"]);
        assert_eq!(options.annotations.len(), 2);
        assert_eq!(
            options.attests["provenance"].as_deref(),
            Some("type=provenance,mode=max")
        );
        assert!(options.attests.contains_key("sbom"));
        assert_eq!(
            options.build_args,
            [("A".into(), Some("1".into())), ("B".into(), None)]
        );
        assert_eq!(
            options.named_contexts,
            [("base".into(), "docker-image://alpine".into())]
        );
        assert_eq!(options.cache_from[0].kind, "registry");
        assert_eq!(options.cache_to[0].kind, "inline");
        assert_eq!(options.cgroup_parent.as_deref(), Some("cg"));
        assert_eq!(options.dockerfile.as_deref(), Some("Df"));
        assert_eq!(options.iidfile, Some("iid".into()));
        assert_eq!(options.labels[1], ("m".into(), String::new()));
        assert!(options.load && options.push && options.pull && options.debug);
        assert_eq!(options.metadata_file, Some("md".into()));
        assert_eq!(options.network, Network::Host);
        assert_eq!(options.no_cache_filter, ["s1", "s2"]);
        assert_eq!(options.outputs[0].kind, OutputKind::Docker);
        assert_eq!(options.platforms.len(), 2);
        assert_eq!(options.progress, Mode::Plain);
        assert_eq!(options.secrets, ["id=s"]);
        assert_eq!(options.shm_size, 64 << 20);
        assert_eq!(options.ssh, ["default"]);
        assert_eq!(options.target.as_deref(), Some("t"));
        assert_eq!(options.ulimits["nofile"], (1, 2));
        assert_eq!(options.builder.as_deref(), Some("bld"));
        assert!(options.warnings.is_empty());
    }

    #[test]
    fn flags_of_the_classic_builder() {
        let options = parsed(&[
            "--compress",
            "--squash",
            "--rm",
            "--force-rm=false",
            "--isolation",
            "hyperv",
            "--security-opt",
            "x",
            "-m",
            "1g",
            "--memory-swap",
            "2g",
            "-c",
            "5",
            "--cpu-period",
            "6",
            "--cpu-quota",
            "-1",
            "--cpuset-cpus",
            "0",
            "--cpuset-mems",
            "0",
            ".",
        ]);
        assert_eq!(options.warnings.len(), 5, "{:?}", options.warnings);
        assert!(
            parsed(&["--rm", "--force-rm", "--squash=false", "."])
                .warnings
                .is_empty()
        );
        assert_eq!(parsed(&["--call", "build", "."]).context, ".");
    }
}
