//! The prompt on the terminal: keys to the editor, the line to the screen.

use bytes::Bytes;

use super::complete::{self, Completion};
use super::echo::Shown;
use super::editor::{self, Editor};
use super::exec::Monitor;
use super::listing;
use super::prefix::{Prefix, Step};
use super::presence::Presence;
use super::spoken;
use super::terminal::{Event, Mode, Terminal};
use crate::progress::sentences::words;

/// What is written before a line.
pub const PROMPT: &str = "(buildx) ";

/// What the user did at the prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// Gave a line.
    Line(String),
    /// The prefix, `c`.
    Toggle,
    /// The prefix, `d`.
    Detach,
    /// Ctrl-D, or Ctrl-C on an empty line.
    Exit,
    /// The terminal is gone, or the process is asked to end.
    Gone,
}

/// What the keyboard goes through on its way.
#[derive(Debug)]
pub struct Keyboard {
    /// The prefix key; it may have been pressed before the keyboard changed hands.
    pub prefix: Prefix,
    /// The line.
    pub editor: Editor,
    /// For a screen reader: the line as it stands on the terminal, if nothing else was written since.
    pub shown: Option<Shown>,
    /// Whether a screen reader listens.
    pub spoken: bool,
}

/// Reads a line. Keys behind it are left for whoever comes next. When the session ends meanwhile, that is said.
pub async fn read(
    terminal: &mut Terminal,
    keyboard: &mut Keyboard,
    monitor: &Monitor,
    presence: &mut Presence,
) -> Read {
    let read = read_after(PROMPT, terminal, keyboard, Some(monitor), presence).await;
    if let Read::Line(line) = &read {
        keyboard.editor.remember(line);
    }
    read
}

/// Asks a question; anything but yes means no, and so does leaving.
pub async fn ask(terminal: &mut Terminal, keyboard: &mut Keyboard, question: &str) -> bool {
    terminal.say(&listing::plain(question));
    let nowhere = &mut Presence::default();
    let answer = read_after("[y/N] ", terminal, keyboard, None, nowhere).await;
    matches!(answer, Read::Line(line) if matches!(line.trim(), "y" | "Y" | "yes"))
}

async fn read_after(
    prompt: &str,
    terminal: &mut Terminal,
    keyboard: &mut Keyboard,
    monitor: Option<&Monitor>,
    presence: &mut Presence,
) -> Read {
    terminal.mode(Mode::Line);
    keyboard.editor.clear();
    keyboard.shown = None;
    draw(prompt, terminal, keyboard);
    loop {
        let event = tokio::select! {
            event = terminal.next() => event,
            reason = presence.end() => {
                if let Some(reason) = reason {
                    terminal.write(b"\r\n");
                    terminal.say(&ended(&reason));
                    keyboard.shown = None;
                    draw(prompt, terminal, keyboard);
                }
                continue;
            }
        };
        match event {
            Event::Keys(mut keys) => {
                let end = take(prompt, &mut keys, terminal, keyboard, monitor).await;
                if let Some(end) = end {
                    terminal.give_back(keys);
                    // All of the line may have come at once.
                    draw(prompt, terminal, keyboard);
                    terminal.write(b"\r\n");
                    return end;
                }
            }
            Event::Resized | Event::Continued => keyboard.shown = None,
            Event::Gone => {
                terminal.write(b"\r\n");
                return Read::Gone;
            }
        }
        draw(prompt, terminal, keyboard);
    }
}

/// The reason why a session is gone, as a sentence.
fn ended(reason: &str) -> String {
    words::sentence(&listing::plain(reason))
}

/// Takes keys until one ends the line.
async fn take(
    prompt: &str,
    keys: &mut Bytes,
    terminal: &mut Terminal,
    keyboard: &mut Keyboard,
    monitor: Option<&Monitor>,
) -> Option<Read> {
    // One by one: what follows the end of the line has to go through the prefix again.
    while let Some(step) = keyboard.prefix.next(keys, 1) {
        let bytes = match step {
            Step::Pass(bytes) => bytes,
            Step::Toggle => return Some(Read::Toggle),
            Step::Detach => return Some(Read::Detach),
        };
        for byte in bytes {
            match keyboard.editor.push(byte) {
                None => {}
                Some(editor::Event::Line(line)) => return Some(Read::Line(line)),
                Some(editor::Event::End) => return Some(Read::Exit),
                Some(editor::Event::Interrupt) if keyboard.editor.is_empty() => {
                    return Some(Read::Exit);
                }
                Some(editor::Event::Interrupt) => {
                    draw(prompt, terminal, keyboard);
                    terminal.write(b"^C\r\n");
                    keyboard.shown = None;
                    keyboard.editor.clear();
                }
                Some(editor::Event::Clear) => {
                    terminal.write(b"\x1b[H\x1b[2J");
                    keyboard.shown = None;
                }
                Some(editor::Event::Suspend) => terminal.suspend(),
                Some(editor::Event::Complete) => {
                    if let Some(monitor) = monitor {
                        draw(prompt, terminal, keyboard);
                        complete(terminal, keyboard, monitor).await;
                    }
                }
            }
        }
    }
    None
}

fn draw(prompt: &str, terminal: &mut Terminal, keyboard: &mut Keyboard) {
    let cols = usize::try_from(terminal.size().cols).unwrap_or(80);
    let editor = &keyboard.editor;
    let mut drawn = None;
    if keyboard.spoken && !editor.searches() {
        let (text, at) = editor.line();
        let now = Shown {
            prompt: prompt.to_owned(),
            text: text.to_owned(),
            at,
        };
        drawn = now.after(keyboard.shown.as_ref(), cols);
        keyboard.shown = Some(now);
    } else {
        keyboard.shown = None;
    }
    let drawn = drawn.unwrap_or_else(|| editor.draw(prompt, cols));
    terminal.write(drawn.as_bytes());
}

async fn complete(terminal: &mut Terminal, keyboard: &mut Keyboard, monitor: &Monitor) {
    let editor = &mut keyboard.editor;
    let (line, at) = editor.line();
    let wanted = complete::wanted(line, at);
    let session = monitor.session.as_deref();
    let candidates = complete::candidates(&monitor.api(), session, wanted.of).await;
    match complete::complete(&wanted.word, &candidates) {
        Completion::Word(word) => editor.complete(wanted.from, &word),
        Completion::Several(words) => {
            terminal.write(b"\r\n");
            terminal.say(&match keyboard.spoken {
                true => spoken::completions(&words),
                false => words.join("  "),
            });
            keyboard.shown = None;
        }
        Completion::None => terminal.write(b"\x07"),
    }
}
