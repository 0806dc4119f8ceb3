//! The content service over an in-memory connection, spoken to as an engine does.

use super::{ContentStores, StoreAccess};
use crate::paths::mask::Mask;
use crate::proto::content::content_client::ContentClient;
use crate::proto::content::{InfoRequest, ReadContentRequest, WriteContentRequest};
use std::path::Path;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

const STAT: i32 = 0;
const WRITE: i32 = 1;
const COMMIT: i32 = 2;

async fn client(stores: &ContentStores) -> ContentClient<Channel> {
    let routes = tonic::service::Routes::new(stores.service());
    ContentClient::new(crate::engine::callbacks::engine(routes).await.0)
}

fn to<T>(store: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request
        .metadata_mut()
        .insert("buildkit-attachable-store-id", store.parse().unwrap());
    request
}

fn sha256(content: &[u8]) -> String {
    super::Digest::of(&ring::digest::digest(&ring::digest::SHA256, content)).to_string()
}

fn piece(action: i32, offset: i64, data: &[u8]) -> WriteContentRequest {
    WriteContentRequest {
        action,
        offset,
        data: bytes::Bytes::copy_from_slice(data),
        ..Default::default()
    }
}

/// The conversation of an engine: STAT twice, WRITE in pieces, COMMIT.
async fn write(
    client: &mut ContentClient<Channel>,
    store: &str,
    content: &[u8],
    expected: &str,
) -> Result<Vec<(i32, i64, String)>, Status> {
    let first = WriteContentRequest {
        r#ref: "layer-1".into(),
        total: content.len() as i64,
        expected: expected.into(),
        ..piece(STAT, 0, b"")
    };
    let mut messages = vec![first, piece(STAT, 0, b"")];
    let mut offset = 0;
    for data in content.chunks(100_000) {
        messages.push(piece(WRITE, offset, data));
        offset += data.len() as i64;
    }
    messages.push(WriteContentRequest {
        total: content.len() as i64,
        expected: expected.into(),
        ..piece(COMMIT, offset, b"")
    });
    let mut stream = client
        .write(to(store, tokio_stream::iter(messages)))
        .await?
        .into_inner();
    let mut said = Vec::new();
    while let Some(reply) = stream.message().await? {
        said.push((reply.action, reply.offset, reply.digest));
    }
    Ok(said)
}

async fn read(
    client: &mut ContentClient<Channel>,
    store: &str,
    digest: &str,
    (offset, size): (i64, i64),
) -> Result<Vec<u8>, Status> {
    let request = ReadContentRequest {
        digest: digest.into(),
        offset,
        size,
    };
    let mut stream = client.read(to(store, request)).await?.into_inner();
    let (mut all, mut at) = (Vec::new(), offset);
    while let Some(message) = stream.message().await? {
        assert_eq!(message.offset, at);
        at += message.data.len() as i64;
        all.extend_from_slice(&message.data);
    }
    Ok(all)
}

fn files(dir: &Path) -> Vec<String> {
    match std::fs::read_dir(dir.join("blobs/sha256")) {
        Ok(items) => items
            .map(|item| item.unwrap().file_name().into_string().unwrap())
            .collect(),
        Err(_) => Vec::new(),
    }
}

#[tokio::test]
async fn a_blob_goes_in_and_comes_out() {
    let dir = tempfile::tempdir().unwrap();
    let stores = ContentStores::new(
        vec![
            (
                "export".into(),
                dir.path().join("new"),
                StoreAccess::ReadWrite,
            ),
            ("oci:x".into(), dir.path().join("new"), StoreAccess::Read),
        ],
        Mask(0o22),
    );
    let mut client = client(&stores).await;
    let content: Vec<u8> = (0..2_500_000u32).map(|n| (n / 7) as u8).collect();
    let digest = sha256(&content);
    let said = write(&mut client, "export", &content, &digest)
        .await
        .unwrap();
    assert_eq!(said[0], (STAT, 0, String::new()));
    assert_eq!(said[2], (WRITE, 100_000, String::new()));
    assert_eq!(said.last().unwrap(), &(COMMIT, 2_500_000, digest.clone()));
    assert_eq!(said.len(), 2 + 25 + 1);
    assert_eq!(
        files(&dir.path().join("new")),
        [digest.strip_prefix("sha256:").unwrap()]
    );

    let again = write(&mut client, "export", &content, &digest)
        .await
        .unwrap_err();
    assert_eq!(again.code(), Code::AlreadyExists);

    let info = client
        .info(to(
            "oci:x",
            InfoRequest {
                digest: digest.clone(),
            },
        ))
        .await
        .unwrap();
    assert_eq!(info.into_inner().info.unwrap().size, 2_500_000);
    assert!(read(&mut client, "oci:x", &digest, (0, 0)).await.unwrap() == content);
    assert_eq!(
        read(&mut client, "oci:x", &digest, (512, 256))
            .await
            .unwrap(),
        content[512..768]
    );
    assert_eq!(
        read(&mut client, "oci:x", &digest, (2_499_999, 99))
            .await
            .unwrap(),
        content[2_499_999..]
    );
    assert_eq!(
        read(&mut client, "oci:x", &digest, (2_500_000, 0))
            .await
            .unwrap(),
        b""
    );
    for offset in [2_500_001, -1] {
        let error = read(&mut client, "oci:x", &digest, (offset, 1))
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::OutOfRange);
    }
    let empty = sha256(b"");
    write(&mut client, "export", b"", &empty).await.unwrap();
    assert_eq!(
        read(&mut client, "export", &empty, (0, 0)).await.unwrap(),
        b""
    );
}

