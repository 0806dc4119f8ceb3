//! What a build reads, and where it is: the context (a directory, a URL, or standard input), the named contexts,
//! and the Dockerfile.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::options::BuildOptions;
use super::prepare::{Refusal, Surroundings};
use super::suggest::nearest;
use crate::engine::callbacks::content::layout;
use crate::proto::pb;

mod dockerfile;

/// Name of the local source that holds the Dockerfile.
const DOCKERFILE: &str = "dockerfile";
/// Name of the local source that is the context.
const CONTEXT: &str = "context";
/// Bytes that tell what standard input is: one header of a tar archive.
const HEADER: usize = 512;

/// A reader for the engine's upload callback, and the frontend's attribute that the URL goes to.
pub struct Upload {
    /// The frontend's attribute, `context`.
    pub attribute: &'static str,
    /// What is sent; blocks.
    pub reader: Box<dyn Read + Send>,
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Upload({})", self.attribute)
    }
}

/// Everything that a build reads.
#[derive(Debug, Default)]
pub struct Sources {
    /// The frontend's attributes about them.
    pub attrs: BTreeMap<String, String>,
    /// Local directories by name.
    pub dirs: Vec<(String, PathBuf)>,
    /// A context on standard input.
    pub upload: Option<Upload>,
    /// Content stores that are read, by id: layouts as named contexts.
    pub stores: Vec<(String, PathBuf)>,
    /// Definitions that the frontend takes instead of local sources.
    pub inputs: HashMap<String, pb::Definition>,
    /// What the shared key begins with: the same for the same context.
    pub key: String,
    /// The context, when it is a directory of the user.
    pub context: Option<PathBuf>,
    /// The Dockerfile, when it is a file of the user.
    pub dockerfile: Option<PathBuf>,
    /// Whether something is fetched by ssh.
    pub needs_ssh: bool,
    /// Directories made for this build; they vanish with this.
    pub temp: Vec<TempDir>,
}

/// Finds the context, the Dockerfile and the named contexts of `options`. Reads standard input as
/// far as it has to.
///
/// # Errors
/// What is not where it should be.
pub fn find(options: &BuildOptions, around: &mut Surroundings<'_>) -> Result<Sources, Refusal> {
    let mut sources = Sources::default();
    let dir = around.cwd.join(&options.context);
    if options.context == "-" {
        from_stdin(options, around, &mut sources)?;
    } else if !options.context.is_empty() && dir.is_dir() {
        let dir = fs::canonicalize(&dir).unwrap_or(dir);
        sources.key = dir.file_name().map_or_else(
            || "/".to_owned(),
            |name| name.to_string_lossy().into_owned(),
        );
        dockerfile::local(options, around, &dir, &mut sources)?;
        sources.dirs.push((CONTEXT.to_owned(), dir.clone()));
        sources.context = Some(dir);
    } else if is_remote(&options.context) {
        from_remote(options, around, &mut sources)?;
    } else {
        return Err(no_context(&options.context, &around.cwd));
    }
    for (name, place) in &options.named_contexts {
        named(name, place, &around.cwd, &mut sources)?;
    }
    if !options.named_contexts.is_empty() {
        sources.attrs.insert(
            "frontend.caps".to_owned(),
            "moby.buildkit.frontend.contexts+forward".to_owned(),
        );
    }
    Ok(sources)
}

fn no_context(context: &str, cwd: &Path) -> Refusal {
    if context.is_empty() {
        return Refusal(
            "please specify build context (e.g. \".\" for the current directory)".to_owned(),
        );
    }
    let hint = if context.starts_with("github.com/") {
        format!(
            " (did you mean https://{}.git?)",
            context.trim_end_matches(".git")
        )
    } else if cwd.join(context).is_file() {
        " as a directory, it is a file (did you mean -f?)".to_owned()
    } else if cwd.join(context).exists() {
        " as a directory, it is a pipe or a device (did you mean to redirect it and say -?)"
            .to_owned()
    } else {
        near_path(context, cwd, Path::is_dir)
    };
    Refusal(format!(
        "unable to prepare context: path {context:?} not found{hint}"
    ))
}

