//! An engine from before `Evaluate`, as far as a client can tell one from another.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use buildx::engine::address::{Address, Transport};
use buildx::engine::control::Engine;
use buildx::engine::gateway::Gateway;
use buildx::proto::gateway::StatFileResponse;
use bytes::{BufMut, Bytes};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::net::UnixListener;

type Calls = Arc<Mutex<Vec<String>>>;

/// Answers with `message` and the status `code`.
fn answer(
    message: Vec<u8>,
    code: &'static str,
) -> Response<impl hyper::body::Body<Data = Bytes, Error = Infallible>> {
    let mut data = Vec::new();
    data.put_u8(0);
    data.put_u32(u32::try_from(message.len()).unwrap());
    data.extend(message);
    let trailers = HeaderMap::from_iter([(
        http::HeaderName::from_static("grpc-status"),
        HeaderValue::from_static(code),
    )]);
    let frames = [Ok(Frame::data(data.into())), Ok(Frame::trailers(trailers))];
    Response::builder()
        .header("content-type", "application/grpc")
        .body(StreamBody::new(tokio_stream::iter(frames)))
        .unwrap()
}

async fn serve(listener: UnixListener, calls: Calls) {
    let (stream, _) = listener.accept().await.unwrap();
    let service = service_fn(move |request: Request<Incoming>| {
        let calls = Arc::clone(&calls);
        async move {
            let path = request.uri().path().to_owned();
            // The whole question is read before it is answered.
            request.into_body().collect().await.unwrap();
            let name = path.rsplit('/').next().unwrap_or_default().to_owned();
            calls.lock().unwrap().push(name.clone());
            let stat = StatFileResponse {
                stat: Some(Default::default()),
            };
            Ok::<_, Infallible>(match name.as_str() {
                "ListWorkers" => answer(Vec::new(), "0"),
                "StatFile" => answer(stat.encode_to_vec(), "0"),
                _ => answer(Vec::new(), "12"),
            })
        }
    });
    let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

#[tokio::test]
async fn steps_run_on_an_engine_that_cannot_evaluate() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("buildkit.sock");
    let calls = Calls::default();
    tokio::spawn(serve(
        UnixListener::bind(&socket).unwrap(),
        Arc::clone(&calls),
    ));
    let transport = Transport::Direct(Address::Unix(socket));
    let (engine, _) = Engine::connect(&transport).await.unwrap();
    let gateway = Gateway::new(&engine, "a-build").unwrap();
    gateway.run("a-ref").await.unwrap();
    assert_eq!(
        *calls.lock().unwrap(),
        ["ListWorkers", "Evaluate", "StatFile"]
    );
}
