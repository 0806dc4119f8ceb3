//! The rows of the table.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use buildx::proto::controller::ExecRequest;
use tokio::task::spawn_blocking;

use crate::direct::{self, KEYS};
use crate::side::Side;
use crate::terminal::Terminal;
use crate::values::put;
use crate::{Bench, contexts, process};

/// Builds that make them at once.
const AT_ONCE: usize = 4;

/// Bytes of a log that is long.
const LONG: u64 = 1 << 30;

/// The prompt of the shell in the steps.
const PROMPT: &str = "/ # ";

type Row = fn(&Bench) -> Result<()>;

/// Every row: its name and how it is measured. No server runs before and after.
pub const ALL: [(&str, Row); 6] = [
    ("start", start),
    ("sessions", sessions),
    ("prompt", prompt),
    ("echo", echo),
    ("output", output),
    ("log", log),
];

/// No server, no sessions: until the first client has shown the list. And the memory of a server that
/// has done nothing else.
fn start(bench: &Bench) -> Result<()> {
    for round in 0..bench.runs {
        for side in bench.sides(round) {
            side.stop()?;
            if side.name() == "ours" {
                let (_, took) = bench.ours.list()?;
                put("start", "ours", took.as_secs_f64());
                let pid = bench.ours.client()?.info.pid;
                put("idle", "ours", process::resident(pid)?);
            } else {
                let began = Instant::now();
                let mut monitor = bench.peer.monitor()?;
                monitor.wait("(buildx) ")?;
                monitor.send("list\r")?;
                let listed = monitor.wait("CURRENT_SESSION")?;
                put("start", "peer", (listed - began).as_secs_f64());
                put("idle", "peer", bench.peer.resident()?);
            }
        }
    }
    Ok(())
}

/// Many finished sessions, each from a build of its own: their memory, their list, and how soon they
/// are listed again when the server was killed. The peer keeps no session that has ended.
fn sessions(bench: &Bench) -> Result<()> {
    let ours = &bench.ours;
    let context = bench.contexts.trivial()?;
    let client = ours.client()?;
    // What every server needs once, whatever the number of its sessions.
    ours.runtime.block_on(ours.build(&client, &context))?;
    let before = process::resident(client.info.pid)?;
    ours.runtime.block_on(async {
        let some = (0..AT_ONCE).map(async |_| -> Result<()> {
            for _ in 0..bench.sessions.div_ceil(AT_ONCE) {
                ours.build(&client, &context).await?;
            }
            Ok(())
        });
        futures_util::future::try_join_all(some).await
    })?;
    let after = process::resident(client.info.pid)?;
    put("session", "ours", (after - before) / bench.sessions as f64);
    for _ in 0..bench.runs {
        let began = Instant::now();
        let listed = ours.runtime.block_on(ours.sessions(&client))?.len();
        put("list.call", "ours", began.elapsed().as_secs_f64());
        ensure!(listed > bench.sessions, "only {listed} sessions are there");
        let (shown, took) = ours.list()?;
        put("list.command", "ours", took.as_secs_f64());
        ensure!(shown > bench.sessions, "only {shown} sessions are shown");
    }
    for _ in 0..bench.runs {
        ours.kill(&ours.client()?)?;
        let (shown, took) = ours.list()?;
        put("again", "ours", took.as_secs_f64());
        ensure!(
            shown > bench.sessions,
            "only {shown} sessions have come back"
        );
    }
    Ok(())
}

/// From the failure's first word on the screen to the prompt of a shell in the failed step.
fn prompt(bench: &Bench) -> Result<()> {
    // The steps that all have in common, and the servers.
    for side in bench.sides(0) {
        leave(side, shell(bench, side)?)?;
    }
    for round in 0..bench.runs {
        for side in bench.sides(round) {
            let mut terminal = side.debug(&bench.contexts.failing()?)?;
            let failed = terminal.wait("ERROR")?;
            let usable = terminal.wait(PROMPT)?;
            put("prompt", side.name(), (usable - failed).as_secs_f64());
            leave(side, terminal)?;
        }
    }
    Ok(())
}

/// A shell in a failed step, at its prompt. The peer's client may give up when another one starts the server at the same
/// time; the next one finds it.
fn shell(bench: &Bench, side: &dyn Side) -> Result<Terminal> {
    let once = || -> Result<Terminal> {
        let mut terminal = side.debug(&bench.contexts.failing()?)?;
        terminal.wait("ERROR")?;
        terminal.wait(PROMPT)?;
        Ok(terminal)
    };
    match once() {
        Err(_) if side.name() == "peer" => once(),
        done => done,
    }
}

/// Ends a shell and the server behind it. Ours lets an idle state go when the engine runs a build that
/// is not its own, and the peer's shells are such builds.
fn leave(side: &dyn Side, terminal: Terminal) -> Result<()> {
    drop(terminal);
    side.stop()
}

