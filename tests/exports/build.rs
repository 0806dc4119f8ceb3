//! A build of a Dockerfile with a tree beside it, its context an upload, with any exporters.

use std::collections::{BTreeMap, HashMap};
use std::io::Cursor;
use std::path::Path;
use std::sync::{Arc, Mutex};

use buildx::engine::callbacks::content::{ContentStores, StoreAccess};
use buildx::engine::callbacks::export::{ExportSink, Exports};
use buildx::engine::callbacks::upload::Uploads;
use buildx::engine::callbacks::{Announcement, Connection};
use buildx::engine::control::Engine;
use buildx::paths::mask::Mask;
use buildx::proto::control::{CacheOptions, Exporter, SolveRequest};
use tonic::Status;

use crate::support::engine::{engine, graphdriver};

/// A Dockerfile for a context with a tree.
pub(super) const COPY: &str = "FROM scratch\nCOPY tree /\n";

/// A build of a Dockerfile with a tree beside it.
#[derive(Default)]
pub(super) struct Build {
    pub(super) context: Vec<u8>,
    pub(super) exporters: Vec<Exporter>,
    pub(super) sinks: Vec<(usize, ExportSink)>,
    pub(super) stores: Vec<(String, std::path::PathBuf, StoreAccess)>,
    pub(super) cache: CacheOptions,
    pub(super) attrs: Vec<(String, String)>,
    pub(super) old_store: bool,
}

pub(super) struct Done {
    pub(super) response: HashMap<String, String>,
    /// Name of each vertex, and whether it came from the cache.
    pub(super) vertices: BTreeMap<String, bool>,
}

pub(super) fn random_id() -> String {
    let mut random = [0; 16];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut random).unwrap();
    format!("{:032x}", u128::from_ne_bytes(random))
}

pub(super) fn map(attrs: &[(&str, &str)]) -> HashMap<String, String> {
    attrs
        .iter()
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .collect()
}

pub(super) fn exporter(kind: &str, attrs: &[(&str, &str)]) -> Exporter {
    Exporter {
        r#type: kind.into(),
        attrs: map(attrs),
    }
}

impl Build {
    pub(super) async fn run(self) -> Result<Done, Status> {
        let daemon = if self.old_store {
            graphdriver()
        } else {
            engine()
        };
        let (engine, _) = Engine::connect(&daemon.transport()).await.unwrap();
        let exports = Exports::new(self.sinks, Mask(0o22));
        let uploads = Uploads::new();
        let url = uploads.add(Cursor::new(self.context));
        let stores = ContentStores::new(self.stores, Mask(0o22));
        let routes = tonic::service::Routes::new(exports.service())
            .add_service(uploads.service())
            .add_service(stores.service());
        let announcement = Announcement {
            id: random_id(),
            shared_key: "exports-test".into(),
        };
        let _connection = Connection::open(&engine, &announcement, routes).await?;
        let mut frontend_attrs = map(&[("context", &url)]);
        frontend_attrs.extend(self.attrs);
        let first = self.exporters.first().cloned().unwrap_or_default();
        let request = SolveRequest {
            r#ref: random_id(),
            session: announcement.id.clone(),
            frontend: "dockerfile.v0".into(),
            frontend_attrs,
            exporter_deprecated: first.r#type,
            exporter_attrs_deprecated: first.attrs,
            exporters: self.exporters,
            cache: Some(self.cache),
            ..Default::default()
        };
        let vertices = Arc::new(Mutex::new(BTreeMap::new()));
        let watching = {
            let (engine, reference) = (engine.clone(), request.r#ref.clone());
            let vertices = vertices.clone();
            tokio::spawn(async move {
                let mut status = engine.status(&reference).await.unwrap();
                while let Ok(Some(batch)) = status.message().await {
                    let mut vertices = vertices.lock().unwrap();
                    for vertex in batch.vertexes {
                        *vertices.entry(vertex.name).or_insert(false) |= vertex.cached;
                    }
                }
            })
        };
        let response = match engine.solve(request).await {
            Ok(response) => response.exporter_response,
            Err(status) => {
                return Err(match exports.refusal() {
                    Some(refusal) => Status::failed_precondition(refusal),
                    None => status,
                });
            }
        };
        watching.await.unwrap();
        exports.commit().unwrap();
        let vertices = std::mem::take(&mut *vertices.lock().unwrap());
        Ok(Done { response, vertices })
    }
}

/// A context of this Dockerfile and, as `tree`, the directory.
pub(super) fn context(dockerfile: &str, tree: Option<&Path>) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    tar.follow_symlinks(false);
    let mut header = tar::Header::new_gnu();
    header.set_size(dockerfile.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, "Dockerfile", dockerfile.as_bytes())
        .unwrap();
    if let Some(tree) = tree {
        tar.append_dir_all("tree", tree).unwrap();
    }
    tar.into_inner().unwrap()
}
