//! What is left to do when a program has ended: the engine has to let go of its terminal.

use std::sync::Arc;

use tokio::time::sleep;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tonic::Streaming;

use crate::engine::gateway::ProcessInput;
use crate::proto::gateway::ExecMessage;
use crate::proto::gateway::exec_message::Input;
use crate::server::process::container::{Container, DRAIN, reason};

/// The wrapper of a program with a terminal, which waits to be let go.
pub struct Wrapper {
    /// Process id of the program, if it runs on.
    pub program: Option<u32>,
    /// Process id of the wrapper.
    pub session: u32,
    /// What nobody types by accident.
    pub word: String,
    /// Whether the engine may be writing what nobody reads.
    pub may_be_stuck: bool,
}

/// Lets the engine finish: it waits for the end of the input, and for all that the program left
/// running with its output. It takes a stream that goes earlier for an order to kill, and ends the
/// container over it. The container's release waits for `_guest`.
pub async fn close(
    mut stream: Option<Streaming<ExecMessage>>,
    input: ProcessInput,
    container: Arc<Container>,
    wrapper: Option<Wrapper>,
    _guest: Option<TaskTrackerToken>,
) {
    let mut ended = container.ended();
    let may_be_stuck = wrapper.as_ref().is_some_and(|wrapper| wrapper.may_be_stuck);
    let feed = async {
        if let Some(wrapper) = wrapper {
            let_go(&container, &input, wrapper).await;
        }
        let _ = input.close_stdin().await;
    };
    let read = async {
        while let Some(stream) = &mut stream
            && let Ok(Some(message)) = stream.message().await
            && !matches!(message.input, Some(Input::Done(_)))
        {}
    };
    tokio::select! {
        _ = async { tokio::join!(feed, read) } => {}
        () = async {
            reason(&mut ended).await;
            if may_be_stuck {
                sleep(DRAIN).await;
            }
        } => {}
    }
}

async fn let_go(container: &Container, input: &ProcessInput, wrapper: Wrapper) {
    let Wrapper {
        program,
        session,
        word,
        may_be_stuck,
    } = wrapper;
    if !may_be_stuck {
        container.let_go(session).await;
        return;
    }
    if let Some(pid) = program {
        container.kill(pid, session).await;
    }
    if container.drain(session, &word).await {
        let _ = input.write(format!("\n{word}\n").into_bytes()).await;
    }
}
