//! The loop: what happens becomes messages, messages change the state, the state is drawn.
//!
//! It draws on change only. A key is drawn at once, and so is what the server answers to it; a flood is drawn 30 times
//! a second; a slow terminal gets fewer frames.

use std::io;
use std::time::{Duration, Instant};

use crossterm::event::{Event, EventStream};
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::app::{App, Setup};
use super::link::{Connect, Links};
use super::msg::{Effect, Msg};
use super::screen::{self, Screen};
use crate::client::Client;
use crate::monitor::exec::now;
use crate::monitor::terminal::{Event as TerminalEvent, Mode, Terminal};

/// Messages that wait for the loop: few, since those of a flood have up to 64 KiB and the screen is behind by all of
/// them.
const QUEUE: usize = 4;

/// Messages that are taken before a frame is drawn.
const BATCH: usize = 4;

/// Keys and the like that are taken at once.
const KEYS: usize = 64;

/// Time between frames in a flood.
const FRAME: Duration = Duration::from_micros(33_333);

/// Frames that may follow each other without that time.
const BURST: u32 = 4;

/// For so long after a key, what comes is taken for its answer.
const ANSWER: Duration = Duration::from_millis(50);

/// Time between frames of an answer.
const GAP: Duration = Duration::from_millis(4);

/// What the screen begins with.
#[derive(Debug)]
pub enum Begin {
    /// The sessions of the server.
    Sessions,
    /// A build that has been started.
    Build(super::msg::BuildId),
    /// A session, and a process in it if one is named.
    Session {
        /// Id.
        session: String,
        /// Id.
        process: Option<String>,
        /// Only look on.
        read_only: bool,
    },
}

/// How the screen was left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// For the screen that was there before, a line each.
    pub lines: Vec<String>,
    /// Exit code.
    pub code: u8,
}

/// Runs the screen on the user's terminal until it is left.
///
/// # Errors
/// The terminal cannot be used; one line.
pub async fn run(
    setup: Setup,
    client: Client,
    connect: Connect,
    begin: Begin,
) -> Result<Left, String> {
    let cannot = |error: io::Error| format!("cannot use the terminal: {error}");
    let mut terminal = Terminal::open().map_err(cannot)?;
    terminal.undo_with(&screen::undo(setup.keys));
    terminal.mode(Mode::Raw);
    let size = size(&terminal);
    let screen = Screen::open(size, setup.mouse, setup.keys).map_err(cannot)?;
    let (sender, receiver) = mpsc::channel(QUEUE);
    let mut links = Links::new(sender, setup.caller.clone(), setup.invoke.clone(), connect);
    let mut app = App::new(setup, size, now());
    let mut effects = links.use_client(client);
    effects.extend(app.begin(begin));
    let mut main = Loop {
        app,
        links,
        screen,
        terminal,
        receiver,
        pace: Pace::new(),
        dirty: true,
        left: None,
    };
    main.perform(effects);
    let left = main.run().await;
    main.links.close().await;
    drop(main);
    Ok(left)
}

fn size(terminal: &Terminal) -> (u16, u16) {
    let size = terminal.size();
    let cut = |count: u32| u16::try_from(count).unwrap_or(u16::MAX);
    (cut(size.cols), cut(size.rows))
}

struct Loop {
    app: App,
    links: Links,
    screen: Screen,
    terminal: Terminal,
    receiver: mpsc::Receiver<Msg>,
    pace: Pace,
    dirty: bool,
    left: Option<Left>,
}

impl Loop {
    async fn run(&mut self) -> Left {
        let mut keyboard = Keyboard::new();
        let mut events = Vec::with_capacity(KEYS);
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            if let Some(left) = self.left.take() {
                return left;
            }
            let draw_at = self.draw();
            let deadline = self.deadline();
            let wake = match (draw_at, deadline) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
            tokio::select! {
                biased;
                event = self.terminal.next_signal() => match event {
                    TerminalEvent::Gone => self.update(Msg::Terminate(self.terminal.gone_code())),
                    TerminalEvent::Continued => {
                        self.screen.switch_on(self.app.mouse);
                        // What was typed for the shell in between is not ours.
                        keyboard.begin_anew().await;
                        self.resized();
                        self.update(Msg::Continued);
                    }
                    TerminalEvent::Resized => self.resized(),
                    TerminalEvent::Keys(_) => {}
                },
                count = keyboard.events.recv_many(&mut events, KEYS) => {
                    if count == 0 {
                        self.update(Msg::Terminate(self.terminal.gone_code()));
                    }
                    for event in events.drain(..) {
                        self.input(event);
                    }
                }
                () = self.screen.written(), if self.screen.busy() => {}
                count = self.receiver.recv_many(&mut batch, BATCH), if !self.app.full() => {
                    if count == 0 {
                        self.update(Msg::Terminate(self.terminal.gone_code()));
                    }
                    for msg in batch.drain(..) {
                        self.update(msg);
                    }
                }
                () = sleep(wake) => {
                    if deadline.is_some_and(|at| at <= Instant::now()) {
                        self.update(Msg::Tick);
                    }
                }
            }
        }
    }

    /// Draws if it is time to; when it will be otherwise.
    fn draw(&mut self) -> Option<Instant> {
        if !self.dirty || !self.screen.ready() {
            return None;
        }
        let now = Instant::now();
        if let Some(hold) = self.app.hold().filter(|hold| *hold > now) {
            return Some(hold);
        }
        match self.pace.allow(now) {
            Ok(()) => {
                self.dirty = false;
                self.app.look();
                self.screen.draw(&self.app);
                None
            }
            Err(at) => Some(at),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let at = self.app.deadline()?;
        let wait = u64::try_from(at.saturating_sub(now()).max(0)).unwrap_or(0);
        Some(Instant::now() + Duration::from_millis(wait))
    }

    fn input(&mut self, event: Event) {
        let msg = match event {
            Event::Key(key) => {
                self.pace.hurry(Instant::now());
                Msg::Key(key)
            }
            Event::Mouse(mouse) => {
                self.pace.hurry(Instant::now());
                Msg::Mouse(mouse)
            }
            Event::Paste(text) => Msg::Paste(text),
            Event::FocusGained => Msg::Focus(true),
            Event::FocusLost => Msg::Focus(false),
            Event::Resize(..) => return self.resized(),
        };
        self.update(msg);
    }

    fn resized(&mut self) {
        let size = size(&self.terminal);
        // Also when it is the same again: what the terminal made of the screen in between is not known.
        self.screen.resize(size);
        self.update(Msg::Resize(size.0, size.1));
    }

    fn update(&mut self, msg: Msg) {
        let effects = self.app.update(now(), msg);
        self.dirty |= std::mem::replace(&mut self.app.changed, true);
        self.perform(effects);
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Clipboard(text) => self.screen.clipboard(&text),
                Effect::Bell => self.screen.bell(),
                Effect::Title(title) => self.screen.title(&title),
                Effect::Mouse(ours) => self.screen.mouse(ours),
                Effect::Redraw => self.screen.redraw(),
                Effect::Suspend => self.terminal.suspend(),
                Effect::Leave { lines, code } => {
                    self.left.get_or_insert(Left { lines, code });
                }
                effect => self.links.perform(effect),
            }
        }
    }
}

