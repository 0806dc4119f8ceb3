//! Measures the container's terminal pane without a container: painting, whole frames, and output through the
//! guarded screen while frames are drawn.
//!
//!     pane [RUNS]
//!
//! Each value is a line of JSON on standard output as those of `server`: seconds, bytes, or bytes per second; of
//! several runs the median.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};

use buildx::proto::controller::attach_output::Output;
use buildx::tui::shell::copy::{Command, CopyMode};
use buildx::tui::shell::screen::{Look, paint};
use buildx::tui::shell::terminal::ShellTerminal;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

#[path = "common/counter.rs"]
mod counter;
#[path = "common/values.rs"]
mod values;

use counter::Counter;

/// The time between two frames of a flood.
const FRAME: Duration = Duration::from_micros(33_333);

/// Output in a flood.
const FLOOD: usize = 32 * 1024 * 1024;

fn put(what: &str, mut values: Vec<f64>) {
    values.sort_by(f64::total_cmp);
    let value = values.get(values.len() / 2).copied().unwrap_or_default();
    values::put(what, "ours", value);
}

fn terminal(rows: u16, cols: u16, output: &str) -> ShellTerminal {
    let mut terminal = ShellTerminal::new(rows, cols, true);
    feed(&mut terminal, output);
    terminal
}

fn feed(terminal: &mut ShellTerminal, output: &str) {
    terminal.push(Output::Data(Bytes::copy_from_slice(output.as_bytes())));
    while terminal.advance(Instant::now(), || true).left {}
}

/// A screen full of letters, with colours of their own for every eight of them; `seed` changes all of it.
fn full(rows: u16, cols: u16, seed: u16) -> String {
    let mut text = String::from("\x1b[H");
    for row in 0..rows {
        for col in 0..cols {
            let n = row + col + seed;
            let letter = char::from(b'a' + (n % 26) as u8);
            if col % 8 == 0 {
                text += &format!("\x1b[38;5;{};48;2;{};9;{}m", n % 256, n % 200, n / 2 % 256);
            }
            text.push(letter);
        }
    }
    text
}

fn painting(rows: u16, cols: u16, runs: usize) {
    let terminal = terminal(rows, cols, &full(rows, cols, 0));
    let area = Rect::new(0, 0, cols, rows);
    let mut buffer = Buffer::empty(area);
    let once = |_| {
        let start = Instant::now();
        for _ in 0..10 {
            paint(terminal.screen(), area, &mut buffer, &Look::default());
        }
        start.elapsed().as_secs_f64() / 10.0
    };
    put(
        &format!("paint {cols}x{rows}"),
        (0..20 * runs).map(once).collect(),
    );
}

/// The time and the bytes of a frame in which `change` has been written to the screen before.
fn frames(
    what: &str,
    rows: u16,
    cols: u16,
    runs: usize,
    change: impl Fn(u16) -> String,
) -> Result<()> {
    let mut pane = terminal(rows, cols, &full(rows, cols, 0));
    let counter = Counter::default();
    let area = Rect::new(0, 0, cols, rows);
    let (mut times, mut bytes) = (Vec::new(), Vec::new());
    for run in 0..20 * runs {
        feed(&mut pane, &change(run as u16 % 50));
        let viewport = Viewport::Fixed(area);
        let backend = CrosstermBackend::new(counter.clone());
        let mut screen = Terminal::with_options(backend, TerminalOptions { viewport })?;
        // What was there is drawn first, so that the measured frame is a difference.
        screen.draw(|frame| {
            paint(pane.screen(), area, frame.buffer_mut(), &Look::default());
        })?;
        let first = counter.0.get();
        feed(&mut pane, &change(run as u16 % 50 + 1));
        let start = Instant::now();
        screen.draw(|frame| {
            paint(pane.screen(), area, frame.buffer_mut(), &Look::default());
        })?;
        times.push(start.elapsed().as_secs_f64());
        bytes.push((counter.0.get() - first) as f64);
    }
    put(what, times);
    put(&format!("{what}, bytes"), bytes);
    Ok(())
}

