//! A background server of a test's own, on the test's engine.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use buildx::client::{self, Client, Options};
use buildx::paths::{Env, holders};
use buildx::proto::controller::{Caller, Session, SessionState};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, pidfd_send_signal};
use tempfile::TempDir;

use super::cmd::{Buildx, PROGRAM};
use super::context::Context;
use super::engine::Engine;

/// How long a process may take to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A place for one server; the server is killed and the place is gone at the end.
#[derive(Debug)]
pub struct Shared {
    dir: TempDir,
    host: String,
}

impl Shared {
    /// A place whose clients build on `engine`. The first of them starts the server.
    pub fn on(engine: &Engine) -> Self {
        Self::with(engine.docker_host())
    }

    /// A place whose clients have this `DOCKER_HOST`. Its states are not let go for the builds of
    /// other tests.
    pub fn with(host: String) -> Self {
        let dir = tempfile::Builder::new().prefix("bx").tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let shared = Self { dir, host };
        shared.configured("yield_to_others = false\n")
    }

    /// Replaces the configuration of the server.
    pub fn configured(self, text: &str) -> Self {
        fs::create_dir_all(self.config().parent().unwrap()).unwrap();
        fs::write(self.config(), text).unwrap();
        self
    }

    fn config(&self) -> PathBuf {
        self.config_home().join("buildx/config.toml")
    }

    /// What `XDG_CONFIG_HOME` has to be for every client that may start the server.
    pub fn config_home(&self) -> PathBuf {
        self.dir.path().join("config")
    }

    /// The server's root directory.
    pub fn root(&self) -> PathBuf {
        self.dir.path().join("r")
    }

    /// What `DOCKER_HOST` has to be for every client.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// What the server has said.
    pub fn log(&self) -> String {
        fs::read_to_string(self.root().join("server.log")).unwrap_or_default()
    }

    /// `buildx ARGS…` with this server.
    pub fn run<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, args: I) -> Buildx {
        Buildx::without_engine(args)
            .env("DOCKER_HOST", &self.host)
            .env("BUILDX_SERVER", "on")
            .env("XDG_CONFIG_HOME", self.config_home())
            .arg("--root")
            .arg(self.root())
    }

    /// `buildx build … CONTEXT` with this server, without a network for the steps.
    pub fn build(&self, args: &[&str], context: &Context) -> Buildx {
        self.run(["build", "--progress=plain", "--network=none"])
            .args(args)
            .arg(context.path())
    }

    /// Hands a build to the server; returns the id of its session.
    #[track_caller]
    pub fn detached(&self, args: &[&str], context: &Context) -> String {
        let output = self.build(args, context).arg("--detach").ok();
        let id = output.out().trim().to_owned();
        assert_eq!(id.len(), 25, "{output}");
        id
    }

    /// What belongs to a caller that builds on the server's engine, for requests made by hand.
    pub fn caller(&self) -> Caller {
        let home = self.dir.path().to_str().unwrap();
        let environment = [
            ("DOCKER_HOST", self.host.as_str()),
            ("HOME", home),
            ("PATH", "/usr/bin:/bin"),
        ];
        let text = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned().into());
        Caller {
            environment: environment.into_iter().map(text).collect(),
            directory: home.to_owned(),
            umask: 0o022,
            ..Caller::default()
        }
    }

    /// A client in this process.
    pub async fn client(&self) -> Client {
        let env: Env = [
            ("DOCKER_HOST", self.host.as_str()),
            ("HOME", self.dir.path().to_str().unwrap()),
            ("PATH", "/usr/bin:/bin"),
        ]
        .into_iter()
        .collect();
        let root = self.root();
        let mut options = Options::new(&env, Some(&root), Some(&self.config())).unwrap();
        // This process is the test, not the program.
        options.program = PROGRAM.into();
        client::connect(&options, &mut |_| ()).await.unwrap()
    }

    /// The server's process, by its lock; `None` when none runs.
    pub fn running(&self) -> Option<Process> {
        Process::holding(&self.root().join("server.lock"))
    }

    /// Kills the server with SIGKILL and waits until it is gone.
    #[track_caller]
    pub fn kill(&self) {
        let server = self.running().expect("no server runs");
        server.signal(Signal::KILL);
        server.ends();
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(server) = self.running() {
            if std::thread::panicking() {
                eprintln!("the server's log:\n{}", self.log());
            }
            // In order, so that nothing stays on the engine.
            server.signal(Signal::TERM);
            if !server.ends_within(PATIENCE) {
                server.signal(Signal::KILL);
            }
        }
    }
}

