//! Secrets: the engine asks for them by id when a step needs one.
//!
//! Values come from the caller's files and environment, are read when they are asked for, and are in
//! no message, log or `Debug` output of this side.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bollard_buildkit_proto::moby::buildkit::secrets::v1::secrets_server::{
    Secrets as Service, SecretsServer,
};
use bollard_buildkit_proto::moby::buildkit::secrets::v1::{GetSecretRequest, GetSecretResponse};
use bytes::Bytes;
use tonic::{Request, Response, Status};

use crate::paths::{Env, is_of_one_process};

/// Largest secret, in bytes: Docker's own limit.
const LARGEST: u64 = 500 << 10;

/// Where a secret is.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretValue {
    /// In this file, read when the engine asks.
    File(PathBuf),
    /// In the caller's environment, already looked up.
    Bytes(Arc<[u8]>),
    /// Nowhere: the variable of that name is not set. Only a step that insists on it fails.
    Unset(String),
}

impl std::fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SecretValue::File(path) => f.debug_tuple("File").field(path).finish(),
            SecretValue::Bytes(_) => f.write_str("Bytes(…)"),
            SecretValue::Unset(name) => f.debug_tuple("Unset").field(name).finish(),
        }
    }
}

/// Reads the fields of one `--secret`: `id`, `src` or `source`, `env`, `type=file|env`. Without a
/// source, the id is the name of a variable or else of a file. Paths are relative to `cwd`; what is in `files` by its name
/// in the fields was read by the caller.
///
/// # Errors
/// What is wrong, in the words of Docker's own buildx.
pub fn parse(
    fields: &[String],
    cwd: &Path,
    env: &Env,
    files: &HashMap<String, Bytes>,
) -> Result<(String, SecretValue), String> {
    let mut id = String::new();
    let mut source = None;
    let mut from_env = None;
    for field in fields {
        let (key, value) = field
            .split_once('=')
            .ok_or_else(|| format!("invalid field '{field}' must be a key=value pair"))?;
        match key.trim().to_lowercase().as_str() {
            "type" => match value {
                "file" => from_env = Some(false),
                "env" => from_env = Some(true),
                _ => return Err(format!("unsupported secret type {value:?}")),
            },
            "id" => value.clone_into(&mut id),
            "src" | "source" => source = Some(value.to_owned()),
            "env" => {
                source.get_or_insert_with(|| value.to_owned());
                from_env.get_or_insert(true);
            }
            _ => return Err(format!("unexpected key '{key}' in '{field}'")),
        }
    }
    if id.is_empty() {
        return Err("secret missing ID".into());
    }
    let name = source.clone().unwrap_or_else(|| id.clone());
    let variable = env.os(&name).map(|value| {
        use std::os::unix::ffi::OsStrExt;
        SecretValue::Bytes(value.as_bytes().into())
    });
    let value = match (from_env, variable) {
        (Some(true), Some(value)) => value,
        // A bare id, or `type=env` of nothing that is set, may still be a file.
        (Some(true), None) if source.is_some() => SecretValue::Unset(name),
        (None, Some(value)) if source.is_none() => value,
        _ => {
            let path = cwd.join(&name);
            let own = files.get(&name);
            let size = match own {
                Some(bytes) => bytes.len() as u64,
                None => std::fs::metadata(&path)
                    .map_err(|error| format!("failed to stat {name}: {}", system(&error)))?
                    .len(),
            };
            if size > LARGEST {
                return Err(too_large(&id));
            }
            own.map_or(SecretValue::File(path), |bytes| {
                SecretValue::Bytes(bytes.as_ref().into())
            })
        }
    };
    Ok((id, value))
}

/// The contents of files of this very process that `--secret` values name, at most a byte more than a secret may have: what
/// a shell makes of `<(…)`, or standard input by its name. Another process cannot open them. What cannot be read is left out,
/// and told by [`parse`].
pub fn own_files(secrets: impl IntoIterator<Item = Vec<String>>) -> HashMap<String, Bytes> {
    let mut files = HashMap::new();
    for fields in secrets {
        let keys = fields.iter().filter_map(|field| field.split_once('='));
        let paths = keys.filter(|(key, _)| {
            let key = key.trim();
            ["src", "source"]
                .iter()
                .any(|name| key.eq_ignore_ascii_case(name))
        });
        for (_, path) in paths.filter(|(_, path)| is_of_one_process(path)) {
            let mut bytes = Vec::new();
            let read =
                File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes));
            if read.is_ok() && !files.contains_key(path) {
                files.insert(path.to_owned(), bytes.into());
            }
        }
    }
    files
}

/// The system's words without Rust's number behind them.
fn system(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_lowercase(),
        None => text,
    }
}

fn too_large(id: &str) -> String {
    format!(
        "secret {id} is too large: the limit is {} KiB",
        LARGEST >> 10
    )
}

/// The service.
#[derive(Clone, Debug)]
pub struct Secrets(Arc<HashMap<String, SecretValue>>);

impl Secrets {
    /// Serves these secrets by id; of two with the same id the last one counts.
    pub fn new(secrets: Vec<(String, SecretValue)>) -> Self {
        Self(Arc::new(secrets.into_iter().collect()))
    }

    /// The service as it is added to the connection.
    pub fn service(&self) -> SecretsServer<Self> {
        SecretsServer::new(self.clone())
    }
}

