//! `-o`, `--output`: where the result goes.

use std::collections::BTreeMap;

use super::{Invalid, fields, reference};
use crate::build::suggest::{did_you_mean, nearest};
use crate::paths::is_of_one_process;

/// What is made of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputKind {
    /// The files of the root file system, in a directory.
    Local,
    /// The files of the root file system, in an archive.
    Tar,
    /// An OCI layout, in an archive or a directory.
    Oci,
    /// An archive for `docker load`, or the image in docker itself.
    Docker,
    /// An image in the engine's store.
    Image,
    /// Nothing but what is in the build cache.
    CacheOnly,
}

impl OutputKind {
    /// The name of the type, as the user writes it and as BuildKit calls the exporter.
    pub fn name(self) -> &'static str {
        match self {
            OutputKind::Local => "local",
            OutputKind::Tar => "tar",
            OutputKind::Oci => "oci",
            OutputKind::Docker => "docker",
            OutputKind::Image => "image",
            OutputKind::CacheOnly => "cacheonly",
        }
    }
}

/// Where the bytes of an output go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Standard output.
    Stdout,
    /// This file or directory, relative to the caller's directory.
    Path(String),
}

/// One output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// What is made.
    pub kind: OutputKind,
    /// Where it goes; `None` where the type needs none or the user gave none.
    pub dest: Option<Destination>,
    /// The exporter's attributes; `push=true` for `type=registry`.
    pub attrs: BTreeMap<String, String>,
}

const TYPES: [&str; 7] = [
    "local",
    "tar",
    "oci",
    "docker",
    "image",
    "registry",
    "cacheonly",
];

const FILES: [&str; 6] = [
    "dest",
    "platform-split",
    "attestation-prefix",
    "source-date-epoch",
    "mode",
    "type",
];
const IMAGES: [&str; 26] = [
    "dest",
    "name",
    "push",
    "push-by-digest",
    "registry.insecure",
    "dangling-name-prefix",
    "name-canonical",
    "unpack",
    "store",
    "compression",
    "compression-level",
    "force-compression",
    "rewrite-timestamp",
    "oci-mediatypes",
    "oci-artifact",
    "attestation-inline",
    "prefer-nondist-layers",
    "buildinfo",
    "buildinfo-attrs",
    "source-date-epoch",
    "tar",
    "context",
    "ref",
    "type",
    "annotation",
    "preferred-manifest-type",
];

/// Reads one `--output`; `None` for an empty one.
///
/// # Errors
/// What is unknown, missing, or no pair.
pub fn parse(text: &str) -> Result<Option<Output>, Invalid> {
    let fields = fields::split(text)?;
    match fields.as_slice() {
        [] => return Ok(None),
        [one] if one.as_str() == "-" => {
            return Ok(Some(Output {
                kind: OutputKind::Tar,
                dest: Some(Destination::Stdout),
                attrs: BTreeMap::new(),
            }));
        }
        [one] if is_path(one) => {
            return Ok(Some(Output {
                kind: OutputKind::Local,
                dest: Some(Destination::Path(one.clone())),
                attrs: BTreeMap::new(),
            }));
        }
        _ => {}
    }
    let mut kind = None;
    let mut dest = None;
    let mut attrs = BTreeMap::new();
    for field in &fields {
        let (key, value) = fields::pair(field)?;
        match key.as_str() {
            "type" => kind = Some(value),
            "dest" if value == "-" => dest = Some(Destination::Stdout),
            "dest" if ["/dev/stdout", "/dev/fd/1"].contains(&value.as_str()) => {
                dest = Some(Destination::Stdout);
            }
            "dest" if value.is_empty() => {}
            "dest" if is_of_one_process(&value) => {
                return Err(Invalid(format!(
                    "dest={value} is there for your shell only, and the server writes; dest=- is standard output"
                )));
            }
            "dest" => dest = Some(Destination::Path(value)),
            _ => {
                attrs.insert(key, value);
            }
        }
    }
    let kind = kind.ok_or_else(|| {
        let types = TYPES.join(", ");
        Invalid(format!(
            "type is required for output {text:?}, one of {types}"
        ))
    })?;
    let kind = match kind.as_str() {
        "local" => OutputKind::Local,
        "tar" => OutputKind::Tar,
        "oci" => OutputKind::Oci,
        "docker" => OutputKind::Docker,
        "image" | "moby" => OutputKind::Image,
        "registry" => {
            attrs.entry("push".to_owned()).or_insert("true".to_owned());
            OutputKind::Image
        }
        "cacheonly" | "none" => OutputKind::CacheOnly,
        other => {
            return Err(Invalid(format!(
                "unknown output type {other:?}, expected one of {}{}",
                TYPES.join(", "),
                did_you_mean(other, TYPES)
            )));
        }
    };
    check(kind, &attrs)?;
    Ok(Some(Output { kind, dest, attrs }))
}