/// The keys, read by a task of their own: crossterm's stream forgets whom to wake when it is asked without waiting.
struct Keyboard {
    /// Closed when the keyboard is gone.
    events: mpsc::Receiver<Event>,
    task: JoinHandle<()>,
}

impl Keyboard {
    fn new() -> Self {
        let (sender, events) = mpsc::channel(KEYS);
        let task = tokio::spawn(async move {
            let mut stream = EventStream::new();
            while let Some(Ok(event)) = stream.next().await {
                if sender.send(event).await.is_err() {
                    break;
                }
            }
        });
        Self { events, task }
    }

    /// Forgets what has been read. Of crossterm's streams a second one waits, and its thread with it, until the first is
    /// gone; so that is waited for.
    async fn begin_anew(&mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
        *self = Self::new();
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn sleep(until: Option<Instant>) {
    match until {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// When frames may be drawn: a few at once, then one in [`FRAME`]; more often for a moment after a key.
#[derive(Debug)]
struct Pace {
    /// When the next one would be due if they had all come regularly.
    due: Instant,
    /// When the last one was drawn.
    last: Option<Instant>,
    hurry: bool,
    /// Until when answers to a key come.
    answers: Option<Instant>,
}

impl Pace {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            due: now.checked_sub(FRAME * BURST).unwrap_or(now),
            last: None,
            hurry: false,
            // What comes first is the answer to the command.
            answers: Some(now + ANSWER),
        }
    }

    /// The next frame is drawn at once, and what follows soon.
    fn hurry(&mut self, now: Instant) {
        self.hurry = true;
        self.answers = Some(now + ANSWER);
    }

    fn allow(&mut self, now: Instant) -> Result<(), Instant> {
        let earliest = now.checked_sub(FRAME * BURST).unwrap_or(now);
        self.due = self.due.max(earliest);
        let answers = self.answers.is_some_and(|until| now < until);
        let soon = self.last.map_or(now, |last| last + GAP);
        let at = if answers {
            self.due.min(soon)
        } else {
            self.due
        };
        if std::mem::take(&mut self.hurry) || at <= now {
            self.last = Some(now);
            self.due += FRAME;
            // Keys must not use up the time of many frames to come.
            self.due = self.due.min(now + FRAME);
            return Ok(());
        }
        Err(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_frames_at_once_then_thirty_a_second_and_keys_never_wait() {
        let start = Instant::now();
        let mut pace = Pace::new();
        let later = start + Duration::from_secs(1);
        let burst = (0..100).take_while(|_| pace.allow(later).is_ok()).count();
        assert_eq!(burst, BURST as usize + 1);
        let frames = (0..1000)
            .filter(|millis| pace.allow(later + Duration::from_millis(*millis)).is_ok())
            .count();
        assert!((29..=31).contains(&frames), "{frames}");
        let end = later + Duration::from_secs(1);
        for _ in 0..100 {
            pace.hurry(end);
            assert!(pace.allow(end).is_ok());
        }
        assert!(pace.allow(end + FRAME).is_ok());
    }

    #[test]
    fn answers_to_a_key_come_soon_but_a_flood_behind_it_does_not() {
        let start = Instant::now();
        let mut pace = Pace::new();
        while pace.allow(start).is_ok() {}
        pace.hurry(start);
        assert!(pace.allow(start).is_ok());
        assert_eq!(pace.allow(start), Err(start + GAP));
        assert!(pace.allow(start + GAP).is_ok());
        let later = start + ANSWER;
        let frames = (0..1000)
            .filter(|millis| pace.allow(later + Duration::from_millis(*millis)).is_ok())
            .count();
        assert!((29..=31).contains(&frames), "{frames}");
    }
}
