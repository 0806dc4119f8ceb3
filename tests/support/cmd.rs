//! Runs of the built `buildx`, each in an environment of its own.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::engine::Engine;

/// No single run of a test takes this long; one that does is killed and reported.
const DEADLINE: Duration = Duration::from_secs(180);

/// A run of `buildx` to be made: clean environment, private home and configuration.
#[derive(Debug)]
pub struct Buildx {
    command: Command,
    stdin: Vec<u8>,
    stdout: Option<std::fs::File>,
    home: TempDir,
}

/// How a run ended.
#[derive(Debug)]
pub struct Output {
    /// The exit code; 128+n when signal n ended it.
    pub code: i32,
    /// Everything on stdout.
    pub stdout: Vec<u8>,
    /// Everything on stderr.
    pub stderr: Vec<u8>,
    /// The private home directory, still there for a look.
    pub home: TempDir,
}

/// The built program.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_buildx");

impl Buildx {
    /// `buildx ARGS…` on `engine`.
    pub fn on<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(engine: &Engine, args: I) -> Self {
        Self::without_engine(args).env("DOCKER_HOST", engine.docker_host())
    }

    /// `buildx ARGS…` with nothing in the environment that names an engine.
    pub fn without_engine<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(args: I) -> Self {
        let home = TempDir::new().unwrap();
        let mut command = Command::new(PROGRAM);
        command
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home.path())
            .env("XDG_RUNTIME_DIR", home.path().join("run"))
            .env("XDG_STATE_HOME", home.path().join("state"))
            // A background server is asked for where it is meant.
            .env("BUILDX_SERVER", "off")
            .env("LANG", "C.UTF-8")
            .current_dir(home.path());
        Self {
            command,
            stdin: Vec::new(),
            stdout: None,
            home,
        }
    }

    /// Sets a variable of the environment.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Adds arguments.
    pub fn args<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(mut self, args: I) -> Self {
        self.command.args(args);
        self
    }

    /// Runs in `dir` instead of the private home.
    pub fn current_dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Writes its results into `file`.
    pub fn stdout(mut self, file: std::fs::File) -> Self {
        self.stdout = Some(file);
        self
    }

    /// Bytes for stdin, which is otherwise empty.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// The private home directory of this run.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Where this run's docker configuration is looked for; made if it is not there.
    pub fn docker_config(&self) -> PathBuf {
        let dir = self.home.path().join(".docker");
        std::fs::create_dir_all(&dir).unwrap();
        dir
    }

    /// Starts the program with pipes on all three streams, for tests that talk to it.
    pub fn spawn(mut self) -> Running {
        let child = self
            .command
            .stdin(Stdio::piped())
            .stdout(self.stdout.map_or_else(Stdio::piped, Stdio::from))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Running {
            child,
            home: self.home,
        }
    }

    /// Runs to the end.
    pub fn run(mut self) -> Output {
        let stdin = std::mem::take(&mut self.stdin);
        let mut running = self.spawn();
        let mut pipe = running.child.stdin.take().unwrap();
        // A program that does not read its stdin closes the pipe: that is its right.
        let feeder = std::thread::spawn(move || {
            let _ = pipe.write_all(&stdin);
        });
        let output = running.wait();
        feeder.join().unwrap();
        output
    }

    /// Runs to the end and insists on success.
    #[track_caller]
    pub fn ok(self) -> Output {
        let output = self.run();
        assert_eq!(output.code, 0, "{output}");
        output
    }

    /// Runs to the end and insists on this exit code.
    #[track_caller]
    pub fn fails(self, code: i32) -> Output {
        let output = self.run();
        assert_eq!(output.code, code, "{output}");
        output
    }
}

/// A started program.
#[derive(Debug)]
pub struct Running {
    /// The process with its pipes.
    pub child: std::process::Child,
    home: TempDir,
}

impl Running {
    /// Sends a signal to the program.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.child.id()).unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for the end and collects what is left in the pipes; stdin is closed first.
    pub fn wait(mut self) -> Output {
        drop(self.child.stdin.take());
        let pid = self.child.id();
        let (done, watched) = std::sync::mpsc::channel::<()>();
        let guard = std::thread::spawn(move || {
            let late = watched.recv_timeout(DEADLINE).is_err();
            if late
                && let Some(pid) = i32::try_from(pid)
                    .ok()
                    .and_then(rustix::process::Pid::from_raw)
            {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
            late
        });
        let output = self.child.wait_with_output().unwrap();
        let _ = done.send(());
        let result = Output {
            code: code(output.status),
            stdout: output.stdout,
            stderr: output.stderr,
            home: self.home,
        };
        assert!(
            !guard.join().unwrap(),
            "still running after {DEADLINE:?}: {result}"
        );
        result
    }
}

fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

impl Output {
    /// stdout as text.
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// stderr as text.
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// The one `ERROR:` line of stderr.
    #[track_caller]
    pub fn error_line(&self) -> String {
        let err = self.err();
        let lines: Vec<&str> = err
            .lines()
            .filter(|line| line.starts_with("ERROR:"))
            .collect();
        assert_eq!(lines.len(), 1, "want one ERROR line: {self}");
        lines[0].to_owned()
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "exit code {}\n--- stdout\n{}\n--- stderr\n{}",
            self.code,
            self.out(),
            self.err()
        )
    }
}
