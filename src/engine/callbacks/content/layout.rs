//! The index of an OCI image layout on disk: what its tags stand for.
//!
//! The annotations are those that buildx writes and reads: `org.opencontainers.image.ref.name` is
//! the tag, `io.containerd.image.name` the full name of an image.

use super::blobs::Blobs;
use super::digest::{BadDigest, Digest};
use crate::paths::mask::Mask;
use base64::Engine as _;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const TAG: &str = "org.opencontainers.image.ref.name";
const IMAGE: &str = "io.containerd.image.name";
/// What an untagged result or cache is found under.
pub const DEFAULT_TAG: &str = "latest";

/// Why a layout could not be used.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// There is no layout at all.
    #[error("{dir:?} is no OCI image layout: it has no index.json")]
    NoLayout { dir: PathBuf },
    /// Nothing goes by that name; `known` lists what does.
    #[error("the OCI image layout {dir:?} has no {wanted}; it has: {known}")]
    NoTag {
        dir: PathBuf,
        wanted: String,
        known: String,
    },
    /// The digest is well-formed, its blob is missing.
    #[error("the OCI image layout {dir:?} has no blob {digest}")]
    NoBlob { dir: PathBuf, digest: Digest },
    /// Somewhere a digest was expected.
    #[error(transparent)]
    Digest(#[from] BadDigest),
    /// A file is not what it should be.
    #[error("{path:?} cannot be understood: {why}")]
    Syntax {
        path: PathBuf,
        why: serde_json::Error,
    },
    /// The engine's description of its result is not what it should be.
    #[error("the engine described its result in a way that cannot be understood: {0}")]
    Descriptor(String),
    /// The disk.
    #[error("{what} {path:?}: {why}")]
    Io {
        what: &'static str,
        path: PathBuf,
        why: io::Error,
    },
}

/// A descriptor of the OCI image specification.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What kind of thing it is.
    pub media_type: String,
    /// Of the content.
    pub digest: String,
    /// Bytes.
    pub size: i64,
    /// Notes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Everything else (platform, …), kept as it is.
    #[serde(flatten)]
    pub rest: serde_json::Map<String, serde_json::Value>,
}

impl Descriptor {
    /// Reads a value of `SolveResponse.ExporterResponse`: `cache.manifest` (JSON) or
    /// `containerimage.descriptor` (JSON in base64).
    ///
    /// # Errors
    /// It is neither, or its digest is none.
    pub fn from_response(value: &str) -> Result<Descriptor, LayoutError> {
        let bad = |why: &dyn std::fmt::Display| LayoutError::Descriptor(why.to_string());
        let json = if value.trim_start().starts_with('{') {
            value.as_bytes().to_vec()
        } else {
            base64::engine::general_purpose::STANDARD
                .decode(value)
                .map_err(|why| bad(&why))?
        };
        let descriptor: Descriptor = serde_json::from_slice(&json).map_err(|why| bad(&why))?;
        Digest::parse(&descriptor.digest)?;
        Ok(descriptor)
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u32,
    #[serde(default = "index_type")]
    media_type: String,
    #[serde(default)]
    manifests: Vec<Descriptor>,
    #[serde(flatten)]
    rest: serde_json::Map<String, serde_json::Value>,
}

fn index_type() -> String {
    "application/vnd.oci.image.index.v1+json".to_string()
}

/// What an entry of the index is found under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// A full image name with its tag, such as `docker.io/library/app:v1`.
    Image(String),
    /// A tag alone.
    Tag(String),
}

impl Name {
    /// The names of a result: the engine's answer `image.name`, a comma-separated list. A result
    /// without a name is found under [`DEFAULT_TAG`].
    pub fn of_image(image_name: Option<&str>) -> Vec<Name> {
        let names = image_name.unwrap_or_default().split(',').map(str::trim);
        let names: Vec<_> = names
            .filter(|name| !name.is_empty())
            .map(|name| Name::Image(name.to_string()))
            .collect();
        if names.is_empty() {
            vec![Name::Tag(DEFAULT_TAG.to_string())]
        } else {
            names
        }
    }

    fn is_of(&self, entry: &Descriptor) -> bool {
        let image = entry.annotations.get(IMAGE);
        match self {
            Name::Image(name) => image == Some(name),
            Name::Tag(tag) => image.is_none() && entry.annotations.get(TAG) == Some(tag),
        }
    }

    fn mark(&self, entry: &mut Descriptor) {
        let tag = match self {
            Name::Tag(tag) => tag,
            Name::Image(name) => {
                entry.annotations.insert(IMAGE.to_string(), name.clone());
                let last = name.rsplit('/').next().unwrap_or(name);
                let last = last.split('@').next().unwrap_or(last);
                last.split_once(':').map_or(DEFAULT_TAG, |(_, tag)| tag)
            }
        };
        entry.annotations.insert(TAG.to_string(), tag.to_string());
    }
}

/// A layout as the user names it, `path[:tag][@digest]`, without the `oci-layout://` before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The layout's directory.
    pub dir: PathBuf,
    /// Taken apart, not checked.
    pub tag: Option<String>,
    /// Taken apart, not checked.
    pub digest: Option<String>,
}

