//! The program in a real pseudo-terminal, and what a person would see of it.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use vt100::Parser;

/// How long a test waits for a screen before it gives up and prints the last one.
const PATIENCE: Duration = Duration::from_secs(120);

/// A program in a terminal.
pub struct Pty {
    master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    output: Receiver<Vec<u8>>,
    input: Box<dyn Write + Send>,
    parser: Parser,
    raw: Vec<u8>,
    /// A frame has begun that is not complete.
    drawing: bool,
}

impl Pty {
    /// Starts `program` in a terminal of `rows` by `cols` cells.
    pub fn spawn(program: CommandBuilder, rows: u16, cols: u16) -> Self {
        let pair = native_pty_system().openpty(size(rows, cols)).unwrap();
        let child = pair.slave.spawn_command(program).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let input = pair.master.take_writer().unwrap();
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(n) = reader.read(&mut buffer) {
                if n == 0 || sender.send(buffer[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            master: pair.master,
            child,
            output,
            input,
            parser: Parser::new(cells(rows), cells(cols), 1000),
            raw: Vec::new(),
            drawing: false,
        }
    }

    /// Types `keys`.
    pub fn send(&mut self, keys: &str) {
        self.input.write_all(keys.as_bytes()).unwrap();
        self.input.flush().unwrap();
    }

    /// Makes the terminal another size.
    pub fn resize(&mut self, rows: u16, cols: u16) {
        self.master.resize(size(rows, cols)).unwrap();
        self.parser.set_size(cells(rows), cells(cols));
    }

    /// The screen as text.
    pub fn screen(&self) -> String {
        self.parser.screen().contents()
    }

    /// Where a text stands on the screen: row and column of its first cell, from 0. Characters before it are one cell wide.
    #[track_caller]
    pub fn find(&self, text: &str) -> (u16, u16) {
        let (_, cols) = self.parser.screen().size();
        for (row, line) in self.parser.screen().rows(0, cols.get()).enumerate() {
            if let Some((before, _)) = line.split_once(text) {
                let column = before.chars().count();
                return (row.try_into().unwrap(), column.try_into().unwrap());
            }
        }
        panic!("no {text:?} on the screen:\n{}", self.screen());
    }

    /// Whether the program shows the alternate screen.
    pub fn alternate(&self) -> bool {
        self.parser.screen().alternate_screen()
    }

    /// What a terminal says of the mouse: `button` as in SGR reports (0 the left one, 32 a drag with it, 64 and 65 the
    /// wheel up and down), a release when `up`.
    pub fn mouse(&mut self, button: u8, (row, column): (u16, u16), up: bool) {
        let last = if up { 'm' } else { 'M' };
        self.send(&format!("\x1b[<{button};{};{}{last}", column + 1, row + 1));
    }

    /// Presses the left button and lets it go.
    pub fn click(&mut self, at: (u16, u16)) {
        self.mouse(0, at, false);
        self.mouse(0, at, true);
    }

    /// The program's process.
    pub fn pid(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    /// Every byte that the program has written.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Waits until the screen is as `predicate` wants it. Half a frame (synchronized output) is no screen.
    #[track_caller]
    pub fn wait_until(&mut self, what: &str, predicate: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while self.drawing || !predicate(&self.screen()) {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.take(&bytes),
                Err(error) => {
                    let status = self.child.try_wait();
                    panic!(
                        "waited for {what}: {error}; status {status:?}; the screen:\n{}",
                        self.screen()
                    );
                }
            }
        }
    }

    /// Sends the program a signal.
    pub fn signal(&mut self, signal: rustix::process::Signal) {
        let pid = self
            .child
            .process_id()
            .and_then(|pid| i32::try_from(pid).ok());
        let pid = rustix::process::Pid::from_raw(pid.unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Kills the program with SIGKILL: it can do nothing about it.
    pub fn kill(&mut self) {
        self.signal(rustix::process::Signal::KILL);
        self.child.wait().unwrap();
    }

    /// Waits for the end of the program and of its output; returns its exit code.
    #[track_caller]
    pub fn wait(&mut self) -> u32 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.take(&bytes),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    let _ = self.child.kill();
                    panic!("still running; the screen:\n{}", self.screen());
                }
            }
        }
        self.child.wait().unwrap().exit_code()
    }

    fn take(&mut self, bytes: &[u8]) {
        const FRAME: &[u8] = b"\x1b[?2026";
        // A mark may be in two pieces.
        let old = self.raw.len().saturating_sub(FRAME.len());
        self.raw.extend_from_slice(bytes);
        let ends = self.raw[old..].windows(FRAME.len() + 1);
        let mut marks = ends.filter_map(|mark| mark.strip_prefix(FRAME));
        if let Some(last) = marks.next_back() {
            self.drawing = last == b"h";
        }
        self.parser.process(bytes);
    }
}

fn size(rows: u16, cols: u16) -> PtySize {
    PtySize {
        rows,
        cols,
        pixel_width: 0,
        pixel_height: 0,
    }
}

fn cells(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).unwrap()
}
