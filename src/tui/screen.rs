//! The user's terminal as a screen: what is switched on in it and off again, and frames on their way to it.
//!
//! What the terminal does not take of a frame at once is written by a thread of its own. Until it has it all, the next
//! is not drawn, so a slow terminal gets fewer frames and never a queue.

use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Terminal as Frames, TerminalOptions, Viewport};
use tokio::sync::mpsc;

use super::app::App;
use crate::monitor::terminal::{own_file, write_all};

/// Alternate screen, no wrap at the right border, focus events, bracketed paste; the window's title is put aside.
const ON: &str = "\x1b[22;0t\x1b[?1049h\x1b[?7l\x1b[?1004h\x1b[?2004h\x1b[2J";

/// Undoes [`ON`], and everything that was switched on later.
const OFF: &str = "\x1b[?2026l\x1b[?1006l\x1b[?1002l\x1b[?1000l\x1b[?2004l\x1b[?1004l\x1b[?7h\x1b[0 q\x1b[m\x1b[?25h\x1b[?1049l\x1b[23;0t";

/// Keys that plain terminals cannot tell apart are told apart (the kitty keyboard protocol's first flag). Each screen of
/// a terminal has keys of its own: this is for the alternate one, so it comes behind [`ON`] and goes before [`OFF`].
const KEYS_ON: &str = "\x1b[>1u";
const KEYS_OFF: &str = "\x1b[<u";

