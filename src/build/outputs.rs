//! Which exporters an engine is asked for, and where their output goes on this side.
//!
//! dockerd calls its image store `moby`. Without containerd's store it can make nothing but that,
//! files and archives of files, and it pushes images by a request of its own.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::options::{BuildOptions, OutputKind, fields, reference};
use super::prepare::{Place, PlacedOutput, Prepared, Refusal};
use super::request::EngineFacts;
use crate::proto::control;

/// Where the bytes of one exporter go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sink {
    /// A tree of files into this directory.
    Directory(PathBuf),
    /// One file.
    File(PathBuf),
    /// Standard output.
    Stdout,
    /// An archive into docker's images, through the Engine API of this docker context.
    Load {
        /// Name of the docker context; `None` for the current one.
        context: Option<String>,
    },
}

/// What is left to do when the engine has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// Push these images, which are in docker's store now, through the Engine API.
    Push {
        /// Names as given, with or without a tag.
        names: Vec<String>,
    },
    /// Enter the result in the index of the layout that it was written to.
    Layout {
        /// The layout.
        dir: PathBuf,
    },
    /// Enter the cache in the index of the layout that it was written to.
    CacheLayout {
        /// The layout.
        dir: PathBuf,
        /// The tag that it is found under.
        tag: String,
    },
}

/// What becomes of the result.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outputs {
    /// In the order that their index counts.
    pub exporters: Vec<control::Exporter>,
    /// By index of the exporter.
    pub sinks: Vec<(usize, Sink)>,
    /// Content stores that are written: id and directory.
    pub stores: Vec<(String, PathBuf)>,
    /// What is left to do afterwards.
    pub after: Vec<After>,
    /// Whether nothing is made and nobody asked for that.
    pub nothing_by_accident: bool,
}

/// The end of every refusal about dockerd without containerd's store.
pub(super) fn unsupported(what: &str) -> Refusal {
    Refusal(format!(
        "{what} is not supported for the docker driver. Switch to a different driver, or turn on the containerd image store, and try again."
    ))
}

/// Id of the content store that an engine asks for to write a layout directory.
const EXPORT_STORE: &str = "export";

/// Plans the outputs of `prepared` on an engine.
///
/// # Errors
/// What this engine cannot make, or names that are missing.
pub fn plan(prepared: &Prepared, facts: &EngineFacts) -> Result<Outputs, Refusal> {
    let options = &prepared.options;
    let graphdriver = facts.dockerd && !facts.containerd_store;
    let mut wanted = wanted(prepared, facts);
    let nothing_by_accident = wanted.is_empty();
    wanted.retain(|output| output.kind != OutputKind::CacheOnly);

    let mut plan = Outputs {
        nothing_by_accident,
        ..Outputs::default()
    };
    for mut output in wanted {
        let as_directory = output.as_directory();
        let mut attrs = attributes(&mut output, options, graphdriver)?;
        let is_true = |attr: &str| attrs.get(attr).and_then(|v| fields::truth(v)) == Some(true);
        let push = is_true("push") || is_true("push-by-digest");
        let names: Vec<String> = attrs
            .get("name")
            .into_iter()
            .flat_map(|names| names.split(','))
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect();
        if push && names.is_empty() {
            return Err(Refusal("tag is needed when pushing to registry".into()));
        }
        let index = plan.exporters.len();
        let into_docker = output.kind == OutputKind::Docker && output.place.is_none();
        let kind = match output.kind {
            OutputKind::Image | OutputKind::Docker if facts.dockerd && output.place.is_none() => {
                attrs.remove("context");
                if graphdriver && push {
                    // The store has no way to push during a build.
                    attrs.remove("push");
                    plan.after.push(After::Push { names });
                }
                "moby"
            }
            OutputKind::Oci if graphdriver => return Err(unsupported("OCI exporter")),
            OutputKind::Docker if graphdriver => return Err(unsupported("Docker exporter")),
            OutputKind::Docker if into_docker => {
                let context = attrs.remove("context");
                plan.sinks.push((index, Sink::Load { context }));
                if facts.load_as_oci {
                    "oci"
                } else if prepared.platforms.len() > 1 {
                    return Err(Refusal(
                        "docker exporter does not currently support exporting manifest lists; the docker engine that loads the image needs the containerd image store".into(),
                    ));
                } else {
                    "docker"
                }
            }
            kind => kind.name(),
        };
        if let Some(place) = output.place {
            plan.receive(index, place, output.kind, as_directory)?;
        }
        let exporter = control::Exporter {
            r#type: kind.to_owned(),
            attrs: attrs.into_iter().collect(),
        };
        if kind != "moby" || !absorbs(&mut plan.exporters, &exporter) {
            plan.exporters.push(exporter);
        }
    }
    if plan.exporters.len() > 1 && !facts.several_exporters {
        return Err(Refusal(
            "multiple outputs are not supported by this BuildKit; upgrade to v0.13 or later, or use a single output".into(),
        ));
    }
    Ok(plan)
}

