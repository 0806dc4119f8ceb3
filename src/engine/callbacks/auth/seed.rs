//! Seeds of token authorities: 16 random bytes per registry in `.token_seed`, shared with Docker's
//! own tools so that all of them own the same keys.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

const FILE: &str = ".token_seed";
const LOCK: &str = ".token_seed.lock";

/// Bytes of a seed.
const LENGTH: usize = 16;

/// The seed of `host`, made when there is none. Blocks on the file's lock.
///
/// # Errors
/// The directory cannot be written and holds no seed.
pub fn of_host(directory: &Path, host: &str) -> io::Result<Vec<u8>> {
    std::fs::create_dir_all(directory)?;
    let lock: File = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(directory.join(LOCK))?;
    lock.lock()?;
    let path = directory.join(FILE);
    // A file that cannot be read is made anew: the seeds protect nothing that lasts.
    let mut all: BTreeMap<String, Value> = std::fs::read(&path)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    let known = all
        .get(host)
        .and_then(|entry| entry.get("Seed")?.as_str())
        .and_then(|text| STANDARD.decode(text).ok())
        .filter(|seed| !seed.is_empty());
    if let Some(seed) = known {
        return Ok(seed);
    }
    let mut seed = vec![0; LENGTH];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut seed)
        .map_err(|_| io::Error::other("the system gave no random numbers"))?;
    all.insert(host.to_owned(), json!({"Seed": STANDARD.encode(&seed)}));
    let mut file = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(directory)?;
    file.write_all(&serde_json::to_vec(&all)?)?;
    file.persist(&path)?;
    Ok(seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_made_once_and_kept_private() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("new");
        let seed = of_host(&home, "a").unwrap();
        assert_eq!(seed.len(), LENGTH);
        assert_eq!(of_host(&home, "a").unwrap(), seed);
        assert_ne!(of_host(&home, "b").unwrap(), seed);
        assert_eq!(of_host(&home, "a").unwrap(), seed);
        let mode = std::fs::metadata(home.join(FILE))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
