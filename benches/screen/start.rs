//! From the command to the first frame, what the client needs then, and what it does while nothing happens.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::side::Side;
use crate::values::put;
use crate::window::Window;
use crate::{Bench, process};

/// How long nothing happens.
const QUIET: Duration = Duration::from_secs(10);

/// From the start of `buildx debug` to its first frame with the list of sessions: with no server, and with one that
/// has a session; and the client's memory then.
pub fn first(bench: &Bench) -> Result<()> {
    for _ in 0..bench.runs {
        bench.ours.stop()?;
        let (window, took) = open(bench)?;
        put("start.stopped", "ours", took.as_secs_f64());
        leave(window)?;
    }
    let client = bench.ours.client()?;
    let context = bench.contexts.named("first")?;
    bench
        .ours
        .runtime
        .block_on(bench.ours.build(&client, &context))?;
    for _ in 0..bench.runs {
        let began = Instant::now();
        let (mut window, took) = open(bench)?;
        put("start.running", "ours", took.as_secs_f64());
        let shown = window.wait("session", |screen| screen.contains("COPY first"))?;
        put("start.shown", "ours", (shown - began).as_secs_f64());
        put("memory.start", "ours", process::resident(window.pid()?)?);
        leave(window)?;
    }
    Ok(())
}

fn open(bench: &Bench) -> Result<(Window, Duration)> {
    let began = Instant::now();
    let mut window = bench.screen(&["debug"])?;
    let seen = window.wait("frame", |screen| screen.contains("sessions"))?;
    Ok((window, seen - began))
}

fn leave(mut window: Window) -> Result<()> {
    window.send("q")?;
    window.end()
}

/// A failed build and a shell in it, and nobody does anything.
pub fn idle(bench: &Bench) -> Result<()> {
    for _ in 0..bench.runs.div_ceil(5) {
        let mut window = bench.shell(&bench.contexts.failing()?)?;
        window.settle(Duration::from_secs(3))?;
        let pid = window.pid()?;
        let before = Used::of(pid)?;
        let began = Instant::now();
        while let Some(left) = QUIET.checked_sub(began.elapsed()) {
            window.read(left)?;
        }
        let seconds = began.elapsed().as_secs_f64();
        let after = Used::of(pid)?;
        put("idle.cpu", "ours", (after.cpu - before.cpu) / seconds);
        let wakeups = (after.wakeups - before.wakeups) as f64 / seconds;
        put("idle.wakeups", "ours", wakeups);
        drop(window);
        bench.ours.stop()?;
    }
    Ok(())
}

/// What the threads of a process have used.
struct Used {
    /// Seconds of CPU.
    cpu: f64,
    /// How often they have slept.
    wakeups: u64,
}

impl Used {
    fn of(pid: u32) -> Result<Self> {
        let (mut cpu, mut wakeups) = (0, 0);
        for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
            let thread = thread?.path();
            let nanos = fs::read_to_string(thread.join("schedstat"))?;
            let nanos = nanos.split(' ').next().context("no time")?;
            cpu += nanos.parse::<u64>()?;
            let status = fs::read_to_string(thread.join("status"))?;
            let mut lines = status.lines();
            let slept = lines.find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            wakeups += slept.context("no count")?.trim().parse::<u64>()?;
        }
        Ok(Self {
            cpu: cpu as f64 / 1e9,
            wakeups,
        })
    }
}
