//! What is left to do when the engine has answered: images on their way into docker, pushes,
//! indexes of layouts, and the facts for the metadata file.

use std::io::Write;
use std::sync::Arc;

use serde_json::Value;
use tokio::task::JoinHandle;
use tonic::Code;

use super::outputs::{After, to_push};
use super::prepare::Refusal;
use super::request::Plan;
use super::results::{self, Detail, Response, ResultFiles};
use super::services::Caller;
use crate::engine::address::Transport;
use crate::engine::control::Engine;
use crate::engine::docker::{self, ApiError};
use crate::engine::gateway::{Gateway, Returned};
use crate::engine::history;
use crate::engine::id::new_id;
use crate::progress::trace::Trace;
use crate::progress::{ClientEvent, Progress};
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
pub async fn loads(
    loads: Vec<JoinHandle<Result<Vec<String>, ApiError>>>,
    progress: &mut Progress,
) -> Result<(), String> {
    const STEP: &str = "importing to docker";
    for load in loads {
        progress.client_step(STEP, ClientEvent::Started);
        let said = match load.await {
            Ok(Ok(said)) => said,
            Ok(Err(error)) => return Err(failed_step(progress, STEP, &error.to_string())),
            Err(error) => return Err(failed_step(progress, STEP, &error.to_string())),
        };
        for line in said {
            progress.client_step(STEP, ClientEvent::Log(format!("{line}\n").as_bytes()));
        }
        progress.client_step(STEP, ClientEvent::Completed);
    }
    Ok(())
}

fn failed_step(progress: &mut Progress, step: &str, error: &str) -> String {
    progress.client_step(step, ClientEvent::Failed(error));
    error.to_owned()
}

/// Does what the plan left for afterwards.
///
/// # Errors
/// An index that cannot be written, or a registry that refuses.
pub async fn finish(
    about: &About<'_>,
    plan: &Plan,
    response: &Response,
    progress: &mut Progress,
) -> Result<(), Refusal> {
    for after in &plan.after {
        match after {
            After::Push { names } => push(about, names, progress).await?,
            After::Layout { .. } | After::CacheLayout { .. } => {
                let (after, response) = (after.clone(), response.clone());
                tokio::task::spawn_blocking(move || after.enter(&response))
                    .await
                    .map_err(|error| Refusal(error.to_string()))?
                    .map_err(|error| Refusal(error.to_string()))?;
            }
        }
    }
    Ok(())
}

/// Pushes images that are in docker's own store.
async fn push(about: &About<'_>, names: &[String], progress: &mut Progress) -> Result<(), Refusal> {
    let Transport::Docker(address) = about.engine.transport() else {
        return Ok(());
    };
    let api = docker::api(address)
        .await
        .map_err(|error| Refusal(error.to_string()))?;
    for (name, tag) in to_push(names) {
        let step = format!("pushing {name}:{tag} with docker");
        progress.client_step(&step, ClientEvent::Started);
        let tell = |line: &str| {
            progress.client_step(&step, ClientEvent::Log(format!("{line}\n").as_bytes()));
        };
        let config = Arc::clone(&about.caller.config);
        let registry = docker::registry_of(&name).to_owned();
        let credentials = tokio::task::spawn_blocking(move || config.credentials(&registry))
            .await
            .map_err(|error| Refusal(error.to_string()))?
            .map_err(|error| Refusal(error.to_string()))?;
        match docker::push(&api, &name, &tag, &credentials, tell).await {
            Ok(()) => progress.client_step(&step, ClientEvent::Completed),
            Err(error) => {
                let error = error.to_string();
                progress.client_step(&step, ClientEvent::Failed(&error));
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
    trace: &Trace,
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
            warnings: wants_warnings.then(|| warnings(trace)),
        },
    )
}

fn warnings(trace: &Trace) -> Value {
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
pub fn print_results(quiet: bool, response: &Response) {
    let mut out = std::io::stdout();
    if let Some(message) = response.get("frontend.result.inlinemessage") {
        let text: Vec<_> = message.lines().map(|line| escape::line(line)).collect();
        let _ = writeln!(out, "\n{}", text.join("\n"));
    }
    if quiet {
        let _ = writeln!(
            out,
            "{}",
            escape::line(results::image_id(response).unwrap_or_default())
        );
    }
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
