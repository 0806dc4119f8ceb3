//! Where the Dockerfile is: beside the context, on standard input, at an address, or anywhere on the disk.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

use prost::Message;

use super::{DOCKERFILE, Sources, near_path, temp_dir};
use crate::build::options::BuildOptions;
use crate::build::prepare::{Refusal, Surroundings};
use crate::engine::vertex::digest;
use crate::paths::is_of_one_process;
use crate::proto::pb;

/// Most bytes of a Dockerfile on standard input.
const LARGEST: u64 = 16 << 20;

/// The Dockerfile of a context that is a directory of the user.
pub(super) fn local(
    options: &BuildOptions,
    around: &mut Surroundings<'_>,
    context: &Path,
    sources: &mut Sources,
) -> Result<(), Refusal> {
    let path = match options.dockerfile.as_deref() {
        None => {
            let upper = context.join("Dockerfile");
            let lower = context.join("dockerfile");
            if !exists(&upper) && exists(&lower) {
                lower
            } else {
                upper
            }
        }
        Some("-") => {
            let text = from_stdin(around)?;
            return temporary(&text, sources);
        }
        Some(url) if is_http(url) => {
            sources
                .attrs
                .insert("filename".to_owned(), "Dockerfile".to_owned());
            sources
                .inputs
                .insert(DOCKERFILE.to_owned(), http_source(url, "Dockerfile"));
            return Ok(());
        }
        Some(path) => around.cwd.join(path),
    };
    let shown = options
        .dockerfile
        .clone()
        .unwrap_or_else(|| format!("{}/Dockerfile", options.context.trim_end_matches('/')));
    let (Some(name), Some(parent)) = (path.file_name().and_then(|n| n.to_str()), path.parent())
    else {
        return Err(Refusal(format!(
            "failed to read dockerfile: {shown:?} is no file name"
        )));
    };
    check(&path, &shown, options, around, context)?;
    let mut parent = fs::canonicalize(parent).unwrap_or_else(|_| parent.to_path_buf());
    let mut name = name.to_owned();
    // A link that leads out of the directory that is sent would lead nowhere.
    if let Ok(real) = fs::canonicalize(&path)
        && !real.starts_with(&parent)
        && let (Some(real_name), Some(real_parent)) = (
            real.file_name().and_then(|name| name.to_str()),
            real.parent(),
        )
    {
        name = real_name.to_owned();
        parent = real_parent.to_path_buf();
    }
    sources.attrs.insert("filename".to_owned(), name.clone());
    sources.dockerfile = Some(parent.join(&name));
    sources.dirs.push((DOCKERFILE.to_owned(), parent));
    Ok(())
}

/// Whether the Dockerfile can be read; `shown` is how the user knows it.
fn check(
    path: &Path,
    shown: &str,
    options: &BuildOptions,
    around: &Surroundings<'_>,
    context: &Path,
) -> Result<(), Refusal> {
    let why = match fs::metadata(path) {
        Ok(meta) if meta.is_file() => return Ok(()),
        Ok(meta) if meta.is_dir() => format!("{shown} is a directory"),
        // The engine would get a pipe or a device of its own by that name, and read it for ever.
        Ok(_) => format!("{shown} is no regular file; -f - reads standard input"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let within = context.join(shown);
            let hint = if options.dockerfile.is_none() {
                other_dockerfiles(context, &options.context)
            } else if within.is_file() {
                let within = Path::new(&options.context).join(shown);
                format!(" (did you mean {}?)", within.display())
            } else if is_of_one_process(shown) {
                " (-f - reads standard input)".to_owned()
            } else {
                near_path(shown, &around.cwd, Path::is_file)
            };
            format!("open {shown}: no such file or directory{hint}")
        }
        Err(error) => format!("open {shown}: {error}"),
    };
    Err(Refusal(format!("failed to read dockerfile: {why}")))
}

/// `(did you mean -f …?)` with the files of a context that are Dockerfiles by their names.
fn other_dockerfiles(dir: &Path, shown: &str) -> String {
    let entries = fs::read_dir(dir).into_iter().flatten().take(1000);
    let mut names: Vec<_> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| {
            let lower = name.to_lowercase();
            let is_dockerfile = lower.contains("dockerfile") || lower.contains("containerfile");
            is_dockerfile && !lower.ends_with(".dockerignore") && dir.join(name).is_file()
        })
        .map(|name| format!("-f {}", Path::new(shown).join(name).display()))
        .collect();
    names.sort();
    names.truncate(3);
    if names.is_empty() {
        String::new()
    } else {
        format!(" (did you mean {}?)", names.join(" or "))
    }
}

fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

pub(super) fn from_stdin(around: &mut Surroundings<'_>) -> Result<Vec<u8>, Refusal> {
    read(around.stdin()?)
}

/// A Dockerfile from a stream, of at most [`LARGEST`] bytes.
pub(super) fn read(reader: impl Read) -> Result<Vec<u8>, Refusal> {
    let mut text = Vec::new();
    reader
        .take(LARGEST + 1)
        .read_to_end(&mut text)
        .map_err(|error| Refusal(format!("failed to read dockerfile from stdin: {error}")))?;
    if text.len() as u64 > LARGEST {
        return Err(Refusal(format!(
            "failed to read dockerfile from stdin: more than {} MiB, and no tar archive",
            LARGEST >> 20
        )));
    }
    if text.is_empty() {
        return Err(Refusal(
            "failed to read dockerfile from stdin: it is empty".to_owned(),
        ));
    }
    Ok(text)
}

/// Puts a Dockerfile into a directory that vanishes with the build.
pub(super) fn temporary(text: &[u8], sources: &mut Sources) -> Result<(), Refusal> {
    let dir = temp_dir()?;
    fs::File::create(dir.path().join("Dockerfile"))
        .and_then(|mut file| file.write_all(text))
        .map_err(|error| Refusal(format!("cannot write {}: {error}", dir.path().display())))?;
    sources
        .attrs
        .insert("filename".to_owned(), "Dockerfile".to_owned());
    // With a remote context the frontend would look for the Dockerfile there.
    sources
        .attrs
        .insert("dockerfilekey".to_owned(), DOCKERFILE.to_owned());
    sources
        .dirs
        .push((DOCKERFILE.to_owned(), dir.path().to_path_buf()));
    sources.temp.push(dir);
    Ok(())
}

pub(super) fn is_http(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

/// A definition of one file that the engine downloads.
fn http_source(url: &str, filename: &str) -> pb::Definition {
    let source = pb::Op {
        op: Some(pb::op::Op::Source(pb::SourceOp {
            identifier: url.to_owned(),
            attrs: BTreeMap::from([("http.filename".to_owned(), filename.to_owned())]),
        })),
        ..Default::default()
    }
    .encode_to_vec();
    let digest = digest(&source);
    let last = pb::Op {
        inputs: vec![pb::Input {
            digest: digest.clone(),
            index: 0,
        }],
        ..Default::default()
    }
    .encode_to_vec();
    let name = format!("[internal] load remote Dockerfile {url}");
    let metadata = pb::OpMetadata {
        description: BTreeMap::from([("llb.customname".to_owned(), name)]),
        caps: BTreeMap::from([("source.http".to_owned(), true)]),
        ..Default::default()
    };
    pb::Definition {
        def: vec![source, last],
        metadata: BTreeMap::from([(digest, metadata)]),
        source: None,
    }
}
