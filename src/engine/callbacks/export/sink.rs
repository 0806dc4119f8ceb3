//! Where a byte stream (exporters `tar`, `oci`, `docker`) ends up.

use bytes::Bytes;
use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::path::{Path, PathBuf};
use tempfile::{NamedTempFile, TempPath};
use tokio::sync::mpsc;

use crate::paths::mask::Mask;

/// An open byte sink. Dropping it without [`ByteSink::complete`] leaves a file sink's destination
/// as it was.
pub(crate) enum ByteSink {
    File(NamedTempFile, PathBuf),
    /// A pipe, a device, a terminal: what was written cannot be taken back.
    Device(File),
    Stream(mpsc::Sender<io::Result<Bytes>>),
}

impl ByteSink {
    /// A file that is put in place only when it is complete. A symlink is followed; what is there
    /// and is no regular file (`/dev/null`, a fifo) is written to directly.
    ///
    /// # Errors
    /// The directory of `path` is missing or not writable, or `path` is a directory.
    pub fn file(path: &Path, mask: Mask) -> io::Result<ByteSink> {
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let mut mode = None;
        match std::fs::metadata(&path) {
            Ok(there) if there.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(there) if !there.is_file() => {
                let file = File::options().write(true).open(&path)?;
                return Ok(ByteSink::Device(file));
            }
            Ok(there) => mode = Some(there.permissions()),
            Err(_) => {}
        }
        let dir = match path.parent() {
            Some(dir) if dir != Path::new("") => dir,
            _ => Path::new("."),
        };
        let temp = tempfile::Builder::new().prefix(".tmp-").tempfile_in(dir)?;
        match mode {
            Some(mode) => temp.as_file().set_permissions(mode)?,
            None => mask.apply(temp.as_file(), 0o666)?,
        }
        Ok(ByteSink::File(temp, path))
    }

    /// Writes all chunks in as few calls as possible. Blocks.
    pub fn write(&mut self, chunks: Vec<Bytes>) -> io::Result<()> {
        match self {
            ByteSink::File(file, _) => write_all(file.as_file_mut(), &chunks),
            ByteSink::Device(writer) => write_all(writer, &chunks),
            ByteSink::Stream(stream) => {
                for chunk in chunks {
                    stream
                        .blocking_send(Ok(chunk))
                        .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
                }
                Ok(())
            }
        }
    }

    /// The stream broke: tells a reader that can be told.
    pub fn broke(self) {
        if let ByteSink::Stream(stream) = self {
            let why = "the engine's output broke off before its end";
            let _ = stream.blocking_send(Err(io::Error::new(io::ErrorKind::UnexpectedEof, why)));
        }
    }

    /// The stream came to its end. A file is handed over, to be put in place when the whole build
    /// succeeded.
    pub fn complete(self) -> io::Result<Option<Staged>> {
        match self {
            ByteSink::File(file, path) => Ok(Some(Staged {
                temp: file.into_temp_path(),
                path,
            })),
            ByteSink::Device(mut writer) => writer.flush().map(|()| None),
            ByteSink::Stream(_) => Ok(None),
        }
    }
}

/// A complete file beside its destination; removed when dropped.
pub(crate) struct Staged {
    temp: TempPath,
    path: PathBuf,
}

impl Staged {
    pub fn place(self) -> io::Result<()> {
        let path = self.path;
        self.temp.persist(&path).map_err(|why| {
            io::Error::new(
                why.error.kind(),
                format!("cannot put {path:?} in place: {}", why.error),
            )
        })
    }
}

fn write_all(to: &mut File, chunks: &[Bytes]) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = chunks.iter().map(|chunk| IoSlice::new(chunk)).collect();
    let mut rest = slices.as_mut_slice();
    IoSlice::advance_slices(&mut rest, 0);
    while !rest.is_empty() {
        match to.write_vectored(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => IoSlice::advance_slices(&mut rest, n),
            Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
            Err(why) => return Err(why),
        }
    }
    Ok(())
}
