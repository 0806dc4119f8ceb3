//! A log into a file.

use std::path::{Path, PathBuf};

use tokio::fs::File;
use tokio::io::{AsyncWriteExt, BufWriter};

use super::super::msg::{BuildId, Msg};
use super::super::pane::log::save::Form;
use crate::client::{Api, status};
use crate::proto::controller::LogRequest;

/// Lines that are asked for at once.
const LINES: u32 = 10_000;

/// Writes a log into a file that does not exist.
pub async fn save(api: Api, build: BuildId, vertex: String, form: Form, path: PathBuf) -> Msg {
    let request = LogRequest {
        session: build.session,
        build: build.build,
        vertex,
        count: LINES,
        filter: form.filter.clone(),
        ..LogRequest::default()
    };
    match write(api, request, form, &path).await {
        Ok(words) => Msg::Note(format!("saved {}: {words}", path.display())),
        Err(line) => Msg::Failed(line),
    }
}

async fn write(
    mut api: Api,
    mut request: LogRequest,
    form: Form,
    path: &Path,
) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("cannot write {}: {error}", path.display());
    let file = File::create_new(path).await.map_err(cannot)?;
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
