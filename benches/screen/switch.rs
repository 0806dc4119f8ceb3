//! From a key that leads to another session or pane to the whole frame that shows it.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::Bench;
use crate::values::put;

/// Builds that make the sessions at once.
const AT_ONCE: usize = 4;

/// Most sessions.
const SESSIONS: usize = 200;

/// Each session has a step of its own, so what is seen of it is no other's.
pub fn switch(bench: &Bench) -> Result<()> {
    let ours = &bench.ours;
    let count = bench.sessions.min(SESSIONS);
    let client = ours.client()?;
    let names: Vec<String> = (0..count).map(|number| format!("s{number:03}")).collect();
    let contexts: Result<Vec<_>> = names
        .iter()
        .map(|name| bench.contexts.named(name))
        .collect();
    let contexts = contexts?;
    ours.runtime.block_on(async {
        let some = contexts
            .chunks(count.div_ceil(AT_ONCE))
            .map(async |some| -> Result<()> {
                for context in some {
                    ours.build(&client, context).await?;
                }
                Ok(())
            });
        futures_util::future::try_join_all(some).await
    })?;
    // The server lists them in the order in which they came.
    let sessions = ours.runtime.block_on(ours.sessions(&client))?;
    let mut names: Vec<String> = sessions.into_iter().map(|session| session.name).collect();
    let mut window = bench.screen(&["debug"])?;
    window.wait("step", |screen| screen.contains("COPY s"))?;
    window.settle(Duration::from_millis(200))?;
    // Keys that are pressed while something else comes are measured, too, but not those of the start.
    let screen = window.screen();
    let title = |screen: &str, name: &str| {
        let copied = format!("COPY {name} ");
        screen.contains(&copied)
    };
    let here = names
        .iter()
        .position(|name| title(&screen, name))
        .context("no session is open")?;
    names.rotate_left(here);
    let last = names.len() - 1;
    let keys = 30 * bench.runs;
    let mut at = 0;
    for key in 0..keys {
        // Back and forth: sessions that were seen before and new ones.
        let (next, press) = match key % 4 {
            3 if at > 0 => (at - 1, "p"),
            _ if at == last => (0, "n"),
            _ => (at + 1, "n"),
        };
        at = next;
        let name = names.get(at).context("no such session")?;
        std::thread::sleep(Duration::from_millis(40 + (key * 7 % 11) as u64));
        let began = window.press(press)?;
        let seen = window.wait("session", |screen| title(screen, name))?;
        put("switch.session", "ours", (seen - began).as_secs_f64());
    }
    for key in 0..keys {
        std::thread::sleep(Duration::from_millis(40 + (key * 7 % 11) as u64));
        let began = window.press("\t")?;
        let seen = window.wait("frame", |_| true)?;
        put("switch.pane", "ours", (seen - began).as_secs_f64());
    }
    Ok(())
}