#[tokio::test]
async fn what_is_not_as_promised_is_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let stores = ContentStores::new(
        vec![("local:c".into(), dir.path().into(), StoreAccess::ReadWrite)],
        Mask(0o22),
    );
    let mut client = client(&stores).await;
    let wrong = write(&mut client, "local:c", b"content", &sha256(b"other"))
        .await
        .unwrap_err();
    assert_eq!(wrong.code(), Code::FailedPrecondition, "{wrong}");
    let mut turns = async |messages: Vec<WriteContentRequest>| {
        let response = client
            .write(to("local:c", tokio_stream::iter(messages)))
            .await;
        let mut stream = match response {
            Ok(response) => response.into_inner(),
            Err(why) => return Some(why.code()),
        };
        loop {
            match stream.message().await {
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(why) => return Some(why.code()),
            }
        }
    };
    let first = || WriteContentRequest {
        r#ref: "r".into(),
        ..piece(STAT, 0, b"")
    };
    assert_eq!(
        turns(vec![piece(WRITE, 0, b"x")]).await,
        Some(Code::InvalidArgument)
    );
    assert_eq!(
        turns(vec![first(), piece(9, 0, b"x")]).await,
        Some(Code::InvalidArgument)
    );
    assert_eq!(
        turns(vec![first(), piece(WRITE, 5, b"x")]).await,
        Some(Code::OutOfRange)
    );
    let short = WriteContentRequest {
        total: 3,
        ..piece(COMMIT, 0, b"xx")
    };
    assert_eq!(
        turns(vec![first(), short]).await,
        Some(Code::FailedPrecondition)
    );
    let named = WriteContentRequest {
        expected: "sha256:../../x".into(),
        ..first()
    };
    assert_eq!(turns(vec![named]).await, Some(Code::InvalidArgument));
    // Broken off without a commit.
    assert_eq!(turns(vec![first(), piece(WRITE, 0, b"half")]).await, None);
    assert_eq!(files(dir.path()), [""; 0]);
    // Started anew after a retry.
    let retried = vec![
        first(),
        piece(WRITE, 0, b"ha"),
        piece(WRITE, 0, b"whole"),
        piece(COMMIT, 5, b""),
    ];
    assert_eq!(turns(retried).await, None);
    assert_eq!(
        files(dir.path()),
        [sha256(b"whole").strip_prefix("sha256:").unwrap()]
    );
}

#[tokio::test]
async fn a_store_is_known_by_name_and_guarded() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("secret"), "s").unwrap();
    let stores = ContentStores::new(
        vec![("oci:x".into(), dir.path().into(), StoreAccess::Read)],
        Mask(0o22),
    );
    let mut client = client(&stores).await;
    let denied = write(&mut client, "oci:x", b"x", &sha256(b"x"))
        .await
        .unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied);
    let missing = read(&mut client, "oci:x", &sha256(b"x"), (0, 0))
        .await
        .unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
    let other = read(&mut client, "oci:y", &sha256(b"x"), (0, 0))
        .await
        .unwrap_err();
    assert_eq!(other.code(), Code::NotFound);
    for bad in ["sha256:../../secret", "../../secret", "", "sha512:00"] {
        let error = read(&mut client, "oci:x", bad, (0, 0)).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{bad}");
        let error = client
            .info(to("oci:x", InfoRequest { digest: bad.into() }))
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{bad}");
    }
    let unnamed = client
        .info(InfoRequest {
            digest: sha256(b""),
        })
        .await
        .unwrap_err();
    assert_eq!(unnamed.code(), Code::InvalidArgument);
}