/// `(did you mean …?)` with the nearest name in the directory that `path` should be in.
fn near_path(path: &str, cwd: &Path, fits: impl Fn(&Path) -> bool) -> String {
    let path = Path::new(path);
    let (Some(name), parent) = (path.file_name(), path.parent().unwrap_or(Path::new(""))) else {
        return String::new();
    };
    let Ok(entries) = fs::read_dir(cwd.join(parent)) else {
        return String::new();
    };
    let names: Vec<String> = entries
        .take(1000)
        .filter_map(Result::ok)
        .filter(|entry| fits(&entry.path()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    let name = name.to_string_lossy();
    nearest(&name, names.iter().map(String::as_str)).map_or_else(String::new, |near| {
        format!(" (did you mean {}?)", parent.join(near).display())
    })
}

/// Whether a context is somewhere else: at an address of git or http.
pub fn is_remote(context: &str) -> bool {
    ["http://", "https://", "git://", "ssh://"]
        .iter()
        .any(|scheme| context.starts_with(scheme))
        || is_scp(context)
}

/// `user@host:path`, which git takes for ssh.
fn is_scp(context: &str) -> bool {
    context.split_once(':').is_some_and(|(login, path)| {
        !path.is_empty()
            && login.split_once('@').is_some_and(|(user, host)| {
                let word = |text: &str| {
                    !text.is_empty()
                        && text
                            .bytes()
                            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
                };
                word(user) && word(host)
            })
    })
}

fn is_ssh(context: &str) -> bool {
    context.starts_with("ssh://") || is_scp(context)
}

fn from_remote(
    options: &BuildOptions,
    around: &mut Surroundings<'_>,
    sources: &mut Sources,
) -> Result<(), Refusal> {
    let attrs = &mut sources.attrs;
    attrs.insert(CONTEXT.to_owned(), options.context.clone());
    sources.needs_ssh = is_ssh(&options.context);
    sources.key = "remote".to_owned();
    match options.dockerfile.as_deref() {
        None => {
            attrs.insert("filename".to_owned(), "Dockerfile".to_owned());
        }
        Some("-") => {
            let text = dockerfile::from_stdin(around)?;
            dockerfile::temporary(&text, sources)?;
        }
        Some(url) if dockerfile::is_http(url) => {
            return Err(Refusal(format!(
                "a Dockerfile from {url} cannot be used with a context from {}; give a local context or use -f -",
                options.context
            )));
        }
        Some(path) => {
            attrs.insert("filename".to_owned(), path.to_owned());
        }
    }
    Ok(())
}

fn from_stdin(
    options: &BuildOptions,
    around: &mut Surroundings<'_>,
    sources: &mut Sources,
) -> Result<(), Refusal> {
    let mut stdin = around.stdin()?;
    let mut header = Vec::with_capacity(HEADER);
    stdin
        .by_ref()
        .take(HEADER as u64)
        .read_to_end(&mut header)
        .map_err(|error| Refusal(format!("failed to read standard input: {error}")))?;
    sources.key = "stdin".to_owned();
    if is_archive(&header) {
        let name = match options.dockerfile.as_deref() {
            Some(url) if dockerfile::is_http(url) => {
                return Err(Refusal(format!(
                    "a Dockerfile from {url} cannot be used with an archive on standard input"
                )));
            }
            other => other.unwrap_or("Dockerfile"),
        };
        sources.attrs.insert("filename".to_owned(), name.to_owned());
        sources.upload = Some(Upload {
            attribute: CONTEXT,
            reader: Box::new(Cursor::new(header).chain(stdin)),
        });
        return Ok(());
    }
    if options.dockerfile.is_some() {
        return Err(Refusal(
            "ambiguous Dockerfile source: both stdin and flag correspond to Dockerfiles".to_owned(),
        ));
    }
    let text = dockerfile::read(Cursor::new(header).chain(stdin))?;
    dockerfile::temporary(&text, sources)?;
    let empty = temp_dir()?;
    sources
        .dirs
        .push((CONTEXT.to_owned(), empty.path().to_path_buf()));
    sources.temp.push(empty);
    Ok(())
}

/// Whether these first bytes are those of an archive that an engine unpacks.
fn is_archive(header: &[u8]) -> bool {
    const GZIP: &[u8] = &[0x1f, 0x8b, 0x08];
    const BZIP2: &[u8] = b"BZh";
    const XZ: &[u8] = &[0xfd, b'7', b'z', b'X', b'Z', 0];
    [GZIP, BZIP2, XZ]
        .iter()
        .any(|magic| header.starts_with(magic))
        || is_tar(header)
}

/// A tar header carries the sum of its bytes, the sum itself counted as blanks. This also knows
/// the old format, which has no magic.
fn is_tar(header: &[u8]) -> bool {
    let (Some(block), Some(field)) = (header.get(..512), header.get(148..156)) else {
        return false;
    };
    let text = String::from_utf8_lossy(field);
    let digits = text.trim_matches(|c: char| c == ' ' || c == '\0');
    let Ok(stated) = u32::from_str_radix(digits, 8) else {
        return false;
    };
    let sum: u32 = block
        .iter()
        .enumerate()
        .map(|(at, byte)| {
            if (148..156).contains(&at) {
                32
            } else {
                u32::from(*byte)
            }
        })
        .sum();
    sum == stated && block.first() != Some(&0)
}

fn temp_dir() -> Result<TempDir, Refusal> {
    tempfile::Builder::new()
        .prefix("buildx-")
        .tempdir()
        .map_err(|error| Refusal(format!("cannot make a temporary directory: {error}")))
}

fn named(name: &str, place: &str, cwd: &Path, sources: &mut Sources) -> Result<(), Refusal> {
    let key = format!("context:{name}");
    let value = if place.starts_with("docker-image://") || is_remote(place) {
        sources.needs_ssh |= is_ssh(place);
        place.to_owned()
    } else if let Some(text) = place.strip_prefix("oci-layout://") {
        let reference = layout::Reference::parse(text);
        let dir = cwd.join(&reference.dir);
        let digest = layout::resolve(&dir, reference.tag.as_deref(), reference.digest.as_deref())
            .map_err(|error| {
            Refusal(format!(
                "oci-layout reference {place:?} could not be resolved: {error}"
            ))
        })?;
        // The engine wants a name of its own for the store, and asks for `oci:<name>`.
        let store = format!("layout{}", sources.stores.len());
        sources.stores.push((format!("oci:{store}"), dir));
        let tag = reference.tag.as_deref().unwrap_or("latest");
        format!("oci-layout://{store}:{tag}@{}", digest.as_str())
    } else if let Some(target) = place.strip_prefix("target:") {
        return Err(Refusal(format!(
            "failed to find target {target} for context {name}"
        )));
    } else {
        let dir = cwd.join(place);
        let meta = fs::metadata(&dir).map_err(|error| {
            let hint = near_path(place, cwd, Path::is_dir);
            let why = if error.kind() == io::ErrorKind::NotFound {
                "no such file or directory".to_owned()
            } else {
                error.to_string()
            };
            Refusal(format!(
                "failed to get build context {name}: stat {place}: {why}{hint}"
            ))
        })?;
        if !meta.is_dir() {
            return Err(Refusal(format!(
                "failed to get build context {name}: {place}: not a directory"
            )));
        }
        let local = match name {
            CONTEXT | DOCKERFILE => format!("_{name}"),
            name => name.to_owned(),
        };
        let dir = fs::canonicalize(&dir).unwrap_or(dir);
        sources.dirs.push((local.clone(), dir));
        format!("local:{local}")
    };
    sources.attrs.insert(key, value);
    Ok(())
}

#[cfg(test)]
mod tests;
