//! A session of processes in an open build, and clients that attach to them.

use std::time::Duration;

use buildx::engine::id::new_id;
use buildx::proto::controller::attach_input::Input;
use buildx::proto::controller::attach_output::Output;
use buildx::proto::controller::{
    AttachInput, AttachStart, Client, ExecRequest, Exited, Presence, Process, Ready, Snapshot,
    TerminalSize,
};
use buildx::server::process::{Attached, Processes, Settings};
use buildx::server::state::OpenState;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

use crate::support::context::Context;
use crate::support::open::OpenBuild;

/// Nothing that a test waits for takes longer.
const DEADLINE: Duration = Duration::from_secs(120);

/// No network for the steps: the test engine has no bridge.
pub const OFFLINE: (&str, &str) = ("force-network-mode", "none");

/// Processes in an open build.
pub struct Session {
    pub build: OpenBuild,
    pub processes: Processes,
    _context: Context,
}

impl Session {
    /// A session without state.
    pub async fn new(context: Context, secrets: &[(&str, &str)]) -> Self {
        Self {
            build: OpenBuild::new(&context, secrets).await,
            processes: Processes::new("session", Settings::default()),
            _context: context,
        }
    }

    /// In a step that fails, on a system of busybox and then `steps`. `UNIQUE` in them is replaced,
    /// so that no other test has the same step.
    pub async fn failed(steps: &str) -> Self {
        let steps = steps.replace("UNIQUE", &new_id().unwrap());
        let session = Self::new(Context::busybox(&steps), &[]).await;
        let state = session.build.failed(&[OFFLINE]).await;
        session.processes.open(state).await;
        session
    }

    /// In a RUN that fails after `steps`.
    pub async fn shell() -> Self {
        Self::failed("RUN echo UNIQUE; exit 1\n").await
    }

    /// In the result of a system of busybox and then `steps`.
    pub async fn result(steps: &str) -> Self {
        let session = Self::new(Context::busybox(steps), &[]).await;
        let state = session.build.result(&[OFFLINE]).await;
        session.processes.open(state).await;
        session
    }

    /// Another state of the same build.
    pub async fn open(&self, state: OpenState) {
        self.processes.open(state).await;
    }

    /// Starts a process.
    pub async fn exec(&self, request: ExecRequest) -> (String, Vec<String>) {
        let response = self.processes.exec(request).await.unwrap();
        (response.process, response.notes)
    }

    /// Runs a shell command without a terminal to its end: standard output, exit code.
    pub async fn run(&self, command: &str) -> (String, Option<i32>) {
        self.run_as(plain(&["sh", "-c", command])).await
    }

    /// Runs a process without a terminal to its end.
    pub async fn run_as(&self, request: ExecRequest) -> (String, Option<i32>) {
        let (process, _) = self.exec(request).await;
        let mut client = self.attach(&process).await;
        let exited = client.exited().await;
        (client.printed(), exited.exit_code)
    }

    /// Attaches a client that has no terminal.
    pub async fn attach(&self, process: &str) -> Attachment {
        self.attach_as(process, 1, None, false).await
    }

    /// Attaches a client with a terminal of this size.
    pub async fn attach_sized(&self, process: &str, pid: u32, rows: u32, cols: u32) -> Attachment {
        self.attach_as(process, pid, Some((rows, cols)), false)
            .await
    }

    /// Attaches a client.
    pub async fn attach_as(
        &self,
        process: &str,
        pid: u32,
        size: Option<(u32, u32)>,
        read_only: bool,
    ) -> Attachment {
        let start = AttachStart {
            process: process.to_owned(),
            size: size.map(|(rows, cols)| TerminalSize { rows, cols }),
            read_only,
            scrollback: 64 << 10,
            ..Default::default()
        };
        self.attach_with(start, pid).await
    }

    /// Attaches a client that wants the output of a terminal as it is.
    pub async fn attach_raw(&self, process: &str) -> Attachment {
        let start = AttachStart {
            process: process.to_owned(),
            raw: true,
            ..Default::default()
        };
        self.attach_with(start, 1).await
    }

    async fn attach_with(&self, start: AttachStart, pid: u32) -> Attachment {
        let who = Client {
            pid,
            terminal: format!("/dev/pts/{pid}"),
            ..Default::default()
        };
        let (input, queue) = mpsc::channel(16);
        let input_stream = ReceiverStream::new(queue).map(Ok);
        let stream = self.processes.attach(start, who, input_stream).await;
        Attachment {
            input,
            stream: stream.unwrap(),
            out: Vec::new(),
            error: Vec::new(),
            snapshots: Vec::new(),
            notices: Vec::new(),
            sizes: Vec::new(),
            presence: Presence::default(),
            bells: 0,
            exited: None,
        }
    }

