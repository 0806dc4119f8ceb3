//! Local sources: the engine asks for directories of this machine, file by file.
//!
//! What it wants comes as metadata of the call: which directory, what to include, what to exclude,
//! and which paths to follow. See [`walk`] for what is told, [`send`] for the transfer.

pub mod entry;
pub mod follow;
pub mod patterns;
pub mod send;
pub mod walk;

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Response, Status, Streaming};

use self::patterns::Patterns;
use self::walk::Filter;
use crate::proto::filesync::Packet;
use crate::proto::filesync::file_sync_server::{FileSync as Service, FileSyncServer};

/// One directory that the engine may ask for by name.
#[derive(Clone, Debug)]
pub struct SourceDir {
    /// `context`, `dockerfile`, or the name of a named context.
    pub name: String,
    /// Where it is.
    pub root: PathBuf,
}

/// The service.
#[derive(Clone, Debug)]
pub struct FileSync {
    directories: Arc<[(String, Arc<Path>)]>,
    unsent: Unsent,
}

/// Why this side broke a transfer off, the first time that it did. The engine repeats it, or only says that the transfer
/// was cancelled: it takes what it notices first.
#[derive(Clone, Debug, Default)]
pub struct Unsent(Arc<OnceLock<String>>);

impl Unsent {
    /// The reason; `None` when nothing was broken off.
    pub fn reason(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }

    fn note(&self, status: &Status) {
        // That one is the engine's own reason.
        if status.code() != Code::Aborted {
            let _ = self.0.set(status.message().to_owned());
        }
    }
}

impl FileSync {
    /// Serves these directories and no others.
    pub fn new(directories: Vec<SourceDir>) -> Self {
        Self {
            directories: directories
                .into_iter()
                .map(|directory| (directory.name, Arc::from(directory.root)))
                .collect(),
            unsent: Unsent::default(),
        }
    }

    /// Tells why a transfer was broken off.
    pub fn unsent(&self) -> Unsent {
        self.unsent.clone()
    }

    /// The service as it is added to the connection.
    pub fn service(&self) -> FileSyncServer<Self> {
        FileSyncServer::new(self.clone())
    }
}

type Packets = Pin<Box<dyn Stream<Item = Result<Packet, Status>> + Send>>;

#[tonic::async_trait]
impl Service for FileSync {
    type DiffCopyStream = Packets;
    type TarStreamStream = Packets;

    async fn diff_copy(
        &self,
        request: Request<Streaming<Packet>>,
    ) -> Result<Response<Packets>, Status> {
        let batches = self.transfer(request).await;
        let batches = batches.inspect_err(|status| self.unsent.note(status))?;
        let unsent = self.unsent();
        let noted = batches.map(move |batch| batch.inspect_err(|status| unsent.note(status)));
        Ok(Response::new(Box::pin(flatten(noted))))
    }

    async fn tar_stream(&self, _: Request<Streaming<Packet>>) -> Result<Response<Packets>, Status> {
        Err(Status::unimplemented("no engine asks for a tar stream"))
    }
}

impl FileSync {
    async fn transfer(
        &self,
        request: Request<Streaming<Packet>>,
    ) -> Result<ReceiverStream<send::Batch>, Status> {
        let wanted = Wanted::read(request.metadata())?;
        let root = self
            .directories
            .iter()
            .find(|(name, _)| *name == wanted.name)
            .map(|(_, root)| Arc::clone(root))
            .ok_or_else(|| Status::not_found(format!("no local source {:?}", wanted.name)))?;
        let filter_root = Arc::clone(&root);
        let filter = tokio::task::spawn_blocking(move || wanted.filter(&filter_root))
            .await
            .map_err(|error| Status::internal(error.to_string()))??;
        let batches = send::send(root, filter, request.into_inner());
        Ok(ReceiverStream::new(batches))
    }
}

/// Batches → single messages; ends after the first error.
fn flatten(
    batches: impl Stream<Item = send::Batch> + Send,
) -> impl Stream<Item = Result<Packet, Status>> + Send {
    futures_util::StreamExt::flat_map(batches, |batch| {
        let packets: Vec<Result<Packet, Status>> = match batch {
            Ok(packets) => packets.into_iter().map(Ok).collect(),
            Err(status) => vec![Err(status)],
        };
        tokio_stream::iter(packets)
    })
}

/// What a call asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted {
    name: String,
    include: Vec<String>,
    exclude: Vec<String>,
    follow: Vec<String>,
}

impl Wanted {
    fn read(metadata: &MetadataMap) -> Result<Self, Status> {
        Ok(Self {
            name: values(metadata, "dir-name")?
                .into_iter()
                .next()
                .unwrap_or_default(),
            include: values(metadata, "include-patterns")?,
            exclude: values(metadata, "exclude-patterns")?,
            follow: values(metadata, "followpaths")?,
        })
    }

    /// Compiles the patterns, and resolves the paths to follow on disk.
    fn filter(&self, root: &Path) -> Result<Filter, Status> {
        let bad = |error: patterns::PatternError| Status::invalid_argument(error.to_string());
        let mut include = self.include.clone();
        let mut everything = include.is_empty();
        if !self.follow.is_empty() {
            match follow::resolve(root, &self.follow).map_err(bad)? {
                Some(paths) => {
                    include.extend(paths);
                    everything = false;
                }
                None => everything = true,
            }
        }
        Ok(Filter {
            include: (!everything)
                .then(|| Patterns::new(&include).map_err(bad))
                .transpose()?,
            exclude: Patterns::new(&self.exclude).map_err(bad)?,
        })
    }
}

/// All values of a key. They are query-escaped when, and only when, the engine says so.
fn values(metadata: &MetadataMap, key: &str) -> Result<Vec<String>, Status> {
    let escaped = metadata
        .get(format!("{key}-encoded"))
        .is_some_and(|flag| flag == "1");
    metadata
        .get_all(key)
        .iter()
        .map(|value| {
            let bad = || Status::invalid_argument(format!("unreadable value of {key}"));
            let text = std::str::from_utf8(value.as_bytes()).map_err(|_| bad())?;
            if escaped {
                unescape(text).ok_or_else(bad)
            } else {
                Ok(text.to_owned())
            }
        })
        .collect()
}

/// Undoes Go's `url.QueryEscape`: `+` is a blank, `%XX` a byte.
fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_only_when_they_are_marked() {
        let mut metadata = MetadataMap::new();
        metadata.append("followpaths", "%C3%A4+b%2F%C3%A9%2520%2Bx".parse().unwrap());
        metadata.append("exclude-patterns", "100%+more".parse().unwrap());
        metadata.append("dir-name", "context".parse().unwrap());
        let raw = Wanted::read(&metadata).unwrap();
        assert_eq!(raw.follow, ["%C3%A4+b%2F%C3%A9%2520%2Bx"]);
        metadata.insert("followpaths-encoded", "1".parse().unwrap());
        let wanted = Wanted::read(&metadata).unwrap();
        assert_eq!(wanted.follow, ["ä b/é%20+x"]);
        assert_eq!(wanted.exclude, ["100%+more"]);
        assert_eq!(wanted.name, "context");
        metadata.insert("followpaths", "%C3".parse().unwrap());
        assert!(Wanted::read(&metadata).is_err());
    }
}
