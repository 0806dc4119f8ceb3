//! A byte stream of any kind, and the client's side of HTTP/2 over one. One type for all of them: each other one would
//! be one more copy of HTTP/2 in the program.

use std::io;
use std::sync::Mutex;

use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::transport::{Channel, Endpoint, Error, Uri};
use tower::service_fn;

/// Anything that carries bytes both ways.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// A stream, whatever it is made of.
pub type BoxIo = Box<dyn Io>;

/// HTTP/2 over one stream, as `endpoint` sets it up. The stream is not opened again when it breaks: then calls say that
/// the connection to `whom` was lost.
///
/// # Errors
/// The other side does not speak HTTP/2.
pub async fn channel(io: BoxIo, endpoint: Endpoint, whom: &'static str) -> Result<Channel, Error> {
    let once = Mutex::new(Some(TokioIo::new(io)));
    let connector = service_fn(move |_: Uri| {
        let io = once.lock().ok().and_then(|mut io| io.take());
        async move {
            io.ok_or_else(|| io::Error::other(format!("the connection to the {whom} was lost")))
        }
    });
    endpoint.connect_with_connector(connector).await
}
