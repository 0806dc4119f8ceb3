//! `--cache-from` and `--cache-to`.

use std::collections::BTreeMap;

use super::{Invalid, fields, reference};
use crate::build::suggest::did_you_mean;

/// One place that build cache comes from or goes to.
///
/// Attributes may hold credentials, so `Debug` shows their names only.
#[derive(Clone, PartialEq, Eq)]
pub struct Cache {
    /// `registry`, `local`, `inline`, `gha`, `s3` or `azblob`.
    pub kind: String,
    /// Everything but the type.
    pub attrs: BTreeMap<String, String>,
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cache({} {:?})", self.kind, self.attrs.keys())
    }
}

/// Which way the cache goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// `--cache-from`
    Import,
    /// `--cache-to`
    Export,
}

impl Direction {
    fn types(self) -> &'static [&'static str] {
        match self {
            Direction::Import => &["registry", "local", "gha", "s3", "azblob"],
            Direction::Export => &["registry", "local", "inline", "gha", "s3", "azblob"],
        }
    }

    fn agent(self) -> &'static str {
        match self {
            Direction::Import => "importer",
            Direction::Export => "exporter",
        }
    }
}

/// Reads one value: `type=...,key=value`, or names of images with commas between them.
///
/// # Errors
/// What is missing or unknown.
pub fn parse(text: &str, direction: Direction) -> Result<Vec<Cache>, Invalid> {
    let fields = fields::split(text)?;
    if fields.iter().all(|field| !field.contains('=')) {
        return fields
            .into_iter()
            .map(|name| {
                reference::check(&name)
                    .map_err(|why| Invalid(format!("invalid cache reference {name:?}: {why}")))?;
                Ok(Cache {
                    kind: "registry".to_owned(),
                    attrs: BTreeMap::from([("ref".to_owned(), name)]),
                })
            })
            .collect();
    }
    let mut kind = None;
    let mut attrs = BTreeMap::new();
    for field in &fields {
        let (key, value) = fields::pair(field)?;
        if key == "type" {
            kind = Some(value);
        } else {
            attrs.insert(key, value);
        }
    }
    let kind = kind.ok_or_else(|| {
        Invalid(format!(
            "type required in {text:?}, one of {}",
            direction.types().join(", ")
        ))
    })?;
    let types = direction.types();
    if !types.contains(&kind.as_str()) {
        return Err(Invalid(format!(
            "unknown cache {} {kind:?}, expected one of {}{}",
            direction.agent(),
            types.join(", "),
            did_you_mean(&kind, types.iter().copied())
        )));
    }
    let needed = match (kind.as_str(), direction) {
        ("registry", _) => Some("ref"),
        ("local", Direction::Import) => Some("src"),
        ("local", Direction::Export) => Some("dest"),
        _ => None,
    };
    if let Some(needed) = needed
        && attrs.get(needed).is_none_or(String::is_empty)
    {
        return Err(Invalid(format!(
            "{kind} cache {} requires {needed}",
            direction.agent()
        )));
    }
    if let Some(mode) = attrs.get("mode")
        && direction == Direction::Export
        && !matches!(mode.as_str(), "min" | "max")
    {
        return Err(Invalid(format!(
            "invalid cache mode {mode:?}, expected min or max"
        )));
    }
    Ok(vec![Cache { kind, attrs }])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, direction: Direction) -> Vec<String> {
        let all = parse(text, direction).unwrap();
        all.into_iter()
            .map(|cache| {
                let attrs: Vec<_> = cache
                    .attrs
                    .iter()
                    .map(|(k, v)| format!("{k}={v}"))
                    .collect();
                format!("{} {}", cache.kind, attrs.join(" "))
            })
            .collect()
    }

    #[test]
    fn forms() {
        use Direction::{Export, Import};
        assert_eq!(shown("user/app", Import), ["registry ref=user/app"]);
        assert_eq!(shown("a,b", Import), ["registry ref=a", "registry ref=b"]);
        assert_eq!(
            shown("type=registry,ref=x,mode=max", Export),
            ["registry mode=max ref=x"]
        );
        assert_eq!(shown("type=inline", Export), ["inline "]);
        assert_eq!(shown("", Export), [""; 0]);
        let refused = |text, direction| parse(text, direction).unwrap_err().to_string();
        assert_eq!(refused("ref=a,type", Import), "invalid value type");
        assert_eq!(
            refused("type=local", Import),
            "local cache importer requires src"
        );
        assert_eq!(
            refused("type=local", Export),
            "local cache exporter requires dest"
        );
        assert_eq!(
            refused("type=registry", Import),
            "registry cache importer requires ref"
        );
        assert!(refused("type=regstry,ref=x", Import).ends_with("(did you mean registry?)"));
        assert!(refused("type=inline", Import).contains("unknown cache importer"));
        assert!(refused("type=inline,mode=foo", Export).contains("expected min or max"));
        assert!(refused("UPPER", Import).contains("lowercase"));
        assert!(refused("ref=a", Import).contains("type required"));
    }
}
