//! The buildx store on disk, in the format of Docker's buildx, which may use it at the same time.
//!
//! Every transaction holds the store's `.lock`. Files are replaced whole (written beside, then
//! renamed), and only the files named by a method are written.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};

use crate::paths::lock;

/// How long another program may hold the store. Transactions are short, so this is generous.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// Largest file of the store that is read, in bytes.
const FILE_LIMIT: u64 = 4 << 20;

/// Why the store cannot be used. Names the file.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file or directory cannot be read or written.
    #[error("builder store: {}: {source}", .path.display())]
    Io {
        /// The file at fault.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file holds something else than it should.
    #[error("builder store: {} is damaged ({reason}): repair or remove it", .path.display())]
    Damaged {
        /// The file at fault.
        path: PathBuf,
        /// What the parser said.
        reason: String,
    },
    /// Another program holds the lock.
    #[error("builder store: {} has been locked by another program for {} s", .path.display(), LOCK_WAIT.as_secs())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// No builder may have this name.
    #[error("{0:?} is no builder name: letters, digits, '.', '-' and '_' only, a letter first")]
    Name(String),
}

/// A builder as `buildx create` wrote it. Fields that are not listed are left alone.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Instance {
    /// Name as the user typed it; file names are in lower case.
    pub name: String,
    /// `docker-container`, `remote`, …
    #[serde(default)]
    pub driver: String,
    /// The engines of the builder.
    #[serde(default, deserialize_with = "nullable")]
    pub nodes: Vec<NodeConfig>,
}

/// One engine of a builder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct NodeConfig {
    /// `<builder>0`, `<builder>1`, … unless the user chose a name.
    pub name: String,
    /// A docker context, a docker host, or (driver `remote`) the engine's URL.
    #[serde(default)]
    pub endpoint: String,
    /// Platforms that the user fixed.
    #[serde(default, deserialize_with = "nullable")]
    pub platforms: Vec<Platform>,
    /// `--driver-opt`.
    #[serde(default, deserialize_with = "nullable")]
    pub driver_opts: BTreeMap<String, String>,
    /// `--buildkitd-flags`.
    #[serde(default, deserialize_with = "nullable")]
    pub flags: Vec<String>,
    /// Files for the engine's configuration directory, by name.
    #[serde(default, deserialize_with = "files")]
    pub files: BTreeMap<String, Vec<u8>>,
}

/// A platform that the user fixed for a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Platform {
    /// `linux`, …
    #[serde(default)]
    pub os: String,
    /// `amd64`, …
    #[serde(default)]
    pub architecture: String,
    /// `v7`, … or empty.
    #[serde(default)]
    pub variant: String,
}

/// Go writes empty lists and maps as `null`.
fn nullable<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'de>,
    D: Deserializer<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

fn files<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, Vec<u8>>, D::Error> {
    Option::<BTreeMap<String, String>>::deserialize(deserializer)?
        .unwrap_or_default()
        .into_iter()
        .map(|(name, data)| Ok((name, STANDARD.decode(data).map_err(D::Error::custom)?)))
        .collect()
}

/// What `current` holds: the builder chosen by `buildx use`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Current {
    /// The docker endpoint for which the choice was made.
    key: String,
    name: String,
    /// Whether the choice holds for every endpoint.
    global: bool,
}

/// What a build leaves behind, so that its history can name the sources.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct LocalState {
    /// `--target`; empty for the default.
    pub target: String,
    /// The context directory, or URL, or `-`.
    pub local_path: String,
    /// `--file`; empty for the default.
    pub dockerfile_path: String,
}

/// The buildx store in one directory.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
}

