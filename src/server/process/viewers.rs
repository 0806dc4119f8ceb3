//! Those who are attached to a process, and what each of them has got.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Notify;

use super::output::Output;
use super::queue::{self, Receiver, Sender};
use super::replay::{Replay, Stream};
use crate::proto::controller::attach_output::Output as Message;
use crate::proto::controller::{AttachStart, Client, Exited, Presence, TerminalSize};

/// Most clients of one process.
pub const VIEWERS: usize = 64;

/// One who is attached.
#[derive(Debug)]
pub struct Viewer {
    /// Number within the process.
    pub id: u64,
    /// Who it is, with the process filled in.
    pub client: Client,
    /// Size of its terminal; `None` when it has none.
    pub size: Option<(u16, u16)>,
    queue: Sender,
    /// Most bytes of scrollback that it wants.
    scrollback: usize,
    /// It has missed terminal output and gets a snapshot when its queue is empty.
    behind: bool,
    /// It gets what a terminal is sent as it is, and no snapshots.
    raw: bool,
    /// Number of the next chunk of plain or raw output.
    next: u64,
    /// It has been told of the end.
    told: bool,
}

/// All who are attached.
#[derive(Debug)]
pub struct Viewers {
    list: Vec<Viewer>,
    last: u64,
    ever: bool,
    /// What a terminal was sent, for those who want it so. Goes when the first who attaches does not, or with the last who
    /// did.
    raw: Option<Replay>,
    wake: Arc<Notify>,
}

