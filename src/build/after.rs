//! What is left to do when the engine has answered: images on their way into docker, pushes,
//! indexes of layouts, and the facts for the metadata file.

use std::sync::Arc;

use serde_json::Value;
use tonic::Code;

use super::outputs::{After, to_push};
use super::prepare::Refusal;
use super::results::{self, Detail, Response, ResultFiles};
use super::services::{Caller, Loads};
use super::witness::Teller;
use crate::engine::address::Transport;
use crate::engine::control::Engine;
use crate::engine::docker;
use crate::engine::gateway::{Gateway, Returned};
use crate::engine::history;
use crate::engine::id::new_id;
use crate::progress::ClientEvent;
use crate::progress::trace::Trace;
use crate::proto::RpcStatus;
use crate::proto::control::SolveRequest;
use crate::term::escape;

/// A finished build.
#[derive(Debug)]
pub struct About<'a> {
    /// Where it ran.
    pub engine: &'a Engine,
    /// Whose build it was.
    pub caller: &'a Caller<'a>,
    /// Its id on the engine.
    pub reference: &'a str,
    /// Its id for people: `builder/node/ref`.
    pub build_ref: &'a str,
}

/// Waits for the images that go into a docker engine.
///
/// # Errors
/// The engine's refusal.
pub async fn loads(loads: Loads, tell: &Teller<'_>) -> Result<(), String> {
    const STEP: &str = "importing to docker";
    for load in loads {
        tell.client_step(STEP, ClientEvent::Started);
        let said = match load.await {
            Ok(Ok(said)) => said,
            Ok(Err(error)) => return Err(failed_step(tell, STEP, &error.to_string())),
            Err(error) => return Err(failed_step(tell, STEP, &error.to_string())),
        };
        for line in said {
            tell.client_step(STEP, ClientEvent::Log(format!("{line}\n").as_bytes()));
        }
        tell.client_step(STEP, ClientEvent::Completed);
    }
    Ok(())
}

fn failed_step(tell: &Teller<'_>, step: &str, error: &str) -> String {
    tell.client_step(step, ClientEvent::Failed(error));
    error.to_owned()
}

/// Does what the plan left for afterwards.
///
/// # Errors
/// An index that cannot be written, or a registry that refuses.
pub async fn finish(
    about: &About<'_>,
    left: &[After],
    response: &Response,
    tell: &Teller<'_>,
) -> Result<(), Refusal> {
    for after in left {
        match after {
            After::Push { names } => push(about, names, tell).await?,
            After::Layout { .. } | After::CacheLayout { .. } => {
                let (after, response) = (after.clone(), response.clone());
                let mask = about.caller.mask;
                tokio::task::spawn_blocking(move || after.enter(&response, mask))
                    .await
                    .map_err(|error| Refusal(error.to_string()))?
                    .map_err(|error| Refusal(error.to_string()))?;
            }
        }
    }
    Ok(())
}

/// Pushes images that are in docker's own store.
async fn push(about: &About<'_>, names: &[String], tell: &Teller<'_>) -> Result<(), Refusal> {
    let Transport::Docker(address) = about.engine.transport() else {
        return Ok(());
    };
    let api = docker::api(address)
        .await
        .map_err(|error| Refusal(error.to_string()))?;
    for (name, tag) in to_push(names) {
        let step = format!("pushing {name}:{tag} with docker");
        tell.client_step(&step, ClientEvent::Started);
        let said = |line: &str| {
            tell.client_step(&step, ClientEvent::Log(format!("{line}\n").as_bytes()));
        };
        let config = Arc::clone(&about.caller.config);
        let registry = docker::registry_of(&name).to_owned();
        let credentials = tokio::task::spawn_blocking(move || config.credentials(&registry))
            .await
            .map_err(|error| Refusal(error.to_string()))?
            .map_err(|error| Refusal(error.to_string()))?;
        match docker::push(&api, &name, &tag, &credentials, said).await {
            Ok(()) => tell.client_step(&step, ClientEvent::Completed),
            Err(error) => {
                let error = error.to_string();
                tell.client_step(&step, ClientEvent::Failed(&error));
                return Err(Refusal(format!("failed to push {name}:{tag}: {error}")));
            }
        }
    }
    Ok(())
}

/// The content of the metadata file; asks the engine's history for it only if there is such a file.
pub async fn metadata(
    about: &About<'_>,
    files: &ResultFiles,
    response: &Response,
    warnings: impl FnOnce() -> Value,
) -> Value {
    if !files.wants_metadata() {
        return Value::Null;
    }
    let detail = Detail::from_env(about.caller.env.get("BUILDX_METADATA_PROVENANCE"));
    let provenance = if detail == Detail::Off {
        Vec::new()
    } else {
        history::provenance(about.engine, about.reference)
            .await
            .unwrap_or_default()
    };
    let wants_warnings = about
        .caller
        .env
        .get("BUILDX_METADATA_WARNINGS")
        .is_some_and(|value| matches!(value, "1" | "true" | "t" | "T" | "TRUE" | "True"));
    results::metadata(
        response,
        &results::About {
            reference: about.build_ref,
            provenance,
            detail,
            warnings: wants_warnings.then(warnings),
        },
    )
}

/// The warnings of a build as the metadata file holds them.
pub fn warnings(trace: &Trace) -> Value {
    trace
        .steps
        .iter()
        .flat_map(|step| &step.warnings)
        .map(|warning| {
            serde_json::json!({
                "short": warning.short, "detail": warning.detail, "url": warning.url,
            })
        })
        .collect()
}

/// What goes to stdout: the image's id with `-q`, and what the frontend has to say.
pub fn results_text(quiet: bool, response: &Response) -> String {
    let mut text = String::new();
    if let Some(message) = response.get("frontend.result.inlinemessage") {
        let lines: Vec<_> = message.lines().map(|line| escape::line(line)).collect();
        text = format!("\n{}\n", lines.join("\n"));
    }
    if quiet {
        text += &escape::line(results::image_id(response).unwrap_or_default());
        text.push('\n');
    }
    text
}

/// Whether the engine can make several outputs in one build; older ones silently make the first.
/// Capabilities are told inside a build only, so this opens one that is not recorded.
pub async fn several_exporters(engine: &Engine) -> bool {
    let Ok(reference) = new_id() else {
        return true;
    };
    let Ok(gateway) = Gateway::new(engine, &reference) else {
        return true;
    };
    let request = SolveRequest {
        r#ref: reference,
        internal: true,
        cache: Some(Default::default()),
        ..Default::default()
    };
    let asking = async {
        let pong = gateway.ping().await.ok()?;
        let capable = pong
            .llb_caps
            .iter()
            .any(|cap| cap.id == "exporter.multiple" && cap.enabled);
        let end = Returned::Error(RpcStatus {
            code: Code::Cancelled as i32,
            message: "only asked for capabilities".into(),
            details: Vec::new(),
        });
        let _ = gateway.finish(end).await;
        Some(capable)
    };
    // The build ends when it is told to; its own end is an error by design.
    let (answer, _) = tokio::join!(asking, engine.solve(request));
    answer.unwrap_or(true)
}
