//! Third stage: what was prepared and what the engine can do → one request. Pure.

use std::path::PathBuf;

use tempfile::TempDir;

use super::context::Upload;
use super::options::Platform;
use super::outputs::{self, After, Sink};
use super::prepare::{Prepared, Refusal};
use crate::proto::control::SolveRequest;

mod attributes;
mod caches;
mod facts;

use attributes::{attestations, frontend, steps};
pub use facts::EngineFacts;

/// One build, as data: the request and what the callbacks need.
#[derive(Debug)]
pub struct Plan {
    /// The request, without `Ref` and `Session`.
    pub solve: SolveRequest,
    /// What the build may do beyond the usual, as in the request.
    pub entitlements: Vec<String>,
    /// Local sources by name.
    pub dirs: Vec<(String, PathBuf)>,
    /// Key of earlier copies of the local sources.
    pub shared_key: String,
    /// `--secret`, unread.
    pub secrets: Vec<String>,
    /// `--ssh`, unread; with `default` where a source needs it.
    pub ssh: Vec<String>,
    /// What the upload callback sends. Its URL has to be entered in the frontend's attributes, see
    /// [`Plan::set_upload`].
    pub upload: Option<Upload>,
    /// Content stores: id, directory, whether it is written.
    pub stores: Vec<(String, PathBuf, bool)>,
    /// Receivers by index of the exporter.
    pub sinks: Vec<(usize, Sink)>,
    /// What is left to do when the engine has answered.
    pub after: Vec<After>,
    /// Directories that must live as long as the build.
    pub temp: Vec<TempDir>,
    /// What the user should know beforehand.
    pub warnings: Vec<String>,
    /// What the user should know when the build has succeeded.
    pub warning_on_success: Option<String>,
    /// The context, when it is a directory of the user.
    pub context: Option<PathBuf>,
    /// The Dockerfile, when it is a file of the user.
    pub dockerfile: Option<PathBuf>,
}

impl Plan {
    /// Takes the reader for the upload callback out and enters the URL that `offer` gives for it.
    pub fn set_upload(&mut self, offer: impl FnOnce(Box<dyn std::io::Read + Send>) -> String) {
        if let Some(upload) = self.upload.take() {
            let url = offer(upload.reader);
            self.solve
                .frontend_attrs
                .insert(upload.attribute.to_owned(), url);
        }
    }
}

/// Makes the request.
///
/// # Errors
/// What this engine cannot do.
pub fn plan(prepared: Prepared, facts: &EngineFacts) -> Result<Plan, Refusal> {
    let graphdriver = facts.dockerd && !facts.containerd_store;
    let outputs = outputs::plan(&prepared, facts)?;
    let platforms = platforms(&prepared.platforms, facts)?;
    if platforms.len() > 1 && graphdriver {
        return Err(outputs::unsupported("Multi-platform build"));
    }
    let (frontend, mut attrs) = frontend(&prepared);
    if !platforms.is_empty() {
        attrs.insert("platform".into(), platforms.join(","));
    }
    attrs.extend(attestations(&prepared, graphdriver)?);
    attrs.extend(steps(&prepared, facts)?);
    let Prepared {
        options,
        sources,
        cache_from,
        cache_to,
        stores: cache_stores,
        build_args,
        warnings,
        ..
    } = prepared;

    if graphdriver && cache_to.iter().any(|cache| cache.kind != "inline") {
        return Err(outputs::unsupported("Cache export"));
    }
    let cache = caches::options(&cache_from, &cache_to, &build_args);
    if let Some(list) = caches::attribute(&cache_from) {
        attrs.insert("cache-imports".into(), list);
    }
    let mut after = outputs.after;
    after.extend(caches::layouts(&cache_to, &cache_stores));

    let mut entitlements = options.allow.clone();
    if attrs
        .get("force-network-mode")
        .is_some_and(|mode| mode == "host")
        && !entitlements.iter().any(|one| one == "network.host")
    {
        entitlements.push("network.host".to_owned());
    }
    let mut stores = cache_stores;
    let layouts = sources.stores.into_iter().map(|(id, dir)| (id, dir, false));
    let written = outputs.stores.into_iter().map(|(id, dir)| (id, dir, true));
    stores.extend(layouts.chain(written));
    let mut ssh = options.ssh.clone();
    if sources.needs_ssh && ssh.is_empty() {
        ssh.push("default".to_owned());
    }
    let (exporter, exporter_attrs) = outputs
        .exporters
        .first()
        .map(|first| (first.r#type.clone(), first.attrs.clone()))
        .unwrap_or_default();
    let warning_on_success = outputs.nothing_by_accident.then(|| {
        format!(
            "No output specified with {} driver. Build result will only remain in the build cache. To push result image into registry use --push or to load image into docker use --load",
            facts.driver.name()
        )
    });
    Ok(Plan {
        solve: SolveRequest {
            // Engines before 0.13 know one exporter, in fields of its own.
            exporter_deprecated: exporter,
            exporter_attrs_deprecated: exporter_attrs,
            exporters: outputs.exporters,
            frontend: frontend.to_owned(),
            frontend_attrs: attrs.into_iter().collect(),
            frontend_inputs: sources.inputs,
            cache: Some(cache),
            entitlements: entitlements.clone(),
            ..SolveRequest::default()
        },
        entitlements,
        dirs: sources.dirs,
        shared_key: format!("{}:{}", sources.key, facts.node_id),
        secrets: options.secrets,
        ssh,
        upload: sources.upload,
        stores,
        sinks: outputs.sinks,
        after,
        temp: sources.temp,
        warnings,
        warning_on_success,
        context: sources.context,
        dockerfile: sources.dockerfile,
    })
}

fn platforms(asked: &[Platform], facts: &EngineFacts) -> Result<Vec<String>, Refusal> {
    let mut names = Vec::new();
    for platform in asked {
        let name = match platform {
            Platform::Local => facts.platforms.first().cloned().ok_or_else(|| {
                Refusal("--platform local: the builder does not tell its platform".to_owned())
            })?,
            named => named.to_string(),
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests;