impl Viewers {
    /// Nobody. `wake` is told when a viewer leaves or has read what waited. `raw` keeps what a terminal is sent.
    pub fn new(wake: Arc<Notify>, raw: Option<Replay>) -> Self {
        Self {
            list: Vec::new(),
            last: 0,
            ever: false,
            raw,
            wake,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Adds one, who gets the screen or the kept output first.
    pub fn add(
        &mut self,
        start: &AttachStart,
        client: Client,
        output: &Output,
        ended: Option<&Exited>,
    ) -> (u64, Receiver) {
        let (queue, receiver) = queue::new(Arc::clone(&self.wake));
        self.last += 1;
        self.ever = true;
        let mut viewer = Viewer {
            id: self.last,
            size: start.size.as_ref().and_then(cells),
            client,
            queue,
            scrollback: start.scrollback as usize,
            behind: false,
            raw: start.raw && self.raw.is_some(),
            next: 0,
            told: false,
        };
        if !viewer.raw
            && let Some(snapshot) = output.snapshot(viewer.scrollback)
        {
            viewer.queue.say(Message::Snapshot(snapshot));
        }
        viewer.settle(output, self.raw.as_ref(), None);
        self.list.push(viewer);
        self.forget_raw();
        self.presence();
        if let Some(viewer) = self.list.last_mut() {
            viewer.settle(output, self.raw.as_ref(), ended);
        }
        (self.last, receiver)
    }

    /// A viewer by its number.
    pub fn get(&self, id: u64) -> Option<&Viewer> {
        self.list.iter().find(|viewer| viewer.id == id)
    }

    /// Notes the size of a viewer's terminal.
    pub fn set_size(&mut self, id: u64, size: &TerminalSize) {
        if let Some(viewer) = self.list.iter_mut().find(|viewer| viewer.id == id) {
            viewer.size = cells(size).or(viewer.size);
        }
    }

    /// Ends what a viewer gets; it is forgotten when it has left.
    pub fn end(&mut self, id: u64) {
        if let Some(viewer) = self.list.iter().find(|viewer| viewer.id == id) {
            viewer.queue.end();
        }
    }

    /// Forgets those who have left and returns them; the others are told.
    pub fn remove_gone(&mut self) -> Vec<Viewer> {
        let gone = |viewer: &mut Viewer| viewer.queue.is_gone();
        let gone: Vec<Viewer> = self.list.extract_if(.., gone).collect();
        if !gone.is_empty() {
            for viewer in &gone {
                self.notice(&format!("{} detached", viewer.client.in_words()), None);
            }
            self.forget_raw();
            self.presence();
        }
        gone
    }

    fn forget_raw(&mut self) {
        if !self.list.iter().any(|viewer| viewer.raw) {
            self.raw = None;
        }
    }

    /// Everybody, as others see them.
    pub fn clients(&self) -> Vec<Client> {
        let clients = self.list.iter().map(|viewer| viewer.client.clone());
        clients.collect()
    }

    /// Terminal output. Who has no room for it falls behind, except those who want it raw: see [`Viewers::has_room`].
    pub fn terminal(&mut self, bytes: &Bytes) {
        if let Some(raw) = &mut self.raw {
            raw.push(Stream::Out, bytes.clone());
        }
        for viewer in &mut self.list {
            if viewer.raw {
                if let Some(raw) = &self.raw {
                    viewer.read(raw);
                }
            } else if !viewer.behind && !viewer.queue.data(bytes) {
                viewer.fall_behind();
            }
        }
    }

    /// Whether more of what a terminal is sent can be kept for those who want it raw. `needed`: from
    /// [`Viewers::needed`].
    pub fn has_room(&mut self, needed: u64) -> bool {
        self.raw.as_mut().is_none_or(|raw| {
            raw.trim(needed);
            !raw.is_full()
        })
    }

    /// A message for everybody who is not behind: it belongs to the order of the output.
    pub fn say(&mut self, message: &Message) {
        for viewer in self.list.iter_mut().filter(|viewer| !viewer.behind) {
            viewer.queue.say(message.clone());
        }
    }

    /// A line for everybody but one.
    pub fn notice(&mut self, text: &str, except: Option<u64>) {
        for viewer in &self.list {
            if Some(viewer.id) != except {
                viewer.queue.say(Message::Notice(text.to_owned()));
            }
        }
    }

    /// The screen anew for everybody who sees one.
    pub fn renew(&mut self) {
        for viewer in self.list.iter_mut().filter(|viewer| !viewer.raw) {
            viewer.fall_behind();
        }
    }

    /// Whether somebody gets a snapshot at the next [`Viewers::settle`].
    pub fn want_snapshot(&self) -> bool {
        let mut viewers = self.list.iter();
        viewers.any(|viewer| viewer.behind && viewer.queue.is_empty())
    }

    /// Gives everybody what there is room for.
    pub fn settle(&mut self, output: &Output, ended: Option<&Exited>) {
        for viewer in &mut self.list {
            viewer.settle(output, self.raw.as_ref(), ended);
        }
    }

    /// Number of the first chunk of plain or raw output that must not be lost: none is before anybody has
    /// attached, nor for the only one who may type, such as a script, unless it sees the screen.
    pub fn needed(&self) -> u64 {
        let mut typing = self.list.iter().filter(|viewer| !viewer.client.read_only);
        match (typing.next(), typing.next()) {
            _ if !self.ever => 0,
            (Some(only), None) if only.raw || self.raw.is_none() => only.next,
            _ => u64::MAX,
        }
    }

    fn presence(&mut self) {
        let clients = self.clients();
        for viewer in &self.list {
            viewer.queue.say(Message::Presence(Presence {
                clients: clients.clone(),
            }));
        }
    }
}

impl Viewer {
    fn fall_behind(&mut self) {
        self.behind = true;
        self.queue.fall_behind();
    }

    /// Gives it what there is room for; false while something is left.
    fn read(&mut self, replay: &Replay) -> bool {
        if self.next < replay.first() {
            let text = "earlier output is no longer there";
            self.queue.say(Message::Notice(text.to_owned()));
            self.next = replay.first();
        }
        while let Some((stream, bytes)) = replay.get(self.next) {
            if !self.queue.has_room() {
                break;
            }
            match stream {
                Stream::Out => self.queue.data(bytes),
                Stream::Error => self.queue.error_data(bytes),
            };
            self.next += 1;
        }
        self.next == replay.next()
    }

    fn settle(&mut self, output: &Output, raw: Option<&Replay>, ended: Option<&Exited>) {
        if self.told {
            return;
        }
        let complete = match (output, raw) {
            (Output::Plain(replay), _) => self.read(replay),
            (_, Some(raw)) if self.raw => self.read(raw),
            _ => {
                if self.behind
                    && self.queue.is_empty()
                    && let Some(snapshot) = output.snapshot(self.scrollback)
                {
                    self.queue.say(Message::Snapshot(snapshot));
                    self.behind = false;
                }
                !self.behind
            }
        };
        if let Some(exited) = ended.filter(|_| complete) {
            self.queue.say(Message::Exited(exited.clone()));
            self.queue.finish();
            self.told = true;
        }
    }
}

/// A size that a terminal can have; `None` for none.
pub fn cells(size: &TerminalSize) -> Option<(u16, u16)> {
    let cell = |number: u32, most: u16| u16::try_from(number).unwrap_or(most).min(most);
    let rows = cell(size.rows, crate::term::guard::MAX_ROWS);
    let cols = cell(size.cols, crate::term::guard::MAX_COLS);
    (rows > 0 && cols > 0).then_some((rows, cols))
}

#[cfg(test)]
mod tests;