/// A process that can be waited for.
#[derive(Debug)]
pub struct Process {
    /// Its id.
    pub pid: i32,
    descriptor: OwnedFd,
}

impl Process {
    /// The one that holds this lock file.
    pub fn holding(lock: &Path) -> Option<Self> {
        let holders = holders::find(lock).ok()?;
        assert!(holders.len() <= 1, "{holders:?}");
        let holder = holders.into_iter().next()?;
        Some(Self {
            pid: holder.pid.as_raw_nonzero().get(),
            descriptor: holder.process,
        })
    }

    /// A file of `/proc/PID`.
    pub fn proc(&self, name: &str) -> PathBuf {
        Path::new("/proc").join(self.pid.to_string()).join(name)
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let _ = pidfd_send_signal(&self.descriptor, signal);
    }

    /// Waits for the end, so long at most.
    pub fn ends_within(&self, limit: Duration) -> bool {
        let limit = Timespec::try_from(limit).unwrap();
        let mut fds = [PollFd::new(&self.descriptor, PollFlags::IN)];
        loop {
            match poll(&mut fds, Some(&limit)) {
                // A child of another test has ended.
                Err(rustix::io::Errno::INTR) => {}
                ready => return ready.unwrap() > 0,
            }
        }
    }

    /// Waits for the end.
    #[track_caller]
    pub fn ends(&self) {
        assert!(self.ends_within(PATIENCE), "process {} lives", self.pid);
    }
}

/// Sessions of a client, by listing or by waiting for a change.
pub trait Sessions {
    /// All sessions, oldest first.
    fn sessions(&self) -> impl Future<Output = Vec<Session>>;

    /// Waits for a session, whichever it is, that is as `fits` wants it.
    fn wait_for_any(&self, fits: impl Fn(&Session) -> bool) -> impl Future<Output = Session>;

    /// Waits until a session is as `fits` wants it.
    fn wait_for(&self, id: &str, fits: impl Fn(&Session) -> bool) -> impl Future<Output = Session>;
}

impl Sessions for Client {
    async fn sessions(&self) -> Vec<Session> {
        let mut api = self.api.clone();
        let list = api.list_sessions(buildx::proto::controller::ListSessionsRequest {});
        list.await.unwrap().into_inner().sessions
    }

    async fn wait_for(&self, id: &str, fits: impl Fn(&Session) -> bool) -> Session {
        self.wait_for_any(|session| session.id == id && fits(session))
            .await
    }

    async fn wait_for_any(&self, fits: impl Fn(&Session) -> bool) -> Session {
        use buildx::proto::controller::WatchSessionsRequest;
        use buildx::proto::controller::session_event::Event;
        let mut last = None;
        let watch = async {
            let mut api = self.api.clone();
            let events = api
                .watch_sessions(WatchSessionsRequest::default())
                .await
                .unwrap();
            let mut events = events.into_inner();
            while let Some(event) = events.message().await.unwrap() {
                if let Some(Event::Changed(session)) = event.event {
                    if fits(&session) {
                        return session;
                    }
                    last = Some(session);
                }
            }
            panic!("the server left");
        };
        match tokio::time::timeout(Duration::from_secs(120), watch).await {
            Ok(session) => session,
            Err(_) => panic!("no session became as expected; last: {last:?}"),
        }
    }
}

/// Whether the build of a session has ended.
pub fn ended(session: &Session) -> bool {
    session.state() != SessionState::Building
}
