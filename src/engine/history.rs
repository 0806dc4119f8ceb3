//! What an engine keeps of a finished build: its provenance.

use std::collections::BTreeMap;

use serde_json::Value;
use tonic::{Code, Status};

use super::channel::MESSAGE;
use super::control::Engine;
use crate::proto::content::ReadContentRequest;
use crate::proto::content::content_client::ContentClient;
use crate::proto::control::{BuildResultInfo, Descriptor};

/// Annotation of an attestation that says what kind of statement it is.
const PREDICATE: &str = "in-toto.io/predicate-type";

/// Largest provenance that is read, in bytes.
const LARGEST: usize = 64 << 20;

/// The provenance of the build `reference` by platform; the platform is empty when there is one only.
///
/// # Errors
/// `Unimplemented` on engines without history.
pub async fn provenance(engine: &Engine, reference: &str) -> Result<Vec<(String, Value)>, Status> {
    let Some(record) = engine.history(reference).await?.and_then(|e| e.record) else {
        return Ok(Vec::new());
    };
    let mut results: BTreeMap<String, BuildResultInfo> = record.results.into_iter().collect();
    if let Some(result) = record.result {
        results.entry(String::new()).or_insert(result);
    }
    let alone = results.len() == 1;
    let mut found = Vec::new();
    for (platform, result) in results {
        let platform = if alone { String::new() } else { platform };
        let statements = result.attestations.iter().filter(|descriptor| {
            descriptor
                .annotations
                .get(PREDICATE)
                .is_some_and(|kind| kind.starts_with("https://slsa.dev/provenance/"))
        });
        for descriptor in statements {
            let bytes = read(engine, descriptor).await?;
            let Ok(mut statement) = serde_json::from_slice::<Value>(&bytes) else {
                continue;
            };
            // Engines keep the bare predicate; the format allows a whole statement around it.
            let predicate = statement.get_mut("predicate").map(Value::take);
            found.push((platform.clone(), predicate.unwrap_or(statement)));
        }
    }
    Ok(found)
}

/// A blob of the history, from the engine's own content store.
async fn read(engine: &Engine, descriptor: &Descriptor) -> Result<Vec<u8>, Status> {
    let mut client = ContentClient::new(engine.channel()).max_decoding_message_size(MESSAGE);
    let request = ReadContentRequest {
        digest: descriptor.digest.clone(),
        ..Default::default()
    };
    let mut stream = client.read(request).await?.into_inner();
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.message().await? {
        bytes.extend_from_slice(&chunk.data);
        if bytes.len() > LARGEST {
            return Err(Status::new(
                Code::ResourceExhausted,
                "the provenance is too large",
            ));
        }
    }
    Ok(bytes)
}
