//! From a key to its echo on the screen, and what of it the engine takes.

use std::time::Duration;

use anyhow::Result;

use crate::Bench;
use crate::direct::{KEYS, pause};
use crate::side::Side;
use crate::values::put;
use crate::window::Window;

/// The key: a letter that is on the screen for no other reason.
const KEY: &str = "Z";

/// Typed into `cat` in a failed step, with nothing else to do and while the log of another session grows; beside it
/// the same through the gateway API.
pub fn echo(bench: &Bench) -> Result<()> {
    let keys = bench.runs * KEYS;
    let alone = "echo.idle";
    type_keys(bench, alone, keys)?;
    direct(bench, alone, keys)?;
    bench.ours.stop()?;
    let flooded = "echo.flood";
    let mut flood = Side::build(&bench.ours, &bench.contexts.flood()?)?;
    let typed = type_keys(bench, flooded, keys).and_then(|()| direct(bench, flooded, keys));
    // Its build is stopped by the end of the server.
    flood.kill()?;
    flood.wait()?;
    typed
}

fn direct(bench: &Bench, what: &str, keys: usize) -> Result<()> {
    let echoes = bench.ours.runtime.block_on(bench.direct.echoes(keys))?;
    for echo in echoes {
        put(what, "engine", echo.as_secs_f64());
    }
    Ok(())
}

fn type_keys(bench: &Bench, what: &str, keys: usize) -> Result<()> {
    let mut window = bench.shell(&bench.contexts.failing()?)?;
    // What is typed before the shell has left its line editor would get lost.
    window.send("echo beg''un; cat\r")?;
    window.wait("cat", |screen| screen.contains("begun"))?;
    let mut line = 0;
    next_line(&mut window, &mut line)?;
    for key in 1..=keys {
        std::thread::sleep(pause(key));
        let began = window.press(KEY)?;
        let seen = window.wait_bytes(KEY.as_bytes())?;
        put(what, "ours", (seen - began).as_secs_f64());
        if key % KEYS == 0 {
            window.send("\r")?;
            std::thread::sleep(Duration::from_millis(100));
            next_line(&mut window, &mut line)?;
        }
    }
    Ok(())
}

/// Types a line, which `cat` says again, and waits until that is over.
fn next_line(window: &mut Window, line: &mut usize) -> Result<()> {
    *line += 1;
    let word = format!("line-{line}-ready");
    window.send(&format!("{word}\r"))?;
    window.wait("line", |screen| screen.matches(&word).count() == 2)?;
    std::thread::sleep(Duration::from_millis(50));
    Ok(())
}
