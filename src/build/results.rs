//! What scripts read after a build: the image's id, the metadata file, the exit code.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tonic::Code;

use super::outputs::After;
use super::prepare::Refusal;
use crate::engine::callbacks::content::layout::{self, Descriptor, LayoutError, Name};
use crate::engine::errors::BuildError;
use crate::paths::is_of_one_process;
use crate::paths::mask::Mask;

const CONFIG_DIGEST: &str = "containerimage.config.digest";
const IMAGE_DIGEST: &str = "containerimage.digest";

/// What the engine answered, by the names of BuildKit.
pub type Response = BTreeMap<String, String>;

/// How much of the provenance goes into the metadata file: `BUILDX_METADATA_PROVENANCE`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// Without definitions, layers and materials' sources.
    #[default]
    Min,
    /// All of it.
    Max,
    /// Nothing.
    Off,
}

impl Detail {
    /// Reads the variable's value; anything unknown is the default.
    pub fn from_env(value: Option<&str>) -> Self {
        match value {
            Some("max") => Detail::Max,
            Some("disabled" | "none" | "false" | "0") => Detail::Off,
            _ => Detail::Min,
        }
    }
}

/// The files that a build leaves for scripts.
#[derive(Clone, Debug)]
pub struct ResultFiles {
    iidfile: Option<PathBuf>,
    metadata: Option<PathBuf>,
    mask: Mask,
}

impl ResultFiles {
    /// Checks that the files can be written, and removes an old id file: what it says is not about
    /// this build. Paths are relative to `cwd`; `mask` is the caller's, for files that are new.
    ///
    /// # Errors
    /// The directory of a file does not exist, or the old id file cannot be removed.
    pub fn begin(
        iidfile: Option<&Path>,
        metadata: Option<&Path>,
        cwd: &Path,
        mask: Mask,
    ) -> Result<Self, Refusal> {
        let place = |what: &str, path: &Path| {
            let full = cwd.join(path);
            if full.to_str().is_some_and(is_of_one_process) {
                return Err(Refusal(format!(
                    "{what}: {} is there for your shell only, and the server writes; name a file",
                    path.display()
                )));
            }
            let parent = full.parent().unwrap_or(Path::new("/"));
            if full.is_dir() {
                return Err(Refusal(format!(
                    "{what}: {} is a directory",
                    path.display()
                )));
            }
            if !parent.is_dir() {
                return Err(Refusal(format!(
                    "{what}: open {}: no such file or directory",
                    path.display()
                )));
            }
            Ok(full)
        };
        let iidfile = iidfile
            .map(|path| place("writing image ID file", path))
            .transpose()?;
        let metadata = metadata
            .map(|path| place("invalid output path", path))
            .transpose()?;
        if let Some(path) = &iidfile
            && !is_special(path)
            && let Err(error) = fs::remove_file(path)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(Refusal(format!(
                "removing image ID file {}: {error}",
                path.display()
            )));
        }
        Ok(Self {
            iidfile,
            metadata,
            mask,
        })
    }

    /// Whether a metadata file is wanted, and with it the provenance.
    pub fn wants_metadata(&self) -> bool {
        self.metadata.is_some()
    }

    /// Writes what was asked for, each file whole or not at all. Without an image there is no id
    /// and no id file.
    ///
    /// # Errors
    /// The file that cannot be written.
    pub fn write(&self, response: &Response, metadata: &Value) -> Result<(), Refusal> {
        if let (Some(path), Some(id)) = (&self.iidfile, image_id(response)) {
            write_whole(path, id.as_bytes(), self.mask)
                .map_err(|error| failed("writing image ID file", path, &error))?;
        }
        if let Some(path) = &self.metadata {
            let text = serde_json::to_string_pretty(metadata)
                .map_err(|error| Refusal(format!("writing metadata file: {error}")))?;
            write_whole(path, text.as_bytes(), self.mask)
                .map_err(|error| failed("writing metadata file", path, &error))?;
        }
        Ok(())
    }
}

fn failed(what: &str, path: &Path, error: &io::Error) -> Refusal {
    Refusal(format!("{what} {}: {error}", path.display()))
}

/// Whether there is a device or a pipe. These are written to; to replace them would take them away from everybody.
fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| !meta.is_file())
}

/// The file appears whole, readable as any new file is, and replaces what was there.
fn write_whole(path: &Path, bytes: &[u8], mask: Mask) -> io::Result<()> {
    if is_special(path) {
        return fs::OpenOptions::new()
            .write(true)
            .open(path)?
            .write_all(bytes);
    }
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let mut file = tempfile::Builder::new()
        .prefix(".buildx-")
        .tempfile_in(path.parent().unwrap_or(Path::new(".")))?;
    match fs::metadata(&path) {
        Ok(old) => file.as_file().set_permissions(old.permissions())?,
        Err(_) => mask.apply(file.as_file(), 0o666)?,
    }
    file.write_all(bytes)?;
    file.persist(&path)?;
    Ok(())
}

