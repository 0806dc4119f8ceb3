//! The content service: OCI layouts and local caches on this machine that the engine reads and
//! writes.

mod blobs;
pub mod digest;
pub mod layout;
#[cfg(test)]
mod tests;

use crate::paths::mask::Mask;
use crate::proto::content::content_server::{Content, ContentServer};
use crate::proto::content::{
    AbortRequest, Empty, Info, InfoRequest, InfoResponse, ReadContentRequest, ReadContentResponse,
    StatusRequest, StatusResponse, WriteAction, WriteContentRequest, WriteContentResponse,
};
use blobs::{Blobs, Draft};
use digest::Digest;
use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

/// Bytes of one message that is sent.
const CHUNK: u64 = 1 << 20;
/// Most bytes of one message that is received; BuildKit's own limit.
const LARGEST_MESSAGE: usize = 16 << 20;

/// What the engine may do with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreAccess {
    /// Contexts and cache imports.
    Read,
    /// Cache exports and layout directories as output.
    ReadWrite,
}

/// The stores of one build. Clones share them.
#[derive(Clone, Debug)]
pub struct ContentStores(Arc<BTreeMap<String, Store>>);

#[derive(Debug)]
struct Store {
    blobs: Blobs,
    access: StoreAccess,
}

impl ContentStores {
    /// Stores by the id that the engine asks with: `oci:<name>` for the context
    /// `oci-layout://<name>`, `export` for a layout directory as output, `local:<directory>` for a
    /// local cache with the directory as in the request. The directory of a store that is only read
    /// must exist by the time it is read; one that is written is made.
    ///
    /// `mask` is for new directories.
    ///
    /// One id given twice (a cache that is imported and exported) gets both directions.
    pub fn new(stores: Vec<(String, PathBuf, StoreAccess)>, mask: Mask) -> Self {
        let mut all = BTreeMap::<String, Store>::new();
        for (id, dir, access) in stores {
            let store = all.entry(id).or_insert(Store {
                blobs: Blobs::new(&dir, mask),
                access,
            });
            if access == StoreAccess::ReadWrite {
                store.access = access;
            }
        }
        ContentStores(Arc::new(all))
    }

    /// The service for the connection that the engine calls back on.
    pub fn service(&self) -> ContentServer<ContentStores> {
        ContentServer::new(self.clone()).max_decoding_message_size(LARGEST_MESSAGE)
    }

    fn store(&self, metadata: &MetadataMap) -> Result<&Store, Status> {
        let id = metadata
            .get("buildkit-attachable-store-id")
            .and_then(|id| id.to_str().ok());
        let id = id.ok_or_else(|| Status::invalid_argument("no content store was named"))?;
        self.0
            .get(id)
            .ok_or_else(|| Status::not_found(format!("this build has no content store {id:?}")))
    }
}

fn digest(text: &str) -> Result<Digest, Status> {
    Digest::parse(text).map_err(|why| Status::invalid_argument(why.to_string()))
}

fn read_error(digest: &Digest, why: &io::Error) -> Status {
    match why.kind() {
        io::ErrorKind::NotFound => Status::not_found(format!("{digest}: not found")),
        _ => Status::unknown(format!("cannot read {digest}: {why}")),
    }
}

#[tonic::async_trait]
impl Content for ContentStores {
    type ReadStream = ReceiverStream<Result<ReadContentResponse, Status>>;
    type WriteStream = ReceiverStream<Result<WriteContentResponse, Status>>;

    async fn info(&self, request: Request<InfoRequest>) -> Result<Response<InfoResponse>, Status> {
        let blobs = self.store(request.metadata())?.blobs.clone();
        let digest = digest(&request.get_ref().digest)?;
        let meta = tokio::fs::metadata(blobs.path(&digest)).await;
        let size = meta.map_err(|why| read_error(&digest, &why))?.len();
        let info = Info {
            digest: digest.to_string(),
            size: signed(size),
            ..Info::default()
        };
        Ok(Response::new(InfoResponse { info: Some(info) }))
    }

    async fn read(
        &self,
        request: Request<ReadContentRequest>,
    ) -> Result<Response<Self::ReadStream>, Status> {
        let blobs = self.store(request.metadata())?.blobs.clone();
        let request = request.into_inner();
        let digest = digest(&request.digest)?;
        let range = (request.offset, request.size);
        let (messages, out) = mpsc::channel(2);
        tokio::task::spawn_blocking(move || {
            if let Err(why) = send(&blobs, &digest, range, &messages) {
                let _ = messages.blocking_send(Err(why));
            }
        });
        Ok(Response::new(ReceiverStream::new(out)))
    }

    /// Nothing is resumed: what a broken `Write` left is gone.
    async fn status(
        &self,
        request: Request<StatusRequest>,
    ) -> Result<Response<StatusResponse>, Status> {
        self.store(request.metadata())?;
        Err(Status::not_found("no such unfinished blob"))
    }

