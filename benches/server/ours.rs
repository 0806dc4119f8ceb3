//! Our program and its server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use buildx::client::{self, Client, Options};
use buildx::paths::Env;
use buildx::proto::controller::trace_event::Event;
use buildx::proto::controller::{BuildRequest, Caller, Session, TraceRequest};
use portable_pty::CommandBuilder;
use rustix::process::Signal;
use tokio::runtime::Runtime;

use crate::process;
use crate::side::Side;
use crate::terminal::Terminal;

/// Our program, with places of its own.
pub struct Ours {
    program: PathBuf,
    environment: Vec<(&'static str, String)>,
    root: PathBuf,
    /// For calls of the API.
    pub runtime: Runtime,
}

impl Ours {
    /// Our program on the engine of `socket`, with its files below `dir`.
    pub fn new(program: PathBuf, socket: &Path, dir: &Path) -> Result<Self> {
        let home = dir.join("ours");
        fs::create_dir_all(&home)?;
        let home = fs::canonicalize(home)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        Ok(Self {
            program: fs::canonicalize(program)?,
            environment: vec![
                ("PATH", "/usr/bin:/bin".into()),
                ("HOME", home.display().to_string()),
                ("LANG", "C.UTF-8".into()),
                ("SHELL", "/bin/sh".into()),
                ("TERM", "xterm-256color".into()),
                ("DOCKER_HOST", format!("unix://{}", socket.display())),
                ("BUILDX_SERVER", "on".into()),
            ],
            root: home.join("root"),
            runtime,
        })
    }

    /// Where the server keeps everything.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `buildx ARGS…` with this server, without output.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(args)
            .arg("--root")
            .arg(&self.root)
            .env_clear()
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// `buildx ARGS…` with this server, in a terminal.
    pub fn terminal(&self, args: &[&str]) -> Result<Terminal> {
        Terminal::start(self.program(args))
    }

    /// `buildx ARGS…` with this server, for a terminal.
    pub fn program(&self, args: &[&str]) -> CommandBuilder {
        let mut command = CommandBuilder::new(&self.program);
        command.env_clear();
        for (name, value) in &self.environment {
            command.env(name, value);
        }
        command.args(args);
        command.arg("--root");
        command.arg(&self.root);
        command
    }

    /// Runs `buildx ARGS…` to its end; its output, and how long that took.
    pub fn run(&self, args: &[&str]) -> Result<(String, Duration)> {
        let mut command = self.command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let began = Instant::now();
        let output = command.output()?;
        let took = began.elapsed();
        ensure!(
            output.status.success(),
            "buildx {}: {}",
            args.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok((String::from_utf8(output.stdout)?, took))
    }

    /// The number of sessions that `buildx debug ls` shows, and how long that took.
    pub fn list(&self) -> Result<(usize, Duration)> {
        let (table, took) = self.run(&["debug", "ls"])?;
        Ok((table.lines().count().saturating_sub(1), took))
    }

    /// A client of the server in this process; the server is started when there is none.
    pub fn client(&self) -> Result<Client> {
        let variables = self.environment.iter();
        let env: Env = variables
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let mut options = Options::new(&env, Some(&self.root), None)?;
        options.program = self.program.clone();
        let mut tell = |_: &str| ();
        Ok(self
            .runtime
            .block_on(client::connect(&options, &mut tell))?)
    }

    /// Builds `context` to its end with calls of the API; returns the id of its session.
    pub async fn build(&self, client: &Client, context: &Path) -> Result<String> {
        let variables = self.environment.iter();
        let environment = variables.map(|(name, value)| ((*name).to_owned(), value.clone().into()));
        let caller = Caller {
            environment: environment.collect(),
            directory: "/".into(),
            umask: 0o022,
            ..Caller::default()
        };
        let mut api = client.api.clone();
        let started = api.build(BuildRequest {
            caller: Some(caller),
            arguments: vec!["--network=host".into(), context.display().to_string()],
            ..BuildRequest::default()
        });
        let session = started.await?.into_inner().session;
        let trace = api.trace(TraceRequest {
            session: session.clone(),
            ..TraceRequest::default()
        });
        let mut trace = trace.await?.into_inner();
        while let Some(record) = trace.message().await? {
            if let Some(Event::Outcome(_)) = record.event.and_then(|event| event.event) {
                return Ok(session);
            }
        }
        anyhow::bail!("session {session} has no end")
    }

    /// All sessions, by a call of the API.
    pub async fn sessions(&self, client: &Client) -> Result<Vec<Session>> {
        let mut api = client.api.clone();
        let request = buildx::proto::controller::ListSessionsRequest {};
        Ok(api.list_sessions(request).await?.into_inner().sessions)
    }

    /// Kills the server of `client` and waits until it is gone.
    pub fn kill(&self, client: &Client) -> Result<()> {
        process::end(client.info.pid, Signal::KILL)
    }
}

impl Side for Ours {
    fn name(&self) -> &'static str {
        "ours"
    }

    fn debug(&self, context: &Path) -> Result<Terminal> {
        let context = context.to_str().context("a path that is no text")?;
        self.terminal(&["debug", "--ui=line", "build", "--network=host", context])
    }

    fn build(&self, context: &Path) -> Result<Child> {
        let context = context.to_str().context("a path that is no text")?;
        let args = ["build", "--network=host", "--progress=plain", context];
        Ok(self.command(&args).spawn()?)
    }

    fn stop(&self) -> Result<()> {
        let running = self.command(&["server", "status"]).status()?.success();
        if running {
            self.run(&["server", "stop"])?;
        }
        match fs::remove_dir_all(&self.root) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}