/// The id of the image that was made: the digest of its configuration, or of the image itself where
/// the store knows it by that; `None` when no image was made.
pub fn image_id(response: &Response) -> Option<&str> {
    [CONFIG_DIGEST, IMAGE_DIGEST]
        .iter()
        .find_map(|key| response.get(*key))
        .map(String::as_str)
        .filter(|id| !id.is_empty())
}

/// Everything about a build besides the engine's answer.
#[derive(Clone, Debug, Default)]
pub struct About<'a> {
    /// `builder/node/ref`
    pub reference: &'a str,
    /// The provenance by platform, from the build's history; the platform is empty when there is
    /// only one.
    pub provenance: Vec<(String, Value)>,
    /// How much of it is wanted.
    pub detail: Detail,
    /// Warnings of the build, where `BUILDX_METADATA_WARNINGS` asks for them.
    pub warnings: Option<Value>,
}

/// The content of the metadata file: the engine's answer with its encoded values decoded, and what
/// is known about the build.
pub fn metadata(response: &Response, about: &About<'_>) -> Value {
    let mut all = serde_json::Map::new();
    for (key, value) in response {
        all.insert(
            key.clone(),
            decoded(value).unwrap_or_else(|| value.clone().into()),
        );
    }
    if about.detail != Detail::Off {
        for (platform, provenance) in &about.provenance {
            let mut key = "buildx.build.provenance".to_owned();
            if !platform.is_empty() {
                key.push('/');
                key.push_str(platform);
            }
            all.insert(key, trimmed(provenance, about.detail));
        }
    }
    if !about.reference.is_empty() {
        all.insert("buildx.build.ref".to_owned(), about.reference.into());
    }
    if let Some(warnings) = &about.warnings {
        all.insert("buildx.build.warnings".to_owned(), warnings.clone());
    }
    Value::Object(all)
}

/// A value that is base64 of a JSON object.
fn decoded(value: &str) -> Option<Value> {
    let bytes = STANDARD.decode(value).ok()?;
    if bytes.first() != Some(&b'{') {
        return None;
    }
    serde_json::from_slice(&bytes).ok()
}

/// Provenance without what is long: the definition with its layers and the sources.
fn trimmed(provenance: &Value, detail: Detail) -> Value {
    let mut provenance = provenance.clone();
    if detail == Detail::Min
        && let Some(all) = provenance.as_object_mut()
    {
        all.remove("buildConfig");
        all.remove("metadata");
        if let Some(predicate) = all
            .get_mut("buildDefinition")
            .and_then(Value::as_object_mut)
        {
            predicate.remove("internalParameters");
        }
        if let Some(details) = all.get_mut("runDetails").and_then(Value::as_object_mut) {
            details.remove("metadata");
        }
    }
    provenance
}

impl After {
    /// Enters a result or a cache in the index of its layout; does nothing for a push, which is for
    /// whoever holds the engine. Blocks.
    ///
    /// # Errors
    /// The layout cannot be changed.
    pub fn enter(&self, response: &Response, mask: Mask) -> Result<(), LayoutError> {
        match self {
            After::Layout { dir } => {
                let Some(descriptor) = response.get("containerimage.descriptor") else {
                    return Ok(());
                };
                let descriptor = Descriptor::from_response(descriptor)?;
                let names = Name::of_image(response.get("image.name").map(String::as_str));
                layout::put(dir, &descriptor, &names, mask)
            }
            After::CacheLayout { dir, tag } => {
                let Some(descriptor) = response.get("cache.manifest") else {
                    return Ok(());
                };
                let descriptor = Descriptor::from_response(descriptor)?;
                layout::put(dir, &descriptor, &[Name::Tag(tag.clone())], mask)
            }
            After::Push { .. } => Ok(()),
        }
    }
}