impl Store {
    /// The store in `dir` ([`crate::paths::Paths::buildx_config`]), which need not exist.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// Name of the builder chosen by `buildx use` for a docker endpoint (a context's name, or a host
    /// URL); `None` when none was chosen.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn current(&self, endpoint: &str) -> Result<Option<String>, StoreError> {
        let Some(_lock) = self.lock_to_read()? else {
            return Ok(None);
        };
        let current: Current = self.json("current")?.unwrap_or_default();
        if !current.name.is_empty() && (current.global || current.key == endpoint) {
            return Ok(Some(current.name));
        }
        let default = self.read(&format!("defaults/{}", endpoint_hash(endpoint)))?;
        Ok(default
            .map(|name| String::from_utf8_lossy(&name).trim().to_owned())
            .filter(|name| !name.is_empty()))
    }

    /// The builder of this name, if there is one.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn instance(&self, name: &str) -> Result<Option<Instance>, StoreError> {
        check_name(name)?;
        let Some(_lock) = self.lock_to_read()? else {
            return Ok(None);
        };
        self.json(&format!("instances/{}", name.to_lowercase()))
    }

    /// Names of all builders, in order.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn names(&self) -> Result<Vec<String>, StoreError> {
        let path = self.dir.join("instances");
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(StoreError::Io { path, source }),
        };
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| check_name(name).is_ok())
            .collect();
        names.sort();
        Ok(names)
    }

    /// The 16 hexadecimal digits that tell this machine and user from others; made once. They salt
    /// the keys under which an engine keeps transferred files.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn node_id(&self) -> Result<String, StoreError> {
        const NAME: &str = ".buildNodeID";
        let read = || -> Result<Option<String>, StoreError> {
            Ok(self
                .read(NAME)?
                .and_then(|id| String::from_utf8(id).ok())
                .map(|id| id.trim().to_owned())
                .filter(|id| !id.is_empty()))
        };
        if let Some(id) = read()? {
            return Ok(id);
        }
        let _lock = self.lock_to_write()?;
        if let Some(id) = read()? {
            return Ok(id);
        }
        let mut random = [0; 8];
        SystemRandom::new()
            .fill(&mut random)
            .map_err(|_| self.io(NAME, io::Error::other("no random numbers")))?;
        let id = hex(&random);
        self.write(NAME, id.as_bytes())?;
        Ok(id)
    }

    /// Notes that `builder` was used at `at`.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn record_activity(&self, builder: &str, at: SystemTime) -> Result<(), StoreError> {
        check_name(builder)?;
        let _lock = self.lock_to_write()?;
        let time = humantime::format_rfc3339_seconds(at).to_string();
        self.write(&format!("activity/{builder}"), time.as_bytes())
    }

    /// Notes the sources of the build `reference`.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn save_ref(
        &self,
        builder: &str,
        node: &str,
        reference: &str,
        state: &LocalState,
    ) -> Result<(), StoreError> {
        check_name(builder)?;
        check_name(node)?;
        let name = format!("refs/{builder}/{node}/{reference}");
        if reference.is_empty() || !reference.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(self.io(&name, io::ErrorKind::InvalidInput.into()));
        }
        let _lock = self.lock_to_write()?;
        let json = serde_json::to_vec(state).map_err(|error| self.io(&name, error.into()))?;
        self.write(&name, &json)
    }

    fn io(&self, name: &str, source: io::Error) -> StoreError {
        StoreError::Io {
            path: self.dir.join(name),
            source,
        }
    }

    /// `None`: there is no store yet. A store that may only be read is read without its lock.
    fn lock_to_read(&self) -> Result<Option<Option<File>>, StoreError> {
        if !self.dir.is_dir() {
            return Ok(None);
        }
        match self.lock() {
            Err(StoreError::Io { source, .. })
                if matches!(
                    source.kind(),
                    io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
                ) =>
            {
                Ok(Some(None))
            }
            other => other.map(|file| Some(Some(file))),
        }
    }

    fn lock_to_write(&self) -> Result<File, StoreError> {
        self.make_dir(&self.dir)?;
        self.lock()
    }

    fn lock(&self) -> Result<File, StoreError> {
        let path = self.dir.join(".lock");
        lock::exclusive(&path, LOCK_WAIT).map_err(|source| match source.kind() {
            io::ErrorKind::TimedOut => StoreError::Locked { path },
            _ => StoreError::Io { path, source },
        })
    }

    fn json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        let Some(data) = self.read(name)? else {
            return Ok(None);
        };
        serde_json::from_slice(&data)
            .map(Some)
            .map_err(|error| StoreError::Damaged {
                path: self.dir.join(name),
                reason: error.to_string(),
            })
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.dir.join(name);
        match fs::metadata(&path) {
            Ok(data) if data.len() > FILE_LIMIT => Err(StoreError::Damaged {
                path,
                reason: format!("{} bytes are too many", data.len()),
            }),
            Ok(_) => fs::read(&path).map(Some).map_err(|e| self.io(name, e)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::Io { path, source }),
        }
    }

    fn write(&self, name: &str, data: &[u8]) -> Result<(), StoreError> {
        let path = self.dir.join(name);
        let parent = path.parent().unwrap_or(&self.dir);
        self.make_dir(parent)?;
        let put = || -> io::Result<()> {
            // Mode 0600 is tempfile's default.
            let mut file = tempfile::Builder::new()
                .prefix(".tmp-")
                .tempfile_in(parent)?;
            file.write_all(data)?;
            inherit_owner(parent, file.path())?;
            file.persist(&path)?;
            Ok(())
        };
        put().map_err(|source| StoreError::Io {
            path: path.clone(),
            source,
        })
    }

    fn make_dir(&self, dir: &Path) -> Result<(), StoreError> {
        if dir.is_dir() {
            return Ok(());
        }
        let make = || -> io::Result<()> {
            if let Some(parent) = dir.parent()
                && !parent.is_dir()
            {
                self.make_dir(parent).map_err(io::Error::other)?;
            }
            match DirBuilder::new().mode(0o700).create(dir) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
                other => other?,
            }
            match dir.parent() {
                Some(parent) => inherit_owner(parent, dir),
                None => Ok(()),
            }
        };
        make().map_err(|source| StoreError::Io {
            path: dir.to_owned(),
            source,
        })
    }
}

/// Under `sudo` the store of a user must not fill with root's files.
fn inherit_owner(parent: &Path, path: &Path) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let owner = fs::metadata(parent)?;
    std::os::unix::fs::chown(path, Some(owner.uid()), Some(owner.gid()))
}

/// Builder and node names become file names, so everything that could lead elsewhere is refused.
fn check_name(name: &str) -> Result<(), StoreError> {
    let valid = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    if valid {
        Ok(())
    } else {
        Err(StoreError::Name(name.to_owned()))
    }
}

fn endpoint_hash(endpoint: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, endpoint.as_bytes());
    let mut hash = hex(digest.as_ref());
    hash.truncate(20);
    hash
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests;
