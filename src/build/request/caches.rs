//! Build caches: what is imported and exported, in the request's own words.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::build::options::{Cache, fields};
use crate::build::outputs::After;
use crate::proto::control::{CacheOptions, CacheOptionsEntry};

/// The caches of the request. `BUILDKIT_INLINE_CACHE` asks for one more.
pub(super) fn options(
    from: &[Cache],
    to: &[Cache],
    build_args: &BTreeMap<String, String>,
) -> CacheOptions {
    let entry = |kind: &str, attrs: &BTreeMap<String, String>| CacheOptionsEntry {
        r#type: kind.to_owned(),
        attrs: attrs.clone().into_iter().collect(),
    };
    let entries = |caches: &[Cache]| -> Vec<_> {
        let caches = caches.iter();
        caches
            .map(|cache| entry(&cache.kind, &cache.attrs))
            .collect()
    };
    let mut exports = entries(to);
    if build_args
        .get("BUILDKIT_INLINE_CACHE")
        .is_some_and(|value| fields::truth(value) == Some(true))
        && !exports.iter().any(|cache| cache.r#type == "inline")
    {
        exports.push(entry("inline", &BTreeMap::new()));
    }
    CacheOptions {
        exports,
        imports: entries(from),
        ..CacheOptions::default()
    }
}

/// The frontend's list of the imports; `None` without any.
pub(super) fn attribute(from: &[Cache]) -> Option<String> {
    if from.is_empty() {
        return None;
    }
    let list: Vec<_> = from
        .iter()
        .map(|cache| serde_json::json!({"Type": cache.kind, "Attrs": cache.attrs}))
        .collect();
    Some(serde_json::Value::from(list).to_string())
}

/// The layouts in whose index exported local caches are entered afterwards. `stores` are the content stores
/// by id.
pub(super) fn layouts(to: &[Cache], stores: &[(String, PathBuf, bool)]) -> Vec<After> {
    let mut after = Vec::new();
    for cache in to.iter().filter(|cache| cache.kind == "local") {
        let dest = cache.attrs.get("dest").map(String::as_str).unwrap_or("");
        let id = format!("local:{dest}");
        if let Some((_, dir, _)) = stores.iter().find(|(store, ..)| *store == id) {
            let tag = cache.attrs.get("tag").map_or("latest", String::as_str);
            after.push(After::CacheLayout {
                dir: dir.clone(),
                tag: tag.to_owned(),
            });
        }
    }
    after
}
