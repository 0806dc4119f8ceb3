//! From the text of the flags to what is meant.

use super::args::{BuildArgs, Which};
use crate::build::options::{
    self, BuildOptions, Invalid, Ulimits, annotation, attest, cache, hosts, output, platform, units,
};

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
