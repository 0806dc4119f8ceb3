//! What this side knows about a failure and the engine does not: which ignore pattern hid a file,
//! which names are near a missing one, and what exit code 137 proves.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};

use super::ignore::{IgnoreFile, files as ignore_files};
use super::request::Plan;
use crate::engine::errors::{BuildError, Source};

/// Entries of a context that are looked at for near names; a hint must not take long.
const MOST_ENTRIES: usize = 20_000;
/// Names that are proposed.
const MOST_NAMES: usize = 3;

/// What a hint can be found in: the caller's directories of one build.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// The context, when it is a directory of the user.
    pub context: Option<PathBuf>,
    /// The Dockerfile, when it is a file of the user.
    pub dockerfile: Option<PathBuf>,
    /// Local sources by name, named contexts among them.
    pub dirs: Vec<(String, PathBuf)>,
}

impl Scene {
    /// The scene of `plan`, which the build uses up.
    pub fn of(plan: &Plan) -> Self {
        Self {
            context: plan.context.clone(),
            dockerfile: plan.dockerfile.clone(),
            dirs: plan.dirs.clone(),
        }
    }
}

/// Lines that help with `error`; none when nothing is known. Reads the disk.
pub fn explain(error: &BuildError, scene: &Scene) -> Vec<String> {
    if error.canceled {
        return Vec::new();
    }
    let mut lines = Vec::new();
    if let Some(path) = missing_path(&error.message) {
        lines.extend(missing(path, &error.sources, scene));
    }
    lines.extend(killed(error));
    lines.extend(no_bridge(error));
    lines.extend(not_allowed(error));
    lines
}

/// A docker engine that runs without its bridge gives steps no network of their own.
fn no_bridge(error: &BuildError) -> Option<String> {
    error.message.contains("network bridge not found").then(|| {
        "the engine has no bridge network: build with --network=host, or --network=none where a step needs no network"
            .to_owned()
    })
}

/// What a step asks for has to be granted: by the one who builds, and before that by the configuration of the engine.
fn not_allowed(error: &BuildError) -> Option<String> {
    const ENTITLEMENTS: [&str; 2] = ["network.host", "security.insecure"];
    let (before, after) = error.message.split_once(" is not allowed")?;
    let name = before.rsplit([' ', ':']).next()?;
    ENTITLEMENTS.contains(&name).then(|| match after.trim() {
        "" => format!("a step asks for {name}: --allow={name} grants it"),
        _ => format!(
            "the engine's configuration does not grant {name} (buildkitd: --allow-insecure-entitlement={name}; dockerd: builder.entitlements in daemon.json)"
        ),
    })
}

/// Exit code 137 means SIGKILL; who sent it, only the engine could know.
fn killed(error: &BuildError) -> Option<String> {
    let message = error.message.to_lowercase();
    let step = message.contains("did not complete successfully");
    let words = [
        "cannot allocate memory",
        "out of memory",
        "oom-kill",
        "oomkilled",
    ];
    if step && words.iter().any(|word| message.contains(word)) {
        return Some(
            "the step ran out of memory, says the engine: give its control group more (--cgroup-parent), or let the step use less"
                .to_owned(),
        );
    }
    (error.exit_code == Some(137)).then(|| {
        "exit code 137: killed (SIGKILL); the engine gave no out-of-memory evidence".to_owned()
    })
}

/// The path that the engine did not find, relative to the context. Where a directory above it is
/// missing, too, that is the directory.
fn missing_path(message: &str) -> Option<&str> {
    let known = [
        "failed to calculate checksum of ref",
        "failed to compute cache key",
    ];
    if !known.iter().any(|text| message.contains(text)) {
        return None;
    }
    let path = if let Some(before) = message.strip_suffix(": no such file or directory") {
        // `lstat <the engine's own directory>/buildkit-mount<digits>/<path>`
        let (_, path) = before.rsplit_once("/buildkit-mount")?;
        path.trim_start_matches(|c: char| c.is_ascii_digit())
    } else {
        let before = message.rsplit_once(": not found")?.0;
        // Older engines say `"/path" not found: not found`.
        let before = before.strip_suffix(" not found").unwrap_or(before);
        before.strip_suffix('"')?.rsplit_once('"')?.1
    };
    Some(path.trim_start_matches('/')).filter(|path| !path.is_empty())
}

/// The source of `instruction` that lies below the missing directory `path`, as it is written;
/// `path` itself when there is none.
fn source_below(path: &str, instruction: &str) -> String {
    let below = |word: &str| {
        let word = word
            .trim_matches(['"', '[', ']', ','])
            .trim_start_matches("./")
            .trim_start_matches('/');
        let is_below = word
            .strip_prefix(path)
            .is_some_and(|rest| rest.starts_with('/') && rest.len() > 1);
        (is_below && !word.contains(['*', '?', '$'])).then(|| word.to_owned())
    };
    let mut words: Vec<_> = instruction.split_whitespace().skip(1).collect();
    // The last word is where it goes.
    words.pop();
    words
        .into_iter()
        .find_map(below)
        .unwrap_or_else(|| path.to_owned())
}

