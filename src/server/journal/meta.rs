//! The small file that says what a session is.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use bytes::Bytes;

use super::Error;

const NAME: &str = "meta";

/// Replaces the description in `dir`. Whoever reads it, even after the server was killed meanwhile,
/// finds the old one or the new one.
///
/// # Errors
/// The file cannot be written; then the old one is still there.
pub fn write_meta(dir: &Path, meta: &[u8]) -> Result<(), Error> {
    let path = dir.join(NAME);
    let put = || -> io::Result<()> {
        // Mode 0600 is tempfile's default.
        let mut file = tempfile::Builder::new().prefix(".meta-").tempfile_in(dir)?;
        file.write_all(meta)?;
        file.persist(&path)?;
        Ok(())
    };
    put().map_err(|source| Error::io("write", &path, source))
}

/// The description in `dir`; `None` when none was written yet.
///
/// # Errors
/// The file cannot be read.
pub fn read_meta(dir: &Path) -> Result<Option<Bytes>, Error> {
    let path = dir.join(NAME);
    match fs::read(&path) {
        Ok(meta) => Ok(Some(meta.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::io("read", &path, source)),
    }
}
