//! Frames of the whole screen without a terminal: CPU and bytes.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};
use rustix::time::{ClockId, clock_gettime};

use buildx::proto::controller::attach_output::Output;
use buildx::proto::controller::{Session, SessionState};
use buildx::tui::app::{App, Setup};
use buildx::tui::draw::draw;
use buildx::tui::keymap::{Key, Keymap};
use buildx::tui::msg::{Effect, Msg, ShellMsg, Tab};
use buildx::tui::theme::Theme;

use crate::Bench;
use crate::counter::Counter;
use crate::values::put;

/// Columns and rows.
const SIZE: (u16, u16) = (200, 60);

/// Milliseconds since 1970.
const NOW: i64 = 1_700_000_000_000;

/// A shell has the whole screen and changes every cell, colours included, and nothing of the last frame is left; and
/// frames as they mostly are: a running build, and in the shell a key's echo or one more line.
pub fn frame(bench: &Bench) -> Result<()> {
    let runs = 20 * bench.runs;
    let mut screen = Screen::new()?;
    for (what, line) in [("frame.echo", false), ("frame.line", true)] {
        for run in 0..runs {
            screen.time(run);
            match line {
                true => screen.print(&format!("\r\nunit_{run} of the program is being compiled")),
                false => screen.print("x"),
            }
            let (cpu, bytes) = screen.draw()?;
            put(what, "ours", cpu);
            put(&format!("{what}.bytes"), "ours", bytes);
        }
    }
    screen.prefixed('z');
    screen.draw()?;
    for run in 0..runs {
        screen.print(&full(u16::try_from(run * 7 % 1000)?));
        screen.clear()?;
        let (cpu, bytes) = screen.draw()?;
        put("frame.full", "ours", cpu);
        put("frame.full.bytes", "ours", bytes);
    }
    Ok(())
}

/// A screen full of letters, with colours of their own for every eight of them; `seed` changes all of it.
fn full(seed: u16) -> String {
    let (cols, rows) = SIZE;
    let mut text = String::from("\x1b[H");
    for row in 0..rows {
        for col in 0..cols {
            let n = row + col + seed;
            if col % 8 == 0 {
                text += &format!("\x1b[38;5;{};48;2;{};9;{}m", n % 256, n % 200, n / 2 % 256);
            }
            text.push(char::from(b'a' + (n % 26) as u8));
        }
    }
    text
}

/// The state and what it is drawn to.
struct Screen {
    app: App,
    tab: Tab,
    now: i64,
    frames: Terminal<CrosstermBackend<Counter>>,
    counter: Counter,
}

impl Screen {
    /// With some sessions, one of which builds; a shell of this machine is in it and has the keyboard.
    fn new() -> Result<Self> {
        let key = Key::parse("ctrl-a").map_err(|error| anyhow!(error))?;
        let keymap = Keymap::new(key, &BTreeMap::new()).map_err(|error| anyhow!(error))?;
        let setup = Setup::new(keymap, Theme::new(false, true, Vec::new()));
        let mut app = App::new(setup, SIZE, NOW);
        app.update(NOW, Msg::Connected(Box::default()));
        for number in 1..=9 {
            let session = Session {
                id: format!("id{number}"),
                name: format!("session-{number}"),
                build: 1,
                state: SessionState::Building as i32,
                started: NOW - 1000 * number,
                ..Session::default()
            };
            app.update(NOW, Msg::Session(Box::new(session)));
        }
        app.update(NOW, Msg::AllSessions);
        let effects = app.update(NOW, key_of('!', KeyModifiers::NONE));
        let tab = effects.iter().find_map(|effect| match effect {
            Effect::Host { tab, .. } => Some(*tab),
            _ => None,
        });
        let counter = Counter::default();
        let mut screen = Self {
            app,
            tab: tab.context("no shell was started")?,
            now: NOW,
            frames: frames(&counter)?,
            counter,
        };
        // Lines of many lengths, so that one more of them changes all rows.
        for line in 0..SIZE.1 * 2 {
            let words = "word ".repeat(usize::from(line * 7 % 23));
            screen.print(&format!("\r\n{line} {words}"));
        }
        screen.draw()?;
        Ok(screen)
    }

    /// It is a tenth of a second later than at the last run.
    fn time(&mut self, run: usize) {
        self.now = NOW + 100 * i64::try_from(run).unwrap_or_default();
        self.app.update(self.now, Msg::Tick);
    }

    fn prefixed(&mut self, letter: char) {
        let prefix = key_of('a', KeyModifiers::CONTROL);
        self.app.update(self.now, prefix);
        self.app
            .update(self.now, key_of(letter, KeyModifiers::NONE));
        // The program is told of its new size when that has stayed for a while.
        self.now += 1000;
        self.app.update(self.now, Msg::Tick);
    }

    /// The program in the shell writes this.
    fn print(&mut self, text: &str) {
        let output = Output::Data(Bytes::copy_from_slice(text.as_bytes()));
        let msg = Msg::Shell(self.tab, ShellMsg::Output(output));
        self.app.update(self.now, msg);
        while self
            .app
            .shells
            .iter()
            .any(|shell| shell.deadline() == Some(0))
        {
            self.app.update(self.now, Msg::Tick);
        }
    }

    /// Nothing is known of what the terminal shows.
    fn clear(&mut self) -> Result<()> {
        self.frames = frames(&self.counter)?;
        Ok(())
    }

    /// Draws: seconds of CPU, and bytes.
    fn draw(&mut self) -> Result<(f64, f64)> {
        let (before, began) = (self.counter.0.get(), cpu());
        self.app.look();
        self.frames.draw(|frame| draw(&self.app, frame))?;
        let took = cpu().saturating_sub(began).as_secs_f64();
        Ok((took, (self.counter.0.get() - before) as f64))
    }
}

fn frames(counter: &Counter) -> Result<Terminal<CrosstermBackend<Counter>>> {
    let viewport = Viewport::Fixed(Rect::new(0, 0, SIZE.0, SIZE.1));
    let backend = CrosstermBackend::new(counter.clone());
    Ok(Terminal::with_options(
        backend,
        TerminalOptions { viewport },
    )?)
}

fn key_of(letter: char, modifiers: KeyModifiers) -> Msg {
    Msg::Key(KeyEvent::new(KeyCode::Char(letter), modifiers))
}

/// What this thread has computed.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}