fn missing(path: &str, sources: &[Source], scene: &Scene) -> Vec<String> {
    let instruction = instruction(sources);
    let (root, of, ignores) = match from(&instruction) {
        // A stage or an image: nothing of that is here.
        Some(name) => match scene.dirs.iter().find(|(dir, _)| *dir == name) {
            Some((_, dir)) => {
                let ignores = ignore_files(dir, None);
                (dir, format!("context {name}"), ignores)
            }
            None => return Vec::new(),
        },
        None => match &scene.context {
            Some(dir) => {
                let ignores = ignore_files(dir, scene.dockerfile.as_deref());
                (dir, "context".to_owned(), ignores)
            }
            None => return Vec::new(),
        },
    };
    let ignore = ignores.into_iter().find_map(|path| IgnoreFile::read(&path));
    let hidden_by = |path: &str| ignore.as_ref().and_then(|file| file.hides(path));
    let path = source_below(path, &instruction);
    let clean: Vec<_> = path
        .split('/')
        .filter(|part| !matches!(*part, "" | "."))
        .collect();
    let path = clean.join("/");

    if fs::symlink_metadata(root.join(&path)).is_ok() {
        return hidden_by(&path)
            .map(|by| format!("/{path} is in the {of}, but {by} hides it"))
            .into_iter()
            .collect();
    }
    let mut lines = Vec::new();
    if instruction
        .split_whitespace()
        .any(|word| word.trim_matches(['"', '[', ',']).starts_with("../"))
    {
        lines.push(format!(
            "a path with ../ cannot leave the {of}; use --build-context NAME=DIR and --from=NAME"
        ));
    }
    let near = near_names(root, &path, &|path| hidden_by(path).is_some());
    if near.is_empty() {
        lines.push(format!("/{path} is not in the {of} ({})", root.display()));
    } else {
        lines.push(format!(
            "/{path} is not in the {of}; near names: {}",
            near.join(", ")
        ));
    }
    lines
}

/// The text of the instruction that failed, on one line; empty when it is not known.
fn instruction(sources: &[Source]) -> String {
    let Some(source) = sources.last() else {
        return String::new();
    };
    let text = String::from_utf8_lossy(&source.data);
    let within = |number: usize| {
        source
            .ranges
            .iter()
            .any(|range| (range.start as usize..=range.end as usize).contains(&number))
    };
    let lines = text.lines().enumerate();
    lines
        .filter(|(index, _)| within(index + 1))
        .map(|(_, line)| line.trim().trim_end_matches('\\'))
        .collect::<Vec<_>>()
        .join(" ")
}

/// The name in `--from=NAME`, or `from=NAME` of a mount.
fn from(instruction: &str) -> Option<String> {
    instruction
        .split([' ', '\t', ','])
        .find_map(|word| {
            word.strip_prefix("--from=")
                .or_else(|| word.strip_prefix("from="))
                .or_else(|| word.strip_prefix("--mount=from="))
        })
        .map(|name| name.trim_matches('"').to_owned())
}

/// Paths below `root` that `path` may have meant: the nearest first. Breadth first, so that the
/// bound cuts off what is deepest.
fn near_names(root: &Path, path: &str, hidden: &dyn Fn(&str) -> bool) -> Vec<String> {
    let wanted = path.to_lowercase();
    let wanted_name = wanted.rsplit('/').next().unwrap_or(&wanted).to_owned();
    let limit = (wanted_name.chars().count() / 3).clamp(1, 3);
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut queue = VecDeque::from([String::new()]);
    let mut seen = 0;
    while let Some(dir) = queue.pop_front() {
        let Ok(entries) = fs::read_dir(root.join(&dir)) else {
            continue;
        };
        for entry in entries.filter_map(Result::ok) {
            seen += 1;
            if seen > MOST_ENTRIES {
                queue.clear();
                break;
            }
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let full = if dir.is_empty() {
                name.clone()
            } else {
                format!("{dir}/{name}")
            };
            let lower = full.to_lowercase();
            let by_name = strsim::damerau_levenshtein(&name.to_lowercase(), &wanted_name);
            let by_path = strsim::damerau_levenshtein(&lower, &wanted);
            let distance = if by_path <= limit {
                Some(by_path)
            } else if by_name <= limit {
                // The right name in another place, or nearly so.
                Some(limit + 1 + by_name)
            } else {
                None
            };
            if let Some(distance) = distance {
                found.push((distance, full.clone()));
            }
            // Links to directories are not followed: they may lead round in circles.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) && name != ".git" {
                queue.push_back(full);
            }
        }
    }
    found.sort();
    found
        .into_iter()
        .map(|(_, path)| path)
        .filter(|path| !hidden(path))
        .take(MOST_NAMES)
        .collect()
}

#[cfg(test)]
mod tests;
