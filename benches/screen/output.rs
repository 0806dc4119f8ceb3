//! Output of a program until it is drawn, beside tmux; and how far the screen is behind it.
//!
//! Two pairs. In a container: the shell of the failed step in ours, beside tmux around that of Docker's own buildx
//! 0.13.1, on the same engine. On this machine: `cat` in our host shell, beside `cat` in tmux. All are drawn onto a
//! terminal of the same size, which is read as fast as possible; in ours the shell has the whole screen, as a pane of
//! tmux has.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use portable_pty::CommandBuilder;
use rustix::time::{ClockId, clock_gettime};

use crate::side::Side;
use crate::values::put;
use crate::window::Window;
use crate::{Bench, PROMPT, SIZE};

/// Bytes of a text.
const TEXT: usize = 32 << 20;

/// Bytes between two marks of time in a flood: less than the screen has.
const CHUNK: usize = 1000;

/// The end of a text: letters that are nowhere else in it.
const END: &str = "ZQZQ";

/// Floods, one after another: what a flood begins with counts, too.
const FLOODS: usize = 3;

/// How long the screen is looked at in each.
const FLOOD: Duration = Duration::from_secs(2);

/// Looks of a text.
const LOOKS: [&str; 2] = ["plain", "coloured"];

/// Bytes per second of texts, until their ends are drawn; then the screen in a flood.
pub fn output(bench: &Bench) -> Result<()> {
    let texts = bench.dir.join("texts");
    write_texts(&texts)?;
    for round in 0..2 {
        // Another one first in each round.
        let [one, other] = match round {
            0 => [ours, tmux],
            _ => [tmux, ours],
        };
        one(bench, &texts)?;
        other(bench, &texts)?;
    }
    Ok(())
}

fn ours(bench: &Bench, texts: &Path) -> Result<()> {
    let mut window = bench.shell(&bench.contexts.texts(texts)?)?;
    window.send("\x01z")?;
    speak(bench, &mut window, "ours", "container", Path::new("/texts"))?;
    window.send("\x01!")?;
    window.wait("host shell", |screen| screen.contains("host: "))?;
    speak(bench, &mut window, "ours", "host", texts)?;
    drop(window);
    bench.ours.stop()
}

fn tmux(bench: &Bench, texts: &Path) -> Result<()> {
    let words = bench.peer.words(&bench.contexts.texts(texts)?);
    let (tmux, mut window) = Tmux::start(&bench.dir, &words)?;
    window.wait("prompt", |screen| screen.contains(PROMPT))?;
    speak(bench, &mut window, "tmux", "container", Path::new("/texts"))?;
    drop((window, tmux));
    bench.peer.stop()?;
    let (tmux, mut window) = Tmux::start(&bench.dir, &["/bin/sh".to_owned()])?;
    window.wait("prompt", |screen| screen.contains("# "))?;
    speak(bench, &mut window, "tmux", "host", texts)?;
    drop((window, tmux));
    Ok(())
}

/// Lets a shell print the texts, and a flood.
fn speak(bench: &Bench, window: &mut Window, who: &str, place: &str, texts: &Path) -> Result<()> {
    for _ in 0..bench.runs.div_ceil(5) {
        for look in LOOKS {
            window.send("clear\r")?;
            window.settle(Duration::from_millis(300))?;
            let command = format!("cat {}\r", texts.join(look).display());
            let began = window.press(&command)?;
            let ended = window.wait_bytes(END.as_bytes())?;
            let speed = TEXT as f64 / (ended - began).as_secs_f64();
            put(&format!("output.{place}.{look}"), who, speed);
            // The whole text is behind this.
            window.screen();
        }
    }
    for _ in 0..FLOODS {
        flood(window, who, place, texts)?;
    }
    Ok(())
}

/// Lets a shell print what time it is until it is stopped, and looks how old the newest time on the screen is.
fn flood(window: &mut Window, who: &str, place: &str, texts: &Path) -> Result<()> {
    // Without the times of the flood before.
    window.send("clear\r")?;
    window.settle(Duration::from_millis(300))?;
    window.send(&format!("sh {}\r", texts.join("flood").display()))?;
    let began = Instant::now();
    let mut seen = 0;
    while began.elapsed() < FLOOD {
        window.read(Duration::from_millis(100))?;
        let Some((screen, came)) = window.frame()? else {
            continue;
        };
        // The last mark that is whole.
        let mut marks = screen.rsplit('@').skip(1);
        let mark = marks.find_map(|mark| mark.parse::<f64>().ok());
        if let Some(mark) = mark {
            let lag = uptime() - came.elapsed().as_secs_f64() - mark;
            put(&format!("lag.{place}"), who, lag);
            seen += 1;
        }
    }
    window.send("\x03")?;
    ensure!(
        seen > 20,
        "only {seen} marks were seen; the screen:\n{}",
        window.screen()
    );
    window.settle(Duration::from_millis(500))
}

/// Seconds since the machine was started, as /proc/uptime has them.
fn uptime() -> f64 {
    let time = clock_gettime(ClockId::Boottime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// `plain`, `coloured`, and `flood`, a script whose output says what time it is.
fn write_texts(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir)?;
    for look in LOOKS {
        let mut file = BufWriter::new(fs::File::create(dir.join(look))?);
        let (mut bytes, mut number) = (0, 0);
        while bytes < TEXT {
            let line = match look {
                "plain" => format!("{number:8} {}\n", "text ".repeat(14)),
                _ => format!(
                    "\x1b[32m{number:8}\x1b[0m \x1b[1;34mcompiling\x1b[0m some \x1b[38;5;200mcrate\x1b[0m {}\n",
                    "text ".repeat(8)
                ),
            };
            file.write_all(line.as_bytes())?;
            bytes += line.len();
            number += 1;
        }
        writeln!(file, "{END}")?;
        file.flush()?;
    }
    let line = "text ".repeat(14);
    let lines = vec![line.as_str(); CHUNK / line.len()].join("\n");
    let flood = format!(
        "while :; do echo '{lines}'; read -r up rest </proc/uptime; echo \"@$up@\"; done\n"
    );
    fs::write(dir.join("flood"), flood)?;
    Ok(())
}

/// Servers that were started.
static STARTED: AtomicUsize = AtomicUsize::new(0);

/// A server of tmux of our own. It is killed when this is dropped.
struct Tmux {
    socket: PathBuf,
}

impl Tmux {
    /// A program in a pane that is the whole screen.
    fn start(dir: &Path, words: &[String]) -> Result<(Self, Window)> {
        let mut command = CommandBuilder::new("tmux");
        command.env_clear();
        for (name, value) in [
            ("PATH", "/usr/bin:/bin"),
            ("HOME", "/"),
            ("LANG", "C.UTF-8"),
            ("SHELL", "/bin/sh"),
            ("TERM", "xterm-256color"),
        ] {
            command.env(name, value);
        }
        // The former one may still be ending.
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let socket = dir.join(format!("tmux.{number}"));
        command.cwd("/");
        command.arg("-S");
        command.arg(&socket);
        command.args(["-f", "/dev/null", "new-session"]);
        command.args(words);
        let tmux = Self { socket };
        let window = Window::start(command, SIZE.0, SIZE.1, false)?;
        Ok((tmux, window))
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let mut command = Command::new("tmux");
        let _ = command
            .arg("-S")
            .arg(&self.socket)
            .arg("kill-server")
            .stderr(Stdio::null())
            .status();
    }
}
