//! A tab connected to a process of the server.

use bytes::Bytes;
use tokio::sync::mpsc::{self, Sender};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;

use super::super::msg::{Msg, ShellMsg, Tab};
use crate::client::{Api, status};
use crate::monitor::exec::Monitor;
use crate::monitor::parse::Command;
use crate::monitor::shell::farewell;
use crate::proto::controller::attach_input::Input as In;
use crate::proto::controller::attach_output::Output;
use crate::proto::controller::{AttachInput, AttachOutput, AttachStart, TerminalSize};

/// Messages to a program that may wait for it.
const QUEUE: usize = 1024;

/// Most bytes of input in one message; a large paste is cut into such pieces.
const PIECE: usize = 16 << 10;

/// Most bytes of scrollback that are read when a tab is connected.
const SCROLLBACK: u32 = 2 << 20;

/// The way to a program.
#[derive(Clone, Debug)]
pub struct Input {
    sender: Sender<In>,
}

impl Input {
    /// What is sent here goes to the program.
    pub fn new(sender: Sender<In>) -> Self {
        Self { sender }
    }

    /// A queue for [`Input::new`].
    pub fn queue() -> (Self, mpsc::Receiver<In>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        (Self::new(sender), receiver)
    }

    /// Types bytes; `false`: there is no room for them, and they are lost.
    pub fn data(&self, mut bytes: Bytes) -> bool {
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(PIECE));
            if self.sender.try_send(In::Data(piece)).is_err() {
                return self.sender.is_closed();
            }
        }
        true
    }

    /// Tells a size.
    pub fn resize(&self, size: TerminalSize) {
        let _ = self.sender.try_send(In::Resize(size));
    }
}

/// Starts a process for a tab.
pub async fn start(monitor: &mut Monitor, command: Command, tab: Tab) -> Msg {
    let answer = monitor.run(command).await;
    match (answer, monitor.process.take()) {
        (Ok(answer), Some(process)) => {
            // The last line names the process and the keys of the line monitor.
            let mut notes = answer.lines;
            notes.pop();
            Msg::Started {
                tab,
                process,
                notes,
            }
        }
        (Ok(answer), None) => Msg::Shell(tab, ShellMsg::Lost(answer.lines.join("; "))),
        (Err(complaint), _) => Msg::Shell(tab, ShellMsg::Lost(complaint.0)),
    }
}

/// What a tab is connected to.
#[derive(Debug)]
pub struct Target {
    /// Id of the session.
    pub session: String,
    /// Id of the process.
    pub process: String,
    /// Size of the tab.
    pub size: TerminalSize,
    /// Only look on.
    pub read_only: bool,
    /// The user's terminal.
    pub terminal: String,
}

/// Connects a tab to a process; what comes from it becomes messages. The task ends when the process does, or when the
/// input is dropped and the server has what was typed before.
pub fn attach(
    mut api: Api,
    tab: Tab,
    target: Target,
    sender: Sender<Msg>,
) -> (Input, JoinHandle<()>) {
    let (input, mut typed) = Input::queue();
    let task = tokio::spawn(async move {
        let (to_server, outgoing) = mpsc::channel(16);
        let start = AttachStart {
            session: target.session,
            process: target.process,
            size: Some(target.size),
            read_only: target.read_only,
            scrollback: SCROLLBACK,
            terminal: target.terminal,
            raw: false,
        };
        let message = |input| AttachInput { input: Some(input) };
        let _ = to_server.send(message(In::Start(start))).await;
        let output = api.attach(ReceiverStream::new(outgoing)).await;
        let mut output = match output {
            Ok(output) => output.into_inner(),
            Err(refused) => {
                let lost = ShellMsg::Lost(status::line(&refused));
                let _ = sender.send(Msg::Shell(tab, lost)).await;
                return;
            }
        };
        let forward = async {
            while let Some(input) = typed.recv().await {
                if to_server.send(message(input)).await.is_err() {
                    break;
                }
            }
        };
        let read = async {
            loop {
                let msg = match output.message().await {
                    Ok(Some(AttachOutput {
                        output: Some(output),
                    })) => ShellMsg::Output(output),
                    Ok(Some(AttachOutput { output: None })) => continue,
                    Ok(None) => ShellMsg::Lost("the server ended the connection".to_owned()),
                    Err(refused) => ShellMsg::Lost(status::line(&refused)),
                };
                let last = matches!(msg, ShellMsg::Output(Output::Exited(_)) | ShellMsg::Lost(_));
                if sender.send(Msg::Shell(tab, msg)).await.is_err() || last {
                    return;
                }
            }
        };
        let closed = tokio::select! {
            () = forward => true,
            () = read => false,
        };
        if closed {
            farewell(&to_server, None, &mut output).await;
        }
    });
    (input, task)
}