/// Bytes per second of a flood through the pane, drawn 30 times a second.
fn flood(what: &str, line: impl Fn(usize) -> String, runs: usize) -> Result<()> {
    let mut chunk = String::new();
    for n in 0.. {
        if chunk.len() >= 1024 * 1024 {
            break;
        }
        chunk += &line(n);
    }
    let chunk = Bytes::from(chunk);
    let (rows, cols) = (40, 120);
    let area = Rect::new(0, 0, cols, rows);
    let mut values = Vec::new();
    let mut longest = Vec::new();
    for _ in 0..runs {
        let mut pane = terminal(rows, cols, "");
        let backend = CrosstermBackend::new(Counter::default());
        let viewport = Viewport::Fixed(area);
        let mut screen = Terminal::with_options(backend, TerminalOptions { viewport })?;
        let start = Instant::now();
        let (mut fed, mut drawn, mut worst) = (0, start, Duration::ZERO);
        while fed < FLOOD {
            pane.push(Output::Data(chunk.clone()));
            fed += chunk.len();
            loop {
                // As the loop of the screen does: until it is time for a frame.
                let left = pane
                    .advance(Instant::now(), || drawn.elapsed() < FRAME)
                    .left;
                if drawn.elapsed() >= FRAME {
                    screen.draw(|frame| {
                        paint(pane.screen(), area, frame.buffer_mut(), &Look::default());
                    })?;
                    worst = worst.max(drawn.elapsed());
                    drawn = Instant::now();
                }
                if !left {
                    break;
                }
            }
        }
        values.push(fed as f64 / start.elapsed().as_secs_f64());
        longest.push(worst.as_secs_f64());
    }
    put(what, values);
    put(&format!("{what}, longest frame"), longest);
    Ok(())
}

fn copying(runs: usize) -> Result<()> {
    let lines: String = (0..12_000)
        .map(|n| format!("\x1b[32mstep {n}\x1b[0m {}\r\n", "word ".repeat(16)))
        .collect();
    let terminal = terminal(40, 120, &lines);
    let (mut enter, mut search) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let start = Instant::now();
        let mut copy = CopyMode::new(terminal.screen());
        enter.push(start.elapsed().as_secs_f64());
        copy.apply(Command::SearchBackward);
        let start = Instant::now();
        for c in "step 4711".chars() {
            copy.key(&KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE));
        }
        search.push(start.elapsed().as_secs_f64() / 9.0);
        if copy.matches() != Some((Some(1), 1)) {
            bail!("the line was not found: {:?}", copy.matches());
        }
    }
    put("copy mode entered, 10,000 lines", enter);
    put("key in its search", search);
    Ok(())
}

fn main() -> Result<()> {
    // Cargo adds a flag of its own.
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let runs = args.next().map_or(Ok(5), |runs| runs.parse());
    let runs = runs.context("the number of runs")?;
    painting(40, 120, runs);
    painting(60, 200, runs);
    frames("frame 200x60, every cell changed", 60, 200, runs, |seed| {
        full(60, 200, seed * 7)
    })?;
    frames("frame 200x60, typical", 60, 200, runs, |seed| {
        format!("\x1b[30H\x1b[0m\x1b[2Kline {seed}: some text in it")
    })?;
    flood(
        "output 120x40, plain",
        |n| format!("{n:8} {}\r\n", "text ".repeat(14)),
        runs,
    )?;
    flood(
        "output 120x40, coloured",
        |n| {
            format!(
                "\x1b[32m{n:8}\x1b[0m \x1b[1;34mCompiling\x1b[0m some \x1b[38;5;200mcrate\x1b[0m {}\r\n",
                "text ".repeat(8)
            )
        },
        runs,
    )?;
    copying(runs)
}