/// From a key to its echo by the terminal in the container: client, server, engine and back.
fn echo(bench: &Bench) -> Result<()> {
    let keys = bench.runs * KEYS;
    let alone = "echo.idle";
    for side in bench.sides(0) {
        type_keys(bench, side, alone, keys)?;
        side.stop()?;
    }
    direct_keys(bench, alone, keys)?;
    let flooded = "echo.flood";
    for side in bench.sides(1) {
        let mut flood = side.build(&bench.contexts.flood()?)?;
        let mut typed = type_keys(bench, side, flooded, keys);
        if typed.is_ok() && side.name() == "ours" {
            typed = direct_keys(bench, flooded, keys);
        }
        // The peer's build ends with its client; that of ours is stopped by the end of the server.
        flood.kill()?;
        flood.wait()?;
        typed?;
        side.stop()?;
    }
    Ok(())
}

fn type_keys(bench: &Bench, side: &dyn Side, what: &str, keys: usize) -> Result<()> {
    let mut terminal = shell(bench, side)?;
    // What is typed before the shell has left its line editor would get lost.
    terminal.send("echo beg''un; cat\r")?;
    terminal.wait("begun")?;
    terminal.send("ready\r")?;
    terminal.wait("ready")?;
    terminal.wait("ready")?;
    terminal.wait("\n")?;
    for key in 1..=keys {
        std::thread::sleep(direct::pause(key));
        let began = Instant::now();
        terminal.send("x")?;
        let seen = terminal.wait("x")?;
        put(what, side.name(), (seen - began).as_secs_f64());
        if key % KEYS == 0 {
            terminal.send("\r")?;
            terminal.wait(&"x".repeat(KEYS))?;
            terminal.wait("\n")?;
        }
    }
    Ok(())
}

fn direct_keys(bench: &Bench, what: &str, keys: usize) -> Result<()> {
    let echoes = bench.ours.runtime.block_on(bench.direct.echoes(keys))?;
    for echo in echoes {
        put(what, "engine", echo.as_secs_f64());
    }
    Ok(())
}

/// Bytes per second of a program that prints as fast as it can, until its last word has come.
fn output(bench: &Bench) -> Result<()> {
    for round in 0..bench.runs.div_ceil(3) {
        for side in bench.sides(round) {
            let mut terminal = shell(bench, side)?;
            let began = Instant::now();
            terminal.send("sh /speak\r")?;
            let ended = terminal.wait(contexts::SPOKEN_ALL)?;
            let speed = contexts::spoken_bytes() / (ended - began).as_secs_f64();
            put("output", side.name(), speed);
            leave(side, terminal)?;
        }
        let runtime = &bench.ours.runtime;
        // It stays, because the end of a program may come before its last words.
        let script = format!("read go; {} read end", contexts::speak("/busybox"));
        let speed = runtime.block_on(async {
            let mut program = bench.direct.start(&script).await?;
            let began = Instant::now();
            program.send("\r").await?;
            let ended = program.wait(contexts::SPOKEN_ALL).await?;
            program.end().await?;
            anyhow::Ok(contexts::spoken_bytes() / (ended - began).as_secs_f64())
        })?;
        put("output.bare", "engine", speed);
        // Both others print to a terminal, which has its price.
        let (mut terminal, end) = Terminal::open()?;
        let speed = runtime.block_on(async {
            let mut program = bench.direct.start(&script).await?;
            let began = Instant::now();
            program.send("\r").await?;
            let waiting = spawn_blocking(move || terminal.wait(contexts::SPOKEN_ALL));
            let ended = program.print(end, waiting).await???;
            program.end().await?;
            anyhow::Ok(contexts::spoken_bytes() / (ended - began).as_secs_f64())
        })?;
        put("output", "engine", speed);
    }
    Ok(())
}

/// A process in a session whose log is long: until a new client shows its screen.
fn log(bench: &Bench) -> Result<()> {
    let ours = &bench.ours;
    let client = ours.client()?;
    let context = bench.contexts.long(LONG)?;
    let began = Instant::now();
    let session = ours.runtime.block_on(ours.build(&client, &context))?;
    let took = began.elapsed().as_secs_f64();
    let sessions = ours.runtime.block_on(ours.sessions(&client))?;
    let found = sessions.into_iter().find(|found| found.id == session);
    let kept = found.context("the session is gone")?.trace_bytes;
    ensure!(kept >= LONG, "only {kept} bytes of the log were kept");
    put("log.speed", "ours", LONG as f64 / took);
    let started = ours.runtime.block_on(client.api.clone().exec(ExecRequest {
        session,
        arguments: vec!["/bin/sh".into()],
        tty: true,
        stdin: true,
        rows: 24,
        cols: 80,
        ..ExecRequest::default()
    }))?;
    let id = started.into_inner().process;
    for _ in 0..bench.runs {
        let began = Instant::now();
        let mut terminal = ours.terminal(&["debug", "attach", &id])?;
        let seen = terminal.wait(PROMPT)?;
        put("attach", "ours", (seen - began).as_secs_f64());
    }
    Ok(())
}