    async fn write(
        &self,
        request: Request<Streaming<WriteContentRequest>>,
    ) -> Result<Response<Self::WriteStream>, Status> {
        let store = self.store(request.metadata())?;
        if store.access != StoreAccess::ReadWrite {
            return Err(Status::permission_denied("this content store is only read"));
        }
        let blobs = store.blobs.clone();
        let (replies, out) = mpsc::channel(2);
        let runtime = Handle::current();
        tokio::task::spawn_blocking(move || {
            if let Err(why) = receive(&blobs, request.into_inner(), &replies, &runtime) {
                let _ = replies.blocking_send(Err(why));
            }
        });
        Ok(Response::new(ReceiverStream::new(out)))
    }

    async fn abort(&self, request: Request<AbortRequest>) -> Result<Response<Empty>, Status> {
        self.store(request.metadata())?;
        Ok(Response::new(Empty {}))
    }
}

/// The wire counts bytes in `int64`.
fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn send(
    blobs: &Blobs,
    digest: &Digest,
    (offset, size): (i64, i64),
    messages: &mpsc::Sender<Result<ReadContentResponse, Status>>,
) -> Result<(), Status> {
    let (mut file, length) = blobs.open(digest).map_err(|why| read_error(digest, &why))?;
    let at = u64::try_from(offset).ok().filter(|at| *at <= length);
    let mut at = at.ok_or_else(|| {
        Status::out_of_range(format!("{digest} has {length} bytes, none at {offset}"))
    })?;
    let rest = length - at;
    let mut left = match u64::try_from(size) {
        Ok(0) | Err(_) => rest,
        Ok(size) => size.min(rest),
    };
    file.seek(SeekFrom::Start(at))
        .map_err(|why| read_error(digest, &why))?;
    while left > 0 {
        let want = left.min(CHUNK);
        let mut data = Vec::with_capacity(want as usize);
        (&mut file)
            .take(want)
            .read_to_end(&mut data)
            .map_err(|why| read_error(digest, &why))?;
        let got = data.len() as u64;
        if got < want {
            return Err(Status::data_loss(format!(
                "{digest} became shorter while it was read"
            )));
        }
        let message = ReadContentResponse {
            offset: signed(at),
            data: data.into(),
        };
        if messages.blocking_send(Ok(message)).is_err() {
            return Ok(());
        }
        at += got;
        left -= got;
    }
    Ok(())
}

fn receive(
    blobs: &Blobs,
    mut requests: Streaming<WriteContentRequest>,
    replies: &mpsc::Sender<Result<WriteContentResponse, Status>>,
    runtime: &Handle,
) -> Result<(), Status> {
    let disk = |why: io::Error| Status::unknown(format!("cannot write a blob: {why}"));
    let mut draft: Option<Draft> = None;
    let mut expected = String::new();
    let mut total = 0;
    while let Some(request) = runtime.block_on(requests.message())? {
        if !request.expected.is_empty() {
            let digest = digest(&request.expected)?;
            if draft.is_none() && blobs.exists(&digest) {
                return Err(Status::already_exists(format!("{digest}: already exists")));
            }
            expected = request.expected;
        }
        total = if request.total > 0 {
            request.total
        } else {
            total
        };
        let mut open = match draft.take() {
            Some(open) => open,
            None if request.r#ref.is_empty() => {
                return Err(Status::invalid_argument("the first message names no ref"));
            }
            None => blobs.draft().map_err(disk)?,
        };
        let action = WriteAction::try_from(request.action);
        if matches!(action, Ok(WriteAction::Write | WriteAction::Commit))
            && !request.data.is_empty()
        {
            if request.offset == 0 && open.size() > 0 {
                open = blobs.draft().map_err(disk)?;
            }
            if request.offset != signed(open.size()) {
                return Err(Status::out_of_range(format!(
                    "a piece at {} does not follow the {} bytes that are here",
                    request.offset,
                    open.size()
                )));
            }
            open.write(&request.data).map_err(disk)?;
        }
        let mut reply = WriteContentResponse {
            action: request.action,
            offset: signed(open.size()),
            total,
            digest: String::new(),
        };
        match action {
            Ok(WriteAction::Stat | WriteAction::Write) => draft = Some(open),
            Ok(WriteAction::Commit) => {
                reply.digest = commit(open, &expected, total)?;
            }
            Err(_) => return Err(Status::invalid_argument("an unknown action")),
        }
        let done = !reply.digest.is_empty();
        if replies.blocking_send(Ok(reply)).is_err() || done {
            return Ok(());
        }
    }
    Ok(())
}

fn commit(draft: Draft, expected: &str, total: i64) -> Result<String, Status> {
    if total > 0 && signed(draft.size()) != total {
        let size = draft.size();
        return Err(Status::failed_precondition(format!(
            "the blob has {size} bytes instead of {total}"
        )));
    }
    let digest = draft.digest();
    if !expected.is_empty() && digest.as_str() != expected {
        return Err(Status::failed_precondition(format!(
            "the blob is {digest} instead of {expected}"
        )));
    }
    match draft.commit() {
        Ok(digest) => Ok(digest.to_string()),
        Err(why) => Err(Status::unknown(format!("cannot store {digest}: {why}"))),
    }
}