impl Reference {
    /// Takes `text` apart: the digest after the last `@`, the tag after a `:` in the last part of
    /// the path.
    pub fn parse(text: &str) -> Reference {
        let (rest, digest) = match text.rsplit_once('@') {
            Some((rest, digest)) if !digest.contains('/') => (rest, Some(digest.to_string())),
            _ => (text, None),
        };
        let (dir, tag) = match rest.rsplit_once(':') {
            Some((dir, tag)) if !tag.contains('/') && !dir.is_empty() => {
                (dir, Some(tag.to_string()))
            }
            _ => (rest, None),
        };
        Reference {
            dir: dir.into(),
            tag,
            digest,
        }
    }
}

/// Finds what `tag` (an image name will do, too) or `digest` stands for in the layout at `dir`; the
/// digest wins. Without both it is the tag `latest`, or else the only entry.
///
/// # Errors
/// No layout, no such tag, no such blob, a broken index.
pub fn resolve(dir: &Path, tag: Option<&str>, digest: Option<&str>) -> Result<Digest, LayoutError> {
    let digest = match digest {
        Some(digest) => Digest::parse(digest)?,
        None => find(dir, tag)?,
    };
    if !Blobs::new(dir, Mask(0)).exists(&digest) {
        return Err(LayoutError::NoBlob {
            dir: dir.to_path_buf(),
            digest,
        });
    }
    Ok(digest)
}

fn find(dir: &Path, tag: Option<&str>) -> Result<Digest, LayoutError> {
    let index = read(dir)?.ok_or_else(|| LayoutError::NoLayout {
        dir: dir.to_path_buf(),
    })?;
    let wanted = tag.unwrap_or(DEFAULT_TAG);
    let by = |key: &str| {
        index
            .manifests
            .iter()
            .find(|entry| entry.annotations.get(key).is_some_and(|is| is == wanted))
    };
    let entry = by(IMAGE)
        .or_else(|| by(TAG))
        .or(match (tag, index.manifests.as_slice()) {
            (None, [only]) => Some(only),
            _ => None,
        });
    let entry = entry.ok_or_else(|| {
        let keys = [IMAGE, TAG];
        let known: Vec<_> = index
            .manifests
            .iter()
            .filter_map(|entry| keys.iter().find_map(|key| entry.annotations.get(*key)))
            .map(|name| format!("{name:?}"))
            .collect();
        LayoutError::NoTag {
            dir: dir.to_path_buf(),
            wanted: format!("tag {wanted:?}"),
            known: if known.is_empty() {
                "no tags".to_string()
            } else {
                known.join(", ")
            },
        }
    })?;
    Ok(Digest::parse(&entry.digest)?)
}

/// Enters `descriptor` in the layout at `dir` under each of `names`, in place of what was there
/// under that name. Makes the layout when there is none. Blocks while another program, ours or
/// buildx, changes the same index.
///
/// # Errors
/// The disk, or an index that cannot be understood (it is left alone).
pub fn put(
    dir: &Path,
    descriptor: &Descriptor,
    names: &[Name],
    mask: Mask,
) -> Result<(), LayoutError> {
    let io = |what, path: &Path| {
        let path = path.to_path_buf();
        move |why| LayoutError::Io { what, path, why }
    };
    mask.make_dirs(dir).map_err(io("cannot make", dir))?;
    let _lock = Lock::take(dir.join("index.json.lock")).map_err(io("cannot lock", dir))?;
    let mut index = read(dir)?.unwrap_or_else(|| Index {
        schema_version: 2,
        media_type: index_type(),
        manifests: Vec::new(),
        rest: serde_json::Map::new(),
    });
    for name in names {
        index.manifests.retain(|entry| !name.is_of(entry));
        let mut entry = descriptor.clone();
        name.mark(&mut entry);
        index.manifests.push(entry);
    }
    let marker = dir.join("oci-layout");
    if !marker.exists() {
        write(&marker, br#"{"imageLayoutVersion":"1.0.0"}"#, mask)
            .map_err(io("cannot write", &marker))?;
    }
    let path = dir.join("index.json");
    let json = serde_json::to_vec(&index).map_err(|why| LayoutError::Syntax {
        path: path.clone(),
        why,
    })?;
    write(&path, &json, mask).map_err(io("cannot write", &path))
}

fn read(dir: &Path) -> Result<Option<Index>, LayoutError> {
    let path = dir.join("index.json");
    match std::fs::read(&path) {
        Ok(json) => match serde_json::from_slice(&json) {
            Ok(index) => Ok(Some(index)),
            Err(why) => Err(LayoutError::Syntax { path, why }),
        },
        Err(why)
            if matches!(
                why.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(why) => Err(LayoutError::Io {
            what: "cannot read",
            path,
            why,
        }),
    }
}

fn write(path: &Path, content: &[u8], mask: Mask) -> io::Result<()> {
    let mut file = tempfile::Builder::new()
        .prefix(".tmp-")
        .tempfile_in(path.parent().unwrap_or(Path::new(".")))?;
    mask.apply(file.as_file(), 0o644)?;
    file.write_all(content)?;
    file.persist(path).map_err(|why| why.error)?;
    Ok(())
}

/// The lock file that buildx uses too; gone after use, so that the layout holds nothing else.
struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    fn take(path: PathBuf) -> io::Result<Lock> {
        loop {
            let file = File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)?;
            file.lock()?;
            // Its last holder may have removed it after we opened it.
            let named = std::fs::symlink_metadata(&path);
            if named.is_ok_and(|named| file.metadata().is_ok_and(|ours| ours.ino() == named.ino()))
            {
                return Ok(Lock { path, _file: file });
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests;
