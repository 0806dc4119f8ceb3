//! Second stage: the options, and what disk, environment and standard input say to them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::context::{self, Sources};
use super::git;
use super::options::{
    BuildOptions, Cache, Destination, OutputKind, Platform, cache, fields, last_of_each, platform,
};
use crate::engine::callbacks::content::layout;

/// Why a build cannot even be asked for; one line for the user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// What belongs to the caller, as one plain value; nothing global is looked at.
pub struct Surroundings<'a> {
    /// An environment variable; `Some("")` for one that is set and empty.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// What relative paths start from.
    pub cwd: PathBuf,
    /// Standard input, until it is taken.
    pub stdin: Option<Box<dyn Read + Send>>,
    /// Whether standard output is a terminal.
    pub stdout_is_terminal: bool,
    /// Build arguments of docker's configuration for proxies.
    pub proxy_args: Vec<(String, String)>,
}

impl Surroundings<'_> {
    pub(super) fn stdin(&mut self) -> Result<Box<dyn Read + Send>, Refusal> {
        self.stdin
            .take()
            .ok_or_else(|| Refusal("standard input cannot be read here, or is read twice".into()))
    }
}

/// Where the bytes of an output go, with the path made absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Standard output.
    Stdout,
    /// This file or directory.
    Path(PathBuf),
}

/// One output, with its place looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedOutput {
    /// What is made.
    pub kind: OutputKind,
    /// Where it goes.
    pub place: Option<Place>,
    /// The exporter's attributes.
    pub attrs: BTreeMap<String, String>,
}

impl PlacedOutput {
    /// Whether an OCI layout is wanted as a directory.
    pub fn as_directory(&self) -> bool {
        self.attrs
            .get("tar")
            .is_some_and(|value| fields::truth(value) == Some(false))
    }
}

/// A build, ready to become a request.
#[derive(Debug)]
pub struct Prepared {
    /// What was asked for.
    pub options: BuildOptions,
    /// What is read.
    pub sources: Sources,
    /// All build arguments, those of environment and proxies included.
    pub build_args: BTreeMap<String, String>,
    /// What is known about version control.
    pub vcs: BTreeMap<String, String>,
    /// Platforms, those of the environment included.
    pub platforms: Vec<Platform>,
    /// What is made.
    pub outputs: Vec<PlacedOutput>,
    /// Cache that is read; local ones with their digest.
    pub cache_from: Vec<Cache>,
    /// Cache that is written.
    pub cache_to: Vec<Cache>,
    /// Content stores of local caches: id, directory, whether it is written.
    pub stores: Vec<(String, PathBuf, bool)>,
    /// What the user should know.
    pub warnings: Vec<String>,
    /// `BUILDX_NO_DEFAULT_ATTESTATIONS`
    pub no_default_attestations: bool,
    /// `BUILDX_NO_DEFAULT_LOAD`
    pub no_default_load: bool,
}

/// Looks at everything that `options` names.
///
/// # Errors
/// [`Refusal`]: what is missing or cannot be used.
pub fn prepare(options: BuildOptions, mut around: Surroundings<'_>) -> Result<Prepared, Refusal> {
    let sources = context::find(&options, &mut around)?;
    let mut warnings = options.warnings.clone();
    let mut stores = Vec::new();
    let outputs = options
        .outputs
        .iter()
        .map(|output| {
            let placed = PlacedOutput {
                kind: output.kind,
                place: output.dest.as_ref().map(|dest| match dest {
                    Destination::Stdout => Place::Stdout,
                    Destination::Path(path) => Place::Path(around.cwd.join(path)),
                }),
                attrs: output.attrs.clone(),
            };
            place(placed, output.dest.as_ref(), around.stdout_is_terminal)
        })
        .collect::<Result<Vec<_>, _>>()?;
    if outputs
        .iter()
        .filter(|output| output.place == Some(Place::Stdout))
        .count()
        > 1
    {
        return Err(Refusal(
            "multiple outputs configured to write to stdout".into(),
        ));
    }
    let mut cache_from = Vec::new();
    for one in &options.cache_from {
        let known = import(one, &around, &mut stores, &mut warnings)?;
        cache_from.extend(known);
    }
    let mut cache_to = Vec::new();
    for one in &options.cache_to {
        cache_to.extend(export(one, &around, &mut stores));
    }
    let platforms = match (&*options.platforms, (around.env)("DOCKER_DEFAULT_PLATFORM")) {
        ([], Some(text)) if !text.is_empty() => platform::list(&text)
            .map_err(|error| Refusal(format!("DOCKER_DEFAULT_PLATFORM: {error}")))?,
        (given, _) => given.to_vec(),
    };
    let vcs = match &sources.context {
        Some(dir) => {
            let dockerfile = sources.dockerfile.as_deref().unwrap_or(Path::new(""));
            git::attributes(around.env, dir, &sources.dirs, dockerfile)
        }
        None => BTreeMap::new(),
    };
    let flag =
        |name: &str| (around.env)(name).is_some_and(|value| fields::truth(&value) == Some(true));
    Ok(Prepared {
        build_args: build_args(&options, &around),
        vcs,
        platforms,
        outputs,
        cache_from,
        cache_to,
        stores,
        warnings,
        no_default_attestations: flag("BUILDX_NO_DEFAULT_ATTESTATIONS"),
        no_default_load: flag("BUILDX_NO_DEFAULT_LOAD"),
        sources,
        options,
    })
}

