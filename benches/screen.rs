//! Measures the full screen, from the outside: in pseudo-terminals, with a real engine. For `scripts/bench`, which
//! starts the engine and makes a table of what this prints:
//!
//!     screen BUILDX PEER ENGINE-SOCKET DIRECTORY RUNS SESSIONS [ROW…]
//!
//! Each value is a line of JSON on standard output, as those of `benches/server.rs`; who is `ours`, `engine` for the
//! same without server and screen, or `tmux`. A measurement that fails is a line on standard error, and the others go
//! on.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

#[path = "server/contexts.rs"]
#[allow(dead_code, reason = "the other bench uses more of it")]
mod contexts;
#[path = "common/counter.rs"]
mod counter;
#[path = "server/direct.rs"]
#[allow(dead_code, reason = "the other bench uses more of it")]
mod direct;
#[path = "screen/echo.rs"]
mod echo;
#[path = "screen/failure.rs"]
mod failure;
#[path = "screen/frame.rs"]
mod frame;
#[path = "screen/log.rs"]
mod log;
#[path = "server/ours.rs"]
#[allow(dead_code, reason = "the other bench uses more of it")]
mod ours;
#[path = "screen/output.rs"]
mod output;
#[path = "server/peer.rs"]
#[allow(dead_code, reason = "the other bench uses more of it")]
mod peer;
#[path = "server/process.rs"]
mod process;
#[path = "logs/record.rs"]
#[allow(dead_code, reason = "the other bench uses more of it")]
mod record;
#[path = "server/side.rs"]
#[allow(dead_code, reason = "the other bench uses more of it")]
mod side;
#[path = "screen/start.rs"]
mod start;
#[path = "screen/switch.rs"]
mod switch;
#[path = "server/terminal.rs"]
#[allow(dead_code, reason = "the other bench uses more of it")]
mod terminal;
#[path = "common/values.rs"]
mod values;
#[path = "screen/window.rs"]
mod window;

use contexts::Contexts;
use direct::Direct;
use ours::Ours;
use peer::Peer;
use side::Side;
use window::Window;

/// Rows and columns of the screen, where nothing else is said.
const SIZE: (u16, u16) = (40, 120);

/// The prompt of the shell in the steps.
const PROMPT: &str = "/ #";

type Row = fn(&Bench) -> Result<()>;

/// Every row: its name and how it is measured. No server runs before and after.
const ROWS: [(&str, Row); 8] = [
    ("start", start::first),
    ("idle", start::idle),
    ("failure", failure::failure),
    ("echo", echo::echo),
    ("switch", switch::switch),
    ("frame", frame::frame),
    ("output", output::output),
    ("log", log::log),
];

/// Everything that rows need.
struct Bench {
    ours: Ours,
    peer: Peer,
    direct: Direct,
    contexts: Contexts,
    /// For files of a row.
    dir: PathBuf,
    /// Runs of what is measured few times.
    runs: usize,
    /// Most sessions in a list.
    sessions: usize,
}

impl Bench {
    /// The screen of `buildx ARGS…`.
    fn screen(&self, args: &[&str]) -> Result<Window> {
        Window::start(self.ours.program(args), SIZE.0, SIZE.1, true)
    }

    /// The screen of a build of `context` that fails, at the prompt in the failed step.
    fn shell(&self, context: &Path) -> Result<Window> {
        let context = context.to_str().context("a path that is no text")?;
        let mut window = self.screen(&["debug", "build", "--network=host", context])?;
        window.wait("prompt", |screen| screen.contains(PROMPT))?;
        Ok(window)
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
    let known = |name: &String| ROWS.iter().any(|row| row.0 == name);
    if let Some(unknown) = wanted.iter().find(|name| !known(name)) {
        bail!("there is no row {unknown:?}");
    }
    let bench = Bench {
        ours: Ours::new(buildx, &socket, &dir)?,
        peer: Peer::new(peer, &socket, &dir)?,
        direct: Direct::new(&socket)?,
        contexts: Contexts::new(&dir)?,
        dir,
        runs,
        sessions,
    };
    for (name, row) in ROWS {
        if !wanted.is_empty() && !wanted.iter().any(|wanted| wanted == name) {
            continue;
        }
        eprintln!("bench: the screen: {name}");
        if let Err(error) = row(&bench) {
            eprintln!("bench: {name} failed: {error:#}");
        }
        for side in [&bench.ours as &dyn Side, &bench.peer] {
            if let Err(error) = side.stop() {
                eprintln!("bench: {}: {error:#}", side.name());
            }
        }
    }
    Ok(())
}
