//! `Upload`: what the user pipes into the build (a tar or a Dockerfile on stdin), pulled by the
//! engine as if from a web server.

use bollard_buildkit_proto::moby::upload::v1::BytesMessage;
use bollard_buildkit_proto::moby::upload::v1::upload_server::{Upload, UploadServer};
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// Bytes of one message; BuildKit's limit is 3 MiB.
const CHUNK: usize = 1 << 20;
/// The host name that an engine takes for the client of the build.
const HOST: &str = "buildkit-session";

type Reader = Box<dyn Read + Send>;

/// The readers that a build offers to the engine. Clones share them.
#[derive(Clone, Default)]
pub struct Uploads(Arc<Mutex<HashMap<String, Reader>>>);

impl Uploads {
    /// No readers yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Offers `reader`, which may block, and returns the URL to name it by in the request. It can
    /// be pulled once.
    pub fn add(&self, reader: impl Read + Send + 'static) -> String {
        // Nobody but the engine of this build can ask, so the name has to be unique, not secret:
        // engines key their download cache by it. The keys of std's hasher are random.
        let id = format!("{:016x}{:016x}", random(), random());
        self.readers().insert(id.clone(), Box::new(reader));
        format!("http://{HOST}/{id}")
    }

    /// The service for the connection that the engine calls back on.
    pub fn service(&self) -> UploadServer<Uploads> {
        UploadServer::new(self.clone())
    }

    fn readers(&self) -> std::sync::MutexGuard<'_, HashMap<String, Reader>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Uploads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Uploads")
            .field("open", &self.readers().len())
            .finish()
    }
}

#[tonic::async_trait]
impl Upload for Uploads {
    type PullStream = ReceiverStream<Result<BytesMessage, Status>>;

    async fn pull(
        &self,
        request: Request<Streaming<BytesMessage>>,
    ) -> Result<Response<Self::PullStream>, Status> {
        let path = request
            .metadata()
            .get("urlpath")
            .and_then(|path| path.to_str().ok());
        let id = path
            .map(|path| path.trim_start_matches('/'))
            .unwrap_or_default();
        let reader = self.readers().remove(id);
        let reader = reader.ok_or_else(|| {
            Status::not_found("no such upload: it is read once, and not by another build")
        })?;
        // Two full messages wait, one is being filled.
        let (messages, out) = mpsc::channel(2);
        tokio::task::spawn_blocking(move || send(reader, &messages));
        Ok(Response::new(ReceiverStream::new(out)))
    }
}

fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn send(mut reader: Reader, messages: &mpsc::Sender<Result<BytesMessage, Status>>) {
    loop {
        let mut data = Vec::new();
        let message = match (&mut reader).take(CHUNK as u64).read_to_end(&mut data) {
            Ok(0) => return,
            Ok(_) => Ok(BytesMessage { data }),
            Err(why) => Err(Status::aborted(format!(
                "cannot read what is to be uploaded: {why}"
            ))),
        };
        let failed = message.is_err();
        if messages.blocking_send(message).is_err() || failed {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pull(uploads: &Uploads, url: &str) -> Result<(Vec<u8>, usize), Status> {
        let routes = tonic::service::Routes::new(uploads.service());
        let (channel, _serving) = crate::engine::callbacks::engine(routes).await;
        let mut client =
            bollard_buildkit_proto::moby::upload::v1::upload_client::UploadClient::new(channel);
        let mut request = Request::new(tokio_stream::empty());
        let path = url.strip_prefix("http://buildkit-session").unwrap();
        request
            .metadata_mut()
            .insert("urlpath", path.parse().unwrap());
        let mut stream = client.pull(request).await?.into_inner();
        let (mut all, mut largest) = (Vec::new(), 0);
        while let Some(message) = stream.message().await? {
            largest = largest.max(message.data.len());
            all.extend(message.data);
        }
        Ok((all, largest))
    }

    #[tokio::test]
    async fn a_reader_is_pulled_once_in_bounded_messages() {
        let uploads = Uploads::new();
        let content: Vec<u8> = (0..5_000_000u32).map(|n| n as u8).collect();
        let url = uploads.add(std::io::Cursor::new(content.clone()));
        let other = uploads.add(std::io::empty());
        let (pulled, largest) = pull(&uploads, &url).await.unwrap();
        assert!(pulled == content);
        assert!(largest <= 1 << 20);
        assert_eq!(
            pull(&uploads, &url).await.unwrap_err().code(),
            tonic::Code::NotFound
        );
        assert_eq!(pull(&uploads, &other).await.unwrap().0, b"");
    }

    #[tokio::test]
    async fn a_failing_reader_fails_the_upload() {
        struct Broken(bool);
        impl Read for Broken {
            fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
                if std::mem::replace(&mut self.0, true) {
                    return Err(std::io::Error::other("the pipe is gone"));
                }
                buf[0] = b'x';
                Ok(1)
            }
        }
        let uploads = Uploads::new();
        let url = uploads.add(Broken(false));
        let error = pull(&uploads, &url).await.unwrap_err();
        assert!(error.message().contains("the pipe is gone"), "{error}");
    }
}
