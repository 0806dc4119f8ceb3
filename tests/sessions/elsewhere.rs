//! Builds that do not come from the server, and the states that it lets go for them. On engines of their
//! own: to a server, the builds of all other tests come from elsewhere.

use std::io::{BufRead, BufReader, Lines};
use std::process::ChildStderr;

use buildx::client::Client;
use buildx::proto::controller::{BuildRequest, ExecRequest};

use super::*;
use crate::support::cmd::{Buildx, Running};
use crate::support::embedded::Embedded;

/// A server that lets states go for others, and an engine that nobody else uses.
struct Alone {
    // Its server ends before the engine.
    server: Shared,
    engine: Embedded,
}

impl Alone {
    fn new() -> Self {
        Self {
            server: Shared::with(String::new()).configured(""),
            engine: Embedded::new(),
        }
    }

    /// A command that finds the engine and the server.
    fn on(&self, command: Buildx) -> Buildx {
        command.env("BUILDX_EMBEDDED", self.engine.path())
    }

    /// A build of the server that fails, and whose state nobody is about to look at.
    fn fails(&self, name: &str, context: &Context) {
        let args = ["--builder=embedded", "--no-cache", "--name", name];
        let built = self.on(self.server.build(&args, context)).fails(1);
        assert!(built.err().contains("exit code: 3"), "{built}");
    }

    /// The same, asked for by a client that says whether it attaches. The build has ended when this
    /// returns.
    async fn fails_for(&self, client: &Client, mark: &str, attaches: bool) -> Session {
        let context = fails(mark);
        let mut caller = self.server.caller();
        let embedded = self.engine.path().to_str().unwrap().to_owned();
        let embedded = ("BUILDX_EMBEDDED".to_owned(), embedded.into());
        caller.environment.extend([embedded]);
        let path = context.path().to_str().unwrap();
        let words = ["--builder=embedded", "--network=none", "--no-cache", path];
        let request = BuildRequest {
            caller: Some(caller),
            arguments: words.map(str::to_owned).to_vec(),
            attaches,
            ..BuildRequest::default()
        };
        let started = client.api.clone().build(request).await.unwrap();
        let session = client.wait_for(&started.into_inner().session, ended).await;
        assert_eq!(session.state(), SessionState::Failed, "{session:?}");
        assert_ne!(session.kept_until, 0, "{session:?}");
        session
    }

    /// A build from elsewhere that is in its first step until it is dropped, and would come to `then`.
    fn stays(&self, mark: &str, then: &str) -> Stays {
        let mut stays = self.begins(mark, then);
        stays.is_in_its_step();
        stays
    }

    /// The same, which may not have come to its step.
    fn begins(&self, mark: &str, then: &str) -> Stays {
        let context = Context::busybox(&format!("RUN echo begun: {mark}; sleep 600\n{then}"));
        let args = [
            "build",
            "--builder=embedded",
            "--network=none",
            "--no-cache",
        ];
        let build = self.engine.run(&args).arg("--progress=plain");
        let mut build = build.arg(context.path()).spawn();
        let lines = BufReader::new(build.child.stderr.take().unwrap()).lines();
        let begun = format!(" begun: {mark}");
        Stays {
            build: Some(build),
            lines,
            begun,
            _context: context,
        }
    }
}

/// A build that goes on until this is dropped.
struct Stays {
    build: Option<Running>,
    lines: Lines<BufReader<ChildStderr>>,
    begun: String,
    /// Read when the build has begun.
    _context: Context,
}

impl Stays {
    /// Waits until it is in its first step.
    #[track_caller]
    fn is_in_its_step(&mut self) {
        let is_it = |line: &str| line.ends_with(&self.begun) && !line.contains("RUN");
        assert!(self.lines.any(|line| is_it(&line.unwrap())));
    }
}

impl Drop for Stays {
    fn drop(&mut self) {
        if let Some(build) = self.build.take() {
            build.signal(Signal::KILL);
            build.wait();
        }
    }
}

#[tokio::test]
async fn a_build_counts_that_begins_or_is_still_to_come_to_the_step() {
    let alone = Alone::new();
    let server = &alone.server;
    let before = alone.stays("before the failure", "");
    alone.fails("stays", &fails("beside a build from elsewhere"));
    // When this has run, the server has long been told of the build that runs.
    let look = server.run(["debug", "keep", "stays", "1h"]).ok();
    assert!(look.out().contains("is kept for"), "{look}");
    let client = server.client().await;
    let session = client.sessions().await.remove(0);
    assert_ne!(session.kept_until, 0, "{session:?}");

    let after = alone.stays("after the failure", "");
    let session = client.wait_for(&session.id, |s| s.kept_until == 0).await;
    assert!(session.reason.contains("elsewhere"), "{session:?}");
    drop((before, after));

    let step = "RUN : still to come; exit 3\n";
    let coming = alone.stays("on the way to the step", step);
    alone.fails("wanted", &Context::busybox(step));
    let id = client.sessions().await.remove(1).id;
    let session = client.wait_for(&id, |s| s.kept_until == 0).await;
    assert!(session.reason.contains("elsewhere"), "{session:?}");
    drop(coming);
}

#[tokio::test]
async fn a_state_waits_some_time_for_the_client_that_is_about_to_attach() {
    let alone = Alone::new();
    let client = alone.server.client().await;
    let left = alone.fails_for(&client, "nobody comes", false).await;
    let late = alone
        .fails_for(&client, "somebody does not come", true)
        .await;
    // Ten seconds from its end: as little as can be in between.
    let comes = alone.fails_for(&client, "somebody comes", true).await;
    let elsewhere = alone.begins("between a failure and its shell", "");
    // This one shows that the server has been told of the build.
    client.wait_for(&left.id, |s| s.kept_until == 0).await;
    let request = ExecRequest {
        session: comes.id.clone(),
        caller: Some(alone.server.caller()),
        arguments: ["sleep", "600"].map(str::to_owned).to_vec(),
        ..ExecRequest::default()
    };
    let process = client.api.clone().exec(request).await;
    assert!(process.is_ok(), "{process:?}");

    let late = client.wait_for(&late.id, |s| s.kept_until == 0).await;
    assert!(late.reason.contains("elsewhere"), "{late:?}");
    // The time that the one had is over, too.
    let session = client.wait_for(&comes.id, |_| true).await;
    assert_ne!(session.kept_until, 0, "{session:?}");
    assert_eq!(session.processes, 1, "{session:?}");
    drop(elsewhere);
}
