//! Blobs on disk, as an OCI image layout keeps them: `blobs/sha256/<hex>`.

use super::digest::Digest;
use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

use crate::paths::mask::Mask;

/// The blobs of one layout directory.
#[derive(Clone, Debug)]
pub(crate) struct Blobs(PathBuf, Mask);

impl Blobs {
    pub fn new(layout: &Path, mask: Mask) -> Blobs {
        Blobs(layout.join("blobs/sha256"), mask)
    }

    pub fn path(&self, digest: &Digest) -> PathBuf {
        self.0.join(digest.hex())
    }

    pub fn exists(&self, digest: &Digest) -> bool {
        self.path(digest).is_file()
    }

    /// Opens a blob; returns it with its size in bytes.
    pub fn open(&self, digest: &Digest) -> io::Result<(File, u64)> {
        let file = File::open(self.path(digest))?;
        let size = file.metadata()?.len();
        Ok((file, size))
    }

    /// Starts a new blob.
    pub fn draft(&self) -> io::Result<Draft> {
        self.1.make_dirs(&self.0)?;
        let file = tempfile::Builder::new()
            .prefix(".tmp-")
            .permissions(Permissions::from_mode(0o444))
            .tempfile_in(&self.0)?;
        let hash = ring::digest::Context::new(&ring::digest::SHA256);
        Ok(Draft {
            blobs: self.clone(),
            file,
            hash,
            size: 0,
        })
    }
}

/// A blob being written; it leaves nothing behind unless it is committed.
pub(crate) struct Draft {
    blobs: Blobs,
    file: NamedTempFile,
    hash: ring::digest::Context,
    size: u64,
}

impl Draft {
    /// Bytes written so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    pub fn write(&mut self, data: &[u8]) -> io::Result<()> {
        self.hash.update(data);
        self.size += data.len() as u64;
        self.file.write_all(data)
    }

    /// The digest of what was written so far.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.hash.clone().finish())
    }

    /// Gives the blob its name, safe against a loss of power: a name must never stand for other
    /// content.
    pub fn commit(self) -> io::Result<Digest> {
        let digest = self.digest();
        self.file.as_file().sync_data()?;
        let path = self.blobs.path(&digest);
        self.file.persist(path).map_err(|why| why.error)?;
        Ok(digest)
    }
}
