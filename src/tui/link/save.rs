//! A log into a file.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use tokio::fs::File;
use tokio::io::{AsyncWriteExt, BufWriter};

use super::super::msg::{BuildId, Msg};
use super::super::pane::log::save::Form;
use crate::client::{Api, status};
use crate::proto::controller::LogRequest;

/// Lines that are asked for at once.
const LINES: u32 = 10_000;

/// Writes a log into a file; into one that exists only with `overwrite`.
pub async fn save(
    api: Api,
    build: BuildId,
    vertex: String,
    form: Form,
    (path, overwrite): (PathBuf, bool),
) -> Msg {
    let session = build.session.clone();
    let file = match open(&path, overwrite).await {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Msg::NotSaved { session, path };
        }
        Err(error) => return Msg::Failed(format!("cannot write {}: {error}", path.display())),
    };
    let request = LogRequest {
        session: build.session,
        build: build.build,
        vertex,
        count: LINES,
        filter: form.filter.clone(),
        ..LogRequest::default()
    };
    match write(api, request, form, (file, &path)).await {
        Ok(words) => Msg::Note(format!("saved {}: {words}", path.display())),
        Err(line) => Msg::Failed(line),
    }
}

async fn open(path: &Path, overwrite: bool) -> std::io::Result<File> {
    if !overwrite {
        return File::create_new(path).await;
    }
    // Asked before it is opened: opening a pipe would wait for its other end.
    match tokio::fs::metadata(path).await {
        Ok(meta) if !meta.is_file() => Err(std::io::Error::other("it is no file")),
        _ => File::create(path).await,
    }
}

async fn write(
    mut api: Api,
    mut request: LogRequest,
    form: Form,
    (file, path): (File, &Path),
) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("cannot write {}: {error}", path.display());
    let mut file = BufWriter::new(file);
    let mut text = form.begin();
    let total = loop {
        let answer = api.log(request.clone()).await;
        let lines = answer
            .map_err(|refused| status::line(&refused))?
            .into_inner();
        for line in &lines.lines {
            let line = text.line(line);
            file.write_all(line.as_bytes()).await.map_err(cannot)?;
        }
        match lines.lines.last() {
            Some(last) if lines.more => request.from = last.number + 1,
            _ => break lines.total,
        }
    };
    file.write_all(text.end().as_bytes())
        .await
        .map_err(cannot)?;
    file.flush().await.map_err(cannot)?;
    Ok(text.words(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_file_is_overwritten_and_only_if_it_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        open(&path, false).await.unwrap();
        std::fs::write(&path, "old").unwrap();
        let error = open(&path, false).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        open(&path, true).await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"");
        assert!(open(dir.path(), true).await.is_err());
    }
}