/// Presses, releases and drags of the mouse, with coordinates of any size.
const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1002h\x1b[?1006h";
const MOUSE_OFF: &str = "\x1b[?1006l\x1b[?1002l\x1b[?1000l";

/// A terminal that knows it (mode 2026) shows what is between these at once; others ignore them.
const SYNC_ON: &[u8] = b"\x1b[?2026h";
const SYNC_OFF: &[u8] = b"\x1b[?2026l";

/// What undoes everything that a [`Screen`] may switch on; `keys`: on a terminal that tells keys apart.
pub fn undo(keys: bool) -> Vec<u8> {
    let keys = if keys { KEYS_OFF } else { "" };
    [keys, OFF].concat().into_bytes()
}

/// Bytes of a frame while it is drawn.
#[derive(Clone, Debug, Default)]
struct Bytes(Arc<Mutex<Vec<u8>>>);

impl Bytes {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The screen.
#[derive(Debug)]
pub struct Screen {
    frames: Frames<CrosstermBackend<Bytes>>,
    bytes: Bytes,
    size: (u16, u16),
    shape: u8,
    /// The terminal tells keys apart.
    keys: bool,
    /// What goes with the next frame.
    extra: Vec<u8>,
    /// The terminal as a file that does not block.
    direct: Option<OwnedFd>,
    to_writer: std::sync::mpsc::SyncSender<Vec<u8>>,
    written: mpsc::Receiver<()>,
    busy: bool,
    /// The terminal does not take anything any more.
    gone: bool,
}

impl Screen {
    /// Switches the screen on; `keys`: the terminal tells keys apart ([`super::known::disambiguates`]).
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn open(size: (u16, u16), mouse: bool, keys: bool) -> io::Result<Self> {
        // crossterm would drop every colour and attribute with NO_COLOR; the theme obeys it, and programs in shells
        // have their own.
        crossterm::style::force_color_output(true);
        let bytes = Bytes::default();
        let frames = frames(&bytes, size)?;
        let (to_writer, from_loop) = std::sync::mpsc::sync_channel::<Vec<u8>>(1);
        let (done, written) = mpsc::channel(1);
        std::thread::Builder::new()
            .name("screen".to_owned())
            .spawn(move || {
                for frame in from_loop {
                    if write_all(io::stdout().as_fd(), &frame).is_err() {
                        break;
                    }
                    if done.blocking_send(()).is_err() {
                        break;
                    }
                }
            })?;
        let mut screen = Self {
            frames,
            bytes,
            size,
            shape: 0,
            keys,
            extra: Vec::new(),
            direct: own_file(io::stdout().as_fd()),
            to_writer,
            written,
            busy: false,
            gone: false,
        };
        screen.switch_on(mouse);
        Ok(screen)
    }

    /// Switches everything on (again), and draws everything anew with the next frame.
    pub fn switch_on(&mut self, mouse: bool) {
        self.extra.extend(ON.as_bytes());
        if self.keys {
            self.extra.extend(KEYS_ON.as_bytes());
        }
        self.mouse(mouse);
        self.shape = 0;
        self.redraw();
    }

    /// Takes the mouse, or gives it back.
    pub fn mouse(&mut self, ours: bool) {
        let bytes = if ours { MOUSE_ON } else { MOUSE_OFF };
        self.extra.extend(bytes.as_bytes());
    }

    /// Draws every cell with the next frame.
    pub fn redraw(&mut self) {
        // A new list of cells: all differ from nothing.
        if let Ok(frames) = frames(&self.bytes, self.size) {
            self.frames = frames;
        }
        self.extra.extend(b"\x1b[m\x1b[2J");
    }

    /// The screen has another size.
    pub fn resize(&mut self, size: (u16, u16)) {
        self.size = size;
        self.redraw();
    }

    /// The title of the window; harmless text.
    pub fn title(&mut self, title: &str) {
        let _ = write!(self.extra, "\x1b]2;{title}\x1b\\");
    }

    /// Puts text into the clipboard.
    pub fn clipboard(&mut self, text: &[u8]) {
        use base64::Engine;
        let text = base64::engine::general_purpose::STANDARD.encode(text);
        let _ = write!(self.extra, "\x1b]52;c;{text}\x1b\\");
    }

    /// Rings.
    pub fn bell(&mut self) {
        if !self.extra.contains(&7) {
            self.extra.push(7);
        }
    }

    /// Whether a frame can be drawn now.
    pub fn ready(&self) -> bool {
        !self.busy && !self.gone
    }

    /// Waits until the frame has been taken. Nothing is lost when the future is dropped.
    pub async fn written(&mut self) {
        if self.written.recv().await.is_none() {
            self.gone = true;
        }
        self.busy = false;
    }

    /// Whether a frame is on its way.
    pub fn busy(&self) -> bool {
        self.busy
    }

    /// Draws the state; to be called when [`Screen::ready`].
    pub fn draw(&mut self, app: &App) {
        let drawn = self.frames.draw(|frame| super::draw::draw(app, frame));
        if drawn.is_err() {
            return;
        }
        let shape = app.cursor_shape();
        if shape != self.shape {
            self.shape = shape;
            let _ = write!(self.extra, "\x1b[{shape} q");
        }
        let frame = self.bytes.take();
        let mut bytes = wrap(&mut self.extra, &frame);
        if let Some(direct) = &self.direct
            && let Ok(taken) = rustix::io::write(direct, &bytes)
        {
            bytes.drain(..taken.min(bytes.len()));
        }
        if bytes.is_empty() {
            return;
        }
        match self.to_writer.try_send(bytes) {
            Ok(()) => self.busy = true,
            Err(_) => self.gone = true,
        }
    }
}

/// What is written for a frame: nothing when nothing changes.
fn wrap(extra: &mut Vec<u8>, frame: &[u8]) -> Vec<u8> {
    if extra.is_empty() && frame.is_empty() {
        return Vec::new();
    }
    let mut bytes = Vec::with_capacity(extra.len() + frame.len() + 16);
    bytes.extend_from_slice(SYNC_ON);
    bytes.append(extra);
    bytes.extend_from_slice(frame);
    bytes.extend_from_slice(SYNC_OFF);
    bytes
}

fn frames(
    bytes: &Bytes,
    (columns, rows): (u16, u16),
) -> io::Result<Frames<CrosstermBackend<Bytes>>> {
    let area = Rect::new(0, 0, columns, rows);
    let options = TerminalOptions {
        viewport: Viewport::Fixed(area),
    };
    Frames::with_options(CrosstermBackend::new(bytes.clone()), options)
}
