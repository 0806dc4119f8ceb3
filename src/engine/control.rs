//! The control API of one engine over one connection.

use std::net::IpAddr;
use std::time::Duration;

use tonic::transport::Channel;
use tonic::{Request, Response, Status, Streaming};

use super::address::Transport;
use super::channel::{self, CONNECT_DEADLINE, ConnectError, MESSAGE};
use super::errors::text;
use crate::proto::control::control_client::ControlClient;
use crate::proto::control::types::WorkerRecord;
use crate::proto::control::{
    BuildHistoryEvent, BuildHistoryRequest, DiskUsageRequest, InfoRequest, ListWorkersRequest,
    PruneRequest, SolveRequest, SolveResponse, StatusRequest, StatusResponse, UsageRecord,
};
use crate::proto::pb;

/// Label of dockerd's worker that holds the address behind `host-gateway`.
const HOST_GATEWAY: &str = "org.mobyproject.buildkit.worker.moby.host-gateway-ip";
/// Label that a worker has when it uses containerd's snapshotters.
const SNAPSHOTTER: &str = "org.mobyproject.buildkit.worker.snapshotter";

/// A connected engine.
#[derive(Clone, Debug)]
pub struct Engine {
    transport: Transport,
    channel: Channel,
}

impl Engine {
    /// Connects to the engine and waits until it answers a call.
    ///
    /// # Errors
    /// [`ConnectError`]: nothing dialled, or no BuildKit answered within [`CONNECT_DEADLINE`].
    pub async fn connect(transport: &Transport) -> Result<(Self, Workers), ConnectError> {
        let silent = || ConnectError::Silent {
            address: transport.address().to_string(),
            after: CONNECT_DEADLINE,
        };
        let connect = async {
            let engine = Self {
                channel: channel::connect(transport).await?,
                transport: transport.clone(),
            };
            let workers = engine
                .list_workers()
                .await
                .map_err(|status| ConnectError::Protocol {
                    address: transport.address().to_string(),
                    reason: text(&status),
                })?;
            Ok((engine, workers))
        };
        tokio::time::timeout(CONNECT_DEADLINE, connect)
            .await
            .unwrap_or_else(|_| Err(silent()))
    }

    /// How the engine was reached.
    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    /// The connection, for services beside the control API.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// The raw client of the control service.
    pub fn control(&self) -> ControlClient<Channel> {
        ControlClient::new(self.channel.clone()).max_decoding_message_size(MESSAGE)
    }

    /// Runs a build; the call lasts as long as the build does.
    ///
    /// # Errors
    /// The engine's status, with typed details for [`super::errors::decode`].
    pub async fn solve(&self, request: SolveRequest) -> Result<SolveResponse, Status> {
        self.control()
            .solve(request)
            .await
            .map(Response::into_inner)
    }

    /// Everything that happened and happens in the build `reference`, from its start to its end.
    ///
    /// # Errors
    /// `NotFound` (after 3 to 6 s) when there is no such build.
    pub async fn status(&self, reference: &str) -> Result<Streaming<StatusResponse>, Status> {
        Ok(self.status_and_clock(reference).await?.0)
    }

    /// As [`Engine::status`], with what the engine's clock showed when it answered: RFC 3339, from the
    /// header `buildkit-current-timestamp`; old engines do not send it.
    ///
    /// # Errors
    /// As [`Engine::status`].
    pub async fn status_and_clock(
        &self,
        reference: &str,
    ) -> Result<(Streaming<StatusResponse>, Option<String>), Status> {
        let request = StatusRequest {
            r#ref: reference.to_owned(),
        };
        let response = self.control().status(request).await?;
        let clock = response.metadata().get("buildkit-current-timestamp");
        let clock = clock.and_then(|value| value.to_str().ok());
        let clock = clock.map(str::to_owned);
        Ok((response.into_inner(), clock))
    }

    /// The engine's version text; distribution builds answer `v0.0.0+unknown`, so never decide on it.
    ///
    /// # Errors
    /// `Unimplemented` on engines before 0.11.
    pub async fn version(&self) -> Result<String, Status> {
        let info = self.control().info(InfoRequest {}).await?.into_inner();
        Ok(info
            .buildkit_version
            .map(|version| version.version)
            .unwrap_or_default())
    }

    /// The engine's workers.
    ///
    /// # Errors
    /// The engine's status.
    pub async fn list_workers(&self) -> Result<Workers, Status> {
        let request = ListWorkersRequest { filter: Vec::new() };
        let response = self.control().list_workers(request).await?.into_inner();
        Ok(Workers(response.record))
    }

    /// The records of the build cache that match `filter` (containerd's filter syntax).
    ///
    /// # Errors
    /// The engine's status.
    pub async fn disk_usage(&self, filter: Vec<String>) -> Result<Vec<UsageRecord>, Status> {
        let request = DiskUsageRequest {
            filter,
            ..Default::default()
        };
        Ok(self
            .control()
            .disk_usage(request)
            .await?
            .into_inner()
            .record)
    }

    /// Frees build cache; yields each record that was freed. Refs of open builds survive.
    ///
    /// # Errors
    /// The engine's status.
    pub async fn prune(&self, request: PruneRequest) -> Result<Streaming<UsageRecord>, Status> {
        self.control()
            .prune(request)
            .await
            .map(Response::into_inner)
    }

    /// The history record of one finished build.
    ///
    /// # Errors
    /// The engine's status; `Unimplemented` on engines before 0.11.
    pub async fn history(&self, reference: &str) -> Result<Option<BuildHistoryEvent>, Status> {
        let mut request = Request::new(BuildHistoryRequest {
            r#ref: reference.to_owned(),
            early_exit: true,
            ..Default::default()
        });
        request.set_timeout(Duration::from_secs(20));
        let mut events = self
            .control()
            .listen_build_history(request)
            .await?
            .into_inner();
        // Old engines ignore the filter and send every record.
        while let Some(event) = events.message().await? {
            if event.record.as_ref().is_some_and(|r| r.r#ref == reference) {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }
}

/// `os/architecture[/variant]`, without parts that are empty.
pub fn platform_name(platform: &pb::Platform) -> String {
    let parts = [&platform.os, &platform.architecture, &platform.variant];
    let parts = parts.map(String::as_str).into_iter();
    parts
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("/")
}

/// What the engine's workers say about themselves.
#[derive(Clone, Debug, Default)]
pub struct Workers(pub Vec<WorkerRecord>);

impl Workers {
    /// Platforms of the first worker, which runs the builds: `os/architecture[/variant]`.
    pub fn platforms(&self) -> Vec<String> {
        let Some(worker) = self.0.first() else {
            return Vec::new();
        };
        worker.platforms.iter().map(platform_name).collect()
    }

    /// The address that `host-gateway` stands for in `--add-host`, on dockerd with a bridge.
    pub fn host_gateway_ip(&self) -> Option<IpAddr> {
        // Without a bridge dockerd writes "<nil>".
        self.label(HOST_GATEWAY)?.parse().ok()
    }

    /// Whether images live in containerd's store: all exporters, caches and several platforms.
    /// Only dockerd has workers without one.
    pub fn containerd_store(&self) -> bool {
        self.label(SNAPSHOTTER).is_some()
    }

    fn label(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find_map(|worker| worker.labels.get(name))
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }
}
