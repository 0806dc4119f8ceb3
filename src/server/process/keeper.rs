//! The first process of a shared container: it keeps the container, and acts inside on our behalf.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::container::{LOST, is_lost};
use super::marker::Reports;
use super::wrapper;
use crate::engine::gateway::{Container, Process, ProcessSpec};
use crate::engine::id::new_id;
use crate::proto::gateway::exec_message::Input;

/// How long the keeper may take to act. It does nothing else.
const ANSWER: Duration = Duration::from_secs(5);
/// Questions that may wait.
const QUESTIONS: usize = 16;
/// Most bytes of what the engine says when the keeper does not start.
const WORDS: usize = 4 << 10;

/// A line for the keeper, and who wants its answer.
#[derive(Debug)]
struct Question {
    line: String,
    answer: oneshot::Sender<String>,
}

/// The way to a keeper that runs. It ends when this is dropped.
#[derive(Debug)]
pub struct Keeper {
    questions: mpsc::Sender<Question>,
    leaving: CancellationToken,
}

/// Why a keeper does not run.
#[derive(Debug)]
pub enum Failed {
    /// The engine refused or is gone.
    Engine(Status),
    /// The process ended at once, with these words.
    Exit(String),
}

/// Starts a keeper as the first process of `container` and waits until it is ready. When it ends,
/// `ended` is told why.
pub async fn start(
    container: &Container,
    shell: &[String],
    mut spec: ProcessSpec,
    ended: watch::Sender<Option<Arc<str>>>,
) -> Result<Keeper, Failed> {
    let id = || new_id().map_err(|error| Failed::Engine(Status::internal(error.to_string())));
    let nonce = id()?;
    spec.meta.args = wrapper::keeper(shell, &nonce);
    let process = container.start(&id()?, spec).await;
    let mut process = process.map_err(Failed::Engine)?;
    let mut reports = Reports::new(&nonce);
    let mut words = Vec::new();
    loop {
        let message = process.output.message().await.map_err(Failed::Engine)?;
        let failed = |words: &[u8]| String::from_utf8_lossy(words).trim().replace('\n', " ");
        match message.and_then(|message| message.input) {
            Some(Input::File(file)) if file.fd == 1 => {
                let pieces = reports.push(Bytes::from(file.data));
                if wrapper::answers(pieces).any(|text| text == "ready") {
                    break;
                }
            }
            Some(Input::File(file)) => {
                let room = WORDS.saturating_sub(words.len());
                words.extend(file.data.into_iter().take(room));
                // A shell says nothing here, and the engine waits with the end for this.
                let _ = process.input.close_stdin().await;
            }
            Some(Input::Exit(exit)) => {
                if let Some(error) = exit.error.filter(|_| words.is_empty()) {
                    words.extend(error.message.bytes().take(WORDS));
                }
                let _ = process.input.close_stdin().await;
            }
            Some(Input::Done(_)) | None => return Err(Failed::Exit(failed(&words))),
            _ => {}
        }
    }
    let (questions, queue) = mpsc::channel(QUESTIONS);
    let leaving = CancellationToken::new();
    tokio::spawn(keep(process, reports, queue, leaving.clone(), ended));
    Ok(Keeper { questions, leaving })
}

impl Keeper {
    /// The answer to one line; `None` when there is none within 5 s.
    pub async fn ask(&self, line: String) -> Option<String> {
        let (answer, answered) = oneshot::channel();
        let ask = async {
            self.questions.send(Question { line, answer }).await.ok()?;
            answered.await.ok()
        };
        timeout(ANSWER, ask).await.ok().flatten()
    }

    /// It is not needed any more: it ends, and the container with it.
    pub fn leave(&self) {
        self.leaving.cancel();
    }
}

/// Owns the keeper's stream until it ends, it is to leave, or nobody can ask any more.
async fn keep(
    mut process: Process,
    mut reports: Reports,
    mut questions: mpsc::Receiver<Question>,
    leaving: CancellationToken,
    ended: watch::Sender<Option<Arc<str>>>,
) {
    let unneeded = "nobody needs the container any more";
    let mut waiting: VecDeque<oneshot::Sender<String>> = VecDeque::new();
    let why = loop {
        tokio::select! {
            () = leaving.cancelled() => break unneeded.to_owned(),
            question = questions.recv() => {
                let Some(Question { line, answer }) = question else {
                    break unneeded.to_owned();
                };
                waiting.push_back(answer);
                let line = format!("{line}\n").into_bytes();
                if let Ok(Err(_)) = timeout(ANSWER, process.input.write(line)).await {
                    break LOST.to_owned();
                }
            }
            message = process.output.message() => match message {
                Ok(Some(message)) => match message.input {
                    Some(Input::File(file)) if file.fd == 1 => {
                        for text in wrapper::answers(reports.push(Bytes::from(file.data))) {
                            if let Some(answer) = waiting.pop_front() {
                                let _ = answer.send(text);
                            }
                        }
                    }
                    Some(Input::Exit(_) | Input::Done(_)) => {
                        break "the container ended: its first process or the wrapper of a program was killed".to_owned();
                    }
                    _ => {}
                },
                Ok(None) => break LOST.to_owned(),
                Err(status) if is_lost(&status) => break LOST.to_owned(),
                Err(status) => break format!("the container ended: {}", status.message()),
            },
        }
    };
    end(&ended, &why);
    // The engine waits with the release until nothing of the process is open.
    let _ = timeout(ANSWER, process.input.close_stdin()).await;
}

/// Says once why a container has ended.
pub fn end(ended: &watch::Sender<Option<Arc<str>>>, reason: &str) {
    ended.send_if_modified(|old| {
        let first = old.is_none();
        if first {
            *old = Some(reason.into());
        }
        first
    });
}
