use super::*;

fn blob(dir: &Path, content: &[u8]) -> Descriptor {
    let mut draft = Blobs::new(dir, Mask(0o22)).draft().unwrap();
    draft.write(content).unwrap();
    let digest = draft.commit().unwrap().to_string();
    let json = format!(
        r#"{{"mediaType":"m","digest":"{digest}","size":{},"platform":{{"os":"linux"}}}}"#,
        content.len()
    );
    Descriptor::from_response(&json).unwrap()
}

fn listing(dir: &Path) -> Vec<(String, Option<String>, String)> {
    let entries = read(dir).unwrap().unwrap().manifests;
    let row = |entry: Descriptor| {
        assert_eq!(entry.rest["platform"]["os"], "linux");
        (
            entry.annotations[TAG].clone(),
            entry.annotations.get(IMAGE).cloned(),
            entry.digest,
        )
    };
    entries.into_iter().map(row).collect()
}

#[test]
fn names_replace_their_like_and_leave_others() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (one, two) = (blob(dir, b"one"), blob(dir, b"two"));
    put(dir, &one, &Name::of_image(None), Mask(0o22)).unwrap();
    put(
        dir,
        &one,
        &Name::of_image(Some("docker.io/a/b:v1,docker.io/library/c:latest")),
        Mask(0o22),
    )
    .unwrap();
    put(
        dir,
        &two,
        &Name::of_image(Some("docker.io/a/b:v1")),
        Mask(0o22),
    )
    .unwrap();
    put(
        dir,
        &two,
        &[Name::Tag("x".into()), Name::Tag("latest".into())],
        Mask(0o22),
    )
    .unwrap();
    let image = |name: &str| Some(name.to_string());
    assert_eq!(
        listing(dir),
        [
            (
                "latest".to_string(),
                image("docker.io/library/c:latest"),
                one.digest.clone()
            ),
            (
                "v1".to_string(),
                image("docker.io/a/b:v1"),
                two.digest.clone()
            ),
            ("x".to_string(), None, two.digest.clone()),
            ("latest".to_string(), None, two.digest.clone()),
        ]
    );
    let mut names: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|item| item.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["blobs", "index.json", "oci-layout"]);
    let found = |tag| resolve(dir, tag, None).unwrap().to_string();
    assert_eq!(found(Some("v1")), two.digest);
    assert_eq!(found(Some("docker.io/library/c:latest")), one.digest);
    assert_eq!(
        resolve(dir, Some("v1"), Some(&one.digest))
            .unwrap()
            .as_str(),
        one.digest
    );
    let error = resolve(dir, Some("nope"), None).unwrap_err().to_string();
    assert!(
        error.contains(r#"no tag "nope"; it has: "docker.io/library/c:latest""#),
        "{error}"
    );
}

#[test]
fn a_foreign_index_keeps_what_we_do_not_know() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let only = blob(dir, b"only");
    let index = format!(
        r#"{{"schemaVersion":2,"annotations":{{"k":"v"}},"manifests":[{{"mediaType":"m","digest":"{}","size":4,"urls":["u"]}}]}}"#,
        only.digest
    );
    std::fs::write(dir.join("index.json"), index).unwrap();
    assert_eq!(
        resolve(dir, None, None).unwrap().as_str(),
        only.digest,
        "the only entry"
    );
    resolve(dir, Some("latest"), None).unwrap_err();
    put(
        dir,
        &blob(dir, b"more"),
        &[Name::Tag("t".into())],
        Mask(0o22),
    )
    .unwrap();
    let text = std::fs::read_to_string(dir.join("index.json")).unwrap();
    assert!(
        text.contains(r#""annotations":{"k":"v"}"#) && text.contains(r#""urls":["u"]"#),
        "{text}"
    );
    assert!(text.contains(index_type().as_str()));
}

#[test]
fn what_is_missing_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let nowhere = dir.path().join("nowhere");
    assert!(matches!(
        resolve(&nowhere, None, None),
        Err(LayoutError::NoLayout { .. })
    ));
    let digest = format!("sha256:{}", "0".repeat(64));
    assert!(matches!(
        resolve(dir.path(), None, Some(&digest)),
        Err(LayoutError::NoBlob { .. })
    ));
    assert!(matches!(
        resolve(dir.path(), None, Some("sha256:x")),
        Err(LayoutError::Digest(_))
    ));
    std::fs::write(dir.path().join("index.json"), "{").unwrap();
    assert!(matches!(
        resolve(dir.path(), None, None),
        Err(LayoutError::Syntax { .. })
    ));
    let some = Descriptor {
        media_type: "m".into(),
        digest,
        size: 0,
        annotations: BTreeMap::new(),
        rest: serde_json::Map::new(),
    };
    put(dir.path(), &some, &Name::of_image(None), Mask(0o22)).unwrap_err();
    assert_eq!(
        std::fs::read(dir.path().join("index.json")).unwrap(),
        b"{",
        "left alone"
    );
}

#[test]
fn references_are_taken_apart() {
    let parse = |text: &str| {
        let Reference { dir, tag, digest } = Reference::parse(text);
        (
            dir.to_str().unwrap().to_string(),
            tag.unwrap_or_default(),
            digest.unwrap_or_default(),
        )
    };
    let parts =
        |dir: &str, tag: &str, digest: &str| (dir.to_string(), tag.to_string(), digest.to_string());
    assert_eq!(parse("a/b"), parts("a/b", "", ""));
    assert_eq!(parse("a/b:v1"), parts("a/b", "v1", ""));
    assert_eq!(parse("/x:y/b"), parts("/x:y/b", "", ""));
    assert_eq!(parse("b:v1@sha256:00"), parts("b", "v1", "sha256:00"));
    assert_eq!(parse("b@sha256:00"), parts("b", "", "sha256:00"));
    assert_eq!(parse("me@home/b"), parts("me@home/b", "", ""));
}

#[test]
fn both_forms_of_an_answer_are_read() {
    let json = format!(
        r#"{{"mediaType":"m","digest":"sha256:{}","size":3}}"#,
        "a".repeat(64)
    );
    let plain = Descriptor::from_response(&json).unwrap();
    let coded = base64::engine::general_purpose::STANDARD.encode(&json);
    assert_eq!(plain, Descriptor::from_response(&coded).unwrap());
    assert!(Descriptor::from_response("%").is_err());
    assert!(Descriptor::from_response(r#"{"mediaType":"m","digest":"../x","size":3}"#).is_err());
}
