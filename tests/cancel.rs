//! Stopping a build: on the engine, at once, and from a keyboard.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use portable_pty::CommandBuilder;
use rustix::process::Signal;

use crate::support::cmd::{Buildx, PROGRAM, Running};
use crate::support::context::Context;
use crate::support::engine::{engine, graphdriver};
use crate::support::proxy::{Fault, Proxy};
use crate::support::pty::Pty;

/// A context whose last step sleeps for a number of seconds that no other process on the machine
/// sleeps for.
fn sleeper() -> (Context, String) {
    let id = buildx::engine::id::new_id().unwrap();
    let number: u64 = id
        .bytes()
        .fold(7, |n: u64, b| (n * 31 + u64::from(b)) % 900_000);
    let seconds = (100_000 + number).to_string();
    (
        Context::busybox(&format!("RUN echo started-sleeping; sleep {seconds}\n")),
        seconds,
    )
}

/// Whether a process `sleep SECONDS` is there, in whatever container.
fn sleeps(seconds: &str) -> bool {
    let wanted = format!("sleep\0{seconds}\0");
    std::fs::read_dir("/proc").unwrap().any(|entry| {
        let path = entry.unwrap().path().join("cmdline");
        std::fs::read(path).is_ok_and(|line| line == wanted.as_bytes())
    })
}

/// Starts a build and reads its output until the step sleeps.
fn start(context: &Context) -> Running {
    let args = ["build", "--network", "host", "--progress", "plain"];
    let mut running = Buildx::on(engine(), args).arg(context.path()).spawn();
    let stderr = running.child.stderr.take().unwrap();
    let mut lines = BufReader::new(stderr).lines();
    let slept = lines.find(|line| {
        let line = line.as_ref().unwrap();
        line.ends_with(" started-sleeping")
    });
    assert!(slept.is_some(), "the step did not start");
    // What is still to come goes where a test can look at it no more, but must not block.
    std::thread::spawn(move || lines.count());
    running
}

#[test]
fn the_first_signal_stops_the_step_on_the_engine() {
    for signal in [Signal::INT, Signal::TERM] {
        let (context, seconds) = sleeper();
        let running = start(&context);
        // The shell says so just before it becomes the sleep.
        let deadline = Instant::now() + Duration::from_secs(20);
        while !sleeps(&seconds) {
            assert!(Instant::now() < deadline, "the step does not sleep");
            std::thread::yield_now();
        }
        running.signal(signal);
        assert_eq!(running.wait().code, 130);
        // The program has waited for the engine's word that nothing runs any more.
        assert!(!sleeps(&seconds), "{signal:?}: still asleep");
    }
}

#[test]
fn a_canceled_build_says_so_in_one_line() {
    let (context, _) = sleeper();
    let mut pty = CommandBuilder::new(PROGRAM);
    pty.args(["build", "--network", "host"]);
    pty.arg(context.path());
    pty.env_clear();
    pty.env("PATH", std::env::var("PATH").unwrap());
    pty.env("TERM", "xterm-256color");
    pty.env("BUILDX_SERVER", "off");
    let home = tempfile::tempdir().unwrap();
    pty.env("HOME", home.path());
    pty.env("DOCKER_HOST", engine().docker_host());
    let mut pty = Pty::spawn(pty, 24, 80);
    pty.wait_until("the running step", |screen| {
        screen.contains("=> => # started-sleeping")
    });
    pty.send("\x03");
    assert_eq!(pty.wait(), 130);
    let screen = pty.screen();
    assert!(screen.contains("CANCELED"), "{screen}");
    assert_eq!(screen.matches("ERROR:").count(), 1, "{screen}");
}

/// The first of a few attempts that takes less than 4 s, which is far below the time that what does not answer is given.
/// An attempt may have been kept waiting by what else the machine does.
#[track_caller]
fn at_once(mut attempt: impl FnMut() -> Duration) {
    let took: Vec<Duration> = (0..5).map(|_| attempt()).take_while(is_long).collect();
    assert!(took.len() < 5, "{took:?}");
}

fn is_long(took: &Duration) -> bool {
    *took >= Duration::from_secs(4)
}

/// The engine with the old store pushes when the build is over, by a request of its own.
#[test]
fn a_push_that_goes_nowhere_is_stopped_at_once() {
    // Accepted by the kernel, never answered.
    let registry = TcpListener::bind("127.0.0.1:0").unwrap();
    let name = format!("{}/deaf:v", registry.local_addr().unwrap());
    let context = Context::dockerfile("FROM scratch\nCOPY Dockerfile /\n");
    let args = ["build", "--progress", "plain", "--push", "-t", &name];
    at_once(|| {
        let mut running = Buildx::on(graphdriver(), args).arg(context.path()).spawn();
        let stderr = running.child.stderr.take().unwrap();
        let mut lines = BufReader::new(stderr).lines();
        let pushes = lines.any(|line| line.unwrap().ends_with(" with docker"));
        assert!(pushes, "it did not push");
        std::thread::spawn(move || lines.count());
        let asked = Instant::now();
        running.signal(Signal::INT);
        assert_eq!(running.wait().code, 130);
        asked.elapsed()
    });
}

#[test]
fn the_second_signal_leaves_an_engine_that_does_not_answer() {
    // The proxy accepts the connection and swallows everything: connecting can only time out.
    let proxy = Proxy::unix(engine().address(), Fault::Silent);
    let home = tempfile::tempdir().unwrap();
    let store = home.path().join("buildx");
    proxy.register(&store, "deaf", &engine().docker_host());
    let (context, _) = sleeper();
    let leaves = |signals| {
        let before = proxy.accepted();
        let running = Buildx::on(engine(), ["build"])
            .arg(context.path())
            .env("BUILDX_CONFIG", &store)
            .spawn();
        let deadline = Instant::now() + Duration::from_secs(20);
        // A proxy in this process: its counter is the event.
        while proxy.accepted() == before {
            assert!(Instant::now() < deadline, "never connected");
            std::thread::yield_now();
        }
        let asked = Instant::now();
        for _ in 0..signals {
            running.signal(Signal::INT);
        }
        let output = running.wait();
        assert_eq!(output.code, 130, "{output}");
        asked.elapsed()
    };
    for signals in [1, 2] {
        at_once(|| leaves(signals));
    }
}