/// What an output is asked for, with what the flags add to each image.
fn attributes(
    output: &mut PlacedOutput,
    options: &BuildOptions,
    graphdriver: bool,
) -> Result<BTreeMap<String, String>, Refusal> {
    let mut attrs = std::mem::take(&mut output.attrs);
    if matches!(output.kind, OutputKind::Local | OutputKind::Tar) {
        return Ok(attrs);
    }
    if !options.tags.is_empty() {
        attrs.insert("name".to_owned(), fields::join(&options.tags));
    }
    for annotation in &options.annotations {
        if annotation.on_index && graphdriver {
            return Err(Refusal(
                "index annotations not supported for single platform export".into(),
            ));
        }
        attrs.insert(annotation.attribute.clone(), annotation.value.clone());
    }
    Ok(attrs)
}

impl Outputs {
    /// Arranges that what exporter `index` sends arrives at `place`.
    fn receive(
        &mut self,
        index: usize,
        place: Place,
        kind: OutputKind,
        as_directory: bool,
    ) -> Result<(), Refusal> {
        match place {
            Place::Stdout => self.sinks.push((index, Sink::Stdout)),
            Place::Path(path) if kind == OutputKind::Local => {
                self.sinks.push((index, Sink::Directory(path)));
            }
            Place::Path(dir) if as_directory => {
                if self.stores.iter().any(|(id, _)| id == EXPORT_STORE) {
                    return Err(Refusal(
                        "only one output with tar=false is possible in a build".into(),
                    ));
                }
                self.stores.push((EXPORT_STORE.to_owned(), dir.clone()));
                self.after.push(After::Layout { dir });
            }
            Place::Path(path) => self.sinks.push((index, Sink::File(path))),
        }
        Ok(())
    }
}

/// Whether what `exporter` makes in docker's store is made already: a push stores the image, too.
fn absorbs(exporters: &mut [control::Exporter], exporter: &control::Exporter) -> bool {
    let without_push = |one: &control::Exporter| {
        let attrs = one.attrs.iter().filter(|(key, _)| *key != "push");
        attrs
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect::<BTreeMap<_, _>>()
    };
    let same = exporters
        .iter_mut()
        .find(|one| one.r#type == exporter.r#type && without_push(one) == without_push(exporter));
    let Some(same) = same else {
        return false;
    };
    if let Some(push) = exporter.attrs.get("push") {
        same.attrs.insert("push".to_owned(), push.clone());
    }
    true
}

/// The outputs of the flags, with what `--push`, `--load` and the driver's default add.
fn wanted(prepared: &Prepared, facts: &EngineFacts) -> Vec<PlacedOutput> {
    let options = &prepared.options;
    let mut wanted = prepared.outputs.clone();
    let output = |kind, attrs: &[(&str, &str)]| PlacedOutput {
        kind,
        place: None,
        attrs: attrs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
    };
    if options.push {
        let mut images = wanted
            .iter_mut()
            .filter(|output| output.kind == OutputKind::Image)
            .peekable();
        if images.peek().is_some() {
            images.for_each(|image| {
                image.attrs.insert("push".to_owned(), "true".to_owned());
            });
        } else if facts.dockerd {
            wanted.push(output(OutputKind::Image, &[("push", "true")]));
        } else {
            let attrs = [("push", "true"), ("unpack", "false")];
            wanted.push(output(OutputKind::Image, &attrs));
        }
    }
    let loads = |output: &PlacedOutput| output.kind == OutputKind::Docker && output.place.is_none();
    if options.load && !wanted.iter().any(loads) {
        wanted.push(output(OutputKind::Docker, &[]));
    }
    if wanted.is_empty() {
        if facts.dockerd && !prepared.no_default_load {
            wanted.push(output(OutputKind::Image, &[]));
        } else if facts.default_load {
            wanted.push(output(OutputKind::Docker, &[]));
        }
    }
    wanted
}

/// The names to push, as repository and tag.
pub fn to_push(names: &[String]) -> Vec<(String, String)> {
    names
        .iter()
        .map(|name| {
            let (repository, tag) = reference::repository_and_tag(name);
            (repository.to_owned(), tag.to_owned())
        })
        .collect()
}
