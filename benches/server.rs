//! Measures the shared server beside that of Docker's own buildx 0.13.1. For `scripts/bench`, which
//! starts the engine and makes a table of what this prints:
//!
//!     server BUILDX PEER ENGINE-SOCKET DIRECTORY RUNS SESSIONS [ROW…]
//!
//! Each value is a line of JSON on standard output: what was measured, on whom (`ours`, `peer`, or
//! `engine` for the same without any server), and the value in seconds, bytes or bytes per second.
//! A measurement that fails is a line on standard error, and the others go on.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

#[path = "server/contexts.rs"]
#[allow(dead_code, reason = "the other bench uses more of it")]
mod contexts;
#[path = "server/direct.rs"]
mod direct;
#[path = "server/ours.rs"]
#[allow(dead_code, reason = "the other bench uses more of it")]
mod ours;
#[path = "server/peer.rs"]
#[allow(dead_code, reason = "the other bench uses more of it")]
mod peer;
#[path = "server/process.rs"]
mod process;
#[path = "server/rows.rs"]
mod rows;
#[path = "server/side.rs"]
mod side;
#[path = "server/terminal.rs"]
mod terminal;
#[path = "common/values.rs"]
mod values;

use contexts::Contexts;
use direct::Direct;
use ours::Ours;
use peer::Peer;
use side::Side;

/// Everything that rows need.
struct Bench {
    ours: Ours,
    peer: Peer,
    direct: Direct,
    contexts: Contexts,
    /// Runs of what is measured few times.
    runs: usize,
    /// Sessions in a long list.
    sessions: usize,
}

impl Bench {
    /// The two programs, another one first in each round.
    fn sides(&self, round: usize) -> [&dyn Side; 2] {
        match round % 2 {
            0 => [&self.ours, &self.peer],
            _ => [&self.peer, &self.ours],
        }
    }
}

fn main() -> Result<()> {
    // Cargo adds a flag of its own.
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let mut next = |what| args.next().with_context(|| format!("{what} is missing"));
    let buildx = PathBuf::from(next("BUILDX")?);
    let peer = PathBuf::from(next("PEER")?);
    let socket = PathBuf::from(next("ENGINE-SOCKET")?);
    let dir = PathBuf::from(next("DIRECTORY")?);
    let runs = next("RUNS")?.parse()?;
    let sessions = next("SESSIONS")?.parse()?;
    let wanted: Vec<String> = args.collect();
    if let Some(unknown) = wanted
        .iter()
        .find(|name| rows::ALL.iter().all(|row| row.0 != name.as_str()))
    {
        bail!("there is no row {unknown:?}");
    }
    let bench = Bench {
        ours: Ours::new(buildx, &socket, &dir)?,
        peer: Peer::new(peer, &socket, &dir)?,
        direct: Direct::new(&socket)?,
        contexts: Contexts::new(&dir)?,
        runs,
        sessions,
    };
    for (name, row) in rows::ALL {
        if !wanted.is_empty() && !wanted.iter().any(|wanted| wanted == name) {
            continue;
        }
        eprintln!("bench: the server: {name}");
        if let Err(error) = row(&bench) {
            eprintln!("bench: {name} failed: {error:#}");
        }
        for side in bench.sides(0) {
            if let Err(error) = side.stop() {
                eprintln!("bench: {}: {error:#}", side.name());
            }
        }
    }
    Ok(())
}