/// A single field is the path of a directory, unless it is one of our attributes.
fn is_path(field: &str) -> bool {
    field.split_once('=').is_none_or(|(key, _)| {
        !FILES.contains(&key) && !IMAGES.contains(&key) && nearest(key, ["type"]).is_none()
    })
}

/// Refuses attributes that look like a slip of a known one (others are left to the engine, which
/// may be newer), and values that cannot be right.
fn check(kind: OutputKind, attrs: &BTreeMap<String, String>) -> Result<(), Invalid> {
    let known: &[&str] = match kind {
        OutputKind::Local | OutputKind::Tar => &FILES,
        OutputKind::CacheOnly => &["type"],
        _ => &IMAGES,
    };
    let name = kind.name();
    for (key, value) in attrs {
        if key.starts_with("annotation") || known.contains(&key.as_str()) {
            let is_truth = matches!(
                key.as_str(),
                "push"
                    | "push-by-digest"
                    | "registry.insecure"
                    | "unpack"
                    | "store"
                    | "force-compression"
                    | "rewrite-timestamp"
                    | "oci-mediatypes"
                    | "tar"
                    | "platform-split"
            );
            if is_truth && fields::truth(value).is_none() {
                return Err(Invalid(format!(
                    "invalid value {key}={value} for the {name} output, expected true or false"
                )));
            }
            if key == "compression"
                && !matches!(value.as_str(), "uncompressed" | "gzip" | "estargz" | "zstd")
            {
                return Err(Invalid(format!(
                    "unsupported compression type {value:?}, expected uncompressed, gzip, estargz or zstd"
                )));
            }
            if key == "name" {
                // `*` asks for the name that the result already has.
                for name in value
                    .split(',')
                    .filter(|name| !name.is_empty() && *name != "*")
                {
                    reference::check(name)
                        .map_err(|why| Invalid(format!("invalid name {name:?}: {why}")))?;
                }
            }
        } else if let Some(near) = nearest(key, known.iter().copied()) {
            return Err(Invalid(format!(
                "unknown attribute {key:?} of the {name} output (did you mean {near}?)"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let Some(output) = parse(text).unwrap() else {
            return "nothing".into();
        };
        let mut shown = output.kind.name().to_owned();
        match output.dest {
            Some(Destination::Stdout) => shown.push_str(" > stdout"),
            Some(Destination::Path(path)) => shown.push_str(&format!(" > {path}")),
            None => {}
        }
        for (key, value) in output.attrs {
            shown.push_str(&format!(" {key}={value}"));
        }
        shown
    }

    #[test]
    fn forms() {
        let table = [
            ("", "nothing"),
            ("-", "tar > stdout"),
            ("out", "local > out"),
            ("a=b", "local > a=b"),
            ("type=local,dest=out", "local > out"),
            ("type=tar", "tar"),
            ("type=tar,dest=-", "tar > stdout"),
            ("type=tar,dest=/dev/stdout", "tar > stdout"),
            (
                "type=oci,dest=x.tar,compression=zstd",
                "oci > x.tar compression=zstd",
            ),
            ("type=registry,name=a/b", "image name=a/b push=true"),
            ("type=registry,push=false", "image push=false"),
            ("\"type=image\",\"name=a,b\"", "image name=a,b"),
            ("type=cacheonly", "cacheonly"),
            ("type=none", "cacheonly"),
            ("type=docker,context=remote", "docker context=remote"),
            (
                "type=image,annotation.x=y,brand-new-thing=1",
                "image annotation.x=y brand-new-thing=1",
            ),
        ];
        for (text, expected) in table {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn refusals() {
        let refused = |text| parse(text).unwrap_err().to_string();
        assert_eq!(refused("foo,bar"), "invalid value foo");
        assert!(refused("type=tar,dest=/dev/fd/63").ends_with("dest=- is standard output"));
        assert!(refused("dest=o").starts_with("type is required for output"));
        assert!(refused("typ=local").starts_with("type is required for output"));
        assert!(refused("type=regsitry").ends_with("(did you mean registry?)"));
        assert_eq!(
            refused("type=image,nme=x"),
            "unknown attribute \"nme\" of the image output (did you mean name?)"
        );
        assert!(refused("type=oci,tar=foo").contains("expected true or false"));
        assert!(refused("type=image,name=UPPER").contains("must be lowercase"));
        assert!(refused("type=image,compression=zip").contains("unsupported compression"));
    }
}
