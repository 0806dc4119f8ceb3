//! Docker's own buildx 0.13.1 and its detached server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use portable_pty::CommandBuilder;
use rustix::process::Signal;

use crate::process;
use crate::side::Side;
use crate::terminal::Terminal;

/// What builds and starts a shell in the step that fails.
const DEBUG: [&str; 5] = ["debug", "--on=error", "build", "--detach", "--network=host"];

/// The peer, with a configuration of its own.
pub struct Peer {
    program: PathBuf,
    environment: Vec<(&'static str, String)>,
    controller: PathBuf,
}

impl Peer {
    /// The peer on the engine of `socket`, with its files below `dir`.
    pub fn new(program: PathBuf, socket: &Path, dir: &Path) -> Result<Self> {
        let home = dir.join("peer");
        fs::create_dir_all(&home)?;
        let home = fs::canonicalize(home)?;
        let below = |name: &str| home.join(name).display().to_string();
        Ok(Self {
            program: fs::canonicalize(program)?,
            environment: vec![
                ("PATH", "/usr/bin:/bin".into()),
                ("HOME", home.display().to_string()),
                ("TERM", "xterm-256color".into()),
                ("DOCKER_HOST", format!("unix://{}", socket.display())),
                ("DOCKER_CONFIG", below("docker")),
                ("BUILDX_CONFIG", below("buildx")),
                ("BUILDX_EXPERIMENTAL", "1".into()),
            ],
            controller: home.join("buildx/controller"),
        })
    }

    /// Starts the monitor without a build, in a terminal.
    pub fn monitor(&self) -> Result<Terminal> {
        self.terminal(&["debug"])
    }

    fn terminal(&self, args: &[&str]) -> Result<Terminal> {
        let mut command = CommandBuilder::new(&self.program);
        command.env_clear();
        for (name, value) in &self.environment {
            command.env(name, value);
        }
        command.args(args);
        Terminal::start(command)
    }

    /// The words of a command that starts a build of `context` and a shell in the step that fails, as [`Side::debug`].
    pub fn words(&self, context: &Path) -> Vec<String> {
        let variables = self.environment.iter();
        let variables = variables.map(|(name, value)| format!("{name}={value}"));
        let mut words = vec!["env".to_owned(), "-i".to_owned()];
        words.extend(variables);
        words.push(self.program.display().to_string());
        words.extend(DEBUG.map(str::to_owned));
        words.push(context.display().to_string());
        words
    }

    /// The server's process id; `None` when there is none.
    fn pid(&self) -> Option<u32> {
        let files = fs::read_dir(self.controller.join("shared")).ok()?;
        let paths = files.filter_map(|file| Some(file.ok()?.path()));
        let mut pids = paths.filter(|path| path.extension().is_some_and(|end| end == "pid"));
        fs::read_to_string(pids.next()?).ok()?.trim().parse().ok()
    }

    /// Resident memory of the server, in bytes.
    pub fn resident(&self) -> Result<f64> {
        process::resident(self.pid().context("the peer's server does not run")?)
    }
}

impl Side for Peer {
    fn name(&self) -> &'static str {
        "peer"
    }

    fn debug(&self, context: &Path) -> Result<Terminal> {
        let context = context.display().to_string();
        let mut args = DEBUG.to_vec();
        args.push(&context);
        self.terminal(&args)
    }

    fn build(&self, context: &Path) -> Result<Child> {
        let command = &mut Command::new(&self.program);
        command
            .args(["build", "--detach", "--network=host", "--progress=plain"])
            .arg(context)
            .env_clear()
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Ok(command.spawn()?)
    }

    fn stop(&self) -> Result<()> {
        // Of two clients that find no server, each starts one, and the files tell of the last only.
        for pid in started_with(&[&self.program.display().to_string(), "_INTERNAL_SERVE"])? {
            process::end(pid, Signal::TERM)?;
        }
        match fs::remove_dir_all(&self.controller) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// The processes whose first arguments are these.
fn started_with(arguments: &[&str]) -> Result<Vec<u32>> {
    let mut wanted = arguments.join("\0").into_bytes();
    wanted.push(0);
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let entry = entry?;
        // Some have ended since they were listed.
        let Ok(words) = std::fs::read(entry.path().join("cmdline")) else {
            continue;
        };
        if words.starts_with(&wanted) {
            let name = entry.file_name();
            found.extend(name.to_str().and_then(|name| name.parse::<u32>().ok()));
        }
    }
    Ok(found)
}
