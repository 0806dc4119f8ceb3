//! The engine without a server between: a program in a container, read through the gateway API. This
//! is what nobody can do better.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use buildx::engine::address::{Address, Transport};
use buildx::engine::control::Engine;
use buildx::engine::gateway::{
    Container, ContainerSpec, Gateway, Process, ProcessSpec, Returned, Target, single_ref,
};
use buildx::engine::id::new_id;
use buildx::proto::gateway::Result as GatewayResult;
use buildx::proto::gateway::exec_message::Input;
use buildx::proto::{control::SolveRequest, pb};
use prost::Message;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

/// Keys that are typed between two lines.
pub const KEYS: usize = 50;

/// Before a key: long enough that everybody sleeps again, and never the same.
pub fn pause(key: usize) -> Duration {
    Duration::from_millis(4 + (key * 7 % 11) as u64)
}

/// The engine.
pub struct Direct {
    transport: Transport,
}

/// A program in a terminal of a container.
pub struct Program {
    process: Process,
    ahead: Vec<u8>,
    container: Container,
    gateway: Gateway,
    result: GatewayResult,
    /// The build that holds the container.
    solve: tokio::task::JoinHandle<()>,
}

impl Direct {
    /// The engine of `socket`.
    pub fn new(socket: &Path) -> Result<Self> {
        Ok(Self {
            transport: Transport::Docker(Address::Unix(socket.to_owned())),
        })
    }

    /// Types so many keys into a program that does nothing with them: how long the echo of each takes.
    pub async fn echoes(&self, keys: usize) -> Result<Vec<Duration>> {
        let mut program = self.start("/busybox cat").await?;
        program.send("ready\r").await?;
        program.wait("ready").await?;
        program.wait("ready").await?;
        program.wait("\n").await?;
        let mut echoes = Vec::new();
        for key in 1..=keys {
            tokio::time::sleep(pause(key)).await;
            let began = Instant::now();
            program.send("x").await?;
            let seen = program.wait("x").await?;
            echoes.push(seen - began);
            if key % KEYS == 0 {
                program.send("\r").await?;
                program.wait(&"x".repeat(KEYS)).await?;
                program.wait("\n").await?;
            }
        }
        program.end().await?;
        Ok(echoes)
    }

    /// Runs busybox's `sh -c script` in a terminal.
    pub async fn start(&self, script: &str) -> Result<Program> {
        let (engine, _) = Engine::connect(&self.transport).await?;
        let reference = new_id()?;
        let request = SolveRequest {
            r#ref: reference.clone(),
            cache: Some(Default::default()),
            ..SolveRequest::default()
        };
        let gateway = Gateway::new(&engine, &reference)?;
        let solve = tokio::spawn(async move {
            let _ = engine.solve(request).await;
        });
        gateway.ping().await?;
        let result = gateway.solve(Target::Definition(busybox()?), true).await?;
        let root = single_ref(&result).context("no result")?;
        let mut container = ContainerSpec::new(new_id()?, root);
        container.network = pb::NetMode::None;
        let container = gateway.new_container(container).await?;
        let spec = ProcessSpec {
            meta: pb::Meta {
                args: ["/busybox", "sh", "-c", script].map(str::to_owned).into(),
                env: vec!["PATH=/".into()],
                cwd: "/".into(),
                ..pb::Meta::default()
            },
            tty: Some((24, 80)),
            stdin: true,
            security: pb::SecurityMode::Sandbox,
            secret_env: Vec::new(),
        };
        Ok(Program {
            process: container.start("program", spec).await?,
            ahead: Vec::new(),
            container,
            gateway,
            result,
            solve,
        })
    }
}

impl Program {
    /// Types `keys`.
    pub async fn send(&mut self, keys: &str) -> Result<()> {
        Ok(self.process.input.write(keys.into()).await?)
    }

    /// Ends it and its build; returns when the engine has none of them any more.
    pub async fn end(self) -> Result<()> {
        self.container.release().await?;
        self.gateway.finish(Returned::Result(self.result)).await?;
        Ok(self.solve.await?)
    }

    /// Writes all that it prints to `terminal`, as the simplest of clients would, until `done` says what it gives.
    pub async fn print<T>(&mut self, terminal: File, done: impl Future<Output = T>) -> Result<T> {
        let (printer, mut waiting) = mpsc::channel::<Vec<u8>>(64);
        let printing = spawn_blocking(move || -> std::io::Result<()> {
            let mut terminal = terminal;
            while let Some(bytes) = waiting.blocking_recv() {
                terminal.write_all(&bytes)?;
            }
            Ok(())
        });
        let copy = async {
            while let Some(message) = self.process.output.message().await? {
                if let Some(Input::File(file)) = message.input {
                    printer.send(file.data).await?;
                }
            }
            bail!("it ended before it was done")
        };
        let done = tokio::select! {
            copied = copy => return copied,
            done = done => done,
        };
        drop(printer);
        printing.await??;
        Ok(done)
    }

    /// Waits for `text` in what was not waited for yet; says when it had come.
    pub async fn wait(&mut self, text: &str) -> Result<Instant> {
        let text = text.as_bytes();
        loop {
            let found = self.ahead.windows(text.len()).position(|part| part == text);
            if let Some(at) = found {
                let now = Instant::now();
                self.ahead.drain(..at + text.len());
                return Ok(now);
            }
            let tail = self.ahead.len().saturating_sub(text.len());
            self.ahead.drain(..tail);
            match self.process.output.message().await? {
                Some(message) => match message.input {
                    Some(Input::File(file)) => self.ahead.extend(file.data),
                    Some(Input::Exit(_)) | Some(Input::Done(_)) => {
                        bail!("it ended before it wrote {text:?}")
                    }
                    _ => {}
                },
                None => bail!("the engine closed before it wrote {text:?}"),
            }
        }
    }
}

/// A root file system with busybox.
fn busybox() -> Result<pb::Definition> {
    let file = pb::FileAction {
        input: -1,
        secondary_input: -1,
        output: 0,
        action: Some(pb::file_action::Action::Mkfile(pb::FileActionMkFile {
            path: "/busybox".into(),
            mode: 0o755,
            data: std::fs::read("/bin/busybox").context("/bin/busybox")?,
            timestamp: -1,
            ..pb::FileActionMkFile::default()
        })),
    };
    let root = pb::Op {
        op: Some(pb::op::Op::File(pb::FileOp {
            actions: vec![file],
        })),
        ..pb::Op::default()
    }
    .encode_to_vec();
    let end = pb::Op {
        inputs: vec![pb::Input {
            digest: digest(&root),
            index: 0,
        }],
        ..pb::Op::default()
    }
    .encode_to_vec();
    Ok(pb::Definition {
        def: vec![root, end],
        ..pb::Definition::default()
    })
}

fn digest(op: &[u8]) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA256, op);
    let hex: String = hash.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    format!("sha256:{hex}")
}