/// The arguments of the flags, then those that docker adds where the flags are silent.
fn build_args(options: &BuildOptions, around: &Surroundings<'_>) -> BTreeMap<String, String> {
    let mut args = BTreeMap::new();
    let given = last_of_each(&options.build_args);
    for (name, value) in &given {
        // Without a value and without the variable, the argument keeps the Dockerfile's default.
        if let Some(value) = value.clone().or_else(|| (around.env)(name)) {
            args.insert(name.clone(), value);
        }
    }
    for (name, value) in &around.proxy_args {
        if !given.contains_key(name) {
            args.insert(name.clone(), value.clone());
        }
    }
    const EPOCH: &str = "SOURCE_DATE_EPOCH";
    if !given.contains_key(EPOCH)
        && let Some(value) = (around.env)(EPOCH).filter(|value| !value.is_empty())
    {
        args.insert(EPOCH.to_owned(), value);
    }
    args
}

/// Checks that an output can be written where it goes, before anything is built.
fn place(
    mut output: PlacedOutput,
    dest: Option<&Destination>,
    stdout_is_terminal: bool,
) -> Result<PlacedOutput, Refusal> {
    let kind = output.kind.name();
    let refuse = |why: String| Err(Refusal(why));
    let is_directory = match output.kind {
        OutputKind::Local => true,
        OutputKind::Oci | OutputKind::Docker => output.as_directory(),
        _ => false,
    };
    match (output.kind, &output.place) {
        (OutputKind::Tar | OutputKind::Oci, None) if !is_directory => {
            output.place = Some(Place::Stdout);
        }
        (OutputKind::Image | OutputKind::CacheOnly, Some(_)) => {
            return refuse(format!("the {kind} output has no dest"));
        }
        (_, None) if is_directory => {
            return refuse(format!("dest is required for {kind} exporter"));
        }
        (_, Some(Place::Stdout)) if is_directory => {
            return refuse(format!("dest cannot be stdout for {kind} exporter"));
        }
        _ => {}
    }
    if output.place == Some(Place::Stdout) && stdout_is_terminal {
        return refuse(format!(
            "dest file is required for {kind} exporter, refusing to write to console"
        ));
    }
    let (Some(Place::Path(path)), Some(Destination::Path(shown))) = (&output.place, dest) else {
        return Ok(output);
    };
    match fs::metadata(path) {
        Ok(meta) if is_directory && !meta.is_dir() => {
            refuse(format!("destination directory {shown} is a file"))
        }
        Ok(meta) if !is_directory && meta.is_dir() => {
            refuse(format!("destination file {shown} is a directory"))
        }
        Ok(_) => Ok(output),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Directories are made; a file goes where there already is one.
            if is_directory || path.parent().is_none_or(Path::is_dir) {
                Ok(output)
            } else {
                refuse(format!("failed to open {shown}: no such file or directory"))
            }
        }
        Err(error) => refuse(format!("failed to open {shown}: {error}")),
    }
}

/// Cache to read, or nothing when it is not there yet.
fn import(
    cache: &Cache,
    around: &Surroundings<'_>,
    stores: &mut Vec<(String, PathBuf, bool)>,
    warnings: &mut Vec<String>,
) -> Result<Option<Cache>, Refusal> {
    let Some(mut cache) = remote(cache, around) else {
        return Ok(None);
    };
    if cache.kind != "local" {
        return Ok(Some(cache));
    }
    let src = cache.attrs.get("src").cloned().unwrap_or_default();
    let dir = around.cwd.join(&src);
    if !dir.join("index.json").is_file() {
        warnings.push(format!(
            "local cache import at {src} not found, building without it"
        ));
        return Ok(None);
    }
    let attr = |name: &str| cache.attrs.get(name).map(String::as_str);
    let digest = layout::resolve(&dir, attr("tag"), attr("digest"))
        .map_err(|error| Refusal(format!("local cache importer: {error}")))?;
    cache
        .attrs
        .insert("digest".to_owned(), digest.as_str().to_owned());
    stores.push((format!("local:{src}"), dir, false));
    Ok(Some(cache))
}

/// Cache to write, or nothing where it cannot be.
fn export(
    cache: &Cache,
    around: &Surroundings<'_>,
    stores: &mut Vec<(String, PathBuf, bool)>,
) -> Option<Cache> {
    let cache = remote(cache, around)?;
    if cache.kind == "local" {
        let dest = cache.attrs.get("dest")?;
        stores.push((format!("local:{dest}"), around.cwd.join(dest), true));
    }
    Some(cache)
}

/// Fills in what the environment knows about a remote cache. The cache of GitHub's actions exists
/// only inside of one, and is left out elsewhere.
fn remote(cache: &Cache, around: &Surroundings<'_>) -> Option<cache::Cache> {
    let mut cache = cache.clone();
    let mut fill = |attr: &str, variable: &str| {
        if !cache.attrs.contains_key(attr)
            && let Some(value) = (around.env)(variable).filter(|value| !value.is_empty())
        {
            cache.attrs.insert(attr.to_owned(), value);
        }
    };
    match cache.kind.as_str() {
        "gha" => {
            fill("token", "ACTIONS_RUNTIME_TOKEN");
            fill("url", "ACTIONS_CACHE_URL");
            fill("url_v2", "ACTIONS_RESULTS_URL");
            let has = |attr| cache.attrs.contains_key(attr);
            if !has("token") || !(has("url") || has("url_v2")) {
                return None;
            }
        }
        "s3" => {
            fill("region", "AWS_REGION");
            fill("access_key_id", "AWS_ACCESS_KEY_ID");
            fill("secret_access_key", "AWS_SECRET_ACCESS_KEY");
            fill("session_token", "AWS_SESSION_TOKEN");
        }
        _ => {}
    }
    Some(cache)
}

#[cfg(test)]
mod tests;
