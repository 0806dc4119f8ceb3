//! `--annotation [type[platform],...:]key=value`.

use super::{Invalid, platform};
use crate::build::suggest::did_you_mean;

const TYPES: [&str; 4] = [
    "manifest",
    "index",
    "manifest-descriptor",
    "index-descriptor",
];

/// One annotation, for one kind of object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// The exporter's attribute: `annotation[-type][[platform]].key`.
    pub attribute: String,
    /// Its value.
    pub value: String,
    /// Whether it is on the index, which a result for one platform without attestations lacks.
    pub on_index: bool,
}

/// Reads one `--annotation`, which may name several kinds of objects.
///
/// # Errors
/// No `key=value`, an unknown type, or a platform that is none.
pub fn parse(text: &str) -> Result<Vec<Annotation>, Invalid> {
    let refuse = |why: String| Invalid(format!("parse annotations: {why}"));
    let (head, value) = text
        .split_once('=')
        .ok_or_else(|| refuse(format!("invalid annotation {text:?}, expected key=value")))?;
    // A `:` may also stand in a key of its own, as long as what is before it is no type.
    let (types, key) = match head.split_once(':') {
        Some((types, key)) => (types, key),
        None => ("manifest", head),
    };
    if key.is_empty() {
        return Err(refuse(format!(
            "invalid annotation {text:?}, the key is empty"
        )));
    }
    types
        .split(',')
        .map(|kind| {
            let (kind, platform) = match kind.split_once('[') {
                Some((kind, rest)) => {
                    let platform = rest
                        .strip_suffix(']')
                        .ok_or_else(|| refuse(format!("invalid annotation {text:?}, missing ]")))?;
                    let platform =
                        platform::parse(platform).map_err(|error| refuse(error.to_string()))?;
                    (kind, format!("[{platform}]"))
                }
                None => (kind, String::new()),
            };
            if !TYPES.contains(&kind) {
                return Err(refuse(format!(
                    "unknown annotation type {kind:?}, expected {}{}",
                    TYPES.join(", "),
                    did_you_mean(kind, TYPES)
                )));
            }
            let attribute = match kind {
                "manifest" if platform.is_empty() => format!("annotation.{key}"),
                kind => format!("annotation-{kind}{platform}.{key}"),
            };
            Ok(Annotation {
                attribute,
                value: value.to_owned(),
                on_index: kind == "index",
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes() {
        let attributes = |text| -> Vec<String> {
            let all = parse(text).unwrap();
            all.into_iter().map(|one| one.attribute).collect()
        };
        assert_eq!(attributes("a=b"), ["annotation.a"]);
        assert_eq!(attributes("manifest:a=b"), ["annotation.a"]);
        assert_eq!(
            attributes("manifest[linux/amd64],index:c=d=e"),
            ["annotation-manifest[linux/amd64].c", "annotation-index.c"]
        );
        assert_eq!(
            attributes("manifest-descriptor,index-descriptor:e=f"),
            [
                "annotation-manifest-descriptor.e",
                "annotation-index-descriptor.e"
            ]
        );
        let refused = |text| parse(text).unwrap_err().to_string();
        assert_eq!(
            refused("foo"),
            "parse annotations: invalid annotation \"foo\", expected key=value"
        );
        assert!(refused("bogus:foo=bar").contains("unknown annotation type \"bogus\""));
        assert!(refused("manifest[linux/amd64:foo=bar").contains("missing ]"));
    }
}
