//! Local caches, written and used.

use buildx::engine::callbacks::content::StoreAccess;
use buildx::engine::callbacks::content::layout::{self, Descriptor, Name};
use buildx::engine::control::Engine;
use buildx::paths::mask::Mask;
use buildx::proto::control::{CacheOptions, CacheOptionsEntry, PruneRequest};

use super::build::{Build, context, map, random_id};
use crate::support::engine::engine;

#[tokio::test(flavor = "multi_thread")]
async fn a_local_cache_is_written_and_used() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    let store = format!("local:{}", cache.display());
    let tree = dir.path().join("tree");
    std::fs::create_dir(&tree).unwrap();
    std::fs::copy("/bin/busybox", tree.join("busybox")).unwrap();
    let marker = random_id();
    let dockerfile = format!(
        "FROM scratch\nCOPY tree /\nRUN --network=none [\"/busybox\", \"echo\", \"{marker}\"]\nRUN --network=none [\"/busybox\", \"touch\", \"/{marker}\"]\n"
    );
    let step = async |cache: CacheOptions, access: Option<StoreAccess>| {
        let build = Build {
            context: context(&dockerfile, Some(&tree)),
            stores: access
                .map(|access| (store.clone(), dir.path().join("cache"), access))
                .into_iter()
                .collect(),
            attrs: imports(&cache),
            cache,
            ..Build::default()
        };
        let done = build.run().await.unwrap();
        let cached = done
            .vertices
            .iter()
            .find(|(name, _)| name.contains("\"touch\"") || name.contains("busybox touch"));
        (
            *cached.unwrap_or_else(|| panic!("{:?}", done.vertices)).1,
            done.response,
        )
    };
    let dest = cache.to_str().unwrap();
    let export = CacheOptions {
        exports: vec![cache_entry(&[("dest", dest), ("mode", "max")])],
        ..Default::default()
    };
    let (cached, response) = step(export, Some(StoreAccess::ReadWrite)).await;
    assert!(!cached);
    let descriptor = Descriptor::from_response(&response["cache.manifest"]).unwrap();
    layout::put(
        &cache,
        &descriptor,
        &[Name::Tag(layout::DEFAULT_TAG.into())],
        Mask(0o22),
    )
    .unwrap();

    forget(&marker).await;
    assert!(
        !step(CacheOptions::default(), None).await.0,
        "the engine has forgotten it"
    );

    forget(&marker).await;
    let digest = layout::resolve(&cache, None, None).unwrap();
    let import = CacheOptions {
        imports: vec![cache_entry(&[("src", dest), ("digest", digest.as_str())])],
        ..Default::default()
    };
    assert!(
        step(import, Some(StoreAccess::Read)).await.0,
        "with the cache"
    );
}

/// Imports reach the solver through the frontend, as JSON.
fn imports(cache: &CacheOptions) -> Vec<(String, String)> {
    let entry =
        |entry: &CacheOptionsEntry| serde_json::json!({"Type": entry.r#type, "Attrs": entry.attrs});
    let entries: Vec<_> = cache.imports.iter().map(entry).collect();
    match entries.as_slice() {
        [] => Vec::new(),
        entries => vec![(
            "cache-imports".into(),
            serde_json::json!(entries).to_string(),
        )],
    }
}

/// Prunes what the engine keeps of steps that mention `marker`.
async fn forget(marker: &str) {
    let (engine, _) = Engine::connect(&engine().transport()).await.unwrap();
    // A record goes only when nothing stands on it.
    for _ in 0..3 {
        let filter: Vec<_> = engine
            .disk_usage(Vec::new())
            .await
            .unwrap()
            .into_iter()
            .filter(|record| record.description.contains(marker))
            .map(|record| format!("id=={}", record.id))
            .collect();
        if filter.is_empty() {
            return;
        }
        let request = PruneRequest {
            filter,
            all: true,
            ..Default::default()
        };
        let mut freed = engine.prune(request).await.unwrap();
        while freed.message().await.unwrap().is_some() {}
    }
    panic!("the engine keeps {marker}");
}

fn cache_entry(attrs: &[(&str, &str)]) -> CacheOptionsEntry {
    CacheOptionsEntry {
        r#type: "local".into(),
        attrs: map(attrs),
    }
}