/// The exit code of a failed build: 130 when it was cancelled, 100 when the solver itself is
/// broken, 102 when it has run out of something, else 1.
pub fn exit_code(error: &BuildError) -> u8 {
    if error.canceled {
        return 130;
    }
    match error.code {
        Code::Internal => 100,
        Code::ResourceExhausted => 102,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(pairs: &[(&str, &str)]) -> Response {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn a_pipe_is_written_to_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        let made = rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0);
        made.unwrap();
        // Open for both, so that neither side waits for the other.
        let mut reader = fs::File::options()
            .read(true)
            .write(true)
            .open(&pipe)
            .unwrap();
        let name = Path::new("pipe");
        for (iidfile, metadata, length) in [(Some(name), None, 8), (None, Some(name), 2)] {
            let files = ResultFiles::begin(iidfile, metadata, dir.path(), Mask(0o22)).unwrap();
            let response = response(&[("containerimage.digest", "sha256:1")]);
            files.write(&response, &serde_json::json!({})).unwrap();
            let mut read = vec![0; length];
            io::Read::read_exact(&mut reader, &mut read).unwrap();
            assert!(is_special(&pipe), "{iidfile:?}");
        }
    }

    #[test]
    fn metadata_is_sorted_decoded_and_without_a_final_newline() {
        let dir = tempfile::tempdir().unwrap();
        let path = Path::new("m.json");
        let files = ResultFiles::begin(None, Some(path), dir.path(), Mask(0o22)).unwrap();
        let descriptor = STANDARD.encode(r#"{"mediaType":"m","digest":"sha256:1","size":3}"#);
        let response = response(&[
            ("image.name", "docker.io/library/a:latest"),
            ("containerimage.descriptor", &descriptor),
            ("containerimage.digest", "sha256:1"),
        ]);
        let about = About {
            reference: "b/n/r",
            provenance: vec![(
                String::new(),
                serde_json::json!({"buildType": "t", "buildConfig": {"llb": 1}, "metadata": {}}),
            )],
            ..About::default()
        };
        files
            .write(&response, &metadata(&response, &about))
            .unwrap();
        let text = fs::read_to_string(dir.path().join(path)).unwrap();
        assert_eq!(
            text,
            r#"{
  "buildx.build.provenance": {
    "buildType": "t"
  },
  "buildx.build.ref": "b/n/r",
  "containerimage.descriptor": {
    "digest": "sha256:1",
    "mediaType": "m",
    "size": 3
  },
  "containerimage.digest": "sha256:1",
  "image.name": "docker.io/library/a:latest"
}"#
        );
    }

    #[test]
    fn detail_of_provenance() {
        let about = |detail| About {
            provenance: vec![("linux/arm64".into(), serde_json::json!({"metadata": 1}))],
            detail,
            ..About::default()
        };
        let key = "buildx.build.provenance/linux/arm64";
        let of = |value: Option<&str>| {
            metadata(&Response::new(), &about(Detail::from_env(value)))
                .get(key)
                .map(ToString::to_string)
        };
        assert_eq!(of(None).as_deref(), Some("{}"));
        assert_eq!(of(Some("max")).as_deref(), Some(r#"{"metadata":1}"#));
        assert_eq!(of(Some("disabled")), None);
    }

    #[test]
    fn id_file_holds_the_config_digest_and_nothing_is_written_for_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("iid");
        fs::write(&path, "old").unwrap();
        let files =
            ResultFiles::begin(Some(Path::new("iid")), None, dir.path(), Mask(0o22)).unwrap();
        assert!(!path.exists());
        assert!(!files.wants_metadata());
        files.write(&Response::new(), &Value::Null).unwrap();
        assert!(!path.exists());
        let both = response(&[(IMAGE_DIGEST, "sha256:i"), (CONFIG_DIGEST, "sha256:c")]);
        files.write(&both, &Value::Null).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "sha256:c");
        let image = response(&[(IMAGE_DIGEST, "sha256:i")]);
        files.write(&image, &Value::Null).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "sha256:i");
        assert_eq!(
            fs::read_dir(dir.path()).unwrap().count(),
            1,
            "no drafts stay"
        );
    }

    #[test]
    fn files_that_cannot_be_written_are_named_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let error = |iid: Option<&str>, metadata: Option<&str>| {
            ResultFiles::begin(
                iid.map(Path::new),
                metadata.map(Path::new),
                dir.path(),
                Mask(0o22),
            )
            .unwrap_err()
            .0
        };
        assert_eq!(
            error(Some("nope/x"), None),
            "writing image ID file: open nope/x: no such file or directory"
        );
        assert_eq!(
            error(None, Some("nope/x")),
            "invalid output path: open nope/x: no such file or directory"
        );
        assert!(error(None, Some(".")).contains("is a directory"));
        assert!(error(Some("/dev/stdout"), None).ends_with("name a file"));
    }

    #[test]
    fn exit_codes() {
        let mut error = BuildError::local("x");
        assert_eq!(exit_code(&error), 1);
        error.code = Code::Internal;
        assert_eq!(exit_code(&error), 100);
        error.code = Code::ResourceExhausted;
        assert_eq!(exit_code(&error), 102);
        error.canceled = true;
        assert_eq!(exit_code(&error), 130);
        assert_eq!(exit_code(&BuildError::canceled()), 130);
    }
}