#[tonic::async_trait]
impl Service for Secrets {
    async fn get_secret(
        &self,
        request: Request<GetSecretRequest>,
    ) -> Result<Response<GetSecretResponse>, Status> {
        let id = request.into_inner().id;
        let data = match self.0.get(&id) {
            None => return Err(Status::not_found(format!("secret {id} not found"))),
            Some(SecretValue::Unset(name)) => {
                return Err(Status::not_found(format!(
                    "secret {id} not found: the variable {name} is not set"
                )));
            }
            Some(SecretValue::Bytes(bytes)) => bytes.to_vec(),
            Some(SecretValue::File(path)) => {
                let path = path.clone();
                let read = tokio::task::spawn_blocking(move || read(&path)).await;
                read.map_err(|error| Status::internal(error.to_string()))?
                    .map_err(|error| {
                        Status::not_found(format!("secret {id} cannot be read: {}", system(&error)))
                    })?
            }
        };
        if u64::try_from(data.len()).is_ok_and(|size| size > LARGEST) {
            return Err(Status::invalid_argument(too_large(&id)));
        }
        Ok(Response::new(GetSecretResponse { data }))
    }
}

/// Reads at most one byte more than is allowed.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut data = Vec::new();
    File::open(path)?.take(LARGEST + 1).read_to_end(&mut data)?;
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsRawFd;

    fn fields(text: &str) -> Vec<String> {
        text.split(',').map(str::to_owned).collect()
    }

    fn env() -> Env {
        [("TOKEN", "hush"), ("both", "from env")]
            .into_iter()
            .collect()
    }

    #[test]
    fn what_only_this_process_can_open_is_read_beforehand() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(b"hunter2").unwrap();
        drop(writer);
        let path = format!("/dev/fd/{}", reader.as_raw_fd());
        let given = [
            fields(&format!("id=x,src={path}")),
            fields("id=y,source=/etc/hostname"),
            fields("id=z,src=/dev/fd/nothing"),
        ];
        let files = own_files(given.clone());
        assert_eq!(files.keys().collect::<Vec<_>>(), [&path]);
        let [x, y, z] = given.map(|fields| parse(&fields, Path::new("/"), &env(), &files));
        assert_eq!(x.unwrap().1, SecretValue::Bytes((*b"hunter2").into()));
        assert_eq!(y.unwrap().1, SecretValue::File("/etc/hostname".into()));
        assert!(z.is_err());
        let large = HashMap::from([(path.clone(), Bytes::from(vec![0; LARGEST as usize + 1]))]);
        let error = parse(
            &fields(&format!("id=x,src={path}")),
            Path::new("/"),
            &env(),
            &large,
        );
        assert_eq!(error.unwrap_err(), too_large("x"));
    }

    #[test]
    fn sources_are_found_as_docker_finds_them() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), "x").unwrap();
        std::fs::write(dir.path().join("both"), "x").unwrap();
        let bytes = |text: &str| SecretValue::Bytes(text.as_bytes().into());
        let file = |name: &str| SecretValue::File(dir.path().join(name));
        let table = [
            ("id=a,src=file", file("file")),
            ("id=a,source=file", file("file")),
            ("id=a,env=TOKEN", bytes("hush")),
            ("id=a,type=env,src=TOKEN", bytes("hush")),
            ("id=a,env=NONE", SecretValue::Unset("NONE".into())),
            ("id=file", file("file")),
            ("id=both", bytes("from env")),
            ("id=both,type=file", file("both")),
            ("id=both,src=both", file("both")),
        ];
        for (text, want) in table {
            let (_, value) = parse(&fields(text), dir.path(), &env(), &HashMap::new()).unwrap();
            assert!(value == want, "{text}: {value:?}");
        }
    }

    #[test]
    fn mistakes_are_told_as_docker_tells_them() {
        let table = [
            ("id=", "secret missing ID"),
            ("src=/etc/hostname", "secret missing ID"),
            ("foo=bar", "unexpected key 'foo' in 'foo=bar'"),
            ("x", "invalid field 'x' must be a key=value pair"),
            ("id=x,type=bad", "unsupported secret type \"bad\""),
            (
                "id=x,src=/nope",
                "failed to stat /nope: no such file or directory",
            ),
        ];
        for (text, want) in table {
            let error = parse(&fields(text), Path::new("/"), &env(), &HashMap::new()).unwrap_err();
            assert_eq!(error, want, "{text}");
        }
    }

    #[tokio::test]
    async fn answers_and_refuses_without_showing_values() {
        let dir = tempfile::tempdir().unwrap();
        let big = dir.path().join("big");
        std::fs::write(&big, vec![b'x'; 600 << 10]).unwrap();
        let secrets = Secrets::new(vec![
            ("a".into(), SecretValue::Bytes(b"hush"[..].into())),
            ("big".into(), SecretValue::File(big)),
            ("gone".into(), SecretValue::File(dir.path().join("gone"))),
            ("unset".into(), SecretValue::Unset("V".into())),
        ]);
        assert!(!format!("{secrets:?}").contains("hush"));
        let ask = |id: &str| {
            let id = id.to_owned();
            secrets.get_secret(Request::new(GetSecretRequest {
                id,
                ..Default::default()
            }))
        };
        assert_eq!(ask("a").await.unwrap().into_inner().data, b"hush");
        for (id, code) in [
            ("other", tonic::Code::NotFound),
            ("gone", tonic::Code::NotFound),
            ("unset", tonic::Code::NotFound),
            ("big", tonic::Code::InvalidArgument),
        ] {
            assert_eq!(ask(id).await.unwrap_err().code(), code, "{id}");
        }
    }
}
