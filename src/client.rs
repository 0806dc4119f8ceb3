//! The client's side of the server.
//!
//! [`follow`] shows a build as the server tells it; [`caller`] collects what belongs to the user who
//! asks; [`pipes`] carries standard input and output of a build; [`status`] puts refusals into words.

use tonic::transport::Channel;

use crate::proto::controller::controller_client::ControllerClient;

pub mod caller;
pub mod follow;
pub mod logs;
pub mod pipes;
pub mod signals;
pub mod status;

/// The typed handle on the server.
pub type Api = ControllerClient<Channel>;

use crate::proto::controller::{InfoRequest, InfoResponse};
use crate::server::service::Service;
use crate::server::{Server, Settings};
use std::sync::Arc;
use std::time::Duration;
/// stand-in
#[derive(Debug)]
pub struct Client {
    pub api: Api,
    pub info: InfoResponse,
    server: Option<Arc<Server>>,
    _dir: tempfile::TempDir,
}
impl Client {
    pub async fn close(&self) {
        if let Some(server) = &self.server {
            server.leave("the command has ended").await;
        }
    }
}
/// stand-in
pub async fn in_process_server() -> Result<Client, String> {
    let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
    let server = Server::new(Settings {
        sessions: dir.path().join("sessions"),
        root: Default::default(),
        log: Default::default(),
        disk_budget: 2 << 30,
        keep: Duration::from_secs(600),
        scrollback: 2000,
        in_process: true,
    })
    .map_err(|e| e.to_string())?;
    let (ours, theirs) = tokio::io::duplex(256 << 10);
    let service = Service::of(&server);
    tokio::spawn(
        tonic::transport::Server::builder()
            .add_service(service)
            .serve_with_incoming(tokio_stream::once(Ok::<_, std::io::Error>(theirs))),
    );
    let mut ours = Some(ours);
    let channel = tonic::transport::Endpoint::from_static("http://localhost")
        .connect_with_connector(tower::service_fn(move |_: http::Uri| {
            let stream = ours.take().ok_or_else(|| std::io::Error::other("gone"));
            async move { stream.map(hyper_util::rt::TokioIo::new) }
        }))
        .await
        .map_err(|e| e.to_string())?;
    let mut api = Api::new(channel).max_decoding_message_size(4 << 20);
    let info = api
        .info(InfoRequest {})
        .await
        .map_err(|e| e.to_string())?
        .into_inner();
    Ok(Client {
        api,
        info,
        server: Some(server),
        _dir: dir,
    })
}
