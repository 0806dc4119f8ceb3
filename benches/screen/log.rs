//! A log of 1 GiB on the screen: the client's memory, and how long searches take.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::record::{LONG, NEVER, RARE, SESSION, Shape, record};
use crate::values::put;
use crate::window::Window;
use crate::{Bench, process};

/// The line that the first search leads to.
const RARE_LINE: &str = "linking crate unit_845 0";

/// The log is a finished session that the server finds on disk.
pub fn log(bench: &Bench) -> Result<()> {
    let root = bench.ours.root();
    let shape = Shape {
        message: 32 << 10,
        colours: false,
        bytes: LONG,
    };
    record(root, &shape)?;
    for _ in 0..bench.runs.div_ceil(2) {
        let mut window = bench.screen(&["debug", "attach", SESSION])?;
        window.wait("step", |screen| screen.contains("RUN make"))?;
        // The log with the whole screen, its end.
        window.send("Lz")?;
        window.wait("log", |screen| screen.matches("unit_").count() > 30)?;
        window.settle(Duration::from_millis(200))?;
        let began = window.press("<")?;
        let top = window.wait("top", |screen| screen.contains("compiling unit_0 0"))?;
        put("log.top", "ours", (top - began).as_secs_f64());
        search(&mut window, "search", RARE)?;
        window.send("\x1b")?;
        window.settle(Duration::from_millis(200))?;
        search(&mut window, "search.never", NEVER)?;
        let began = window.press("G")?;
        let bottom = window.wait("end", |screen| {
            screen.matches("unit_").count() > 30 && !screen.contains(RARE_LINE)
        })?;
        put("log.bottom", "ours", (bottom - began).as_secs_f64());
        window.settle(Duration::from_millis(200))?;
        put("memory.log", "ours", process::resident(window.pid()?)?);
        window.send("q")?;
        window.end()?;
    }
    Ok(())
}

/// From Enter to the first match on the screen, and to the count of all.
fn search(window: &mut Window, what: &str, text: &str) -> Result<()> {
    window.send(&format!("/{text}"))?;
    window.wait("question", |screen| screen.contains(text))?;
    window.settle(Duration::from_millis(100))?;
    let began: Instant = window.press("\r")?;
    let counted = [format!("/{text} 1/"), format!("/{text} no match")];
    let there = |screen: &str| counted.iter().any(|counted| screen.contains(counted));
    let first = window.wait("first match", there)?;
    let all = window.wait("count", |screen| {
        there(screen) && !screen.contains("(counting")
    })?;
    if text == RARE {
        put(
            &format!("{what}.first"),
            "ours",
            (first - began).as_secs_f64(),
        );
    }
    put(what, "ours", (all - began).as_secs_f64());
    Ok(())
}