    /// A process as it is listed.
    pub async fn listed(&self, id: &str) -> Process {
        let list = self.processes.list().await;
        list.into_iter().find(|process| process.id == id).unwrap()
    }

    /// Ends everything.
    pub async fn close(self) {
        let released = self.processes.close("the test is over").await;
        assert!(released, "the engine did not let a container go");
        self.build.cancel().await;
    }
}

/// A request for a process without a terminal.
pub fn plain(arguments: &[&str]) -> ExecRequest {
    ExecRequest {
        arguments: arguments.iter().map(|&word| word.to_owned()).collect(),
        ..Default::default()
    }
}

/// A request for a process with a terminal; no arguments for the shell.
pub fn terminal(arguments: &[&str]) -> ExecRequest {
    ExecRequest {
        tty: true,
        rows: 24,
        cols: 80,
        ..plain(arguments)
    }
}

/// A client that is attached, and what it has got.
pub struct Attachment {
    input: mpsc::Sender<AttachInput>,
    stream: Attached,
    pub out: Vec<u8>,
    pub error: Vec<u8>,
    pub snapshots: Vec<Snapshot>,
    pub notices: Vec<String>,
    pub sizes: Vec<(u32, u32)>,
    pub presence: Presence,
    pub bells: u32,
    pub exited: Option<Exited>,
}

impl Attachment {
    /// Sends something.
    pub async fn send(&self, input: Input) {
        let input = AttachInput { input: Some(input) };
        self.input.send(input).await.unwrap();
    }

    /// Types.
    pub async fn type_in(&self, text: &str) {
        self.send(Input::Data(text.to_owned().into())).await;
    }

    /// Says that its terminal has another size.
    pub async fn resize(&self, rows: u32, cols: u32) {
        self.send(Input::Resize(TerminalSize { rows, cols })).await;
    }

    /// Ends standard input.
    pub async fn close_input(&self) {
        self.send(Input::Close(Ready {})).await;
    }

    /// Takes the next message in; false at the end of the stream.
    pub async fn next(&mut self) -> bool {
        let Some(message) = self.stream.next().await else {
            return false;
        };
        match message.output.unwrap() {
            Output::Snapshot(snapshot) => self.snapshots.push(snapshot),
            Output::Data(bytes) => self.out.extend_from_slice(&bytes),
            Output::ErrorData(bytes) => self.error.extend_from_slice(&bytes),
            Output::Resized(size) => self.sizes.push((size.rows, size.cols)),
            Output::Bell(_) => self.bells += 1,
            Output::Presence(presence) => self.presence = presence,
            Output::Notice(text) => self.notices.push(text),
            Output::Exited(exited) => self.exited = Some(exited),
            Output::Clipboard(_) => {}
        }
        true
    }

    /// Reads until something is so.
    pub async fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let reading = async {
            while !is_so(self) {
                if !self.next().await {
                    return false;
                }
            }
            true
        };
        let found = tokio::time::timeout(DEADLINE, reading).await;
        assert_eq!(found, Ok(true), "{what}: {self}");
    }

    /// Reads until the output contains a text, beginning with the screen at attach.
    pub async fn sees(&mut self, text: &str) {
        self.until(text, |client| {
            client.printed().contains(text)
                || client
                    .snapshots
                    .iter()
                    .any(|snapshot| String::from_utf8_lossy(&snapshot.screen).contains(text))
        })
        .await;
    }

    /// Reads until a notice contains a text.
    pub async fn is_told(&mut self, text: &str) {
        self.until(text, |client| {
            client.notices.iter().any(|notice| notice.contains(text))
        })
        .await;
    }

    /// Reads to the end.
    pub async fn exited(&mut self) -> Exited {
        self.until("the end", |client| client.exited.is_some())
            .await;
        assert!(!self.next().await, "nothing comes after the end");
        self.exited.clone().unwrap()
    }

    /// Everything from standard output or the terminal.
    pub fn printed(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    /// Forgets what was printed.
    pub fn forget(&mut self) {
        self.out.clear();
        self.snapshots.clear();
    }
}

impl std::fmt::Display for Attachment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let out = self.printed();
        let tail = out.len().saturating_sub(2000);
        write!(
            f,
            "…{:?}, error {:?}, notices {:?}, exited {:?}, {} snapshots",
            out.get(tail..).unwrap_or_default(),
            String::from_utf8_lossy(&self.error),
            self.notices,
            self.exited,
            self.snapshots.len(),
        )
    }
}
